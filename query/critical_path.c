/* SPDX-License-Identifier: Apache-2.0
 *
 * query/critical_path.c: GET /v1/critical-path: where the time of many traces goes, at quantiles of their durations. */
#include "query/population.h"
#include "query/quantiles.h"

#define SUM_BYTES_MAX                                                                              \
    ((size_t)256 * 1024 * 1024) /* names and cells; queries may take more for traces */

enum {
    PARAMETER_Q = 2,
    PARAMETER_BY,
    PARAMETER_SCOPE,
    PARAMETER_QUANTILES,
    PARAMETER_TRACES,
    PARAMETER_LIMIT
};

/* Why a trace that matches is not in the sum; sentences are static, so they are told apart by their place. */
#define REASONS_MAX 8

struct paths {
    struct sp_path_sum *sum;
    bool by_span; /* paths of the matching spans, not of the traces */
    uint64_t path_count;
    struct {
        const char *note;
        uint64_t count;
    } left_out[REASONS_MAX];
    size_t reason_count;
};

static void leave_out(struct paths *paths, const char *note)
{
    size_t i = 0;
    while (i < paths->reason_count && strcmp(paths->left_out[i].note, note) != 0)
        i++;
    SP_ASSERT(i < REASONS_MAX);
    if (i == paths->reason_count)
        paths->left_out[paths->reason_count++].note = note;
    paths->left_out[i].count++;
}

static enum sp_status add_path(struct paths *paths, const struct sp_population_trace *trace,
                               uint32_t row, const struct sp_critical_path *path,
                               struct sp_error *reterr)
{
    if (path->segment_count == 0) {
        leave_out(paths, path->note);
        return SP_OK;
    }
    enum sp_status status = sp_path_sum_add(paths->sum, trace->tree, row, path, trace->arena);
    if (status == SP_LIMIT)
        return sp_error_set(reterr, SP_LIMIT, "the paths have too many different names");
    if (status != SP_OK)
        return sp_error_set(reterr, status, "no memory for the paths");
    paths->path_count++;
    return SP_OK;
}

/* Matching spans that stand in no other matching one. */
static enum sp_status add_spans(struct paths *paths, const struct sp_population_trace *trace,
                                struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t row = 0; row < trace->tree->row_count && status == SP_OK;) {
        struct sp_critical_path path;
        if (!trace->matched[row]) {
            row++;
            continue;
        }
        if (sp_critical_path_of(trace->arena, trace->tree, row, &path) != SP_OK)
            return sp_arena_failed(trace->arena, reterr,
                                   "a trace is larger than the query's memory");
        status = add_path(paths, trace, row, &path, reterr);
        row += trace->tree->rows[row].subtree_size;
    }
    return status;
}

static enum sp_status visit(void *cookie, const struct sp_population_trace *trace,
                            struct sp_error *reterr)
{
    struct paths *paths = cookie;
    struct sp_critical_path path;
    if (paths->by_span)
        return add_spans(paths, trace, reterr);
    if (sp_critical_path(trace->arena, trace->tree, &path) != SP_OK)
        return sp_arena_failed(trace->arena, reterr, "a trace is larger than the query's memory");
    return add_path(paths, trace, 0, &path, reterr);
}

/* ---- the answer ---- */

static void write_share(const struct sp_path_share *share, const struct sp_path_band *band,
                        struct sp_json_writer *w)
{
    double sum = (double)band->duration_sum_ns;
    sp_json_object_begin(w);
    sp_json_key(w, "share");
    sp_json_double(w, sum > 0 ? (double)share->total_ns / sum : 0);
    sp_json_key(w, "selfShare");
    sp_json_double(w, sum > 0 ? (double)share->self_ns / sum : 0);
    sp_json_key(w, "meanNano");
    sp_json_u64_string(w,
                       band->path_count > 0 ? (uint64_t)(share->total_ns / band->path_count) : 0);
    sp_json_key(w, "paths");
    sp_json_u64(w, share->path_count);
    sp_json_key(w, "exemplarTraceId");
    if (share->path_count == 0)
        sp_json_null(w);
    else
        sp_json_hex(w, sp_slice_make(share->exemplar.bytes, SP_TRACE_ID_BYTES));
    sp_json_object_end(w);
}

static void write_node(const char *key, struct sp_slice service, struct sp_slice operation,
                       bool by_operation, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    sp_json_object_begin(w);
    sp_json_key(w, "service");
    sp_json_string(w, service);
    if (by_operation) {
        sp_json_key(w, "operation");
        sp_json_string(w, operation);
    }
    sp_json_object_end(w);
}

struct answer {
    const struct sp_path_row *rows;
    size_t row_count, limit;
    const struct sp_path_band *bands;
    size_t band_count;
    bool by_operation;
};

/* At most limit of the rows that are edges, or of those that are not; how many there are stands beside. */
static void write_rows(const struct answer *answer, bool edges, struct sp_json_writer *w)
{
    size_t shown = 0;
    uint64_t count = 0;
    sp_json_key(w, edges ? "edges" : "nodes");
    sp_json_array_begin(w);
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct sp_path_row *row = &answer->rows[i];
        if (row->is_edge != edges)
            continue;
        count++;
        if (shown == answer->limit)
            continue;
        shown++;
        sp_json_object_begin(w);
        if (edges)
            write_node("client", row->client_service, row->client_operation, answer->by_operation,
                       w);
        write_node(edges ? "server" : "node", row->service, row->operation, answer->by_operation,
                   w);
        sp_json_key(w, "shares");
        sp_json_array_begin(w);
        for (size_t b = 0; b < answer->band_count; b++)
            write_share(&row->shares[b], &answer->bands[b], w);
        sp_json_array_end(w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_key(w, edges ? "edgeCount" : "nodeCount");
    sp_json_u64(w, count);
}

static void write_bands(const struct answer *answer, const struct sp_query_quantile *quantiles,
                        struct sp_json_writer *w)
{
    sp_json_key(w, "bands");
    sp_json_array_begin(w);
    for (size_t i = 0; i < answer->band_count; i++) {
        const struct sp_path_band *band = &answer->bands[i];
        sp_json_object_begin(w);
        sp_json_key(w, "quantile");
        if (i == 0)
            sp_json_null(w); /* all */
        else
            sp_json_cstr(w, quantiles[i - 1].text);
        sp_json_key(w, "paths");
        sp_json_u64(w, band->path_count);
        sp_json_key(w, "durationMinNano");
        sp_json_u64_string(w, band->duration_min_ns);
        sp_json_key(w, "durationMeanNano");
        sp_json_u64_string(
            w, band->path_count > 0 ? (uint64_t)(band->duration_sum_ns / band->path_count) : 0);
        sp_json_key(w, "durationMaxNano");
        sp_json_u64_string(w, band->duration_max_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_left_out(const struct paths *paths, struct sp_json_writer *w)
{
    sp_json_key(w, "leftOut");
    sp_json_array_begin(w);
    for (size_t i = 0; i < paths->reason_count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "reason");
        sp_json_cstr(w, paths->left_out[i].note);
        sp_json_key(w, "count");
        sp_json_u64(w, paths->left_out[i].count);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static enum sp_status write_answer(struct sp_query_call *call, const struct paths *paths,
                                   const struct sp_population_read *read,
                                   const struct sp_query_quantile *quantiles, size_t count,
                                   struct sp_error *reterr)
{
    struct sp_path_band bands[SP_QUERY_QUANTILES_MAX + 1];
    struct sp_path_row *rows;
    struct answer answer = {.limit = call->values[PARAMETER_LIMIT].number,
                            .bands = bands,
                            .band_count = count + 1,
                            .by_operation = call->values[PARAMETER_BY].number == 0};
    sp_path_sum_band(paths->sum, -1, &bands[0]);
    for (size_t i = 0; i < count; i++)
        sp_path_sum_band(paths->sum, quantiles[i].q, &bands[i + 1]);
    if (sp_path_sum_rows(paths->sum, bands, answer.band_count, &call->arena, &rows,
                         &answer.row_count) != SP_OK)
        return sp_arena_failed(&call->arena, reterr,
                               "the paths are larger than the query's memory");
    answer.rows = rows;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    write_bands(&answer, quantiles, &w);
    write_rows(&answer, false, &w);
    write_rows(&answer, true, &w);
    sp_json_key(&w, "paths");
    sp_json_u64(&w, paths->path_count);
    write_left_out(paths, &w);
    sp_population_write(read, &w);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_critical_path(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_query_quantile quantiles[SP_QUERY_QUANTILES_MAX];
    size_t count;
    struct sp_population_read read;
    struct sp_population population = {.parameter = "q",
                                       .query = call->values[PARAMETER_Q].text,
                                       .traces_max = call->values[PARAMETER_TRACES].number,
                                       .deadline_ns = sp_population_deadline(call, 1, 1)};
    struct paths paths = {.by_span = call->values[PARAMETER_SCOPE].number == 1};
    enum sp_status status = sp_query_range(call, &population.range, reterr);
    if (status == SP_OK)
        status = sp_query_quantiles_parse("quantiles", call->values[PARAMETER_QUANTILES].text,
                                          "0.5,0.99", quantiles, &count, reterr);
    if (status != SP_OK)
        return status;
    paths.sum = sp_path_sum_new(call->values[PARAMETER_BY].number == 0 ? SP_PATH_BY_OPERATION
                                                                       : SP_PATH_BY_SERVICE,
                                SUM_BYTES_MAX);
    if (!paths.sum)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the paths");
    status = sp_population_read(call, &population, visit, &paths, &read, reterr);
    if (status == SP_OK)
        status = write_answer(call, &paths, &read, quantiles, count, reterr);
    sp_path_sum_free(paths.sum);
    return status;
}
