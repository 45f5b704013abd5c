/* SPDX-License-Identifier: Apache-2.0
 *
 * Metrics over random spans: random filters, functions, keys and steps against brute force, on the reference store; and the
 * engine on disk against the reference store, while spans are sealed and merged, and after restarts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/net/net.h"
#include "tests/contract/fixture.h"
#include "tests/support/span_oracle.h"
#include "tests/unit/query/world.h"

#define SERIES_MAX  400
#define POINTS_MAX  64
#define LABELS      ((size_t)64 * 1024)
#define NUMBERS_MAX 512 /* of one point */

/* ---- an answer ---- */

struct series {
    char labels[LABELS]; /* "type=text|type=text|" */
    double values[POINTS_MAX];
    size_t count; /* of spans: brute force only */
    double numbers[POINTS_MAX][NUMBERS_MAX];
    size_t number_counts[POINTS_MAX];
};

struct answer {
    struct series series[SERIES_MAX];
    size_t count;
};

static struct sp_arena arena;

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct series *)a)->labels, ((const struct series *)b)->labels);
}

static enum sp_json_event expect_event(struct sp_json_reader *r, enum sp_json_event event)
{
    ck_assert_int_eq(sp_json_next(r), event);
    return event;
}

static void read_labels(struct sp_json_reader *r, struct series *series)
{
    expect_event(r, SP_JSON_ARRAY_BEGIN);
    while (sp_json_next(r) == SP_JSON_OBJECT_BEGIN) {
        struct sp_slice value = SP_SLICE("-");
        while (sp_json_next(r) == SP_JSON_KEY) {
            struct sp_slice key = r->text;
            enum sp_json_event event = sp_json_next(r);
            if (sp_slice_equal_cstr(key, "value") && event == SP_JSON_STRING)
                value = r->text;
            if (sp_slice_equal_cstr(key, "type"))
                snprintf(series->labels + strlen(series->labels), LABELS - strlen(series->labels),
                         "%.*s=%.*s|", SP_SLICE_PRINTF(r->text), SP_SLICE_PRINTF(value));
        }
    }
}

static void read_points(struct sp_json_reader *r, struct series *series, uint64_t from,
                        uint64_t step)
{
    expect_event(r, SP_JSON_ARRAY_BEGIN);
    while (sp_json_next(r) == SP_JSON_ARRAY_BEGIN) {
        uint64_t time;
        expect_event(r, SP_JSON_STRING);
        ck_assert(sp_parse_u64(r->text, &time));
        ck_assert_uint_eq((time - from) % step, 0);
        ck_assert_uint_lt((time - from) / step, POINTS_MAX);
        double value = NAN;
        if (sp_json_next(r) == SP_JSON_NUMBER)
            ck_assert(sp_parse_double(r->text, &value));
        else /* a string: what is not finite */
            value = r->text.ptr[0] == '-' ? -INFINITY : INFINITY;
        series->values[(time - from) / step] = value;
        expect_event(r, SP_JSON_ARRAY_END);
    }
}

static void read_answer(const char *text, uint64_t from, uint64_t step, struct answer *answer)
{
    struct sp_json_reader r;
    answer->count = 0;
    sp_json_reader_init(&r, sp_slice_cstr(text), &arena, 16);
    expect_event(&r, SP_JSON_OBJECT_BEGIN);
    expect_event(&r, SP_JSON_KEY);
    ck_assert(sp_slice_equal_cstr(r.text, "series"));
    expect_event(&r, SP_JSON_ARRAY_BEGIN);
    while (sp_json_next(&r) == SP_JSON_OBJECT_BEGIN) {
        ck_assert_uint_lt(answer->count, SERIES_MAX);
        struct series *series = &answer->series[answer->count++];
        series->labels[0] = 0;
        for (size_t i = 0; i < POINTS_MAX; i++)
            series->values[i] = NAN;
        while (sp_json_next(&r) == SP_JSON_KEY) {
            if (sp_slice_equal_cstr(r.text, "labels"))
                read_labels(&r, series);
            else if (sp_slice_equal_cstr(r.text, "points"))
                read_points(&r, series, from, step);
            else
                ck_assert_int_eq(sp_json_skip(&r), SP_OK);
        }
    }
    qsort(answer->series, answer->count, sizeof(*answer->series), compare_labels);
}

/* ---- brute force ---- */

enum function { RATE, COUNT, MIN, MAX, AVG, SUM, QUANTILE, HISTOGRAM, FUNCTIONS };

static const char *const function_names[] = {
    "rate(",          "count_over_time(", "min_over_time(",      "max_over_time(",
    "avg_over_time(", "sum_over_time(",   "quantile_over_time(", "histogram_over_time("};

static const char *const numbers[] = {
    "duration",          "span.retry.count",         ".http.request.method",
    "event.retry.count", "link.http.request.method", "event:timeSinceStart"};
enum { EVENT_RETRY = 3, LINK_METHOD, EVENT_TIME };

/* Durations are shown in seconds. */
static double scale_of(unsigned number)
{
    return number == 0 || number == EVENT_TIME ? 1e-9 : 1;
}
static const char *const keys[] = {"service",
                                   "name",
                                   "kind",
                                   "status",
                                   "span.http.route",
                                   ".server.address",
                                   "rootName",
                                   "resource.peer.service",
                                   "statusMessage",
                                   "span.retry.count"};

struct question {
    struct oracle_query filter;
    enum function function;
    unsigned number, key_count, keys[3];
    double quantile;
    uint64_t from, step;
    unsigned points;
    char text[8192];
};

#define find(attributes, key) sp_attributes_find((attributes), sp_slice_cstr(key))

/* False: no number. */
static bool value_number(const struct sp_value *value, double *ret)
{
    if (value && value->kind == SP_VALUE_INT)
        *ret = (double)value->integer;
    else if (value && value->kind == SP_VALUE_DOUBLE && !isnan(value->number))
        *ret = value->number;
    else
        return false;
    return true;
}

/* At most what 64 bits with a sign can tell. */
static double since_start(const struct sp_span *span, const struct sp_event *event)
{
    __extension__ __int128 apart = (__int128)event->time_unix_ns - span->start_unix_ns;
    apart = apart > INT64_MAX ? INT64_MAX : apart < INT64_MIN ? INT64_MIN : apart;
    return (double)apart;
}

/* The numbers that a span has: of events and links each counts. */
static size_t numbers_of(const struct question *question, const struct sp_span *span, double *ret)
{
    size_t count = 0;
    if (question->number == 0) {
        uint64_t ns = sp_span_duration_ns(span);
        ret[count++] = (double)(ns > INT64_MAX ? INT64_MAX : (int64_t)ns);
        return count;
    }
    if (question->number == LINK_METHOD) {
        for (size_t i = 0; i < span->link_count; i++)
            count +=
                value_number(find(&span->links[i].attributes, "http.request.method"), &ret[count]);
        return count;
    }
    if (question->number >= EVENT_RETRY) {
        for (size_t i = 0; i < span->event_count; i++) {
            const struct sp_event *event = &span->events[i];
            if (question->number == EVENT_TIME)
                ret[count++] = since_start(span, event);
            else
                count += value_number(find(&event->attributes, "retry.count"), &ret[count]);
        }
        return count;
    }
    const struct sp_value *value = question->number == 1
                                       ? find(&span->attributes, "retry.count")
                                       : find(&span->attributes, "http.request.method");
    if (!value && question->number == 2)
        value = find(&span->resource->attributes, "http.request.method");
    return value_number(value, ret);
}

static void add_text(char *labels, const char *type, struct sp_slice text)
{
    label_append_text(labels, LABELS, type, text);
}

static void add_value(char *labels, const struct sp_value *value)
{
    label_append_value(labels, LABELS, value);
}

static const struct sp_span *root_of(const struct oracle_trace *trace)
{
    const struct sp_span *root = NULL;
    for (size_t i = 0; i < trace->count; i++) {
        const struct sp_span *span = trace->spans[i];
        if (!sp_span_id_is_zero(&span->parent_span_id))
            continue;
        if (!root || span->start_unix_ns < root->start_unix_ns ||
            (span->start_unix_ns == root->start_unix_ns &&
             sp_span_id_compare(&span->span_id, &root->span_id) < 0))
            root = span;
    }
    return root;
}

static void add_key(char *labels, unsigned key, const struct oracle_trace *trace,
                    const struct sp_span *span)
{
    const struct sp_value *value;
    const struct sp_span *root = root_of(trace);
    switch (key) {
    case 0:
        add_text(labels, "string", sp_span_service(span));
        return;
    case 1:
        add_text(labels, "string", span->name);
        return;
    case 2:
        add_text(labels, "kind", sp_slice_cstr(sp_span_kind_name(span->kind)));
        return;
    case 3:
        add_text(labels, "status", sp_slice_cstr(sp_span_status_name(span->status_code)));
        return;
    case 4:
        add_value(labels, find(&span->attributes, "http.route"));
        return;
    case 5:
        value = find(&span->attributes, "server.address");
        add_value(labels, value ? value : find(&span->resource->attributes, "server.address"));
        return;
    case 6:
        if (root)
            add_text(labels, "string", root->name);
        else
            add_text(labels, "nil", SP_SLICE("-"));
        return;
    case 7:
        add_value(labels, find(&span->resource->attributes, "peer.service"));
        return;
    case 8:
        add_text(labels, "string", span->status_message);
        return;
    default:
        add_value(labels, find(&span->attributes, "retry.count"));
        return;
    }
}

static struct series *series_of(struct answer *answer, const char *labels)
{
    for (size_t i = 0; i < answer->count; i++)
        if (strcmp(answer->series[i].labels, labels) == 0)
            return &answer->series[i];
    ck_assert_uint_lt(answer->count, SERIES_MAX);
    struct series *series = &answer->series[answer->count++];
    memset(series, 0, sizeof(*series));
    snprintf(series->labels, LABELS, "%s", labels);
    for (size_t i = 0; i < POINTS_MAX; i++)
        series->values[i] = NAN;
    return series;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A sum in which digits were lost: then only that there is one is compared. */
#define NOT_KNOWN 1.2345e-300

static double aggregate(const struct question *question, double *values, size_t count)
{
    double scale = scale_of(question->number);
    long double sum = 0;
    bool exact = true; /* long doubles have bits enough */
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof(*values), compare_doubles);
    for (size_t i = 0; i < count; i++) {
        exact &= fabs(values[i]) < 1e15;
        sum += values[i];
    }
    if (!exact && (question->function == AVG || question->function == SUM))
        return NOT_KNOWN;
    if (question->function == MIN)
        return values[0] * scale;
    if (question->function == MAX)
        return values[count - 1] * scale;
    if (question->function == AVG)
        return (double)(sum / (long double)count) * scale;
    if (question->function == SUM)
        return (double)sum * scale;
    size_t rank = (size_t)ceil(question->quantile * (double)count - 1e-9);
    return values[(rank < 1 ? 1 : rank) - 1] * scale;
}

/* The power of two above a number; numbers below 0 the other way round. */
static double bucket_of(double value)
{
    int exponent;
    if (value == 0)
        return 0;
    frexp(fabs(value), &exponent); /* |value| is in [2^(exponent - 1), 2^exponent) */
    return value > 0 ? ldexp(1, exponent) : -ldexp(1, exponent - 1);
}

/* The series of spans or numbers that are counted, 0 where there are none. */
static struct series *counted(const struct question *question, const char *labels,
                              struct answer *answer)
{
    struct series *series = series_of(answer, labels);
    if (series->count++ == 0)
        for (unsigned i = 0; i < question->points; i++)
            series->values[i] = 0;
    return series;
}

static void take_number(const struct question *question, size_t moment, const char *of_span,
                        double number, struct answer *answer)
{
    char labels[LABELS], text[32];
    snprintf(labels, sizeof(labels), "%s", of_span);
    if (question->function >= QUANTILE && !isfinite(number))
        return;
    if (question->function == HISTOGRAM) {
        double end = bucket_of(number) * scale_of(question->number);
        if (isinf(end))
            add_text(labels, "float", SP_SLICE("Infinity"));
        else
            add_text(labels, "float", sp_slice_make(text, sp_format_double(end, text)));
        counted(question, labels, answer)->values[moment]++;
        return;
    }
    if (question->function == QUANTILE)
        add_text(labels, "float", sp_slice_make(text, sp_format_double(question->quantile, text)));
    struct series *series = series_of(answer, labels);
    ck_assert_uint_lt(series->number_counts[moment], NUMBERS_MAX);
    series->numbers[moment][series->number_counts[moment]++] = number;
}

static void take(const struct question *question, const struct oracle_trace *trace,
                 const struct sp_span *span, struct answer *answer)
{
    char labels[LABELS] = "";
    double of_span[NUMBERS_MAX];
    size_t moment = (span->start_unix_ns - question->from) / question->step;
    for (unsigned k = 0; k < question->key_count; k++)
        add_key(labels, question->keys[k], trace, span);
    if (question->function == RATE || question->function == COUNT) {
        counted(question, labels, answer)->values[moment] +=
            question->function == RATE ? 1e9 / (double)question->step : 1;
        return;
    }
    size_t count = numbers_of(question, span, of_span);
    for (size_t i = 0; i < count; i++)
        take_number(question, moment, labels, of_span[i], answer);
}

static int compare_traces(const void *a, const void *b)
{
    const struct sp_span *const *x = a, *const *y = b;
    return memcmp((*x)->trace_id.bytes, (*y)->trace_id.bytes, SP_TRACE_ID_BYTES);
}

static void brute_force(const struct question *question, const struct sp_span **spans, size_t count,
                        struct answer *answer)
{
    uint64_t to = question->from + question->step * question->points;
    answer->count = 0;
    if (question->key_count == 0 && (question->function == RATE || question->function == COUNT)) {
        struct series *series = series_of(answer, "");
        for (unsigned i = 0; i < question->points; i++)
            series->values[i] = 0;
        series->count = 1;
    }
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && compare_traces(&spans[i], &spans[end]) == 0; end++)
            ;
        static struct oracle_trace trace;
        oracle_trace_init(&trace, spans + i, end - i);
        for (size_t j = i; j < end; j++)
            if (spans[j]->start_unix_ns >= question->from && spans[j]->start_unix_ns < to &&
                oracle_matches(&question->filter, &trace, j - i))
                take(question, &trace, spans[j], answer);
    }
    for (size_t i = 0; i < answer->count; i++) {
        struct series *series = &answer->series[i];
        if (question->function < MIN || question->function == HISTOGRAM)
            continue;
        for (unsigned m = 0; m < question->points; m++)
            series->values[m] = aggregate(question, series->numbers[m], series->number_counts[m]);
    }
    qsort(answer->series, answer->count, sizeof(*answer->series), compare_labels);
}

/* ---- questions ---- */

static void make_question(struct sp_gen *gen, struct question *question)
{
    static const uint64_t steps_s[] = {60, 300, 700, 3600};
    oracle_make(gen, &question->filter);
    question->function = (enum function)sp_gen_below(gen, FUNCTIONS);
    question->number = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(numbers));
    question->key_count = (unsigned)sp_gen_below(gen, 3);
    question->quantile = (double)sp_gen_below(gen, 101) / 100;
    question->step = steps_s[sp_gen_below(gen, SP_ARRAY_LEN(steps_s))] * 1000000000;
    question->points = 1 + (unsigned)sp_gen_below(gen, 60);
    question->from = T0 / question->step * question->step + question->step * sp_gen_below(gen, 3);
    char *at = question->text;
    at += sprintf(at, "%s | %s", question->filter.text, function_names[question->function]);
    if (question->function >= MIN)
        at += sprintf(at, "%s", numbers[question->number]);
    if (question->function == QUANTILE)
        at += sprintf(at, ", %.17g", question->quantile);
    at += sprintf(at, ")");
    for (unsigned k = 0; k < question->key_count; k++) {
        question->keys[k] = (unsigned)sp_gen_below(gen, SP_ARRAY_LEN(keys));
        if (k == 1 && question->keys[1] == question->keys[0]) /* each once */
            question->keys[1] = (question->keys[0] + 1) % SP_ARRAY_LEN(keys);
        at += sprintf(at, "%s%s", k == 0 ? " by (" : ", ", keys[question->keys[k]]);
    }
    if (question->key_count > 0)
        sprintf(at, ")");
}

static char *ask_path(struct world *world, const char *path, const char *query, const char *more)
{
    static char url[64 * 1024];
    struct sp_buf encoded;
    sp_buf_init(&encoded, 1 << 20);
    sp_percent_encode(sp_slice_cstr(query), &encoded);
    snprintf(url, sizeof(url), "%s?q=%.*s%s", path, SP_SLICE_PRINTF(sp_buf_slice(&encoded)), more);
    sp_buf_fini(&encoded);
    struct sp_query_call *call = ask(world, url);
    char *text = answer_text(call);
    ck_assert_msg(call->reply.status == 200, "%s: %s", url, text);
    answer_fini(call);
    return text;
}

static char *ask_question(struct world *world, const struct question *question, const char *more)
{
    char parameters[256];
    snprintf(parameters, sizeof(parameters), "&from=%llu&to=%llu&step=%llus%s",
             (unsigned long long)question->from,
             (unsigned long long)(question->from + question->step * question->points),
             (unsigned long long)(question->step / 1000000000), more);
    return ask_path(world, "/v1/metrics/query_range", question->text, parameters);
}

static bool same(const struct question *question, double want, double got)
{
    if (want == NOT_KNOWN)
        return true;
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    bool rounded =
        question->function == SUM || question->function == AVG || question->function == RATE;
    return want == got || (rounded && fabs(want - got) <= 1e-12 * fabs(want));
}

static void expect_same(const struct question *question, const struct answer *want,
                        const struct answer *got)
{
    size_t g = 0;
    for (size_t w = 0; w < want->count; w++) {
        bool any = false;
        for (unsigned m = 0; m < question->points; m++)
            any |= !isnan(want->series[w].values[m]);
        ck_assert_msg(any, "%s: nothing is expected of %s", question->text, want->series[w].labels);
        ck_assert_msg(g < got->count && strcmp(want->series[w].labels, got->series[g].labels) == 0,
                      "%s: expected series %s, found %s", question->text, want->series[w].labels,
                      g < got->count ? got->series[g].labels : "none");
        for (unsigned m = 0; m < question->points; m++)
            ck_assert_msg(same(question, want->series[w].values[m], got->series[g].values[m]),
                          "%s: %s at %u is %.17g, expected %.17g", question->text,
                          want->series[w].labels, m, got->series[g].values[m],
                          want->series[w].values[m]);
        g++;
    }
    ck_assert_msg(g == got->count, "%s: there is a series %s", question->text,
                  g < got->count ? got->series[g].labels : "");
}

/* ---- tests ---- */

#define ROUNDS         24
#define QUERIES        50
#define SPANS_A_ROUND  200
#define TRACES_A_ROUND 40

static const struct sp_batch *random_spans(uint64_t seed, size_t count)
{
    struct sp_gen_options options = {.span_count = count,
                                     .trace_count = TRACES_A_ROUND,
                                     .trace_seed = 1 + seed / 8,
                                     .odd_percent = seed % 2 ? 20 : 5,
                                     .no_residue = true};
    const struct sp_batch *batch = sp_gen_batch(&arena, 77 + seed, &options);
    ck_assert_ptr_nonnull(batch);
    return batch;
}

static const struct sp_span **sorted_spans(const struct sp_batch *batch)
{
    const struct sp_span **spans =
        sp_arena_calloc(&arena, batch->span_count, sizeof(struct sp_span *));
    for (size_t i = 0; i < batch->span_count; i++)
        spans[i] = &batch->spans[i];
    qsort(spans, batch->span_count, sizeof(*spans), compare_traces);
    return spans;
}

START_TEST(metrics_are_what_brute_force_counts)
{
    static struct answer want, got;
    static struct question question;
    struct world world;
    struct sp_gen gen = {.state = 5000 + (uint64_t)_i};
    sp_arena_init(&arena, (size_t)1 << 30);
    world_init(&world);
    const struct sp_batch *batch = random_spans((uint64_t)_i, SPANS_A_ROUND);
    world_add(&world, batch->spans, batch->span_count);
    const struct sp_span **spans = sorted_spans(batch);
    size_t series = 0;
    for (int round = 0; round < QUERIES; round++) {
        make_question(&gen, &question);
        brute_force(&question, spans, batch->span_count, &want);
        char *text = ask_question(&world, &question, "&exact=true");
        read_answer(text, question.from, question.step, &got);
        expect_same(&question, &want, &got);
        series += want.count;
        free(text);
    }
    ck_assert_uint_gt(series, 0);
    world_fini(&world);
    sp_arena_fini(&arena);
}
END_TEST

START_TEST(quantiles_are_within_their_error)
{
    static struct answer want, got;
    static struct question question;
    struct world world;
    struct sp_gen gen = {.state = 9000 + (uint64_t)_i};
    sp_arena_init(&arena, (size_t)1 << 30);
    world_init(&world);
    const struct sp_batch *batch = random_spans((uint64_t)_i, SPANS_A_ROUND);
    world_add(&world, batch->spans, batch->span_count);
    const struct sp_span **spans = sorted_spans(batch);
    for (int round = 0; round < QUERIES; round++) {
        do
            make_question(&gen, &question);
        while (question.function != QUANTILE);
        brute_force(&question, spans, batch->span_count, &want);
        char *text = ask_question(&world, &question, "");
        ck_assert_ptr_nonnull(strstr(text, "\"relativeError\":0.011"));
        read_answer(text, question.from, question.step, &got);
        ck_assert_uint_eq(want.count, got.count);
        for (size_t i = 0; i < want.count; i++) {
            for (unsigned m = 0; m < question.points; m++) {
                double w = want.series[i].values[m], g = got.series[i].values[m];
                ck_assert_msg(isnan(w) == isnan(g) && (isnan(w) || fabs(w - g) <= 0.011 * fabs(w)),
                              "%s: %s is %.17g, expected %.17g", question.text,
                              want.series[i].labels, g, w);
            }
        }
        free(text);
    }
    world_fini(&world);
    sp_arena_fini(&arena);
}
END_TEST

/* ---- both engines ---- */

/* What stands behind the series is of the engine: how much was read, and how long it took. */
static void cut_scanned(char *text)
{
    char *at = strstr(text, "\"scanned\"");
    ck_assert_ptr_nonnull(at);
    *at = 0;
}

static void compare_paths(struct world *reference, struct world *rocks, const char *path,
                          const char *query, const char *more)
{
    char *want = ask_path(reference, path, query, more);
    char *got = ask_path(rocks, path, query, more);
    cut_scanned(want);
    cut_scanned(got);
    ck_assert_msg(strcmp(want, got) == 0, "%s %s%s\nreference: %.3000s\nrocksdb:   %.3000s", path,
                  query, more, want, got);
    free(want);
    free(got);
}

static void compare_engines(struct world *reference, struct world *rocks, struct sp_gen *gen,
                            unsigned queries)
{
    static struct question question;
    for (unsigned i = 0; i < queries; i++) {
        make_question(gen, &question);
        const char *more = i % 3 == 0 ? "&exact=true" : i % 3 == 1 ? "&exemplars=true" : "";
        char *want = ask_question(reference, &question, more);
        char *got = ask_question(rocks, &question, more);
        cut_scanned(want);
        cut_scanned(got);
        ck_assert_msg(strcmp(want, got) == 0, "%s%s\nreference: %.3000s\nrocksdb:   %.3000s",
                      question.text, more, want, got);
        free(want);
        free(got);
    }
    make_question(gen, &question);
    static char text[sizeof(question.filter.text) + 64];
    snprintf(text, sizeof(text), "%s | compare({ duration > 500ms }, 3)", question.filter.text);
    compare_paths(reference, rocks, "/v1/metrics/query_range", text,
                  "&from=2026-01-01T00:00:00Z&to=2026-01-01T02:00:00Z&step=20m");
    compare_paths(reference, rocks, "/v1/heatmap", question.filter.text, "&steps=7&rows=20");
    compare_paths(reference, rocks, "/v1/facets", question.filter.text,
                  "&keys=name,span.http.route,.server.address,statusMessage,resource.peer.service"
                  "&limit=1000&selection=%7B%20duration%20%3E%20500ms%20%7D");
}

#define HISTORIES 16
#define STEPS     10

START_TEST(both_engines_answer_metrics_the_same)
{
    struct fixture fixture;
    struct world reference, rocks;
    struct sp_gen gen = {.state = 12000 + (uint64_t)_i};
    sp_arena_init(&arena, (size_t)1 << 30);
    world_init(&reference);
    fixture_make(&fixture, ENGINE_ROCKSDB, true);
    fixture.options.sizes = small_sizes();
    fixture_open(&fixture);
    rocks = reference;
    world_over(&rocks, fixture.store);
    rocks.clock.cookie = reference.clock.cookie;
    for (uint64_t step = 0; step < STEPS; step++) {
        const struct sp_batch *batch =
            random_spans((uint64_t)_i * 8 + step % 8, 1 + sp_gen_below(&gen, 120));
        world_add(&reference, batch->spans, batch->span_count);
        append(&fixture, batch);
        if (sp_gen_chance(&gen, 25))
            wait_for_merges(fixture.store);
        if (sp_gen_chance(&gen, 15)) {
            sp_query_api_free(rocks.api);
            fixture_reopen(&fixture);
            world_over(&rocks, fixture.store);
        }
        compare_engines(&reference, &rocks, &gen, 8);
    }
    sp_query_api_free(rocks.api);
    fixture_fini(&fixture);
    world_fini(&reference);
    sp_arena_fini(&arena);
}
END_TEST

Suite *sp_test_suite(void)
{
    Suite *suite = suite_create("metrics oracle");
    TCase *tcase = tcase_create("random");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, metrics_are_what_brute_force_counts, 0, ROUNDS);
    tcase_add_loop_test(tcase, quantiles_are_within_their_error, 0, 8);
    tcase_add_loop_test(tcase, both_engines_answer_metrics_the_same, 0, HISTORIES);
    suite_add_tcase(suite, tcase);
    return suite;
}
