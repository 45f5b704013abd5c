/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/stream.c: see lib/net/stream.h. */
#include "lib/net/stream.h"

#include <stdlib.h>

struct sp_reply_stream *sp_reply_stream_new(void)
{
    struct sp_reply_stream *stream = calloc(1, sizeof(*stream));
    uint8_t *ring = malloc(SP_STREAM_BYTES_MAX);
    if (!stream || !ring) {
        free(stream);
        free(ring);
        return NULL;
    }
    stream->ring = ring;
    pthread_mutex_init(&stream->lock, NULL);
    return stream;
}

void sp_reply_stream_free(struct sp_reply_stream *stream)
{
    if (!stream)
        return;
    pthread_mutex_destroy(&stream->lock);
    free(stream->ring);
    free(stream);
}

bool sp_reply_stream_put(struct sp_reply_stream *stream, struct sp_slice bytes)
{
    pthread_mutex_lock(&stream->lock);
    SP_ASSERT(!stream->ended);
    bool fits = bytes.len <= SP_STREAM_BYTES_MAX - stream->len;
    if (fits && bytes.len > 0) {
        size_t at = (stream->begin + stream->len) % SP_STREAM_BYTES_MAX;
        size_t first = SP_STREAM_BYTES_MAX - at;
        first = bytes.len < first ? bytes.len : first;
        memcpy(stream->ring + at, bytes.ptr, first);
        if (bytes.len > first)
            memcpy(stream->ring, bytes.ptr + first, bytes.len - first);
        stream->len += bytes.len;
    }
    pthread_mutex_unlock(&stream->lock);
    return fits;
}

void sp_reply_stream_end(struct sp_reply_stream *stream, struct sp_slice rest)
{
    pthread_mutex_lock(&stream->lock);
    SP_ASSERT(!stream->ended);
    stream->rest = rest;
    stream->ended = true;
    pthread_mutex_unlock(&stream->lock);
}

/* A piece of the ring, or of what is behind it; never of both. */
size_t sp_reply_stream_take(struct sp_reply_stream *stream, void *out, size_t max, bool *ret_ended)
{
    pthread_mutex_lock(&stream->lock);
    struct sp_slice piece = stream->rest;
    bool of_ring = stream->len > 0;
    if (of_ring) {
        size_t straight = SP_STREAM_BYTES_MAX - stream->begin;
        piece = sp_slice_make(stream->ring + stream->begin,
                              stream->len < straight ? stream->len : straight);
    }
    size_t len = piece.len < max ? piece.len : max;
    if (len > 0)
        memcpy(out, piece.ptr, len);
    if (of_ring) {
        stream->begin = (stream->begin + len) % SP_STREAM_BYTES_MAX;
        stream->len -= len;
    } else {
        stream->rest = sp_slice_sub(piece, len, piece.len);
    }
    *ret_ended = stream->ended && stream->len == 0 && stream->rest.len == 0;
    pthread_mutex_unlock(&stream->lock);
    return len;
}

bool sp_reply_stream_has_ended(struct sp_reply_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool ended = stream->ended;
    pthread_mutex_unlock(&stream->lock);
    return ended;
}

size_t sp_reply_stream_waiting(struct sp_reply_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t waiting = stream->len + stream->rest.len;
    pthread_mutex_unlock(&stream->lock);
    return waiting;
}
