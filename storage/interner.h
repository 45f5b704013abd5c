/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/interner.h: byte strings to small numbers, in order of first appearance. Internal to storage/. Knows no spans. One
 * owner at a time. */
#pragma once

#include "storage/hash.h"
#include "storage/vector.h"

struct sp_interner {
    struct sp_interner_slot {
        uint32_t number; /* plus 1; 0 is free */
        uint32_t hash, salt;
    } * slots;
    uint32_t slot_count;              /* a power of two, or 0 */
    uint32_t used_count;              /* slots that are not free */
    SP_VECTOR(struct sp_slice) texts; /* by number; 8-byte aligned memory of the interner */
    struct sp_arena arena;
    size_t bytes; /* of the texts */
    uint64_t seed;
};

#define SP_INTERNER_NONE UINT32_MAX

void sp_interner_init(struct sp_interner *interner);
void sp_interner_fini(struct sp_interner *interner);
void sp_interner_reset(struct sp_interner *interner); /* empties, keeps memory for the next round */

/* The number of a text under a salt (texts under different salts are different). SP_INTERNER_NONE: no memory. */
uint32_t sp_interner_add(struct sp_interner *interner, uint32_t salt, struct sp_slice text);
/* A number for a text that nobody looks for: it may be there already, and add and find do not know this one. */
uint32_t sp_interner_append(struct sp_interner *interner, struct sp_slice text);
/* As add, but SP_INTERNER_NONE when it is new. */
uint32_t sp_interner_find(const struct sp_interner *interner, uint32_t salt, struct sp_slice text);
