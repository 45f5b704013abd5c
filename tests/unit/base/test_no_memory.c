/* SPDX-License-Identifier: Apache-2.0
 *
 * Unit tests of lib/base: why an arena or a buffer has no memory. A ceiling is for good; a system without memory and a
 * budget that others use are not. */
#include "lib/base/base.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"

START_TEST(arena_tells_its_cap_from_a_system_without_memory)
{
    struct sp_arena arena;
    struct sp_error error;
    sp_arena_init(&arena, 10000);
    ck_assert_int_eq(arena.error, SP_OK);
    ck_assert_ptr_null(sp_arena_alloc(&arena, 20000));
    ck_assert_int_eq(arena.error, SP_LIMIT);
    ck_assert_int_eq(sp_arena_failed(&arena, &error, "more than %d", 7), SP_LIMIT);
    ck_assert_str_eq(error.message, "more than 7");

    alloc_fail_after(0);
    void *memory = sp_arena_alloc(&arena, 100);
    alloc_fail_stop();
    ck_assert_ptr_null(memory);
    ck_assert_int_eq(arena.error, SP_NO_MEMORY);
    ck_assert_int_eq(sp_arena_failed(&arena, &error, "more than %d", 7), SP_NO_MEMORY);
    ck_assert_str_eq(error.message, "out of memory, try again");

    ck_assert_ptr_nonnull(sp_arena_alloc(&arena, 100)); /* the failure was not for ever */
    ck_assert_ptr_null(sp_arena_calloc(&arena, SIZE_MAX, 2));
    ck_assert_int_eq(arena.error, SP_LIMIT);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(arena_charges_before_it_takes_and_gives_back)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 100000);
    struct sp_account account = {.budget = &budget};
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    arena.account = &account;
    for (int i = 0; i < 40; i++) {
        ck_assert_ptr_nonnull(sp_arena_alloc(&arena, 1000));
        ck_assert_uint_eq(sp_budget_used(&budget), arena.used_bytes);
        ck_assert_uint_eq(account.bytes, arena.used_bytes);
    }
    size_t used = arena.used_bytes;
    ck_assert_ptr_null(sp_arena_alloc(&arena, 100000 - used + 1)); /* fits into no budget */
    ck_assert_int_eq(arena.error, SP_LIMIT);
    ck_assert(sp_budget_take(&budget, 100000 - used)); /* somebody else takes the rest */
    ck_assert_ptr_null(sp_arena_alloc(&arena, 30000));
    ck_assert_int_eq(arena.error, SP_OVERLOADED);
    ck_assert_int_eq(account.error, SP_OVERLOADED);
    ck_assert_uint_eq(account.bytes, used);
    sp_budget_give(&budget, 100000 - used);

    alloc_fail_after(0); /* charged and not got: given back */
    void *memory = sp_arena_alloc(&arena, 30000);
    alloc_fail_stop();
    ck_assert_ptr_null(memory);
    ck_assert_int_eq(arena.error, SP_NO_MEMORY);
    ck_assert_uint_eq(account.bytes, used);

    /* A block of twice the last does not fit, one of just this size does. */
    ck_assert_ptr_nonnull(sp_arena_alloc(&arena, 30000));
    ck_assert_uint_eq(account.bytes, arena.used_bytes);
    sp_arena_reset(&arena);
    ck_assert_uint_eq(account.bytes, arena.used_bytes);
    sp_arena_fini(&arena);
    ck_assert_uint_eq(account.bytes, 0);
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
}
END_TEST

START_TEST(buf_charges_before_it_grows_and_gives_back)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 1000);
    struct sp_account account = {.budget = &budget};
    struct sp_buf buf, moved;
    sp_buf_init(&buf, SIZE_MAX);
    buf.account = &account;
    ck_assert_ptr_nonnull(sp_buf_reserve(&buf, 300));
    ck_assert_uint_eq(account.bytes, buf.cap);
    size_t cap = buf.cap;

    alloc_fail_after(0);
    uint8_t *memory = sp_buf_reserve(&buf, cap + 1);
    alloc_fail_stop();
    ck_assert_ptr_null(memory);
    ck_assert_int_eq(buf.error, SP_NO_MEMORY);
    ck_assert_uint_eq(account.bytes, cap);
    sp_buf_reset(&buf);

    ck_assert(sp_budget_take(&budget, 1000 - cap));
    ck_assert_ptr_null(sp_buf_reserve(&buf, cap + 1));
    ck_assert_int_eq(buf.error, SP_OVERLOADED);
    sp_budget_give(&budget, 1000 - cap);
    sp_buf_reset(&buf);
    ck_assert_ptr_null(sp_buf_reserve(&buf, 1001));
    ck_assert_int_eq(buf.error, SP_LIMIT);

    sp_buf_reset(&buf);
    sp_buf_append_cstr(&buf, "seven");
    sp_buf_trim(&buf);
    ck_assert_uint_eq(account.bytes, 5);
    cap = 5;

    sp_buf_move(&moved, &buf); /* who frees it gives it back */
    sp_buf_fini(&buf);
    ck_assert_uint_eq(account.bytes, cap);
    sp_buf_fini(&moved);
    ck_assert_uint_eq(account.bytes, 0);
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
}
END_TEST

START_TEST(account_gives_back_what_is_left)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 1000);
    struct sp_account account = {.budget = &budget}, nobody = {0};
    ck_assert_int_eq(sp_account_take(&account, 600), SP_OK);
    sp_account_give(&account, 100);
    ck_assert_uint_eq(sp_budget_used(&budget), 500);
    sp_account_fini(&account);
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
    ck_assert_int_eq(sp_account_take(&nobody, SIZE_MAX), SP_OK);
    sp_account_give(&nobody, SIZE_MAX);
    sp_account_fini(&nobody);
}
END_TEST

START_TEST(json_reader_says_why_a_string_has_no_room)
{
    static const struct {
        size_t cap;
        enum sp_status status;
    } cases[] = {{16, SP_LIMIT}, {SIZE_MAX, SP_NO_MEMORY}};
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        struct sp_arena arena;
        struct sp_json_reader r;
        sp_arena_init(&arena, cases[i].cap);
        sp_json_reader_init(&r, SP_SLICE("\"a\\nb\""), &arena, 8);
        alloc_fail_after(0);
        enum sp_json_event event = sp_json_next(&r);
        alloc_fail_stop();
        ck_assert_int_eq(event, SP_JSON_ERROR);
        ck_assert_int_eq(r.error.status, cases[i].status);
        sp_arena_fini(&arena);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("no_memory");
    TCase *test = tcase_create("base");
    tcase_add_test(test, arena_tells_its_cap_from_a_system_without_memory);
    tcase_add_test(test, arena_charges_before_it_takes_and_gives_back);
    tcase_add_test(test, buf_charges_before_it_grows_and_gives_back);
    tcase_add_test(test, account_gives_back_what_is_left);
    tcase_add_test(test, json_reader_says_why_a_string_has_no_room);
    suite_add_tcase(suite, test);
    return suite;
}
