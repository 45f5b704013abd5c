/* SPDX-License-Identifier: Apache-2.0
 *
 * Clocks that disagree: hand-made calls with known bounds, offsets planted into random traces, and traces moved back. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#include <stdio.h>

#define ARENA_BYTES ((size_t)64 << 20)

enum {
    I = SP_KIND_INTERNAL,
    S = SP_KIND_SERVER,
    C = SP_KIND_CLIENT,
    P = SP_KIND_PRODUCER,
    Q = SP_KIND_CONSUMER
};

/* What is found, as "name offset [min,max] calls outside", one clock behind the other, "!" behind one whose calls contradict each
 * other; the reference and clocks without an offset are left out. */
static const struct skew_case {
    const char *what;
    struct span_row rows[8];
    const char *found;
} cases[] = {
    {"calls inside their callers are no evidence",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 1010, 1090}},
     ""},
    {"a call that begins before its caller and ends inside it",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 970, 1050}},
     "b -40 [-50,-30] 1 1"},
    {"a call that begins when its caller has ended, and fits into it",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 1100, 1160}},
     "b 80 [60,100] 1 1"},
    {"a call that finishes a little after its caller is no evidence",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 1090, 1120}},
     ""},
    {"but bounds what is evident otherwise",
     {{1, 0, "a", I, 1000, 2000},
      {2, 1, "a", C, 1000, 1100},
      {3, 2, "b", S, 1100, 1140},
      {4, 1, "a", C, 1200, 1300},
      {5, 4, "b", S, 1270, 1342}},
     "b 56 [42,70] 2 2"},
    {"a call longer than its caller, begun after it, was not waited for",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 1010, 1200}},
     ""},
    {"a call longer than its caller, begun before it: only the upper bound is known",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 990, 1200}},
     "b -10 [-inf,-10] 1 1"},
    {"a caller that gave up did not wait",
     {{1, 0, "a", C, 1000, 1100, SP_SPAN_STATUS_ERROR}, {2, 1, "b", S, 1050, 1140}},
     ""},
    {"a consumer begins after its producer, and ends when it likes",
     {{1, 0, "a", P, 1000, 1100}, {2, 1, "b", Q, 1050, 1140}, {3, 1, "c", Q, 940, 950}},
     "c -60 [-inf,-60] 1 1"},
    {"several calls narrow the bounds",
     {{1, 0, "a", I, 1000, 2000},
      {2, 1, "a", C, 1000, 1100},
      {3, 2, "b", S, 970, 1050},
      {4, 1, "a", C, 1200, 1300},
      {5, 4, "b", S, 1165, 1262}},
     "b -37 [-38,-35] 2 2"},
    {"calls in both directions are about the same offset",
     {{1, 0, "a", C, 1000, 1100},
      {2, 1, "b", S, 970, 1050},
      {3, 2, "b", C, 980, 1040},
      {4, 3, "a", S, 1018, 1076}},
     "b -37 [-38,-36] 2 2"},
    {"a clock behind a clock that is off is measured against it",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 960, 1060}, {3, 2, "c", S, 970, 1050}},
     "b -40 [-40,-40] 1 1; c -40 [-50,-30] 1 0"},
    {"two clocks that are off by different amounts",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 960, 1060}, {3, 2, "c", S, 1160, 1260}},
     "b -40 [-40,-40] 1 1; c 160 [160,160] 1 1"},
    {"calls that no one offset explains: what begins too early is still too early",
     {{1, 0, "a", I, 1000, 2000},
      {2, 1, "a", C, 1000, 1100},
      {3, 2, "b", S, 970, 1050},
      {4, 1, "a", C, 1200, 1300},
      {5, 4, "b", S, 1230, 1320}},
     "b -30 [-inf,-30] 2 2 !"},
    {"a clock that was set meanwhile has no offset",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 900, 950}, {3, 2, "a", S, 800, 850}},
     ""},
    {"a span sent twice is no second call",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 970, 1050}, {2, 1, "b", S, 975, 1050}},
     "b -40 [-50,-30] 1 1"},
    {"an orphan's clock has nothing to be compared with",
     {{1, 0, "a", S, 1000, 1100}, {2, 9, "b", S, 1, 2}},
     ""},
    {"an end before its start is no moment to wait for",
     {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 1050, 20}},
     ""},
};

static void say_bound(char *text, size_t size, int64_t offset)
{
    if (offset == INT64_MIN || offset == INT64_MAX)
        snprintf(text, size, offset < 0 ? "-inf" : "inf");
    else
        snprintf(text, size, "%ld", (long)offset);
}

static void say(const struct sp_skew *skew, char *text, size_t size)
{
    text[0] = 0;
    for (uint32_t i = 0; i < skew->clock_count; i++) {
        const struct sp_skew_clock *clock = &skew->clocks[i];
        char min[32], max[32];
        say_bound(min, sizeof min, clock->offset_min_ns);
        say_bound(max, sizeof max, clock->offset_max_ns);
        if (clock->offset_ns != 0)
            snprintf(text + strlen(text), size - strlen(text), "%s%.*s %ld [%s,%s] %u %u%s",
                     text[0] ? "; " : "", SP_SLICE_PRINTF(clock->name), (long)clock->offset_ns, min,
                     max, clock->call_count, clock->outside_count,
                     clock->is_consistent ? "" : " !");
    }
}

START_TEST(skew_of_a_known_trace_in_any_order_of_arrival)
{
    const struct skew_case *expected = &cases[_i];
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    size_t count = 0;
    while (count < SP_ARRAY_LEN(expected->rows) && expected->rows[count].id != 0)
        count++;
    struct sp_batch batch = make_batch(&arena, expected->rows, count);
    random_state = (uint64_t)_i;
    for (int order = 0; order < 10; order++) {
        struct sp_trace trace;
        struct sp_skew skew;
        char text[400];
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
        say(&skew, text, sizeof text);
        ck_assert_msg(strcmp(text, expected->found) == 0, "%s: expected %s, got %s", expected->what,
                      expected->found, text);
        batch = shuffle(&arena, batch);
    }
    sp_arena_fini(&arena);
}
END_TEST

static void set_host(struct sp_arena *arena, const struct sp_span *span, const char *key,
                     const char *host)
{
    struct sp_attribute *items = must(sp_arena_calloc(arena, 2, sizeof *items));
    struct sp_resource *resource = must(sp_arena_calloc(arena, 1, sizeof *resource));
    items[0] = span->resource->attributes.items[0];
    items[1] = (struct sp_attribute){sp_slice_cstr(key),
                                     {.kind = SP_VALUE_STRING, .string = sp_slice_cstr(host)}};
    resource->attributes = (struct sp_attributes){.items = items, .count = 2};
    ((struct sp_span *)(uintptr_t)span)->resource = resource;
}

START_TEST(services_of_one_host_share_its_clock)
{
    static const struct span_row rows[] = {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 970, 1050}};
    struct sp_arena arena;
    struct sp_trace trace;
    struct sp_skew skew;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, 2);
    set_host(&arena, &batch.spans[0], "host.name", "h1");
    set_host(&arena, &batch.spans[1], "host.id", "h1");
    ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
    ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
    ck_assert_uint_eq(skew.clock_count, 1);
    ck_assert_uint_eq(skew.skewed_count, 0);
    set_host(&arena, &batch.spans[1], "k8s.node.name", "h2");
    ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
    ck_assert_uint_eq(skew.clock_count, 2);
    ck_assert_uint_eq(skew.skewed_count, 1);
    ck_assert(skew.clocks[1].is_host);
    ck_assert(sp_slice_equal_cstr(skew.clocks[1].name, "h2"));
    sp_arena_fini(&arena);
}
END_TEST

/* ---- planted offsets ---- */

#define SERVICES 4

/* A tree of calls that lie inside one another, in true time; then the clock of each service is set wrong. */
static struct sp_batch planted(struct sp_arena *arena, const int64_t offsets[SERVICES])
{
    static const char *const services[SERVICES] = {"a", "b", "c", "d"};
    uint32_t count = 2 + random_below(40);
    struct span_row *rows = must(sp_arena_calloc(arena, count, sizeof *rows));
    uint32_t *service = must(sp_arena_calloc(arena, count, sizeof *service));
    uint64_t *start = must(sp_arena_calloc(arena, count, sizeof *start));
    uint64_t *end = must(sp_arena_calloc(arena, count, sizeof *end));
    end[0] = 1000000;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t parent = i == 0 ? 0 : random_below(i);
        if (i > 0) {
            uint64_t width = end[parent] - start[parent];
            start[i] = start[parent] + random_u64() % (width + 1);
            end[i] = start[i] + random_u64() % (end[parent] - start[i] + 1);
            service[i] = random_below(SERVICES);
        }
        uint64_t shift = 10000000 + (uint64_t)offsets[service[i]];
        rows[i] = (struct span_row){.id = i + 1,
                                    .parent = i == 0 ? 0 : parent + 1,
                                    .service = services[service[i]],
                                    .kind = i == 0            ? S
                                            : random_below(2) ? C
                                                              : S,
                                    .start = start[i] + shift,
                                    .end = end[i] + shift};
    }
    return make_batch(arena, rows, count);
}

START_TEST(planted_offsets_lie_within_the_bounds)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    uint32_t found = 0;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        random_state = 1000 * (uint64_t)_i + seed;
        sp_arena_reset(&arena);
        int64_t offsets[SERVICES] = {0};
        for (int i = 1; i < SERVICES; i++)
            offsets[i] = (int64_t)random_below(4000000) - 2000000;
        struct sp_batch batch = planted(&arena, offsets);
        struct sp_trace trace;
        struct sp_skew skew;
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
        int64_t reference = offsets[skew.clocks[0].name.ptr[0] - 'a'];
        for (uint32_t i = 0; i < skew.clock_count; i++) {
            const struct sp_skew_clock *clock = &skew.clocks[i];
            int64_t offset = offsets[clock->name.ptr[0] - 'a'] - reference;
            ck_assert(clock->is_consistent);
            ck_assert_int_le(clock->offset_min_ns, offset);
            ck_assert_int_ge(clock->offset_max_ns, offset);
            found += clock->offset_ns != 0;
        }
    }
    ck_assert_uint_gt(found, 1000); /* the traces do show it */
    sp_arena_fini(&arena);
}
END_TEST

/* With two clocks, every call lies inside its caller once the offset is taken out; and nothing else changes. */
START_TEST(calls_lie_in_their_callers_once_adjusted)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    uint32_t adjusted = 0;
    for (uint64_t seed = 0; seed < 500; seed++) {
        random_state = 1000 * (uint64_t)_i + seed;
        sp_arena_reset(&arena);
        int64_t offset = (int64_t)random_below(4000000) - 2000000;
        const int64_t offsets[SERVICES] = {0, offset, offset, offset};
        struct sp_batch batch = planted(&arena, offsets), moved;
        for (size_t i = 0; i < batch.span_count; i++) {
            bool is_a = sp_slice_equal_cstr(sp_span_service(&batch.spans[i]), "a");
            set_host(&arena, &batch.spans[i], "host.name", is_a ? "h1" : "h2");
        }
        struct sp_trace trace, after;
        struct sp_skew skew;
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
        ck_assert_int_eq(sp_skew_adjust(&arena, &trace, &skew, &moved), SP_OK);
        ck_assert_int_eq(sp_trace_assemble(&arena, &moved, &after), SP_OK);
        ck_assert_uint_eq(after.row_count, trace.row_count);
        for (uint32_t row = 0; row < after.row_count; row++) {
            const struct sp_span *span = after.rows[row].span;
            uint32_t raw = (uint32_t)(span - moved.spans);
            ck_assert_uint_eq(sp_span_duration_ns(span), trace.rows[raw].duration_ns);
            ck_assert_int_eq((trace.rows[raw].flags & SP_ROW_SKEWED) != 0,
                             span->start_unix_ns != trace.rows[raw].span->start_unix_ns);
            if (after.rows[row].parent == SP_ROW_NONE)
                continue;
            const struct sp_span *parent = after.rows[after.rows[row].parent].span;
            ck_assert_uint_ge(span->start_unix_ns, parent->start_unix_ns);
            if (skew.skewed_count > 0) /* otherwise a little is forgiven */
                ck_assert_uint_le(span->end_unix_ns, parent->end_unix_ns);
            ck_assert_uint_le(span->end_unix_ns, parent->end_unix_ns + sp_span_duration_ns(span));
        }
        adjusted += skew.skewed_count;
    }
    ck_assert_uint_gt(adjusted, 200);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(times_of_events_move_and_stop_at_the_ends_of_time)
{
    static const struct span_row rows[] = {{1, 0, "a", C, 1000, 1100}, {2, 1, "b", S, 970, 1050}};
    static const struct sp_event events[] = {{.time_unix_ns = 1000},
                                             {.time_unix_ns = UINT64_MAX - 3}};
    struct sp_arena arena;
    struct sp_trace trace;
    struct sp_skew skew;
    struct sp_batch moved;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_batch batch = make_batch(&arena, rows, 2);
    struct sp_span *span = (struct sp_span *)(uintptr_t)&batch.spans[1];
    span->events = events;
    span->event_count = 2;
    ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
    ck_assert_int_eq(sp_skew_find(&arena, &trace, &skew), SP_OK);
    ck_assert_int_eq(sp_skew_adjust(&arena, &trace, &skew, &moved), SP_OK);
    ck_assert_uint_eq(moved.spans[1].start_unix_ns, 1010);
    ck_assert_uint_eq(moved.spans[1].events[0].time_unix_ns, 1040);
    ck_assert_uint_eq(moved.spans[1].events[1].time_unix_ns, UINT64_MAX);
    ck_assert_uint_eq(events[0].time_unix_ns, 1000);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(skew_survives_every_defect_and_a_full_arena)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sp_arena arena, small;
        random_state = seed;
        sp_arena_init(&arena, ARENA_BYTES);
        struct sp_batch batch = random_trace(&arena, 60, true), moved;
        struct sp_trace trace;
        struct sp_skew skew;
        ck_assert_int_eq(sp_trace_assemble(&arena, &batch, &trace), SP_OK);
        for (size_t cap = 0;; cap = cap * 2 + 512) {
            sp_arena_init(&small, cap);
            enum sp_status status = sp_skew_find(&small, &trace, &skew);
            if (status == SP_OK)
                status = sp_skew_adjust(&small, &trace, &skew, &moved);
            sp_arena_fini(&small);
            if (status == SP_OK)
                break;
            ck_assert_int_eq(status, SP_LIMIT);
        }
        sp_arena_fini(&arena);
    }
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_skew");
    TCase *tcase = tcase_create("skew");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, skew_of_a_known_trace_in_any_order_of_arrival, 0,
                        (int)SP_ARRAY_LEN(cases));
    tcase_add_test(tcase, services_of_one_host_share_its_clock);
    tcase_add_loop_test(tcase, planted_offsets_lie_within_the_bounds, 0, 3);
    tcase_add_loop_test(tcase, calls_lie_in_their_callers_once_adjusted, 0, 3);
    tcase_add_test(tcase, times_of_events_move_and_stop_at_the_ends_of_time);
    tcase_add_test(tcase, skew_survives_every_defect_and_a_full_arena);
    suite_add_tcase(suite, tcase);
    return suite;
}
