/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums of durations of centuries, which 64 bits do not hold: what answers say of them, against sums of 128 bits. */
#include "tests/unit/query/world.h"

#include <stdio.h>
#include <stdlib.h>

#define TRACES    9
#define YEAR_NS   31556952000000000ULL
#define URL_BYTES 256

static struct world world;
static struct sp_arena arena;
static uint64_t outer_ns[TRACES + 1], inner_ns[TRACES + 1]; /* of traces 1 to TRACES */

/* web waits for cart in each trace, for some centuries; in the first two for less than what 64 bits hold together. */
static void setup(void)
{
    world_init(&world);
    sp_arena_init(&arena, SIZE_MAX);
    for (unsigned i = 1; i <= TRACES; i++) {
        outer_ns[i] = (i < 3 ? 1 : i == 5 ? 526 : 200 + 30 * i) * YEAR_NS + i;
        inner_ns[i] = outer_ns[i] / 10 * i + i;
        struct sp_span spans[] = {
            make_span(&arena, i, 1, 0, "web", "GET /", T0, outer_ns[i]),
            make_span(&arena, i, 2, 1, "cart", "add", T0, inner_ns[i]),
        };
        spans[0].kind = SP_KIND_CLIENT;
        spans[1].kind = SP_KIND_SERVER;
        world_add(&world, spans, SP_ARRAY_LEN(spans));
    }
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

static __uint128_t sum_of(const uint64_t *durations)
{
    __uint128_t sum = 0;
    for (unsigned i = 1; i <= TRACES; i++)
        sum += durations[i];
    return sum;
}

static void expect_member(const char *url, const char *key, uint64_t number)
{
    char text[URL_BYTES];
    snprintf(text, sizeof(text), "\"%s\":\"%llu\"", key, (unsigned long long)number);
    expect_answer(&world, url, 200, text);
}

START_TEST(totals_of_latencies_stop_at_the_greatest_number)
{
    static const char *const ways[] = {"", "exact=1&", "by=service&", "exact=1&by=service&"};
    ck_assert(sum_of(outer_ns) > UINT64_MAX);
    for (size_t i = 0; i < SP_ARRAY_LEN(ways); i++) {
        char url[URL_BYTES];
        snprintf(url, sizeof(url), "/v1/latency?%sservice=web&q=1", ways[i]);
        expect_member(url, "durationNano", UINT64_MAX);
    }
    expect_member("/v1/latency?q=1&service=web&from=2025-12-31T23:59:00Z&to=2026-01-01T00:01:00Z",
                  "durationNano", UINT64_MAX);
}
END_TEST

/* What stops at the greatest number is not smaller than what fits. */
START_TEST(services_are_ordered_by_their_totals)
{
    struct sp_span once = make_span(&arena, 90, 1, 0, "batch", "run", T0, 526 * YEAR_NS);
    world_add(&world, &once, 1);
    expect_answer(&world, "/v1/latency?by=service&q=1&order=duration", 200,
                  "{\"series\":[{\"service\":\"batch\"");
    expect_answer(&world, "/v1/latency?exact=1&by=service&q=1&order=duration", 200,
                  "{\"series\":[{\"service\":\"batch\"");
}
END_TEST

START_TEST(means_and_shares_of_critical_paths_are_right)
{
    const char *url = "/v1/critical-path?by=service";
    __uint128_t web = sum_of(outer_ns), cart = sum_of(inner_ns);
    char text[URL_BYTES];
    expect_member(url, "durationMeanNano", (uint64_t)(web / TRACES));
    expect_member(url, "meanNano", (uint64_t)(web / TRACES));
    expect_member(url, "meanNano", (uint64_t)(cart / TRACES));
    struct sp_query_call *call = ask(&world, url);
    char *body = answer_text(call);
    const char *of_cart = strstr(body, "{\"node\":{\"service\":\"cart\"}");
    ck_assert_ptr_nonnull(of_cart);
    json_member(of_cart, "share", text, sizeof(text));
    double share = strtod(text, NULL), wanted = (double)cart / (double)web;
    ck_assert(share > wanted - 1e-9 && share < wanted + 1e-9);
    free(body);
    answer_fini(call);
}
END_TEST

START_TEST(differences_of_traces_have_their_sign)
{
    const char *url =
        "/v1/compare/traces?a=00000000000000000000000000000001&b=00000000000000000000000000000005";
    ck_assert_uint_gt(outer_ns[5] - outer_ns[1], INT64_MAX);
    expect_member(url, "durationDifferenceNano", INT64_MAX);
    expect_answer(
        &world,
        "/v1/compare/traces?b=00000000000000000000000000000001&a=00000000000000000000000000000005",
        200, "\"durationDifferenceNano\":\"-9223372036854775808\"");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("sums");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, totals_of_latencies_stop_at_the_greatest_number);
    tcase_add_test(tcase, services_are_ordered_by_their_totals);
    tcase_add_test(tcase, means_and_shares_of_critical_paths_are_right);
    tcase_add_test(tcase, differences_of_traces_have_their_sign);
    suite_add_tcase(suite, tcase);
    return suite;
}
