/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_write.c: a graph as JSON, DOT, GraphML, CSV and Mermaid. Every name came from outside, so every format has
 * its own escape function here and nothing else writes a name. */
#include <inttypes.h>

#include "query/answer.h"
#include "query/graph_answer.h"
#include "query/numbers.h"

const double sp_graph_percentiles[SP_GRAPH_PERCENTILES] = {0.5, 0.9, 0.95, 0.99};
const char *const sp_graph_percentile_names[SP_GRAPH_PERCENTILES] = {"p50", "p90", "p95", "p99"};

/* ---- shared ---- */

/* The range as text, "2026-11-22T12:00:00Z", or "" for an open end. Bounds are whole minutes: the fraction is cut off.
 * out: 40 bytes. */
static const char *bound_text(uint64_t unix_ns, char *out)
{
    size_t len = unix_ns == 0 || unix_ns == UINT64_MAX ? 0 : sp_format_time(unix_ns, out);
    out[len] = 0;
    char *fraction = strchr(out, '.');
    if (fraction)
        memcpy(fraction, "Z", 2);
    return out;
}

static const char *duration_text(uint64_t ns, char *out)
{
    out[sp_format_duration(ns, out)] = 0;
    return out;
}

/* The latency that labels show: of the callers if they were seen, for they include the network. */
static const struct sp_histogram *label_latency(const struct sp_graph_edge *edge)
{
    return edge->client_latency.count > 0 ? &edge->client_latency : &edge->server_latency;
}

static size_t node_index(const struct sp_graph_view *view, struct sp_slice name)
{
    size_t index = sp_graph_view_find(view, name);
    SP_ASSERT(index != SIZE_MAX);
    return index;
}

/* "12 calls, 8.3% errors, p95 45ms" */
static void write_label(const struct sp_graph_edge *edge, const char *percent, struct sp_buf *out)
{
    char text[40];
    sp_buf_printf(out, "%" PRIu64 " %s", edge->calls, edge->calls == 1 ? "call" : "calls");
    if (edge->errors > 0)
        sp_buf_printf(out, ", %.3g%s errors", 100.0 * (double)edge->errors / (double)edge->calls,
                      percent);
    if (label_latency(edge)->count > 0)
        sp_buf_printf(out, ", p95 %s",
                      duration_text(sp_histogram_quantile(label_latency(edge), 0.95), text));
}

/* ---- JSON ---- */

static uint64_t quantile_of(const struct sp_histogram *h,
                            const struct sp_graph_durations *durations, double q)
{
    return durations ? durations->values[sp_quantile_rank(q, durations->count) - 1]
                     : sp_histogram_quantile(h, q);
}

void sp_graph_json_latency(struct sp_json_writer *w, const char *key, const struct sp_histogram *h,
                           const struct sp_graph_durations *durations)
{
    sp_json_key(w, key);
    if (h->count == 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(sp_graph_percentiles); i++) {
        sp_json_key(w, sp_graph_percentile_names[i]);
        sp_json_u64_string(w, quantile_of(h, durations, sp_graph_percentiles[i]));
    }
    sp_json_object_end(w);
}

void sp_graph_json_exemplar(struct sp_json_writer *w, const struct sp_graph_edge *edge)
{
    sp_json_key(w, "exemplarTraceId");
    if (sp_trace_id_is_zero(&edge->exemplar))
        sp_json_null(w);
    else
        sp_json_hex(w, sp_slice_make(edge->exemplar.bytes, SP_TRACE_ID_BYTES));
}

static void json_counts(struct sp_json_writer *w, uint64_t calls, uint64_t errors)
{
    sp_json_key(w, "calls");
    sp_json_u64_string(w, calls);
    sp_json_key(w, "errors");
    sp_json_u64_string(w, errors);
}

/* Under their texts, as they were asked for. */
static void json_quantiles(struct sp_json_writer *w, const char *key,
                           const struct sp_graph_view *view, const struct sp_histogram *h,
                           const struct sp_graph_durations *durations)
{
    if (view->quantile_count == 0)
        return;
    sp_json_key(w, key);
    if (h->count == 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    for (size_t i = 0; i < view->quantile_count; i++) {
        sp_json_key(w, view->quantiles[i].text);
        sp_json_u64_string(w, quantile_of(h, durations, view->quantiles[i].q));
    }
    sp_json_object_end(w);
}

static void json_edge(struct sp_json_writer *w, const struct sp_graph_view *view,
                      const struct sp_graph_edge *edge)
{
    const struct sp_graph_durations *exact =
        view->exact ? view->exact->durations[edge - view->exact->edges].sides : NULL;
    sp_json_object_begin(w);
    sp_json_key(w, "client");
    sp_json_string(w, edge->client);
    sp_json_key(w, "server");
    sp_json_string(w, edge->server);
    sp_json_key(w, "connectionType");
    sp_json_cstr(w, sp_connection_type_name(edge->type));
    json_counts(w, edge->calls, edge->errors);
    sp_graph_json_latency(w, "clientLatency", &edge->client_latency, exact);
    sp_graph_json_latency(w, "serverLatency", &edge->server_latency, exact ? exact + 1 : NULL);
    json_quantiles(w, "clientQuantiles", view, &edge->client_latency, exact);
    json_quantiles(w, "serverQuantiles", view, &edge->server_latency, exact ? exact + 1 : NULL);
    sp_graph_json_exemplar(w, edge);
    sp_json_object_end(w);
}

static void json_focus(struct sp_json_writer *w, const struct sp_graph_view *view)
{
    bool whole = view->focus.len == 0;
    sp_json_key(w, "service");
    if (whole)
        sp_json_null(w);
    else
        sp_json_string(w, view->focus);
    sp_json_key(w, "hops");
    if (whole)
        sp_json_null(w);
    else
        sp_json_u64(w, view->hops);
}

void sp_graph_write_json(const struct sp_graph_view *view, struct sp_buf *out)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "nodes");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < view->node_count; i++) {
        const struct sp_graph_node *node = &view->nodes[i];
        sp_json_object_begin(&w);
        sp_json_key(&w, "service");
        sp_json_string(&w, node->name);
        sp_json_key(&w, "type");
        sp_json_cstr(&w, sp_node_type_name(node->type));
        sp_json_key(&w, "slot");
        sp_json_u64(&w, node->slot);
        json_counts(&w, node->calls, node->errors);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "edges");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < view->edge_count; i++)
        json_edge(&w, view, view->edges[i]);
    sp_json_array_end(&w);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, view->range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, view->range.to_unix_ns);
    json_focus(&w, view);
    sp_graph_links_json(&w, "links", view->links);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, view->exact ? 0 : SP_HISTOGRAM_RELATIVE_ERROR);
    if (view->exact)
        sp_answer_json_scanned(&w, &view->exact->scanned, view->exact->scanned.traces);
    sp_json_object_end(&w);
}

/* ---- DOT (graphviz) ---- */

/* Inside a quoted string: a quote ends it, and a backslash begins an escape of labels (backslash n, backslash N, ...). */
static void dot_text(struct sp_slice text, struct sp_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '"' || c == '\\')
            sp_buf_append_byte(out, '\\');
        sp_buf_append_byte(out, c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

void sp_graph_write_dot(const struct sp_graph_view *view, struct sp_buf *out)
{
    static const char *const shapes[] = {
        [SP_NODE_SERVICE] = "shape=box, style=rounded",
        [SP_NODE_DATABASE] = "shape=cylinder",
        [SP_NODE_MESSAGING] = "shape=cds",
        [SP_NODE_EXTERNAL] = "shape=box, style=dashed",
        [SP_NODE_CLIENT] = "shape=ellipse",
    };
    static const char *const styles[] = {
        [SP_CONNECTION_DIRECT] = "solid",   [SP_CONNECTION_MESSAGING] = "dashed",
        [SP_CONNECTION_DATABASE] = "solid", [SP_CONNECTION_VIRTUAL] = "dotted",
        [SP_CONNECTION_LINK] = "dashed",
    };
    char from[40], to[40];
    sp_buf_append_cstr(out,
                       "digraph spoor {\n    rankdir=LR;\n    node [fontname=\"sans-serif\"];\n"
                       "    edge [fontname=\"sans-serif\"];\n    from=\"");
    sp_buf_printf(out, "%s\"; to=\"%s\"; service=\"", bound_text(view->range.from_unix_ns, from),
                  bound_text(view->range.to_unix_ns, to));
    dot_text(view->focus, out);
    if (view->focus.len > 0)
        sp_buf_printf(out, "\"; hops=\"%" PRIu64, view->hops);
    sp_buf_append_cstr(out, "\";\n");
    sp_graph_links_dot(view->links, out);
    for (size_t i = 0; i < view->node_count; i++) {
        sp_buf_printf(out, "    n%zu [label=\"", i);
        dot_text(view->nodes[i].name, out);
        sp_buf_printf(out, "\", %s];\n", shapes[view->nodes[i].type]);
    }
    for (size_t i = 0; i < view->edge_count; i++) {
        const struct sp_graph_edge *edge = view->edges[i];
        sp_buf_printf(out, "    n%zu -> n%zu [label=\"", node_index(view, edge->client),
                      node_index(view, edge->server));
        write_label(edge, "%", out);
        sp_buf_printf(out, "\", style=%s%s];\n", styles[edge->type],
                      edge->errors > 0 ? ", color=\"#b3261e\"" : "");
    }
    sp_buf_append_cstr(out, "}\n");
}

/* ---- GraphML ---- */

/* Text and attribute values; XML 1.0 has no place at all for most control characters, nor for U+FFFE and U+FFFF. */
static void xml_text(struct sp_slice text, struct sp_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '<')
            sp_buf_append_cstr(out, "&lt;");
        else if (c == '>')
            sp_buf_append_cstr(out, "&gt;");
        else if (c == '&')
            sp_buf_append_cstr(out, "&amp;");
        else if (c == '"')
            sp_buf_append_cstr(out, "&quot;");
        else if (c == '\t' || c == '\n' || c == '\r')
            sp_buf_printf(out, "&#%u;", c);
        else if (c < 0x20)
            sp_buf_append_cstr(out, "\xEF\xBF\xBD");
        else if (c == 0xEF && text.len - i >= 3 && text.ptr[i + 1] == 0xBF &&
                 text.ptr[i + 2] >= 0xBE) {
            sp_buf_append_cstr(out, "\xEF\xBF\xBD");
            i += 2;
        } else
            sp_buf_append_byte(out, c);
    }
}

static void graphml_data(const char *key, uint64_t value, struct sp_buf *out)
{
    sp_buf_printf(out, "<data key=\"%s\">%" PRIu64 "</data>", key, value);
}

static void graphml_latency(const char *prefix, const struct sp_histogram *h, struct sp_buf *out)
{
    for (size_t i = 0; h->count > 0 && i < SP_ARRAY_LEN(sp_graph_percentiles); i++)
        sp_buf_printf(out, "<data key=\"%s_%s\">%" PRIu64 "</data>", prefix,
                      sp_graph_percentile_names[i],
                      sp_histogram_quantile(h, sp_graph_percentiles[i]));
}

static void graphml_keys(struct sp_buf *out)
{
    static const struct {
        const char *id, *owner, *type;
    } keys[] = {
        {"from", "graph", "string"},
        {"to", "graph", "string"},
        {"focus", "graph", "string"},
        {"hops", "graph", "long"},
        {"relativeError", "graph", "double"},
        {"service", "node", "string"},
        {"type", "node", "string"},
        {"node_calls", "node", "long"},
        {"node_errors", "node", "long"},
        {"connectionType", "edge", "string"},
        {"calls", "edge", "long"},
        {"errors", "edge", "long"},
        {"exemplarTraceId", "edge", "string"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(keys); i++)
        sp_buf_printf(out, "  <key id=\"%s\" for=\"%s\" attr.name=\"%s\" attr.type=\"%s\"/>\n",
                      keys[i].id, keys[i].owner,
                      strncmp(keys[i].id, "node_", 5) == 0 ? keys[i].id + 5 : keys[i].id,
                      keys[i].type);
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < SP_ARRAY_LEN(sp_graph_percentiles); i++)
            sp_buf_printf(out,
                          "  <key id=\"%s_%s\" for=\"edge\" attr.name=\"%sLatency.%s\" "
                          "attr.type=\"long\"/>\n",
                          side ? "server" : "client", sp_graph_percentile_names[i],
                          side ? "server" : "client", sp_graph_percentile_names[i]);
}

static void graphml_edge(const struct sp_graph_view *view, size_t i, struct sp_buf *out)
{
    const struct sp_graph_edge *edge = view->edges[i];
    sp_buf_printf(out,
                  "    <edge id=\"e%zu\" source=\"n%zu\" target=\"n%zu\">"
                  "<data key=\"connectionType\">%s</data>",
                  i, node_index(view, edge->client), node_index(view, edge->server),
                  sp_connection_type_name(edge->type));
    graphml_data("calls", edge->calls, out);
    graphml_data("errors", edge->errors, out);
    graphml_latency("client", &edge->client_latency, out);
    graphml_latency("server", &edge->server_latency, out);
    if (!sp_trace_id_is_zero(&edge->exemplar)) {
        char id[SP_TRACE_ID_TEXT];
        sp_trace_id_format(&edge->exemplar, id);
        sp_buf_printf(out, "<data key=\"exemplarTraceId\">%s</data>", id);
    }
    sp_buf_append_cstr(out, "</edge>\n");
}

void sp_graph_write_graphml(const struct sp_graph_view *view, struct sp_buf *out)
{
    char from[40], to[40];
    sp_buf_append_cstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                            "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n");
    graphml_keys(out);
    sp_graph_links_graphml_keys(view->links, out);
    sp_buf_append_cstr(out, "  <graph id=\"spoor\" edgedefault=\"directed\">\n");
    sp_buf_printf(out, "    <data key=\"from\">%s</data>\n    <data key=\"to\">%s</data>\n",
                  bound_text(view->range.from_unix_ns, from),
                  bound_text(view->range.to_unix_ns, to));
    sp_buf_append_cstr(out, "    <data key=\"focus\">");
    xml_text(view->focus, out);
    sp_buf_append_cstr(out, "</data>\n");
    if (view->focus.len > 0)
        sp_buf_printf(out, "    <data key=\"hops\">%" PRIu64 "</data>\n", view->hops);
    sp_buf_printf(out, "    <data key=\"relativeError\">%g</data>\n", SP_HISTOGRAM_RELATIVE_ERROR);
    sp_graph_links_graphml(view->links, out);
    for (size_t i = 0; i < view->node_count; i++) {
        sp_buf_printf(out, "    <node id=\"n%zu\"><data key=\"service\">", i);
        xml_text(view->nodes[i].name, out);
        sp_buf_printf(out, "</data><data key=\"type\">%s</data>",
                      sp_node_type_name(view->nodes[i].type));
        graphml_data("node_calls", view->nodes[i].calls, out);
        graphml_data("node_errors", view->nodes[i].errors, out);
        sp_buf_append_cstr(out, "</node>\n");
    }
    for (size_t i = 0; i < view->edge_count; i++)
        graphml_edge(view, i, out);
    sp_buf_append_cstr(out, "  </graph>\n</graphml>\n");
}

/* ---- CSV (RFC 4180) ---- */

/* What makes a spreadsheet take a cell for a formula; the last four are the full-width forms of = + - @. */
static bool csv_is_formula(struct sp_slice text)
{
    static const char *const starts[] = {"=",  "+",      "-",      "@",      "\t",    "\r",
                                         "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"};
    for (size_t i = 0; i < SP_ARRAY_LEN(starts); i++)
        if (sp_slice_starts_with(text, sp_slice_cstr(starts[i])))
            return true;
    return false;
}

/* Quoted always. A cell that a spreadsheet would take for a formula gets an apostrophe in front: names come from
 * whoever may send spans, and must not run anything where the file is opened. */
static void csv_cell(struct sp_slice text, struct sp_buf *out)
{
    sp_buf_append_byte(out, '"');
    if (csv_is_formula(text))
        sp_buf_append_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            sp_buf_append_byte(out, '"');
        sp_buf_append_byte(out, text.ptr[i]);
    }
    sp_buf_append_byte(out, '"');
}

static void csv_latency(const struct sp_histogram *h, struct sp_buf *out)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(sp_graph_percentiles); i++) {
        sp_buf_append_byte(out, ',');
        if (h->count > 0)
            sp_buf_printf(out, "%" PRIu64, sp_histogram_quantile(h, sp_graph_percentiles[i]));
    }
}

/* The last cells of a row: what was asked. */
static void csv_question(const struct sp_graph_view *view, struct sp_buf *out)
{
    char from[40], to[40];
    sp_buf_printf(out, ",%s,%s,", bound_text(view->range.from_unix_ns, from),
                  bound_text(view->range.to_unix_ns, to));
    csv_cell(view->focus, out);
    sp_buf_append_byte(out, ',');
    if (view->focus.len > 0)
        sp_buf_printf(out, "%" PRIu64, view->hops);
    sp_graph_links_csv(view->links, out);
    sp_buf_append_cstr(out, "\r\n");
}

void sp_graph_write_csv(const struct sp_graph_view *view, struct sp_buf *out)
{
    sp_buf_append_cstr(out, "client,server,connection_type,calls,errors,"
                            "client_p50_ns,client_p90_ns,client_p95_ns,client_p99_ns,"
                            "server_p50_ns,server_p90_ns,server_p95_ns,server_p99_ns,"
                            "exemplar_trace_id,from,to,focus,hops");
    sp_graph_links_csv_names(view->links, out);
    sp_buf_append_cstr(out, "\r\n");
    for (size_t i = 0; i < view->edge_count; i++) {
        const struct sp_graph_edge *edge = view->edges[i];
        char id[SP_TRACE_ID_TEXT] = "";
        if (!sp_trace_id_is_zero(&edge->exemplar))
            sp_trace_id_format(&edge->exemplar, id);
        csv_cell(edge->client, out);
        sp_buf_append_byte(out, ',');
        csv_cell(edge->server, out);
        sp_buf_printf(out, ",%s,%" PRIu64 ",%" PRIu64, sp_connection_type_name(edge->type),
                      edge->calls, edge->errors);
        csv_latency(&edge->client_latency, out);
        csv_latency(&edge->server_latency, out);
        sp_buf_printf(out, ",%s", id);
        csv_question(view, out);
    }
}

void sp_graph_write_csv_nodes(const struct sp_graph_view *view, struct sp_buf *out)
{
    sp_buf_append_cstr(out, "service,type,calls,errors,from,to,focus,hops");
    sp_graph_links_csv_names(view->links, out);
    sp_buf_append_cstr(out, "\r\n");
    for (size_t i = 0; i < view->node_count; i++) {
        const struct sp_graph_node *node = &view->nodes[i];
        csv_cell(node->name, out);
        sp_buf_printf(out, ",%s,%" PRIu64 ",%" PRIu64, sp_node_type_name(node->type), node->calls,
                      node->errors);
        csv_question(view, out);
    }
}

/* ---- Mermaid ---- */

/* Inside a quoted label; Mermaid knows entities by name or number between '#' and ';'. */
static void mermaid_text(struct sp_slice text, struct sp_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            sp_buf_append_byte(out, ' ');
        else if (c < 0x80 && strchr("\"#;&<>`\\{}[]()|%*_~", c))
            sp_buf_printf(out, "#%u;", c);
        else
            sp_buf_append_byte(out, c);
    }
}

void sp_graph_write_mermaid(const struct sp_graph_view *view, struct sp_buf *out)
{
    static const char *const shapes[][2] = {
        [SP_NODE_SERVICE] = {"(\"", "\")"},     [SP_NODE_DATABASE] = {"[(\"", "\")]"},
        [SP_NODE_MESSAGING] = {"[[\"", "\"]]"}, [SP_NODE_EXTERNAL] = {"[\"", "\"]"},
        [SP_NODE_CLIENT] = {"([\"", "\"])"},
    };
    char from[40], to[40];
    sp_buf_append_cstr(out, "flowchart LR\n");
    sp_buf_printf(
        out, "%%%% from: %s\n%%%% to: %s\n%%%% focus: ", bound_text(view->range.from_unix_ns, from),
        bound_text(view->range.to_unix_ns, to));
    mermaid_text(view->focus, out);
    if (view->focus.len > 0)
        sp_buf_printf(out, ", hops: %" PRIu64, view->hops);
    sp_buf_append_byte(out, '\n');
    sp_graph_links_mermaid(view->links, out);
    for (size_t i = 0; i < view->node_count; i++) {
        sp_buf_printf(out, "    n%zu%s", i, shapes[view->nodes[i].type][0]);
        mermaid_text(view->nodes[i].name, out);
        sp_buf_printf(out, "%s\n", shapes[view->nodes[i].type][1]);
    }
    for (size_t i = 0; i < view->edge_count; i++) {
        const struct sp_graph_edge *edge = view->edges[i];
        bool direct = edge->type == SP_CONNECTION_DIRECT || edge->type == SP_CONNECTION_DATABASE;
        sp_buf_printf(out, "    n%zu %s|\"", node_index(view, edge->client),
                      direct ? "-->" : "-.->");
        write_label(edge, "#37;", out);
        sp_buf_printf(out, "\"| n%zu\n", node_index(view, edge->server));
    }
}
