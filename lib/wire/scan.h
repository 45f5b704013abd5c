/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/wire/scan.h: the protobuf wire format, one field at a time. Private to lib/wire. Knows nothing of messages.
 * Spec: protobuf.dev/programming-guides/encoding.
 *
 * It takes what protobuf-c takes (tests/fuzz/wire shows it), and is stricter in one point: field numbers are 1 to 2^29-1.
 * Groups (wire types 3 and 4) are refused: OTLP never used them. */
#pragma once

#include "lib/base/base.h"

enum sp_wire_type {
    SP_WIRE_VARINT = 0,
    SP_WIRE_I64 = 1,
    SP_WIRE_LEN = 2,
    SP_WIRE_I32 = 5,
};

/* What a field's key says: number and wire type in one, so that one switch checks both. */
#define SP_TAG(number, wire_type) (((uint32_t)(number) << 3) | (wire_type))

#define SP_FIELD_NUMBER_MAX ((1U << 29) - 1)

struct sp_scan {
    const uint8_t *at, *end;
};

struct sp_field {
    uint32_t tag;          /* SP_TAG */
    const uint8_t *begin;  /* first byte of the key */
    uint64_t number;       /* VARINT (cut to 64 bits), I64, I32 */
    struct sp_slice bytes; /* LEN: the content */
};

static inline struct sp_scan sp_scan_make(struct sp_slice s)
{
    return (struct sp_scan){s.ptr, s.len ? s.ptr + s.len : s.ptr};
}

/* At most ten bytes; what does not fit into 64 bits is cut off, as protobuf does. */
static inline bool sp_scan_varint(struct sp_scan *scan, uint64_t *ret)
{
    const uint8_t *at = scan->at;
    if (SP_LIKELY(at < scan->end && *at < 0x80)) {
        *ret = *at;
        scan->at = at + 1;
        return true;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; at < scan->end && shift < 70; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            scan->at = at;
            return true;
        }
    }
    return false;
}

/* The same for keys and lengths: at most five bytes. */
static inline bool sp_scan_varint32(struct sp_scan *scan, uint64_t *ret)
{
    const uint8_t *begin = scan->at;
    if (!sp_scan_varint(scan, ret) || scan->at - begin > 5) {
        scan->at = begin;
        return false;
    }
    return true;
}

/* Reads the next field; scan->at must be before its end. NULL, or what is wrong with it (static text). Inlined into each
 * message's loop, which gcc would not do by itself: this is where decoding spends its time, and a field then stays in registers. */
static inline __attribute__((always_inline)) const char *sp_scan_field(struct sp_scan *scan,
                                                                       struct sp_field *ret)
{
    uint64_t key, len;
    ret->begin = scan->at;
    if (SP_UNLIKELY(!sp_scan_varint32(scan, &key) || key > UINT32_MAX))
        return "the key of a field is not a number of 32 bits";
    if (SP_UNLIKELY(key < 8))
        return "a field has the number 0";
    ret->tag = (uint32_t)key;
    size_t left = (size_t)(scan->end - scan->at);
    switch (key & 7) {
    case SP_WIRE_LEN:
        if (SP_UNLIKELY(!sp_scan_varint32(scan, &len) || len > INT32_MAX))
            return "the length of a field is not a number of 31 bits";
        left = (size_t)(scan->end - scan->at);
        if (SP_UNLIKELY(len > left))
            return "the length of a field reaches past the end";
        ret->bytes = sp_slice_make(scan->at, (size_t)len);
        scan->at += len;
        return NULL;
    case SP_WIRE_VARINT:
        return SP_LIKELY(sp_scan_varint(scan, &ret->number))
                   ? NULL
                   : "a number is cut off or longer than ten bytes";
    case SP_WIRE_I64:
        if (SP_UNLIKELY(left < 8))
            return "a number of 64 bits is cut off";
        memcpy(&ret->number, scan->at, 8);
        scan->at += 8;
        return NULL;
    case SP_WIRE_I32: {
        uint32_t number;
        if (SP_UNLIKELY(left < 4))
            return "a number of 32 bits is cut off";
        memcpy(&number, scan->at, 4);
        ret->number = number;
        scan->at += 4;
        return NULL;
    }
    default:
        return "a field has a wire type that OTLP does not use";
    }
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "fixed-width fields are read as they lie in memory");
