/* SPDX-License-Identifier: Apache-2.0
 *
 * A search that goes on: what one look after the other sends, what is sent again, what there is no room for, and who may listen. */
#include <stdio.h>

#include "query/live.h"
#include "tests/unit/query/sink.h"

static struct world world;
static struct sp_arena arena;
static struct sink sink;
static struct sp_query_call call; /* of the one who listens */

static void setup(void)
{
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
    sp_query_api_set_ready(world.api, &(struct sp_query_addresses){0});
    sink_init(&sink, SIZE_MAX);
}

static void teardown(void)
{
    sink_fini(&sink);
    world_fini(&world);
    sp_arena_fini(&arena);
}

/* A trace of one span that starts so long before now. */
static void add(unsigned trace, unsigned span_id, uint64_t before_ns, const char *service)
{
    struct sp_span span =
        make_span(&arena, trace, span_id, 0, service, "GET", world.unix_ns - before_ns, MS);
    world_add(&world, &span, 1);
}

/* Asks; the status. The call goes on if it is 200. */
static int listen_to(struct sp_query_call *of, const char *method, const char *query)
{
    *of = (struct sp_query_call){.api = world.api, .begin_ns = world.monotonic_ns};
    of->request.method = sp_slice_cstr(method);
    of->request.path = SP_SLICE("/v1/live");
    of->request.query = sp_slice_cstr(query);
    of->request.stream = &sink.stream;
    of->endpoint = sp_query_route(of->request.method, of->request.path, &of->path_id);
    sp_query_call_run(of);
    return of->reply.status;
}

/* What api.c does when it has ended. */
static void call_end(struct sp_query_call *of)
{
    sp_live_fini(of->live);
    sp_arena_fini(&of->arena);
    sp_query_call_fini(of);
}

static void begin(const char *query)
{
    ck_assert_int_eq(listen_to(&call, "GET", query), 200);
    ck_assert_ptr_nonnull(call.live);
}

static void look(void)
{
    struct sp_error error = {0};
    enum sp_status status = sp_live_look(call.live, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

static void end(void)
{
    call_end(&call);
}

START_TEST(live_sends_the_last_minute_and_then_what_is_new_once)
{
    add(1, 1, 61000 * MS, "cart"); /* longer ago */
    add(2, 2, 59000 * MS, "cart");
    add(3, 3, 1000 * MS, "web");
    begin("q=%7Bresource.service.name%3D%22cart%22%7D");
    ck_assert_str_eq(sink.type, "application/x-ndjson");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 1);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 1);
    add(4, 4, 500 * MS, "cart");
    add(5, 5, 400 * MS, "web");
    look();
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 2);
    ck_assert_uint_eq(sink_count(&sink, "00000000000000000000000000000004\""), 1);
    end();
}
END_TEST

START_TEST(live_sends_a_trace_again_when_it_has_changed)
{
    add(1, 1, 1000 * MS, "cart");
    begin("");
    look();
    ck_assert_uint_eq(sink_count(&sink, "\"spanCount\":1,"), 2); /* of the trace, of its service */
    add(1, 2, 900 * MS, "web");
    look();
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 2);
    ck_assert_uint_eq(sink_count(&sink, "\"spanCount\":2,"), 1);
    end();
}
END_TEST

/* Whatever the times of spans say: clocks that are wrong, spans that come late, recordings that are sent again. */
START_TEST(live_sends_what_comes_in_however_old_it_is)
{
    begin("");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 0);
    add(1, 1, 3600 * 1000 * MS, "cart");
    add(2, 2, world.unix_ns - 1, "cart");
    add(3, 3, (uint64_t)0 - 3600 * 1000 * MS, "cart"); /* in an hour */
    look();
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 3);
    ck_assert_uint_ge(sink_count(&sink, "\"startTimeUnixNano\":\"1\""), 1);
    end();
}
END_TEST

/* The span that matches came before anybody listened, the one that came does not match. */
START_TEST(live_looks_at_whole_traces)
{
    add(1, 1, 7200 * 1000 * MS, "cart");
    add(2, 1, 7200 * 1000 * MS, "web");
    begin("q=%7Bresource.service.name%3D%22cart%22%7D");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 0);
    add(1, 2, 1, "web");
    add(2, 2, 1, "web");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 1);
    ck_assert_uint_eq(sink_count(&sink, "00000000000000000000000000000001\""), 1);
    ck_assert_uint_eq(sink_count(&sink, "\"spanCount\":2,"), 1);
    end();
}
END_TEST

START_TEST(live_sends_the_rest_of_a_burst_with_the_next_looks)
{
    begin("");
    look();
    for (unsigned i = 1; i <= 60; i++)
        add(i, i, MS, "cart");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), SP_LIVE_TRACES_MAX);
    ck_assert_uint_eq(sink_count(&sink, "\"complete\":false,\"waiting\":35,\"skipped\":0,"), 1);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 2 * SP_LIVE_TRACES_MAX);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 60);
    ck_assert_uint_eq(sink_count(&sink, "\"complete\":true,\"waiting\":0,\"skipped\":0,"), 1);
    end();
}
END_TEST

START_TEST(live_says_how_many_of_a_large_burst_it_has_skipped)
{
    begin("");
    look();
    for (unsigned i = 1; i <= 32 + SP_LIVE_WAITING_MAX; i++)
        add(i, i, MS, "cart");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), SP_LIVE_TRACES_MAX);
    ck_assert_uint_eq(sink_count(&sink, "\"complete\":false,\"waiting\":250,\"skipped\":7,"), 1);
    for (unsigned i = 0; i < 20; i++)
        look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), SP_LIVE_TRACES_MAX + SP_LIVE_WAITING_MAX);
    for (unsigned i = 1; i <= 7; i++) { /* the oldest */
        char id[64];
        snprintf(id, sizeof(id), "\"traceId\":\"%032x\"", i);
        ck_assert_uint_eq(sink_count(&sink, id), 0);
    }
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":7,"), 1);
    end();
}
END_TEST

START_TEST(live_tells_a_client_that_reads_slowly_what_it_missed)
{
    begin("");
    look();
    sink.room = 3;
    for (unsigned i = 1; i <= 50 + SP_LIVE_WAITING_MAX; i++)
        add(i, i, MS, "cart");
    for (unsigned i = 0; i < 5; i++)
        look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 3);
    ck_assert_uint_eq(sink_count(&sink, "{\"live\":"), 0);
    sink.room = SIZE_MAX;
    for (unsigned i = 0; i < 20; i++)
        look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 3 + SP_LIVE_WAITING_MAX);
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":47,"), 1);
    end();
}
END_TEST

/* Each question whether to go on takes a tenth of the time of a look. */
static bool takes_time(void *cookie)
{
    (void)cookie;
    world.monotonic_ns += SP_LIVE_LOOK_TIME / 10;
    return false;
}

START_TEST(live_goes_on_with_the_next_look_when_its_time_is_up)
{
    begin("q=%7Bresource.service.name%3D%22cart%22%7D");
    look();
    call.request.cancelled = takes_time;
    for (unsigned i = 1; i <= 40; i++)
        add(i, i, MS, i % 8 == 0 ? "cart" : "web");
    look();
    ck_assert_uint_lt(sink_count(&sink, "{\"trace\":"), 5);
    ck_assert_uint_ge(call.live->waiting_count, 30);
    for (unsigned i = 0; i < 40 && call.live->waiting_count > 0; i++) {
        call.request.cancelled = i < 5 ? takes_time : NULL;
        look();
    }
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 5);
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":0,"), sink_count(&sink, "{\"live\":"));
    end();
}
END_TEST

#define EVENTS 1000

/* A span of which every pair of events is compared. */
static struct sp_span slow_span(unsigned trace, unsigned id)
{
    static struct sp_event events[EVENTS];
    static struct sp_attribute names[EVENTS][2];
    for (int i = 0; i < EVENTS; i++) {
        names[i][0] = (struct sp_attribute){.key = SP_SLICE("a"), .value = int_value(i)};
        names[i][1] = (struct sp_attribute){.key = SP_SLICE("b"), .value = int_value(-1 - i)};
        events[i].attributes = (struct sp_attributes){.items = names[i], .count = 2};
    }
    struct sp_span span = make_span(&arena, trace, id, 0, "cart", "GET", T0, MS);
    span.events = events;
    span.event_count = EVENTS;
    return span;
}

/* One that takes all the time that there is does not keep those behind it waiting for ever, and is not tried for ever. */
START_TEST(live_skips_a_trace_for_which_there_is_not_enough_time)
{
    begin("q=%7Bevent.a%3Devent.b%20%7C%7C%20name%3D%22web%22%7D");
    look();
    call.request.cancelled = takes_time;
    for (unsigned round = 1; round <= 4; round++) {
        struct sp_span slow = slow_span(5, round);
        struct sp_span quick = make_span(&arena, 8, round, 0, "cart", "web", T0, MS);
        world_add(&world, &slow, 1);
        world_add(&world, &quick, 1);
        look();
    }
    look();
    ck_assert_uint_eq(call.live->waiting_count, 0);
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"),
                      3); /* in the first round it came too late */
    ck_assert_uint_eq(
        sink_count(&sink, "{\"trace\":{\"traceId\":\"00000000000000000000000000000008"), 3);
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":1,"), 4);
    end();
}
END_TEST

START_TEST(live_sends_the_newest_and_says_that_there_is_more)
{
    for (unsigned i = 1; i <= 300; i++)
        add(i, i, i * 10 * MS, "cart");
    begin("");
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), SP_LIVE_TRACES_MAX);
    ck_assert_uint_eq(sink_count(&sink, "00000000000000000000000000000001\""), 1);
    ck_assert_uint_eq(sink_count(&sink, "\"complete\":false"), 1);
    end();
}
END_TEST

START_TEST(live_sends_later_what_had_no_room)
{
    for (unsigned i = 1; i <= 5; i++)
        add(i, i, i * 10 * MS, "cart");
    begin("");
    sink.room = 2;
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 2);
    sink.room = 100;
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 5);
    end();
}
END_TEST

START_TEST(live_says_every_two_seconds_that_it_is_there)
{
    begin("");
    for (int i = 0; i < 40; i++) { /* ten seconds */
        world.monotonic_ns += SP_LIVE_LOOK_NS / 2;
        look();
    }
    ck_assert_uint_eq(sink_count(&sink, "{\"live\":{\"atUnixNano\":"), 5);
    end();
}
END_TEST

static bool gone(void *cookie)
{
    return *(bool *)cookie;
}

START_TEST(live_ends_when_its_client_goes)
{
    struct sp_error error = {0};
    bool is_gone = false;
    begin("");
    call.request.cancelled = gone;
    call.request.cookie = &is_gone;
    add(1, 1, 10 * MS, "cart");
    look();
    is_gone = true;
    ck_assert_int_eq(sp_live_look(call.live, &error), SP_CANCELLED);
    end();
}
END_TEST

START_TEST(live_refuses_what_cannot_go_on)
{
    static const struct {
        const char *method, *query;
        int status;
    } cases[] = {
        {"GET", "q=%7B", 400},
        {"GET", "q=%7B%7D%20%7C%20rate()", 400},
        {"GET", "from=now", 400},
        {"HEAD", "", 405},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(cases); i++) {
        ck_assert_int_eq(listen_to(&call, cases[i].method, cases[i].query), cases[i].status);
        ck_assert_ptr_null(call.live);
        sp_query_call_fini(&call);
    }
    ck_assert_uint_eq(sink.begun, 0);
}
END_TEST

START_TEST(live_has_room_for_so_many_that_listen)
{
    static struct sp_query_call calls[SP_LIVE_STREAMS_MAX];
    struct sp_query_call one_more;
    for (size_t i = 0; i < SP_ARRAY_LEN(calls); i++)
        ck_assert_int_eq(listen_to(&calls[i], "GET", ""), 200);
    ck_assert_int_eq(listen_to(&one_more, "GET", ""), 503);
    ck_assert_ptr_null(one_more.live);
    sp_query_call_fini(&one_more);
    for (size_t i = 0; i < SP_ARRAY_LEN(calls); i++)
        call_end(&calls[i]);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("live");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, live_sends_the_last_minute_and_then_what_is_new_once);
    tcase_add_test(tcase, live_sends_a_trace_again_when_it_has_changed);
    tcase_add_test(tcase, live_sends_what_comes_in_however_old_it_is);
    tcase_add_test(tcase, live_looks_at_whole_traces);
    tcase_add_test(tcase, live_sends_the_rest_of_a_burst_with_the_next_looks);
    tcase_add_test(tcase, live_says_how_many_of_a_large_burst_it_has_skipped);
    tcase_add_test(tcase, live_tells_a_client_that_reads_slowly_what_it_missed);
    tcase_add_test(tcase, live_goes_on_with_the_next_look_when_its_time_is_up);
    tcase_add_test(tcase, live_skips_a_trace_for_which_there_is_not_enough_time);
    tcase_add_test(tcase, live_sends_the_newest_and_says_that_there_is_more);
    tcase_add_test(tcase, live_sends_later_what_had_no_room);
    tcase_add_test(tcase, live_says_every_two_seconds_that_it_is_there);
    tcase_add_test(tcase, live_ends_when_its_client_goes);
    tcase_add_test(tcase, live_refuses_what_cannot_go_on);
    tcase_add_test(tcase, live_has_room_for_so_many_that_listen);
    suite_add_tcase(suite, tcase);
    return suite;
}
