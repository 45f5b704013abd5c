/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics.c: /v1/metrics/query_range and /v1/metrics/query: parameters to a plan, results to JSON. */
#include "query/metrics.h"

#include <math.h>

#include "query/answer.h"
#include "query/pass_explain.h"
#include "query/question.h"

/* ---- moments ---- */

/* Steps that people count in; the first of which a range has not too many is taken, or as many weeks as it needs. */
static const uint64_t steps_ms[] = {1,       5,       10,       50,       100,      500,
                                    1000,    2000,    5000,     10000,    15000,    30000,
                                    60000,   120000,  300000,   600000,   900000,   1800000,
                                    3600000, 7200000, 10800000, 21600000, 43200000, 86400000};
#define WEEK_NS     UINT64_C(604800000000000)
#define AUTO_POINTS 120

static uint64_t choose_step_ns(uint64_t range_ns)
{
    size_t i = 0;
    while (i < SP_ARRAY_LEN(steps_ms) && range_ns / (steps_ms[i] * 1000000) > AUTO_POINTS)
        i++;
    return i < SP_ARRAY_LEN(steps_ms) ? steps_ms[i] * 1000000
                                      : (range_ns / WEEK_NS / (AUTO_POINTS + 1) + 1) * WEEK_NS;
}

static enum sp_status parse_step(struct sp_slice text, uint64_t *ret_ns, struct sp_error *reterr)
{
    double seconds;
    if (sp_parse_double(text, &seconds) && seconds > 0 && seconds < 1e9)
        *ret_ns = (uint64_t)llround(seconds * 1e9); /* 1.001 seconds are a bit less as a double */
    else if (!sp_parse_duration_ns(text, ret_ns))
        *ret_ns = 0;
    if (*ret_ns == 0)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "step",
                                      "\"step\" must be a duration above 0, as 30s, or seconds");
    return SP_OK;
}

/* Whole steps: from down, to up. A range without an end has its last nanosecond, too, and a step for it. */
static enum sp_status make_moments(struct sp_time_range range, uint64_t step_ns,
                                   struct sp_moments *ret, struct sp_error *reterr)
{
    uint64_t from = range.from_unix_ns / step_ns * step_ns;
    uint64_t length = range.to_unix_ns - from, whole, to;
    bool open_ended = range.to_unix_ns == UINT64_MAX;
    uint64_t count = length / step_ns;
    count += open_ended || length % step_ns != 0;
    if (count > SP_METRICS_POINTS_MAX)
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "step",
            "the range has %llu steps, more than the limit of %llu: take a longer step",
            (unsigned long long)count, (unsigned long long)SP_METRICS_POINTS_MAX);
    bool fits = !__builtin_mul_overflow(count, step_ns, &whole) &&
                !__builtin_add_overflow(from, whole, &to);
    *ret = (struct sp_moments){.from_unix_ns = from,
                               .to_unix_ns = fits ? to : UINT64_MAX,
                               .step_ns = step_ns,
                               .per_ns = 1 / (double)step_ns,
                               .count = (uint32_t)count};
    return SP_OK;
}

/* ---- parameters ---- */

/* Rows of the table in query/routes.c. */
enum { FROM, TO, Q, EXACT, EXEMPLARS, EXPLAIN, STEP };

static enum sp_status prepare(struct sp_query_call *call, bool instant,
                              struct sp_metrics_options *options, struct sp_error *reterr)
{
    struct sp_time_range range;
    uint64_t step_ns = 0;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_answer_bounds(call, &range, reterr);
    if (status == SP_OK && !instant && call->values[STEP].set)
        status = parse_step(call->values[STEP].text, &step_ns, reterr);
    if (status != SP_OK)
        return status;
    uint64_t range_ns = range.to_unix_ns - range.from_unix_ns;
    options->exact = call->values[EXACT].number == 1;
    options->exemplars = call->values[EXEMPLARS].number == 1;
    options->exemplars_max = UINT32_MAX;
    if (instant) {
        options->moments = (struct sp_moments){.from_unix_ns = range.from_unix_ns,
                                               .to_unix_ns = range.to_unix_ns,
                                               .step_ns = range_ns > 0 ? range_ns : 1,
                                               .per_ns = range_ns > 0 ? 1 / (double)range_ns : 1,
                                               .count = 1};
        return SP_OK;
    }
    return make_moments(range, step_ns > 0 ? step_ns : choose_step_ns(range_ns), &options->moments,
                        reterr);
}

/* ---- the answer ---- */

/* Of compare() a series has a label for what it is, and one for the key that it is about. */
static void write_comparison_labels(const struct sp_result_series *series, struct sp_json_writer *w)
{
    bool cut = sp_slice_equal_cstr(series->labels[0].text, SP_METRICS_TOO_MANY_VALUES);
    sp_json_key(w, "labels");
    sp_json_array_begin(w);
    sp_json_object_begin(w);
    sp_json_key(w, "key");
    sp_json_cstr(w, cut ? "__meta_error" : "__meta_type");
    sp_answer_label(&series->labels[0], w);
    sp_json_object_end(w);
    sp_json_object_begin(w);
    sp_json_key(w, "key");
    sp_json_string(w, series->labels[1].text);
    sp_answer_label(&series->labels[2], w);
    sp_json_object_end(w);
    sp_json_array_end(w);
}

static void write_labels(const struct sp_result *result, const struct sp_result_series *series,
                         struct sp_json_writer *w)
{
    sp_json_key(w, "labels");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < result->key_count; i++) {
        const struct sp_label *label = &series->labels[i];
        sp_json_object_begin(w);
        sp_json_key(w, "key");
        sp_json_string(w, result->keys[i]);
        sp_answer_label(label, w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_points(const struct sp_moments *moments, const struct sp_result_series *series,
                         struct sp_json_writer *w)
{
    sp_json_key(w, "points");
    sp_json_array_begin(w);
    for (uint32_t m = 0; m < moments->count; m++) {
        if (isnan(series->values[m]))
            continue;
        sp_json_array_begin(w);
        sp_json_u64_string(w, moments->from_unix_ns + m * moments->step_ns);
        sp_json_double(w, series->values[m]);
        sp_json_array_end(w);
    }
    sp_json_array_end(w);
}

static enum sp_status write_exemplars(struct sp_query_call *call,
                                      const struct sp_metrics_options *options,
                                      const struct sp_result_series *series,
                                      struct sp_json_writer *w, struct sp_error *reterr)
{
    const struct sp_exemplar *last;
    uint32_t count = options->moments.count;
    enum sp_status status = sp_metrics_last_exemplar(&call->arena, series, count,
                                                     options->exemplars_max, &last, reterr);
    if (status != SP_OK)
        return status;
    sp_json_key(w, "exemplars");
    sp_json_array_begin(w);
    for (uint32_t m = 0; m < count && series->exemplars; m++) {
        const struct sp_exemplar *exemplar = &series->exemplars[m];
        if (!sp_metrics_has_exemplar(series, m, last))
            continue;
        sp_json_object_begin(w);
        sp_json_key(w, "traceId");
        sp_json_hex(w, sp_slice_make(exemplar->trace_id, sizeof(exemplar->trace_id)));
        sp_json_key(w, "spanId");
        sp_json_hex(w, sp_slice_make(exemplar->span_id, sizeof(exemplar->span_id)));
        sp_json_key(w, "timeUnixNano");
        sp_json_u64_string(w, exemplar->start_unix_ns);
        sp_json_key(w, "durationNano");
        sp_json_u64_string(w, exemplar->duration_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    return SP_OK;
}

static enum sp_status write_answer(struct sp_query_call *call, const struct sp_traceql_query *query,
                                   const struct sp_metrics_options *options,
                                   const struct sp_result *result, const struct sp_scanned *scanned,
                                   struct sp_error *reterr)
{
    struct sp_json_writer w;
    const struct sp_moments *moments = &options->moments;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "series");
    sp_json_array_begin(&w);
    for (uint32_t i = 0; i < result->count; i++) {
        sp_json_object_begin(&w);
        if (result->is_comparison)
            write_comparison_labels(&result->series[i], &w);
        else
            write_labels(result, &result->series[i], &w);
        write_points(moments, &result->series[i], &w);
        enum sp_status status = SP_OK;
        if (options->exemplars)
            status = write_exemplars(call, options, &result->series[i], &w, reterr);
        if (status != SP_OK)
            return status;
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    sp_json_key(&w, "from");
    sp_json_u64_string(&w, moments->from_unix_ns);
    sp_json_key(&w, "to");
    sp_json_u64_string(&w, moments->to_unix_ns);
    sp_json_key(&w, "stepNano");
    sp_json_u64_string(&w, moments->step_ns);
    sp_json_key(&w, "exact");
    sp_json_bool(&w, !result->is_sketch);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, result->is_sketch ? SP_HISTOGRAM_RELATIVE_ERROR : 0);
    sp_answer_scanned(call, scanned, &w);
    struct sp_time_range range = {moments->from_unix_ns, moments->to_unix_ns};
    enum sp_status status = sp_pass_explain(call, query, range, &w, reterr);
    sp_json_object_end(&w);
    return status;
}

static enum sp_status run_part(struct sp_query_call *call, const struct sp_metrics_plan *plan,
                               const struct sp_metrics_part *part,
                               const struct sp_metrics_options *options, struct sp_arena *arena,
                               struct sp_result *ret, struct sp_scanned *scanned,
                               struct sp_error *reterr)
{
    struct sp_series_set set;
    if (part->metric->metric == SP_TRACEQL_METRIC_COMPARE)
        return sp_metrics_compare(call, plan, part, options, arena, ret, scanned, reterr);
    enum sp_status status =
        sp_metrics_count(call, plan, part, options, &set, arena, scanned, reterr);
    return status == SP_OK ? sp_result_make(arena, part, options, &set, ret, reterr) : status;
}

/* Counts each part, and combines them. */
static enum sp_status run_plan(struct sp_query_call *call, const struct sp_metrics_plan *plan,
                               const struct sp_metrics_options *options, struct sp_arena *arena,
                               struct sp_result *ret, struct sp_scanned *scanned,
                               struct sp_error *reterr)
{
    struct sp_result results[SP_METRICS_PARTS_MAX];
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < plan->part_count && status == SP_OK; i++)
        status =
            run_part(call, plan, &plan->parts[i], options, arena, &results[i], scanned, reterr);
    if (status == SP_OK)
        status = sp_result_combine(arena, plan, results, ret, reterr);
    if (status != SP_OK)
        return status;
    if (ret->is_comparison && ret->count > SP_METRICS_COMPARE_SERIES_MAX)
        return sp_error_set_parameter(
            reterr, SP_LIMIT, "q",
            "the query makes %u series, more than the limit of %u: ask compare() for fewer values",
            ret->count, SP_METRICS_COMPARE_SERIES_MAX);
    if (!ret->is_comparison && ret->count > SP_METRICS_SERIES_MAX)
        return sp_error_set_parameter(
            reterr, SP_LIMIT, "q",
            "the query makes %u series, more than the limit of %u: add | topk(n), take fewer keys "
            "in by() or a narrower filter",
            ret->count, SP_METRICS_SERIES_MAX);
    return SP_OK;
}

static enum sp_status answer_metrics(struct sp_query_call *call, bool instant,
                                     struct sp_error *reterr)
{
    struct sp_metrics_options options;
    struct sp_metrics_plan plan;
    const struct sp_traceql_query *query;
    struct sp_result result;
    struct sp_scanned scanned = {0};
    struct sp_arena arena;
    enum sp_status status = prepare(call, instant, &options, reterr);
    if (status != SP_OK)
        return status;
    status = sp_traceql_parse(&call->arena, call->values[Q].text, &query, reterr);
    if (status == SP_OK)
        status = sp_metrics_plan(query, &plan, reterr);
    if (status == SP_OK)
        status = sp_metrics_hints(query, &options, reterr);
    if (status != SP_OK)
        return sp_question_error(call, "q", "Not evaluated yet", status, reterr);
    status = sp_pass_notes_begin(call, EXPLAIN, reterr);
    if (status != SP_OK)
        return status;
    sp_arena_init(&arena, call->api->limits.memory_bytes_max / 2);
    status = run_plan(call, &plan, &options, &arena, &result, &scanned, reterr);
    if (status == SP_OK)
        status = write_answer(call, query, &options, &result, &scanned, reterr);
    else if (status == SP_INVALID_ARGUMENT || status == SP_UNIMPLEMENTED)
        status = sp_question_error(call, "q", "Not evaluated yet", status, reterr);
    sp_arena_fini(&arena);
    return status;
}

enum sp_status sp_query_answer_series(struct sp_query_call *call, struct sp_error *reterr)
{
    return answer_metrics(call, false, reterr);
}

enum sp_status sp_query_answer_instant(struct sp_query_call *call, struct sp_error *reterr)
{
    return answer_metrics(call, true, reterr);
}
