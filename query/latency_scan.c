/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency_scan.c: /v1/latency by any field, or with exact quantiles: a pass over all spans, which counts calls, errors and durations of
 * each combination of values in each step. */
#include "query/latency.h"

#include <stdlib.h>

#include "query/answer.h"
#include "query/metrics.h"

/* Durations of one row in one step. */
struct durations {
    struct sp_sketch sketch;
    uint64_t *values; /* exact ones; the sketch is empty then */
    size_t count, cap;
};

/* What is asked, for all threads. */
struct scan {
    struct sp_query_call *call;
    const struct sp_latency_question *question;
    struct sp_pass pass;
    const struct sp_traceql_node *const *keys; /* FIELDs */
    uint32_t key_count;
    struct sp_moments moments;
};

/* One thread's. Of a series cell m counts the calls of step m, cell m + steps its errors. */
struct counter {
    const struct scan *scan;
    struct sp_arena arena;
    struct sp_rows_question question;
    struct sp_rows *rows;
    struct sp_series_set set;
    struct durations *durations; /* of series s in step m: s * steps + m */
    uint32_t room;               /* series that have durations */
};

/* ---- counting ---- */

static enum sp_status full(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the durations do not fit into the query's memory: take a shorter "
                           "range, fewer fields in \"by\", or quantiles that are not exact");
}

/* So many series have durations. */
static bool make_room(struct counter *counter, uint32_t series)
{
    size_t steps = counter->scan->moments.count;
    if (series <= counter->room)
        return true;
    uint32_t room = counter->room > 0 ? counter->room : 16;
    while (room < series)
        room *= 2;
    struct durations *grown =
        sp_arena_grow(&counter->arena, counter->durations, counter->room * steps * sizeof(*grown),
                      room * steps * sizeof(*grown));
    if (!grown)
        return false;
    memset(&grown[counter->room * steps], 0, (room - counter->room) * steps * sizeof(*grown));
    counter->durations = grown;
    counter->room = room;
    return true;
}

static bool make_values(struct durations *durations, size_t count, struct sp_arena *arena)
{
    if (count <= durations->cap)
        return true;
    size_t cap = durations->cap > 0 ? durations->cap : 16;
    while (cap < count)
        cap *= 2;
    uint64_t *grown = sp_arena_grow(arena, durations->values, durations->cap * sizeof(*grown),
                                    cap * sizeof(*grown));
    if (!grown)
        return false;
    durations->values = grown;
    durations->cap = cap;
    return true;
}

static bool add_duration(struct durations *durations, uint64_t ns, bool exact,
                         struct sp_arena *arena)
{
    if (!exact)
        return sp_sketch_add_duration(&durations->sketch, ns, arena);
    if (!make_values(durations, durations->count + 1, arena))
        return false;
    durations->values[durations->count++] = ns;
    return true;
}

static enum sp_status count_rows(struct counter *counter, struct sp_sheet *sheet,
                                 const struct sp_rows_taken *taken, const uint32_t *series,
                                 struct sp_error *reterr)
{
    const struct sp_moments *moments = &counter->scan->moments;
    const uint32_t *templates;
    const uint64_t *durations, *starts;
    enum sp_status status = sp_sheet_templates(sheet, &templates, reterr);
    if (status == SP_OK)
        status = sp_sheet_durations(sheet, &durations, reterr);
    if (status == SP_OK)
        status = sp_sheet_starts(sheet, &starts, reterr);
    if (status == SP_OK && !make_room(counter, counter->set.count))
        status = full(&counter->arena, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(taken->bits, row))
            continue;
        uint32_t moment = moments->count > 1 ? sp_moment_of(moments, starts[row]) : 0;
        struct sp_series *into = &counter->set.series[series[row]];
        into->counts[moment]++;
        into->counts[moments->count + moment] +=
            sheet->templates[templates[row]].status_code == SP_SPAN_STATUS_ERROR;
        if (!add_duration(&counter->durations[(size_t)series[row] * moments->count + moment],
                          durations[row], counter->scan->question->exact, &counter->arena))
            status = full(&counter->arena, reterr);
    }
    return status;
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct counter *counter = cookie;
    struct sp_rows_taken taken;
    const uint32_t *series;
    enum sp_status status =
        sp_rows_open(counter->rows, sheet, facts, &counter->scan->call->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    status = sp_rows_series(counter->rows, &counter->set, &series, reterr);
    return status == SP_OK ? count_rows(counter, sheet, &taken, series, reterr) : status;
}

/* ---- counters ---- */

static enum sp_status counter_init(struct counter *counter, const struct scan *scan, uint64_t seed,
                                   struct sp_error *reterr)
{
    const struct sp_pass *pass = &scan->pass;
    *counter = (struct counter){.scan = scan};
    sp_arena_init(&counter->arena, sp_pass_visitor_bytes(pass));
    counter->question = (struct sp_rows_question){.query = pass->query,
                                                  .condition = pass->condition,
                                                  .keys = scan->keys,
                                                  .key_count = scan->key_count};
    sp_series_set_init(&counter->set, &counter->arena, SP_CELL_COUNT, scan->key_count,
                       2 * scan->moments.count, seed);
    return sp_rows_new(&counter->arena, &counter->question, pass->condition_known,
                       sp_pass_visitor_bytes(pass), &counter->rows, reterr);
}

static void counter_fini(struct counter *counter)
{
    sp_rows_free(counter->rows);
    sp_arena_fini(&counter->arena);
}

static bool merge_durations(struct durations *into, const struct durations *from,
                            struct sp_arena *arena)
{
    if (from->count > 0) {
        if (!make_values(into, into->count + from->count, arena))
            return false;
        memcpy(&into->values[into->count], from->values, from->count * sizeof(*from->values));
        into->count += from->count;
    }
    return sp_sketch_merge(&into->sketch, &from->sketch, arena);
}

static enum sp_status merge(struct counter *into, struct counter *from, struct sp_error *reterr)
{
    size_t steps = into->scan->moments.count;
    enum sp_status status = sp_series_merge(&into->set, &from->set, reterr);
    if (status == SP_OK && !make_room(into, into->set.count))
        status = full(&into->arena, reterr);
    for (uint32_t s = 0; s < from->set.count && status == SP_OK; s++) {
        uint32_t number;
        status = sp_series_find(&into->set, from->set.series[s].labels, &number, reterr);
        for (size_t m = 0; m < steps && status == SP_OK; m++) {
            struct durations *own = &from->durations[s * steps + m];
            if (!sp_sketch_close(&own->sketch, &from->arena) ||
                !merge_durations(&into->durations[number * steps + m], own, &into->arena))
                status = full(&into->arena, reterr);
        }
    }
    return status;
}

/* *all is the first counter, which the caller finishes in any case. */
static enum sp_status count_all(const struct scan *scan, struct counter *all,
                                struct sp_error *reterr)
{
    struct counter others[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    struct sp_scanned scanned = {0};
    uint64_t seed = sp_answer_seed(scan->call);
    uint32_t made = 1;
    enum sp_status status = counter_init(all, scan, seed, reterr);
    visitors[0] = (struct sp_pass_visitor){visit, all};
    for (; made < SP_PASS_THREADS_MAX && status == SP_OK; made++) {
        status = counter_init(&others[made], scan, seed, reterr);
        visitors[made] = (struct sp_pass_visitor){visit, &others[made]};
    }
    if (status == SP_OK)
        status = sp_pass_run(&scan->pass, visitors, made, &scanned, reterr);
    for (uint32_t i = 1; i < made; i++) {
        if (status == SP_OK)
            status = merge(all, &others[i], reterr);
        counter_fini(&others[i]);
    }
    if (status == SP_OK && all->set.count > SP_LATENCY_SERIES_MAX)
        return sp_error_set_parameter(reterr, SP_LIMIT, "by",
                                      "\"by\" makes %u rows, more than the limit of %u: take fewer "
                                      "fields, or one service or operation",
                                      all->set.count, SP_LATENCY_SERIES_MAX);
    return status;
}

/* ---- the answer ---- */

static int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The order statistic of the rank that sp_sketch_quantile takes. */
static uint64_t quantile_of(struct durations *durations, double q, bool exact)
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
static void write_labels(const struct scan *scan, const struct sp_slice *names,
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

static void write_counts(const struct scan *scan, const char *key, const uint64_t *counts,
                         struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (scan->question->is_series)
        sp_json_array_begin(w);
    for (uint32_t m = 0; m < scan->moments.count; m++)
        sp_json_u64_string(w, counts[m]);
    if (scan->question->is_series)
        sp_json_array_end(w);
}

static void write_quantiles(const struct scan *scan, const struct sp_series *series,
                            struct durations *durations, struct sp_json_writer *w)
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

/* The numbers of series, sorted by labels; for rollups' rows in their order: service, operation, kind. */
struct ordered {
    const struct sp_label *labels;
    uint32_t number, label_count;
    bool as_rollups;
};

static int kind_number(const struct sp_label *kind)
{
    for (int32_t number = 0; number < SP_LATENCY_KIND_ANY; number++)
        if (sp_slice_equal_cstr(kind->text, sp_span_kind_name(number)))
            return number;
    return 0;
}

static int compare_ordered(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    if (!x->as_rollups)
        return sp_labels_compare(x->labels, y->labels, x->label_count);
    int order = sp_label_compare(&x->labels[0], &y->labels[0]);
    if (order == 0 && x->label_count > 2)
        order = sp_label_compare(&x->labels[2], &y->labels[2]);
    return order != 0 ? order : kind_number(&x->labels[1]) - kind_number(&y->labels[1]);
}

static enum sp_status write_answer(const struct scan *scan, struct counter *all,
                                   struct sp_error *reterr)
{
    struct sp_query_call *call = scan->call;
    const struct sp_latency_question *question = scan->question;
    size_t steps = scan->moments.count;
    struct sp_json_writer w;
    const struct sp_slice *names;
    struct ordered *order =
        sp_arena_calloc(&call->arena, (size_t)all->set.count + 1, sizeof(*order));
    if (!order)
        return full(&call->arena, reterr);
    enum sp_status status = sp_answer_key_names(scan->keys, scan->key_count, &call->arena, &names);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the names of the fields do not fit into memory");
    for (uint32_t i = 0; i < all->set.count; i++)
        order[i] =
            (struct ordered){all->set.series[i].labels, i, scan->key_count, question->by.len == 0};
    if (all->set.count > 0)
        qsort(order, all->set.count, sizeof(*order), compare_ordered);
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "series");
    sp_json_array_begin(&w);
    for (uint32_t i = 0; i < all->set.count; i++) {
        const struct sp_series *series = &all->set.series[order[i].number];
        struct durations *durations = &all->durations[order[i].number * steps];
        for (size_t m = 0; m < steps; m++) {
            if (durations[m].count > 0)
                qsort(durations[m].values, durations[m].count, sizeof(uint64_t), compare_values);
            if (!sp_sketch_close(&durations[m].sketch, &all->arena))
                return full(&all->arena, reterr);
        }
        sp_json_object_begin(&w);
        write_labels(scan, names, series->labels, &w);
        write_counts(scan, "calls", series->counts, &w);
        write_counts(scan, "errors", series->counts + steps, &w);
        write_quantiles(scan, series, durations, &w);
        sp_json_object_end(&w);
    }
    sp_json_array_end(&w);
    if (question->is_series)
        sp_query_steps_write(&question->steps, &w);
    sp_json_key(&w, "from");
    sp_query_json_bound(&w, question->range.from_unix_ns);
    sp_json_key(&w, "to");
    sp_query_json_bound(&w, question->range.to_unix_ns);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, question->exact ? 0 : SP_HISTOGRAM_RELATIVE_ERROR);
    sp_json_object_end(&w);
    return SP_OK;
}

/* ---- the question ---- */

/* A text of the language: quotes, and what cannot stand between them, escaped. */
static void append_quoted(struct sp_buf *out, struct sp_slice text)
{
    sp_buf_append_cstr(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == '"' || byte == '\\')
            sp_buf_printf(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            sp_buf_printf(out, "\\x%02x", byte);
        else
            sp_buf_append_slice(out, sp_slice_make(&text.ptr[i], 1));
    }
    sp_buf_append_cstr(out, "\"");
}

/* The filter of service, operation and kind. */
static void print_filter(const struct scan *scan, struct sp_buf *out)
{
    const struct sp_parameter_value *values = scan->call->values;
    uint64_t kind = values[SP_LATENCY_KIND].number;
    bool first = true;
    sp_buf_append_cstr(out, "{ ");
    for (int i = SP_LATENCY_SERVICE; i <= SP_LATENCY_OPERATION; i++) {
        if (!values[i].set)
            continue;
        sp_buf_printf(out, "%s%s = ", first ? "" : " && ",
                      i == SP_LATENCY_SERVICE ? "service" : "name");
        append_quoted(out, values[i].text);
        first = false;
    }
    if (kind != SP_LATENCY_KIND_ANY)
        sp_buf_printf(out, "%skind = %s", first ? "" : " && ", sp_span_kind_name((int32_t)kind));
    sp_buf_append_cstr(out, " }");
}

static enum sp_status parse_filter(struct scan *scan, struct sp_error *reterr)
{
    struct sp_arena *arena = &scan->call->arena;
    struct sp_buf text;
    struct sp_slice copy;
    const struct sp_traceql_query *query;
    sp_buf_init(&text, SP_TRACEQL_QUERY_BYTES_MAX);
    print_filter(scan, &text);
    enum sp_status status = text.error;
    if (status == SP_OK && !sp_arena_copy(arena, sp_buf_slice(&text), &copy))
        status = arena->error;
    sp_buf_fini(&text);
    if (status == SP_OK)
        status = sp_traceql_parse(arena, copy, &query, reterr);
    if (status != SP_OK)
        return sp_error_set_parameter(reterr, status, "operation",
                                      "service and operation cannot be looked for");
    scan->pass = (struct sp_pass){.call = scan->call,
                                  .query = query,
                                  .pipeline = query->root,
                                  .stage_count = query->root->item_count,
                                  .range = scan->question->range};
    return SP_OK;
}

static struct sp_moments moments_of(const struct sp_latency_question *question)
{
    if (!question->is_series)
        return (struct sp_moments){.count = 1};
    return (struct sp_moments){.from_unix_ns = question->steps.range.from_unix_ns,
                               .to_unix_ns = question->steps.range.to_unix_ns,
                               .step_ns = question->steps.step_ns,
                               .per_ns = 1 / (double)question->steps.step_ns,
                               .count = (uint32_t)question->steps.count};
}

enum sp_status sp_latency_scan(struct sp_query_call *call,
                               const struct sp_latency_question *question, struct sp_error *reterr)
{
    struct scan scan = {.call = call, .question = question, .moments = moments_of(question)};
    struct sp_slice by = question->by.len > 0   ? question->by
                         : question->by_service ? SP_SLICE("service,kind")
                                                : SP_SLICE("service,kind,name");
    struct counter all;
    enum sp_status status =
        sp_answer_fields(call, "by", by, SP_LATENCY_KEYS_MAX, &scan.keys, &scan.key_count, reterr);
    if (status == SP_OK)
        status = parse_filter(&scan, reterr);
    if (status == SP_OK)
        status = sp_pass_prepare(&scan.pass, scan.keys, scan.key_count, reterr);
    if (status != SP_OK)
        return status;
    status = count_all(&scan, &all, reterr);
    if (status == SP_OK)
        status = write_answer(&scan, &all, reterr);
    counter_fini(&all);
    return status;
}
