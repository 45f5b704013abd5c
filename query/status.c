/* SPDX-License-Identifier: Apache-2.0
 *
 * query/status.c: how the process is: /v1/status, /healthz, /readyz and /metrics. Cheap, and answered even when all query
 * threads are busy. */
#include <inttypes.h>
#include <stdio.h>

#include "query/internal.h"

/* A query process that has seen nothing new for longer is not ready. */
#define SP_QUERY_CATCH_UP_AGE_NS_MAX 10000000000ULL

static void write_time(struct sp_json_writer *w, const char *key,
                       const struct sp_store_stats *stats, uint64_t unix_ns)
{
    sp_json_key(w, key);
    sp_query_json_moment(w, stats->span_count > 0, unix_ns);
}

/* Of a store that is open: an error says how far it is otherwise. */
static enum sp_status open_stats(const struct sp_query_api *api, struct sp_store_stats *ret,
                                 struct sp_error *reterr)
{
    enum sp_status status = sp_store_stats(api->store, ret, reterr);
    if (status == SP_OK && ret->opening)
        status = sp_store_opening_error(&ret->replay, reterr);
    return status;
}

enum sp_status sp_query_answer_status(struct sp_query_call *call, struct sp_error *reterr)
{
    static const char *const names[] = {"otlpGrpc", "otlpHttp", "http"};
    const struct sp_query_api *api = call->api;
    struct sp_store_stats stats;
    enum sp_status status = open_stats(api, &stats, reterr);
    if (status != SP_OK)
        return status;
    struct sp_json_writer w;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "version");
    sp_json_cstr(&w, api->version);
    sp_json_key(&w, "startedAtUnixNano");
    sp_json_u64_string(&w, api->started_unix_ns);
    sp_json_key(&w, "uptimeSeconds");
    sp_json_u64(&w, (sp_clock_monotonic_ns(api->clock) - api->started_ns) / 1000000000);
    sp_json_key(&w, "spanCount");
    sp_json_u64_string(&w, stats.span_count);
    sp_json_key(&w, "traceCount");
    sp_json_u64_string(&w, stats.trace_count);
    sp_json_key(&w, "requestCount");
    sp_json_u64_string(&w, stats.append_count);
    sp_json_key(&w, "storedBytes");
    sp_json_u64_string(&w, stats.disk_bytes);
    sp_json_key(&w, "role");
    sp_json_cstr(&w, stats.follows ? "query" : "store");
    if (stats.follows) {
        sp_json_key(&w, "catchUpAgeNano");
        sp_json_u64_string(&w, stats.catch_up_age_ns);
    }
    write_time(&w, "oldestUnixNano", &stats, stats.oldest_unix_ns);
    write_time(&w, "newestUnixNano", &stats, stats.newest_unix_ns);
    sp_json_key(&w, "listen");
    sp_json_object_begin(&w);
    for (size_t i = 0; i < SP_ARRAY_LEN(names); i++) {
        sp_json_key(&w, names[i]);
        sp_json_cstr(&w, api->ready ? api->listen[i] : "");
    }
    sp_json_object_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}

static void answer_text(struct sp_query_call *call, const char *text)
{
    call->reply.status = 200;
    call->reply.content_type = "text/plain; charset=utf-8";
    call->reply.fixed = sp_slice_cstr(text);
}

enum sp_status sp_query_answer_health(struct sp_query_call *call, struct sp_error *reterr)
{
    (void)reterr;
    answer_text(call, "ok\n");
    return SP_OK;
}

enum sp_status sp_query_answer_ready(struct sp_query_call *call, struct sp_error *reterr)
{
    if (!call->api->ready)
        return sp_error_set(reterr, SP_UNAVAILABLE, "starting, or draining");
    struct sp_store_stats stats;
    enum sp_status status = open_stats(call->api, &stats, reterr);
    if (status != SP_OK)
        return status;
    if (stats.apply_fails)
        return sp_error_set(reterr, SP_UNAVAILABLE,
                            "requests that were acked cannot be applied; the journal keeps them");
    if (stats.follows && stats.catch_up_age_ns > SP_QUERY_CATCH_UP_AGE_NS_MAX)
        return sp_error_set(reterr, SP_UNAVAILABLE,
                            "this process reads what another one stores, and has not seen what is "
                            "new for %llu seconds",
                            (unsigned long long)(stats.catch_up_age_ns / 1000000000));
    answer_text(call, stats.follows ? "ok, query\n" : "ok\n");
    return SP_OK;
}

/* ---- OpenMetrics 1.0 ---- */

static void metric_head(struct sp_buf *out, const char *name, const char *type, const char *help)
{
    sp_buf_printf(out, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void metric_value(struct sp_buf *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
    metric_head(out, name, type, help);
    sp_buf_printf(out, "%s%s %" PRIu64 "\n", name, strcmp(type, "counter") == 0 ? "_total" : "",
                  value);
}

static void write_store(struct sp_buf *out, const struct sp_store_stats *stats)
{
    metric_value(out, "spoor_stored_spans", "gauge", "Spans stored now.", stats->span_count);
    metric_value(out, "spoor_stored_traces", "gauge", "Traces stored now.", stats->trace_count);
    metric_value(out, "spoor_stored_bytes", "gauge", "Bytes of the data directory.",
                 stats->disk_bytes);
    metric_value(out, "spoor_store_appends", "counter", "Requests made durable since start.",
                 stats->append_count);
    metric_value(out, "spoor_store_commits", "counter", "Group commits since start.",
                 stats->commit_count);
    metric_value(out, "spoor_store_apply_failures", "counter",
                 "Tries to put acked requests into their final place that failed.",
                 stats->apply_failure_count);
    metric_value(out, "spoor_store_backlog_appends", "gauge",
                 "Requests acked and not yet in their final place.", stats->backlog_appends);
    metric_value(out, "spoor_store_backlog_bytes", "gauge",
                 "Bytes acked and not yet in their final place.", stats->backlog_bytes);
    metric_value(out, "spoor_store_segments", "gauge", "Segments stored now.",
                 stats->segment_count);
    metric_value(out, "spoor_store_merge_waiting_segments", "gauge",
                 "Segments that are due to be merged: the debt of merges.",
                 stats->merge_waiting_count);
    metric_value(out, "spoor_store_dropped_segments", "gauge",
                 "Segments that were merged into others or removed and still take room, because "
                 "they are read.",
                 stats->dropped_segment_count);
    metric_value(out, "spoor_store_merges", "counter", "Merges of segments since start.",
                 stats->merge_count);
    metric_value(out, "spoor_store_merged_spans", "counter", "Spans written by merges since start.",
                 stats->merged_span_count);
    metric_value(out, "spoor_store_merge_failures", "counter",
                 "Merges that failed and are tried again.", stats->merge_failure_count);
    const struct {
        const char *name, *help;
        uint64_t by_age, by_size;
    } removed[] = {{"spoor_store_removed_segments", "Segments that retention removed since start.",
                    stats->removed_by_age.segments, stats->removed_by_size.segments},
                   {"spoor_store_removed_spans", "Spans that retention removed since start.",
                    stats->removed_by_age.spans, stats->removed_by_size.spans}};
    for (size_t i = 0; i < SP_ARRAY_LEN(removed); i++) {
        metric_head(out, removed[i].name, "counter", removed[i].help);
        sp_buf_printf(
            out, "%s_total{reason=\"age\"} %" PRIu64 "\n%s_total{reason=\"size\"} %" PRIu64 "\n",
            removed[i].name, removed[i].by_age, removed[i].name, removed[i].by_size);
    }
    metric_head(out, "spoor_store_merge_cpu_seconds", "counter",
                "Processor time of the thread that merges.");
    sp_buf_printf(out, "spoor_store_merge_cpu_seconds_total %.9f\n",
                  (double)stats->merge_cpu_ns / 1e9);
}

static void write_opening(struct sp_buf *out, const struct sp_store_stats *stats)
{
    const struct sp_store_replay *replay = &stats->replay;
    metric_value(out, "spoor_store_opening", "gauge",
                 "1: the store is being opened, and answers nothing yet.", stats->opening);
    metric_value(out, "spoor_store_replay_found_requests", "gauge",
                 "Requests that this start found in the journal.", replay->requests_all);
    metric_value(out, "spoor_store_replay_found_bytes", "gauge", "Their bytes.", replay->bytes_all);
    metric_value(out, "spoor_store_replayed_requests", "gauge",
                 "Requests of the journal that this start has read.", replay->requests);
    metric_value(out, "spoor_store_replayed_spans", "gauge", "Their spans.", replay->spans);
    metric_value(out, "spoor_store_replayed_bytes", "gauge", "Their bytes in the journal.",
                 replay->bytes);
}

static void write_following(struct sp_buf *out, const struct sp_store_stats *stats)
{
    metric_value(out, "spoor_store_follows", "gauge",
                 "1: this process only reads what another one stores.", stats->follows);
    if (!stats->follows)
        return;
    metric_head(out, "spoor_store_catch_up_age_seconds", "gauge",
                "Time since the last look at what the other process stores that went well.");
    sp_buf_printf(out, "spoor_store_catch_up_age_seconds %.9f\n",
                  (double)stats->catch_up_age_ns / 1e9);
    metric_value(out, "spoor_store_catch_ups", "counter", "Such looks since start.",
                 stats->catch_up_count);
    metric_value(out, "spoor_store_catch_up_failures", "counter", "Such looks that failed.",
                 stats->catch_up_failure_count);
    metric_value(out, "spoor_store_catch_up_headers", "counter",
                 "Headers of segments that such looks have read.", stats->catch_up_header_count);
    metric_value(out, "spoor_store_catch_up_records", "counter",
                 "Records of the journal that such looks have decoded.",
                 stats->catch_up_record_count);
    metric_value(out, "spoor_store_catch_up_anew", "counter",
                 "Such looks that read all again that is not sealed.", stats->catch_up_anew_count);
}

/* "/v1/services", "POST /v1/backups", "other". */
#define ENDPOINT_NAME_BYTES 64
static const char *endpoint_name(size_t index, char out[ENDPOINT_NAME_BYTES])
{
    if (index >= sp_query_endpoint_count)
        return "other";
    const struct sp_query_endpoint *endpoint = &sp_query_endpoints[index];
    if (endpoint->method == NULL)
        return endpoint->path;
    snprintf(out, ENDPOINT_NAME_BYTES, "%s %s", endpoint->method, endpoint->path);
    return out;
}

static bool counted(size_t index)
{
    return index < sp_query_endpoint_count || index == SP_QUERY_ENDPOINTS_MAX;
}

static void write_requests(struct sp_buf *out, struct sp_query_api *api)
{
    char name[ENDPOINT_NAME_BYTES];
    metric_head(out, "spoor_http_requests", "counter",
                "Requests to the read API answered, by endpoint and class of status.");
    for (size_t i = 0; i <= SP_QUERY_ENDPOINTS_MAX; i++)
        for (int class = 2; counted(i) && class <= 5; class ++)
            sp_buf_printf(
                out, "spoor_http_requests_total{endpoint=\"%s\",code=\"%dxx\"} %" PRIu64 "\n",
                endpoint_name(i, name), class, (uint64_t)api->counters[i].by_class[class]);
    metric_head(out, "spoor_http_request_duration_seconds", "histogram",
                "Time from request to answer, waiting included.");
    for (size_t i = 0; i <= SP_QUERY_ENDPOINTS_MAX; i++) {
        if (!counted(i))
            continue;
        uint64_t sum = 0;
        for (size_t b = 0; b <= SP_QUERY_DURATION_BUCKETS; b++) {
            sum += api->counters[i].buckets[b];
            sp_buf_printf(out, "spoor_http_request_duration_seconds_bucket{endpoint=\"%s\",le=\"",
                          endpoint_name(i, name));
            if (b < SP_QUERY_DURATION_BUCKETS)
                sp_buf_printf(out, "%g", sp_query_duration_bounds[b]);
            else
                sp_buf_append_cstr(out, "+Inf");
            sp_buf_printf(out, "\"} %" PRIu64 "\n", sum);
        }
        sp_buf_printf(out,
                      "spoor_http_request_duration_seconds_count{endpoint=\"%s\"} %" PRIu64
                      "\nspoor_http_request_duration_seconds_sum{endpoint=\"%s\"} %.9f\n",
                      endpoint_name(i, name), sum, endpoint_name(i, name),
                      (double)api->counters[i].duration_ns / 1e9);
    }
}

/* Rows of the same name stand together; the first of them writes type and help. */
static void write_set(struct sp_buf *out, const struct sp_metric *metrics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct sp_metric *metric = &metrics[i];
        bool is_counter = metric->type == SP_METRIC_COUNTER;
        if (i == 0 || strcmp(metrics[i - 1].name, metric->name) != 0)
            metric_head(out, metric->name, is_counter ? "counter" : "gauge", metric->help);
        sp_buf_printf(out, "%s%s%s%s%s %" PRIu64 "\n", metric->name, is_counter ? "_total" : "",
                      metric->labels ? "{" : "", metric->labels ? metric->labels : "",
                      metric->labels ? "}" : "", metric->read(metric->cookie));
    }
}

enum sp_status sp_query_answer_metrics(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_query_api *api = call->api;
    struct sp_buf *out = &call->reply.body;
    struct sp_store_stats stats;
    uint64_t running, waiting;
    enum sp_status status = sp_store_stats(api->store, &stats, reterr);
    if (status != SP_OK)
        return status;
    call->reply.status = 200;
    call->reply.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    metric_head(out, "spoor_build", "info", "What runs.");
    sp_buf_printf(out, "spoor_build_info{version=\"%s\"} 1\n", api->version);
    metric_head(out, "spoor_start_time_seconds", "gauge", "When the process started, Unix time.");
    sp_buf_printf(out, "spoor_start_time_seconds %.3f\n", (double)api->started_unix_ns / 1e9);
    write_opening(out, &stats);
    if (!stats.opening) {
        write_store(out, &stats);
        write_following(out, &stats);
    }
    sp_query_end_gone(api);
    sp_query_pool_load(api->pool, &running, &waiting);
    metric_value(out, "spoor_queries_running", "gauge", "Queries on a query thread.", running);
    metric_value(out, "spoor_queries_waiting", "gauge", "Queries waiting for one.", waiting);
    write_requests(out, api);
    for (size_t i = 0; i < api->metric_set_count; i++)
        write_set(out, api->metric_sets[i].metrics, api->metric_sets[i].count);
    sp_buf_append_cstr(out, "# EOF\n");
    return SP_OK;
}
