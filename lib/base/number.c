/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/number.c: floating-point numbers and text. The C library converts correctly but looks at the locale and takes
 * more than we want ("inf", "0x1p3", leading space); so the grammar and the layout are ours, the rounding is its. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/text.h"

/* sign digits [. digits] [e sign digits]; digits on at least one side of the point. mantissa and power are the number when
 * exact is set: mantissa below 2^53 and no digit lost. */
struct decimal {
    bool negative, exact;
    uint64_t mantissa;
    int64_t power;
};

static bool is_digit(struct sp_slice text, size_t pos)
{
    return pos < text.len && text.ptr[pos] >= '0' && text.ptr[pos] <= '9';
}

static size_t scan_digits(struct sp_slice text, size_t pos, struct decimal *decimal)
{
    for (; is_digit(text, pos); pos++)
        if (decimal->mantissa >= (UINT64_C(1) << 53) / 10)
            decimal->exact = false;
        else
            decimal->mantissa = decimal->mantissa * 10 + (text.ptr[pos] - (unsigned)'0');
    return pos;
}

static bool scan_decimal(struct sp_slice text, struct decimal *decimal)
{
    *decimal = (struct decimal){.exact = true};
    size_t pos = 0;
    if (text.len && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        decimal->negative = text.ptr[0] == '-';
        pos = 1;
    }
    size_t whole = pos;
    pos = scan_digits(text, pos, decimal);
    size_t digits = pos - whole;
    if (pos < text.len && text.ptr[pos] == '.') {
        size_t fraction = pos + 1;
        pos = scan_digits(text, fraction, decimal);
        digits += pos - fraction;
        decimal->power = -(int64_t)(pos - fraction);
    }
    if (digits == 0)
        return false;
    if (pos < text.len && (text.ptr[pos] | 0x20) == 'e') {
        pos++;
        bool minus = pos < text.len && text.ptr[pos] == '-';
        pos += pos < text.len && (text.ptr[pos] == '-' || text.ptr[pos] == '+');
        if (!is_digit(text, pos))
            return false;
        int64_t power = 0;
        for (; is_digit(text, pos); pos++)
            power = power < 100000 ? power * 10 + (text.ptr[pos] - '0') : power;
        decimal->power += minus ? -power : power;
    }
    return pos == text.len;
}

bool sp_parse_double(struct sp_slice text, double *ret)
{
    /* Powers of ten that a double holds exactly: one correctly rounded multiplication or division gives the result. */
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct decimal decimal;
    if (text.len > SP_DOUBLE_TEXT_MAX || !scan_decimal(text, &decimal))
        return false;
    double value;
    if (decimal.exact && decimal.power > -23 && decimal.power < 23) {
        value = (double)decimal.mantissa;
        value = decimal.power < 0 ? value / tens[-decimal.power] : value * tens[decimal.power];
        value = decimal.negative ? -value : value;
    } else {
        char copy[SP_DOUBLE_TEXT_MAX + 1];
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = 0;
        locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!locale)
            return false;
        value = strtod_l(copy, NULL, locale);
        freelocale(locale);
    }
    if (!isfinite(value))
        return false;
    *ret = value;
    return true;
}

/* The significant digits of a positive value, correctly rounded to at most count of them, without trailing zeros;
 * the value is 0.d1d2d3... * 10^*ret_point. Returns how many there are. */
static size_t round_digits(double value, int count, char *digits, int *ret_point)
{
    char text[40];
    snprintf(text, sizeof(text), "%.*e", count - 1, value);
    size_t len = 0;
    const char *at = text;
    for (; *at && *at != 'e'; at++) {
        /* Whatever the locale puts between the digits is skipped. */
        if (*at >= '0' && *at <= '9')
            digits[len++] = *at;
    }
    SP_ASSERT(*at == 'e');
    *ret_point = (int)strtol(at + 1, NULL, 10) + 1;
    while (len > 1 && digits[len - 1] == '0')
        len--;
    return len;
}

static size_t put(char *out, size_t len, const char *bytes, size_t count)
{
    memcpy(out + len, bytes, count);
    return len + count;
}

/* Writes digits as a JSON number: plain from 1e-6 up to 1e21, with an exponent outside. At most 25 bytes. */
static size_t lay_out(const char *digits, size_t count, int point, char *out)
{
    static const char zeros[] = "00000000000000000000000";
    int have = (int)count;
    if (point > 21 || point <= -6) {
        size_t len = put(out, 0, digits, 1);
        if (count > 1) {
            len = put(out, len, ".", 1);
            len = put(out, len, digits + 1, count - 1);
        }
        return len + (size_t)sprintf(out + len, "e%d", point - 1);
    }
    if (point <= 0) {
        size_t len = put(out, 0, "0.", 2);
        len = put(out, len, zeros, (size_t)-point);
        return put(out, len, digits, count);
    }
    if (point >= have) {
        size_t len = put(out, 0, digits, count);
        return put(out, len, zeros, (size_t)(point - have));
    }
    size_t len = put(out, 0, digits, (size_t)point);
    len = put(out, len, ".", 1);
    return put(out, len, digits + point, count - (size_t)point);
}

size_t sp_format_double(double value, char *out)
{
    SP_ASSERT(isfinite(value));
    size_t len = 0;
    if (signbit(value)) {
        out[len++] = '-';
        value = -value;
    }
    if (value == 0) {
        out[len++] = '0';
        return len;
    }
    /* Any decimal of fifteen digits survives the way through a normal double; subnormals hold fewer. */
    for (int count = value < DBL_MIN ? 1 : DBL_DIG;; count++) {
        char digits[24];
        int point;
        size_t digit_count = round_digits(value, count, digits, &point);
        size_t whole = len + lay_out(digits, digit_count, point, out + len);
        double back;
        if (count >= DBL_DECIMAL_DIG ||
            (sp_parse_double(sp_slice_make(out + len, whole - len), &back) && back == value))
            return whole;
    }
}
