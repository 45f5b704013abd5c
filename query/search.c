/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search.c: GET /v1/search: candidates from the store, newest first; each is read whole and evaluated exactly; the
 * best of the asked order are kept. What one result looks like: query/search_result.c. */
#include "query/search.h"

#include <stdlib.h>

#include "query/question.h"
#include "query/search_explain.h"
#include "query/search_result.h"
#include "query/search_stream.h"

enum stop_reason { STOP_NONE, STOP_PAGE_FULL, STOP_TIME, STOP_PART };

/* Candidates are read in batches, sorted by trace id, so that what is stored side by side is unpacked once: few at first, because a
 * page is often full soon and because a search whose time is up goes on behind the last whole batch; then more and more. */
#define SP_SEARCH_BATCH_MIN    ((size_t)16)
#define SP_SEARCH_BATCH_MAX    ((size_t)16384)
#define SP_SEARCH_BATCH_GROWTH ((size_t)16)

/* One result of the page being made. */
struct kept {
    struct sp_search_key key;
    uint64_t batch;     /* that brought it */
    struct sp_buf json; /* the result as it will be sent */
};

struct search {
    struct sp_query_call *call;
    struct sp_question question;
    struct sp_search_order order;
    struct sp_search_cursor cursor; /* zero: the first page */
    struct sp_result_view view;
    struct sp_arena trace_arena; /* of the candidate being looked at */
    struct sp_stop stop_asking;  /* asked by all reads: tells how far the search is, too */
    struct sp_scanned scanned;
    struct sp_search_stream stream;
    size_t sent_count; /* of kept: the first of them, which no other can come before any more */

    struct kept *kept; /* ascending by key */
    size_t kept_count, limit, kept_bytes;
    bool more; /* there are matches behind the page */

    struct sp_candidate *batch; /* candidates that were not looked at yet */
    struct sp_trace_id *batch_ids;
    size_t batch_count, batch_max; /* batch_max: of this one */
    size_t batch_looked;           /* of them that were looked at */
    uint64_t batch_number;
    struct sp_candidate
        last; /* of those that were looked at, in the order of the scan; zero: none */

    uint64_t considered, matched, spans;
    enum stop_reason stop;
    enum sp_status status; /* of the visitor */
    struct sp_error *reterr;
};

/* ---- one candidate ---- */

static enum sp_status evaluate(struct search *search, struct sp_search_result *result)
{
    enum sp_status status = SP_OK;
    struct sp_spanset_list sets;
    if (sp_pipeline_needs_tree(search->question.pipeline) ||
        (search->order.scalar && sp_pipeline_needs_tree(search->order.scalar)))
        status = sp_trace_facts_assemble(&result->facts, &search->trace_arena, &result->tree,
                                         search->reterr);
    if (status == SP_OK)
        status = sp_pipeline_run(search->question.pipeline, &result->facts, &search->trace_arena,
                                 &sets, search->reterr);
    if (status == SP_OK)
        sp_search_result_take(result, &sets, search->question.scan.range);
    return status;
}

/* Puts a result into its place of the page, pushing the last one out when the page is full. */
static enum sp_status keep(struct search *search, const struct sp_search_key *key,
                           const struct sp_search_result *result)
{
    struct kept entry = {.key = *key, .batch = search->batch_number};
    enum sp_status status = sp_search_result_write(result, &search->view, &search->trace_arena,
                                                   &entry.json, search->reterr);
    if (status != SP_OK)
        return status;
    search->kept_bytes += entry.json.len;
    if (search->kept_count == search->limit) {
        struct kept *last = &search->kept[--search->kept_count];
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
        return sp_error_set(search->reterr, SP_LIMIT, "the results are larger than %zu bytes",
                            search->call->api->limits.memory_bytes_max);
    return SP_OK;
}

/* In the order of a scan: newer first, then by id. */
static int compare_places(const struct sp_candidate *a, const struct sp_candidate *b)
{
    if (a->bound_unix_ns != b->bound_unix_ns)
        return a->bound_unix_ns > b->bound_unix_ns ? -1 : 1;
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}

static bool is_place(const struct sp_candidate *candidate)
{
    static const struct sp_trace_id none;
    return sp_trace_id_compare(&candidate->trace_id, &none) != 0;
}

/* Was it looked at by an earlier page? */
static bool is_behind(const struct search *search, const struct sp_candidate *candidate)
{
    const struct sp_candidate *position = &search->cursor.position;
    return is_place(position) && compare_places(candidate, position) <= 0;
}

/* Results up to this one were told by earlier pages. */
static const struct sp_search_key *told(const struct search *search,
                                        const struct sp_candidate *candidate)
{
    const struct sp_search_cursor *cursor = &search->cursor;
    bool before = cursor->resumes && compare_places(candidate, &cursor->border) <= 0;
    return before ? &cursor->border_key : &cursor->key;
}

static enum sp_status consider(void *cookie, const struct sp_trace_id *id,
                               const struct sp_batch *batch, struct sp_error *reterr)
{
    struct search *search = cookie;
    const struct sp_candidate *candidate = &search->batch[id - search->batch_ids];
    struct sp_search_result result;
    struct sp_search_key key = {.trace_id = *id};
    search->spans += batch->span_count;
    search->batch_looked++;
    sp_search_result_init(&result, batch);
    result.facts.stop = &search->stop_asking;
    enum sp_status status = evaluate(search, &result);
    if (status != SP_OK || result.matched_count == 0)
        return status;
    status = sp_search_rank(&search->order, &result, &search->trace_arena, &key.rank, reterr);
    if (status != SP_OK)
        return status;
    search->matched++;
    if (sp_search_key_compare(&key, told(search, candidate)) <= 0)
        return SP_OK;
    if (search->sent_count == search->limit ||
        (search->kept_count == search->limit &&
         sp_search_key_compare(&key, &search->kept[search->limit - 1].key) > 0)) {
        search->more = true;
        return SP_OK;
    }
    return keep(search, &key, &result);
}

/* Newest first, later candidates cannot start after the bound: a full page of younger traces cannot change any more. */
static bool page_is_final(const struct search *search, uint64_t bound_unix_ns)
{
    return search->order.by == SP_SEARCH_BY_START && search->order.descending &&
           !search->cursor.resumes && search->kept_count == search->limit &&
           ~search->kept[search->limit - 1].key.rank > bound_unix_ns;
}

/* Newest first, the same bound makes the results of younger traces final one by one. In every other order the last candidate may be
 * the best. Only between batches: an unfinished one may still be dropped. */
static void send_final(struct search *search, uint64_t bound_unix_ns)
{
    if (search->order.by != SP_SEARCH_BY_START || !search->order.descending)
        return;
    while (search->sent_count < search->kept_count) {
        struct kept *next = &search->kept[search->sent_count];
        if (~next->key.rank <= bound_unix_ns ||
            !sp_search_stream_result(&search->stream, sp_buf_slice(&next->json)))
            return;
        search->kept_bytes -= next->json.len;
        sp_buf_fini(&next->json);
        search->sent_count++;
    }
}

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    struct search *search = cookie;
    if (sp_search_stream_is_due(&search->stream)) {
        const struct sp_search_progress progress = {
            .scanned = &search->scanned,
            .considered = search->considered + search->batch_looked,
            .known = search->scanned.traces + search->scanned.traces_waiting,
            .matched = search->matched,
        };
        sp_search_stream_progress(&search->stream, &progress);
    }
    return sp_query_check(search->call, reterr);
}

/* Beyond this the count of all matches is not worth its price. By numbers and not by time, so that the same question
 * gets the same answer on a busy machine. */
static bool counted_enough(const struct search *search)
{
    const struct sp_query_limits *limits = &search->call->api->limits;
    return search->considered >= limits->count_traces_max ||
           search->spans >= limits->count_spans_max;
}

static enum sp_visit stop(struct search *search, enum stop_reason reason)
{
    search->stop = reason;
    search->more |= reason == STOP_PAGE_FULL;
    return SP_VISIT_STOP;
}

/* ---- batches ---- */

static int by_trace_id(const void *a, const void *b)
{
    const struct sp_candidate *x = a, *y = b;
    return sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

/* Where a page must not overflow, no batch may bring more than it has room for; where there may be an early end, the first
 * batches end where enough is counted. */
static size_t next_batch_max(const struct search *search)
{
    uint64_t count_max = search->call->api->limits.count_traces_max;
    bool may_end_early = search->order.by == SP_SEARCH_BY_START && search->order.descending;
    size_t next =
        search->batch_max == 0 ? SP_SEARCH_BATCH_MIN : SP_SEARCH_BATCH_GROWTH * search->batch_max;
    if (search->cursor.resumes)
        return search->limit - search->kept_count;
    if (may_end_early && search->considered < count_max && next > count_max - search->considered)
        return count_max - search->considered;
    return next < SP_SEARCH_BATCH_MAX ? next : SP_SEARCH_BATCH_MAX;
}

/* What an unfinished batch brought will be found again by whoever goes on behind the last finished one. */
static void drop_batch(struct search *search)
{
    size_t count = 0;
    for (size_t i = 0; i < search->kept_count; i++) {
        if (search->kept[i].batch == search->batch_number)
            sp_buf_fini(&search->kept[i].json);
        else
            search->kept[count++] = search->kept[i];
    }
    search->kept_count = count;
}

/* Looks at the candidates of the batch. */
static enum sp_visit run_batch(struct search *search)
{
    size_t count = search->batch_count;
    uint64_t matched = search->matched;
    if (count == 0)
        return SP_VISIT_CONTINUE;
    struct sp_candidate newest = search->batch[0], last = search->batch[count - 1];
    qsort(search->batch, count, sizeof(*search->batch), by_trace_id);
    for (size_t i = 0; i < count; i++)
        search->batch_ids[i] = search->batch[i].trace_id;
    search->status = sp_store_traces_read(search->call->api->store, search->batch_ids, count,
                                          &search->stop_asking, &search->trace_arena, consider,
                                          search, search->reterr);
    search->batch_count = search->batch_looked = 0;
    if (search->status == SP_DEADLINE) {
        bool final = page_is_final(search, newest.bound_unix_ns);
        search->status = SP_OK;
        if (final)
            return stop(search, STOP_PAGE_FULL);
        if (search->considered > 0) { /* or else what was found is all there is to tell */
            drop_batch(search);
            search->matched = matched;
        }
        return stop(search, STOP_TIME);
    }
    search->considered += count;
    search->last = last;
    search->batch_number++;
    return search->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct search *search = cookie;
    if (is_behind(search, candidate))
        return SP_VISIT_CONTINUE;
    if (search->batch_count == 0) {
        bool final = page_is_final(search, candidate->bound_unix_ns);
        send_final(search, candidate->bound_unix_ns);
        if (final && counted_enough(search))
            return stop(search, STOP_PAGE_FULL);
        if (search->cursor.resumes && search->kept_count == search->limit)
            return stop(search, STOP_PART);
        search->status = ask_to_stop(search, search->reterr);
        if (search->status == SP_DEADLINE) {
            search->status = SP_OK;
            return stop(search, final ? STOP_PAGE_FULL : STOP_TIME);
        }
        if (search->status != SP_OK)
            return SP_VISIT_STOP;
        search->batch_max = next_batch_max(search);
    }
    search->batch[search->batch_count++] = *candidate;
    return search->batch_count == search->batch_max ? run_batch(search) : SP_VISIT_CONTINUE;
}

/* ---- from parameters to a search ---- */

/* What a cursor belongs to: order, from, to and query as they were written, a zero byte behind each. */
static enum sp_status make_fingerprint(struct search *search, struct sp_buf *fingerprint,
                                       struct sp_error *reterr)
{
    const struct sp_query_call *call = search->call;
    struct sp_slice parts[] = {search->order.text, call->values[0].text, call->values[1].text,
                               call->values[2].text};
    for (size_t i = 0; i < SP_ARRAY_LEN(parts); i++) {
        sp_buf_append_slice(fingerprint, parts[i]);
        sp_buf_append_byte(fingerprint, 0);
    }
    if (fingerprint->error != SP_OK)
        return sp_error_set(reterr, fingerprint->error, "the query is larger than its memory");
    return SP_OK;
}

static enum sp_status prepare(struct search *search, struct sp_buf *fingerprint,
                              struct sp_error *reterr)
{
    struct sp_query_call *call = search->call;
    struct sp_time_range range;
    enum sp_status status = sp_query_range(call, &range, reterr);
    if (status == SP_OK)
        status = sp_search_order_parse(call, call->values[4].text, &search->order, reterr);
    if (status == SP_OK)
        status =
            sp_question_make(call, "q", call->values[2].text, range, &search->question, reterr);
    if (status == SP_OK)
        status = make_fingerprint(search, fingerprint, reterr);
    if (status == SP_OK && call->values[5].set) {
        status = sp_search_cursor_parse(call->values[5].text, sp_buf_slice(fingerprint),
                                        &search->cursor, reterr);
        if (status == SP_OK)
            search->question.scan.range = search->cursor.range;
    }
    /* Counts of whole minutes, and not to be stopped: a search out of time shows what it has found. */
    if (status == SP_OK)
        status = sp_store_services(call->api->store, SP_TIME_RANGE_ALL, NULL, &call->arena,
                                   &search->view.services, &search->view.service_count, reterr);
    if (status != SP_OK)
        return status;
    search->view.pipeline = search->question.pipeline;
    search->view.range = search->question.scan.range;
    search->view.spans_per_set = (uint32_t)call->values[6].number;
    search->kept = sp_arena_calloc(&call->arena, search->limit, sizeof(*search->kept));
    search->batch = sp_arena_calloc(&call->arena, SP_SEARCH_BATCH_MAX, sizeof(*search->batch));
    search->batch_ids =
        sp_arena_calloc(&call->arena, SP_SEARCH_BATCH_MAX, sizeof(*search->batch_ids));
    if (!search->kept || !search->batch || !search->batch_ids)
        return sp_arena_failed(&call->arena, reterr, "the page is larger than the query's memory");
    return SP_OK;
}

/* ---- the answer ---- */

/* Where the next page begins; false: there is none. */
static bool next_cursor(const struct search *search, struct sp_search_cursor *ret)
{
    bool looked = is_place(&search->last);
    *ret = search->cursor;
    ret->range = search->question.scan.range;
    if (search->cursor.resumes) {
        ret->position = looked ? search->last : search->cursor.position;
        return search->stop != STOP_NONE;
    }
    if (search->stop != STOP_TIME) {
        if (search->kept_count > 0)
            ret->key = search->kept[search->kept_count - 1].key;
        return search->more && search->kept_count > 0;
    }
    ret->border = search->last;
    if (search->more && search->kept_count > 0)
        ret->border_key = search->kept[search->kept_count - 1].key;
    else if (search->more)
        ret->border_key = search->cursor.key;
    else
        ret->position = search->last;
    return looked;
}

/* What stands behind the results, up to the end of the object that is open. */
static enum sp_status write_tail(const struct search *search, struct sp_slice fingerprint,
                                 struct sp_json_writer *w, struct sp_error *reterr)
{
    static const char *const reasons[] = {[STOP_NONE] = "part",
                                          [STOP_PAGE_FULL] = "pageFull",
                                          [STOP_TIME] = "timeBudget",
                                          [STOP_PART] = "part"};
    const struct sp_query_api *api = search->call->api;
    const struct sp_scanned *scanned = &search->scanned;
    bool complete = search->stop == STOP_NONE && !search->cursor.resumes;
    enum sp_status status = SP_OK;
    struct sp_search_cursor cursor;
    sp_json_key(w, "complete");
    sp_json_bool(w, complete);
    sp_json_key(w, "incompleteReason");
    if (complete)
        sp_json_null(w);
    else
        sp_json_cstr(w, reasons[search->stop]);
    sp_json_key(w, "cursor");
    if (next_cursor(search, &cursor)) {
        char text[SP_CURSOR_TEXT];
        sp_search_cursor_format(&cursor, fingerprint, text);
        sp_json_cstr(w, text);
    } else {
        sp_json_null(w);
    }
    sp_json_key(w, "scanned");
    sp_json_object_begin(w);
    sp_json_key(w, "segments");
    sp_json_u64(w, scanned->segments);
    sp_json_key(w, "rows");
    sp_json_u64_string(w, scanned->rows);
    sp_json_key(w, "bytes");
    sp_json_u64_string(w, scanned->bytes);
    sp_json_key(w, "traces");
    sp_json_u64_string(w, search->considered);
    sp_json_object_end(w);
    sp_json_key(w, "matchedTraces");
    sp_json_u64(w, search->matched);
    sp_json_key(w, "order");
    sp_json_string(w, search->order.text);
    sp_json_key(w, "tookMs");
    sp_json_u64(w, (sp_clock_monotonic_ns(api->clock) - search->call->begin_ns) / 1000000);
    if (search->call->values[7].number == 1)
        status = sp_search_explain(search->call, &search->question, w, reterr);
    sp_json_object_end(w);
    return status;
}

/* The results that were not sent yet, and what a whole answer says besides. */
static enum sp_status write_lines(const struct search *search, struct sp_slice fingerprint,
                                  struct sp_error *reterr)
{
    struct sp_buf *body = &search->call->reply.body;
    struct sp_json_writer w;
    for (size_t i = search->sent_count; i < search->kept_count; i++) {
        sp_buf_append_cstr(body, "{\"trace\":");
        sp_buf_append_slice(body, sp_buf_slice(&search->kept[i].json));
        sp_buf_append_cstr(body, "}\n");
    }
    sp_json_writer_init(&w, body);
    sp_json_object_begin(&w);
    sp_json_key(&w, "done");
    sp_json_object_begin(&w);
    enum sp_status status = write_tail(search, fingerprint, &w, reterr);
    sp_json_object_end(&w);
    sp_buf_append_byte(body, '\n');
    return status;
}

static enum sp_status write_answer(const struct search *search, struct sp_slice fingerprint,
                                   struct sp_error *reterr)
{
    struct sp_json_writer w;
    if (search->stream.open)
        return write_lines(search, fingerprint, reterr);
    sp_query_reply_json(search->call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "traces");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < search->kept_count; i++)
        sp_json_raw(&w, sp_buf_slice(&search->kept[i].json));
    sp_json_array_end(&w);
    return write_tail(search, fingerprint, &w, reterr);
}

/* Candidates, and what they are. */
static enum sp_status find(struct search *search, struct sp_error *reterr)
{
    enum sp_status status =
        sp_store_scan(search->call->api->store, &search->question.scan, &search->stop_asking, visit,
                      search, &search->scanned, reterr);
    if (status ==
        SP_DEADLINE) { /* while it looked for more of them; a batch that was begun is not looked at */
        const struct sp_candidate *last = &search->last;
        bool final = is_place(last) && page_is_final(search, last->bound_unix_ns);
        (void)stop(search, final ? STOP_PAGE_FULL : STOP_TIME);
        return SP_OK;
    }
    if (status == SP_OK && search->status == SP_OK && search->stop == STOP_NONE)
        (void)run_batch(search);
    return status == SP_OK ? search->status : status;
}

enum sp_status sp_query_answer_search(struct sp_query_call *call, struct sp_error *reterr)
{
    struct search search = {
        .call = call,
        .limit = call->values[3].number,
        .reterr = reterr,
        .stop_asking = {.ask = ask_to_stop, .cookie = &search},
    };
    struct sp_buf fingerprint;
    sp_buf_init(&fingerprint, SP_QUERY_STRING_BYTES_MAX + 1024);
    sp_arena_init(&search.trace_arena, call->api->limits.memory_bytes_max);
    enum sp_status status = prepare(&search, &fingerprint, reterr);
    if (status == SP_OK)
        status = sp_search_stream_begin(&search.stream, call, reterr);
    if (status == SP_OK)
        status = find(&search, reterr);
    if (status == SP_OK && search.cursor.resumes && search.stop == STOP_TIME &&
        search.considered == 0)
        status = sp_error_set(reterr, SP_DEADLINE,
                              "the time was up before one more trace was looked at");
    if (status == SP_OK)
        status = write_answer(&search, sp_buf_slice(&fingerprint), reterr);
    for (size_t i = 0; i < search.kept_count; i++)
        sp_buf_fini(&search.kept[i].json);
    sp_pipeline_free(search.question.pipeline);
    sp_pipeline_free(search.order.scalar);
    sp_buf_fini(&fingerprint);
    sp_arena_fini(&search.trace_arena);
    return status;
}
