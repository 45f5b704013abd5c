/* SPDX-License-Identifier: Apache-2.0
 *
 * query/live.c: see query/live.h. A look is a search, newest first, over the end of what is stored; its lines go on to the one who listens
 * unless they were sent before. */
#include "query/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "query/question.h"

struct sp_live_thread {
    struct sp_query_api *api;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sp_live *added; /* not taken up by the thread yet */
    _Atomic uint32_t count;
    bool runs;
    _Atomic bool stopping;
    pthread_t thread;
};

/* ---- one look ---- */

static const char trace_begin[] = "{\"trace\":{\"traceId\":\"";

/* FNV-1a. */
static uint64_t hash_of(struct sp_slice text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.ptr[i]) * 0x100000001b3u;
    return hash;
}

static struct sp_live_seen *find_seen(struct sp_live *live, const struct sp_trace_id *id)
{
    for (uint32_t i = 0; i < live->seen_count; i++) {
        if (sp_trace_id_compare(&live->seen[i].id, id) == 0)
            return &live->seen[i];
    }
    return NULL;
}

static struct sp_live_seen *new_seen(struct sp_live *live)
{
    struct sp_live_seen *seen = &live->seen[live->seen_next];
    live->seen_next = (live->seen_next + 1) % SP_LIVE_SEEN_MAX;
    if (live->seen_count < SP_LIVE_SEEN_MAX)
        live->seen_count++;
    return seen;
}

/* A line for which there is no room is not remembered: the next look finds it again. */
static void offer(struct sp_live *live, struct sp_slice line)
{
    struct sp_trace_id id;
    struct sp_slice text = sp_slice_sub(line, sizeof(trace_begin) - 1, SP_TRACE_ID_TEXT - 1);
    if (!sp_slice_starts_with(line, sp_slice_cstr(trace_begin)) || !sp_trace_id_parse(text, &id))
        return;
    uint64_t hash = hash_of(line);
    struct sp_live_seen *seen = find_seen(live, &id);
    if ((seen && seen->hash == hash) || !sp_query_stream_write(live->call, line))
        return;
    if (!seen)
        seen = new_seen(live);
    *seen = (struct sp_live_seen){.id = id, .hash = hash};
    live->news = true;
}

static enum sp_status begin_look(void *cookie, const struct sp_query_reply *reply,
                                 struct sp_error *reterr)
{
    (void)cookie;
    (void)reply;
    (void)reterr;
    return SP_OK;
}

static bool take_lines(void *cookie, struct sp_slice lines)
{
    while (lines.len > 0) {
        size_t end = sp_slice_find(lines, '\n');
        offer(cookie, sp_slice_sub(lines, 0, end + 1));
        lines = sp_slice_sub(lines, end + 1, lines.len);
    }
    return true;
}

/* "complete":false in the last line: the page was full, or the time was up. */
static bool is_partial(struct sp_slice lines)
{
    static const char text[] = "{\"done\":{\"complete\":false";
    return lines.len > 0 && memmem(lines.ptr, lines.len, text, sizeof(text) - 1) != NULL;
}

static enum sp_status search(struct sp_live *live, struct sp_query_call *inner,
                             struct sp_error *reterr)
{
    uint64_t from =
        inner->now_unix_ns > SP_LIVE_WINDOW_NS ? inner->now_unix_ns - SP_LIVE_WINDOW_NS : 0;
    inner->values[0].number = from;
    inner->values[1].number = UINT64_MAX;
    inner->values[2].text = live->call->values[0].text;
    inner->values[3].number = SP_LIVE_TRACES_MAX;
    inner->values[6].number = live->call->values[1].number;
    inner->deadline_ns = inner->begin_ns + SP_LIVE_LOOK_TIME;
    enum sp_status status = sp_query_answer_search(inner, reterr);
    if (status == SP_OK)
        status = sp_query_reply_end(inner, reterr);
    if (status == SP_OK) {
        struct sp_slice rest = sp_buf_slice(&inner->reply.body);
        live->more = is_partial(rest);
        take_lines(live, rest);
    }
    return status;
}

/* {"live":{...}}: up to when was looked; a client that has gone shows when it is sent. */
static void tell(struct sp_live *live, uint64_t now_ns, uint64_t now_unix_ns)
{
    struct sp_buf line;
    struct sp_json_writer w;
    if (!live->news && now_ns - live->told_ns < SP_LIVE_BEAT_NS)
        return;
    sp_buf_init(&line, 512);
    sp_json_writer_init(&w, &line);
    sp_json_object_begin(&w);
    sp_json_key(&w, "live");
    sp_json_object_begin(&w);
    sp_json_key(&w, "atUnixNano");
    sp_json_u64_string(&w, now_unix_ns);
    sp_json_key(&w, "complete");
    sp_json_bool(&w, !live->more);
    sp_json_object_end(&w);
    sp_json_object_end(&w);
    sp_buf_append_byte(&line, '\n');
    if (line.error == SP_OK)
        (void)sp_query_stream_write(live->call, sp_buf_slice(&line));
    sp_buf_fini(&line);
    live->told_ns = now_ns;
}

enum sp_status sp_live_look(struct sp_live *live, struct sp_error *reterr)
{
    struct sp_query_api *api = live->call->api;
    const struct sp_query_stream sink = {begin_look, take_lines, live};
    struct sp_query_call inner = {.api = api, .begin_ns = sp_clock_monotonic_ns(api->clock)};
    inner.request = live->call->request;
    inner.request.accept = SP_SLICE(SP_QUERY_LINES_MEDIA_TYPE);
    inner.request.stream = &sink;
    live->news = live->more = false;
    sp_query_call_begin(&inner);
    enum sp_status status = search(live, &inner, reterr);
    if (status == SP_OK)
        tell(live, inner.begin_ns, inner.now_unix_ns);
    sp_arena_fini(&inner.arena);
    sp_query_call_fini(&inner);
    return status;
}

/* ---- the endpoint ---- */

/* Counts the listener, or SP_OVERLOADED. */
static enum sp_status reserve(struct sp_live_thread *thread, struct sp_error *reterr)
{
    uint32_t count = atomic_load(&thread->count);
    do {
        if (count >= SP_LIVE_STREAMS_MAX)
            return sp_error_set(reterr, SP_OVERLOADED, "%u listen already: try again in a moment",
                                SP_LIVE_STREAMS_MAX);
    } while (!atomic_compare_exchange_weak(&thread->count, &count, count + 1));
    return SP_OK;
}

enum sp_status sp_query_answer_live(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_question question;
    enum sp_status status =
        sp_question_make(call, "q", call->values[0].text, SP_TIME_RANGE_ALL, &question, reterr);
    if (status != SP_OK)
        return status;
    sp_pipeline_free(question.pipeline);
    if (!call->request.stream || !sp_slice_equal_cstr(call->request.method, "GET"))
        return sp_error_set(reterr, SP_METHOD, "this answer has no end: it is for GET only");
    struct sp_live *live = sp_arena_calloc(&call->arena, 1, sizeof(*live));
    if (!live)
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    live->call = call;
    live->told_ns = call->begin_ns;
    status = reserve(call->api->live, reterr);
    if (status != SP_OK)
        return status;
    status = sp_query_stream_begin(call, SP_QUERY_LINES_MEDIA_TYPE, reterr);
    if (status == SP_OK)
        call->live = live;
    else
        atomic_fetch_sub(&call->api->live->count, 1);
    return status;
}

/* ---- the thread ---- */

/* The last line. */
static void write_end(struct sp_live *live, const char *reason, const struct sp_error *error)
{
    struct sp_query_call *call = live->call;
    if (error)
        sp_query_problem(call, error);
    else
        sp_buf_printf(&call->reply.body, "{\"done\":{\"reason\":\"%s\"}}\n", reason);
}

/* False: it has ended. */
static bool go_on(struct sp_live_thread *thread, struct sp_live *live)
{
    struct sp_query_api *api = thread->api;
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    uint64_t age_ns = sp_clock_monotonic_ns(api->clock) - live->call->begin_ns;
    if (thread->stopping || !api->ready)
        write_end(live, "draining", NULL);
    else if (age_ns > SP_LIVE_AGE_NS)
        write_end(live, "age", NULL);
    else if (sp_live_look(live, &error) == SP_OK)
        return true;
    else
        write_end(live, NULL, &error);
    live->end(live);
    atomic_fetch_sub(&thread->count, 1);
    return false;
}

static void wait_for_next(struct sp_live_thread *thread, bool any)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + SP_LIVE_LOOK_NS;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    if (any)
        pthread_cond_timedwait(&thread->changed, &thread->lock, &until);
    else
        pthread_cond_wait(&thread->changed, &thread->lock);
}

static void *run(void *cookie)
{
    struct sp_live_thread *thread = cookie;
    struct sp_live *all = NULL;
    pthread_mutex_lock(&thread->lock);
    while (!thread->stopping || thread->added || all) {
        if (!thread->added && !thread->stopping)
            wait_for_next(thread, all != NULL);
        while (thread->added) {
            struct sp_live *live = thread->added;
            thread->added = live->next;
            live->next = all;
            all = live;
        }
        pthread_mutex_unlock(&thread->lock);
        for (struct sp_live **at = &all; *at;) {
            struct sp_live *live = *at, *next = live->next;
            if (go_on(thread, live))
                at = &live->next;
            else
                *at = next;
        }
        pthread_mutex_lock(&thread->lock);
    }
    pthread_mutex_unlock(&thread->lock);
    return NULL;
}

struct sp_live_thread *sp_live_thread_new(struct sp_query_api *api)
{
    struct sp_live_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&thread->lock, NULL);
    thread->api = api;
    return thread;
}

void sp_live_add(struct sp_live_thread *thread, struct sp_live *live)
{
    pthread_mutex_lock(&thread->lock);
    live->next = thread->added;
    thread->added = live;
    if (!thread->runs)
        thread->runs = pthread_create(&thread->thread, NULL, run, thread) == 0;
    bool runs = thread->runs;
    if (!runs)
        thread->added = live->next;
    pthread_cond_signal(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    if (runs)
        return;
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    (void)sp_error_set(&error, SP_NO_MEMORY, "no thread could be started");
    write_end(live, NULL, &error);
    live->end(live);
    atomic_fetch_sub(&thread->count, 1);
}

void sp_live_thread_free(struct sp_live_thread *thread)
{
    if (!thread)
        return;
    pthread_mutex_lock(&thread->lock);
    thread->stopping = true;
    pthread_cond_signal(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    if (thread->runs)
        pthread_join(thread->thread, NULL);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}
