/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pool.c: a fixed number of threads, a bounded queue, and a budget of helpers. It knows jobs, not queries. */
#include <pthread.h>
#include <stdlib.h>

#include "query/internal.h"

/* Jobs in the order in which they came, each with a number, so that the older of two queues' first jobs is known. */
struct queue {
    struct sp_query_job *first, **last;
};

struct sp_query_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or stopping was set */
    struct queue short_jobs, long_jobs;
    uint64_t next_number;
    uint32_t waiting, waiting_max, running, helpers;
    bool stopping;
    uint32_t thread_count_max; /* that take every job; the last one takes short ones only */
    uint32_t thread_count;
    struct pool_thread {
        struct sp_query_pool *pool;
        bool short_only;
        pthread_t thread;
    } threads[]; /* started ones */
};

static struct sp_query_job *take(struct sp_query_pool *pool, bool short_only)
{
    struct sp_query_job *small = pool->short_jobs.first, *large = pool->long_jobs.first;
    bool is_small = small && (short_only || !large || small->number < large->number);
    struct queue *queue = is_small ? &pool->short_jobs : &pool->long_jobs;
    struct sp_query_job *job = is_small ? small : short_only ? NULL : large;
    if (!job)
        return NULL;
    queue->first = job->next;
    if (!queue->first)
        queue->last = &queue->first;
    pool->waiting--;
    return job;
}

static void *thread_main(void *cookie)
{
    const struct pool_thread *own = cookie;
    struct sp_query_pool *pool = own->pool;
    sp_thread_begin("spoor:query", SP_QUERY_NICE);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct sp_query_job *job = take(pool, own->short_only);
        if (!job && pool->stopping)
            break; /* nothing waits any more that this thread would take */
        if (!job) {
            pthread_cond_wait(&pool->work, &pool->lock);
            continue;
        }
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        job->run(job);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct sp_query_pool *sp_query_pool_new(uint32_t threads, uint32_t waiting_max)
{
    struct sp_query_pool *pool =
        calloc(1, sizeof(*pool) + ((size_t)threads + 1) * sizeof(pool->threads[0]));
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->short_jobs.last = &pool->short_jobs.first;
    pool->long_jobs.last = &pool->long_jobs.first;
    pool->waiting_max = waiting_max;
    pool->thread_count_max = threads;
    for (uint32_t i = 0; i <= threads; i++) {
        struct pool_thread *thread = &pool->threads[i];
        *thread = (struct pool_thread){.pool = pool, .short_only = i == threads};
        if (pthread_create(&thread->thread, NULL, thread_main, thread) != 0) {
            sp_query_pool_free(pool);
            return NULL;
        }
        pool->thread_count++;
    }
    return pool;
}

bool sp_query_pool_submit(struct sp_query_pool *pool, struct sp_query_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool taken = !pool->stopping && pool->waiting < pool->waiting_max;
    if (taken) {
        struct queue *queue = job->is_short ? &pool->short_jobs : &pool->long_jobs;
        job->next = NULL;
        job->number = pool->next_number++;
        *queue->last = job;
        queue->last = &job->next;
        pool->waiting++;
        pthread_cond_broadcast(&pool->work); /* not every thread takes every job */
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
}

struct sp_query_job *sp_query_pool_withdraw(struct sp_query_pool *pool,
                                            bool (*wanted)(const struct sp_query_job *job,
                                                           const void *cookie),
                                            const void *cookie)
{
    struct queue *queues[] = {&pool->short_jobs, &pool->long_jobs};
    struct sp_query_job *found = NULL;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < SP_ARRAY_LEN(queues) && !found; i++) {
        struct sp_query_job **at = &queues[i]->first;
        while (*at && !wanted(*at, cookie))
            at = &(*at)->next;
        found = *at;
        if (!found)
            continue;
        *at = found->next;
        if (!*at)
            queues[i]->last = at;
        pool->waiting--;
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

void sp_query_pool_free(struct sp_query_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i].thread, NULL);
    SP_ASSERT(!pool->short_jobs.first && !pool->long_jobs.first);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void sp_query_pool_load(struct sp_query_pool *pool, uint64_t *ret_running, uint64_t *ret_waiting)
{
    pthread_mutex_lock(&pool->lock);
    *ret_running = pool->running;
    *ret_waiting = pool->waiting;
    pthread_mutex_unlock(&pool->lock);
}

bool sp_query_pool_borrow(struct sp_query_pool *pool, uint32_t most)
{
    if (!pool)
        return true;
    pthread_mutex_lock(&pool->lock);
    uint32_t busy = pool->running + pool->helpers;
    bool free = pool->waiting == 0 && busy < pool->thread_count_max && busy < most;
    if (free)
        pool->helpers++;
    pthread_mutex_unlock(&pool->lock);
    return free;
}

void sp_query_pool_give_back(struct sp_query_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    SP_ASSERT(pool->helpers > 0);
    pool->helpers--;
    pthread_mutex_unlock(&pool->lock);
}
