/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_aging.c: random histories in which time goes on and segments that hold parts of traces are removed; the
 * reference loses the same appends, and both must answer the same. A history that fails is printed. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define AGING_TRACES 6
#define AGING_IDS    9
#define AGING_SEEDS  25
#define AGING_STEPS  10

/* Shared with the parent process, which prints it when the child has failed. */
static struct record {
    bool running;
    size_t len;
    char text[64 * 1024];
} * record;

static void note(const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof(record->text) - record->len;
    va_start(arguments, format);
    int len = vsnprintf(record->text + record->len, room, format, arguments);
    va_end(arguments);
    if (len > 0)
        record->len += (size_t)len < room ? (size_t)len : room - 1;
}

static void print_record(void)
{
    if (!record->running)
        return;
    printf("# the history that failed:\n");
    for (char *line = strtok(record->text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("#   %s\n", line);
    fflush(stdout);
    record->running = false;
}

struct history {
    struct fixture stores[ENGINE_COUNT];
    struct sp_gen gen;
    uint64_t minute; /* in which spans begin */
};

static const uint64_t second_ns = 1000000000;

/* The first line that differs. */
static void expect_equal_text(const struct sp_buf *want, const struct sp_buf *got)
{
    struct sp_slice a = sp_buf_slice(want);
    struct sp_slice b = sp_buf_slice(got);
    while (a.len > 0 || b.len > 0) {
        struct sp_slice line_a = sp_slice_sub(a, 0, sp_slice_find(a, '\n'));
        struct sp_slice line_b = sp_slice_sub(b, 0, sp_slice_find(b, '\n'));
        ck_assert_msg(sp_slice_equal(line_a, line_b), "reference: %.*s\nrocksdb:   %.*s",
                      SP_SLICE_PRINTF(line_a), SP_SLICE_PRINTF(line_b));
        a = sp_slice_sub(a, line_a.len + 1, SIZE_MAX);
        b = sp_slice_sub(b, line_b.len + 1, SIZE_MAX);
    }
}

static void do_compare(struct history *history, struct sp_time_range range)
{
    struct sp_buf texts[ENGINE_COUNT];
    note("compare answers from %llu to %llu\n", (unsigned long long)range.from_unix_ns,
         (unsigned long long)range.to_unix_ns);
    for (int i = 0; i < ENGINE_COUNT; i++) {
        sp_buf_init(&texts[i], SIZE_MAX / 2);
        describe_answers(history->stores[i].store, range, &texts[i]);
    }
    expect_equal_text(&texts[ENGINE_REFERENCE], &texts[ENGINE_ROCKSDB]);
    for (int i = 0; i < ENGINE_COUNT; i++)
        sp_buf_fini(&texts[i]);
}

/* What the engine on disk chose to remove goes from the reference, too. */
static void remove_from_reference(void *cookie, uint64_t first, uint64_t last)
{
    struct history *history = cookie;
    note("  removed appends %llu to %llu\n", (unsigned long long)first, (unsigned long long)last);
    sp_store_reference_remove(history->stores[ENGINE_REFERENCE].store, first, last);
}

static void do_retain(struct history *history, uint64_t now_unix_ns)
{
    struct sp_error error = {0};
    struct sp_retain retain = {.keep = {.age_ns = 1},
                               .now_unix_ns = now_unix_ns,
                               .removed = remove_from_reference,
                               .cookie = history};
    note("remove what is older than %llu\n", (unsigned long long)now_unix_ns);
    enum sp_status status = sp_store_retain(history->stores[ENGINE_ROCKSDB].store, &retain, &error);
    ck_assert_msg(status == SP_OK, "%s", error.message);
}

static struct sp_span tangled_span(struct sp_gen *gen, uint64_t minute)
{
    static const char *const services[] = {"web", "cart", "orders", "queue"};
    static const char *const names[] = {"call", "serve"};
    uint64_t start = 1767225600ULL * second_ns + (minute + sp_gen_below(gen, 4)) * 60 * second_ns +
                     sp_gen_below(gen, 3) * second_ns;
    struct sp_span span = simple_span(
        1 + sp_gen_below(gen, AGING_TRACES), 1 + sp_gen_below(gen, AGING_IDS), start,
        sp_gen_below(gen, 5) * 1000, services[sp_gen_below(gen, SP_ARRAY_LEN(services))],
        names[sp_gen_below(gen, SP_ARRAY_LEN(names))]);
    span.kind = (int32_t)sp_gen_below(gen, 6);
    /* Parents that come later, or never; ids that are there twice, as client and server or by mistake. */
    if (sp_gen_chance(gen, 80))
        span.parent_span_id =
            simple_span(1, 1 + sp_gen_below(gen, AGING_IDS), 0, 0, "", "").span_id;
    if (sp_gen_chance(gen, 20)) {
        span.status_present = true;
        span.status_code = SP_SPAN_STATUS_ERROR;
    }
    return span;
}

/* What comes is the same as before with some chance: a sender that tries again. */
static void append_tangled(struct history *history, struct sp_span *spans, size_t count)
{
    struct sp_arena *arena = &history->stores[0].arena;
    if (sp_gen_chance(&history->gen, 80)) {
        for (size_t i = 0; i < count; i++)
            spans[i] = tangled_span(&history->gen, history->minute);
    }
    const struct sp_batch *batch = batch_of(arena, spans, count);
    note("append %zu tangled spans\n", count);
    for (int i = 0; i < ENGINE_COUNT; i++)
        append(&history->stores[i], batch);
}

/* Time goes on, and segments that hold parts of traces go. */
static void run_aging(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    struct sp_span spans[8];
    record->len = 0;
    record->running = true;
    note("aging, seed %llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = tangled_span(&history->gen, 0);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_init(&history->stores[i], (enum engine)i);
    struct fixture *fixture = &history->stores[ENGINE_ROCKSDB];
    fixture->options.sizes = small_sizes();
    fixture->options.sizes.merge_segments = seed % 3 == 0 ? 2 : 1000;
    fixture_reopen(fixture);
    for (int step = 0; step < AGING_STEPS; step++) {
        history->minute += sp_gen_below(&history->gen, 3);
        for (uint64_t i = sp_gen_below(&history->gen, 3); i < 3; i++)
            append_tangled(history, spans, 1 + sp_gen_below(&history->gen, SP_ARRAY_LEN(spans)));
        if (sp_gen_chance(&history->gen, 70)) /* otherwise some are sealed while others go */
            wait_for_merges(fixture->store);
        uint64_t from = (1767225600ULL + 60 * history->minute) * second_ns;
        do_retain(history, from + sp_gen_below(&history->gen, 3) * 60 * second_ns);
        do_compare(history, SP_TIME_RANGE_ALL);
        if (sp_gen_chance(&history->gen, 25)) {
            note("restart\n");
            fixture_reopen(fixture);
            do_compare(history, SP_TIME_RANGE_ALL);
        }
        do_compare(history, (struct sp_time_range){from, from + 90 * second_ns});
    }
    wait_for_merges(fixture->store);
    do_compare(history, SP_TIME_RANGE_ALL);
    fixture_close_sound(fixture);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record->running = false;
}

START_TEST(traces_whose_segments_were_removed_count_as_what_is_left)
{
    print_record();
    run_aging((uint64_t)_i + 1);
}
END_TEST

Suite *sp_test_suite(void)
{
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
        abort();
    Suite *suite = suite_create("aging");
    TCase *tcase = tcase_create("reference and rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, NULL, print_record);
    tcase_add_loop_test(tcase, traces_whose_segments_were_removed_count_as_what_is_left, 0,
                        AGING_SEEDS);
    suite_add_tcase(suite, tcase);
    return suite;
}
