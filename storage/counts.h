/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/counts.h: sums by a 64-bit key, in an open-addressing table: what rollups add up in. Keys are numbers that the network
 * has a say in (minutes), so each table has a seed. Zero-initialised, with a seed, is empty. Internal to storage/. Knows
 * nothing. */
#pragma once

#include "lib/base/base.h"

#include <stdlib.h>

struct sp_counts {
    struct sp_count {
        uint64_t key; /* plus 1; 0 is free. So UINT64_MAX is no key */
        uint64_t count;
    } * slots;
    size_t slot_count; /* a power of two, or 0 */
    size_t used;
    uint64_t seed;
};

static inline void sp_counts_fini(struct sp_counts *counts)
{
    free(counts->slots);
    counts->slots = NULL;
    counts->slot_count = counts->used = 0;
}

static inline size_t sp_counts_place(const struct sp_counts *counts, uint64_t key)
{
    size_t at = (size_t)sp_hash_mix(key, counts->seed) & (counts->slot_count - 1);
    while (counts->slots[at].key != 0 && counts->slots[at].key != key + 1)
        at = (at + 1) & (counts->slot_count - 1);
    return at;
}

SP_MUST_USE static inline bool sp_counts_grow(struct sp_counts *counts)
{
    struct sp_counts grown = {.slot_count = counts->slot_count > 0 ? counts->slot_count * 2 : 256,
                              .used = counts->used,
                              .seed = counts->seed};
    grown.slots = sp_hash_slots(grown.slot_count, sizeof(*grown.slots));
    if (grown.slots == NULL)
        return false;
    for (size_t i = 0; i < counts->slot_count; i++)
        if (counts->slots[i].key != 0)
            grown.slots[sp_counts_place(&grown, counts->slots[i].key - 1)] = counts->slots[i];
    free(counts->slots);
    *counts = grown;
    return true;
}

/* Where the sum of a key stands, 0 at first, until the next one is asked for. NULL: no memory. The table stays at most half
 * full. */
SP_MUST_USE static inline uint64_t *sp_counts_at(struct sp_counts *counts, uint64_t key)
{
    if (counts->used * 2 >= counts->slot_count && !sp_counts_grow(counts))
        return NULL;
    struct sp_count *slot = &counts->slots[sp_counts_place(counts, key)];
    if (slot->key == 0) {
        slot->key = key + 1;
        counts->used++;
    }
    return &slot->count;
}

/* Asks for the memory of a key that is counted soon: a table of many keys is larger than what is near the processor. */
static inline void sp_counts_prefetch(const struct sp_counts *counts, uint64_t key)
{
    if (counts->slot_count > 0)
        __builtin_prefetch(
            &counts->slots[sp_hash_mix(key, counts->seed) & (counts->slot_count - 1)]);
}

/* Modulo 2^64. False: no memory. */
SP_MUST_USE static inline bool sp_counts_add(struct sp_counts *counts, uint64_t key, uint64_t more)
{
    uint64_t *count = sp_counts_at(counts, key);
    if (count == NULL)
        return false;
    *count += more;
    return true;
}
