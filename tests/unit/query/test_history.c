/* SPDX-License-Identifier: Apache-2.0
 *
 * What counters showed during the last hour: the ring behind GET /v1/system/history, and its answer. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/query/world.h"

static struct world world;
static uint64_t spans, waiting;

static uint64_t read_value(void *cookie)
{
    return *(uint64_t *)cookie;
}

static const struct sp_metric rows[] = {
    {"spoor_spans", "transport=\"grpc\"", "Spans.", SP_METRIC_COUNTER, read_value, &spans, NULL},
    {"spoor_waiting", NULL, "Requests.", SP_METRIC_GAUGE, read_value, &waiting, NULL},
};

#define STEP_NS ((uint64_t)SP_QUERY_SAMPLE_SECONDS * 1000 * MS)

static void setup(void)
{
    world_init(&world);
    world.unix_ns = T0;
    spans = waiting = 0;
    sp_query_api_remember(world.api, rows, SP_ARRAY_LEN(rows));
}

static void teardown(void)
{
    world_fini(&world);
}

static void sample_at(uint64_t unix_ns, uint64_t span_count)
{
    world.unix_ns = unix_ns;
    spans = span_count;
    sp_query_api_sample(world.api);
}

/* The answer from "atUnixNano" on. */
static void expect_from(const char *url, const char *wanted)
{
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    const char *at = strstr(text, "\"atUnixNano\"");
    ck_assert_int_eq(call->reply.status, 200);
    ck_assert_ptr_nonnull(at);
    ck_assert_str_eq(at, wanted);
    free(text);
    answer_fini(call);
}

#define HISTORY(at, span_values, waiting_values)                                                   \
    "\"atUnixNano\":[" at "],\"series\":["                                                         \
    "{\"name\":\"spoor_spans\",\"labels\":\"transport=\\\"grpc\\\"\",\"counts\":true,"             \
    "\"values\":[" span_values "]},"                                                               \
    "{\"name\":\"spoor_waiting\",\"labels\":\"\",\"counts\":false,"                                \
    "\"values\":[" waiting_values "]}]}"

START_TEST(history_tells_samples_in_order_and_those_after_a_moment)
{
    const char *url = "/v1/system/history";
    expect_from(url, HISTORY("", "", ""));
    sample_at(T0, 1);
    waiting = 9;
    sample_at(T0 + STEP_NS, 5);
    expect_from(url, HISTORY("\"1767225600000000000\",\"1767225605000000000\"", "\"1\",\"5\"",
                             "\"0\",\"9\""));
    expect_answer(&world, url, 200,
                  "{\"nowUnixNano\":\"1767225605000000000\",\"startedAtUnixNano\":"
                  "\"1767229200000000000\",\"stepNano\":\"5000000000\",\"atUnixNano\":[");
    const char *second = HISTORY("\"1767225605000000000\"", "\"5\"", "\"9\"");
    expect_from("/v1/system/history?since=1767225600000000000", second);
    expect_from("/v1/system/history?since=2026-01-01T00:00:04.999999999Z", second);
    expect_from("/v1/system/history?since=now-1s", second);
    expect_from("/v1/system/history?since=1767225605000000000", HISTORY("", "", ""));
    expect_from("/v1/system/history?since=now%2B1h", HISTORY("", "", ""));
    expect_from(
        "/v1/system/history?since=",
        HISTORY("\"1767225600000000000\",\"1767225605000000000\"", "\"1\",\"5\"", "\"0\",\"9\""));
}
END_TEST

START_TEST(history_says_what_is_wrong_with_a_question)
{
    expect_answer(&world, "/v1/system/history?since=x", 400, "\"parameter\":\"since\"");
    expect_answer(&world, "/v1/system/history?since=x", 400, "is not a time");
    expect_answer(&world, "/v1/system/history?since=now&since=now", 400, "more than once");
    expect_answer(&world, "/v1/system/history?until=now", 400, "allowed are: since");
    expect_answer(&world, "/v1/system?since=now", 400, "none is allowed");
}
END_TEST

/* How many times a text stands in another one. */
static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* The samples of an hour, of which the first has this number. */
static void expect_hour(uint64_t first)
{
    struct sp_query_call *call = ask(&world, "/v1/system/history");
    char *text = answer_text(call);
    const char *at = strstr(text, "\"atUnixNano\":["), *values = strstr(text, "\"values\":[");
    char wanted[64];
    for (uint64_t i = first; i < first + SP_HISTORY_SAMPLES_MAX; i++) {
        snprintf(wanted, sizeof(wanted), "\"%llu\"", (unsigned long long)(T0 + i * STEP_NS));
        at = strstr(at, wanted);
        ck_assert_msg(at != NULL, "sample %llu", (unsigned long long)i);
        snprintf(wanted, sizeof(wanted), "\"%llu\"", (unsigned long long)(1000000 + i));
        values = strstr(values, wanted);
        ck_assert_msg(values != NULL, "value %llu", (unsigned long long)i);
    }
    ck_assert_uint_eq(count_of(text, "\"1767"), SP_HISTORY_SAMPLES_MAX + 2); /* now, and start */
    ck_assert_uint_eq(count_of(text, "\"100"), SP_HISTORY_SAMPLES_MAX);
    free(text);
    answer_fini(call);
}

START_TEST(history_keeps_the_last_hour)
{
    uint64_t n = 0;
    ck_assert_uint_eq(SP_HISTORY_SAMPLES_MAX * STEP_NS, 3600000 * MS);
    for (; n < SP_HISTORY_SAMPLES_MAX; n++)
        sample_at(T0 + n * STEP_NS, 1000000 + n);
    expect_hour(0);
    sample_at(T0 + n * STEP_NS, 1000000 + n);
    expect_hour(1);
    for (n++; n < 2 * SP_HISTORY_SAMPLES_MAX + 7; n++)
        sample_at(T0 + n * STEP_NS, 1000000 + n);
    expect_hour(SP_HISTORY_SAMPLES_MAX + 7);
}
END_TEST

/* A process that was stopped for a while took no samples, and none are made up; what was counted is told as it was read. */
START_TEST(history_has_gaps_and_counters_that_begin_anew)
{
    sample_at(T0, 10);
    sample_at(T0 + 60 * STEP_NS, 70);
    sample_at(T0 + 61 * STEP_NS, 3);
    expect_from("/v1/system/history",
                HISTORY("\"1767225600000000000\",\"1767225900000000000\",\"1767225905000000000\"",
                        "\"10\",\"70\",\"3\"", "\"0\",\"0\",\"0\""));
}
END_TEST

/* Of two samples the later one is never the earlier moment, also of a ring that was full. */
START_TEST(history_begins_anew_when_the_clock_is_set_back)
{
    for (uint64_t n = 0; n < SP_HISTORY_SAMPLES_MAX + 3; n++)
        sample_at(T0 + 3600000 * MS + n * STEP_NS, n);
    sample_at(T0, 800);
    sample_at(T0, 801);
    sample_at(T0 + STEP_NS, 802);
    expect_from("/v1/system/history", HISTORY("\"1767225600000000000\",\"1767225605000000000\"",
                                              "\"801\",\"802\"", "\"0\",\"0\""));
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_history");
    TCase *tcase = tcase_create("history");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, history_tells_samples_in_order_and_those_after_a_moment);
    tcase_add_test(tcase, history_says_what_is_wrong_with_a_question);
    tcase_add_test(tcase, history_keeps_the_last_hour);
    tcase_add_test(tcase, history_has_gaps_and_counters_that_begin_anew);
    tcase_add_test(tcase, history_begins_anew_when_the_clock_is_set_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
