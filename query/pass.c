/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass.c: see pass.h. */
#include "query/pass.h"

#include "query/pass_explain.h"
#include "query/pass_traces.h"

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
    const struct sp_hint_maker maker = {.arena = arena, .stop = &pass->call->stop};
    enum sp_status status;
    pass->scan = (struct sp_scan){.range = pass->range};
    pass->want = (struct sp_query_want){.everything = pass->whole_spans};
    pass->reads = sp_rows_question_reads(&question);
    pass->of_traces = !filter || pass->reads == SP_READS_TRACES;
    pass->condition = question.condition;
    for (uint32_t i = 0; i < key_count; i++)
        pass->needs_tree |= sp_match_field_needs_tree(&keys[i]->field);
    if (pass->of_traces) {
        pass->condition_known = true;
        status = sp_match_hints_of(&maker, pass->query, pass->pipeline, &pass->scan);
        if (status == SP_OK)
            status = sp_query_want_add(arena, pass->query, &pass->want);
        if (status == SP_OK)
            status = sp_query_want_fields(arena, keys, key_count, &pass->want);
    } else {
        status = sp_rows_conditions(&maker, pass->condition, &pass->scan, &pass->condition_known);
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
    struct sp_query_pool *pool = pass->call->api->pool;
    uint32_t threads = 1;
    while (threads < visitor_count && sp_query_borrow(pass->call->api))
        threads++;
    enum sp_status status = sp_store_survey(pass->call->api->store, &pass->scan, surveyors, threads,
                                            &pass->call->stop, scanned, reterr);
    for (; threads > 1; threads--)
        sp_query_pool_give_back(pool);
    return status;
}

enum sp_status sp_pass_run(const struct sp_pass *pass, const struct sp_pass_visitor *visitors,
                           uint32_t visitor_count, struct sp_scanned *scanned,
                           struct sp_error *reterr)
{
    struct sp_scanned own = {0};
    uint64_t begin = sp_clock_monotonic_ns(pass->call->api->clock);
    enum sp_status status = pass->of_traces
                                ? sp_pass_run_traces(pass, visitors, visitor_count, &own, reterr)
                                : run_survey(pass, visitors, visitor_count, &own, reterr);
    add_scanned(scanned, &own);
    if (pass->call->passes)
        sp_pass_note(pass, &own, sp_clock_monotonic_ns(pass->call->api->clock) - begin);
    return status;
}
