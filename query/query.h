/* SPDX-License-Identifier: Apache-2.0
 *
 * query/query.h: the read side: the HTTP API over a store, and the web UI's files. docs/api.md and docs/openapi.json
 * say what it answers. Uses wire, traceql, net, analysis, model, base and the reader half of storage; never writes spans
 * and knows nothing of the collector.
 *
 * Threads: requests come in on the transport's threads. What is cheap is answered there; what reads spans goes to a
 * bounded pool of query threads, so that no query can hold up another connection. */
#pragma once

#include "lib/base/base.h"
#include "lib/net/net.h"
#include "storage/storage.h"

struct sp_ui_file; /* ui-static/ui.h: one embedded file */

struct sp_query_api;

/* What queries may cost. Reasons and tests: docs/limits.md. */
struct sp_query_limits {
    uint32_t threads;     /* queries that run at the same time */
    uint32_t waiting_max; /* queries that wait for a thread; more get 503 with Retry-After */
    uint64_t time_ns_max; /* of one query, waiting included */
    /* of one query: the largest trace it can hold, and what it works with */
    size_t memory_bytes_max;
    size_t response_bytes_max; /* of one answer */
    uint32_t count_traces_max; /* candidates, and ... */
    uint64_t count_spans_max; /* ... spans a search looks at for an exact count, full page or not */
    size_t explain_traces_max; /* traces of a clause that an explanation remembers to count them */
};

#define SP_QUERY_THREADS        ((uint32_t)2)
#define SP_QUERY_WAITING        ((uint32_t)64)
#define SP_QUERY_TIME_NS        ((uint64_t)30 * 1000 * 1000 * 1000)
#define SP_QUERY_MEMORY_BYTES   ((size_t)2 * 1024 * 1024 * 1024)
#define SP_QUERY_RESPONSE_BYTES ((size_t)1024 * 1024 * 1024)
#define SP_QUERY_COUNT_TRACES   ((uint32_t)200)
#define SP_QUERY_COUNT_SPANS    ((uint64_t)20 * 1000)
#define SP_EXPLAIN_TRACES_MAX   ((size_t)4 << 20)

/* Of a query string: a TraceQL text can be long. Whoever listens must let a request's head be longer than this. */
#define SP_QUERY_STRING_BYTES_MAX (64 * 1024)

/* The defaults above. Static. */
const struct sp_query_limits *sp_query_limits_default(void);

/* Where the process listens, as "HOST:PORT"; "" for what it does not offer. Copied. */
struct sp_query_addresses {
    const char *otlp_grpc, *otlp_http, *http;
};

/* How the process was started, for those who look at it. Texts are borrowed and outlive the api. */
struct sp_setting {
    const char *name;      /* "data-dir" */
    struct sp_slice value; /* as written; "" when it is not set or masked */
    const char *origin;    /* "flag", "environment", "file", "default" */
    bool is_masked;        /* a secret: its value stays where it is */
};

/* A limit in force, as people are told of it. Texts are static. */
struct sp_limit_shown {
    const char *part; /* the heading of docs/limits.md that it stands under */
    const char *name; /* "spans of a request" */
    const char *unit; /* "ns", "bytes", "" for a count */
    const char *from; /* the option or the constant */
    uint64_t value;   /* 0: there is none */
};

struct sp_library {
    const char *name, *version, *license;
};

struct sp_query_options {
    struct sp_store *store;               /* borrowed; closed after sp_query_api_free */
    const struct sp_query_limits *limits; /* NULL: the defaults */
    const struct sp_clock *clock;         /* borrowed; never NULL */
    const struct sp_log *log;             /* borrowed; NULL: nothing is logged */
    const char *version;                  /* of the program, static: "0.1.0" */
    const struct sp_ui_file *ui_files; /* sp_ui_files of ui-static/ui.h, sorted by path; borrowed */
    size_t ui_file_count;              /* 0: no web UI in this build */
    /* Whose pages may show the UI in a frame: "self", "https://HOST:PORT"; read at once. None: nobody's. */
    const struct sp_slice *frame_ancestors;
    size_t frame_ancestor_count;
    /* The UI opens it in a window that may talk to ours: "http://...", "https://..."; "none" or empty: it opens no such window. Read at once. */
    struct sp_slice perfetto_url;
    /* What /v1/system tells; all of it may be left out. */
    const struct sp_setting *settings; /* borrowed */
    size_t setting_count;
    const struct sp_limit_shown *limits_shown; /* of other rooms; borrowed */
    size_t limit_shown_count;
    const struct sp_library *libraries; /* borrowed */
    size_t library_count;
    const char *data_dir;          /* borrowed; NULL: the room on its disk is not told */
    struct sp_retention retention; /* in force */
    bool may_cancel;               /* DELETE /v1/queries/{id} ends queries of others */
};

/* Starts the query threads. SP_NO_MEMORY; SP_INTERNAL when a thread cannot be started; SP_INVALID_ARGUMENT for a frame ancestor that is no
 * origin, and a perfetto_url that is no address. */
SP_MUST_USE enum sp_status sp_query_api_new(const struct sp_query_options *options,
                                            struct sp_query_api **ret, struct sp_error *reterr);

/* Answers what still waits with 503, ends what runs as soon as it looks at the clock, joins the threads. The transport
 * must hand in nothing any more. NULL is fine. */
void sp_query_api_free(struct sp_query_api *api);

/* Ready: /readyz says 200 and /v1/status names the addresses. Call it when the listeners are bound; once. */
void sp_query_api_set_ready(struct sp_query_api *api, const struct sp_query_addresses *addresses);

/* Draining: /readyz says 503 from now on; requests are still answered. */
void sp_query_api_set_draining(struct sp_query_api *api);

/* For struct sp_server_options of lib/net. Answers every request, at once or from a query thread. */
struct sp_handler sp_query_api_handler(struct sp_query_api *api);

/* ---- numbers for GET /metrics ---- */

enum sp_metric_type { SP_METRIC_COUNTER, SP_METRIC_GAUGE };

/* One sample of OpenMetrics. Rows of one name stand together and share type and help. */
struct sp_metric {
    const char *name;   /* "spoor_received_spans"; a counter gets "_total" behind it */
    const char *labels; /* "transport=\"grpc\"", or NULL */
    const char *help;   /* one sentence */
    enum sp_metric_type type;
    uint64_t (*read)(void *cookie); /* any thread, must not block */
    void *cookie;
    const char *advice; /* what whoever reads this row can do, for /v1/system; or NULL */
};

#define SP_QUERY_METRIC_SETS_MAX 8
#define SP_QUERY_SAMPLE_SECONDS  5 /* between two calls of sp_query_api_sample */

/* Adds rows of other rooms (the collector's counters, say). Borrowed; they outlive the api. Before the first request. */
void sp_query_api_add_metrics(struct sp_query_api *api, const struct sp_metric *metrics,
                              size_t count);

/* Rows of these that /v1/system/history tells, too. Borrowed, as above. Before the first sample. */
void sp_query_api_remember(struct sp_query_api *api, const struct sp_metric *metrics, size_t count);

/* Remembers what those rows show now, for an hour. To be called every SP_QUERY_SAMPLE_SECONDS, by one thread. */
void sp_query_api_sample(struct sp_query_api *api);
