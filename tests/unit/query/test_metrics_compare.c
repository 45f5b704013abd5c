/* SPDX-License-Identifier: Apache-2.0
 *
 * compare({ ... }) over random spans: random filters, selections, numbers of values and windows against brute force, which counts
 * the values of every key of every span one by one; and its limits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/net.h"
#include "query/metrics.h"
#include "tests/support/span_gen.h"
#include "tests/support/span_oracle.h"
#include "tests/unit/query/world.h"

#define ROWS_MAX   20000
#define POINTS_MAX 16
#define KEYS_MAX   200
#define SPANS      200
#define LABEL      8192

/* A value of a key on one side: of brute force, or a series of the answer. */
struct row {
    char *name; /* "type|key|valuetype=value|" */
    uint64_t points[POINTS_MAX];
};

struct rows {
    struct row items[ROWS_MAX];
    size_t count;
};

static struct sp_arena arena;
static struct world world;

static char *copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *made = sp_arena_alloc(&arena, bytes);
    ck_assert_ptr_nonnull(made);
    memcpy(made, text, bytes);
    return made;
}

static struct row *row_of(struct rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strcmp(rows->items[i].name, name) == 0)
            return &rows->items[i];
    ck_assert_uint_lt(rows->count, ROWS_MAX);
    rows->items[rows->count] = (struct row){.name = copy(name)};
    return &rows->items[rows->count++];
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

/* ---- the question ---- */

struct question {
    struct oracle_query filter, selection;
    unsigned top, points;
    bool has_window;
    uint64_t window_from, window_to, from, step;
    char text[16384];
};

static void make_question(struct sp_gen *gen, struct question *question)
{
    static const uint64_t steps_s[] = {300, 700, 3600};
    if (sp_gen_chance(gen, 50))
        oracle_make_common(gen, &question->filter);
    else
        oracle_make(gen, &question->filter);
    if (sp_gen_chance(gen, 50))
        oracle_make_common(gen, &question->selection);
    else
        oracle_make(gen, &question->selection);
    question->top = 1 + (unsigned)sp_gen_below(gen, 12);
    question->step = steps_s[sp_gen_below(gen, SP_ARRAY_LEN(steps_s))] * 1000000000;
    question->points = 1 + (unsigned)sp_gen_below(gen, POINTS_MAX);
    question->from = T0 / question->step * question->step + question->step * sp_gen_below(gen, 3);
    question->has_window = sp_gen_chance(gen, 30);
    question->window_from = T0 + sp_gen_below(gen, 3600) * 1000000000;
    question->window_to = question->window_from + 1 + sp_gen_below(gen, 3600) * 1000000000;
    char *at = question->text;
    at += sprintf(at, "%s | compare(%s", question->filter.text, question->selection.text);
    bool default_top = !question->has_window && question->top == 10;
    if (!default_top)
        at += sprintf(at, ", %u", question->top);
    if (question->has_window)
        at += sprintf(at, ", %llu, %llu", (unsigned long long)question->window_from,
                      (unsigned long long)question->window_to);
    sprintf(at, ")");
}

/* ---- brute force ---- */

/* A key as the answer names it. */
static const char *key_name(enum sp_traceql_scope scope, struct sp_slice key)
{
    struct sp_traceql_node node = {.kind = SP_TRACEQL_FIELD, .field = {.scope = scope, .key = key}};
    struct sp_buf text;
    sp_buf_init(&text, 1 << 16);
    sp_traceql_print_node(&node, &text);
    char *name = sp_arena_alloc(&arena, text.len + 1);
    memcpy(name, text.ptr, text.len);
    name[text.len] = 0;
    sp_buf_fini(&text);
    return name;
}

/* What one span has: names of keys, with their values as "type=text|". */
struct has {
    struct {
        const char *key;
        char value[LABEL];
    } items[KEYS_MAX];
    size_t count;
};

static char *new_value(struct has *has, const char *key)
{
    for (size_t i = 0; i < has->count; i++)
        if (strcmp(has->items[i].key, key) == 0)
            return NULL; /* of a key that stands twice the first counts */
    ck_assert_uint_lt(has->count, KEYS_MAX);
    has->items[has->count].key = key;
    has->items[has->count].value[0] = 0;
    return has->items[has->count++].value;
}

static void add_text(struct has *has, const char *key, const char *type, struct sp_slice text)
{
    label_append_text(new_value(has, key), LABEL, type, text);
}

static void add_attributes(struct has *has, enum sp_traceql_scope scope,
                           const struct sp_attributes *attributes)
{
    for (size_t i = 0; i < attributes->count; i++) {
        char *value = new_value(has, key_name(scope, attributes->items[i].key));
        if (value)
            label_append_value(value, LABEL, &attributes->items[i].value);
    }
}

static void look_at(const struct sp_span *span, struct has *has)
{
    has->count = 0;
    add_text(has, "service", "string", sp_span_service(span));
    add_text(has, "name", "string", span->name);
    add_text(has, "kind", "kind", sp_slice_cstr(sp_span_kind_name(span->kind)));
    add_text(has, "status", "status", sp_slice_cstr(sp_span_status_name(span->status_code)));
    add_text(has, "statusMessage", "string", span->status_message);
    add_attributes(has, SP_TRACEQL_SCOPE_SPAN, &span->attributes);
    add_attributes(has, SP_TRACEQL_SCOPE_RESOURCE, &span->resource->attributes);
    if (span->scope)
        add_attributes(has, SP_TRACEQL_SCOPE_INSTRUMENTATION, &span->scope->attributes);
}

static const char *const sides[] = {"baseline", "selection"};

static void count_span(const struct question *question, const struct sp_span *span, bool selected,
                       struct rows *all)
{
    static struct has has;
    static char name[2 * LABEL];
    uint64_t moment = (span->start_unix_ns - question->from) / question->step;
    look_at(span, &has);
    for (size_t i = 0; i < has.count; i++) {
        snprintf(name, sizeof(name), "%s|%s|%s", sides[selected], has.items[i].key,
                 has.items[i].value);
        row_of(all, name)->points[moment]++;
    }
}

static uint64_t sum_of(const struct row *row)
{
    uint64_t sum = 0;
    for (unsigned m = 0; m < POINTS_MAX; m++)
        sum += row->points[m];
    return sum;
}

/* The order of equally frequent values: by type, then numbers by size, then texts. */
static int compare_texts(const char *a, const char *b)
{
    static const char *const types[] = {
        "nil=", "string=", "bool=", "int=", "float=", "duration=", "status=", "kind=", "other="};
    size_t x = 0, y = 0;
    while (strncmp(a, types[x], strlen(types[x])) != 0)
        x++;
    while (strncmp(b, types[y], strlen(types[y])) != 0)
        y++;
    if (x != y)
        return x < y ? -1 : 1;
    a += strlen(types[x]);
    b += strlen(types[y]);
    if (x == 3 || x == 4) {
        double m = strtod(a, NULL), n = strtod(b, NULL);
        bool finite = strncmp(a, "N", 1) != 0 && strncmp(b, "N", 1) != 0 && !strstr(a, "Inf") &&
                      !strstr(b, "Inf");
        if (finite && m != n)
            return m < n ? -1 : 1;
    }
    /* Without the bar at the end, as bytes. */
    size_t a_len = strlen(a) - 1, b_len = strlen(b) - 1;
    return sp_slice_compare(sp_slice_make(a, a_len), sp_slice_make(b, b_len));
}

struct split_name {
    char side[32], key[LABEL];
    const char *value;
};

static void split(const char *name, struct split_name *ret)
{
    const char *bar = strchr(name, '|');
    snprintf(ret->side, sizeof(ret->side), "%.*s", (int)(bar - name), name);
    /* The value begins behind the last bar in front of a type: keys of these spans have none. */
    const char *key = bar + 1, *end = strchr(key, '|');
    snprintf(ret->key, sizeof(ret->key), "%.*s", (int)(end - key), key);
    ret->value = end + 1;
}

/* How many values of the same key and side come before this one. */
static unsigned rank_of(const struct rows *all, size_t row)
{
    static struct split_name own, other;
    unsigned before = 0;
    split(all->items[row].name, &own);
    uint64_t count = sum_of(&all->items[row]);
    for (size_t i = 0; i < all->count; i++) {
        split(all->items[i].name, &other);
        if (i == row || strcmp(own.side, other.side) != 0 || strcmp(own.key, other.key) != 0)
            continue;
        uint64_t its = sum_of(&all->items[i]);
        before += its > count || (its == count && compare_texts(other.value, own.value) < 0);
    }
    return before;
}

static void add_points(struct row *into, const struct row *from)
{
    for (unsigned m = 0; m < POINTS_MAX; m++)
        into->points[m] += from->points[m];
}

/* All counts become the answer: the most frequent values, sums, and what is not shown. */
static void make_answer(const struct question *question, const struct rows *all, struct rows *want)
{
    static char name[2 * LABEL];
    static struct split_name own;
    want->count = 0;
    for (size_t i = 0; i < all->count; i++) {
        split(all->items[i].name, &own);
        snprintf(name, sizeof(name), "%s_total|%s|nil=-|", own.side, own.key);
        add_points(row_of(want, name), &all->items[i]);
        if (rank_of(all, i) < question->top) {
            add_points(row_of(want, all->items[i].name), &all->items[i]);
            continue;
        }
        snprintf(name, sizeof(name), "__too_many_values__|%s|nil=-|", own.key);
        add_points(row_of(want, name), &all->items[i]);
    }
    qsort(want->items, want->count, sizeof(*want->items), compare_rows);
}

static int compare_traces(const void *a, const void *b)
{
    const struct sp_span *const *x = a, *const *y = b;
    return memcmp((*x)->trace_id.bytes, (*y)->trace_id.bytes, SP_TRACE_ID_BYTES);
}

static void brute_force(const struct question *question, const struct sp_span **spans, size_t count,
                        struct rows *want)
{
    static struct rows all;
    static struct oracle_trace trace;
    uint64_t to = question->from + question->step * question->points;
    all.count = 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && compare_traces(&spans[i], &spans[end]) == 0; end++)
            ;
        oracle_trace_init(&trace, spans + i, end - i);
        for (size_t j = i; j < end; j++) {
            uint64_t start = spans[j]->start_unix_ns;
            if (start < question->from || start >= to ||
                !oracle_matches(&question->filter, &trace, j - i))
                continue;
            bool selected = oracle_matches(&question->selection, &trace, j - i);
            if (question->has_window)
                selected &= start >= question->window_from && start < question->window_to;
            count_span(question, spans[j], selected, &all);
        }
    }
    make_answer(question, &all, want);
}

/* ---- the answer ---- */

static void expect_event(struct sp_json_reader *r, enum sp_json_event event)
{
    ck_assert_int_eq(sp_json_next(r), event);
}

/* [{"key":"__meta_type","value":"selection",...},{"key":"span.a","value":...,"type":...}] */
static void read_labels(struct sp_json_reader *r, char *name, size_t bytes)
{
    name[0] = 0;
    expect_event(r, SP_JSON_ARRAY_BEGIN);
    for (int label = 0; sp_json_next(r) == SP_JSON_OBJECT_BEGIN; label++) {
        struct sp_slice key = {0}, value = SP_SLICE("-"), type = {0};
        while (sp_json_next(r) == SP_JSON_KEY) {
            struct sp_slice member = r->text;
            enum sp_json_event event = sp_json_next(r);
            if (sp_slice_equal_cstr(member, "key"))
                key = r->text;
            if (sp_slice_equal_cstr(member, "value") && event == SP_JSON_STRING)
                value = r->text;
            if (sp_slice_equal_cstr(member, "type"))
                type = r->text;
        }
        size_t len = strlen(name);
        if (label == 0) {
            bool cut = sp_slice_equal_cstr(value, "__too_many_values__");
            ck_assert(sp_slice_equal_cstr(key, cut ? "__meta_error" : "__meta_type"));
            snprintf(name + len, bytes - len, "%.*s|", SP_SLICE_PRINTF(value));
        } else {
            snprintf(name + len, bytes - len, "%.*s|%.*s=%.*s|", SP_SLICE_PRINTF(key),
                     SP_SLICE_PRINTF(type), SP_SLICE_PRINTF(value));
        }
    }
}

static void read_points(struct sp_json_reader *r, const struct question *question, struct row *row)
{
    expect_event(r, SP_JSON_ARRAY_BEGIN);
    unsigned count = 0;
    for (; sp_json_next(r) == SP_JSON_ARRAY_BEGIN; count++) {
        uint64_t time;
        double value;
        expect_event(r, SP_JSON_STRING);
        ck_assert(sp_parse_u64(r->text, &time));
        ck_assert_uint_eq(time, question->from + count * question->step);
        expect_event(r, SP_JSON_NUMBER);
        ck_assert(sp_parse_double(r->text, &value));
        row->points[count] = (uint64_t)value;
        ck_assert_double_eq((double)row->points[count], value);
        expect_event(r, SP_JSON_ARRAY_END);
    }
    ck_assert_uint_eq(count, question->points);
}

static void read_answer(const char *text, const struct question *question, struct rows *got)
{
    static char name[2 * LABEL];
    struct sp_json_reader r;
    got->count = 0;
    sp_json_reader_init(&r, sp_slice_cstr(text), &arena, 16);
    expect_event(&r, SP_JSON_OBJECT_BEGIN);
    expect_event(&r, SP_JSON_KEY);
    expect_event(&r, SP_JSON_ARRAY_BEGIN);
    while (sp_json_next(&r) == SP_JSON_OBJECT_BEGIN) {
        struct row row = {0};
        while (sp_json_next(&r) == SP_JSON_KEY) {
            if (sp_slice_equal_cstr(r.text, "labels"))
                read_labels(&r, name, sizeof(name));
            else if (sp_slice_equal_cstr(r.text, "points"))
                read_points(&r, question, &row);
            else
                ck_assert_int_eq(sp_json_skip(&r), SP_OK);
        }
        row.name = copy(name);
        ck_assert_uint_lt(got->count, ROWS_MAX);
        got->items[got->count++] = row;
    }
    qsort(got->items, got->count, sizeof(*got->items), compare_rows);
}

static char *ask_compare(const char *query, const char *path, int status)
{
    static char url[64 * 1024];
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    snprintf(url, sizeof(url), "%s&q=%.*s", path, SP_SLICE_PRINTF(sp_buf_slice(&encoded)));
    sp_buf_fini(&encoded);
    struct sp_query_call *call = ask(&world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == status, "%s: %.2000s", url, text);
    answer_fini(call);
    return text;
}

static void expect_same(const struct question *question, const struct rows *want,
                        const struct rows *got)
{
    for (size_t i = 0; i < want->count || i < got->count; i++) {
        ck_assert_msg(i < want->count, "%s: too many: %s", question->text, got->items[i].name);
        ck_assert_msg(i < got->count, "%s: missing: %s", question->text, want->items[i].name);
        const struct row *w = &want->items[i], *g = &got->items[i];
        ck_assert_msg(strcmp(w->name, g->name) == 0, "%s: expected %s, found %s", question->text,
                      w->name, g->name);
        for (unsigned m = 0; m < question->points; m++)
            ck_assert_msg(w->points[m] == g->points[m], "%s: %s at %u: expected %llu, found %llu",
                          question->text, w->name, m, (unsigned long long)w->points[m],
                          (unsigned long long)g->points[m]);
    }
}

/* ---- tests ---- */

START_TEST(compare_is_what_brute_force_counts)
{
    static struct question question;
    static struct rows want, got;
    static char path[512];
    struct sp_gen gen = {.state = 31000 + (uint64_t)_i};
    struct sp_gen_options options = {.span_count = SPANS,
                                     .trace_count = 40,
                                     .trace_seed = 1 + (uint64_t)_i,
                                     .odd_percent = _i % 2 ? 20 : 5,
                                     .no_residue = true};
    sp_arena_init(&arena, (size_t)4 << 30);
    world_init(&world);
    const struct sp_batch *batch = sp_gen_batch(&arena, 500 + (uint64_t)_i, &options);
    ck_assert_ptr_nonnull(batch);
    world_add(&world, batch->spans, batch->span_count);
    const struct sp_span **spans =
        sp_arena_calloc(&arena, batch->span_count, sizeof(struct sp_span *));
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_traces);
    size_t rows = 0;
    for (int round = 0; round < 20; round++) {
        make_question(&gen, &question);
        brute_force(&question, spans, batch->span_count, &want);
        snprintf(path, sizeof(path), "/v1/metrics/query_range?from=%llu&to=%llu&step=%llus",
                 (unsigned long long)question.from,
                 (unsigned long long)(question.from + question.step * question.points),
                 (unsigned long long)(question.step / 1000000000));
        char *text = ask_compare(question.text, path, 200);
        read_answer(text, &question, &got);
        free(text);
        expect_same(&question, &want, &got);
        rows += want.count;
    }
    ck_assert_uint_gt(rows, 0);
    world_fini(&world);
    sp_arena_fini(&arena);
}
END_TEST

/* ---- by hand ---- */

static void setup(void)
{
    sp_arena_init(&arena, 256 << 20);
    world_init(&world);
}

static void teardown(void)
{
    world_fini(&world);
    sp_arena_fini(&arena);
}

#define WHOLE "/v1/metrics/query?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z"

static void expect(const char *query, int status, const char *contains)
{
    char *text = ask_compare(query, WHOLE, status);
    ck_assert_msg(strstr(text, contains) != NULL, "%s: %s", query, text);
    free(text);
}

static void add_names(unsigned count)
{
    struct sp_span *spans = sp_arena_calloc(&arena, count, sizeof(*spans));
    for (unsigned i = 0; i < count; i++) {
        char *name = sp_arena_alloc(&arena, 16);
        snprintf(name, 16, "name %05u", i);
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", name, T0 + i, 1000 * (i + 1));
    }
    world_add(&world, spans, count);
}

START_TEST(compare_says_which_values_it_does_not_show)
{
    add_names(4);
    expect("{} | compare({ duration > 3us }, 1)", 200,
           "{\"labels\":[{\"key\":\"__meta_type\",\"value\":\"selection\",\"type\":\"string\"},"
           "{\"key\":\"name\",\"value\":\"name 00003\",\"type\":\"string\"}],"
           "\"points\":[[\"1767225600000000000\",1]]}");
    expect("{} | compare({ duration > 3us }, 1)", 200,
           "{\"labels\":[{\"key\":\"__meta_error\",\"value\":\"__too_many_values__\","
           "\"type\":\"string\"},{\"key\":\"name\",\"value\":null,\"type\":\"nil\"}],"
           "\"points\":[[\"1767225600000000000\",2]]}");
    expect("{ name = \"absent\" } | compare({ status = error })", 200, "{\"series\":[],");
}
END_TEST

START_TEST(compare_does_not_list_ids)
{
    add_names(10001); /* one more than SP_SPLIT_VALUES_MAX */
    char *text = ask_compare("{} | compare({ duration > 1h })", WHOLE, 200);
    ck_assert_ptr_null(strstr(text, "name 0"));
    ck_assert_ptr_nonnull(strstr(text, "{\"key\":\"name\",\"value\":null,\"type\":\"nil\"}],"
                                       "\"points\":[[\"1767225600000000000\",10001]]}"));
    free(text);
}
END_TEST

START_TEST(compare_has_limits)
{
    static char query[256];
    add_names(2);
    expect("{} | compare({}, 0)", 400, "expected from 1 to 1000 values");
    snprintf(query, sizeof(query), "{} | compare({}, %u)", SP_METRICS_COMPARE_TOP_MAX + 1);
    expect(query, 400, "expected from 1 to 1000 values of each attribute in compare(), found 1001");
    expect("{} | compare({}, 10, 7, 7)", 400, "expected a start before the end");
    expect("{} | compare({}, 10, 0, 0)", 200, "\"value\":\"selection_total\"");
    expect("{} | compare({}, 10, 1, 2)", 200, "\"value\":\"baseline_total\"");
    expect("{} | compare({}) | topk(5)", 400,
           "topk() cannot be applied to compare(): expected a metric of one number, as rate()");
}
END_TEST

START_TEST(compare_looks_at_so_many_keys)
{
    struct sp_span spans[SP_METRICS_COMPARE_KEYS_MAX];
    for (unsigned i = 0; i < SP_METRICS_COMPARE_KEYS_MAX; i++) {
        char *key = sp_arena_alloc(&arena, 16);
        snprintf(key, 16, "key%u", i);
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", "a", T0 + i, 1000);
        add_attribute(&arena, &spans[i], key, int_value(i));
    }
    /* Beside these: five intrinsics and service.name. */
    world_add(&world, spans, SP_METRICS_COMPARE_KEYS_MAX - 6);
    expect("{} | compare({})", 200, "\"key\":\"span.key993\"");
    world_add(&world, &spans[SP_METRICS_COMPARE_KEYS_MAX - 6], 1);
    expect("{} | compare({})", 413, "more than the limit of 1000 keys");
}
END_TEST

START_TEST(compare_makes_so_many_series)
{
    enum { PER_KEY = 1000, KEYS = 8 };
    static struct sp_span spans[PER_KEY];
    static char names[KEYS][8];
    for (unsigned i = 0; i < PER_KEY; i++) {
        spans[i] = make_span(&arena, i + 1, i + 1, 0, "web", "a", T0 + i, 1000 * (i % 2 + 1));
        for (unsigned k = 0; k < KEYS; k++) {
            snprintf(names[k], sizeof(names[k]), "k%u", k);
            add_attribute(&arena, &spans[i], names[k], int_value(i / 2));
        }
    }
    world_add(&world, spans, PER_KEY);
    expect("{} | compare({ duration > 1us }, 1000)", 200, "\"key\":\"span.k7\"");
    /* As many keys again, until both sides have 20 keys of 500 values and more. */
    for (unsigned more = 0; more < 2; more++) {
        for (unsigned i = 0; i < PER_KEY; i++) {
            spans[i].attributes.count = 0;
            for (unsigned k = 0; k < 8; k++) {
                char *key = sp_arena_alloc(&arena, 8);
                snprintf(key, 8, "m%u", more * 8 + k);
                add_attribute(&arena, &spans[i], key, int_value(i / 2));
            }
        }
        world_add(&world, spans, PER_KEY);
    }
    expect("{} | compare({ duration > 1us }, 1000)", 413, "more than the limit of 20000");
    expect("{} | compare({ duration > 1us }, 100)", 200, "__too_many_values__");
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("metrics compare");
    TCase *random = tcase_create("random"), *by_hand = tcase_create("by hand");
    tcase_set_timeout(random, 120);
    tcase_add_loop_test(random, compare_is_what_brute_force_counts, 0, 24);
    tcase_set_timeout(by_hand, 120);
    tcase_add_checked_fixture(by_hand, setup, teardown);
    tcase_add_test(by_hand, compare_says_which_values_it_does_not_show);
    tcase_add_test(by_hand, compare_does_not_list_ids);
    tcase_add_test(by_hand, compare_has_limits);
    tcase_add_test(by_hand, compare_looks_at_so_many_keys);
    tcase_add_test(by_hand, compare_makes_so_many_series);
    suite_add_tcase(suite, random);
    suite_add_tcase(suite, by_hand);
    return suite;
}
