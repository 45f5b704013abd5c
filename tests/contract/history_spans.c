/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_spans.c: what a random history appends. */
#include "tests/contract/history_parts.h"

#define TANGLED_TRACES 6
#define TANGLED_IDS    9
#define SPANS_MAX      30

static struct sp_span tangled_span(struct sp_gen *gen)
{
    static const char *const services[] = {"web", "cart", "orders", "queue"};
    static const char *const names[] = {"call", "serve"};
    uint64_t start = history_base_unix_ns + sp_gen_below(gen, 4) * 60 * history_second_ns +
                     sp_gen_below(gen, 3) * history_second_ns;
    uint64_t trace = 1 + sp_gen_below(gen, TANGLED_TRACES);
    uint64_t id = 1 + sp_gen_below(gen, TANGLED_IDS);
    const char *service = services[sp_gen_below(gen, SP_ARRAY_LEN(services))];
    const char *name = names[sp_gen_below(gen, SP_ARRAY_LEN(names))];
    struct sp_span span = simple_span(trace, id, start, sp_gen_below(gen, 5) * 1000, service, name);
    span.kind = (int32_t)sp_gen_below(gen, 6);
    /* Parents that come later, or never; ids that are there twice, as client and server or by mistake. */
    if (sp_gen_chance(gen, 80))
        span.parent_span_id =
            simple_span(1, 1 + sp_gen_below(gen, TANGLED_IDS), 0, 0, "", "").span_id;
    if (sp_gen_chance(gen, 20)) {
        span.status_present = true;
        span.status_code = SP_SPAN_STATUS_ERROR;
    }
    return span;
}

static const struct sp_batch *tangled_batch(struct history *history)
{
    struct sp_span spans[8];
    size_t count = 1 + sp_gen_below(&history->gen, SP_ARRAY_LEN(spans));
    for (size_t i = 0; i < count; i++)
        spans[i] = tangled_span(&history->gen);
    record_note("append %zu tangled spans", count);
    return batch_of(&history->stores[0].arena, spans, count);
}

/* Of any kind, the last hour's or some days late. */
static const struct sp_batch *mixed_batch(struct history *history, bool *ret_odd)
{
    struct sp_gen *gen = &history->gen;
    struct sp_gen_options options = sp_gen_options_everything(1 + sp_gen_below(gen, SPANS_MAX));
    options.trace_seed = history->trace_seed;
    options.trace_count = 1 + sp_gen_below(gen, 12);
    options.odd_percent = sp_gen_chance(gen, 50) ? 20 : 0;
    options.window_ns = sp_gen_chance(gen, 50) ? 0 : 90 * history_second_ns;
    options.no_residue = true;
    uint64_t days_late = sp_gen_chance(gen, 20) ? 1 + sp_gen_below(gen, 3) : 0;
    options.start_unix_ns = history_base_unix_ns - days_late * 86400 * history_second_ns;
    uint64_t seed = sp_gen_u64(gen);
    record_note("append %zu spans, generator seed %llu, %llu days late", options.span_count,
                (unsigned long long)seed, (unsigned long long)days_late);
    *ret_odd = options.odd_percent > 0;
    return sp_gen_batch(&history->stores[0].arena, seed, &options);
}

/* What comes is the same as before with some chance: a sender that tries again. */
const struct sp_batch *history_next_batch(struct history *history, bool *ret_odd)
{
    *ret_odd = true;
    if (history->batch_count > 0 && sp_gen_chance(&history->gen, 15)) {
        size_t known =
            history->batch_count < HISTORY_NEWEST ? history->batch_count : (size_t)HISTORY_NEWEST;
        size_t which = sp_gen_below(&history->gen, known);
        record_note("append batch %zu again", which);
        return history->batches[which];
    }
    const struct sp_batch *batch =
        history->tangled ? tangled_batch(history) : mixed_batch(history, ret_odd);
    history->batches[history->batch_count++ % HISTORY_NEWEST] = batch;
    return batch;
}
