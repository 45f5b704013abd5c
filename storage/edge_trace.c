/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_trace.c: the calls of traces that are there as spans, and what a trace in several segments lacks. Knows no blocks. */
#include "storage/brute.h"
#include "storage/edge_rollup.h"

/* A call and how often it is meant: 1 or -1. */
struct signed_call {
    struct sp_edge_call call;
    int64_t times;
};

struct signed_calls {
    SP_VECTOR(struct signed_call) list;
};

static uint64_t duration_of(const struct sp_span *span)
{
    return span != NULL ? sp_span_duration_ns(span) : 0;
}

/* Appends the calls of one trace. */
static enum sp_status find_calls(struct sp_edge_rollup *rollup, const struct sp_batch *batch,
                                 int64_t times, struct signed_calls *calls, struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_trace trace;
    const struct sp_graph_call *found = NULL;
    size_t count = 0;
    sp_arena_init(&arena, SP_BRUTE_TRACE_BYTES_MAX);
    enum sp_status status = SP_OK;
    if (sp_trace_assemble(&arena, batch, &trace) != SP_OK ||
        sp_graph_calls(&arena, &trace, &found, &count) != SP_OK)
        status = sp_arena_failed(&arena, reterr, "a trace of %zu spans is too large to assemble",
                                 batch->span_count);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        const struct sp_graph_call *from = &found[i];
        struct signed_call made = {
            .times = times,
            .call = {.edge = sp_edge_rollup_edge(rollup, from->client, from->client_type,
                                                 from->server, from->server_type, from->type),
                     .minute = (uint32_t)(from->time_unix_ns / SP_ROLLUP_NS),
                     .error = from->error,
                     .has_client = from->client_span != NULL,
                     .has_server = from->server_span != NULL,
                     .client_ns = duration_of(from->client_span),
                     .server_ns = duration_of(from->server_span)}};
        if (made.call.edge == SP_INTERNER_NONE || !sp_vector_push(&calls->list, made))
            status = sp_edge_rollup_failed(reterr);
    }
    sp_arena_fini(&arena);
    return status;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_calls(const void *a, const void *b)
{
    const struct sp_edge_call *x = &((const struct signed_call *)a)->call;
    const struct sp_edge_call *y = &((const struct signed_call *)b)->call;
    unsigned x_bits =
        (unsigned)x->error | (unsigned)x->has_client << 1 | (unsigned)x->has_server << 2;
    unsigned y_bits =
        (unsigned)y->error | (unsigned)y->has_client << 1 | (unsigned)y->has_server << 2;
    int order =
        compare_u64((uint64_t)x->edge << 32 | x->minute, (uint64_t)y->edge << 32 | y->minute);
    if (order == 0)
        order = compare_u64(x_bits, y_bits);
    if (order == 0)
        order = compare_u64(x->client_ns, y->client_ns);
    return order != 0 ? order : compare_u64(x->server_ns, y->server_ns);
}

/* Equal calls cancel before anything is added, so that the rollup need not keep what comes and goes. */
static enum sp_status add_calls(struct sp_edge_rollup *rollup, struct signed_calls *calls,
                                const struct sp_trace_id *trace_id, enum sp_edge_sign sign,
                                struct sp_error *reterr)
{
    enum sp_edge_sign opposite = sign == SP_EDGE_ADD ? SP_EDGE_TAKE : SP_EDGE_ADD;
    uint32_t count = calls->list.count;
    if (count > 0)
        qsort(calls->list.items, count, sizeof(*calls->list.items), compare_calls);
    for (uint32_t i = 0; i < count;) {
        const struct signed_call *first = &calls->list.items[i];
        int64_t times = 0;
        for (; i < count && compare_calls(first, &calls->list.items[i]) == 0; i++)
            times += calls->list.items[i].times;
        for (; times != 0; times -= times > 0 ? 1 : -1)
            if (!sp_edge_rollup_call(rollup, &first->call, trace_id, times > 0 ? sign : opposite))
                return sp_edge_rollup_failed(reterr);
    }
    return SP_OK;
}

enum sp_status sp_edge_rollup_add_trace(struct sp_edge_rollup *rollup, const struct sp_batch *trace,
                                        enum sp_edge_sign sign, struct sp_error *reterr)
{
    struct signed_calls calls = {0};
    if (trace->span_count == 0)
        return SP_OK;
    enum sp_status status = find_calls(rollup, trace, 1, &calls, reterr);
    if (status == SP_OK)
        status = add_calls(rollup, &calls, &trace->spans[0].trace_id, sign, reterr);
    sp_vector_fini(&calls.list);
    return status;
}

/* The calls of all parts together, less those of each of the first taken_count. */
static enum sp_status add_difference(struct sp_edge_rollup *rollup, const struct sp_batch *parts,
                                     size_t part_count, size_t taken_count, enum sp_edge_sign sign,
                                     struct sp_error *reterr)
{
    size_t count = 0;
    for (size_t i = 0; i < part_count; i++)
        count += parts[i].span_count;
    if (count == 0)
        return SP_OK;
    struct signed_calls calls = {0};
    struct sp_span *spans = calloc(count, sizeof(*spans));
    if (spans == NULL)
        return sp_edge_rollup_failed(reterr);
    struct sp_batch whole = {.spans = spans};
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < part_count && status == SP_OK; i++) {
        if (parts[i].span_count == 0)
            continue;
        memcpy(spans + whole.span_count, parts[i].spans, parts[i].span_count * sizeof(*spans));
        whole.span_count += parts[i].span_count;
        if (i < taken_count)
            status = find_calls(rollup, &parts[i], -1, &calls, reterr);
    }
    if (status == SP_OK)
        status = find_calls(rollup, &whole, 1, &calls, reterr);
    if (status == SP_OK)
        status = add_calls(rollup, &calls, &spans[0].trace_id, sign, reterr);
    sp_vector_fini(&calls.list);
    free(spans);
    return status;
}

enum sp_status sp_edge_rollup_correct(struct sp_edge_rollup *rollup, const struct sp_batch *parts,
                                      size_t part_count, enum sp_edge_sign sign,
                                      struct sp_error *reterr)
{
    return add_difference(rollup, parts, part_count, part_count, sign, reterr);
}

enum sp_status sp_edge_rollup_extend(struct sp_edge_rollup *rollup, const struct sp_batch *before,
                                     const struct sp_batch *more, struct sp_error *reterr)
{
    const struct sp_batch parts[] = {*before, *more};
    return add_difference(rollup, parts, 2, 1, SP_EDGE_ADD, reterr);
}

enum sp_status sp_edge_rollup_rebase(struct sp_edge_rollup *rollup, const struct sp_batch *with,
                                     const struct sp_batch *without, size_t more_count,
                                     struct sp_error *reterr)
{
    const struct {
        const struct sp_batch *batch;
        size_t less;
        int64_t times;
    } terms[] = {{without, 0, 1}, {without, more_count, -1}, {with, 0, -1}, {with, more_count, 1}};
    struct signed_calls calls = {0};
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < SP_ARRAY_LEN(terms) && status == SP_OK; i++) {
        const struct sp_batch part = {.spans = terms[i].batch->spans,
                                      .span_count = terms[i].batch->span_count - terms[i].less};
        if (part.span_count > 0)
            status = find_calls(rollup, &part, terms[i].times, &calls, reterr);
    }
    if (status == SP_OK && more_count > 0)
        status = add_calls(rollup, &calls, &with->spans[0].trace_id, SP_EDGE_ADD, reterr);
    sp_vector_fini(&calls.list);
    return status;
}
