/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_batch.c: a batch of candidates is read, with no more of their spans than the query looks at, evaluated exactly, and the
 * best of the asked order are kept. A large batch is looked at by two threads, each with programs of its own: what is kept does not
 * depend on who came first, because the order of results is total. What one result looks like: query/search_result.c. */
#include <stdlib.h>

#include "query/search_run.h"

/* ---- one candidate ---- */

static enum sp_status evaluate(struct sp_search_worker *worker, struct sp_search_result *result,
                               struct sp_error *reterr)
{
    bool needs_tree = worker->order.scalar && sp_pipeline_needs_tree(worker->order.scalar);
    return sp_search_result_find(result, worker->pipeline, needs_tree,
                                 worker->search->question.scan.range, &worker->arena, reterr);
}

/* Puts a result into its place of the page, pushing the last one out when the page is full. */
static enum sp_status keep(struct sp_search_worker *worker, const struct sp_search_key *key,
                           const struct sp_search_result *result, struct sp_error *reterr)
{
    struct sp_search *search = worker->search;
    struct sp_search_kept entry = {.key = *key, .batch = search->batch_number};
    enum sp_status status =
        sp_search_result_write(result, &search->view, &worker->arena, &entry.json, reterr);
    if (status != SP_OK)
        return status;
    search->kept_bytes += entry.json.len;
    if (search->kept_count == search->limit) {
        struct sp_search_kept *last = &search->kept[--search->kept_count];
        search->kept_bytes -= last->json.len;
        sp_buf_fini(&last->json);
        search->more = true;
    }
    size_t at = search->kept_count++;
    /* Nothing comes before a result that was final, unless its traces change while they are read. */
    for (; at > search->sent_count && sp_search_key_compare(key, &search->kept[at - 1].key) < 0;
         at--)
        search->kept[at] = search->kept[at - 1];
    search->kept[at] = entry;
    if (search->kept_bytes > search->call->api->limits.memory_bytes_max)
        return sp_error_set(reterr, SP_LIMIT, "the results are larger than %zu bytes",
                            search->call->api->limits.memory_bytes_max);
    return SP_OK;
}

const struct sp_search_key *sp_search_told(const struct sp_search *search,
                                           const struct sp_candidate *candidate)
{
    const struct sp_search_cursor *cursor = &search->cursor;
    bool before = cursor->resumes && sp_search_compare_places(candidate, &cursor->border) <= 0;
    return before ? &cursor->border_key : &cursor->key;
}

/* Under the lock. */
static enum sp_status keep_if_good(struct sp_search_worker *worker,
                                   const struct sp_candidate *candidate,
                                   const struct sp_search_key *key,
                                   const struct sp_search_result *result, struct sp_error *reterr)
{
    struct sp_search *search = worker->search;
    search->matched++;
    if (sp_search_key_compare(key, sp_search_told(search, candidate)) <= 0)
        return SP_OK;
    if (search->sent_count == search->limit ||
        (search->kept_count == search->limit &&
         sp_search_key_compare(key, &search->kept[search->limit - 1].key) > 0)) {
        search->more = true;
        return SP_OK;
    }
    return keep(worker, key, result, reterr);
}

static enum sp_status consider(void *cookie, const struct sp_trace_id *id,
                               const struct sp_batch *batch, struct sp_error *reterr)
{
    struct sp_search_worker *worker = cookie;
    struct sp_search *search = worker->search;
    const struct sp_candidate *candidate = &search->looking->items[id - search->looking->ids];
    struct sp_search_result result;
    struct sp_search_key key = {.trace_id = *id};
    worker->spans += batch->span_count;
    search->batch_looked++;
    search->call->running.traces_seen++;
    sp_search_result_init(&result, batch);
    result.facts.stop = worker->stop;
    enum sp_status status = evaluate(worker, &result, reterr);
    if (status != SP_OK || result.matched_count == 0)
        return status;
    status = sp_search_rank(&worker->order, &result, &worker->arena, &key.rank, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&search->lock);
    status = keep_if_good(worker, candidate, &key, &result, reterr);
    pthread_mutex_unlock(&search->lock);
    return status;
}

/* ---- workers ---- */

static enum sp_status worker_init(struct sp_search *search, struct sp_search_worker *worker,
                                  struct sp_error *reterr)
{
    const struct sp_question *question = &search->question;
    struct sp_arena *arena = &search->call->arena;
    bool first = worker == search->workers;
    enum sp_status status = SP_OK;
    *worker = (struct sp_search_worker){.search = search, .order = search->order, .made = true};
    worker->stop = first ? &search->stop_asking : &search->call->stop;
    sp_arena_init(&worker->arena, search->call->api->limits.memory_bytes_max);
    worker->pipeline = first ? question->pipeline : NULL;
    worker->order.scalar = first ? search->order.scalar : NULL;
    if (first)
        return SP_OK;
    status = sp_pipeline_compile(arena, question->query, NULL, 0, &worker->pipeline, reterr);
    if (status == SP_OK && search->order.scalar)
        status =
            sp_pipeline_compile(arena, search->order.query, NULL, 0, &worker->order.scalar, reterr);
    return status;
}

enum sp_status sp_search_batch_init(struct sp_search *search, struct sp_error *reterr)
{
    struct sp_arena *arena = &search->call->arena;
    enum sp_status status = sp_query_want_add(arena, search->question.query, &search->want);
    if (status == SP_OK && search->order.query)
        status = sp_query_want_add(arena, search->order.query, &search->want);
    if (status != SP_OK)
        return sp_arena_failed(arena, reterr, "the query is larger than its memory");
    for (uint32_t i = 1; i < SP_SHARES_THREADS; i++)
        search->workers[i].search = search;
    return worker_init(search, &search->workers[0], reterr);
}

void sp_search_batch_fini(struct sp_search *search)
{
    for (uint32_t i = 0; i < SP_SHARES_THREADS; i++) {
        struct sp_search_worker *worker = &search->workers[i];
        if (!worker->made)
            continue;
        sp_arena_fini(&worker->arena);
        if (i > 0) {
            sp_pipeline_free(worker->pipeline);
            sp_pipeline_free(worker->order.scalar);
        }
    }
}

static enum sp_status begin_helper(void *cookie, struct sp_error *reterr)
{
    struct sp_search_worker *worker = cookie;
    return worker->made ? SP_OK : worker_init(worker->search, worker, reterr);
}

static enum sp_status look_at_share(void *cookie, size_t from, size_t count,
                                    struct sp_error *reterr)
{
    struct sp_search_worker *worker = cookie;
    struct sp_search *search = worker->search;
    const struct sp_traces_reader reader = {.want = sp_query_want_of(&search->want),
                                            .stop = worker->stop,
                                            .arena = &worker->arena,
                                            .visit = consider,
                                            .cookie = worker};
    return sp_store_traces_read(search->call->api->store, search->looking->ids + from, count,
                                &reader, reterr);
}

/* ---- batches ---- */

enum sp_status sp_search_batch_reserve(struct sp_search *search, struct sp_search_batch *batch,
                                       size_t count, struct sp_error *reterr)
{
    struct sp_arena *arena = &search->call->arena;
    batch->count = 0;
    if (count <= batch->room)
        return SP_OK;
    batch->items = sp_arena_alloc(arena, count * sizeof(*batch->items));
    batch->ids = sp_arena_alloc(arena, count * sizeof(*batch->ids));
    if (!batch->items || !batch->ids)
        return sp_arena_failed(arena, reterr, "the page is larger than the query's memory");
    batch->room = count;
    return SP_OK;
}

static int by_trace_id(const void *a, const void *b)
{
    const struct sp_candidate *x = a, *y = b;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

void sp_search_batch_sort(struct sp_search_batch *batch)
{
    qsort(batch->items, batch->count, sizeof(*batch->items), by_trace_id);
    for (size_t i = 0; i < batch->count; i++)
        batch->ids[i] = batch->items[i].trace_id;
}

enum sp_status sp_search_batch_look(struct sp_search *search, struct sp_search_batch *batch)
{
    void *workers[SP_SHARES_THREADS];
    const struct sp_shares shares = {
        .call = search->call, .count = batch->count, .begin = begin_helper, .look = look_at_share};
    sp_search_batch_sort(batch);
    search->looking = batch;
    for (uint32_t i = 0; i < SP_SHARES_THREADS; i++)
        workers[i] = &search->workers[i];
    enum sp_status status = sp_shares_run(&shares, workers, SP_SHARES_THREADS, search->reterr);
    for (uint32_t i = 0; i < SP_SHARES_THREADS; i++) {
        struct sp_search_worker *worker = &search->workers[i];
        search->spans += worker->spans;
        worker->spans = 0;
        if (i > 0 && worker->made)
            sp_pipeline_add_counts(search->question.pipeline, worker->pipeline);
    }
    return status;
}
