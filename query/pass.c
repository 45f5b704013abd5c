/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass.c: see pass.h. */
#include "query/pass.h"

const struct sp_traceql_node *sp_pass_single_filter(const struct sp_traceql_node *pipeline,
                                                    uint32_t stage_count)
{
    if (stage_count != 1)
        return NULL;
    const struct sp_traceql_node *node = pipeline->items[0];
    while (node->kind == SP_TRACEQL_PIPELINE && node->item_count == 1)
        node = node->items[0];
    return node->kind == SP_TRACEQL_FILTER ? node : NULL;
}

enum sp_status sp_pass_prepare(struct sp_pass *pass, const struct sp_traceql_node *const *keys,
                               uint32_t key_count, struct sp_error *reterr)
{
    const struct sp_traceql_node *filter = sp_pass_single_filter(pass->pipeline, pass->stage_count);
    struct sp_rows_question question = {.query = pass->query,
                                        .condition = filter ? filter->left : NULL,
                                        .keys = keys,
                                        .key_count = key_count};
    struct sp_arena *arena = &pass->call->arena;
    enum sp_status status;
    pass->scan = (struct sp_scan){.range = pass->range};
    pass->of_traces = !filter || sp_rows_question_reads(&question) == SP_READS_TRACES;
    pass->condition = question.condition;
    for (uint32_t i = 0; i < key_count; i++)
        pass->needs_tree |= sp_match_field_needs_tree(&keys[i]->field);
    if (pass->of_traces) {
        pass->condition_known = true;
        status = sp_match_hints_of(arena, pass->query, pass->pipeline, &pass->scan);
    } else {
        status = sp_rows_conditions(arena, pass->condition, &pass->scan, &pass->condition_known);
    }
    if (status != SP_OK)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    return SP_OK;
}

size_t sp_pass_visitor_bytes(const struct sp_pass *pass)
{
    return pass->call->api->limits.memory_bytes_max / (2 * SP_PASS_THREADS_MAX);
}

static void add_scanned(struct sp_scanned *into, const struct sp_scanned *from)
{
    into->segments += from->segments;
    into->rows += from->rows;
    into->bytes += from->bytes;
    into->traces += from->traces;
}

/* ---- sheets of the store ---- */

static enum sp_status visit_sheet(void *cookie, struct sp_sheet *sheet, struct sp_error *reterr)
{
    const struct sp_pass_visitor *visitor = cookie;
    return visitor->visit(visitor->cookie, sheet, NULL, reterr);
}

static enum sp_status run_survey(const struct sp_pass *pass, const struct sp_pass_visitor *visitors,
                                 uint32_t visitor_count, struct sp_scanned *scanned,
                                 struct sp_error *reterr)
{
    struct sp_surveyor surveyors[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor copies[SP_PASS_THREADS_MAX];
    SP_ASSERT(visitor_count <= SP_PASS_THREADS_MAX);
    for (uint32_t i = 0; i < visitor_count; i++) {
        copies[i] = visitors[i];
        surveyors[i] = (struct sp_surveyor){visit_sheet, &copies[i]};
    }
    return sp_store_survey(pass->call->api->store, &pass->scan, surveyors, visitor_count,
                           &pass->call->stop, scanned, reterr);
}

/* ---- whole traces ---- */

struct trace_pass {
    const struct sp_pass *pass;
    const struct sp_pass_visitor *visitor;
    struct sp_pipeline *pipeline;
    struct sp_arena arena; /* of one trace */
    bool needs_tree;
    enum sp_status status;
    struct sp_error *reterr;
};

static enum sp_status too_large(struct trace_pass *own)
{
    return sp_arena_failed(&own->arena, own->reterr,
                           "a trace does not fit into this query's memory");
}

/* Bits of the rows that are in one of the sets and start in range; a row in several counts once. */
static uint64_t *found_rows(struct trace_pass *own, const struct sp_spanset_list *list,
                            const struct sp_span *spans, uint32_t count, bool *ret_any)
{
    uint64_t *bits = sp_arena_calloc(&own->arena, (size_t)count / 64 + 1, sizeof(*bits));
    *ret_any = false;
    for (uint32_t s = 0; s < list->count && bits; s++) {
        for (uint32_t i = 0; i < list->sets[s].count; i++) {
            uint32_t row = list->sets[s].rows[i];
            if (!sp_time_range_contains(own->pass->range, spans[row].start_unix_ns))
                continue;
            bits[row / 64] |= (uint64_t)1 << (row % 64);
            *ret_any = true;
        }
    }
    return bits;
}

/* The spans in the order of the rows: that of the tree, if there is one. */
static const struct sp_span *ordered_spans(struct trace_pass *own,
                                           const struct sp_trace_facts *facts)
{
    if (!facts->tree)
        return facts->batch->spans;
    struct sp_span *spans =
        sp_arena_alloc(&own->arena, (size_t)facts->tree->row_count * sizeof(*spans));
    for (uint32_t row = 0; row < facts->tree->row_count && spans; row++)
        spans[row] = *facts->tree->rows[row].span;
    return spans;
}

static enum sp_status look_at_trace(struct trace_pass *own, const struct sp_batch *batch)
{
    struct sp_trace tree;
    struct sp_trace_facts facts;
    struct sp_spanset_list list = {0};
    struct sp_sheet *sheet = NULL;
    bool any = false;
    enum sp_status status = SP_OK;
    sp_trace_facts_make(batch, &facts);
    facts.stop = &own->pass->call->stop;
    if (own->needs_tree)
        status = sp_trace_facts_assemble(&facts, &own->arena, &tree, own->reterr);
    if (status == SP_OK)
        status = sp_pipeline_run(own->pipeline, &facts, &own->arena, &list, own->reterr);
    if (status != SP_OK || list.count == 0)
        return status;
    uint32_t count = (uint32_t)batch->span_count;
    const struct sp_span *spans = ordered_spans(own, &facts);
    const uint64_t *bits = spans ? found_rows(own, &list, spans, count, &any) : NULL;
    if (!bits)
        return too_large(own);
    if (!any)
        return SP_OK;
    status = sp_span_sheet_new(spans, count, bits, &sheet, own->reterr);
    if (status == SP_OK)
        status = own->visitor->visit(own->visitor->cookie, sheet, &facts, own->reterr);
    sp_span_sheet_free(sheet);
    return status;
}

static enum sp_visit visit_trace(void *cookie, const struct sp_candidate *candidate)
{
    struct trace_pass *own = cookie;
    struct sp_query_call *call = own->pass->call;
    const struct sp_batch *batch;
    sp_arena_reset(&own->arena);
    own->status = sp_query_check(call, own->reterr);
    if (own->status == SP_OK)
        own->status = sp_store_trace_read(call->api->store, &candidate->trace_id, &own->arena,
                                          &batch, own->reterr);
    if (own->status == SP_NOT_FOUND) {
        own->status = SP_OK; /* expired since the scan began */
        return SP_VISIT_CONTINUE;
    }
    if (own->status == SP_OK)
        own->status = look_at_trace(own, batch);
    return own->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

static enum sp_status run_traces(const struct sp_pass *pass, const struct sp_pass_visitor *visitor,
                                 struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct trace_pass own = {.pass = pass, .visitor = visitor, .reterr = reterr};
    sp_arena_init(&own.arena, sp_pass_visitor_bytes(pass));
    enum sp_status status =
        sp_pipeline_compile(&pass->call->arena, pass->query, pass->pipeline->items,
                            pass->stage_count, &own.pipeline, reterr);
    if (status == SP_OK) {
        own.needs_tree = pass->needs_tree || sp_pipeline_needs_tree(own.pipeline);
        status = sp_store_scan(pass->call->api->store, &pass->scan, &pass->call->stop, visit_trace,
                               &own, scanned, reterr);
    }
    if (status == SP_OK)
        status = own.status;
    sp_pipeline_free(own.pipeline);
    sp_arena_fini(&own.arena);
    return status;
}

enum sp_status sp_pass_run(const struct sp_pass *pass, const struct sp_pass_visitor *visitors,
                           uint32_t visitor_count, struct sp_scanned *scanned,
                           struct sp_error *reterr)
{
    struct sp_scanned own = {0};
    enum sp_status status = pass->of_traces
                                ? run_traces(pass, visitors, &own, reterr)
                                : run_survey(pass, visitors, visitor_count, &own, reterr);
    add_scanned(scanned, &own);
    return status;
}
