/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/utf8.c: UTF-8 validation. Names and values of spans are nearly always ASCII, so that is the path made fast:
 * sixteen bytes a step. Everything else goes sequence by sequence. */
#include <string.h>

#include "lib/base/text.h"
#include "lib/base/utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

size_t sp_utf8_valid_prefix(struct sp_slice s)
{
    size_t pos = 0;
    while (pos < s.len) {
        while (s.len - pos >= 16) {
            uint64_t words[2];
            memcpy(words, s.ptr + pos, sizeof(words));
            if (((words[0] | words[1]) & HIGH_BITS) != 0) {
                break;
            }
            pos += 16;
        }
        /* Up to sixteen sequences before the fast path is tried again: text in other scripts stays in this loop. */
        for (int i = 0; i < 16 && pos < s.len; i++) {
            size_t step = sp_utf8_sequence(s.ptr + pos, s.len - pos);
            if (step == 0) {
                return pos;
            }
            pos += step;
        }
    }
    return pos;
}

bool sp_utf8_valid(struct sp_slice s)
{
    return sp_utf8_valid_prefix(s) == s.len;
}
