/* SPDX-License-Identifier: Apache-2.0
 *
 * Heatmaps and facets: every span once, in the right cell; values with their counts, in both sets; limits and errors. That both
 * engines answer the same: test_metrics_oracle.c. */
#include <stdio.h>
#include <stdlib.h>

#include "query/facets.h"
#include "query/split.h"
#include "tests/support/span_gen.h"
#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    sp_arena_init(&arena, 512 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

static char *ask_text(const char *url)
{
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    answer_fini(call);
    return text;
}

/* Numbers of an array of numbers or of strings with numbers, "key":[...]. */
static size_t numbers_of(const char *text, const char *key, uint64_t *out, size_t max)
{
    char pattern[64];
    size_t count = 0;
    snprintf(pattern, sizeof(pattern), "\"%s\":[", key);
    const char *at = strstr(text, pattern);
    ck_assert_ptr_nonnull(at);
    int depth = 0;
    for (at += strlen(pattern) - 1; *at; at++) {
        depth += (*at == '[') - (*at == ']');
        if (depth == 0)
            break;
        if (*at < '0' || *at > '9')
            continue;
        char *end;
        ck_assert_uint_lt(count, max);
        out[count++] = strtoull(at, &end, 10);
        at = end - 1;
    }
    return count;
}

START_TEST(heatmap_has_every_span_in_its_cell)
{
    static uint64_t bounds[1024], cells[1 << 20];
    static uint64_t want[400][513][2];
    struct sp_gen_options options = {.span_count = 3000,
                                     .trace_count = 200,
                                     .trace_seed = 3,
                                     .odd_percent = _i % 2 ? 10 : 0,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, 100 + (uint64_t)_i, &options);
    char url[256];
    uint64_t from = T0 + 60 * 1000 * MS, to = T0 + 2400 * 1000 * MS, step;
    unsigned steps = 1 + (unsigned)_i * 7, rows = 2 + (unsigned)_i * 25;
    world_add(&world, batch->spans, batch->span_count);
    snprintf(url, sizeof(url), "/v1/heatmap?from=%llu&to=%llu&steps=%u&rows=%u&q=%%7B%%7D",
             (unsigned long long)from, (unsigned long long)to, steps, rows);
    char *text = ask_text(url), member[64];
    json_member(text, "stepNano", member, sizeof(member));
    step = strtoull(member, NULL, 10);
    size_t bound_count = numbers_of(text, "bounds", bounds, SP_ARRAY_LEN(bounds));
    size_t cell_count = numbers_of(text, "cells", cells, SP_ARRAY_LEN(cells));
    ck_assert_uint_le(bound_count, rows + 1);
    ck_assert_uint_ge(bound_count, 2);
    memset(want, 0, sizeof(want));
    size_t in_range = 0;
    for (size_t i = 0; i < batch->span_count; i++) {
        const struct sp_span *span = &batch->spans[i];
        uint64_t duration = sp_span_duration_ns(span);
        if (span->start_unix_ns < from || span->start_unix_ns >= to)
            continue;
        size_t row = 0;
        while (row + 2 < bound_count && duration >= bounds[row + 1])
            row++;
        ck_assert_uint_ge(duration, bounds[row]);
        want[(span->start_unix_ns - from) / step][row][0]++;
        want[(span->start_unix_ns - from) / step][row][1] += span->status_code == 2;
        in_range++;
    }
    ck_assert_uint_gt(in_range, 500);
    for (size_t i = 0; i < cell_count; i += 4) {
        ck_assert_uint_lt(cells[i], steps);
        ck_assert_uint_eq(cells[i + 2], want[cells[i]][cells[i + 1]][0]);
        ck_assert_uint_eq(cells[i + 3], want[cells[i]][cells[i + 1]][1]);
        in_range -= cells[i + 2];
    }
    ck_assert_uint_eq(in_range, 0);
    free(text);
}
END_TEST

/* What is stored is a nanosecond: a rate of it would be a thousand million times what there is. And a duration of 0 has a row. */
START_TEST(heatmap_of_one_span_is_a_second_long)
{
    struct sp_span span = make_span(&arena, 1, 1, 0, "web", "a", T0, 0);
    world_add(&world, &span, 1);
    char *text = ask_text("/v1/heatmap?steps=2&q=%7B%7D");
    ck_assert_ptr_nonnull(strstr(text,
                                 "\"from\":\"1767225600000000000\",\"to\":\"1767225601000000000\","
                                 "\"stepNano\":\"500000000\",\"bounds\":[\"0\",\"1\"]"));
    ck_assert_ptr_nonnull(strstr(text, "\"cells\":[[0,0,1,0]]"));
    free(text);
    expect_answer(&world, "/v1/heatmap?steps=2&to=2026-01-01T00:00:00.0000001Z", 200,
                  "\"from\":\"1767225599000000100\",\"to\":\"1767225600000000100\"");
    expect_answer(&world, "/v1/metrics/query?q=%7B%7D%7Crate()", 200,
                  "\"points\":[[\"1767225600000000000\",1]]");
}
END_TEST

START_TEST(heatmap_has_count_errors_and_quantiles_of_each_step)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 0),
        make_span(&arena, 1, 2, 0, "web", "a", T0 + 1, 1000),
        make_span(&arena, 2, 3, 0, "web", "b", T0 + 500, 4096),
        make_span(&arena, 2, 4, 0, "web", "b", T0 + 999, 4097),
    };
    spans[2].status_code = SP_SPAN_STATUS_ERROR;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    char *text = ask_text(
        "/v1/heatmap?steps=2&rows=4&q=%7B%7D&from=1767225600000000000&to=1767225600000001000");
    /* Durations from 1000 to 4097 ns lie in four octaves, which are too many beside the row of 0. */
    ck_assert_msg(strstr(text, "\"stepNano\":\"500\",\"bounds\":[\"0\",\"256\",\"1024\","
                               "\"4096\",\"16384\"]") != NULL,
                  "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "\"count\":\"2\",\"errors\":\"0\""));
    ck_assert_ptr_nonnull(strstr(text, "\"count\":\"2\",\"errors\":\"1\""));
    ck_assert_ptr_nonnull(strstr(text, "\"quantiles\":{\"0.5\":\"0\""));
    free(text);
    expect_answer(&world, "/v1/heatmap?q=%7B%20name%20%3D%20%22none%22%20%7D", 200, "\"cells\":[]");
    expect_answer(&world, "/v1/heatmap?steps=401", 400, "\"steps\\\"");
    expect_answer(&world, "/v1/heatmap?rows=1", 400, "\"rows\\\"");
    expect_answer(&world, "/v1/heatmap?q=%7B%7D%7Crate()", 400, "found one that makes series");
}
END_TEST

static void add_shop(void)
{
    static struct sp_span spans[60];
    static const char *const routes[] = {"/a", "/b", "/c"};
    static char ids[60][8];
    for (unsigned i = 0; i < 60; i++) {
        spans[i] = make_span(&arena, i / 4 + 1, i + 1, 0, i % 2 ? "web" : "db", "call", T0 + i,
                             i < 12 ? 2000 * MS : 10 * MS);
        add_attribute(&arena, &spans[i], "route", text_value(routes[i < 12 ? 2 : i % 2]));
        snprintf(ids[i], sizeof(ids[i]), "id%u", i);
        add_attribute(&arena, &spans[i], "id", text_value(ids[i]));
        if (i % 3 == 0)
            add_attribute(&arena, &spans[i], "size", int_value(i % 6));
    }
    world_add(&world, spans, 60);
}

#define FACETS "/v1/facets?q=%7B%7D"

/* A range that nobody gave an end has the last nanosecond that there is, whatever divides it. */
START_TEST(heatmap_has_the_last_nanosecond)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", UINT64_MAX - 14, 0),
        make_span(&arena, 2, 2, 0, "web", "a", UINT64_MAX, 0),
    };
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    for (unsigned steps = 1; steps <= 20; steps++) {
        char url[64];
        snprintf(url, sizeof(url), "/v1/heatmap?steps=%u", steps);
        char *text = ask_text(url);
        unsigned counted = 0;
        for (const char *at = text; (at = strstr(at, "\"count\":\"")) != NULL; at++)
            counted += (unsigned)atoi(at + strlen("\"count\":\""));
        ck_assert_msg(counted == 2, "%s: %s", url, text);
        free(text);
    }
}
END_TEST

START_TEST(facets_count_values_most_frequent_first)
{
    add_shop();
    expect_answer(&world, FACETS "&keys=span.route", 200,
                  "\"distinct\":3,\"complete\":true,\"values\":["
                  "{\"value\":\"/a\",\"type\":\"string\",\"count\":\"24\"},"
                  "{\"value\":\"/b\",\"type\":\"string\",\"count\":\"24\"},"
                  "{\"value\":\"/c\",\"type\":\"string\",\"count\":\"12\"}]");
    expect_answer(&world, FACETS "&keys=span.size&limit=2", 200,
                  "\"values\":[{\"value\":null,\"type\":\"nil\",\"count\":\"40\"},"
                  "{\"value\":\"0\",\"type\":\"int\",\"count\":\"10\"}]");
    expect_answer(&world, "/v1/facets?keys=service&q=%7B%20duration%20%3E%201s%20%7D", 200,
                  "\"spans\":\"12\"");
    expect_answer(&world, FACETS "&keys=service,trace:rootName", 200, "\"key\":\"trace:rootName\"");
}
END_TEST

/* A span with three events of two names, one with one, one with none; and links with attributes. */
START_TEST(facets_count_all_events_and_links_of_a_span_once_for_each_value)
{
    const struct sp_attribute one[] = {{SP_SLICE("size"), {.kind = SP_VALUE_INT, .integer = 1}}};
    const struct sp_attribute two[] = {{SP_SLICE("size"), {.kind = SP_VALUE_INT, .integer = 2}}};
    const struct sp_event events[] = {
        {.name = SP_SLICE("retry")}, {.name = SP_SLICE("exception")}, {.name = SP_SLICE("retry")}};
    const struct sp_link links[] = {{.trace_id.bytes = {1}, .span_id.bytes = {1}},
                                    {.trace_id.bytes = {1}, .attributes = {one, 1, 0}},
                                    {.trace_id.bytes = {1}, .attributes = {two, 1, 0}}};
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "a", T0, 1),
        make_span(&arena, 1, 2, 1, "web", "a", T0, 1),
        make_span(&arena, 1, 3, 1, "web", "b", T0, 1),
    };
    spans[0].events = events;
    spans[0].event_count = 3;
    spans[0].links = links;
    spans[0].link_count = 3;
    spans[1].events = &events[1];
    spans[1].event_count = 1;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, FACETS "&keys=event:name", 200,
                  "\"distinct\":3,\"complete\":true,\"values\":["
                  "{\"value\":\"exception\",\"type\":\"string\",\"count\":\"2\"},"
                  "{\"value\":null,\"type\":\"nil\",\"count\":\"1\"},"
                  "{\"value\":\"retry\",\"type\":\"string\",\"count\":\"1\"}]");
    expect_answer(&world, FACETS "&keys=link.size", 200,
                  "\"values\":[{\"value\":null,\"type\":\"nil\",\"count\":\"2\"},"
                  "{\"value\":\"1\",\"type\":\"int\",\"count\":\"1\"},"
                  "{\"value\":\"2\",\"type\":\"int\",\"count\":\"1\"}]");
    /* on whole traces, and with a selection */
    expect_answer(&world, "/v1/facets?q=%7B%7D%20%3C%20%7B%7D&keys=event:name", 200,
                  "\"values\":[{\"value\":\"exception\",\"type\":\"string\",\"count\":\"1\"},"
                  "{\"value\":\"retry\",\"type\":\"string\",\"count\":\"1\"}]");
    expect_answer(
        &world, FACETS "&keys=event:name&selection=%7B%20event:name%20%3D%20%22retry%22%20%7D", 200,
        "{\"value\":\"exception\",\"type\":\"string\",\"count\":\"2\",\"selected\":\"1\"}");
}
END_TEST

START_TEST(heatmaps_and_facets_explain_themselves)
{
    add_shop();
    const char *passes =
        "\"explain\":{\"query\":\"{ duration > 1s }\",\"passes\":[{\"stages\":[\"{ "
        "duration > 1s }\"],\"reads\":\"durations\",\"hints\":";
    const char *clause =
        "\"clauses\":[{\"clause\":\"duration > 1s\",\"offset\":10,\"spans\":\"12\",";
    static const char *const urls[] = {
        "/v1/heatmap?q=%7Bduration%20%3E%201s%7D&explain=true",
        "/v1/facets?q=%7Bduration%20%3E%201s%7D&keys=name&explain=true"};
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++) {
        expect_answer(&world, urls[i], 200, passes);
        expect_answer(&world, urls[i], 200, clause);
    }
    /* which keys tell most is asked of a sample first */
    expect_answer(&world, "/v1/facets?explain=true", 200, "},{\"stages\":[\"{ }\"],");
    expect_answer(&world, "/v1/facets", 200, "\"tookMs\":0}");
}
END_TEST

START_TEST(facets_show_how_a_selection_differs)
{
    add_shop();
    char *text =
        ask_text(FACETS "&keys=service,span.route&selection=%7B%20duration%20%3E%201s%20%7D");
    /* the route tells: all of the selection, none of the rest */
    ck_assert_ptr_nonnull(strstr(text, "{\"facets\":[{\"key\":\"span.route\",\"score\":1,"));
    ck_assert_ptr_nonnull(strstr(
        text, "{\"value\":\"/c\",\"type\":\"string\",\"count\":\"12\",\"selected\":\"12\"}"));
    ck_assert_ptr_nonnull(strstr(text, "\"spans\":\"60\",\"selected\":\"12\""));
    free(text);
    char url[256];
    snprintf(url, sizeof(url), "%s&keys=service&selectionFrom=%llu&selectionTo=%llu", FACETS,
             (unsigned long long)T0 + 10, (unsigned long long)T0 + 20);
    expect_answer(&world, url, 200, "\"spans\":\"60\",\"selected\":\"10\"");
    expect_answer(&world, FACETS "&selection=%7B%7D%20%3E%20%7B%7D", 400,
                  "must be one filter that reads single spans");
    expect_answer(&world, FACETS "&selection=%7B", 400, "\"parameter\":\"selection\"");
}
END_TEST

START_TEST(facets_find_the_keys_that_tell_most)
{
    add_shop();
    char *text = ask_text(FACETS);
    ck_assert_ptr_nonnull(strstr(text, "\"key\":\"span.route\""));
    ck_assert_ptr_nonnull(strstr(text, "\"key\":\"service\""));
    ck_assert_msg(strstr(text, "span.id") == NULL, "ids tell nothing: %s", text);
    ck_assert_msg(strstr(text, "\"key\":\"kind\"") == NULL, "all are alike: %s", text);
    free(text);
}
END_TEST

START_TEST(facets_have_limits)
{
    static struct sp_span spans[SP_SPLIT_VALUES_MAX + 1];
    static char names[SP_SPLIT_VALUES_MAX + 1][12], url[4096];
    for (unsigned i = 0; i < SP_ARRAY_LEN(spans); i++) {
        snprintf(names[i], sizeof(names[i]), "n%u", i);
        spans[i] = make_span(&arena, 1, i + 1, 0, "web", names[i], T0, 1);
    }
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    expect_answer(&world, FACETS "&keys=name", 200,
                  "\"score\":0,\"distinct\":10000,\"complete\":false,\"values\":[]");
    char *at = url + sprintf(url, "%s&keys=name", FACETS);
    for (unsigned i = 0; i < SP_FACET_KEYS_MAX; i++)
        at += sprintf(at, ",span.k%u", i);
    expect_answer(&world, url, 400, "takes at most 64 fields");
    expect_answer(&world, FACETS "&keys=1", 400, "must be fields");
    expect_answer(&world, FACETS "&keys=name,nosuch", 400, "\"offset\":5");
    expect_answer(
        &world, FACETS "&keys=name,nosuch", 400,
        "\"expected\":\"a field (duration, span.name, resource.name, ...), found nosuch\"");
    expect_answer(&world, FACETS "&keys=name,", 400, "found the end\"");
    expect_answer(&world, FACETS "&keys=name,", 400, "\"offset\":5");
    expect_answer(&world, FACETS "&keys=name)%7Cselect(kind", 400, "\"offset\":4");
    expect_answer(&world, FACETS "&keys=name)%7Cselect(kind", 400, "must be fields");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("heatmap");
    TCase *tcase = tcase_create("heatmap and facets");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, heatmap_has_every_span_in_its_cell, 0, 16);
    tcase_add_test(tcase, heatmap_of_one_span_is_a_second_long);
    tcase_add_test(tcase, heatmap_has_count_errors_and_quantiles_of_each_step);
    tcase_add_test(tcase, heatmap_has_the_last_nanosecond);
    tcase_add_test(tcase, facets_count_values_most_frequent_first);
    tcase_add_test(tcase, facets_count_all_events_and_links_of_a_span_once_for_each_value);
    tcase_add_test(tcase, heatmaps_and_facets_explain_themselves);
    tcase_add_test(tcase, facets_show_how_a_selection_differs);
    tcase_add_test(tcase, facets_find_the_keys_that_tell_most);
    tcase_add_test(tcase, facets_have_limits);
    suite_add_tcase(suite, tcase);
    return suite;
}
