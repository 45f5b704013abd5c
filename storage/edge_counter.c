/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_counter.c: the traces of the blocks of one segment, one after the other, to who finds their calls. A trace whose rows
 * may go on in the next block is kept as spans until that is known. Knows no calls. */
#include "storage/edge_counter.h"

enum sp_status sp_edge_counter_new(struct sp_edge_rollup *rollup, enum sp_peer_names names,
                                   struct sp_edge_counter **ret, struct sp_error *reterr)
{
    struct sp_edge_counter *counter = calloc(1, sizeof(*counter));
    if (counter == NULL)
        return sp_edge_rollup_failed(reterr);
    counter->rollup = rollup;
    counter->names = names;
    sp_arena_init(&counter->kept_arena, SIZE_MAX);
    *ret = counter;
    return SP_OK;
}

void sp_edge_counter_free(struct sp_edge_counter *counter)
{
    if (counter == NULL)
        return;
    sp_vector_fini(&counter->kept);
    sp_arena_fini(&counter->kept_arena);
    sp_vector_fini(&counter->templates);
    sp_vector_fini(&counter->name_columns);
    sp_vector_fini(&counter->next_values);
    sp_vector_fini(&counter->first_places);
    sp_vector_fini(&counter->places);
    sp_vector_fini(&counter->first_links);
    sp_vector_fini(&counter->nodes);
    sp_vector_fini(&counter->slots);
    free(counter);
}

/* ---- the trace that may go on ---- */

enum sp_status sp_edge_counter_finish(struct sp_edge_counter *counter, struct sp_error *reterr)
{
    struct sp_batch batch = {.spans = counter->kept.items, .span_count = counter->kept.count};
    enum sp_status status = sp_edge_rollup_add_trace(counter->rollup, &batch, SP_EDGE_ADD, reterr);
    counter->kept.count = 0;
    sp_arena_reset(&counter->kept_arena);
    return status;
}

/* The arena has no limit, so what does not fit into it is memory that there is not. */
static enum sp_status read_spans(const struct sp_edge_counter *counter,
                                 const struct sp_block *block, uint32_t first, uint32_t count,
                                 bool copy, struct sp_arena *arena, struct sp_span *spans,
                                 struct sp_error *reterr)
{
    enum sp_status status = sp_block_spans(block, first, count, copy, arena, spans, reterr);
    if (status == SP_OK && sp_graph_keep_names(spans, count, counter->names, arena) != SP_OK)
        return sp_edge_rollup_failed(reterr);
    return status == SP_LIMIT ? sp_edge_rollup_failed(reterr) : status;
}

static enum sp_status keep(struct sp_edge_counter *counter, const struct sp_block *block,
                           uint32_t trace, struct sp_error *reterr)
{
    uint32_t first = block->trace_rows[trace];
    uint32_t count = block->trace_rows[trace + 1] - first;
    if (!sp_vector_reserve(&counter->kept, count))
        return sp_edge_rollup_failed(reterr);
    enum sp_status status = read_spans(counter, block, first, count, true, &counter->kept_arena,
                                       counter->kept.items + counter->kept.count, reterr);
    if (status == SP_OK)
        counter->kept.count += count;
    return status;
}

/* ---- blocks ---- */

/* Attributes that are no columns may name the other end of a call: such blocks, which are rare, are read as spans. */
static bool has_more_attributes(const struct sp_block *block)
{
    for (uint32_t c = 0; c < block->column_count; c++)
        if (block->columns[c].table == SP_BLOCK_SPANS &&
            block->columns[c].role == SP_ROLE_MORE_ATTRIBUTES && block->columns[c].count > 0)
            return true;
    return false;
}

static enum sp_status count_spans(struct sp_edge_counter *counter, const struct sp_block *block,
                                  uint32_t from, uint32_t to, struct sp_error *reterr)
{
    struct sp_arena arena;
    uint32_t first = block->trace_rows[from];
    uint32_t count = block->trace_rows[to] - first;
    struct sp_span *spans = calloc((size_t)count + 1, sizeof(*spans));
    if (spans == NULL)
        return sp_edge_rollup_failed(reterr);
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = read_spans(counter, block, first, count, false, &arena, spans, reterr);
    for (uint32_t t = from; t < to && status == SP_OK; t++) {
        struct sp_batch batch = {.spans = spans + (block->trace_rows[t] - first),
                                 .span_count = block->trace_rows[t + 1] - block->trace_rows[t]};
        status = sp_edge_rollup_add_trace(counter->rollup, &batch, SP_EDGE_ADD, reterr);
    }
    sp_arena_fini(&arena);
    free(spans);
    return status;
}

enum sp_status sp_edge_counter_add(struct sp_edge_counter *counter, const struct sp_block *block,
                                   struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    if (block->trace_count == 0)
        return SP_OK;
    uint32_t from = 0;
    if (counter->kept.count > 0 &&
        sp_trace_id_compare(&counter->kept.items[0].trace_id, &block->trace_ids[0]) == 0) {
        status = keep(counter, block, 0, reterr);
        if (status != SP_OK || block->trace_count == 1)
            return status;
        from = 1;
    }
    status = sp_edge_counter_finish(counter, reterr);
    uint32_t to = block->trace_count - 1;
    if (status == SP_OK && from < to)
        status = has_more_attributes(block)
                     ? count_spans(counter, block, from, to, reterr)
                     : sp_edge_counter_calls(counter, block, from, to, reterr);
    return status == SP_OK ? keep(counter, block, to, reterr) : status;
}
