/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/slice.h: borrowed bytes, passed by value. A slice never owns; whoever returns one says whose memory it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sp_slice {
    const uint8_t *ptr; /* may be NULL when len is 0 */
    size_t len;         /* bytes */
};

/* A slice of a string literal. */
#define SP_SLICE(literal) ((struct sp_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf: printf("%.*s", SP_SLICE_PRINTF(s)). Lengths are clamped to INT_MAX. */
#define SP_SLICE_PRINTF(s)                                                                         \
    ((s).len > 0x7fffffff ? 0x7fffffff : (int)(s).len), ((s).ptr ? (const char *)(s).ptr : "")

static inline struct sp_slice sp_slice_make(const void *ptr, size_t len)
{
    return (struct sp_slice){(const uint8_t *)ptr, len};
}

static inline struct sp_slice sp_slice_cstr(const char *string) /* NULL gives the empty slice */
{
    return sp_slice_make(string, string ? strlen(string) : 0);
}

static inline bool sp_slice_equal(struct sp_slice a, struct sp_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool sp_slice_equal_cstr(struct sp_slice a, const char *b)
{
    return sp_slice_equal(a, sp_slice_cstr(b));
}

static inline bool sp_slice_starts_with(struct sp_slice s, struct sp_slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Bytes [from, from + len) of s, cut at its end; from beyond the end gives the empty slice. */
struct sp_slice sp_slice_sub(struct sp_slice s, size_t from, size_t len);

/* Total order by bytes, shorter first on a common prefix: < 0, 0, > 0 as memcmp. */
int sp_slice_compare(struct sp_slice a, struct sp_slice b);

/* ASCII case-insensitive equality (header names, media types). */
bool sp_slice_equal_nocase(struct sp_slice a, struct sp_slice b);

/* Is part in s? Small and capital letters of ASCII are alike; the empty part is in all. */
bool sp_slice_contains_nocase(struct sp_slice s, struct sp_slice part);

/* Offset of the first occurrence of byte, or s.len. */
size_t sp_slice_find(struct sp_slice s, uint8_t byte);

/* Without leading and trailing ASCII space, tab, CR and LF. */
struct sp_slice sp_slice_trim(struct sp_slice s);
