/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_steps.c: a crash before every step, and before each that has a name. All that a crash can tell from another is which calls to the disk were
 * made: so one course of appends, seals, merges and a restart is cut off before its first such call, its second, ... its last, and before
 * some by half; what was acked until then must be there, once, in spans, counts and graph. A step is a thread and its call ("spoor:seal:
 * write a log"); those that were met are listed. The threads do not come in the same order each time: hence several rounds. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"
#include "tests/support/disk_fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ROUNDS    4 /* of which each takes every fourth call */
#define APPENDS   6
#define CALLS_MAX 1000
#define STEPS_MAX 200

static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

/* Shared with the processes that check forks. */
static struct steps {
    struct {
        char text[DISK_STEP_TEXT];
        unsigned count;
    } items[STEPS_MAX];
    size_t count;
} * steps;

static void count_step(const char *text)
{
    size_t i = 0;
    while (i < steps->count && strcmp(steps->items[i].text, text) != 0)
        i++;
    ck_assert_uint_lt(i, STEPS_MAX);
    if (i == steps->count) {
        snprintf(steps->items[i].text, DISK_STEP_TEXT, "%s", text);
        steps->count++;
    }
    steps->items[i].count++;
}

/* Calls between two services in traces that all appends have spans of, so that each seal and merge has to do with older ones. */
static const struct sp_batch *batch_number(struct sp_arena *arena, uint64_t number)
{
    struct sp_span spans[6];
    for (uint64_t i = 0; i < SP_ARRAY_LEN(spans); i++) {
        uint64_t id = number * SP_ARRAY_LEN(spans) + i + 1;
        spans[i] = simple_span(1 + i, id, noon_unix_ns + id * 1000, 1000 + id,
                               number % 2 ? "web" : "cart", number % 2 ? "call" : "serve");
        spans[i].kind = number % 2 ? SP_KIND_CLIENT : SP_KIND_SERVER;
        if (number > 0)
            spans[i].parent_span_id =
                simple_span(1, id - SP_ARRAY_LEN(spans), 0, 0, "", "").span_id;
    }
    return batch_of(arena, spans, SP_ARRAY_LEN(spans));
}

/* Stays within what was acked before the crash; *ret_unsure is set for the append that was under way. */
static void run_course(struct fixture *fixture, struct fixture *reference,
                       const struct sp_batch **ret_unsure)
{
    for (uint64_t i = 0; i < APPENDS; i++) {
        bool was_cut = disk_fault_hit(NULL);
        const struct sp_batch *batch = batch_number(&reference->arena, i);
        append(fixture, batch);
        if (!disk_fault_hit(NULL))
            append(reference, batch);
        else if (!was_cut)
            *ret_unsure = batch;
        if (i == APPENDS / 2 && !disk_fault_hit(NULL)) /* a start has steps, too */
            fixture_reopen(fixture);
    }
    wait_for_merges(fixture->store);
    sp_store_close(fixture->store);
}

static void check_after_crash(struct fixture *fixture, struct fixture *reference,
                              const struct sp_batch *unsure)
{
    struct sp_store_stats got;
    struct sp_store_stats want;
    ck_assert_int_eq(sp_store_stats(fixture->store, &got, NULL), SP_OK);
    ck_assert_int_eq(sp_store_stats(reference->store, &want, NULL), SP_OK);
    if (unsure != NULL && got.span_count > want.span_count)
        append(reference, unsure);
    assert_same_answers(reference->store, fixture->store, SP_TIME_RANGE_ALL);
    wait_for_merges(fixture->store);
    assert_same_answers(reference->store, fixture->store, SP_TIME_RANGE_ALL);
}

/* False: the course was over before. */
static bool cut_course(const struct disk_fault *cut, enum sp_durability durability)
{
    struct fixture fixture;
    struct fixture reference;
    const struct sp_batch *unsure = NULL;
    char step[DISK_STEP_TEXT];
    fixture_make(&reference, ENGINE_REFERENCE, true);
    fixture_open(&reference);
    fixture_make(&fixture, ENGINE_ROCKSDB, true);
    fixture.options.sizes = small_sizes();
    fixture.options.durability = durability;
    disk_fault_watch(fixture.data_dir);
    fixture_open(&fixture);
    disk_fault_set(cut);
    run_course(&fixture, &reference, &unsure);
    bool was_cut = disk_fault_hit(step);
    disk_fault_set(NULL);
    if (was_cut)
        count_step(step);
    fixture_open(&fixture);
    check_after_crash(&fixture, &reference, unsure);
    disk_fault_watch(NULL);
    fixture_close_sound(&fixture);
    fixture_fini(&fixture);
    fixture_fini(&reference);
    return was_cut;
}

START_TEST(crash_before_any_call_loses_and_doubles_nothing)
{
    bool was_cut = true;
    for (uint64_t call = 1 + (uint64_t)_i; was_cut; call += ROUNDS) {
        ck_assert_uint_lt(call, CALLS_MAX);
        const struct disk_fault cut = {.calls = DISK_ALL_CALLS,
                                       .first = call,
                                       .count = UINT64_MAX,
                                       .outcome = DISK_LEAVES,
                                       .by_half = call % 3 == 0};
        was_cut = cut_course(&cut, call % 2 ? SP_DURABILITY_SYNC : SP_DURABILITY_OS);
    }
}
END_TEST

/* What one after the other happens to a request, by name. All else that the store does between two of these leaves no trace on the disk. */
static const struct {
    const char *name, *thread;
    enum disk_call call;
    enum disk_file file;
} named[] = {
    {"requests are written to the journal", "spoor:commit", DISK_WRITE, DISK_LOG},
    {"the journal is synced", "spoor:commit", DISK_SYNC, DISK_LOG},
    {"a segment is sealed", "spoor:seal", DISK_WRITE, DISK_LOG},
    {"the log is synced with it", "spoor:seal", DISK_SYNC, DISK_LOG},
    {"another log begins", "spoor:seal", DISK_OPEN, DISK_LOG},
    {"the manifest learns of it", "spoor:seal", DISK_WRITE, DISK_MANIFEST},
    {"a table is made of what was sealed", "rocksdb:high", DISK_OPEN, DISK_TABLE},
    {"the table is written", "rocksdb:high", DISK_WRITE, DISK_TABLE},
    {"the table is synced", "rocksdb:high", DISK_SYNC, DISK_TABLE},
    {"the manifest learns of the table", "rocksdb:high", DISK_WRITE, DISK_MANIFEST},
    {"the manifest is synced", "rocksdb:high", DISK_SYNC, DISK_MANIFEST},
    {"the old log goes", "rocksdb:high", DISK_UNLINK, DISK_LOG},
    {"a merge writes chunks, or its header for those of others", "spoor:merge", DISK_WRITE,
     DISK_LOG},
    {"the log is synced before merged segments are dropped", "spoor:merge", DISK_SYNC, DISK_LOG},
};

#define OCCURRENCES 3

START_TEST(crash_before_a_named_step_loses_and_doubles_nothing)
{
    for (uint64_t i = 0; i < OCCURRENCES; i++) {
        const struct disk_fault cut = {.calls = 1U << named[_i].call,
                                       .files = 1U << named[_i].file,
                                       .thread = named[_i].thread,
                                       .first = 1 + i,
                                       .count = UINT64_MAX,
                                       .outcome = DISK_LEAVES,
                                       .by_half = i == 1};
        ck_assert_msg(cut_course(&cut, SP_DURABILITY_SYNC) || i > 0, "it did not come: %s",
                      named[_i].name);
    }
}
END_TEST

static void print_steps(void)
{
    unsigned total = 0;
    for (size_t i = 0; i < steps->count; i++) {
        printf("# %4u crashes before %s\n", steps->items[i].count, steps->items[i].text);
        total += steps->items[i].count;
    }
    printf("# %u crashes\n", total);
    fflush(stdout);
}

Suite *sp_test_suite(void)
{
    steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (steps == MAP_FAILED)
        abort();
    Suite *suite = suite_create("steps");
    TCase *tcase = tcase_create("rocksdb");
    tcase_set_timeout(tcase, 240);
    tcase_add_unchecked_fixture(tcase, NULL, print_steps);
    tcase_add_loop_test(tcase, crash_before_any_call_loses_and_doubles_nothing, 0, ROUNDS);
    tcase_add_loop_test(tcase, crash_before_a_named_step_loses_and_doubles_nothing, 0,
                        (int)SP_ARRAY_LEN(named));
    suite_add_tcase(suite, tcase);
    return suite;
}
