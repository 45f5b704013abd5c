/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/graph_calls.c: the calls between services that one assembled trace shows. Which spans make a call, and why:
 * docs/decisions/0027-service-graph.md. Knows nothing of minutes, edges or stores. */
#include "lib/analysis/analysis.h"

#include <stdlib.h>

#define NONE SP_ROW_NONE

struct finder {
    const struct sp_trace *trace;
    uint32_t *rows_by_id; /* rows that are no duplicates, sorted by span id */
    uint32_t row_by_id_count;
    uint8_t *state;   /* STATE_ bits for each row */
    uint32_t *linked; /* for a producer: the consumer that was last paired with it, plus 1 */
    /* the client span of the same service that this row works for, or NONE */
    uint32_t *outer_client;
    struct sp_graph_call *calls;
    size_t call_count, call_cap;
    struct sp_arena *arena;
    bool failed; /* the arena is full */
};

enum { STATE_MATCHED = 1, STATE_WRAPS = 2 };

static const struct sp_span *span_at(const struct finder *f, uint32_t row)
{
    return f->trace->rows[row].span;
}

static bool calls_out(int32_t kind)
{
    return kind == SP_KIND_CLIENT || kind == SP_KIND_PRODUCER;
}

static bool same_service(const struct finder *f, uint32_t a, uint32_t b)
{
    const struct sp_span *left = span_at(f, a), *right = span_at(f, b);
    return left->resource == right->resource ||
           sp_slice_equal(sp_span_service(left), sp_span_service(right));
}

/* ---- calls ---- */

static void add_call(struct finder *f, struct sp_graph_call call)
{
    if (f->call_count == f->call_cap) {
        size_t cap = f->call_cap ? 2 * f->call_cap : 16;
        struct sp_graph_call *grown =
            sp_arena_grow(f->arena, f->calls, f->call_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            f->failed = true;
            return;
        }
        f->calls = grown;
        f->call_cap = cap;
    }
    const struct sp_span *first = call.client_span ? call.client_span : call.server_span;
    call.time_unix_ns = first->start_unix_ns;
    call.error = (call.client_span && call.client_span->status_code == SP_SPAN_STATUS_ERROR) ||
                 (call.server_span && call.server_span->status_code == SP_SPAN_STATUS_ERROR);
    f->calls[f->call_count++] = call;
}

/* The other end is not there. Names that were put together are copied. */
static void add_half(struct finder *f, const struct sp_span *span)
{
    struct sp_graph_name room;
    struct sp_graph_call call = sp_graph_half_call(span, SP_PEER_NAMES_BY_DESTINATION, &room);
    struct sp_slice *ends[] = {&call.client, &call.server};
    for (size_t i = 0; i < SP_ARRAY_LEN(ends); i++)
        if (ends[i]->ptr == room.bytes && !sp_arena_copy(f->arena, *ends[i], ends[i])) {
            f->failed = true;
            return;
        }
    add_call(f, call);
}

/* Both ends are spans of this trace. caller is the calling span itself only if it calls_out. */
static void add_pair(struct finder *f, uint32_t caller, uint32_t callee,
                     enum sp_connection_type type)
{
    const struct sp_span *client = span_at(f, caller), *server = span_at(f, callee);
    add_call(f, (struct sp_graph_call){
                    .client = sp_span_service(client),
                    .server = sp_span_service(server),
                    .type = type,
                    .client_span = calls_out(client->kind) ? client : NULL,
                    .server_span = server,
                });
    f->state[caller] |= STATE_MATCHED;
}

static int compare_ids(const void *left, const void *right, void *cookie)
{
    const struct sp_trace_row *rows = cookie;
    uint32_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    int order = sp_span_id_compare(&rows[a].span->span_id, &rows[b].span->span_id);
    return order != 0 ? order : (a > b) - (a < b);
}

/* The row of the producer (or client) that a link names, or NONE. Links to other traces cannot be followed here. */
static uint32_t find_linked(const struct finder *f, const struct sp_span *span,
                            const struct sp_link *link)
{
    if (sp_trace_id_compare(&link->trace_id, &span->trace_id) != 0)
        return NONE;
    uint32_t low = 0, high = f->row_by_id_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sp_span_id_compare(&span_at(f, f->rows_by_id[middle])->span_id, &link->span_id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < f->row_by_id_count; low++) {
        const struct sp_span *target = span_at(f, f->rows_by_id[low]);
        if (sp_span_id_compare(&target->span_id, &link->span_id) != 0)
            break;
        if (calls_out(target->kind))
            return f->rows_by_id[low];
    }
    return NONE;
}

static bool pair_consumer_with(struct finder *f, uint32_t producer, uint32_t consumer)
{
    if (producer == NONE || f->linked[producer] == consumer + 1)
        return false;
    f->linked[producer] = consumer + 1;
    add_pair(f, producer, consumer, SP_CONNECTION_MESSAGING);
    return true;
}

static void find_consumer_calls(struct finder *f, uint32_t row)
{
    const struct sp_span *span = span_at(f, row);
    uint32_t parent = f->trace->rows[row].parent;
    bool found = false;
    if (parent != NONE && (calls_out(span_at(f, parent)->kind) || !same_service(f, parent, row)))
        found = pair_consumer_with(f, parent, row);
    for (uint32_t i = 0; i < span->link_count; i++)
        found |= pair_consumer_with(f, find_linked(f, span, &span->links[i]), row);
    if (found || !sp_span_id_is_zero(&span->parent_span_id))
        return;
    add_half(f, span);
}

static void find_server_call(struct finder *f, uint32_t row)
{
    const struct sp_trace_row *here = &f->trace->rows[row];
    if (here->parent != NONE) {
        int32_t kind = span_at(f, here->parent)->kind;
        if (calls_out(kind))
            add_pair(f, here->parent, row,
                     kind == SP_KIND_PRODUCER ? SP_CONNECTION_MESSAGING : SP_CONNECTION_DIRECT);
        else if (!same_service(f, here->parent, row))
            add_pair(f, here->parent, row, SP_CONNECTION_DIRECT);
        return;
    }
    if (here->flags & (SP_ROW_ORPHAN | SP_ROW_CYCLE)) /* its caller is not known yet */
        return;
    add_half(f, here->span);
}

/* ---- the walk ---- */

/* A client span that has another client span of the same service below it, with nothing but that service's own work in
 * between, is a wrapper: the inner span makes the call. Parents come before children, so one pass finds all. */
static void find_wrappers(struct finder *f)
{
    for (uint32_t row = 0; row < f->trace->row_count; row++) {
        const struct sp_trace_row *here = &f->trace->rows[row];
        f->outer_client[row] = NONE;
        if (here->flags & SP_ROW_DUPLICATE)
            continue;
        if (here->parent != NONE && same_service(f, here->parent, row)) {
            int32_t kind = span_at(f, here->parent)->kind;
            if (calls_out(kind))
                f->outer_client[row] = here->parent;
            else if (kind == SP_KIND_INTERNAL || kind == SP_KIND_UNSPECIFIED)
                f->outer_client[row] = f->outer_client[here->parent];
        }
        if (calls_out(here->span->kind) && f->outer_client[row] != NONE)
            f->state[f->outer_client[row]] |= STATE_WRAPS;
    }
}

static bool prepare(struct finder *f)
{
    uint32_t count = f->trace->row_count;
    f->rows_by_id = sp_arena_calloc(f->arena, count, sizeof *f->rows_by_id);
    f->state = sp_arena_calloc(f->arena, count, sizeof *f->state);
    f->linked = sp_arena_calloc(f->arena, count, sizeof *f->linked);
    f->outer_client = sp_arena_calloc(f->arena, count, sizeof *f->outer_client);
    if (!f->rows_by_id || !f->state || !f->linked || !f->outer_client)
        return false;
    bool any_links = false;
    for (uint32_t row = 0; row < count; row++) {
        if (f->trace->rows[row].flags & SP_ROW_DUPLICATE)
            continue;
        f->rows_by_id[f->row_by_id_count++] = row;
        any_links |= f->trace->rows[row].span->link_count > 0;
    }
    if (any_links)
        qsort_r(f->rows_by_id, f->row_by_id_count, sizeof *f->rows_by_id, compare_ids,
                f->trace->rows);
    else
        f->row_by_id_count = 0;
    return true;
}

enum sp_status sp_graph_calls(struct sp_arena *arena, const struct sp_trace *trace,
                              const struct sp_graph_call **ret_calls, size_t *ret_count)
{
    struct finder f = {.trace = trace, .arena = arena};
    if (!prepare(&f))
        return arena->error;
    find_wrappers(&f);
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_trace_row *here = &trace->rows[row];
        if (here->flags & SP_ROW_DUPLICATE)
            continue;
        if (here->span->kind == SP_KIND_SERVER)
            find_server_call(&f, row);
        else if (here->span->kind == SP_KIND_CONSUMER)
            find_consumer_calls(&f, row);
    }
    for (uint32_t row = 0; row < trace->row_count; row++) {
        const struct sp_trace_row *here = &trace->rows[row];
        if (calls_out(here->span->kind) && !(here->flags & SP_ROW_DUPLICATE) && f.state[row] == 0)
            add_half(&f, here->span);
    }
    if (f.failed)
        return arena->error;
    *ret_calls = f.calls;
    *ret_count = f.call_count;
    return SP_OK;
}
