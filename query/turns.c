/* SPDX-License-Identifier: Apache-2.0
 *
 * query/turns.c: see turns.h. */
#include "query/turns.h"

#include <time.h>

#define NS_A_SECOND UINT64_C(1000000000)

/* A turn, when others wait; the longest wait for one; how long spans are said to come in behind the last; and how often an idle
 * store is looked at. */
#define TURN_NS       UINT64_C(4000000)
#define WAIT_NS       UINT64_C(20000000)
#define COMING_IN_NS  UINT64_C(200000000)
#define LOOK_EVERY_NS UINT64_C(5000000)

void sp_turns_init(struct sp_turns *turns, struct sp_store *store, const struct sp_clock *clock,
                   uint32_t processors)
{
    *turns = (struct sp_turns){
        .store = store, .clock = clock, .most = processors > 1 ? processors - 1 : 1};
    turns->last = &turns->first;
    turns->appends = sp_store_appends_begun(store);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&turns->lock, NULL);
    pthread_cond_init(&turns->granted, &attributes);
    pthread_condattr_destroy(&attributes);
}

void sp_turns_fini(struct sp_turns *turns)
{
    SP_ASSERT(turns->taken == 0 && !turns->first);
    pthread_cond_destroy(&turns->granted);
    pthread_mutex_destroy(&turns->lock);
}

/* Under the lock. */
static bool spans_come_in(struct sp_turns *turns, uint64_t now_ns)
{
    uint64_t appends = sp_store_appends_begun(turns->store);
    if (appends != turns->appends) {
        turns->appends = appends;
        turns->changed_ns = now_ns;
    }
    bool coming = turns->changed_ns != 0 && now_ns - turns->changed_ns < COMING_IN_NS;
    if (!coming)
        turns->idle_until_ns = now_ns + LOOK_EVERY_NS;
    return coming;
}

/* Under the lock. */
static void give(struct sp_turns *turns)
{
    struct sp_turn_waiter *next = turns->first;
    SP_ASSERT(turns->taken > 0);
    if (!next) {
        turns->taken--;
        return;
    }
    turns->first = next->next;
    if (!turns->first)
        turns->last = &turns->first;
    next->granted = true;
    pthread_cond_broadcast(&turns->granted);
}

/* Under the lock. */
static void remove_waiter(struct sp_turns *turns, struct sp_turn_waiter *waiter)
{
    struct sp_turn_waiter **at = &turns->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (!*at)
        turns->last = at;
}

/* Under the lock. */
static bool take_free(struct sp_turns *turns)
{
    bool is_free = turns->taken < turns->most && !turns->first;
    turns->taken += is_free;
    return is_free;
}

/* Under the lock, which it leaves meanwhile. */
static bool wait_for_turn(struct sp_turns *turns)
{
    struct sp_turn_waiter own = {0};
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t nanoseconds = (uint64_t)until.tv_nsec + WAIT_NS;
    until.tv_sec += (time_t)(nanoseconds / NS_A_SECOND);
    until.tv_nsec = (long)(nanoseconds % NS_A_SECOND);
    /* It is taken out before this returns. */
    *turns->last = &own;     // cppcheck-suppress autoVariables
    turns->last = &own.next; // cppcheck-suppress autoVariables
    while (!own.granted)
        if (pthread_cond_timedwait(&turns->granted, &turns->lock, &until) != 0)
            break;
    if (!own.granted)
        remove_waiter(turns, &own);
    return own.granted;
}

void sp_turn_begin(struct sp_turn *turn, struct sp_turns *turns, _Atomic uint64_t *waited_ns)
{
    *turn = (struct sp_turn){.turns = turns, .thread = pthread_self(), .waited_ns = waited_ns};
    sp_turn_step(turn, sp_clock_monotonic_ns(turns->clock));
}

void sp_turn_end(struct sp_turn *turn)
{
    if (!turn->taken)
        return;
    pthread_mutex_lock(&turn->turns->lock);
    give(turn->turns);
    pthread_mutex_unlock(&turn->turns->lock);
    turn->taken = false;
}

void sp_turn_step(struct sp_turn *turn, uint64_t now_ns)
{
    struct sp_turns *turns = turn->turns;
    if (!pthread_equal(turn->thread, pthread_self()))
        return;
    bool goes_on = turn->taken ? now_ns - turn->since_ns < TURN_NS : now_ns < turns->idle_until_ns;
    if (goes_on)
        return;
    pthread_mutex_lock(&turns->lock);
    bool coming = spans_come_in(turns, now_ns);
    if (turn->taken && (!coming || turns->first)) {
        give(turns);
        turn->taken = false;
    }
    if (coming && !turn->taken)
        turn->taken = take_free(turns);
    bool waits = coming && !turn->taken;
    if (waits)
        turn->taken = wait_for_turn(turns);
    pthread_mutex_unlock(&turns->lock);
    turn->since_ns = sp_clock_monotonic_ns(turns->clock);
    if (waits)
        *turn->waited_ns += turn->since_ns - now_ns;
}

uint32_t sp_turns_limit(struct sp_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    bool coming = spans_come_in(turns, sp_clock_monotonic_ns(turns->clock));
    pthread_mutex_unlock(&turns->lock);
    return coming ? turns->most : UINT32_MAX;
}
