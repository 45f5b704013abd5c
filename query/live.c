/* SPDX-License-Identifier: Apache-2.0
 *
 * query/live.c: see query/live.h: who listens, and the thread that looks for them. What a look is: query/live_look.c. */
#include "query/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

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

/* What is asked, and from when on: before the client can know that it is listening. */
static enum sp_status prepare(struct sp_live *live, struct sp_error *reterr)
{
    struct sp_query_call *call = live->call;
    enum sp_status status = sp_question_make(call, "q", call->values[0].text, SP_TIME_RANGE_ALL,
                                             &live->question, reterr);
    if (status != SP_OK)
        return status;
    if (!call->request.stream || !sp_slice_equal_cstr(call->request.method, "GET"))
        status = sp_error_set(reterr, SP_METHOD, "this answer has no end: it is for GET only");
    else if (sp_query_want_add(&call->arena, live->question.query, &live->want) != SP_OK)
        status = sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    if (status == SP_OK)
        status = reserve(call->api->live, reterr);
    if (status == SP_OK) {
        status = sp_store_arrivals_begin(call->api->store, &live->cursor, reterr);
        if (status == SP_OK)
            return SP_OK;
        atomic_fetch_sub(&call->api->live->count, 1);
    }
    sp_pipeline_free(live->question.pipeline);
    return status;
}

enum sp_status sp_query_answer_live(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_live *live = sp_arena_calloc(&call->arena, 1, sizeof(*live));
    if (!live)
        return sp_arena_failed(&call->arena, reterr, "the query is larger than its memory");
    live->call = call;
    live->told_ns = call->begin_ns;
    enum sp_status status = prepare(live, reterr);
    if (status != SP_OK)
        return status;
    status = sp_query_stream_begin(call, SP_QUERY_LINES_MEDIA_TYPE, reterr);
    if (status == SP_OK) {
        call->live = live;
        return SP_OK;
    }
    sp_live_fini(live);
    atomic_fetch_sub(&call->api->live->count, 1);
    return status;
}

void sp_live_fini(struct sp_live *live)
{
    sp_store_arrivals_end(live->call->api->store);
    sp_pipeline_free(live->question.pipeline);
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
    sp_thread_begin("spoor:live", SP_QUERY_NICE);
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
