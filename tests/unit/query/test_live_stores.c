/* SPDX-License-Identifier: Apache-2.0
 *
 * A search that goes on over the engine on disk, and over one that follows it: what is sealed and merged between two looks is sent once,
 * and what another process stores is sent as well. */
#include <pthread.h>
#include <unistd.h>

#include "query/live.h"
#include "tests/contract/broken.h"
#include "tests/support/disk_fault.h"
#include "tests/unit/query/sink.h"

#define TRIES_MAX 3000
#define TRY_US    10000

static struct fixture fixture;
static struct sp_query_api *api;
static struct sink sink;
static struct sp_query_call call;

static void open_store(struct sp_store_sizes sizes)
{
    fixture_make(&fixture, ENGINE_ROCKSDB, true);
    disk_fault_watch(fixture.data_dir);
    fixture.options.sizes = sizes;
    fixture_open(&fixture);
}

/* Listens to a store, with a query for the service cart. */
static void listen_to(struct sp_store *store)
{
    struct sp_error error;
    const struct sp_query_options options = {
        .store = store, .clock = sp_clock_system(), .version = "1.2.3"};
    ck_assert_int_eq(sp_query_api_new(&options, &api, &error), SP_OK);
    sink_init(&sink, SIZE_MAX);
    call = (struct sp_query_call){.api = api, .begin_ns = sp_clock_monotonic_ns(options.clock)};
    call.request.method = SP_SLICE("GET");
    call.request.path = SP_SLICE("/v1/live");
    call.request.query = SP_SLICE("q=%7Bresource.service.name%3D%22cart%22%7D");
    call.request.stream = &sink.stream;
    call.endpoint = sp_query_route(call.request.method, call.request.path, &call.path_id);
    sp_query_call_run(&call);
    ck_assert_int_eq(call.reply.status, 200);
}

static void stop_listening(void)
{
    sp_live_fini(call.live);
    sp_arena_fini(&call.arena);
    sp_query_call_fini(&call);
    sp_query_api_free(api);
    sink_fini(&sink);
}

static void add(uint64_t trace, uint64_t span, const char *service)
{
    struct sp_span one = simple_span(trace, span, T0, 5, service, "x");
    append(&fixture, batch_of(&fixture.arena, &one, 1));
}

static void look(void)
{
    struct sp_error error = {0};
    enum sp_status status = sp_live_look(call.live, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

START_TEST(live_sends_once_what_is_sealed_and_merged_between_two_looks)
{
    open_store(small_sizes());
    add(1, 1, "cart");
    wait_for_merges(fixture.store);
    listen_to(fixture.store);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 0); /* of long ago */
    for (uint64_t i = 2; i <= 11; i++) {
        add(i, 1, i % 2 == 0 ? "cart" : "web");
        if (i % 3 == 0)
            wait_for_merges(fixture.store);
        if (i % 4 == 0)
            look();
    }
    wait_for_merges(fixture.store);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 5);
    wait_for_merges(fixture.store);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 5);
    add(1, 2, "web"); /* one that is a segment since before anybody listened */
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 6);
    ck_assert_uint_eq(sink_count(&sink, "\"spanCount\":2,"), 1);
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":0,\"unseenRequests\":0}"),
                      sink_count(&sink, "{\"live\":"));
    stop_listening();
    fixture_fini(&fixture);
}
END_TEST

START_TEST(live_sends_what_another_process_stores)
{
    struct sp_store *follower;
    struct sp_error error = {0};
    open_store((struct sp_store_sizes){.follow_ns = 5000000});
    add(1, 1, "cart");
    ck_assert_int_eq(sp_store_rocksdb_follow(&fixture.options, &follower, &error), SP_OK);
    listen_to(follower);
    look();
    for (uint64_t i = 2; i <= 4; i++) {
        add(i, 1, i == 3 ? "web" : "cart");
        for (int tries = 0; sink_count(&sink, "{\"trace\":") < i / 2; tries++) {
            ck_assert_int_lt(tries, TRIES_MAX);
            usleep(TRY_US);
            look();
        }
    }
    fixture_reopen(&fixture); /* seals; another one writes now */
    add(6, 1, "cart");
    for (int tries = 0; sink_count(&sink, "{\"trace\":") < 3; tries++) {
        ck_assert_int_lt(tries, TRIES_MAX);
        usleep(TRY_US);
        look();
    }
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 3); /* 2, 4 and 6 */
    stop_listening();
    sp_store_close(follower);
    fixture_fini(&fixture);
}
END_TEST

static void *look_elsewhere(void *cookie)
{
    (void)cookie;
    look();
    return NULL;
}

static void look_while_it_is_shut(struct fixture *broken)
{
    pthread_t thread;
    add(3, 1, "cart");
    break_store(broken);
    wait_until_shut(broken);
    ck_assert_int_eq(pthread_create(&thread, NULL, look_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 1);
}

START_TEST(live_goes_on_when_the_store_was_opened_again_after_a_fault)
{
    open_store((struct sp_store_sizes){.read_wait_ns = 1000000});
    listen_to(fixture.store);
    look();
    add(1, 1, "cart");
    look();
    ck_assert_uint_eq(within_scan(&fixture, look_while_it_is_shut), 1);
    append_again(&fixture);
    look();
    ck_assert_uint_eq(sink_count(&sink, "{\"trace\":"), 3); /* 1, 3, and that of append_again */
    ck_assert_uint_eq(sink_count(&sink, "\"skipped\":0,\"unseenRequests\":0}"),
                      sink_count(&sink, "{\"live\":"));
    stop_listening();
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("live over stores");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, live_sends_once_what_is_sealed_and_merged_between_two_looks);
    tcase_add_test(tcase, live_sends_what_another_process_stores);
    tcase_add_test(tcase, live_goes_on_when_the_store_was_opened_again_after_a_fault);
    suite_add_tcase(suite, tcase);
    return suite;
}
