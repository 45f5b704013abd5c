/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_view.c: edges become nodes and edges, all of them or the surroundings of one service. */
#include "query/graph.h"

#include <stdlib.h>

#include "query/internal.h"

static int compare_nodes(const void *a, const void *b)
{
    const struct sp_graph_node *x = a, *y = b;
    int order = sp_slice_compare(x->name, y->name);
    return order ? order : (x->type > y->type) - (x->type < y->type);
}

size_t sp_graph_view_find(const struct sp_graph_view *view, struct sp_slice name)
{
    size_t low = 0, high = view->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sp_slice_compare(view->nodes[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

/* One node for each name; a name that is a service somewhere is a service everywhere (the smallest type wins). */
static bool collect_nodes(struct sp_arena *arena, const struct sp_graph_edge *edges,
                          size_t edge_count, const struct sp_service_row *services,
                          size_t service_count, struct sp_graph_view *view)
{
    size_t cap = 2 * edge_count + service_count;
    struct sp_graph_node *nodes = sp_arena_calloc(arena, cap, sizeof(*nodes));
    if (!nodes)
        return false;
    size_t count = 0;
    for (size_t i = 0; i < edge_count; i++) {
        nodes[count++] =
            (struct sp_graph_node){.name = edges[i].client, .type = edges[i].client_type};
        nodes[count++] =
            (struct sp_graph_node){.name = edges[i].server, .type = edges[i].server_type};
    }
    for (size_t i = 0; i < service_count; i++)
        nodes[count++] = (struct sp_graph_node){.name = services[i].name, .type = SP_NODE_SERVICE};
    if (count > 0)
        qsort(nodes, count, sizeof(*nodes), compare_nodes);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !sp_slice_equal(nodes[kept - 1].name, nodes[i].name))
            nodes[kept++] = nodes[i];
    for (size_t i = 0; i < kept; i++)
        nodes[i].slot = sp_query_slot(services, service_count, nodes[i].name);
    view->nodes = nodes;
    view->node_count = kept;
    return true;
}

/* Breadth first from the focus, edges taken in either direction. Each round looks at every edge once; rounds end when
 * nothing new is reached, so there are at most as many as nodes. */
static void measure_distances(struct sp_graph_view *view, uint32_t (*ends)[2], size_t edge_count)
{
    for (size_t i = 0; i < view->node_count; i++)
        view->nodes[i].distance = view->focus.len == 0 ? 0 : UINT32_MAX;
    if (view->focus.len == 0)
        return;
    size_t focus = sp_graph_view_find(view, view->focus);
    if (focus == SIZE_MAX)
        return;
    view->nodes[focus].distance = 0;
    bool more = true;
    for (uint32_t round = 0; more && round < view->hops; round++) {
        more = false;
        for (size_t i = 0; i < edge_count; i++)
            for (int end = 0; end < 2; end++) {
                struct sp_graph_node *from = &view->nodes[ends[i][end]];
                struct sp_graph_node *to = &view->nodes[ends[i][1 - end]];
                if (from->distance == round && to->distance == UINT32_MAX) {
                    to->distance = round + 1;
                    more = true;
                }
            }
    }
}

/* Keeps what was reached: nodes, and the edges between kept nodes. */
static void keep_reached(struct sp_graph_view *view, const struct sp_graph_edge *edges,
                         uint32_t (*ends)[2], size_t edge_count)
{
    view->edge_count = 0;
    for (size_t i = 0; i < edge_count; i++) {
        struct sp_graph_node *client = &view->nodes[ends[i][0]], *server = &view->nodes[ends[i][1]];
        if (client->distance == UINT32_MAX || server->distance == UINT32_MAX)
            continue;
        view->edges[view->edge_count++] = &edges[i];
        if (edges[i].type == SP_CONNECTION_LINK)
            continue; /* the same message is counted on its way over the broker's node */
        server->calls += edges[i].calls;
        server->errors += edges[i].errors;
    }
    size_t kept = 0;
    for (size_t i = 0; i < view->node_count; i++)
        if (view->nodes[i].distance != UINT32_MAX)
            view->nodes[kept++] = view->nodes[i];
    view->node_count = kept;
}

enum sp_status sp_graph_view_make(struct sp_arena *arena, const struct sp_graph_edge *edges,
                                  size_t edge_count, const struct sp_service_row *services,
                                  size_t service_count, struct sp_time_range range,
                                  struct sp_slice focus, uint64_t hops, struct sp_graph_view *ret)
{
    struct sp_graph_view view = {.range = range, .focus = focus, .hops = hops};
    uint32_t(*ends)[2] = sp_arena_calloc(arena, edge_count, sizeof(*ends));
    view.edges = sp_arena_calloc(arena, edge_count, sizeof(const struct sp_graph_edge *));
    if (!ends || !view.edges ||
        !collect_nodes(arena, edges, edge_count, services, service_count, &view))
        return arena->error;
    for (size_t i = 0; i < edge_count; i++) {
        ends[i][0] = (uint32_t)sp_graph_view_find(&view, edges[i].client);
        ends[i][1] = (uint32_t)sp_graph_view_find(&view, edges[i].server);
    }
    measure_distances(&view, ends, edge_count);
    keep_reached(&view, edges, ends, edge_count);
    *ret = view;
    return SP_OK;
}
