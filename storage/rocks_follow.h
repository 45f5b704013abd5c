/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_follow.h: the engine beside the process that writes: rocks_follow.c is the thread that looks again and again, rocks_look.c is
 * one look. Internal to these two, but for what rocks.h says of them. */
#pragma once

#include "storage/rocks.h"

/* What a look has to know of those before it. The thread's own, but for what is said otherwise. */
struct sp_rocks_follower {
    pthread_t thread;
    bool runs;
    uint32_t failures_in_row;
    /* Under the lock. */
    uint64_t caught_up_ns, count, failure_count;

    uint64_t last_sequence; /* of the journal records that are in the lists */
    bool
        head_is_stale; /* the lists have records that may not be what the journal has: they are made anew */
    /* As of which the database was read; stale: of another one. */
    uint64_t segments_revision, chunks_revision, meta_revision;
    bool revisions_are_stale;
    /* Arrivals that a look has found, until they can be read; and the newest request that was told, or that nobody can be told of. */
    struct sp_arrivals_log arrived;
    bool arrived_begun;
    uint64_t told_sequence;

    _Atomic uint64_t header_count, record_count,
        anew_count; /* what looks have read; of any thread */
};

/* One look: brings the lists to what the other process has done by now. After an error they are whole, and of an older state or of
 * this one. */
SP_MUST_USE enum sp_status sp_rocks_look(struct sp_rocks *rocks, struct sp_error *reterr);
