/* SPDX-License-Identifier: Apache-2.0
 *
 * query/running.c: see query/running.h. */
#include "query/running.h"

#include <stdio.h>
#include <string.h>

#include "query/internal.h"

void sp_running_init(struct sp_running *running)
{
    pthread_mutex_init(&running->lock, NULL);
}

void sp_running_fini(struct sp_running *running)
{
    SP_ASSERT(running->first == NULL);
    pthread_mutex_destroy(&running->lock);
}

void sp_running_add(struct sp_running *running, struct sp_query_call *call)
{
    pthread_mutex_lock(&running->lock);
    call->running.is_listed = true;
    call->running.came_unix_ns = sp_clock_unix_ns(call->api->clock);
    call->running.next = NULL;
    call->running.previous = running->last;
    if (running->last)
        running->last->running.next = call;
    else
        running->first = call;
    running->last = call;
    pthread_mutex_unlock(&running->lock);
}

static uint64_t took_ns(const struct sp_query_call *call)
{
    return sp_clock_monotonic_ns(call->api->clock) - call->begin_ns;
}

void sp_running_start(struct sp_query_call *call)
{
    call->running.waited_ns = took_ns(call);
    call->running.runs = true;
}

/* "/v1/search?q=...": true when it did not fit. */
static bool copy_url(const struct sp_query_call *call, char out[SP_QUERY_SHOWN_BYTES + 1])
{
    const struct sp_query_request *request = &call->request;
    size_t wanted = request->path.len + (request->query.len > 0 ? 1 + request->query.len : 0);
    size_t len = 0;
    struct sp_slice parts[] = {request->path, sp_slice_cstr(request->query.len > 0 ? "?" : ""),
                               request->query};
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        struct sp_slice part = sp_slice_sub(parts[i], 0, SP_QUERY_SHOWN_BYTES - len);
        if (part.len > 0)
            memcpy(out + len, part.ptr, part.len);
        len += part.len;
    }
    out[len] = 0;
    return wanted > SP_QUERY_SHOWN_BYTES;
}

/* Under the lock. */
static void describe(const struct sp_query_call *call, struct sp_shown_query *ret)
{
    const struct sp_running_entry *entry = &call->running;
    uint64_t took = took_ns(call);
    *ret = (struct sp_shown_query){.id = call->id,
                                   .came_unix_ns = entry->came_unix_ns,
                                   .took_ns = took,
                                   .waited_ns = entry->runs ? entry->waited_ns : took,
                                   .bytes_scanned = entry->bytes_scanned,
                                   .traces_seen = entry->traces_seen};
    ret->is_cut = copy_url(call, ret->url);
    snprintf(ret->client, sizeof(ret->client), "%.*s", SP_SLICE_PRINTF(call->request.client));
}

static uint64_t ran_ns(const struct sp_shown_query *query)
{
    return query->took_ns > query->waited_ns ? query->took_ns - query->waited_ns : 0;
}

/* Under the lock. */
static void remember(struct sp_running *running, const struct sp_query_call *call)
{
    struct sp_shown_query query;
    describe(call, &query);
    query.ended_unix_ns = sp_clock_unix_ns(call->api->clock);
    query.http_status = call->reply.status;
    uint32_t at = running->slow_count;
    while (at > 0 && ran_ns(&running->slow[at - 1]) < ran_ns(&query))
        at--;
    if (at == SP_QUERY_SLOW_KEPT)
        return;
    if (running->slow_count < SP_QUERY_SLOW_KEPT)
        running->slow_count++;
    memmove(&running->slow[at + 1], &running->slow[at],
            (running->slow_count - 1 - at) * sizeof(running->slow[0]));
    running->slow[at] = query;
}

void sp_running_remove(struct sp_running *running, struct sp_query_call *call)
{
    pthread_mutex_lock(&running->lock);
    struct sp_query_call *next = call->running.next, *previous = call->running.previous;
    if (next)
        next->running.previous = previous;
    else
        running->last = previous;
    if (previous)
        previous->running.next = next;
    else
        running->first = next;
    call->running.is_listed = false;
    if (call->running.runs)
        remember(running, call);
    pthread_mutex_unlock(&running->lock);
}

bool sp_running_cancel(struct sp_running *running, uint64_t id)
{
    bool found = false;
    pthread_mutex_lock(&running->lock);
    for (struct sp_query_call *call = running->first; call && !found; call = call->running.next) {
        found = call->id == id;
        if (found)
            call->running.given_up = true;
    }
    pthread_mutex_unlock(&running->lock);
    return found;
}

/* ---- as JSON ---- */

static void write_query(const struct sp_shown_query *query, struct sp_json_writer *w)
{
    sp_json_key(w, "id");
    sp_json_u64_string(w, query->id);
    sp_json_key(w, "url");
    sp_json_cstr(w, query->url);
    sp_json_key(w, "cut");
    sp_json_bool(w, query->is_cut);
    sp_json_key(w, "client");
    sp_json_cstr(w, query->client);
    sp_json_key(w, "cameUnixNano");
    sp_json_u64_string(w, query->came_unix_ns);
    sp_json_key(w, "tookNano");
    sp_json_u64_string(w, query->took_ns);
    sp_json_key(w, "waitedNano");
    sp_json_u64_string(w, query->waited_ns);
    sp_json_key(w, "tracesRead");
    sp_json_u64_string(w, query->traces_seen);
    sp_json_key(w, "bytesScanned");
    sp_json_u64_string(w, query->bytes_scanned);
}

/* Under the lock: those that run, or those that wait. */
static void write_listed(const struct sp_running *running, const struct sp_query_call *except,
                         bool runs, struct sp_json_writer *w)
{
    struct sp_shown_query query;
    for (const struct sp_query_call *call = running->first; call; call = call->running.next) {
        if (call == except || call->running.runs != runs)
            continue;
        describe(call, &query);
        sp_json_object_begin(w);
        write_query(&query, w);
        sp_json_key(w, "state");
        sp_json_cstr(w, runs ? "running" : "waiting");
        sp_json_key(w, "cancelled");
        sp_json_bool(w, call->running.given_up);
        sp_json_object_end(w);
    }
}

void sp_running_write(struct sp_running *running, const struct sp_query_call *except,
                      struct sp_json_writer *w)
{
    pthread_mutex_lock(&running->lock);
    sp_json_key(w, "running");
    sp_json_array_begin(w);
    write_listed(running, except, true, w);
    write_listed(running, except, false, w);
    sp_json_array_end(w);
    sp_json_key(w, "slowest");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < running->slow_count; i++) {
        const struct sp_shown_query *slow = &running->slow[i];
        sp_json_object_begin(w);
        write_query(slow, w);
        sp_json_key(w, "status");
        sp_json_i64(w, slow->http_status);
        sp_json_key(w, "endedUnixNano");
        sp_json_u64_string(w, slow->ended_unix_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    pthread_mutex_unlock(&running->lock);
}
