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
    call->running.previous = NULL;
    call->running.next = running->first;
    if (running->first)
        running->first->running.previous = call;
    running->first = call;
    pthread_mutex_unlock(&running->lock);
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
static void remember(struct sp_running *running, const struct sp_query_call *call)
{
    uint64_t took = sp_clock_monotonic_ns(call->api->clock) - call->begin_ns;
    uint32_t at = running->slow_count;
    while (at > 0 && running->slow[at - 1].took_ns < took)
        at--;
    if (at == SP_QUERY_SLOW_KEPT)
        return;
    if (running->slow_count < SP_QUERY_SLOW_KEPT)
        running->slow_count++;
    memmove(&running->slow[at + 1], &running->slow[at],
            (running->slow_count - 1 - at) * sizeof(running->slow[0]));
    struct sp_slow_query *slow = &running->slow[at];
    *slow = (struct sp_slow_query){.id = call->id,
                                   .took_ns = took,
                                   .ended_unix_ns = sp_clock_unix_ns(call->api->clock),
                                   .bytes_scanned = call->running.bytes_scanned,
                                   .traces_seen = call->running.traces_seen,
                                   .http_status = call->reply.status};
    slow->is_cut = copy_url(call, slow->url);
}

void sp_running_remove(struct sp_running *running, struct sp_query_call *call)
{
    pthread_mutex_lock(&running->lock);
    struct sp_query_call *next = call->running.next, *previous = call->running.previous;
    if (next)
        next->running.previous = previous;
    if (previous)
        previous->running.next = next;
    else
        running->first = next;
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

static void write_query(uint64_t id, const char *url, bool is_cut, uint64_t took_ns,
                        uint64_t traces, uint64_t bytes, struct sp_json_writer *w)
{
    sp_json_key(w, "id");
    sp_json_u64_string(w, id);
    sp_json_key(w, "url");
    sp_json_cstr(w, url);
    sp_json_key(w, "cut");
    sp_json_bool(w, is_cut);
    sp_json_key(w, "tookNano");
    sp_json_u64_string(w, took_ns);
    sp_json_key(w, "tracesRead");
    sp_json_u64_string(w, traces);
    sp_json_key(w, "bytesScanned");
    sp_json_u64_string(w, bytes);
}

void sp_running_write(struct sp_running *running, const struct sp_query_call *except,
                      struct sp_json_writer *w)
{
    char url[SP_QUERY_SHOWN_BYTES + 1];
    pthread_mutex_lock(&running->lock);
    sp_json_key(w, "running");
    sp_json_array_begin(w);
    for (const struct sp_query_call *call = running->first; call; call = call->running.next) {
        if (call == except)
            continue;
        bool is_cut = copy_url(call, url);
        sp_json_object_begin(w);
        write_query(call->id, url, is_cut, sp_clock_monotonic_ns(call->api->clock) - call->begin_ns,
                    call->running.traces_seen, call->running.bytes_scanned, w);
        sp_json_key(w, "cancelled");
        sp_json_bool(w, call->running.given_up);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_key(w, "slowest");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < running->slow_count; i++) {
        const struct sp_slow_query *slow = &running->slow[i];
        sp_json_object_begin(w);
        write_query(slow->id, slow->url, slow->is_cut, slow->took_ns, slow->traces_seen,
                    slow->bytes_scanned, w);
        sp_json_key(w, "status");
        sp_json_i64(w, slow->http_status);
        sp_json_key(w, "endedUnixNano");
        sp_json_u64_string(w, slow->ended_unix_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    pthread_mutex_unlock(&running->lock);
}
