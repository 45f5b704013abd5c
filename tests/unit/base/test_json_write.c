/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

static struct sp_buf buf;
static struct sp_json_writer writer;

static void setup(void)
{
    sp_buf_init(&buf, 1 << 20);
    sp_json_writer_init(&writer, &buf);
}

static void teardown(void)
{
    sp_buf_fini(&buf);
}

static void expect(const char *text)
{
    ck_assert_int_eq(buf.error, SP_OK);
    ck_assert_msg(sp_slice_equal_cstr(sp_buf_slice(&buf), text), "%.*s instead of %s",
                  SP_SLICE_PRINTF(sp_buf_slice(&buf)), text);
}

START_TEST(json_writer_places_commas_and_colons)
{
    sp_json_object_begin(&writer);
    sp_json_key(&writer, "a");
    sp_json_array_begin(&writer);
    sp_json_u64(&writer, 1);
    sp_json_array_begin(&writer);
    sp_json_array_end(&writer);
    sp_json_object_begin(&writer);
    sp_json_object_end(&writer);
    sp_json_null(&writer);
    sp_json_array_end(&writer);
    sp_json_key_slice(&writer, SP_SLICE("b"));
    sp_json_object_begin(&writer);
    sp_json_key(&writer, "c");
    sp_json_bool(&writer, true);
    sp_json_key(&writer, "d");
    sp_json_bool(&writer, false);
    sp_json_object_end(&writer);
    sp_json_object_end(&writer);
    expect("{\"a\":[1,[],{},null],\"b\":{\"c\":true,\"d\":false}}");
}
END_TEST

START_TEST(json_writer_writes_integers_at_once_as_one_by_one)
{
    enum { COUNT = 1000 };
    static int64_t values[COUNT];
    size_t n = 0;
    for (uint64_t power = 1; n < 100; power *= 10) {
        const uint64_t around[] = {power - 1, power, power + 1, 9 * power, 0 - power};
        for (size_t i = 0; i < SP_ARRAY_LEN(around); i++)
            values[n++] = (int64_t)around[i];
    }
    for (uint64_t bits = 0x9e3779b97f4a7c15u; n < COUNT;
         bits = bits * 6364136223846793005u + 1, n++)
        values[n] = (int64_t)(bits >> (n % 64));
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        struct sp_buf one_by_one;
        struct sp_json_writer plain;
        sp_buf_init(&one_by_one, SIZE_MAX);
        sp_json_writer_init(&plain, &one_by_one);
        sp_json_array_begin(&plain);
        for (n = 0; n < COUNT; n++) {
            if (is_signed)
                sp_json_i64(&plain, values[n]);
            else
                sp_json_u64(&plain, (uint64_t)values[n]);
        }
        sp_json_array_end(&plain);
        /* Also where the text just fits, and where one byte is missing. */
        for (size_t missing = 0; missing < 2; missing++) {
            struct sp_buf exact;
            sp_buf_init(&exact, one_by_one.len - missing);
            sp_json_writer_init(&writer, &exact);
            sp_json_array_begin(&writer);
            sp_json_integers(&writer, values, 3, is_signed);
            sp_json_integers(&writer, values, 0, is_signed);
            sp_json_integers(&writer, values + 3, COUNT - 3, is_signed);
            sp_json_array_end(&writer);
            ck_assert_int_eq(exact.error, missing ? SP_LIMIT : SP_OK);
            if (!missing)
                ck_assert(sp_slice_equal(sp_buf_slice(&exact), sp_buf_slice(&one_by_one)));
            sp_buf_fini(&exact);
        }
        sp_buf_fini(&one_by_one);
    }
}
END_TEST

START_TEST(json_writer_writes_every_kind_of_value)
{
    sp_json_array_begin(&writer);
    sp_json_i64(&writer, INT64_MIN);
    sp_json_i64(&writer, INT64_MAX);
    sp_json_u64(&writer, UINT64_MAX);
    sp_json_i64_string(&writer, -5);
    sp_json_u64_string(&writer, 0);
    sp_json_double(&writer, 0.1);
    sp_json_double(&writer, (double)NAN);
    sp_json_double(&writer, (double)INFINITY);
    sp_json_double(&writer, -(double)INFINITY);
    sp_json_hex(&writer, SP_SLICE("\x01\xab"));
    sp_json_base64(&writer, SP_SLICE("foob"));
    sp_json_raw(&writer, SP_SLICE("{\"x\":1}"));
    sp_json_cstr(&writer, "s");
    sp_json_string(&writer, sp_slice_cstr(NULL));
    sp_json_array_end(&writer);
    expect("[-9223372036854775808,9223372036854775807,18446744073709551615,\"-5\",\"0\",0.1,"
           "\"NaN\",\"Infinity\","
           "\"-Infinity\",\"01ab\",\"Zm9vYg==\",{\"x\":1},\"s\",\"\"]");
}
END_TEST

START_TEST(json_writer_escapes_what_must_be)
{
    sp_json_array_begin(&writer);
    sp_json_string(&writer, SP_SLICE("q\"b\\s/\b\f\n\r\t\v\x1f\x7f\0z"));
    sp_json_cstr(&writer, "a plain text longer than sixteen bytes, then \" and more of it behind");
    sp_json_cstr(&writer, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    sp_json_array_end(&writer);
    expect("[\"q\\\"b\\\\s/\\b\\f\\n\\r\\t\\u000b\\u001f\x7f\\u0000z\","
           "\"a plain text longer than sixteen bytes, then \\\" and more of it behind\","
           "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\"]");
}
END_TEST

START_TEST(json_writer_replaces_what_is_not_utf8)
{
    sp_json_array_begin(&writer);
    sp_json_cstr(&writer, "\xff");
    sp_json_cstr(&writer, "a\xe2\x82");
    sp_json_cstr(&writer, "\xed\xa0\x80z");
    sp_json_array_end(&writer);
    expect("[\"\xef\xbf\xbd\",\"a\xef\xbf\xbd\xef\xbf\xbd\","
           "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"]");
}
END_TEST

START_TEST(json_writer_reports_depth_from_data_as_a_limit)
{
    for (int i = 0; i < SP_JSON_DEPTH_MAX; i++) {
        sp_json_array_begin(&writer);
    }
    ck_assert_int_eq(buf.error, SP_OK);
    sp_json_object_begin(&writer); /* one too deep: nothing asserts, all calls stay balanced */
    sp_json_key(&writer, "k");
    sp_json_array_begin(&writer);
    sp_json_null(&writer);
    sp_json_array_end(&writer);
    sp_json_object_end(&writer);
    for (int i = 0; i < SP_JSON_DEPTH_MAX; i++) {
        sp_json_array_end(&writer);
    }
    ck_assert_int_eq(buf.error, SP_LIMIT);
    ck_assert_uint_eq(writer.depth, 0);
}
END_TEST

START_TEST(json_writer_leaves_errors_to_the_buffer)
{
    for (size_t max = 0; max < 60; max++) {
        struct sp_buf small;
        sp_buf_init(&small, max);
        sp_json_writer_init(&writer, &small);
        sp_json_object_begin(&writer);
        sp_json_key(&writer, "key");
        sp_json_cstr(&writer, "va\"lue\xff");
        sp_json_key(&writer, "hex");
        sp_json_hex(&writer, SP_SLICE("12345"));
        sp_json_object_end(&writer);
        const char *whole = "{\"key\":\"va\\\"lue\xef\xbf\xbd\",\"hex\":\"3132333435\"}";
        bool fits = max >= strlen(whole);
        ck_assert_int_eq(small.error, fits ? SP_OK : SP_LIMIT);
        ck_assert(!fits || sp_slice_equal_cstr(sp_buf_slice(&small), whole));
        sp_buf_fini(&small);
    }
}
END_TEST

START_TEST(json_writer_asserts_a_value_without_key)
{
    sp_json_object_begin(&writer);
    sp_json_null(&writer);
}
END_TEST

START_TEST(json_writer_asserts_a_key_in_an_array)
{
    sp_json_array_begin(&writer);
    sp_json_key(&writer, "k");
}
END_TEST

START_TEST(json_writer_asserts_a_wrong_end)
{
    sp_json_array_begin(&writer);
    sp_json_object_end(&writer);
}
END_TEST

START_TEST(json_writer_asserts_an_end_after_a_key)
{
    sp_json_object_begin(&writer);
    sp_json_key(&writer, "k");
    sp_json_object_end(&writer);
}
END_TEST

START_TEST(json_writer_asserts_a_second_document)
{
    sp_json_null(&writer);
    sp_json_null(&writer);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_json_write");
    TCase *tests = tcase_create("writer");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, json_writer_places_commas_and_colons);
    tcase_add_test(tests, json_writer_writes_integers_at_once_as_one_by_one);
    tcase_add_test(tests, json_writer_writes_every_kind_of_value);
    tcase_add_test(tests, json_writer_escapes_what_must_be);
    tcase_add_test(tests, json_writer_replaces_what_is_not_utf8);
    tcase_add_test(tests, json_writer_reports_depth_from_data_as_a_limit);
    tcase_add_test(tests, json_writer_leaves_errors_to_the_buffer);
    suite_add_tcase(suite, tests);
    const char *fork_mode = getenv("CK_FORK");
    if (!fork_mode || strcmp(fork_mode, "no") != 0) { /* what aborts needs a process of its own */
        TCase *misuse = tcase_create("misuse");
        tcase_add_checked_fixture(misuse, setup, teardown);
        tcase_add_test_raise_signal(misuse, json_writer_asserts_a_value_without_key, SIGABRT);
        tcase_add_test_raise_signal(misuse, json_writer_asserts_a_key_in_an_array, SIGABRT);
        tcase_add_test_raise_signal(misuse, json_writer_asserts_a_wrong_end, SIGABRT);
        tcase_add_test_raise_signal(misuse, json_writer_asserts_an_end_after_a_key, SIGABRT);
        tcase_add_test_raise_signal(misuse, json_writer_asserts_a_second_document, SIGABRT);
        suite_add_tcase(suite, misuse);
    }
    return suite;
}
