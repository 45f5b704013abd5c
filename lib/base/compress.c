/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/compress.c: Zstandard by libzstd. The only file that knows that library. */
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/base/compress.h"

#include <stdlib.h>

#define ROOM_MIN ((size_t)64 * 1024)

/* Room for what comes next: the content size if the frame tells it, within the ceiling; nothing left is no error yet. */
static size_t room_for(struct sp_slice rest, const struct sp_buf *out)
{
    size_t left = out->max - out->len, room = out->cap - out->len;
    if (room > 0)
        return room;
    room = out->len > ROOM_MIN ? out->len : ROOM_MIN;
    unsigned long long told = ZSTD_getFrameContentSize(rest.ptr, rest.len);
    if (told != ZSTD_CONTENTSIZE_UNKNOWN && told != ZSTD_CONTENTSIZE_ERROR &&
        told / 1024 <= rest.len && told > room)
        room = (size_t)told;
    return room < left ? room : left;
}

static enum sp_status failed(size_t result, size_t offset, int window_log_max,
                             struct sp_error *reterr)
{
    ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_frameParameter_windowTooLarge) {
        return sp_error_set_at(reterr, SP_LIMIT, offset,
                               "the zstd body needs a window above %d MiB",
                               (1 << window_log_max) >> 20);
    }
    if (code == ZSTD_error_memory_allocation)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a decompressor");
    if (code == ZSTD_error_prefix_unknown) {
        return sp_error_set_at(reterr, SP_MALFORMED, offset,
                               offset == 0 ? "the body is not zstd"
                                           : "bytes behind the end of the zstd body");
    }
    return sp_error_set_at(reterr, SP_MALFORMED, offset, "the zstd body is damaged: %s",
                           ZSTD_getErrorName(result));
}

static enum sp_status decompress(ZSTD_DCtx *context, struct sp_slice in, int window_log_max,
                                 struct sp_buf *out, struct sp_error *reterr)
{
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    size_t frame = 0; /* where the present frame began */
    for (size_t result = 1;;) {
        uint8_t beyond; /* at the ceiling: where a byte too many shows */
        size_t room = room_for(sp_slice_sub(in, from.pos, in.len - from.pos), out);
        uint8_t *ptr = room ? sp_buf_reserve(out, room) : &beyond;
        if (!ptr)
            return out->error;
        ZSTD_outBuffer to = {ptr, room ? room : 1, 0};
        size_t pos = from.pos;
        result = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(result))
            return failed(result, frame, window_log_max, reterr);
        if (room == 0 && to.pos > 0) {
            out->error = SP_LIMIT;
            return out->error;
        }
        out->len += to.pos;
        if (result == 0) {
            frame = from.pos;
            if (from.pos == in.len)
                return SP_OK;
        } else if (from.pos == in.len && to.pos < to.size) {
            return sp_error_set_at(reterr, SP_MALFORMED, in.len, "the zstd body is cut off");
        } else if (from.pos == pos && to.pos == 0 && room > 0) {
            return sp_error_set_at(reterr, SP_MALFORMED, pos, "the zstd body is damaged");
        }
    }
}

enum sp_status sp_zstd_decompress(struct sp_slice in, int window_log_max, struct sp_buf *out,
                                  struct sp_error *reterr)
{
    if (in.len == 0)
        return sp_error_set_at(reterr, SP_MALFORMED, 0, "the zstd body is empty");
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (!context)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a decompressor");
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, window_log_max);
    enum sp_status status = decompress(context, in, window_log_max, out, reterr);
    ZSTD_freeDCtx(context);
    return status;
}

enum sp_status sp_zstd_compress(struct sp_slice in, int level, struct sp_buf *out)
{
    size_t bound = ZSTD_compressBound(in.len);
    size_t room = bound < out->max - out->len ? bound : out->max - out->len;
    uint8_t *to = sp_buf_reserve(out, room);
    if (to) {
        size_t result = ZSTD_compress(to, room, in.ptr, in.len, level);
        if (!ZSTD_isError(result)) {
            out->len += result;
        } else {
            bool room_short = ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall;
            out->error = room_short ? SP_LIMIT : SP_NO_MEMORY;
        }
    }
    return out->error;
}

struct sp_zstd_packer {
    ZSTD_CCtx *context;
};

struct sp_zstd_packer *sp_zstd_packer_new(void)
{
    struct sp_zstd_packer *packer = calloc(1, sizeof(*packer));
    if (packer && !(packer->context = ZSTD_createCCtx())) {
        free(packer);
        return NULL;
    }
    if (packer)
        ZSTD_CCtx_setParameter(packer->context, ZSTD_c_contentSizeFlag, 0);
    return packer;
}

void sp_zstd_packer_free(struct sp_zstd_packer *packer)
{
    if (packer) {
        ZSTD_freeCCtx(packer->context);
        free(packer);
    }
}

size_t sp_zstd_pack(struct sp_zstd_packer *packer, int level, struct sp_slice in, uint8_t *out,
                    size_t room)
{
    ZSTD_CCtx_setParameter(packer->context, ZSTD_c_compressionLevel, level);
    size_t len = ZSTD_compress2(packer->context, out, room, in.ptr, in.len);
    return ZSTD_isError(len) ? 0 : len;
}

struct sp_zstd_unpacker {
    ZSTD_DCtx *context;
};

struct sp_zstd_unpacker *sp_zstd_unpacker_new(void)
{
    struct sp_zstd_unpacker *unpacker = calloc(1, sizeof(*unpacker));
    if (unpacker && !(unpacker->context = ZSTD_createDCtx())) {
        free(unpacker);
        return NULL;
    }
    return unpacker;
}

void sp_zstd_unpacker_free(struct sp_zstd_unpacker *unpacker)
{
    if (unpacker) {
        ZSTD_freeDCtx(unpacker->context);
        free(unpacker);
    }
}

bool sp_zstd_unpack(struct sp_zstd_unpacker *unpacker, struct sp_slice in, uint8_t *out, size_t len)
{
    /* One frame: libzstd would take several, and skippable ones that hold anything. */
    size_t frame = ZSTD_findFrameCompressedSize(in.ptr, in.len);
    if (ZSTD_isError(frame) || frame != in.len)
        return false;
    return ZSTD_decompressDCtx(unpacker->context, out, len, in.ptr, in.len) == len;
}
