/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/brute.c: answers by looking at every span of a source. Knows no engine. */
#include "storage/brute.h"

/* What a pass over the spans of a range counts; only the members of one question are set. */
struct span_pass {
    struct sp_time_range range;
    struct sp_tally *tally;
    uint64_t next_mark;

    const struct sp_operation_filter *operations;
    bool with_latency;

    uint32_t key_scopes;
    struct sp_slice key_prefix;

    const struct sp_value_filter *values;
    struct sp_buf text;

    enum sp_status (*count)(struct span_pass *pass, const struct sp_span *span,
                            struct sp_error *reterr);
};

static enum sp_status visit_spans(void *visitor, const struct sp_batch *trace,
                                  struct sp_error *reterr)
{
    struct span_pass *pass = visitor;
    for (size_t i = 0; i < trace->span_count; i++) {
        if (!sp_time_range_contains(pass->range, trace->spans[i].start_unix_ns))
            continue;
        enum sp_status status = pass->count(pass, &trace->spans[i], reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

static enum sp_status run(const struct sp_trace_source *source, struct span_pass *pass,
                          struct sp_error *reterr)
{
    if (sp_time_range_is_empty(pass->range))
        return SP_OK;
    return source->each(source->cookie, pass->range, source->stop, visit_spans, pass, reterr);
}

static enum sp_status pass_operation(struct span_pass *pass, const struct sp_span *span,
                                     struct sp_error *reterr)
{
    if (!sp_operation_matches(pass->operations, sp_span_service(span), span->name, span->kind))
        return SP_OK;
    return sp_count_operation(pass->tally, span, pass->with_latency, reterr);
}

enum sp_status sp_brute_operations(const struct sp_trace_source *source,
                                   const struct sp_operation_filter *filter,
                                   struct sp_time_range range, bool with_latency,
                                   struct sp_tally *tally, struct sp_error *reterr)
{
    struct span_pass pass = {.range = range,
                             .tally = tally,
                             .operations = filter,
                             .with_latency = with_latency,
                             .count = pass_operation};
    return run(source, &pass, reterr);
}

static enum sp_status pass_keys(struct span_pass *pass, const struct sp_span *span,
                                struct sp_error *reterr)
{
    return sp_count_keys(pass->tally, span, pass->key_scopes, pass->key_prefix, pass->next_mark++,
                         reterr);
}

enum sp_status sp_brute_keys(const struct sp_trace_source *source, uint32_t scopes,
                             struct sp_slice prefix, struct sp_time_range range,
                             uint64_t *next_mark, struct sp_tally *tally, struct sp_error *reterr)
{
    struct span_pass pass = {.range = range,
                             .tally = tally,
                             .next_mark = *next_mark,
                             .key_scopes = scopes,
                             .key_prefix = prefix,
                             .count = pass_keys};
    enum sp_status status = run(source, &pass, reterr);
    *next_mark = pass.next_mark;
    return status;
}

static enum sp_status pass_values(struct span_pass *pass, const struct sp_span *span,
                                  struct sp_error *reterr)
{
    return sp_count_values(pass->tally, span, pass->values, pass->next_mark++, &pass->text, reterr);
}

enum sp_status sp_brute_values(const struct sp_trace_source *source,
                               const struct sp_value_filter *filter, struct sp_time_range range,
                               uint64_t *next_mark, struct sp_tally *tally, struct sp_error *reterr)
{
    struct span_pass pass = {.range = range,
                             .tally = tally,
                             .next_mark = *next_mark,
                             .values = filter,
                             .count = pass_values};
    sp_buf_init(&pass.text, SP_VALUE_TEXT_BYTES_MAX);
    enum sp_status status = run(source, &pass, reterr);
    sp_buf_fini(&pass.text);
    *next_mark = pass.next_mark;
    return status;
}

struct graph_pass {
    struct sp_time_range range;
    struct sp_graph *graph;
    struct sp_arena arena; /* of one trace */
};

static enum sp_status visit_graph(void *visitor, const struct sp_batch *batch,
                                  struct sp_error *reterr)
{
    struct graph_pass *pass = visitor;
    struct sp_trace trace;
    const struct sp_graph_call *calls;
    size_t call_count;
    sp_arena_reset(&pass->arena);
    if (sp_trace_assemble(&pass->arena, batch, &trace) != SP_OK ||
        sp_graph_calls(&pass->arena, &trace, &calls, &call_count) != SP_OK)
        return sp_arena_failed(&pass->arena, reterr,
                               "a trace of %zu spans is too large to assemble", batch->span_count);
    for (size_t i = 0; i < call_count; i++) {
        if (!sp_time_range_contains(pass->range, calls[i].time_unix_ns))
            continue;
        enum sp_status status = sp_graph_add(pass->graph, &calls[i]);
        if (status != SP_OK)
            return sp_error_set(reterr, status, "%s",
                                status == SP_LIMIT ? "the dependency graph has too many nodes"
                                                   : "no memory for the dependency graph");
    }
    return SP_OK;
}

enum sp_status sp_brute_graph(const struct sp_trace_source *source, struct sp_time_range range,
                              struct sp_arena *arena, struct sp_graph_edge **ret_edges,
                              size_t *ret_count, struct sp_error *reterr)
{
    struct sp_graph graph;
    sp_graph_init(&graph);
    enum sp_status status = SP_OK;
    if (!sp_time_range_is_empty(range)) {
        struct graph_pass pass = {.range = range, .graph = &graph};
        sp_arena_init(&pass.arena, SP_BRUTE_TRACE_BYTES_MAX);
        status = source->each(source->cookie, range, source->stop, visit_graph, &pass, reterr);
        sp_arena_fini(&pass.arena);
    }
    if (status == SP_OK) {
        status = sp_graph_take(&graph, arena, ret_edges, ret_count);
        if (status != SP_OK)
            sp_arena_failed(arena, reterr, "%zu edges do not fit into this query's memory",
                            graph.edge_count);
    }
    sp_graph_fini(&graph);
    return status;
}
