/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_seals.h: seals side by side, for rocks_replay.c: a crew prepares several at once and commits one after the other, in
 * the order of the head. While a start reads the journal nobody else seals, merges or removes. Internal to storage/. */
#pragma once

#include "storage/crew.h"
#include "storage/rocks.h"

/* ---- rocks_seal.c: sp_rocks_seal in steps ----
 * Several may be on the way while nobody else seals. Within the gate. */
struct sp_rocks_sealing;

/* Takes the head blocks that no other one has, of which there are some; those that come later belong to others. */
SP_MUST_USE enum sp_status sp_rocks_sealing_new(struct sp_rocks *rocks,
                                                struct sp_rocks_sealing **ret,
                                                struct sp_error *reterr);
/* All that does not depend on other segments; any thread. */
SP_MUST_USE enum sp_status sp_rocks_sealing_prepare(struct sp_rocks_sealing *sealing,
                                                    struct sp_error *reterr);
/* The rest, once those before it are committed: the head begins with its blocks. */
SP_MUST_USE enum sp_status sp_rocks_sealing_commit(struct sp_rocks_sealing *sealing,
                                                   struct sp_error *reterr);
/* One that was not committed leaves its blocks in the head. NULL is fine. */
void sp_rocks_sealing_free(struct sp_rocks_sealing *sealing);

/* ---- rocks_seals.c: several on the way ---- */

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

/* ---- rocks_replay.c ---- */

/* SP_UNAVAILABLE: the store is closed while it is being opened, which is to end soon. Once it is open it is not called off. */
SP_MUST_USE enum sp_status sp_rocks_check_not_called_off(const struct sp_rocks *rocks,
                                                         struct sp_error *reterr);
