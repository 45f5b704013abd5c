/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_threads.c: many threads at once, back-pressure, and the end of a store. */
#include "tests/contract/fixture.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

/* ---- many threads ---- */

#define WRITERS        4
#define APPENDS        40
#define SPANS_A_APPEND 7

struct crowd {
    struct fixture *fixture;
    uint64_t writer;
    _Atomic bool *stop;
    _Atomic uint64_t *failures; /* check's assertions work in the main thread only */
};

/* Each append is a part of a trace of its own and of one shared by all. Right after the ack both must show it. */
static void *writer_main(void *cookie)
{
    struct crowd *crowd = cookie;
    struct sp_store *store = crowd->fixture->store;
    for (uint64_t a = 0; a < APPENDS; a++) {
        struct sp_arena arena;
        struct sp_span spans[SPANS_A_APPEND];
        uint64_t own = 1000 * (crowd->writer + 1) + a;
        const struct sp_batch *batch;
        sp_arena_init(&arena, SIZE_MAX);
        for (uint64_t i = 0; i < SPANS_A_APPEND; i++)
            spans[i] = simple_span(i % 2 ? own : 1, own * 10 + i, noon_unix_ns + own * 1000, i,
                                   "cart", "x");
        enum sp_status status = append_as(store, batch_of(&arena, spans, SPANS_A_APPEND),
                                          SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
        struct sp_trace_id id = trace_id_of(own);
        if (status != SP_OK || sp_store_trace_read(store, &id, &arena, &batch, NULL) != SP_OK ||
            batch->span_count != SPANS_A_APPEND / 2)
            atomic_fetch_add(crowd->failures, 1);
        id = trace_id_of(1);
        uint64_t found = 0;
        if (sp_store_trace_read(store, &id, &arena, &batch, NULL) == SP_OK) {
            for (size_t i = 0; i < batch->span_count; i++)
                found += batch->spans[i].start_unix_ns == noon_unix_ns + own * 1000;
        }
        if (found != SPANS_A_APPEND - SPANS_A_APPEND / 2)
            atomic_fetch_add(crowd->failures, 1);
        sp_arena_fini(&arena);
    }
    return NULL;
}

/* All counts of one moment are of whole appends. */
static void *reader_main(void *cookie)
{
    struct crowd *crowd = cookie;
    uint64_t before = 0;
    while (!atomic_load(crowd->stop)) {
        struct sp_arena arena;
        const struct sp_service_row *rows;
        size_t count;
        sp_arena_init(&arena, SIZE_MAX);
        if (sp_store_services(crowd->fixture->store, SP_TIME_RANGE_ALL, NULL, &arena, &rows, &count,
                              NULL) != SP_OK ||
            (count > 0 &&
             (rows[0].span_count % SPANS_A_APPEND != 0 || rows[0].span_count < before)))
            atomic_fetch_add(crowd->failures, 1);
        before = count > 0 ? rows[0].span_count : 0;
        sp_arena_fini(&arena);
    }
    return NULL;
}

START_TEST(acked_spans_are_visible_to_reads_of_any_thread)
{
    struct fixture fixture;
    _Atomic bool stop = false;
    _Atomic uint64_t failures = 0;
    pthread_t writers[WRITERS];
    pthread_t reader;
    struct crowd crowds[WRITERS];
    fixture_init(&fixture, (enum engine)_i);
    for (uint64_t w = 0; w < WRITERS; w++) {
        crowds[w] = (struct crowd){&fixture, w, &stop, &failures};
        ck_assert_int_eq(pthread_create(&writers[w], NULL, writer_main, &crowds[w]), 0);
    }
    ck_assert_int_eq(pthread_create(&reader, NULL, reader_main, &crowds[0]), 0);
    for (size_t w = 0; w < WRITERS; w++)
        pthread_join(writers[w], NULL);
    atomic_store(&stop, true);
    pthread_join(reader, NULL);
    ck_assert_uint_eq(atomic_load(&failures), 0);
    for (int round = 0; round < 2; round++) {
        struct sp_store_stats stats;
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_uint_eq(stats.span_count, WRITERS * APPENDS * SPANS_A_APPEND);
        ck_assert_uint_eq(stats.trace_count, WRITERS * APPENDS + 1);
        fixture_reopen(&fixture);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- back-pressure ---- */

struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t pending, counts[SP_INTERNAL + 1];
};

static void tally_done(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct tally *tally = cookie;
    (void)error;
    pthread_mutex_lock(&tally->lock);
    tally->counts[status]++;
    tally->pending--;
    pthread_cond_signal(&tally->changed);
    pthread_mutex_unlock(&tally->lock);
}

static void tally_wait(struct tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    while (tally->pending > 0)
        pthread_cond_wait(&tally->changed, &tally->lock);
    pthread_mutex_unlock(&tally->lock);
}

static void send(struct fixture *fixture, struct tally *tally, struct sp_append *made)
{
    made->done = tally_done;
    made->cookie = tally;
    pthread_mutex_lock(&tally->lock);
    tally->pending++;
    pthread_mutex_unlock(&tally->lock);
    sp_store_append(fixture->store, made);
}

START_TEST(store_refuses_at_the_door_when_its_backlog_is_full_and_recovers)
{
    enum { COUNT = 200 };
    struct fixture fixture;
    struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct sp_append *made[COUNT];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture.store);
    fixture.options.backlog_bytes_max = 64 * 1024; /* less than two of these requests need */
    ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
    struct sp_gen_options options = {.span_count = 100};
    const struct sp_batch *batch = sp_gen_batch(&fixture.arena, 1, &options);
    for (size_t i = 0; i < COUNT; i++)
        made[i] = make_append(batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    for (size_t i = 0; i < COUNT; i++)
        send(&fixture, &tally, made[i]);
    tally_wait(&tally);
    ck_assert_uint_eq(tally.counts[SP_OK] + tally.counts[SP_OVERLOADED], COUNT);
    ck_assert_uint_gt(tally.counts[SP_OK], 0); /* the first found an empty backlog */
    ck_assert_uint_gt(tally.counts[SP_OVERLOADED], 0);
    ck_assert(sp_status_retryable(SP_OVERLOADED));
    /* Whoever tries again gets in, however small the backlog. */
    enum sp_status status;
    do
        status = append_as(fixture.store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    while (status == SP_OVERLOADED);
    ck_assert_int_eq(status, SP_OK);
    struct sp_store_stats stats;
    ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    ck_assert_uint_eq(stats.span_count, 100 * (tally.counts[SP_OK] + 1));
    fixture_fini(&fixture);
}
END_TEST

START_TEST(columns_that_are_not_sealed_are_counted_as_what_they_hold)
{
    enum {
        TEXT = 1200 * 1000
    }; /* more than a step of an arena: what stands behind it begins another */
    struct fixture fixture;
    struct sp_store_stats stats;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    char *text = malloc(TEXT);
    memset(text, 'x', TEXT);
    struct sp_attribute attribute = {
        .key = SP_SLICE("large"),
        .value = {.kind = SP_VALUE_STRING, .string = sp_slice_make(text, TEXT)}};
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    span.attributes = (struct sp_attributes){.items = &attribute, .count = 1};
    append(&fixture, batch_of(&fixture.arena, &span, 1));
    int tries = 0;
    do {
        usleep(2000);
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_msg(++tries < 5000, "rows do not become columns");
    } while (stats.backlog_appends > 0);
    ck_assert_uint_ge(stats.backlog_bytes, TEXT);
    ck_assert_uint_lt(stats.backlog_bytes, TEXT + TEXT / 8);
    free(text);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(large_resource_of_many_traces_is_kept_once_a_block)
{
    enum { COUNT = 1024 }; /* traces, and one resource of 1 MiB */
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    static struct sp_span spans[COUNT];
    char *text = malloc(1 << 20);
    memset(text, 'x', 1 << 20);
    struct sp_attribute attribute = {
        .key = SP_SLICE("large"),
        .value = {.kind = SP_VALUE_STRING, .string = sp_slice_make(text, 1 << 20)}};
    struct sp_resource resource = {.attributes = {.items = &attribute, .count = 1},
                                   .present = true};
    for (size_t i = 0; i < COUNT; i++) {
        spans[i] = simple_span(1 + i, 1, noon_unix_ns, 5, "cart", "x");
        spans[i].resource = &resource;
    }
    const struct sp_batch *batch = batch_of(&fixture.arena, spans, COUNT);
    append(&fixture, batch);
    struct span_list all = span_list_make(&fixture.arena, &batch, 1);
    for (int stage = 0; stage < 2; stage++) {
        struct sp_store_stats stats;
        assert_all_traces(fixture.store, &all);
        sp_store_drain(fixture.store);
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_uint_lt(stats.disk_bytes, 64 << 20); /* not a gigabyte */
    }
    free(text);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(resource_with_many_attributes_over_many_spans_is_counted)
{
    enum { SPANS = 20000, ATTRIBUTES = 10000 };
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    static struct sp_span spans[SPANS];
    static struct sp_attribute attributes[ATTRIBUTES];
    for (size_t i = 0; i < ATTRIBUTES; i++)
        attributes[i] = (struct sp_attribute){.key = SP_SLICE("k"), .value.kind = SP_VALUE_EMPTY};
    struct sp_resource resource = {.attributes = {.items = attributes, .count = ATTRIBUTES},
                                   .present = true};
    for (size_t i = 0; i < SPANS; i++) {
        spans[i] = simple_span(1, 1 + i, noon_unix_ns, 5, "cart", "x");
        spans[i].resource = &resource;
    }
    append(&fixture, batch_of(&fixture.arena, spans, SPANS));
    const struct sp_key_row *rows;
    size_t count;
    bool complete;
    ck_assert_int_eq(sp_store_attribute_keys(fixture.store, SP_SCOPE_RESOURCE, SP_SLICE(""),
                                             SP_TIME_RANGE_ALL, NULL, 10, &fixture.arena, &rows,
                                             &count, &complete, NULL),
                     SP_OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(rows[0].span_count, SPANS);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_gives_the_budget_of_a_request_back)
{
    struct fixture fixture;
    struct sp_budget budget;
    struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    fixture_init(&fixture, (enum engine)_i);
    sp_budget_init(&budget, 1000);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    const struct sp_batch *batch = batch_of(&fixture.arena, &span, 1);
    for (int i = 0; i < 3; i++) {
        struct sp_append *made = make_append(batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
        made->plain.account = made->arena.account = NULL; /* decoded before there was a budget */
        made->account.budget = &budget;
        ck_assert_int_eq(sp_account_take(&made->account, 300), SP_OK);
        send(&fixture, &tally, made);
        if (i == 1)
            sp_store_drain(fixture.store); /* the last is refused, and gives back all the same */
    }
    tally_wait(&tally);
    sp_store_drain(fixture.store);
    sp_store_close(fixture.store);
    ck_assert_uint_eq(sp_budget_used(&budget), 0);
    fixture.store = NULL;
    fixture_fini(&fixture);
}
END_TEST

/* ---- a batch that cannot be applied ---- */

START_TEST(store_waits_between_tries_to_apply_and_tells)
{
    struct fixture fixture;
    struct sp_store_stats stats;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    for (int i = 0; i < 200; i++)
        append(&fixture, batch_of(&fixture.arena, &span, 1));
    alloc_fail_others(true);
    do
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    while (!stats.apply_fails);
    ck_assert_uint_ge(stats.apply_failure_count, 1);
    ck_assert_uint_lt(stats.apply_failure_count, 100);
    ck_assert_uint_eq(stats.span_count, 200); /* acked is visible all the same */
    alloc_fail_others(false);
    do
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
    while (stats.apply_fails || stats.backlog_appends > 0);
    ck_assert_uint_eq(stats.span_count, 200);
    fixture_fini(&fixture);
}
END_TEST

/* ---- the end ---- */

START_TEST(drained_store_refuses_appends_and_answers_reads)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    const struct sp_batch *batch = batch_of(&fixture.arena, &span, 1);
    append(&fixture, batch);
    for (int round = 0; round < 2; round++) {
        sp_store_drain(fixture.store);
        ck_assert_int_eq(append_as(fixture.store, batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY),
                         SP_UNAVAILABLE);
        struct span_list all = span_list_make(&fixture.arena, &batch, 1);
        assert_all_traces(fixture.store, &all);
        struct sp_store_stats stats;
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_uint_eq(stats.span_count, 1);
        ck_assert_uint_eq(stats.backlog_appends, 0);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(close_finishes_every_accepted_append)
{
    enum { COUNT = 50 };
    struct fixture fixture;
    struct tally tally = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    fixture_init(&fixture, (enum engine)_i);
    struct sp_gen_options options = {.span_count = 20};
    const struct sp_batch *batch = sp_gen_batch(&fixture.arena, 1, &options);
    for (size_t i = 0; i < COUNT; i++)
        send(&fixture, &tally, make_append(batch, SP_BODY_OTLP_PROTOBUF, SP_BODY_GZIP));
    sp_store_close(fixture.store);
    ck_assert_uint_eq(tally.pending, 0);
    ck_assert_uint_eq(tally.counts[SP_OK], COUNT);
    fixture.store = NULL;
    if (fixture.engine == ENGINE_ROCKSDB) {
        struct sp_store_stats stats;
        ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_uint_eq(stats.span_count, 20 * COUNT);
    }
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, acked_spans_are_visible_to_reads_of_any_thread, 0, ENGINE_COUNT);
    tcase_add_test(tcase, store_refuses_at_the_door_when_its_backlog_is_full_and_recovers);
    tcase_add_test(tcase, columns_that_are_not_sealed_are_counted_as_what_they_hold);
    tcase_add_test(tcase, large_resource_of_many_traces_is_kept_once_a_block);
    tcase_add_test(tcase, resource_with_many_attributes_over_many_spans_is_counted);
    tcase_add_loop_test(tcase, store_gives_the_budget_of_a_request_back, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, drained_store_refuses_appends_and_answers_reads, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, close_finishes_every_accepted_append, 0, ENGINE_COUNT);
    tcase_add_test(tcase, store_waits_between_tries_to_apply_and_tells);
    suite_add_tcase(suite, tcase);
    return suite;
}
