/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/hash.h: a seeded 64-bit hash of bytes for tables in memory: not for disk, not for secrets. Keys come from the
 * network, so every table has a seed of its own. Internal to storage/. Knows nothing. */
#pragma once

#include "lib/base/base.h"

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

static inline uint64_t sp_hash(uint64_t seed, struct sp_slice s)
{
    uint64_t hash = sp_hash_mix(seed, s.len);
    uint64_t word;
    if (s.len < 8)
        return sp_hash_mix(sp_hash_mix(hash ^ seed, sp_hash_short(s.ptr, s.len)), seed);
    for (size_t at = 0; at < s.len - 8; at += 8) {
        memcpy(&word, s.ptr + at, 8);
        hash = sp_hash_mix(hash ^ seed, word);
    }
    memcpy(&word, s.ptr + s.len - 8, 8); /* may overlap with the one before */
    return sp_hash_mix(sp_hash_mix(hash ^ seed, word), seed);
}

uint64_t sp_hash_seed(void); /* a new random one */
