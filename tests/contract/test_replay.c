/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_replay.c: a store that is opened on a journal holds what was acked, in its order, however much memory it may take,
 * also when it is cut off or the disk fails while several segments are sealed on the way; and one that is opened behind the call says how
 * far it is, refuses what it cannot answer, and can be closed at any time. With the real program: tests/e2e/data/test_restart.py. */
#include "tests/contract/journal.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define REQUESTS 30
#define SPANS    200
/* A head is several times as large. */
#define LITTLE_BYTES ((size_t)256 * 1024)

/* A closed store on disk with a full journal, and the same appends in a reference store. */
static void leave_journal_of(struct fixture *fixture, struct fixture *reference,
                             uint64_t request_count, size_t span_count)
{
    fixture_init(fixture, ENGINE_ROCKSDB);
    fixture_init(reference, ENGINE_REFERENCE);
    sp_store_close(fixture->store);
    fixture->store = NULL;
    struct sp_kv *kv = journal_open(fixture);
    for (uint64_t i = 1; i <= request_count; i++) {
        struct sp_gen_options options = sp_gen_options_everything(span_count);
        options.trace_seed = 7;
        options.trace_count = 500; /* so that most traces have spans in many requests */
        const struct sp_batch *batch = sp_gen_batch(&reference->arena, i, &options);
        struct sp_append *made =
            make_append(batch, i % 3 == 0 ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF,
                        i % 2 == 0 ? SP_BODY_ZSTD : SP_BODY_IDENTITY);
        journal_put(kv, 3 * i, made); /* numbers are missing where requests failed */
        sp_append_free(made);
        append(reference, batch);
    }
    sp_kv_close(kv);
}

#define LONG_SPANS 500 /* of each request */

/* The same without a reference, and faster: of spans in as many traces of one each. */
static void leave_long_journal(struct fixture *fixture, uint64_t request_count)
{
    fixture_init(fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture->store);
    fixture->store = NULL;
    struct sp_kv *kv = journal_open(fixture);
    for (uint64_t i = 1; i <= request_count; i++) {
        const struct sp_gen_options options = {.span_count = LONG_SPANS, .trace_seed = i};
        struct sp_arena arena;
        sp_arena_init(&arena, SIZE_MAX);
        struct sp_append *made =
            make_append(sp_gen_batch(&arena, i, &options), SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
        journal_put(kv, i, made);
        sp_append_free(made);
        sp_arena_fini(&arena);
    }
    sp_kv_close(kv);
}

static void leave_journal(struct fixture *fixture, struct fixture *reference)
{
    leave_journal_of(fixture, reference, REQUESTS, SPANS);
}

static void fini(struct fixture *fixture, struct fixture *reference)
{
    fixture_close_sound(fixture);
    fixture_fini(fixture);
    fixture_fini(reference);
}

static void assert_replay_with(size_t backlog_bytes_max, bool seals)
{
    struct fixture fixture;
    struct fixture reference;
    leave_journal(&fixture, &reference);
    fixture.options.backlog_bytes_max = backlog_bytes_max;
    fixture_open(&fixture);
    struct sp_store_stats stats = stats_of(fixture.store);
    ck_assert(!stats.opening);
    ck_assert_uint_eq(stats.replay.requests, REQUESTS);
    ck_assert_uint_eq(stats.replay.requests_all, REQUESTS);
    ck_assert_uint_eq(stats.replay.spans, REQUESTS * SPANS);
    ck_assert_uint_eq(stats.replay.bytes, stats.replay.bytes_all);
    ck_assert(seals == (stats.segment_count > 1));
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    sp_store_drain(fixture.store);
    fixture_reopen(&fixture);
    ck_assert_uint_eq(stats_of(fixture.store).replay.requests_all, 0);
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    fini(&fixture, &reference);
}

START_TEST(replay_leaves_what_fits_in_memory)
{
    assert_replay_with(SP_STORE_BACKLOG_BYTES_DEFAULT, false);
}
END_TEST

START_TEST(replay_seals_on_the_way_what_does_not_fit)
{
    assert_replay_with(LITTLE_BYTES, true);
}
END_TEST

START_TEST(replay_with_no_memory_to_speak_of_goes_on)
{
    assert_replay_with(1, true);
}
END_TEST

/* ---- several seals on the way ---- */

/* For a start whose seals are so large that each writes chunks before it is committed. */
#define LARGE_BYTES ((size_t)2 * 1024 * 1024)
#define LARGE_SPANS 330
/* For one that is tried many times. */
#define SMALL_BYTES    ((size_t)32 * 1024)
#define SMALL_REQUESTS 10
#define SMALL_SPANS    50

static void pause_a_while(void)
{
    usleep(200000);
}

START_TEST(replay_commits_seals_in_their_order_when_the_first_is_slow)
{
    struct fixture fixture;
    struct fixture reference;
    leave_journal_of(&fixture, &reference, REQUESTS, LARGE_SPANS);
    fixture.options.backlog_bytes_max = LARGE_BYTES;
    const struct disk_fault slow = {.calls = 1U << DISK_WRITE,
                                    .files = 1U << DISK_LOG,
                                    .thread = "spoor:replay",
                                    .first = 1,
                                    .count = 1,
                                    .outcome = DISK_GOES_ON,
                                    .before = pause_a_while};
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(&slow);
    fixture_open(&fixture);
    ck_assert(disk_fault_hit(NULL));
    disk_fault_set(NULL);
    ck_assert_uint_gt(stats_of(fixture.store).segment_count, 2);
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    fini(&fixture, &reference);
    disk_fault_watch(NULL);
}
END_TEST

/* A start that the fault meets, perhaps; then another one on what it leaves. False: it was over before. */
static bool start_again_after(const struct disk_fault *fault)
{
    struct fixture fixture;
    struct fixture reference;
    struct sp_store *store;
    leave_journal_of(&fixture, &reference, SMALL_REQUESTS, SMALL_SPANS);
    fixture.options.backlog_bytes_max = SMALL_BYTES;
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(fault);
    enum sp_status status = sp_store_rocksdb_open(&fixture.options, &store, NULL);
    bool hit = disk_fault_hit(NULL);
    ck_assert(status == SP_OK || (hit && fault->outcome == DISK_FAILS));
    if (status == SP_OK)
        sp_store_close(store);
    disk_fault_set(NULL);
    fixture_open(&fixture);
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    fini(&fixture, &reference);
    disk_fault_watch(NULL);
    return hit;
}

#define ROUNDS     4 /* of which each takes every fourth call */
#define CALLS_MAX  2000
#define CALLS_STEP 3

START_TEST(start_that_is_killed_while_it_seals_loses_and_doubles_nothing)
{
    bool hit = true;
    for (uint64_t call = 1 + (uint64_t)_i; hit; call += ROUNDS * CALLS_STEP) {
        ck_assert_uint_lt(call, CALLS_MAX);
        const struct disk_fault kill = {.calls = DISK_ALL_CALLS,
                                        .first = call,
                                        .count = UINT64_MAX,
                                        .outcome = DISK_LEAVES,
                                        .by_half = call % 3 == 0};
        hit = start_again_after(&kill);
    }
}
END_TEST

/* Of the crew: it seals. */
START_TEST(start_whose_disk_fails_while_it_seals_says_so_and_loses_nothing)
{
    bool hit = true;
    for (uint64_t call = 1 + (uint64_t)_i; hit; call += ROUNDS * CALLS_STEP) {
        ck_assert_uint_lt(call, CALLS_MAX);
        const struct disk_fault failure = {.calls = DISK_ALL_CALLS,
                                           .thread = "spoor:replay",
                                           .first = call,
                                           .count = UINT64_MAX,
                                           .outcome = DISK_FAILS,
                                           .error = _i % 2 ? EIO : ENOSPC};
        hit = start_again_after(&failure);
    }
}
END_TEST

/* Seals of two blocks and more, which write chunks while they are prepared. */
#define LONG_REQUESTS 300
#define LONG_BYTES    ((size_t)16 * 1024 * 1024)
/* Of its writes to the log, those that are tried: while the first seal is prepared, and later. */
static const uint64_t long_calls[] = {2, 9};

/* At a write of the crew to the log. */
static void start_long_again_after(enum disk_outcome outcome, uint64_t call)
{
    struct fixture fixture;
    struct sp_store *store;
    const struct disk_fault fault = {.calls = 1U << DISK_WRITE,
                                     .files = 1U << DISK_LOG,
                                     .thread = "spoor:replay",
                                     .first = call,
                                     .count = UINT64_MAX,
                                     .outcome = outcome,
                                     .by_half = call % 2 == 0,
                                     .error = ENOSPC};
    leave_long_journal(&fixture, LONG_REQUESTS);
    fixture.options.backlog_bytes_max = LONG_BYTES;
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(&fault);
    enum sp_status status = sp_store_rocksdb_open(&fixture.options, &store, NULL);
    ck_assert(disk_fault_hit(NULL));
    ck_assert((status != SP_OK) == (outcome == DISK_FAILS));
    if (status == SP_OK)
        sp_store_close(store);
    disk_fault_set(NULL);
    fixture_open(&fixture);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, LONG_REQUESTS * LONG_SPANS);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
    disk_fault_watch(NULL);
}

START_TEST(start_that_is_killed_while_chunks_are_written_loses_and_doubles_nothing)
{
    start_long_again_after(DISK_LEAVES, long_calls[_i]);
}
END_TEST

START_TEST(start_whose_disk_fails_while_chunks_are_written_says_so_and_loses_nothing)
{
    start_long_again_after(DISK_FAILS, long_calls[_i]);
}
END_TEST

/* Of all threads but the one that writes now and the one that opens. */
static void lose_memory(void)
{
    alloc_fail_others(true);
}

START_TEST(start_without_memory_beside_a_seal_says_so_and_loses_nothing)
{
    struct fixture fixture;
    struct sp_store *store;
    const struct disk_fault fault = {.calls = 1U << DISK_WRITE,
                                     .files = 1U << DISK_LOG,
                                     .thread = "spoor:replay",
                                     .first = 2,
                                     .count = 1,
                                     .outcome = DISK_GOES_ON,
                                     .before = lose_memory};
    leave_long_journal(&fixture, LONG_REQUESTS);
    fixture.options.backlog_bytes_max = LONG_BYTES;
    alloc_fail_others(false);
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(&fault);
    enum sp_status status = sp_store_rocksdb_open(&fixture.options, &store, NULL);
    alloc_fail_others(false);
    ck_assert(disk_fault_hit(NULL));
    ck_assert_int_ne(status, SP_OK);
    disk_fault_set(NULL);
    disk_fault_watch(NULL);
    fixture_open(&fixture);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, LONG_REQUESTS * LONG_SPANS);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- behind the call ---- */

/* A codec that can be held, and a listener for the end of the opening. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closed, reached;
    uint32_t opened_count;
    enum sp_status status;
    struct sp_error error;
    struct sp_store_codec codec;
};

static enum sp_status held_decode(void *cookie, enum sp_body_format format,
                                  enum sp_body_encoding encoding, struct sp_slice body,
                                  struct sp_buf *plain, struct sp_arena *arena,
                                  const struct sp_batch **ret_batch, struct sp_error *reterr)
{
    struct gate *gate = cookie;
    pthread_mutex_lock(&gate->lock);
    gate->reached = true;
    pthread_cond_broadcast(&gate->changed);
    while (gate->closed)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return gate->codec.decode(gate->codec.cookie, format, encoding, body, plain, arena, ret_batch,
                              reterr);
}

static void on_opened(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct gate *gate = cookie;
    pthread_mutex_lock(&gate->lock);
    gate->opened_count++;
    gate->status = status;
    gate->error = *error;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void wait_until_reached(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->reached)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->closed = false;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void wait_until_opened(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->opened_count == 0)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

/* Opens a store behind the call, held at its first record. */
static void open_held(struct fixture *fixture, struct gate *gate)
{
    *gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER,
                          .changed = PTHREAD_COND_INITIALIZER,
                          .closed = true,
                          .codec = test_codec()};
    fixture->options.codec = (struct sp_store_codec){.decode = held_decode, .cookie = gate};
    fixture->options.opened = on_opened;
    fixture->options.opened_cookie = gate;
    fixture_open(fixture);
    wait_until_reached(gate);
}

static void assert_refuses(struct fixture *fixture, const struct sp_batch *batch,
                           const char *sentence)
{
    struct sp_error error = {0};
    struct sp_arena arena;
    const struct sp_batch *found;
    const struct sp_service_row *rows;
    size_t count;
    struct sp_backup backup;
    const struct sp_retain retain = {.now_unix_ns = 1};
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(
        sp_store_trace_read(fixture->store, &batch->spans[0].trace_id, &arena, &found, &error),
        SP_UNAVAILABLE);
    ck_assert_msg(strstr(error.message, sentence) != NULL, "%s", error.message);
    ck_assert_int_eq(
        sp_store_services(fixture->store, SP_TIME_RANGE_ALL, NULL, &arena, &rows, &count, &error),
        SP_UNAVAILABLE);
    ck_assert_int_eq(sp_store_retain(fixture->store, &retain, &error), SP_UNAVAILABLE);
    ck_assert_int_eq(sp_store_backup_make(fixture->store, &arena, &backup, &error), SP_UNAVAILABLE);
    ck_assert_int_eq(append_as(fixture->store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY),
                     SP_UNAVAILABLE);
    sp_arena_fini(&arena);
}

START_TEST(store_that_is_being_opened_refuses_and_says_how_far_it_is)
{
    struct fixture fixture;
    struct fixture reference;
    struct gate gate;
    leave_journal(&fixture, &reference);
    open_held(&fixture, &gate);
    struct sp_store_stats stats = stats_of(fixture.store);
    ck_assert(stats.opening);
    ck_assert_uint_eq(stats.replay.requests_all, REQUESTS);
    ck_assert_uint_lt(stats.replay.requests, REQUESTS);
    struct sp_gen_options options = {.span_count = 3, .trace_seed = 99};
    const struct sp_batch *batch = sp_gen_batch(&reference.arena, 1000, &options);
    assert_refuses(&fixture, batch, "of 30 requests in the journal");
    open_gate(&gate);
    wait_until_opened(&gate);
    ck_assert_msg(gate.status == SP_OK, "%s", gate.error.message);
    append(&fixture, batch);
    append(&reference, batch);
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    ck_assert_uint_eq(gate.opened_count, 1);
    fini(&fixture, &reference);
}
END_TEST

static void *close_store(void *store)
{
    sp_store_close(store);
    return NULL;
}

START_TEST(store_that_is_closed_while_it_is_being_opened_leaves_the_journal)
{
    struct fixture fixture;
    struct fixture reference;
    struct gate gate;
    pthread_t closer;
    leave_journal(&fixture, &reference);
    open_held(&fixture, &gate);
    ck_assert_int_eq(pthread_create(&closer, NULL, close_store, fixture.store), 0);
    open_gate(&gate);
    pthread_join(closer, NULL);
    fixture.store = NULL;
    ck_assert(gate.opened_count == 0 || gate.status == SP_OK); /* it was open already */
    assert_sound(fixture.data_dir);
    fixture.options.opened = NULL;
    fixture_open(&fixture);
    assert_same_answers(reference.store, fixture.store, SP_TIME_RANGE_ALL);
    fini(&fixture, &reference);
}
END_TEST

/* One seal is due on the way, of so many blocks that it writes chunks many times. */
#define CLOSED_REQUESTS   520
#define CLOSED_BYTES      ((size_t)40 * 1024 * 1024)
#define CLOSED_WRITES_MAX 12 /* of some 28, until it has noticed */

static struct gate chunks = {.lock = PTHREAD_MUTEX_INITIALIZER,
                             .changed = PTHREAD_COND_INITIALIZER};

static void note_chunks(void)
{
    pthread_mutex_lock(&chunks.lock);
    chunks.reached = true;
    pthread_cond_broadcast(&chunks.changed);
    pthread_mutex_unlock(&chunks.lock);
    pause_a_while();
}

START_TEST(store_that_is_closed_while_it_seals_at_a_start_does_not_end_the_seal_first)
{
    struct fixture fixture;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    const struct disk_fault slow = {.calls = 1U << DISK_WRITE,
                                    .files = 1U << DISK_LOG,
                                    .thread = "spoor:replay",
                                    .first = 1,
                                    .count = UINT64_MAX,
                                    .outcome = DISK_GOES_ON,
                                    .before = note_chunks};
    leave_long_journal(&fixture, CLOSED_REQUESTS);
    fixture.options.backlog_bytes_max = CLOSED_BYTES;
    fixture.options.opened = on_opened;
    fixture.options.opened_cookie = &gate;
    disk_fault_watch(fixture.data_dir);
    disk_fault_set(&slow);
    fixture_open(&fixture);
    wait_until_reached(&chunks);
    sp_store_close(fixture.store);
    fixture.store = NULL;
    ck_assert_uint_lt(disk_fault_calls(), CLOSED_WRITES_MAX);
    ck_assert_uint_eq(gate.opened_count, 0);
    disk_fault_set(NULL);
    disk_fault_watch(NULL);
    assert_sound(fixture.data_dir);
    fixture_fini(&fixture);
}
END_TEST

/* The journal's number 9 is the third record. */
static void damage_record(const struct fixture *fixture)
{
    struct sp_kv *kv = journal_open(fixture);
    struct sp_append *made = sp_append_new(4096, 4096, SIZE_MAX);
    sp_buf_append_cstr(&made->body, "\xff\xff\xff");
    made->format = SP_BODY_OTLP_PROTOBUF;
    made->encoding = SP_BODY_IDENTITY;
    journal_put(kv, 9, made);
    sp_append_free(made);
    sp_kv_close(kv);
}

START_TEST(store_that_cannot_be_opened_says_why_and_refuses_everything)
{
    struct fixture fixture;
    struct fixture reference;
    struct gate gate;
    struct sp_error error = {0};
    struct sp_store *store;
    struct sp_store_stats stats;
    leave_journal(&fixture, &reference);
    damage_record(&fixture);
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &store, &error), SP_CORRUPT);
    ck_assert_msg(strstr(error.message, "journal record 9 cannot be read") != NULL, "%s",
                  error.message);
    open_held(&fixture, &gate);
    open_gate(&gate);
    wait_until_opened(&gate);
    ck_assert_int_eq(gate.status, SP_CORRUPT);
    ck_assert_msg(strstr(gate.error.message, "journal record 9 cannot be read") != NULL, "%s",
                  gate.error.message);
    struct sp_gen_options options = {.span_count = 3, .trace_seed = 99};
    assert_refuses(&fixture, sp_gen_batch(&reference.arena, 1000, &options),
                   "the store could not be opened");
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_UNAVAILABLE);
    sp_store_drain(fixture.store);
    fixture_fini(&fixture);
    fixture_fini(&reference);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("replay");
    TCase *tcase = tcase_create("replay");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, replay_leaves_what_fits_in_memory);
    tcase_add_test(tcase, replay_seals_on_the_way_what_does_not_fit);
    tcase_add_test(tcase, replay_with_no_memory_to_speak_of_goes_on);
    tcase_add_test(tcase, store_that_is_being_opened_refuses_and_says_how_far_it_is);
    tcase_add_test(tcase, store_that_is_closed_while_it_is_being_opened_leaves_the_journal);
    tcase_add_test(tcase, store_that_cannot_be_opened_says_why_and_refuses_everything);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("seals");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, replay_commits_seals_in_their_order_when_the_first_is_slow);
    tcase_add_loop_test(tcase, start_that_is_killed_while_it_seals_loses_and_doubles_nothing, 0,
                        ROUNDS);
    tcase_add_loop_test(tcase, start_whose_disk_fails_while_it_seals_says_so_and_loses_nothing, 0,
                        ROUNDS);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("chunks");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase,
                   store_that_is_closed_while_it_seals_at_a_start_does_not_end_the_seal_first);
    tcase_add_loop_test(tcase,
                        start_that_is_killed_while_chunks_are_written_loses_and_doubles_nothing, 0,
                        SP_ARRAY_LEN(long_calls));
    tcase_add_loop_test(tcase,
                        start_whose_disk_fails_while_chunks_are_written_says_so_and_loses_nothing,
                        0, SP_ARRAY_LEN(long_calls));
    tcase_add_test(tcase, start_without_memory_beside_a_seal_says_so_and_loses_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
