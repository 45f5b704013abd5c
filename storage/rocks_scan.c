/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_scan.c: candidate traces, newest first. Parts are read in the order of their newest starts; a candidate is
 * handed out as soon as no part that was not read yet can have a newer one. Knows the database through kv.h only. */
#include "storage/block_match.h"
#include "storage/rocks_view.h"
#include "storage/scan_also.h"
#include "storage/value_ask.h"

#include <stdlib.h>

/* Candidates between two questions to the caller whether to go on. */
#define ASK_CANDIDATES 4096

struct scanning {
    const struct sp_scan *scan;
    const struct sp_stop *stop;
    const struct sp_rocks_view *view;
    uint32_t *order;                     /* parts, newest first */
    uint32_t next;                       /* in order: the first that was not read */
    SP_VECTOR(struct sp_candidate) heap; /* the newest on top; not of what was handed out: */
    uint32_t first;                      /* sorted: so many in front were */
    bool sorted;                         /* the heap is in order, from the first on */
    uint32_t popped;                     /* since it was made a heap */
    struct sp_idset visited;
    struct sp_block_match match;
    struct sp_value_reader values;
    SP_VECTOR(uint32_t) wanted; /* blocks of the part at hand */
    struct sp_scan_also also;
    uint64_t handed_out; /* candidates, repeated ones included */
    struct sp_scanned *scanned;
};

/* ---- heap ---- */

/* Newer first; of the same time the smaller id, so that the order is the same in every scan. */
static bool comes_before(const struct sp_candidate *a, const struct sp_candidate *b)
{
    if (a->bound_unix_ns != b->bound_unix_ns)
        return a->bound_unix_ns > b->bound_unix_ns;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id) < 0;
}

static void sift_down(struct sp_candidate *items, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t first = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < count && comes_before(&items[child], &items[first]))
                first = child;
        }
        if (first == at)
            return;
        struct sp_candidate swapped = items[at];
        items[at] = items[first];
        items[first] = swapped;
        at = first;
    }
}

static void heapify(struct scanning *scanning)
{
    scanning->popped = 0;
    scanning->sorted = false;
    for (uint32_t i = scanning->heap.count / 2; i > 0; i--)
        sift_down(scanning->heap.items, scanning->heap.count, i - 1);
}

/* Who takes the first few needs no more order than a heap's. Who takes more is going to take most: then sorting is cheaper. */
#define SORT_BEHIND 4096

static int compare_candidates(const void *a, const void *b)
{
    return comes_before(a, b) ? -1 : comes_before(b, a);
}

static uint32_t waiting(const struct scanning *scanning)
{
    return scanning->heap.count - scanning->first;
}

static const struct sp_candidate *top(const struct scanning *scanning)
{
    return &scanning->heap.items[scanning->first];
}

static struct sp_candidate pop(struct scanning *scanning)
{
    struct sp_candidate *items = scanning->heap.items;
    struct sp_candidate top = items[scanning->first];
    if (!scanning->sorted && ++scanning->popped > SORT_BEHIND) {
        qsort(items, scanning->heap.count, sizeof(*items), compare_candidates);
        scanning->sorted = true;
    }
    if (scanning->sorted) {
        scanning->first++;
        return top;
    }
    items[0] = items[--scanning->heap.count];
    sift_down(items, scanning->heap.count, 0);
    return top;
}

/* What was handed out goes; more is going to be added. */
static void leave_waiting(struct scanning *scanning)
{
    uint32_t count = waiting(scanning);
    if (scanning->first > 0)
        memmove(scanning->heap.items, top(scanning), count * sizeof(*scanning->heap.items));
    scanning->heap.count = count;
    scanning->first = 0;
}

/* ---- reading a part ---- */

static uint64_t max_start(const struct sp_rocks_part *part)
{
    return part->segment != NULL ? part->segment->start_max_unix_ns
                                 : part->memory->block.start_max_unix_ns;
}

static uint64_t min_start(const struct sp_rocks_part *part)
{
    return part->segment != NULL ? part->segment->start_min_unix_ns
                                 : part->memory->block.start_min_unix_ns;
}

static enum sp_status add_candidate(struct scanning *scanning, const struct sp_candidate *candidate,
                                    struct sp_error *reterr)
{
    if (scanning->heap.count >= SP_SCAN_TRACES_MAX)
        return sp_error_set(reterr, SP_LIMIT, "more than %zu traces to scan", SP_SCAN_TRACES_MAX);
    if (!sp_vector_push(&scanning->heap, *candidate))
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan %u traces",
                            scanning->heap.count);
    return SP_OK;
}

static enum sp_status read_block(struct scanning *scanning, struct sp_part_cursor *cursor,
                                 struct sp_error *reterr)
{
    struct sp_block_view view;
    uint32_t count = 0;
    sp_part_cursor_view(cursor, &view);
    scanning->scanned->rows += view.block->tables[SP_BLOCK_SPANS].count;
    scanning->scanned->rows_passed += view.block->tables[SP_BLOCK_SPANS].count;
    enum sp_status status = sp_block_match_run(&scanning->match, &view, reterr);
    if (status != SP_OK || scanning->match.share == SP_SHARE_NONE)
        return status;
    struct sp_match_trace *traces = calloc((size_t)view.block->trace_count + 1, sizeof(*traces));
    if (traces == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan a block");
    status = sp_block_match_traces(&scanning->match, &view, traces, &count, reterr);
    if (status == SP_OK)
        status = sp_scan_also_keep(&scanning->also, cursor, &view, traces, &count, reterr);
    for (uint32_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_candidate candidate = {.trace_id = view.block->trace_ids[traces[i].trace],
                                         .bound_unix_ns = traces[i].newest_start_unix_ns};
        status = add_candidate(scanning, &candidate, reterr);
    }
    free(traces);
    return status;
}

static bool is_in_range(const struct scanning *scanning, const struct sp_part_cursor *cursor,
                        uint32_t block)
{
    struct sp_segment_block info = sp_part_cursor_info(cursor, block);
    return sp_rocks_overlaps(scanning->scan->range, info.start_min_unix_ns, info.start_max_unix_ns);
}

/* Of the blocks [first, first + count) those in range and, by their number from first on, in the set. */
static enum sp_status want(struct scanning *scanning, const struct sp_part_cursor *cursor,
                           uint32_t first, uint32_t count, uint64_t set, struct sp_error *reterr)
{
    for (uint32_t b = 0; b < count; b++) {
        if (!is_in_range(scanning, cursor, first + b))
            continue;
        if (!sp_scan_also_may_have_ids(&scanning->also, cursor, first + b) ||
            (set >> b % SP_VALUE_GROUP_BLOCKS & 1) == 0)
            scanning->scanned->rows_passed += sp_part_cursor_info(cursor, first + b).rows;
        else if (!sp_vector_push(&scanning->wanted, first + b))
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan a segment");
    }
    return SP_OK;
}

/* The blocks of a part that may have what is looked for. */
static enum sp_status choose_blocks(struct scanning *scanning, const struct sp_part_cursor *cursor,
                                    struct sp_error *reterr)
{
    const struct sp_segment *segment = cursor->part->segment;
    enum sp_status status = SP_OK;
    scanning->wanted.count = 0;
    if (segment == NULL || segment->group_count == 0)
        return want(scanning, cursor, 0, cursor->block_count, SP_VALUE_ALL_BLOCKS, reterr);
    for (uint32_t g = 0; g < segment->group_count && status == SP_OK; g++) {
        const struct sp_value_group *group = &segment->groups[g];
        uint64_t set;
        status = sp_stop_ask(scanning->stop, reterr);
        if (status == SP_OK)
            status = sp_value_ask(&scanning->values, segment, g, scanning->scan, &set, reterr);
        if (status == SP_OK)
            status = want(scanning, cursor, group->first_block, group->block_count, set, reterr);
    }
    return status;
}

/* The bound of a candidate is that of its rows in this part that match. A trace with newer ones in another part becomes a candidate
 * there, too, and the newest is handed out first. */
static enum sp_status read_part(struct scanning *scanning, uint32_t part, struct sp_error *reterr)
{
    leave_waiting(scanning);
    struct sp_part_cursor cursor;
    enum sp_status status =
        sp_part_cursor_init(&cursor, &scanning->view->parts[part], scanning->view, reterr);
    if (status == SP_OK)
        status = choose_blocks(scanning, &cursor, reterr);
    scanning->scanned->segments += status == SP_OK && scanning->wanted.count > 0;
    uint64_t bytes_before = scanning->scanned->bytes;
    for (uint32_t i = 0; i < scanning->wanted.count && status == SP_OK; i++) {
        status = sp_stop_ask(scanning->stop, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_open(&cursor, scanning->wanted.items[i], reterr);
        if (status == SP_OK)
            status = read_block(scanning, &cursor, reterr);
        scanning->scanned->bytes = bytes_before + cursor.reader.bytes;
    }
    sp_part_cursor_fini(&cursor);
    heapify(scanning);
    scanning->scanned->traces_waiting = scanning->heap.count;
    return status;
}

/* ---- handing out ---- */

/* Candidates that no unread part can have a newer span than. *ret_stopped: the visitor has enough. */
static enum sp_status hand_out(struct scanning *scanning, uint64_t threshold_unix_ns, bool all,
                               enum sp_visit (*visit)(void *cookie,
                                                      const struct sp_candidate *candidate),
                               void *cookie, bool *ret_stopped, struct sp_error *reterr)
{
    while (waiting(scanning) > 0 && (all || top(scanning)->bound_unix_ns > threshold_unix_ns)) {
        struct sp_candidate candidate = pop(scanning);
        scanning->scanned->traces_waiting = waiting(scanning);
        bool added;
        enum sp_status status = SP_OK;
        if (++scanning->handed_out % ASK_CANDIDATES == 0)
            status = sp_stop_ask(scanning->stop, reterr);
        if (status != SP_OK)
            return status;
        status = sp_idset_add(&scanning->visited, &candidate.trace_id, &added);
        if (status != SP_OK)
            return sp_error_set(reterr, status, "no memory to scan %zu traces",
                                scanning->visited.count);
        if (!added)
            continue;
        if (scanning->visited.count > SP_SCAN_TRACES_MAX)
            return sp_error_set(reterr, SP_LIMIT, "more than %zu traces to scan",
                                SP_SCAN_TRACES_MAX);
        scanning->scanned->traces++;
        if (visit(cookie, &candidate) == SP_VISIT_STOP) {
            *ret_stopped = true;
            return SP_OK;
        }
    }
    return SP_OK;
}

static enum sp_status scan_parts(struct scanning *scanning,
                                 enum sp_visit (*visit)(void *cookie,
                                                        const struct sp_candidate *candidate),
                                 void *cookie, struct sp_error *reterr)
{
    const struct sp_rocks_view *view = scanning->view;
    bool stopped = false;
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK && !stopped; i++) {
        uint32_t part = scanning->order[i];
        if (!sp_rocks_overlaps(scanning->scan->range, min_start(&view->parts[part]),
                               max_start(&view->parts[part])))
            continue;
        status = hand_out(scanning, max_start(&view->parts[part]), false, visit, cookie, &stopped,
                          reterr);
        if (status == SP_OK && !stopped)
            status = read_part(scanning, part, reterr);
    }
    if (status == SP_OK && !stopped)
        status = hand_out(scanning, 0, true, visit, cookie, &stopped, reterr);
    return status;
}

/* Parts by their newest start, newest first. Few: insertion. */
static void order_parts(struct scanning *scanning)
{
    const struct sp_rocks_view *view = scanning->view;
    for (uint32_t i = 0; i < view->part_count; i++) {
        uint32_t at = i;
        for (; at > 0 &&
               max_start(&view->parts[scanning->order[at - 1]]) < max_start(&view->parts[i]);
             at--)
            scanning->order[at] = scanning->order[at - 1];
        scanning->order[at] = i;
    }
}

/* What there is in range, whether it will be read or not. */
static void count_total(struct scanning *scanning)
{
    const struct sp_rocks_view *view = scanning->view;
    for (uint32_t p = 0; p < view->part_count; p++) {
        const struct sp_part_cursor cursor = {.part = &view->parts[p]};
        const struct sp_segment *segment = view->parts[p].segment;
        uint32_t count = segment != NULL ? segment->block_count : 1;
        uint64_t rows = 0;
        for (uint32_t b = 0; b < count; b++)
            rows += is_in_range(scanning, &cursor, b) ? sp_part_cursor_info(&cursor, b).rows : 0;
        scanning->scanned->segments_total += rows > 0;
        scanning->scanned->rows_total += rows;
    }
}

static enum sp_status scanning_init(struct scanning *scanning, struct sp_error *reterr)
{
    const struct sp_rocks_view *view = scanning->view;
    scanning->order = calloc((size_t)view->part_count + 1, sizeof(*scanning->order));
    if (scanning->order == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    order_parts(scanning);
    count_total(scanning);
    enum sp_status status = sp_value_reader_init(&scanning->values, view->kv, reterr);
    if (status == SP_OK)
        status =
            sp_scan_also_init(&scanning->also, scanning->scan, view, &scanning->values, reterr);
    if (status != SP_OK)
        return status;
    return sp_block_match_init(&scanning->match, scanning->scan, reterr);
}

static void scanning_fini(struct scanning *scanning)
{
    scanning->scanned->bytes += scanning->values.bytes;
    free(scanning->order);
    sp_vector_fini(&scanning->wanted);
    sp_scan_also_fini(&scanning->also);
    sp_value_reader_fini(&scanning->values);
    sp_vector_fini(&scanning->heap);
    sp_idset_fini(&scanning->visited);
    sp_block_match_fini(&scanning->match);
}

enum sp_status
sp_rocks_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
              enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
              void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK) {
        struct scanning scanning = {
            .scan = scan, .stop = stop, .view = &view, .scanned = ret_scanned};
        status = scanning_init(&scanning, reterr);
        if (status == SP_OK)
            status = scan_parts(&scanning, visit, cookie, reterr);
        scanning_fini(&scanning);
    }
    sp_rocks_view_close(&view);
    return status;
}
