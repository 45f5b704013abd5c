/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency.c: GET /v1/latency: quantiles by service, operation and kind, from what the store keeps by minute: of the whole
 * range, or of each step of it. What rollups do not have is asked of all spans: latency_scan.c. */
#include "query/latency.h"

#include <stdlib.h>

/* Rows of one part of time, sorted by service, operation, kind. */
struct part {
    struct sp_latency_series *rows;
    size_t count;
};

struct answer {
    struct sp_latency_question question; /* its range: whole minutes */
    struct part *parts;
    size_t part_count;
};

static void answer_fini(struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++)
        sp_latency_rows_fini(answer->parts[i].rows, answer->parts[i].count);
}

/* ---- reading ---- */

static int compare_keys(const struct sp_latency_series *a, const struct sp_latency_series *b)
{
    int order = sp_slice_compare(a->service, b->service);
    if (order == 0)
        order = sp_slice_compare(a->operation, b->operation);
    return order != 0 ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int by_key(const void *left, const void *right)
{
    return compare_keys(left, right);
}

/* All operations of a service and kind are one row, without an operation. */
static enum sp_status merge_operations(struct part *part, struct sp_error *reterr)
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
        if (!into || compare_keys(into, row) != 0) {
            struct sp_latency_series moved = *row;
            row->latency = (struct sp_histogram){0};
            part->rows[kept++] = moved;
            continue;
        }
        into->calls += row->calls;
        into->errors += row->errors;
        if (status == SP_OK)
            status = sp_histogram_merge(&into->latency, &row->latency);
        sp_histogram_fini(&row->latency);
    }
    part->count = kept;
    return status == SP_OK ? SP_OK
                           : sp_error_set(reterr, status, "no memory to add up the operations");
}

static enum sp_status read_part(struct sp_query_call *call, struct answer *answer,
                                struct sp_time_range range, struct sp_error *reterr)
{
    struct part *part = &answer->parts[answer->part_count];
    uint64_t kind = call->values[SP_LATENCY_KIND].number;
    enum sp_status status = sp_query_check(call, reterr);
    if (status == SP_OK)
        status = sp_store_latency(call->api->store, call->values[SP_LATENCY_SERVICE].text,
                                  call->values[SP_LATENCY_OPERATION].text,
                                  kind == SP_LATENCY_KIND_ANY ? -1 : (int32_t)kind, range,
                                  &call->stop, &call->arena, &part->rows, &part->count, reterr);
    if (status != SP_OK)
        return status;
    answer->part_count++;
    return answer->question.by_service ? merge_operations(part, reterr) : SP_OK;
}

static enum sp_status too_large(struct sp_query_call *call, struct sp_error *reterr)
{
    return sp_arena_failed(&call->arena, reterr,
                           "the latencies are larger than the query's memory");
}

static enum sp_status read_all(struct sp_query_call *call, struct answer *answer,
                               struct sp_error *reterr)
{
    size_t count = answer->question.is_series ? answer->question.steps.count : 1;
    answer->parts = sp_arena_calloc(&call->arena, count, sizeof(*answer->parts));
    if (!answer->parts)
        return too_large(call, reterr);
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++)
        status = read_part(call, answer,
                           answer->question.is_series ? sp_query_step(&answer->question.steps, i)
                                                      : answer->question.range,
                           reterr);
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

static void write_row(struct sp_json_writer *w, const struct sp_latency_series *row,
                      const struct answer *answer)
{
    sp_json_object_begin(w);
    write_key(w, row);
    sp_json_key(w, "calls");
    sp_json_u64_string(w, row->calls);
    sp_json_key(w, "errors");
    sp_json_u64_string(w, row->errors);
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t i = 0; i < answer->question.quantile_count; i++) {
        sp_json_key(w, answer->question.quantiles[i].text);
        sp_json_u64_string(w,
                           sp_histogram_quantile(&row->latency, answer->question.quantiles[i].q));
    }
    sp_json_object_end(w);
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
        for (size_t i = 0; i < answer->part_count; i++) {
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
        for (size_t i = 0; i < answer->part_count; i++)
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

/* Parts are sorted, so all of them are walked at once, smallest key first. */
static bool write_all_series(struct sp_query_call *call, struct sp_json_writer *w,
                             const struct answer *answer)
{
    size_t *next = sp_arena_calloc(&call->arena, answer->part_count, sizeof(*next));
    const struct sp_latency_series **of_part =
        sp_arena_calloc(&call->arena, answer->part_count, sizeof(const struct sp_latency_series *));
    if (!next || !of_part)
        return false;
    for (;;) {
        const struct sp_latency_series *key = NULL;
        for (size_t i = 0; i < answer->part_count; i++) {
            const struct part *part = &answer->parts[i];
            if (next[i] < part->count && (!key || compare_keys(&part->rows[next[i]], key) < 0))
                key = &part->rows[next[i]];
        }
        if (!key)
            return true;
        for (size_t i = 0; i < answer->part_count; i++) {
            const struct part *part = &answer->parts[i];
            bool here = next[i] < part->count && compare_keys(&part->rows[next[i]], key) == 0;
            of_part[i] = here ? &part->rows[next[i]++] : NULL;
        }
        write_series(w, of_part, key, answer);
    }
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
    for (size_t i = 0; !answer->question.is_series && i < answer->parts[0].count; i++)
        write_row(&w, &answer->parts[0].rows[i], answer);
    sp_json_array_end(&w);
    if (answer->question.is_series)
        sp_query_steps_write(&answer->question.steps, &w);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, answer->question.range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, answer->question.range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, SP_HISTOGRAM_RELATIVE_ERROR);
    sp_json_object_end(&w);
    return fits ? SP_OK : too_large(call, reterr);
}

static enum sp_status parse_question(struct sp_query_call *call, struct sp_latency_question *ret,
                                     struct sp_error *reterr)
{
    const struct sp_parameter_value *values = call->values;
    struct sp_slice by = values[SP_LATENCY_BY].text;
    *ret = (struct sp_latency_question){.is_series = values[SP_LATENCY_STEP].set,
                                        .by_service = sp_slice_equal_cstr(by, "service"),
                                        .exact = values[SP_LATENCY_EXACT].number % 2 == 1};
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
