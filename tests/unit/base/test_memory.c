/* SPDX-License-Identifier: Apache-2.0
 *
 * Arenas, buffers, budgets and slices: above all what they do at their ceilings. */
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/base.h"
#include "tests/support/check_main.h"

/* A piece of work that takes memory in every way; false as soon as one way fails. */
static bool arena_work(struct sp_arena *arena)
{
    struct sp_slice copy;
    uint32_t *array = sp_arena_calloc(arena, 100, sizeof(*array));
    if (!array || !sp_arena_copy(arena, SP_SLICE("a name"), &copy)) {
        return false;
    }
    char *text = sp_arena_alloc(arena, 10);
    if (!text) {
        return false;
    }
    memset(text, 'x', 10);
    for (size_t bytes = 10; bytes < 20000; bytes *= 3) {
        char *grown = sp_arena_grow(arena, text, bytes, bytes * 3);
        if (!grown) {
            ck_assert_int_eq(text[bytes - 1], 'x'); /* the old memory stays valid */
            return false;
        }
        ck_assert_int_eq(grown[bytes - 1], 'x');
        memset(grown, 'x', bytes * 3);
        text = grown;
    }
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(array[i], 0);
    }
    ck_assert(sp_slice_equal_cstr(copy, "a name"));
    return true;
}

START_TEST(arena_fails_cleanly_at_every_cap_until_one_is_enough)
{
    size_t cap = 0;
    for (;; cap += 16) {
        struct sp_arena arena;
        sp_arena_init(&arena, cap);
        bool done = arena_work(&arena);
        ck_assert_uint_le(arena.used_bytes, cap);
        sp_arena_fini(&arena);
        ck_assert_uint_eq(arena.used_bytes, 0);
        if (done) {
            break;
        }
    }
    ck_assert_uint_gt(cap, 20000);
    ck_assert_uint_lt(cap, 200000);
}
END_TEST

START_TEST(arena_gives_aligned_distinct_memory)
{
    struct sp_arena arena;
    sp_arena_init(&arena, 1 << 20);
    uint8_t *last = NULL;
    for (size_t bytes = 0; bytes < 200; bytes++) {
        uint8_t *ptr = sp_arena_alloc(&arena, bytes);
        ck_assert_ptr_nonnull(ptr);
        ck_assert_uint_eq((uintptr_t)ptr % alignof(max_align_t), 0);
        ck_assert_ptr_ne(ptr, last);
        memset(ptr, 0xff, bytes);
        last = ptr;
    }
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(arena_refuses_sizes_that_overflow)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_ptr_null(sp_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(sp_arena_alloc(&arena, SIZE_MAX - 15));
    ck_assert_ptr_null(sp_arena_calloc(&arena, SIZE_MAX / 2, 3));
    void *ptr = sp_arena_alloc(&arena, 8);
    ck_assert_ptr_null(sp_arena_grow(&arena, ptr, 8, SIZE_MAX));
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(arena_grows_the_newest_allocation_in_place)
{
    struct sp_arena arena;
    sp_arena_init(&arena, 1 << 20);
    char *first = sp_arena_grow(&arena, NULL, 0, 10);
    ck_assert_ptr_eq(sp_arena_grow(&arena, first, 10, 300), first);
    ck_assert_ptr_eq(sp_arena_grow(&arena, first, 300, 20),
                     first); /* and gives back what it shrinks by */
    char *second = sp_arena_alloc(&arena, 1);
    ck_assert_int_eq(second - first, 32);
    char *moved = sp_arena_grow(&arena, first, 20, 40);
    ck_assert_ptr_ne(moved, first);
    ck_assert_ptr_eq(sp_arena_grow(&arena, first, 20, 10), first);
    sp_arena_fini(&arena);
}
END_TEST

/* Things that an arena's content holds: each notes when it is let go. */
struct held {
    char name;
    char *noted;
};

static void let_go(void *cookie)
{
    struct held *held = cookie;
    strncat(held->noted, &held->name, 1);
}

static void hold(struct sp_arena *arena, char name, char *noted)
{
    struct held *held = sp_arena_alloc(arena, sizeof(*held));
    *held = (struct held){name, noted};
    ck_assert(sp_arena_defer(arena, let_go, held));
}

START_TEST(arena_lets_go_of_what_its_content_holds_the_last_first)
{
    char noted[16] = "";
    struct sp_arena arena;
    sp_arena_init(&arena, 4 << 20);
    hold(&arena, 'a', noted);
    hold(&arena, 'b', noted);
    sp_arena_reset(&arena);
    ck_assert_str_eq(noted, "ba");
    hold(&arena, 'c', noted);
    ck_assert_ptr_nonnull(sp_arena_alloc(&arena, 2 << 20)); /* a reset keeps no such block */
    sp_arena_reset(&arena);
    ck_assert_str_eq(noted, "bac");
    hold(&arena, 'd', noted);
    sp_arena_fini(&arena);
    sp_arena_fini(&arena);
    ck_assert_str_eq(noted, "bacd");
    sp_arena_init(&arena, 0);
    ck_assert(!sp_arena_defer(&arena, let_go, noted));
    ck_assert_int_eq(arena.error, SP_LIMIT);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(arena_says_how_much_of_its_blocks_is_filled)
{
    struct sp_arena arena;
    size_t sum = 0;
    sp_arena_init(&arena, 64 << 20);
    ck_assert_uint_eq(sp_arena_filled_bytes(&arena), 0);
    for (size_t bytes = 16; bytes <= 1 << 21; bytes *= 2) {
        memset(sp_arena_alloc(&arena, bytes), 1, bytes);
        sum += bytes;
        ck_assert_uint_ge(sp_arena_filled_bytes(&arena), sum);
        ck_assert_uint_le(sp_arena_filled_bytes(&arena), sum + 2048); /* headers of blocks */
        ck_assert_uint_le(sp_arena_filled_bytes(&arena), arena.used_bytes);
    }
    memset(sp_arena_alloc(&arena, 16), 1, 16); /* begins a block */
    ck_assert_uint_gt(arena.used_bytes, sp_arena_filled_bytes(&arena) + (1 << 19));
    sp_arena_fini(&arena);
    ck_assert_uint_eq(sp_arena_filled_bytes(&arena), 0);
}
END_TEST

START_TEST(arena_reset_keeps_a_small_block_and_frees_a_large_one)
{
    struct sp_arena arena;
    sp_arena_init(&arena, 64 << 20);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            memset(sp_arena_alloc(&arena, 100), 1, 100);
        }
        sp_arena_reset(&arena);
        ck_assert_uint_gt(arena.used_bytes, 0);
        ck_assert_uint_le(arena.used_bytes, 1 << 20);
    }
    memset(sp_arena_alloc(&arena, 32 << 20), 1, 32 << 20);
    sp_arena_reset(&arena);
    ck_assert_uint_eq(arena.used_bytes, 0);
    sp_arena_reset(&arena);
    sp_arena_fini(&arena);
    sp_arena_fini(&arena);
    sp_arena_fini(NULL);
}
END_TEST

START_TEST(buffer_takes_exactly_its_ceiling_and_then_sticks)
{
    for (size_t max = 0; max < 600; max++) {
        struct sp_buf buf;
        sp_buf_init(&buf, max);
        for (size_t i = 0; i < max; i++) {
            sp_buf_append_byte(&buf, (uint8_t)i);
        }
        ck_assert_int_eq(buf.error, SP_OK);
        ck_assert_uint_eq(buf.len, max);
        ck_assert_uint_le(buf.cap, max);
        sp_buf_append_byte(&buf, 'x');
        ck_assert_int_eq(buf.error, SP_LIMIT);
        buf.len -= max ? 1 : 0;
        sp_buf_append_byte(&buf, 'x'); /* there would be room again, but the error sticks */
        ck_assert_uint_eq(buf.len, max ? max - 1 : 0);
        sp_buf_reset(&buf);
        ck_assert_int_eq(buf.error, SP_OK);
        sp_buf_append(&buf, NULL, 0);
        ck_assert_int_eq(buf.error, SP_OK);
        sp_buf_fini(&buf);
    }
}
END_TEST

START_TEST(buffer_error_makes_every_append_do_nothing)
{
    struct sp_buf buf;
    sp_buf_init(&buf, 8);
    sp_buf_append_cstr(&buf, "1234");
    sp_buf_append_cstr(&buf, "56789"); /* whole or not at all */
    ck_assert_int_eq(buf.error, SP_LIMIT);
    sp_buf_append_cstr(&buf, "5");
    sp_buf_append_slice(&buf, SP_SLICE("5"));
    sp_buf_append_byte(&buf, '5');
    sp_buf_printf(&buf, "%d", 5);
    sp_base64_encode(SP_SLICE("5"), &buf);
    ck_assert_ptr_null(sp_buf_reserve(&buf, 0));
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&buf), "1234"));
    sp_buf_fini(&buf);
    sp_buf_fini(&buf);
    sp_buf_fini(NULL);
}
END_TEST

START_TEST(buffer_prints_short_long_and_too_long)
{
    struct sp_buf buf;
    sp_buf_init(&buf, 1000);
    sp_buf_printf(&buf, "%s=%d ", "a", 7);
    sp_buf_printf(&buf, "%500d", 1);
    ck_assert_uint_eq(buf.len, 504);
    ck_assert_int_eq(buf.ptr[503], '1');
    sp_buf_printf(&buf, "%0496d", 0); /* fills it to the last byte */
    ck_assert_int_eq(buf.error, SP_OK);
    sp_buf_reset(&buf);
    sp_buf_printf(&buf, "%01001d", 0);
    ck_assert_int_eq(buf.error, SP_LIMIT);
    ck_assert_uint_eq(buf.len, 0);
    sp_buf_fini(&buf);
}
END_TEST

START_TEST(buffer_moves_its_memory)
{
    struct sp_buf from, to;
    sp_buf_init(&from, 100);
    sp_buf_append_cstr(&from, "content");
    const uint8_t *memory = from.ptr;
    sp_buf_move(&to, &from);
    ck_assert_ptr_eq(to.ptr, memory);
    ck_assert_uint_eq(from.len, 0);
    ck_assert_uint_eq(from.max, 100);
    sp_buf_append_cstr(&from, "new");
    ck_assert(sp_slice_equal_cstr(sp_buf_slice(&to), "content"));
    sp_buf_fini(&from);
    sp_buf_fini(&to);
}
END_TEST

START_TEST(buffer_gives_back_what_it_does_not_use)
{
    struct sp_buf buf;
    sp_buf_init(&buf, 10000);
    sp_buf_trim(&buf);
    ck_assert_ptr_null(buf.ptr);
    ck_assert_ptr_nonnull(sp_buf_reserve(&buf, 5000));
    sp_buf_append_cstr(&buf, "some");
    sp_buf_trim(&buf);
    ck_assert_uint_eq(buf.cap, 4);
    sp_buf_append_cstr(&buf, " more");
    ck_assert_int_eq(memcmp(buf.ptr, "some more", 9), 0);
    sp_buf_reset(&buf);
    sp_buf_trim(&buf);
    ck_assert_ptr_null(buf.ptr);
    ck_assert_uint_eq(buf.cap, 0);
    sp_buf_fini(&buf);
}
END_TEST

START_TEST(budget_refuses_what_would_pass_its_ceiling)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 100);
    ck_assert(sp_budget_take(&budget, 60));
    ck_assert(!sp_budget_take(&budget, 41));
    ck_assert(!sp_budget_take(&budget, SIZE_MAX));
    ck_assert(sp_budget_take(&budget, 40));
    ck_assert(sp_budget_take(&budget, 0));
    ck_assert_uint_eq(sp_budget_used(&budget), 100);
    ck_assert_uint_eq(sp_budget_refused(&budget), 2);
    sp_budget_give(&budget, 100);
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
}
END_TEST

START_TEST(budget_asserts_when_more_is_given_back_than_was_taken)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 100);
    ck_assert(sp_budget_take(&budget, 10));
    sp_budget_give(&budget, 11);
}
END_TEST

static void *budget_thread(void *cookie)
{
    struct sp_budget *budget = cookie;
    for (int i = 0; i < 20000; i++) {
        if (sp_budget_take(budget, 3)) {
            ck_assert_uint_le(sp_budget_used(budget), budget->max_bytes);
            sp_budget_give(budget, 3);
        }
    }
    return NULL;
}

START_TEST(budget_is_exact_with_many_threads)
{
    struct sp_budget budget;
    sp_budget_init(&budget, 7);
    pthread_t threads[4];
    for (size_t i = 0; i < SP_ARRAY_LEN(threads); i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, budget_thread, &budget), 0);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
}
END_TEST

START_TEST(slice_sub_is_cut_at_the_end)
{
    struct sp_slice s = SP_SLICE("abcdef");
    ck_assert(sp_slice_equal_cstr(sp_slice_sub(s, 0, 3), "abc"));
    ck_assert(sp_slice_equal_cstr(sp_slice_sub(s, 4, SIZE_MAX), "ef"));
    ck_assert_uint_eq(sp_slice_sub(s, 6, 1).len, 0);
    ck_assert_uint_eq(sp_slice_sub(s, SIZE_MAX, SIZE_MAX).len, 0);
    ck_assert_uint_eq(sp_slice_sub(sp_slice_cstr(NULL), 0, 1).len, 0);
}
END_TEST

START_TEST(slice_order_is_total)
{
    const char *sorted[] = {"", "a", "aa", "ab", "b", "\xff"};
    for (size_t i = 0; i < SP_ARRAY_LEN(sorted); i++) {
        for (size_t j = 0; j < SP_ARRAY_LEN(sorted); j++) {
            int order = sp_slice_compare(sp_slice_cstr(sorted[i]), sp_slice_cstr(sorted[j]));
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}
END_TEST

START_TEST(slice_compares_names_without_case)
{
    ck_assert(sp_slice_equal_nocase(SP_SLICE("Content-Type"), SP_SLICE("content-tYPE")));
    ck_assert(!sp_slice_equal_nocase(SP_SLICE("a"), SP_SLICE("ab")));
    ck_assert(!sp_slice_equal_nocase(SP_SLICE("@"), SP_SLICE("`")));
    ck_assert(!sp_slice_equal_nocase(SP_SLICE("["), SP_SLICE("{")));
}
END_TEST

START_TEST(slice_finds_and_trims)
{
    ck_assert_uint_eq(sp_slice_find(SP_SLICE("a=b=c"), '='), 1);
    ck_assert_uint_eq(sp_slice_find(SP_SLICE("abc"), '='), 3);
    ck_assert(sp_slice_contains_nocase(SP_SLICE("in JPY, said"), SP_SLICE("jpy")));
    ck_assert(sp_slice_contains_nocase(SP_SLICE("aab"), SP_SLICE("AB")));
    ck_assert(sp_slice_contains_nocase(SP_SLICE(""), SP_SLICE("")));
    ck_assert(!sp_slice_contains_nocase(SP_SLICE("jp"), SP_SLICE("jpy")));
    ck_assert_uint_eq(sp_slice_find(sp_slice_cstr(NULL), '='), 0);
    ck_assert(sp_slice_equal_cstr(sp_slice_trim(SP_SLICE(" \t a b\r\n")), "a b"));
    ck_assert_uint_eq(sp_slice_trim(SP_SLICE(" \n ")).len, 0);
    ck_assert(sp_slice_starts_with(SP_SLICE("abc"), SP_SLICE("ab")));
    ck_assert(!sp_slice_starts_with(SP_SLICE("a"), SP_SLICE("ab")));
}
END_TEST

START_TEST(clock_goes_forward)
{
    const struct sp_clock *clock = sp_clock_system();
    ck_assert_uint_gt(sp_clock_unix_ns(clock), UINT64_C(1700000000000000000));
    uint64_t first = sp_clock_monotonic_ns(clock);
    ck_assert_uint_le(first, sp_clock_monotonic_ns(clock));
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("base_memory");
    TCase *tests = tcase_create("memory");
    tcase_add_test(tests, arena_fails_cleanly_at_every_cap_until_one_is_enough);
    tcase_add_test(tests, arena_gives_aligned_distinct_memory);
    tcase_add_test(tests, arena_refuses_sizes_that_overflow);
    tcase_add_test(tests, arena_grows_the_newest_allocation_in_place);
    tcase_add_test(tests, arena_lets_go_of_what_its_content_holds_the_last_first);
    tcase_add_test(tests, arena_says_how_much_of_its_blocks_is_filled);
    tcase_add_test(tests, arena_reset_keeps_a_small_block_and_frees_a_large_one);
    tcase_add_test(tests, buffer_takes_exactly_its_ceiling_and_then_sticks);
    tcase_add_test(tests, buffer_error_makes_every_append_do_nothing);
    tcase_add_test(tests, buffer_prints_short_long_and_too_long);
    tcase_add_test(tests, buffer_moves_its_memory);
    tcase_add_test(tests, buffer_gives_back_what_it_does_not_use);
    tcase_add_test(tests, budget_refuses_what_would_pass_its_ceiling);
    tcase_add_test(tests, budget_is_exact_with_many_threads);
    tcase_add_test(tests, slice_sub_is_cut_at_the_end);
    tcase_add_test(tests, slice_order_is_total);
    tcase_add_test(tests, slice_compares_names_without_case);
    tcase_add_test(tests, slice_finds_and_trims);
    tcase_add_test(tests, clock_goes_forward);
    suite_add_tcase(suite, tests);
    const char *fork_mode = getenv("CK_FORK");
    if (!fork_mode || strcmp(fork_mode, "no") != 0) { /* what aborts needs a process of its own */
        TCase *misuse = tcase_create("misuse");
        tcase_add_test_raise_signal(misuse, budget_asserts_when_more_is_given_back_than_was_taken,
                                    SIGABRT);
        suite_add_tcase(suite, misuse);
    }
    return suite;
}
