/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/filter.c: one block of 256 bits a key, one bit in each of its eight words: one cache line a question. Knows no
 * spans. */
#include "storage/filter.h"

#define WORDS 8
/* Questions are independent of each other: the memory of so many is fetched at once. */
#define AHEAD 8

/* Odd numbers that spread the lower half of a hash over the words. They are on disk. */
static const uint32_t multipliers[WORDS] = {0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f,
                                            0x165667b1, 0xd3a2646d, 0xfd7046c5, 0xb55a4f09};

uint64_t sp_filter_hash(const struct sp_trace_id *id)
{
    return sp_checksum(sp_slice_make(id->bytes, sizeof(id->bytes)), 0);
}

static uint32_t bit_of(uint64_t hash, int word)
{
    return 1u << (((uint32_t)hash * multipliers[word]) >> 27);
}

static size_t block_of(uint64_t hash, uint32_t block_count)
{
    return (size_t)(((hash >> 32) * block_count) >> 32) * WORDS;
}

uint32_t sp_filter_block_count(uint32_t trace_count, uint32_t bits_per_trace)
{
    return (uint32_t)(((uint64_t)trace_count * bits_per_trace + 255) / 256) + (trace_count == 0);
}

void sp_filter_add(uint32_t *words, uint32_t block_count, const uint64_t *hashes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(words + block_of(hashes[i + AHEAD], block_count), 1);
        uint32_t *block = words + block_of(hashes[i], block_count);
        for (int w = 0; w < WORDS; w++)
            block[w] |= bit_of(hashes[i], w);
    }
}

bool sp_filter_make(const uint64_t *hashes, uint32_t count, struct sp_arena *arena,
                    struct sp_filter *ret)
{
    uint32_t block_count = sp_filter_block_count(count, SP_FILTER_BITS_PER_TRACE);
    uint32_t *words = sp_arena_calloc(arena, (size_t)block_count * WORDS, sizeof(*words));
    if (words == NULL)
        return false;
    sp_filter_add(words, block_count, hashes, count);
    *ret = (struct sp_filter){.words = words, .block_count = block_count};
    return true;
}

bool sp_filter_has(const struct sp_filter *filter, uint64_t hash)
{
    const uint32_t *block = filter->words + block_of(hash, filter->block_count);
    /* Nine of ten that are not there are known by the first two words. */
    for (int w = 0; w < WORDS; w += 2) {
        if (((~block[w] & bit_of(hash, w)) | (~block[w + 1] & bit_of(hash, w + 1))) != 0)
            return false;
    }
    return true;
}

size_t sp_filter_select(const struct sp_filter *filter, const uint64_t *hashes, size_t count,
                        uint32_t *ret)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        if (i + AHEAD < count)
            __builtin_prefetch(filter->words + block_of(hashes[i + AHEAD], filter->block_count));
        if (sp_filter_has(filter, hashes[i]))
            ret[found++] = (uint32_t)i;
    }
    return found;
}
