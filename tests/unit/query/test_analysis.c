/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers about whole traces and many of them: clocks. What they are made of is tested in tests/unit/analysis. */
#include "tests/unit/query/world.h"

#include <stdio.h>
#include <stdlib.h>

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

/* ---- clocks ---- */

/* web calls cart, whose clock is 40 ms behind: what cart calls then stands first by start. */
static void add_skewed(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 200 * MS),
        make_span(&arena, 1, 2, 1, "web", "other", T0 + 5 * MS, 10 * MS),
        make_span(&arena, 1, 3, 1, "web", "call cart", T0 + 20 * MS, 100 * MS),
        make_span(&arena, 1, 4, 3, "cart", "add", T0 - 10 * MS, 80 * MS),
    };
    spans[1].kind = SP_KIND_INTERNAL;
    spans[2].kind = SP_KIND_CLIENT;
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

START_TEST(trace_tells_of_its_clocks_and_is_raw)
{
    add_skewed();
    expect_answer(
        &world, TRACE1 "?view=columns", 200,
        "\"clockSkew\":{\"adjusted\":false,\"clockCount\":2,\"skewedClockCount\":1,\"spanCount\":1,"
        "\"offsetNano\":\"40000000\",\"reference\":{\"service\":\"web\"},\"clocks\":[{\"clock\":{"
        "\"service\":\"cart\"},\"comparedWith\":{\"service\":\"web\"},\"offsetNano\":\"-40000000\","
        "\"offsetMinNano\":\"-50000000\",\"offsetMaxNano\":\"-30000000\",\"spanCount\":1,"
        "\"callCount\":1,"
        "\"outsideCount\":1,\"consistent\":true,\"minRow\":3,\"maxRow\":3}]}}");
    expect_answer(&world, TRACE1 "?view=columns", 200, "\"start\":[10000000,15000000,30000000,0]");
    expect_answer(&world, TRACE1 "?view=columns", 200, "\"flags\":[64,64,64,576]");
}
END_TEST

START_TEST(trace_is_adjusted_for_who_asks)
{
    add_skewed();
    expect_answer(&world, TRACE1 "?view=columns&skew=adjust", 200,
                  "\"start\":[0,5000000,20000000,30000000]");
    expect_answer(&world, TRACE1 "?view=columns&skew=adjust", 200,
                  "\"clockSkew\":{\"adjusted\":true");
    expect_answer(&world, TRACE1 "?view=columns&skew=adjust", 200, "\"flags\":[64,64,64,576]");
    expect_answer(&world, TRACE1 "?view=columns&skew=adjust", 200,
                  "{\"row\":3,\"start\":30000000,\"end\":110000000}");
    /* details show what was sent */
    expect_answer(&world, TRACE1 "/spans?rows=3&skew=adjust", 200,
                  "\"startTimeUnixNano\":\"1767225599990000000\"");
    expect_answer(&world, TRACE1 "?skew=adjust", 400, "only view=columns is adjusted");
    expect_answer(&world, TRACE1 "?view=columns&skew=maybe", 400, "raw|adjust");
}
END_TEST

/* ---- critical paths added up ---- */

/* 20 traces of web, which waits for cart: half of the time, and in the slowest one 90 %; and one trace without a path. */
static void add_paths(void)
{
    for (unsigned i = 1; i <= 20; i++) {
        uint64_t duration = (100 + 10 * i) * MS;
        struct sp_span spans[] = {
            make_span(&arena, i, 1, 0, "web", "GET /", T0 + i * 1000 * MS, duration),
            make_span(&arena, i, 2, 1, "cart", "add", T0 + i * 1000 * MS,
                      i == 20 ? duration / 10 * 9 : duration / 2),
        };
        world_add(&world, spans, SP_ARRAY_LEN(spans));
    }
    struct sp_span roots[] = {make_span(&arena, 21, 1, 0, "web", "GET /", T0, MS),
                              make_span(&arena, 21, 2, 0, "web", "GET /", T0, MS)};
    world_add(&world, roots, 2);
}

START_TEST(critical_paths_say_where_the_time_of_slow_traces_goes)
{
    add_paths();
    const char *all = "/v1/critical-path?quantiles=0.99";
    expect_answer(
        &world, all, 200,
        "{\"bands\":[{\"quantile\":null,\"paths\":20,\"durationMinNano\":\"110000000\","
        "\"durationMeanNano\":"
        "\"205000000\",\"durationMaxNano\":\"300000000\"},{\"quantile\":\"0.99\",\"paths\":1,");
    expect_answer(&world, all, 200,
                  "{\"node\":{\"service\":\"web\",\"operation\":\"GET "
                  "/\"},\"shares\":[{\"share\":1,\"selfShare\":"
                  "0.47073170731707314,\"meanNano\":\"205000000\",\"paths\":20,\"exemplarTraceId\":"
                  "\"00000000000000000000000000000014\"},{\"share\":1,\"selfShare\":0.1,"
                  "\"meanNano\":\"300000000\"");
    expect_answer(&world, all, 200,
                  "\"edges\":[{\"client\":{\"service\":\"web\",\"operation\":\"GET "
                  "/\"},\"server\":{\"service\":\"cart\","
                  "\"operation\":\"add\"},\"shares\":[{\"share\":0.5292682926829269,\"selfShare\":"
                  "0.5292682926829269,");
    expect_answer(&world, all, 200,
                  "{\"share\":0.9,\"selfShare\":0.9,\"meanNano\":\"270000000\",\"paths\":1,");
    expect_answer(&world, all, 200,
                  "\"edgeCount\":1,\"paths\":20,\"leftOut\":[{\"reason\":\"the trace has more than "
                  "one root span\","
                  "\"count\":1}],\"matchedTraces\":21,");
    expect_answer(&world, all, 200, "\"complete\":true,\"incompleteReason\":null");
}
END_TEST

START_TEST(critical_paths_by_service_of_spans_and_of_a_sample)
{
    add_paths();
    expect_answer(&world, "/v1/critical-path?by=service", 200,
                  "{\"node\":{\"service\":\"cart\"},\"shares\"");
    expect_answer(&world, "/v1/critical-path?scope=span&q=%7Bname%3D%22add%22%7D", 200,
                  "\"nodes\":[{\"node\":{\"service\":\"cart\",\"operation\":\"add\"}");
    expect_answer(&world, "/v1/critical-path?scope=span&q=%7Bname%3D%22add%22%7D", 200,
                  "\"nodeCount\":1,\"edges\":[]");
    expect_answer(&world, "/v1/critical-path?traces=5", 200,
                  "\"paths\":5,\"leftOut\":[],\"matchedTraces\":5,\"oldestStartUnixNano\":"
                  "\"1767225616000000000\"");
    expect_answer(&world, "/v1/critical-path?traces=5", 200,
                  "\"complete\":false,\"incompleteReason\":\"traces\"");
    expect_answer(&world, "/v1/critical-path?limit=1", 200, "\"nodeCount\":2");
    expect_answer(&world, "/v1/critical-path?q=%7Bname%3D%22none%22%7D", 200,
                  "\"nodes\":[],\"nodeCount\":0,\"edges\":[],");
}
END_TEST

START_TEST(critical_paths_of_wrong_questions)
{
    expect_answer(&world, "/v1/critical-path?q=%7B", 400, "\"parameter\":\"q\",\"offset\":1");
    expect_answer(&world, "/v1/critical-path?quantiles=2", 400, "\"parameter\":\"quantiles\"");
    expect_answer(&world, "/v1/critical-path?traces=0", 400, "\"parameter\":\"traces\"");
    expect_answer(&world, "/v1/critical-path?by=host", 400, "operation|service");
    expect_answer(&world, "/v1/critical-path?from=now&to=now-1h", 400, "\"parameter\":\"to\"");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_analysis");
    TCase *tcase = tcase_create("analysis");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, trace_tells_of_its_clocks_and_is_raw);
    tcase_add_test(tcase, trace_is_adjusted_for_who_asks);
    tcase_add_test(tcase, critical_paths_say_where_the_time_of_slow_traces_goes);
    tcase_add_test(tcase, critical_paths_by_service_of_spans_and_of_a_sample);
    tcase_add_test(tcase, critical_paths_of_wrong_questions);
    suite_add_tcase(suite, tcase);
    return suite;
}
