/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup_format.h: what the encodings of both kinds of rollups share: a checksum in front, and numbers that may be
 * negative. Internal to storage/rollup_*.c and storage/edge_*.c. */
#pragma once

#include "storage/pack.h"
#include "storage/rollup.h"

/* Numbers are on disk: another layout gets another one. */
#define SP_ROLLUP_FORMAT      2
#define SP_ROLLUP_FORMAT_1    1 /* without exemplars: read still */
#define SP_EDGE_ROLLUP_FORMAT 2

#define SP_CHECKSUM_BYTES 8
/* Any number, the same for ever. */
#define SP_ROLLUP_CHECKSUM_SEED UINT64_C(0x726f6c6c7570)

static inline uint64_t sp_zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

static inline int64_t sp_unzigzag(uint64_t number)
{
    return (int64_t)(number >> 1 ^ (0 - (number & 1)));
}

/* Room for the checksum, and the format. What is returned goes to sp_checked_end. */
static inline size_t sp_checked_begin(struct sp_buf *out, uint64_t format)
{
    static const uint8_t room[SP_CHECKSUM_BYTES];
    size_t start = out->len;
    sp_buf_append(out, room, sizeof(room));
    sp_pack_varint(format, out);
    return start;
}

/* out has no error. */
static inline void sp_checked_end(struct sp_buf *out, size_t start)
{
    struct sp_slice content = sp_slice_sub(sp_buf_slice(out), start + SP_CHECKSUM_BYTES, SIZE_MAX);
    uint64_t checksum = sp_checksum(content, SP_ROLLUP_CHECKSUM_SEED);
    for (size_t i = 0; i < SP_CHECKSUM_BYTES; i++)
        out->ptr[start + i] = (uint8_t)(checksum >> (8 * i));
}

/* Takes checksum and format off the front; false: damaged. */
SP_MUST_USE static inline bool sp_checked_open(struct sp_slice *in, uint64_t *ret_format)
{
    uint64_t checksum = 0;
    if (in->len < SP_CHECKSUM_BYTES)
        return false;
    for (size_t i = 0; i < SP_CHECKSUM_BYTES; i++)
        checksum |= (uint64_t)in->ptr[i] << (8 * i);
    *in = sp_slice_sub(*in, SP_CHECKSUM_BYTES, SIZE_MAX);
    return sp_checksum(*in, SP_ROLLUP_CHECKSUM_SEED) == checksum &&
           sp_unpack_varint(in, ret_format);
}

SP_MUST_USE static inline bool sp_unpack_u32(struct sp_slice *in, uint32_t *ret)
{
    uint64_t number;
    if (!sp_unpack_varint(in, &number) || number > UINT32_MAX)
        return false;
    *ret = (uint32_t)number;
    return true;
}

/* A number of things that follow, each of at least bytes_min bytes: so that damage cannot ask for much memory. */
SP_MUST_USE static inline bool sp_unpack_count(struct sp_slice *in, size_t bytes_min, uint32_t *ret)
{
    return sp_unpack_u32(in, ret) && *ret <= in->len / bytes_min;
}
