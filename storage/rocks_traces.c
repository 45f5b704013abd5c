/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_traces.c: whole traces, in the order of their ids, which is the order of the rows in every part: every one that has
 * a span in a range, which is the source of brute force. Those that are asked for: rocks_asked.c. Knows the database through kv.h
 * only. */
#include "storage/rocks_view.h"

/* ---- which traces ---- */

struct id_list {
    struct sp_trace_id *ids; /* heap */
    size_t count, cap;
};

static int compare_ids(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static void id_list_sort(struct id_list *list)
{
    if (list->count < 2)
        return;
    qsort(list->ids, list->count, sizeof(*list->ids), compare_ids);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (sp_trace_id_compare(&list->ids[i], &list->ids[kept - 1]) != 0)
            list->ids[kept++] = list->ids[i];
    }
    list->count = kept;
}

/* A trace may be in several parts: repetitions go whenever the list is full. */
static enum sp_status id_list_add(struct id_list *list, const struct sp_trace_id *id,
                                  struct sp_error *reterr)
{
    if (list->count == list->cap) {
        id_list_sort(list);
        if (list->count >= SP_SCAN_TRACES_MAX)
            return sp_error_set(reterr, SP_LIMIT, "more than %zu traces to look at",
                                SP_SCAN_TRACES_MAX);
    }
    if (list->count * 2 > list->cap || list->cap == 0) {
        size_t cap = list->cap > 0 ? list->cap * 2 : 1024;
        struct sp_trace_id *ids = realloc(list->ids, cap * sizeof(*ids));
        if (ids == NULL)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu traces", cap);
        list->ids = ids;
        list->cap = cap;
    }
    list->ids[list->count++] = *id;
    return SP_OK;
}

bool sp_rocks_overlaps(struct sp_time_range range, uint64_t min_unix_ns, uint64_t max_unix_ns)
{
    return max_unix_ns >= range.from_unix_ns && min_unix_ns <= sp_time_range_last(range);
}

/* The traces of an open block that have a start in range. */
static enum sp_status add_block(struct id_list *list, struct sp_part_cursor *cursor,
                                struct sp_time_range range, struct sp_error *reterr)
{
    struct sp_segment_block info = sp_part_cursor_info(cursor, cursor->block_number);
    bool whole = sp_time_range_contains(range, info.start_min_unix_ns) &&
                 sp_time_range_contains(range, info.start_max_unix_ns);
    enum sp_status status =
        sp_part_cursor_fixed(cursor, whole ? SP_CHUNK_TRACES : SP_CHUNK_STARTS, reterr);
    const struct sp_block *block = cursor->block;
    for (uint32_t t = 0; t < block->trace_count && status == SP_OK; t++) {
        bool inside = whole;
        for (uint32_t row = block->trace_rows[t]; row < block->trace_rows[t + 1] && !inside; row++)
            inside = sp_time_range_contains(range, block->starts[row]);
        if (inside)
            status = id_list_add(list, &block->trace_ids[t], reterr);
    }
    return status;
}

static enum sp_status add_part(struct id_list *list, struct sp_part_cursor *cursor,
                               struct sp_time_range range, const struct sp_stop *stop,
                               struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t b = 0; b < cursor->block_count && status == SP_OK; b++) {
        struct sp_segment_block info = sp_part_cursor_info(cursor, b);
        if (!sp_rocks_overlaps(range, info.start_min_unix_ns, info.start_max_unix_ns))
            continue;
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_open(cursor, b, reterr);
        if (status == SP_OK)
            status = add_block(list, cursor, range, reterr);
    }
    return status;
}

/* ---- reading them ---- */

struct reading {
    struct sp_part_cursor *cursors; /* one for each part */
    uint32_t count;
    struct sp_arena *arena; /* of one trace */
};

static enum sp_status read_trace(struct reading *reading, const struct sp_trace_id *id,
                                 struct sp_batch *ret, struct sp_error *reterr)
{
    struct sp_rocks_spans collected = {.arena = reading->arena};
    uint64_t hash = sp_filter_hash(id);
    enum sp_status status = SP_OK;
    sp_arena_reset(reading->arena);
    for (uint32_t i = 0; i < reading->count && status == SP_OK; i++)
        status = sp_part_cursor_collect(&reading->cursors[i], id, hash, &collected, reterr);
    *ret = (struct sp_batch){.spans = collected.spans, .span_count = collected.count};
    return status;
}

static enum sp_status reading_init(struct reading *reading, const struct sp_rocks_view *view,
                                   struct sp_arena *arena, struct sp_error *reterr)
{
    *reading = (struct reading){
        .cursors = calloc((size_t)view->part_count + 1, sizeof(*reading->cursors)), .arena = arena};
    if (reading->cursors == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        status = sp_part_cursor_init(&reading->cursors[i], &view->parts[i], view, reterr);
        reading->count = i + 1;
    }
    return status;
}

static void reading_fini(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        sp_part_cursor_fini(&reading->cursors[i]);
    free(reading->cursors);
}

static enum sp_status visit_all(struct reading *reading, const struct id_list *list,
                                const struct sp_stop *stop,
                                enum sp_status (*visit)(void *visitor, const struct sp_batch *trace,
                                                        struct sp_error *reterr),
                                void *visitor, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < list->count && status == SP_OK; i++) {
        struct sp_batch trace;
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = read_trace(reading, &list->ids[i], &trace, reterr);
        if (status == SP_OK)
            status = visit(visitor, &trace, reterr);
    }
    return status;
}

enum sp_status sp_rocks_each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr)
{
    const struct sp_rocks_view *view = cookie;
    struct sp_arena arena;
    struct id_list list = {0};
    struct reading reading;
    sp_arena_init(&arena, SP_BRUTE_TRACE_BYTES_MAX);
    enum sp_status status = reading_init(&reading, view, &arena, reterr);
    for (uint32_t i = 0; i < reading.count && status == SP_OK; i++)
        status = add_part(&list, &reading.cursors[i], range, stop, reterr);
    if (status == SP_OK) {
        id_list_sort(&list);
        status = visit_all(&reading, &list, stop, visit, visitor, reterr);
    }
    reading_fini(&reading);
    free(list.ids);
    sp_arena_fini(&arena);
    return status;
}
