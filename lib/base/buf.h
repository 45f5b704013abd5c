/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/buf.h: a growing byte buffer that cannot grow past its ceiling. Errors stick: after the first failure every
 * append does nothing, and the builder asks once, at the end. */
#pragma once

#include "lib/base/budget.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct sp_buf {
    uint8_t *ptr;
    size_t len, cap, max; /* bytes; len <= cap <= max */
    /* SP_OK, SP_LIMIT (would pass max), SP_NO_MEMORY, or what the account said; until sp_buf_reset */
    enum sp_status error;
    /* NULL, or charged before the buffer grows; set it behind sp_buf_init. It outlives the memory. */
    struct sp_account *account;
};

/* Starts empty, without memory. max_bytes is the ceiling. */
void sp_buf_init(struct sp_buf *buf, size_t max_bytes);
void sp_buf_fini(struct sp_buf *buf);  /* frees; NULL and an already finished buffer are fine */
void sp_buf_reset(struct sp_buf *buf); /* empties, clears the error, keeps the memory */

/* Moves memory (and the account it is charged to) from one to the other; *from becomes an empty buffer with the same ceiling. *to must be finished or new;
 * its ceiling becomes that of *from. */
void sp_buf_move(struct sp_buf *to, struct sp_buf *from);

/* Gives back the memory behind len. Out of memory leaves the buffer as it is. */
void sp_buf_trim(struct sp_buf *buf);

/* Makes room for more_bytes behind len and returns it, or NULL with the error set. The caller writes and then adds to
 * len. The pointer is valid until the next call on this buffer. */
uint8_t *sp_buf_reserve(struct sp_buf *buf, size_t more_bytes);

void sp_buf_append(struct sp_buf *buf, const void *bytes, size_t len);
void sp_buf_append_slice(struct sp_buf *buf, struct sp_slice s);
void sp_buf_append_cstr(struct sp_buf *buf, const char *string);
void sp_buf_append_byte(struct sp_buf *buf, uint8_t byte);
SP_PRINTF(2, 3) void sp_buf_printf(struct sp_buf *buf, const char *format, ...);

/* The content; the buffer's memory, valid until it is changed. */
static inline struct sp_slice sp_buf_slice(const struct sp_buf *buf)
{
    return sp_slice_make(buf->ptr, buf->len);
}
