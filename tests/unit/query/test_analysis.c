/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers about whole traces and many of them: clocks, critical paths, comparisons, graphs and latencies over time. What they are made of is tested in tests/unit/analysis. */
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

/* ---- comparison ---- */

/* Half of 60 traces fail: those have tier=vip, call "risk", and cart calls db five times instead of once. */
static void add_populations(void)
{
    for (unsigned i = 1; i <= 60; i++) {
        bool fails = i % 2;
        struct sp_span spans[9];
        size_t count = 0;
        spans[count++] =
            make_span(&arena, i, 1, 0, "web", "GET /", T0 + i * 1000 * MS, (100 + i) * MS);
        spans[count++] = make_span(&arena, i, 2, 1, "cart", "add", T0 + i * 1000 * MS,
                                   (fails ? 50 + i : i) * MS);
        for (unsigned k = 0; k < (fails ? 5 : 1); k++)
            spans[count++] = make_span(&arena, i, 10 + k, 2, "db", "get", T0 + i * 1000 * MS, 0);
        if (fails)
            spans[count++] = make_span(&arena, i, 3, 1, "risk", "check", T0 + i * 1000 * MS, MS);
        if (fails)
            spans[0].status_code = SP_SPAN_STATUS_ERROR;
        add_attribute(&arena, &spans[0], "tier", text_value(fails ? "vip" : "free"));
        add_attribute(&arena, &spans[0], "id", int_value(i));
        world_add(&world, spans, count);
    }
}

#define FAILED "b=%7Bstatus%3Derror%7D"
#define PASSED "a=%7BrootName%3D%22GET%20/%22%20%26%26%20.tier%3D%22free%22%7D"

START_TEST(populations_differ_by_attribute_and_by_call)
{
    add_populations();
    const char *url = "/v1/compare?" PASSED "&" FAILED;
    expect_answer(&world, url, 200, "{\"a\":{\"matchedTraces\":30,");
    expect_answer(&world, url, 200, "\"b\":{\"matchedTraces\":30,");
    expect_answer(&world, url, 200, "\"sharedTraces\":0");
    /* Fisher: 2 / C(60, 30) */
    expect_answer(&world, url, 200,
                  "{\"scope\":\"span\",\"key\":\"tier\",\"value\":\"vip\",\"type\":\"string\","
                  "\"aTraces\":0,\"bTraces\":30,"
                  "\"aShare\":0,\"bShare\":1,\"logOddsRatio\":8.22174");
    expect_answer(
        &world, url, 200,
        "\"presence\":{\"rows\":[{\"path\":[{\"service\":\"web\",\"operation\":\"GET "
        "/\",\"kind\":\"server\"},{"
        "\"service\":\"risk\",\"operation\":\"check\",\"kind\":\"server\"}],\"change\":\"new\","
        "\"aTraces\":0,"
        "\"bTraces\":30,\"a\":0,\"b\":1,\"superiority\":0.5,\"difference\":1,\"pValue\":1.69");
    expect_answer(&world, url, 200,
                  "\"selfTime\":{\"rows\":[{\"path\":[{\"service\":\"web\",\"operation\":\"GET "
                  "/\",\"kind\":\"server\"}],"
                  "\"change\":\"less\",\"aTraces\":30,\"bTraces\":30,\"a\":100000000,\"b\":"
                  "50000000,\"superiority\":0,"
                  "\"difference\":-50000000,");
    expect_answer(&world, url, 200, "\"a\":1,\"b\":5,\"superiority\":1,\"difference\":4,");
    expect_answer(&world, url, 200, "\"falseDiscoveryRate\":0.05");
}
END_TEST

START_TEST(populations_of_two_ranges_and_of_nothing)
{
    add_populations();
    expect_answer(&world, "/v1/compare?aTo=2026-01-01T00:00:30Z&bFrom=2026-01-01T00:00:30Z", 200,
                  "{\"a\":{\"matchedTraces\":29,\"oldestStartUnixNano\":\"1767225601000000000\"");
    expect_answer(&world, "/v1/compare?aTo=2026-01-01T00:00:30Z&bFrom=2026-01-01T00:00:30Z", 200,
                  "\"b\":{\"matchedTraces\":31,\"oldestStartUnixNano\":\"1767225630000000000\"");
    expect_answer(&world, "/v1/compare", 200, "\"sharedTraces\":60");
    /* the same against the same: nothing is found */
    expect_answer(&world, "/v1/compare?limit=1", 200, "\"found\":0,\"untestable\":68,");
    expect_answer(&world, "/v1/compare?a=%7Bname%3D%22none%22%7D", 200,
                  "\"scanned\":{\"segments\":0,\"rows\":\"330\",\"bytes\":\"0\",\"traces\":\"0\"},"
                  "\"matchedSpans\":\"0\","
                  "\"traceDuration\":null}");
    expect_answer(&world, "/v1/compare?a=%7B", 400, "\"parameter\":\"a\",\"offset\":1");
    expect_answer(&world, "/v1/compare?b=%7B", 400, "\"parameter\":\"b\",\"offset\":1");
    expect_answer(&world, "/v1/compare?bFrom=now&bTo=now-1h", 400, "\"parameter\":\"bTo\"");
}
END_TEST

START_TEST(merged_tree_of_two_samples)
{
    add_populations();
    const char *url = "/v1/compare?" PASSED "&" FAILED;
    expect_answer(&world, url, 200, "\"leftOutCalls\":\"0\"},\"falseDiscoveryRate\":");
    const char *all = "/v1/compare?nodes=4&" PASSED "&" FAILED;
    /* 30 traces of each: 100 + 2, 4, .. 60 ms, and 100 + 1, 3, .. 59 */
    expect_answer(&world, all, 200,
                  "\"tree\":{\"nodes\":[{\"parent\":-1,\"depth\":0,\"service\":\"web\","
                  "\"operation\":\"GET /\",\"kind\":\"server\",\"change\":\"both\","
                  "\"a\":{\"traces\":30,\"calls\":30,\"errors\":0,\"durationNano\":\"3930000000\","
                  "\"selfNano\":\"3000000000\"},\"b\":{\"traces\":30,\"calls\":30,\"errors\":30,"
                  "\"durationNano\":\"3900000000\",\"selfNano\":\"1500000000\"}},");
    expect_answer(&world, all, 200,
                  "\"operation\":\"get\",\"kind\":\"server\",\"change\":\"both\","
                  "\"a\":{\"traces\":30,\"calls\":30,");
    expect_answer(&world, all, 200, "\"b\":{\"traces\":30,\"calls\":150,");
    expect_answer(&world, all, 200, "\"leftOutNodes\":0}");
    /* The greatest difference of a mean is that of cart (49 ms), which needs web above it; then there is no room. */
    const char *two = "/v1/compare?nodes=2&" PASSED "&" FAILED;
    expect_answer(&world, two, 200, "{\"parent\":0,\"depth\":1,\"service\":\"cart\"");
    expect_answer(&world, two, 200, "\"leftOutNodes\":2}");
    expect_answer(&world, "/v1/compare?nodes=1", 200, "\"leftOutNodes\":3}");
    expect_answer(&world, "/v1/compare?nodes=10000", 200, "\"leftOutNodes\":0}");
    expect_answer(&world, "/v1/compare?nodes=10001", 400, "\"parameter\":\"nodes\"");
}
END_TEST

START_TEST(two_traces_are_one_tree)
{
    add_populations();
    const char *url =
        "/v1/compare/traces?a=00000000000000000000000000000002&b=00000000000000000000000000000001";
    expect_answer(&world, url, 200,
                  "{\"a\":{\"traceId\":\"00000000000000000000000000000002\",\"service\":\"web\","
                  "\"operation\":\"GET /\","
                  "\"startTimeUnixNano\":\"1767225602000000000\",\"durationNano\":\"102000000\","
                  "\"spanCount\":3,\"rootCount\":1,"
                  "\"orphanCount\":0,\"errorCount\":0},");
    expect_answer(&world, url, 200,
                  "\"sameRoot\":true,\"duplicates\":0,\"nodes\":[{\"parent\":-1,\"depth\":0,"
                  "\"service\":\"web\",\"operation\":"
                  "\"GET "
                  "/\",\"kind\":\"server\",\"change\":\"both\",\"a\":{\"calls\":1,\"errors\":0,"
                  "\"durationNano\":\"102000000\","
                  "\"selfNano\":\"100000000\"},\"b\":{\"calls\":1,\"errors\":1,\"durationNano\":"
                  "\"101000000\",\"selfNano\":"
                  "\"50000000\"},\"callDifference\":\"0\",\"durationDifferenceNano\":\"-1000000\","
                  "\"selfDifferenceNano\":\"-50000000\"}");
    expect_answer(&world, url, 200,
                  "{\"parent\":0,\"depth\":1,\"service\":\"risk\",\"operation\":\"check\",\"kind\":"
                  "\"server\",\"change\":\"new\","
                  "\"a\":null,\"b\":{\"calls\":1,");
    expect_answer(&world, "/v1/compare/traces?a=1&b=00000000000000000000000000000001", 400,
                  "\"parameter\":\"a\"");
    expect_answer(&world, "/v1/compare/traces?a=00000000000000000000000000000001", 400,
                  "\"parameter\":\"b\"");
    expect_answer(
        &world,
        "/v1/compare/traces?a=00000000000000000000000000000001&b=00000000000000000000000000000099",
        404, "\"parameter\":\"b\"");
}
END_TEST

/* ---- graphs and latencies over time ---- */

#define MINUTE (60000 * MS)

/* In each of four minutes web calls cart 20 times; from the third on it takes ten times as long, and calls risk as well; old is
 * called in the first only. */
static void add_minutes(void)
{
    for (unsigned m = 0; m < 4; m++)
        for (unsigned i = 0; i < 20; i++) {
            unsigned trace = 1 + 20 * m + i;
            uint64_t start = T0 + m * MINUTE + i * MS,
                     took = (m < 2 ? 10 + i % 5 : 100 + i % 5) * MS;
            struct sp_span spans[] = {
                make_span(&arena, trace, 1, 0, "web", "call", start, took + 2 * MS),
                make_span(&arena, trace, 2, 1, "cart", i % 2 ? "add" : "get", start, took),
                make_span(&arena, trace, 3, 0, m == 0 ? "old" : "risk", "check", start, MS),
            };
            spans[0].kind = SP_KIND_CLIENT;
            spans[1].status_code = i == 0 ? SP_SPAN_STATUS_ERROR : SP_SPAN_STATUS_UNSET;
            spans[2].parent_span_id = spans[0].span_id;
            world_add(&world, spans, m == 1 ? 2 : 3);
        }
}

#define ALL4 "from=2026-01-01T00:00:00Z&to=2026-01-01T00:04:00Z"

START_TEST(graph_as_a_series)
{
    add_minutes();
    expect_answer(&world, "/v1/graph?step=1m&" ALL4, 200,
                  "{\"edges\":[{\"client\":\"web\",\"server\":\"cart\",\"connectionType\":\"\","
                  "\"calls\":[\"20\",\"20\",\"20\",\"20\"],"
                  "\"errors\":[\"1\",\"1\",\"1\",\"1\"],\"clientLatency\":{\"p50\":[\"13955931\"");
    expect_answer(&world, "/v1/graph?step=1m&" ALL4, 200,
                  "{\"client\":\"web\",\"server\":\"old\",\"connectionType\":\"\",\"calls\":["
                  "\"20\",\"0\",\"0\",\"0\"],");
    expect_answer(&world, "/v1/graph?step=1m&" ALL4, 200,
                  "\"serverLatency\":{\"p50\":[\"11992466\"");
    expect_answer(&world, "/v1/graph?step=1m&" ALL4, 200, ",null,null,null]");
    expect_answer(&world, "/v1/graph?step=1m&" ALL4, 200,
                  "\"steps\":[\"1767225600000000000\",\"1767225660000000000\","
                  "\"1767225720000000000\",\"1767225780000000000\"],"
                  "\"stepNano\":\"60000000000\"");
    expect_answer(&world, "/v1/graph?step=2m&service=old&" ALL4, 200,
                  "{\"edges\":[{\"client\":\"web\",\"server\":\"old\",\"connectionType\":\"\","
                  "\"calls\":[\"20\",\"0\"],");
    /* without an end: until now, one hour later */
    expect_answer(
        &world, "/v1/graph?step=30m&from=2026-01-01T00:00:00Z", 200,
        "\"steps\":[\"1767225600000000000\",\"1767227400000000000\",\"1767229200000000000\"]");
    expect_answer(&world, "/v1/graph?step=30s&" ALL4, 400, "whole minutes");
    expect_answer(&world, "/v1/graph?step=1m", 400, "\"parameter\":\"from\"");
    expect_answer(&world, "/v1/graph?step=1m&from=2025-12-31T00:00:00Z", 400,
                  "more than 500 steps");
    expect_answer(&world, "/v1/graph?step=1m&format=dot&" ALL4, 400, "\"parameter\":\"format\"");
}
END_TEST

#define BEFORE "compareFrom=2026-01-01T00:00:00Z&compareTo=2026-01-01T00:02:00Z"
#define AFTER  "from=2026-01-01T00:02:00Z&to=2026-01-01T00:04:00Z"

/* Ranges that touch within a minute: it is not compared with itself. */
START_TEST(minutes_are_not_compared_with_themselves)
{
    static const char *const paths[] = {"/v1/graph?", "/v1/latency?"};
    add_minutes();
    for (size_t i = 0; i < SP_ARRAY_LEN(paths); i++) {
        char url[256];
        snprintf(url, sizeof(url),
                 "%sfrom=2026-01-01T00:02:20Z&to=2026-01-01T00:03:20Z&"
                 "compareFrom=2026-01-01T00:01:20Z&compareTo=2026-01-01T00:02:20Z",
                 paths[i]);
        expect_answer(
            &world, url, 200,
            "\"compareFrom\":\"1767225600000000000\",\"compareTo\":\"1767225720000000000\"");
        expect_answer(&world, url, 200,
                      "\"from\":\"1767225720000000000\",\"to\":\"1767225840000000000\"");
        snprintf(url, sizeof(url),
                 "%sfrom=2026-01-01T00:01:20Z&to=2026-01-01T00:02:20Z&"
                 "compareFrom=2026-01-01T00:02:20Z&compareTo=2026-01-01T00:03:20Z",
                 paths[i]);
        expect_answer(
            &world, url, 200,
            "\"compareFrom\":\"1767225780000000000\",\"compareTo\":\"1767225900000000000\"");
        snprintf(url, sizeof(url),
                 "%sfrom=2026-01-01T00:02:40Z&to=2026-01-01T00:02:50Z&"
                 "compareFrom=2026-01-01T00:02:00Z&compareTo=2026-01-01T00:02:40Z",
                 paths[i]);
        expect_answer(&world, url, 400, "take ranges of different minutes");
        /* who asks for ranges that overlap gets them */
        snprintf(url, sizeof(url),
                 "%sfrom=2026-01-01T00:02:20Z&to=2026-01-01T00:03:20Z&"
                 "compareFrom=2026-01-01T00:01:20Z&compareTo=2026-01-01T00:02:21Z",
                 paths[i]);
        expect_answer(&world, url, 200, "\"compareTo\":\"1767225780000000000\"");
    }
}
END_TEST

START_TEST(graph_against_another_range)
{
    add_minutes();
    const char *url = "/v1/graph?" AFTER "&" BEFORE;
    expect_answer(&world, url, 200,
                  "{\"edges\":[{\"client\":\"web\",\"server\":\"cart\",\"connectionType\":\"\","
                  "\"change\":\"slower\",\"before\":{"
                  "\"calls\":\"40\",\"errors\":\"2\",");
    expect_answer(&world, url, 200, "\"superiority\":1,\"latencyQValue\":");
    expect_answer(&world, url, 200,
                  "{\"client\":\"web\",\"server\":\"old\",\"connectionType\":\"\",\"change\":"
                  "\"gone\",\"before\":{\"calls\":\"20\"");
    expect_answer(&world, url, 200,
                  "{\"client\":\"web\",\"server\":\"risk\",\"connectionType\":\"\",\"change\":"
                  "\"new\",\"before\":null,");
    expect_answer(&world, url, 200,
                  "\"compareFrom\":\"1767225600000000000\",\"compareTo\":\"1767225720000000000\"");
    /* the other way round, and against itself */
    expect_answer(
        &world, "/v1/graph?to=2026-01-01T00:02:00Z&compareFrom=2026-01-01T00:02:00Z&compareTo=now",
        200, "\"change\":\"faster\"");
    expect_answer(&world, "/v1/graph?compareFrom=2026-01-01T00:00:00Z&compareTo=now", 200,
                  "\"server\":\"cart\",\"connectionType\":\"\",\"change\":\"same\"");
    expect_answer(&world, "/v1/graph?service=old&hops=0&" AFTER "&" BEFORE, 200, "{\"edges\":[],");
    expect_answer(&world, "/v1/graph?compareFrom=now", 400, "\"parameter\":\"compareTo\"");
    expect_answer(&world, "/v1/graph?compareFrom=now&compareTo=now-1h", 400,
                  "\"parameter\":\"compareTo\"");
    expect_answer(&world, "/v1/graph?compareFrom=now-1h&compareTo=now&step=1m", 400,
                  "\"parameter\":\"step\"");
}
END_TEST

START_TEST(latencies_as_a_series_and_by_service)
{
    add_minutes();
    expect_answer(&world, "/v1/latency?service=cart&q=1&step=1m&" ALL4, 200,
                  "{\"series\":[{\"service\":\"cart\",\"operation\":\"add\",\"kind\":\"server\","
                  "\"calls\":[\"10\",\"10\",\"10\",\"10\"],"
                  "\"errors\":[\"0\",\"0\",\"0\",\"0\"],\"quantiles\":{\"1\":[\"13955931\","
                  "\"13955931\",\"104000000\",\"104000000\"]}}");
    expect_answer(&world, "/v1/latency?service=old&q=1&step=2m&" ALL4, 200,
                  "\"calls\":[\"20\",\"0\"],\"errors\":[\"0\",\"0\"],\"quantiles\":{\"1\":["
                  "\"1000000\",null]}");
    expect_answer(&world, "/v1/latency?service=cart&q=0,1&by=service", 200,
                  "{\"series\":[{\"service\":\"cart\",\"operation\":\"\",\"kind\":\"server\","
                  "\"calls\":\"80\",\"errors\":\"4\",\"quantiles\":{"
                  "\"0\":\"10084422\",\"1\":\"104000000\"},\"durationNano\":\"4560000000\","
                  "\"exemplarTraceId\":\"0000000000000000000000000000002d\","
                  "\"exemplarSpanId\":\"0000000000000002\","
                  "\"errorExemplarTraceId\":\"00000000000000000000000000000029\","
                  "\"errorExemplarSpanId\":\"0000000000000002\"}],"
                  "\"rowCount\":1,");
    expect_answer(
        &world, "/v1/latency?by=service&q=1&step=4m&" ALL4, 200,
        "{\"service\":\"web\",\"operation\":\"\",\"kind\":\"client\",\"calls\":[\"80\"],");
    expect_answer(&world, "/v1/latency?step=x&" ALL4, 400, "\"parameter\":\"step\"");
}
END_TEST

/* The operations of an answer, in its order, as "add get ". */
static void expect_operations(const char *url, const char *want)
{
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call), got[256] = "";
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    for (const char *at = text; (at = strstr(at, "\"operation\":\"")) != NULL;) {
        at += strlen("\"operation\":\"");
        size_t used = strlen(got);
        snprintf(got + used, sizeof(got) - used, "%.*s ", (int)strcspn(at, "\""), at);
    }
    ck_assert_msg(strcmp(got, want) == 0, "%s: %s", url, got);
    free(text);
    answer_fini(call);
}

/* Calls: web's 80, cart's add and get 40 each, old's and risk's check 20 and 40. */
START_TEST(latencies_page_by_page)
{
    add_minutes();
    expect_operations("/v1/latency", "add get check check call ");
    expect_operations("/v1/latency?order=-name", "call check check get add ");
    expect_operations("/v1/latency?order=-calls", "call add get check check ");
    expect_operations("/v1/latency?order=calls&limit=1", "check ");
    expect_operations("/v1/latency?order=-calls&limit=2&offset=1", "add get ");
    expect_operations("/v1/latency?order=-calls&offset=4", "check ");
    expect_operations("/v1/latency?order=-calls&offset=5", "");
    expect_operations("/v1/latency?order=-errors&limit=1", "get ");
    expect_operations("/v1/latency?order=-errorShare&limit=1", "get ");
    expect_operations("/v1/latency?order=-duration&limit=3", "call add get ");
    expect_operations("/v1/latency?order=-0.99&q=0.5,0.99&limit=1", "call ");
    expect_operations("/v1/latency?order=0.5&q=0.5&limit=2", "check check ");
    expect_operations("/v1/latency?contains=EC", "check check ");
    expect_operations("/v1/latency?contains=ec&order=-calls&limit=1&service=risk", "check ");
    expect_operations("/v1/latency?contains=nothing", "");
    expect_answer(&world, "/v1/latency?contains=E&limit=1", 200, "\"rowCount\":3,");
    expect_answer(&world, "/v1/latency?by=service&contains=A&order=-calls", 200,
                  "{\"series\":[{\"service\":\"cart\",\"operation\":\"\",");
    /* series of a page: whose rows the whole range decides */
    expect_operations("/v1/latency?order=-0.5&q=0.5&limit=2&step=1m&" ALL4, "add call ");
    expect_answer(&world, "/v1/latency?service=old&limit=1&q=1&step=2m&" ALL4, 200,
                  "\"calls\":[\"20\",\"0\"]");
    expect_answer(&world, "/v1/latency?limit=1&step=2m&" ALL4, 200, "\"rowCount\":5,");
    expect_answer(&world, "/v1/latency?limit=10000", 200, "\"rowCount\":5,");
    expect_answer(&world, "/v1/latency?limit=10001", 400, "\"parameter\":\"limit\"");
    expect_answer(&world, "/v1/latency?order=size", 400, "\"parameter\":\"order\"");
    expect_answer(&world, "/v1/latency?order=-", 400, "\"parameter\":\"order\"");
    expect_answer(&world, "/v1/latency?order=0.7", 400, "a quantile of");
    expect_answer(&world, "/v1/latency?order=change", 400, "\"parameter\":\"order\"");
    expect_answer(&world, "/v1/latency?buckets=true&by=kind", 400, "not exact");
    expect_answer(&world, "/v1/latency?exact=true&" AFTER "&" BEFORE, 400, "not exact");
}
END_TEST

START_TEST(latencies_have_their_distribution)
{
    struct sp_span spans[] = {make_span(&arena, 1, 1, 0, "web", "a", T0, 0),
                              make_span(&arena, 2, 2, 0, "web", "a", T0, 1),
                              make_span(&arena, 3, 3, 0, "web", "a", T0, 1000000),
                              make_span(&arena, 4, 4, 0, "web", "a", T0, 1000001)};
    world_add(&world, spans, SP_ARRAY_LEN(spans));
    /* floor(log2(10^6) * 32) = 637: from 2^(637/32) = 982,603.6 to below 2^(638/32) */
    expect_answer(&world, "/v1/latency?q=1&buckets=true", 200,
                  "\"buckets\":[[\"0\",\"0\",\"1\"],[\"1\",\"1\",\"1\"],"
                  "[\"982604\",\"1004119\",\"2\"]]}");
    expect_answer(&world, "/v1/latency?buckets=true&step=1m&" ALL4, 400,
                  "\"parameter\":\"buckets\"");
}
END_TEST

START_TEST(latencies_against_another_range)
{
    add_minutes();
    const char *url = "/v1/latency?q=1&order=-change&" AFTER "&" BEFORE;
    expect_operations(url, "call add get check check ");
    expect_answer(&world, url, 200,
                  "{\"series\":[{\"service\":\"web\",\"operation\":\"call\",\"kind\":\"client\","
                  "\"calls\":\"40\",\"errors\":\"0\",\"quantiles\":{\"1\":\"106000000\"},"
                  "\"durationNano\":\"4160000000\","
                  "\"exemplarTraceId\":\"0000000000000000000000000000002d\","
                  "\"exemplarSpanId\":\"0000000000000001\","
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null,\"change\":\"slower\",\"before\":{\"calls\":"
                  "\"40\",\"errors\":\"0\",\"quantiles\":{");
    expect_answer(&world, url, 200, "\"superiority\":1,\"latencyQValue\":");
    expect_answer(&world, url, 200,
                  "{\"service\":\"old\",\"operation\":\"check\",\"kind\":\"server\",\"calls\":"
                  "\"0\",\"errors\":\"0\",\"quantiles\":{\"1\":null},\"durationNano\":\"0\","
                  "\"exemplarTraceId\":null,"
                  "\"exemplarSpanId\":null,"
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null,"
                  "\"change\":\"gone\",\"before\":{\"calls\":\"20\"");
    expect_answer(&world, url, 200,
                  "{\"service\":\"risk\",\"operation\":\"check\",\"kind\":\"server\",\"calls\":"
                  "\"40\",\"errors\":\"0\",\"quantiles\":{\"1\":\"1000000\"},"
                  "\"durationNano\":\"40000000\","
                  "\"exemplarTraceId\":\"00000000000000000000000000000029\","
                  "\"exemplarSpanId\":\"0000000000000003\","
                  "\"errorExemplarTraceId\":null,"
                  "\"errorExemplarSpanId\":null,\"change\":\"new\",\"before\":null,");
    expect_answer(&world, url, 200,
                  "\"rowCount\":5,\"compareFrom\":\"1767225600000000000\","
                  "\"compareTo\":\"1767225720000000000\",\"falseDiscoveryRate\":0.05,");
    expect_answer(&world, "/v1/latency?by=service&service=cart&buckets=true&" AFTER "&" BEFORE, 200,
                  "\"change\":\"slower\"");
    /* what has no calls now has no quantile, and comes last in both directions */
    expect_operations("/v1/latency?q=1&order=1&" AFTER "&" BEFORE, "check add get call check ");
    expect_operations("/v1/latency?q=1&order=-1&" AFTER "&" BEFORE, "call add get check check ");
    expect_answer(&world, "/v1/latency?compareFrom=now", 400, "\"parameter\":\"compareTo\"");
    expect_answer(&world, "/v1/latency?compareTo=now", 400, "\"parameter\":\"compareFrom\"");
    expect_answer(&world, "/v1/latency?compareFrom=now&compareTo=now-1h", 400,
                  "\"parameter\":\"compareTo\"");
    expect_answer(&world, "/v1/latency?step=1m&" AFTER "&" BEFORE, 400, "is not compared");
    expect_operations("/v1/latency?step=1m&order=change&limit=2&" AFTER "&" BEFORE, "check ");
    expect_operations("/v1/latency?step=1m&order=-change&limit=1&" AFTER "&" BEFORE, "call ");
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
    tcase_add_test(tcase, populations_differ_by_attribute_and_by_call);
    tcase_add_test(tcase, populations_of_two_ranges_and_of_nothing);
    tcase_add_test(tcase, merged_tree_of_two_samples);
    tcase_add_test(tcase, two_traces_are_one_tree);
    tcase_add_test(tcase, graph_as_a_series);
    tcase_add_test(tcase, minutes_are_not_compared_with_themselves);
    tcase_add_test(tcase, graph_against_another_range);
    tcase_add_test(tcase, latencies_as_a_series_and_by_service);
    tcase_add_test(tcase, latencies_page_by_page);
    tcase_add_test(tcase, latencies_have_their_distribution);
    tcase_add_test(tcase, latencies_against_another_range);
    suite_add_tcase(suite, tcase);
    return suite;
}
