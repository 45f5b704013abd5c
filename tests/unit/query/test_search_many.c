/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches of so many traces that two threads look at them, and only at the best where that can be known: pages are those of a search
 * that looks at all of them, counts and explanations those of one thread. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/search_run.h"
#include "tests/unit/query/world.h"

#define TRACES ((unsigned)(3 * SP_SHARES_MIN))
/* Of a trace; the last are there for the order by their number. */
#define SPANS 4u

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

static unsigned span_count(unsigned i)
{
    return 2 + i % 3;
}

static void setup(void)
{
    struct sp_span *spans = calloc((size_t)SPANS * TRACES, sizeof(*spans));
    size_t count = 0;
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
    for (unsigned i = 0; i < TRACES; i++) {
        uint64_t start = T0 + (uint64_t)i * 37 % TRACES * MS;
        spans[count++] = make_span(&arena, i + 1, 1, 0, "web", "GET /", start, duration_ms(i) * MS);
        spans[count] = make_span(&arena, i + 1, 2, 1, "db", "SELECT", start, MS);
        spans[count].status_code = has_error(i) ? SP_SPAN_STATUS_ERROR : SP_SPAN_STATUS_UNSET;
        add_attribute(&arena, &spans[count++], "rows", int_value((int64_t)duration_ms(i)));
        for (unsigned j = 3; j <= span_count(i); j++)
            spans[count++] = make_span(&arena, i + 1, j, 1, "db", "BEGIN", start, MS);
    }
    world_add(&world, spans, count);
    free(spans);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

/* ---- orders ---- */

struct order {
    const char *name;
    int (*compare)(const void *a, const void *b);
};

static int by_numbers(uint64_t a, uint64_t b, unsigned x, unsigned y)
{
    if (a != b)
        return a < b ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int slowest_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return by_numbers(duration_ms(y), duration_ms(x), x, y);
}

static int fastest_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return by_numbers(duration_ms(x), duration_ms(y), x, y);
}

static int oldest_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return by_numbers((uint64_t)x * 37 % TRACES, (uint64_t)y * 37 % TRACES, x, y);
}

static int most_spans_first(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return by_numbers(span_count(y), span_count(x), x, y);
}

static const struct order orders[] = {
    {"-duration", slowest_first},
    {"duration", fastest_first},
    {"start", oldest_first},
    {"-spans", most_spans_first},
};

/* The traces that an error is in, as they have to come. */
static unsigned *expected_traces(const struct order *order, unsigned *ret_count)
{
    unsigned *expected = calloc(TRACES, sizeof(*expected));
    for (unsigned i = 0; i < TRACES; i++)
        if (has_error(i))
            expected[(*ret_count)++] = i;
    qsort(expected, *ret_count, sizeof(*expected), order->compare);
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

/* The count is exact when the answer is complete, and no more than there are when it is not. */
static void check_count(const char *text, unsigned all, bool counts_all)
{
    char number[32], complete[32];
    json_member(text, "matchedTraces", number, sizeof(number));
    json_member(text, "complete", complete, sizeof(complete));
    unsigned long matched = strtoul(number, NULL, 10);
    if (counts_all || strcmp(complete, "true") == 0) {
        ck_assert_uint_eq(matched, all);
        ck_assert_str_eq(complete, "true");
    } else {
        ck_assert_uint_le(matched, all);
        ck_assert_ptr_nonnull(strstr(text, "\"incompleteReason\":\"pageFull\""));
    }
}

static void expect_all_pages(const struct order *order, const char *query, bool counts_all)
{
    unsigned all = 0, told = 0, pages = 0;
    unsigned *expected = expected_traces(order, &all);
    char cursor[512] = "", url[1024];
    do {
        snprintf(url, sizeof(url), "/v1/search?q=%s&limit=300&order=%s&count=%s&cursor=%s", query,
                 order->name, counts_all ? "all" : "some", cursor);
        struct sp_query_call *call = ask(&world, url);
        char *text = answer_text(call);
        ck_assert_int_eq(call->reply.status, 200);
        told += check_page(text, expected + told, all - told);
        check_count(text, all, counts_all);
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
    for (size_t i = 0; i < SP_ARRAY_LEN(orders); i++) {
        for (int counts_all = 0; counts_all < 2; counts_all++) {
            expect_all_pages(
                &orders[i],
                "%7B%20name%20=%20%22GET%20/%22%20%7D%20%3E%20%7B%20status%20=%20error%20%7D",
                counts_all);
            expect_all_pages(&orders[i],
                             "%7B%20span.rows%20%3E%200%20%26%26%20status%20=%20error%20%7D",
                             counts_all);
        }
    }
}
END_TEST

/* A page of the slowest needs a look at few. */
START_TEST(traces_that_cannot_get_onto_the_page_are_not_looked_at)
{
    char number[32];
    struct sp_query_call *call = ask(&world, "/v1/search?q=%7B%7D&limit=10&order=-duration");
    char *text = answer_text(call);
    ck_assert_int_eq(call->reply.status, 200);
    ck_assert_ptr_nonnull(strstr(text, "\"complete\":false,\"incompleteReason\":\"pageFull\""));
    const char *looked = strstr(text, "\"scanned\"");
    json_member(looked, "traces", number, sizeof(number));
    ck_assert_uint_lt(strtoul(number, NULL, 10), TRACES / 4);
    free(text);
    answer_fini(call);
}
END_TEST

/* ---- out of time ---- */

/* A clock that goes on whenever it is asked, by any thread. */
static _Atomic uint64_t runaway_ns;

static uint64_t runs_away(void *cookie)
{
    (void)cookie;
    return atomic_fetch_add(&runaway_ns, MS);
}

/* However little a page has time for, each is in the total order behind those before it, or goes on as the scan went: every match comes
 * once. */
static void expect_all_in_time(unsigned budget_ms, const struct order *order)
{
    unsigned all = 0, told = 0, pages = 0;
    unsigned *expected = expected_traces(order, &all);
    bool *seen = calloc(TRACES, sizeof(*seen));
    char cursor[512] = "", url[1024];
    world.api->limits.time_ns_max = budget_ms * MS;
    do {
        snprintf(url, sizeof(url),
                 "/v1/search?q=%%7B%%20status%%20=%%20error%%20%%7D&limit=30&order=%s&cursor=%s",
                 order->name, cursor);
        atomic_store(&runaway_ns, world.monotonic_ns); /* when a call begins */
        struct sp_query_call *call = ask(&world, url);
        char *text = answer_text(call);
        ck_assert_msg(call->reply.status == 200, "page %u of order %s in %u ms: %s", pages,
                      order->name, budget_ms, text);
        static const char key[] = "\"traceId\":\"";
        for (const char *at = strstr(text, key); at; at = strstr(at + 1, key)) {
            unsigned trace = (unsigned)strtoull(at + strlen(key) + 16, NULL, 16) - 1;
            ck_assert_msg(!seen[trace], "trace %u came twice", trace);
            ck_assert(has_error(trace));
            seen[trace] = true;
            told++;
        }
        json_member(text, "cursor", cursor, sizeof(cursor));
        free(text);
        answer_fini(call);
        ck_assert_uint_lt(pages++, 4 * all);
    } while (strcmp(cursor, "null") != 0 && cursor[0] != 0);
    ck_assert_uint_eq(told, all);
    free(expected);
    free(seen);
}

START_TEST(out_of_time_every_match_comes_once_all_the_same)
{
    world.clock.monotonic_ns = runs_away;
    for (unsigned budget = 120; budget < 4000; budget *= 3)
        for (size_t i = 0; i < SP_ARRAY_LEN(orders); i++)
            expect_all_in_time(budget, &orders[i]);
}
END_TEST

/* Each thread has programs of its own, and what all of them did is told together. */
START_TEST(an_explanation_counts_the_traces_of_all_threads)
{
    char wanted[128];
    snprintf(wanted, sizeof(wanted), "\"runs\":\"%u\"", TRACES);
    expect_answer(
        &world,
        "/v1/search?q=%7B%20span.rows%20%3E%200%20%7D&order=-duration&count=all&explain=true", 200,
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
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, pages_of_many_traces_hold_each_once_in_order);
    tcase_add_test(tcase, traces_that_cannot_get_onto_the_page_are_not_looked_at);
    tcase_add_test(tcase, out_of_time_every_match_comes_once_all_the_same);
    tcase_add_test(tcase, an_explanation_counts_the_traces_of_all_threads);
    suite_add_tcase(suite, tcase);
    return suite;
}
