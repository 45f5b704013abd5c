/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_follow.c: the engine beside the process that writes: a thread looks again and again (rocks_look.c) at what that process has
 * done, makes blocks of rows as the other one's threads do, and counts and tells how that goes. */
#include "storage/rocks_follow.h"

#include <stdlib.h>

/* Opening is tried again so often, so much later: tables that were listed may be gone by the time they are opened. */
#define OPEN_TRIES   10
#define OPEN_WAIT_NS 50000000ULL
/* After so many looks in a row that failed, there is more time between them. */
#define FAILURES_QUICK 5
#define FAILURE_WAIT   10

/* ---- looks that fail ---- */

/* What was refused may have given slots that are others now. */
static void forget_services(struct sp_rocks *rocks)
{
    rocks->follower->head_is_stale = true;
    pthread_mutex_lock(&rocks->lock);
    sp_interner_fini(&rocks->services);
    sp_interner_init(&rocks->services);
    pthread_mutex_unlock(&rocks->lock);
}

/* Counts and logs what comes of it. */
static enum sp_status follow(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = rocks->follower;
    struct sp_error error = {.status = SP_OK};
    uint64_t begun_ns = sp_rocks_monotonic_ns();
    if (follower->failures_in_row > 1)
        forget_services(rocks);
    enum sp_status status = sp_rocks_look(rocks, &error);
    pthread_mutex_lock(&rocks->lock);
    bool tells = rocks->log != NULL && !rocks->stopping && follower->runs;
    follower->count += status == SP_OK;
    follower->failure_count += status != SP_OK;
    if (status == SP_OK)
        follower->caught_up_ns = begun_ns;
    pthread_mutex_unlock(&rocks->lock);
    if (status != SP_OK && follower->failures_in_row == 1 && tells) /* once is nothing */
        sp_log_event(rocks->log, SP_LOG_WARN, "follow", "what is newer is not seen for now",
                     sp_log_cstr("error", error.message));
    if (status == SP_OK && follower->failures_in_row > 1 && tells)
        sp_log_event(rocks->log, SP_LOG_INFO, "follow", "what is newer is seen again");
    follower->failures_in_row = status == SP_OK ? 0 : follower->failures_in_row + 1;
    if (status != SP_OK && reterr != NULL)
        *reterr = error;
    return status;
}

/* ---- the thread ---- */

/* Under the lock. */
static void wait_ns(struct sp_rocks *rocks, uint64_t ns)
{
    uint64_t until_ns = sp_rocks_monotonic_ns() + ns;
    while (!rocks->stopping && sp_rocks_monotonic_ns() < until_ns)
        sp_rocks_wait(rocks, &rocks->sealer_wakes, until_ns);
}

/* As the sealer of the other process does. An error changes nothing, and the next look tries again. */
static void make_due_blocks(struct sp_rocks *rocks)
{
    struct sp_error error;
    pthread_mutex_lock(&rocks->lock);
    const struct sp_rocks_entry *first = rocks->fresh.first;
    bool due =
        first != NULL && sp_rocks_monotonic_ns() >= first->published_ns + SP_ROCKS_FRESH_AGE_NS;
    pthread_mutex_unlock(&rocks->lock);
    if (due && sp_rocks_make_blocks(rocks, &error) != SP_OK)
        sp_log_event(rocks->log, SP_LOG_WARN, "follow", "requests stay rows for now",
                     sp_log_cstr("error", error.message));
}

static void *follower_main(void *cookie)
{
    struct sp_rocks *rocks = cookie;
    struct sp_rocks_follower *follower = rocks->follower;
    sp_thread_begin("spoor:follow", 0);
    pthread_mutex_lock(&rocks->lock);
    while (!rocks->stopping) {
        wait_ns(rocks, follower->failures_in_row < FAILURES_QUICK
                           ? rocks->sizes.follow_ns
                           : FAILURE_WAIT * rocks->sizes.follow_ns);
        if (rocks->stopping)
            break;
        pthread_mutex_unlock(&rocks->lock);
        if (follow(rocks, NULL) == SP_OK)
            make_due_blocks(rocks);
        pthread_mutex_lock(&rocks->lock);
    }
    pthread_mutex_unlock(&rocks->lock);
    return NULL;
}

enum sp_status sp_rocks_follow(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to follow the database");
    sp_arrivals_log_init(&follower->arrived);
    rocks->follower = follower;
    enum sp_status status = follow(rocks, reterr);
    for (int tries = 1; status != SP_OK && status != SP_NO_MEMORY && tries < OPEN_TRIES; tries++) {
        pthread_mutex_lock(&rocks->lock);
        wait_ns(rocks, OPEN_WAIT_NS);
        pthread_mutex_unlock(&rocks->lock);
        status = follow(rocks, reterr);
    }
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&rocks->lock);
    int error = pthread_create(&follower->thread, NULL, follower_main, rocks);
    follower->runs = error == 0;
    uint32_t segment_count = rocks->segments.count;
    pthread_mutex_unlock(&rocks->lock);
    if (error != 0)
        return sp_error_set(reterr, SP_NO_MEMORY, "cannot start the threads of the store: %s",
                            strerror(error));
    sp_log_event(rocks->log, SP_LOG_INFO, "following",
                 "reads what another process writes to the data directory",
                 sp_log_u64("segments", segment_count));
    return SP_OK;
}

void sp_rocks_unfollow(struct sp_rocks *rocks)
{
    if (rocks->follower == NULL)
        return;
    if (rocks->follower->runs)
        pthread_join(rocks->follower->thread, NULL);
    sp_kv_unpin(rocks->pin);
    rocks->pin = NULL;
    sp_arrivals_log_fini(&rocks->follower->arrived);
    free(rocks->follower);
    rocks->follower = NULL;
}

void sp_rocks_follow_stats(const struct sp_rocks *rocks, struct sp_store_stats *stats)
{
    const struct sp_rocks_follower *follower = rocks->follower;
    if (follower == NULL)
        return;
    stats->follows = true;
    stats->catch_up_age_ns = sp_rocks_monotonic_ns() - follower->caught_up_ns;
    stats->catch_up_count = follower->count;
    stats->catch_up_failure_count = follower->failure_count;
    stats->catch_up_header_count = follower->header_count;
    stats->catch_up_record_count = follower->record_count;
    stats->catch_up_anew_count = follower->anew_count;
}
