/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search.c: GET /v1/search: candidates come from the store, newest first, and are looked at in batches
 * (query/search_batch.c), until nothing better can come; the page, and where the next one begins, are told. */
#include "query/answer.h"
#include "query/search_explain.h"
#include "query/search_run.h"

/* Was it looked at by an earlier page? */
static bool is_behind(const struct sp_search *search, const struct sp_candidate *candidate)
{
    const struct sp_candidate *position = &search->cursor.position;
    return sp_search_is_place(position) && sp_search_compare_places(candidate, position) <= 0;
}

/* Newest first, later candidates cannot start after the bound: a full page of younger traces cannot change any more. */
static bool page_is_final(const struct sp_search *search, uint64_t bound_unix_ns)
{
    return search->order.by == SP_SEARCH_BY_START && search->order.descending &&
           !search->cursor.resumes && search->kept_count == search->limit &&
           ~search->kept[search->limit - 1].key.rank > bound_unix_ns;
}

void sp_search_send_better(struct sp_search *search, const struct sp_search_key *key)
{
    while (search->sent_count < search->kept_count) {
        struct sp_search_kept *next = &search->kept[search->sent_count];
        if (sp_search_key_compare(&next->key, key) >= 0 ||
            !sp_search_stream_result(&search->stream, sp_buf_slice(&next->json)))
            return;
        search->kept_bytes -= next->json.len;
        sp_buf_fini(&next->json);
        search->sent_count++;
    }
}

/* Newest first, the same bound makes the results of younger traces final one by one. Only between batches: an unfinished one may still
 * be dropped. Other orders: query/search_ranked.c. */
static void send_final(struct sp_search *search, uint64_t bound_unix_ns)
{
    const struct sp_search_key key = {.rank = ~bound_unix_ns};
    if (search->order.by == SP_SEARCH_BY_START && search->order.descending)
        sp_search_send_better(search, &key);
}

static enum sp_status ask_to_stop(void *cookie, struct sp_error *reterr)
{
    struct sp_search *search = cookie;
    if (sp_search_stream_is_due(&search->stream)) {
        const uint64_t matched = search->matched;
        const struct sp_search_progress progress = {
            .scanned = &search->scanned,
            .considered = search->considered + search->batch_looked,
            .known = search->scanned.traces + search->scanned.traces_waiting,
            .matched = &matched,
        };
        sp_search_stream_progress(&search->stream, &progress);
    }
    return sp_query_check(search->call, reterr);
}

bool sp_search_counted_enough(const struct sp_search *search)
{
    const struct sp_query_limits *limits = &search->call->api->limits;
    if (search->counts_all)
        return false;
    return search->considered >= limits->count_traces_max ||
           search->spans >= limits->count_spans_max;
}

static enum sp_visit stop(struct sp_search *search, enum sp_search_stop reason)
{
    search->stop = reason;
    search->more |= reason == SP_SEARCH_STOP_PAGE_FULL;
    return SP_VISIT_STOP;
}

/* ---- batches ---- */

/* Where a page must not overflow, no batch may bring more than it has room for; where there may be an early end, the first
 * batches end where enough is counted. */
static size_t next_batch_max(const struct sp_search *search)
{
    uint64_t count_max = search->call->api->limits.count_traces_max;
    bool may_end_early = search->order.by == SP_SEARCH_BY_START && search->order.descending;
    size_t growth = may_end_early ? SP_SEARCH_BATCH_GROWTH : SP_SEARCH_BATCH_GROWTH_ALL;
    size_t next = search->batch_max == 0 ? SP_SEARCH_BATCH_MIN : growth * search->batch_max;
    size_t fits = search->call->api->limits.memory_bytes_max / SP_SEARCH_BATCH_MEMORY_PART /
                  SP_SEARCH_CANDIDATE_BYTES;
    size_t most = fits < SP_SEARCH_BATCH_MAX ? fits : SP_SEARCH_BATCH_MAX;
    if (search->cursor.resumes)
        return search->limit - search->kept_count;
    if (may_end_early && search->considered < count_max && next > count_max - search->considered)
        return count_max - search->considered;
    next = next < most ? next : most;
    return next > SP_SEARCH_BATCH_MIN ? next : SP_SEARCH_BATCH_MIN;
}

void sp_search_drop(struct sp_search *search, uint64_t batch_number)
{
    size_t count = 0;
    for (size_t i = 0; i < search->kept_count; i++) {
        if (search->kept[i].batch >= batch_number)
            sp_buf_fini(&search->kept[i].json);
        else
            search->kept[count++] = search->kept[i];
    }
    search->kept_count = count;
}

/* The time was up within a batch. What it brought will be found again by whoever goes on behind the last finished one. */
static enum sp_visit end_batch(struct sp_search *search, bool final, uint64_t matched,
                               size_t looked)
{
    static const struct sp_search_key none;
    search->status = SP_OK;
    if (final)
        return stop(search, SP_SEARCH_STOP_PAGE_FULL);
    bool goes_on = sp_search_key_compare(&search->ended_behind, &none) != 0;
    if (search->considered > 0 && !goes_on) { /* or else what was found is all there is to tell */
        sp_search_drop(search, search->batch_first_number);
        search->matched = matched;
    }
    search->considered += goes_on ? looked : 0;
    return stop(search, SP_SEARCH_STOP_TIME);
}

/* Looks at the candidates of the batch. is_last: the scan has ended. */
static enum sp_visit run_batch(struct sp_search *search, bool is_last)
{
    struct sp_search_batch *batch = &search->batch;
    size_t looked = batch->count;
    uint64_t matched = search->matched;
    if (batch->count == 0)
        return SP_VISIT_CONTINUE;
    struct sp_candidate newest = batch->items[0], last = batch->items[batch->count - 1];
    search->batch_first_number = search->batch_number;
    if (batch->count >= SP_SEARCH_RANKED_MIN && sp_search_ranks(search))
        search->status = sp_search_ranked_look(search, is_last, &looked);
    else
        search->status = sp_search_batch_look(search, batch);
    batch->count = 0;
    search->batch_looked = 0;
    if (search->status == SP_DEADLINE)
        return end_batch(search, page_is_final(search, newest.bound_unix_ns), matched, looked);
    search->considered += looked;
    search->last = last;
    search->batch_number++;
    return search->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct sp_search *search = cookie;
    if (is_behind(search, candidate))
        return SP_VISIT_CONTINUE;
    if (search->batch.count == 0) {
        bool final = page_is_final(search, candidate->bound_unix_ns);
        send_final(search, candidate->bound_unix_ns);
        if (final && sp_search_counted_enough(search))
            return stop(search, SP_SEARCH_STOP_PAGE_FULL);
        if (search->cursor.resumes && search->kept_count == search->limit)
            return stop(search, SP_SEARCH_STOP_PART);
        search->status = ask_to_stop(search, search->reterr);
        if (search->status == SP_DEADLINE) {
            search->status = SP_OK;
            return stop(search, final ? SP_SEARCH_STOP_PAGE_FULL : SP_SEARCH_STOP_TIME);
        }
        search->batch_max = next_batch_max(search);
        if (search->status == SP_OK)
            search->status =
                sp_search_batch_reserve(search, &search->batch, search->batch_max, search->reterr);
        if (search->status != SP_OK)
            return SP_VISIT_STOP;
    }
    search->batch.items[search->batch.count++] = *candidate;
    return search->batch.count == search->batch_max ? run_batch(search, false) : SP_VISIT_CONTINUE;
}

/* ---- from parameters to a search ---- */

/* What a cursor belongs to: order, from, to and query as they were written, a zero byte behind each. */
static enum sp_status make_fingerprint(struct sp_search *search, struct sp_buf *fingerprint,
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

static enum sp_status prepare(struct sp_search *search, struct sp_buf *fingerprint,
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
    if (!search->kept)
        return sp_arena_failed(&call->arena, reterr, "the page is larger than the query's memory");
    return sp_search_batch_init(search, reterr);
}

/* ---- the answer ---- */

/* What stands behind the results, up to the end of the object that is open. */
static enum sp_status write_tail(const struct sp_search *search, struct sp_slice fingerprint,
                                 struct sp_json_writer *w, struct sp_error *reterr)
{
    static const char *const reasons[] = {[SP_SEARCH_STOP_NONE] = "part",
                                          [SP_SEARCH_STOP_PAGE_FULL] = "pageFull",
                                          [SP_SEARCH_STOP_TIME] = "timeBudget",
                                          [SP_SEARCH_STOP_PART] = "part"};
    const struct sp_query_api *api = search->call->api;
    const struct sp_scanned *scanned = &search->scanned;
    bool complete = search->stop == SP_SEARCH_STOP_NONE && !search->cursor.resumes;
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
    if (sp_search_next_cursor(search, &cursor)) {
        char text[SP_CURSOR_TEXT];
        sp_search_cursor_format(&cursor, fingerprint, text);
        sp_json_cstr(w, text);
    } else {
        sp_json_null(w);
    }
    search->call->running.bytes_scanned = scanned->bytes;
    sp_answer_json_scanned(w, scanned, search->considered);
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
static enum sp_status write_lines(const struct sp_search *search, struct sp_slice fingerprint,
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

static enum sp_status write_answer(const struct sp_search *search, struct sp_slice fingerprint,
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
static enum sp_status find(struct sp_search *search, struct sp_error *reterr)
{
    enum sp_status status =
        sp_store_scan(search->call->api->store, &search->question.scan, &search->stop_asking, visit,
                      search, &search->scanned, reterr);
    if (status ==
        SP_DEADLINE) { /* while it looked for more of them; a batch that was begun is not looked at */
        const struct sp_candidate *last = &search->last;
        bool final = sp_search_is_place(last) && page_is_final(search, last->bound_unix_ns);
        (void)stop(search, final ? SP_SEARCH_STOP_PAGE_FULL : SP_SEARCH_STOP_TIME);
        return SP_OK;
    }
    if (status == SP_OK && search->status == SP_OK && search->stop == SP_SEARCH_STOP_NONE)
        (void)run_batch(search, true);
    if (status == SP_OK && search->status == SP_OK && search->stop == SP_SEARCH_STOP_NONE &&
        search->left_out)
        (void)stop(search, SP_SEARCH_STOP_PAGE_FULL);
    return status == SP_OK ? search->status : status;
}

enum sp_status sp_query_answer_search(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_search search = {
        .call = call,
        .limit = call->values[3].number,
        .counts_all = call->values[8].number == 1,
        .reterr = reterr,
        .stop_asking = {.ask = ask_to_stop, .cookie = &search},
    };
    struct sp_buf fingerprint;
    sp_buf_init(&fingerprint, SP_QUERY_STRING_BYTES_MAX + 1024);
    pthread_mutex_init(&search.lock, NULL);
    enum sp_status status = prepare(&search, &fingerprint, reterr);
    if (status == SP_OK)
        status = sp_search_stream_begin(&search.stream, call, reterr);
    if (status == SP_OK)
        status = find(&search, reterr);
    if (status == SP_OK && search.cursor.resumes && search.stop == SP_SEARCH_STOP_TIME &&
        search.considered == 0)
        status = sp_error_set(reterr, SP_DEADLINE,
                              "the time was up before one more trace was looked at");
    if (status == SP_OK)
        status = write_answer(&search, sp_buf_slice(&fingerprint), reterr);
    for (size_t i = 0; i < search.kept_count; i++)
        sp_buf_fini(&search.kept[i].json);
    sp_search_batch_fini(&search);
    sp_pipeline_free(search.question.pipeline);
    sp_pipeline_free(search.order.scalar);
    sp_buf_fini(&fingerprint);
    pthread_mutex_destroy(&search.lock);
    return status;
}
