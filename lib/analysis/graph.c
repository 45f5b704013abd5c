/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/graph.c: calls added up to edges. Sums, minima and maxima only, so that the order in which calls and
 * partial graphs come in does not matter. Knows nothing of traces. */
#include "lib/analysis/analysis.h"

#include <stdlib.h>

const char *sp_connection_type_name(enum sp_connection_type type)
{
    switch (type) {
    case SP_CONNECTION_DIRECT:
        return "";
    case SP_CONNECTION_MESSAGING:
        return "messaging_system";
    case SP_CONNECTION_DATABASE:
        return "database";
    case SP_CONNECTION_VIRTUAL:
        return "virtual_node";
    }
    return "";
}

const char *sp_node_type_name(enum sp_node_type type)
{
    switch (type) {
    case SP_NODE_SERVICE:
        return "service";
    case SP_NODE_DATABASE:
        return "database";
    case SP_NODE_MESSAGING:
        return "messaging";
    case SP_NODE_EXTERNAL:
        return "external";
    case SP_NODE_CLIENT:
        return "client";
    }
    return "";
}

void sp_graph_init(struct sp_graph *graph)
{
    *graph = (struct sp_graph){0};
    sp_arena_init(&graph->names, SP_GRAPH_NAMES_BYTES_MAX);
}

static void forget_edges(struct sp_graph *graph)
{
    free(graph->edges);
    graph->edges = NULL;
    graph->edge_count = graph->edge_cap = 0;
}

void sp_graph_fini(struct sp_graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < graph->edge_count; i++) {
        sp_histogram_fini(&graph->edges[i].client_latency);
        sp_histogram_fini(&graph->edges[i].server_latency);
    }
    forget_edges(graph);
    sp_arena_fini(&graph->names);
}

static int compare_edge(const struct sp_graph_edge *edge, struct sp_slice client,
                        struct sp_slice server, enum sp_connection_type type)
{
    int order = sp_slice_compare(edge->client, client);
    if (order == 0)
        order = sp_slice_compare(edge->server, server);
    if (order == 0)
        order = (edge->type > type) - (edge->type < type);
    return order;
}

static enum sp_status insert_edge(struct sp_graph *graph, size_t at, struct sp_slice client,
                                  struct sp_slice server, enum sp_connection_type type)
{
    if (graph->edge_count == graph->edge_cap) {
        size_t cap = graph->edge_cap ? 2 * graph->edge_cap : 16;
        struct sp_graph_edge *grown = realloc(graph->edges, cap * sizeof *grown);
        if (!grown)
            return SP_NO_MEMORY;
        graph->edges = grown;
        graph->edge_cap = cap;
    }
    struct sp_graph_edge edge = {.type = type,
                                 .client_type = SP_NODE_CLIENT, /* the largest: minima follow */
                                 .server_type = SP_NODE_CLIENT};
    if (!sp_arena_copy(&graph->names, client, &edge.client) ||
        !sp_arena_copy(&graph->names, server, &edge.server))
        return SP_LIMIT;
    memmove(graph->edges + at + 1, graph->edges + at,
            (graph->edge_count - at) * sizeof *graph->edges);
    graph->edges[at] = edge;
    graph->edge_count++;
    return SP_OK;
}

/* The edge with that key, made if there is none. *ret is valid until the next insertion. */
static enum sp_status find_edge(struct sp_graph *graph, struct sp_slice client,
                                struct sp_slice server, enum sp_connection_type type,
                                struct sp_graph_edge **ret)
{
    size_t low = 0, high = graph->edge_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_edge(&graph->edges[middle], client, server, type) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == graph->edge_count || compare_edge(&graph->edges[low], client, server, type) != 0) {
        enum sp_status status = insert_edge(graph, low, client, server, type);
        if (status != SP_OK)
            return status;
    }
    *ret = &graph->edges[low];
    return SP_OK;
}

/* A name may be seen as a service here and as something outside there: the lower type is the better known one. */
static void settle_types(struct sp_graph_edge *edge, enum sp_node_type client,
                         enum sp_node_type server)
{
    if (client < edge->client_type)
        edge->client_type = client;
    if (server < edge->server_type)
        edge->server_type = server;
}

/* The slowest call wins; of equally slow ones the smaller trace id. */
static void settle_exemplar(struct sp_graph_edge *edge, const struct sp_trace_id *trace,
                            uint64_t duration)
{
    if (sp_trace_id_is_zero(trace))
        return;
    bool better =
        sp_trace_id_is_zero(&edge->exemplar) || duration > edge->exemplar_duration_ns ||
        (duration == edge->exemplar_duration_ns && sp_trace_id_compare(trace, &edge->exemplar) < 0);
    if (!better)
        return;
    edge->exemplar = *trace;
    edge->exemplar_duration_ns = duration;
}

enum sp_status sp_graph_add(struct sp_graph *graph, const struct sp_graph_call *call)
{
    struct sp_graph_edge *edge = NULL;
    enum sp_status status = find_edge(graph, call->client, call->server, call->type, &edge);
    if (status != SP_OK)
        return status;
    settle_types(edge, call->client_type, call->server_type);
    if (call->client_span)
        status = sp_histogram_add(&edge->client_latency, sp_span_duration_ns(call->client_span), 1);
    if (status == SP_OK && call->server_span)
        status = sp_histogram_add(&edge->server_latency, sp_span_duration_ns(call->server_span), 1);
    if (status != SP_OK)
        return status;
    edge->calls++;
    edge->errors += call->error;
    const struct sp_span *span = call->client_span ? call->client_span : call->server_span;
    settle_exemplar(edge, &span->trace_id, sp_span_duration_ns(span));
    return SP_OK;
}

enum sp_status sp_graph_merge(struct sp_graph *graph, const struct sp_graph_edge *edges,
                              size_t edge_count)
{
    for (size_t i = 0; i < edge_count; i++) {
        const struct sp_graph_edge *from = &edges[i];
        struct sp_graph_edge *edge = NULL;
        enum sp_status status = find_edge(graph, from->client, from->server, from->type, &edge);
        if (status == SP_OK)
            status = sp_histogram_merge(&edge->client_latency, &from->client_latency);
        if (status == SP_OK)
            status = sp_histogram_merge(&edge->server_latency, &from->server_latency);
        if (status != SP_OK)
            return status;
        settle_types(edge, from->client_type, from->server_type);
        edge->calls += from->calls;
        edge->errors += from->errors;
        settle_exemplar(edge, &from->exemplar, from->exemplar_duration_ns);
    }
    return SP_OK;
}

enum sp_status sp_graph_take(struct sp_graph *graph, struct sp_arena *arena,
                             struct sp_graph_edge **ret_edges, size_t *ret_count)
{
    struct sp_graph_edge *edges = sp_arena_calloc(arena, graph->edge_count, sizeof *edges);
    if (!edges)
        return SP_LIMIT;
    for (size_t i = 0; i < graph->edge_count; i++) {
        edges[i] = graph->edges[i];
        if (!sp_arena_copy(arena, graph->edges[i].client, &edges[i].client) ||
            !sp_arena_copy(arena, graph->edges[i].server, &edges[i].server))
            return SP_LIMIT;
    }
    *ret_edges = edges;
    *ret_count = graph->edge_count;
    forget_edges(graph);
    sp_arena_reset(&graph->names);
    return SP_OK;
}
