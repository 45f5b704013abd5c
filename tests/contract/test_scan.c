/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_scan.c: candidates: complete, each once, newest first, bounded; on both engines. */
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdlib.h>

static const uint64_t second_ns = 1000000000;
static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

/* Random traces, part of them applied, part of them perhaps not yet. */
static struct span_list fill(struct fixture *fixture, uint64_t seed)
{
    const struct sp_batch *batches[8];
    for (size_t i = 0; i < SP_ARRAY_LEN(batches); i++) {
        struct sp_gen_options options = sp_gen_options_everything(60);
        options.trace_seed = seed;
        options.trace_count = 25;
        options.odd_percent = 5;
        batches[i] = sp_gen_batch(&fixture->arena, seed + i, &options);
        append(fixture, batches[i]);
        if (i == 3)
            fixture_reopen(fixture);
    }
    return span_list_make(&fixture->arena, batches, SP_ARRAY_LEN(batches));
}

static bool lists(const struct candidate_list *list, const struct sp_trace_id *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (sp_trace_id_compare(&list->items[i].trace_id, id) == 0)
            return true;
    }
    return false;
}

/* The bound of a candidate covers its spans in range and those of all later ones. */
static void check_bounds(const struct candidate_list *list, const struct span_list *all,
                         struct sp_time_range range)
{
    for (size_t c = 0; c < list->count; c++) {
        for (size_t i = 0; i < all->count; i++) {
            if (sp_trace_id_compare(&all->spans[i]->trace_id, &list->items[c].trace_id) == 0 &&
                sp_time_range_contains(range, all->spans[i]->start_unix_ns))
                ck_assert_uint_le(all->spans[i]->start_unix_ns, list->items[c].bound_unix_ns);
        }
    }
}

START_TEST(scan_visits_every_trace_with_a_span_in_range)
{
    struct fixture fixture;
    struct sp_gen gen = {.state = 77};
    fixture_init(&fixture, (enum engine)_i);
    struct span_list all = fill(&fixture, 500);
    for (int round = 0; round < 40; round++) {
        struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
        if (round > 0) {
            scan.range.from_unix_ns = all.spans[sp_gen_below(&gen, all.count)]->start_unix_ns;
            scan.range.to_unix_ns =
                scan.range.from_unix_ns + sp_gen_below(&gen, 600 * second_ns) + 1;
        }
        struct candidate_list list = scan_all(fixture.store, &fixture.arena, &scan);
        for (size_t i = 0; i < all.count; i++) {
            if (sp_time_range_contains(scan.range, all.spans[i]->start_unix_ns))
                ck_assert(lists(&list, &all.spans[i]->trace_id));
        }
        check_bounds(&list, &all, scan.range);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(scan_order_is_the_same_each_time)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    fill(&fixture, 600);
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    struct candidate_list first = scan_all(fixture.store, &fixture.arena, &scan);
    for (int round = 0; round < 2; round++) {
        struct candidate_list again = scan_all(fixture.store, &fixture.arena, &scan);
        ck_assert_uint_eq(first.count, again.count);
        for (size_t i = 0; i < first.count; i++)
            ck_assert_int_eq(
                sp_trace_id_compare(&first.items[i].trace_id, &again.items[i].trace_id), 0);
        fixture_reopen(&fixture);
    }
    fixture_fini(&fixture);
}
END_TEST

/* One condition, and which of four spans satisfy it. */
struct condition_case {
    struct sp_condition condition;
    unsigned matches; /* bit i: span i */
};

static struct sp_value int_value(int64_t number)
{
    return (struct sp_value){.kind = SP_VALUE_INT, .integer = number};
}

static struct sp_value text_value(const char *text)
{
    return (struct sp_value){.kind = SP_VALUE_STRING, .string = sp_slice_cstr(text)};
}

static struct sp_value trace_value(const struct sp_trace_id *id)
{
    return (struct sp_value){.kind = SP_VALUE_BYTES,
                             .string = sp_slice_make(id->bytes, SP_TRACE_ID_BYTES)};
}

static struct sp_condition on_attribute(uint32_t scopes, const char *key,
                                        enum sp_condition_operator operation, struct sp_value value)
{
    return (struct sp_condition){.field = SP_FIELD_ATTRIBUTE,
                                 .scopes = scopes,
                                 .key = sp_slice_cstr(key),
                                 .operation = operation,
                                 .value = value};
}

static struct sp_condition on_field(enum sp_field field, enum sp_condition_operator operation,
                                    struct sp_value value)
{
    return (struct sp_condition){.field = field, .operation = operation, .value = value};
}

/* The text has a b, or is empty. */
static bool has_b(void *cookie, struct sp_slice text)
{
    (void)cookie;
    return text.len == 0 || memchr(text.ptr, 'b', text.len) != NULL;
}

static struct sp_condition tests_for_b(struct sp_condition condition)
{
    static const struct sp_text_test test = {.holds = has_b, .name = "has b"};
    condition.operation = SP_OP_TEST;
    condition.test = &test;
    return condition;
}

START_TEST(scan_never_leaves_out_a_trace_that_satisfies_its_conditions)
{
    const struct sp_attribute numbers[] = {
        {SP_SLICE("n"), int_value(200)},
        {SP_SLICE("n"), {.kind = SP_VALUE_DOUBLE, .number = 0.5}},
        {SP_SLICE("n"), text_value("200")},
    };
    struct sp_span spans[] = {simple_span(1, 1, noon_unix_ns, 10, "cart", "a"),
                              simple_span(2, 2, noon_unix_ns, 20, "cart", "b"),
                              simple_span(3, 3, noon_unix_ns, 30, "web", "b"),
                              simple_span(4, 4, noon_unix_ns, 40, "web", "c")};
    for (size_t i = 0; i < 3; i++)
        spans[i].attributes = (struct sp_attributes){.items = &numbers[i], .count = 1};
    spans[1].links = &(struct sp_link){.trace_id = spans[0].trace_id};
    spans[1].link_count = 1;
    spans[2].events = (const struct sp_event[]){{.name = SP_SLICE("a")}, {.name = SP_SLICE("b")}};
    spans[2].event_count = 2;
    spans[0].scope = &(struct sp_scope){.name = SP_SLICE("http"), .present = true};
    spans[3].end_unix_ns = spans[3].start_unix_ns - 5; /* lasts 0 */
    spans[3].kind = SP_KIND_SERVER;
    spans[3].status_code = SP_SPAN_STATUS_ERROR;
    spans[3].status_present = true;
    spans[3].status_message = SP_SLICE("boom");
    const struct condition_case cases[] = {
        {on_field(SP_FIELD_SERVICE, SP_OP_EQ, text_value("cart")), 0x3},
        {on_field(SP_FIELD_SERVICE, SP_OP_NE, text_value("cart")), 0xc},
        {on_field(SP_FIELD_NAME, SP_OP_GT, text_value("a")), 0xe},
        {on_field(SP_FIELD_KIND, SP_OP_EQ, int_value(SP_KIND_SERVER)), 0x8},
        {on_field(SP_FIELD_STATUS, SP_OP_EQ, int_value(SP_SPAN_STATUS_ERROR)), 0x8},
        {on_field(SP_FIELD_STATUS_MESSAGE, SP_OP_EQ, text_value("boom")), 0x8},
        {on_field(SP_FIELD_DURATION, SP_OP_GE, int_value(20)), 0x6},
        {on_field(SP_FIELD_DURATION, SP_OP_LE, int_value(10)), 0x9},
        {on_field(SP_FIELD_LINKS, SP_OP_EXISTS, int_value(0)), 0x2},
        {on_field(SP_FIELD_LINKS, SP_OP_EQ, trace_value(&spans[0].trace_id)), 0x2},
        {on_field(SP_FIELD_LINKS, SP_OP_EQ, trace_value(&spans[1].trace_id)), 0x0},
        {on_field(SP_FIELD_EVENT_NAME, SP_OP_EXISTS, int_value(0)), 0x4},
        {on_field(SP_FIELD_EVENT_NAME, SP_OP_EQ, text_value("b")), 0x4},
        {on_field(SP_FIELD_EVENT_NAME, SP_OP_EQ, text_value("c")), 0x0},
        {on_field(SP_FIELD_EVENT_NAME, SP_OP_NE, text_value("b")), 0x4}, /* of the other event */
        {on_field(SP_FIELD_SCOPE_NAME, SP_OP_EQ, text_value("http")), 0x1},
        {on_field(SP_FIELD_SCOPE_NAME, SP_OP_NE, text_value("http")), 0xe},
        {tests_for_b(on_field(SP_FIELD_EVENT_NAME, SP_OP_TEST, text_value(""))), 0x4},
        {tests_for_b(on_field(SP_FIELD_SCOPE_NAME, SP_OP_TEST, text_value(""))), 0xe},
        {on_attribute(SP_SCOPE_SPAN, "n", SP_OP_EXISTS, int_value(0)), 0x7},
        {on_attribute(SP_SCOPE_EVENT, "n", SP_OP_EXISTS, int_value(0)), 0x0},
        {on_attribute(SP_SCOPE_SPAN, "n", SP_OP_EQ, int_value(200)), 0x1},
        {on_attribute(SP_SCOPE_SPAN, "n", SP_OP_LT, int_value(1)), 0x2},
        {on_attribute(SP_SCOPE_SPAN, "n", SP_OP_EQ, text_value("200")), 0x4},
        {on_attribute(SP_SCOPE_SPAN | SP_SCOPE_RESOURCE, "service.name", SP_OP_EQ,
                      text_value("web")),
         0xc},
        {tests_for_b(on_field(SP_FIELD_SERVICE, SP_OP_TEST, text_value(""))), 0xc},
        {tests_for_b(on_field(SP_FIELD_NAME, SP_OP_TEST, text_value(""))), 0x6},
        {tests_for_b(on_field(SP_FIELD_STATUS_MESSAGE, SP_OP_TEST, text_value(""))), 0xf},
        {tests_for_b(on_field(SP_FIELD_DURATION, SP_OP_TEST, text_value(""))), 0x0},
        {tests_for_b(on_attribute(SP_SCOPE_SPAN, "n", SP_OP_TEST, text_value(""))), 0x0},
        {tests_for_b(on_attribute(SP_SCOPE_RESOURCE, "service.name", SP_OP_TEST, text_value(""))),
         0xc},
    };
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append(&fixture, batch_of(&fixture.arena, spans, 4));
    for (int any = 0; any <= 1; any++) { /* of no conditions: every span */
        struct sp_scan scan = {.range = SP_TIME_RANGE_ALL, .match_any = any};
        struct candidate_list list = scan_all(fixture.store, &fixture.arena, &scan);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_msg(lists(&list, &spans[i].trace_id), "no conditions, any %d, span %u", any,
                          i);
    }
    for (size_t a = 0; a < SP_ARRAY_LEN(cases); a++) {
        for (size_t b = 0; b < SP_ARRAY_LEN(cases); b++) {
            struct sp_condition both[] = {cases[a].condition, cases[b].condition};
            for (int any = 0; any <= 1; any++) {
                struct sp_scan scan = {.range = SP_TIME_RANGE_ALL,
                                       .conditions = both,
                                       .condition_count = 2,
                                       .match_any = any};
                unsigned want =
                    any ? cases[a].matches | cases[b].matches : cases[a].matches & cases[b].matches;
                struct candidate_list list = scan_all(fixture.store, &fixture.arena, &scan);
                for (unsigned i = 0; i < 4; i++) {
                    bool listed = lists(&list, &spans[i].trace_id);
                    ck_assert_msg(listed || (want & (1u << i)) == 0, "conditions %zu, %zu, span %u",
                                  a, b, i);
                    /* The reference visits what matches and nothing else: it is the oracle. */
                    if (fixture.engine == ENGINE_REFERENCE)
                        ck_assert_int_eq(listed, (want & (1u << i)) != 0);
                }
            }
        }
    }
    fixture_fini(&fixture);
}
END_TEST

/* Spans of a candidate that do not match have no part in its place, wherever they are. */
START_TEST(scan_is_newest_first_by_the_spans_that_match)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span old_span = simple_span(1, 1, noon_unix_ns, 5, "cart", "wanted");
    append(&fixture, batch_of(&fixture.arena, &old_span, 1));
    fixture_reopen(&fixture); /* a segment, and behind it newer spans */
    struct sp_span spans[] = {
        simple_span(1, 2, noon_unix_ns + 100 * second_ns, 5, "cart", "other"),
        simple_span(2, 3, noon_unix_ns + 50 * second_ns, 5, "cart", "wanted")};
    append(&fixture, batch_of(&fixture.arena, spans, 2));
    const struct sp_condition condition = on_field(SP_FIELD_NAME, SP_OP_EQ, text_value("wanted"));
    const struct sp_scan scan = {
        .range = SP_TIME_RANGE_ALL, .conditions = &condition, .condition_count = 1};
    struct candidate_list list = scan_all(fixture.store, &fixture.arena, &scan);
    ck_assert_uint_eq(list.count, 2);
    ck_assert(lists(&list, &spans[0].trace_id) && lists(&list, &spans[1].trace_id));
    fixture_fini(&fixture);
}
END_TEST

/* ---- visitors ---- */

struct nested {
    struct fixture *fixture;
    size_t visited, stop_after;
    const struct sp_batch *append_meanwhile;
};

static enum sp_visit visit_and_read(void *cookie, const struct sp_candidate *candidate)
{
    struct nested *nested = cookie;
    struct sp_arena arena;
    const struct sp_batch *batch;
    struct sp_store_stats stats;
    sp_arena_init(&arena, SIZE_MAX);
    ck_assert_int_eq(
        sp_store_trace_read(nested->fixture->store, &candidate->trace_id, &arena, &batch, NULL),
        SP_OK);
    ck_assert_int_eq(sp_store_stats(nested->fixture->store, &stats, NULL), SP_OK);
    struct candidate_list inner =
        scan_all(nested->fixture->store, &arena, &(struct sp_scan){.range = SP_TIME_RANGE_ALL});
    ck_assert_uint_gt(inner.count, 0);
    if (nested->append_meanwhile != NULL)
        append(nested->fixture, nested->append_meanwhile);
    nested->append_meanwhile = NULL;
    sp_arena_fini(&arena);
    return ++nested->visited == nested->stop_after ? SP_VISIT_STOP : SP_VISIT_CONTINUE;
}

START_TEST(scan_visitor_may_read_and_stop)
{
    struct fixture fixture;
    struct sp_scanned scanned = {0};
    fixture_init(&fixture, (enum engine)_i);
    struct span_list all = fill(&fixture, 700);
    struct nested nested = {.fixture = &fixture, .stop_after = 3};
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    ck_assert_int_eq(
        sp_store_scan(fixture.store, &scan, NULL, visit_and_read, &nested, &scanned, NULL), SP_OK);
    ck_assert_uint_eq(nested.visited, 3);
    ck_assert_uint_ge(scanned.traces, 3);
    ck_assert_uint_gt(scanned.rows, 0);
    (void)all;
    fixture_fini(&fixture);
}
END_TEST

START_TEST(scan_sees_one_state_although_spans_are_appended_meanwhile)
{
    struct fixture fixture;
    struct sp_scanned scanned;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span old_spans[] = {simple_span(1, 1, noon_unix_ns, 5, "cart", "x"),
                                  simple_span(2, 2, noon_unix_ns + 9 * second_ns, 5, "cart", "x")};
    append(&fixture, batch_of(&fixture.arena, old_spans, 2));
    struct sp_span new_span = simple_span(3, 3, noon_unix_ns + 5 * second_ns, 5, "cart", "x");
    struct nested nested = {.fixture = &fixture,
                            .append_meanwhile = batch_of(&fixture.arena, &new_span, 1)};
    struct sp_scan scan = {.range = SP_TIME_RANGE_ALL};
    ck_assert_int_eq(
        sp_store_scan(fixture.store, &scan, NULL, visit_and_read, &nested, &scanned, NULL), SP_OK);
    ck_assert_uint_eq(nested.visited, 2);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, scan_visits_every_trace_with_a_span_in_range, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, scan_order_is_the_same_each_time, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, scan_never_leaves_out_a_trace_that_satisfies_its_conditions, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, scan_is_newest_first_by_the_spans_that_match, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, scan_visitor_may_read_and_stop, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, scan_sees_one_state_although_spans_are_appended_meanwhile, 0,
                        ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
