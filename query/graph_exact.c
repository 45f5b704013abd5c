/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_exact.c: the edges of the graph with every duration of their calls, which sums by minute do not have: a pass over all
 * traces of the range. */
#include <stdlib.h>

#include "query/calls.h"
#include "query/graph_answer.h"
#include "query/latency_scan.h"

/* Durations of one edge: of the calling and of the called spans. */
struct durations {
    struct sp_latency_durations sides[2];
};

/* One thread's calls, added up, and durations by the number of the edge. */
struct counter {
    struct sp_graph graph;
    struct sp_arena arena;
    struct durations *edges;
    size_t edge_cap;
};

static enum sp_status full(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the durations of all calls do not fit into the query's memory: take a "
                           "shorter range, or latencies that are not exact");
}

static enum sp_status graph_failed(enum sp_status status, struct sp_error *reterr)
{
    return sp_error_set(reterr, status,
                        status == SP_LIMIT ? "the graph is larger than the query's memory"
                                           : "no memory for a graph");
}

static bool make_room(struct counter *counter, size_t number)
{
    size_t cap = counter->edge_cap > 0 ? counter->edge_cap : 16;
    if (number < counter->edge_cap)
        return true;
    while (cap <= number)
        cap *= 2;
    struct durations *grown = sp_arena_grow(
        &counter->arena, counter->edges, counter->edge_cap * sizeof(*grown), cap * sizeof(*grown));
    if (!grown)
        return false;
    memset(&grown[counter->edge_cap], 0, (cap - counter->edge_cap) * sizeof(*grown));
    counter->edges = grown;
    counter->edge_cap = cap;
    return true;
}

static enum sp_status count_call(void *cookie, const struct sp_graph_call *call,
                                 struct sp_error *reterr)
{
    struct counter *counter = cookie;
    const struct sp_span *spans[] = {call->client_span, call->server_span};
    enum sp_status status = sp_graph_add(&counter->graph, call);
    if (status != SP_OK)
        return graph_failed(status, reterr);
    size_t number = sp_graph_number(&counter->graph, call);
    if (!make_room(counter, number))
        return full(&counter->arena, reterr);
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++)
        if (spans[i] && !sp_latency_add(&counter->edges[number].sides[i],
                                        sp_span_duration_ns(spans[i]), true, &counter->arena))
            return full(&counter->arena, reterr);
    return SP_OK;
}

/* ---- threads together ---- */

/* The durations of all threads, ascending; memory of the call. */
static enum sp_status join(struct sp_query_call *call, struct counter *counters,
                           struct sp_graph_exact *exact, struct sp_error *reterr)
{
    struct durations *all = sp_arena_calloc(&call->arena, exact->edge_count, sizeof(*all));
    exact->durations = sp_arena_calloc(&call->arena, exact->edge_count, sizeof(*exact->durations));
    if (!all || !exact->durations)
        return full(&call->arena, reterr);
    for (uint32_t c = 0; c < SP_PASS_THREADS_MAX; c++)
        for (size_t e = 0; e < counters[c].graph.edge_count; e++) {
            const struct sp_graph_edge *edge =
                bsearch(&counters[c].graph.edges[e], exact->edges, exact->edge_count,
                        sizeof(*exact->edges), sp_graph_edge_compare);
            for (size_t i = 0; i < 2; i++)
                if (!sp_latency_merge(&all[edge - exact->edges].sides[i],
                                      &counters[c].edges[e].sides[i], &call->arena))
                    return full(&call->arena, reterr);
        }
    for (size_t e = 0; e < exact->edge_count; e++)
        for (size_t i = 0; i < 2; i++) {
            struct sp_latency_durations *of = &all[e].sides[i];
            if (!sp_latency_close(of, &call->arena))
                return full(&call->arena, reterr);
            exact->durations[e].sides[i] = (struct sp_graph_durations){of->values, of->count};
        }
    return SP_OK;
}

static enum sp_status take_edges(struct sp_query_call *call, struct counter *counters,
                                 struct sp_graph_exact *exact, struct sp_error *reterr)
{
    struct sp_graph graph;
    enum sp_status status = SP_OK;
    sp_graph_init(&graph);
    for (uint32_t c = 0; c < SP_PASS_THREADS_MAX && status == SP_OK; c++)
        status = sp_graph_merge(&graph, counters[c].graph.edges, counters[c].graph.edge_count);
    if (status == SP_OK)
        status = sp_graph_take(&graph, &call->arena, &exact->edges, &exact->edge_count);
    sp_graph_fini(&graph);
    return status == SP_OK ? SP_OK : graph_failed(status, reterr);
}

enum sp_status sp_graph_scan(struct sp_query_call *call, struct sp_time_range range,
                             struct sp_graph_exact *ret, struct sp_error *reterr)
{
    struct counter counters[SP_PASS_THREADS_MAX];
    struct sp_calls_visitor visitors[SP_PASS_THREADS_MAX];
    const struct sp_calls_edge any = {0};
    struct sp_graph_exact exact = {0};
    struct sp_pass pass;
    enum sp_status status = sp_calls_prepare(call, range, &any, &pass, reterr);
    if (status != SP_OK)
        return status;
    for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++) {
        counters[i] = (struct counter){0};
        sp_graph_init(&counters[i].graph);
        sp_arena_init(&counters[i].arena, sp_pass_visitor_bytes(&pass));
        visitors[i] = (struct sp_calls_visitor){count_call, &counters[i]};
    }
    status = sp_calls_run(&pass, &any, visitors, &exact.scanned, reterr);
    if (status == SP_OK)
        status = take_edges(call, counters, &exact, reterr);
    if (status == SP_OK)
        status = join(call, counters, &exact, reterr);
    if (status != SP_OK)
        sp_graph_edges_fini(exact.edges, exact.edge_count);
    for (uint32_t i = 0; i < SP_PASS_THREADS_MAX; i++) {
        sp_graph_fini(&counters[i].graph);
        sp_arena_fini(&counters[i].arena);
    }
    call->running.bytes_scanned = exact.scanned.bytes;
    if (status == SP_OK)
        *ret = exact;
    return status;
}
