/* SPDX-License-Identifier: Apache-2.0
 *
 * Cursors: they come back as they were, and no other text is taken for one. */
#include "query/search.h"
#include "tests/support/check_main.h"

static const struct sp_search_cursor example = {
    .key = {.rank = 0x0123456789abcdef, .trace_id = {.bytes = {1, 2, 3, 255, 128, 7}}},
    .range = {17, UINT64_MAX},
    .resumes = true,
    .border = {.bound_unix_ns = 18, .trace_id = {.bytes = {4}}},
    .position = {.bound_unix_ns = 19, .trace_id = {.bytes = {5}}},
    .border_key = {.rank = 20, .trace_id = {.bytes = {6}}},
};

START_TEST(cursor_comes_back_as_it_was)
{
    char text[SP_CURSOR_TEXT];
    struct sp_search_cursor back;
    struct sp_error error;
    sp_search_cursor_format(&example, SP_SLICE("question"), text);
    ck_assert_uint_eq(strlen(text), SP_CURSOR_TEXT - 1);
    ck_assert_ptr_null(strpbrk(text, "+/=&?# "));
    ck_assert_int_eq(
        sp_search_cursor_parse(sp_slice_cstr(text), SP_SLICE("question"), &back, &error), SP_OK);
    ck_assert_int_eq(sp_search_key_compare(&back.key, &example.key), 0);
    ck_assert_uint_eq(back.range.from_unix_ns, 17);
    ck_assert_uint_eq(back.range.to_unix_ns, UINT64_MAX);
    ck_assert(back.resumes);
    ck_assert_uint_eq(back.border.bound_unix_ns, 18);
    ck_assert_uint_eq(back.border.trace_id.bytes[0], 4);
    ck_assert_uint_eq(back.position.bound_unix_ns, 19);
    ck_assert_uint_eq(back.position.trace_id.bytes[0], 5);
    ck_assert_int_eq(sp_search_key_compare(&back.border_key, &example.border_key), 0);
}
END_TEST

START_TEST(cursor_of_another_question_is_refused)
{
    char text[SP_CURSOR_TEXT];
    struct sp_search_cursor back;
    struct sp_error error;
    sp_search_cursor_format(&example, SP_SLICE("question"), text);
    ck_assert_int_eq(
        sp_search_cursor_parse(sp_slice_cstr(text), SP_SLICE("questiom"), &back, &error),
        SP_INVALID_ARGUMENT);
    ck_assert_str_eq(error.parameter, "cursor");
    ck_assert_ptr_nonnull(strstr(error.message, "another q, from, to or order"));
}
END_TEST

START_TEST(cursor_with_any_letter_changed_is_refused)
{
    char text[SP_CURSOR_TEXT];
    struct sp_search_cursor back;
    struct sp_error error;
    sp_search_cursor_format(&example, SP_SLICE("q"), text);
    /* The last letter holds padding bits, which carry nothing. */
    for (size_t i = 0; i + 2 < SP_CURSOR_TEXT; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        ck_assert_int_eq(sp_search_cursor_parse(sp_slice_cstr(text), SP_SLICE("q"), &back, &error),
                         SP_INVALID_ARGUMENT);
        text[i] = kept;
    }
    ck_assert_int_eq(sp_search_cursor_parse(sp_slice_cstr(text), SP_SLICE("q"), &back, &error),
                     SP_OK);
}
END_TEST

START_TEST(cursor_that_is_no_cursor_is_refused)
{
    static const char *const texts[] = {"", "x", "AAAA", "not base64 at all!",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
                                        "AAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < SP_ARRAY_LEN(texts); i++) {
        struct sp_search_cursor back;
        struct sp_error error;
        ck_assert_int_eq(
            sp_search_cursor_parse(sp_slice_cstr(texts[i]), SP_SLICE("q"), &back, &error),
            SP_INVALID_ARGUMENT);
        ck_assert_str_eq(error.parameter, "cursor");
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query cursor");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, cursor_comes_back_as_it_was);
    tcase_add_test(tcase, cursor_of_another_question_is_refused);
    tcase_add_test(tcase, cursor_with_any_letter_changed_is_refused);
    tcase_add_test(tcase, cursor_that_is_no_cursor_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
