/* SPDX-License-Identifier: Apache-2.0
 *
 * Regular expressions in searches, which the store is asked for texts: what they find, and what their limits say. Random ones are in
 * the tests of spansets and metrics. */
#include <stdio.h>

#include "query/match.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    world_init(&world);
    sp_arena_init(&arena, 16 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    world_fini(&world);
}

START_TEST(search_that_runs_into_the_limit_of_a_regular_expression_names_it)
{
    static char value[200];
    memset(value, 'a', sizeof(value) - 1);
    struct sp_span span = make_span(&arena, 1, 1, 0, "cart", "GET", T0, MS);
    add_attribute(&arena, &span, "text", text_value(value));
    world_add(&world, &span, 1);
    expect_answer(&world, "/v1/search?q=%7B.text%3D~%22(a%7Caa)%2B%5B%5Ea%5D%22%7D", 413,
                  "the limit of 1000000 steps, or of 4096 KiB");
}
END_TEST

/* The store cannot tell of such a text: whoever looks at its span says what is wrong. */
START_TEST(limit_of_a_regular_expression_is_named_whoever_reaches_it)
{
    static const char *const queries[] = {
        "/v1/search?q=%7B.text!~%22(a%7Caa)%2B%5B%5Ea%5D%22%7D",
        "/v1/search?q=%7B.text%3D~%22(a%7Caa)%2B%5B%5Ea%5D%22%20%26%26%20name%3D%22GET%22%7D",
        "/v1/search?q=%7B.text%3D~%22(a%7Caa)%2B%5B%5Ea%5D%22%20%7C%7C%20name%3D%22PUT%22%7D",
        "/v1/metrics/query_range?q=%7B.text%3D~%22(a%7Caa)%2B%5B%5Ea%5D%22%7D%7Crate()",
    };
    static char value[200];
    memset(value, 'a', sizeof(value) - 1);
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "cart", "GET", T0, MS),
                              make_span(&arena, 2, 2, 0, "cart", "GET", T0 + MS, MS)};
    add_attribute(&arena, &spans[0], "text", text_value("b"));
    add_attribute(&arena, &spans[1], "text", text_value(value));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < SP_ARRAY_LEN(queries); i++)
        expect_answer(&world, queries[i], 413, "the limit of 1000000 steps, or of 4096 KiB");
    /* what decides already is not matched */
    expect_answer(&world,
                  "/v1/search?q=%7Bname%3D%22PUT%22%26%26.text%3D~%22(a%7Caa)%2B%5B%5Ea%5D%22%7D",
                  200, "\"traces\":[]");
}
END_TEST

/* Each look at the clock takes a second. */
static uint64_t hurrying_ns(void *cookie)
{
    struct world *w = cookie;
    return w->monotonic_ns += 1000 * MS;
}

/* A match may take milliseconds, so the clock is looked at among those of a block, of a trace and of an array. */
START_TEST(time_is_looked_at_among_matches_of_a_regular_expression)
{
    enum { COUNT = 1000 };
    static char texts[COUNT][16];
    static struct sp_value items[COUNT];
    static struct sp_span spans[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "text %u", i);
        items[i] = text_value(texts[i]);
        spans[i] = make_span(&arena, 1, i + 1, 0, "cart", texts[i], T0 + i, MS);
    }
    struct sp_span with_array = make_span(&arena, 2, 1, 0, "web", "GET", T0, MS);
    const struct sp_value array = {.kind = SP_VALUE_ARRAY, .items = items, .count = COUNT};
    add_attribute(&arena, &with_array, "texts", array);
    world_add(&world, spans, COUNT);
    world_add(&world, &with_array, 1);
    world.clock.monotonic_ns = hurrying_ns;
    expect_answer(&world, "/v1/metrics/query_range?q=%7Bname%3D~%22t.*x%22%7D%7Crate()", 504,
                  "took longer than 30 s");
    expect_answer(&world, "/v1/metrics/query_range?q=%7B.texts%3D~%22t.*x%22%7D%7Crate()", 504,
                  "took longer than 30 s");
    expect_answer(&world, "/v1/search?q=%7B.texts%3D~%22t.*x%22%7D", 200,
                  "\"incompleteReason\":\"timeBudget\"");
    expect_answer(&world,
                  "/v1/traces/00000000000000000000000000000001/match?q=%7Bname%3D~%22t.*x%22%7D",
                  504, "took longer than 30 s");
}
END_TEST

static enum sp_status has_ended(void *cookie, struct sp_error *reterr)
{
    ++*(int *)cookie;
    return sp_error_set(reterr, SP_CANCELLED, "ended");
}

/* Each of many conditions would test some texts more, which may take milliseconds each. */
START_TEST(conditions_of_a_query_that_has_ended_test_no_text)
{
    int asked = 0;
    const struct sp_stop stop = {.ask = has_ended, .cookie = &asked};
    const struct sp_stop *const stops[] = {NULL, &stop};
    for (size_t i = 0; i < SP_ARRAY_LEN(stops); i++) {
        const struct sp_hint_maker maker = {.arena = &arena, .stop = stops[i]};
        const struct sp_traceql_query *query;
        struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
        struct sp_error error;
        ck_assert_int_eq(sp_traceql_parse(&arena,
                                          SP_SLICE("{ name =~ \"a.*\" || name =~ \"b.*\" }"),
                                          &query, &error),
                         SP_OK);
        ck_assert_int_eq(sp_match_hints(&maker, query, &scan), SP_OK);
        ck_assert_uint_eq(scan.condition_count, 2);
        for (size_t c = 0; c < 2; c++) {
            const struct sp_text_test *test = scan.conditions[c].test;
            for (int t = 0; t < 3; t++) /* true: it may be */
                ck_assert(test->holds(test->cookie, SP_SLICE("c")) == (stops[i] != NULL));
        }
    }
    ck_assert_int_eq(asked, 2);
}
END_TEST

static void expect_match_count(const char *url_query, unsigned traces)
{
    char url[512], expected[64];
    snprintf(url, sizeof(url), "/v1/search?q=%s", url_query);
    snprintf(expected, sizeof(expected), "\"matchedTraces\":%u", traces);
    expect_answer(&world, url, 200, expected);
}

/* Everything that is not a plain text under one key. */
START_TEST(regular_expressions_find_what_single_spans_say)
{
    const struct sp_value items[] = {text_value("beta"), int_value(3)};
    const struct sp_value array = {.kind = SP_VALUE_ARRAY, .items = items, .count = 2};
    const struct sp_value bytes = {.kind = SP_VALUE_BYTES, .string = SP_SLICE("beta")};
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "cart", "GET", T0, MS),
                              make_span(&arena, 2, 2, 0, "cart", "GET", T0, MS),
                              make_span(&arena, 3, 3, 0, "cart", "GET", T0, MS),
                              make_span(&arena, 4, 4, 0, "web", "PUT", T0, MS),
                              make_span(&arena, 5, 5, 0, "web", "", T0, MS)};
    const struct sp_attribute of_event = {.key = SP_SLICE("text"), .value = text_value("gamma")};
    const struct sp_event event = {.name = SP_SLICE("e"),
                                   .attributes = {.items = &of_event, .count = 1}};
    add_attribute(&arena, &spans[0], "text", text_value("alpha"));
    add_attribute(&arena, &spans[1], "text", array);
    add_attribute(&arena, &spans[2], "text", int_value(3));
    add_attribute(&arena, &spans[3], "text", bytes);
    add_attribute(&arena, &spans[4], "text", text_value("\xff"));
    spans[2].events = &event;
    spans[2].event_count = 1;
    spans[3].status_message = SP_SLICE("broken pipe");
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_match_count("%7B.text%3D~%22a.*%22%7D", 1);
    expect_match_count("%7B.text%3D~%22.*a%22%7D", 2);
    expect_match_count("%7B.text!~%22a.*%22%7D", 2); /* what is not UTF-8 does not match */
    expect_match_count("%7B.text!~%22.*a%22%7D", 1);
    expect_match_count("%7Bspan.text%3D~%22.*%22%7D", 2);
    expect_match_count("%7Bevent.text%3D~%22g.*%22%7D", 1);
    expect_match_count("%7BstatusMessage%3D~%22broken.*%22%7D", 1);
    expect_match_count("%7BstatusMessage!~%22broken.*%22%7D", 4);
    expect_match_count("%7Bname%3D~%22%22%7D", 1);
    expect_match_count("%7Bservice!~%22c.*%22%7D", 2);
    expect_match_count("%7Bresource.service.name%3D~%22w.b%22%26%26name%3D~%22P.*%22%7D", 1);
    expect_match_count("%7Bname%3D~%22P.*%22%7C%7C.text%3D~%22al.*%22%7D", 2);
    expect_match_count("%7B!(name%3D~%22P.*%22)%7D", 4);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_search_regex");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, search_that_runs_into_the_limit_of_a_regular_expression_names_it);
    tcase_add_test(tcase, limit_of_a_regular_expression_is_named_whoever_reaches_it);
    tcase_add_test(tcase, time_is_looked_at_among_matches_of_a_regular_expression);
    tcase_add_test(tcase, conditions_of_a_query_that_has_ended_test_no_text);
    tcase_add_test(tcase, regular_expressions_find_what_single_spans_say);
    suite_add_tcase(suite, tcase);
    return suite;
}
