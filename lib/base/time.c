/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/time.c: quantities with units (durations, bytes) and points in time. All arithmetic is on integers and checks
 * for overflow: a duration that does not fit is refused, not wrapped. */
#include <stdio.h>

#include "lib/base/text.h"

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  (1000 * NS_PER_US)
#define NS_PER_S   (1000 * NS_PER_MS)
#define NS_PER_MIN (60 * NS_PER_S)
#define NS_PER_H   (60 * NS_PER_MIN)
#define NS_PER_DAY (24 * NS_PER_H)

__extension__ typedef unsigned __int128 wide;

struct unit {
    const char *name;
    uint64_t size;
};

/* "m" stands behind "ms" and "B" behind all, because the first row that fits is taken. */
static const struct unit duration_units[] = {
    {"ns", 1},       {"us", NS_PER_US}, {"µs", NS_PER_US}, {"μs", NS_PER_US}, {"ms", NS_PER_MS},
    {"s", NS_PER_S}, {"m", NS_PER_MIN}, {"h", NS_PER_H},   {"d", NS_PER_DAY},
};

static const struct unit byte_units[] = {
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
    {"kB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000 * 1000 * 1000},
    {"TB", UINT64_C(1000) * 1000 * 1000 * 1000},
    {"B", 1},
};

static bool is_digit(struct sp_slice s, size_t pos)
{
    return pos < s.len && s.ptr[pos] >= '0' && s.ptr[pos] <= '9';
}

/* Takes digits[.digits]unit from the front of *text and adds it to *sum; exact, the rest below one is cut off. */
static bool take_quantity(struct sp_slice *text, const struct unit *units, size_t unit_count,
                          uint64_t *sum)
{
    enum { FRACTION_DIGITS_MAX = 18 }; /* 10^18 fits 64 bits; digits beyond count for nothing */
    size_t pos = 0;
    while (is_digit(*text, pos))
        pos++;
    uint64_t whole, fraction = 0, scale = 1;
    if (!sp_parse_u64(sp_slice_sub(*text, 0, pos), &whole))
        return false;
    if (pos < text->len && text->ptr[pos] == '.') {
        size_t first = ++pos;
        for (; is_digit(*text, pos); pos++) {
            if (pos - first < FRACTION_DIGITS_MAX) {
                fraction = fraction * 10 + (text->ptr[pos] - (unsigned)'0');
                scale *= 10;
            }
        }
        if (pos == first)
            return false;
    }
    *text = sp_slice_sub(*text, pos, text->len);
    for (size_t i = 0; i < unit_count; i++) {
        struct sp_slice name = sp_slice_cstr(units[i].name);
        if (!sp_slice_starts_with(*text, name))
            continue;
        wide value = (wide)whole * units[i].size + (wide)fraction * units[i].size / scale;
        if (value > UINT64_MAX - *sum)
            return false;
        *sum += (uint64_t)value;
        *text = sp_slice_sub(*text, name.len, text->len);
        return true;
    }
    return false;
}

bool sp_parse_duration_ns(struct sp_slice text, uint64_t *ret_ns)
{
    uint64_t sum = 0;
    if (!sp_slice_equal_cstr(text, "0")) {
        do {
            if (!take_quantity(&text, duration_units, SP_ARRAY_LEN(duration_units), &sum))
                return false;
        } while (text.len);
    }
    *ret_ns = sum;
    return true;
}

bool sp_parse_bytes(struct sp_slice text, uint64_t *ret_bytes)
{
    if (sp_parse_u64(text, ret_bytes))
        return true;
    uint64_t sum = 0;
    if (!take_quantity(&text, byte_units, SP_ARRAY_LEN(byte_units), &sum) || text.len)
        return false;
    *ret_bytes = sum;
    return true;
}

size_t sp_format_duration(uint64_t duration_ns, char *out)
{
    static const struct unit units[] = {
        {"ns", 1},         {"µs", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S},
        {"m", NS_PER_MIN}, {"h", NS_PER_H},   {"d", NS_PER_DAY},
    };
    size_t i = SP_ARRAY_LEN(units) - 1;
    while (i > 0 && duration_ns < units[i].size)
        i--;
    for (;; i++) {
        uint64_t size = units[i].size, whole = duration_ns / size;
        uint64_t tens = size == 1 || whole >= 100 ? 1 : whole >= 10 ? 10 : 100;
        uint64_t scaled = whole * tens + (duration_ns % size * tens + size / 2) / size;
        if (i + 1 < SP_ARRAY_LEN(units) && scaled / tens >= units[i + 1].size / size)
            continue; /* rounding has made it one of the next unit: 999.6ms is 1s */
        if (scaled >= 1000 && tens > 1) {
            scaled = scaled / 10; /* 9.999 has become 10.00 */
            tens /= 10;
        }
        int digits = tens == 1 ? 0 : tens == 10 ? 1 : 2;
        uint64_t fraction = scaled % tens;
        while (digits && fraction % 10 == 0) {
            fraction /= 10;
            digits--;
        }
        int len = sprintf(out, "%llu", (unsigned long long)(scaled / tens));
        if (digits)
            len += sprintf(out + len, ".%0*llu", digits, (unsigned long long)fraction);
        return (size_t)(len + sprintf(out + len, "%s", units[i].name));
    }
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. The year is counted from March, so that the leap day is its
 * last: then the days before a month are (153 * month + 2) / 5. Negative before 1970. */
static int64_t days_from_date(uint64_t year, unsigned month, unsigned day)
{
    uint64_t y = month > 2 ? year : year - 1;
    unsigned march_month = month > 2 ? month - 3 : month + 9;
    uint64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * march_month + 2) / 5 + day - 1;
    return (int64_t)days - 719468; /* 1970-01-01 in the same count */
}

static void date_from_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t since = days + 719468;                       /* days since 0000-03-01 */
    uint64_t era = since / 146097, rest = since % 146097; /* 400 years each */
    uint64_t y = (rest - rest / 1460 + rest / 36524 - rest / 146096) / 365;
    uint64_t in_year = rest - (365 * y + y / 4 - y / 100);
    unsigned march_month = (unsigned)((5 * in_year + 2) / 153);
    *day = (unsigned)(in_year - (153 * march_month + 2) / 5 + 1);
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = (unsigned)(era * 400 + y + (*month <= 2));
}

static bool take_number(struct sp_slice s, size_t pos, size_t digits, unsigned max, unsigned *ret)
{
    uint64_t value;
    if (pos > s.len || s.len - pos < digits ||
        !sp_parse_u64(sp_slice_sub(s, pos, digits), &value) || value > max)
        return false;
    *ret = (unsigned)value;
    return true;
}

static bool byte_at(struct sp_slice s, size_t pos, char byte)
{
    return pos < s.len && s.ptr[pos] == (uint8_t)byte;
}

/* Z, +hh:mm or -hh:mm as the whole rest of s from pos. *ret_s: seconds east of UTC. */
static bool parse_zone(struct sp_slice s, size_t pos, int64_t *ret_s)
{
    if (byte_at(s, pos, 'Z') || byte_at(s, pos, 'z')) {
        *ret_s = 0;
        return s.len == pos + 1;
    }
    unsigned hours, minutes;
    bool west = byte_at(s, pos, '-');
    if ((!west && !byte_at(s, pos, '+')) || s.len != pos + 6 || !byte_at(s, pos + 3, ':') ||
        !take_number(s, pos + 1, 2, 23, &hours) || !take_number(s, pos + 4, 2, 59, &minutes))
        return false;
    int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
    *ret_s = west ? -seconds : seconds;
    return true;
}

static bool parse_rfc3339(struct sp_slice s, uint64_t *ret_unix_ns)
{
    static const unsigned month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day, hour, minute, second;
    if (!take_number(s, 0, 4, 9999, &year) || !byte_at(s, 4, '-') ||
        !take_number(s, 5, 2, 12, &month) || !byte_at(s, 7, '-') ||
        !take_number(s, 8, 2, 31, &day) || !(byte_at(s, 10, 'T') || byte_at(s, 10, 't')) ||
        !take_number(s, 11, 2, 23, &hour) || !byte_at(s, 13, ':') ||
        !take_number(s, 14, 2, 59, &minute) || !byte_at(s, 16, ':') ||
        !take_number(s, 17, 2, 60, &second)) /* 60: a leap second is the next minute's first */
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    /* The last hours of 1969 in a zone west of Greenwich are 1970 in UTC. */
    if (year < 1969 || month < 1 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap))
        return false;
    size_t pos = 19;
    uint64_t ns = 0;
    if (byte_at(s, pos, '.')) {
        size_t first = ++pos;
        for (uint64_t scale = NS_PER_S / 10; is_digit(s, pos); pos++, scale /= 10)
            ns += (s.ptr[pos] - (unsigned)'0') * scale;
        if (pos == first)
            return false;
    }
    int64_t zone_s;
    if (!parse_zone(s, pos, &zone_s))
        return false;
    int64_t seconds =
        days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone_s;
    wide total = (wide)(uint64_t)seconds * NS_PER_S + ns;
    if (seconds < 0 || total > UINT64_MAX)
        return false;
    *ret_unix_ns = (uint64_t)total;
    return true;
}

static bool parse_unix(struct sp_slice s, uint64_t *ret_unix_ns)
{
    uint64_t value;
    uint64_t unit = s.len <= 11 ? NS_PER_S : s.len <= 14 ? NS_PER_MS : s.len <= 17 ? NS_PER_US : 1;
    return sp_parse_u64(s, &value) && !__builtin_mul_overflow(value, unit, ret_unix_ns);
}

static bool parse_now(struct sp_slice s, uint64_t now_unix_ns, uint64_t *ret_unix_ns)
{
    struct sp_slice rest = sp_slice_sub(s, 3, s.len);
    uint64_t shift;
    if (rest.len == 0) {
        *ret_unix_ns = now_unix_ns;
        return true;
    }
    bool back = rest.ptr[0] == '-';
    if ((!back && rest.ptr[0] != '+') ||
        !sp_parse_duration_ns(sp_slice_sub(rest, 1, rest.len), &shift))
        return false;
    return back ? !__builtin_sub_overflow(now_unix_ns, shift, ret_unix_ns)
                : !__builtin_add_overflow(now_unix_ns, shift, ret_unix_ns);
}

enum sp_status sp_parse_time(struct sp_slice text, uint64_t now_unix_ns, uint64_t *ret_unix_ns,
                             struct sp_error *reterr)
{
    uint64_t value;
    bool good = sp_slice_starts_with(text, SP_SLICE("now")) ? parse_now(text, now_unix_ns, &value)
                : sp_slice_find(text, '-') < text.len       ? parse_rfc3339(text, &value)
                                                            : parse_unix(text, &value);
    if (!good) {
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "'%.*s' is not a time between 1970 and 2554: expected RFC 3339 such as "
                            "2026-11-22T12:00:00Z, Unix seconds to nanoseconds, or now-15m",
                            SP_SLICE_PRINTF(sp_slice_sub(text, 0, 64)));
    }
    *ret_unix_ns = value;
    return SP_OK;
}

size_t sp_format_time(uint64_t unix_ns, char *out)
{
    unsigned year, month, day;
    date_from_days(unix_ns / NS_PER_DAY, &year, &month, &day);
    unsigned second = (unsigned)(unix_ns % NS_PER_DAY / NS_PER_S);
    int len = sprintf(out, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", year, month, day, second / 3600,
                      second / 60 % 60, second % 60, (unsigned)(unix_ns % NS_PER_S));
    return (size_t)len;
}
