/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_calls.c: GET /v1/graph/calls: some calls of an edge or of a node, to be looked at one by one (docs/decisions/0140-calls-to-look-at.md).
 * The sums of the store know the slowest trace of each minute, so the slowest are of the whole range; what failed and what is newest is found
 * in the newest traces, as many as the question says.
 *
 *     sums of each part of the range -> slowest traces, and services \
 *                       newest traces with spans of these services ---> read, their calls found -> three lists */
#include <stdlib.h>

#include "lib/traceql/traceql.h"
#include "query/answer.h"
#include "query/graph_answer.h"
#include "query/population.h"

enum {
    PARAMETER_CLIENT = 2,
    PARAMETER_SERVER,
    PARAMETER_TYPE, /* 0: any but links, else enum sp_connection_type and 1 */
    PARAMETER_TRACES,
    PARAMETER_LIMIT
};

/* The sums are asked for so many parts of the range, each of which names one trace. */
#define PARTS_MAX ((uint64_t)8)
/* Services whose traces are looked for; of a node with more, traces of any service are. */
#define SERVICES_MAX ((size_t)64)

/* One call. */
struct example {
    struct sp_trace_id trace_id;
    struct sp_span_id span_id;
    uint64_t time_unix_ns, duration_ns;
    bool failed;
};

/* The best of their order first; of each trace one. */
struct list {
    struct example *items;
    size_t count;
};

enum { FAILED, SLOWEST, NEWEST, LISTS };

struct finding {
    struct sp_query_call *call;
    struct sp_time_range range;
    struct sp_slice client, server; /* "": any */
    uint64_t type;                  /* PARAMETER_TYPE */
    struct list lists[LISTS];
    size_t list_max;
    struct sp_trace_id *ids; /* of the traces to be read: those of the sums, then the newest */
    size_t id_count, id_max;
    struct sp_slice services[SERVICES_MAX];
    size_t service_count;
    bool any_service;
    bool server_has_no_span; /* in some of the calls */
    unsigned ways;           /* of the calls that were seen */
    uint64_t deadline_ns;
    struct sp_stop stop;
    struct sp_arena arena; /* of one trace */
    struct sp_scanned scanned;
    uint64_t trace_count;
    const char *incomplete_reason; /* "traces", "timeBudget"; NULL: every call was looked at */
};

/* ---- lists ---- */

static bool is_before(int list, const struct example *a, const struct example *b)
{
    uint64_t left = list == NEWEST ? a->time_unix_ns : a->duration_ns;
    uint64_t right = list == NEWEST ? b->time_unix_ns : b->duration_ns;
    if (left != right)
        return left > right;
    int order = sp_trace_id_compare(&a->trace_id, &b->trace_id);
    return order != 0 ? order < 0 : sp_span_id_compare(&a->span_id, &b->span_id) < 0;
}

static void offer_to(struct finding *finding, int number, const struct example *example)
{
    struct list *list = &finding->lists[number];
    size_t at = 0, same = 0;
    while (at < list->count && is_before(number, &list->items[at], example))
        at++;
    while (same < list->count &&
           sp_trace_id_compare(&list->items[same].trace_id, &example->trace_id) != 0)
        same++;
    if (at == finding->list_max ||
        same < at) /* it is no better than what is there, of all or of its trace */
        return;
    if (same == list->count && list->count < finding->list_max)
        list->count++;
    size_t last = same < list->count ? same : list->count - 1;
    memmove(&list->items[at + 1], &list->items[at], (last - at) * sizeof(*list->items));
    list->items[at] = *example;
}

static void offer(void *cookie, const struct sp_graph_call *call)
{
    struct finding *finding = cookie;
    bool link = call->type == SP_CONNECTION_LINK;
    bool wanted = finding->type == 0 ? !link : call->type == finding->type - 1;
    if (!wanted || !sp_time_range_contains(finding->range, call->time_unix_ns) ||
        (finding->client.len > 0 && !sp_slice_equal(finding->client, call->client)) ||
        (finding->server.len > 0 && !sp_slice_equal(finding->server, call->server)))
        return;
    finding->ways |= sp_graph_way_of(call);
    const struct sp_span *span = sp_graph_call_span(call);
    const struct example example = {.trace_id = span->trace_id,
                                    .span_id = span->span_id,
                                    .time_unix_ns = call->time_unix_ns,
                                    .duration_ns = sp_span_duration_ns(span),
                                    .failed = call->error};
    for (int i = call->error ? FAILED : SLOWEST; i < LISTS; i++)
        offer_to(finding, i, &example);
}

/* ---- what the sums know ---- */

static enum sp_status too_large(struct finding *finding, struct sp_error *reterr)
{
    return sp_arena_failed(&finding->call->arena, reterr,
                           "the calls of the graph do not fit into this query's memory");
}

static enum sp_status add_service(struct finding *finding, struct sp_slice service,
                                  struct sp_error *reterr)
{
    for (size_t i = 0; i < finding->service_count; i++)
        if (sp_slice_equal(finding->services[i], service))
            return SP_OK;
    if (finding->service_count == SERVICES_MAX)
        finding->any_service = true;
    else if (!sp_arena_copy(&finding->call->arena, service,
                            &finding->services[finding->service_count++]))
        return too_large(finding, reterr);
    return SP_OK;
}

/* Of the edges of a part of the range those that are asked for: whose spans their traces have, and the slowest. */
static enum sp_status add_edges(struct finding *finding, const struct sp_graph_edge *edges,
                                size_t count, struct sp_error *reterr)
{
    const struct sp_graph_edge *slowest = NULL;
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        const struct sp_graph_edge *edge = &edges[i];
        if ((finding->client.len > 0 && !sp_slice_equal(finding->client, edge->client)) ||
            (finding->server.len > 0 && !sp_slice_equal(finding->server, edge->server)) ||
            (finding->type > 0 && edge->type != finding->type - 1))
            continue;
        if (!slowest || edge->exemplar_duration_ns > slowest->exemplar_duration_ns)
            slowest = edge;
        /* The span that gives a call its time is of the service at one of its ends: the other may be no service. */
        status = add_service(finding, edge->client, reterr);
        if (status == SP_OK)
            status = add_service(finding, edge->server, reterr);
        finding->server_has_no_span |=
            edge->type != SP_CONNECTION_DIRECT && edge->type != SP_CONNECTION_MESSAGING;
    }
    if (slowest && !sp_trace_id_is_zero(&slowest->exemplar))
        finding->ids[finding->id_count++] = slowest->exemplar;
    return status;
}

static enum sp_status read_sums(struct finding *finding, struct sp_error *reterr)
{
    struct sp_time_range range = finding->range;
    enum sp_status status = sp_answer_bounds(finding->call, &range, reterr);
    range = sp_time_range_minutes(range);
    uint64_t length =
        range.to_unix_ns > range.from_unix_ns ? range.to_unix_ns - range.from_unix_ns : 0;
    /* the last before the end of time is no whole one */
    uint64_t minutes = length / SP_ROLLUP_NS + (length % SP_ROLLUP_NS != 0);
    uint64_t parts = minutes < PARTS_MAX ? minutes : PARTS_MAX;
    for (uint64_t i = 0; i < parts && status == SP_OK; i++) {
        struct sp_time_range part = {range.from_unix_ns + minutes / parts * i * SP_ROLLUP_NS,
                                     i + 1 == parts ? range.to_unix_ns
                                                    : range.from_unix_ns +
                                                          minutes / parts * (i + 1) * SP_ROLLUP_NS};
        struct sp_graph_edge *edges;
        size_t count;
        sp_arena_reset(&finding->arena);
        status = sp_store_graph(finding->call->api->store, part, &finding->call->stop,
                                &finding->arena, &edges, &count, reterr);
        if (status != SP_OK)
            break;
        status = add_edges(finding, edges, count, reterr);
        sp_graph_edges_fini(edges, count);
    }
    return status;
}

/* ---- traces ---- */

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    const struct finding *finding = cookie;
    enum sp_status status = sp_query_check(finding->call, reterr);
    if (status == SP_OK && sp_clock_monotonic_ns(finding->call->api->clock) >= finding->deadline_ns)
        status = sp_error_set(reterr, SP_DEADLINE, "the time for these traces is used up");
    return status;
}

static enum sp_visit note_trace(void *cookie, const struct sp_candidate *candidate)
{
    struct finding *finding = cookie;
    if (finding->id_count == finding->id_max) {
        finding->incomplete_reason = "traces";
        return SP_VISIT_STOP;
    }
    finding->ids[finding->id_count++] = candidate->trace_id;
    return SP_VISIT_CONTINUE;
}

static struct sp_condition is_of(struct sp_slice service)
{
    return (struct sp_condition){.field = SP_FIELD_SERVICE,
                                 .operation = SP_OP_EQ,
                                 .value = {.kind = SP_VALUE_STRING, .string = service}};
}

static enum sp_status find_newest(struct finding *finding, struct sp_error *reterr)
{
    struct sp_condition conditions[SERVICES_MAX];
    const struct sp_condition of_server = is_of(finding->server);
    const struct sp_scan called = {
        .range = SP_TIME_RANGE_ALL, .conditions = &of_server, .condition_count = 1};
    struct sp_scan scan = {.range = finding->range,
                           .conditions = conditions,
                           .match_any = true,
                           .also = &called,
                           .also_count = finding->server.len > 0 && !finding->server_has_no_span};
    if (finding->service_count == 0) /* there is no such edge */
        return SP_OK;
    for (size_t i = 0; i < finding->service_count && !finding->any_service; i++)
        conditions[scan.condition_count++] = is_of(finding->services[i]);
    finding->id_max = finding->id_count + finding->call->values[PARAMETER_TRACES].number;
    return sp_store_scan(finding->call->api->store, &scan, &finding->stop, note_trace, finding,
                         &finding->scanned, reterr);
}

static enum sp_status find_calls(void *cookie, const struct sp_trace_id *id,
                                 const struct sp_batch *batch, struct sp_error *reterr)
{
    struct finding *finding = cookie;
    struct sp_trace tree;
    const struct sp_graph_call *calls;
    size_t count;
    (void)id;
    finding->trace_count++;
    finding->call->running.traces_seen++;
    if (sp_trace_assemble(&finding->arena, batch, &tree) != SP_OK ||
        sp_graph_calls(&finding->arena, &tree, &calls, &count) != SP_OK)
        return sp_arena_failed(&finding->arena, reterr,
                               "a trace is larger than the query's memory");
    for (size_t i = 0; i < count; i++)
        offer(finding, &calls[i]);
    return SP_OK;
}

static int by_id(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static enum sp_status read_traces(struct finding *finding, struct sp_error *reterr)
{
    struct sp_traces_reader reader = {
        .stop = &finding->stop, .arena = &finding->arena, .visit = find_calls, .cookie = finding};
    size_t count = 0;
    qsort(finding->ids, finding->id_count, sizeof(*finding->ids), by_id);
    for (size_t i = 0; i < finding->id_count; i++)
        if (count == 0 || by_id(&finding->ids[count - 1], &finding->ids[i]) != 0)
            finding->ids[count++] = finding->ids[i];
    return sp_store_traces_read(finding->call->api->store, finding->ids, count, &reader, reterr);
}

static enum sp_status find_in_traces(struct finding *finding, struct sp_error *reterr)
{
    enum sp_status status = read_sums(finding, reterr);
    if (status == SP_OK)
        status = find_newest(finding, reterr);
    finding->call->running.bytes_scanned += finding->scanned.bytes;
    if (status == SP_OK && finding->id_count > 0)
        status = read_traces(finding, reterr);
    if (status == SP_DEADLINE && sp_query_check(finding->call, reterr) == SP_OK) {
        finding->incomplete_reason = "timeBudget";
        status = SP_OK;
    }
    return status;
}

/* ---- links: no sums know them, so all of the range are looked up ---- */

static enum sp_status find_links(struct finding *finding, struct sp_error *reterr)
{
    struct sp_graph graph;
    struct sp_graph_links links;
    const struct sp_graph_links_question question = {.range = finding->range,
                                                     .deadline_ns = finding->deadline_ns,
                                                     .graphs = &graph,
                                                     .visit = offer,
                                                     .cookie = finding};
    sp_graph_init(&graph);
    enum sp_status status = sp_graph_links_read(finding->call, &question, &links, reterr);
    sp_graph_fini(&graph);
    if (status != SP_OK)
        return status;
    finding->scanned = links.scanned;
    finding->trace_count = links.trace_count;
    if (!links.complete)
        finding->incomplete_reason = "timeBudget";
    return SP_OK;
}

/* ---- the answer ---- */

static void write_list(const struct list *list, const char *name, struct sp_json_writer *w)
{
    sp_json_key(w, name);
    sp_json_array_begin(w);
    for (size_t i = 0; i < list->count; i++) {
        const struct example *example = &list->items[i];
        sp_json_object_begin(w);
        sp_json_key(w, "traceId");
        sp_json_hex(w, sp_slice_make(example->trace_id.bytes, SP_TRACE_ID_BYTES));
        sp_json_key(w, "spanId");
        sp_json_hex(w, sp_slice_make(example->span_id.bytes, SP_SPAN_ID_BYTES));
        sp_json_key(w, "timeUnixNano");
        sp_json_u64_string(w, example->time_unix_ns);
        sp_json_key(w, "durationNano");
        sp_json_u64_string(w, example->duration_ns);
        sp_json_key(w, "error");
        sp_json_bool(w, example->failed);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

/* Calls of one edge are what a query finds, too; those of a node are of several. */
static void write_query(const struct finding *finding, struct sp_json_writer *w)
{
    struct sp_buf query;
    sp_buf_init(&query, SP_TRACEQL_QUERY_BYTES_MAX);
    if (finding->client.len > 0 && finding->server.len > 0)
        sp_graph_condition(finding->client, finding->server, finding->ways, &query);
    sp_json_key(w, "query");
    if (query.error == SP_OK && query.len > 0)
        sp_json_string(w, sp_buf_slice(&query));
    else
        sp_json_null(w);
    if (query.error == SP_NO_MEMORY)
        w->out->error = SP_NO_MEMORY;
    sp_buf_fini(&query);
}

static void write_answer(struct finding *finding)
{
    static const char *const names[] = {
        [FAILED] = "failed", [SLOWEST] = "slowest", [NEWEST] = "newest"};
    struct sp_json_writer w;
    sp_query_reply_json(finding->call, &w);
    sp_json_object_begin(&w);
    for (int i = 0; i < LISTS; i++)
        write_list(&finding->lists[i], names[i], &w);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, !finding->incomplete_reason);
    sp_json_key(&w, "incompleteReason");
    if (finding->incomplete_reason)
        sp_json_cstr(&w, finding->incomplete_reason);
    else
        sp_json_null(&w);
    write_query(finding, &w);
    sp_answer_json_scanned(&w, &finding->scanned, finding->trace_count);
    sp_json_object_end(&w);
}

static enum sp_status make_room(struct finding *finding, struct sp_error *reterr)
{
    struct sp_query_call *call = finding->call;
    finding->list_max = call->values[PARAMETER_LIMIT].number;
    finding->ids = sp_arena_calloc(&call->arena, PARTS_MAX + call->values[PARAMETER_TRACES].number,
                                   sizeof(*finding->ids));
    if (!finding->ids)
        return too_large(finding, reterr);
    for (int i = 0; i < LISTS; i++) {
        struct list *list = &finding->lists[i];
        list->items = sp_arena_calloc(&call->arena, finding->list_max, sizeof(*list->items));
        if (!list->items)
            return too_large(finding, reterr);
    }
    return SP_OK;
}

enum sp_status sp_query_answer_graph_calls(struct sp_query_call *call, struct sp_error *reterr)
{
    struct finding finding = {.call = call,
                              .client = call->values[PARAMETER_CLIENT].text,
                              .server = call->values[PARAMETER_SERVER].text,
                              .type = call->values[PARAMETER_TYPE].number,
                              .deadline_ns = sp_population_deadline(call, 1, 1)};
    finding.stop = (struct sp_stop){.ask = ask_to_stop, .cookie = &finding};
    enum sp_status status = sp_query_range(call, &finding.range, reterr);
    if (status == SP_OK && finding.client.len == 0 && finding.server.len == 0)
        status = sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "server",
                                        "whose calls: \"client\", \"server\" or both");
    if (status == SP_OK)
        status = make_room(&finding, reterr);
    if (status != SP_OK)
        return status;
    finding.range = sp_time_range_minutes(finding.range);
    sp_arena_init(&finding.arena, call->api->limits.memory_bytes_max);
    bool links = finding.type == (uint64_t)SP_CONNECTION_LINK + 1;
    status = (links ? find_links : find_in_traces)(&finding, reterr);
    sp_arena_fini(&finding.arena);
    if (status == SP_OK)
        write_answer(&finding);
    return status;
}
