/* SPDX-License-Identifier: Apache-2.0
 *
 * query/heatmap.c: /v1/heatmap: all spans that a query finds, by step and duration, with rate, errors and quantiles of each step.
 * Counted in the buckets of struct sp_histogram, and shown in as many rows as fit: their bounds are bounds of buckets, so every count
 * is exact, and the quantiles have the histogram's error. */
#include <stdlib.h>

#include "query/answer.h"
#include "query/calls.h"
#include "query/metrics.h"
#include "query/pass_explain.h"
#include "query/question.h"

#define SUB_BUCKETS (1u << SP_HISTOGRAM_SCALE)
/* Of one step: bucket 0 is for durations of 0, the others are those of the histogram. */
#define FINE_COUNT (SP_HISTOGRAM_BUCKETS + 1)

/* Of an edge: which of its calls, and the durations of which end. */
struct edge {
    struct sp_calls_edge names; /* client "": no edge is asked for */
    bool any_type;
    enum sp_connection_type type;
    bool of_server;
};

struct cell {
    uint64_t count, errors;
};

/* One thread's counts. */
struct mapper {
    const struct sp_moments *moments;
    const struct edge *edge;
    const struct sp_stop *stop;
    struct sp_rows_question question;
    struct sp_arena arena;
    struct sp_rows *rows;
    struct cell *cells; /* step * FINE_COUNT + bucket */
};

static void count(struct mapper *mapper, uint64_t start_unix_ns, uint64_t duration_ns, bool failed)
{
    uint32_t bucket = duration_ns == 0 ? 0 : 1u + sp_histogram_index(duration_ns);
    uint32_t moment = sp_moment_of(mapper->moments, start_unix_ns);
    struct cell *cell = &mapper->cells[(size_t)moment * FINE_COUNT + bucket];
    cell->count++;
    cell->errors += failed;
}

static enum sp_status map_call(void *cookie, const struct sp_graph_call *call,
                               struct sp_error *reterr)
{
    struct mapper *mapper = cookie;
    const struct edge *edge = mapper->edge;
    const struct sp_span *span = edge->of_server ? call->server_span : call->client_span;
    (void)reterr;
    if (span && (edge->any_type || call->type == edge->type))
        count(mapper, call->time_unix_ns, sp_span_duration_ns(span), call->error);
    return SP_OK;
}

static enum sp_status map_sheet(void *cookie, struct sp_sheet *sheet,
                                const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct mapper *mapper = cookie;
    struct sp_rows_taken taken;
    const uint32_t *templates;
    const uint64_t *durations, *starts;
    enum sp_status status = sp_rows_open(mapper->rows, sheet, facts, mapper->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    status = sp_sheet_templates(sheet, &templates, reterr);
    if (status == SP_OK)
        status = sp_sheet_durations(sheet, &durations, reterr);
    if (status == SP_OK)
        status = sp_sheet_starts(sheet, &starts, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(taken.bits, row))
            continue;
        count(mapper, starts[row], durations[row],
              sheet->templates[templates[row]].status_code == SP_SPAN_STATUS_ERROR);
    }
    return status;
}

static enum sp_status mapper_init(struct mapper *mapper, const struct sp_pass *pass,
                                  const struct sp_moments *moments, const struct edge *edge,
                                  struct sp_error *reterr)
{
    size_t cells = (size_t)moments->count * FINE_COUNT;
    *mapper = (struct mapper){.moments = moments, .edge = edge, .stop = &pass->call->stop};
    mapper->question =
        (struct sp_rows_question){.query = pass->query, .condition = pass->condition};
    sp_arena_init(&mapper->arena, sp_pass_visitor_bytes(pass));
    mapper->cells = sp_arena_calloc(&mapper->arena, cells, sizeof(*mapper->cells));
    if (!mapper->cells)
        return sp_arena_failed(&mapper->arena, reterr,
                               "the heatmap does not fit into the query's memory");
    return sp_rows_new(&mapper->arena, &mapper->question, pass->condition_known,
                       sp_pass_visitor_bytes(pass), &mapper->rows, reterr);
}

static void mapper_fini(struct mapper *mapper)
{
    sp_rows_free(mapper->rows);
    sp_arena_fini(&mapper->arena);
}

static void add_mapper(struct mapper *into, const struct mapper *from)
{
    for (size_t i = 0; i < (size_t)into->moments->count * FINE_COUNT; i++) {
        into->cells[i].count += from->cells[i].count;
        into->cells[i].errors += from->cells[i].errors;
    }
}

/* ---- rows ---- */

/* Row 0 is for durations of 0 if there are any; then rows of so many buckets, from bucket first on. */
struct scale {
    bool has_zero;
    uint32_t first, per_row, row_count; /* rows besides that of 0 */
};

static void make_scale(const struct mapper *all, uint64_t rows_max, struct scale *ret)
{
    uint32_t first = FINE_COUNT, last = 0;
    *ret = (struct scale){.per_row = 1};
    for (uint32_t m = 0; m < all->moments->count; m++) {
        const struct cell *cells = &all->cells[(size_t)m * FINE_COUNT];
        ret->has_zero |= cells[0].count > 0;
        for (uint32_t b = 1; b < FINE_COUNT; b++) {
            if (cells[b].count == 0)
                continue;
            first = b < first ? b : first;
            last = b > last ? b : last;
        }
    }
    if (last == 0)
        return;
    uint64_t room = rows_max - ret->has_zero;
    first--; /* as the histogram counts them */
    last--;
    while (last / ret->per_row - first / ret->per_row + 1 > room)
        ret->per_row *= 2;
    ret->first = first / ret->per_row * ret->per_row;
    ret->row_count = (last - ret->first) / ret->per_row + 1;
}

static uint32_t row_of(const struct scale *scale, uint32_t bucket)
{
    if (bucket == 0)
        return 0;
    return scale->has_zero + (bucket - 1 - scale->first) / scale->per_row;
}

/* The least duration of a bucket of the histogram: found by its own index. */
static uint64_t bucket_begin(uint32_t bucket)
{
    if (bucket >= SP_HISTOGRAM_BUCKETS)
        return UINT64_MAX;
    uint32_t octave = bucket / SUB_BUCKETS;
    uint64_t from = (uint64_t)1 << octave;
    uint64_t to = octave < 63 ? from * 2 - 1 : UINT64_MAX;
    while (from < to) {
        uint64_t middle = from + (to - from) / 2;
        if (sp_histogram_index(middle) < bucket)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* ---- the answer ---- */

static void write_bounds(const struct scale *scale, struct sp_json_writer *w)
{
    sp_json_key(w, "bounds");
    sp_json_array_begin(w);
    if (scale->has_zero)
        sp_json_u64_string(w, 0);
    for (uint32_t row = 0; row < scale->row_count; row++)
        sp_json_u64_string(w, bucket_begin(scale->first + row * scale->per_row));
    if (scale->row_count > 0)
        sp_json_u64_string(w, bucket_begin(scale->first + scale->row_count * scale->per_row));
    else if (scale->has_zero)
        sp_json_u64_string(w, 1);
    sp_json_array_end(w);
}

/* Count and errors of one step, and quantiles of its durations. */
static enum sp_status write_step(const struct mapper *all, uint32_t moment,
                                 struct sp_json_writer *w, struct sp_error *reterr)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"0.5", 0.5}, {"0.95", 0.95}, {"0.99", 0.99}};
    const struct cell *cells = &all->cells[(size_t)moment * FINE_COUNT];
    struct sp_histogram histogram = {.count = cells[0].count, .zero_count = cells[0].count};
    uint64_t failed = cells[0].errors;
    enum sp_status status = SP_OK;
    for (uint32_t b = 1; b < FINE_COUNT && status == SP_OK; b++) {
        if (cells[b].count > 0)
            status = sp_histogram_add_bucket(&histogram, (uint16_t)(b - 1), cells[b].count);
        failed += cells[b].errors;
    }
    sp_histogram_widen(&histogram);
    sp_json_object_begin(w);
    sp_json_key(w, "timeUnixNano");
    sp_json_u64_string(w, all->moments->from_unix_ns + moment * all->moments->step_ns);
    sp_json_key(w, "count");
    sp_json_u64_string(w, histogram.count);
    sp_json_key(w, "errors");
    sp_json_u64_string(w, failed);
    sp_json_key(w, "quantiles");
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(quantiles) && histogram.count > 0; i++) {
        sp_json_key(w, quantiles[i].name);
        sp_json_u64_string(w, sp_histogram_quantile(&histogram, quantiles[i].q));
    }
    sp_json_object_end(w);
    sp_json_object_end(w);
    sp_histogram_fini(&histogram);
    return status == SP_OK ? SP_OK : sp_error_set(reterr, status, "no memory for a heatmap");
}

/* [step, row, count, errors] of each cell that is not empty. */
static void write_cells(const struct mapper *all, const struct scale *scale,
                        struct sp_json_writer *w)
{
    sp_json_key(w, "cells");
    sp_json_array_begin(w);
    for (uint32_t m = 0; m < all->moments->count; m++) {
        for (uint32_t b = 0; b < FINE_COUNT;) {
            uint32_t row = row_of(scale, b);
            uint64_t count = 0, errors = 0;
            do {
                count += all->cells[(size_t)m * FINE_COUNT + b].count;
                errors += all->cells[(size_t)m * FINE_COUNT + b].errors;
                b++;
            } while (b < FINE_COUNT && b > 1 && row_of(scale, b) == row);
            if (count == 0)
                continue;
            sp_json_array_begin(w);
            sp_json_u64(w, m);
            sp_json_u64(w, row);
            sp_json_u64(w, count);
            sp_json_u64(w, errors);
            sp_json_array_end(w);
        }
    }
    sp_json_array_end(w);
}

static enum sp_status write_answer(const struct sp_pass *pass, const struct mapper *all,
                                   const struct scale *scale, const struct sp_scanned *scanned,
                                   struct sp_error *reterr)
{
    struct sp_json_writer w;
    enum sp_status status = SP_OK;
    sp_query_reply_json(pass->call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "from");
    sp_json_u64_string(&w, all->moments->from_unix_ns);
    sp_json_key(&w, "to");
    sp_json_u64_string(&w, all->moments->to_unix_ns);
    sp_json_key(&w, "stepNano");
    sp_json_u64_string(&w, all->moments->step_ns);
    write_bounds(scale, &w);
    sp_json_key(&w, "steps");
    sp_json_array_begin(&w);
    for (uint32_t m = 0; m < all->moments->count && status == SP_OK; m++)
        status = write_step(all, m, &w, reterr);
    sp_json_array_end(&w);
    write_cells(all, scale, &w);
    sp_json_key(&w, "relativeError");
    sp_json_double(&w, SP_HISTOGRAM_RELATIVE_ERROR);
    sp_answer_scanned(pass->call, scanned, &w);
    if (status == SP_OK)
        status = sp_pass_explain(pass->call, pass->query, pass->range, &w, reterr);
    sp_json_object_end(&w);
    return status;
}

/* ---- the question ---- */

/* Rows of the table in query/routes.c. */
enum { FROM, TO, Q, STEPS, ROWS, EXPLAIN, CLIENT, SERVER, CONNECTION, SIDE };

/* Steps of equal length from the first span on, so many at most. */
static void make_steps(struct sp_time_range range, uint64_t steps, struct sp_moments *ret)
{
    uint64_t length = range.to_unix_ns - range.from_unix_ns;
    bool open_ended = range.to_unix_ns == UINT64_MAX; /* and has its last nanosecond */
    uint64_t last = open_ended || length == 0 ? length : length - 1;
    uint64_t step_ns = last / steps;
    step_ns += step_ns < UINT64_MAX;
    *ret = (struct sp_moments){
        .from_unix_ns = range.from_unix_ns,
        .to_unix_ns = range.to_unix_ns,
        .step_ns = step_ns,
        .per_ns = 1 / (double)step_ns,
        .count = length > 0 || open_ended ? (uint32_t)(last / step_ns) + 1 : 0,
    };
}

static enum sp_status map_all(const struct sp_pass *pass, const struct sp_moments *moments,
                              const struct edge *edge, struct sp_scanned *scanned,
                              struct sp_error *reterr)
{
    struct mapper mappers[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    struct sp_calls_visitor of_calls[SP_PASS_THREADS_MAX];
    bool of_edge = edge->names.client.len > 0;
    struct scale scale;
    uint32_t made = 0;
    enum sp_status status = SP_OK;
    for (; made < SP_PASS_THREADS_MAX && status == SP_OK; made++) {
        status = mapper_init(&mappers[made], pass, moments, edge, reterr);
        visitors[made] = (struct sp_pass_visitor){map_sheet, &mappers[made]};
        of_calls[made] = (struct sp_calls_visitor){map_call, &mappers[made]};
    }
    if (status == SP_OK && moments->count > 0)
        status = of_edge ? sp_calls_run(pass, &edge->names, of_calls, scanned, reterr)
                         : sp_pass_run(pass, visitors, made, scanned, reterr);
    for (uint32_t i = 1; i < made && status == SP_OK; i++)
        add_mapper(&mappers[0], &mappers[i]);
    if (status == SP_OK) {
        make_scale(&mappers[0], pass->call->values[ROWS].number, &scale);
        status = write_answer(pass, &mappers[0], &scale, scanned, reterr);
    }
    for (uint32_t i = 0; i < made; i++)
        mapper_fini(&mappers[i]);
    return status;
}

/* The edge that is asked for; without a client and a server there is none. */
static enum sp_status parse_edge(const struct sp_query_call *call, struct edge *ret,
                                 struct sp_error *reterr)
{
    static const enum sp_connection_type types[] = {SP_CONNECTION_DIRECT, SP_CONNECTION_DATABASE,
                                                    SP_CONNECTION_MESSAGING, SP_CONNECTION_VIRTUAL};
    const struct sp_parameter_value *values = call->values;
    bool client = values[CLIENT].set, server = values[SERVER].set;
    uint64_t type = values[CONNECTION].number;
    *ret = (struct edge){.names = {values[CLIENT].text, values[SERVER].text},
                         .any_type = type == 0,
                         .type = type == 0 ? SP_CONNECTION_DIRECT : types[type - 1],
                         .of_server = values[SIDE].number == 1};
    if (client != server)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, client ? "server" : "client",
                                      "\"client\" and \"server\" stand together");
    if (client && values[Q].set)
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT, "q",
                                      "\"q\" finds spans: a heatmap of an edge has its calls");
    if (!client && (values[CONNECTION].set || values[SIDE].set))
        return sp_error_set_parameter(reterr, SP_INVALID_ARGUMENT,
                                      values[SIDE].set ? "side" : "connectionType",
                                      "this is said of an edge: \"client\" and \"server\"");
    return SP_OK;
}

static enum sp_status prepare_edge(struct sp_query_call *call, const struct edge *edge,
                                   struct sp_pass *pass, struct sp_error *reterr)
{
    struct sp_time_range range;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_answer_bounds(call, &range, reterr);
    return status == SP_OK ? sp_calls_prepare(call, range, &edge->names, pass, reterr) : status;
}

enum sp_status sp_query_answer_heatmap(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_pass pass;
    struct sp_moments moments;
    struct sp_scanned scanned = {0};
    struct edge edge;
    enum sp_status status = parse_edge(call, &edge, reterr);
    if (status == SP_OK && edge.names.client.len > 0)
        status = prepare_edge(call, &edge, &pass, reterr);
    else if (status == SP_OK)
        status = sp_answer_pass(call, "q", call->values[Q].text, &pass, reterr);
    if (status == SP_OK)
        status = sp_pass_notes_begin(call, EXPLAIN, reterr);
    if (status == SP_OK && edge.names.client.len == 0)
        status = sp_pass_prepare(&pass, NULL, 0, reterr);
    if (status != SP_OK)
        return status;
    make_steps(pass.range, call->values[STEPS].number, &moments);
    return map_all(&pass, &moments, &edge, &scanned, reterr);
}
