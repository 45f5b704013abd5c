/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/json_scan.h: the inner loop that JSON writer and reader share; for the base room only. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Length of the run at p that needs no look: no control character, quote or backslash, and no byte above 0x7f unless
 * high_is_plain. Eight bytes a step, then one by one. */
static inline size_t sp_json_plain_run(const uint8_t *p, size_t len, int high_is_plain)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    size_t pos = 0;
    for (; len - pos >= 8; pos += 8) {
        uint64_t word;
        memcpy(&word, p + pos, 8);
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        /* (x - n) & ~x has a high bit where a byte of x is below n; borrows reach only past such a byte. */
        uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                         ((backslash - ones) & ~backslash) | (high_is_plain ? 0 : word);
        found &= highs;
        if (found) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return pos + (size_t)__builtin_ctzll(found) / 8; /* the lowest is always a true one */
#else
            break;
#endif
        }
    }
    for (; pos < len; pos++) {
        uint8_t byte = p[pos];
        if (byte < 0x20 || byte == '"' || byte == '\\' || (byte > 0x7f && !high_is_plain))
            break;
    }
    return pos;
}
