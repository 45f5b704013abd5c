/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/test_system.c: what the process tells of itself, which queries run, ending one, and the quality of the data. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/query/world.h"

static struct world world;
static struct sp_arena arena;

static void setup(void)
{
    world_init(&world);
    sp_arena_init(&arena, (size_t)64 << 20);
}

static void teardown(void)
{
    sp_arena_fini(&arena);
    world_fini(&world);
}

static uint64_t read_seven(void *cookie)
{
    (void)cookie;
    return 7;
}

START_TEST(system_tells_counters_store_limits_and_masks_secrets)
{
    static const struct sp_metric rows[] = {
        {"spoor_refused", "reason=\"LIMIT\"", "Refused.", SP_METRIC_COUNTER, read_seven, NULL,
         NULL},
        {"spoor_told", NULL, "Told.", SP_METRIC_COUNTER, read_seven, NULL, "Do this."}};
    static const struct sp_setting settings[] = {
        {"data-dir", {(const uint8_t *)"/tmp", 4}, "flag", false},
        {"api-token", {NULL, 0}, "file", true},
    };
    static const struct sp_limit_shown limits[] = {
        {"Receiving", "spans of a request", "", "SP_LIMIT_SPANS", 1000000},
        {"Keeping", "stored", "bytes", "--retention-size", 0},
    };
    struct sp_span span = make_span(&arena, 1, 1, 0, "web", "GET /", T0, MS);
    world_add(&world, &span, 1);
    world.api->limits_shown = limits;
    world.api->limit_shown_count = SP_ARRAY_LEN(limits);
    sp_query_api_add_metrics(world.api, rows, SP_ARRAY_LEN(rows));
    world.api->settings = settings;
    world.api->setting_count = SP_ARRAY_LEN(settings);
    world.api->retention.age_ns = 5;
    expect_answer(
        &world, "/v1/system", 200,
        "{\"name\":\"spoor_refused\",\"labels\":\"reason=\\\"LIMIT\\\"\",\"help\":\"Refused.\","
        "\"counts\":true,\"value\":\"7\"}");
    expect_answer(&world, "/v1/system", 200, "\"value\":\"7\",\"advice\":\"Do this.\"}");
    expect_answer(&world, "/v1/system", 200, "\"store\":{\"spanCount\":\"1\",\"traceCount\":\"1\"");
    expect_answer(&world, "/v1/system", 200, "\"retentionAgeNano\":\"5\"");
    expect_answer(&world, "/v1/system", 200, "\"disk\":null");
    expect_answer(&world, "/v1/system", 200,
                  "\"limits\":[{\"part\":\"Receiving\",\"name\":\"spans of a request\","
                  "\"value\":\"1000000\",\"unit\":\"\",\"from\":\"SP_LIMIT_SPANS\"},"
                  "{\"part\":\"Keeping\",\"name\":\"stored\",\"value\":\"0\",\"unit\":\"bytes\","
                  "\"from\":\"--retention-size\"},{\"part\":\"Asking\",\"name\":\"queries at the");
    expect_answer(&world, "/v1/system", 200,
                  "{\"part\":\"Asking\",\"name\":\"points of a series\",\"value\":\"11000\","
                  "\"unit\":\"\",\"from\":\"SP_METRICS_POINTS_MAX\"}");
    expect_answer(&world, "/v1/system", 200,
                  "{\"part\":\"Asking\",\"name\":\"time of a "
                  "query\",\"value\":\"30000000000\",\"unit\":\"ns\"");
    expect_answer(&world, "/v1/system", 200,
                  "\"settings\":[{\"name\":\"data-dir\",\"value\":\"/tmp\",\"origin\":\"flag\","
                  "\"masked\":false},{\"name\":\"api-token\",\"value\":\"\",\"origin\":\"file\","
                  "\"masked\":true}]");
    world.api->data_dir = "/";
    expect_answer(&world, "/v1/system", 200, "\"disk\":{\"freeBytes\":\"");
    expect_answer(&world, "/v1/system?x=1", 400, "\"parameter\":\"x\"");
}
END_TEST

/* Asked while a query runs, on its thread: looks at the list, and ends the query. */
struct inside {
    char *seen;
    char *refusal;
};

static bool look_and_end(void *cookie)
{
    struct inside *inside = cookie;
    if (inside->seen)
        return false;
    struct sp_query_call *call = ask(&world, "/v1/system");
    inside->seen = answer_text(call);
    answer_fini(call);
    call = ask_with(&world, "DELETE", "/v1/queries/77", "", "", "");
    inside->refusal = answer_text(call);
    answer_fini(call);
    return false;
}

/* Runs a search with the id 77 in which the above happens. */
static int run_watched(struct inside *inside)
{
    struct sp_query_call *call = calloc(1, sizeof(*call));
    ck_assert_ptr_nonnull(call);
    call->api = world.api;
    call->id = 77;
    call->begin_ns = world.monotonic_ns;
    call->request.method = SP_SLICE("GET");
    call->request.path = SP_SLICE("/v1/search");
    call->request.query = SP_SLICE("q=%7B%7D");
    call->request.cancelled = look_and_end;
    call->request.cookie = inside;
    call->endpoint = sp_query_route(call->request.method, call->request.path, &call->path_id);
    sp_query_call_run(call);
    int status = call->reply.status;
    if (status != 200) {
        char *text = answer_text(call);
        ck_assert_ptr_nonnull(strstr(text, "ended by DELETE"));
        free(text);
    }
    answer_fini(call);
    return status;
}

START_TEST(system_tells_of_queries_and_cancels_only_when_allowed)
{
    struct sp_span span = make_span(&arena, 1, 1, 0, "web", "GET /", T0, MS);
    world_add(&world, &span, 1);
    struct inside inside = {NULL, NULL};
    ck_assert_int_eq(run_watched(&inside), 200);
    ck_assert_ptr_nonnull(strstr(inside.seen,
                                 "\"running\":[{\"id\":\"77\",\"url\":\"/v1/search?q=%7B%7D\","
                                 "\"cut\":false,"));
    ck_assert_ptr_nonnull(strstr(inside.refusal, "--allow-cancel"));
    free(inside.seen);
    free(inside.refusal);
    inside = (struct inside){NULL, NULL};
    world.api->may_cancel = true;
    ck_assert_int_eq(run_watched(&inside), 503);
    ck_assert_str_eq(inside.refusal, "{\"cancelled\":\"77\"}");
    free(inside.seen);
    free(inside.refusal);
    /* Both are over: nothing runs, both are remembered, with what they read. */
    expect_answer(&world, "/v1/system", 200, "\"running\":[],\"slowest\":[{\"id\":\"77\"");
    expect_answer(&world, "/v1/system", 200, "\"tracesRead\":\"1\"");
    struct sp_query_call *call = ask_with(&world, "DELETE", "/v1/queries/77", "", "", "");
    ck_assert_int_eq(call->reply.status, 404);
    answer_fini(call);
    call = ask_with(&world, "DELETE", "/v1/queries/x", "", "", "");
    ck_assert_int_eq(call->reply.status, 404);
    answer_fini(call);
    expect_answer(&world, "/v1/queries/77", 405, "");
}
END_TEST

/* Asked once, while it runs. */
static bool let_time_pass(void *cookie)
{
    world.monotonic_ns += *(uint64_t *)cookie;
    return false;
}

START_TEST(slowest_queries_are_kept_in_order_and_long_ones_cut)
{
    char url[3000] = "/v1/services?x=";
    size_t len = strlen(url);
    memset(url + len, '0', sizeof(url) - len - 1);
    url[sizeof(url) - 1] = 0;
    expect_answer(&world, url, 400, "");
    expect_answer(&world, "/v1/system", 200, "\"cut\":true");
    for (uint64_t i = 0; i < 40; i++) {
        struct sp_query_call *call = calloc(1, sizeof(*call));
        ck_assert_ptr_nonnull(call);
        uint64_t took = i * i;
        call->api = world.api;
        call->id = 100 + i;
        call->begin_ns = world.monotonic_ns;
        call->request.cancelled = let_time_pass;
        call->request.cookie = &took;
        call->request.method = SP_SLICE("GET");
        call->request.path = SP_SLICE("/v1/services");
        call->endpoint = sp_query_route(call->request.method, call->request.path, &call->path_id);
        sp_query_call_run(call);
        answer_fini(call);
    }
    struct sp_query_call *call = ask(&world, "/v1/system");
    char *text = answer_text(call);
    const char *at = strstr(text, "\"slowest\":");
    for (uint64_t i = 0; i < SP_QUERY_SLOW_KEPT - 1; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "{\"id\":\"%llu\"", (unsigned long long)(139 - i));
        const char *found = strstr(at, wanted);
        ck_assert_msg(found != NULL, "%s in %s", wanted, at);
        at = found;
    }
    ck_assert_ptr_null(strstr(text, "\"id\":\"123\""));
    free(text);
    answer_fini(call);
}
END_TEST

static struct sp_query_call *listed_call(uint64_t id)
{
    struct sp_query_call *call = calloc(1, sizeof(*call));
    ck_assert_ptr_nonnull(call);
    call->api = world.api;
    call->id = id;
    call->begin_ns = world.monotonic_ns;
    call->request.path = SP_SLICE("/v1/services");
    call->request.client = SP_SLICE("127.0.0.1:4711");
    call->reply.status = 200;
    sp_running_add(&world.api->running, call);
    return call;
}

START_TEST(queries_that_wait_are_told_and_waiting_is_not_running)
{
    struct sp_running *running = &world.api->running;
    struct sp_query_call *first = listed_call(50), *second = listed_call(51),
                         *third = listed_call(52);
    sp_running_start(first);
    world.monotonic_ns += 5;
    sp_running_start(third); /* a short question */
    world.monotonic_ns += 7;
    expect_answer(&world, "/v1/system", 200,
                  "\"running\":[{\"id\":\"50\",\"url\":\"/v1/services\",\"cut\":false,"
                  "\"client\":\"127.0.0.1:4711\",\"cameUnixNano\":\"1767229200000000000\","
                  "\"tookNano\":\"12\",\"waitedNano\":\"0\",\"tracesRead\":\"0\","
                  "\"bytesScanned\":\"0\",\"state\":\"running\",\"cancelled\":false},"
                  "{\"id\":\"52\"");
    expect_answer(&world, "/v1/system", 200, "\"tookNano\":\"12\",\"waitedNano\":\"5\"");
    expect_answer(&world, "/v1/system", 200,
                  "\"tookNano\":\"12\",\"waitedNano\":\"12\",\"tracesRead\":\"0\","
                  "\"bytesScanned\":\"0\",\"state\":\"waiting\",\"cancelled\":false}]");
    sp_running_remove(running, third); /* ran for 7 */
    world.monotonic_ns += 100;
    sp_running_start(second);
    world.monotonic_ns += 9;
    sp_running_remove(running, second); /* ran for 9 */
    struct sp_query_call *unseen = listed_call(53);
    world.monotonic_ns += 1000;
    sp_running_remove(running, unseen);
    sp_running_remove(running, first);
    struct sp_query_call *call = ask(&world, "/v1/system");
    char *text = answer_text(call);
    const char *at = strstr(text, "\"running\":[],\"slowest\":[{\"id\":\"50\"");
    ck_assert_ptr_nonnull(at);
    at = strstr(at, "{\"id\":\"51\"");
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_nonnull(strstr(at, "\"tookNano\":\"121\",\"waitedNano\":\"112\""));
    ck_assert_ptr_nonnull(strstr(at, "{\"id\":\"52\""));
    ck_assert_ptr_null(strstr(text, "\"id\":\"53\"")); /* it never ran */
    free(text);
    answer_fini(call);
    free(first);
    free(second);
    free(third);
    free(unseen);
}
END_TEST

START_TEST(a_query_that_is_too_late_says_how_long_it_waited)
{
    struct sp_query_call *call = listed_call(60);
    struct sp_error error;
    call->deadline_ns = call->begin_ns + world.api->limits.time_ns_max;
    world.monotonic_ns += 29000 * MS;
    sp_running_start(call);
    ck_assert_int_eq(sp_query_check(call, &error), SP_OK);
    world.monotonic_ns += 1000 * MS;
    ck_assert_int_eq(sp_query_check(call, &error), SP_DEADLINE);
    ck_assert_str_eq(error.message,
                     "the query took longer than 30 s, 29 s of which it waited because "
                     "others ran or spans came in");
    call->running.waited_ns = 1000 * MS;
    ck_assert_int_eq(sp_query_check(call, &error), SP_DEADLINE);
    ck_assert_str_eq(error.message, "the query took longer than 30 s");
    sp_running_remove(&world.api->running, call);
    free(call);
}
END_TEST

START_TEST(quality_counts_what_is_not_as_it_should_be)
{
    char *large = malloc(5001);
    memset(large, 'x', 5000);
    large[5000] = 0;
    /* whole; its server is 40 ms behind its client, which waits for it */
    struct sp_span whole[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 20 * MS),
        make_span(&arena, 1, 2, 1, "", "nameless", T0 + MS, MS),
    };
    add_attribute(&arena, &whole[0], "doc", text_value(large));
    whole[1].end_unix_ns = whole[1].start_unix_ns - 1;
    /* a parent that never came, and a span that came twice */
    struct sp_span broken[] = {
        make_span(&arena, 2, 5, 4, "cart", "add", T0, MS),
        make_span(&arena, 2, 5, 4, "cart", "add", T0, MS),
    };
    broken[0].attributes.dropped = 3;
    world_add(&world, whole, 2);
    world_add(&world, broken, 2);
    const char *url = "/v1/quality";
    expect_answer(&world, url, 200, "{\"matchedTraces\":2,");
    expect_answer(&world, url, 200, "\"complete\":true");
    expect_answer(&world, url, 200, "\"spans\":\"4\"");
    expect_answer(&world, url, 200, "\"tracesMissingParents\":\"1\",\"tracesWithoutRoot\":\"1\"");
    expect_answer(&world, url, 200,
                  "\"duplicates\":\"1\",\"withoutService\":\"1\",\"endBeforeStart\":\"1\"");
    expect_answer(
        &world, url, 200,
        "\"oversizedAttributes\":\"1\",\"spansWithOversized\":\"1\","
        "\"oversizedBytesMax\":\"5000\",\"oversizedBytes\":\"4096\",\"droppedAttributes\":\"3\"");
    expect_answer(&world, "/v1/quality?traces=1", 200, "\"incompleteReason\":\"traces\"");
    expect_answer(&world, "/v1/quality?from=now&to=now-1h", 400, "\"parameter\":\"to\"");
    expect_answer(&world, "/v1/quality?to=2020-01-01T00:00:00Z", 200, "\"spans\":\"0\"");
    free(large);
}
END_TEST

/* Spans of a cycle have parents: none of them is missing. */
START_TEST(quality_tells_cycles_from_missing_parents)
{
    struct sp_span cycle[] = {
        make_span(&arena, 1, 1, 3, "web", "a", T0, MS),
        make_span(&arena, 1, 2, 1, "web", "b", T0 + 1, MS),
        make_span(&arena, 1, 3, 2, "web", "c", T0 + 2, MS),
    };
    struct sp_span own_parent = make_span(&arena, 2, 1, 1, "web", "own", T0, MS);
    struct sp_span both[] = {
        make_span(&arena, 3, 1, 1, "web", "own", T0, MS),
        make_span(&arena, 3, 2, 9, "web", "orphan", T0 + 1, MS),
    };
    const char *url = "/v1/quality";
    world_add(&world, cycle, SP_ARRAY_LEN(cycle));
    world_add(&world, &own_parent, 1);
    expect_answer(&world, url, 200,
                  "\"missingParents\":\"0\",\"tracesMissingParents\":\"0\","
                  "\"tracesWithoutRoot\":\"2\",\"cycles\":\"2\"");
    world_add(&world, both, SP_ARRAY_LEN(both));
    expect_answer(&world, url, 200,
                  "\"missingParents\":\"1\",\"tracesMissingParents\":\"1\","
                  "\"tracesWithoutRoot\":\"3\",\"cycles\":\"3\"");
}
END_TEST

START_TEST(first_and_last_moments_are_told_as_they_are)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "first", 0, 0),
        make_span(&arena, 2, 2, 0, "web", "last", UINT64_MAX, 0),
    };
    expect_answer(&world, "/v1/system", 200, "\"oldestUnixNano\":null,\"newestUnixNano\":null");
    expect_answer(&world, "/v1/quality", 200,
                  "\"oldestStartUnixNano\":null,\"newestStartUnixNano\":null");
    world_add(&world, spans, 2);
    expect_answer(&world, "/v1/system", 200,
                  "\"oldestUnixNano\":\"0\",\"newestUnixNano\":\"18446744073709551615\"");
    expect_answer(&world, "/v1/quality", 200,
                  "\"oldestStartUnixNano\":\"0\",\"newestStartUnixNano\":\"18446744073709551615\"");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query_system");
    TCase *tcase = tcase_create("system");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, system_tells_counters_store_limits_and_masks_secrets);
    tcase_add_test(tcase, system_tells_of_queries_and_cancels_only_when_allowed);
    tcase_add_test(tcase, slowest_queries_are_kept_in_order_and_long_ones_cut);
    tcase_add_test(tcase, queries_that_wait_are_told_and_waiting_is_not_running);
    tcase_add_test(tcase, a_query_that_is_too_late_says_how_long_it_waited);
    tcase_add_test(tcase, quality_counts_what_is_not_as_it_should_be);
    tcase_add_test(tcase, first_and_last_moments_are_told_as_they_are);
    tcase_add_test(tcase, quality_tells_cycles_from_missing_parents);
    suite_add_tcase(suite, tcase);
    return suite;
}
