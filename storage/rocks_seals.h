/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_seals.h: seals side by side, for rocks_replay.c: a crew prepares several at once and commits one after the other, in
 * the order of the head. While a start reads the journal nobody else seals, merges or removes. Internal to storage/. */
#pragma once

#include "storage/crew.h"
#include "storage/rocks.h"

struct sp_rocks_seal_job;

/* Of the one thread that hands jobs to the crew. All zero but rocks, crew and count_max: none on the way. */
struct sp_rocks_seals {
    struct sp_rocks *rocks;
    struct sp_crew *crew;
    struct sp_rocks_seal_job *first, *last; /* in order */
    uint32_t count, count_max;
};

/* Those that are left, once the crew has ended: what was not committed stays in the head. */
void sp_rocks_seals_fini(struct sp_rocks_seals *seals);

/* The blocks that no seal has yet, of which there are some, become a segment. SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_rocks_seals_begin(struct sp_rocks_seals *seals,
                                                struct sp_error *reterr);
/* Takes back what is done and hands out what comes next. An error is that of the first seal that failed: none behind it is
 * committed. */
SP_MUST_USE enum sp_status sp_rocks_seals_go_on(struct sp_rocks_seals *seals,
                                                struct sp_error *reterr);
