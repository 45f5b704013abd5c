/* SPDX-License-Identifier: Apache-2.0
 *
 * query/turns.h: while spans come in, queries leave one processor free. An ack changes threads several times, the last ones inside the
 * kernel, which does not know that a query can wait; so a query has to stand aside by itself. Those that run take turns on
 * the other processors. When nothing comes in, there is no limit. */
#pragma once

#include <pthread.h>

#include "lib/base/base.h"
#include "storage/storage.h"

/* A thread that waits for a turn: first come, first served. */
struct sp_turn_waiter {
    struct sp_turn_waiter *next;
    bool granted;
};

struct sp_turns {
    struct sp_store *store;       /* borrowed */
    const struct sp_clock *clock; /* borrowed */
    uint32_t most;                /* turns at the same time, while spans come in */

    pthread_mutex_t lock;
    pthread_cond_t granted;
    uint32_t taken;
    struct sp_turn_waiter *first, **last;
    uint64_t appends;               /* as seen last */
    uint64_t changed_ns;            /* monotonic: when that was seen; 0: never */
    _Atomic uint64_t idle_until_ns; /* nothing came in, and before then nobody looks again */
};

/* One thread's. Used by that thread only. */
struct sp_turn {
    struct sp_turns *turns;
    pthread_t thread;
    bool taken;
    uint64_t since_ns;
    _Atomic uint64_t *waited_ns; /* borrowed: takes the time that it waits */
};

/* processors: of the machine. */
void sp_turns_init(struct sp_turns *turns, struct sp_store *store, const struct sp_clock *clock,
                   uint32_t processors);
void sp_turns_fini(struct sp_turns *turns);

/* Around what the calling thread does. */
void sp_turn_begin(struct sp_turn *turn, struct sp_turns *turns, _Atomic uint64_t *waited_ns);
void sp_turn_end(struct sp_turn *turn);

/* Between two steps: a turn that lasted long enough goes to whoever waits for one. Waits for 20 ms at most, then goes on
 * without: whoever has a turn may wait for a lock of ours. On another thread than turn's: nothing. */
void sp_turn_step(struct sp_turn *turn, uint64_t now_ns);

/* How many threads may work now: most while spans come in, otherwise UINT32_MAX. */
uint32_t sp_turns_limit(struct sp_turns *turns);
