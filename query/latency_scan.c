/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency_scan.c: /v1/latency by any field, or with exact quantiles: a pass over all spans, which counts calls, errors and durations of
 * each combination of values in each step. */
#include "query/latency_scan.h"

/* ---- counting ---- */

enum sp_status sp_latency_full(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the durations do not fit into the query's memory: take a shorter "
                           "range, fewer fields in \"by\", or quantiles that are not exact");
}

/* So many series have durations. */
static bool make_room(struct sp_latency_counter *counter, uint32_t series)
{
    size_t steps = counter->scan->moments.count;
    if (series <= counter->room)
        return true;
    uint32_t room = counter->room > 0 ? counter->room : 16;
    while (room < series)
        room *= 2;
    struct sp_latency_durations *grown =
        sp_arena_grow(&counter->arena, counter->durations, counter->room * steps * sizeof(*grown),
                      room * steps * sizeof(*grown));
    if (!grown)
        return false;
    memset(&grown[counter->room * steps], 0, (room - counter->room) * steps * sizeof(*grown));
    if (!counter->scan->question->is_series) {
        struct sp_span_exemplars *exemplars =
            sp_arena_grow(&counter->arena, counter->exemplars, counter->room * sizeof(*exemplars),
                          room * sizeof(*exemplars));
        if (!exemplars)
            return false;
        memset(&exemplars[counter->room], 0, (room - counter->room) * sizeof(*exemplars));
        counter->exemplars = exemplars;
    }
    counter->durations = grown;
    counter->room = room;
    return true;
}

static bool make_values(struct sp_latency_durations *durations, size_t count,
                        struct sp_arena *arena)
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

bool sp_latency_add(struct sp_latency_durations *durations, uint64_t ns, bool exact,
                    struct sp_arena *arena)
{
    if (!exact)
        return sp_sketch_add_duration(&durations->sketch, ns, arena);
    if (!make_values(durations, durations->count + 1, arena))
        return false;
    durations->values[durations->count++] = ns;
    return true;
}

static enum sp_status offer_row(struct sp_sheet *sheet, uint32_t row, uint64_t duration_ns,
                                bool is_error, struct sp_span_exemplars *exemplars,
                                struct sp_error *reterr)
{
    struct sp_span_exemplar span = {.duration_ns = duration_ns};
    enum sp_status status = sp_sheet_trace_id(sheet, row, &span.trace_id, reterr);
    if (status == SP_OK)
        status = sp_sheet_span_id(sheet, row, &span.span_id, reterr);
    if (status != SP_OK)
        return status;
    sp_span_exemplar_offer(&exemplars->slowest, &span);
    if (is_error)
        sp_span_exemplar_offer(&exemplars->failed, &span);
    return SP_OK;
}

static enum sp_status count_rows(struct sp_latency_counter *counter, struct sp_sheet *sheet,
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
        status = sp_latency_full(&counter->arena, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(taken->bits, row))
            continue;
        uint32_t moment = moments->count > 1 ? sp_moment_of(moments, starts[row]) : 0;
        struct sp_series *into = &counter->set.series[series[row]];
        bool is_error = sheet->templates[templates[row]].status_code == SP_SPAN_STATUS_ERROR;
        into->counts[moment]++;
        into->counts[SP_LATENCY_ERRORS * moments->count + moment] += is_error;
        uint64_t *sum = &into->counts[SP_LATENCY_DURATIONS * moments->count + moment];
        *sum = sp_sum_saturating(*sum, durations[row]);
        struct sp_span_exemplars *exemplars =
            counter->exemplars ? &counter->exemplars[series[row]] : NULL;
        if (!sp_latency_add(&counter->durations[(size_t)series[row] * moments->count + moment],
                            durations[row], counter->scan->question->exact, &counter->arena))
            status = sp_latency_full(&counter->arena, reterr);
        else if (exemplars && sp_span_exemplars_want(exemplars, durations[row], is_error))
            status = offer_row(sheet, row, durations[row], is_error, exemplars, reterr);
    }
    return status;
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct sp_latency_counter *counter = cookie;
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

static enum sp_status counter_init(struct sp_latency_counter *counter,
                                   const struct sp_latency_scan *scan, uint64_t seed,
                                   struct sp_error *reterr)
{
    const struct sp_pass *pass = &scan->pass;
    *counter = (struct sp_latency_counter){.scan = scan};
    sp_arena_init(&counter->arena, sp_pass_visitor_bytes(pass));
    counter->question = (struct sp_rows_question){.query = pass->query,
                                                  .condition = pass->condition,
                                                  .keys = scan->keys,
                                                  .key_count = scan->key_count};
    sp_series_set_init(&counter->set, &counter->arena, SP_CELL_COUNT, scan->key_count,
                       SP_LATENCY_CELLS * scan->moments.count, seed);
    return sp_rows_new(&counter->arena, &counter->question, pass->condition_known,
                       sp_pass_visitor_bytes(pass), &counter->rows, reterr);
}

static void counter_fini(struct sp_latency_counter *counter)
{
    sp_rows_free(counter->rows);
    sp_arena_fini(&counter->arena);
}

bool sp_latency_merge(struct sp_latency_durations *into, const struct sp_latency_durations *from,
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

static enum sp_status merge(struct sp_latency_counter *into, struct sp_latency_counter *from,
                            struct sp_error *reterr)
{
    size_t steps = into->scan->moments.count;
    enum sp_status status = sp_series_merge(&into->set, &from->set, reterr);
    if (status == SP_OK && !make_room(into, into->set.count))
        status = sp_latency_full(&into->arena, reterr);
    for (uint32_t s = 0; s < from->set.count && status == SP_OK; s++) {
        uint32_t number;
        status = sp_series_find(&into->set, from->set.series[s].labels, &number, reterr);
        if (status == SP_OK && into->exemplars && s < from->room)
            sp_span_exemplars_merge(&into->exemplars[number], &from->exemplars[s]);
        for (size_t m = 0; m < steps && status == SP_OK; m++) {
            struct sp_latency_durations *own = &from->durations[s * steps + m];
            if (!sp_sketch_close(&own->sketch, &from->arena) ||
                !sp_latency_merge(&into->durations[number * steps + m], own, &into->arena))
                status = sp_latency_full(&into->arena, reterr);
        }
    }
    return status;
}

/* *all is the first counter, which the caller finishes in any case. */
static enum sp_status count_all(const struct sp_latency_scan *scan, struct sp_latency_counter *all,
                                struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct sp_latency_counter others[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    uint64_t seed = sp_answer_seed(scan->call);
    uint32_t made = 1;
    enum sp_status status = counter_init(all, scan, seed, reterr);
    visitors[0] = (struct sp_pass_visitor){visit, all};
    for (; made < SP_PASS_THREADS_MAX && status == SP_OK; made++) {
        status = counter_init(&others[made], scan, seed, reterr);
        visitors[made] = (struct sp_pass_visitor){visit, &others[made]};
    }
    if (status == SP_OK)
        status = sp_pass_run(&scan->pass, visitors, made, scanned, reterr);
    for (uint32_t i = 1; i < made; i++) {
        if (status == SP_OK)
            status = merge(all, &others[i], reterr);
        counter_fini(&others[i]);
    }
    if (status == SP_OK && all->set.count > SP_LATENCY_SERIES_MAX && !scan->question->page.is_asked)
        return sp_error_set_parameter(reterr, SP_LIMIT, "by",
                                      "\"by\" makes %u rows, more than the limit of %u: take fewer "
                                      "fields, one service or operation, or a page with \"limit\"",
                                      all->set.count, SP_LATENCY_SERIES_MAX);
    return status;
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
static void print_filter(const struct sp_latency_scan *scan, struct sp_buf *out)
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

static enum sp_status parse_filter(struct sp_latency_scan *scan, struct sp_error *reterr)
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
    struct sp_latency_scan scan = {
        .call = call, .question = question, .moments = moments_of(question)};
    struct sp_slice by = question->by.len > 0   ? question->by
                         : question->by_service ? SP_SLICE("service,kind")
                                                : SP_SLICE("service,kind,name");
    struct sp_scanned scanned = {0};
    struct sp_latency_counter all;
    enum sp_status status =
        sp_answer_fields(call, "by", by, SP_LATENCY_KEYS_MAX, &scan.keys, &scan.key_count, reterr);
    if (status == SP_OK)
        status = parse_filter(&scan, reterr);
    if (status == SP_OK)
        status = sp_pass_prepare(&scan.pass, scan.keys, scan.key_count, reterr);
    if (status != SP_OK)
        return status;
    status = count_all(&scan, &all, &scanned, reterr);
    if (status == SP_OK)
        status = sp_latency_write(&all, &scanned, reterr);
    counter_fini(&all);
    return status;
}
