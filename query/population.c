/* SPDX-License-Identifier: Apache-2.0
 *
 * query/population.c: see query/population.h. */
#include "query/population.h"

#include <stdlib.h>

#include "query/answer.h"
#include "query/question.h"

/* Candidates are read in batches, sorted by trace id, so that what is stored side by side is unpacked once. */
#define BATCH_MAX 4096

struct reading {
    struct sp_query_call *call;
    struct sp_trace_id *batch; /* room for BATCH_MAX */
    size_t batch_count;
    struct sp_stop stop; /* time is up for the call, or for this sample */
    const struct sp_population *population;
    struct sp_question question;
    struct sp_arena arena; /* of one trace */
    enum sp_status (*visit)(void *cookie, const struct sp_population_trace *trace,
                            struct sp_error *reterr);
    void *cookie;
    struct sp_population_read *read;
    enum sp_status status;
    struct sp_error *reterr;
};

/* ---- one trace ---- */

static enum sp_status too_large(struct reading *reading)
{
    return sp_arena_failed(&reading->arena, reading->reterr,
                           "a trace is larger than the query's memory");
}

/* Which rows the query finds. */
static enum sp_status evaluate(struct reading *reading, const struct sp_trace_facts *facts,
                               bool *matched, uint32_t *ret_count)
{
    struct sp_spanset_list list;
    enum sp_status status =
        sp_pipeline_run(reading->question.pipeline, facts, &reading->arena, &list, reading->reterr);
    *ret_count = 0;
    for (uint32_t s = 0; status == SP_OK && s < list.count; s++) {
        for (uint32_t i = 0; i < list.sets[s].count; i++) {
            uint32_t row = list.sets[s].rows[i];
            const struct sp_span *span = facts->tree->rows[row].span;
            if (matched[row] || /* by() puts a span into several sets */
                !sp_time_range_contains(reading->question.scan.range, span->start_unix_ns))
                continue;
            matched[row] = true;
            ++*ret_count;
        }
    }
    return status;
}

static void note_matched(struct sp_population_read *read, const struct sp_trace *tree)
{
    if (read->matched == 0 || tree->start_unix_ns < read->oldest_unix_ns)
        read->oldest_unix_ns = tree->start_unix_ns;
    if (tree->start_unix_ns > read->newest_unix_ns)
        read->newest_unix_ns = tree->start_unix_ns;
    read->matched++;
}

static enum sp_status consider(void *cookie, const struct sp_trace_id *id,
                               const struct sp_batch *batch, struct sp_error *reterr)
{
    struct reading *reading = cookie;
    struct sp_trace tree;
    struct sp_trace_facts facts;
    struct sp_population_trace trace = {.tree = &tree, .arena = &reading->arena};
    (void)id;
    reading->call->running.traces_seen++;
    reading->read->considered++;
    reading->read->span_count += batch->span_count;
    bool *matched = sp_arena_calloc(&reading->arena, batch->span_count, sizeof(*matched));
    if (!matched || sp_trace_assemble(&reading->arena, batch, &tree) != SP_OK)
        return too_large(reading);
    sp_trace_facts_make(batch, &facts);
    facts.tree = &tree;
    facts.stop = &reading->call->stop;
    trace.matched = matched;
    enum sp_status status = evaluate(reading, &facts, matched, &trace.matched_count);
    if (status != SP_OK || trace.matched_count == 0)
        return status;
    note_matched(reading->read, &tree);
    return reading->visit(reading->cookie, &trace, reterr);
}

/* ---- batches ---- */

static enum sp_visit stop(struct reading *reading, const char *reason)
{
    reading->read->complete = false;
    reading->read->incomplete_reason = reason;
    return SP_VISIT_STOP;
}

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    const struct reading *reading = cookie;
    enum sp_status status = sp_query_check(reading->call, reterr);
    if (status == SP_OK &&
        sp_clock_monotonic_ns(reading->call->api->clock) >= reading->population->deadline_ns)
        status = sp_error_set(reterr, SP_DEADLINE, "the time for these traces is used up");
    return status;
}

static int by_id(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

static enum sp_visit run_batch(struct reading *reading)
{
    size_t count = reading->batch_count;
    reading->batch_count = 0;
    if (count == 0)
        return SP_VISIT_CONTINUE;
    qsort(reading->batch, count, sizeof(*reading->batch), by_id);
    struct sp_traces_reader reader = {
        .stop = &reading->stop, .arena = &reading->arena, .visit = consider, .cookie = reading};
    reading->status = sp_store_traces_read(reading->call->api->store, reading->batch, count,
                                           &reader, reading->reterr);
    if (reading->status == SP_DEADLINE) {
        reading->status = SP_OK;
        return stop(reading, "timeBudget");
    }
    return reading->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

static enum sp_visit visit_candidate(void *cookie, const struct sp_candidate *candidate)
{
    struct reading *reading = cookie;
    uint64_t wanted = reading->population->traces_max - reading->read->matched;
    if (wanted == 0)
        return stop(reading, "traces");
    reading->batch[reading->batch_count++] = candidate->trace_id;
    /* no larger than what is wanted: the newest are taken, whatever their ids */
    bool full = reading->batch_count == BATCH_MAX || reading->batch_count == wanted;
    return full ? run_batch(reading) : SP_VISIT_CONTINUE;
}

enum sp_status
sp_population_read(struct sp_query_call *call, const struct sp_population *population,
                   enum sp_status (*visit)(void *cookie, const struct sp_population_trace *trace,
                                           struct sp_error *reterr),
                   void *cookie, struct sp_population_read *ret, struct sp_error *reterr)
{
    struct reading reading = {.call = call,
                              .population = population,
                              .visit = visit,
                              .cookie = cookie,
                              .read = ret,
                              .reterr = reterr};
    reading.stop = (struct sp_stop){.ask = ask_to_stop, .cookie = &reading};
    *ret = (struct sp_population_read){.complete = true};
    sp_arena_init(&reading.arena, call->api->limits.memory_bytes_max);
    reading.batch = sp_arena_calloc(&call->arena, BATCH_MAX, sizeof(*reading.batch));
    if (!reading.batch)
        return sp_arena_failed(&call->arena, reterr,
                               "the sample is larger than the query's memory");
    enum sp_status status = sp_question_make(call, population->parameter, population->query,
                                             population->range, &reading.question, reterr);
    if (status == SP_OK)
        status = sp_store_scan(call->api->store, &reading.question.scan, &reading.stop,
                               visit_candidate, &reading, &ret->scanned, reterr);
    call->running.bytes_scanned += ret->scanned.bytes;
    if (status == SP_DEADLINE) { /* while it looked for candidates */
        status = SP_OK;
        reading.batch_count = 0;
        (void)stop(&reading, "timeBudget");
    }
    if (status == SP_OK && reading.status == SP_OK && ret->complete)
        run_batch(&reading);
    if (status == SP_OK)
        status = reading.status;
    sp_pipeline_free(reading.question.pipeline);
    sp_arena_fini(&reading.arena);
    return status;
}

uint64_t sp_population_deadline(const struct sp_query_call *call, uint64_t part, uint64_t parts)
{
    uint64_t now = sp_clock_monotonic_ns(call->api->clock);
    uint64_t left = call->deadline_ns > now ? call->deadline_ns - now : 0;
    return now + left / 10 * 9 / parts * part;
}

void sp_population_write(const struct sp_population_read *read, struct sp_json_writer *w)
{
    sp_json_key(w, "matchedTraces");
    sp_json_u64(w, read->matched);
    sp_json_key(w, "oldestStartUnixNano");
    sp_query_json_moment(w, read->matched > 0, read->oldest_unix_ns);
    sp_json_key(w, "newestStartUnixNano");
    sp_query_json_moment(w, read->matched > 0, read->newest_unix_ns);
    sp_json_key(w, "complete");
    sp_json_bool(w, read->complete);
    sp_json_key(w, "incompleteReason");
    if (read->complete)
        sp_json_null(w);
    else
        sp_json_cstr(w, read->incomplete_reason);
    sp_answer_json_scanned(w, &read->scanned, read->considered);
}
