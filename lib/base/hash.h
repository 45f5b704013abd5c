/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/hash.h: a seeded 64-bit hash of bytes for tables in memory: not for disk, not for secrets. Keys come from the
 * network, so every table has a seed of its own: with a known one somebody could send keys that all fall into one place. */
#pragma once

#include "lib/base/slice.h"

#include <string.h>

static inline uint64_t sp_hash_mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)(a ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xd6e8feb86659fd93ULL);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Fewer than 8 bytes as a number; different texts of one length give different ones. */
static inline uint64_t sp_hash_short(const uint8_t *ptr, size_t len)
{
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, ptr, 4);
        memcpy(&last, ptr + len - 4, 4);
        return (uint64_t)first << 32 | last;
    }
    return len == 0 ? 0 : (uint64_t)ptr[0] << 16 | (uint64_t)ptr[len / 2] << 8 | ptr[len - 1];
}

static inline uint64_t sp_hash_word(const uint8_t *ptr)
{
    uint64_t word;
    memcpy(&word, ptr, sizeof(word));
    return word;
}

static inline uint64_t sp_hash(uint64_t seed, struct sp_slice s)
{
    uint64_t hash = sp_hash_mix(seed, s.len);
    if (s.len < 8)
        return sp_hash_mix(sp_hash_mix(hash ^ seed, sp_hash_short(s.ptr, s.len)), seed);
    for (size_t at = 0; at < s.len - 8; at += 8)
        hash = sp_hash_mix(hash ^ seed, sp_hash_word(s.ptr + at));
    /* The last one may overlap with the one before. */
    return sp_hash_mix(sp_hash_mix(hash ^ seed, sp_hash_word(s.ptr + s.len - 8)), seed);
}

/* Of an id that was sent. */
static inline uint64_t sp_hash_id(uint64_t seed, uint64_t id)
{
    return sp_hash_mix(seed, id);
}

/* The same as sp_slice_equal, without a call for texts that are short, as most are. */
static inline bool sp_hash_equal(struct sp_slice a, struct sp_slice b)
{
    if (a.len != b.len)
        return false;
    if (a.len < 8)
        return sp_hash_short(a.ptr, a.len) == sp_hash_short(b.ptr, b.len);
    if (a.len > 32)
        return memcmp(a.ptr, b.ptr, a.len) == 0;
    const uint8_t *one = a.ptr + a.len, *two = b.ptr + b.len;
    uint64_t difference = (sp_hash_word(a.ptr) ^ sp_hash_word(b.ptr)) |
                          (sp_hash_word(one - 8) ^ sp_hash_word(two - 8));
    if (a.len > 16)
        difference |= (sp_hash_word(a.ptr + 8) ^ sp_hash_word(b.ptr + 8)) |
                      (sp_hash_word(one - 16) ^ sp_hash_word(two - 16));
    return difference == 0;
}

uint64_t sp_hash_seed(void); /* a new random one; a system call */

/* A table of so few slots may do without: keys that all fall into one place cost little there. */
#define SP_HASH_SMALL 256u

/* Zeroes for the slots of a table; free() gives them back. NULL: no memory. Each page is written once here: a look at a fresh one gives it
 * the page of zeroes that all share, and the write behind that costs another fault and stops the other threads for a moment. */
void *sp_hash_slots(size_t count, size_t size);
