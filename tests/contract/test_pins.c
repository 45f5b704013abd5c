/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_pins.c: traces that are pinned stay, whatever retention removes around them. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#define MIB ((uint64_t)1024 * 1024)

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;
static const uint64_t hour_ns = 3600ULL * 1000000000;

static enum sp_status pin(struct sp_store *store, uint64_t trace, uint64_t now_unix_ns)
{
    struct sp_trace_id id = trace_id_of(trace);
    struct sp_error error = {0};
    enum sp_status status = sp_store_pin(store, &id, now_unix_ns, &error);
    ck_assert(status == SP_OK || error.message[0] != '\0');
    return status;
}

static enum sp_status unpin(struct sp_store *store, uint64_t trace)
{
    struct sp_trace_id id = trace_id_of(trace);
    return sp_store_unpin(store, &id, NULL);
}

static struct sp_pins pins_of(struct fixture *fixture)
{
    struct sp_pins pins;
    ck_assert_int_eq(sp_store_pins(fixture->store, &fixture->arena, &pins, NULL), SP_OK);
    for (size_t i = 1; i < pins.count; i++)
        ck_assert_uint_le(pins.rows[i - 1].pinned_unix_ns, pins.rows[i].pinned_unix_ns);
    return pins;
}

/* Spans that are stored of a trace. */
static uint64_t stored(struct sp_store *store, uint64_t trace)
{
    struct sp_trace_id id = trace_id_of(trace);
    struct sp_trace_measure found;
    ck_assert_int_eq(sp_store_traces_measure(store, &id, 1, NULL, &found, NULL), SP_OK);
    return found.span_count;
}

static void count_removed(void *cookie, uint64_t first, uint64_t last, uint64_t span_count)
{
    uint64_t *spans = cookie;
    (void)first, (void)last;
    *spans += span_count;
}

/* Removes what may go. How many spans went. */
static uint64_t retain(struct sp_store *store, struct sp_retention keep)
{
    uint64_t spans = 0;
    struct sp_retain retain = {.keep = keep,
                               .now_unix_ns = noon_unix_ns + 1000000 * hour_ns,
                               .removed = count_removed,
                               .cookie = &spans};
    ck_assert_int_eq(sp_store_retain(store, &retain, NULL), SP_OK);
    return spans;
}

static uint64_t retain_nothing(struct sp_store *store)
{
    return retain(store, (struct sp_retention){.age_ns = 1});
}

/* As many segments as there are appends, each at its place when this returns. */
static void begin(struct fixture *fixture, enum engine engine)
{
    fixture_init(fixture, engine);
    fixture->options.sizes = small_sizes();
    fixture->options.sizes.merge_segments = 1000;
    fixture_reopen(fixture);
}

static void append_span(struct fixture *fixture, uint64_t trace, uint64_t span)
{
    struct sp_span made =
        simple_span(trace, span, noon_unix_ns + trace * hour_ns, 5, "cart", "GET /");
    append(fixture, batch_of(&fixture->arena, &made, 1));
    if (fixture->engine == ENGINE_ROCKSDB)
        wait_for_merges(fixture->store);
}

START_TEST(pinned_trace_stays_with_all_its_spans)
{
    struct fixture fixture;
    begin(&fixture, (enum engine)_i);
    for (uint64_t trace = 1; trace <= 6; trace++)
        append_span(&fixture, trace, 1);
    append_span(&fixture, 3, 2); /* in a segment of its own, behind the others */
    ck_assert_int_eq(pin(fixture.store, 3, 77), SP_OK);
    append_span(&fixture, 3, 3); /* and one that comes when it is pinned */
    ck_assert_uint_eq(retain_nothing(fixture.store), 5);
    for (int round = 0; round < 2; round++) {
        for (uint64_t trace = 1; trace <= 6; trace++)
            ck_assert_uint_eq(stored(fixture.store, trace), trace == 3 ? 3 : 0);
        ck_assert_uint_eq(stats_of(fixture.store).span_count, 3);
        struct sp_pins pins = pins_of(&fixture);
        ck_assert_uint_eq(pins.count, 1);
        ck_assert_uint_eq(pins.rows[0].pinned_unix_ns, 77);
        ck_assert_uint_eq(pins.segment_count, fixture.engine == ENGINE_ROCKSDB ? 3 : 0);
        ck_assert_uint_eq(retain_nothing(fixture.store), 0);
        fixture_reopen(&fixture);
    }
    ck_assert_int_eq(unpin(fixture.store, 3), SP_OK);
    ck_assert_uint_eq(pins_of(&fixture).count, 0);
    ck_assert_uint_eq(retain_nothing(fixture.store), 3);
    ck_assert_uint_eq(stored(fixture.store, 3), 0);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(what_cannot_be_pinned_is_refused)
{
    struct fixture fixture;
    begin(&fixture, (enum engine)_i);
    ck_assert_int_eq(pin(fixture.store, 1, 1), SP_NOT_FOUND);
    ck_assert_uint_eq(pins_of(&fixture).count, 0);
    ck_assert_int_eq(unpin(fixture.store, 1), SP_NOT_FOUND);
    for (uint64_t trace = 1; trace <= SP_PINS_MAX + 1; trace++) {
        struct sp_span span = simple_span(trace, 1, noon_unix_ns, 5, "cart", "x");
        append(&fixture, batch_of(&fixture.arena, &span, 1));
        ck_assert_int_eq(pin(fixture.store, trace, 1000 - trace),
                         trace <= SP_PINS_MAX ? SP_OK : SP_LIMIT);
    }
    ck_assert_int_eq(pin(fixture.store, 1, 5000), SP_OK); /* again is nothing new */
    ck_assert_uint_eq(pins_of(&fixture).count, SP_PINS_MAX);
    ck_assert_int_eq(unpin(fixture.store, 2), SP_OK);
    ck_assert_int_eq(pin(fixture.store, SP_PINS_MAX + 1, 6000), SP_OK);
    fixture_reopen(&fixture);
    struct sp_pins pins = pins_of(&fixture);
    bool is_first_kept = false;
    for (size_t i = 0; i < pins.count; i++) {
        struct sp_trace_id first = trace_id_of(1);
        if (sp_trace_id_compare(&pins.rows[i].trace_id, &first) == 0)
            is_first_kept = pins.rows[i].pinned_unix_ns == 999;
    }
    ck_assert(is_first_kept);
    ck_assert_uint_eq(pins.count, SP_PINS_MAX);
    fixture_fini(&fixture);
}
END_TEST

/* What has been merged stays as a whole. */
START_TEST(segments_stay_whole)
{
    struct fixture fixture;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture_reopen(&fixture);
    for (uint64_t trace = 1; trace <= 4; trace++) {
        struct sp_span span = simple_span(trace, 1, noon_unix_ns, 5, "cart", "x");
        append(&fixture, batch_of(&fixture.arena, &span, 1));
        wait_for_merges(fixture.store);
    }
    ck_assert_int_eq(pin(fixture.store, 2, 1), SP_OK);
    ck_assert_uint_eq(stats_of(fixture.store).segment_count, 1);
    ck_assert_uint_eq(retain_nothing(fixture.store), 0);
    ck_assert_uint_eq(stored(fixture.store, 4), 1);
    struct sp_pins pins = pins_of(&fixture);
    ck_assert_uint_eq(pins.segment_count, 1);
    ck_assert_uint_gt(pins.segment_bytes, 0);
    ck_assert_int_eq(unpin(fixture.store, 2), SP_OK);
    ck_assert_uint_eq(retain_nothing(fixture.store), 4);
    fixture_fini(&fixture);
}
END_TEST

static void append_large(struct fixture *fixture, uint64_t trace)
{
    append_noise(fixture, trace, noon_unix_ns, trace, 2 * MIB);
    wait_for_merges(fixture->store);
}

START_TEST(by_size_the_oldest_that_is_not_pinned_goes)
{
    enum { TRACES = 20 };
    struct fixture fixture;
    begin(&fixture, ENGINE_ROCKSDB);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        append_large(&fixture, trace);
    ck_assert_int_eq(pin(fixture.store, 1, 1), SP_OK);
    ck_assert_int_eq(pin(fixture.store, 3, 1), SP_OK);
    uint64_t removed = retain(fixture.store, (struct sp_retention){.disk_bytes = 20 * MIB});
    ck_assert_uint_ge(removed, 10);
    ck_assert_uint_lt(removed, TRACES - 2);
    for (uint64_t trace = 1; trace <= TRACES; trace++)
        ck_assert_uint_eq(stored(fixture.store, trace),
                          trace == 1 || trace == 3 || trace > removed + 2);
    /* When nothing else is left, they stay all the same. */
    retain(fixture.store, (struct sp_retention){.disk_bytes = 1});
    ck_assert_uint_eq(stats_of(fixture.store).span_count, 2);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(pinned_segments_leave_room_for_what_comes)
{
    struct fixture fixture;
    begin(&fixture, ENGINE_ROCKSDB);
    for (uint64_t trace = 1; trace <= 6; trace++)
        append_large(&fixture, trace);
    fixture.options.retention.disk_bytes = 22 * MIB;
    fixture_reopen(&fixture);
    for (uint64_t trace = 1; trace <= 5; trace++)
        ck_assert_int_eq(pin(fixture.store, trace, 1), SP_OK);
    ck_assert_int_eq(pin(fixture.store, 6, 1), SP_LIMIT);
    ck_assert_uint_eq(pins_of(&fixture).count, 5);
    ck_assert_uint_ge(pins_of(&fixture).segment_bytes, 10 * MIB);
    fixture_reopen(&fixture);
    ck_assert_uint_eq(pins_of(&fixture).count, 5);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(who_only_reads_knows_them_and_changes_none)
{
    struct fixture fixture;
    struct sp_store *follower;
    begin(&fixture, ENGINE_ROCKSDB);
    append_span(&fixture, 1, 1);
    append_span(&fixture, 2, 1);
    struct sp_store_options options = fixture.options;
    options.sizes.follow_ns = 1000000;
    ck_assert_int_eq(sp_store_rocksdb_follow(&options, &follower, NULL), SP_OK);
    ck_assert_int_eq(pin(follower, 1, 1), SP_PERMISSION);
    ck_assert_int_eq(unpin(follower, 1), SP_PERMISSION);
    struct sp_pins pins = {.count = 0};
    for (size_t want = 0; want <= 2; want++) {
        if (want > 0)
            ck_assert_int_eq(pin(fixture.store, want, want), SP_OK);
        while (pins.count != want) {
            usleep(1000);
            ck_assert_int_eq(sp_store_pins(follower, &fixture.arena, &pins, NULL), SP_OK);
        }
    }
    ck_assert_uint_eq(pins.segment_count, 2);
    ck_assert_uint_eq(pins.rows[1].pinned_unix_ns, 2);
    ck_assert_int_eq(unpin(fixture.store, 1), SP_OK);
    while (pins.count != 1) {
        usleep(1000);
        ck_assert_int_eq(sp_store_pins(follower, &fixture.arena, &pins, NULL), SP_OK);
    }
    ck_assert_uint_eq(pins.rows[0].pinned_unix_ns, 2);
    sp_store_close(follower);
    fixture_fini(&fixture);
}
END_TEST

/* ---- pins survive a kill ---- */

/* argument: the folder. Ends as soon as the pins were acknowledged. */
START_TEST(play_pinner)
{
    struct fixture fixture = {.engine = ENGINE_ROCKSDB};
    snprintf(fixture.data_dir, sizeof(fixture.data_dir), "%s", played_argument());
    fixture_options(&fixture);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 1000;
    if (sp_store_rocksdb_open(&fixture.options, &fixture.store, NULL) != SP_OK)
        _exit(4);
    for (uint64_t trace = 1; trace <= 3; trace++)
        append_span(&fixture, trace, 1);
    if (pin(fixture.store, 1, 11) != SP_OK || pin(fixture.store, 2, 12) != SP_OK ||
        unpin(fixture.store, 1) != SP_OK)
        _exit(5);
    raise(SIGKILL);
}
END_TEST

START_TEST(pins_survive_a_kill)
{
    struct fixture fixture;
    int ended;
    fixture_make(&fixture, ENGINE_ROCKSDB, false);
    pid_t child = spawn_role("pinner", fixture.data_dir);
    ck_assert_int_eq(waitpid(child, &ended, 0), child);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.merge_segments = 1000;
    fixture_open(&fixture);
    wait_for_merges(fixture.store);
    struct sp_pins pins = pins_of(&fixture);
    ck_assert_uint_eq(pins.count, 1);
    ck_assert_uint_eq(pins.rows[0].pinned_unix_ns, 12);
    ck_assert_uint_eq(retain_nothing(fixture.store), 2);
    ck_assert_uint_eq(stored(fixture.store, 2), 1);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
}
END_TEST

/* ---- pinned while its segment is being removed ---- */

static void *remove_all(void *cookie)
{
    const struct fixture *fixture = cookie;
    retain_nothing(fixture->store);
    return NULL;
}

static void append_many(struct fixture *fixture, uint64_t first_trace, size_t count)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    struct sp_span *spans = sp_arena_calloc(&arena, count, sizeof(*spans));
    ck_assert_ptr_nonnull(spans);
    for (size_t i = 0; i < count; i++)
        spans[i] = simple_span(first_trace + i, 1, noon_unix_ns, 5, "cart", "x");
    append(fixture, batch_of(&arena, spans, count));
    sp_arena_fini(&arena);
}

/* A little later each time, so that it comes before the removal, behind it, and at every moment of it. */
START_TEST(what_is_pinned_while_its_segment_goes_stays_or_is_refused)
{
    enum { ROUNDS = 90, TRACES = 5000, STEP_US = 100 };
    struct fixture fixture;
    size_t pinned = 0;
    fixture_init(&fixture, ENGINE_ROCKSDB);
    fixture.options.sizes = small_sizes();
    fixture.options.sizes.seal_spans = TRACES;
    fixture.options.sizes.merge_segments = 1000;
    fixture_reopen(&fixture);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        pthread_t thread;
        uint64_t trace = 1 + round * TRACES;
        append_many(&fixture, trace, TRACES);
        wait_for_merges(fixture.store);
        ck_assert_int_eq(pthread_create(&thread, NULL, remove_all, &fixture), 0);
        usleep((useconds_t)(round % 30 * STEP_US));
        enum sp_status status = pin(fixture.store, trace + TRACES / 2, 1);
        pthread_join(thread, NULL);
        ck_assert(status == SP_OK || status == SP_NOT_FOUND);
        retain_nothing(fixture.store);
        ck_assert_uint_eq(stored(fixture.store, trace + TRACES / 2), status == SP_OK);
        ck_assert_uint_eq(stats_of(fixture.store).span_count, status == SP_OK ? TRACES : 0);
        if (status == SP_OK)
            ck_assert_int_eq(unpin(fixture.store, trace + TRACES / 2), SP_OK);
        pinned += status == SP_OK;
        retain_nothing(fixture.store);
    }
    ck_assert_uint_gt(pinned, 0);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    if (played_role("pinner"))
        return role_suite(play_pinner);
    Suite *suite = suite_create("pins");
    TCase *each = tcase_create("either engine");
    tcase_add_loop_test(each, pinned_trace_stays_with_all_its_spans, 0, ENGINE_COUNT);
    tcase_add_loop_test(each, what_cannot_be_pinned_is_refused, 0, ENGINE_COUNT);
    suite_add_tcase(suite, each);
    TCase *disk = tcase_create("on disk");
    tcase_set_timeout(disk, 120);
    tcase_add_test(disk, segments_stay_whole);
    tcase_add_test(disk, by_size_the_oldest_that_is_not_pinned_goes);
    tcase_add_test(disk, pinned_segments_leave_room_for_what_comes);
    tcase_add_test(disk, who_only_reads_knows_them_and_changes_none);
    tcase_add_test(disk, pins_survive_a_kill);
    tcase_add_test(disk, what_is_pinned_while_its_segment_goes_stays_or_is_refused);
    suite_add_tcase(suite, disk);
    return suite;
}
