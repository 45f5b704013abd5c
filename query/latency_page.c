/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency_page.c: the answer of /v1/latency about what a pass over all spans has counted: which rows, in which order. */
#include "query/latency_scan.h"

#include <stdlib.h>

/* ---- numbers ---- */

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The order statistic of the rank that sp_sketch_quantile takes. */
static uint64_t quantile_of(struct sp_latency_durations *durations, double q, bool exact)
{
    if (exact)
        return durations->values[sp_quantile_rank(q, durations->count) - 1];
    double value = sp_sketch_quantile(&durations->sketch, q);
    return value >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)(value + 0.5);
}

static void write_label_text(struct sp_json_writer *w, const char *key,
                             const struct sp_label *label)
{
    sp_json_key(w, key);
    sp_json_string(w, label ? label->text : SP_SLICE(""));
}

/* The rows of the rollups name service, operation and kind; others have labels. */
static void write_labels(const struct sp_latency_scan *scan, const struct sp_slice *names,
                         const struct sp_label *labels, struct sp_json_writer *w)
{
    if (scan->question->by.len == 0) {
        bool by_service = scan->question->by_service;
        write_label_text(w, "service", &labels[0]);
        write_label_text(w, "operation", by_service ? NULL : &labels[2]);
        write_label_text(w, "kind", &labels[1]);
        return;
    }
    sp_json_key(w, "labels");
    sp_json_array_begin(w);
    for (uint32_t i = 0; i < scan->key_count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "key");
        sp_json_string(w, names[i]);
        sp_answer_label(&labels[i], w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_counts(const struct sp_latency_scan *scan, const char *key,
                         const uint64_t *counts, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (scan->question->is_series)
        sp_json_array_begin(w);
    for (uint32_t m = 0; m < scan->moments.count; m++)
        sp_json_u64_string(w, counts[m]);
    if (scan->question->is_series)
        sp_json_array_end(w);
}

/* Of all steps. */
static uint64_t sum_of(const struct sp_latency_scan *scan, const struct sp_series *series,
                       uint32_t block)
{
    uint64_t sum = 0;
    for (uint32_t m = 0; m < scan->moments.count; m++)
        sum = sp_sum_saturating(sum, series->counts[block * scan->moments.count + m]);
    return sum;
}

static void write_quantiles(const struct sp_latency_scan *scan, const struct sp_series *series,
                            struct sp_latency_durations *durations, struct sp_json_writer *w)
{
    const struct sp_latency_question *question = scan->question;
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t q = 0; q < question->quantile_count; q++) {
        sp_json_key(w, question->quantiles[q].text);
        if (question->is_series)
            sp_json_array_begin(w);
        for (uint32_t m = 0; m < scan->moments.count; m++)
            if (series->counts[m] > 0)
                sp_json_u64_string(
                    w, quantile_of(&durations[m], question->quantiles[q].q, question->exact));
            else
                sp_json_null(w);
        if (question->is_series)
            sp_json_array_end(w);
    }
    sp_json_object_end(w);
}

/* The numbers of series in the order of the page; equal ones by labels, or as rollups' rows are: service, operation, kind. */
struct ordered {
    const struct sp_label *labels;
    uint32_t number, label_count;
    bool as_rollups;
    bool is_reversed; /* by name, from the end */
    double sorted_by;
};

static int kind_number(const struct sp_label *kind)
{
    for (int32_t number = 0; number < SP_LATENCY_KIND_ANY; number++)
        if (sp_slice_equal_cstr(kind->text, sp_span_kind_name(number)))
            return number;
    return 0;
}

static int compare_labels(const struct ordered *x, const struct ordered *y)
{
    if (!x->as_rollups)
        return sp_labels_compare(x->labels, y->labels, x->label_count);
    int order = sp_label_compare(&x->labels[0], &y->labels[0]);
    if (order == 0 && x->label_count > 2)
        order = sp_label_compare(&x->labels[2], &y->labels[2]);
    return order != 0 ? order : kind_number(&x->labels[1]) - kind_number(&y->labels[1]);
}

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (x->sorted_by != y->sorted_by)
        return x->sorted_by < y->sorted_by ? -1 : 1;
    return x->is_reversed ? compare_labels(y, x) : compare_labels(x, y);
}

bool sp_latency_close(struct sp_latency_durations *durations, struct sp_arena *arena)
{
    if (durations->count > 0)
        qsort(durations->values, durations->count, sizeof(uint64_t), compare_values);
    return sp_sketch_close(&durations->sketch, arena);
}

/* A quantile of all steps; false: the arena is full. */
static bool whole_quantile(struct sp_latency_counter *all, uint32_t number, double *ret)
{
    const struct sp_latency_question *question = all->scan->question;
    size_t steps = all->scan->moments.count;
    struct sp_latency_durations whole = {0};
    for (size_t m = 0; m < steps; m++) {
        struct sp_latency_durations *own = &all->durations[number * steps + m];
        if (!sp_sketch_close(&own->sketch, &all->arena) ||
            !sp_latency_merge(&whole, own, &all->arena))
            return false;
    }
    if (!sp_latency_close(&whole, &all->arena))
        return false;
    *ret = (double)quantile_of(&whole, question->page.quantile, question->exact);
    return true;
}

static bool find_sort_value(struct sp_latency_counter *all, uint32_t number, double *ret)
{
    const struct sp_latency_scan *scan = all->scan;
    const struct sp_series *series = &all->set.series[number];
    double calls = (double)sum_of(scan, series, SP_LATENCY_CALLS);
    double errors = (double)sum_of(scan, series, SP_LATENCY_ERRORS);
    switch (scan->question->page.order) {
    case SP_LATENCY_BY_NAME:
    case SP_LATENCY_BY_CHANGE: /* not of these rows */
        *ret = 0;
        return true;
    case SP_LATENCY_BY_CALLS:
        *ret = calls;
        return true;
    case SP_LATENCY_BY_ERRORS:
        *ret = errors;
        return true;
    case SP_LATENCY_BY_ERROR_SHARE:
        *ret = errors / calls;
        return true;
    case SP_LATENCY_BY_DURATION:
        *ret = (double)sum_of(scan, series, SP_LATENCY_DURATIONS);
        return true;
    case SP_LATENCY_BY_QUANTILE:
        return whole_quantile(all, number, ret);
    }
    return true;
}

/* Is the text in one of the labels? For rollups' rows in what names the row there. */
static bool is_wanted(const struct sp_latency_scan *scan, const struct sp_label *labels)
{
    struct sp_slice part = scan->question->page.contains;
    if (scan->question->by.len == 0)
        return sp_slice_contains_nocase(labels[scan->question->by_service ? 0 : 2].text, part);
    for (uint32_t i = 0; i < scan->key_count; i++)
        if (sp_slice_contains_nocase(labels[i].text, part))
            return true;
    return false;
}

/* All rows that are wanted, in order; NULL: no memory. */
static struct ordered *order_rows(struct sp_latency_counter *all, uint32_t *ret_count)
{
    const struct sp_latency_scan *scan = all->scan;
    const struct sp_latency_page *page = &scan->question->page;
    struct ordered *order =
        sp_arena_calloc(&scan->call->arena, (size_t)all->set.count + 1, sizeof(*order));
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->set.count && order; i++) {
        const struct sp_label *labels = all->set.series[i].labels;
        double value = 0;
        if (!is_wanted(scan, labels))
            continue;
        if (!find_sort_value(all, i, &value))
            return NULL;
        order[count++] = (struct ordered){labels,
                                          i,
                                          scan->key_count,
                                          scan->question->by.len == 0,
                                          page->is_descending && page->order == SP_LATENCY_BY_NAME,
                                          page->is_descending ? -value : value};
    }
    if (count > 0)
        qsort(order, count, sizeof(*order), compare_ordered);
    *ret_count = count;
    return order;
}

static enum sp_status write_row(struct sp_latency_counter *all, uint32_t number,
                                const struct sp_slice *names, struct sp_json_writer *w,
                                struct sp_error *reterr)
{
    const struct sp_latency_scan *scan = all->scan;
    const struct sp_series *series = &all->set.series[number];
    size_t steps = scan->moments.count;
    struct sp_latency_durations *durations = &all->durations[number * steps];
    for (size_t m = 0; m < steps; m++)
        if (!sp_latency_close(&durations[m], &all->arena))
            return sp_latency_full(&all->arena, reterr);
    sp_json_object_begin(w);
    write_labels(scan, names, series->labels, w);
    write_counts(scan, "calls", series->counts, w);
    write_counts(scan, "errors", series->counts + SP_LATENCY_ERRORS * steps, w);
    write_quantiles(scan, series, durations, w);
    if (!scan->question->is_series) {
        sp_json_key(w, "durationNano");
        sp_json_u64_string(w, series->counts[SP_LATENCY_DURATIONS * steps]);
        sp_latency_write_exemplars(&all->exemplars[number], w);
    }
    sp_json_object_end(w);
    return SP_OK;
}

enum sp_status sp_latency_write(struct sp_latency_counter *all, const struct sp_scanned *scanned,
                                struct sp_error *reterr)
{
    const struct sp_latency_scan *scan = all->scan;
    struct sp_query_call *call = scan->call;
    const struct sp_latency_question *question = scan->question;
    const struct sp_latency_page *page = &question->page;
    struct sp_json_writer w;
    const struct sp_slice *names;
    uint32_t count = 0;
    const struct ordered *order = order_rows(all, &count);
    if (!order)
        return sp_latency_full(call->arena.error != SP_OK ? &call->arena : &all->arena, reterr);
    enum sp_status status = sp_answer_key_names(scan->keys, scan->key_count, &call->arena, &names);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the names of the fields do not fit into memory");
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "series");
    sp_json_array_begin(&w);
    uint64_t first = page->offset < count ? page->offset : count;
    uint64_t end = page->limit < count - first ? first + page->limit : count;
    for (uint64_t i = first; i < end && status == SP_OK; i++)
        status = write_row(all, order[i].number, names, &w, reterr);
    sp_json_array_end(&w);
    if (question->is_series)
        sp_query_steps_write(&question->steps, &w);
    sp_json_key(&w, "rowCount");
    sp_json_u64(&w, count);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, question->range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, question->range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, question->exact ? 0 : SP_HISTOGRAM_RELATIVE_ERROR);
    sp_answer_scanned(call, scanned, &w);
    sp_json_object_end(&w);
    return status;
}
