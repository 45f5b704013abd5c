/* SPDX-License-Identifier: Apache-2.0
 *
 * query/metrics_count.c: the spans of one metric, counted into a set: each thread has a set of its own, and in the end they become one. */
#include <math.h>

#include "query/answer.h"
#include "query/metrics.h"
#include "query/pass.h"

/* ---- one sheet into a set ---- */

/* One thread's. */
struct counter {
    const struct sp_metrics_part *part;
    const struct sp_metrics_options *options;
    const struct sp_stop *stop;
    struct sp_arena arena;
    struct sp_series_set set;
    struct sp_rows *rows;
};

/* A division, by a product that is off by one at most. */
uint32_t sp_moment_of(const struct sp_moments *moments, uint64_t start_unix_ns)
{
    uint64_t offset_ns = start_unix_ns - moments->from_unix_ns;
    uint64_t moment = (uint64_t)((double)offset_ns * moments->per_ns);
    moment = moment < moments->count ? moment : moments->count - 1;
    moment -= moment * moments->step_ns > offset_ns;
    moment += offset_ns - moment * moments->step_ns >= moments->step_ns;
    /* The last nanosecond that there is lies in ranges without an end, and may be one too many for their steps. */
    return (uint32_t)(moment < moments->count ? moment : moments->count - 1);
}

/* The moment of each row that was taken; NULL: all rows are in *ret_only. */
static enum sp_status find_moments(const struct counter *counter, struct sp_sheet *sheet,
                                   const uint64_t **ret_starts, uint32_t *ret_only,
                                   struct sp_error *reterr)
{
    const struct sp_moments *moments = &counter->options->moments;
    uint64_t first = sheet->start_min_unix_ns, last = sheet->start_max_unix_ns;
    if (first < moments->from_unix_ns)
        first = moments->from_unix_ns;
    if (last >= moments->to_unix_ns && moments->to_unix_ns != UINT64_MAX)
        last = moments->to_unix_ns - 1;
    *ret_starts = NULL;
    *ret_only = sp_moment_of(moments, first);
    if (*ret_only == sp_moment_of(moments, last))
        return SP_OK;
    return sp_sheet_starts(sheet, ret_starts, reterr);
}

/* *has: was there a number that counts? */
static enum sp_status add_number(struct counter *counter, struct sp_series *series, uint32_t moment,
                                 const struct sp_row_number *number, bool *has,
                                 struct sp_error *reterr)
{
    bool good = true, is_double = number->kind == SP_NUMBER_DOUBLE;
    if (number->kind == SP_NUMBER_NONE)
        return SP_OK;
    double value = is_double ? number->number : (double)number->integer;
    if (counter->set.kind != SP_CELL_SUM && !isfinite(value))
        return SP_OK;
    *has = true;
    if (counter->set.kind != SP_CELL_SUM)
        good =
            sp_sketch_add(&series->sketches[moment], value, 1, counter->set.exact, &counter->arena);
    else if (is_double)
        good = sp_number_sum_add_double(&series->sums[moment], value, &counter->arena);
    else
        sp_number_sum_add_integer(&series->sums[moment], number->integer);
    return good ? SP_OK : sp_series_full(&counter->set, reterr);
}

/* All numbers of a row: of events and links there may be many. */
static enum sp_status add_numbers(struct counter *counter, struct sp_series *series,
                                  uint32_t moment, uint32_t row, bool *ret_has,
                                  struct sp_error *reterr)
{
    uint32_t count;
    enum sp_status status = sp_rows_number_count(counter->rows, row, &count, reterr);
    *ret_has = false;
    for (uint32_t i = 0; status == SP_OK && i < count; i++) {
        struct sp_row_number number = {0};
        status = sp_rows_number(counter->rows, row, i, &number, reterr);
        if (status == SP_OK)
            status = add_number(counter, series, moment, &number, ret_has, reterr);
    }
    return status;
}

static enum sp_status add_exemplar(struct sp_sheet *sheet, const uint64_t *durations,
                                   uint64_t start_unix_ns, uint32_t row,
                                   struct sp_exemplar *exemplar, struct sp_error *reterr)
{
    struct sp_trace_id id;
    struct sp_span_id span_id;
    if (exemplar->set && durations[row] < exemplar->duration_ns)
        return SP_OK;
    enum sp_status status = sp_sheet_trace_id(sheet, row, &id, reterr);
    if (status == SP_OK)
        status = sp_sheet_span_id(sheet, row, &span_id, reterr);
    if (status != SP_OK)
        return status;
    struct sp_exemplar other = {
        .set = true, .start_unix_ns = start_unix_ns, .duration_ns = durations[row]};
    memcpy(other.trace_id, id.bytes, sizeof(other.trace_id));
    memcpy(other.span_id, span_id.bytes, sizeof(other.span_id));
    sp_exemplar_offer(exemplar, &other);
    return SP_OK;
}

/* Rows that only count: the loop that most questions spend their time in. */
static void count_rows(const struct counter *counter, const struct sp_sheet *sheet,
                       const struct sp_rows_taken *taken, const uint32_t *series,
                       const uint64_t *starts, uint32_t only)
{
    const struct sp_moments *moments = &counter->options->moments;
    for (uint32_t row = 0; row < sheet->row_count; row++) {
        if (!sp_bits_have(taken->bits, row))
            continue;
        uint32_t moment = starts ? sp_moment_of(moments, starts[row]) : only;
        counter->set.series[series[row]].counts[moment]++;
    }
}

/* Durations, which most sums and sketches are of. */
static enum sp_status add_durations(struct counter *counter, struct sp_sheet *sheet,
                                    const struct sp_rows_taken *taken, const uint32_t *series,
                                    const uint64_t *starts, uint32_t only, struct sp_error *reterr)
{
    const uint64_t *durations;
    enum sp_status status = sp_sheet_durations(sheet, &durations, reterr);
    bool good = true;
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK && good; row++) {
        if (!sp_bits_have(taken->bits, row))
            continue;
        const struct sp_series *into = &counter->set.series[series[row]];
        uint32_t moment = starts ? sp_moment_of(&counter->options->moments, starts[row]) : only;
        if (counter->set.kind == SP_CELL_SUM)
            sp_number_sum_add_integer(&into->sums[moment], durations[row]);
        else
            good = sp_sketch_add_duration(&into->sketches[moment], durations[row], &counter->arena);
    }
    return good ? status : sp_series_full(&counter->set, reterr);
}

static bool is_duration(const struct sp_traceql_node *value)
{
    return value && !value->field.of_parent && value->field.intrinsic == SP_TRACEQL_DURATION;
}

static enum sp_status add_rows(struct counter *counter, struct sp_sheet *sheet,
                               const struct sp_rows_taken *taken, const uint32_t *series,
                               const uint64_t *starts, uint32_t only, struct sp_error *reterr)
{
    const uint64_t *durations = NULL, *exemplar_starts = NULL;
    enum sp_status status = SP_OK;
    if (counter->set.with_exemplars) {
        status = sp_sheet_durations(sheet, &durations, reterr);
        if (status == SP_OK)
            status = sp_sheet_starts(sheet, &exemplar_starts, reterr);
    }
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(taken->bits, row))
            continue;
        struct sp_series *into = &counter->set.series[series[row]];
        uint32_t moment = starts ? sp_moment_of(&counter->options->moments, starts[row]) : only;
        bool counts = true;
        if (counter->set.kind == SP_CELL_COUNT)
            into->counts[moment]++;
        else
            status = add_numbers(counter, into, moment, row, &counts, reterr);
        if (status == SP_OK && durations && counts)
            status = add_exemplar(sheet, durations, exemplar_starts[row], row,
                                  &into->exemplars[moment], reterr);
    }
    return status;
}

static enum sp_status count_sheet(struct counter *counter, struct sp_sheet *sheet,
                                  const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct sp_rows_taken taken;
    const uint32_t *series;
    const uint64_t *starts;
    uint32_t only;
    enum sp_status status =
        sp_rows_open(counter->rows, sheet, facts, counter->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    status = sp_rows_series(counter->rows, &counter->set, &series, reterr);
    if (status == SP_OK)
        status = find_moments(counter, sheet, &starts, &only, reterr);
    if (status != SP_OK)
        return status;
    if (counter->set.kind == SP_CELL_COUNT && !counter->set.with_exemplars) {
        count_rows(counter, sheet, &taken, series, starts, only);
        return SP_OK;
    }
    if (is_duration(counter->part->question.value) && !counter->set.exact &&
        !counter->set.with_exemplars)
        return add_durations(counter, sheet, &taken, series, starts, only, reterr);
    return add_rows(counter, sheet, &taken, series, starts, only, reterr);
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    return count_sheet(cookie, sheet, facts, reterr);
}

/* ---- counters ---- */

static enum sp_cell_kind cell_kind(const struct sp_traceql_node *metric)
{
    switch (metric->metric) {
    case SP_TRACEQL_RATE:
    case SP_TRACEQL_COUNT_OVER_TIME:
    case SP_TRACEQL_METRIC_COMPARE:
        return SP_CELL_COUNT;
    case SP_TRACEQL_MIN_OVER_TIME:
    case SP_TRACEQL_MAX_OVER_TIME:
    case SP_TRACEQL_AVG_OVER_TIME:
    case SP_TRACEQL_SUM_OVER_TIME:
        return SP_CELL_SUM;
    case SP_TRACEQL_HISTOGRAM_OVER_TIME:
    case SP_TRACEQL_QUANTILE_OVER_TIME:
        break;
    }
    return SP_CELL_SKETCH;
}

static void set_init(struct sp_series_set *set, struct sp_arena *arena,
                     const struct sp_metrics_part *part, const struct sp_metrics_options *options,
                     uint64_t seed)
{
    sp_series_set_init(set, arena, cell_kind(part->metric), part->question.key_count,
                       options->moments.count, seed);
    set->exact = options->exact && part->metric->metric == SP_TRACEQL_QUANTILE_OVER_TIME;
    set->with_exemplars = options->exemplars;
}

static enum sp_status counter_init(struct counter *counter, const struct sp_metrics_part *part,
                                   const struct sp_metrics_options *options,
                                   const struct sp_stop *stop, bool condition_known,
                                   size_t memory_bytes_max, uint64_t seed, struct sp_error *reterr)
{
    *counter = (struct counter){.part = part, .options = options, .stop = stop};
    sp_arena_init(&counter->arena, memory_bytes_max);
    set_init(&counter->set, &counter->arena, part, options, seed);
    return sp_rows_new(&counter->arena, &part->question, condition_known, memory_bytes_max,
                       &counter->rows, reterr);
}

static void counter_fini(struct counter *counter)
{
    sp_rows_free(counter->rows);
    sp_arena_fini(&counter->arena);
}

enum sp_status sp_metrics_count(struct sp_query_call *call, const struct sp_metrics_plan *plan,
                                const struct sp_metrics_part *part,
                                const struct sp_metrics_options *options, struct sp_series_set *set,
                                struct sp_arena *arena, struct sp_scanned *scanned,
                                struct sp_error *reterr)
{
    struct counter counters[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    const struct sp_traceql_node *keys[SP_ROWS_KEYS_MAX + 1];
    struct sp_pass pass = {
        .call = call,
        .query = plan->query,
        .pipeline = part->pipeline,
        .stage_count = part->metric_stage,
        .range = {options->moments.from_unix_ns, options->moments.to_unix_ns},
    };
    uint32_t key_count = part->question.key_count, made = 0;
    uint64_t seed = sp_answer_seed(call);
    for (uint32_t i = 0; i < key_count; i++)
        keys[i] = part->question.keys[i];
    if (part->question.value)
        keys[key_count++] = part->question.value;
    set_init(set, arena, part, options, seed);
    enum sp_status status = sp_pass_prepare(&pass, keys, key_count, reterr);
    for (; made < SP_PASS_THREADS_MAX && status == SP_OK; made++) {
        status = counter_init(&counters[made], part, options, &call->stop, pass.condition_known,
                              sp_pass_visitor_bytes(&pass), seed, reterr);
        visitors[made] = (struct sp_pass_visitor){visit, &counters[made]};
    }
    if (status == SP_OK)
        status = sp_pass_run(&pass, visitors, made, scanned, reterr);
    for (uint32_t i = 0; i < made; i++) {
        if (status == SP_OK)
            status = sp_series_merge(set, &counters[i].set, reterr);
        counter_fini(&counters[i]);
    }
    return status;
}
