/* SPDX-License-Identifier: Apache-2.0
 *
 * Hex, base64 and numbers. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

/* xorshift64*: the same sequence on every machine. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

START_TEST(hex_round_trips_and_takes_either_case)
{
    uint8_t bytes[256], back[256];
    char text[512];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    sp_hex_encode(sp_slice_make(bytes, 256), text);
    ck_assert_int_eq(memcmp(text + 20, "0a0b0c", 6), 0);
    ck_assert(sp_hex_decode(sp_slice_make(text, 512), back, 256));
    ck_assert_mem_eq(back, bytes, 256);
    ck_assert(sp_hex_decode(SP_SLICE("aBCdEf"), back, 3));
    ck_assert_mem_eq(back, "\xab\xcd\xef", 3);
}
END_TEST

START_TEST(hex_refuses_other_bytes_and_lengths)
{
    uint8_t out[2];
    for (int byte = 0; byte < 256; byte++) {
        char text[4] = {'0', (char)byte, '1', '2'};
        bool digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
                     (byte >= 'A' && byte <= 'F');
        ck_assert_int_eq(sp_hex_decode(sp_slice_make(text, 4), out, 2), digit);
    }
    ck_assert(!sp_hex_decode(SP_SLICE("abc"), out, 1));
    ck_assert(!sp_hex_decode(SP_SLICE("abc"), out, 2));
    ck_assert(!sp_hex_decode(SP_SLICE("abcd12"), out, 2));
    ck_assert(sp_hex_decode(SP_SLICE(""), out, 0));
}
END_TEST

START_TEST(base64_knows_the_vectors_of_rfc_4648)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        struct sp_buf buf;
        sp_buf_init(&buf, 100);
        sp_base64_encode(sp_slice_cstr(rows[i][0]), &buf);
        ck_assert(sp_slice_equal_cstr(sp_buf_slice(&buf), rows[i][1]));
        sp_buf_reset(&buf);
        ck_assert(sp_base64_decode(sp_slice_cstr(rows[i][1]), &buf));
        ck_assert(sp_slice_equal_cstr(sp_buf_slice(&buf), rows[i][0]));
        sp_buf_reset(&buf);
        struct sp_slice bare = sp_slice_cstr(rows[i][1]);
        bare.len = sp_slice_find(bare, '=');
        ck_assert(sp_base64_decode(bare, &buf));
        ck_assert(sp_slice_equal_cstr(sp_buf_slice(&buf), rows[i][0]));
        sp_buf_fini(&buf);
    }
}
END_TEST

START_TEST(base64_takes_both_alphabets_and_refuses_the_rest)
{
    struct sp_buf buf;
    sp_buf_init(&buf, 100);
    ck_assert(sp_base64_decode(SP_SLICE("+/-_"), &buf));
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&buf), "\xfb\xff\xbf"));
    static const char *const bad[] = {"A",    "AA=",  "AAA==", "=",    "====", "AAAAA", "A=AA",
                                      "AA A", "AA\n", "AAB=",  "AB==", "AB",   "AA=A",  "AA==AA=="};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        ck_assert_msg(!sp_base64_decode(sp_slice_cstr(bad[i]), &buf), "%s", bad[i]);
    }
    sp_buf_fini(&buf);
    sp_buf_init(&buf, 3);
    ck_assert(!sp_base64_decode(SP_SLICE("AAAAAAAA"), &buf)); /* the ceiling */
    ck_assert_int_eq(buf.error, SP_LIMIT);
    sp_buf_fini(&buf);
}
END_TEST

START_TEST(base64_round_trips_random_bytes)
{
    uint64_t seed = 1;
    struct sp_buf text, back;
    sp_buf_init(&text, 1000);
    sp_buf_init(&back, 1000);
    for (size_t len = 0; len < 300; len++) {
        uint8_t bytes[300];
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)random_next(&seed);
        }
        sp_buf_reset(&text);
        sp_buf_reset(&back);
        sp_base64_encode(sp_slice_make(bytes, len), &text);
        ck_assert(sp_base64_decode(sp_buf_slice(&text), &back));
        ck_assert(sp_slice_equal(sp_buf_slice(&back), sp_slice_make(bytes, len)));
    }
    sp_buf_fini(&text);
    sp_buf_fini(&back);
}
END_TEST

START_TEST(integers_stop_at_their_bounds)
{
    uint64_t u;
    int64_t i;
    ck_assert(sp_parse_u64(SP_SLICE("18446744073709551615"), &u) && u == UINT64_MAX);
    ck_assert(sp_parse_u64(SP_SLICE("007"), &u) && u == 7);
    ck_assert(sp_parse_i64(SP_SLICE("-9223372036854775808"), &i) && i == INT64_MIN);
    ck_assert(sp_parse_i64(SP_SLICE("9223372036854775807"), &i) && i == INT64_MAX);
    ck_assert(sp_parse_i64(SP_SLICE("-0"), &i) && i == 0);
    static const char *const bad[] = {"",    "+1",  " 1", "1 ", "1.0", "0x1",
                                      "1e3", "--1", "-",  "1:", "1/"};
    u = 5;
    i = 5;
    for (size_t n = 0; n < SP_ARRAY_LEN(bad); n++) {
        ck_assert_msg(!sp_parse_u64(sp_slice_cstr(bad[n]), &u), "%s", bad[n]);
        ck_assert_msg(!sp_parse_i64(sp_slice_cstr(bad[n]), &i), "%s", bad[n]);
    }
    ck_assert(!sp_parse_u64(SP_SLICE("18446744073709551616"), &u));
    ck_assert(!sp_parse_u64(SP_SLICE("99999999999999999999999"), &u));
    ck_assert(!sp_parse_u64(SP_SLICE("-1"), &u));
    ck_assert(!sp_parse_i64(SP_SLICE("9223372036854775808"), &i));
    ck_assert(!sp_parse_i64(SP_SLICE("-9223372036854775809"), &i));
    ck_assert(u == 5 && i == 5); /* written on success only */
}
END_TEST

START_TEST(doubles_are_read_as_the_c_library_reads_them)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "+1",
                                       "1.5",
                                       ".5",
                                       "5.",
                                       "1e22",
                                       "1e23",
                                       "1e-22",
                                       "123456789012345678901234567890",
                                       "9007199254740993",
                                       "2.2250738585072014e-308",
                                       "4.9e-324",
                                       "1e-400",
                                       "1.7976931348623157e308",
                                       "0.1",
                                       "0.30000000000000004",
                                       "179769313486231580793e288",
                                       "1E5",
                                       "1e+5",
                                       "000000000000000000001.5",
                                       "1e0000000000000000000000000000005",
                                       "6.0221e23",
                                       "0e999999999999"};
    for (size_t i = 0; i < SP_ARRAY_LEN(good); i++) {
        double value;
        ck_assert_msg(sp_parse_double(sp_slice_cstr(good[i]), &value), "%s", good[i]);
        double expected = strtod(good[i], NULL);
        ck_assert_msg(memcmp(&value, &expected, sizeof(value)) == 0, "%s", good[i]);
    }
    static const char *const bad[] = {"",       "-",     ".",     "e5",  "1e",  "1e+", "inf",
                                      "nan",    "NaN",   "0x1",   "1,5", " 1",  "1 ",  "1e400",
                                      "-1e400", "1.2.3", "1e5.5", "--1", "+-1", "1f"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        double value = 7;
        ck_assert_msg(!sp_parse_double(sp_slice_cstr(bad[i]), &value), "%s", bad[i]);
        ck_assert_double_eq(value, 7);
    }
    char text[SP_DOUBLE_TEXT_MAX + 2];
    memset(text, '1', sizeof(text));
    text[1] = '.';
    double value;
    ck_assert(sp_parse_double(sp_slice_make(text, SP_DOUBLE_TEXT_MAX), &value));
    ck_assert(!sp_parse_double(sp_slice_make(text, SP_DOUBLE_TEXT_MAX + 1), &value));
}
END_TEST

START_TEST(doubles_format_as_people_expect)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {{0, "0"},
                {-0.0, "-0"},
                {1, "1"},
                {-1.5, "-1.5"},
                {0.1, "0.1"},
                {0.1 + 0.2, "0.30000000000000004"},
                {100, "100"},
                {1e15, "1000000000000000"},
                {1e20, "100000000000000000000"},
                {1e21, "1e21"},
                {1e-6, "0.000001"},
                {1e-7, "1e-7"},
                {1.25e-9, "1.25e-9"},
                {123456.789, "123456.789"},
                {DBL_MAX, "1.7976931348623157e308"},
                {5e-324, "5e-324"},
                {DBL_MIN, "2.2250738585072014e-308"}};
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++) {
        char text[32];
        size_t len = sp_format_double(rows[i].value, text);
        ck_assert_msg(sp_slice_equal_cstr(sp_slice_make(text, len), rows[i].text), "%.*s for %s",
                      (int)len, text, rows[i].text);
    }
}
END_TEST

static void check_double(uint64_t bits)
{
    double value, back;
    memcpy(&value, &bits, sizeof(value));
    if (!isfinite(value)) {
        return;
    }
    char text[32];
    memset(text, '#', sizeof(text));
    size_t len = sp_format_double(value, text);
    ck_assert_uint_le(len, 25);
    ck_assert_int_eq(text[len + 1], '#'); /* one byte more may hold a terminating zero */
    if (!sp_parse_double(sp_slice_make(text, len), &back) || memcmp(&back, &value, sizeof(back))) {
        ck_abort_msg("%a became %.*s", value, (int)len, text);
    }
    /* Independent of our reader too. */
    text[len] = 0;
    back = strtod(text, NULL);
    ck_assert_int_eq(memcmp(&back, &value, sizeof(back)), 0);
}

START_TEST(doubles_round_trip_for_random_bit_patterns)
{
    uint64_t seed = 42;
    for (int i = 0; i < 30000; i++) {
        check_double(random_next(&seed));
    }
    for (int exponent = 0; exponent < 2047; exponent++) { /* powers of two and their neighbours */
        check_double((uint64_t)exponent << 52);
        check_double(((uint64_t)exponent << 52) + 1);
        check_double(((uint64_t)exponent << 52) - 1);
    }
}
END_TEST

START_TEST(short_decimals_stay_short)
{
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        char source[40], text[32];
        int decimals = (int)(random_next(&seed) % 6);
        snprintf(source, sizeof(source), "%.*f", decimals,
                 (double)(random_next(&seed) % 1000000) / 1000);
        double value = strtod(source, NULL);
        size_t len = sp_format_double(value, text);
        ck_assert_uint_le(len, strlen(source));
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_text");
    TCase *tests = tcase_create("text");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, hex_round_trips_and_takes_either_case);
    tcase_add_test(tests, hex_refuses_other_bytes_and_lengths);
    tcase_add_test(tests, base64_knows_the_vectors_of_rfc_4648);
    tcase_add_test(tests, base64_takes_both_alphabets_and_refuses_the_rest);
    tcase_add_test(tests, base64_round_trips_random_bytes);
    tcase_add_test(tests, integers_stop_at_their_bounds);
    tcase_add_test(tests, doubles_are_read_as_the_c_library_reads_them);
    tcase_add_test(tests, doubles_format_as_people_expect);
    tcase_add_test(tests, doubles_round_trip_for_random_bit_patterns);
    tcase_add_test(tests, short_decimals_stay_short);
    suite_add_tcase(suite, tests);
    return suite;
}
