/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search.c: GET /v1/search: candidates from the store, newest first; each is read whole and evaluated exactly; the
 * best of the asked order are kept. What one result looks like: query/search_result.c. */
#include "query/search.h"

#include <stdio.h>

#include "query/question.h"
#include "query/search_result.h"

enum stop_reason { STOP_NONE, STOP_PAGE_FULL, STOP_TIME };

/* One result of the page being made. */
struct kept {
    struct sp_search_key key;
    struct sp_buf json; /* the result as it will be sent */
};

struct search {
    struct sp_query_call *call;
    struct sp_question question;
    enum sp_search_order order;
    bool has_cursor;
    struct sp_search_cursor cursor;
    struct sp_result_view view;
    struct sp_arena trace_arena; /* of the candidate being looked at */
    struct kept *kept;           /* ascending by key */
    size_t kept_count, limit, kept_bytes;
    bool more; /* there are matches behind the page */
    uint64_t considered, matched, spans;
    enum stop_reason stop;
    enum sp_status status; /* of the visitor */
    struct sp_error *reterr;
};

/* ---- order ---- */

static const char *const order_names[] = {
    [SP_ORDER_START_DOWN] = "-start",       [SP_ORDER_START_UP] = "start",
    [SP_ORDER_DURATION_DOWN] = "-duration", [SP_ORDER_DURATION_UP] = "duration",
    [SP_ORDER_SPANS_DOWN] = "-spans",       [SP_ORDER_SPANS_UP] = "spans",
    [SP_ORDER_ERRORS_DOWN] = "-errors",     [SP_ORDER_ERRORS_UP] = "errors",
};

static uint64_t rank_of(enum sp_search_order order, const struct sp_search_result *result)
{
    const struct sp_trace_facts *facts = &result->facts;
    switch (order) {
    case SP_ORDER_START_DOWN:
        return ~facts->start_unix_ns;
    case SP_ORDER_START_UP:
        return facts->start_unix_ns;
    case SP_ORDER_DURATION_DOWN:
        return ~(facts->end_unix_ns - facts->start_unix_ns);
    case SP_ORDER_DURATION_UP:
        return facts->end_unix_ns - facts->start_unix_ns;
    case SP_ORDER_SPANS_DOWN:
        return ~(uint64_t)facts->batch->span_count;
    case SP_ORDER_SPANS_UP:
        return facts->batch->span_count;
    case SP_ORDER_ERRORS_DOWN:
        return ~result->error_count;
    case SP_ORDER_ERRORS_UP:
        return result->error_count;
    }
    return 0;
}

/* ---- one candidate ---- */

static enum sp_status evaluate(struct search *search, struct sp_search_result *result)
{
    enum sp_status status = SP_OK;
    struct sp_spanset_list sets;
    if (sp_pipeline_needs_tree(search->question.pipeline))
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
    struct kept entry = {.key = *key};
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
    for (; at > 0 && sp_search_key_compare(key, &search->kept[at - 1].key) < 0; at--)
        search->kept[at] = search->kept[at - 1];
    search->kept[at] = entry;
    if (search->kept_bytes > search->call->api->limits.memory_bytes_max)
        return sp_error_set(search->reterr, SP_LIMIT, "the results are larger than %zu bytes",
                            search->call->api->limits.memory_bytes_max);
    return SP_OK;
}

static enum sp_status consider(struct search *search, const struct sp_trace_id *id)
{
    const struct sp_batch *batch;
    sp_arena_reset(&search->trace_arena);
    enum sp_status status = sp_store_trace_read(search->call->api->store, id, &search->trace_arena,
                                                &batch, search->reterr);
    if (status == SP_NOT_FOUND)
        return SP_OK; /* expired since the scan began */
    if (status != SP_OK)
        return status;
    search->spans += batch->span_count;
    struct sp_search_result result;
    sp_search_result_init(&result, batch);
    result.facts.stop = &search->call->stop;
    status = evaluate(search, &result);
    if (status != SP_OK || result.matched_count == 0)
        return status;
    search->matched++;
    struct sp_search_key key = {.rank = rank_of(search->order, &result), .trace_id = *id};
    if (search->has_cursor && sp_search_key_compare(&key, &search->cursor.key) <= 0)
        return SP_OK;
    if (search->kept_count == search->limit &&
        sp_search_key_compare(&key, &search->kept[search->limit - 1].key) > 0) {
        search->more = true;
        return SP_OK;
    }
    return keep(search, &key, &result);
}

/* Newest first, later candidates cannot start after the bound: a full page of younger traces cannot change any more. */
static bool page_is_final(const struct search *search, uint64_t bound_unix_ns)
{
    return search->order == SP_ORDER_START_DOWN && search->kept_count == search->limit &&
           ~search->kept[search->limit - 1].key.rank > bound_unix_ns;
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

static enum sp_visit visit(void *cookie, const struct sp_candidate *candidate)
{
    struct search *search = cookie;
    bool final = page_is_final(search, candidate->bound_unix_ns);
    if (final && counted_enough(search))
        return stop(search, STOP_PAGE_FULL);
    search->status = sp_query_check(search->call, search->reterr);
    if (search->status == SP_OK)
        search->status = consider(search, &candidate->trace_id);
    if (search->status == SP_DEADLINE) {
        search->status = SP_OK;
        return stop(search, final ? STOP_PAGE_FULL : STOP_TIME);
    }
    search->considered++;
    return search->status == SP_OK ? SP_VISIT_CONTINUE : SP_VISIT_STOP;
}

/* ---- from parameters to a search ---- */

/* What a cursor belongs to: order, from, to and query as they were written, a zero byte behind each. */
static enum sp_status make_fingerprint(struct search *search, struct sp_buf *fingerprint,
                                       struct sp_error *reterr)
{
    const struct sp_query_call *call = search->call;
    struct sp_slice parts[] = {sp_slice_cstr(order_names[search->order]), call->values[0].text,
                               call->values[1].text, call->values[2].text};
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
        status =
            sp_question_make(call, "q", call->values[2].text, range, &search->question, reterr);
    if (status == SP_OK)
        status = make_fingerprint(search, fingerprint, reterr);
    if (status == SP_OK && call->values[5].set) {
        status = sp_search_cursor_parse(call->values[5].text, sp_buf_slice(fingerprint),
                                        &search->cursor, reterr);
        search->has_cursor = true;
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
    return SP_OK;
}

/* ---- the answer ---- */

static void write_tail(const struct search *search, struct sp_slice fingerprint,
                       const struct sp_scanned *scanned, struct sp_json_writer *w)
{
    static const char *const reasons[] = {
        [STOP_PAGE_FULL] = "pageFull", [STOP_TIME] = "timeBudget"};
    const struct sp_query_api *api = search->call->api;
    sp_json_key(w, "complete");
    sp_json_bool(w, search->stop == STOP_NONE);
    sp_json_key(w, "incompleteReason");
    if (search->stop == STOP_NONE)
        sp_json_null(w);
    else
        sp_json_cstr(w, reasons[search->stop]);
    sp_json_key(w, "cursor");
    if (search->more && search->kept_count > 0 && search->stop != STOP_TIME) {
        struct sp_search_cursor cursor = {.key = search->kept[search->kept_count - 1].key,
                                          .range = search->question.scan.range};
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
    sp_json_cstr(w, order_names[search->order]);
    sp_json_key(w, "tookMs");
    sp_json_u64(w, (sp_clock_monotonic_ns(api->clock) - search->call->begin_ns) / 1000000);
}

static void write_answer(const struct search *search, struct sp_slice fingerprint,
                         const struct sp_scanned *scanned)
{
    struct sp_json_writer w;
    sp_query_reply_json(search->call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "traces");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < search->kept_count; i++)
        sp_json_raw(&w, sp_buf_slice(&search->kept[i].json));
    sp_json_array_end(&w);
    write_tail(search, fingerprint, scanned, &w);
    sp_json_object_end(&w);
}

enum sp_status sp_query_answer_search(struct sp_query_call *call, struct sp_error *reterr)
{
    struct search search = {
        .call = call,
        .limit = call->values[3].number,
        .order = (enum sp_search_order)call->values[4].number,
        .reterr = reterr,
    };
    struct sp_buf fingerprint;
    struct sp_scanned scanned = {0};
    sp_buf_init(&fingerprint, SP_QUERY_STRING_BYTES_MAX + 1024);
    sp_arena_init(&search.trace_arena, call->api->limits.memory_bytes_max);
    enum sp_status status = prepare(&search, &fingerprint, reterr);
    if (status == SP_OK)
        status = sp_store_scan(call->api->store, &search.question.scan, visit, &search, &scanned,
                               reterr);
    if (status == SP_OK)
        status = search.status;
    if (status == SP_OK)
        write_answer(&search, sp_buf_slice(&fingerprint), &scanned);
    for (size_t i = 0; i < search.kept_count; i++)
        sp_buf_fini(&search.kept[i].json);
    sp_pipeline_free(search.question.pipeline);
    sp_buf_fini(&fingerprint);
    sp_arena_fini(&search.trace_arena);
    return status;
}
