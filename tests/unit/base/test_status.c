/* SPDX-License-Identifier: Apache-2.0
 *
 * The status table against the rules of the OTLP specification, and errors as text. */
#include <stdio.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

static const enum sp_status all[] = {
#define SP_STATUS(name, text, http, grpc, retryable) SP_##name,
#include "lib/base/status.def"
#undef SP_STATUS
};

START_TEST(status_zero_is_ok)
{
    ck_assert_int_eq(SP_OK, 0);
    ck_assert_int_eq(sp_status_http(SP_OK), 200);
    ck_assert_int_eq(sp_status_grpc(SP_OK), 0);
    ck_assert_str_eq(sp_status_name(SP_MALFORMED), "MALFORMED");
}
END_TEST

/* The codes on which an OTLP client sends again are written out here from the specification, apart from the table. */
START_TEST(status_retryable_agrees_with_otlp_over_http_and_grpc)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(all); i++) {
        int http = sp_status_http(all[i]), grpc = sp_status_grpc(all[i]);
        bool http_retries = http == 429 || http == 502 || http == 503 || http == 504;
        bool grpc_retries =
            grpc == 1 || grpc == 4 || grpc == 10 || grpc == 11 || grpc == 14 || grpc == 15;
        ck_assert_msg(http_retries == sp_status_retryable(all[i]), "%s", sp_status_name(all[i]));
        ck_assert_msg(grpc_retries == sp_status_retryable(all[i]), "%s", sp_status_name(all[i]));
    }
}
END_TEST

START_TEST(status_rows_are_in_range_and_distinct)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(all); i++) {
        ck_assert_uint_eq((size_t)all[i], i);
        ck_assert_int_ge(sp_status_http(all[i]), 200);
        ck_assert_int_le(sp_status_http(all[i]), 599);
        ck_assert_int_ge(sp_status_grpc(all[i]), 0);
        ck_assert_int_le(sp_status_grpc(all[i]), 16);
        ck_assert_int_eq(sp_status_http(all[i]) == 200, all[i] == SP_OK);
        ck_assert_int_gt(strlen(sp_status_text(all[i])), 0);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(sp_status_text(all[i]), sp_status_text(all[j]));
        }
    }
}
END_TEST

START_TEST(error_carries_status_offset_and_parameter)
{
    struct sp_error error;
    ck_assert_int_eq(sp_error_set(&error, SP_IO, "read: %d", 5), SP_IO);
    ck_assert_int_eq(error.status, SP_IO);
    ck_assert_str_eq(error.message, "read: 5");
    ck_assert_str_eq(error.parameter, "");
    ck_assert_uint_eq(error.offset, SP_ERROR_NO_OFFSET);
    ck_assert_int_eq(sp_error_set_at(&error, SP_MALFORMED, 17, "x"), SP_MALFORMED);
    ck_assert_uint_eq(error.offset, 17);
    ck_assert_int_eq(sp_error_set_parameter(&error, SP_INVALID_ARGUMENT, "limit", "x"),
                     SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.parameter, "limit");
    ck_assert_int_eq(sp_error_set(NULL, SP_IO, "ignored"), SP_IO);
}
END_TEST

START_TEST(error_may_be_rewritten_from_itself)
{
    struct sp_error error;
    (void)sp_error_set_parameter(&error, SP_IO, "file", "inner");
    (void)sp_error_set_parameter(&error, SP_IO, error.parameter, "outer: %s", error.message);
    ck_assert_str_eq(error.parameter, "file");
    ck_assert_str_eq(error.message, "outer: inner");
}
END_TEST

START_TEST(error_message_is_clean_utf8_whatever_it_quotes)
{
    struct sp_error error;
    (void)sp_error_set(&error, SP_MALFORMED, "got '%s'", "a\xff\n\x1b[31m\xc3\xa9\x7f");
    ck_assert_str_eq(error.message, "got 'a???[31m\xc3\xa9?'");
}
END_TEST

START_TEST(error_message_is_cut_between_characters)
{
    char long_text[2000];
    struct sp_error error;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(long_text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof(long_text); i += 3) {
            memcpy(long_text + i, "\xe2\x82\xac", 4);
        }
        (void)sp_error_set_parameter(&error, SP_IO, long_text, "%s", long_text);
        size_t len = strlen(error.message);
        ck_assert_uint_lt(len, SP_ERROR_MESSAGE_MAX);
        ck_assert_uint_ge(len, SP_ERROR_MESSAGE_MAX - 4);
        ck_assert_str_eq(error.message + len - 3, "...");
        ck_assert(sp_utf8_valid(sp_slice_cstr(error.message)));
        ck_assert(sp_utf8_valid(sp_slice_cstr(error.parameter)));
    }
    for (size_t len = SP_ERROR_MESSAGE_MAX - 8; len < SP_ERROR_MESSAGE_MAX + 8; len++) {
        memset(long_text, 'a', len);
        long_text[len] = 0;
        (void)sp_error_set(&error, SP_IO, "%s", long_text);
        bool fits = len < SP_ERROR_MESSAGE_MAX;
        ck_assert_uint_eq(strlen(error.message), fits ? len : SP_ERROR_MESSAGE_MAX - 1);
        ck_assert_int_eq(strstr(error.message, "...") == NULL, fits);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_status");
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, status_zero_is_ok);
    tcase_add_test(tests, status_retryable_agrees_with_otlp_over_http_and_grpc);
    tcase_add_test(tests, status_rows_are_in_range_and_distinct);
    tcase_add_test(tests, error_carries_status_offset_and_parameter);
    tcase_add_test(tests, error_may_be_rewritten_from_itself);
    tcase_add_test(tests, error_message_is_clean_utf8_whatever_it_quotes);
    tcase_add_test(tests, error_message_is_cut_between_characters);
    suite_add_tcase(suite, tests);
    return suite;
}
