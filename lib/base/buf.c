/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/buf.c: the growing buffer. It doubles, never past its ceiling; the first error sticks. */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 256

void sp_buf_init(struct sp_buf *buf, size_t max_bytes)
{
    *buf = (struct sp_buf){.max = max_bytes};
}

void sp_buf_fini(struct sp_buf *buf)
{
    if (!buf)
        return;
    free(buf->ptr);
    if (buf->account)
        sp_account_give(buf->account, buf->cap);
    buf->ptr = NULL;
    buf->len = buf->cap = 0;
    buf->error = SP_OK;
}

void sp_buf_reset(struct sp_buf *buf)
{
    buf->len = 0;
    buf->error = SP_OK;
}

void sp_buf_move(struct sp_buf *to, struct sp_buf *from)
{
    SP_ASSERT(to != from);
    *to = *from;
    sp_buf_init(from, to->max);
}

void sp_buf_trim(struct sp_buf *buf)
{
    if (buf->len == buf->cap)
        return;
    uint8_t *trimmed = buf->len > 0 ? realloc(buf->ptr, buf->len) : NULL;
    if (buf->len > 0 && !trimmed)
        return;
    if (buf->len == 0)
        free(buf->ptr);
    if (buf->account)
        sp_account_give(buf->account, buf->cap - buf->len);
    buf->ptr = trimmed;
    buf->cap = buf->len;
}

static bool buf_grow(struct sp_buf *buf, size_t more_bytes)
{
    if (more_bytes > buf->max - buf->len) {
        buf->error = SP_LIMIT;
        return false;
    }
    size_t need = buf->len + more_bytes;
    size_t cap = buf->cap > buf->max / 2 ? buf->max : buf->cap * 2;
    if (cap < CAP_MIN)
        cap = CAP_MIN < buf->max ? CAP_MIN : buf->max;
    if (cap < need)
        cap = need;
    if (buf->account) {
        buf->error = sp_account_take(buf->account, cap - buf->cap);
        if (buf->error != SP_OK)
            return false;
    }
    uint8_t *grown = realloc(buf->ptr, cap);
    if (!grown) {
        buf->error = SP_NO_MEMORY;
        if (buf->account)
            sp_account_give(buf->account, cap - buf->cap);
        return false;
    }
    buf->ptr = grown;
    buf->cap = cap;
    return true;
}

uint8_t *sp_buf_reserve(struct sp_buf *buf, size_t more_bytes)
{
    /* What an empty buffer points to when nothing is asked of it; never written. */
    static uint8_t nothing;

    if (SP_UNLIKELY(buf->error != SP_OK))
        return NULL;
    if (more_bytes > buf->cap - buf->len && !buf_grow(buf, more_bytes))
        return NULL;
    return buf->ptr ? buf->ptr + buf->len : &nothing;
}

void sp_buf_append(struct sp_buf *buf, const void *bytes, size_t len)
{
    uint8_t *out = len ? sp_buf_reserve(buf, len) : NULL;
    if (out) {
        memcpy(out, bytes, len);
        buf->len += len;
    }
}

void sp_buf_append_slice(struct sp_buf *buf, struct sp_slice s)
{
    sp_buf_append(buf, s.ptr, s.len);
}

void sp_buf_append_cstr(struct sp_buf *buf, const char *string)
{
    sp_buf_append(buf, string, strlen(string));
}

void sp_buf_append_byte(struct sp_buf *buf, uint8_t byte)
{
    uint8_t *out = sp_buf_reserve(buf, 1);
    if (out) {
        *out = byte;
        buf->len++;
    }
}

void sp_buf_printf(struct sp_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char small[256];
    int len = vsnprintf(small, sizeof(small), format, args);
    SP_ASSERT(len >= 0);
    if ((size_t)len < sizeof(small)) {
        sp_buf_append(buf, small, (size_t)len);
    } else if (buf->error == SP_OK) {
        /* vsnprintf wants room for a terminating zero that the buffer's ceiling need not have. */
        char *large = malloc((size_t)len + 1);
        if (large && (size_t)len <= buf->max - buf->len) {
            vsnprintf(large, (size_t)len + 1, format, again);
            sp_buf_append(buf, large, (size_t)len);
        } else {
            buf->error = large ? SP_LIMIT : SP_NO_MEMORY;
        }
        free(large);
    }
    va_end(again);
    va_end(args);
}
