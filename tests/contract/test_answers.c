/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/test_answers.c: catalogue, latency, graph, scans and state, against answers worked out by hand or by the
 * test itself; on both engines, right after the ack, after a drain and after a restart. */
#include "storage/slots.h"
#include "tests/contract/fixture.h"
#include "tests/support/check_main.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t second_ns = 1000000000;
static const uint64_t minute_ns = 60ULL * 1000000000;

/* A minute of 2026, far from any edge. */
static const uint64_t noon_unix_ns = 1767268800ULL * 1000000000;

enum { STAGES = 3 }; /* fresh, drained, reopened */

/* The reference has one stage only: it has nothing to apply, and forgets when it is closed. */
static void enter_stage(struct fixture *fixture, int stage)
{
    if (fixture->engine == ENGINE_REFERENCE)
        return;
    if (stage == 1)
        sp_store_drain(fixture->store);
    else if (stage == 2)
        fixture_reopen(fixture);
}

static void append_spans(struct fixture *fixture, const struct sp_span *spans, size_t count)
{
    append(fixture, batch_of(&fixture->arena, spans, count));
}

static struct sp_span failed(struct sp_span span)
{
    span.status_present = true;
    span.status_code = SP_SPAN_STATUS_ERROR;
    return span;
}

static bool text_is(struct sp_slice slice, const char *text)
{
    return sp_slice_equal_cstr(slice, text);
}

/* ---- services and operations ---- */

START_TEST(services_are_counted_sorted_and_keep_their_slots)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span first[] = {simple_span(1, 1, noon_unix_ns, 5, "zebra", "a"),
                              failed(simple_span(1, 2, noon_unix_ns, 5, "cart", "a"))};
    struct sp_span second[] = {simple_span(2, 3, noon_unix_ns, 5, "cart", "b"),
                               simple_span(2, 4, noon_unix_ns, 5, "apple", "a"),
                               simple_span(2, 5, noon_unix_ns, 5, "", "nameless")};
    append_spans(&fixture, first, SP_ARRAY_LEN(first));
    append_spans(&fixture, second, SP_ARRAY_LEN(second));
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_service_row *rows;
        size_t count;
        ck_assert_int_eq(sp_store_services(fixture.store, SP_TIME_RANGE_ALL, NULL, &fixture.arena,
                                           &rows, &count, NULL),
                         SP_OK);
        const struct {
            const char *name;
            uint64_t spans, errors;
            uint32_t slot;
        } want[] = {{"apple", 1, 0, 2},
                    {"cart", 2, 1, 1},
                    {"unknown_service", 1, 0, 3},
                    {"zebra", 1, 0, 0}};
        ck_assert_uint_eq(count, SP_ARRAY_LEN(want));
        for (size_t i = 0; i < count; i++) {
            ck_assert(text_is(rows[i].name, want[i].name));
            ck_assert_uint_eq(rows[i].span_count, want[i].spans);
            ck_assert_uint_eq(rows[i].error_count, want[i].errors);
            ck_assert_uint_eq(rows[i].slot, want[i].slot);
        }
    }
    /* A slot is kept although newer services sort before. */
    struct sp_span third[] = {simple_span(3, 6, noon_unix_ns, 5, "aardvark", "a"),
                              simple_span(3, 7, noon_unix_ns, 5, "zebra", "a")};
    append_spans(&fixture, third, SP_ARRAY_LEN(third));
    const struct sp_service_row *rows;
    size_t count;
    ck_assert_int_eq(sp_store_services(fixture.store, SP_TIME_RANGE_ALL, NULL, &fixture.arena,
                                       &rows, &count, NULL),
                     SP_OK);
    ck_assert_uint_eq(count, 5);
    ck_assert(text_is(rows[0].name, "aardvark"));
    ck_assert_uint_eq(rows[0].slot, 4);
    ck_assert_uint_eq(rows[4].slot, 0);
    fixture_fini(&fixture);
}
END_TEST

/* "a", one with a name that is too long, and s00000, s00001 ... up to one more than there are slots for. */
START_TEST(services_that_come_later_have_one_slot_in_common)
{
    enum { COUNT = SP_SLOTS_MAX + 2, LONG = 1 };
    static char names[COUNT][8], long_name[SP_SLOT_NAME_BYTES_MAX + 1];
    static struct sp_attribute attributes[COUNT];
    static struct sp_resource resources[COUNT];
    static struct sp_span spans[COUNT];
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    memset(long_name, 'l', sizeof(long_name));
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), i == 0 ? "a" : "s%05u", i - LONG - 1);
        struct sp_slice name =
            i == LONG ? sp_slice_make(long_name, sizeof(long_name)) : sp_slice_cstr(names[i]);
        attributes[i] = (struct sp_attribute){.key = SP_SLICE("service.name"),
                                              .value = {.kind = SP_VALUE_STRING, .string = name}};
        resources[i].present = true;
        resources[i].attributes = (struct sp_attributes){.items = &attributes[i], .count = 1};
        spans[i] = simple_span(i + 1, 1, noon_unix_ns, 5, "", "a");
        spans[i].resource = &resources[i];
    }
    append_spans(&fixture, spans, COUNT);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_service_row *rows;
        size_t count;
        ck_assert_int_eq(sp_store_services(fixture.store, SP_TIME_RANGE_ALL, NULL, &fixture.arena,
                                           &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, COUNT);
        ck_assert_uint_eq(rows[0].slot, 0);
        ck_assert_uint_eq(rows[1].slot, SP_SLOTS_MAX); /* "lll..." */
        ck_assert_uint_eq(rows[2].slot, 1);
        ck_assert_uint_eq(rows[COUNT - 2].slot, SP_SLOTS_MAX - 1);
        ck_assert_uint_eq(rows[COUNT - 1].slot, SP_SLOTS_MAX);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(operations_are_counted_by_service_name_and_kind)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span spans[] = {
        simple_span(1, 1, noon_unix_ns, 5, "cart", "GET /"),
        failed(simple_span(1, 2, noon_unix_ns + minute_ns, 5, "cart", "GET /")),
        simple_span(1, 3, noon_unix_ns, 5, "cart", "GET /"),
        simple_span(1, 4, noon_unix_ns, 5, "cart", "add"),
        simple_span(1, 5, noon_unix_ns, 5, "apple", "zap"),
    };
    spans[2].kind = SP_KIND_SERVER;
    spans[3].kind = -7; /* a number nobody knows */
    append_spans(&fixture, spans, SP_ARRAY_LEN(spans));
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_operation_row *rows;
        size_t count;
        ck_assert_int_eq(sp_store_operations(fixture.store, SP_SLICE(""), SP_TIME_RANGE_ALL, NULL,
                                             &fixture.arena, &rows, &count, NULL),
                         SP_OK);
        const struct {
            const char *service, *name;
            int32_t kind;
            uint64_t spans, errors;
        } want[] = {{"apple", "zap", 0, 1, 0},
                    {"cart", "GET /", 0, 2, 1},
                    {"cart", "GET /", 2, 1, 0},
                    {"cart", "add", -7, 1, 0}};
        ck_assert_uint_eq(count, SP_ARRAY_LEN(want));
        for (size_t i = 0; i < count; i++) {
            ck_assert(text_is(rows[i].service, want[i].service));
            ck_assert(text_is(rows[i].name, want[i].name));
            ck_assert_int_eq(rows[i].kind, want[i].kind);
            ck_assert_uint_eq(rows[i].span_count, want[i].spans);
            ck_assert_uint_eq(rows[i].error_count, want[i].errors);
        }
        ck_assert_int_eq(sp_store_operations(fixture.store, SP_SLICE("apple"), SP_TIME_RANGE_ALL,
                                             NULL, &fixture.arena, &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert_int_eq(sp_store_operations(fixture.store, SP_SLICE("appl"), SP_TIME_RANGE_ALL,
                                             NULL, &fixture.arena, &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 0);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- ranges ---- */

static uint64_t spans_in(struct fixture *fixture, uint64_t from_unix_ns, uint64_t to_unix_ns)
{
    const struct sp_service_row *rows;
    size_t count;
    ck_assert_int_eq(sp_store_services(fixture->store,
                                       (struct sp_time_range){from_unix_ns, to_unix_ns}, NULL,
                                       &fixture->arena, &rows, &count, NULL),
                     SP_OK);
    return count > 0 ? rows[0].span_count : 0;
}

START_TEST(range_takes_its_first_nanosecond_and_not_its_last)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    const uint64_t starts[] = {0,
                               minute_ns - 1,
                               minute_ns,
                               noon_unix_ns - 1,
                               noon_unix_ns,
                               noon_unix_ns + 1,
                               noon_unix_ns + minute_ns,
                               UINT64_MAX - 1,
                               UINT64_MAX};
    for (size_t i = 0; i < SP_ARRAY_LEN(starts); i++) {
        struct sp_span span = simple_span(i + 1, i + 1, starts[i], 0, "cart", "x");
        append_spans(&fixture, &span, 1);
    }
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        for (size_t a = 0; a < SP_ARRAY_LEN(starts); a++) {
            for (size_t b = 0; b < SP_ARRAY_LEN(starts); b++) {
                uint64_t want = 0;
                for (size_t i = 0; i < SP_ARRAY_LEN(starts); i++)
                    want += starts[i] >= starts[a] &&
                            (starts[i] < starts[b] || starts[b] == UINT64_MAX);
                ck_assert_msg(spans_in(&fixture, starts[a], starts[b]) == want,
                              "from start %zu to start %zu", a, b);
            }
        }
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(empty_range_answers_nothing_and_no_error)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span span = simple_span(1, 1, noon_unix_ns, 5, "cart", "x");
    append_spans(&fixture, &span, 1);
    struct sp_buf text;
    sp_buf_init(&text, 1 << 20);
    describe_answers(fixture.store, (struct sp_time_range){noon_unix_ns, noon_unix_ns}, &text);
    describe_answers(fixture.store, (struct sp_time_range){noon_unix_ns + 9, noon_unix_ns}, &text);
    ck_assert_ptr_null(memmem(text.ptr, text.len, "cart", 4));
    sp_buf_fini(&text);
    fixture_fini(&fixture);
}
END_TEST

START_TEST(rollups_widen_their_range_to_whole_minutes)
{
    struct sp_time_range range =
        sp_time_range_minutes((struct sp_time_range){noon_unix_ns + 1, noon_unix_ns + 2});
    ck_assert_uint_eq(range.from_unix_ns, noon_unix_ns);
    ck_assert_uint_eq(range.to_unix_ns, noon_unix_ns + minute_ns);
    range = sp_time_range_minutes((struct sp_time_range){noon_unix_ns, noon_unix_ns + minute_ns});
    ck_assert_uint_eq(range.to_unix_ns, noon_unix_ns + minute_ns);
    range = sp_time_range_minutes((struct sp_time_range){7, UINT64_MAX});
    ck_assert_uint_eq(range.from_unix_ns, 0);
    ck_assert_uint_eq(range.to_unix_ns, UINT64_MAX);
    range = sp_time_range_minutes((struct sp_time_range){UINT64_MAX - 1, UINT64_MAX - 1});
    ck_assert(sp_time_range_is_empty(range));

    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span spans[] = {simple_span(1, 1, noon_unix_ns - 1, 5, "cart", "x"),
                              simple_span(1, 2, noon_unix_ns, 5, "cart", "x"),
                              simple_span(1, 3, noon_unix_ns + minute_ns - 1, 5, "cart", "x"),
                              simple_span(1, 4, noon_unix_ns + minute_ns, 5, "cart", "x")};
    append_spans(&fixture, spans, SP_ARRAY_LEN(spans));
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        struct sp_latency_series *rows;
        size_t count;
        struct sp_time_range second = {noon_unix_ns + second_ns, noon_unix_ns + 2 * second_ns};
        ck_assert_int_eq(sp_store_latency(fixture.store, SP_SLICE(""), SP_SLICE(""), -1, second,
                                          NULL, &fixture.arena, &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(rows[0].calls, 2);
        sp_latency_rows_fini(rows, count);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- attributes ---- */

/* A slice for static data, where SP_SLICE is no constant. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct sp_attribute red_attributes[] = {
    {TEXT("colour"), {.kind = SP_VALUE_STRING, .string = TEXT("red")}},
    {TEXT("colour"), {.kind = SP_VALUE_STRING, .string = TEXT("red")}},
    {TEXT("colour"), {.kind = SP_VALUE_INT, .integer = 7}},
    {TEXT("coin"), {.kind = SP_VALUE_BOOL, .boolean = true}},
};
static const struct sp_attribute blue_attributes[] = {
    {TEXT("colour"), {.kind = SP_VALUE_STRING, .string = TEXT("blue")}},
};

/* Two spans with red, one with blue; an event of the last has red, too. */
static void append_colours(struct fixture *fixture)
{
    static const struct sp_event events[] = {
        {.name = TEXT("seen"), .attributes = {.items = red_attributes, .count = 1}}};
    struct sp_span spans[] = {simple_span(1, 1, noon_unix_ns, 5, "cart", "x"),
                              simple_span(2, 2, noon_unix_ns, 5, "cart", "x"),
                              simple_span(3, 3, noon_unix_ns + second_ns, 5, "cart", "x")};
    spans[0].attributes = spans[1].attributes = (struct sp_attributes){red_attributes, 4, 0};
    spans[2].attributes = (struct sp_attributes){blue_attributes, 1, 0};
    spans[2].events = events;
    spans[2].event_count = 1;
    append_spans(fixture, spans, 1);
    append_spans(fixture, spans + 1, 2);
}

START_TEST(attribute_keys_count_spans_by_level_and_kind)
{
    const struct {
        enum sp_attribute_scope scope;
        const char *key;
        enum sp_value_kind kind;
        uint64_t spans;
    } want[] = {{SP_SCOPE_SPAN, "coin", SP_VALUE_BOOL, 2},
                {SP_SCOPE_SPAN, "colour", SP_VALUE_STRING, 3},
                {SP_SCOPE_SPAN, "colour", SP_VALUE_INT, 2},
                {SP_SCOPE_RESOURCE, "service.name", SP_VALUE_STRING, 3},
                {SP_SCOPE_EVENT, "colour", SP_VALUE_STRING, 1}};
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_colours(&fixture);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_key_row *rows;
        size_t count;
        bool complete;
        for (size_t limit = 0; limit <= SP_ARRAY_LEN(want) + 1; limit++) {
            ck_assert_int_eq(sp_store_attribute_keys(fixture.store, 31, SP_SLICE(""),
                                                     SP_TIME_RANGE_ALL, NULL, limit, &fixture.arena,
                                                     &rows, &count, &complete, NULL),
                             SP_OK);
            ck_assert_uint_eq(count, limit < SP_ARRAY_LEN(want) ? limit : SP_ARRAY_LEN(want));
            ck_assert_int_eq(complete, limit >= SP_ARRAY_LEN(want));
            for (size_t i = 0; i < count; i++) {
                ck_assert_int_eq(rows[i].scope, want[i].scope);
                ck_assert(text_is(rows[i].key, want[i].key));
                ck_assert_int_eq(rows[i].kind, want[i].kind);
                ck_assert_uint_eq(rows[i].span_count, want[i].spans);
            }
        }
        ck_assert_int_eq(sp_store_attribute_keys(fixture.store, SP_SCOPE_SPAN | SP_SCOPE_EVENT,
                                                 SP_SLICE("col"), SP_TIME_RANGE_ALL, NULL, 100,
                                                 &fixture.arena, &rows, &count, &complete, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 3);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(attribute_values_come_most_frequent_first)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    append_colours(&fixture);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_value_row *rows;
        size_t count;
        bool complete;
        /* On both levels together the third span has red as well. */
        ck_assert_int_eq(sp_store_attribute_values(fixture.store, SP_SCOPE_SPAN | SP_SCOPE_EVENT,
                                                   SP_SLICE("colour"), SP_SLICE(""),
                                                   SP_TIME_RANGE_ALL, NULL, 10, &fixture.arena,
                                                   &rows, &count, &complete, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 3);
        ck_assert(complete);
        ck_assert(text_is(rows[0].text, "red"));
        ck_assert_uint_eq(rows[0].span_count, 3);
        ck_assert(text_is(rows[1].text, "7"));
        ck_assert_int_eq(rows[1].kind, SP_VALUE_INT);
        ck_assert_uint_eq(rows[1].span_count, 2);
        ck_assert(text_is(rows[2].text, "blue"));
        ck_assert_int_eq(sp_store_attribute_values(fixture.store, SP_SCOPE_SPAN, SP_SLICE("colour"),
                                                   SP_SLICE(""), SP_TIME_RANGE_ALL, NULL, 1,
                                                   &fixture.arena, &rows, &count, &complete, NULL),
                         SP_OK);
        /* A tie between 7 and red: by text. */
        ck_assert(text_is(rows[0].text, "7"));
        ck_assert(!complete);
        ck_assert_int_eq(sp_store_attribute_values(fixture.store, SP_SCOPE_SPAN, SP_SLICE("colour"),
                                                   SP_SLICE("b"), SP_TIME_RANGE_ALL, NULL, 10,
                                                   &fixture.arena, &rows, &count, &complete, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert(text_is(rows[0].text, "blue"));
    }
    fixture_fini(&fixture);
}
END_TEST

static enum sp_visit count_visits(void *cookie, const struct sp_candidate *candidate)
{
    (void)candidate;
    ++*(size_t *)cookie;
    return SP_VISIT_CONTINUE;
}

/* A text that comes back after many new ones may stand twice in a block. */
START_TEST(values_that_repeat_after_many_new_ones_are_found_and_counted)
{
    enum { NEW = 400, REPEATED = 200 };
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span *spans =
        sp_arena_calloc(&fixture.arena, NEW + 2 * REPEATED, sizeof(struct sp_span));
    struct sp_attribute *attributes =
        sp_arena_calloc(&fixture.arena, NEW + 2 * REPEATED, sizeof(struct sp_attribute));
    ck_assert(spans != NULL && attributes != NULL);
    for (uint64_t i = 0; i < NEW + 2 * REPEATED; i++) {
        char text[32];
        snprintf(text, sizeof(text), "new %llu", (unsigned long long)i);
        struct sp_slice copy = i % 2 == 0 ? SP_SLICE("red") : SP_SLICE("blue");
        if (i < NEW)
            ck_assert(sp_arena_copy(&fixture.arena, sp_slice_cstr(text), &copy));
        attributes[i] =
            (struct sp_attribute){SP_SLICE("colour"), {.kind = SP_VALUE_STRING, .string = copy}};
        spans[i] = simple_span(i + 1, i + 1, noon_unix_ns, 5, "cart", "x");
        spans[i].attributes = (struct sp_attributes){.items = &attributes[i], .count = 1};
    }
    append_spans(&fixture, spans, NEW + 2 * REPEATED);
    const struct sp_condition is_red = {
        .field = SP_FIELD_ATTRIBUTE,
        .scopes = SP_SCOPE_SPAN,
        .key = SP_SLICE("colour"),
        .operation = SP_OP_EQ,
        .value = {.kind = SP_VALUE_STRING, .string = SP_SLICE("red")}};
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        const struct sp_value_row *rows;
        size_t count;
        size_t visits = 0;
        bool complete;
        struct sp_scanned scanned = {0};
        struct sp_scan scan = {
            .range = SP_TIME_RANGE_ALL, .conditions = &is_red, .condition_count = 1};
        ck_assert_int_eq(sp_store_attribute_values(fixture.store, SP_SCOPE_SPAN, SP_SLICE("colour"),
                                                   SP_SLICE(""), SP_TIME_RANGE_ALL, NULL, 10000,
                                                   &fixture.arena, &rows, &count, &complete, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, NEW + 2);
        ck_assert(text_is(rows[0].text, "blue"));
        ck_assert_uint_eq(rows[0].span_count, REPEATED);
        ck_assert(text_is(rows[1].text, "red"));
        ck_assert_uint_eq(rows[1].span_count, REPEATED);
        ck_assert_uint_eq(rows[2].span_count, 1);
        ck_assert_int_eq(
            sp_store_scan(fixture.store, &scan, NULL, count_visits, &visits, &scanned, NULL),
            SP_OK);
        ck_assert_uint_ge(visits, REPEATED);
        ck_assert(fixture.engine == ENGINE_REFERENCE || visits == REPEATED);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- latency ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

START_TEST(latency_quantiles_lie_within_their_error)
{
    enum { COUNT = 3000 };
    struct fixture fixture;
    struct sp_gen gen = {.state = 11};
    static uint64_t durations[COUNT];
    fixture_init(&fixture, (enum engine)_i);
    for (size_t b = 0; b < COUNT / 100; b++) {
        struct sp_span spans[100];
        for (size_t i = 0; i < 100; i++) {
            uint64_t duration = sp_gen_u64(&gen) >> (sp_gen_below(&gen, 50) + 14);
            durations[b * 100 + i] = duration;
            spans[i] = simple_span(b + 1, i + 1, noon_unix_ns + b * 7 * second_ns, duration, "cart",
                                   i % 2 ? "odd" : "even");
            spans[i].name = SP_SLICE("x");
            spans[i].kind = SP_KIND_SERVER;
        }
        append_spans(&fixture, spans, 100);
    }
    qsort(durations, COUNT, sizeof(durations[0]), compare_u64);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        struct sp_latency_series *rows;
        size_t count;
        ck_assert_int_eq(sp_store_latency(fixture.store, SP_SLICE("cart"), SP_SLICE("x"),
                                          SP_KIND_SERVER, SP_TIME_RANGE_ALL, NULL, &fixture.arena,
                                          &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(rows[0].calls, COUNT);
        ck_assert_uint_eq(rows[0].latency.count, COUNT);
        for (size_t k = 0; k < COUNT; k++) {
            /* In the middle between two ranks, where rounding cannot choose another. */
            double q = ((double)k + 0.5) / COUNT;
            double exact = (double)durations[k];
            double told = (double)sp_histogram_quantile(&rows[0].latency, q);
            ck_assert_msg(told >= exact * (1 - SP_HISTOGRAM_RELATIVE_ERROR) - 1 &&
                              told <= exact * (1 + SP_HISTOGRAM_RELATIVE_ERROR) + 1,
                          "rank %zu: %f instead of %f", k + 1, told, exact);
        }
        sp_latency_rows_fini(rows, count);
        ck_assert_int_eq(sp_store_latency(fixture.store, SP_SLICE("cart"), SP_SLICE("x"),
                                          SP_KIND_CLIENT, SP_TIME_RANGE_ALL, NULL, &fixture.arena,
                                          &rows, &count, NULL),
                         SP_OK);
        ck_assert_uint_eq(count, 0);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- graph ---- */

START_TEST(graph_joins_spans_that_came_in_different_requests)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span caller = simple_span(1, 1, noon_unix_ns, 90, "web", "call");
    struct sp_span callee =
        failed(simple_span(1, 2, noon_unix_ns + minute_ns, 70, "cart", "serve"));
    caller.kind = SP_KIND_CLIENT;
    callee.kind = SP_KIND_SERVER;
    callee.parent_span_id = caller.span_id;
    append_spans(&fixture, &callee, 1); /* the far end first */
    if (fixture.engine == ENGINE_ROCKSDB)
        fixture_reopen(&fixture);
    append_spans(&fixture, &caller, 1);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        struct sp_graph_edge *edges;
        size_t count;
        size_t found = 0;
        /* The minute of the caller decides, and is enough: the other span lies outside. */
        struct sp_time_range range = {noon_unix_ns, noon_unix_ns + 1};
        ck_assert_int_eq(
            sp_store_graph(fixture.store, range, NULL, &fixture.arena, &edges, &count, NULL),
            SP_OK);
        for (size_t i = 0; i < count; i++) {
            if (edges[i].type != SP_CONNECTION_DIRECT)
                continue;
            found++;
            ck_assert(text_is(edges[i].client, "web"));
            ck_assert(text_is(edges[i].server, "cart"));
            ck_assert_uint_eq(edges[i].calls, 1);
            ck_assert_uint_eq(edges[i].errors, 1);
            ck_assert_uint_eq(edges[i].client_latency.sum_ns, 90);
            ck_assert_uint_eq(edges[i].server_latency.sum_ns, 70);
        }
        ck_assert_uint_eq(found, 1);
        sp_graph_edges_fini(edges, count);
        range = (struct sp_time_range){noon_unix_ns + minute_ns, noon_unix_ns + 2 * minute_ns};
        ck_assert_int_eq(
            sp_store_graph(fixture.store, range, NULL, &fixture.arena, &edges, &count, NULL),
            SP_OK);
        for (size_t i = 0; i < count; i++)
            ck_assert_int_ne(edges[i].type, SP_CONNECTION_DIRECT);
        sp_graph_edges_fini(edges, count);
    }
    fixture_fini(&fixture);
}
END_TEST

/* ---- state ---- */

START_TEST(stats_count_what_is_stored)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_span spans[] = {simple_span(1, 1, noon_unix_ns, 5, "cart", "x"),
                              simple_span(2, 2, noon_unix_ns - 77, 5, "cart", "x"),
                              simple_span(1, 3, noon_unix_ns + 99, 5, "cart", "x")};
    append_spans(&fixture, spans, 2);
    append_spans(&fixture, spans + 2, 1);
    for (int stage = 0; stage < STAGES; stage++) {
        enter_stage(&fixture, stage);
        struct sp_store_stats stats;
        ck_assert_int_eq(sp_store_stats(fixture.store, &stats, NULL), SP_OK);
        ck_assert_uint_eq(stats.span_count, 3);
        ck_assert_uint_eq(stats.trace_count, 2);
        ck_assert_uint_eq(stats.oldest_unix_ns, noon_unix_ns - 77);
        ck_assert_uint_eq(stats.newest_unix_ns, noon_unix_ns + 99);
        ck_assert_uint_eq(stats.append_count,
                          stage == 2 && fixture.engine == ENGINE_ROCKSDB ? 0 : 2);
        if (stage > 0)
            ck_assert_uint_eq(stats.backlog_appends, 0);
        if (fixture.engine == ENGINE_REFERENCE)
            ck_assert_uint_eq(stats.disk_bytes, 0);
        else
            ck_assert_uint_gt(stats.disk_bytes, 0);
    }
    fixture_fini(&fixture);
}
END_TEST

START_TEST(answers_stop_at_the_cap_of_the_arena)
{
    struct fixture fixture;
    fixture_init(&fixture, (enum engine)_i);
    struct sp_gen_options options = sp_gen_options_everything(200);
    append(&fixture, sp_gen_batch(&fixture.arena, 4, &options));
    sp_store_drain(fixture.store);
    bool refused[6] = {false};
    bool all_answered = false;
    for (size_t cap = 0; !all_answered; cap = cap * 2 + 1024) {
        struct sp_arena arena;
        struct sp_error error = {0};
        const struct sp_service_row *services;
        const struct sp_operation_row *operations;
        const struct sp_key_row *keys;
        const struct sp_value_row *values;
        struct sp_latency_series *series;
        struct sp_graph_edge *edges;
        size_t count;
        bool complete;
        enum sp_status status[6];
        sp_arena_init(&arena, cap);
        status[0] = sp_store_services(fixture.store, SP_TIME_RANGE_ALL, NULL, &arena, &services,
                                      &count, &error);
        status[1] = sp_store_operations(fixture.store, SP_SLICE(""), SP_TIME_RANGE_ALL, NULL,
                                        &arena, &operations, &count, &error);
        status[2] = sp_store_attribute_keys(fixture.store, 31, SP_SLICE(""), SP_TIME_RANGE_ALL,
                                            NULL, 99, &arena, &keys, &count, &complete, &error);
        status[3] = sp_store_attribute_values(fixture.store, 31, SP_SLICE("service.name"),
                                              SP_SLICE(""), SP_TIME_RANGE_ALL, NULL, 99, &arena,
                                              &values, &count, &complete, &error);
        status[4] = sp_store_latency(fixture.store, SP_SLICE(""), SP_SLICE(""), -1,
                                     SP_TIME_RANGE_ALL, NULL, &arena, &series, &count, &error);
        if (status[4] == SP_OK)
            sp_latency_rows_fini(series, count);
        status[5] =
            sp_store_graph(fixture.store, SP_TIME_RANGE_ALL, NULL, &arena, &edges, &count, &error);
        if (status[5] == SP_OK)
            sp_graph_edges_fini(edges, count);
        all_answered = true;
        for (size_t i = 0; i < SP_ARRAY_LEN(status); i++) {
            ck_assert(status[i] == SP_OK || status[i] == SP_LIMIT);
            refused[i] |= status[i] == SP_LIMIT;
            all_answered &= status[i] == SP_OK;
        }
        sp_arena_fini(&arena);
    }
    for (size_t i = 0; i < SP_ARRAY_LEN(refused); i++)
        ck_assert_msg(refused[i], "answer %zu fits into nothing", i);
    fixture_fini(&fixture);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("answers");
    TCase *tcase = tcase_create("both engines");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, services_are_counted_sorted_and_keep_their_slots, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, services_that_come_later_have_one_slot_in_common, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, operations_are_counted_by_service_name_and_kind, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, range_takes_its_first_nanosecond_and_not_its_last, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, empty_range_answers_nothing_and_no_error, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, rollups_widen_their_range_to_whole_minutes, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, attribute_keys_count_spans_by_level_and_kind, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, attribute_values_come_most_frequent_first, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, values_that_repeat_after_many_new_ones_are_found_and_counted, 0,
                        ENGINE_COUNT);
    tcase_add_loop_test(tcase, latency_quantiles_lie_within_their_error, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, graph_joins_spans_that_came_in_different_requests, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, stats_count_what_is_stored, 0, ENGINE_COUNT);
    tcase_add_loop_test(tcase, answers_stop_at_the_cap_of_the_arena, 0, ENGINE_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
