/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph.c: GET /v1/graph. */
#include "query/graph.h"

#include "query/internal.h"

static const struct {
    const char *content_type;
    void (*write)(const struct sp_graph_view *view, struct sp_buf *out);
} graph_formats[] = {
    {"application/json", sp_graph_write_json},
    {"text/vnd.graphviz; charset=utf-8", sp_graph_write_dot},
    {"application/graphml+xml; charset=utf-8", sp_graph_write_graphml},
    {"text/csv; charset=utf-8; header=present", sp_graph_write_csv},
    {"text/vnd.mermaid; charset=utf-8", sp_graph_write_mermaid},
};

enum sp_status sp_query_answer_graph(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_time_range range;
    const struct sp_service_row *services;
    struct sp_graph_edge *edges;
    size_t service_count, edge_count;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status != SP_OK)
        return status;
    range = sp_time_range_minutes(range);
    status = sp_store_services(call->api->store, range, &call->stop, &call->arena, &services,
                               &service_count, reterr);
    if (status == SP_OK)
        status = sp_store_graph(call->api->store, range, &call->stop, &call->arena, &edges,
                                &edge_count, reterr);
    if (status != SP_OK)
        return status;
    struct sp_graph_view view;
    status = sp_graph_view_make(&call->arena, edges, edge_count, services, service_count, range,
                                call->values[3].text, call->values[4].number, &view);
    if (status != SP_OK) {
        status =
            sp_arena_failed(&call->arena, reterr, "the graph is larger than the query's memory");
    } else {
        call->reply.status = 200;
        call->reply.content_type = graph_formats[call->values[2].number].content_type;
        graph_formats[call->values[2].number].write(&view, &call->reply.body);
    }
    sp_graph_edges_fini(edges, edge_count);
    return status;
}
