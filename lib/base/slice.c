/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/slice.c: the slice functions that are too long to be inline. */
#include "lib/base/slice.h"

struct sp_slice sp_slice_sub(struct sp_slice s, size_t from, size_t len)
{
    if (from >= s.len)
        return sp_slice_make(NULL, 0);
    size_t rest = s.len - from;
    return sp_slice_make(s.ptr + from, len < rest ? len : rest);
}

int sp_slice_compare(struct sp_slice a, struct sp_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static uint8_t ascii_lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool sp_slice_equal_nocase(struct sp_slice a, struct sp_slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    return true;
}

bool sp_slice_contains_nocase(struct sp_slice s, struct sp_slice part)
{
    for (size_t at = 0; at + part.len <= s.len; at++)
        if (sp_slice_equal_nocase(sp_slice_sub(s, at, part.len), part))
            return true;
    return false;
}

size_t sp_slice_find(struct sp_slice s, uint8_t byte)
{
    const uint8_t *found = s.len ? memchr(s.ptr, byte, s.len) : NULL;
    return found ? (size_t)(found - s.ptr) : s.len;
}

static bool ascii_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct sp_slice sp_slice_trim(struct sp_slice s)
{
    while (s.len && ascii_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && ascii_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}
