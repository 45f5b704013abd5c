/* SPDX-License-Identifier: Apache-2.0
 *
 * Completion among the spans that a query finds: which values and keys, how often, and what is said when there was no time for all. */
#include <stdlib.h>

#include "query/complete.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, 16 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

/* Trace 1: web -> cart -> cart (error). Trace 2: web alone. colour is on spans, and on an event and a link of one. */
static void add_spans(void)
{
    const struct sp_attribute on_event[] = {
        {SP_SLICE("colour"), {.kind = SP_VALUE_STRING, .string = SP_SLICE("blue")}},
        {SP_SLICE("colour"), {.kind = SP_VALUE_STRING, .string = SP_SLICE("red")}},
        {SP_SLICE("size"), {.kind = SP_VALUE_INT, .integer = 7}}};
    const struct sp_event events[] = {{.name = SP_SLICE("retry")},
                                      {.name = SP_SLICE("retry"), .attributes = {on_event, 3, 0}},
                                      {.name = SP_SLICE("done")}};
    const struct sp_link links[] = {
        {.trace_id.bytes = {1}, .span_id.bytes = {1}, .attributes = {&on_event[2], 1, 0}}};
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "cart", "add", T0 + 10 * MS, 50 * MS),
        make_span(&arena, 1, 3, 2, "cart", "write", T0 + 20 * MS, 30 * MS),
        make_span(&arena, 2, 4, 0, "web", "GET /two", T0 + 60000 * MS, 7 * MS),
    };
    add_attribute(&arena, &spans[0], "colour", text_value("green"));
    add_attribute(&arena, &spans[1], "colour", text_value("red"));
    add_attribute(&arena, &spans[2], "colour", int_value(7));
    add_attribute(&arena, &spans[3], "colour", text_value("red"));
    add_attribute(&arena, &spans[3], "shape", text_value("round"));
    spans[1].events = events;
    spans[1].event_count = SP_ARRAY_LEN(events);
    spans[2].links = links;
    spans[2].link_count = SP_ARRAY_LEN(links);
    spans[2].status_code = SP_SPAN_STATUS_ERROR;
    spans[2].status_message = SP_SLICE("no room");
    spans[2].status_present = true;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

#define CART   "&q=%7Bservice%3D%22cart%22%7D"
#define BELOW  "&q=%7Bname%3D%22GET%20%2F%22%7D%3E%3E%7B%7D" /* { name = "GET /" } >> { } */
#define NOBODY "&q=%7Bservice%3D%22nobody%22%7D"

START_TEST(values_are_those_of_the_spans_that_match)
{
    static const struct {
        const char *url, *answer;
    } rows[] = {
        {"/v1/attributes?scope=span&key=colour" CART,
         "{\"values\":[{\"value\":\"7\",\"type\":\"int\",\"count\":\"1\"},"
         "{\"value\":\"red\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=span&key=colour" BELOW,
         "{\"values\":[{\"value\":\"7\",\"type\":\"int\",\"count\":\"1\"},"
         "{\"value\":\"red\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=resource&key=service.name" BELOW,
         "{\"values\":[{\"value\":\"cart\",\"type\":\"string\",\"count\":\"2\"}],\"complete\":"
         "true,"},
        /* a span that has a value twice, on whatever levels, counts once for it */
        {"/v1/attributes?key=colour" CART,
         "{\"values\":[{\"value\":\"7\",\"type\":\"int\",\"count\":\"1\"},"
         "{\"value\":\"blue\",\"type\":\"string\",\"count\":\"1\"},"
         "{\"value\":\"red\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=event&key=colour&prefix=b" CART,
         "{\"values\":[{\"value\":\"blue\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":"
         "true,"},
        {"/v1/attributes?key=size" CART,
         "{\"values\":[{\"value\":\"7\",\"type\":\"int\",\"count\":\"2\"}],\"complete\":true,"},
        {"/v1/attributes?key=colour&limit=1" CART,
         "{\"values\":[{\"value\":\"7\",\"type\":\"int\",\"count\":\"1\"}],\"complete\":false,"},
        /* which says what was read */
        {"/v1/attributes?scope=span&key=shape" CART,
         "{\"values\":[],\"complete\":true,\"scanned\":{\"segments\":0,\"rows\":\"4\",\"bytes\":"
         "\"0\","
         "\"traces\":\"0\"},\"tookMs\":0}"},
        {"/v1/attributes?key=colour" NOBODY, "{\"values\":[],\"complete\":true,"},
        {"/v1/attributes?key=absent" CART, "{\"values\":[],\"complete\":true}"},
    };
    add_spans();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++)
        expect_answer(&world, rows[i].url, 200, rows[i].answer);
}
END_TEST

START_TEST(intrinsics_are_those_of_the_spans_that_match)
{
    static const struct {
        const char *url, *answer;
    } rows[] = {
        {"/v1/attributes?scope=intrinsic&key=name" CART,
         "{\"values\":[{\"value\":\"add\",\"type\":\"string\",\"count\":\"1\"},"
         "{\"value\":\"write\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=status" CART,
         "{\"values\":[{\"value\":\"error\",\"type\":\"status\",\"count\":\"1\"},"
         "{\"value\":\"unset\",\"type\":\"status\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=rootName" CART,
         "{\"values\":[{\"value\":\"GET "
         "/\",\"type\":\"string\",\"count\":\"2\"}],\"complete\":true,"},
        /* without a query: spans of traces with that root */
        {"/v1/attributes?scope=intrinsic&key=rootName",
         "{\"values\":[{\"value\":\"GET /\",\"type\":\"string\",\"count\":\"3\"},"
         "{\"value\":\"GET /two\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=rootServiceName",
         "{\"values\":[{\"value\":\"web\",\"type\":\"string\",\"count\":\"4\"}],\"complete\":"
         "true,"},
        {"/v1/attributes?scope=intrinsic&key=statusMessage",
         "{\"values\":[{\"value\":\"no "
         "room\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=event:name",
         "{\"values\":[{\"value\":\"done\",\"type\":\"string\",\"count\":\"1\"},"
         "{\"value\":\"retry\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=event:name&prefix=r" BELOW,
         "{\"values\":[{\"value\":\"retry\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":"
         "true,"},
        /* any spelling; what is no word has nothing to complete */
        {"/v1/attributes?scope=intrinsic&key=span:name" CART,
         "{\"values\":[{\"value\":\"add\",\"type\":\"string\",\"count\":\"1\"},"
         "{\"value\":\"write\",\"type\":\"string\",\"count\":\"1\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=trace:rootService",
         "{\"values\":[{\"value\":\"web\",\"type\":\"string\",\"count\":\"4\"}],\"complete\":"
         "true,"},
        {"/v1/attributes?scope=intrinsic&key=childCount",
         "{\"values\":[{\"value\":\"0\",\"type\":\"int\",\"count\":\"2\"},"
         "{\"value\":\"1\",\"type\":\"int\",\"count\":\"2\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&key=span:id", "{\"values\":[],\"complete\":true}"},
        {"/v1/attributes?scope=intrinsic&key=parent" CART, "{\"values\":[],\"complete\":true}"},
        /* as all spans are counted: one is in error, none is ok */
        {"/v1/attributes?scope=intrinsic&key=span:status",
         "{\"values\":[{\"value\":\"unset\",\"type\":\"status\",\"count\":\"3\"},"
         "{\"value\":\"error\",\"type\":\"status\",\"count\":\"1\"},"
         "{\"value\":\"ok\",\"type\":\"status\",\"count\":\"0\"}],\"complete\":true,"},
        {"/v1/attributes?scope=intrinsic&prefix=span:",
         "{\"attributes\":[{\"scope\":\"intrinsic\",\"key\":\"span:duration\",\"type\":"
         "\"duration\","
         "\"spanCount\":\"4\"},{\"scope\":\"intrinsic\",\"key\":\"span:kind\","},
        {"/v1/attributes?scope=intrinsic&key=duration" CART, "{\"values\":[],\"complete\":true}"},
        {"/v1/attributes?scope=intrinsic&prefix=event",
         "\"key\":\"event:name\",\"type\":\"string\","
         "\"spanCount\":null"},
    };
    add_spans();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++)
        expect_answer(&world, rows[i].url, 200, rows[i].answer);
}
END_TEST

#define KEY(scope, key, type, count)                                                               \
    "{\"scope\":\"" scope "\",\"key\":\"" key "\",\"type\":\"" type "\",\"spanCount\":\"" count    \
    "\"}"

START_TEST(keys_are_those_of_the_spans_that_match)
{
    static const struct {
        const char *url, *answer;
    } rows[] = {
        {"/v1/attributes?scope=span" CART,
         "{\"attributes\":[" KEY("span", "colour", "string",
                                 "1") "," KEY("span", "colour", "int", "1") "],\"complete\":true,"},
        {"/v1/attributes?scope=span" BELOW,
         "{\"attributes\":[" KEY("span", "colour", "string",
                                 "1") "," KEY("span", "colour", "int", "1") "],\"complete\":true,"},
        {"/v1/attributes?scope=event" CART,
         "{\"attributes\":[" KEY("event", "colour", "string",
                                 "1") "," KEY("event", "size", "int", "1") "],\"complete\":true,"},
        {"/v1/attributes?scope=link" BELOW,
         "{\"attributes\":[" KEY("link", "size", "int", "1") "],\"complete\":true,"},
        {"/v1/attributes?scope=resource" CART,
         "{\"attributes\":[" KEY("resource", "service.name", "string", "2") "],\"complete\":true,"},
        {"/v1/attributes?prefix=s&limit=1" CART,
         "{\"attributes\":[" KEY("resource", "service.name", "string",
                                 "2") "],\"complete\":false,"},
        {"/v1/attributes?scope=span" NOBODY, "{\"attributes\":[],\"complete\":true,"},
    };
    add_spans();
    for (size_t i = 0; i < SP_ARRAY_LEN(rows); i++)
        expect_answer(&world, rows[i].url, 200, rows[i].answer);
}
END_TEST

START_TEST(a_query_for_everything_is_answered_by_the_catalogue)
{
    static const char *const urls[][2] = {
        {"/v1/attributes", "/v1/attributes?q=%7B%20%7D"},
        {"/v1/attributes?key=colour", "/v1/attributes?key=colour&q=%7B%7D"},
        {"/v1/attributes?scope=intrinsic&key=status",
         "/v1/attributes?scope=intrinsic&key=status&q=(%7B%7D)"}};
    add_spans();
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++) {
        struct sp_query_call *call = ask(&world, urls[i][0]);
        char *plain = answer_text(call);
        expect_answer(&world, urls[i][1], 200, plain);
        free(plain);
        answer_fini(call);
    }
}
END_TEST

START_TEST(bad_queries_are_pointed_at)
{
    expect_answer(&world, "/v1/attributes?key=colour&q=%7Bname%20%3D%20%7D", 400, "\"offset\":8");
    expect_answer(&world, "/v1/attributes?q=%7B%7D%7Crate()", 400,
                  "expected a query that finds spans");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=colour" CART, 400, "must be one of");
}
END_TEST

/* Every look at the clock takes a while. */
static uint64_t step_ns;

static uint64_t hurrying_ns(void *cookie)
{
    struct world *hurried = cookie;
    return hurried->monotonic_ns += step_ns;
}

START_TEST(completion_that_has_no_time_says_so)
{
    static const char *const urls[] = {
        "/v1/attributes?key=colour&scope=span" CART, "/v1/attributes?scope=span" CART,
        "/v1/attributes?scope=intrinsic&key=event:name", "/v1/attributes?key=colour" BELOW};
    add_spans();
    step_ns = SP_COMPLETION_TIME_MS * MS / 2;
    world.clock.monotonic_ns = hurrying_ns;
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++)
        expect_answer(&world, urls[i], 200, "\"complete\":false");
    step_ns = SP_QUERY_TIME_NS;
    expect_answer(&world, urls[0], 504, "took longer");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("complete");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, values_are_those_of_the_spans_that_match);
    tcase_add_test(tcase, intrinsics_are_those_of_the_spans_that_match);
    tcase_add_test(tcase, keys_are_those_of_the_spans_that_match);
    tcase_add_test(tcase, a_query_for_everything_is_answered_by_the_catalogue);
    tcase_add_test(tcase, bad_queries_are_pointed_at);
    tcase_add_test(tcase, completion_that_has_no_time_says_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
