/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_history.c: random histories on both engines at once: appends, reads, drains, restarts; whatever is
 * asked, both must answer the same. A history that fails is printed, with its seed; SPOOR_HISTORY_SEED=N replays it alone. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define GROUPS      20
#define GROUP_SEEDS 10
#define OPERATIONS  14

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
    uint64_t trace_seed;
    struct sp_trace_id ids[4096]; /* traces that were appended */
    size_t id_count;
};

static const uint64_t second_ns = 1000000000;

static uint64_t random_time(struct history *history)
{
    const uint64_t base_unix_ns = 1767225600ULL * 1000000000; /* where the generator begins */
    switch (sp_gen_below(&history->gen, 8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2: /* at a minute's edge, or just beside it */
        return base_unix_ns + sp_gen_below(&history->gen, 70) * 60 * second_ns +
               sp_gen_below(&history->gen, 3) - 1;
    default:
        return base_unix_ns + sp_gen_below(&history->gen, 4000 * second_ns);
    }
}

static struct sp_time_range random_range(struct history *history)
{
    return (struct sp_time_range){random_time(history), random_time(history)};
}

static void do_append(struct history *history)
{
    struct sp_gen *gen = &history->gen;
    struct sp_gen_options options = sp_gen_options_everything(1 + sp_gen_below(gen, 40));
    options.trace_seed = history->trace_seed;
    options.trace_count = 1 + sp_gen_below(gen, 12);
    options.odd_percent = sp_gen_chance(gen, 50) ? 20 : 0;
    options.window_ns = sp_gen_chance(gen, 50) ? 0 : 90 * second_ns;
    options.no_residue = true;
    bool json = sp_gen_chance(gen, 20) && options.odd_percent == 0;
    enum sp_body_format format = json ? SP_BODY_OTLP_JSON : SP_BODY_OTLP_PROTOBUF;
    enum sp_body_encoding encoding = (enum sp_body_encoding)(1 + sp_gen_below(gen, 3));
    uint64_t seed = sp_gen_u64(gen);
    note("append %zu spans, generator seed %llu, format %d, encoding %d\n", options.span_count,
         (unsigned long long)seed, (int)format, (int)encoding);
    const struct sp_batch *batch = sp_gen_batch(&history->stores[0].arena, seed, &options);
    for (int i = 0; i < ENGINE_COUNT; i++)
        ck_assert_int_eq(append_as(history->stores[i].store, batch, format, encoding), SP_OK);
    for (size_t i = 0; i < batch->span_count && history->id_count < SP_ARRAY_LEN(history->ids); i++)
        history->ids[history->id_count++] = batch->spans[i].trace_id;
}

static void do_read(struct history *history)
{
    if (history->id_count == 0)
        return;
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_batch *batch;
    struct sp_trace_id id = history->ids[sp_gen_below(&history->gen, history->id_count)];
    char text[SP_TRACE_ID_TEXT];
    sp_trace_id_format(&id, text);
    note("read trace %s\n", text);
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(
        sp_store_trace_read(history->stores[ENGINE_REFERENCE].store, &id, &arena, &batch, &error),
        SP_OK);
    struct span_list want = span_list_make(&arena, &batch, 1);
    assert_trace(history->stores[ENGINE_ROCKSDB].store, &id, &want);
    sp_arena_fini(&arena);
}

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

/* Every append is sealed, and merged soon, while the history goes on. */
static void make_small(struct history *history)
{
    struct sp_store_sizes sizes = small_sizes();
    if (sp_gen_chance(&history->gen, 30)) /* some wait in memory for more */
        sizes.seal_spans = 1 + sp_gen_below(&history->gen, 60);
    sizes.merge_spans = 1 + sp_gen_below(&history->gen, 100);
    sizes.merge_segments = 2 + (uint32_t)sp_gen_below(&history->gen, 2);
    note("seal %llu spans, merge %u segments below %llu\n", (unsigned long long)sizes.seal_spans,
         sizes.merge_segments, (unsigned long long)sizes.merge_spans);
    history->stores[ENGINE_ROCKSDB].options.sizes = sizes;
    fixture_reopen(&history->stores[ENGINE_ROCKSDB]);
}

static void run_history(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    record->len = 0;
    record->running = true;
    note("SPOOR_HISTORY_SEED=%llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    history->trace_seed = seed;
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_init(&history->stores[i], (enum engine)i);
    if (seed % 2 == 0)
        make_small(history);
    for (int i = 0; i < OPERATIONS; i++) {
        switch (sp_gen_below(&history->gen, 13)) {
        case 0:
        case 1:
        case 2:
            do_read(history);
            break;
        case 3:
            do_compare(history, random_range(history));
            break;
        case 4: /* drained stores take no more: the next append needs a restart */
            note("drain\n");
            sp_store_drain(history->stores[ENGINE_ROCKSDB].store);
            note("restart\n");
            fixture_reopen(&history->stores[ENGINE_ROCKSDB]);
            break;
        case 5:
            if (history->stores[ENGINE_ROCKSDB].options.sizes.seal_spans == 1) {
                note("wait for merges\n");
                wait_for_merges(history->stores[ENGINE_ROCKSDB].store);
            }
            break;
        default:
            do_append(history);
            break;
        }
    }
    do_compare(history, SP_TIME_RANGE_ALL);
    do_compare(history, random_range(history));
    fixture_close_sound(&history->stores[ENGINE_ROCKSDB]);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record->running = false;
}

START_TEST(both_engines_answer_the_same_after_any_history)
{
    print_record(); /* of the group before, if it failed */
    const char *alone = getenv("SPOOR_HISTORY_SEED");
    if (alone != NULL) {
        if (_i == 0)
            run_history(strtoull(alone, NULL, 10));
        return;
    }
    for (uint64_t i = 0; i < GROUP_SEEDS; i++)
        run_history((uint64_t)_i * GROUP_SEEDS + i + 1);
}
END_TEST

/* ---- traces in many segments ---- */

#define SPREAD_SEEDS  25
#define SPREAD_STEPS  6
#define SPREAD_TRACES 6
#define SPREAD_IDS    9

static struct sp_span tangled_span(struct sp_gen *gen)
{
    static const char *const services[] = {"web", "cart", "orders", "queue"};
    static const char *const names[] = {"call", "serve"};
    uint64_t start = 1767225600ULL * second_ns + sp_gen_below(gen, 4) * 60 * second_ns +
                     sp_gen_below(gen, 3) * second_ns;
    struct sp_span span = simple_span(
        1 + sp_gen_below(gen, SPREAD_TRACES), 1 + sp_gen_below(gen, SPREAD_IDS), start,
        sp_gen_below(gen, 5) * 1000, services[sp_gen_below(gen, SP_ARRAY_LEN(services))],
        names[sp_gen_below(gen, SP_ARRAY_LEN(names))]);
    span.kind = (int32_t)sp_gen_below(gen, 6);
    /* Parents that come later, or never; ids that are there twice, as client and server or by mistake. */
    if (sp_gen_chance(gen, 80))
        span.parent_span_id =
            simple_span(1, 1 + sp_gen_below(gen, SPREAD_IDS), 0, 0, "", "").span_id;
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
            spans[i] = tangled_span(&history->gen);
    }
    const struct sp_batch *batch = batch_of(arena, spans, count);
    note("append %zu tangled spans\n", count);
    for (int i = 0; i < ENGINE_COUNT; i++)
        append(&history->stores[i], batch);
}

static void run_spread(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));
    struct sp_span spans[8];
    record->len = 0;
    record->running = true;
    note("spread, seed %llu\n", (unsigned long long)seed);
    history->gen.state = seed;
    for (size_t i = 0; i < SP_ARRAY_LEN(spans); i++)
        spans[i] = tangled_span(&history->gen);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_init(&history->stores[i], (enum engine)i);
    for (int step = 0; step < SPREAD_STEPS; step++) {
        for (uint64_t i = sp_gen_below(&history->gen, 3); i < 3; i++)
            append_tangled(history, spans, 1 + sp_gen_below(&history->gen, SP_ARRAY_LEN(spans)));
        do_compare(history, SP_TIME_RANGE_ALL); /* some in segments, some not */
        note("drain, restart\n");
        sp_store_drain(history->stores[ENGINE_ROCKSDB].store);
        fixture_reopen(&history->stores[ENGINE_ROCKSDB]);
        uint64_t from = 1767225600ULL * second_ns + sp_gen_below(&history->gen, 4) * 60 * second_ns;
        do_compare(history, SP_TIME_RANGE_ALL);
        do_compare(history, (struct sp_time_range){from, from + 60 * second_ns});
        do_compare(history, (struct sp_time_range){from + second_ns, from + 130 * second_ns});
    }
    fixture_close_sound(&history->stores[ENGINE_ROCKSDB]);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fixture_fini(&history->stores[i]);
    free(history);
    record->running = false;
}

START_TEST(traces_that_are_spread_over_segments_count_as_whole_ones)
{
    print_record();
    run_spread((uint64_t)_i + 1);
}
END_TEST

Suite *sp_test_suite(void)
{
    record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
        abort();
    Suite *suite = suite_create("history");
    TCase *tcase = tcase_create("reference and rocksdb");
    tcase_set_timeout(tcase, 120);
    tcase_add_unchecked_fixture(tcase, NULL, print_record);
    tcase_add_loop_test(tcase, both_engines_answer_the_same_after_any_history, 0, GROUPS);
    tcase_add_loop_test(tcase, traces_that_are_spread_over_segments_count_as_whole_ones, 0,
                        SPREAD_SEEDS);
    suite_add_tcase(suite, tcase);
    return suite;
}
