/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pool.c: a fixed number of threads and a bounded queue. It knows jobs, not queries. */
#include <pthread.h>
#include <stdlib.h>

#include "query/internal.h"

struct sp_query_pool {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or stopping was set */
    struct sp_query_job *first, **last;
    uint32_t waiting, waiting_max, running;
    bool stopping;
    uint32_t thread_count;
    pthread_t threads[]; /* started ones */
};

static void *thread_main(void *cookie)
{
    struct sp_query_pool *pool = cookie;
    sp_thread_begin("spoor:query", SP_QUERY_NICE);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->first && !pool->stopping)
            pthread_cond_wait(&pool->work, &pool->lock);
        struct sp_query_job *job = pool->first;
        if (!job)
            break; /* stopping, and nothing waits any more */
        pool->first = job->next;
        if (!pool->first)
            pool->last = &pool->first;
        pool->waiting--;
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
    struct sp_query_pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));
    if (!pool)
        return NULL;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->last = &pool->first;
    pool->waiting_max = waiting_max;
    for (uint32_t i = 0; i < threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, thread_main, pool) != 0) {
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
        job->next = NULL;
        *pool->last = job;
        pool->last = &job->next;
        pool->waiting++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return taken;
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
        pthread_join(pool->threads[i], NULL);
    SP_ASSERT(!pool->first);
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
