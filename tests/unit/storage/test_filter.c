/* SPDX-License-Identifier: Apache-2.0
 *
 * The trace filter: no false "no", and how many false "yes". */
#include "storage/filter.h"
#include "tests/support/check_main.h"

#define TRACES 40000u

static uint64_t hash_of(uint64_t number)
{
    struct sp_trace_id id = {{0}};
    memcpy(id.bytes, &number, sizeof(number));
    return sp_filter_hash(&id);
}

START_TEST(filter_knows_what_is_there_and_hardly_anything_else)
{
    static uint64_t hashes[TRACES];
    struct sp_arena arena;
    struct sp_filter filter;
    size_t wrong = 0;
    sp_arena_init(&arena, 1 << 20);
    for (uint64_t i = 0; i < TRACES; i++)
        hashes[i] = hash_of(i);
    ck_assert(sp_filter_make(hashes, TRACES, &arena, &filter));
    for (uint64_t i = 0; i < TRACES; i++)
        ck_assert(sp_filter_has(&filter, hashes[i]));
    for (uint64_t i = TRACES; i < 11 * (uint64_t)TRACES; i++)
        wrong += sp_filter_has(&filter, hash_of(i));
    /* One or two of 10,000 are promised, of 400,000; a filter that always says yes or no has none or all of them. */
    ck_assert_uint_ge(wrong, 20);
    ck_assert_uint_le(wrong, 80);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(filter_of_nothing_has_nothing)
{
    struct sp_arena arena;
    struct sp_filter filter;
    sp_arena_init(&arena, 4096);
    ck_assert(sp_filter_make(NULL, 0, &arena, &filter));
    for (uint64_t i = 0; i < 1000; i++)
        ck_assert(!sp_filter_has(&filter, hash_of(i)));
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(filter_without_memory_is_none)
{
    uint64_t hashes[1000] = {0};
    struct sp_arena arena;
    struct sp_filter filter;
    sp_arena_init(&arena, 1000);
    ck_assert(!sp_filter_make(hashes, SP_ARRAY_LEN(hashes), &arena, &filter));
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("filter");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, filter_knows_what_is_there_and_hardly_anything_else);
    tcase_add_test(tcase, filter_of_nothing_has_nothing);
    tcase_add_test(tcase, filter_without_memory_is_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
