/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of query threads: what waits is bounded, everything taken is run, also at the end. */
#include <pthread.h>
#include <stdatomic.h>

#include "query/internal.h"
#include "tests/support/check_main.h"

struct gate_job {
    struct sp_query_job job; /* first */
    pthread_mutex_t *gate;   /* the job waits until the test lets go of it */
    _Atomic int *started, *finished;
};

static void run_behind_gate(struct sp_query_job *job)
{
    struct gate_job *gated = (struct gate_job *)(void *)job;
    ++*gated->started;
    pthread_mutex_lock(gated->gate);
    pthread_mutex_unlock(gated->gate);
    ++*gated->finished;
}

START_TEST(pool_refuses_what_cannot_wait_and_runs_what_it_took)
{
    enum { THREADS = 2, WAITING = 3 };
    static struct gate_job jobs[THREADS + WAITING + 1];
    static _Atomic int started, finished;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct sp_query_pool *pool = sp_query_pool_new(THREADS, WAITING);
    ck_assert_ptr_nonnull(pool);
    for (size_t i = 0; i < SP_ARRAY_LEN(jobs); i++)
        jobs[i] = (struct gate_job){{.run = run_behind_gate}, &gate, &started, &finished};
    pthread_mutex_lock(&gate);
    size_t next = 0;
    for (; next < THREADS; next++) {
        ck_assert(sp_query_pool_submit(pool, &jobs[next].job));
        while (started <= (int)next) /* until a thread has it: then it does not wait any more */
            sched_yield();
    }
    for (; next < THREADS + WAITING; next++)
        ck_assert(sp_query_pool_submit(pool, &jobs[next].job));
    ck_assert(!sp_query_pool_submit(pool, &jobs[next].job));
    uint64_t running, waiting;
    sp_query_pool_load(pool, &running, &waiting);
    ck_assert_uint_eq(running, THREADS);
    ck_assert_uint_eq(waiting, WAITING);
    pthread_mutex_unlock(&gate);
    sp_query_pool_free(pool);
    ck_assert_int_eq(finished, THREADS + WAITING);
}
END_TEST

static bool is_job(const struct sp_query_job *job, const void *cookie)
{
    return job == cookie;
}

/* The first, the last and one between, of both queues; what is left runs, and places are free again. */
START_TEST(jobs_are_withdrawn_while_they_wait)
{
    enum { LONG = 6, WAITING = 7 };
    static struct gate_job running, jobs[WAITING];
    static _Atomic int started, finished, others_started, others_finished;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct sp_query_pool *pool = sp_query_pool_new(1, WAITING);
    ck_assert_ptr_nonnull(pool);
    pthread_mutex_lock(&gate);
    static struct gate_job short_running;
    running = (struct gate_job){{.run = run_behind_gate}, &gate, &started, &finished};
    short_running =
        (struct gate_job){{.run = run_behind_gate, .is_short = true}, &gate, &started, &finished};
    ck_assert(sp_query_pool_submit(pool, &running.job));
    while (started < 1)
        sched_yield();
    ck_assert(sp_query_pool_submit(pool, &short_running.job));
    while (started < 2)
        sched_yield();
    ck_assert_ptr_null(sp_query_pool_withdraw(pool, is_job, &running.job));
    for (size_t i = 0; i < WAITING; i++) {
        jobs[i] = (struct gate_job){{.run = run_behind_gate, .is_short = i >= LONG},
                                    &gate,
                                    &others_started,
                                    &others_finished};
        ck_assert(sp_query_pool_submit(pool, &jobs[i].job));
    }
    static const size_t withdrawn[] = {LONG - 1, 2, 0, LONG};
    for (size_t i = 0; i < SP_ARRAY_LEN(withdrawn); i++) {
        struct sp_query_job *job = &jobs[withdrawn[i]].job;
        ck_assert_ptr_eq(sp_query_pool_withdraw(pool, is_job, job), job);
        ck_assert_ptr_null(sp_query_pool_withdraw(pool, is_job, job));
    }
    uint64_t running_count, waiting_count;
    sp_query_pool_load(pool, &running_count, &waiting_count);
    ck_assert_uint_eq(waiting_count, WAITING - SP_ARRAY_LEN(withdrawn));
    for (size_t i = 0; i < SP_ARRAY_LEN(withdrawn); i++)
        ck_assert(sp_query_pool_submit(pool, &jobs[withdrawn[i]].job));
    pthread_mutex_unlock(&gate);
    sp_query_pool_free(pool);
    ck_assert_int_eq(finished, 2);
    ck_assert_int_eq(others_finished, WAITING);
}
END_TEST

/* Two long jobs keep all threads but one; a third waits; a short one that comes behind it does not. */
START_TEST(pool_runs_short_jobs_while_long_ones_wait)
{
    enum { THREADS = 2, LONG = 3 };
    static struct gate_job long_jobs[LONG], short_jobs[2];
    static _Atomic int started, finished, short_started, short_finished;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, open = PTHREAD_MUTEX_INITIALIZER;
    struct sp_query_pool *pool = sp_query_pool_new(THREADS, LONG + 2);
    ck_assert_ptr_nonnull(pool);
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < LONG; i++) {
        long_jobs[i] = (struct gate_job){{.run = run_behind_gate}, &gate, &started, &finished};
        ck_assert(sp_query_pool_submit(pool, &long_jobs[i].job));
    }
    while (started < THREADS)
        sched_yield();
    for (size_t i = 0; i < 2; i++) {
        short_jobs[i] = (struct gate_job){
            {.run = run_behind_gate, .is_short = true}, &open, &short_started, &short_finished};
        ck_assert(sp_query_pool_submit(pool, &short_jobs[i].job));
    }
    while (short_finished < 2) /* for ever, if no thread is kept for them */
        sched_yield();
    ck_assert_int_eq(started, THREADS);
    uint64_t running, waiting;
    sp_query_pool_load(pool, &running, &waiting);
    ck_assert_uint_eq(waiting, 1);
    pthread_mutex_unlock(&gate);
    sp_query_pool_free(pool);
    ck_assert_int_eq(finished, LONG);
}
END_TEST

/* What goes over spans must not keep the thread of questions that read sums. */
START_TEST(questions_that_read_spans_are_long_ones)
{
    static const struct {
        const char *path, *query;
        bool is_short;
    } cases[] = {
        {"/v1/attributes", "", true},
        {"/v1/attributes", "scope=span&key=http.route&prefix=a", true},
        {"/v1/attributes", "key=http.route&q=%7B%20service%20%3D%20%22cart%22", false},
        {"/v1/attributes", "q=&key=http.route", true},
        {"/v1/latency", "service=cart&q=0.5&step=1m", true},
        {"/v1/latency", "exact=true", false},
        {"/v1/latency", "service=cart&exact=1", false},
        {"/v1/latency", "exact=false&q=0.5", true},
        {"/v1/latency", "exact=0", true},
        {"/v1/latency", "by=span.http.route", false},
        {"/v1/latency", "b%79=span.http.route", false},
        {"/v1/graph", "format=json&service=cart", true},
        {"/v1/graph", "exact=true", false},
        {"/v1/search", "limit=1", false},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_slice id;
        const struct sp_query_endpoint *endpoint =
            sp_query_route(SP_SLICE("GET"), sp_slice_cstr(cases[i].path), &id);
        ck_assert_msg(sp_query_is_short(endpoint, sp_slice_cstr(cases[i].query)) ==
                          cases[i].is_short,
                      "%s?%s", cases[i].path, cases[i].query);
    }
}
END_TEST

START_TEST(pool_lends_helpers_only_while_threads_are_idle)
{
    static struct gate_job jobs[3];
    static _Atomic int started, finished;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct sp_query_pool *pool = sp_query_pool_new(2, 4);
    ck_assert_ptr_nonnull(pool);
    ck_assert(!sp_query_pool_borrow(pool, 0));
    ck_assert(sp_query_pool_borrow(pool, UINT32_MAX));
    ck_assert(!sp_query_pool_borrow(pool, 1));
    ck_assert(sp_query_pool_borrow(pool, UINT32_MAX));
    ck_assert(!sp_query_pool_borrow(pool, UINT32_MAX)); /* as many as the pool has threads */
    sp_query_pool_give_back(pool);
    sp_query_pool_give_back(pool);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 3; i++) {
        jobs[i] = (struct gate_job){{.run = run_behind_gate}, &gate, &started, &finished};
        ck_assert(sp_query_pool_submit(pool, &jobs[i].job));
        while (started <= i && i < 2)
            sched_yield();
        if (i == 0) { /* one query runs: it may have one helper */
            ck_assert(sp_query_pool_borrow(pool, UINT32_MAX));
            ck_assert(!sp_query_pool_borrow(pool, UINT32_MAX));
            sp_query_pool_give_back(pool);
        } else { /* two run; then one waits besides */
            ck_assert(!sp_query_pool_borrow(pool, UINT32_MAX));
        }
    }
    pthread_mutex_unlock(&gate);
    sp_query_pool_free(pool);
    ck_assert_int_eq(finished, 3);
}
END_TEST

START_TEST(pool_without_jobs_ends)
{
    sp_query_pool_free(sp_query_pool_new(4, 1));
    sp_query_pool_free(NULL);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query pool");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, pool_refuses_what_cannot_wait_and_runs_what_it_took);
    tcase_add_test(tcase, jobs_are_withdrawn_while_they_wait);
    tcase_add_test(tcase, pool_runs_short_jobs_while_long_ones_wait);
    tcase_add_test(tcase, questions_that_read_spans_are_long_ones);
    tcase_add_test(tcase, pool_lends_helpers_only_while_threads_are_idle);
    tcase_add_test(tcase, pool_without_jobs_ends);
    suite_add_tcase(suite, tcase);
    return suite;
}
