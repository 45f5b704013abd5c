/* SPDX-License-Identifier: Apache-2.0
 *
 * query/history.c: see query/history.h; and GET /v1/system/history. */
#include "query/history.h"

#include "query/internal.h"

#define NS_PER_S ((uint64_t)1000 * 1000 * 1000)

void sp_history_init(struct sp_history *history)
{
    pthread_mutex_init(&history->lock, NULL);
}

void sp_history_fini(struct sp_history *history)
{
    pthread_mutex_destroy(&history->lock);
}

void sp_history_add_series(struct sp_history *history, const struct sp_metric *metrics,
                           size_t count)
{
    SP_ASSERT(history->count == 0);
    SP_ASSERT(count <= SP_HISTORY_SERIES_MAX - history->series_count);
    for (size_t i = 0; i < count; i++)
        history->series[history->series_count++] = &metrics[i];
}

/* The i-th oldest. */
static uint32_t column(const struct sp_history *history, uint32_t i)
{
    return (history->first + i) % SP_HISTORY_SAMPLES_MAX;
}

void sp_history_sample(struct sp_history *history, uint64_t at_unix_ns)
{
    const uint32_t count = history->series_count;
    uint64_t values[SP_HISTORY_SERIES_MAX];
    for (uint32_t s = 0; s < count; s++)
        values[s] = history->series[s]->read(history->series[s]->cookie);
    pthread_mutex_lock(&history->lock);
    if (history->count > 0 &&
        at_unix_ns <= history->at_unix_ns[column(history, history->count - 1)])
        history->count = 0;
    if (history->count == SP_HISTORY_SAMPLES_MAX) {
        history->first = column(history, 1);
        history->count--;
    }
    uint32_t at = column(history, history->count++);
    history->at_unix_ns[at] = at_unix_ns;
    for (uint32_t s = 0; s < count; s++)
        history->values[at][s] = values[s];
    pthread_mutex_unlock(&history->lock);
}

static void write_series(const struct sp_history *history, uint32_t s, uint32_t from,
                         struct sp_json_writer *w)
{
    const struct sp_metric *metric = history->series[s];
    sp_json_object_begin(w);
    sp_json_key(w, "name");
    sp_json_cstr(w, metric->name);
    sp_json_key(w, "labels");
    sp_json_cstr(w, metric->labels ? metric->labels : "");
    sp_json_key(w, "counts");
    sp_json_bool(w, metric->type == SP_METRIC_COUNTER);
    sp_json_key(w, "values");
    sp_json_array_begin(w);
    for (uint32_t i = from; i < history->count; i++)
        sp_json_u64_string(w, history->values[column(history, i)][s]);
    sp_json_array_end(w);
    sp_json_object_end(w);
}

void sp_history_write(struct sp_history *history, uint64_t since_unix_ns, struct sp_json_writer *w)
{
    uint32_t from = 0;
    pthread_mutex_lock(&history->lock);
    while (from < history->count && history->at_unix_ns[column(history, from)] <= since_unix_ns)
        from++;
    sp_json_key(w, "atUnixNano");
    sp_json_array_begin(w);
    for (uint32_t i = from; i < history->count; i++)
        sp_json_u64_string(w, history->at_unix_ns[column(history, i)]);
    sp_json_array_end(w);
    sp_json_key(w, "series");
    sp_json_array_begin(w);
    for (uint32_t s = 0; s < history->series_count; s++)
        write_series(history, s, from, w);
    sp_json_array_end(w);
    pthread_mutex_unlock(&history->lock);
}

/* ---- the endpoint ---- */

/* The order is that of the rows in query/routes.c. */
enum { SINCE };

enum sp_status sp_query_answer_history(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_query_api *api = call->api;
    struct sp_json_writer w;
    (void)reterr;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "nowUnixNano");
    sp_json_u64_string(&w, call->now_unix_ns);
    sp_json_key(&w, "startedAtUnixNano");
    sp_json_u64_string(&w, api->started_unix_ns);
    sp_json_key(&w, "stepNano");
    sp_json_u64_string(&w, SP_QUERY_SAMPLE_SECONDS * NS_PER_S);
    sp_history_write(&api->history, call->values[SINCE].number, &w);
    sp_json_object_end(&w);
    return SP_OK;
}
