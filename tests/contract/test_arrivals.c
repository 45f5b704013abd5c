/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_arrivals.c: which traces came in since somebody looked, whatever their times are; on both engines, and on one that
 * follows. */
#include "storage/idset.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static const uint64_t second_ns = 1000000000;
static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

static struct sp_arrivals_cursor begin(struct sp_store *store)
{
    struct sp_arrivals_cursor cursor;
    struct sp_error error = {0};
    enum sp_status status = sp_store_arrivals_begin(store, &cursor, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return cursor;
}

static struct sp_arrivals look(struct sp_store *store, struct sp_arrivals_cursor *cursor,
                               struct sp_arena *arena)
{
    struct sp_arrivals arrivals;
    struct sp_error error = {0};
    enum sp_status status = sp_store_arrivals_read(store, cursor, arena, &arrivals, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return arrivals;
}

static void append_span(struct fixture *fixture, uint64_t trace, uint64_t span,
                        uint64_t start_unix_ns)
{
    struct sp_span one = simple_span(trace, span, start_unix_ns, 5, "cart", "x");
    append(fixture, batch_of(&fixture->arena, &one, 1));
}

/* These numbers, in this order, and nothing else. */
static void assert_told(const struct sp_arrivals *arrivals, const uint64_t *traces, size_t count)
{
    ck_assert_uint_eq(arrivals->count, count);
    ck_assert_uint_eq(arrivals->skipped, 0);
    for (size_t i = 0; i < count; i++) {
        struct sp_trace_id want = trace_id_of(traces[i]);
        ck_assert_msg(sp_trace_id_compare(&arrivals->ids[i], &want) == 0, "place %zu is not %llu",
                      i, (unsigned long long)traces[i]);
    }
}

static void assert_look_tells(struct fixture *fixture, struct sp_arrivals_cursor *cursor,
                              const uint64_t *traces, size_t count)
{
    struct sp_arrivals came = look(fixture->store, cursor, &fixture->arena);
    assert_told(&came, traces, count);
}

#define assert_look(fixture, cursor, ...)                                                          \
    assert_look_tells(fixture, cursor, (const uint64_t[]){__VA_ARGS__},                            \
                      sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void assert_nothing(struct fixture *fixture, struct sp_arrivals_cursor *cursor)
{
    struct sp_arrivals came = look(fixture->store, cursor, &fixture->arena);
    assert_told(&came, NULL, 0);
    ck_assert_uint_eq(came.unseen_appends, 0);
}

START_TEST(arrivals_are_told_once_by_their_acks_and_not_by_their_times)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_span(&fixture, 1, 1, noon_unix_ns);
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    assert_nothing(&fixture, &cursor);
    append_span(&fixture, 2, 2, noon_unix_ns);
    append_span(&fixture, 3, 3, 0);          /* a clock that was not set */
    append_span(&fixture, 4, 4, UINT64_MAX); /* or is far ahead */
    append_span(&fixture, 5, 5, noon_unix_ns - 3600 * second_ns);
    assert_look(&fixture, &cursor, 5, 4, 3, 2);
    assert_nothing(&fixture, &cursor);
    append_span(&fixture, 6, 6, noon_unix_ns);
    assert_look(&fixture, &cursor, 6);
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(arrivals_tell_a_trace_again_when_more_of_it_comes)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    append_span(&fixture, 1, 1, noon_unix_ns);
    append_span(&fixture, 2, 2, noon_unix_ns);
    append_span(&fixture, 1, 3, noon_unix_ns);
    assert_look(&fixture, &cursor, 1, 2);
    append_span(&fixture, 2, 4, noon_unix_ns);
    append_span(&fixture, 2, 4, noon_unix_ns); /* a duplicate */
    assert_look(&fixture, &cursor, 2);
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(arrivals_are_remembered_while_somebody_asked_for_it)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_arrivals_cursor first = begin(fixture.store);
    append_span(&fixture, 1, 1, noon_unix_ns);
    struct sp_arrivals_cursor second = begin(fixture.store);
    append_span(&fixture, 2, 2, noon_unix_ns);
    assert_look(&fixture, &second, 2);
    sp_store_arrivals_end(fixture.store);
    append_span(&fixture, 3, 3, noon_unix_ns);
    assert_look(&fixture, &first, 3, 2, 1);
    sp_store_arrivals_end(fixture.store);
    append_span(&fixture, 4, 4, noon_unix_ns);
    first = begin(fixture.store);
    assert_nothing(&fixture, &first);
    append_span(&fixture, 5, 5, noon_unix_ns);
    assert_look(&fixture, &first, 5);
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

/* What was in the head at one look and is a segment at the next was told, or is; what is merged was. */
START_TEST(arrivals_do_not_change_when_spans_are_sealed_and_merged)
{
    struct fixture fixture;
    fixture_make(&fixture, (enum engine)_i, true);
    fixture.options.sizes = small_sizes();
    fixture_open(&fixture);
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    for (uint64_t i = 1; i <= 30; i += 3) {
        append_span(&fixture, i, i, noon_unix_ns);
        append_span(&fixture, i + 1, i, noon_unix_ns);
        if (i % 2 == 0)
            wait_for_merges(fixture.store);
        append_span(&fixture, i + 2, i, noon_unix_ns);
        wait_for_merges(fixture.store);
        assert_look(&fixture, &cursor, i + 2, i + 1, i);
        wait_for_merges(fixture.store);
        assert_nothing(&fixture, &cursor);
    }
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

#define BURST_EACH ((size_t)4096)

/* Traces first, first + 1, ...: one span of each. */
static void append_burst(struct fixture *fixture, uint64_t first)
{
    struct sp_span *spans = sp_arena_calloc(&fixture->arena, BURST_EACH, sizeof(*spans));
    for (size_t i = 0; i < BURST_EACH; i++)
        spans[i] = simple_span(first + i, 1, noon_unix_ns + i, 5, "cart", "x");
    append(fixture, batch_of(&fixture->arena, spans, BURST_EACH));
}

START_TEST(arrivals_beyond_what_is_remembered_are_counted)
{
    struct fixture fixture;
    struct sp_idset told = {0};
    fixture_init(&fixture, (enum engine)_i);
    size_t bursts = SP_ARRIVALS_MAX / BURST_EACH + 2;
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    for (size_t i = 0; i < bursts; i++)
        append_burst(&fixture, 1 + i * BURST_EACH);
    struct sp_arrivals came = look(fixture.store, &cursor, &fixture.arena);
    ck_assert_uint_eq(came.count, SP_ARRIVALS_MAX);
    ck_assert_uint_eq(came.skipped, 2 * BURST_EACH);
    for (size_t i = 0; i < came.count; i++) { /* the newest, each once */
        struct sp_trace_id first = trace_id_of(1 + 2 * BURST_EACH);
        bool added;
        ck_assert_int_ge(sp_trace_id_compare(&came.ids[i], &first), 0);
        ck_assert_int_eq(sp_idset_add(&told, &came.ids[i], &added), SP_OK);
        ck_assert(added);
    }
    append_span(&fixture, 7, 1, noon_unix_ns);
    assert_look(&fixture, &cursor, 7);
    sp_store_arrivals_end(fixture.store);
    sp_idset_fini(&told);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(arrivals_that_do_not_fit_into_the_arena_are_told_later)
{
    struct fixture fixture;
    struct sp_arena small;
    struct sp_arrivals came;
    struct sp_error error = {0};
    fixture_init(&fixture, (enum engine)_i);
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    append_burst(&fixture, 1);
    sp_arena_init(&small, 1024);
    ck_assert_int_eq(sp_store_arrivals_read(fixture.store, &cursor, &small, &came, &error),
                     SP_LIMIT);
    sp_arena_fini(&small);
    came = look(fixture.store, &cursor, &fixture.arena);
    ck_assert_uint_eq(came.count, BURST_EACH);
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

/* ---- both engines, the same appends ---- */

static int by_id(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static void sort(struct sp_arena *arena, struct sp_arrivals *arrivals)
{
    struct sp_trace_id *ids = sp_arena_calloc(arena, arrivals->count + 1, sizeof(*ids));
    if (arrivals->count > 0)
        memcpy(ids, arrivals->ids, arrivals->count * sizeof(*ids));
    qsort(ids, arrivals->count, sizeof(*ids), by_id);
    arrivals->ids = ids;
}

START_TEST(arrivals_of_random_appends_are_those_of_the_reference)
{
    struct fixture fixtures[ENGINE_COUNT];
    struct sp_arrivals_cursor cursors[ENGINE_COUNT];
    struct sp_gen gen = {.state = 11};
    for (int e = 0; e < ENGINE_COUNT; e++) {
        fixture_make(&fixtures[e], (enum engine)e, true);
        fixtures[e].options.sizes = small_sizes();
        fixture_open(&fixtures[e]);
        cursors[e] = begin(fixtures[e].store);
    }
    for (uint64_t round = 0; round < 40; round++) {
        for (uint64_t i = sp_gen_below(&gen, 6); i > 0; i--) {
            struct sp_gen_options options = sp_gen_options_everything(200);
            options.trace_seed = 3;
            options.trace_count = 90;
            const struct sp_batch *batch =
                sp_gen_batch(&fixtures[0].arena, sp_gen_below(&gen, 1000), &options);
            for (int e = 0; e < ENGINE_COUNT; e++)
                append(&fixtures[e], batch);
        }
        struct sp_arrivals came[ENGINE_COUNT];
        for (int e = 0; e < ENGINE_COUNT; e++) {
            came[e] = look(fixtures[e].store, &cursors[e], &fixtures[e].arena);
            ck_assert_uint_eq(came[e].skipped, 0);
            sort(&fixtures[e].arena, &came[e]);
        }
        ck_assert_uint_eq(came[0].count, came[1].count);
        for (size_t i = 0; i < came[0].count; i++)
            ck_assert_int_eq(sp_trace_id_compare(&came[0].ids[i], &came[1].ids[i]), 0);
    }
    for (int e = 0; e < ENGINE_COUNT; e++) {
        sp_store_arrivals_end(fixtures[e].store);
        fixture_fini(&fixtures[e]);
    }
}
END_TEST

/* ---- threads ---- */

#define SENDERS      3
#define APPENDS_EACH 150

struct sender {
    struct sp_store *store;
    uint64_t first;
    pthread_t thread;
};

/* Each trace that it sends is told by the look behind its ack. */
static void *send_and_look(void *cookie)
{
    struct sender *sender = cookie;
    struct sp_arrivals_cursor cursor = begin(sender->store);
    for (uint64_t i = 0; i < APPENDS_EACH; i++) {
        struct sp_arena arena;
        sp_arena_init(&arena, SIZE_MAX);
        struct sp_span span = simple_span(sender->first + i, 1, noon_unix_ns, 5, "cart", "x");
        ck_assert_int_eq(append_as(sender->store, batch_of(&arena, &span, 1), SP_BODY_OTLP_PROTOBUF,
                                   SP_BODY_IDENTITY),
                         SP_OK);
        struct sp_arrivals came = look(sender->store, &cursor, &arena);
        bool told = false;
        for (size_t t = 0; t < came.count; t++) {
            const struct sp_batch *batch;
            told |= sp_trace_id_compare(&came.ids[t], &span.trace_id) == 0;
            ck_assert_int_eq(sp_store_trace_read(sender->store, &came.ids[t], &arena, &batch, NULL),
                             SP_OK);
        }
        ck_assert(told);
        sp_arena_fini(&arena);
    }
    sp_store_arrivals_end(sender->store);
    return NULL;
}

START_TEST(arrivals_are_told_behind_their_acks_and_can_be_read)
{
    struct fixture fixture;
    struct sender senders[SENDERS];
    fixture_make(&fixture, (enum engine)_i, true);
    fixture.options.sizes = small_sizes();
    fixture_open(&fixture);
    struct sp_arrivals_cursor cursor = begin(fixture.store);
    for (size_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.store = fixture.store, .first = 1 + 1000 * i};
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_and_look, &senders[i]), 0);
    }
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    struct sp_arrivals came = look(fixture.store, &cursor, &fixture.arena);
    ck_assert_uint_eq(came.count, SENDERS * APPENDS_EACH);
    sp_store_arrivals_end(fixture.store);
    fixture_fini(&fixture);
}
END_TEST

/* ---- a store that follows ---- */

#define TRIES_MAX 3000
#define TRY_US    10000

struct following {
    struct fixture fixture; /* the one that writes */
    struct sp_store *follower;
    struct sp_arrivals_cursor cursor;
    struct sp_idset told;
    uint64_t unseen_appends;
};

static void following_init(struct following *following, struct sp_store_sizes sizes)
{
    struct sp_error error = {0};
    *following = (struct following){0};
    fixture_make(&following->fixture, ENGINE_ROCKSDB, true);
    following->fixture.options.sizes = sizes;
    fixture_open(&following->fixture);
    append_span(&following->fixture, 1000, 1, noon_unix_ns);
    enum sp_status status =
        sp_store_rocksdb_follow(&following->fixture.options, &following->follower, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    following->cursor = begin(following->follower);
}

static void following_fini(struct following *following)
{
    sp_store_arrivals_end(following->follower);
    sp_store_close(following->follower);
    sp_idset_fini(&following->told);
    fixture_fini(&following->fixture);
}

/* Looks until so many different traces were told, or requests said not to have been seen. Each trace that is told can be read. */
static void look_until(struct following *following, size_t count)
{
    for (int tries = 0; following->told.count + following->unseen_appends < count; tries++) {
        struct sp_arena *arena = &following->fixture.arena;
        struct sp_arrivals came = look(following->follower, &following->cursor, arena);
        following->unseen_appends += came.unseen_appends;
        for (size_t i = 0; i < came.count; i++) {
            const struct sp_batch *batch;
            bool added;
            ck_assert_int_eq(sp_idset_add(&following->told, &came.ids[i], &added), SP_OK);
            ck_assert_int_eq(
                sp_store_trace_read(following->follower, &came.ids[i], arena, &batch, NULL), SP_OK);
        }
        ck_assert_msg(tries < TRIES_MAX, "%zu traces and %llu requests, not %zu",
                      following->told.count, (unsigned long long)following->unseen_appends, count);
        usleep(TRY_US);
    }
}

START_TEST(arrivals_of_another_process_are_told_from_its_journal)
{
    struct following following;
    following_init(&following, (struct sp_store_sizes){.follow_ns = 5000000});
    append_span(&following.fixture, 1, 1, 0);
    append_span(&following.fixture, 2, 1, noon_unix_ns);
    look_until(&following, 2);
    append_span(&following.fixture, 3, 1, UINT64_MAX);
    look_until(&following, 3);
    ck_assert_uint_eq(following.told.count, 3); /* and not what was there before */
    ck_assert_uint_eq(following.unseen_appends, 0);
    fixture_reopen(&following.fixture); /* another process writes; the first has sealed all */
    append_span(&following.fixture, 4, 1, noon_unix_ns);
    look_until(&following, 4);
    ck_assert_uint_eq(following.told.count, 4);
    following_fini(&following);
}
END_TEST

/* Spans are sealed at once: what was read from the journal is told, and of the rest it is said how many requests they were. */
START_TEST(arrivals_that_were_sealed_before_a_look_are_counted)
{
    struct following following;
    following_init(&following, small_sizes());
    for (uint64_t i = 1; i <= 60; i++) {
        append_span(&following.fixture, i, 1, noon_unix_ns);
        if (i % 20 == 0)
            wait_for_merges(following.fixture.store);
    }
    look_until(&following, 60);
    /* Numbers are given to refused requests, too; here none was. */
    ck_assert_uint_eq(following.told.count + following.unseen_appends, 60);
    following_fini(&following);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("arrivals");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, arrivals_are_told_once_by_their_acks_and_not_by_their_times, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, arrivals_tell_a_trace_again_when_more_of_it_comes, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, arrivals_are_remembered_while_somebody_asked_for_it, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, arrivals_do_not_change_when_spans_are_sealed_and_merged, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, arrivals_beyond_what_is_remembered_are_counted, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, arrivals_that_do_not_fit_into_the_arena_are_told_later, 0,
                        ENGINE_COUNT);
    tcase_add_test(tcase, arrivals_of_random_appends_are_those_of_the_reference);
    tcase_add_loop_test(tcase, arrivals_are_told_behind_their_acks_and_can_be_read, 0,
                        ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("follower");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, arrivals_of_another_process_are_told_from_its_journal);
    tcase_add_test(tcase, arrivals_that_were_sealed_before_a_look_are_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
