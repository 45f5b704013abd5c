/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_graph.c: the dependency graph. Segments know the calls within them and what their spans changed in the traces of
 * older ones, so that they only have to be added up; blocks in memory are counted in the same way when they are first asked for
 * (docs/decisions/0043-exact-graph.md, 0083-what-questions-keep.md). Knows the database through kv.h only. */
#include "storage/rocks_rollup.h"
#include "storage/rocks_view.h"

/* Of what a block of the head keeps; a larger one is counted at each question. */
#define KEPT_BYTES_MAX ((size_t)1024 * 1024)

/* ---- traces, part by part ---- */

/* Parts in order, of which the first older_count are segments. */
struct reading {
    const struct sp_rocks_view *view;
    uint32_t older_count;
    struct sp_part_cursor *cursors; /* heap; of each part; made when it is needed */
    struct sp_arena arena;          /* of one trace */
};

static enum sp_status reading_init(struct reading *reading, const struct sp_rocks_view *view,
                                   uint32_t older_count, struct sp_error *reterr)
{
    *reading = (struct reading){
        .view = view,
        .older_count = older_count,
        .cursors = calloc((size_t)view->part_count + 1, sizeof(*reading->cursors))};
    sp_arena_init(&reading->arena, SP_BRUTE_TRACE_BYTES_MAX);
    return reading->cursors != NULL
               ? SP_OK
               : sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %u parts",
                              view->part_count);
}

static void reading_fini(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->view->part_count && reading->cursors != NULL; i++)
        sp_part_cursor_fini(&reading->cursors[i]);
    free(reading->cursors);
    sp_arena_fini(&reading->arena);
}

static bool may_hold(const struct sp_rocks_part *part, const struct sp_trace_id *id, uint64_t hash)
{
    uint32_t first = 0;
    uint32_t end = 1;
    if (part->segment != NULL)
        sp_segment_find(part->segment, id, hash, &first, &end);
    else
        end = sp_block_find(&part->memory->block, id, &first) > 0 ? first + 1 : first;
    return first < end;
}

/* The spans of a trace in the parts [from, to), in the order in which they were acked. */
static enum sp_status read_spans(struct reading *reading, const struct sp_trace_id *id,
                                 uint32_t from, uint32_t to, struct sp_batch *ret,
                                 struct sp_error *reterr)
{
    struct sp_rocks_spans collected = {.arena = &reading->arena};
    uint64_t hash = sp_filter_hash(id);
    enum sp_status status = SP_OK;
    for (uint32_t i = from; i < to && status == SP_OK; i++) {
        struct sp_part_cursor *cursor = &reading->cursors[i];
        const struct sp_segment *segment = reading->view->parts[i].segment;
        size_t before = collected.count;
        if (!may_hold(&reading->view->parts[i], id, hash))
            continue;
        if (cursor->part == NULL)
            status = sp_part_cursor_init(cursor, &reading->view->parts[i], reading->view, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_collect(cursor, id, hash, &collected, reterr);
        if (status == SP_OK && segment != NULL &&
            sp_graph_keep_names(collected.spans + before, collected.count - before, segment->names,
                                &reading->arena) != SP_OK)
            status = sp_arena_failed(&reading->arena, reterr, "a trace of %zu spans is too large",
                                     collected.count);
    }
    *ret = (struct sp_batch){.spans = collected.spans, .span_count = collected.count};
    return status;
}

/* ---- a new segment ---- */

static enum sp_status correct_trace(struct reading *reading, const struct sp_trace_id *id,
                                    struct sp_edge_rollup *edges, struct sp_error *reterr)
{
    struct sp_batch parts[2];
    sp_arena_reset(&reading->arena);
    enum sp_status status = read_spans(reading, id, 0, reading->older_count, &parts[0], reterr);
    if (status == SP_OK)
        status = read_spans(reading, id, reading->older_count, reading->view->part_count, &parts[1],
                            reterr);
    if (status == SP_OK)
        status = sp_edge_rollup_correct(edges, parts, 2, SP_EDGE_ADD, reterr);
    return status;
}

enum sp_status sp_rocks_correct(const struct sp_rocks_view *view, uint32_t older_count,
                                const struct sp_trace_id *ids, size_t id_count,
                                struct sp_edge_rollup *edges, size_t *ret_left_out,
                                struct sp_error *reterr)
{
    struct reading reading;
    enum sp_status status = reading_init(&reading, view, older_count, reterr);
    *ret_left_out = 0;
    for (size_t i = 0; i < id_count && status == SP_OK; i++) {
        status = correct_trace(&reading, &ids[i], edges, reterr);
        /* Nothing was added then. The spans have to be sealed all the same. */
        if (status == SP_LIMIT || status == SP_CORRUPT) {
            ++*ret_left_out;
            status = SP_OK;
        }
    }
    reading_fini(&reading);
    return status;
}

/* ---- a segment that goes ---- */

/* Appends the spans of one part of the list to a batch that has room for them. */
static void append_spans(struct sp_batch *batch, struct sp_span *room, const struct sp_batch *part)
{
    if (part->span_count > 0)
        memcpy(room + batch->span_count, part->spans, part->span_count * sizeof(*room));
    batch->spans = room;
    batch->span_count += part->span_count;
}

static enum sp_status uncount_trace(struct reading *reading, const struct sp_trace_id *id,
                                    uint32_t removed, uint32_t later, struct sp_edge_rollup *edges,
                                    struct sp_error *reterr)
{
    const uint32_t bounds[] = {0, removed, removed + 1, later, later + 1};
    struct sp_batch parts[4]; /* before the one that goes; it; between; the later one */
    size_t count = 0;
    enum sp_status status = SP_OK;
    sp_arena_reset(&reading->arena);
    for (size_t i = 0; i < SP_ARRAY_LEN(parts) && status == SP_OK; i++) {
        status = read_spans(reading, id, bounds[i], bounds[i + 1], &parts[i], reterr);
        count += parts[i].span_count;
    }
    if (status != SP_OK)
        return status;
    struct sp_span *room = sp_arena_calloc(&reading->arena, 2 * count + 1, sizeof(*room));
    if (room == NULL)
        return sp_arena_failed(&reading->arena, reterr, "a trace of %zu spans is too large", count);
    struct sp_batch with = {0};
    struct sp_batch without = {0};
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        append_spans(&with, room, &parts[i]);
        if (i != 1)
            append_spans(&without, room + count, &parts[i]);
    }
    return sp_edge_rollup_rebase(edges, &with, &without, parts[3].span_count, reterr);
}

enum sp_status sp_rocks_uncount(const struct sp_rocks_view *view, uint32_t removed, uint32_t later,
                                const struct sp_trace_id *ids, size_t id_count,
                                struct sp_edge_rollup *edges, size_t *ret_left_out,
                                struct sp_error *reterr)
{
    struct reading reading;
    enum sp_status status = reading_init(&reading, view, later, reterr);
    *ret_left_out = 0;
    for (size_t i = 0; i < id_count && status == SP_OK; i++) {
        status = uncount_trace(&reading, &ids[i], removed, later, edges, reterr);
        if (status == SP_LIMIT || status == SP_CORRUPT) { /* as when it was counted */
            ++*ret_left_out;
            status = SP_OK;
        }
    }
    reading_fini(&reading);
    return status;
}

/* *ret_is_new: no older segment has spans of it. */
static enum sp_status recount_trace(struct reading *reading, const struct sp_trace_id *id,
                                    uint32_t removed, uint32_t later, struct sp_edge_rollup *edges,
                                    bool *ret_is_new, struct sp_error *reterr)
{
    struct sp_batch older[2]; /* before the one that goes, and behind it */
    struct sp_batch here;
    struct sp_batch before = {0};
    sp_arena_reset(&reading->arena);
    enum sp_status status = read_spans(reading, id, 0, removed, &older[0], reterr);
    if (status == SP_OK)
        status = read_spans(reading, id, removed + 1, later, &older[1], reterr);
    if (status == SP_OK)
        status = read_spans(reading, id, later, later + 1, &here, reterr);
    if (status != SP_OK)
        return status;
    size_t count = older[0].span_count + older[1].span_count;
    struct sp_span *room = sp_arena_calloc(&reading->arena, count + 1, sizeof(*room));
    if (room == NULL)
        return sp_arena_failed(&reading->arena, reterr, "a trace of %zu spans is too large", count);
    append_spans(&before, room, &older[0]);
    append_spans(&before, room, &older[1]);
    *ret_is_new = count == 0;
    return sp_edge_rollup_extend(edges, &before, &here, reterr);
}

enum sp_status sp_rocks_recount(const struct sp_rocks_view *view, uint32_t removed, uint32_t later,
                                const struct sp_trace_id *ids, size_t id_count,
                                struct sp_edge_rollup *edges, uint64_t *ret_new_count,
                                struct sp_error *reterr)
{
    struct reading reading;
    enum sp_status status = reading_init(&reading, view, later, reterr);
    *ret_new_count = 0;
    for (size_t i = 0; i < id_count && status == SP_OK; i++) {
        bool is_new = false;
        status = recount_trace(&reading, &ids[i], removed, later, edges, &is_new, reterr);
        *ret_new_count += is_new;
    }
    reading_fini(&reading);
    return status;
}

/* ---- the head ----
 * A block in memory adds to the graph what its spans change in the calls of their traces, given all that was acked before. What came
 * before is the same for ever, wherever it lies by now, unless it is removed: so this is worked out once, and kept with the block. */

/* The calls within the block, and what the block changes in traces that older parts hold. As of a segment (rocks_seal.c). */
static enum sp_status count_block(struct reading *reading, uint32_t part,
                                  const struct sp_stop *stop, struct sp_edge_rollup *edges,
                                  struct sp_error *reterr)
{
    const struct sp_block *block = &reading->view->parts[part].memory->block;
    struct sp_edge_counter *counter;
    enum sp_status status =
        sp_edge_counter_new(edges, SP_PEER_NAMES_BY_DESTINATION, &counter, reterr);
    if (status != SP_OK)
        return status;
    status = sp_edge_counter_add(counter, block, reterr);
    if (status == SP_OK)
        status = sp_edge_counter_finish(counter, reterr);
    sp_edge_counter_free(counter);
    for (uint32_t t = 0; t < block->trace_count && status == SP_OK; t++) {
        struct sp_batch parts[2] = {0};
        sp_arena_reset(&reading->arena);
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = read_spans(reading, &block->trace_ids[t], 0, part, &parts[0], reterr);
        if (status != SP_OK || parts[0].span_count == 0)
            continue;
        status = read_spans(reading, &block->trace_ids[t], part, part + 1, &parts[1], reterr);
        if (status == SP_OK)
            status = sp_edge_rollup_correct(edges, parts, 2, SP_EDGE_ADD, reterr);
    }
    return status;
}

/* Adds what is kept with a block, if it still holds. */
static enum sp_status add_kept(const struct sp_rocks_view *view, uint32_t part,
                               uint64_t spans_before, struct sp_time_range range,
                               struct sp_edge_rollup *answer, bool *ret_added,
                               struct sp_error *reterr)
{
    struct sp_kept *kept = &view->parts[part].memory->calls;
    enum sp_status status = SP_OK;
    pthread_mutex_lock(&view->rocks->kept_lock);
    *ret_added = sp_kept_holds(kept, spans_before);
    if (*ret_added)
        status = sp_edge_rollup_read(sp_buf_slice(&kept->bytes), range, answer, reterr);
    pthread_mutex_unlock(&view->rocks->kept_lock);
    return status;
}

static enum sp_status keep(const struct sp_rocks_view *view, uint32_t part, uint64_t spans_before,
                           const struct sp_edge_rollup *edges, struct sp_error *reterr)
{
    struct sp_buf bytes;
    sp_buf_init(&bytes, KEPT_BYTES_MAX);
    enum sp_status status = sp_edge_rollup_encode(edges, &bytes, reterr);
    sp_buf_trim(&bytes);
    pthread_mutex_lock(&view->rocks->kept_lock);
    if (status == SP_OK)
        sp_kept_set(&view->parts[part].memory->calls, &bytes, spans_before);
    pthread_mutex_unlock(&view->rocks->kept_lock);
    sp_buf_fini(&bytes);
    return status == SP_LIMIT ? SP_OK : status; /* then it is worked out each time */
}

static enum sp_status add_block(struct reading *reading, uint32_t part, uint64_t spans_before,
                                bool keeps, struct sp_time_range range, const struct sp_stop *stop,
                                struct sp_edge_rollup *answer, struct sp_error *reterr)
{
    struct sp_edge_rollup edges;
    bool added;
    enum sp_status status =
        add_kept(reading->view, part, spans_before, range, answer, &added, reterr);
    if (status != SP_OK || added)
        return status;
    sp_edge_rollup_init(&edges);
    status = count_block(reading, part, stop, &edges, reterr);
    if (status == SP_OK)
        status = sp_edge_rollup_merge(answer, &edges, range, reterr);
    if (status == SP_OK && keeps)
        status = keep(reading->view, part, spans_before, &edges, reterr);
    sp_edge_rollup_fini(&edges);
    return status;
}

static uint64_t span_count(const struct sp_rocks_part *part)
{
    return part->segment != NULL ? part->segment->span_count
                                 : part->memory->block.tables[SP_BLOCK_SPANS].count;
}

/* lasting: so many parts are the store's; those behind were made for this question. */
static enum sp_status add_head(const struct sp_rocks_view *view, uint32_t first_part,
                               uint32_t lasting, struct sp_time_range range,
                               const struct sp_stop *stop, struct sp_edge_rollup *answer,
                               struct sp_error *reterr)
{
    struct reading reading;
    /* Removing is all that changes what came before, and it makes it less. */
    uint64_t spans_before = 0;
    enum sp_status status = reading_init(&reading, view, first_part, reterr);
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        if (i >= first_part)
            status = sp_stop_ask(stop, reterr);
        if (i >= first_part && status == SP_OK)
            status = add_block(&reading, i, spans_before, i < lasting, range, stop, answer, reterr);
        spans_before += span_count(&view->parts[i]);
    }
    reading_fini(&reading);
    return status;
}

/* ---- the graph ---- */

/* Every segment is asked: what it knows of older traces may lie before all its own spans. */
static enum sp_status add_parts(const struct sp_rocks_view *view, uint32_t lasting,
                                struct sp_time_range range, const struct sp_stop *stop,
                                struct sp_edge_rollup *answer, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    uint32_t i = 0;
    for (; i < view->part_count && view->parts[i].segment != NULL && status == SP_OK; i++) {
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = sp_rocks_edges_count(view, &view->parts[i], range, answer, reterr);
    }
    return status == SP_OK ? add_head(view, i, lasting, range, stop, answer, reterr) : status;
}

static enum sp_status take_graph(const struct sp_edge_rollup *answer, struct sp_arena *arena,
                                 struct sp_graph_edge **ret_edges, size_t *ret_count,
                                 struct sp_error *reterr)
{
    struct sp_graph graph;
    sp_graph_init(&graph);
    enum sp_status status = sp_edge_rollup_graph(answer, &graph, reterr);
    if (status == SP_OK) {
        status = sp_graph_take(&graph, arena, ret_edges, ret_count);
        if (status != SP_OK)
            sp_arena_failed(arena, reterr, "%zu edges do not fit into this query's memory",
                            graph.edge_count);
    }
    sp_graph_fini(&graph);
    return status;
}

enum sp_status sp_rocks_graph(struct sp_store *store, struct sp_time_range range,
                              const struct sp_stop *stop, struct sp_arena *arena,
                              struct sp_graph_edge **ret_edges, size_t *ret_count,
                              struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_edge_rollup answer;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    uint32_t lasting = view.part_count;
    sp_edge_rollup_init_answer(&answer);
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(range))
        status = add_parts(&view, lasting, range, stop, &answer, reterr);
    if (status == SP_OK)
        status = take_graph(&answer, arena, ret_edges, ret_count, reterr);
    sp_edge_rollup_fini(&answer);
    sp_rocks_view_close(&view);
    return status;
}
