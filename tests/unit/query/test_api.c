/* SPDX-License-Identifier: Apache-2.0
 *
 * The endpoints over the reference store, without a socket: what they answer, and what bad requests get. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/wire.h"
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

/* Trace 1: web -> cart (error), and an orphan. Trace 2: one span, a minute later. */
static void add_two_traces(void)
{
    struct sp_span spans[] = {
        make_span(&arena, 1, 1, 0, "web", "GET /", T0, 100 * MS),
        make_span(&arena, 1, 2, 1, "web", "call cart", T0 + 10 * MS, 50 * MS),
        make_span(&arena, 1, 3, 2, "cart", "add", T0 + 20 * MS, 30 * MS),
        make_span(&arena, 1, 4, 99, "cart", "lost", T0 + 30 * MS, 5 * MS),
        make_span(&arena, 2, 5, 0, "web", "GET /two", T0 + 60000 * MS, 7 * MS),
    };
    spans[1].kind = SP_KIND_CLIENT;
    spans[2].status_code = SP_SPAN_STATUS_ERROR;
    spans[2].status_present = true;
    add_attribute(&arena, &spans[2], "http.status", int_value(500));
    world_add(&world, spans, SP_ARRAY_LEN(spans));
}

#define TRACE1 "00000000000000000000000000000001"

START_TEST(services_are_counted_in_the_range)
{
    add_two_traces();
    expect_answer(&world, "/v1/services", 200,
                  "{\"services\":[{\"name\":\"cart\",\"spanCount\":\"2\",\"errorCount\":\"1\",");
    expect_answer(&world, "/v1/services?from=2026-01-01T00:01:00Z", 200,
                  "{\"services\":[{\"name\":\"web\",\"spanCount\":\"1\",\"errorCount\":\"0\",");
    expect_answer(&world, "/v1/services?to=2026-01-01T00:00:00Z", 200, "{\"services\":[]}");
}
END_TEST

START_TEST(operations_are_listed_for_a_service)
{
    add_two_traces();
    expect_answer(&world, "/v1/operations?service=cart", 200,
                  "{\"operations\":[{\"service\":\"cart\",\"name\":\"add\",\"kind\":\"server\","
                  "\"spanCount\":\"1\",\"errorCount\":\"1\"},");
    expect_answer(&world, "/v1/operations?service=nobody", 200, "{\"operations\":[]}");
}
END_TEST

START_TEST(attributes_list_keys_and_values)
{
    add_two_traces();
    expect_answer(&world, "/v1/attributes?scope=span", 200,
                  "{\"attributes\":[{\"scope\":\"span\",\"key\":\"http.status\",\"type\":\"int\","
                  "\"spanCount\":\"1\"}],\"complete\":true}");
    expect_answer(&world, "/v1/attributes?scope=resource&prefix=service", 200,
                  "\"key\":\"service.name\",\"type\":\"string\",\"spanCount\":\"5\"");
    expect_answer(&world, "/v1/attributes?key=http.status", 200,
                  "{\"values\":[{\"value\":\"500\",\"type\":\"int\",\"count\":\"1\"}],"
                  "\"complete\":true}");
    expect_answer(&world, "/v1/attributes?key=service.name&prefix=we&limit=1", 200,
                  "{\"values\":[{\"value\":\"web\",\"type\":\"string\",\"count\":\"3\"}],");
}
END_TEST

START_TEST(attributes_complete_intrinsics)
{
    add_two_traces();
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=kind", 200,
                  "{\"values\":[{\"value\":\"server\",\"type\":\"kind\",\"count\":\"4\"},"
                  "{\"value\":\"client\",\"type\":\"kind\",\"count\":\"1\"}],\"complete\":true}");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=name&prefix=GET&limit=1", 200,
                  "{\"values\":[{\"value\":\"GET /\",\"type\":\"string\",\"count\":\"1\"}],"
                  "\"complete\":false}");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=status", 200,
                  "{\"value\":\"error\",\"type\":\"status\",\"count\":\"1\"}");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=service", 200, "\"web\"");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=duration", 200, "{\"values\":[]");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&prefix=status", 200,
                  "\"key\":\"status\",\"type\":\"status\",\"spanCount\":\"5\"");
    expect_answer(&world, "/v1/attributes?scope=intrinsic&key=colour", 400, "must be one of");
}
END_TEST

START_TEST(latency_gives_quantiles_under_the_names_asked_for)
{
    add_two_traces();
    expect_answer(&world, "/v1/latency?service=cart&operation=add&q=0.50,1", 200,
                  "{\"series\":[{\"service\":\"cart\",\"operation\":\"add\",\"kind\":\"server\","
                  "\"calls\":\"1\",\"errors\":\"1\",\"quantiles\":{\"0.50\":\"30000000\","
                  "\"1\":\"30000000\"},\"durationNano\":\"30000000\","
                  "\"exemplarTraceId\":\"00000000000000000000000000000001\","
                  "\"exemplarSpanId\":\"0000000000000003\","
                  "\"errorExemplarTraceId\":\"00000000000000000000000000000001\","
                  "\"errorExemplarSpanId\":\"0000000000000003\"}],\"rowCount\":1,"
                  "\"from\":null,\"to\":null,\"relativeError\":0.011}");
    expect_answer(&world, "/v1/latency?kind=client", 200, "\"operation\":\"call cart\"");
    expect_answer(&world, "/v1/latency?q=0.5,1.5", 400, "\"parameter\":\"q\"");
    expect_answer(&world, "/v1/latency?q=0.5,0.5", 400, "twice");
    expect_answer(&world, "/v1/latency?q=,", 400, "\"parameter\":\"q\"");
    expect_answer(&world, "/v1/latency?kind=sever", 400, "unspecified|internal|server");
}
END_TEST

START_TEST(graph_has_the_call_that_was_made)
{
    add_two_traces();
    expect_answer(&world, "/v1/graph", 200,
                  "{\"client\":\"web\",\"server\":\"cart\",\"connectionType\":\"\",\"calls\":\"1\","
                  "\"errors\":\"1\",");
    expect_answer(&world, "/v1/graph?format=dot", 200, "digraph spoor {");
    expect_answer(&world, "/v1/graph?format=svg", 400, "json|dot|graphml|csv|mermaid");
    expect_answer(&world, "/v1/graph?from=2026-01-01T00:00:30Z&to=2026-01-01T00:00:31Z", 200,
                  "\"from\":\"1767225600000000000\",\"to\":\"1767225660000000000\"");
}
END_TEST

START_TEST(trace_comes_back_as_otlp_json)
{
    add_two_traces();
    expect_answer(&world, "/v1/traces/" TRACE1, 200, "{\"resourceSpans\":[");
    expect_answer(&world, "/v1/traces/" TRACE1, 200, "\"name\":\"lost\"");
    expect_answer(&world, "/v1/traces/0000000000000001", 200, "\"name\":\"lost\"");
    expect_answer(&world, "/v1/traces/" TRACE1 "?from=2026-01-01T00:00:01Z", 404, "time range");
}
END_TEST

START_TEST(trace_comes_back_as_protobuf_when_asked_for)
{
    add_two_traces();
    struct sp_query_call *call =
        ask_with(&world, "GET", "/v1/traces/" TRACE1, "application/x-protobuf", "", "");
    ck_assert_int_eq(call->reply.status, 200);
    ck_assert_str_eq(call->reply.content_type, "application/x-protobuf");
    ck_assert_str_eq(answer_header(call, "vary"), "accept");
    const struct sp_batch *batch;
    struct sp_error error;
    ck_assert_int_eq(sp_otlp_decode(&arena, sp_buf_slice(&call->reply.body), sp_limits_default(),
                                    &batch, &error),
                     SP_OK);
    ck_assert_uint_eq(batch->span_count, 4);
    answer_fini(call);
}
END_TEST

START_TEST(trace_ids_that_are_none_are_refused)
{
    expect_answer(&world, "/v1/traces/" TRACE1, 404, "no span of trace " TRACE1 " is stored");
    expect_answer(&world, "/v1/traces/xyz", 400, "\"parameter\":\"id\"");
    expect_answer(&world, "/v1/traces/00000000000000000000000000000000", 400,
                  "\"parameter\":\"id\"");
    expect_answer(&world, "/v1/traces/123", 400, "\"parameter\":\"id\"");
    expect_answer(&world, "/v1/traces/" TRACE1 "?view=tree", 400, "otlp|columns");
}
END_TEST

START_TEST(columns_are_depth_first_and_honest_about_orphans)
{
    add_two_traces();
    static const char *const parts[] = {
        "\"spanCount\":4,\"errorCount\":1,\"orphanCount\":1,\"duplicateCount\":0,\"rootCount\":1,"
        "\"depthMax\":2,\"cycleCount\":0",
        "\"services\":[{\"name\":\"cart\",\"slot\":1},{\"name\":\"web\",\"slot\":0}]",
        "\"operations\":[\"GET /\",\"add\",\"call cart\",\"lost\"]",
        "\"start\":[0,10000000,20000000,30000000]",
        "\"duration\":[100000000,50000000,30000000,5000000]",
        "\"self\":[50000000,20000000,30000000,5000000]",
        "\"depth\":[0,1,2,0]",
        "\"subtreeSize\":[3,2,1,1]",
        "\"parent\":[-1,0,1,-1]",
        "\"service\":[1,1,0,0]",
        "\"operation\":[0,2,1,3]",
        "\"kind\":[2,3,2,2]",
        "\"status\":[0,0,2,0]",
        "\"flags\":[66,66,65,16]",
        "\"spanIds\":\"0000000000000001000000000000000200000000000000030000000000000004\"",
        "\"missingParents\":[{\"row\":3,\"parentSpanId\":\"0000000000000063\"}]",
        "\"criticalPath\":[{\"row\":0,\"start\":0,\"end\":10000000},",
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++)
        expect_answer(&world, "/v1/traces/" TRACE1 "?view=columns", 200, parts[i]);
}
END_TEST

static size_t count_of(const char *text, const char *end, char c)
{
    size_t count = 0;
    for (; text < end; text++)
        count += *text == c;
    return count;
}

/* More names than the table of recent ones remembers, each of them twice. */
START_TEST(columns_name_each_operation_once)
{
    enum { NAMES = 6000 };
    static char names[NAMES][16];
    struct sp_span *spans = calloc((size_t)2 * NAMES, sizeof(*spans));
    for (unsigned i = 0; i < 2 * NAMES; i++) {
        snprintf(names[i % NAMES], sizeof(names[0]), "op %u", i % NAMES);
        spans[i] = make_span(&arena, 1, i + 1, i > 0, "web", names[i % NAMES], T0 + i, MS);
    }
    world_add(&world, spans, (size_t)2 * NAMES);
    free(spans);
    struct sp_query_call *call = ask(&world, "/v1/traces/" TRACE1 "?view=columns");
    char *text = answer_text(call);
    const char *operations = strstr(text, "\"operations\":["), *end = strstr(operations, "],");
    ck_assert_uint_eq(count_of(operations, end, ','), NAMES - 1);
    /* Sorted as text, "op 0" is the first, "op 1" the second, "op 2" stands behind all of "op 1...". */
    const char *codes = strstr(text, "\"operation\":[");
    ck_assert_msg(strncmp(codes, "\"operation\":[0,1,1112,", 22) == 0, "%.60s", codes);
    free(text);
    answer_fini(call);
}
END_TEST

START_TEST(rows_come_in_full)
{
    add_two_traces();
    expect_answer(&world, "/v1/traces/" TRACE1 "/spans?rows=2", 200,
                  "{\"spans\":[{\"row\":2,\"span\":{\"traceId\":\"" TRACE1 "\"");
    expect_answer(&world, "/v1/traces/" TRACE1 "/spans?rows=3,0-1", 200, "\"row\":3");
    expect_answer(&world, "/v1/traces/" TRACE1 "/spans?rows=0-3", 200,
                  "\"resourceSchemaUrl\":\"\"");
}
END_TEST

START_TEST(rows_that_are_none_are_refused)
{
    add_two_traces();
    static const char *const bad[] = {
        "",          "?rows=",     "?rows=x",  "?rows=1-",    "?rows=-1",
        "?rows=2-1", "?rows=0,,1", "?rows=0,", "?rows=0-200", "?rows=4294967295"};
    for (size_t i = 0; i < SP_ARRAY_LEN(bad); i++) {
        char url[128];
        snprintf(url, sizeof(url), "/v1/traces/" TRACE1 "/spans%s", bad[i]);
        expect_answer(&world, url, 400, "\"parameter\":\"rows\"");
    }
    expect_answer(&world, "/v1/traces/" TRACE1 "/spans?rows=4", 400, "rows 0 to 3");
    expect_answer(&world, "/v1/traces/" TRACE1 "/spans?rows=0-199", 400, "rows 0 to 3");
}
END_TEST

START_TEST(status_says_what_runs_and_what_is_stored)
{
    expect_answer(&world, "/v1/status", 200, "\"oldestUnixNano\":null");
    add_two_traces();
    sp_query_api_set_ready(world.api,
                           &(struct sp_query_addresses){"127.0.0.1:1", "127.0.0.1:2", ""});
    expect_answer(&world, "/v1/status", 200, "{\"version\":\"1.2.3\",\"startedAtUnixNano\":\"");
    expect_answer(&world, "/v1/status", 200,
                  "\"spanCount\":\"5\",\"traceCount\":\"2\",\"requestCount\":\"1\"");
    expect_answer(&world, "/v1/status", 200, "\"oldestUnixNano\":\"1767225600000000000\"");
    expect_answer(&world, "/v1/status", 200,
                  "\"listen\":{\"otlpGrpc\":\"127.0.0.1:1\",\"otlpHttp\":\"127.0.0.1:2\","
                  "\"http\":\"\"}");
}
END_TEST

START_TEST(readiness_follows_start_and_drain)
{
    expect_answer(&world, "/healthz", 200, "ok");
    expect_answer(&world, "/readyz", 503, "\"title\"");
    sp_query_api_set_ready(world.api, &(struct sp_query_addresses){"", "", ""});
    expect_answer(&world, "/readyz", 200, "ok");
    sp_query_api_set_draining(world.api);
    expect_answer(&world, "/readyz", 503, "draining");
    expect_answer(&world, "/healthz", 200, "ok");
}
END_TEST

static uint64_t read_seven(void *cookie)
{
    (void)cookie;
    return 7;
}

START_TEST(metrics_count_queries_and_show_the_rows_of_other_rooms)
{
    static const struct sp_metric rows[] = {
        {"spoor_received", "transport=\"grpc\"", "Requests.", SP_METRIC_COUNTER, read_seven, NULL,
         NULL},
        {"spoor_received", "transport=\"http\"", "Requests.", SP_METRIC_COUNTER, read_seven, NULL,
         NULL},
    };
    sp_query_api_add_metrics(world.api, rows, SP_ARRAY_LEN(rows));
    expect_answer(&world, "/v1/services", 200, "");
    expect_answer(&world, "/v1/nothing", 404, "");
    expect_answer(&world, "/metrics", 200,
                  "# TYPE spoor_received counter\n# HELP spoor_received Requests.\n"
                  "spoor_received_total{transport=\"grpc\"} 7\n"
                  "spoor_received_total{transport=\"http\"} 7\n# EOF\n");
    expect_answer(&world, "/metrics", 200,
                  "spoor_http_requests_total{endpoint=\"/v1/services\",code=\"2xx\"} 1\n");
    expect_answer(&world, "/metrics", 200,
                  "spoor_http_requests_total{endpoint=\"other\",code=\"4xx\"} 1\n");
    expect_answer(&world, "/metrics", 200,
                  "spoor_http_request_duration_seconds_bucket{endpoint=\"/v1/services\","
                  "le=\"+Inf\"} 1\n");
}
END_TEST

START_TEST(problems_name_the_parameter_and_the_request)
{
    expect_answer(&world, "/v1/services?form=now", 400, "\"parameter\":\"form\"");
    expect_answer(&world, "/v1/services?form=now", 400, "allowed are: from, to");
    expect_answer(&world, "/v1/services?form=now", 400, "\"requestId\":\"");
    expect_answer(&world, "/v1/status?x=1", 400, "none is allowed");
    expect_answer(&world, "/v1/services?from=2026-01-01T00:00:02Z&to=2026-01-01T00:00:01Z", 400,
                  "\"parameter\":\"to\"");
    expect_answer(&world, "/v2/services", 404, "nothing at this path");
    struct sp_query_call *call = ask(&world, "/v1/services?from=later");
    ck_assert_str_eq(call->reply.content_type, "application/problem+json");
    answer_fini(call);
}
END_TEST

START_TEST(other_methods_are_refused_and_head_is_a_get)
{
    struct sp_query_call *call = ask_with(&world, "POST", "/v1/services", "", "", "");
    ck_assert_int_eq(call->reply.status, 405);
    ck_assert_str_eq(answer_header(call, "allow"), "GET, HEAD");
    answer_fini(call);
    call = ask_with(&world, "HEAD", "/v1/services", "", "", "");
    ck_assert_int_eq(call->reply.status, 200);
    answer_fini(call);
}
END_TEST

START_TEST(replies_carry_security_headers)
{
    static const char *const urls[] = {"/v1/services", "/nothing", "/v1/services?x=1", "/metrics"};
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++) {
        struct sp_query_call *call = ask(&world, urls[i]);
        ck_assert_str_eq(answer_header(call, "x-content-type-options"), "nosniff");
        ck_assert_str_eq(answer_header(call, "referrer-policy"), "no-referrer");
        ck_assert_str_eq(answer_header(call, "cache-control"), "no-store");
        ck_assert_ptr_nonnull(
            strstr(answer_header(call, "content-security-policy"), "default-src 'none'"));
        answer_fini(call);
    }
}
END_TEST

/* ---- limits ---- */

START_TEST(queries_end_when_their_time_is_used_up)
{
    add_two_traces();
    struct sp_query_call call = {.api = world.api, .begin_ns = world.monotonic_ns};
    call.request.method = SP_SLICE("GET");
    call.request.path = SP_SLICE("/v1/services");
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    world.monotonic_ns += SP_QUERY_TIME_NS; /* it waited that long for a thread */
    sp_query_call_run(&call);
    ck_assert_int_eq(call.reply.status, 504);
    ck_assert_str_eq(answer_header(&call, "retry-after"), "1");
    sp_query_call_fini(&call);
}
END_TEST

static bool gone(void *cookie)
{
    (void)cookie;
    return true;
}

START_TEST(queries_end_when_the_client_is_gone)
{
    struct sp_query_call call = {.api = world.api, .begin_ns = world.monotonic_ns};
    call.request.method = SP_SLICE("GET");
    call.request.path = SP_SLICE("/v1/services");
    call.request.cancelled = gone;
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    sp_query_call_run(&call);
    ck_assert_int_eq(call.reply.status, 503);
    sp_query_call_fini(&call);
}
END_TEST

/* What counts by reading traces looks at the clock and the client while it reads. */
static const char *const counting_urls[] = {
    "/v1/graph",
    "/v1/attributes?key=service.name",
    "/v1/attributes?key=service.name&scope=resource",
    "/v1/attributes",
    "/v1/services",
    "/v1/operations",
    "/v1/latency",
    "/v1/attributes?scope=intrinsic&key=name",
};

static void add_many_traces(void)
{
    for (unsigned i = 1; i <= 50; i++) {
        struct sp_span span = make_span(&arena, i, i, 0, "cart", "GET", T0 + i * MS, MS);
        world_add(&world, &span, 1);
    }
}

/* Every look at the clock takes a second. */
static uint64_t hurrying_ns(void *cookie)
{
    struct world *hurried = cookie;
    return hurried->monotonic_ns += 1000 * MS;
}

START_TEST(counting_ends_when_its_time_is_used_up)
{
    add_many_traces();
    expect_answer(&world, counting_urls[_i], 200, "");
    uint64_t begin_ns = world.monotonic_ns;
    world.clock.monotonic_ns = hurrying_ns;
    expect_answer(&world, counting_urls[_i], 504, "\"detail\":\"the query took longer than 30 s\"");
    ck_assert_uint_lt(world.monotonic_ns - begin_ns, SP_QUERY_TIME_NS + 5000 * MS);
}
END_TEST

struct leaving {
    int looks, until;
};

static bool leaves(void *cookie)
{
    struct leaving *leaving = cookie;
    return leaving->looks++ >= leaving->until;
}

START_TEST(counting_ends_when_the_client_goes)
{
    struct leaving leaving = {.until = 10};
    add_many_traces();
    struct sp_query_call call = {.api = world.api, .begin_ns = world.monotonic_ns};
    struct sp_slice url = sp_slice_cstr(counting_urls[_i]);
    size_t mark = sp_slice_find(url, '?');
    call.request.method = SP_SLICE("GET");
    call.request.path = sp_slice_sub(url, 0, mark);
    call.request.query = sp_slice_sub(url, mark + 1, SIZE_MAX);
    call.request.cancelled = leaves;
    call.request.cookie = &leaving;
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    sp_query_call_run(&call);
    ck_assert_int_eq(call.reply.status, 503);
    ck_assert_int_eq(leaving.looks, 11); /* and not once more */
    sp_query_call_fini(&call);
}
END_TEST

/* Whatever the memory, an answer is whole or a problem document. */
START_TEST(queries_without_memory_say_so)
{
    static const char *const urls[] = {
        "/v1/traces/" TRACE1,   "/v1/traces/" TRACE1 "?view=columns",
        "/v1/services",         "/v1/traces/" TRACE1 "/spans?rows=0-3",
        "/v1/graph?format=dot", "/v1/latency",
        "/v1/attributes",       "/v1/attributes?scope=intrinsic&key=name",
        "/v1/operations"};
    add_two_traces();
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++) {
        bool succeeded = false;
        for (size_t cap = 0; cap < 256 * 1024 && !succeeded; cap += cap < 8192 ? 512 : 16384) {
            world.api->limits.memory_bytes_max = cap;
            struct sp_query_call *call = ask(&world, urls[i]);
            ck_assert_msg(call->reply.status == 200 || call->reply.status == 413, "%s at %zu: %d",
                          urls[i], cap, call->reply.status);
            succeeded = call->reply.status == 200;
            answer_fini(call);
        }
        ck_assert_msg(succeeded, "%s", urls[i]);
    }
}
END_TEST

START_TEST(answers_larger_than_the_limit_say_so)
{
    static const char *const urls[] = {"/v1/traces/" TRACE1, "/v1/traces/" TRACE1 "?view=columns",
                                       "/v1/graph?format=graphml", "/v1/services"};
    add_two_traces();
    world.api->limits.response_bytes_max = 64;
    for (size_t i = 0; i < SP_ARRAY_LEN(urls); i++)
        expect_answer(&world, urls[i], 413, "the answer is larger than 64 bytes");
    struct sp_query_call *call =
        ask_with(&world, "GET", "/v1/traces/" TRACE1, "application/protobuf", "", "");
    ck_assert_int_eq(call->reply.status, 413);
    answer_fini(call);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("query api");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, services_are_counted_in_the_range);
    tcase_add_test(tcase, operations_are_listed_for_a_service);
    tcase_add_test(tcase, attributes_list_keys_and_values);
    tcase_add_test(tcase, attributes_complete_intrinsics);
    tcase_add_test(tcase, latency_gives_quantiles_under_the_names_asked_for);
    tcase_add_test(tcase, graph_has_the_call_that_was_made);
    tcase_add_test(tcase, trace_comes_back_as_otlp_json);
    tcase_add_test(tcase, trace_comes_back_as_protobuf_when_asked_for);
    tcase_add_test(tcase, trace_ids_that_are_none_are_refused);
    tcase_add_test(tcase, columns_are_depth_first_and_honest_about_orphans);
    tcase_add_test(tcase, columns_name_each_operation_once);
    tcase_add_test(tcase, rows_come_in_full);
    tcase_add_test(tcase, rows_that_are_none_are_refused);
    tcase_add_test(tcase, status_says_what_runs_and_what_is_stored);
    tcase_add_test(tcase, readiness_follows_start_and_drain);
    tcase_add_test(tcase, metrics_count_queries_and_show_the_rows_of_other_rooms);
    tcase_add_test(tcase, problems_name_the_parameter_and_the_request);
    tcase_add_test(tcase, other_methods_are_refused_and_head_is_a_get);
    tcase_add_test(tcase, replies_carry_security_headers);
    tcase_add_test(tcase, queries_end_when_their_time_is_used_up);
    tcase_add_test(tcase, queries_end_when_the_client_is_gone);
    tcase_add_loop_test(tcase, counting_ends_when_its_time_is_used_up, 0,
                        SP_ARRAY_LEN(counting_urls));
    tcase_add_loop_test(tcase, counting_ends_when_the_client_goes, 0, SP_ARRAY_LEN(counting_urls));
    tcase_add_test(tcase, queries_without_memory_say_so);
    tcase_add_test(tcase, answers_larger_than_the_limit_say_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
