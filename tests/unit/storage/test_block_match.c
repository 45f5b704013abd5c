/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/storage/test_block_match.c: the rows of a block that a scan matches are those whose spans it matches, whatever
 * is loaded; and no more is loaded than the answer needs. */
#include "storage/block_match.h"
#include "storage/catalogue.h"
#include "tests/support/alloc_fail.h"
#include "tests/support/check_main.h"
#include "tests/support/condition_gen.h"
#include "tests/unit/storage/block_fixture.h"

#include <math.h>
#include <stdlib.h>

#define CONDITIONS_MAX 4

/* ---- random conditions ---- */

static struct sp_value integer(int64_t number)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
}

static struct sp_value text(struct sp_slice string)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = string};
}

static struct sp_scan random_scan(const struct block_fixture *f, struct sp_gen *gen,
                                  struct sp_condition conditions[CONDITIONS_MAX])
{
    size_t count = sp_gen_chance(gen, 50) ? 1 : sp_gen_below(gen, CONDITIONS_MAX + 1);
    for (size_t i = 0; i < count; i++)
        conditions[i] = sp_gen_condition(gen, f->spans, f->count);
    return (struct sp_scan){.range = block_fixture_range(f, gen),
                            .conditions = conditions,
                            .condition_count = count,
                            .match_any = sp_gen_chance(gen, 40)};
}

/* ---- compared with span by span ---- */

static bool row_matches(const struct sp_block_match *match, uint32_t row)
{
    return match->share == SP_SHARE_ALL ||
           (match->share == SP_SHARE_SOME && sp_bitmap_has(match->rows, row));
}

static bool span_matches(const struct sp_scan *scan, const struct sp_span *span)
{
    return sp_time_range_contains(scan->range, span->start_unix_ns) && sp_scan_matches(scan, span);
}

static void assert_rows(const struct block_fixture *f, const struct sp_scan *scan,
                        const struct sp_block_match *match, uint64_t seed)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        bool want = span_matches(scan, f->spans[i]);
        found += want;
        ck_assert_msg(row_matches(match, i) == want, "seed %llu: row %u should%s match",
                      (unsigned long long)seed, i, want ? "" : " not");
    }
    ck_assert_msg((match->share == SP_SHARE_NONE) == (found == 0) &&
                      (match->share == SP_SHARE_ALL) == (found == f->count && found > 0),
                  "seed %llu: none or all", (unsigned long long)seed);
}

static void assert_traces(const struct block_fixture *f, const struct sp_scan *scan,
                          const struct sp_block_match *match, struct sp_block_view *view)
{
    struct sp_match_trace *traces = calloc((size_t)f->whole.trace_count + 1, sizeof(*traces));
    struct sp_error error;
    uint32_t count;
    uint32_t at = 0;
    ck_assert_int_eq(sp_block_match_traces(match, view, traces, &count, &error), SP_OK);
    for (uint32_t t = 0; t < f->whole.trace_count; t++) {
        bool matches = false;
        uint64_t newest = 0;
        for (uint32_t i = f->whole.trace_rows[t]; i < f->whole.trace_rows[t + 1]; i++) {
            uint64_t start = f->spans[i]->start_unix_ns;
            if (!span_matches(scan, f->spans[i]))
                continue;
            matches = true;
            newest = start > newest ? start : newest;
        }
        if (!matches)
            continue;
        ck_assert_uint_lt(at, count);
        ck_assert_uint_eq(traces[at].trace, t);
        ck_assert_uint_eq(traces[at++].newest_start_unix_ns, newest);
    }
    ck_assert_uint_eq(at, count);
    free(traces);
}

static void compare_one(struct block_fixture *f, const struct sp_scan *scan, uint64_t seed)
{
    struct sp_block_match match;
    struct sp_error error;
    ck_assert_int_eq(sp_block_match_init(&match, scan, &error), SP_OK);
    struct sp_block_view memory = block_fixture_memory(f);
    ck_assert_int_eq(sp_block_match_run(&match, &memory, &error), SP_OK);
    assert_rows(f, scan, &match, seed);
    assert_traces(f, scan, &match, &memory);
    if (seed % 2 == 0)
        sp_block_loader_reset(&f->disk);
    ck_assert_int_eq(sp_block_match_run(&match, &f->disk.view, &error), SP_OK);
    assert_rows(f, scan, &match, seed);
    assert_traces(f, scan, &match, &f->disk.view);
    sp_block_match_fini(&match);
}

static void compare_many(uint64_t first_seed, uint64_t seeds, size_t span_count, bool long_lists)
{
    struct sp_condition conditions[CONDITIONS_MAX];
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        struct block_fixture f;
        struct sp_gen gen = {.state = seed * 31};
        size_t count = 1 + sp_gen_below(&gen, span_count);
        block_fixture_init(&f, seed, count, (unsigned)sp_gen_below(&gen, 4) * 15, long_lists);
        for (uint64_t i = 0; i < 20; i++) {
            struct sp_scan scan = random_scan(&f, &gen, conditions);
            compare_one(&f, &scan, seed * 1000 + i);
        }
        block_fixture_fini(&f);
    }
}

START_TEST(rows_match_as_their_spans_do)
{
    compare_many(1, 300, 40, false);
    compare_many(1000, 60, 700, false);
}
END_TEST

START_TEST(rows_with_long_lists_match_as_their_spans_do)
{
    compare_many(5000, 40, 100, true);
}
END_TEST

/* ---- what is loaded ---- */

static unsigned loads_of(struct block_fixture *f, const struct sp_condition *conditions,
                         size_t count, bool match_any, enum sp_share want)
{
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL,
                           .conditions = conditions,
                           .condition_count = count,
                           .match_any = match_any};
    struct sp_block_match match;
    struct sp_error error;
    sp_block_loader_reset(&f->disk);
    ck_assert_int_eq(sp_block_match_init(&match, &scan, &error), SP_OK);
    ck_assert_int_eq(sp_block_match_run(&match, &f->disk.view, &error), SP_OK);
    ck_assert_int_eq(match.share, want);
    sp_block_match_fini(&match);
    return f->disk.loads;
}

static struct sp_condition equals(enum sp_field field, struct sp_value value)
{
    return (struct sp_condition){.field = field, .operation = SP_OP_EQ, .value = value};
}

static struct sp_condition attribute_equals(const char *key, struct sp_value value)
{
    return (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                 .scopes = SP_SCOPE_SPAN,
                                 .key = sp_slice_cstr(key),
                                 .operation = SP_OP_EQ,
                                 .value = value};
}

START_TEST(nothing_is_loaded_that_does_not_decide)
{
    struct block_fixture f;
    block_fixture_init(&f, 3, 500, 0, false);
    const struct sp_condition nowhere = equals(SP_FIELD_SERVICE, text(SP_SLICE("nowhere")));
    const struct sp_condition somewhere = equals(SP_FIELD_SERVICE, text(SP_SLICE("service-1")));
    const struct sp_condition unnamed = equals(SP_FIELD_NAME, text(SP_SLICE("no such name")));
    const struct sp_condition no_key = attribute_equals("no.such.key", integer(1));
    const struct sp_condition no_text = attribute_equals("http.route", text(SP_SLICE("no text")));
    const struct sp_condition number = attribute_equals("http.route", integer(7));
    struct sp_condition any_service = somewhere;
    any_service.operation = SP_OP_EXISTS;
    ck_assert_uint_eq(loads_of(&f, &nowhere, 1, false, SP_SHARE_NONE), 0);
    ck_assert_uint_eq(loads_of(&f, &unnamed, 1, false, SP_SHARE_NONE), 0);
    ck_assert_uint_eq(loads_of(&f, &no_key, 1, false, SP_SHARE_NONE), 0);
    ck_assert_uint_eq(loads_of(&f, &any_service, 1, false, SP_SHARE_ALL), 0);
    /* its texts */
    ck_assert_uint_eq(loads_of(&f, &no_text, 1, false, SP_SHARE_NONE), 1);
    /* templates of rows */
    ck_assert_uint_eq(loads_of(&f, &somewhere, 1, false, SP_SHARE_SOME), 1);
    const struct sp_condition both[] = {number, nowhere};
    ck_assert_uint_eq(loads_of(&f, both, 2, false, SP_SHARE_NONE), 0);
    const struct sp_condition either[] = {number, any_service};
    ck_assert_uint_eq(loads_of(&f, either, 2, true, SP_SHARE_ALL), 0);
    /* without conditions every span matches, all or any of them */
    ck_assert_uint_eq(loads_of(&f, NULL, 0, false, SP_SHARE_ALL), 0);
    ck_assert_uint_eq(loads_of(&f, NULL, 0, true, SP_SHARE_ALL), 0);
    block_fixture_fini(&f);
}
END_TEST

/* A test that counts its questions. */
static bool has_the_end(void *cookie, struct sp_slice asked)
{
    ++*(uint32_t *)cookie;
    return asked.len > 0 && asked.ptr[asked.len - 1] == '1';
}

static struct sp_condition tests(const char *key, const struct sp_text_test *test)
{
    struct sp_condition condition = attribute_equals(key, text(SP_SLICE("")));
    condition.operation = SP_OP_TEST;
    condition.test = test;
    return condition;
}

START_TEST(texts_are_tested_once_and_behind_all_that_costs_less)
{
    uint32_t asked = 0;
    struct block_fixture f;
    const struct sp_text_test test = {.holds = has_the_end, .cookie = &asked, .name = "ends in 1"};
    block_fixture_init(&f, 3, 5000, 0, false);
    const struct sp_condition alone = tests("http.route", &test);
    const struct sp_condition nowhere = equals(SP_FIELD_SERVICE, text(SP_SLICE("nowhere")));
    const struct sp_condition no_text = attribute_equals("http.route", text(SP_SLICE("no text")));
    uint32_t values = 0, distinct = 0;
    for (uint32_t c = 0; c < f.whole.column_count; c++) {
        const struct sp_column *column = &f.whole.columns[c];
        if (sp_slice_equal_cstr(column->key, "http.route") && column->kind == SP_VALUE_STRING &&
            column->table == SP_BLOCK_SPANS) {
            values += column->count;
            distinct += column->dictionary->count;
        }
    }
    ck_assert_uint_gt(values, 2 * distinct);
    (void)loads_of(&f, &alone, 1, false, SP_SHARE_SOME);
    ck_assert_uint_eq(asked, distinct);
    asked = 0;
    const struct sp_condition both[] = {alone, nowhere};
    ck_assert_uint_eq(loads_of(&f, both, 2, false, SP_SHARE_NONE), 0);
    const struct sp_condition pair[] = {alone, no_text};
    ck_assert_uint_eq(loads_of(&f, pair, 2, false, SP_SHARE_NONE), 1);
    ck_assert_uint_eq(asked, 0);
    block_fixture_fini(&f);
}
END_TEST

static enum sp_status load_fails(struct sp_block_view *view, enum sp_block_part part,
                                 uint32_t number, struct sp_error *reterr)
{
    (void)view;
    (void)part;
    (void)number;
    return sp_error_set(reterr, SP_IO, "no disk");
}

START_TEST(errors_of_loading_are_handed_on)
{
    struct block_fixture f;
    struct sp_block_match match;
    struct sp_error error;
    block_fixture_init(&f, 4, 200, 0, false);
    const struct sp_condition condition = attribute_equals("http.route", text(SP_SLICE("value-1")));
    const struct sp_scan scan = {
        .range = SP_TIME_RANGE_ALL, .conditions = &condition, .condition_count = 1};
    f.disk.view.load = load_fails;
    ck_assert_int_eq(sp_block_match_init(&match, &scan, &error), SP_OK);
    ck_assert_int_eq(sp_block_match_run(&match, &f.disk.view, &error), SP_IO);
    sp_block_match_fini(&match);
    block_fixture_fini(&f);
}
END_TEST

START_TEST(running_out_of_memory_is_an_error)
{
    struct block_fixture f;
    struct sp_condition conditions[CONDITIONS_MAX];
    struct sp_gen gen = {.state = 5};
    block_fixture_init(&f, 5, 100, 20, true);
    struct sp_block_view memory = block_fixture_memory(&f);
    for (int i = 0; i < 50; i++) {
        struct sp_scan scan = random_scan(&f, &gen, conditions);
        bool failed = true;
        for (size_t after = 0; failed; after++) {
            struct sp_block_match match;
            struct sp_error error;
            alloc_fail_after(after);
            enum sp_status status = sp_block_match_init(&match, &scan, &error);
            if (status == SP_OK)
                status = sp_block_match_run(&match, &memory, &error);
            failed = alloc_fail_stop();
            ck_assert_int_eq(status, failed ? SP_NO_MEMORY : SP_OK);
            sp_block_match_fini(&match);
        }
    }
    block_fixture_fini(&f);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("storage_block_match");
    TCase *tcase = tcase_create("block_match");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, rows_match_as_their_spans_do);
    tcase_add_test(tcase, rows_with_long_lists_match_as_their_spans_do);
    tcase_add_test(tcase, nothing_is_loaded_that_does_not_decide);
    tcase_add_test(tcase, texts_are_tested_once_and_behind_all_that_costs_less);
    tcase_add_test(tcase, errors_of_loading_are_handed_on);
    tcase_add_test(tcase, running_out_of_memory_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
