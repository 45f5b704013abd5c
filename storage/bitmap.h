/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/bitmap.h: sets of rows as words of 64 bits, row 0 lowest in the first word; bits behind the last row are 0. Internal
 * to storage/. Knows nothing. */
#pragma once

#include "lib/base/base.h"

/* How many of some things: ascending, so that the larger of two is the more. */
enum sp_share {
    SP_SHARE_NONE,
    SP_SHARE_SOME, /* or not known */
    SP_SHARE_ALL,
};

static inline size_t sp_bitmap_words(uint32_t count)
{
    return ((size_t)count + 63) / 64;
}

/* Eight bytes, each 0 or 1, as eight bits: the factor moves bit 8 * i to bit 56 + i, and no two meet. */
static inline uint64_t sp_bitmap_pack8(const uint8_t *bytes)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte i is bits 8 * i and up");
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return (word * 0x0102040810204080U) >> 56;
}

/* Adds rows whose byte is 1 (not 0). */
static inline void sp_bitmap_add_bytes(uint64_t *rows, const uint8_t *bytes, uint32_t count)
{
    uint32_t i = 0;
    for (; i + 8 <= count; i += 8)
        rows[i / 64] |= sp_bitmap_pack8(bytes + i) << (i % 64);
    for (; i < count; i++)
        rows[i / 64] |= (uint64_t)bytes[i] << (i % 64);
}

static inline void sp_bitmap_fill(uint64_t *rows, uint32_t count)
{
    memset(rows, 0xff, sp_bitmap_words(count) * sizeof(*rows));
    if (count % 64 != 0)
        rows[count / 64] = ((uint64_t)1 << (count % 64)) - 1;
}

static inline bool sp_bitmap_has(const uint64_t *rows, uint32_t row)
{
    return (rows[row / 64] >> (row % 64) & 1) != 0;
}

/* How many of the rows [first, end) are in it. */
static inline uint32_t sp_bitmap_count(const uint64_t *rows, uint32_t first, uint32_t end)
{
    uint32_t count = 0;
    while (first < end) {
        uint32_t bits = 64 - first % 64 < end - first ? 64 - first % 64 : end - first;
        uint64_t mask = (UINT64_MAX >> (64 - bits)) << (first % 64);
        count += (uint32_t)__builtin_popcountll(rows[first / 64] & mask);
        first += bits;
    }
    return count;
}

/* Is one of the rows [first, end) in it? */
static inline bool sp_bitmap_any(const uint64_t *rows, uint32_t first, uint32_t end)
{
    uint64_t found = 0;
    while (first < end && found == 0) {
        uint32_t bits = 64 - first % 64 < end - first ? 64 - first % 64 : end - first;
        found = rows[first / 64] & (UINT64_MAX >> (64 - bits)) << (first % 64);
        first += bits;
    }
    return found != 0;
}
