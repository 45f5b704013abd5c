/* SPDX-License-Identifier: Apache-2.0
 *
 * What a page asks about one trace: its columns whole (a golden file that the UI's tests read as well), matches, attributes, ranks of
 * some rows; and the addresses of other tools that lead to pages. */
#include <stdio.h>
#include <stdlib.h>

#include "query/foreign_links.h"
#include "query/trace.h"
#include "tests/support/recording.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    world_init(&world);
    sp_arena_init(&arena, SIZE_MAX);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

#define TRACE1 "/v1/traces/00000000000000000000000000000001"

static const struct sp_event *two_events(void)
{
    struct sp_event *events = sp_arena_calloc(&arena, 2, sizeof(*events));
    events[0] = (struct sp_event){.time_unix_ns = T0 + 25 * MS, .name = sp_slice_cstr("exception")};
    events[1] = (struct sp_event){.time_unix_ns = T0 + 15 * MS, .name = sp_slice_cstr("retry")};
    return events;
}

/* web calls cart, which fails with two events; cart asks redis twice, which sends no spans; an orphan of cart. */
static void add_trace(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "call cart", T0 + 10 * MS, 50 * MS),
        make_span(&arena, 1, 3, 2, "cart", "add", T0 + 20 * MS, 30 * MS),
        make_span(&arena, 1, 4, 3, "cart", "HGET", T0 + 22 * MS, 5 * MS),
        make_span(&arena, 1, 5, 3, "cart", "HGET", T0 + 28 * MS, 6 * MS),
        make_span(&arena, 1, 6, 99, "cart", "lost", T0 + 30 * MS, 5 * MS),
    };
    static const struct sp_link link = {.trace_id = {{9}}, .span_id = {{8}}};
    spans[1].kind = spans[3].kind = spans[4].kind = SP_KIND_CLIENT;
    spans[5].kind = SP_KIND_CONSUMER;
    spans[5].links = &link;
    spans[5].link_count = 1;
    spans[2].status_code = SP_SPAN_STATUS_ERROR;
    spans[2].status_present = true;
    spans[2].events = two_events();
    spans[2].event_count = 2;
    add_attribute(&arena, &spans[2], "user.tier", text_value("gold"));
    add_attribute(&arena, &spans[2], "items", int_value(3));
    for (int i = 3; i <= 4; i++) {
        add_attribute(&arena, &spans[i], "db.system", text_value("redis"));
        add_attribute(&arena, &spans[i], "items", text_value(i == 3 ? "three" : "3"));
    }
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

START_TEST(columns_are_those_of_the_golden_file)
{
    add_trace();
    char path[4096];
    static char expected[65536];
    snprintf(path, sizeof(path), "%s/../golden/columns/trace.json", sp_test_data_dir());
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    size_t len = fread(expected, 1, sizeof(expected) - 1, file);
    fclose(file);
    ck_assert_uint_gt(len, 0);
    expected[len - 1] = 0; /* its line feed */
    struct sp_query_call *call = ask(&world, TRACE1 "?view=columns");
    char *text = answer_text(call);
    ck_assert_msg(strcmp(text, expected) == 0, "%s should be: %s", path, text);
    free(text);
    answer_fini(call);
}
END_TEST

START_TEST(summary_heads_a_trace)
{
    add_trace();
    expect_answer(&world, TRACE1 "?view=summary", 200,
                  "\"durationNano\":\"100000000\",\"spanCount\":6,\"errorCount\":1,");
    expect_answer(&world, TRACE1 "?view=summary", 200,
                  "\"firstServiceName\":\"web\",\"firstSpanName\":\"GET /\"}");
    expect_answer(&world, TRACE1 "?view=summary&skew=adjust", 400, "\"parameter\":\"skew\"");
}
END_TEST

START_TEST(columns_tell_of_so_many_events_and_count_all)
{
    struct sp_span span = make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS);
    uint32_t count = (uint32_t)SP_COLUMNS_EVENTS_MAX + 1;
    struct sp_event *events = sp_arena_calloc(&arena, count, sizeof(*events));
    for (uint32_t i = 0; i < count; i++)
        events[i] = (struct sp_event){.time_unix_ns = T0 + i, .name = sp_slice_cstr("e")};
    span.events = events;
    span.event_count = count;
    world_add(&world, &span, 1);
    expect_answer(&world, TRACE1 "?view=columns", 200,
                  "\"events\":{\"count\":200001,\"names\":[\"e\"],\"row\":[0,0,");
    expect_answer(&world, TRACE1 "?view=columns", 200, ",199999],\"name\":[0,0,");
}
END_TEST

/* Bit 0 of the first byte is row 0. "AA==" is none. */
START_TEST(matches_are_a_bitmap_of_rows)
{
    add_trace();
    static const struct {
        const char *q, *answer;
    } cases[] = {
        {"%7Bname%3D%22HGET%22%7D", "{\"spanCount\":6,\"matchCount\":2,\"bitmap\":\"GA==\"}"},
        {"%7B.user.tier%3D%22gold%22%7D", "{\"spanCount\":6,\"matchCount\":1,\"bitmap\":\"BA==\"}"},
        {"%7Bstatus%3Derror%7D%20%3E%20%7B%7D", "\"matchCount\":2,\"bitmap\":\"GA==\""},
        {"%7Bname%3D%22nobody%22%7D", "\"matchCount\":0,\"bitmap\":\"AA==\""},
        {"", "\"matchCount\":6,\"bitmap\":\"Pw==\""},
        /* spans that stand in several sets count once */
        {"%7B%7D%20%7C%20by(resource.service.name)", "\"matchCount\":6"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        char url[256];
        snprintf(url, sizeof(url), TRACE1 "/match?q=%s", cases[i].q);
        expect_answer(&world, url, 200, cases[i].answer);
    }
    expect_answer(&world, TRACE1 "/match?q=%7Bname%3D", 400, "\"parameter\":\"q\",\"offset\":6");
    expect_answer(&world, TRACE1 "/match?q=%7B%7D%7Crate()", 400, "\"parameter\":\"q\"");
    expect_answer(&world, "/v1/traces/00000000000000000000000000000002/match", 404, "no span");
}
END_TEST

/* A value of any kind, wherever it stands; keys and names are not looked at. */
START_TEST(match_finds_a_text_in_the_values_of_spans)
{
    add_trace();
    struct sp_span span = make_span(&arena, 1, 0x77, 1, "web", "pay", T0 + MS, MS);
    add_attribute(&arena, &span, "amount", int_value(4711));
    span.status_message = SP_SLICE("Out of Money");
    struct sp_attribute because = {SP_SLICE("why"), text_value("the purse is empty")};
    struct sp_event event = {.time_unix_ns = T0,
                             .name = SP_SLICE("refused"),
                             .attributes = {.items = &because, .count = 1}};
    span.events = &event;
    span.event_count = 1;
    world_add(&world, &span, 1);
    static const struct {
        const char *query, *answer;
    } cases[] = {
        {"text=GOLD", "\"spanCount\":7,\"matchCount\":1,"},
        {"text=471", "\"matchCount\":1,"},
        {"text=of%20money", "\"matchCount\":1,"},
        {"text=purse", "\"matchCount\":1,"},
        {"text=REFUSED", "\"matchCount\":1,"},
        {"text=cart", "\"matchCount\":4,"},
        {"text=cart&q=%7Bname%3D%22HGET%22%7D", "\"matchCount\":2,"},
        {"text=user.tier", "\"matchCount\":0,"},
        {"text=HGET", "\"matchCount\":0,"},
        {"text=", "\"matchCount\":7,"},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        char url[256];
        snprintf(url, sizeof(url), TRACE1 "/match?%s", cases[i].query);
        expect_answer(&world, url, 200, cases[i].answer);
    }
    char url[SP_MATCH_TEXT_BYTES_MAX + 100];
    int len = snprintf(url, sizeof(url), TRACE1 "/match?text=");
    memset(url + len, 'a', SP_MATCH_TEXT_BYTES_MAX);
    url[len + SP_MATCH_TEXT_BYTES_MAX] = '\0';
    expect_answer(&world, url, 200, "\"matchCount\":0,");
    strcat(url, "a");
    expect_answer(&world, url, 400, "\"parameter\":\"text\"");
}
END_TEST

START_TEST(attributes_of_a_trace_are_listed_and_laid_out_by_row)
{
    add_trace();
    expect_answer(
        &world, TRACE1 "/attributes", 200,
        "{\"attributes\":[{\"scope\":\"span\",\"key\":\"db.system\",\"spanCount\":2},{\"scope\":"
        "\"span\",\"key\":\"items\",\"spanCount\":3},{\"scope\":\"span\",\"key\":\"user.tier\","
        "\"spanCount\":1},{\"scope\":\"resource\",\"key\":\"service.name\",\"spanCount\":6}],"
        "\"complete\":true}");
    /* A number and a text that read the same are one group. */
    expect_answer(&world, TRACE1 "/attributes?key=items", 200,
                  "{\"spanCount\":6,\"values\":[\"3\",\"three\"],\"column\":[-1,-1,0,1,0,-1]}");
    expect_answer(&world, TRACE1 "/attributes?key=service.name&scope=resource", 200,
                  "\"values\":[\"cart\",\"web\"],\"column\":[1,1,0,0,0,0]}");
    expect_answer(&world, TRACE1 "/attributes?key=nothing", 200,
                  "\"values\":[],\"column\":[-1,-1,-1,-1,-1,-1]}");
    expect_answer(&world, TRACE1 "/attributes?key=a&scope=event", 400,
                  "span|resource|instrumentation");
}
END_TEST

START_TEST(attribute_keys_have_a_limit_that_is_said)
{
    enum { EACH = 8 };
    uint32_t count = SP_TRACE_KEYS_MAX / EACH + 1;
    struct sp_span *spans = sp_arena_calloc(&arena, count, sizeof(*spans));
    for (uint32_t i = 0; i < count; i++) {
        spans[i] = make_span(&arena, 1, i + 1, 0, "web", "GET /", T0 + i, MS);
        for (uint32_t k = 0; k < EACH; k++) {
            char *key = sp_arena_alloc(&arena, 16);
            snprintf(key, 16, "key.%u", i * EACH + k);
            add_attribute(&arena, &spans[i], key, int_value(1));
        }
    }
    world_add(&world, spans, count);
    expect_answer(&world, TRACE1 "/attributes", 200, "\"complete\":false}");
    expect_answer(&world, TRACE1 "/attributes?key=key.4103", 200, "\"values\":[\"1\"]");
}
END_TEST

START_TEST(ranks_of_some_rows_are_those_of_all)
{
    add_trace();
    expect_answer(&world, TRACE1 "/percentiles?rows=4,0", 200,
                  "{\"rows\":[{\"row\":4,\"spanId\":\"0000000000000005\",\"calls\":\"2\","
                  "\"shorter\":0.5,\"notLonger\":1},{\"row\":0,\"spanId\":\"0000000000000001\","
                  "\"calls\":\"1\",\"shorter\":0,\"notLonger\":1}],");
    expect_answer(&world, TRACE1 "/percentiles", 200, "\"row\":5,");
    expect_answer(&world, TRACE1 "/percentiles?rows=6", 400, "rows 0 to 5");
    expect_answer(&world, TRACE1 "/percentiles?rows=0-200", 400, "\"parameter\":\"rows\"");
    /* The range is about the spans to compare with; the trace may lie outside. */
    expect_answer(&world, TRACE1 "/percentiles?rows=0&from=2026-01-02T00:00:00Z", 200,
                  "\"calls\":\"0\"");
}
END_TEST

static void expect_link(const char *path, const char *query, const char *expected)
{
    struct sp_buf out;
    sp_buf_init(&out, 4096);
    bool found = sp_foreign_link(&arena, sp_slice_cstr(path), sp_slice_cstr(query), &out);
    sp_buf_append_byte(&out, 0);
    ck_assert_msg(found == (expected != NULL), "%s?%s", path, query);
    if (expected)
        ck_assert_str_eq((const char *)out.ptr, expected);
    sp_buf_fini(&out);
}

START_TEST(links_of_other_tools_lead_to_pages)
{
    expect_link("/trace/000000000000abcd", "", "/trace/?id=0000000000000000000000000000abcd");
    expect_link("/zipkin/traces/000000000000ABCD", "",
                "/trace/?id=0000000000000000000000000000abcd");
    expect_link("/zipkin/traces/nothing", "", NULL);
    expect_link("/trace/abcd", "uiFind=00000000000000ef",
                "/trace/?id=0000000000000000000000000000abcd&span=00000000000000ef");
    expect_link("/trace/abcd", "uiFind=no%20stock",
                "/trace/?id=0000000000000000000000000000abcd&find=no%20stock");
    expect_link("/trace/abcd...12", "cohort=abcd",
                "/compare/?a=0000000000000000000000000000abcd&b="
                "00000000000000000000000000000012");
    expect_link("/trace/abcd..12", "", NULL);
    expect_link("/trace/abcd...", "", NULL);
    expect_link("/trace/", "", NULL);
    expect_link("/trace/0", "", NULL);
    expect_link("/trace/0123456789abcdef0123456789abcdef0", "", NULL);
    expect_link("/zipkin/", "", NULL);
    expect_link("/search",
                "service=cart&operation=all&lookback=1h&start=1&end=2&limit=20&maxDuration&"
                "minDuration=1.5ms",
                "/?q=%7B%20resource.service.name%20%3D%20%22cart%22%20%26%26%20duration%20%3E%3D%"
                "201500000ns%20%7D&from=now-1h&limit=20");
    expect_link("/search", "tag=http.method%3AGET&tag=error:true&tag=nonsense&tag=%3A&limit=x",
                "/?q=%7B%20.%22http.method%22%20%3D%20%22GET%22%20%26%26%20status%20%3D%20error%20"
                "%7D");
    expect_link("/search",
                "lookback=custom&start=1767225600000000&end=1767225700000000&operation=a%22b",
                "/?q=%7B%20name%20%3D%20%22a%5C%22b%22%20%7D&from=1767225600000000&to="
                "1767225700000000");
    expect_link("/search", "tags=%7B%22a%22%3A%22b%22%2C%22n%22%3A%225%22%2C%22error%22%3Atrue%7D",
                "/?q=%7B%20.%22a%22%20%3D%20%22b%22%20%26%26%20%28.%22n%22%20%3D%205%20%7C%7C%20.%"
                "22n%22%20%3D%20%225%22%29%20%26%26%20status%20%3D%20error%20%7D");
    expect_link("/search", "tags=nonsense", NULL);
    expect_link("/search", "", "/?q=%7B%20%7D");
    expect_link("/elsewhere", "", NULL);
}
END_TEST

START_TEST(link_that_has_no_room_is_none)
{
    char query[3000] = "service=";
    memset(query + 8, 'x', sizeof(query) - 9);
    query[sizeof(query) - 1] = 0;
    expect_link("/search", query, NULL);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_trace");
    TCase *tcase = tcase_create("trace");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, columns_are_those_of_the_golden_file);
    tcase_add_test(tcase, summary_heads_a_trace);
    tcase_add_test(tcase, columns_tell_of_so_many_events_and_count_all);
    tcase_add_test(tcase, matches_are_a_bitmap_of_rows);
    tcase_add_test(tcase, match_finds_a_text_in_the_values_of_spans);
    tcase_add_test(tcase, attributes_of_a_trace_are_listed_and_laid_out_by_row);
    tcase_add_test(tcase, attribute_keys_have_a_limit_that_is_said);
    tcase_add_test(tcase, ranks_of_some_rows_are_those_of_all);
    tcase_add_test(tcase, links_of_other_tools_lead_to_pages);
    tcase_add_test(tcase, link_that_has_no_room_is_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
