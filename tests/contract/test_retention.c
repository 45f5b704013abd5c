/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_retention.c: what takes room on the disk, and for how long; which spans are removed, and what is left then. Random
 * histories with removals: test_aging.c. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;
static const uint64_t hour_ns = 3600ULL * 1000000000;

/* ---- the journal ---- */

START_TEST(journal_keeps_plain_bodies_compressed)
{
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    size_t bytes = 16 * MIB;
    char *text = sp_arena_calloc(&fixture.arena, bytes, 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', bytes);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    span.name = sp_slice_make(text, bytes);
    append(&fixture, batch_of(&fixture.arena, &span, 1));
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 0);
    ck_assert_uint_lt(stats_of(fixture.store).disk_bytes, MIB);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(journal_of_sealed_spans_takes_no_room)
{
    /* Of few bytes each: a segment has the value once in each block, and how many blocks it has, with large ones, depends on when its
     * rows became columns. */
    enum { REQUESTS = 256, BYTES = 64 * 1024 };
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes.seal_spans = REQUESTS;
    fixture_reopen(&fixture);
    for (uint64_t i = 1; i < REQUESTS; i++)
        append_noise(&fixture, i, noon_unix_ns, 1, BYTES);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 0);
    ck_assert_uint_gt(stats_of(fixture.store).disk_bytes, (REQUESTS - 1) * BYTES);
    append_noise(&fixture, REQUESTS, noon_unix_ns, 1, BYTES);
    wait_for_merges(fixture.store);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1);
    /* The seal ends a little later than it can be seen. */
    while (stats_of(fixture.store).disk_bytes > 2 * MIB)
        usleep(1000);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, REQUESTS);
    fixture_fini(&fixture);
}
END_TEST

/* ---- what is removed ---- */

/* As many segments as there are appends. */
static void reopen_without_merges(struct fixture *fixture)
{
    fixture->options.sizes = small_sizes();
    fixture->options.sizes.merge_segments = 1000;
    fixture_reopen(fixture);
}

struct removals {
    size_t count;
    uint64_t first, last; /* append of any of them */
    uint64_t spans;
};

static void note_removal(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    struct removals *removals = cookie;
    removals->spans += span_count;
    if (removals->count == 0 || first < removals->first)
        removals->first = first;
    if (last > removals->last)
        removals->last = last;
    removals->count++;
}

static struct removals retain(struct sp_store *store, struct sp_retention keep, uint64_t now)
{
    struct removals removals = {0};
    struct sp_error error = {0};
    struct sp_retain retain = {
        .keep = keep, .now_unix_ns = now, .removed = note_removal, .cookie = &removals};
    enum sp_status status = sp_store_retain(store, &retain, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return removals;
}

static bool is_stored(struct sp_store *store, uint64_t trace)
{
    struct sp_arena arena;
    const struct sp_batch *batch;
    struct sp_trace_id id = trace_id_of(trace);
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_trace_read(store, &id, &arena, &batch, NULL);
    ck_assert(status == SP_OK || status == SP_NOT_FOUND);
    sp_arena_fini(&arena);
    return status == SP_OK;
}

/* Trace number n starts n hours after noon. */
static void append_hours(struct fixture *fixture, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct sp_span span =
            simple_span(1 + i, 1, noon_unix_ns + i * hour_ns, 5, i % 2 ? "odd" : "even", "x");
        append(fixture, batch_of(&fixture->arena, &span, 1));
        if (fixture->engine == ENGINE_ROCKSDB)
            wait_for_merges(fixture->store);
    }
}

static size_t service_count(struct fixture *fixture)
{
    const struct sp_service_row *rows;
    size_t count;
    ck_assert_int_eq(sp_store_services(fixture->store, SP_TIME_RANGE_ALL, NULL, &fixture->arena,
                                       &rows, &count, NULL),
                     SP_OK);
    return count;
}

START_TEST(spans_older_than_the_age_go_and_younger_ones_stay)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    reopen_without_merges(&fixture);
    append_hours(&fixture, 8);
    struct removals none = retain(fixture.store, (struct sp_retention){.age_ns = 8 * hour_ns},
                                  noon_unix_ns + 8 * hour_ns);
    ck_assert_uint_eq(none.count, 0);
    ck_assert_uint_eq(retain(fixture.store, (struct sp_retention){0}, UINT64_MAX).count, 0);
    struct removals some = retain(fixture.store, (struct sp_retention){.age_ns = 3 * hour_ns},
                                  noon_unix_ns + 8 * hour_ns);
    ck_assert_uint_eq(some.first, 1);
    ck_assert_uint_eq(some.last, 5);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 8; i++)
            ck_assert(is_stored(fixture.store, 1 + i) == (i >= 5));
        ck_assert_uint_eq(stats_of(fixture.store).span_count, 3);
        ck_assert_uint_eq(stats_of(fixture.store).trace_count, 3);
        ck_assert_uint_eq(stats_of(fixture.store).oldest_unix_ns, noon_unix_ns + 5 * hour_ns);
        ck_assert_uint_eq(service_count(&fixture), 2);
        fixture_reopen(&fixture);
    }
    retain(fixture.store, (struct sp_retention){.age_ns = 1}, noon_unix_ns + 7 * hour_ns + 1);
    ck_assert_uint_eq(service_count(&fixture), 1);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(append_stays_while_one_of_its_spans_is_young)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    reopen_without_merges(&fixture);
    struct sp_span spans[2] = {simple_span(1, 1, noon_unix_ns, 5, "cart", "x"),
                               simple_span(2, 1, noon_unix_ns + hour_ns, 5, "cart", "x")};
    append(&fixture, batch_of(&fixture.arena, spans, 2));
    if (fixture.engine == ENGINE_ROCKSDB)
        wait_for_merges(fixture.store);
    ck_assert_uint_eq(
        retain(fixture.store, (struct sp_retention){.age_ns = 1}, noon_unix_ns + hour_ns + 1).count,
        0);
    ck_assert_uint_eq(
        retain(fixture.store, (struct sp_retention){.age_ns = 1}, noon_unix_ns + hour_ns + 2).count,
        1);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, 0);
    fixture_fini(&fixture);
}
END_TEST

/* A sender whose clock is wrong does not keep its segment for ever. */
START_TEST(spans_from_the_future_are_as_old_as_their_receipt)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    reopen_without_merges(&fixture);
    struct sp_span span = simple_span(1, 1, noon_unix_ns + 100000 * hour_ns, 5, "cart", "x");
    struct sp_append *made =
        make_append(batch_of(&fixture.arena, &span, 1), SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY);
    made->received_unix_ns = noon_unix_ns;
    sp_store_append(fixture.store, made);
    if (fixture.engine == ENGINE_ROCKSDB) {
        do
            wait_for_merges(fixture.store);
        while (stats_of(fixture.store).segment_count == 0);
    }
    fixture_reopen(&fixture);
    struct sp_retention keep = {.age_ns = hour_ns};
    ck_assert_uint_eq(retain(fixture.store, keep, noon_unix_ns + hour_ns).count, 0);
    ck_assert_uint_eq(retain(fixture.store, keep, noon_unix_ns + hour_ns + 1).count, 1);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(oldest_spans_go_until_the_directory_is_as_small_as_it_may_be)
{
    enum { SEGMENTS = 24 };
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_without_merges(&fixture);
    for (uint64_t i = 1; i <= SEGMENTS; i++) {
        append_noise(&fixture, i, noon_unix_ns, i, 2 * MIB);
        wait_for_merges(fixture.store);
    }
    ck_assert_uint_gt(stats_of(fixture.store).disk_bytes, SEGMENTS * 2 * MIB);
    struct sp_retention keep = {.disk_bytes = 20 * MIB};
    struct removals removals = retain(fixture.store, keep, noon_unix_ns);
    ck_assert_uint_eq(removals.first, 1);
    ck_assert_uint_eq(removals.last, removals.count); /* the oldest ones, and nothing between */
    ck_assert_uint_ge(removals.last, SEGMENTS - 9);   /* of 2 MiB, with room for the journal */
    ck_assert_uint_lt(removals.last, SEGMENTS - 6);
    ck_assert_uint_eq(retain(fixture.store, keep, noon_unix_ns).count, 0);
    struct sp_store_stats stats = stats_of(fixture.store);
    ck_assert_uint_eq(stats.removed_by_size.segments, removals.count);
    ck_assert_uint_eq(stats.removed_by_size.spans, removals.count);
    ck_assert_uint_eq(removals.spans, removals.count);
    ck_assert_uint_eq(stats.removed_by_age.segments, 0);
    wait_for_merges(fixture.store);
    while (stats_of(fixture.store).disk_bytes > 20 * MIB)
        usleep(1000); /* until the tables have been written again */
    for (uint64_t i = 1; i <= SEGMENTS; i++)
        ck_assert(is_stored(fixture.store, i) == (i > removals.last));
    fixture_fini(&fixture);
}
END_TEST

static uint64_t tomorrow(void *cookie)
{
    (void)cookie;
    return noon_unix_ns + 24 * hour_ns;
}

START_TEST(store_removes_by_its_options_without_being_asked)
{
    struct fixture fixture;
    struct sp_clock clock = *sp_clock_system();
    clock.unix_ns = tomorrow;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.clock = &clock;
    fixture.options.retention.age_ns = 20 * hour_ns;
    reopen_without_merges(&fixture);
    append_hours(&fixture, 8); /* each of the first four is too old when it comes */
    while (stats_of(fixture.store).removed_by_age.segments < 4)
        usleep(1000);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, 4);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(segments_are_not_merged_over_much_more_than_what_is_kept)
{
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture.options.retention.age_ns = 32ULL * 365 * 24 * hour_ns;
    fixture_reopen(&fixture);
    append_hours(&fixture, 4);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1); /* all within a day */
    fixture_fini(&fixture);

    struct sp_clock clock = *sp_clock_system();
    clock.unix_ns = tomorrow;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture.options.clock = &clock;
    fixture.options.retention.age_ns = 40 * hour_ns; /* five hours of it */
    fixture_reopen(&fixture);
    append_hours(&fixture, 16);
    ck_assert_uint_ge(stats_of(fixture.store).segment_count, 3);
    ck_assert_uint_lt(stats_of(fixture.store).segment_count, 16);
    fixture_fini(&fixture);
}
END_TEST

/* ---- readers ---- */

struct slow_reader {
    struct fixture *fixture;
    size_t visited;
};

/* All segments are removed while the scan reads them. */
static enum sp_visit visit_slowly(void *cookie, const struct sp_candidate *candidate)
{
    struct slow_reader *reader = cookie;
    (void)candidate;
    if (reader->visited++ == 0) {
        struct removals removals =
            retain(reader->fixture->store, (struct sp_retention){.age_ns = 1}, UINT64_MAX);
        ck_assert_uint_eq(removals.count, 8);
        ck_assert_uint_eq(stats_of(reader->fixture->store).span_count, 0);
        ck_assert_uint_gt(stats_of(reader->fixture->store).dropped_segment_count, 0);
    }
    return SP_VISIT_CONTINUE;
}

START_TEST(reader_goes_on_with_segments_that_were_removed)
{
    struct fixture fixture;
    struct sp_scanned scanned;
    struct sp_error error = {0};
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_without_merges(&fixture);
    append_hours(&fixture, 8);
    struct slow_reader reader = {&fixture, 0};
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    enum sp_status status =
        sp_store_scan(fixture.store, &scan, NULL, visit_slowly, &reader, &scanned, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(reader.visited, 8);
    wait_for_merges(fixture.store); /* their room is given back now */
    fixture_fini(&fixture);
}
END_TEST

START_TEST(store_that_drains_removes_nothing)
{
    struct fixture fixture;
    struct sp_retain retain = {.keep = {.age_ns = 1}, .now_unix_ns = UINT64_MAX};
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_without_merges(&fixture);
    append_hours(&fixture, 1);
    sp_store_drain(fixture.store);
    ck_assert_int_eq(sp_store_retain(fixture.store, &retain, NULL), SP_UNAVAILABLE);
    ck_assert_uint_eq(stats_of(fixture.store).span_count, 1);
    fixture_fini(&fixture);
}
END_TEST

/* ---- a kill in the middle ---- */

#define KILL_ROUNDS 5 /* each of a few removals, and those of a moment */
#define KILL_HOURS  40

/* Every hour one trace of its own, and a span of one that all segments have: a chain of callers. */
static const struct sp_batch *hour_batch(struct sp_arena *arena, uint64_t hour)
{
    uint64_t start = noon_unix_ns + hour * hour_ns;
    struct sp_span spans[2] = {simple_span(1000 + hour, 1, start, 5, "cart", "x"),
                               simple_span(1, 1 + hour, start, 5, hour % 2 ? "odd" : "even", "y")};
    spans[1].kind = SP_KIND_SERVER;
    if (hour > 0)
        spans[1].parent_span_id = simple_span(1, hour, 0, 0, "", "").span_id;
    return batch_of(arena, spans, 2);
}

static void report(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    (void)first;
    (void)last;
    (void)span_count;
    if (write(*(int *)cookie, "r", 1) != 1)
        _exit(3);
}

/* argument: "pipe folder". Removes hour by hour, and reports each time, until it is killed. */
START_TEST(play_remover)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    int reports;
    if (sscanf(played_argument(), "%d %127s", &reports, fixture.data_dir) != 2)
        _exit(6);
    fixture_options(&fixture);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 1000;
    if (sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL) != SP_OK)
        _exit(4);
    for (uint64_t hour = 1; hour < KILL_HOURS; hour++) {
        struct sp_retain retain = {.keep = {.age_ns = 1},
                                   .now_unix_ns = noon_unix_ns + hour * hour_ns + 1,
                                   .removed = report,
                                   .cookie = &reports};
        if (sp_store_retain(fixture.store, &retain, NULL) != SP_OK)
            _exit(5);
    }
    pause();
}
END_TEST

/* What is left equals a store that never had the rest. */
static void check_rest(struct fixture *fixture)
{
    struct fixture reference;
    struct sp_buf texts[2];
    uint64_t first = 0;
    while (first < KILL_HOURS && !is_stored(fixture->store, 1000 + first))
        first++;
    ck_assert_uint_lt(first, KILL_HOURS);
    fixture_init(&reference, ENGINE_REFERENCE);
    for (uint64_t hour = 0; hour < KILL_HOURS; hour++) /* colour slots stay */
        append(&reference, hour_batch(&reference.arena, hour));
    sp_store_reference_remove(reference.store, 1, first);
    sp_buf_init(&texts[0], SIZE_MAX / 2);
    sp_buf_init(&texts[1], SIZE_MAX / 2);
    describe_answers(reference.store, SP_TIME_RANGE_ALL, &texts[0]);
    describe_answers(fixture->store, SP_TIME_RANGE_ALL, &texts[1]);
    ck_assert_msg(sp_slice_equal(sp_buf_slice(&texts[0]), sp_buf_slice(&texts[1])),
                  "from hour %llu on:\n%.*s\nbut\n%.*s", (unsigned long long)first,
                  SP_SLICE_PRINTF(sp_buf_slice(&texts[0])),
                  SP_SLICE_PRINTF(sp_buf_slice(&texts[1])));
    sp_buf_fini(&texts[0]);
    sp_buf_fini(&texts[1]);
    fixture_fini(&reference);
}

/* Some removals later, and a moment. */
static void kill_remover(const char *folder, struct sp_gen *gen)
{
    char argument[160];
    char reports_read[1];
    int reports[2];
    int state;
    ck_assert_int_eq(pipe(reports), 0);
    ck_assert_int_eq(fcntl(reports[0], F_SETFD, FD_CLOEXEC), 0);
    snprintf(argument, sizeof(argument), "%d %s", reports[1], folder);
    pid_t child = spawn_role("remover", argument);
    close(reports[1]);
    for (uint64_t wanted = 1 + sp_gen_below(gen, 3); wanted > 0; wanted--)
        ck_assert_int_eq(read(reports[0], reports_read, 1), 1);
    usleep((useconds_t)sp_gen_below(gen, 3000));
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(WIFSIGNALED(state), "the child ended by itself: %d", state);
    close(reports[0]);
}

START_TEST(killed_store_has_removed_whole_segments_or_nothing)
{
    struct fixture fixture;
    struct sp_gen gen = {.state = (uint64_t)_i + 1};
    fixture_init(&fixture, ENGINE_ROCKSDB);
    reopen_without_merges(&fixture);
    for (uint64_t hour = 0; hour < KILL_HOURS; hour++) {
        append(&fixture, hour_batch(&fixture.arena, hour));
        wait_for_merges(fixture.store);
    }
    for (int round = 0; round < KILL_ROUNDS; round++) {
        sp_store_close(fixture.store);
        fixture.store = NULL;
        kill_remover(fixture.data_dir, &gen);
        ck_assert_int_eq(sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL), SP_OK);
        check_rest(&fixture);
    }
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("remover"))
        return role_suite(play_remover);
    Suite *suite = suite_create("retention");
    TCase *tcase = tcase_create("journal");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, journal_keeps_plain_bodies_compressed);
    tcase_add_test(tcase, journal_of_sealed_spans_takes_no_room);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("removal");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, spans_older_than_the_age_go_and_younger_ones_stay, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, append_stays_while_one_of_its_spans_is_young, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, spans_from_the_future_are_as_old_as_their_receipt, 0, ENGINE_COUNT);
    tcase_add_test(tcase, oldest_spans_go_until_the_directory_is_as_small_as_it_may_be);
    tcase_add_test(tcase, store_removes_by_its_options_without_being_asked);
    tcase_add_test(tcase, segments_are_not_merged_over_much_more_than_what_is_kept);
    tcase_add_test(tcase, reader_goes_on_with_segments_that_were_removed);
    tcase_add_test(tcase, store_that_drains_removes_nothing);
    tcase_add_loop_test(tcase, killed_store_has_removed_whole_segments_or_nothing, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
