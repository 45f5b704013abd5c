/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/text.c: hex, base64 and integers. Numbers with a point are in number.c, durations and times in time.c, UTF-8
 * in utf8.c. */
#include "lib/base/text.h"

static const char hex_digits[] = "0123456789abcdef";

void sp_hex_encode(struct sp_slice s, char *out)
{
    for (size_t i = 0; i < s.len; i++) {
        out[2 * i] = hex_digits[s.ptr[i] >> 4];
        out[2 * i + 1] = hex_digits[s.ptr[i] & 0xf];
    }
}

/* 0 to 15, or a number above 15 for what is no hex digit. */
static unsigned hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - (unsigned)'0';
    unsigned lower = digit | 0x20u;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 0xff;
}

bool sp_hex_decode(struct sp_slice text, uint8_t *out, size_t out_len)
{
    if (text.len % 2 != 0 || text.len / 2 != out_len)
        return false;
    unsigned seen = 0;
    for (size_t i = 0; i < out_len; i++) {
        unsigned high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);
        seen |= high | low;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return seen <= 15;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sp_base64_encode(struct sp_slice s, struct sp_buf *out)
{
    size_t groups = s.len / 3 + (s.len % 3 != 0);
    uint8_t *text = groups <= SIZE_MAX / 4 ? sp_buf_reserve(out, groups * 4) : NULL;
    if (!text)
        return;
    out->len += groups * 4;
    for (size_t i = 0; i < s.len; i += 3, text += 4) {
        size_t have = s.len - i < 3 ? s.len - i : 3;
        uint32_t bits = (uint32_t)s.ptr[i] << 16;
        bits |= have > 1 ? (uint32_t)s.ptr[i + 1] << 8 : 0;
        bits |= have > 2 ? s.ptr[i + 2] : 0;
        text[0] = (uint8_t)base64_digits[bits >> 18];
        text[1] = (uint8_t)base64_digits[bits >> 12 & 63];
        text[2] = have > 1 ? (uint8_t)base64_digits[bits >> 6 & 63] : '=';
        text[3] = have > 2 ? (uint8_t)base64_digits[bits & 63] : '=';
    }
}

/* 0 to 63 in either alphabet, or a number above 63. */
static unsigned base64_value(uint8_t digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - (unsigned)'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - (unsigned)'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - (unsigned)'0' + 52;
    if (digit == '+' || digit == '-')
        return 62;
    return digit == '/' || digit == '_' ? 63 : 0xff;
}

bool sp_base64_decode(struct sp_slice text, struct sp_buf *out)
{
    /* Padding, if there is any, fills the last group of four exactly. */
    size_t digits = text.len;
    while (digits && text.len - digits < 2 && text.ptr[digits - 1] == '=')
        digits--;
    if ((digits != text.len && text.len % 4 != 0) || digits % 4 == 1)
        return false;
    uint8_t *bytes = sp_buf_reserve(out, digits / 4 * 3 + 2);
    if (!bytes)
        return false;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned value = base64_value(text.ptr[i]);
        if (value > 63)
            return false;
        bits = bits << 6 | value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            bytes[len++] = (uint8_t)(bits >> bit_count);
        }
    }
    /* Bits that no byte uses are zero in canonical base64; others would let two texts mean the same bytes. */
    if ((bits & ((1u << bit_count) - 1)) != 0)
        return false;
    out->len += len;
    return true;
}

bool sp_parse_u64(struct sp_slice text, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = text.ptr[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    if (text.len == 0)
        return false;
    *ret = value;
    return true;
}

bool sp_parse_i64(struct sp_slice text, int64_t *ret)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t magnitude;
    if (!sp_parse_u64(sp_slice_sub(text, negative, text.len), &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    /* Negated as unsigned, because -INT64_MIN does not exist. */
    *ret = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}
