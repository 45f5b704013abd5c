/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/analysis/names.h: keys as numbers, in the order in which they were first seen. Private to the room. */
#pragma once

#include "lib/base/base.h"

#define SP_NAMES_NONE UINT32_MAX

/* Zero-initialised but for arena, which owns all of it. One owner at a time. */
struct sp_names {
    struct sp_arena *arena;
    struct sp_slice *items; /* by number */
    uint32_t count, cap;
    uint32_t *slots; /* number + 1 by hash; 0: empty */
    uint32_t slot_cap;
    uint64_t seed; /* of the slots, once there are many */
};

/* The number of a key, which is copied when it is new. SP_NAMES_NONE: arena->error says why. */
uint32_t sp_names_number(struct sp_names *names, struct sp_slice key);

/* The number of a key that was seen, or SP_NAMES_NONE. */
uint32_t sp_names_find(const struct sp_names *names, struct sp_slice key);

/* The bytes of a struct without padding, as a key. */
#define SP_NAMES_KEY(value) sp_slice_make(&(value), sizeof(value))
