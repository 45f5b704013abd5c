/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches of so many traces that two threads look at them: pages, counts and explanations are those of one. */
#include <stdio.h>
#include <stdlib.h>

#include "query/search_run.h"
#include "tests/unit/query/world.h"

#define TRACES ((unsigned)(3 * SP_SEARCH_SHARED_MIN))

static struct world world;
static struct sp_arena arena;

/* Of trace i: so different that ranks and ids have nothing to do with each other, with some ties. */
static uint64_t duration_ms(unsigned i)
{
    return 10 + (uint64_t)i * 7919 % 1201;
}

static bool has_error(unsigned i)
{
    return i % 3 != 0;
}

static void setup(void)
{
    struct sp_span *spans = calloc(2 * (size_t)TRACES, sizeof(*spans));
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
    for (unsigned i = 0; i < TRACES; i++) {
        spans[2 * i] =
            make_span(&arena, i + 1, 1, 0, "web", "GET /", T0 + i * MS, duration_ms(i) * MS);
        spans[2 * i + 1] = make_span(&arena, i + 1, 2, 1, "db", "SELECT", T0 + i * MS, MS);
        spans[2 * i + 1].status_code = has_error(i) ? SP_SPAN_STATUS_ERROR : SP_SPAN_STATUS_UNSET;
        add_attribute(&arena, &spans[2 * i + 1], "rows", int_value((int64_t)duration_ms(i)));
    }
    world_add(&world, spans, 2 * (size_t)TRACES);
    free(spans);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

static int slowest_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    if (duration_ms(x) != duration_ms(y))
        return duration_ms(x) > duration_ms(y) ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The traces that an error is in, as they have to come. */
static unsigned *expected_traces(unsigned *ret_count)
{
    unsigned *expected = calloc(TRACES, sizeof(*expected));
    for (unsigned i = 0; i < TRACES; i++)
        if (has_error(i))
            expected[(*ret_count)++] = i;
    qsort(expected, *ret_count, sizeof(*expected), slowest_first);
    return expected;
}

/* How many traces a page lists, which have to be the next ones expected. */
static unsigned check_page(const char *text, const unsigned *expected, unsigned left)
{
    static const char key[] = "\"traceId\":\"";
    unsigned count = 0;
    for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
        ck_assert_uint_lt(count, left);
        ck_assert_uint_eq(strtoull(at + strlen(key) + 16, NULL, 16), expected[count] + 1);
        count++;
    }
    return count;
}

static void expect_all_pages(const char *query)
{
    unsigned all = 0, told = 0, pages = 0;
    unsigned *expected = expected_traces(&all);
    char cursor[512] = "", url[1024], number[32], wanted[32];
    snprintf(wanted, sizeof(wanted), "%u", all);
    do {
        snprintf(url, sizeof(url), "/v1/search?q=%s&limit=300&order=-duration&cursor=%s", query,
                 cursor);
        struct sp_query_call *call = ask(&world, url);
        char *text = answer_text(call);
        ck_assert_int_eq(call->reply.status, 200);
        told += check_page(text, expected + told, all - told);
        json_member(text, "matchedTraces", number, sizeof(number));
        ck_assert_str_eq(number, wanted);
        json_member(text, "cursor", cursor, sizeof(cursor));
        free(text);
        answer_fini(call);
        ck_assert_uint_lt(pages++, all);
    } while (strcmp(cursor, "null") != 0 && cursor[0] != 0);
    ck_assert_uint_eq(told, all);
    ck_assert_uint_gt(pages, 1);
    free(expected);
}

START_TEST(pages_of_many_traces_hold_each_once_in_order)
{
    expect_all_pages("%7B%20name%20=%20%22GET%20/%22%20%7D%20%3E%20%7B%20status%20=%20error%20%7D");
    expect_all_pages("%7B%20span.rows%20%3E%200%20%26%26%20status%20=%20error%20%7D");
}
END_TEST

/* Each thread has programs of its own, and what all of them did is told together. */
START_TEST(an_explanation_counts_the_traces_of_all_threads)
{
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "\"runs\":\"%u\"", TRACES);
    expect_answer(&world,
                  "/v1/search?q=%7B%20span.rows%20%3E%200%20%7D&order=-duration&explain=true", 200,
                  wanted);
    expect_answer(&world, "/v1/search?q=%7B%7D&order=-sum(span.rows)&limit=1", 200,
                  "\"orderValue\":{\"intValue\":\"1210\"}");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query: searches of many traces");
    TCase *tcase = tcase_create("many");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, pages_of_many_traces_hold_each_once_in_order);
    tcase_add_test(tcase, an_explanation_counts_the_traces_of_all_threads);
    suite_add_tcase(suite, tcase);
    return suite;
}
