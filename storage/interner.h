/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/interner.h: byte strings to small numbers, in order of first appearance. Internal to storage/. Knows no spans. One
 * owner at a time. */
#pragma once

#include "lib/base/base.h"
#include "storage/vector.h"

struct sp_interner {
    struct sp_interner_slot {
        uint32_t number; /* plus 1; 0 is free */
        uint32_t hash;
    } * slots;
    uint32_t slot_count;              /* a power of two, or 0 */
    uint32_t used_count;              /* slots that are not free */
    SP_VECTOR(struct sp_slice) texts; /* by number; 8-byte aligned memory of the arena */
    SP_VECTOR(uint32_t) salts;        /* the same, up to the last that is not 0 */
    struct sp_arena own_arena;
    struct sp_arena *shared_arena; /* NULL: the own one */
    size_t bytes;                  /* of the texts */
    uint64_t seed;
};

#define SP_INTERNER_NONE UINT32_MAX

void sp_interner_init(struct sp_interner *interner);
/* One of several that have an arena in common, which is the caller's: he resets it when he has reset them all. seed: sp_hash_seed. */
void sp_interner_init_shared(struct sp_interner *interner, struct sp_arena *arena, uint64_t seed);
void sp_interner_fini(struct sp_interner *interner);
void sp_interner_reset(struct sp_interner *interner); /* empties, keeps memory for the next round */

/* The number of a text under a salt (texts under different salts are different). SP_INTERNER_NONE: no memory. */
uint32_t sp_interner_add(struct sp_interner *interner, uint32_t salt, struct sp_slice text);
/* A number for a text that nobody looks for: it may be there already, and add and find do not know this one. */
uint32_t sp_interner_append(struct sp_interner *interner, struct sp_slice text);
/* As add, but SP_INTERNER_NONE when it is new. */
uint32_t sp_interner_find(const struct sp_interner *interner, uint32_t salt, struct sp_slice text);
