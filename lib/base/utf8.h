/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/utf8.h: one UTF-8 sequence at a time, for the base room only; others use lib/base/text.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Length (1 to 4) of the well-formed sequence at the start of p, or 0 when there is none. The bounds of the second byte
 * are those of Unicode 15, table 3-7: they alone exclude overlong forms, surrogates and code points past U+10FFFF. */
static inline size_t sp_utf8_sequence(const uint8_t *p, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t first = p[0];
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    size_t need = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len < need)
        return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}
