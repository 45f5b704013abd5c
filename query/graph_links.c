/* SPDX-License-Identifier: Apache-2.0
 *
 * query/graph_links.c: see graph_links.h. Consumers with links are found by the columns of the store, their traces are read with no
 * more than the ids of links, and the traces that these name are looked up many at a time, in the order of their ids: each once
 * for all links of a batch that lead into it.
 *
 *     candidates of the range -> traces of consumers -> links (a batch) -> traces of producers -> calls -> edges */
#include "query/graph_links.h"

#include <stdlib.h>

/* Traces of consumers that are read together. */
#define TRACES_MAX ((size_t)64 * 1024)

/* Who linked: what a call shows of it. */
struct taker {
    struct sp_trace_id trace_id;
    struct sp_span_id span_id;
    uint64_t start_unix_ns, end_unix_ns;
    struct sp_slice service;
    int32_t status_code;
};

struct known_link {
    struct sp_trace_id trace_id;
    struct sp_span_id span_id;
    uint32_t taker;
};

struct reading {
    struct sp_query_call *call;
    const struct sp_graph_links_question *question;
    struct sp_graph_links *found;
    struct sp_stop stop_search, stop_lookup;
    uint64_t search_deadline_ns; /* the links that are known then are still looked up */
    struct sp_trace_id *traces;  /* to be read for their consumers */
    size_t trace_count, trace_max;
    struct known_link *links; /* to be looked up; heap */
    size_t link_count, link_cap, link_max;
    struct taker *takers; /* heap */
    size_t taker_count, taker_cap;
    const struct sp_span *taker_span; /* of the last of them, as long as its trace is at hand */
    struct sp_arena arena;            /* of one trace of consumers */
    struct sp_arena target_arena;     /* of one that is looked up */
    struct sp_arena names;            /* services of takers */
    size_t looked_up;                 /* of links */
    uint64_t known;                   /* traces that are read, or are to be */
    enum sp_status status;            /* of a visit */
    struct sp_error *reterr;
};

static enum sp_status no_memory(struct reading *reading)
{
    return sp_error_set(reading->reterr, SP_NO_MEMORY, "no memory for the links of a graph");
}

/* ---- time ---- */

static enum sp_status ask_until(const struct reading *reading, uint64_t deadline_ns,
                                struct sp_error *reterr)
{
    struct sp_search_stream *stream = reading->question->stream;
    if (stream && sp_search_stream_is_due(stream)) {
        const struct sp_search_progress progress = {.scanned = &reading->found->scanned,
                                                    .considered = reading->found->trace_count,
                                                    .known = reading->known};
        sp_search_stream_progress(stream, &progress);
    }
    enum sp_status status = sp_query_check(reading->call, reterr);
    if (status == SP_OK && sp_clock_monotonic_ns(reading->call->api->clock) >= deadline_ns)
        status = sp_error_set(reterr, SP_DEADLINE, "the time for links is used up");
    return status;
}

static enum sp_status ask_search(void *cookie, struct sp_error *reterr)
{
    const struct reading *reading = cookie;
    return ask_until(reading, reading->search_deadline_ns, reterr);
}

static enum sp_status ask_lookup(void *cookie, struct sp_error *reterr)
{
    const struct reading *reading = cookie;
    return ask_until(reading, reading->question->deadline_ns, reterr);
}

/* ---- looking links up ---- */

static int compare_links(const void *left, const void *right)
{
    const struct known_link *a = left, *b = right;
    int order = sp_trace_id_compare(&a->trace_id, &b->trace_id);
    return order != 0 ? order : sp_span_id_compare(&a->span_id, &b->span_id);
}

static enum sp_status add_call(struct reading *reading, const struct known_link *link,
                               const struct sp_span *target)
{
    const struct sp_graph_links_question *question = reading->question;
    if (!target) {
        reading->found->not_found++;
        return SP_OK;
    }
    if (!sp_graph_sends(target)) {
        reading->found->other_kind++;
        return SP_OK;
    }
    const struct taker *taker = &reading->takers[link->taker];
    const struct sp_span consumer = {.trace_id = taker->trace_id,
                                     .span_id = taker->span_id,
                                     .start_unix_ns = taker->start_unix_ns,
                                     .end_unix_ns = taker->end_unix_ns,
                                     .status_code = taker->status_code};
    struct sp_graph_call call = sp_graph_link_call(target, &consumer, taker->service);
    size_t part = question->steps ? (call.time_unix_ns - question->steps->range.from_unix_ns) /
                                        question->steps->step_ns
                                  : 0;
    enum sp_status status = sp_graph_add(&question->graphs[part], &call);
    reading->found->resolved += status == SP_OK;
    if (question->visit)
        question->visit(question->cookie, &call);
    return status == SP_OK
               ? SP_OK
               : sp_error_set(reading->reterr, status, "the graph of links is too large");
}

static enum sp_status look_up(void *cookie, const struct sp_trace_id *id,
                              const struct sp_batch *batch, struct sp_error *reterr)
{
    struct reading *reading = cookie;
    struct sp_arena *arena = &reading->target_arena;
    struct sp_trace tree;
    size_t first = reading->looked_up, count = 0;
    while (sp_trace_id_compare(&reading->links[first].trace_id, id) < 0)
        first++; /* of this trace nothing is stored */
    reading->found->not_found += first - reading->looked_up;
    while (first + count < reading->link_count &&
           sp_trace_id_compare(&reading->links[first + count].trace_id, id) == 0)
        count++;
    reading->found->trace_count++;
    reading->call->running.traces_seen++;
    struct sp_span_id *ids = sp_arena_calloc(arena, count, sizeof(*ids));
    const struct sp_span **targets = sp_arena_calloc(arena, count, sizeof(const struct sp_span *));
    if (!ids || !targets || sp_trace_assemble(arena, batch, &tree) != SP_OK)
        return sp_arena_failed(arena, reterr, "a linked trace is larger than the query's memory");
    for (size_t i = 0; i < count; i++)
        ids[i] = reading->links[first + i].span_id;
    sp_graph_link_targets(&tree, ids, count, targets);
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++)
        status = add_call(reading, &reading->links[first + i], targets[i]);
    reading->looked_up = first + count;
    return status;
}

/* The links of the batch, which is empty afterwards. SP_DEADLINE: some were not looked up, and are counted. */
static enum sp_status look_up_links(struct reading *reading)
{
    static const struct sp_span_want nothing;
    struct sp_traces_reader reader = {.want = &nothing,
                                      .stop = &reading->stop_lookup,
                                      .arena = &reading->target_arena,
                                      .visit = look_up,
                                      .cookie = reading};
    size_t count = 0;
    if (reading->link_count == 0)
        return SP_OK;
    struct sp_trace_id *ids = malloc(reading->link_count * sizeof(*ids));
    if (!ids)
        return no_memory(reading);
    qsort(reading->links, reading->link_count, sizeof(*reading->links), compare_links);
    for (size_t i = 0; i < reading->link_count; i++)
        if (count == 0 || sp_trace_id_compare(&ids[count - 1], &reading->links[i].trace_id) != 0)
            ids[count++] = reading->links[i].trace_id;
    reading->looked_up = 0;
    reading->known += count;
    enum sp_status status =
        sp_store_traces_read(reading->call->api->store, ids, count, &reader, reading->reterr);
    size_t left = reading->link_count - reading->looked_up;
    if (status == SP_OK)
        reading->found->not_found += left;
    else if (status == SP_DEADLINE)
        reading->found->not_looked_up += left;
    free(ids);
    reading->link_count = reading->taker_count = 0;
    reading->taker_span = NULL;
    sp_arena_reset(&reading->names);
    return status;
}

/* ---- links of consumers ---- */

/* The items, with room for one more. NULL: there is no memory, and they are as they were. */
static void *with_room(void *items, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return items;
    size_t next = *cap ? 2 * *cap : 256;
    void *grown = realloc(items, next * item_bytes);
    if (grown)
        *cap = next;
    return grown;
}

/* The service is the last taker's mostly, and then not copied again. */
static enum sp_status add_taker(struct reading *reading, const struct sp_span *span)
{
    struct sp_slice service = sp_span_service(span);
    struct taker *takers =
        with_room(reading->takers, reading->taker_count, &reading->taker_cap, sizeof(*takers));
    if (!takers)
        return no_memory(reading);
    reading->takers = takers;
    struct taker *taker = &takers[reading->taker_count];
    *taker = (struct taker){.trace_id = span->trace_id,
                            .span_id = span->span_id,
                            .start_unix_ns = span->start_unix_ns,
                            .end_unix_ns = span->end_unix_ns,
                            .status_code = span->status_code};
    if (reading->taker_count > 0 && sp_slice_equal(taker[-1].service, service))
        taker->service = taker[-1].service;
    else if (!sp_arena_copy(&reading->names, service, &taker->service))
        return sp_arena_failed(&reading->names, reading->reterr,
                               "the services of links do not fit into the query's memory");
    reading->taker_count++;
    reading->taker_span = span;
    return SP_OK;
}

static enum sp_status add_link(struct reading *reading, const struct sp_graph_link *link)
{
    reading->found->seen++;
    if (sp_trace_id_compare(&link->trace_id, &link->consumer->trace_id) == 0) {
        reading->found->same_trace++;
        return SP_OK;
    }
    enum sp_status status =
        reading->link_count == reading->link_max ? look_up_links(reading) : SP_OK;
    if (status == SP_OK && reading->taker_span != link->consumer)
        status = add_taker(reading, link->consumer);
    if (status == SP_DEADLINE)
        reading->found->not_looked_up++;
    if (status != SP_OK)
        return status;
    struct known_link *links =
        with_room(reading->links, reading->link_count, &reading->link_cap, sizeof(*links));
    if (!links)
        return no_memory(reading);
    links[reading->link_count++] =
        (struct known_link){.trace_id = link->trace_id,
                            .span_id = link->span_id,
                            .taker = (uint32_t)(reading->taker_count - 1)};
    reading->links = links;
    return SP_OK;
}

static enum sp_status take_links(void *cookie, const struct sp_trace_id *id,
                                 const struct sp_batch *batch, struct sp_error *reterr)
{
    struct reading *reading = cookie;
    struct sp_trace tree;
    struct sp_graph_link *links;
    size_t count;
    (void)id;
    reading->found->trace_count++;
    reading->call->running.traces_seen++;
    if (sp_trace_assemble(&reading->arena, batch, &tree) != SP_OK ||
        sp_graph_links(&reading->arena, &tree, &links, &count) != SP_OK)
        return sp_arena_failed(&reading->arena, reterr,
                               "a trace is larger than the query's memory");
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++)
        if (sp_time_range_contains(reading->question->range, links[i].consumer->start_unix_ns))
            status = add_link(reading, &links[i]);
    reading->taker_span = NULL; /* its memory goes */
    return status;
}

/* ---- the search ---- */

static int compare_ids(const void *left, const void *right)
{
    return sp_trace_id_compare(left, right);
}

static enum sp_visit read_batch(struct reading *reading)
{
    static const struct sp_span_want links_only = {.links = true};
    struct sp_traces_reader reader = {.want = &links_only,
                                      .stop = &reading->stop_search,
                                      .arena = &reading->arena,
                                      .visit = take_links,
                                      .cookie = reading};
    if (reading->trace_count > 0) {
        qsort(reading->traces, reading->trace_count, sizeof(*reading->traces), compare_ids);
        reading->status = sp_store_traces_read(reading->call->api->store, reading->traces,
                                               reading->trace_count, &reader, reading->reterr);
        reading->trace_count = 0;
    }
    return reading->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct reading *reading = cookie;
    reading->traces[reading->trace_count++] = candidate->trace_id;
    reading->known++;
    return reading->trace_count == reading->trace_max ? read_batch(reading) : SP_VISIT_CONTINUE;
}

static enum sp_status search(struct reading *reading)
{
    const struct sp_condition conditions[] = {
        {.field = SP_FIELD_KIND,
         .operation = SP_OP_EQ,
         .value = {.kind = SP_VALUE_INT, .integer = SP_KIND_CONSUMER}},
        {.field = SP_FIELD_LINKS, .operation = SP_OP_EXISTS}};
    const struct sp_scan scan = {.range = reading->question->range,
                                 .conditions = conditions,
                                 .condition_count = SP_ARRAY_LEN(conditions)};
    struct sp_graph_links *found = reading->found;
    enum sp_status status = sp_store_scan(reading->call->api->store, &scan, &reading->stop_search,
                                          visit, reading, &found->scanned, reading->reterr);
    reading->call->running.bytes_scanned += found->scanned.bytes;
    if (status == SP_OK && reading->status == SP_OK)
        (void)read_batch(reading);
    return status == SP_OK ? reading->status : status;
}

enum sp_status sp_graph_links_read(struct sp_query_call *call,
                                   const struct sp_graph_links_question *question,
                                   struct sp_graph_links *ret, struct sp_error *reterr)
{
    uint64_t now = sp_clock_monotonic_ns(call->api->clock);
    uint64_t left = question->deadline_ns > now ? question->deadline_ns - now : 0;
    size_t share = call->api->limits.memory_bytes_max / SP_GRAPH_LINKS_MEMORY_PART;
    struct reading reading = {.call = call,
                              .question = question,
                              .found = ret,
                              .search_deadline_ns = now + left / 2,
                              .link_max = share / sizeof(struct known_link) + 1,
                              .trace_max = share / sizeof(struct sp_trace_id) + 1,
                              .reterr = reterr};
    reading.stop_search = (struct sp_stop){.ask = ask_search, .cookie = &reading};
    reading.stop_lookup = (struct sp_stop){.ask = ask_lookup, .cookie = &reading};
    if (reading.trace_max > TRACES_MAX)
        reading.trace_max = TRACES_MAX;
    *ret = (struct sp_graph_links){.complete = true};
    sp_arena_init(&reading.arena, call->api->limits.memory_bytes_max);
    sp_arena_init(&reading.target_arena, call->api->limits.memory_bytes_max);
    sp_arena_init(&reading.names, call->api->limits.memory_bytes_max);
    reading.traces = malloc(reading.trace_max * sizeof(*reading.traces));
    enum sp_status status = reading.traces ? search(&reading) : no_memory(&reading);
    if (status == SP_OK || status == SP_DEADLINE) {
        ret->complete = status == SP_OK;
        status = look_up_links(&reading);
        ret->complete &= status == SP_OK;
        status = status == SP_DEADLINE ? SP_OK : status;
    }
    free(reading.traces);
    free(reading.links);
    free(reading.takers);
    sp_arena_fini(&reading.arena);
    sp_arena_fini(&reading.target_arena);
    sp_arena_fini(&reading.names);
    return status;
}

/* ---- edges ---- */

enum sp_status sp_graph_links_merge(struct sp_query_call *call, struct sp_graph *links,
                                    struct sp_graph_edge **edges, size_t *edge_count,
                                    struct sp_error *reterr)
{
    struct sp_graph_edge *more;
    size_t more_count;
    struct sp_graph_edge *all =
        sp_arena_calloc(&call->arena, *edge_count + links->edge_count + 1, sizeof(*all));
    if (!all || sp_graph_take(links, &call->arena, &more, &more_count) != SP_OK)
        return sp_arena_failed(&call->arena, reterr, "the graph is larger than the query's memory");
    memcpy(all, *edges, *edge_count * sizeof(*all));
    memcpy(all + *edge_count, more, more_count * sizeof(*all));
    qsort(all, *edge_count + more_count, sizeof(*all), sp_graph_edge_compare);
    *edges = all;
    *edge_count += more_count;
    return SP_OK;
}
