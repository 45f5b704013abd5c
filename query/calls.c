/* SPDX-License-Identifier: Apache-2.0
 *
 * query/calls.c: see query/calls.h. */
#include "query/calls.h"

enum sp_status sp_calls_prepare(struct sp_query_call *call, struct sp_time_range range,
                                const struct sp_calls_edge *edge, struct sp_pass *ret,
                                struct sp_error *reterr)
{
    const struct sp_traceql_query *query;
    enum sp_status status = sp_traceql_parse(&call->arena, SP_SLICE("{ }"), &query, reterr);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_pass){.call = call,
                            .query = query,
                            .pipeline = query->root,
                            .stage_count = query->root->item_count,
                            .range = range,
                            .whole_spans = true,
                            .of_traces = true,
                            .needs_tree = true,
                            .condition_known = true,
                            .scan = {.range = range},
                            .want = {.everything = true}};
    if (edge->client.len == 0 || edge->server.len == 0)
        return SP_OK;
    /* The span that gives a call its time is of the service at one of its ends: the other may be no service. */
    struct sp_condition *ends = sp_arena_calloc(&call->arena, 2, sizeof(*ends));
    if (!ends)
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    for (size_t i = 0; i < 2; i++)
        ends[i] = (struct sp_condition){
            .field = SP_FIELD_SERVICE,
            .operation = SP_OP_EQ,
            .value = {.kind = SP_VALUE_STRING, .string = i == 0 ? edge->client : edge->server}};
    ret->scan.conditions = ends;
    ret->scan.condition_count = 2;
    ret->scan.match_any = true;
    return SP_OK;
}

/* One thread's. */
struct finder {
    const struct sp_pass *pass;
    const struct sp_calls_edge *edge;
    const struct sp_calls_visitor *visitor;
    struct sp_arena arena; /* of one trace */
};

static bool is_wanted(const struct finder *finder, const struct sp_graph_call *call)
{
    const struct sp_calls_edge *edge = finder->edge;
    return sp_time_range_contains(finder->pass->range, call->time_unix_ns) &&
           (edge->client.len == 0 || sp_slice_equal(edge->client, call->client)) &&
           (edge->server.len == 0 || sp_slice_equal(edge->server, call->server));
}

static enum sp_status find_calls(void *cookie, struct sp_sheet *sheet,
                                 const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct finder *finder = cookie;
    const struct sp_graph_call *calls;
    size_t count;
    (void)sheet;
    sp_arena_reset(&finder->arena);
    if (sp_graph_calls(&finder->arena, facts->tree, &calls, &count) != SP_OK)
        return sp_arena_failed(&finder->arena, reterr,
                               "the calls of a trace do not fit into this query's memory");
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++)
        if (is_wanted(finder, &calls[i]))
            status = finder->visitor->visit(finder->visitor->cookie, &calls[i], reterr);
    return status;
}

enum sp_status sp_calls_run(const struct sp_pass *pass, const struct sp_calls_edge *edge,
                            const struct sp_calls_visitor *visitors, struct sp_scanned *scanned,
                            struct sp_error *reterr)
{
    struct finder finders[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor passed[SP_PASS_THREADS_MAX];
    for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++) {
        finders[i] = (struct finder){.pass = pass, .edge = edge, .visitor = &visitors[i]};
        sp_arena_init(&finders[i].arena, sp_pass_visitor_bytes(pass));
        passed[i] = (struct sp_pass_visitor){find_calls, &finders[i]};
    }
    enum sp_status status = sp_pass_run(pass, passed, SP_PASS_THREADS_MAX, scanned, reterr);
    for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++)
        sp_arena_fini(&finders[i].arena);
    return status;
}
