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

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_analysis");
    TCase *tcase = tcase_create("analysis");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, trace_tells_of_its_clocks_and_is_raw);
    tcase_add_test(tcase, trace_is_adjusted_for_who_asks);
    suite_add_tcase(suite, tcase);
    return suite;
}
