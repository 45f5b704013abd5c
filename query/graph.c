/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph.c: GET /v1/graph: one graph in five formats, or what query/graph_series.c makes of several. */
#include "query/change.h"
#include "query/graph_answer.h"
#include "query/population.h"

#include <stdio.h>

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

/* Of graph_formats. */
enum { FORMAT_JSON = 0, FORMAT_CSV = 3 };

enum {
    PARAMETER_FORMAT = 2,
    PARAMETER_SERVICE,
    PARAMETER_HOPS,
    PARAMETER_STEP,
    PARAMETER_COMPARE_FROM,
    PARAMETER_COMPARE_TO,
    PARAMETER_ROWS,
    PARAMETER_QUANTILES,
    PARAMETER_LINKS,
    PARAMETER_EXACT
};

/* A range without an end is, in a document that is kept, that of the spans which were there: their minutes. */
static enum sp_status close_range(struct sp_query_call *call, struct sp_time_range *range,
                                  struct sp_error *reterr)
{
    struct sp_store_stats stats;
    if (range->from_unix_ns != 0 && range->to_unix_ns != UINT64_MAX)
        return SP_OK;
    enum sp_status status = sp_store_stats(call->api->store, &stats, reterr);
    if (status != SP_OK || stats.span_count == 0)
        return status;
    uint64_t end = stats.newest_unix_ns == UINT64_MAX ? UINT64_MAX : stats.newest_unix_ns + 1;
    struct sp_time_range stored =
        sp_time_range_minutes((struct sp_time_range){stats.oldest_unix_ns, end});
    if (range->from_unix_ns == 0 && stored.from_unix_ns < range->to_unix_ns)
        range->from_unix_ns = stored.from_unix_ns;
    if (range->to_unix_ns == UINT64_MAX && stored.to_unix_ns > range->from_unix_ns)
        range->to_unix_ns = stored.to_unix_ns;
    return SP_OK;
}

static enum sp_status add_links(struct sp_query_call *call, struct sp_time_range range,
                                struct sp_search_stream *stream, struct sp_graph_edge **edges,
                                size_t *edge_count, struct sp_graph_links *ret,
                                struct sp_error *reterr)
{
    struct sp_graph graph;
    const struct sp_graph_links_question question = {.range = range,
                                                     .deadline_ns =
                                                         sp_population_deadline(call, 1, 1),
                                                     .graphs = &graph,
                                                     .stream = stream};
    sp_graph_init(&graph);
    enum sp_status status = sp_graph_links_read(call, &question, ret, reterr);
    if (status == SP_OK)
        status = sp_graph_links_merge(call, &graph, edges, edge_count, reterr);
    sp_graph_fini(&graph);
    return status;
}

/* As the last line of a reply in lines, or whole. */
static void write_view(struct sp_query_call *call, const struct sp_graph_view *view, bool lines)
{
    size_t format = call->values[PARAMETER_FORMAT].number;
    bool nodes = call->values[PARAMETER_ROWS].number != 0;
    struct sp_buf *body = &call->reply.body;
    if (lines) {
        sp_buf_append_cstr(body, "{\"graph\":");
        sp_graph_write_json(view, body);
        sp_buf_append_cstr(body, "}\n");
        return;
    }
    call->reply.status = 200;
    call->reply.content_type = graph_formats[format].content_type;
    snprintf(call->reply.location, sizeof(call->reply.location), "%zu", view->edge_count);
    sp_query_reply_header(&call->reply, "spoor-graph-edges", call->reply.location);
    (nodes ? sp_graph_write_csv_nodes : graph_formats[format].write)(view, body);
}

static enum sp_status answer_whole(struct sp_query_call *call,
                                   const struct sp_graph_question *question,
                                   struct sp_error *reterr)
{
    const struct sp_service_row *services;
    struct sp_graph_exact exact = {0};
    struct sp_graph_edge *edges;
    bool is_exact = call->values[PARAMETER_EXACT].number != 0;
    size_t service_count, edge_count, format = call->values[PARAMETER_FORMAT].number;
    struct sp_graph_view view;
    struct sp_graph_links links;
    struct sp_search_stream stream = {0};
    struct sp_query_quantile quantiles[SP_QUERY_QUANTILES_MAX];
    size_t quantile_count;
    enum sp_status status = sp_query_quantiles_parse("q", call->values[PARAMETER_QUANTILES].text,
                                                     "", quantiles, &quantile_count, reterr);
    /* All else is sums that are kept, and not worth a word about how far it is. */
    if (status == SP_OK && question->links && format == FORMAT_JSON)
        status = sp_search_stream_begin(&stream, call, reterr);
    if (status == SP_OK)
        status = sp_store_services(call->api->store, question->range, &call->stop, &call->arena,
                                   &services, &service_count, reterr);
    if (status == SP_OK && is_exact)
        status = sp_graph_scan(call, question->range, &exact, reterr);
    else if (status == SP_OK)
        status = sp_store_graph(call->api->store, question->range, &call->stop, &call->arena,
                                &exact.edges, &exact.edge_count, reterr);
    if (status != SP_OK)
        return status;
    edges = exact.edges;
    edge_count = exact.edge_count;
    struct sp_time_range range = question->range;
    if (question->links)
        status = add_links(call, range, &stream, &edges, &edge_count, &links, reterr);
    if (status == SP_OK)
        status = close_range(call, &range, reterr);
    if (status == SP_OK &&
        sp_graph_view_make(&call->arena, edges, edge_count, services, service_count, range,
                           question->focus, question->hops, &view) != SP_OK)
        status =
            sp_arena_failed(&call->arena, reterr, "the graph is larger than the query's memory");
    if (status == SP_OK) {
        view.quantiles = quantiles;
        view.quantile_count = quantile_count;
        view.links = question->links ? &links : NULL;
        view.exact = is_exact ? &exact : NULL;
        write_view(call, &view, stream.open);
    }
    sp_graph_edges_fini(edges, edge_count);
    return status;
}

/* Of the parameters that ask for another answer than one graph. */
static enum sp_status check_combination(const struct sp_query_call *call, struct sp_error *reterr)
{
    bool steps = call->values[PARAMETER_STEP].set;
    bool from = call->values[PARAMETER_COMPARE_FROM].set;
    bool to = call->values[PARAMETER_COMPARE_TO].set;
    if ((from || to) && steps)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "step",
                                      "a series is not compared: \"step\" stands alone");
    if (from != to)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT,
                                      from ? "compareTo" : "compareFrom",
                                      "\"compareFrom\" and \"compareTo\" stand together");
    if (call->values[PARAMETER_ROWS].set && call->values[PARAMETER_FORMAT].number != FORMAT_CSV)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "rows",
                                      "\"rows\" chooses a table of format=csv");
    if (call->values[PARAMETER_QUANTILES].set &&
        (steps || from || call->values[PARAMETER_FORMAT].number != FORMAT_JSON))
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "q",
                                      "\"q\" chooses quantiles of one graph as JSON");
    if (call->values[PARAMETER_EXACT].number != 0 &&
        (steps || from || call->values[PARAMETER_FORMAT].number != FORMAT_JSON ||
         call->values[PARAMETER_LINKS].number != 0))
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "exact",
            "\"exact\" is for latencies of one graph as JSON, without \"links\"");
    if ((steps || from) && call->values[PARAMETER_FORMAT].number != FORMAT_JSON)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "format",
                                      "series and differences are JSON only");
    if (from &&
        call->values[PARAMETER_COMPARE_FROM].number > call->values[PARAMETER_COMPARE_TO].number)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "compareTo",
                                      "\"compareTo\" must not lie before \"compareFrom\"");
    return SP_OK;
}

enum sp_status sp_query_answer_graph(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_graph_question question = {.focus = call->values[PARAMETER_SERVICE].text,
                                         .hops = call->values[PARAMETER_HOPS].number,
                                         .links = call->values[PARAMETER_LINKS].number != 0};
    struct sp_query_steps steps;
    enum sp_status status = sp_query_range(call, &question.range, reterr);
    if (status == SP_OK)
        status = check_combination(call, reterr);
    if (status != SP_OK)
        return status;
    if (call->values[PARAMETER_STEP].set) {
        status = sp_query_steps_parse(call, call->values[PARAMETER_STEP].text, question.range,
                                      &steps, reterr);
        if (status != SP_OK)
            return status;
        question.range = steps.range;
        return sp_graph_answer_series(call, &question, &steps, reterr);
    }
    struct sp_time_range before = {call->values[PARAMETER_COMPARE_FROM].number,
                                   call->values[PARAMETER_COMPARE_TO].number};
    if (call->values[PARAMETER_COMPARE_FROM].set)
        status = sp_change_minutes(question.range, before, &before, reterr);
    if (status != SP_OK)
        return status;
    if (call->values[PARAMETER_EXACT].number == 0) /* sums are kept by minute */
        question.range = sp_time_range_minutes(question.range);
    return call->values[PARAMETER_COMPARE_FROM].set
               ? sp_graph_answer_difference(call, &question, before, reterr)
               : answer_whole(call, &question, reterr);
}
