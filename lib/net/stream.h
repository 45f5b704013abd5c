/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/stream.h: the bytes of a reply that is made over time, between the thread that makes them and the transport that sends
 * them. A ring of one size, taken from the budget of replies; behind it, at the end, the rest as it was handed over. Knows no protocol. */
#pragma once

#include <pthread.h>

#include "lib/net/net.h"

struct sp_reply_stream {
    pthread_mutex_t lock; /* of all below */
    uint8_t *ring;        /* SP_STREAM_BYTES_MAX */
    size_t begin, len;    /* what waits in it */
    bool ended;           /* rest is complete */
    struct sp_slice rest; /* what waits behind the ring: memory of the exchange's reply */
};

/* NULL: no memory. */
struct sp_reply_stream *sp_reply_stream_new(void);
void sp_reply_stream_free(struct sp_reply_stream *stream); /* NULL is fine */

/* All of bytes, or nothing. False: they do not fit now. */
bool sp_reply_stream_put(struct sp_reply_stream *stream, struct sp_slice bytes);
/* rest: borrowed until the stream is freed. */
void sp_reply_stream_end(struct sp_reply_stream *stream, struct sp_slice rest);

/* Moves up to max bytes to out. *ret_ended: none will follow what was moved so far, once this returns 0. */
size_t sp_reply_stream_take(struct sp_reply_stream *stream, void *out, size_t max, bool *ret_ended);
bool sp_reply_stream_has_ended(struct sp_reply_stream *stream);
size_t sp_reply_stream_waiting(struct sp_reply_stream *stream); /* bytes */
