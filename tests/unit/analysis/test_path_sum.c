/* SPDX-License-Identifier: Apache-2.0
 *
 * Critical paths added up, against a definition that asks for each segment what it stands in; in any grouping; and the bands
 * of ranks by hand. */
#include "tests/support/check_main.h"
#include "tests/unit/analysis/traces.h"

#include <stdio.h>

#define ARENA_BYTES ((size_t)256 << 20)
#define ENTRIES_MAX 400
#define NAME_BYTES  96

/* ---- the definition ---- */

struct expected {
    char name[NAME_BYTES]; /* "service/operation", or "a/x > b/y" */
    uint64_t self_ns, total_ns, path_count;
};

struct sums {
    struct expected entries[ENTRIES_MAX];
    size_t count;
};

static struct expected *find(struct sums *sums, const char *name)
{
    size_t i = 0;
    while (i < sums->count && strcmp(sums->entries[i].name, name) != 0)
        i++;
    ck_assert_uint_lt(i, ENTRIES_MAX);
    if (i == sums->count)
        snprintf(sums->entries[sums->count++].name, sizeof sums->entries[i].name, "%s", name);
    return &sums->entries[i];
}

static void node_name(const struct sp_span *span, bool by_operation, char out[32])
{
    snprintf(out, 32, "%.*s/%.*s", SP_SLICE_PRINTF(sp_span_service(span)),
             by_operation ? (int)span->name.len : 0, (const char *)span->name.ptr);
}

/* Names of everything that a row stands in, itself first: its node, the edge that led into it, and so on up. */
static size_t names_above(const struct sp_trace *trace, uint32_t root, uint32_t row,
                          bool by_operation, char names[][NAME_BYTES])
{
    size_t count = 0;
    for (;;) {
        char here[32], above[32];
        node_name(trace->rows[row].span, by_operation, here);
        snprintf(names[count++], NAME_BYTES, "%s", here);
        if (row == root)
            return count;
        row = trace->rows[row].parent;
        node_name(trace->rows[row].span, by_operation, above);
        if (strcmp(here, above) != 0)
            snprintf(names[count++], NAME_BYTES, "%s > %s", above, here);
    }
}

static void add_by_definition(struct sums *sums, const struct sp_trace *trace, uint32_t root,
                              const struct sp_critical_path *path, bool by_operation)
{
    static char names[400][NAME_BYTES];
    bool on_path[ENTRIES_MAX] = {false};
    for (size_t i = 0; i < path->segment_count; i++) {
        uint64_t time = path->segments[i].end_unix_ns - path->segments[i].start_unix_ns;
        size_t count = names_above(trace, root, path->segments[i].row, by_operation, names);
        bool edge_done = false;
        for (size_t k = 0; k < count; k++) {
            struct expected *entry = find(sums, names[k]);
            bool is_edge = strchr(names[k], '>') != NULL, seen = false;
            for (size_t j = 0; j < k; j++)
                seen |= strcmp(names[j], names[k]) == 0;
            if (!seen)
                entry->total_ns += time;
            if (k == 0 || (is_edge && !edge_done))
                entry->self_ns += time;
            edge_done |= is_edge;
            on_path[entry - sums->entries] = true;
        }
    }
    for (size_t i = 0; i < sums->count; i++)
        sums->entries[i].path_count += on_path[i];
}

/* ---- random traces ---- */

static struct sp_trace make_trace(struct sp_arena *arena, uint64_t number)
{
    static const char *const names[] = {"x", "y", "z"};
    struct sp_batch batch = random_trace(arena, 25, false);
    struct sp_span *spans = (struct sp_span *)(uintptr_t)batch.spans;
    for (size_t i = 0; i < batch.span_count; i++) {
        spans[i].name = sp_slice_cstr(names[random_below(3)]);
        spans[i].trace_id.bytes[14] = (uint8_t)(number >> 8);
        spans[i].trace_id.bytes[15] = (uint8_t)number;
    }
    struct sp_trace trace;
    ck_assert_int_eq(sp_trace_assemble(arena, &batch, &trace), SP_OK);
    return trace;
}

static void row_name(const struct sp_path_row *row, char out[NAME_BYTES])
{
    if (row->is_edge)
        snprintf(out, NAME_BYTES, "%.*s/%.*s > %.*s/%.*s", SP_SLICE_PRINTF(row->client_service),
                 SP_SLICE_PRINTF(row->client_operation), SP_SLICE_PRINTF(row->service),
                 SP_SLICE_PRINTF(row->operation));
    else
        snprintf(out, NAME_BYTES, "%.*s/%.*s", SP_SLICE_PRINTF(row->service),
                 SP_SLICE_PRINTF(row->operation));
}

static void check_sum(const struct sp_path_sum *sum, struct sums *expected, struct sp_arena *arena)
{
    struct sp_path_band band;
    struct sp_path_row *rows;
    size_t count;
    sp_path_sum_band(sum, -1, &band);
    ck_assert_int_eq(sp_path_sum_rows(sum, &band, 1, arena, &rows, &count), SP_OK);
    ck_assert_uint_eq(count, expected->count);
    uint64_t self = 0;
    for (size_t i = 0; i < count; i++) {
        char name[NAME_BYTES];
        row_name(&rows[i], name);
        const struct expected *entry = find(expected, name);
        ck_assert_msg(rows[i].shares[0].self_ns == entry->self_ns &&
                          rows[i].shares[0].total_ns == entry->total_ns &&
                          rows[i].shares[0].path_count == entry->path_count,
                      "%s: %lu %lu %lu, not %lu %lu %lu", name,
                      (unsigned long)rows[i].shares[0].self_ns,
                      (unsigned long)rows[i].shares[0].total_ns,
                      (unsigned long)rows[i].shares[0].path_count, (unsigned long)entry->self_ns,
                      (unsigned long)entry->total_ns, (unsigned long)entry->path_count);
        ck_assert(!sp_trace_id_is_zero(&rows[i].shares[0].exemplar));
        self += rows[i].is_edge ? 0 : rows[i].shares[0].self_ns;
        if (i > 0 && rows[i].is_edge == rows[i - 1].is_edge)
            ck_assert_uint_le(rows[i].shares[0].total_ns, rows[i - 1].shares[0].total_ns);
    }
    ck_assert_uint_eq(
        self,
        band.duration_sum_ns); /* the path fills the root: nothing counts twice, nothing is lost */
    ck_assert_uint_eq(expected->count, count); /* find made no new ones */
}

START_TEST(sums_agree_with_the_definition_in_any_grouping)
{
    struct sp_arena arena, scratch;
    static struct sums expected;
    bool by_operation = _i % 2;
    enum sp_path_grain grain = by_operation ? SP_PATH_BY_OPERATION : SP_PATH_BY_SERVICE;
    sp_arena_init(&arena, ARENA_BYTES);
    sp_arena_init(&scratch, ARENA_BYTES);
    for (uint64_t seed = 0; seed < 150; seed++) {
        random_state = 1000 * (uint64_t)_i + seed;
        expected.count = 0;
        memset(&expected, 0, sizeof expected);
        sp_arena_reset(&arena);
        struct sp_path_sum *all = must(sp_path_sum_new(grain, ARENA_BYTES));
        struct sp_path_sum *parts[3], *merged = must(sp_path_sum_new(grain, ARENA_BYTES));
        for (int i = 0; i < 3; i++)
            parts[i] = must(sp_path_sum_new(grain, ARENA_BYTES));
        for (uint64_t t = 0; t < 10; t++) {
            struct sp_trace trace = make_trace(&arena, t);
            struct sp_critical_path path;
            uint32_t root = random_below(3) == 0 ? random_below(trace.row_count) : 0;
            ck_assert_int_eq(sp_critical_path_of(&arena, &trace, root, &path), SP_OK);
            if (path.segment_count == 0)
                continue;
            add_by_definition(&expected, &trace, root, &path, by_operation);
            ck_assert_int_eq(sp_path_sum_add(all, &trace, root, &path, &scratch), SP_OK);
            ck_assert_int_eq(sp_path_sum_add(parts[random_below(3)], &trace, root, &path, &scratch),
                             SP_OK);
            sp_arena_reset(&scratch);
        }
        for (int i = 3; i-- > 0;)
            ck_assert_int_eq(sp_path_sum_merge(merged, parts[i]), SP_OK);
        if (expected.count > 0) {
            check_sum(all, &expected, &arena);
            check_sum(merged, &expected, &arena);
        }
        sp_path_sum_free(all);
        sp_path_sum_free(merged);
        for (int i = 0; i < 3; i++)
            sp_path_sum_free(parts[i]);
    }
    sp_arena_fini(&arena);
    sp_arena_fini(&scratch);
}
END_TEST

/* ---- bands ---- */

/* One trace of two spans: "a" works half of the time, and waits for "b" for the other half when slow. */
static void add_simple(struct sp_path_sum *sum, struct sp_arena *arena, uint32_t number,
                       uint64_t duration, bool slow)
{
    struct span_row rows[] = {{1, 0, "a", SP_KIND_SERVER, 0, duration},
                              {2, 1, "b", SP_KIND_SERVER, 0, slow ? duration / 2 : duration / 10}};
    struct sp_batch batch = make_batch(arena, rows, 2);
    struct sp_trace trace;
    struct sp_critical_path path;
    for (size_t i = 0; i < 2; i++)
        ((struct sp_span *)(uintptr_t)&batch.spans[i])->trace_id.bytes[15] = (uint8_t)number;
    ck_assert_int_eq(sp_trace_assemble(arena, &batch, &trace), SP_OK);
    ck_assert_int_eq(sp_critical_path(arena, &trace, &path), SP_OK);
    ck_assert_int_eq(sp_path_sum_add(sum, &trace, 0, &path, arena), SP_OK);
}

START_TEST(bands_hold_the_paths_around_their_quantile)
{
    struct sp_arena arena;
    sp_arena_init(&arena, ARENA_BYTES);
    struct sp_path_sum *sum = must(sp_path_sum_new(SP_PATH_BY_SERVICE, ARENA_BYTES));
    /* 100 durations, all in buckets of their own: each 5 % longer */
    double duration = 1000000;
    uint64_t durations[101] = {0};
    for (uint32_t i = 1; i <= 100; i++, duration *= 1.05) {
        durations[i] = (uint64_t)duration / 20 * 20;
        add_simple(sum, &arena, i, durations[i], i > 90);
    }
    static const struct {
        double q;
        uint32_t first, last;
    } bands[] = {{-1, 1, 100},  {0, 1, 1},       {0.01, 1, 2},    {0.5, 46, 55},
                 {0.9, 86, 95}, {0.95, 91, 100}, {0.99, 99, 100}, {1, 100, 100}};
    for (size_t i = 0; i < SP_ARRAY_LEN(bands); i++) {
        struct sp_path_band band;
        sp_path_sum_band(sum, bands[i].q, &band);
        ck_assert_msg(band.duration_min_ns == durations[bands[i].first] &&
                          band.duration_max_ns == durations[bands[i].last] &&
                          band.path_count == bands[i].last - bands[i].first + 1,
                      "band %g: %lu paths, %lu to %lu", bands[i].q, (unsigned long)band.path_count,
                      (unsigned long)band.duration_min_ns, (unsigned long)band.duration_max_ns);
    }
    struct sp_path_band asked[2];
    struct sp_path_row *rows;
    size_t count;
    sp_path_sum_band(sum, 0.5, &asked[0]);
    sp_path_sum_band(sum, 0.99, &asked[1]);
    ck_assert_int_eq(sp_path_sum_rows(sum, asked, 2, &arena, &rows, &count), SP_OK);
    ck_assert_uint_eq(count, 3); /* a, b, a > b */
    ck_assert(rows[2].is_edge && sp_slice_equal_cstr(rows[2].client_service, "a"));
    /* a tenth of the usual ones, half of the slow ones; exact, because the durations are multiples of 20 */
    ck_assert_uint_eq(rows[2].shares[0].total_ns * 10, asked[0].duration_sum_ns);
    ck_assert_uint_eq(rows[2].shares[1].total_ns * 2, asked[1].duration_sum_ns);
    ck_assert_uint_eq(rows[2].shares[1].exemplar.bytes[15], 100);
    sp_path_sum_free(sum);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(bands_of_few_paths_are_the_one_at_the_quantile)
{
    static const struct {
        double q;
        uint64_t count, rank;
    } bands[] = {{0.5, 1, 1},  {0.5, 2, 1},  {0.99, 2, 2}, {0.5, 4, 2},
                 {0.25, 4, 1}, {0.26, 4, 2}, {0, 4, 1},    {1, 4, 4}};
    for (size_t i = 0; i < SP_ARRAY_LEN(bands); i++) {
        struct sp_arena arena;
        struct sp_path_band band;
        sp_arena_init(&arena, ARENA_BYTES);
        struct sp_path_sum *sum = must(sp_path_sum_new(SP_PATH_BY_SERVICE, ARENA_BYTES));
        for (uint32_t t = 1; t <= bands[i].count; t++)
            add_simple(sum, &arena, t, t * 1000, false);
        sp_path_sum_band(sum, bands[i].q, &band);
        ck_assert_msg(band.path_count == 1 && band.duration_min_ns == bands[i].rank * 1000,
                      "q %g of %lu: %lu paths from %lu", bands[i].q, (unsigned long)bands[i].count,
                      (unsigned long)band.path_count, (unsigned long)band.duration_min_ns);
        sp_path_sum_free(sum);
        sp_arena_fini(&arena);
    }
}
END_TEST

START_TEST(sums_without_memory_say_so)
{
    struct sp_arena arena, small;
    sp_arena_init(&arena, ARENA_BYTES);
    random_state = 7;
    struct sp_trace trace = make_trace(&arena, 1);
    struct sp_critical_path path;
    ck_assert_int_eq(sp_critical_path(&arena, &trace, &path), SP_OK);
    size_t refused = 0;
    for (size_t cap = 0;; cap += 256) {
        struct sp_path_sum *sum = must(sp_path_sum_new(SP_PATH_BY_OPERATION, cap));
        sp_arena_init(&small, cap);
        enum sp_status status = sp_path_sum_add(sum, &trace, 0, &path, &small);
        sp_arena_fini(&small);
        sp_path_sum_free(sum);
        if (status == SP_OK)
            break;
        ck_assert_int_eq(status, SP_LIMIT);
        refused++;
    }
    ck_assert_uint_gt(refused, 3);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("analysis_path_sum");
    TCase *tcase = tcase_create("path_sum");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, sums_agree_with_the_definition_in_any_grouping, 0, 8);
    tcase_add_test(tcase, bands_hold_the_paths_around_their_quantile);
    tcase_add_test(tcase, bands_of_few_paths_are_the_one_at_the_quantile);
    tcase_add_test(tcase, sums_without_memory_say_so);
    suite_add_tcase(suite, tcase);
    return suite;
}
