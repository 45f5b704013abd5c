/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/utf8.c: UTF-8 validation. Names and values of spans are nearly always short and ASCII, so that is the path made
 * fast: a few overlapping words for a short text, sixteen bytes a step for a long one. Everything else goes sequence by
 * sequence. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/base/utf8.h"

#define HIGH_BITS       UINT64_C(0x8080808080808080)
#define SHORT_BYTES_MAX 64

size_t sp_utf8_valid_prefix(struct sp_slice s)
{
    size_t pos = 0;
    while (pos < s.len) {
        while (s.len - pos >= 16) {
            uint64_t words[2];
            memcpy(words, s.ptr + pos, sizeof(words));
            if (((words[0] | words[1]) & HIGH_BITS) != 0)
                break;
            pos += 16;
        }
        /* Up to sixteen sequences before the fast path is tried again: text in other scripts stays in this loop. */
        for (int i = 0; i < 16 && pos < s.len; i++) {
            size_t step = sp_utf8_sequence(s.ptr + pos, s.len - pos);
            if (step == 0)
                return pos;
            pos += step;
        }
    }
    return pos;
}

/* Whether len bytes, 1 to SHORT_BYTES_MAX, are all ASCII. The last word overlaps those before it, so there is no rest to
 * go through byte by byte. */
static bool short_is_ascii(const uint8_t *p, size_t len)
{
    if (len >= 8) {
        uint64_t seen = 0, word;
        for (size_t pos = 0; pos + 8 <= len; pos += 8) {
            memcpy(&word, p + pos, 8);
            seen |= word;
        }
        memcpy(&word, p + len - 8, 8);
        return ((seen | word) & HIGH_BITS) == 0;
    }
    if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        return ((first | last) & (uint32_t)HIGH_BITS) == 0;
    }
    return ((p[0] | p[len / 2] | p[len - 1]) & 0x80) == 0;
}

bool sp_utf8_valid(struct sp_slice s)
{
    if (s.len == 0 || (s.len <= SHORT_BYTES_MAX && short_is_ascii(s.ptr, s.len)))
        return true;
    return sp_utf8_valid_prefix(s) == s.len;
}
