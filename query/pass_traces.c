/* SPDX-License-Identifier: Apache-2.0
 *
 * query/pass_traces.c: a pass over whole traces: candidates come from the store and are read in batches, in the order of their ids, with no
 * more of their spans than the question looks at; what the stages find of each is shown as a sheet. A large batch is looked at by
 * several threads, each with programs and a visitor of its own. */
#include <stdlib.h>

#include "query/pass_traces.h"
#include "query/shares.h"

/* Traces of a batch: the first are few, because who only wants a sample soon has enough; each batch unpacks each block once, so the rest are many. A
 * sixteenth of the query's memory, or less. */
#define BATCH_MIN         ((size_t)4096)
#define BATCH_MAX         ((size_t)1024 * 1024)
#define BATCH_GROWTH      ((size_t)64)
#define BATCH_MEMORY_PART ((size_t)16)

struct trace_pass;

/* One thread. The first is the caller's. */
struct worker {
    struct trace_pass *of;
    const struct sp_pass_visitor *visitor;
    struct sp_pipeline *pipeline;
    struct sp_arena arena; /* of one trace */
    bool made;
};

struct trace_pass {
    const struct sp_pass *pass;
    bool needs_tree;
    struct worker workers[SP_PASS_THREADS_MAX];
    uint32_t worker_count;
    struct sp_trace_id *batch; /* heap */
    size_t batch_count, batch_max;
    enum sp_status status;
    struct sp_error *reterr;
};

/* ---- one trace ---- */

/* Bits of the rows that are in one of the sets and start in range; a row in several counts once. */
static uint64_t *found_rows(struct worker *worker, const struct sp_spanset_list *list,
                            const struct sp_span *spans, uint32_t count, bool *ret_any)
{
    uint64_t *bits = sp_arena_calloc(&worker->arena, (size_t)count / 64 + 1, sizeof(*bits));
    *ret_any = false;
    for (uint32_t s = 0; s < list->count && bits; s++) {
        for (uint32_t i = 0; i < list->sets[s].count; i++) {
            uint32_t row = list->sets[s].rows[i];
            if (!sp_time_range_contains(worker->of->pass->range, spans[row].start_unix_ns))
                continue;
            bits[row / 64] |= (uint64_t)1 << (row % 64);
            *ret_any = true;
        }
    }
    return bits;
}

/* The spans in the order of the rows: that of the tree, if there is one. */
static const struct sp_span *ordered_spans(struct worker *worker,
                                           const struct sp_trace_facts *facts)
{
    if (!facts->tree)
        return facts->batch->spans;
    struct sp_span *spans =
        sp_arena_alloc(&worker->arena, (size_t)facts->tree->row_count * sizeof(*spans));
    for (uint32_t row = 0; row < facts->tree->row_count && spans; row++)
        spans[row] = *facts->tree->rows[row].span;
    return spans;
}

static enum sp_status look_at_trace(void *cookie, const struct sp_trace_id *id,
                                    const struct sp_batch *batch, struct sp_error *reterr)
{
    struct worker *worker = cookie;
    struct trace_pass *own = worker->of;
    struct sp_trace tree;
    struct sp_trace_facts facts;
    struct sp_spanset_list list = {0};
    struct sp_sheet *sheet = NULL;
    bool any = false;
    enum sp_status status = SP_OK;
    (void)id;
    own->pass->call->running.traces_seen++;
    sp_trace_facts_make(batch, &facts);
    facts.stop = &own->pass->call->stop;
    if (own->needs_tree)
        status = sp_trace_facts_assemble(&facts, &worker->arena, &tree, reterr);
    if (status == SP_OK)
        status = sp_pipeline_run(worker->pipeline, &facts, &worker->arena, &list, reterr);
    if (status != SP_OK || list.count == 0)
        return status;
    uint32_t count = (uint32_t)batch->span_count;
    const struct sp_span *spans = ordered_spans(worker, &facts);
    const uint64_t *bits = spans ? found_rows(worker, &list, spans, count, &any) : NULL;
    if (!bits)
        return sp_arena_failed(&worker->arena, reterr,
                               "a trace does not fit into this query's memory");
    if (!any)
        return SP_OK;
    status = sp_span_sheet_new(spans, count, bits, &sheet, reterr);
    if (status == SP_OK)
        status = worker->visitor->visit(worker->visitor->cookie, sheet, &facts, reterr);
    sp_span_sheet_free(sheet);
    return status;
}

/* ---- workers ---- */

static enum sp_status worker_init(struct trace_pass *own, struct worker *worker,
                                  const struct sp_pass_visitor *visitor)
{
    const struct sp_pass *pass = own->pass;
    *worker = (struct worker){.of = own, .visitor = visitor, .made = true};
    sp_arena_init(&worker->arena, sp_pass_visitor_bytes(pass));
    return sp_pipeline_compile(&pass->call->arena, pass->query, pass->pipeline->items,
                               pass->stage_count, &worker->pipeline, own->reterr);
}

static void workers_fini(struct trace_pass *own)
{
    for (uint32_t i = 0; i < own->worker_count; i++) {
        if (!own->workers[i].made)
            continue;
        sp_pipeline_free(own->workers[i].pipeline);
        sp_arena_fini(&own->workers[i].arena);
    }
}

static enum sp_status look_at_share(void *cookie, size_t from, size_t count,
                                    struct sp_error *reterr)
{
    struct worker *worker = cookie;
    struct trace_pass *own = worker->of;
    const struct sp_traces_reader reader = {.want = sp_query_want_of(&own->pass->want),
                                            .stop = &own->pass->call->stop,
                                            .arena = &worker->arena,
                                            .visit = look_at_trace,
                                            .cookie = worker};
    return sp_store_traces_read(own->pass->call->api->store, own->batch + from, count, &reader,
                                reterr);
}

/* ---- batches ---- */

static int by_id(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static enum sp_visit run_batch(struct trace_pass *own)
{
    void *workers[SP_PASS_THREADS_MAX];
    const struct sp_shares shares = {
        .call = own->pass->call, .count = own->batch_count, .look = look_at_share};
    if (own->batch_count == 0)
        return SP_VISIT_CONTINUE;
    qsort(own->batch, own->batch_count, sizeof(*own->batch), by_id);
    for (uint32_t i = 0; i < own->worker_count; i++)
        workers[i] = &own->workers[i];
    own->status = sp_shares_run(&shares, workers, own->worker_count, own->reterr);
    own->batch_count = 0;
    return own->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

/* Room for the next batch. */
static bool begin_batch(struct trace_pass *own)
{
    size_t fits =
        own->pass->call->api->limits.memory_bytes_max / BATCH_MEMORY_PART / sizeof(*own->batch);
    size_t most = fits < BATCH_MAX ? fits : BATCH_MAX;
    size_t next = own->batch_max == 0 ? BATCH_MIN : BATCH_GROWTH * own->batch_max;
    next = next < most ? next : most;
    if (next <= own->batch_max)
        return true;
    struct sp_trace_id *batch = realloc(own->batch, next * sizeof(*batch));
    if (!batch) {
        own->status =
            sp_error_set(own->reterr, SP_NO_MEMORY, "no memory for the traces of a query");
        return false;
    }
    own->batch = batch;
    own->batch_max = next;
    return true;
}

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct trace_pass *own = cookie;
    if (own->batch_count == 0 && !begin_batch(own))
        return SP_VISIT_STOP;
    own->batch[own->batch_count++] = candidate->trace_id;
    return own->batch_count == own->batch_max ? run_batch(own) : SP_VISIT_CONTINUE;
}

enum sp_status sp_pass_run_traces(const struct sp_pass *pass,
                                  const struct sp_pass_visitor *visitors, uint32_t visitor_count,
                                  struct sp_scanned *scanned, struct sp_error *reterr)
{
    struct trace_pass own = {.pass = pass, .worker_count = visitor_count, .reterr = reterr};
    enum sp_status status = SP_OK;
    SP_ASSERT(visitor_count > 0 && visitor_count <= SP_PASS_THREADS_MAX);
    for (uint32_t i = 0; i < visitor_count && status == SP_OK; i++)
        status = worker_init(&own, &own.workers[i], &visitors[i]);
    if (status == SP_OK) {
        own.needs_tree = pass->needs_tree || sp_pipeline_needs_tree(own.workers[0].pipeline);
        status = sp_store_scan(pass->call->api->store, &pass->scan, &pass->call->stop, visit, &own,
                               scanned, reterr);
    }
    if (status == SP_OK && own.status == SP_OK)
        run_batch(&own);
    if (status == SP_OK)
        status = own.status;
    workers_fini(&own);
    free(own.batch);
    return status;
}
