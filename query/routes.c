/* SPDX-License-Identifier: Apache-2.0
 *
 * query/routes.c: the table of endpoints: path, parameters, answer. To add an endpoint, add a row here, its function to
 * query/internal.h, and its description to docs/openapi.json. */
#include "query/facets.h"
#include "query/internal.h"
#include "query/latency.h"
#include "query/metrics.h"
#include "query/search_result.h"

#define RANGE                                                                                      \
    {.name = "from", .type = SP_PARAMETER_TIME, .preset = 0},                                      \
    {                                                                                              \
        .name = "to", .type = SP_PARAMETER_TIME, .preset = UINT64_MAX                              \
    }

static const struct sp_parameter range_only[] = {RANGE};

static const struct sp_parameter operations[] = {
    RANGE,
    {.name = "service", .type = SP_PARAMETER_TEXT},
};

/* The order of the choices of scope is that of attribute_scopes in query/catalogue.c. */
static const struct sp_parameter attributes[] = {
    RANGE,
    {.name = "scope",
     .type = SP_PARAMETER_CHOICE,
     .choices = "any|span|resource|event|link|instrumentation|intrinsic"},
    {.name = "key", .type = SP_PARAMETER_TEXT},
    {.name = "prefix", .type = SP_PARAMETER_TEXT},
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 100,
     .number_min = 1,
     .number_max = 10000},
    {.name = "q", .type = SP_PARAMETER_TEXT, .reads_spans = true},
};

static const struct sp_parameter search[] = {
    RANGE,
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 20,
     .number_min = 1,
     .number_max = 1000},
    {.name = "order", .type = SP_PARAMETER_TEXT},
    {.name = "cursor", .type = SP_PARAMETER_TEXT},
    {.name = "spss",
     .type = SP_PARAMETER_NUMBER,
     .preset = 3,
     .number_min = 0,
     .number_max = SP_RESULT_SET_SPANS},
    {.name = "explain", .type = SP_PARAMETER_SWITCH},
    {.name = "count", .type = SP_PARAMETER_CHOICE, .choices = "some|all"},
};

static const struct sp_parameter live[] = {
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "spss",
     .type = SP_PARAMETER_NUMBER,
     .preset = 3,
     .number_min = 0,
     .number_max = SP_RESULT_SET_SPANS},
};

static const struct sp_parameter trace[] = {
    RANGE,
    {.name = "view", .type = SP_PARAMETER_CHOICE, .choices = "otlp|columns|summary"},
    {.name = "skew", .type = SP_PARAMETER_CHOICE, .choices = "raw|adjust"},
};

static const struct sp_parameter spans[] = {
    RANGE,
    {.name = "rows", .type = SP_PARAMETER_TEXT},
    {.name = "skew", .type = SP_PARAMETER_CHOICE, .choices = "raw|adjust"},
};

static const struct sp_parameter percentiles[] = {
    RANGE,
    {.name = "rows", .type = SP_PARAMETER_TEXT},
    {.name = "skew", .type = SP_PARAMETER_CHOICE, .choices = "raw|adjust"},
};

static const struct sp_parameter match[] = {
    RANGE,
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "skew", .type = SP_PARAMETER_CHOICE, .choices = "raw|adjust"},
    {.name = "text", .type = SP_PARAMETER_TEXT},
};

/* The order of the choices of scope is that of scopes in query/trace_attributes.c. */
static const struct sp_parameter trace_attributes[] = {
    RANGE,
    {.name = "key", .type = SP_PARAMETER_TEXT},
    {.name = "scope", .type = SP_PARAMETER_CHOICE, .choices = "span|resource|instrumentation"},
    {.name = "skew", .type = SP_PARAMETER_CHOICE, .choices = "raw|adjust"},
};

/* The order of the choices of format is that of graph_formats in query/graph.c. */
static const struct sp_parameter graph[] = {
    RANGE,
    {.name = "format", .type = SP_PARAMETER_CHOICE, .choices = "json|dot|graphml|csv|mermaid"},
    {.name = "service", .type = SP_PARAMETER_TEXT},
    {.name = "hops", .type = SP_PARAMETER_NUMBER, .preset = 1, .number_min = 0, .number_max = 64},
    {.name = "step", .type = SP_PARAMETER_TEXT},
    {.name = "compareFrom", .type = SP_PARAMETER_TIME},
    {.name = "compareTo", .type = SP_PARAMETER_TIME},
    {.name = "rows", .type = SP_PARAMETER_CHOICE, .choices = "edges|nodes"},
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "links", .type = SP_PARAMETER_SWITCH, .reads_spans = true},
    {.name = "exact", .type = SP_PARAMETER_SWITCH, .reads_spans = true},
};

/* The order is that of query/latency.h. The choices of kind are OTLP's numbers; "any" stands behind them. */
static const struct sp_parameter latency[] = {
    RANGE,
    {.name = "service", .type = SP_PARAMETER_TEXT},
    {.name = "operation", .type = SP_PARAMETER_TEXT},
    {.name = "kind",
     .type = SP_PARAMETER_CHOICE,
     .choices = "unspecified|internal|server|client|producer|consumer|any",
     .preset = 6},
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "step", .type = SP_PARAMETER_TEXT},
    {.name = "by", .type = SP_PARAMETER_TEXT, .reads_spans = true},
    {.name = "exact", .type = SP_PARAMETER_SWITCH, .reads_spans = true},
    {.name = "order", .type = SP_PARAMETER_TEXT},
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = UINT64_MAX,
     .number_min = 1,
     .number_max = SP_LATENCY_PAGE_MAX},
    {.name = "offset",
     .type = SP_PARAMETER_NUMBER,
     .preset = 0,
     .number_min = 0,
     .number_max = UINT64_MAX},
    {.name = "contains", .type = SP_PARAMETER_TEXT},
    {.name = "buckets", .type = SP_PARAMETER_SWITCH},
    {.name = "compareFrom", .type = SP_PARAMETER_TIME},
    {.name = "compareTo", .type = SP_PARAMETER_TIME},
};

/* Matching traces that an answer about many of them looks at. */
#define TRACES                                                                                     \
    {                                                                                              \
        .name = "traces", .type = SP_PARAMETER_NUMBER, .preset = 1000, .number_min = 1,            \
        .number_max = SP_QUERY_SAMPLE_TRACES_MAX                                                   \
    }

/* The order is that of query/graph_calls.c, and of the choices behind "any" that of enum sp_connection_type. */
static const struct sp_parameter graph_calls[] = {
    RANGE,
    {.name = "client", .type = SP_PARAMETER_TEXT},
    {.name = "server", .type = SP_PARAMETER_TEXT},
    {.name = "connectionType",
     .type = SP_PARAMETER_CHOICE,
     .choices = "any|direct|messaging_system|database|virtual_node|messaging_link"},
    TRACES,
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 10,
     .number_min = 1,
     .number_max = 100},
};

static const struct sp_parameter quality[] = {RANGE, TRACES};

static const struct sp_parameter critical_path[] = {
    RANGE,
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "by", .type = SP_PARAMETER_CHOICE, .choices = "operation|service"},
    {.name = "scope", .type = SP_PARAMETER_CHOICE, .choices = "trace|span"},
    {.name = "quantiles", .type = SP_PARAMETER_TEXT},
    TRACES,
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 20,
     .number_min = 1,
     .number_max = 1000},
};

/* What answers that count spans say of themselves. */
#define EXPLAIN                                                                                    \
    {                                                                                              \
        .name = "explain", .type = SP_PARAMETER_SWITCH                                             \
    }

/* The order is that of the rows in query/metrics.c. */
#define METRICS                                                                                    \
    RANGE, {.name = "q", .type = SP_PARAMETER_TEXT},                                               \
        {.name = "exact", .type = SP_PARAMETER_SWITCH},                                            \
        {.name = "exemplars", .type = SP_PARAMETER_SWITCH}, EXPLAIN

/* The order is that of the rows in query/heatmap.c. */
static const struct sp_parameter heatmap[] = {
    RANGE,
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "steps",
     .type = SP_PARAMETER_NUMBER,
     .preset = 120,
     .number_min = 1,
     .number_max = SP_HEATMAP_STEPS_MAX},
    {.name = "rows",
     .type = SP_PARAMETER_NUMBER,
     .preset = 48,
     .number_min = 2,
     .number_max = SP_HEATMAP_ROWS_MAX},
    EXPLAIN,
    {.name = "client", .type = SP_PARAMETER_TEXT},
    {.name = "server", .type = SP_PARAMETER_TEXT},
    {.name = "connectionType",
     .type = SP_PARAMETER_CHOICE,
     .choices = "any|direct|database|messaging_system|virtual_node"},
    {.name = "side", .type = SP_PARAMETER_CHOICE, .choices = "client|server"},
};

/* The order is that of the rows in query/facets.c. */
static const struct sp_parameter facets[] = {
    RANGE,
    {.name = "q", .type = SP_PARAMETER_TEXT},
    {.name = "keys", .type = SP_PARAMETER_TEXT},
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 10,
     .number_min = 1,
     .number_max = SP_FACET_VALUES_SHOWN},
    {.name = "selection", .type = SP_PARAMETER_TEXT},
    {.name = "selectionFrom", .type = SP_PARAMETER_TIME, .preset = 0},
    {.name = "selectionTo", .type = SP_PARAMETER_TIME, .preset = UINT64_MAX},
    EXPLAIN,
};

static const struct sp_parameter instant[] = {METRICS};
static const struct sp_parameter series[] = {
    METRICS,
    {.name = "step", .type = SP_PARAMETER_TEXT},
};

static const struct sp_parameter compare[] = {
    RANGE,
    {.name = "a", .type = SP_PARAMETER_TEXT},
    {.name = "b", .type = SP_PARAMETER_TEXT},
    {.name = "aFrom", .type = SP_PARAMETER_TIME, .preset = 0},
    {.name = "aTo", .type = SP_PARAMETER_TIME, .preset = UINT64_MAX},
    {.name = "bFrom", .type = SP_PARAMETER_TIME, .preset = 0},
    {.name = "bTo", .type = SP_PARAMETER_TIME, .preset = UINT64_MAX},
    TRACES,
    {.name = "limit",
     .type = SP_PARAMETER_NUMBER,
     .preset = 20,
     .number_min = 1,
     .number_max = 1000},
    {.name = "nodes",
     .type = SP_PARAMETER_NUMBER,
     .preset = 0,
     .number_min = 0,
     .number_max = SP_QUERY_TREE_NODES_MAX},
};

static const struct sp_parameter compare_traces[] = {
    {.name = "a", .type = SP_PARAMETER_TEXT},
    {.name = "b", .type = SP_PARAMETER_TEXT},
};

/* The order is that of the rows in query/history.c. */
static const struct sp_parameter history[] = {
    {.name = "since", .type = SP_PARAMETER_TIME, .preset = 0},
};

#define TABLE(rows) (rows), SP_ARRAY_LEN(rows)

const struct sp_query_endpoint sp_query_endpoints[] = {
    {"/v1/status", SP_QUERY_HERE, NULL, 0, sp_query_answer_status, NULL},
    {"/v1/services", SP_QUERY_SHORT, TABLE(range_only), sp_query_answer_services, NULL},
    {"/v1/operations", SP_QUERY_SHORT, TABLE(operations), sp_query_answer_operations, NULL},
    {"/v1/attributes", SP_QUERY_SHORT, TABLE(attributes), sp_query_answer_attributes, NULL},
    {"/v1/search", SP_QUERY_LONG, TABLE(search), sp_query_answer_search, NULL},
    {"/v1/live", SP_QUERY_LONG, TABLE(live), sp_query_answer_live, NULL},
    {"/v1/traces/{id}", SP_QUERY_SHORT, TABLE(trace), sp_query_answer_trace, NULL},
    {"/v1/traces/{id}/spans", SP_QUERY_SHORT, TABLE(spans), sp_query_answer_spans, NULL},
    {"/v1/traces/{id}/percentiles", SP_QUERY_LONG, TABLE(percentiles), sp_query_answer_percentiles,
     NULL},
    {"/v1/traces/{id}/match", SP_QUERY_SHORT, TABLE(match), sp_query_answer_match, NULL},
    {"/v1/traces/{id}/attributes", SP_QUERY_SHORT, TABLE(trace_attributes),
     sp_query_answer_trace_attributes, NULL},
    {"/v1/graph", SP_QUERY_SHORT, TABLE(graph), sp_query_answer_graph, NULL},
    {"/v1/graph/calls", SP_QUERY_LONG, TABLE(graph_calls), sp_query_answer_graph_calls, NULL},
    {"/v1/latency", SP_QUERY_SHORT, TABLE(latency), sp_query_answer_latency, NULL},
    {"/v1/compare", SP_QUERY_LONG, TABLE(compare), sp_query_answer_compare, NULL},
    {"/v1/compare/traces", SP_QUERY_SHORT, TABLE(compare_traces), sp_query_answer_compare_traces,
     NULL},
    {"/v1/critical-path", SP_QUERY_LONG, TABLE(critical_path), sp_query_answer_critical_path, NULL},
    {"/v1/heatmap", SP_QUERY_LONG, TABLE(heatmap), sp_query_answer_heatmap, NULL},
    {"/v1/facets", SP_QUERY_LONG, TABLE(facets), sp_query_answer_facets, NULL},
    {"/v1/metrics/query_range", SP_QUERY_LONG, TABLE(series), sp_query_answer_series, NULL},
    {"/v1/metrics/query", SP_QUERY_LONG, TABLE(instant), sp_query_answer_instant, NULL},
    {"/v1/backups", SP_QUERY_LONG, NULL, 0, sp_query_answer_backups, NULL},
    {"/v1/backups", SP_QUERY_LONG, NULL, 0, sp_query_answer_backup_make, "POST"},
    {"/v1/backups/{id}", SP_QUERY_LONG, NULL, 0, sp_query_answer_backup_remove, "DELETE"},
    {"/v1/pins", SP_QUERY_SHORT, NULL, 0, sp_query_answer_pins, NULL},
    {"/v1/pins/{id}", SP_QUERY_SHORT, NULL, 0, sp_query_answer_pin, "PUT"},
    {"/v1/pins/{id}", SP_QUERY_SHORT, NULL, 0, sp_query_answer_unpin, "DELETE"},
    {"/v1/links", SP_QUERY_SHORT, NULL, 0, sp_query_answer_short_links, NULL},
    {"/v1/links", SP_QUERY_SHORT, NULL, 0, sp_query_answer_short_link_make, "POST"},
    {"/v1/links/{id}", SP_QUERY_SHORT, NULL, 0, sp_query_answer_short_link, NULL},
    {"/v1/links/{id}", SP_QUERY_SHORT, NULL, 0, sp_query_answer_short_link_remove, "DELETE"},
    {"/v1/queries/{id}", SP_QUERY_HERE, NULL, 0, sp_query_answer_cancel, "DELETE"},
    {"/v1/quality", SP_QUERY_LONG, TABLE(quality), sp_query_answer_quality, NULL},
    {"/v1/system", SP_QUERY_HERE, NULL, 0, sp_query_answer_system, NULL},
    {"/v1/system/history", SP_QUERY_HERE, TABLE(history), sp_query_answer_history, NULL},
    {"/healthz", SP_QUERY_HERE, NULL, 0, sp_query_answer_health, NULL},
    {"/readyz", SP_QUERY_HERE, NULL, 0, sp_query_answer_ready, NULL},
    {"/metrics", SP_QUERY_HERE, NULL, 0, sp_query_answer_metrics, NULL},
};
const size_t sp_query_endpoint_count = SP_ARRAY_LEN(sp_query_endpoints);
_Static_assert(SP_ARRAY_LEN(sp_query_endpoints) <= SP_QUERY_ENDPOINTS_MAX, "counters are too few");

/* Does path follow the pattern? "{id}" takes one segment that is not empty. */
static bool path_matches(const char *pattern, struct sp_slice path, struct sp_slice *ret_id)
{
    struct sp_slice p = sp_slice_cstr(pattern);
    size_t brace = sp_slice_find(p, '{');
    if (brace == p.len)
        return sp_slice_equal(p, path);
    if (!sp_slice_starts_with(path, sp_slice_sub(p, 0, brace)))
        return false;
    struct sp_slice rest = sp_slice_sub(path, brace, path.len);
    size_t slash = sp_slice_find(rest, '/');
    *ret_id = sp_slice_sub(rest, 0, slash);
    return slash > 0 && sp_slice_equal(sp_slice_sub(rest, slash, rest.len),
                                       sp_slice_sub(p, sp_slice_find(p, '}') + 1, p.len));
}

/* A name that is written with escapes may be any. */
static bool may_be(struct sp_slice written, const char *name)
{
    return sp_slice_equal_cstr(written, name) || sp_slice_find(written, '%') < written.len;
}

/* What is not given, or says no, asks for nothing. */
static bool is_given(struct sp_slice value)
{
    return value.len > 0 && !sp_slice_equal_cstr(value, "false") &&
           !sp_slice_equal_cstr(value, "0");
}

bool sp_query_is_short(const struct sp_query_endpoint *endpoint, struct sp_slice query)
{
    bool is_short = endpoint->room == SP_QUERY_SHORT;
    while (query.len > 0 && is_short) {
        size_t end = sp_slice_find(query, '&');
        struct sp_slice pair = sp_slice_sub(query, 0, end);
        size_t equals = sp_slice_find(pair, '=');
        struct sp_slice name = sp_slice_sub(pair, 0, equals);
        bool given = is_given(sp_slice_sub(pair, equals + 1, pair.len));
        for (size_t i = 0; i < endpoint->parameter_count && given; i++)
            is_short &= !(endpoint->parameters[i].reads_spans &&
                          may_be(name, endpoint->parameters[i].name));
        query = sp_slice_sub(query, end + 1, query.len);
    }
    return is_short;
}

bool sp_query_takes_method(const struct sp_query_endpoint *endpoint, struct sp_slice method)
{
    if (endpoint != NULL && endpoint->method != NULL)
        return sp_slice_equal_cstr(method, endpoint->method);
    return sp_slice_equal_cstr(method, "GET") || sp_slice_equal_cstr(method, "HEAD");
}

const struct sp_query_endpoint *sp_query_route(struct sp_slice method, struct sp_slice path,
                                               struct sp_slice *ret_id)
{
    const struct sp_query_endpoint *found = NULL;
    *ret_id = (struct sp_slice){0};
    for (size_t i = 0; i < sp_query_endpoint_count; i++) {
        const struct sp_query_endpoint *endpoint = &sp_query_endpoints[i];
        if (!path_matches(endpoint->path, path, ret_id))
            continue;
        if (sp_query_takes_method(endpoint, method))
            return endpoint;
        if (found == NULL)
            found = endpoint;
    }
    return found;
}
