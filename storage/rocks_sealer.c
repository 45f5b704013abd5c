/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_sealer.c: the two threads behind the acks, and when they work: one turns fresh rows into columns, so that rows never
 * pile up; the other makes segments of the columns, and opens the database again when a write has failed. How: rocks_head.c,
 * rocks_seal.c, rocks_repair.c. Knows no database. */
#include "storage/rocks.h"

#include <stdlib.h>

uint64_t sp_rocks_monotonic_ns(void)
{
    return sp_clock_monotonic_ns(sp_clock_system());
}

void sp_rocks_wait(struct sp_rocks *rocks, pthread_cond_t *wakes, uint64_t until_ns)
{
    const uint64_t ns_per_second = 1000000000;
    if (until_ns == UINT64_MAX) {
        pthread_cond_wait(wakes, &rocks->lock);
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(until_ns / ns_per_second),
                             .tv_nsec = (long)(until_ns % ns_per_second)};
    pthread_cond_timedwait(wakes, &rocks->lock, &until);
}

/* ---- what both have in common ---- */

enum work { WORK_NONE, WORK_BLOCKS, WORK_REPAIR, WORK_SEAL };

/* One of the two threads; on its stack. */
struct worker {
    struct sp_rocks *rocks;
    pthread_cond_t *wakes;
    bool *stuck; /* what it tried last failed; under the lock */
    /* Under the lock: what has to be done now, and by when there may be something. */
    enum work (*next)(const struct sp_rocks *rocks, uint64_t now_ns, uint64_t *ret_until_ns);
    uint64_t retry_ns; /* after the next failure */
};

static enum sp_status do_work(struct sp_rocks *rocks, enum work work, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    struct sp_gate_pass pass;
    switch (work) {
    case WORK_NONE:
        break;
    case WORK_BLOCKS:
        status = sp_rocks_make_blocks(rocks, reterr);
        break;
    case WORK_REPAIR:
        status = sp_rocks_repair(rocks, reterr);
        break;
    case WORK_SEAL:
        sp_gate_enter_always(&rocks->gate, &pass);
        status = sp_rocks_seal(rocks, reterr);
        sp_gate_leave(&rocks->gate, &pass);
        break;
    }
    return status;
}

/* Under the lock. Not cut short by what comes meanwhile: that would make it spin. */
static void wait_before_retry(const struct worker *worker, uint64_t retry_ns)
{
    uint64_t until_ns = sp_rocks_monotonic_ns() + retry_ns;
    while (!worker->rocks->stopping && sp_rocks_monotonic_ns() < until_ns)
        sp_rocks_wait(worker->rocks, worker->wakes, until_ns);
}

/* Under the lock: what came of it. */
static void note_outcome(struct worker *worker, bool done, const struct sp_error *error)
{
    struct sp_rocks *rocks = worker->rocks;
    if (!done && !*worker->stuck)
        sp_log_event(rocks->log, SP_LOG_ERROR, "seal",
                     "requests that were acked stay in the journal for now",
                     sp_log_cstr("error", error->message));
    if (done && *worker->stuck)
        sp_log_event(rocks->log, SP_LOG_INFO, "seal", "requests are put into their place again");
    *worker->stuck = !done;
    rocks->seal_failure_count += !done;
    pthread_cond_signal(&rocks->sealer_wakes); /* there may be columns to seal now */
    pthread_cond_broadcast(&rocks->somebody_idles);
    if (done) {
        worker->retry_ns = rocks->sizes.retry_ns;
        return;
    }
    if (atomic_load(&rocks->kv_broken)) /* a full disk: looked at often */
        worker->retry_ns = rocks->sizes.retry_ns;
    wait_before_retry(worker, worker->retry_ns);
    worker->retry_ns =
        worker->retry_ns < SP_ROCKS_RETRY_NS_MAX / 2 ? 2 * worker->retry_ns : SP_ROCKS_RETRY_NS_MAX;
}

static void run(struct worker *worker)
{
    struct sp_rocks *rocks = worker->rocks;
    pthread_mutex_lock(&rocks->lock);
    for (;;) {
        uint64_t until_ns;
        enum work work = worker->next(rocks, sp_rocks_monotonic_ns(), &until_ns);
        if (rocks->stopping && (work == WORK_NONE || *worker->stuck))
            break;
        if (work == WORK_NONE) {
            sp_rocks_wait(rocks, worker->wakes, until_ns);
            continue;
        }
        pthread_mutex_unlock(&rocks->lock);
        struct sp_error error = {0};
        bool done = do_work(rocks, work, &error) == SP_OK;
        pthread_mutex_lock(&rocks->lock);
        note_outcome(worker, done, &error);
    }
    pthread_mutex_unlock(&rocks->lock);
}

static bool hurries(const struct sp_rocks *rocks)
{
    return rocks->draining || rocks->stopping;
}

/* ---- rows to columns ---- */

static enum work next_columns(const struct sp_rocks *rocks, uint64_t now_ns, uint64_t *ret_until_ns)
{
    *ret_until_ns = UINT64_MAX;
    if (rocks->fresh.count == 0)
        return WORK_NONE;
    *ret_until_ns = rocks->fresh.first->published_ns + SP_ROCKS_FRESH_AGE_NS;
    return hurries(rocks) || sp_rocks_queue_is_full(rocks, &rocks->fresh) || now_ns >= *ret_until_ns
               ? WORK_BLOCKS
               : WORK_NONE;
}

static void *columns_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct worker worker = {.rocks = rocks,
                            .wakes = &rocks->columns_wakes,
                            .stuck = &rocks->columns_stuck,
                            .next = next_columns,
                            .retry_ns = rocks->sizes.retry_ns};
    sp_thread_begin("spoor:columns", SP_ROCKS_COLUMNS_NICE);
    run(&worker);
    return NULL;
}

/* ---- columns to segments ---- */

static enum work next_seal(const struct sp_rocks *rocks, uint64_t now_ns, uint64_t *ret_until_ns)
{
    *ret_until_ns = UINT64_MAX;
    if (atomic_load(&rocks->kv_broken))
        return WORK_REPAIR;
    if (rocks->head.count == 0)
        return WORK_NONE;
    /* At the end all that is left becomes one segment. */
    if (hurries(rocks) && rocks->fresh.count > 0 && !rocks->columns_stuck)
        return WORK_NONE;
    *ret_until_ns = rocks->head.items[0].published_ns + SP_ROCKS_HEAD_AGE_NS;
    return hurries(rocks) || now_ns >= *ret_until_ns || sp_rocks_head_is_full(rocks) ? WORK_SEAL
                                                                                     : WORK_NONE;
}

static void *sealer_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct worker worker = {.rocks = rocks,
                            .wakes = &rocks->sealer_wakes,
                            .stuck = &rocks->sealer_stuck,
                            .next = next_seal,
                            .retry_ns = rocks->sizes.retry_ns};
    sp_thread_begin("spoor:seal", SP_ROCKS_SEAL_NICE);
    run(&worker);
    return NULL;
}

int sp_rocks_sealer_start(struct sp_rocks *rocks)
{
    int error = pthread_create(&rocks->columns, NULL, columns_main, rocks);
    rocks->columns_runs = error == 0;
    if (error != 0)
        return error;
    error = pthread_create(&rocks->sealer, NULL, sealer_main, rocks);
    rocks->sealer_runs = error == 0;
    return error;
}
