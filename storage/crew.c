/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/crew.c: a list of jobs and the threads that take from it. Knows no spans. */
#include "storage/crew.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
    struct sp_crew_job *first, *last;
};

struct member {
    struct sp_crew *crew;
    void *tool;
    pthread_t thread;
};

struct sp_crew {
    pthread_mutex_t lock; /* of all below but members */
    pthread_cond_t has_jobs, has_done;
    struct queue hurried, others;
    uint64_t done_count;
    bool ends;
    struct member *members;
    uint32_t member_count;
};

static void push(struct queue *queue, struct sp_crew_job *job)
{
    job->next = NULL;
    if (queue->last != NULL)
        queue->last->next = job;
    else
        queue->first = job;
    queue->last = job;
}

static struct sp_crew_job *pop(struct queue *queue)
{
    struct sp_crew_job *job = queue->first;
    if (job != NULL)
        queue->first = job->next;
    if (queue->first == NULL)
        queue->last = NULL;
    return job;
}

/* Under the lock, which it gives up while it waits. NULL: the crew ends. */
static struct sp_crew_job *next_job(struct sp_crew *crew)
{
    for (;;) {
        if (crew->ends)
            return NULL;
        struct sp_crew_job *job = pop(&crew->hurried);
        if (job == NULL)
            job = pop(&crew->others);
        if (job != NULL)
            return job;
        pthread_cond_wait(&crew->has_jobs, &crew->lock);
    }
}

static void *member_main(void *cookie)
{
    struct member *member = cookie;
    struct sp_crew *crew = member->crew;
    struct sp_crew_job *job;
    sp_thread_begin("spoor:replay", 0);
    pthread_mutex_lock(&crew->lock);
    while ((job = next_job(crew)) != NULL) {
        pthread_mutex_unlock(&crew->lock);
        job->run(job, member->tool);
        pthread_mutex_lock(&crew->lock);
        job->done = true;
        crew->done_count++;
        pthread_cond_signal(&crew->has_done);
    }
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

enum sp_status sp_crew_new(void *const *tools, uint32_t count, struct sp_crew **ret,
                           struct sp_error *reterr)
{
    struct sp_crew *crew = calloc(1, sizeof(*crew));
    struct member *members = calloc((size_t)count + 1, sizeof(*members));
    if (crew == NULL || members == NULL) {
        free(crew);
        free(members);
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for threads");
    }
    crew->members = members;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->has_jobs, NULL);
    pthread_cond_init(&crew->has_done, NULL);
    int error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++) {
        members[i] = (struct member){.crew = crew, .tool = tools[i]};
        error = pthread_create(&members[i].thread, NULL, member_main, &members[i]);
        crew->member_count += error == 0;
    }
    if (crew->member_count == 0) { /* fewer than asked for do */
        sp_crew_free(crew);
        return sp_error_set(reterr, SP_NO_MEMORY, "cannot start a thread: %s", strerror(error));
    }
    *ret = crew;
    return SP_OK;
}

void sp_crew_free(struct sp_crew *crew)
{
    if (crew == NULL)
        return;
    pthread_mutex_lock(&crew->lock);
    crew->ends = true;
    pthread_cond_broadcast(&crew->has_jobs);
    pthread_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->member_count; i++)
        pthread_join(crew->members[i].thread, NULL);
    pthread_cond_destroy(&crew->has_done);
    pthread_cond_destroy(&crew->has_jobs);
    pthread_mutex_destroy(&crew->lock);
    free(crew->members);
    free(crew);
}

void sp_crew_submit(struct sp_crew *crew, struct sp_crew_job *job, bool hurried)
{
    pthread_mutex_lock(&crew->lock);
    job->done = false;
    push(hurried ? &crew->hurried : &crew->others, job);
    pthread_cond_signal(&crew->has_jobs);
    pthread_mutex_unlock(&crew->lock);
}

bool sp_crew_is_done(struct sp_crew *crew, const struct sp_crew_job *job)
{
    pthread_mutex_lock(&crew->lock);
    bool done = job->done;
    pthread_mutex_unlock(&crew->lock);
    return done;
}

uint64_t sp_crew_done_count(struct sp_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    uint64_t count = crew->done_count;
    pthread_mutex_unlock(&crew->lock);
    return count;
}

void sp_crew_wait(struct sp_crew *crew, uint64_t done_count)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->done_count == done_count)
        pthread_cond_wait(&crew->has_done, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}
