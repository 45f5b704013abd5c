/* SPDX-License-Identifier: Apache-2.0
 *
 * query/system.c: GET /v1/system: all there is to say of the process for people who run it: counters of every room, the store,
 * queries, limits, settings, libraries. The numbers are those of /metrics. DELETE /v1/queries/{id} ends a query, where the server
 * was started so. */
#include <sys/statvfs.h>

#include "query/complete.h"
#include "query/facets.h"
#include "query/internal.h"
#include "query/latency.h"
#include "query/live.h"
#include "query/metrics.h"
#include "query/quantiles.h"
#include "query/search_result.h"
#include "query/series.h"
#include "query/split.h"
#include "query/steps.h"
#include "query/trace.h"
#include "query/trace_columns.h"

/* ---- counters ---- */

static void write_counters(const struct sp_query_api *api, struct sp_json_writer *w)
{
    sp_json_key(w, "counters");
    sp_json_array_begin(w);
    for (size_t s = 0; s < api->metric_set_count; s++) {
        for (size_t i = 0; i < api->metric_sets[s].count; i++) {
            const struct sp_metric *metric = &api->metric_sets[s].metrics[i];
            sp_json_object_begin(w);
            sp_json_key(w, "name");
            sp_json_cstr(w, metric->name);
            sp_json_key(w, "labels");
            sp_json_cstr(w, metric->labels ? metric->labels : "");
            sp_json_key(w, "help");
            sp_json_cstr(w, metric->help);
            sp_json_key(w, "counts");
            sp_json_bool(w, metric->type == SP_METRIC_COUNTER);
            sp_json_key(w, "value");
            sp_json_u64_string(w, metric->read(metric->cookie));
            if (metric->advice) {
                sp_json_key(w, "advice");
                sp_json_cstr(w, metric->advice);
            }
            sp_json_object_end(w);
        }
    }
    sp_json_array_end(w);
}

/* ---- the store ---- */

static void write_disk(const char *data_dir, struct sp_json_writer *w)
{
    struct statvfs disk;
    sp_json_key(w, "disk");
    if (!data_dir || statvfs(data_dir, &disk) != 0) {
        sp_json_null(w);
        return;
    }
    sp_json_object_begin(w);
    sp_json_key(w, "freeBytes");
    sp_json_u64_string(w, (uint64_t)disk.f_bavail * disk.f_frsize);
    sp_json_key(w, "allBytes");
    sp_json_u64_string(w, (uint64_t)disk.f_blocks * disk.f_frsize);
    sp_json_object_end(w);
}

static void write_store(const struct sp_query_api *api, const struct sp_store_stats *stats,
                        struct sp_json_writer *w)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"spanCount", stats->span_count},
        {"traceCount", stats->trace_count},
        {"storedBytes", stats->disk_bytes},
        {"backlogRequests", stats->backlog_appends},
        {"backlogBytes", stats->backlog_bytes},
        {"requestsStored", stats->append_count},
        {"commits", stats->commit_count},
        {"applyFailures", stats->apply_failure_count},
        {"segmentCount", stats->segment_count},
        {"mergeWaitingSegments", stats->merge_waiting_count},
        {"droppedSegments", stats->dropped_segment_count},
        {"merges", stats->merge_count},
        {"mergedSpans", stats->merged_span_count},
        {"mergeFailures", stats->merge_failure_count},
        {"mergeCpuNano", stats->merge_cpu_ns},
        {"removedByAgeSegments", stats->removed_by_age.segments},
        {"removedByAgeSpans", stats->removed_by_age.spans},
        {"removedBySizeSegments", stats->removed_by_size.segments},
        {"removedBySizeSpans", stats->removed_by_size.spans},
        {"retentionAgeNano", api->retention.age_ns},
        {"retentionBytes", api->retention.disk_bytes},
    };
    sp_json_key(w, "store");
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(numbers); i++) {
        sp_json_key(w, numbers[i].name);
        sp_json_u64_string(w, numbers[i].value);
    }
    sp_json_key(w, "oldestUnixNano");
    sp_query_json_moment(w, stats->span_count > 0, stats->oldest_unix_ns);
    sp_json_key(w, "newestUnixNano");
    sp_query_json_moment(w, stats->span_count > 0, stats->newest_unix_ns);
    sp_json_key(w, "applyFails");
    sp_json_bool(w, stats->apply_fails);
    sp_json_key(w, "follows");
    sp_json_bool(w, stats->follows);
    write_disk(api->data_dir, w);
    sp_json_object_end(w);
}

/* ---- queries ---- */

/* Answers of each endpoint, and how long they took: as many as took at most each of the bounds, and more than before. */
static void write_endpoints(struct sp_query_api *api, struct sp_json_writer *w)
{
    sp_json_key(w, "durationBoundsSeconds");
    sp_json_array_begin(w);
    for (size_t i = 0; i < SP_QUERY_DURATION_BUCKETS; i++)
        sp_json_double(w, sp_query_duration_bounds[i]);
    sp_json_array_end(w);
    sp_json_key(w, "endpoints");
    sp_json_array_begin(w);
    for (size_t i = 0; i < sp_query_endpoint_count; i++) {
        const struct sp_query_endpoint *endpoint = &sp_query_endpoints[i];
        const struct sp_query_counters *counters = &api->counters[i];
        sp_json_object_begin(w);
        sp_json_key(w, "path");
        sp_json_cstr(w, endpoint->path);
        sp_json_key(w, "method");
        sp_json_cstr(w, endpoint->method ? endpoint->method : "GET");
        sp_json_key(w, "answered");
        sp_json_u64_string(w, counters->by_class[2] + counters->by_class[3]);
        sp_json_key(w, "refused");
        sp_json_u64_string(w, counters->by_class[4]);
        sp_json_key(w, "failed");
        sp_json_u64_string(w, counters->by_class[5]);
        sp_json_key(w, "buckets");
        sp_json_array_begin(w);
        for (size_t b = 0; b <= SP_QUERY_DURATION_BUCKETS; b++)
            sp_json_u64_string(w, counters->buckets[b]);
        sp_json_array_end(w);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_queries(struct sp_query_call *call, struct sp_json_writer *w)
{
    struct sp_query_api *api = call->api;
    uint64_t running, waiting;
    sp_query_end_gone(api);
    sp_query_pool_load(api->pool, &running, &waiting);
    sp_json_key(w, "queries");
    sp_json_object_begin(w);
    sp_json_key(w, "mayCancel");
    sp_json_bool(w, api->may_cancel);
    sp_json_key(w, "runningCount");
    sp_json_u64(w, running);
    sp_json_key(w, "waitingCount");
    sp_json_u64(w, waiting);
    sp_running_write(&api->running, call, w);
    write_endpoints(api, w);
    sp_json_object_end(w);
}

/* ---- what is in force ---- */

static void write_limit(const struct sp_limit_shown *limit, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_json_key(w, "part");
    sp_json_cstr(w, limit->part);
    sp_json_key(w, "name");
    sp_json_cstr(w, limit->name);
    sp_json_key(w, "value");
    sp_json_u64_string(w, limit->value);
    sp_json_key(w, "unit");
    sp_json_cstr(w, limit->unit);
    sp_json_key(w, "from");
    sp_json_cstr(w, limit->from);
    sp_json_object_end(w);
}

/* A limit of this room. */
#define ASKING(name, unit, from, value)                                                            \
    {                                                                                              \
        "Asking", name, unit, from, value                                                          \
    }
#define CONSTANT(name, unit, value) ASKING(name, unit, #value, value)

static void write_limits(const struct sp_query_api *api, struct sp_json_writer *w)
{
    const struct sp_query_limits *limits = &api->limits;
    const struct sp_limit_shown own[] = {
        ASKING("queries at the same time", "", "--query-threads", limits->threads),
        ASKING("queries that wait", "", "SP_QUERY_WAITING", limits->waiting_max),
        ASKING("time of a query", "ns", "--query-timeout", limits->time_ns_max),
        ASKING("memory of a query", "bytes", "--query-memory", limits->memory_bytes_max),
        ASKING("one answer", "bytes", "SP_QUERY_RESPONSE_BYTES, --reply-memory",
               limits->response_bytes_max),
        ASKING("traces looked at for an exact count", "", "SP_QUERY_COUNT_TRACES",
               limits->count_traces_max),
        ASKING("spans looked at for an exact count", "", "SP_QUERY_COUNT_SPANS",
               limits->count_spans_max),
        ASKING("traces of a clause that is explained", "", "SP_EXPLAIN_TRACES_MAX",
               limits->explain_traces_max),
        CONSTANT("query string", "bytes", SP_QUERY_STRING_BYTES_MAX),
        CONSTANT("traces of a sample", "", SP_QUERY_SAMPLE_TRACES_MAX),
        CONSTANT("nodes of a merged tree", "", SP_QUERY_TREE_NODES_MAX),
        CONSTANT("one search result", "bytes", SP_RESULT_BYTES_MAX),
        CONSTANT("rows of a trace in one request", "", SP_TRACE_ANSWER_ROWS_MAX),
        CONSTANT("attribute keys listed of a trace", "", SP_TRACE_KEYS_MAX),
        CONSTANT("events in the columns of a trace", "", SP_COLUMNS_EVENTS_MAX),
        CONSTANT("points of a series", "", SP_METRICS_POINTS_MAX),
        CONSTANT("series of an answer", "", SP_METRICS_SERIES_MAX),
        CONSTANT("series held while they are counted", "", SP_SERIES_HELD_MAX),
        CONSTANT("steps of a series of graphs or latencies", "", SP_QUERY_STEPS_MAX),
        CONSTANT("columns of a heatmap", "", SP_HEATMAP_STEPS_MAX),
        CONSTANT("rows of a heatmap", "", SP_HEATMAP_ROWS_MAX),
        CONSTANT("keys of facets", "", SP_FACET_KEYS_MAX),
        CONSTANT("values of a key that are told apart", "", SP_SPLIT_VALUES_MAX),
        CONSTANT("rows of latencies", "", SP_LATENCY_PAGE_MAX),
        CONSTANT("quantiles of one question", "", SP_QUERY_QUANTILES_MAX),
        CONSTANT("keys that a completion looks for", "", SP_COMPLETION_KEYS_MAX),
        CONSTANT("readings of counters that are remembered", "", SP_HISTORY_SAMPLES_MAX),
        CONSTANT("clients of /v1/live", "", SP_LIVE_STREAMS_MAX),
        CONSTANT("traces that wait for a client of /v1/live", "", SP_LIVE_WAITING_MAX),
    };
    sp_json_key(w, "limits");
    sp_json_array_begin(w);
    for (size_t i = 0; i < api->limit_shown_count; i++)
        write_limit(&api->limits_shown[i], w);
    for (size_t i = 0; i < SP_ARRAY_LEN(own); i++)
        write_limit(&own[i], w);
    sp_json_array_end(w);
}

static void write_settings(const struct sp_query_api *api, struct sp_json_writer *w)
{
    sp_json_key(w, "settings");
    sp_json_array_begin(w);
    for (size_t i = 0; i < api->setting_count; i++) {
        const struct sp_setting *setting = &api->settings[i];
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        sp_json_cstr(w, setting->name);
        sp_json_key(w, "value");
        sp_json_string(w, setting->value);
        sp_json_key(w, "origin");
        sp_json_cstr(w, setting->origin);
        sp_json_key(w, "masked");
        sp_json_bool(w, setting->is_masked);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    sp_json_key(w, "libraries");
    sp_json_array_begin(w);
    for (size_t i = 0; i < api->library_count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        sp_json_cstr(w, api->libraries[i].name);
        sp_json_key(w, "version");
        sp_json_cstr(w, api->libraries[i].version);
        sp_json_key(w, "license");
        sp_json_cstr(w, api->libraries[i].license);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

enum sp_status sp_query_answer_system(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_query_api *api = call->api;
    struct sp_store_stats stats;
    struct sp_json_writer w;
    enum sp_status status = sp_store_stats(api->store, &stats, reterr);
    if (status == SP_OK && stats.opening)
        status = sp_store_opening_error(&stats.replay, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "version");
    sp_json_cstr(&w, api->version);
    sp_json_key(&w, "nowUnixNano");
    sp_json_u64_string(&w, call->now_unix_ns);
    sp_json_key(&w, "startedAtUnixNano");
    sp_json_u64_string(&w, api->started_unix_ns);
    write_counters(api, &w);
    write_store(api, &stats, &w);
    write_queries(call, &w);
    write_limits(api, &w);
    write_settings(api, &w);
    sp_json_object_end(&w);
    return SP_OK;
}

enum sp_status sp_query_answer_cancel(struct sp_query_call *call, struct sp_error *reterr)
{
    uint64_t id;
    struct sp_json_writer w;
    if (!call->api->may_cancel)
        return sp_error_set(
            reterr, SP_PERMISSION,
            "this server was not started with --allow-cancel: it can only be looked at");
    if (!sp_parse_u64(call->path_id, &id) ||
        !(sp_query_end_waiting(call->api, id) || sp_running_cancel(&call->api->running, id)))
        return sp_error_set(reterr, SP_NOT_FOUND, "no query with this id runs or waits");
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "cancelled");
    sp_json_u64_string(&w, id);
    sp_json_object_end(&w);
    return SP_OK;
}
