/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/proto_build.h: protobuf messages by hand, right or wrong, for tests of decoders. */
#pragma once

#include "lib/base/base.h"

static inline void pb_varint(struct sp_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        sp_buf_append_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    sp_buf_append_byte(out, (uint8_t)value);
}

static inline void pb_number(struct sp_buf *out, uint32_t field, uint64_t value)
{
    pb_varint(out, (uint64_t)field << 3);
    pb_varint(out, value);
}

static inline void pb_fixed64(struct sp_buf *out, uint32_t field, uint64_t value)
{
    pb_varint(out, (uint64_t)field << 3 | 1);
    sp_buf_append(out, &value, 8);
}

static inline void pb_fixed32(struct sp_buf *out, uint32_t field, uint32_t value)
{
    pb_varint(out, (uint64_t)field << 3 | 5);
    sp_buf_append(out, &value, 4);
}

static inline void pb_bytes(struct sp_buf *out, uint32_t field, struct sp_slice bytes)
{
    pb_varint(out, (uint64_t)field << 3 | 2);
    pb_varint(out, bytes.len);
    sp_buf_append_slice(out, bytes);
}

/* Puts what inner holds into out as a message field, and empties inner. */
static inline void pb_message(struct sp_buf *out, uint32_t field, struct sp_buf *inner)
{
    pb_bytes(out, field, sp_buf_slice(inner));
    sp_buf_reset(inner);
}
