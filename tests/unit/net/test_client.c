/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/net/test_client.c: the client of lib/net against both servers of lib/net, over loopback. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check_main.h"
#include "tests/unit/net/service.h"

#define BIG_BYTES  ((size_t)9 << 20) /* more than a stream's window */
#define MANY       2000
#define IN_FLIGHT  64
#define DRAIN_MS   10000
#define WAIT_NS    UINT64_C(1000000000)
#define MANY_WAITS 100000 /* a test that hangs fails */

struct fixture {
    struct service *service;
    struct sp_budget budget;
    struct sp_server *http1, *http2;
    struct sp_client *client;
};

struct result {
    uint32_t replies, failures;
    struct sp_client_reply last; /* its slices are gone */
    char message[600];
    char content_type[100];
    size_t body_len;
    uint64_t body_sum;
};

static void fixture_init(struct fixture *f, uint64_t reply_bytes_max)
{
    struct sp_error error;
    f->service = service_new();
    sp_budget_init(&f->budget, (size_t)256 << 20);
    const struct sp_server_options options = {
        .address = "127.0.0.1:0",
        .threads = 2,
        .handler = service_handler(f->service),
        .budget = &f->budget,
        .clock = sp_clock_system(),
        .limits = sp_net_limits_default(),
    };
    ck_assert_int_eq(sp_http1_server_start(&options, &f->http1, &error), SP_OK);
    ck_assert_int_eq(sp_http2_server_start(&options, &f->http2, &error), SP_OK);
    const struct sp_client_options client = {
        .in_flight_max = IN_FLIGHT,
        .connections_max = 4,
        .reply_bytes_max = reply_bytes_max,
        .clock = sp_clock_system(),
    };
    ck_assert_int_eq(sp_client_new(&client, &f->client, &error), SP_OK);
}

static void fixture_fini(struct fixture *f)
{
    sp_client_free(f->client);
    service_drain(f->service);
    ck_assert(sp_server_drain(f->http1, DRAIN_MS));
    ck_assert(sp_server_drain(f->http2, DRAIN_MS));
    sp_server_stop(f->http1);
    sp_server_stop(f->http2);
    service_free(f->service);
    ck_assert_uint_eq(sp_budget_used(&f->budget), 0);
}

static uint64_t sum(struct sp_slice s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s.len; i++)
        total = total * 31 + s.ptr[i];
    return total;
}

static void on_reply(void *cookie, const struct sp_client_reply *reply)
{
    struct result *result = cookie;
    result->replies++;
    if (reply->status != SP_OK)
        result->failures++;
    result->last = *reply;
    snprintf(result->message, sizeof(result->message), "%.*s",
             SP_SLICE_PRINTF(reply->grpc_message));
    snprintf(result->content_type, sizeof(result->content_type), "%.*s",
             SP_SLICE_PRINTF(reply->content_type));
    result->body_len = reply->body.len;
    result->body_sum = sum(reply->body);
}

static enum sp_status submit(struct fixture *f, struct result *result, bool grpc, const char *path,
                             struct sp_slice body, uint32_t timeout_ms)
{
    char url[200];
    struct sp_error error;
    snprintf(url, sizeof(url), "http://%s/%s", sp_server_address(grpc ? f->http2 : f->http1), path);
    const struct sp_header headers[] = {{SP_SLICE("x-bytes"), SP_SLICE("100000")}};
    const struct sp_client_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = 1,
        .body = body,
        .grpc = grpc,
        .timeout_ms = timeout_ms,
        .on_reply = on_reply,
        .cookie = result,
    };
    return sp_client_submit(f->client, &request, &error);
}

static void run_until(struct fixture *f, const struct result *result, uint32_t replies)
{
    struct sp_error error;
    for (int i = 0; i < MANY_WAITS && result->replies < replies; i++)
        ck_assert_int_eq(sp_client_run(f->client, WAIT_NS, &error), SP_OK);
    ck_assert_uint_eq(result->replies, replies);
}

static void check_echo(bool grpc, const char *path, size_t len)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, BIG_BYTES);
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 1000);
    struct sp_slice body = sp_slice_make(bytes, len);
    ck_assert_int_eq(submit(&f, &result, grpc, path, body, 0), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_OK);
    ck_assert_int_eq(result.last.http_status, 200);
    ck_assert_int_eq(result.last.grpc_status, grpc ? 0 : -1);
    ck_assert_uint_eq(result.body_len, len);
    ck_assert_uint_eq(result.body_sum, sum(body));
    fixture_fini(&f);
    free(bytes);
}

START_TEST(client_reads_back_what_http1_echoes)
{
    check_echo(false, "Echo", 5);
    check_echo(false, "Later", 70000);
}
END_TEST

START_TEST(client_reads_back_what_grpc_echoes)
{
    check_echo(true, "t.T/Echo", 5);
    check_echo(true, "t.T/Later", 70000);
}
END_TEST

START_TEST(client_sends_bodies_larger_than_all_windows)
{
    check_echo(false, "Echo", BIG_BYTES);
    check_echo(true, "t.T/Echo", BIG_BYTES);
}
END_TEST

START_TEST(client_takes_empty_messages)
{
    check_echo(false, "Echo", 0);
    check_echo(true, "t.T/Echo", 0);
}
END_TEST

START_TEST(client_decodes_status_and_message_of_grpc_trailers)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, 1000);
    ck_assert_int_eq(submit(&f, &result, true, "t.T/Head", SP_SLICE("abc"), 0), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_OK);
    ck_assert_int_eq(result.last.grpc_status, 12);
    ck_assert_str_eq(result.message, "no such method: 100% \xc3\xa4");
    ck_assert_str_eq(result.content_type, "application/grpc");
    fixture_fini(&f);
}
END_TEST

START_TEST(client_reports_http_errors_as_replies)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, 1000);
    ck_assert_int_eq(submit(&f, &result, false, "Head", SP_SLICE("abc"), 0), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_OK);
    ck_assert_int_eq(result.last.http_status, 404);
    ck_assert_str_eq(result.content_type, SP_PROBLEM_MEDIA_TYPE);
    fixture_fini(&f);
}
END_TEST

static void check_many(bool grpc)
{
    struct fixture f;
    struct result result = {0};
    struct sp_error error;
    fixture_init(&f, 1000);
    for (uint32_t i = 0; i < MANY;) {
        if (submit(&f, &result, grpc, grpc ? "t.T/Echo" : "Echo", SP_SLICE("hello"), 0) == SP_OK)
            i++;
        else
            ck_assert_int_eq(sp_client_run(f.client, WAIT_NS, &error), SP_OK);
        ck_assert_uint_le(sp_client_in_flight(f.client), IN_FLIGHT);
    }
    run_until(&f, &result, MANY);
    ck_assert_uint_eq(sp_client_in_flight(f.client), 0);
    ck_assert_msg(result.failures == 0, "%s", result.last.error.message);
    fixture_fini(&f);
}

START_TEST(client_keeps_many_requests_in_flight)
{
    check_many(false);
    check_many(true);
}
END_TEST

START_TEST(client_refuses_more_than_in_flight_max)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, 1000);
    for (int i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(submit(&f, &result, false, "Echo", SP_SLICE("x"), 0), SP_OK);
    ck_assert_int_eq(submit(&f, &result, false, "Echo", SP_SLICE("x"), 0), SP_OVERLOADED);
    run_until(&f, &result, IN_FLIGHT);
    fixture_fini(&f);
}
END_TEST

START_TEST(client_stops_replies_that_are_too_large)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, 1000);
    ck_assert_int_eq(submit(&f, &result, false, "Big", SP_SLICE("x"), 0), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_LIMIT);
    ck_assert_int_eq(submit(&f, &result, true, "t.T/Big", SP_SLICE("x"), 0), SP_OK);
    run_until(&f, &result, 2);
    ck_assert_int_eq(result.last.status, SP_LIMIT);
    fixture_fini(&f);
}
END_TEST

START_TEST(client_gives_up_after_its_timeout)
{
    struct fixture f;
    struct result result = {0};
    fixture_init(&f, 1000);
    ck_assert_int_eq(submit(&f, &result, true, "t.T/Hold", SP_SLICE("x"), 50), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_DEADLINE);
    ck_assert(result.last.error.message[0] != '\0');
    fixture_fini(&f);
}
END_TEST

START_TEST(client_says_when_nobody_listens)
{
    struct fixture f;
    struct result result = {0};
    struct sp_error error;
    fixture_init(&f, 1000);
    const struct sp_client_request request = {
        .method = "GET", .url = "http://127.0.0.1:1/", .on_reply = on_reply, .cookie = &result};
    ck_assert_int_eq(sp_client_submit(f.client, &request, &error), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_UNAVAILABLE);
    ck_assert(result.last.error.message[0] != '\0');
    fixture_fini(&f);
}
END_TEST

START_TEST(client_refuses_other_protocols)
{
    struct fixture f;
    struct result result = {0};
    struct sp_error error;
    fixture_init(&f, 1000);
    const struct sp_client_request request = {
        .method = "GET", .url = "file:///etc/hostname", .on_reply = on_reply, .cookie = &result};
    ck_assert_int_eq(sp_client_submit(f.client, &request, &error), SP_OK);
    run_until(&f, &result, 1);
    ck_assert_int_eq(result.last.status, SP_INVALID_ARGUMENT);
    fixture_fini(&f);
}
END_TEST

START_TEST(client_freed_in_flight_leaves_the_server_well)
{
    struct fixture f;
    struct result result = {0};
    struct sp_error error;
    fixture_init(&f, 1000);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(submit(&f, &result, true, "t.T/Hold", SP_SLICE("x"), 0), SP_OK);
        ck_assert_int_eq(submit(&f, &result, false, "Hold", SP_SLICE("x"), 0), SP_OK);
    }
    for (int i = 0; i < MANY_WAITS && service_waiting(f.service) < 8; i++)
        ck_assert_int_eq(sp_client_run(f.client, WAIT_NS / 1000, &error), SP_OK);
    fixture_fini(&f); /* frees the client first, and then lets the held exchanges reply */
    ck_assert_uint_eq(result.replies, 0);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("net/client");
    TCase *tcase = tcase_create("client");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, client_reads_back_what_http1_echoes);
    tcase_add_test(tcase, client_reads_back_what_grpc_echoes);
    tcase_add_test(tcase, client_sends_bodies_larger_than_all_windows);
    tcase_add_test(tcase, client_takes_empty_messages);
    tcase_add_test(tcase, client_decodes_status_and_message_of_grpc_trailers);
    tcase_add_test(tcase, client_reports_http_errors_as_replies);
    tcase_add_test(tcase, client_keeps_many_requests_in_flight);
    tcase_add_test(tcase, client_refuses_more_than_in_flight_max);
    tcase_add_test(tcase, client_stops_replies_that_are_too_large);
    tcase_add_test(tcase, client_gives_up_after_its_timeout);
    tcase_add_test(tcase, client_says_when_nobody_listens);
    tcase_add_test(tcase, client_refuses_other_protocols);
    tcase_add_test(tcase, client_freed_in_flight_leaves_the_server_well);
    suite_add_tcase(suite, tcase);
    return suite;
}
