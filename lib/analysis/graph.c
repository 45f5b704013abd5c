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
    case SP_CONNECTION_LINK:
        return "messaging_link";
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
    free(graph->slots);
    graph->edges = NULL;
    graph->slots = NULL;
    graph->edge_count = graph->edge_cap = graph->slot_cap = 0;
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

/* ---- edges by their key ---- */

static uint64_t hash_key(uint64_t seed, struct sp_slice client, struct sp_slice server,
                         enum sp_connection_type type)
{
    uint64_t hash = sp_hash_mix(sp_hash(seed, client), sp_hash(~seed, server));
    return sp_hash_mix(hash, (uint64_t)type);
}

/* The slot of the key: with its edge, or empty. */
static uint32_t *find_slot(const struct sp_graph *graph, struct sp_slice client,
                           struct sp_slice server, enum sp_connection_type type)
{
    size_t at = (size_t)hash_key(graph->seed, client, server, type) & (graph->slot_cap - 1);
    while (graph->slots[at]) {
        const struct sp_graph_edge *edge = &graph->edges[graph->slots[at] - 1];
        if (edge->type == type && sp_slice_equal(edge->client, client) &&
            sp_slice_equal(edge->server, server))
            break;
        at = (at + 1) & (graph->slot_cap - 1);
    }
    return &graph->slots[at];
}

/* Room for one more edge, in the array and in the table. */
static enum sp_status make_room(struct sp_graph *graph)
{
    if (graph->edge_count == graph->edge_cap) {
        size_t cap = graph->edge_cap ? 2 * graph->edge_cap : 16;
        struct sp_graph_edge *grown = realloc(graph->edges, cap * sizeof *grown);
        if (!grown)
            return SP_NO_MEMORY;
        graph->edges = grown;
        graph->edge_cap = cap;
    }
    if (graph->slot_cap > 2 * graph->edge_count)
        return SP_OK;
    size_t cap = 4 * graph->edge_cap; /* a power of two, as edge_cap is */
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return SP_NO_MEMORY;
    free(graph->slots);
    graph->slots = slots;
    graph->slot_cap = cap;
    graph->seed = cap > SP_HASH_SMALL ? sp_hash_seed() : 0;
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct sp_graph_edge *edge = &graph->edges[i];
        *find_slot(graph, edge->client, edge->server, edge->type) = (uint32_t)i + 1;
    }
    return SP_OK;
}

/* The edge with that key, made if there is none. *ret is valid until the next insertion. */
static enum sp_status find_edge(struct sp_graph *graph, struct sp_slice client,
                                struct sp_slice server, enum sp_connection_type type,
                                struct sp_graph_edge **ret)
{
    enum sp_status status = make_room(graph);
    if (status != SP_OK)
        return status;
    uint32_t *slot = find_slot(graph, client, server, type);
    if (!*slot) {
        struct sp_graph_edge edge = {.type = type,
                                     .client_type = SP_NODE_CLIENT, /* the largest: minima follow */
                                     .server_type = SP_NODE_CLIENT};
        if (!sp_arena_copy(&graph->names, client, &edge.client) ||
            !sp_arena_copy(&graph->names, server, &edge.server))
            return graph->names.error;
        graph->edges[graph->edge_count++] = edge;
        *slot = (uint32_t)graph->edge_count;
    }
    *ret = &graph->edges[*slot - 1];
    return SP_OK;
}

int sp_graph_edge_compare(const void *left, const void *right)
{
    const struct sp_graph_edge *x = left, *y = right;
    int order = sp_slice_compare(x->client, y->client);
    if (order == 0)
        order = sp_slice_compare(x->server, y->server);
    return order ? order : (x->type > y->type) - (x->type < y->type);
}

void sp_graph_sort(struct sp_graph *graph)
{
    if (graph->edge_count > 0)
        qsort(graph->edges, graph->edge_count, sizeof *graph->edges, sp_graph_edge_compare);
    graph->slot_cap = 0; /* the edges have new places */
}

/* ---- sums ---- */

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

/* Stores take calls out of sums again, and cannot do so with an exact minimum or maximum; so there is none for anybody. */
static enum sp_status add_duration(struct sp_histogram *latency, const struct sp_span *span)
{
    enum sp_status status = sp_histogram_add(latency, sp_span_duration_ns(span), 1);
    if (status == SP_OK)
        sp_histogram_widen(latency);
    return status;
}

static enum sp_status merge_durations(struct sp_histogram *into, const struct sp_histogram *from)
{
    enum sp_status status = sp_histogram_merge(into, from);
    if (status == SP_OK)
        sp_histogram_widen(into);
    return status;
}

const struct sp_span *sp_graph_call_span(const struct sp_graph_call *call)
{
    bool by_client = call->client_span && call->type != SP_CONNECTION_LINK;
    return by_client ? call->client_span : call->server_span;
}

enum sp_status sp_graph_add(struct sp_graph *graph, const struct sp_graph_call *call)
{
    struct sp_graph_edge *edge = NULL;
    enum sp_status status = find_edge(graph, call->client, call->server, call->type, &edge);
    if (status != SP_OK)
        return status;
    settle_types(edge, call->client_type, call->server_type);
    if (call->client_span)
        status = add_duration(&edge->client_latency, call->client_span);
    if (status == SP_OK && call->server_span)
        status = add_duration(&edge->server_latency, call->server_span);
    if (status != SP_OK)
        return status;
    edge->calls++;
    edge->errors += call->error;
    const struct sp_span *span = sp_graph_call_span(call);
    settle_exemplar(edge, &span->trace_id, sp_span_duration_ns(span));
    return SP_OK;
}

size_t sp_graph_number(const struct sp_graph *graph, const struct sp_graph_call *call)
{
    uint32_t number = *find_slot(graph, call->client, call->server, call->type);
    SP_ASSERT(number > 0);
    return number - 1;
}

enum sp_status sp_graph_merge(struct sp_graph *graph, const struct sp_graph_edge *edges,
                              size_t edge_count)
{
    for (size_t i = 0; i < edge_count; i++) {
        const struct sp_graph_edge *from = &edges[i];
        struct sp_graph_edge *edge = NULL;
        enum sp_status status = find_edge(graph, from->client, from->server, from->type, &edge);
        if (status == SP_OK)
            status = merge_durations(&edge->client_latency, &from->client_latency);
        if (status == SP_OK)
            status = merge_durations(&edge->server_latency, &from->server_latency);
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
    sp_graph_sort(graph);
    struct sp_graph_edge *edges = sp_arena_calloc(arena, graph->edge_count, sizeof *edges);
    if (!edges)
        return arena->error;
    for (size_t i = 0; i < graph->edge_count; i++) {
        edges[i] = graph->edges[i];
        if (!sp_arena_copy(arena, graph->edges[i].client, &edges[i].client) ||
            !sp_arena_copy(arena, graph->edges[i].server, &edges[i].server))
            return arena->error;
    }
    *ret_edges = edges;
    *ret_count = graph->edge_count;
    forget_edges(graph);
    sp_arena_reset(&graph->names);
    return SP_OK;
}
