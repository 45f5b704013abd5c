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

static inline uint64_t sp_hash(uint64_t seed, struct sp_slice s)
{
    uint64_t hash = sp_hash_mix(seed, s.len);
    size_t at = 0;
    for (; s.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, s.ptr + at, 8);
        hash = sp_hash_mix(hash ^ seed, word);
    }
    if (at < s.len) {
        uint64_t word = 0;
        memcpy(&word, s.ptr + at, s.len - at);
        hash = sp_hash_mix(hash ^ seed, word);
    }
    return sp_hash_mix(hash, seed);
}

uint64_t sp_hash_seed(void); /* a new random one */
