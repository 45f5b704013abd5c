/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_batch.c: a batch of candidates is read, with no more of their spans than the query looks at, evaluated exactly, and the
 * best of the asked order are kept. A large batch is looked at by two threads, each with programs of its own: what is kept does not
 * depend on who came first, because the order of results is total. What one result looks like: query/search_result.c. */
#include <stdlib.h>

#include "query/search_run.h"

/* A share of a large batch: neighbours, so that two threads seldom unpack the same block. */
#define SHARES    ((size_t)8)
#define SHARE_MIN ((size_t)128)

/* ---- one candidate ---- */

static enum sp_status evaluate(struct sp_search_worker *worker, struct sp_search_result *result)
{
    enum sp_status status = SP_OK;
    struct sp_spanset_list sets;
    if (sp_pipeline_needs_tree(worker->pipeline) ||
        (worker->order.scalar && sp_pipeline_needs_tree(worker->order.scalar)))
        status =
            sp_trace_facts_assemble(&result->facts, &worker->arena, &result->tree, &worker->error);
    if (status == SP_OK)
        status = sp_pipeline_run(worker->pipeline, &result->facts, &worker->arena, &sets,
                                 &worker->error);
    if (status == SP_OK)
        sp_search_result_take(result, &sets, worker->search->question.scan.range);
    return status;
}

/* Puts a result into its place of the page, pushing the last one out when the page is full. */
static enum sp_status keep(struct sp_search_worker *worker, const struct sp_search_key *key,
                           const struct sp_search_result *result)
{
    struct sp_search *search = worker->search;
    struct sp_search_kept entry = {.key = *key, .batch = search->batch_number};
    enum sp_status status =
        sp_search_result_write(result, &search->view, &worker->arena, &entry.json, &worker->error);
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
        return sp_error_set(&worker->error, SP_LIMIT, "the results are larger than %zu bytes",
                            search->call->api->limits.memory_bytes_max);
    return SP_OK;
}

/* Results up to this one were told by earlier pages. */
static const struct sp_search_key *told(const struct sp_search *search,
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
                                   const struct sp_search_result *result)
{
    struct sp_search *search = worker->search;
    search->matched++;
    if (sp_search_key_compare(key, told(search, candidate)) <= 0)
        return SP_OK;
    if (search->sent_count == search->limit ||
        (search->kept_count == search->limit &&
         sp_search_key_compare(key, &search->kept[search->limit - 1].key) > 0)) {
        search->more = true;
        return SP_OK;
    }
    return keep(worker, key, result);
}

static enum sp_status consider(void *cookie, const struct sp_trace_id *id,
                               const struct sp_batch *batch, struct sp_error *reterr)
{
    struct sp_search_worker *worker = cookie;
    struct sp_search *search = worker->search;
    const struct sp_candidate *candidate = &search->batch[id - search->batch_ids];
    struct sp_search_result result;
    struct sp_search_key key = {.trace_id = *id};
    worker->spans += batch->span_count;
    search->batch_looked++;
    search->call->running.traces_seen++;
    sp_search_result_init(&result, batch);
    result.facts.stop = worker->stop;
    enum sp_status status = evaluate(worker, &result);
    if (status != SP_OK || result.matched_count == 0)
        return status;
    status = sp_search_rank(&worker->order, &result, &worker->arena, &key.rank, reterr);
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&search->lock);
    status = keep_if_good(worker, candidate, &key, &result);
    pthread_mutex_unlock(&search->lock);
    return status;
}

/* ---- threads ---- */

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
    return worker_init(search, &search->workers[0], reterr);
}

void sp_search_batch_fini(struct sp_search *search)
{
    for (uint32_t i = 0; i < SP_SEARCH_THREADS; i++) {
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

static size_t share_of(const struct sp_search *search)
{
    size_t share = search->batch_count / SHARES;
    return share > SHARE_MIN ? share : SHARE_MIN;
}

/* Takes share by share until there is none. */
static void *run(void *cookie)
{
    struct sp_search_worker *worker = cookie;
    struct sp_search *search = worker->search;
    struct sp_traces_reader reader = {.want = sp_query_want_of(&search->want),
                                      .stop = worker->stop,
                                      .arena = &worker->arena,
                                      .visit = consider,
                                      .cookie = worker};
    size_t share = share_of(search);
    while (worker->status == SP_OK && !atomic_load(&search->ended)) {
        size_t from = atomic_fetch_add(&search->next, share);
        if (from >= search->batch_count)
            break;
        size_t left = search->batch_count - from;
        worker->status = sp_store_traces_read(search->call->api->store, search->batch_ids + from,
                                              left < share ? left : share, &reader, &worker->error);
    }
    if (worker->status != SP_OK)
        atomic_store(&search->ended, true);
    return NULL;
}

/* The first thread alone takes the batch as one share. */
static void run_alone(struct sp_search_worker *worker)
{
    struct sp_search *search = worker->search;
    struct sp_traces_reader reader = {.want = sp_query_want_of(&search->want),
                                      .stop = worker->stop,
                                      .arena = &worker->arena,
                                      .visit = consider,
                                      .cookie = worker};
    worker->status = sp_store_traces_read(search->call->api->store, search->batch_ids,
                                          search->batch_count, &reader, &worker->error);
}

/* Is the batch worth a second thread, and is there one? */
static bool is_shared(const struct sp_search *search)
{
    return search->batch_count >= SP_SEARCH_SHARED_MIN && search->call->api->pool &&
           sp_query_borrow(search->call->api);
}

static enum sp_status run_together(struct sp_search *search)
{
    pthread_t threads[SP_SEARCH_THREADS];
    bool runs[SP_SEARCH_THREADS] = {0};
    for (uint32_t i = 1; i < SP_SEARCH_THREADS; i++) {
        struct sp_search_worker *worker = &search->workers[i];
        enum sp_status status = worker->made ? SP_OK : worker_init(search, worker, search->reterr);
        if (status != SP_OK)
            return status;
        runs[i] = pthread_create(&threads[i], NULL, run, worker) == 0;
    }
    run(&search->workers[0]);
    for (uint32_t i = 1; i < SP_SEARCH_THREADS; i++) {
        if (!runs[i])
            continue;
        pthread_join(threads[i], NULL);
        sp_pipeline_add_counts(search->question.pipeline, search->workers[i].pipeline);
    }
    return SP_OK;
}

static enum sp_status run_with_helper(struct sp_search *search)
{
    enum sp_status status = run_together(search);
    sp_query_pool_give_back(search->call->api->pool);
    return status;
}

/* What ended the batch; out of time is the least of errors. */
static enum sp_status outcome(struct sp_search *search)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < SP_SEARCH_THREADS; i++) {
        struct sp_search_worker *worker = &search->workers[i];
        search->spans += worker->spans;
        worker->spans = 0;
        if (worker->status != SP_OK && (status == SP_OK || status == SP_DEADLINE)) {
            status = worker->status;
            *search->reterr = worker->error;
        }
        worker->status = SP_OK;
    }
    return status;
}

/* ---- batches ---- */

enum sp_status sp_search_batch_begin(struct sp_search *search, size_t count)
{
    struct sp_arena *arena = &search->call->arena;
    search->batch_max = count;
    if (count <= search->batch_room)
        return SP_OK;
    search->batch = sp_arena_alloc(arena, count * sizeof(*search->batch));
    search->batch_ids = sp_arena_alloc(arena, count * sizeof(*search->batch_ids));
    if (!search->batch || !search->batch_ids)
        return sp_arena_failed(arena, search->reterr, "the page is larger than the query's memory");
    search->batch_room = count;
    return SP_OK;
}

static int by_trace_id(const void *a, const void *b)
{
    const struct sp_candidate *x = a, *y = b;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

enum sp_status sp_search_batch_look(struct sp_search *search)
{
    size_t count = search->batch_count;
    enum sp_status status = SP_OK;
    qsort(search->batch, count, sizeof(*search->batch), by_trace_id);
    for (size_t i = 0; i < count; i++)
        search->batch_ids[i] = search->batch[i].trace_id;
    atomic_store(&search->next, 0);
    atomic_store(&search->ended, false);
    if (is_shared(search))
        status = run_with_helper(search);
    else
        run_alone(&search->workers[0]);
    return status == SP_OK ? outcome(search) : status;
}
