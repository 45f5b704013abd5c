/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_ranked.c: orders by start, duration or number of spans. Where a trace stands in them the store knows without its being
 * read (sp_store_traces_measure). So of many candidates the best are looked at first, and the others not at all once the page is full of
 * better ones: docs/decisions/0106-the-best-first.md. */
#include "query/search_run.h"

/* Parts of a batch: at first about what a page needs if most candidates match, then by what was found. */
#define PART_MIN    ((size_t)32)
#define PART_PAGES  ((size_t)2)
#define PART_GROWTH ((size_t)8)
/* A part that is not finished in time is looked at again by whoever goes on: so none is larger than what takes a second or two. */
#define PART_MAX ((size_t)256 * 1024)

/* A candidate by its place in the order. */
struct place {
    uint64_t rank;
    uint32_t number; /* in the batch, which is sorted by trace id */
    bool told;       /* by an earlier page: only to be counted */
};

struct sp_search_ranked {
    struct sp_trace_measure *measures;
    struct place *heap; /* the best on top */
    size_t count, room;
    struct sp_search_batch part;
    struct place part_last; /* the last of the part in the order */
};

bool sp_search_ranks(const struct sp_search *search)
{
    bool by_measure = false;
    switch (search->order.by) {
    case SP_SEARCH_BY_START: /* newest first is the order of the scan */
        by_measure = !search->order.descending;
        break;
    case SP_SEARCH_BY_DURATION:
    case SP_SEARCH_BY_SPANS:
        by_measure = true;
        break;
    case SP_SEARCH_BY_ERRORS:
    case SP_SEARCH_BY_SCALAR:
        break;
    }
    return by_measure && !search->counts_all && !search->cursor.resumes;
}

/* As sp_search_rank ranks the trace when it is read. */
static uint64_t rank_of(const struct sp_search_order *order, const struct sp_trace_measure *measure)
{
    uint64_t value = measure->start_unix_ns;
    if (order->by == SP_SEARCH_BY_DURATION)
        value = measure->end_unix_ns - measure->start_unix_ns;
    else if (order->by == SP_SEARCH_BY_SPANS)
        value = measure->span_count;
    return order->descending ? ~value : value;
}

static struct sp_search_key key_of(const struct sp_search *search, const struct place *place)
{
    return (struct sp_search_key){.rank = place->rank,
                                  .trace_id = search->batch.ids[place->number]};
}

/* ---- heap ---- */

static bool comes_before(const struct place *a, const struct place *b)
{
    if (a->told != b->told)
        return b->told;
    return a->rank != b->rank ? a->rank < b->rank : a->number < b->number;
}

static void sift_down(struct sp_search_ranked *ranked, size_t at)
{
    struct place *heap = ranked->heap;
    for (;;) {
        size_t first = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < ranked->count; child++)
            if (comes_before(&heap[child], &heap[first]))
                first = child;
        if (first == at)
            return;
        struct place swapped = heap[at];
        heap[at] = heap[first];
        heap[first] = swapped;
        at = first;
    }
}

static struct place pop(struct sp_search_ranked *ranked)
{
    struct place top = ranked->heap[0];
    ranked->heap[0] = ranked->heap[--ranked->count];
    sift_down(ranked, 0);
    return top;
}

/* ---- measuring ---- */

static enum sp_status measure_share(void *cookie, size_t from, size_t count,
                                    struct sp_error *reterr)
{
    struct sp_search_worker *worker = cookie;
    struct sp_search *search = worker->search;
    const struct sp_stop *stop =
        worker == search->workers ? &search->stop_asking : &search->call->stop;
    return sp_store_traces_measure(search->call->api->store, search->batch.ids + from, count, stop,
                                   search->ranked->measures + from, reterr);
}

static enum sp_status make_room(struct sp_search *search)
{
    struct sp_arena *arena = &search->call->arena;
    size_t count = search->batch.room;
    if (!search->ranked)
        search->ranked = sp_arena_calloc(arena, 1, sizeof(*search->ranked));
    struct sp_search_ranked *ranked = search->ranked;
    if (ranked && ranked->room < count) {
        ranked->measures = sp_arena_alloc(arena, count * sizeof(*ranked->measures));
        ranked->heap = sp_arena_alloc(arena, count * sizeof(*ranked->heap));
        ranked->room = ranked->measures && ranked->heap ? count : 0;
    }
    if (!ranked || ranked->room < count)
        return sp_arena_failed(arena, search->reterr, "the page is larger than the query's memory");
    return SP_OK;
}

/* Measures the batch, and makes a heap of it. Traces that have gone meanwhile are left out. */
static enum sp_status rank_batch(struct sp_search *search)
{
    const struct sp_search_batch *batch = &search->batch;
    struct sp_search_ranked *ranked = search->ranked;
    const struct sp_shares shares = {
        .call = search->call, .count = batch->count, .look = measure_share};
    void *workers[SP_SHARES_THREADS];
    for (uint32_t i = 0; i < SP_SHARES_THREADS; i++)
        workers[i] = &search->workers[i];
    enum sp_status status = sp_shares_run(&shares, workers, SP_SHARES_THREADS, search->reterr);
    if (status != SP_OK)
        return status;
    ranked->count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (ranked->measures[i].span_count == 0)
            continue;
        struct place *place = &ranked->heap[ranked->count++];
        *place = (struct place){.rank = rank_of(&search->order, &ranked->measures[i]),
                                .number = (uint32_t)i};
        const struct sp_search_key key = key_of(search, place);
        place->told = sp_search_key_compare(&key, sp_search_told(search, &batch->items[i])) <= 0;
    }
    for (size_t i = ranked->count / 2; i > 0; i--)
        sift_down(ranked, i - 1);
    return SP_OK;
}

/* ---- looking ---- */

/* Is the page full of results that are better than whatever is left? */
static bool is_full(const struct sp_search *search)
{
    const struct sp_search_ranked *ranked = search->ranked;
    if (search->kept_count < search->limit)
        return false;
    const struct sp_search_key best = key_of(search, &ranked->heap[0]);
    return ranked->heap[0].told ||
           sp_search_key_compare(&search->kept[search->limit - 1].key, &best) < 0;
}

/* The next part: the best of what is left, and no told one beside others. */
static enum sp_status fill_part(struct sp_search *search, size_t count)
{
    struct sp_search_ranked *ranked = search->ranked;
    bool told = ranked->heap[0].told;
    enum sp_status status = sp_search_batch_reserve(search, &ranked->part, count, search->reterr);
    while (status == SP_OK && ranked->count > 0 && ranked->part.count < count &&
           ranked->heap[0].told == told) {
        ranked->part_last = pop(ranked);
        ranked->part.items[ranked->part.count++] = search->batch.items[ranked->part_last.number];
    }
    return status;
}

/* The time was up within a part that begins with first, behind others. Whoever goes on does so where it began. */
static enum sp_status end_part(struct sp_search *search, const struct place *first,
                               const struct sp_search_key *behind)
{
    const struct sp_search_key key = key_of(search, first);
    if (first->told) { /* the page is right */
        search->left_out = true;
        return SP_OK;
    }
    sp_search_drop(search, search->batch_number);
    while (search->kept_count > search->sent_count &&
           sp_search_key_compare(&search->kept[search->kept_count - 1].key, &key) >= 0)
        sp_buf_fini(&search->kept[--search->kept_count].json);
    search->ended_behind = *behind;
    return SP_DEADLINE;
}

/* Looks at one part. *behind: the last place that was looked at, of those that no page has told. */
static enum sp_status look_at_part(struct sp_search *search, size_t count, bool is_last,
                                   struct sp_search_key *behind, size_t *looked)
{
    static const struct sp_search_key none;
    struct sp_search_ranked *ranked = search->ranked;
    const struct place first = ranked->heap[0];
    uint64_t matched = search->matched;
    enum sp_status status = fill_part(search, count);
    if (status == SP_OK)
        status = sp_search_batch_look(search, &ranked->part);
    if (status == SP_DEADLINE && is_last &&
        (first.told || sp_search_key_compare(behind, &none) != 0)) {
        search->matched = matched;
        return end_part(search, &first, behind);
    }
    if (status != SP_OK)
        return status;
    *looked += ranked->part.count;
    search->batch_number++;
    if (!first.told)
        *behind = key_of(search, &ranked->part_last);
    if (is_last && ranked->count > 0 && !ranked->heap[0].told) {
        const struct sp_search_key best = key_of(search, &ranked->heap[0]);
        sp_search_send_better(search, &best);
    }
    return SP_OK;
}

/* How many are looked at behind count others: twice what the page seems to lack, by how many of those that were looked at have matched; of few
 * matches all that are left, for each large part opens most blocks again. */
static size_t next_part(const struct sp_search *search, size_t count, size_t looked,
                        uint64_t matched)
{
    size_t left = search->ranked->count;
    double lacks =
        search->kept_count < search->limit ? (double)(search->limit - search->kept_count) : 1;
    double wanted = 2 * lacks * (double)looked / ((double)matched + 0.5);
    size_t next = count * PART_GROWTH;
    if (wanted > (double)left / 4)
        next = left;
    else if (wanted > (double)next)
        next = (size_t)wanted;
    return next < PART_MAX ? next : PART_MAX;
}

enum sp_status sp_search_ranked_look(struct sp_search *search, bool is_last, size_t *ret_looked)
{
    size_t count = PART_PAGES * search->limit > PART_MIN ? PART_PAGES * search->limit : PART_MIN;
    struct sp_search_key behind = {0};
    uint64_t matched = search->matched;
    *ret_looked = 0;
    enum sp_status status = make_room(search);
    sp_search_batch_sort(&search->batch);
    if (status == SP_OK)
        status = rank_batch(search);
    while (status == SP_OK && search->ranked->count > 0 && !search->left_out) {
        if (is_full(search))
            search->left_out = true;
        else
            status = look_at_part(search, count, is_last, &behind, ret_looked);
        count = next_part(search, count, *ret_looked, search->matched - matched);
    }
    return status;
}
