/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_series.c: GET /v1/graph with step or with a range to compare with: edges over time, and what changed of them.
 * Each part of time is a graph of its own; the edges of all of them together are what is shown. */
#include "query/change.h"
#include "query/graph.h"
#include "query/graph_answer.h"
#include "query/population.h"

#include <stdlib.h>

/* The graphs of parts of time, and all of them added up. */
struct parts {
    struct part {
        struct sp_graph_edge *edges; /* sorted by client, server, type */
        size_t edge_count;
    } * items;
    struct sp_graph *links; /* of each part, until they are among its edges; NULL: not asked for */
    size_t room;
    size_t count;
    struct sp_graph sum;
    struct sp_graph_edge *edges; /* of the sum */
    size_t edge_count;
};

static void parts_fini(struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        sp_graph_edges_fini(parts->items[i].edges, parts->items[i].edge_count);
    for (size_t i = 0; parts->links && i < parts->room; i++)
        sp_graph_fini(&parts->links[i]);
    sp_graph_edges_fini(parts->edges, parts->edge_count);
    sp_graph_fini(&parts->sum);
}

static enum sp_status too_large(struct sp_query_call *call, struct sp_error *reterr)
{
    return sp_arena_failed(&call->arena, reterr, "the graphs are larger than the query's memory");
}

static enum sp_status parts_init(struct sp_query_call *call, size_t room, bool links,
                                 struct parts *parts, struct sp_error *reterr)
{
    *parts = (struct parts){.room = room};
    sp_graph_init(&parts->sum);
    parts->items = sp_arena_calloc(&call->arena, room, sizeof(*parts->items));
    if (links)
        parts->links = sp_arena_calloc(&call->arena, room, sizeof(*parts->links));
    for (size_t i = 0; parts->links && i < room; i++)
        sp_graph_init(&parts->links[i]);
    return parts->items && (parts->links || !links) ? SP_OK : too_large(call, reterr);
}

static enum sp_status read_part(struct sp_query_call *call, struct parts *parts,
                                struct sp_time_range range, struct sp_error *reterr)
{
    struct part *part = &parts->items[parts->count];
    enum sp_status status = sp_query_check(call, reterr);
    if (status == SP_OK)
        status = sp_store_graph(call->api->store, range, &call->stop, &call->arena, &part->edges,
                                &part->edge_count, reterr);
    if (status != SP_OK)
        return status;
    parts->count++;
    if (parts->links)
        status = sp_graph_links_merge(call, &parts->links[parts->count - 1], &part->edges,
                                      &part->edge_count, reterr);
    if (status != SP_OK)
        return status;
    status = sp_graph_merge(&parts->sum, part->edges, part->edge_count);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the graphs do not fit into memory");
    return SP_OK;
}

/* The sum as a view: all edges, or those around a service. */
static enum sp_status view_sum(struct sp_query_call *call, struct parts *parts,
                               const struct sp_graph_question *question, struct sp_graph_view *ret,
                               struct sp_error *reterr)
{
    const struct sp_service_row *services;
    size_t service_count;
    if (sp_graph_take(&parts->sum, &call->arena, &parts->edges, &parts->edge_count) != SP_OK)
        return too_large(call, reterr);
    enum sp_status status = sp_store_services(call->api->store, question->range, &call->stop,
                                              &call->arena, &services, &service_count, reterr);
    if (status != SP_OK)
        return status;
    if (sp_graph_view_make(&call->arena, parts->edges, parts->edge_count, services, service_count,
                           question->range, question->focus, question->hops, ret) != SP_OK)
        return too_large(call, reterr);
    return SP_OK;
}

/* The edge in a part, or one without calls. */
static const struct sp_graph_edge *find_edge(const struct part *part,
                                             const struct sp_graph_edge *edge)
{
    static const struct sp_graph_edge none;
    const struct sp_graph_edge *found =
        part->edge_count > 0
            ? bsearch(edge, part->edges, part->edge_count, sizeof(*edge), sp_graph_edge_compare)
            : NULL;
    return found ? found : &none;
}

static void write_ends(const struct sp_graph_edge *edge, struct sp_json_writer *w)
{
    sp_json_key(w, "client");
    sp_json_string(w, edge->client);
    sp_json_key(w, "server");
    sp_json_string(w, edge->server);
    sp_json_key(w, "connectionType");
    sp_json_cstr(w, sp_connection_type_name(edge->type));
}

static void write_tail(const struct sp_graph_view *view, struct sp_json_writer *w)
{
    sp_json_key(w, "from");
    sp_query_json_bound(w, view->range.from_unix_ns);
    sp_json_key(w, "to");
    sp_query_json_bound(w, view->range.to_unix_ns);
    sp_json_key(w, "relativeError");
    sp_json_double(w, SP_HISTOGRAM_RELATIVE_ERROR);
}

/* ---- series ---- */

static void write_counts(const struct parts *parts, const struct sp_graph_edge *edge, bool errors,
                         struct sp_json_writer *w)
{
    sp_json_key(w, errors ? "errors" : "calls");
    sp_json_array_begin(w);
    for (size_t i = 0; i < parts->count; i++) {
        const struct sp_graph_edge *here = find_edge(&parts->items[i], edge);
        sp_json_u64_string(w, errors ? here->errors : here->calls);
    }
    sp_json_array_end(w);
}

static void write_quantiles(const struct parts *parts, const struct sp_graph_edge *edge,
                            bool of_server, struct sp_json_writer *w)
{
    sp_json_key(w, of_server ? "serverLatency" : "clientLatency");
    sp_json_object_begin(w);
    for (size_t q = 0; q < SP_GRAPH_PERCENTILES; q++) {
        sp_json_key(w, sp_graph_percentile_names[q]);
        sp_json_array_begin(w);
        for (size_t i = 0; i < parts->count; i++) {
            const struct sp_graph_edge *here = find_edge(&parts->items[i], edge);
            const struct sp_histogram *latency =
                of_server ? &here->server_latency : &here->client_latency;
            if (latency->count == 0)
                sp_json_null(w);
            else
                sp_json_u64_string(w, sp_histogram_quantile(latency, sp_graph_percentiles[q]));
        }
        sp_json_array_end(w);
    }
    sp_json_object_end(w);
}

static void write_series(struct sp_query_call *call, const struct parts *parts,
                         const struct sp_graph_view *view, const struct sp_query_steps *steps,
                         const struct sp_graph_links *links)
{
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "edges");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < view->edge_count; i++) {
        sp_json_object_begin(&w);
        write_ends(view->edges[i], &w);
        write_counts(parts, view->edges[i], false, &w);
        write_counts(parts, view->edges[i], true, &w);
        write_quantiles(parts, view->edges[i], false, &w);
        write_quantiles(parts, view->edges[i], true, &w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_query_steps_write(steps, &w);
    sp_graph_links_json(&w, "links", links);
    write_tail(view, &w);
    sp_json_object_end(&w);
}

enum sp_status sp_graph_answer_series(struct sp_query_call *call,
                                      const struct sp_graph_question *question,
                                      const struct sp_query_steps *steps, struct sp_error *reterr)
{
    struct parts parts;
    struct sp_graph_view view = {0};
    struct sp_graph_links links;
    enum sp_status status = parts_init(call, steps->count, question->links, &parts, reterr);
    if (status == SP_OK && question->links) {
        const struct sp_graph_links_question of_links = {.range = steps->range,
                                                         .deadline_ns =
                                                             sp_population_deadline(call, 1, 1),
                                                         .graphs = parts.links,
                                                         .steps = steps};
        status = sp_graph_links_read(call, &of_links, &links, reterr);
    }
    for (size_t i = 0; i < steps->count && status == SP_OK; i++)
        status = read_part(call, &parts, sp_query_step(steps, i), reterr);
    if (status == SP_OK)
        status = view_sum(call, &parts, question, &view, reterr);
    if (status == SP_OK)
        write_series(call, &parts, &view, steps, question->links ? &links : NULL);
    parts_fini(&parts);
    return status;
}

/* ---- difference ---- */

static void compare_edge(const struct parts *parts, const struct sp_graph_edge *edge,
                         struct sp_change *change)
{
    const struct sp_graph_edge *sides[2];
    for (int i = 0; i < 2; i++) {
        sides[i] = find_edge(&parts->items[i], edge);
        change->calls[i] = sides[i]->calls;
        change->errors[i] = sides[i]->errors;
    }
    /* as callers saw it, where they were seen on both sides */
    bool by_client = sides[0]->client_latency.count > 0 && sides[1]->client_latency.count > 0;
    for (int i = 0; i < 2; i++)
        change->latency[i] = by_client ? &sides[i]->client_latency : &sides[i]->server_latency;
}

static bool compare_all(struct sp_query_call *call, const struct parts *parts,
                        const struct sp_graph_view *view, struct sp_change **ret)
{
    struct sp_change *changes = sp_arena_calloc(&call->arena, view->edge_count, sizeof(*changes));
    if (!changes)
        return false;
    for (size_t i = 0; i < view->edge_count; i++)
        compare_edge(parts, view->edges[i], &changes[i]);
    *ret = changes;
    return sp_changes_find(&call->arena, changes, view->edge_count) == SP_OK;
}

static void write_side(const char *key, const struct sp_graph_edge *edge, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (edge->calls == 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    sp_json_key(w, "calls");
    sp_json_u64_string(w, edge->calls);
    sp_json_key(w, "errors");
    sp_json_u64_string(w, edge->errors);
    sp_graph_json_latency(w, "clientLatency", &edge->client_latency, NULL);
    sp_graph_json_latency(w, "serverLatency", &edge->server_latency, NULL);
    sp_graph_json_exemplar(w, edge);
    sp_json_object_end(w);
}

/* links: of both sides, or NULL. */
static void write_changes(struct sp_query_call *call, const struct parts *parts,
                          const struct sp_change *changes, const struct sp_graph_view *view,
                          struct sp_time_range before, const struct sp_graph_links *links)
{
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "edges");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < view->edge_count; i++) {
        sp_json_object_begin(&w);
        write_ends(view->edges[i], &w);
        sp_json_key(&w, "change");
        sp_json_cstr(&w, changes[i].name);
        write_side("before", find_edge(&parts->items[0], view->edges[i]), &w);
        write_side("now", find_edge(&parts->items[1], view->edges[i]), &w);
        sp_change_write(&changes[i], &w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "compareFrom");
    sp_query_json_bound(&w, before.from_unix_ns);
    sp_json_key(&w, "compareTo");
    sp_query_json_bound(&w, before.to_unix_ns);
    sp_json_key(&w, "falseDiscoveryRate");
    sp_json_double(&w, SP_FALSE_DISCOVERY_RATE);
    sp_graph_links_json(&w, "links", links ? &links[1] : NULL);
    sp_graph_links_json(&w, "compareLinks", links);
    write_tail(view, &w);
    sp_json_object_end(&w);
}

enum sp_status sp_graph_answer_difference(struct sp_query_call *call,
                                          const struct sp_graph_question *question,
                                          struct sp_time_range before, struct sp_error *reterr)
{
    struct parts parts;
    struct sp_graph_view view = {0};
    struct sp_change *changes = NULL;
    struct sp_graph_links links[2];
    const struct sp_time_range ranges[2] = {before, question->range};
    enum sp_status status = parts_init(call, 2, question->links, &parts, reterr);
    for (size_t i = 0; i < 2 && status == SP_OK && question->links; i++) {
        const struct sp_graph_links_question of_links = {.range = ranges[i],
                                                         .deadline_ns =
                                                             sp_population_deadline(call, 1, 2 - i),
                                                         .graphs = &parts.links[i]};
        status = sp_graph_links_read(call, &of_links, &links[i], reterr);
    }
    for (size_t i = 0; i < 2 && status == SP_OK; i++)
        status = read_part(call, &parts, ranges[i], reterr);
    if (status == SP_OK)
        status = view_sum(call, &parts, question, &view, reterr);
    if (status == SP_OK && !compare_all(call, &parts, &view, &changes))
        status = too_large(call, reterr);
    if (status == SP_OK)
        write_changes(call, &parts, changes, &view, before, question->links ? links : NULL);
    parts_fini(&parts);
    return status;
}
