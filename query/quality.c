/* SPDX-License-Identifier: Apache-2.0
 *
 * query/quality.c: GET /v1/quality: how good the data is that comes in: spans without their parent, without a service, with clocks that
 * disagree, with values that are too large to read. Exact for the newest traces of the range, as many as are asked for. */
#include <stdlib.h>

#include "query/population.h"

enum { PARAMETER_TRACES = 2 };

/* A value beyond this is no attribute any more but a document. */
#define SP_QUALITY_OVERSIZED_BYTES ((size_t)4096)
#define SP_QUALITY_CLOCKS_MAX      1000 /* that are told apart */
#define SP_QUALITY_CLOCKS_SHOWN    50
#define CLOCK_NAME_BYTES           256

/* A host (or a service without one) whose clock differed from that of the first span of a trace. */
struct clock {
    struct sp_slice name; /* cut to CLOCK_NAME_BYTES; memory of the call */
    bool is_host;
    uint64_t traces, offset_ns_max; /* without its sign */
    int64_t offset_ns;              /* the largest, with it */
};

struct quality {
    uint64_t traces, spans;
    uint64_t missing_parents, traces_missing_parents, without_root;
    uint64_t cycles, duplicates;
    uint64_t without_service, backwards, skewed, traces_skewed;
    uint64_t oversized, spans_oversized, oversized_bytes_max, dropped_attributes;
    struct sp_arena *arena; /* of the call */
    struct clock *clocks;
    size_t clock_count;
    uint64_t clocks_left_out; /* times that a clock beyond SP_QUALITY_CLOCKS_MAX differed */
};

/* ---- one trace ---- */

static void note_attributes(struct quality *q, const struct sp_attributes *attributes,
                            bool *is_oversized)
{
    for (uint32_t i = 0; i < attributes->count; i++) {
        const struct sp_value *value = &attributes->items[i].value;
        bool has_text = value->kind == SP_VALUE_STRING || value->kind == SP_VALUE_BYTES;
        if (!has_text || value->string.len <= SP_QUALITY_OVERSIZED_BYTES)
            continue;
        q->oversized++;
        *is_oversized = true;
        if (value->string.len > q->oversized_bytes_max)
            q->oversized_bytes_max = value->string.len;
    }
    q->dropped_attributes += attributes->dropped;
}

static enum sp_status note_clock(struct quality *q, const struct sp_skew_clock *clock)
{
    struct sp_slice name = sp_slice_sub(clock->name, 0, CLOCK_NAME_BYTES);
    size_t at = 0;
    while (at < q->clock_count &&
           !(q->clocks[at].is_host == clock->is_host && sp_slice_equal(name, q->clocks[at].name)))
        at++;
    if (at == SP_QUALITY_CLOCKS_MAX) {
        q->clocks_left_out++;
        return SP_OK;
    }
    struct clock *row = &q->clocks[at];
    if (at == q->clock_count) {
        if (!sp_arena_copy(q->arena, name, &row->name))
            return q->arena->error;
        row->is_host = clock->is_host;
        q->clock_count++;
    }
    uint64_t size = clock->offset_ns < 0 ? -(uint64_t)clock->offset_ns : (uint64_t)clock->offset_ns;
    row->traces++;
    if (size > row->offset_ns_max) {
        row->offset_ns_max = size;
        row->offset_ns = clock->offset_ns;
    }
    return SP_OK;
}

static enum sp_status visit(void *cookie, const struct sp_population_trace *trace,
                            struct sp_error *reterr)
{
    struct quality *q = cookie;
    struct sp_trace *tree = trace->tree;
    struct sp_skew skew;
    if (sp_skew_find(trace->arena, tree, &skew) != SP_OK)
        return sp_arena_failed(trace->arena, reterr, "a trace is larger than the query's memory");
    q->traces++;
    q->spans += tree->row_count;
    q->missing_parents += tree->orphan_count;
    q->traces_missing_parents += tree->orphan_count > 0;
    q->without_root += tree->root_count == 0;
    q->cycles += tree->cycle_count;
    q->duplicates += tree->duplicate_count;
    q->skewed += skew.span_count;
    q->traces_skewed += skew.skewed_count > 0;
    for (uint32_t i = 0; i < skew.clock_count; i++)
        if (skew.clocks[i].offset_ns != 0 && note_clock(q, &skew.clocks[i]) != SP_OK)
            return sp_arena_failed(q->arena, reterr, "no memory for the clocks");
    for (uint32_t i = 0; i < tree->row_count; i++) {
        const struct sp_span *span = tree->rows[i].span;
        bool is_oversized = false;
        /* what stands for none, and what SDKs send when nobody has set it ("unknown_service:node") */
        q->without_service +=
            sp_slice_starts_with(sp_span_service(span), SP_SLICE("unknown_service"));
        q->backwards += span->end_unix_ns < span->start_unix_ns;
        note_attributes(q, &span->attributes, &is_oversized);
        q->spans_oversized += is_oversized;
    }
    return SP_OK;
}

/* ---- the answer ---- */

static int by_offset(const void *left, const void *right)
{
    const struct clock *l = left, *r = right;
    if (l->offset_ns_max != r->offset_ns_max)
        return l->offset_ns_max > r->offset_ns_max ? -1 : 1;
    return sp_slice_compare(l->name, r->name);
}

static void write_clocks(struct quality *q, struct sp_json_writer *w)
{
    if (q->clock_count > 0)
        qsort(q->clocks, q->clock_count, sizeof(*q->clocks), by_offset);
    sp_json_key(w, "clocks");
    sp_json_array_begin(w);
    for (size_t i = 0; i < q->clock_count && i < SP_QUALITY_CLOCKS_SHOWN; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        sp_json_string(w, q->clocks[i].name);
        sp_json_key(w, "host");
        sp_json_bool(w, q->clocks[i].is_host);
        sp_json_key(w, "traces");
        sp_json_u64(w, q->clocks[i].traces);
        sp_json_key(w, "offsetNano");
        sp_json_i64_string(w, q->clocks[i].offset_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_key(w, "clockCount");
    sp_json_u64(w, q->clock_count);
    sp_json_key(w, "clocksLeftOut");
    sp_json_u64(w, q->clocks_left_out);
}

static void write_answer(struct sp_query_call *call, struct quality *q,
                         const struct sp_population_read *read)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"spans", q->spans},
        {"missingParents", q->missing_parents},
        {"tracesMissingParents", q->traces_missing_parents},
        {"tracesWithoutRoot", q->without_root},
        {"cycles", q->cycles},
        {"duplicates", q->duplicates},
        {"withoutService", q->without_service},
        {"endBeforeStart", q->backwards},
        {"skewed", q->skewed},
        {"tracesSkewed", q->traces_skewed},
        {"oversizedAttributes", q->oversized},
        {"spansWithOversized", q->spans_oversized},
        {"oversizedBytesMax", q->oversized_bytes_max},
        {"oversizedBytes", SP_QUALITY_OVERSIZED_BYTES},
        {"droppedAttributes", q->dropped_attributes},
    };
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_population_write(read, &w);
    for (size_t i = 0; i < SP_ARRAY_LEN(numbers); i++) {
        sp_json_key(&w, numbers[i].name);
        sp_json_u64_string(&w, numbers[i].value);
    }
    write_clocks(q, &w);
    sp_json_object_end(&w);
}

enum sp_status sp_query_answer_quality(struct sp_query_call *call, struct sp_error *reterr)
{
    struct quality q = {.arena = &call->arena};
    struct sp_population_read read;
    struct sp_population population = {
        .parameter = "q",
        .traces_max = call->values[PARAMETER_TRACES].number,
        .deadline_ns = sp_population_deadline(call, 1, 1),
    };
    enum sp_status status = sp_query_range(call, &population.range, reterr);
    if (status != SP_OK)
        return status;
    q.clocks = sp_arena_calloc(&call->arena, SP_QUALITY_CLOCKS_MAX, sizeof(*q.clocks));
    if (!q.clocks)
        return sp_arena_failed(&call->arena, reterr, "no memory for the clocks");
    status = sp_population_read(call, &population, visit, &q, &read, reterr);
    if (status == SP_OK)
        write_answer(call, &q, &read);
    return status;
}
