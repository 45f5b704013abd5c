/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/gzip.c: gzip (RFC 1952) by libdeflate, whose whole-buffer interface is twice as fast as zlib's stream and fits
 * request bodies, which are complete before they are decoded. The only file that knows libdeflate.
 *
 * How large the content is stands behind it (ISIZE), and may be a lie: it is taken as a first guess, bounded by what
 * deflate can reach at all; a wrong guess is doubled and tried again, up to the ceiling. */
#include <libdeflate.h>

#include "lib/wire/codec.h"

#define MEMBER_BYTES_MIN 18   /* header 10, empty block at least 0, checksum and length 8 */
#define RATIO_MAX        1032 /* no deflate stream grows more */
#define GUESS_MIN        ((size_t)4096)

static size_t first_guess(struct sp_slice in, size_t room)
{
    const uint8_t *isize = in.ptr + in.len - 4;
    size_t guess =
        (size_t)isize[0] | (size_t)isize[1] << 8 | (size_t)isize[2] << 16 | (size_t)isize[3] << 24;
    size_t most = in.len > room / RATIO_MAX ? room : in.len * RATIO_MAX;
    guess = guess < GUESS_MIN ? GUESS_MIN : guess;
    return guess < most ? guess : most;
}

/* One member from the front of in; *ret_used is its length. */
static enum sp_status member(struct libdeflate_decompressor *decompressor, struct sp_slice in,
                             struct sp_buf *out, size_t *ret_used, struct sp_error *reterr)
{
    size_t room = out->cap - out->len;
    if (room < GUESS_MIN)
        room = first_guess(in, out->max - out->len);
    for (;;) {
        size_t written = 0;
        uint8_t *to = sp_buf_reserve(out, room);
        if (!to)
            return sp_decompress_no_room(out, reterr);
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(decompressor, in.ptr, in.len,
                                                                      to, room, ret_used, &written);
        if (result == LIBDEFLATE_SUCCESS) {
            out->len += written;
            return SP_OK;
        }
        if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
            return sp_error_set(reterr, SP_MALFORMED, "the gzip body is damaged or cut off");
        if (room == out->max - out->len) {
            out->error = SP_LIMIT;
            return sp_decompress_no_room(out, reterr);
        }
        room = room > (out->max - out->len) / 2 ? out->max - out->len : room * 2;
        room = room < GUESS_MIN && GUESS_MIN < out->max - out->len ? GUESS_MIN : room;
    }
}

enum sp_status sp_gzip_decompress(struct sp_slice in, struct sp_buf *out, struct sp_error *reterr)
{
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    if (!decompressor)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a decompressor");
    enum sp_status status = SP_OK;
    size_t pos = 0;
    do {
        struct sp_slice rest = sp_slice_sub(in, pos, in.len - pos);
        size_t used = 0;
        if (rest.len < 2 || rest.ptr[0] != 0x1f || rest.ptr[1] != 0x8b) {
            status = sp_error_set_at(reterr, SP_MALFORMED, pos,
                                     pos == 0 ? "the body is not gzip"
                                              : "bytes behind the end of the gzip body");
        } else if (rest.len < MEMBER_BYTES_MIN) {
            status = sp_error_set_at(reterr, SP_MALFORMED, in.len, "the gzip body is cut off");
        } else {
            status = member(decompressor, rest, out, &used, reterr);
        }
        pos += used;
    } while (status == SP_OK && pos < in.len);
    libdeflate_free_decompressor(decompressor);
    return status;
}

enum sp_status sp_gzip_compress(struct sp_slice in, int level, struct sp_buf *out)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(level);
    if (!compressor) {
        out->error = out->error == SP_OK ? SP_NO_MEMORY : out->error;
        return out->error;
    }
    size_t bound = libdeflate_gzip_compress_bound(compressor, in.len);
    size_t room = bound < out->max - out->len ? bound : out->max - out->len;
    uint8_t *to = sp_buf_reserve(out, room);
    if (to) {
        size_t written = libdeflate_gzip_compress(compressor, in.ptr, in.len, to, room);
        out->len += written;
        out->error = written > 0 ? out->error : SP_LIMIT;
    }
    libdeflate_free_compressor(compressor);
    return out->error;
}
