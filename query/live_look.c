/* SPDX-License-Identifier: Apache-2.0
 *
 * query/live_look.c: one look for one who listens: which traces came in since the last one, the newest first, and what the query finds in
 * them, whole and whatever their times are. The first look begins with a search of the last minute.
 *
 *   came in since --+-- looked at, newest arrivals first --+-- no match, or sent (unless the same bytes were)
 *   waiting --------+                                      +-- no time, no room, enough sent --+-- waiting
 *                                                                                              +-- too many: skipped, and counted */
#include "query/live.h"

#include <stdlib.h>

#include "query/search_result.h"

/* Traces are read in batches, sorted by id: few at first, because most queries that match at all have enough then; then more, because
 * each read begins with what every read has to do. */
#define BATCH_MIN    ((size_t)32)
#define BATCH_GROWTH ((size_t)4)
#define BATCH_MAX    ((size_t)8192)

struct arrival {
    struct sp_trace_id id;
    bool is_done; /* it does not match, or was sent */
};

struct place {
    struct sp_trace_id id;
    size_t arrival;
};

struct look {
    struct sp_live *live;
    struct sp_arena arena;       /* of the look */
    struct sp_arena trace_arena; /* of one trace */
    struct sp_result_view view;
    bool has_services;

    struct arrival *arrivals; /* the newest first */
    size_t count;
    bool has_slow; /* the last of them took too long the last time */

    struct place *places; /* of the batch at hand, by id */
    struct sp_trace_id *ids;
    size_t looked, sent; /* traces */
    bool is_full;        /* enough was sent, or there is no room for more */
};

/* ---- lines ---- */

static const char trace_begin[] = "{\"trace\":{\"traceId\":\"";

static struct sp_live_seen *find_seen(struct sp_live *live, const struct sp_trace_id *id)
{
    for (uint32_t i = 0; i < live->seen_count; i++) {
        if (sp_trace_id_compare(&live->seen[i].id, id) == 0)
            return &live->seen[i];
    }
    return NULL;
}

static struct sp_live_seen *new_seen(struct sp_live *live)
{
    struct sp_live_seen *seen = &live->seen[live->seen_next];
    live->seen_next = (live->seen_next + 1) % SP_LIVE_SEEN_MAX;
    if (live->seen_count < SP_LIVE_SEEN_MAX)
        live->seen_count++;
    return seen;
}

/* False: there is no room now. */
static bool offer(struct sp_live *live, const struct sp_trace_id *id, struct sp_slice line)
{
    uint64_t hash = sp_checksum(line, 0);
    struct sp_live_seen *seen = find_seen(live, id);
    if (seen && seen->hash == hash)
        return true;
    if (!sp_query_stream_write(live->call, line))
        return false;
    if (!seen)
        seen = new_seen(live);
    *seen = (struct sp_live_seen){.id = *id, .hash = hash};
    live->news = true;
    return true;
}

/* {"live":{...}}: up to when was looked, and what was left out; a client that has gone shows when it is sent. */
static void tell(struct sp_live *live, uint64_t now_ns)
{
    struct sp_buf line;
    struct sp_json_writer w;
    bool left_out = live->skipped > 0 || live->unseen_requests > 0;
    if (!live->news && !left_out && now_ns - live->told_ns < SP_LIVE_BEAT_NS)
        return;
    sp_buf_init(&line, 512);
    sp_json_writer_init(&w, &line);
    sp_json_object_begin(&w);
    sp_json_key(&w, "live");
    sp_json_object_begin(&w);
    sp_json_key(&w, "atUnixNano");
    sp_json_u64_string(&w, sp_clock_unix_ns(live->call->api->clock));
    sp_json_key(&w, "complete");
    sp_json_bool(&w, !live->more && !left_out && live->waiting_count == 0);
    sp_json_key(&w, "waiting");
    sp_json_u64(&w, live->waiting_count);
    sp_json_key(&w, "skipped");
    sp_json_u64(&w, live->skipped);
    sp_json_key(&w, "unseenRequests");
    sp_json_u64(&w, live->unseen_requests);
    sp_json_object_end(&w);
    sp_json_object_end(&w);
    sp_buf_append_byte(&line, '\n');
    if (line.error == SP_OK && sp_query_stream_write(live->call, sp_buf_slice(&line))) {
        live->told_ns = now_ns;
        live->skipped = live->unseen_requests = 0;
    }
    sp_buf_fini(&line);
}

/* ---- the last minute ---- */

static enum sp_status begin_search(void *cookie, const struct sp_query_reply *reply,
                                   struct sp_error *reterr)
{
    (void)cookie;
    (void)reply;
    (void)reterr;
    return SP_OK;
}

/* A trace for which there is no room waits. */
static bool take_lines(void *cookie, struct sp_slice lines)
{
    _Static_assert(SP_LIVE_TRACES_MAX <= SP_LIVE_WAITING_MAX, "all of a search may have to wait");
    struct sp_live *live = cookie;
    while (lines.len > 0) {
        size_t end = sp_slice_find(lines, '\n');
        struct sp_slice line = sp_slice_sub(lines, 0, end + 1);
        struct sp_slice text = sp_slice_sub(line, sizeof(trace_begin) - 1, SP_TRACE_ID_TEXT - 1);
        struct sp_trace_id id;
        if (sp_slice_starts_with(line, sp_slice_cstr(trace_begin)) &&
            sp_trace_id_parse(text, &id) && !offer(live, &id, line))
            live->waiting[live->waiting_count++] = id;
        lines = sp_slice_sub(lines, end + 1, lines.len);
    }
    return true;
}

/* "complete":false in the last line: the page was full, or the time was up. */
static bool is_partial(struct sp_slice lines)
{
    static const char text[] = "{\"done\":{\"complete\":false";
    return lines.len > 0 && memmem(lines.ptr, lines.len, text, sizeof(text) - 1) != NULL;
}

static enum sp_status search(struct sp_live *live, struct sp_query_call *inner,
                             struct sp_error *reterr)
{
    uint64_t from =
        inner->now_unix_ns > SP_LIVE_WINDOW_NS ? inner->now_unix_ns - SP_LIVE_WINDOW_NS : 0;
    inner->values[0].number = from;
    inner->values[1].number = UINT64_MAX;
    inner->values[2].text = live->call->values[0].text;
    inner->values[3].number = SP_LIVE_TRACES_MAX;
    inner->values[6].number = live->call->values[1].number;
    inner->deadline_ns = inner->begin_ns + SP_LIVE_LOOK_TIME;
    enum sp_status status = sp_query_answer_search(inner, reterr);
    if (status == SP_OK)
        status = sp_query_reply_end(inner, reterr);
    if (status == SP_OK) {
        struct sp_slice rest = sp_buf_slice(&inner->reply.body);
        take_lines(live, rest);
        live->more |= is_partial(rest);
    }
    return status;
}

/* What the list begins with. */
static enum sp_status begin(struct sp_live *live, struct sp_error *reterr)
{
    struct sp_query_api *api = live->call->api;
    const struct sp_query_stream sink = {begin_search, take_lines, live};
    struct sp_query_call inner = {.api = api, .begin_ns = sp_clock_monotonic_ns(api->clock)};
    inner.request = live->call->request;
    inner.request.accept = SP_SLICE(SP_QUERY_LINES_MEDIA_TYPE);
    inner.request.stream = &sink;
    sp_query_call_begin(&inner);
    enum sp_status status = search(live, &inner, reterr);
    sp_arena_fini(&inner.arena);
    sp_query_call_fini(&inner);
    return status;
}

/* ---- what came in ---- */

static int by_id(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b); /* the first member of either */
}

/* What came since the last look, and behind it what waits and did not come again. A trace that is known to take long comes last. */
static void list(struct look *look, const struct sp_arrivals *came)
{
    struct sp_live *live = look->live;
    struct arrival slow = {.id = live->slow};
    qsort(look->places, live->waiting_count, sizeof(*look->places), by_id);
    for (size_t i = 0; i < came->count + live->waiting_count; i++) {
        struct arrival arrival = {.id = i < came->count ? came->ids[i]
                                                        : live->waiting[i - came->count]};
        struct place *waits =
            bsearch(&arrival.id, look->places, live->waiting_count, sizeof(*look->places), by_id);
        if (i < came->count && waits)
            waits->arrival = SIZE_MAX; /* it came again */
        if (i >= came->count && waits->arrival == SIZE_MAX)
            continue;
        if (sp_trace_id_compare(&arrival.id, &slow.id) == 0)
            look->has_slow = true;
        else
            look->arrivals[look->count++] = arrival;
    }
    if (look->has_slow)
        look->arrivals[look->count++] = slow;
}

static enum sp_status find_arrivals(struct look *look, struct sp_error *reterr)
{
    struct sp_live *live = look->live;
    struct sp_arrivals came = {0};
    enum sp_status status =
        sp_store_arrivals_read(live->call->api->store, &live->cursor, &look->arena, &came, reterr);
    size_t most = came.count + live->waiting_count;
    live->skipped += came.skipped;
    live->unseen_requests += came.unseen_appends;
    if (status != SP_OK || most == 0)
        return status;
    size_t batch_max = most < BATCH_MAX ? most : BATCH_MAX;
    look->arrivals = sp_arena_calloc(&look->arena, most, sizeof(*look->arrivals));
    look->places = sp_arena_calloc(
        &look->arena, batch_max > SP_LIVE_WAITING_MAX ? batch_max : SP_LIVE_WAITING_MAX,
        sizeof(*look->places));
    look->ids = sp_arena_calloc(&look->arena, batch_max, sizeof(*look->ids));
    if (!look->arrivals || !look->places || !look->ids)
        return sp_arena_failed(&look->arena, reterr,
                               "what came in does not fit into the query's memory");
    for (size_t i = 0; i < live->waiting_count; i++)
        look->places[i] = (struct place){.id = live->waiting[i]};
    list(look, &came);
    return SP_OK;
}

/* ---- one trace ---- */

static enum sp_status write_result(struct look *look, const struct sp_search_result *result,
                                   struct sp_buf *line, struct sp_error *reterr)
{
    struct sp_buf json;
    enum sp_status status = SP_OK;
    if (!look->has_services) /* colour slots; not to be stopped, as in a search */
        status =
            sp_store_services(look->live->call->api->store, SP_TIME_RANGE_ALL, NULL, &look->arena,
                              &look->view.services, &look->view.service_count, reterr);
    look->has_services = status == SP_OK;
    if (status == SP_OK)
        status = sp_search_result_write(result, &look->view, &look->trace_arena, &json, reterr);
    if (status != SP_OK)
        return status;
    sp_buf_append_cstr(line, "{\"trace\":");
    sp_buf_append_slice(line, sp_buf_slice(&json));
    sp_buf_append_cstr(line, "}\n");
    sp_buf_fini(&json);
    return line->error == SP_OK
               ? SP_OK
               : sp_error_set(reterr, line->error, "no memory for a trace that came in");
}

static enum sp_status send_result(struct look *look, const struct sp_trace_id *id,
                                  const struct sp_search_result *result, struct sp_error *reterr)
{
    struct sp_buf line;
    sp_buf_init(&line, SP_RESULT_BYTES_MAX + 64);
    enum sp_status status = write_result(look, result, &line, reterr);
    if (status == SP_OK && !offer(look->live, id, sp_buf_slice(&line)))
        look->is_full = true;
    else if (status == SP_OK)
        look->is_full = ++look->sent == SP_LIVE_TRACES_MAX;
    sp_buf_fini(&line);
    return status;
}

static enum sp_status consider(void *cookie, const struct sp_trace_id *id,
                               const struct sp_batch *batch, struct sp_error *reterr)
{
    struct look *look = cookie;
    struct sp_live *live = look->live;
    struct arrival *arrival = &look->arrivals[look->places[id - look->ids].arrival];
    struct sp_search_result result;
    size_t sent = look->sent;
    sp_search_result_init(&result, batch);
    result.facts.stop = &live->call->stop;
    enum sp_status status = sp_search_result_find(&result, live->question.pipeline, false,
                                                  SP_TIME_RANGE_ALL, &look->trace_arena, reterr);
    if (status == SP_DEADLINE) {
        arrival->is_done = look->looked == 0 || sp_trace_id_compare(&live->slow, id) == 0;
        live->skipped += arrival->is_done; /* it had its chance */
        live->slow = *id;
    }
    if (status == SP_OK && result.matched_count > 0)
        status = send_result(look, id, &result, reterr);
    if (status != SP_OK)
        return status;
    look->looked++;
    arrival->is_done = !look->is_full || look->sent > sent;
    return look->is_full ? sp_error_set(reterr, SP_DEADLINE, "enough was sent") : SP_OK;
}

/* ---- all of them ---- */

/* Looks at a batch. What is no more stored is done, too. */
static enum sp_status look_at(struct look *look, size_t first, size_t count,
                              struct sp_error *reterr)
{
    struct sp_query_call *call = look->live->call;
    const struct sp_traces_reader reader = {.want = sp_query_want_of(&look->live->want),
                                            .stop = &call->stop,
                                            .arena = &look->trace_arena,
                                            .visit = consider,
                                            .cookie = look};
    for (size_t i = 0; i < count; i++)
        look->places[i] = (struct place){.id = look->arrivals[first + i].id, .arrival = first + i};
    qsort(look->places, count, sizeof(*look->places), by_id);
    for (size_t i = 0; i < count; i++)
        look->ids[i] = look->places[i].id;
    enum sp_status status =
        sp_store_traces_read(call->api->store, look->ids, count, &reader, reterr);
    for (size_t i = 0; i < count && status == SP_OK; i++)
        look->arrivals[first + i].is_done = true;
    return status;
}

/* What was not looked at, or not sent, waits; the oldest of it in vain. */
static void keep_waiting(struct look *look)
{
    struct sp_live *live = look->live;
    live->waiting_count = 0;
    for (size_t i = 0; i < look->count; i++) {
        if (look->arrivals[i].is_done)
            continue;
        if (live->waiting_count < SP_LIVE_WAITING_MAX)
            live->waiting[live->waiting_count++] = look->arrivals[i].id;
        else
            live->skipped++;
    }
}

static enum sp_status look_at_arrivals(struct look *look, struct sp_error *reterr)
{
    struct sp_query_call *call = look->live->call;
    call->deadline_ns = sp_clock_monotonic_ns(call->api->clock) + SP_LIVE_LOOK_TIME;
    enum sp_status status = sp_query_check(call, reterr); /* has it gone? */
    if (status == SP_OK)
        status = find_arrivals(look, reterr);
    size_t batch = BATCH_MIN;
    for (size_t at = 0; at < look->count && status == SP_OK;) {
        size_t count = batch < look->count - at ? batch : look->count - at;
        if (look->has_slow && count > 1 && at + count == look->count)
            count--;
        status = look_at(look, at, count, reterr);
        at += count;
        batch = batch * BATCH_GROWTH < BATCH_MAX ? batch * BATCH_GROWTH : BATCH_MAX;
    }
    /* Out of time, or enough was sent, or the store is being opened again after a fault: the rest waits. */
    if (status == SP_DEADLINE || status == SP_UNAVAILABLE)
        status = SP_OK;
    if (status == SP_OK)
        keep_waiting(look);
    return status;
}

enum sp_status sp_live_look(struct sp_live *live, struct sp_error *reterr)
{
    const struct sp_query_api *api = live->call->api;
    uint64_t now_ns = sp_clock_monotonic_ns(api->clock);
    struct look look = {.live = live,
                        .view = {.pipeline = live->question.pipeline,
                                 .range = SP_TIME_RANGE_ALL,
                                 .spans_per_set = (uint32_t)live->call->values[1].number}};
    live->news = live->more = false;
    sp_arena_init(&look.arena, api->limits.memory_bytes_max);
    sp_arena_init(&look.trace_arena, api->limits.memory_bytes_max);
    enum sp_status status = live->has_begun ? SP_OK : begin(live, reterr);
    live->has_begun = true;
    if (status == SP_OK)
        status = look_at_arrivals(&look, reterr);
    if (status == SP_OK)
        tell(live, now_ns);
    sp_arena_fini(&look.trace_arena);
    sp_arena_fini(&look.arena);
    return status;
}
