/* SPDX-License-Identifier: Apache-2.0
 *
 * The critical path against a definition that asks, for each moment, who was waited for; and against hand-made cases. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#include <stdio.h>

#define ARENA_BYTES ((size_t)64 << 20)

static struct sp_critical_path path_of(struct sp_arena *arena, const struct sp_batch *batch,
                                       struct sp_trace *trace)
{
    struct sp_critical_path path;
    ck_assert_int_eq(sp_trace_assemble(arena, batch, trace), SP_OK);
    ck_assert_int_eq(sp_critical_path(arena, trace, &path), SP_OK);
    return path;
}

/* Random times are small numbers: as many of these units. */
#define UNIT  400000
#define MILLI UINT64_C(1000000)

/* In these traces a service has one resource. */
static bool is_unwaited(const struct sp_span *child, const struct sp_span *parent)
{
    uint64_t late =
        child->end_unix_ns > parent->end_unix_ns ? child->end_unix_ns - parent->end_unix_ns : 0;
    switch (child->kind) {
    case SP_KIND_CONSUMER:
        return late > 0;
    case SP_KIND_SERVER:
        return false;
    default:
        return late > 1000000 && sp_slice_equal(sp_span_service(child), sp_span_service(parent));
    }
}

/* Who is on the path at time t, inside row between start and end: walk the definition forward from the end each time. */
static uint32_t on_path_at(const struct sp_trace *trace, uint32_t row, uint64_t start, uint64_t end,
                           uint64_t t)
{
    uint64_t cursor = end;
    for (;;) {
        uint32_t best = SP_ROW_NONE;
        uint64_t best_start = 0, best_end = 0;
        for (uint32_t child = row + 1; child < trace->row_count; child++) {
            const struct sp_span *span = trace->rows[child].span;
            if (trace->rows[child].parent != row)
                continue;
            if (is_unwaited(span, trace->rows[row].span))
                continue;
            uint64_t from = span->start_unix_ns > start ? span->start_unix_ns : start;
            uint64_t to = span->end_unix_ns < end ? span->end_unix_ns : end;
            if (to <= from || to > cursor)
                continue;
            if (best == SP_ROW_NONE || to > best_end || (to == best_end && from < best_start)) {
                best = child;
                best_start = from;
                best_end = to;
            }
        }
        if (best == SP_ROW_NONE || t >= best_end)
            return row;
        if (t >= best_start)
            return on_path_at(trace, best, best_start, best_end, t);
        cursor = best_start;
    }
}

static void stretch(struct sp_arena *arena, struct sp_batch *batch)
{
    struct sp_span *spans = must(sp_arena_calloc(arena, batch->span_count, sizeof *spans));
    for (size_t i = 0; i < batch->span_count; i++) {
        spans[i] = batch->spans[i];
        spans[i].start_unix_ns *= UNIT;
        spans[i].end_unix_ns *= UNIT;
    }
    batch->spans = spans;
}

START_TEST(path_agrees_with_the_definition_at_each_moment)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    for (uint64_t seed = 0; seed < 500; seed++) {
        random_state = 1000 * (uint64_t)_i + seed;
        sp_arena_reset(&arena);
        struct sp_batch batch = random_trace(&arena, 30, false);
        stretch(&arena, &batch);
        struct sp_trace trace;
        struct sp_critical_path path = path_of(&arena, &batch, &trace);
        const struct sp_span *root = trace.rows[0].span;
        uint64_t reached = root->start_unix_ns;
        for (size_t i = 0; i < path.segment_count; i++) {
            const struct sp_path_segment *segment = &path.segments[i];
            ck_assert_uint_eq(segment->start_unix_ns, reached);
            ck_assert_uint_gt(segment->end_unix_ns, segment->start_unix_ns);
            ck_assert(trace.rows[segment->row].flags & SP_ROW_CRITICAL);
            for (uint64_t t = segment->start_unix_ns; t < segment->end_unix_ns; t += UNIT)
                ck_assert_uint_eq(segment->row,
                                  on_path_at(&trace, 0, root->start_unix_ns, root->end_unix_ns, t));
            reached = segment->end_unix_ns;
        }
        ck_assert_uint_eq(reached, root->end_unix_ns);
    }
    sp_arena_fini(&arena);
}
END_TEST

/* Hand-made cases: time on the path for each span id, "1:40 2:60". */
static const struct path_case {
    const char *what;
    uint64_t unit; /* ns */
    struct span_row rows[8];
    const char *times;
} path_cases[] = {
    {"a span alone", 1, {{.id = 1, .start = 0, .end = 100}}, "1:100"},
    {"one child",
     1,
     {{.id = 1, .start = 0, .end = 100}, {.id = 2, .parent = 1, .start = 10, .end = 60}},
     "1:50 2:50"},
    {"a child that covers all",
     1,
     {{.id = 1, .start = 0, .end = 100}, {.id = 2, .parent = 1, .start = 0, .end = 100}},
     "2:100"},
    {"children one after another",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .start = 10, .end = 30},
      {.id = 3, .parent = 1, .start = 40, .end = 50},
      {.id = 4, .parent = 1, .start = 60, .end = 90}},
     "1:40 2:20 3:10 4:30"},
    {"of overlapping children the one that ended before the next began",
     1,
     {{.id = 1, .start = 0, .end = 80},
      {.id = 2, .parent = 1, .start = 10, .end = 30},
      {.id = 3, .parent = 1, .start = 20, .end = 45},
      {.id = 4, .parent = 1, .start = 40, .end = 65}},
     "1:35 2:20 4:25"},
    {"of parallel children the one that ended last",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .start = 10, .end = 50},
      {.id = 3, .parent = 1, .start = 10, .end = 90}},
     "1:20 3:80"},
    {"a child that outlives its parent is cut",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .start = 10, .end = 70},
      {.id = 3, .parent = 2, .start = 20, .end = 120}},
     "1:40 2:10 3:50"},
    {"a child outside its parent is not on the path",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .start = 110, .end = 160},
      {.id = 3, .parent = 2, .start = 120, .end = 150},
      {.id = 4, .parent = 1, .start = 60, .end = 90}},
     "1:70 4:30"},
    {"a child that began before its parent is cut",
     1,
     {{.id = 1, .start = 50, .end = 100}, {.id = 2, .parent = 1, .start = 0, .end = 70}},
     "1:30 2:20"},
    {"a consumer that outlives its producer is not waited for",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .kind = SP_KIND_PRODUCER, .start = 20, .end = 40},
      {.id = 3, .parent = 2, .kind = SP_KIND_CONSUMER, .start = 30, .end = 90}},
     "1:80 2:20"},
    {"a consumer inside its parent is waited for",
     1,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .kind = SP_KIND_CONSUMER, .start = 30, .end = 90}},
     "1:40 2:60"},
    {"work in the background does not hide what was waited for",
     MILLI,
     {{.id = 1, .kind = SP_KIND_SERVER, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .kind = SP_KIND_INTERNAL, .start = 10, .end = 300},
      {.id = 3, .parent = 1, .kind = SP_KIND_CLIENT, .start = 20, .end = 90}},
     "1:30 3:70"},
    {"clients and producers of the same process may be in the background, too",
     MILLI,
     {{.id = 1, .kind = SP_KIND_SERVER, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .kind = SP_KIND_CLIENT, .start = 10, .end = 110},
      {.id = 3, .parent = 1, .kind = SP_KIND_PRODUCER, .start = 20, .end = 120},
      {.id = 4, .parent = 1, .start = 30, .end = 130}},
     "1:100"},
    {"a span of another service has another clock",
     MILLI,
     {{.id = 1, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .service = "t", .kind = SP_KIND_INTERNAL, .start = 10, .end = 300},
      {.id = 3, .parent = 1, .kind = SP_KIND_CLIENT, .start = 20, .end = 90}},
     "1:10 2:90"},
    {"a server may answer before it ends, also in the same process",
     MILLI,
     {{.id = 1, .kind = SP_KIND_CLIENT, .start = 0, .end = 100},
      {.id = 2, .parent = 1, .kind = SP_KIND_SERVER, .start = 10, .end = 130}},
     "1:10 2:90"},
    {"a clock of milliseconds is wrong by one",
     MILLI / 10,
     {{.id = 1, .kind = SP_KIND_SERVER, .start = 0, .end = 1000},
      {.id = 2, .parent = 1, .kind = SP_KIND_INTERNAL, .start = 20, .end = 1010},
      {.id = 3, .parent = 1, .kind = SP_KIND_INTERNAL, .start = 10, .end = 1011}},
     "1:20 2:980"},
};

START_TEST(path_of_a_known_trace)
{
    const struct path_case *expected = &path_cases[_i];
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    size_t count = 0;
    while (count < SP_ARRAY_LEN(expected->rows) && expected->rows[count].id != 0)
        count++;
    struct span_row rows[SP_ARRAY_LEN(expected->rows)];
    for (size_t i = 0; i < count; i++) {
        rows[i] = expected->rows[i];
        rows[i].start *= expected->unit;
        rows[i].end *= expected->unit;
    }
    struct sp_batch batch = make_batch(&arena, rows, count);
    struct sp_trace trace;
    struct sp_critical_path path = path_of(&arena, &batch, &trace);
    uint64_t times[10] = {0};
    for (size_t i = 0; i < path.segment_count; i++)
        times[small_number(&trace.rows[path.segments[i].row].span->span_id)] +=
            (path.segments[i].end_unix_ns - path.segments[i].start_unix_ns) / expected->unit;
    char text[200] = "";
    for (int id = 0; id < 10; id++)
        if (times[id] > 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d:%lu",
                     text[0] ? " " : "", id, (unsigned long)times[id]);
    ck_assert_msg(strcmp(text, expected->times) == 0, "%s: expected %s, got %s", expected->what,
                  expected->times, text);
    sp_arena_fini(&arena);
}
END_TEST

static const struct note_case {
    struct span_row rows[3];
    bool has_path;
    const char *note;
} note_cases[] = {
    {{{0}}, false, "there are no spans"},
    {{{.id = 1, .end = 5}, {.id = 2, .end = 5}}, false, "the trace has more than one root span"},
    {{{.id = 1, .parent = 8, .end = 5}, {.id = 2, .parent = 9, .end = 5}},
     false,
     "the root span is missing and its parts are not connected"},
    {{{.id = 1, .start = 5, .end = 5}}, false, "the root span has no duration"},
    {{{.id = 1, .end = 5}, {.id = 2, .parent = 9, .end = 5}},
     true,
     "spans whose parent is missing are not considered"},
    {{{.id = 1, .parent = 9, .end = 5}, {.id = 2, .parent = 1, .end = 4}},
     true,
     "the root span is missing: the path is that of the topmost span"},
};

START_TEST(path_says_why_there_is_none_or_what_it_leaves_out)
{
    const struct note_case *expected = &note_cases[_i];
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    size_t count = 0;
    while (count < SP_ARRAY_LEN(expected->rows) && expected->rows[count].id != 0)
        count++;
    struct sp_batch batch = make_batch(&arena, expected->rows, count);
    struct sp_trace trace;
    struct sp_critical_path path = path_of(&arena, &batch, &trace);
    ck_assert_int_eq(path.segment_count > 0, expected->has_path);
    ck_assert_str_eq(path.note, expected->note);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_critical_path");
    TCase *tcase = tcase_create("critical_path");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, path_agrees_with_the_definition_at_each_moment, 0, 12);
    tcase_add_loop_test(tcase, path_of_a_known_trace, 0, (int)SP_ARRAY_LEN(path_cases));
    tcase_add_loop_test(tcase, path_says_why_there_is_none_or_what_it_leaves_out, 0,
                        (int)SP_ARRAY_LEN(note_cases));
    suite_add_tcase(suite, tcase);
    return suite;
}
