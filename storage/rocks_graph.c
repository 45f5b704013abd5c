/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_graph.c: the dependency graph. Segments know the calls within them and what their spans changed in the traces of
 * older ones, so that they only have to be added up; traces with spans in memory are looked at whole
 * (docs/decisions/0043-exact-graph.md). Knows the database through kv.h only. */
#include "storage/rocks.h"

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
        if (!may_hold(&reading->view->parts[i], id, hash))
            continue;
        if (cursor->part == NULL)
            status = sp_part_cursor_init(cursor, &reading->view->parts[i], reading->view, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_collect(cursor, id, hash, &collected, reterr);
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

/* ---- the head ---- */

struct head_trace {
    struct sp_trace_id id;
    bool is_in_range; /* has a start in range, here */
};

struct head_traces {
    SP_VECTOR(struct head_trace) list;
};

static int compare_traces(const void *a, const void *b)
{
    return sp_trace_id_compare(&((const struct head_trace *)a)->id,
                               &((const struct head_trace *)b)->id);
}

static bool add_block(struct head_traces *traces, const struct sp_block *block,
                      struct sp_time_range range)
{
    if (!sp_vector_reserve(&traces->list, block->trace_count))
        return false;
    for (uint32_t t = 0; t < block->trace_count; t++) {
        struct head_trace trace = {.id = block->trace_ids[t]};
        for (uint32_t row = block->trace_rows[t];
             row < block->trace_rows[t + 1] && !trace.is_in_range; row++)
            trace.is_in_range = sp_time_range_contains(range, block->starts[row]);
        traces->list.items[traces->list.count++] = trace;
    }
    return true;
}

/* Sorted, each once. */
static enum sp_status find_traces(const struct sp_rocks_view *view, uint32_t first_part,
                                  struct sp_time_range range, struct head_traces *traces,
                                  struct sp_error *reterr)
{
    for (uint32_t i = first_part; i < view->part_count; i++) {
        if (!add_block(traces, &view->parts[i].memory->block, range))
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %u traces",
                                traces->list.count);
    }
    if (traces->list.count > 0)
        qsort(traces->list.items, traces->list.count, sizeof(struct head_trace), compare_traces);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < traces->list.count; i++) {
        struct head_trace trace = traces->list.items[i];
        if (kept > 0 && compare_traces(&traces->list.items[kept - 1], &trace) == 0)
            traces->list.items[kept - 1].is_in_range |= trace.is_in_range;
        else
            traces->list.items[kept++] = trace;
    }
    traces->list.count = kept;
    return SP_OK;
}

/* What the spans in memory change in their trace. A late one may change calls far away from itself, but only those of spans that
 * are stored already. */
static enum sp_status extend_trace(struct reading *reading, const struct head_trace *trace,
                                   struct sp_edge_rollup *edges, struct sp_error *reterr)
{
    struct sp_batch before;
    struct sp_batch more;
    sp_arena_reset(&reading->arena);
    enum sp_status status =
        read_spans(reading, &trace->id, 0, reading->older_count, &before, reterr);
    if (status != SP_OK || (before.span_count == 0 && !trace->is_in_range))
        return status;
    status = read_spans(reading, &trace->id, reading->older_count, reading->view->part_count, &more,
                        reterr);
    return status == SP_OK ? sp_edge_rollup_extend(edges, &before, &more, reterr) : status;
}

static enum sp_status add_head(const struct sp_rocks_view *view, uint32_t first_part,
                               struct sp_time_range range, const struct sp_stop *stop,
                               struct sp_edge_rollup *answer, struct sp_error *reterr)
{
    struct head_traces traces = {0};
    struct reading reading;
    struct sp_edge_rollup edges;
    sp_edge_rollup_init(&edges);
    enum sp_status status = reading_init(&reading, view, first_part, reterr);
    if (status == SP_OK)
        status = find_traces(view, first_part, range, &traces, reterr);
    for (uint32_t i = 0; i < traces.list.count && status == SP_OK; i++) {
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = extend_trace(&reading, &traces.list.items[i], &edges, reterr);
    }
    if (status == SP_OK)
        status = sp_edge_rollup_merge(answer, &edges, range, reterr);
    sp_edge_rollup_fini(&edges);
    reading_fini(&reading);
    sp_vector_fini(&traces.list);
    return status;
}

/* ---- the graph ---- */

/* Every segment is asked: what it knows of older traces may lie before all its own spans. */
static enum sp_status add_parts(const struct sp_rocks_view *view, struct sp_time_range range,
                                const struct sp_stop *stop, struct sp_edge_rollup *answer,
                                struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    uint32_t i = 0;
    for (; i < view->part_count && view->parts[i].segment != NULL && status == SP_OK; i++) {
        status = sp_stop_ask(stop, reterr);
        if (status == SP_OK)
            status = sp_rocks_edges_read(view->kv, view->parts[i].segment,
                                         view->parts[i].links.edges_version, range, answer, reterr);
    }
    return status == SP_OK ? add_head(view, i, range, stop, answer, reterr) : status;
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
    sp_edge_rollup_init_answer(&answer);
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK && !sp_time_range_is_empty(range))
        status = add_parts(&view, range, stop, &answer, reterr);
    if (status == SP_OK)
        status = take_graph(&answer, arena, ret_edges, ret_count, reterr);
    sp_edge_rollup_fini(&answer);
    sp_rocks_view_close(&view);
    return status;
}
