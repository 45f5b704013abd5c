/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency.c: GET /v1/latency: quantiles by service, operation and kind, from what the store keeps by minute: of the whole
 * range, or of each step of it. What rollups do not have is asked of all spans: latency_scan.c. */
#include "query/latency.h"

#include <stdlib.h>

struct answer {
    struct sp_latency_question question; /* its range: whole minutes */
    struct sp_latency_part *steps;       /* of a series */
    size_t step_count;                   /* that were read */
    struct sp_latency_part now,
        before;                  /* the whole range, where it is needed; what it is compared with */
    struct sp_latency_row *rows; /* the page of them */
    size_t row_count, row_count_all;
};

static void answer_fini(struct answer *answer)
{
    for (size_t i = 0; i < answer->step_count; i++)
        sp_latency_rows_fini(answer->steps[i].rows, answer->steps[i].count);
    sp_latency_rows_fini(answer->now.rows, answer->now.count);
    sp_latency_rows_fini(answer->before.rows, answer->before.count);
}

/* ---- reading ---- */

static int by_key(const void *left, const void *right)
{
    return sp_latency_compare_keys(left, right);
}

/* All operations of a service and kind are one row, without an operation. */
static enum sp_status merge_operations(struct sp_latency_part *part, struct sp_error *reterr)
{
    size_t kept = 0;
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < part->count; i++)
        part->rows[i].operation = (struct sp_slice){0};
    if (part->count > 0)
        qsort(part->rows, part->count, sizeof(*part->rows), by_key);
    for (size_t i = 0; i < part->count; i++) {
        struct sp_latency_series *row = &part->rows[i];
        struct sp_latency_series *into = kept > 0 ? &part->rows[kept - 1] : NULL;
        if (!into || sp_latency_compare_keys(into, row) != 0) {
            struct sp_latency_series moved = *row;
            row->latency = (struct sp_histogram){0};
            part->rows[kept++] = moved;
            continue;
        }
        into->calls += row->calls;
        into->errors += row->errors;
        sp_span_exemplars_merge(&into->exemplars, &row->exemplars);
        if (status == SP_OK)
            status = sp_histogram_merge(&into->latency, &row->latency);
        sp_histogram_fini(&row->latency);
    }
    part->count = kept;
    return status == SP_OK ? SP_OK
                           : sp_error_set(reterr, status, "no memory to add up the operations");
}

/* Rows of a range; *part is to be freed also when this fails. */
static enum sp_status read_part(struct sp_query_call *call, const struct answer *answer,
                                struct sp_time_range range, struct sp_latency_part *part,
                                struct sp_error *reterr)
{
    uint64_t kind = call->values[SP_LATENCY_KIND].number;
    enum sp_status status = sp_query_check(call, reterr);
    if (status == SP_OK)
        status = sp_store_latency(call->api->store, call->values[SP_LATENCY_SERVICE].text,
                                  call->values[SP_LATENCY_OPERATION].text,
                                  kind == SP_LATENCY_KIND_ANY ? -1 : (int32_t)kind, range,
                                  &call->stop, &call->arena, &part->rows, &part->count, reterr);
    if (status != SP_OK)
        return status;
    return answer->question.by_service ? merge_operations(part, reterr) : SP_OK;
}

static enum sp_status too_large(struct sp_query_call *call, struct sp_error *reterr)
{
    return sp_arena_failed(&call->arena, reterr,
                           "the latencies are larger than the query's memory");
}

static enum sp_status read_steps(struct sp_query_call *call, struct answer *answer,
                                 struct sp_error *reterr)
{
    const struct sp_query_steps *steps = &answer->question.steps;
    answer->steps = sp_arena_calloc(&call->arena, steps->count, sizeof(*answer->steps));
    if (!answer->steps)
        return too_large(call, reterr);
    enum sp_status status = SP_OK;
    while (answer->step_count < steps->count && status == SP_OK) {
        size_t i = answer->step_count++;
        status = read_part(call, answer, sp_query_step(steps, i), &answer->steps[i], reterr);
    }
    return status;
}

static enum sp_status read_all(struct sp_query_call *call, struct answer *answer,
                               struct sp_error *reterr)
{
    const struct sp_latency_question *question = &answer->question;
    enum sp_status status = SP_OK;
    if (question->is_series)
        status = read_steps(call, answer, reterr);
    if (status == SP_OK && question->is_comparison)
        status = read_part(call, answer, question->before, &answer->before, reterr);
    if (status != SP_OK || (question->is_series && !question->page.is_asked))
        return status;
    status = read_part(call, answer, question->range, &answer->now, reterr);
    if (status == SP_OK &&
        sp_latency_rows(&call->arena, question, question->is_comparison ? &answer->before : NULL,
                        &answer->now, &answer->rows, &answer->row_count,
                        &answer->row_count_all) != SP_OK)
        status = too_large(call, reterr);
    return status;
}

/* ---- writing ---- */

static void write_key(struct sp_json_writer *w, const struct sp_latency_series *row)
{
    sp_json_key(w, "service");
    sp_json_string(w, row->service);
    sp_json_key(w, "operation");
    sp_json_string(w, row->operation);
    sp_json_key(w, "kind");
    sp_json_cstr(w, sp_span_kind_name(row->kind));
}

static void write_exemplar(struct sp_json_writer *w, const char *trace_key, const char *span_key,
                           const struct sp_span_exemplar *exemplar)
{
    bool is_set = !sp_trace_id_is_zero(&exemplar->trace_id);
    const struct sp_slice ids[] = {sp_slice_make(exemplar->trace_id.bytes, SP_TRACE_ID_BYTES),
                                   sp_slice_make(exemplar->span_id.bytes, SP_SPAN_ID_BYTES)};
    for (size_t i = 0; i < SP_ARRAY_LEN(ids); i++) {
        sp_json_key(w, i == 0 ? trace_key : span_key);
        if (is_set)
            sp_json_hex(w, ids[i]);
        else
            sp_json_null(w);
    }
}

void sp_latency_write_exemplars(const struct sp_span_exemplars *exemplars, struct sp_json_writer *w)
{
    write_exemplar(w, "exemplarTraceId", "exemplarSpanId", &exemplars->slowest);
    write_exemplar(w, "errorExemplarTraceId", "errorExemplarSpanId", &exemplars->failed);
}

/* Least and greatest value of each bucket, both of them in it, and how many calls it has. */
static void write_buckets(struct sp_json_writer *w, const struct sp_histogram *latency)
{
    sp_json_key(w, "buckets");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < latency->bucket_count + (latency->zero_count > 0); i++) {
        bool zero = latency->zero_count > 0 && i == 0;
        const struct sp_histogram_bucket *bucket =
            zero ? NULL : &latency->buckets[i - (latency->zero_count > 0)];
        uint64_t low = 0, high = 0;
        if (bucket)
            sp_histogram_bounds(bucket->index, &low, &high);
        sp_json_array_begin(w);
        sp_json_u64_string(w, low);
        sp_json_u64_string(w, high);
        sp_json_u64_string(w, bucket ? bucket->count : latency->zero_count);
        sp_json_array_end(w);
    }
    sp_json_array_end(w);
}

static void write_numbers(struct sp_json_writer *w, const struct sp_latency_series *row,
                          const struct sp_latency_question *question)
{
    sp_json_key(w, "calls");
    sp_json_u64_string(w, row->calls);
    sp_json_key(w, "errors");
    sp_json_u64_string(w, row->errors);
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t i = 0; i < question->quantile_count; i++) {
        sp_json_key(w, question->quantiles[i].text);
        if (row->calls > 0)
            sp_json_u64_string(w, sp_histogram_quantile(&row->latency, question->quantiles[i].q));
        else
            sp_json_null(w);
    }
    sp_json_object_end(w);
    sp_json_key(w, "durationNano");
    sp_json_u64_string(w, sp_histogram_sum(&row->latency));
    sp_latency_write_exemplars(&row->exemplars, w);
    if (question->with_buckets)
        write_buckets(w, &row->latency);
}

static void write_row(struct sp_json_writer *w, const struct sp_latency_row *row,
                      const struct sp_latency_question *question)
{
    sp_json_object_begin(w);
    write_key(w, row->key);
    write_numbers(w, row->sides[1], question);
    if (question->is_comparison) {
        sp_json_key(w, "change");
        sp_json_cstr(w, row->change.name);
        sp_json_key(w, "before");
        if (row->sides[0]->calls > 0) {
            sp_json_object_begin(w);
            write_numbers(w, row->sides[0], question);
            sp_json_object_end(w);
        } else {
            sp_json_null(w);
        }
        sp_change_write(&row->change, w);
    }
    sp_json_object_end(w);
}

/* The row of a key in each part, or NULL. */
static void write_series(struct sp_json_writer *w, const struct sp_latency_series **of_part,
                         const struct sp_latency_series *key, const struct answer *answer)
{
    static const struct sp_latency_series none;
    sp_json_object_begin(w);
    write_key(w, key);
    for (int errors = 0; errors < 2; errors++) {
        sp_json_key(w, errors ? "errors" : "calls");
        sp_json_array_begin(w);
        for (size_t i = 0; i < answer->step_count; i++) {
            const struct sp_latency_series *row = of_part[i] ? of_part[i] : &none;
            sp_json_u64_string(w, errors ? row->errors : row->calls);
        }
        sp_json_array_end(w);
    }
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t q = 0; q < answer->question.quantile_count; q++) {
        sp_json_key(w, answer->question.quantiles[q].text);
        sp_json_array_begin(w);
        for (size_t i = 0; i < answer->step_count; i++)
            if (of_part[i])
                sp_json_u64_string(w, sp_histogram_quantile(&of_part[i]->latency,
                                                            answer->question.quantiles[q].q));
            else
                sp_json_null(w);
        sp_json_array_end(w);
    }
    sp_json_object_end(w);
    sp_json_object_end(w);
}

static int by_row_key(const void *left, const void *right)
{
    const struct sp_latency_row *a = left, *b = right;
    return sp_latency_compare_keys(a->key, b->key);
}

/* Is it one of the page? Keys come in ascending order. */
static bool is_shown(const struct answer *answer, const struct sp_latency_series *key, size_t *next)
{
    if (!answer->question.page.is_asked)
        return true;
    while (*next < answer->row_count && sp_latency_compare_keys(answer->rows[*next].key, key) < 0)
        ++*next;
    return *next < answer->row_count && sp_latency_compare_keys(answer->rows[*next].key, key) == 0;
}

/* Steps are sorted, so all of them are walked at once, smallest key first. */
static bool write_all_series(struct sp_query_call *call, struct sp_json_writer *w,
                             const struct answer *answer)
{
    size_t *next = sp_arena_calloc(&call->arena, answer->step_count, sizeof(*next));
    const struct sp_latency_series **of_part =
        sp_arena_calloc(&call->arena, answer->step_count, sizeof(const struct sp_latency_series *));
    if (!next || !of_part)
        return false;
    size_t next_shown = 0;
    if (answer->row_count > 0)
        qsort(answer->rows, answer->row_count, sizeof(*answer->rows), by_row_key);
    for (;;) {
        const struct sp_latency_series *key = NULL;
        for (size_t i = 0; i < answer->step_count; i++) {
            const struct sp_latency_part *part = &answer->steps[i];
            if (next[i] < part->count &&
                (!key || sp_latency_compare_keys(&part->rows[next[i]], key) < 0))
                key = &part->rows[next[i]];
        }
        if (!key)
            return true;
        for (size_t i = 0; i < answer->step_count; i++) {
            const struct sp_latency_part *part = &answer->steps[i];
            bool here =
                next[i] < part->count && sp_latency_compare_keys(&part->rows[next[i]], key) == 0;
            of_part[i] = here ? &part->rows[next[i]++] : NULL;
        }
        if (is_shown(answer, key, &next_shown))
            write_series(w, of_part, key, answer);
    }
}

static void write_compared(struct sp_json_writer *w, const struct answer *answer)
{
    sp_json_key(w, "compareFrom");
    sp_query_json_bound(w, answer->question.before.from_unix_ns);
    sp_json_key(w, "compareTo");
    sp_query_json_bound(w, answer->question.before.to_unix_ns);
    sp_json_key(w, "falseDiscoveryRate");
    sp_json_double(w, SP_FALSE_DISCOVERY_RATE);
}

static enum sp_status write_answer(struct sp_query_call *call, const struct answer *answer,
                                   struct sp_error *reterr)
{
    struct sp_json_writer w;
    bool fits = true;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "series");
    sp_json_array_begin(&w);
    if (answer->question.is_series)
        fits = write_all_series(call, &w, answer);
    for (size_t i = 0; !answer->question.is_series && i < answer->row_count; i++)
        write_row(&w, &answer->rows[i], &answer->question);
    sp_json_array_end(&w);
    if (answer->question.is_series)
        sp_query_steps_write(&answer->question.steps, &w);
    if (!answer->question.is_series || answer->question.page.is_asked) {
        sp_json_key(&w, "rowCount");
        sp_json_u64(&w, answer->row_count_all);
    }
    if (answer->question.is_comparison && !answer->question.is_series)
        write_compared(&w, answer);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, answer->question.range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, answer->question.range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, SP_HISTOGRAM_RELATIVE_ERROR);
    sp_json_object_end(&w);
    return fits ? SP_OK : too_large(call, reterr);
}

/* ---- the question ---- */

/* What goes with what. */
static enum sp_status check_combination(const struct sp_query_call *call,
                                        const struct sp_latency_question *question,
                                        struct sp_error *reterr)
{
    const struct sp_parameter_value *values = call->values;
    bool from = values[SP_LATENCY_COMPARE_FROM].set, to = values[SP_LATENCY_COMPARE_TO].set;
    if (from != to)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT,
                                      from ? "compareTo" : "compareFrom",
                                      "\"compareFrom\" and \"compareTo\" stand together");
    if (from && values[SP_LATENCY_COMPARE_FROM].number > values[SP_LATENCY_COMPARE_TO].number)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "compareTo",
                                      "\"compareTo\" must not lie before \"compareFrom\"");
    if (question->is_series && question->with_buckets)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "buckets",
                                      "a series has no buckets");
    if (question->is_series && from && question->page.order != SP_LATENCY_BY_CHANGE)
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "compareFrom",
            "a series is not compared, but by \"order\" change to find its rows");
    for (int i = SP_LATENCY_BUCKETS; i <= SP_LATENCY_COMPARE_TO; i++)
        if (values[i].set && (question->exact || question->by.len > 0))
            return sp_error_set_parameter(
                reterr, SP_INVALID_ARGUMENT, "by",
                "buckets and comparisons are of rows by operation or service, not exact");
    return SP_OK;
}

static enum sp_status parse_question(struct sp_query_call *call, struct sp_latency_question *ret,
                                     struct sp_error *reterr)
{
    const struct sp_parameter_value *values = call->values;
    struct sp_slice by = values[SP_LATENCY_BY].text;
    *ret = (struct sp_latency_question){.is_series = values[SP_LATENCY_STEP].set,
                                        .by_service = sp_slice_equal_cstr(by, "service"),
                                        .exact = values[SP_LATENCY_EXACT].number != 0,
                                        .with_buckets = values[SP_LATENCY_BUCKETS].number == 1,
                                        .is_comparison = values[SP_LATENCY_COMPARE_FROM].set};
    if (!ret->by_service && !sp_slice_equal_cstr(by, "operation"))
        ret->by = by;
    enum sp_status status = sp_query_range(call, &ret->range, reterr);
    if (status == SP_OK)
        status =
            sp_query_quantiles_parse("q", values[SP_LATENCY_QUANTILES].text, "0.5,0.9,0.95,0.99",
                                     ret->quantiles, &ret->quantile_count, reterr);
    if (status == SP_OK && ret->is_series)
        status = sp_query_steps_parse(call, values[SP_LATENCY_STEP].text, ret->range, &ret->steps,
                                      reterr);
    if (status == SP_OK && ret->is_series)
        ret->range = ret->steps.range;
    if (status == SP_OK)
        status = sp_latency_page_parse(call, ret, &ret->page, reterr);
    if (status == SP_OK)
        status = check_combination(call, ret, reterr);
    if (status == SP_OK && ret->is_comparison)
        status = sp_change_minutes(ret->range,
                                   (struct sp_time_range){values[SP_LATENCY_COMPARE_FROM].number,
                                                          values[SP_LATENCY_COMPARE_TO].number},
                                   &ret->before, reterr);
    return status;
}

enum sp_status sp_query_answer_latency(struct sp_query_call *call, struct sp_error *reterr)
{
    struct answer answer = {0};
    struct sp_latency_question *question = &answer.question;
    enum sp_status status = parse_question(call, question, reterr);
    if (status == SP_OK && (question->exact || question->by.len > 0))
        return sp_latency_scan(call, question, reterr);
    if (status != SP_OK)
        return status;
    question->range = sp_time_range_minutes(question->range);
    status = read_all(call, &answer, reterr);
    if (status == SP_OK)
        status = write_answer(call, &answer, reterr);
    answer_fini(&answer);
    return status;
}
