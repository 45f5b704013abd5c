/* SPDX-License-Identifier: Apache-2.0
 *
 * Durations, sizes and points in time. */
#include <stdio.h>
#include <time.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

START_TEST(durations_are_read_exactly)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {{"0", 0},
                {"0s", 0},
                {"1ns", 1},
                {"100us", 100000},
                {"100µs", 100000},
                {"100\xce\xbcs", 100000}, /* Greek mu as well as the micro sign */
                {"250ms", 250000000},
                {"1.5s", 1500000000},
                {"0.000000001s", 1},
                {"0.0000000019s", 1},
                {"1h30m", UINT64_C(5400000000000)},
                {"2h", UINT64_C(7200000000000)},
                {"7d", UINT64_C(604800000000000)},
                {"1m30s", UINT64_C(90000000000)},
                {"0.1d", UINT64_C(8640000000000)},
                {"18446744073709551615ns", UINT64_MAX},
                {"18446744073.709551615s", UINT64_MAX},
                {"1.0000000000000000000000000001s", 1000000000}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        uint64_t ns;
        ck_assert_msg(sp_parse_duration_ns(sp_slice_cstr(rows[i].text), &ns), "%s", rows[i].text);
        ck_assert_msg(ns == rows[i].ns, "%s", rows[i].text);
    }
}
END_TEST

START_TEST(durations_refuse_nonsense_and_overflow)
{
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "1x",
                                      "1 s",
                                      " 1s",
                                      "1s ",
                                      "-1s",
                                      "+1s",
                                      "1.s",
                                      ".5s",
                                      "1e3s",
                                      "1s30",
                                      "1ss",
                                      "18446744073709551616ns",
                                      "18446744073.709551616s",
                                      "213504d",
                                      "18446744073709551615s",
                                      "99999999999999999999s",
                                      "213503d24h",
                                      "1H",
                                      "1 h"};
    uint64_t ns = 5;
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        ck_assert_msg(!sp_parse_duration_ns(sp_slice_cstr(bad[i]), &ns), "%s", bad[i]);
    }
    ck_assert_uint_eq(ns, 5);
}
END_TEST

START_TEST(durations_print_three_digits)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } rows[] = {{0, "0ns"},
                {1, "1ns"},
                {999, "999ns"},
                {1000, "1µs"},
                {45200, "45.2µs"},
                {999499, "999µs"},
                {999500, "1ms"},
                {310000000, "310ms"},
                {1280000000, "1.28s"},
                {9994999999, "9.99s"},
                {9995000000, "10s"},
                {59940000000, "59.9s"},
                {59960000000, "1m"},
                {90000000000, "1.5m"},
                {UINT64_C(5400000000000), "1.5h"},
                {UINT64_C(86399999999999), "1d"},
                {UINT64_MAX, "213504d"}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char text[32];
        size_t len = sp_format_duration(rows[i].ns, text);
        ck_assert_msg(sp_slice_equal_cstr(sp_slice_make(text, len), rows[i].text), "%.*s for %s",
                      (int)len, text, rows[i].text);
    }
}
END_TEST

START_TEST(printed_durations_are_within_half_a_percent)
{
    char text[32];
    for (uint64_t ns = 1; ns < UINT64_MAX / 8 * 7; ns = ns + ns / 7 + 1) {
        uint64_t back;
        size_t len = sp_format_duration(ns, text);
        ck_assert(sp_parse_duration_ns(sp_slice_make(text, len), &back));
        uint64_t off = back > ns ? back - ns : ns - back;
        ck_assert_msg(off <= ns / 180, "%llu became %.*s", (unsigned long long)ns, (int)len, text);
    }
}
END_TEST

START_TEST(sizes_are_read_exactly)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } rows[] = {{"0", 0},
                {"1024", 1024},
                {"1B", 1},
                {"500kB", 500000},
                {"64MiB", 64 << 20},
                {"1GiB", 1 << 30},
                {"1.5GiB", UINT64_C(3) << 29},
                {"2TB", UINT64_C(2000000000000)},
                {"1TiB", UINT64_C(1) << 40},
                {"3MB", 3000000},
                {"3GB", UINT64_C(3000000000)},
                {"7KiB", 7168},
                {"18446744073709551615", UINT64_MAX}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        uint64_t bytes;
        ck_assert_msg(sp_parse_bytes(sp_slice_cstr(rows[i].text), &bytes), "%s", rows[i].text);
        ck_assert_msg(bytes == rows[i].bytes, "%s", rows[i].text);
    }
    static const char *const bad[] = {"",
                                      "B",
                                      "-1",
                                      "1 MiB",
                                      "1mib",
                                      "1KB",
                                      "1.5",
                                      "1MiBx",
                                      "1MiB1MiB",
                                      "16777216TiB",
                                      "18446744073709551616",
                                      "1."};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        uint64_t bytes;
        ck_assert_msg(!sp_parse_bytes(sp_slice_cstr(bad[i]), &bytes), "%s", bad[i]);
    }
}
END_TEST

#define NOW UINT64_C(1700000000123456789)

START_TEST(times_are_read_in_every_form)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {{"now", NOW},
                {"now-15m", NOW - UINT64_C(900000000000)},
                {"now+1h", NOW + UINT64_C(3600000000000)},
                {"now-1h30m", NOW - UINT64_C(5400000000000)},
                {"1700000000", UINT64_C(1700000000000000000)},
                {"1700000000123", UINT64_C(1700000000123000000)},
                {"1700000000123456", UINT64_C(1700000000123456000)},
                {"1700000000123456789", NOW},
                {"0", 0},
                {"2023-11-14T22:13:20Z", UINT64_C(1700000000000000000)},
                {"2023-11-14t22:13:20z", UINT64_C(1700000000000000000)},
                {"2023-11-14T22:13:20.123456789Z", NOW},
                {"2023-11-14T22:13:20.1234567899999Z", NOW},
                {"2023-11-14T23:13:20+01:00", UINT64_C(1700000000000000000)},
                {"2023-11-14T16:43:20-05:30", UINT64_C(1700000000000000000)},
                {"1970-01-01T00:00:00Z", 0},
                {"1969-12-31T23:00:00-01:00", 0},
                {"2000-02-29T00:00:00Z", UINT64_C(951782400000000000)},
                {"2016-12-31T23:59:60Z", UINT64_C(1483228800000000000)},
                {"2554-07-21T23:34:33.709551615Z", UINT64_MAX}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        uint64_t ns;
        struct sp_error error;
        ck_assert_msg(sp_parse_time(sp_slice_cstr(rows[i].text), NOW, &ns, &error) == SP_OK, "%s",
                      rows[i].text);
        ck_assert_msg(ns == rows[i].ns, "%s", rows[i].text);
    }
}
END_TEST

START_TEST(times_refuse_what_they_cannot_mean)
{
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "now-",
                                      "now-15",
                                      "now 15m",
                                      "now-60y",
                                      "nowx",
                                      "now-20000d",
                                      "now+213503d",
                                      "-1",
                                      "1.5",
                                      "99999999999",
                                      "18446744073709551616",
                                      "2023-11-14",
                                      "2023-11-14T22:13:20",
                                      "2023-11-14 22:13:20Z",
                                      "2023-13-01T00:00:00Z",
                                      "2023-00-01T00:00:00Z",
                                      "2023-01-00T00:00:00Z",
                                      "2023-02-29T00:00:00Z",
                                      "2100-02-29T00:00:00Z",
                                      "2023-04-31T00:00:00Z",
                                      "2023-01-01T24:00:00Z",
                                      "2023-01-01T00:60:00Z",
                                      "2023-01-01T00:00:61Z",
                                      "2023-01-01T00:00:00.Z",
                                      "2023-01-01T00:00:00+0100",
                                      "2023-01-01T00:00:00+24:00",
                                      "2023-01-01T00:00:00Zx",
                                      "1969-12-31T23:59:59Z",
                                      "1970-01-01T00:00:00+01:00",
                                      "2554-07-21T23:34:33.709551616Z",
                                      "9999-12-31T23:59:59Z",
                                      "2023-1-01T00:00:00Z",
                                      "2023-01-01T00:00:00",
                                      "2023-01-01T-1:00:00Z"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        uint64_t ns = 5;
        struct sp_error error;
        ck_assert_msg(sp_parse_time(sp_slice_cstr(bad[i]), NOW, &ns, &error) == SP_INVALID_ARGUMENT,
                      "%s", bad[i]);
        ck_assert_uint_eq(ns, 5);
        ck_assert_ptr_nonnull(strstr(error.message, "expected RFC 3339"));
    }
}
END_TEST

START_TEST(times_print_as_the_c_library_counts_days_and_read_back)
{
    for (uint64_t ns = 0; ns < UINT64_MAX / 512 * 511; ns += UINT64_C(39876543210987) * 100) {
        char text[40], expected[40];
        size_t len = sp_format_time(ns, text);
        time_t seconds = (time_t)(ns / 1000000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        size_t head = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + head, sizeof(expected) - head, ".%09uZ", (unsigned)(ns % 1000000000));
        ck_assert(sp_slice_equal_cstr(sp_slice_make(text, len), expected));
        uint64_t back;
        ck_assert_int_eq(sp_parse_time(sp_slice_make(text, len), 0, &back, NULL), SP_OK);
        ck_assert_uint_eq(back, ns);
    }
    char text[40];
    ck_assert_uint_eq(sp_format_time(UINT64_C(1763812863120456789), text), 30);
    ck_assert_mem_eq(text, "2025-11-22T12:01:03.120456789Z", 30);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_time");
    TCase *tests = tcase_create("time");
    tcase_add_test(tests, durations_are_read_exactly);
    tcase_add_test(tests, durations_refuse_nonsense_and_overflow);
    tcase_add_test(tests, durations_print_three_digits);
    tcase_add_test(tests, printed_durations_are_within_half_a_percent);
    tcase_add_test(tests, sizes_are_read_exactly);
    tcase_add_test(tests, times_are_read_in_every_form);
    tcase_add_test(tests, times_refuse_what_they_cannot_mean);
    tcase_add_test(tests, times_print_as_the_c_library_counts_days_and_read_back);
    suite_add_tcase(suite, tests);
    return suite;
}
