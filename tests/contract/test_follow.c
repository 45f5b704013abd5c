/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_follow.c: a store that only reads answers what the one that writes answers, while that one seals, merges,
 * closes and opens again. Two processes, and kills: tests/e2e/data/test_follow.py. */
#include "storage/datadir.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPANS_EACH 30
#define TRIES_MAX  3000
#define TRY_US     10000

static void open_with(struct fixture *fixture, struct sp_store_sizes sizes)
{
    fixture_init(fixture, ENGINE_ROCKSDB);
    fixture->options.sizes = sizes;
    fixture_reopen(fixture);
}

static struct sp_store *follow(const struct fixture *fixture)
{
    struct sp_store *store;
    struct sp_error error = {0};
    enum sp_status status = sp_store_rocksdb_follow(&fixture->options, &store, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return store;
}

static const struct sp_batch *some_batch(struct fixture *fixture, uint64_t seed)
{
    struct sp_gen_options options = sp_gen_options_everything(SPANS_EACH);
    options.trace_seed = 5;
    options.trace_count = 40;
    return sp_gen_batch(&fixture->arena, seed, &options);
}

static uint64_t span_count(struct sp_store *store)
{
    struct sp_store_stats stats;
    struct sp_error error = {0};
    enum sp_status status = sp_store_stats(store, &stats, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    return stats.span_count;
}

static void wait_for_spans(struct sp_store *follower, uint64_t count)
{
    for (int tries = 0; span_count(follower) != count; tries++) {
        ck_assert_msg(tries < TRIES_MAX, "%llu spans, not %llu",
                      (unsigned long long)span_count(follower), (unsigned long long)count);
        usleep(TRY_US);
    }
}

/* ---- answers ---- */

static void assert_follows(struct sp_store_sizes sizes, size_t count)
{
    struct fixture fixture;
    const struct sp_batch **batches = calloc(count, sizeof(*batches));
    open_with(&fixture, sizes);
    append(&fixture, batches[0] = some_batch(&fixture, 1));
    struct sp_store *follower = follow(&fixture);
    for (size_t i = 1; i < count; i++) {
        append(&fixture, batches[i] = some_batch(&fixture, 1 + i));
        if (i % 5 == 0) {
            wait_for_spans(follower, (i + 1) * SPANS_EACH);
            assert_same_answers(fixture.store, follower, SP_TIME_RANGE_ALL);
        }
        if (i == count / 2)
            fixture_reopen(&fixture);
    }
    wait_for_spans(follower, count * SPANS_EACH);
    struct span_list all = span_list_make(&fixture.arena, batches, count);
    assert_all_traces(follower, &all);
    sp_store_close(fixture.store); /* seals */
    fixture.store = NULL;
    usleep(3 * TRY_US);
    assert_all_traces(follower, &all);
    sp_store_close(follower);
    follower = follow(&fixture); /* of a directory that nobody has open */
    assert_all_traces(follower, &all);
    sp_store_close(follower);
    free(batches);
    fixture_fini(&fixture);
}

START_TEST(follower_answers_as_the_writer_from_the_journal)
{
    assert_follows((struct sp_store_sizes){0}, 25);
}
END_TEST

START_TEST(follower_answers_as_the_writer_while_it_seals_and_merges)
{
    assert_follows(small_sizes(), 40);
}
END_TEST

/* ---- what it costs ---- */

static void wait_for_segments(struct sp_store *store, uint64_t count)
{
    for (int tries = 0; stats_of(store).segment_count != count; tries++) {
        ck_assert_msg(tries < TRIES_MAX, "%llu segments, not %llu",
                      (unsigned long long)stats_of(store).segment_count, (unsigned long long)count);
        usleep(TRY_US);
    }
}

#define SEALS        12
#define APPENDS_EACH 5

START_TEST(follower_reads_what_is_new_and_nothing_twice)
{
    struct fixture fixture;
    open_with(&fixture, (struct sp_store_sizes){.seal_spans = APPENDS_EACH * SPANS_EACH,
                                                .merge_segments = 1000});
    uint64_t appends = 1;
    append(&fixture, some_batch(&fixture, appends));
    struct sp_store *follower = follow(&fixture);
    for (uint64_t seal = 1; seal <= SEALS; seal++) {
        while (appends < seal * APPENDS_EACH)
            append(&fixture, some_batch(&fixture, ++appends));
        wait_for_segments(fixture.store, seal); /* all that was appended */
        wait_for_segments(follower, seal);
        wait_for_spans(follower, appends * SPANS_EACH);
    }
    struct sp_store_stats stats = stats_of(follower);
    ck_assert_uint_eq(stats.catch_up_header_count, SEALS);
    ck_assert_uint_eq(stats.catch_up_anew_count, 1); /* when it was opened */
    ck_assert_msg(stats.catch_up_record_count <= appends, "%llu records of %llu requests",
                  (unsigned long long)stats.catch_up_record_count, (unsigned long long)appends);
    assert_same_answers(fixture.store, follower, SP_TIME_RANGE_ALL);
    sp_store_close(follower);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* Spans of a catalogue, each once. */
static void assert_same_services(struct fixture *fixture, struct sp_store *follower)
{
    const struct sp_service_row *want;
    const struct sp_service_row *got;
    size_t want_count;
    size_t got_count;
    struct sp_arena *arena = &fixture->arena;
    ck_assert_int_eq(
        sp_store_services(fixture->store, SP_TIME_RANGE_ALL, NULL, arena, &want, &want_count, NULL),
        SP_OK);
    ck_assert_int_eq(
        sp_store_services(follower, SP_TIME_RANGE_ALL, NULL, arena, &got, &got_count, NULL), SP_OK);
    ck_assert_uint_eq(got_count, want_count);
    for (size_t i = 0; i < want_count; i++) {
        ck_assert(sp_slice_equal(got[i].name, want[i].name));
        ck_assert_uint_eq(got[i].span_count, want[i].span_count);
    }
    ck_assert_uint_eq(stats_of(follower).trace_count, stats_of(fixture->store).trace_count);
}

#define LARGE_SPANS   1000
#define LARGE_APPENDS 200

/* Seals last longer than looks, and blocks of the follower end where those of the writer do not: what is sealed ends within them. */
START_TEST(follower_makes_blocks_again_of_which_a_part_is_sealed)
{
    struct fixture fixture;
    open_with(&fixture, (struct sp_store_sizes){.seal_spans = (uint64_t)16 * LARGE_SPANS,
                                                .merge_segments = 1000});
    append(&fixture, some_batch(&fixture, 1));
    struct sp_store_sizes sizes = fixture.options.sizes;
    fixture.options.sizes.seal_spans = (uint64_t)7 * LARGE_SPANS;
    struct sp_store *follower = follow(&fixture);
    fixture.options.sizes = sizes;
    for (uint64_t i = 1; i <= LARGE_APPENDS; i++) {
        struct sp_gen_options options = {.span_count = LARGE_SPANS, .trace_seed = i};
        struct sp_arena arena;
        sp_arena_init(&arena, SIZE_MAX);
        append(&fixture, sp_gen_batch(&arena, 1000 + i, &options));
        sp_arena_fini(&arena);
        if (i % 50 == 0) {
            wait_for_spans(follower, SPANS_EACH + i * LARGE_SPANS);
            assert_same_services(&fixture, follower);
        }
    }
    struct sp_store_stats stats = stats_of(follower);
    ck_assert_uint_eq(stats.catch_up_anew_count, 1);
    ck_assert_uint_le(stats.catch_up_header_count, stats_of(fixture.store).segment_count);
    /* Of each seal the rest of a group, and no more. */
    ck_assert_uint_le(stats.catch_up_record_count,
                      1 + LARGE_APPENDS + 7 * stats.catch_up_header_count);
    sp_store_close(follower);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(follower_reads_the_journal_anew_when_another_writer_has_begun)
{
    struct fixture fixture;
    open_with(&fixture, (struct sp_store_sizes){0});
    append(&fixture, some_batch(&fixture, 1));
    struct sp_store *follower = follow(&fixture);
    wait_for_spans(follower, SPANS_EACH);
    ck_assert_uint_eq(stats_of(follower).catch_up_anew_count, 1);
    fixture_reopen(&fixture);
    append(&fixture, some_batch(&fixture, 2));
    wait_for_spans(follower, 2 * SPANS_EACH);
    ck_assert_uint_ge(stats_of(follower).catch_up_anew_count, 2);
    assert_same_answers(fixture.store, follower, SP_TIME_RANGE_ALL);
    sp_store_close(follower);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- one state ---- */

struct long_read {
    struct fixture *fixture;
    struct sp_store *follower;
    size_t visited;
};

/* At the first trace, everything that is read is merged away, and the follower has heard of it. */
static enum sp_visit visit_slowly(void *cookie, const struct sp_candidate *candidate)
{
    struct long_read *read = cookie;
    (void)candidate;
    if (read->visited++ == 0) {
        uint64_t before = span_count(read->follower);
        for (uint64_t i = 0; i < 10; i++)
            append(read->fixture, some_batch(read->fixture, 100 + i));
        wait_for_merges(read->fixture->store);
        wait_for_spans(read->follower, before + 10 * SPANS_EACH);
        usleep(50 * TRY_US); /* so that the dropped tables have gone, too, as a rule */
    }
    return SP_VISIT_CONTINUE;
}

START_TEST(follower_reads_one_state_while_its_segments_are_merged_away)
{
    struct fixture fixture;
    struct sp_error error = {0};
    struct sp_scanned scanned;
    struct sp_store_sizes sizes = small_sizes();
    sizes.merge_spans_max = 1024 * 1024;
    open_with(&fixture, sizes);
    for (uint64_t i = 0; i < 10; i++) {
        struct sp_span spans[SPANS_EACH];
        for (uint64_t s = 0; s < SPANS_EACH; s++)
            spans[s] =
                simple_span(1000 * i + s + 1, s + 1, (i + 1) * 3600000000000ULL, 5, "a", "b");
        append(&fixture, batch_of(&fixture.arena, spans, SPANS_EACH));
        usleep(20 * TRY_US);
    }
    struct sp_store *follower = follow(&fixture);
    wait_for_spans(follower, 10 * SPANS_EACH);
    struct long_read read = {.fixture = &fixture, .follower = follower};
    const struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    enum sp_status status =
        sp_store_scan(follower, &scan, NULL, visit_slowly, &read, &scanned, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
    ck_assert_uint_eq(read.visited, 10 * SPANS_EACH);
    sp_store_close(follower);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

struct reader {
    struct sp_store *follower;
    _Atomic bool ends;
    size_t reads;
};

/* Whole appends, and never fewer than before. */
static void *read_counts(void *cookie)
{
    struct reader *reader = cookie;
    uint64_t before = 0;
    while (!atomic_load(&reader->ends)) {
        struct sp_arena arena;
        const struct sp_service_row *rows;
        size_t count;
        uint64_t spans = 0;
        struct sp_error error = {0};
        sp_arena_init(&arena, SIZE_MAX);
        enum sp_status status = sp_store_services(reader->follower, SP_TIME_RANGE_ALL, NULL, &arena,
                                                  &rows, &count, &error);
        ck_assert_msg(status == SP_OK, "%s", error.message);
        for (size_t i = 0; i < count; i++)
            spans += rows[i].span_count;
        ck_assert_msg(spans % SPANS_EACH == 0 && spans >= before, "%llu spans after %llu",
                      (unsigned long long)spans, (unsigned long long)before);
        before = spans;
        reader->reads++;
        sp_arena_fini(&arena);
        usleep(TRY_US / 10);
    }
    return NULL;
}

START_TEST(follower_sees_whole_appends_only_and_each_span_once)
{
    struct fixture fixture;
    pthread_t thread;
    open_with(&fixture, small_sizes());
    append(&fixture, some_batch(&fixture, 1));
    struct reader reader = {.follower = follow(&fixture)};
    ck_assert_int_eq(pthread_create(&thread, NULL, read_counts, &reader), 0);
    for (uint64_t i = 1; i < 400; i++) {
        append(&fixture, some_batch(&fixture, 1 + i));
        if (i % 50 == 0)
            wait_for_spans(reader.follower, (i + 1) * SPANS_EACH);
        if (i % 130 == 0)
            fixture_reopen(&fixture);
    }
    wait_for_spans(reader.follower, 400 * SPANS_EACH);
    atomic_store(&reader.ends, true);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(reader.reads, 0);
    assert_same_answers(fixture.store, reader.follower, SP_TIME_RANGE_ALL);
    sp_store_close(reader.follower);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- the first append ---- */

START_TEST(store_without_spans_can_be_followed)
{
    struct fixture fixture;
    open_with(&fixture, small_sizes());
    struct sp_store *follower = follow(&fixture);
    ck_assert_uint_eq(span_count(follower), 0);
    append(&fixture, some_batch(&fixture, 1));
    wait_for_spans(follower, SPANS_EACH);
    assert_same_answers(fixture.store, follower, SP_TIME_RANGE_ALL);
    sp_store_close(follower);
    fixture_fini(&fixture);
}
END_TEST

/* ---- refusals ---- */

START_TEST(follower_refuses_appends)
{
    struct fixture fixture;
    open_with(&fixture, (struct sp_store_sizes){0});
    append(&fixture, some_batch(&fixture, 1));
    struct sp_store *follower = follow(&fixture);
    ck_assert_int_eq(
        append_as(follower, some_batch(&fixture, 2), SP_BODY_OTLP_PROTOBUF, SP_BODY_IDENTITY),
        SP_PERMISSION);
    sp_store_drain(follower);
    ck_assert_uint_eq(span_count(follower), SPANS_EACH);
    sp_store_close(follower);
    fixture_fini(&fixture);
}
END_TEST

static void assert_not_followed(const struct fixture *fixture, enum sp_status want,
                                const char *message)
{
    struct sp_store *store;
    struct sp_error error = {0};
    ck_assert_int_eq(sp_store_rocksdb_follow(&fixture->options, &store, &error), want);
    ck_assert_msg(strstr(error.message, message) != NULL, "%s", error.message);
    ck_assert_int_eq(sp_store_rocksdb_follow(&fixture->options, &store, NULL), want);
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture->data_dir, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(follower_says_what_is_wrong_with_a_directory)
{
    struct fixture fixture;
    char path[256];
    fixture_init(&fixture, ENGINE_ROCKSDB);
    sp_store_close(fixture.store);
    fixture.store = NULL;
    snprintf(path, sizeof(path), "%s/nothing", fixture.data_dir);
    fixture.options.data_dir = path;
    assert_not_followed(&fixture, SP_NOT_FOUND, "is not a data directory");
    fixture.options.data_dir = fixture.data_dir;
    write_file(&fixture, "FORMAT", "spoor data, format 999\n");
    assert_not_followed(&fixture, SP_VERSION, "says format 999");
    remove_folder(fixture.data_dir);
    ck_assert_int_eq(mkdir(fixture.data_dir, 0777), 0);
    snprintf(path, sizeof(path), "spoor data, format %d\n", SP_DATADIR_FORMAT);
    write_file(&fixture, "FORMAT", path);
    snprintf(path, sizeof(path), "%s/db", fixture.data_dir);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    assert_not_followed(&fixture, SP_UNAVAILABLE, "holds no database yet");
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("follow");
    TCase *tcase = tcase_create("follow");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, follower_answers_as_the_writer_from_the_journal);
    tcase_add_test(tcase, follower_answers_as_the_writer_while_it_seals_and_merges);
    tcase_add_test(tcase, follower_reads_what_is_new_and_nothing_twice);
    tcase_add_test(tcase, follower_makes_blocks_again_of_which_a_part_is_sealed);
    tcase_add_test(tcase, follower_reads_the_journal_anew_when_another_writer_has_begun);
    tcase_add_test(tcase, follower_reads_one_state_while_its_segments_are_merged_away);
    tcase_add_test(tcase, follower_sees_whole_appends_only_and_each_span_once);
    tcase_add_test(tcase, store_without_spans_can_be_followed);
    tcase_add_test(tcase, follower_refuses_appends);
    tcase_add_test(tcase, follower_says_what_is_wrong_with_a_directory);
    suite_add_tcase(suite, tcase);
    return suite;
}
