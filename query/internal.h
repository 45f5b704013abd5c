/* SPDX-License-Identifier: Apache-2.0
 *
 * query/internal.h: what the files of this room share: one request, its parameters, its reply. Sockets are not known
 * here: query/api.c translates between these and lib/net, so that every answer can be tested without a socket. */
#pragma once

#include "lib/net/net.h"
#include "query/history.h"
#include "query/query.h"
#include "query/running.h"
#include "query/turns.h"

#define SP_QUERY_PARAMETERS_MAX    16 /* of one endpoint */
#define SP_QUERY_HEADERS_MAX       12
#define SP_QUERY_SAMPLE_TRACES_MAX ((uint64_t)100 * 1000) /* traces that one answer adds up */
#define SP_QUERY_TREE_NODES_MAX    ((uint64_t)10 * 1000)  /* of a merged tree in one answer */
#define SP_QUERY_BODY_BYTES_MAX    ((size_t)128 * 1024)   /* of a POST: a link, with escapes */

#define SP_QUERY_LOCATION_BYTES 4096 /* of a redirect; a longer one is not made */

/* ---- request ---- */

struct sp_query_reply;

/* Where an answer may go in parts, before it is done. Nothing here waits. */
struct sp_query_stream {
    /* Sends status, type and headers of the reply. SP_OVERLOADED, SP_NO_MEMORY: nothing was sent. */
    enum sp_status (*begin)(void *cookie, const struct sp_query_reply *reply,
                            struct sp_error *reterr);
    /* All of bytes, or false and nothing: there is no room now. */
    bool (*write)(void *cookie, struct sp_slice bytes);
    void *cookie;
};

struct sp_query_request {
    struct sp_slice method; /* "GET" */
    struct sp_slice path;   /* as sent, not decoded, without the query string */
    struct sp_slice query;  /* what follows '?', not decoded */
    struct sp_slice accept, accept_encoding, if_none_match,
        content_type;                /* header values; "" when absent */
    struct sp_slice client;          /* "127.0.0.1:54321"; "" in tests */
    struct sp_slice body;            /* of a POST; empty as long as only the head was read */
    uint64_t body_bytes;             /* its length, or what the head says of it */
    bool (*cancelled)(void *cookie); /* has the client gone? NULL: never */
    void *cookie;
    const struct sp_query_stream *stream; /* NULL: the answer goes whole */
};

/* ---- parameters ---- */

enum sp_parameter_type {
    SP_PARAMETER_TEXT,
    SP_PARAMETER_TIME,   /* number: Unix nanoseconds */
    SP_PARAMETER_NUMBER, /* number: decimal, between min and max */
    SP_PARAMETER_CHOICE, /* number: index into choices */
    SP_PARAMETER_SWITCH, /* number: 0 for false and 0, 1 for true and 1 */
};

struct sp_parameter {
    const char *name;
    enum sp_parameter_type type;
    const char *choices;             /* CHOICE: "json|dot" */
    uint64_t preset;                 /* NUMBER, CHOICE, TIME: the value when it is not given */
    uint64_t number_min, number_max; /* NUMBER */
    bool reads_spans;                /* whoever gives it asks for more than a short question does */
};

struct sp_parameter_value {
    bool set;             /* given and not empty; an empty value counts as not given */
    struct sp_slice text; /* decoded; memory of the arena */
    uint64_t number;
};

/* Decodes and checks a query string against the table of an endpoint.
 * values  one for each row of the table, in its order.
 * SP_INVALID_ARGUMENT  unknown, repeated or malformed parameter: reterr->parameter names it, the message says what is
 *                      allowed.   SP_LIMIT  too long, or the arena is full. */
SP_MUST_USE enum sp_status sp_parameters_parse(const struct sp_parameter *table, size_t count,
                                               struct sp_slice query, uint64_t now_unix_ns,
                                               struct sp_arena *arena,
                                               struct sp_parameter_value *values,
                                               struct sp_error *reterr);

/* Does an If-None-Match header name this entity tag (weak comparison)? */
bool sp_etag_matches(struct sp_slice if_none_match, const char *etag);

/* ---- reply ---- */

struct sp_query_call;
struct sp_pass_notes;
struct sp_live;
struct sp_live_thread;

struct sp_query_reply {
    int status;
    const char *content_type; /* NULL: no body */
    struct sp_buf body;       /* heap; the reply's */
    struct sp_slice fixed;    /* a body in static memory, used when body is empty */
    struct {
        const char *name, *value; /* static, or one of the two below */
    } headers[SP_QUERY_HEADERS_MAX];
    size_t header_count;
    char location[SP_QUERY_LOCATION_BYTES]; /* room for one built header value */
    char body_bytes[24];                    /* of the body before it was packed, as text */
};

void sp_query_reply_header(struct sp_query_reply *reply, const char *name, const char *value);

/* Begins a JSON answer: sets status and type and readies the writer on the reply's body. */
void sp_query_reply_json(struct sp_query_call *call, struct sp_json_writer *w);

/* The body's error, as the error of an endpoint: SP_LIMIT says that the answer is larger than response_bytes_max. */
SP_MUST_USE enum sp_status sp_query_reply_end(struct sp_query_call *call, struct sp_error *reterr);

/* ---- replies in parts: JSON, one object a line ---- */

#define SP_QUERY_LINES_MEDIA_TYPE "application/x-ndjson"

/* Sends the head of a reply of status 200. From now on reply.body is what comes behind all that was written, and a failure is a last
 * line there, {"problem":{...}}. SP_OVERLOADED, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_query_stream_begin(struct sp_query_call *call,
                                                 const char *content_type, struct sp_error *reterr);
/* Whole lines. False: nothing was written, there is no room now. */
bool sp_query_stream_write(struct sp_query_call *call, struct sp_slice lines);

/* ---- one call ---- */

struct sp_query_endpoint;

struct sp_query_call {
    struct sp_query_api *api;
    const struct sp_query_endpoint *endpoint;
    struct sp_query_request request;
    struct sp_slice path_id; /* the {id} of the path; memory of the request */
    struct sp_parameter_value values[SP_QUERY_PARAMETERS_MAX];
    struct sp_arena arena; /* everything of this call; its cap is limits.memory_bytes_max */
    struct sp_query_reply reply;
    bool streaming;       /* the head is sent, and reply.body is the rest */
    struct sp_live *live; /* not NULL: it goes on (query/live.h), and so does its arena */
    uint64_t id;          /* for logs and problem documents */
    struct sp_running_entry running; /* while it waits for a query thread or is answered by one */
    uint64_t now_unix_ns;            /* the same "now" for all of the call */
    uint64_t begin_ns;               /* monotonic: when it came */
    uint64_t deadline_ns;            /* monotonic */
    struct sp_stop stop;             /* sp_query_check, for the reads of the store */
    struct sp_turn *turn;            /* of the query thread; NULL: it takes none */
    const char *error_title;         /* of a problem document; NULL: the status's own */
    char error_expected[256];        /* "expected" of a problem document; "" for none */
    struct sp_pass_notes *passes; /* NULL, or where passes over spans are noted (pass_explain.h) */
};

/* SP_OK, SP_DEADLINE when the time is used up, SP_CANCELLED when the client went or the api is being freed. Cheap
 * enough to ask for every trace and every few thousand spans. While spans come in, a query thread may wait here for its turn. */
SP_MUST_USE enum sp_status sp_query_check(const struct sp_query_call *call,
                                          struct sp_error *reterr);

/* The trace id that the path has. SP_INVALID_ARGUMENT (parameter "id"). */
SP_MUST_USE enum sp_status sp_query_path_trace(const struct sp_query_call *call,
                                               struct sp_trace_id *ret, struct sp_error *reterr);

/* The time range of the parameters `from` and `to`, which an endpoint with these has as its first two rows. */
SP_MUST_USE enum sp_status sp_query_range(const struct sp_query_call *call,
                                          struct sp_time_range *ret, struct sp_error *reterr);

/* "unix ns" as a string, or null for the open ends 0 and UINT64_MAX. */
void sp_query_json_bound(struct sp_json_writer *w, uint64_t unix_ns);
/* The same of the time of a span, which may be 0 or UINT64_MAX; null if there is none. */
void sp_query_json_moment(struct sp_json_writer *w, bool known, uint64_t unix_ns);

/* ---- endpoints ---- */

typedef enum sp_status (*sp_query_answer)(struct sp_query_call *call, struct sp_error *reterr);

/* Where a question is answered. */
enum sp_query_room {
    SP_QUERY_HERE,  /* on the transport's thread: reads no spans */
    SP_QUERY_SHORT, /* by a query thread; one of them takes nothing else. Sums that are kept, or one trace; LONG with a parameter that
                     * reads spans */
    SP_QUERY_LONG,  /* by a query thread: may look at everything */
};

struct sp_query_endpoint {
    const char *path; /* "/v1/services"; "{id}" stands for one segment */
    enum sp_query_room room;
    const struct sp_parameter *parameters;
    size_t parameter_count;
    sp_query_answer answer; /* fills call->reply; on failure a problem document is made of reterr */
    const char *method;     /* NULL: GET and HEAD. Rows of one path stand together */
};

/* Is the question one that a query thread for short ones takes? */
bool sp_query_is_short(const struct sp_query_endpoint *endpoint, struct sp_slice query);

/* The table of all endpoints, in query/routes.c. */
extern const struct sp_query_endpoint sp_query_endpoints[];
extern const size_t sp_query_endpoint_count;

/* The row for a path and a method, or for the path with another method, or NULL; *ret_id is the segment that stood for {id}. */
const struct sp_query_endpoint *sp_query_route(struct sp_slice method, struct sp_slice path,
                                               struct sp_slice *ret_id);
/* Does the row answer this method? NULL: a file. */
bool sp_query_takes_method(const struct sp_query_endpoint *endpoint, struct sp_slice method);
/* What else could have been said of the head of a request before its body is read: SP_METHOD, SP_UNSUPPORTED (a POST whose type a page of
 * another origin may send without asking), SP_LIMIT. */
SP_MUST_USE enum sp_status sp_query_check_head(const struct sp_query_endpoint *endpoint,
                                               struct sp_slice method, struct sp_slice content_type,
                                               uint64_t body_bytes, struct sp_error *reterr);

/* Colour slots on the wire: the palette has 30. */
#define SP_QUERY_SLOTS 30

/* Slot of a service by name among rows sorted by name; 0 when it is not there. */
uint32_t sp_query_slot(const struct sp_service_row *rows, size_t count, struct sp_slice name);

enum sp_status sp_query_answer_status(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_services(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_operations(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_attributes(struct sp_query_call *call, struct sp_error *reterr);
/* Of attributes. restricted: q says of which spans. */
enum sp_status sp_query_answer_intrinsics(struct sp_query_call *call, struct sp_time_range range,
                                          bool restricted, struct sp_error *reterr);
enum sp_status sp_query_answer_search(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_trace(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_spans(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_match(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_trace_attributes(struct sp_query_call *call,
                                                struct sp_error *reterr);
enum sp_status sp_query_answer_graph(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_graph_calls(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_latency(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_compare(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_compare_traces(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_critical_path(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_series(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_live(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_facets(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_percentiles(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_heatmap(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_instant(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_backups(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_backup_make(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_backup_remove(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_pins(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_pin(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_unpin(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_short_links(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_short_link(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_short_link_make(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_short_link_remove(struct sp_query_call *call,
                                                 struct sp_error *reterr);
enum sp_status sp_query_answer_system(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_cancel(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_quality(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_health(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_ready(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_history(struct sp_query_call *call, struct sp_error *reterr);
enum sp_status sp_query_answer_metrics(struct sp_query_call *call, struct sp_error *reterr);

/* The policy of ui.h and some fifty origins. */
#define SP_UI_POLICY_BYTES 4096

/* Static files and redirects; SP_NOT_FOUND for every other path. */
enum sp_status sp_query_answer_file(struct sp_query_call *call, struct sp_error *reterr);
/* The policy of the UI's files. SP_INVALID_ARGUMENT: an ancestor is no origin; SP_LIMIT: they are too many. */
SP_MUST_USE enum sp_status sp_ui_policy_make(char ret[SP_UI_POLICY_BYTES],
                                             const struct sp_slice *ancestors, size_t count,
                                             struct sp_error *reterr);
/* Whether windows that the UI opens may talk to it, as a header says it: static. SP_INVALID_ARGUMENT: it is no address. */
SP_MUST_USE enum sp_status sp_ui_opener_policy(struct sp_slice perfetto_url, const char **ret,
                                               struct sp_error *reterr);

/* ---- the api ---- */

/* Counters of one endpoint; all atomics, read by /metrics. */
#define SP_QUERY_DURATION_BUCKETS 9
extern const double sp_query_duration_bounds[SP_QUERY_DURATION_BUCKETS]; /* seconds */

struct sp_query_counters {
    _Atomic uint64_t by_class[6]; /* answers by status / 100 */
    _Atomic uint64_t buckets[SP_QUERY_DURATION_BUCKETS + 1];
    _Atomic uint64_t duration_ns;
};

#define SP_QUERY_ENDPOINTS_MAX 40

struct sp_query_pool;

struct sp_query_api {
    struct sp_store *store;
    struct sp_query_limits limits;
    const struct sp_clock *clock;
    const struct sp_log *log;
    const char *version;
    const struct sp_ui_file *ui_files;
    size_t ui_file_count;
    char ui_policy[SP_UI_POLICY_BYTES]; /* content-security-policy of the UI's files */
    const char *ui_opener_policy;       /* and their cross-origin-opener-policy */
    uint64_t started_unix_ns, started_ns;
    struct sp_query_pool *pool;
    struct sp_turns turns;
    struct sp_running running;
    struct sp_history history;
    const struct sp_limit_shown *limits_shown;
    size_t limit_shown_count;
    const struct sp_setting *settings;
    size_t setting_count;
    const struct sp_library *libraries;
    size_t library_count;
    const char *data_dir;
    struct sp_retention retention;
    bool may_cancel;
    struct sp_live_thread *live;
    struct {
        const struct sp_metric *metrics;
        size_t count;
    } metric_sets[SP_QUERY_METRIC_SETS_MAX];
    size_t metric_set_count;
    char listen[3][128]; /* written before ready is set */
    _Atomic bool ready, stopping;
    _Atomic uint64_t next_id;
    /* the last: files and unknown paths */
    struct sp_query_counters counters[SP_QUERY_ENDPOINTS_MAX + 1];
};

/* Readies arena, reply, clock and deadline of a call whose api, request and begin_ns are set. */
void sp_query_call_begin(struct sp_query_call *call);

/* Answers one call from beginning to end: routes, checks, answers, writes the problem document on failure, counts.
 * call->api, ->request and ->begin_ns are filled in by the caller; call->reply is the result. */
void sp_query_call_run(struct sp_query_call *call);

/* The same for a call that is refused unseen. */
void sp_query_call_refuse(struct sp_query_call *call, const struct sp_error *error);

void sp_query_call_fini(struct sp_query_call *call);

/* ---- calls that wait for a thread (query/api.c) ---- */

/* Answers the one with this id: it was ended by DELETE /v1/queries. False: none such waits. */
bool sp_query_end_waiting(struct sp_query_api *api, uint64_t id);
/* Answers those whose clients have gone: whoever looks at what waits need not see them, nor do they keep a place. */
void sp_query_end_gone(struct sp_query_api *api);

/* Fills the reply with a problem document (RFC 9457), or with the last line of a stream that says the same. */
void sp_query_problem(struct sp_query_call *call, const struct sp_error *error);

/* ---- pool of query threads (query/pool.c) ---- */

/* Behind what takes spans in, and behind seals (SP_ROCKS_SEAL_NICE), without which it would stop. */
#define SP_QUERY_NICE 12

struct sp_query_job {
    struct sp_query_job *next;
    bool is_short;
    uint64_t number;                       /* the pool's: in the order in which jobs came */
    void (*run)(struct sp_query_job *job); /* on a query thread */
};

/* So many threads, which take jobs in the order in which they came, and one more for short jobs, which passes long ones over.
 * NULL: no memory, or no thread could be started. */
struct sp_query_pool *sp_query_pool_new(uint32_t threads, uint32_t waiting_max);
bool sp_query_pool_submit(struct sp_query_pool *pool,
                          struct sp_query_job *job); /* false: full or stopping */
/* The first job that is wanted, of those that wait: the caller's from now on, as one that was not taken. wanted must not block. NULL:
 * there is none, or a thread has it already. */
struct sp_query_job *sp_query_pool_withdraw(struct sp_query_pool *pool,
                                            bool (*wanted)(const struct sp_query_job *job,
                                                           const void *cookie),
                                            const void *cookie);
void sp_query_pool_free(struct sp_query_pool *pool); /* runs what waits, then joins; NULL is fine */
void sp_query_pool_load(struct sp_query_pool *pool, uint64_t *ret_running, uint64_t *ret_waiting);

/* May a query that runs have one more thread to help it? Only while no other query waits, and queries and helpers together are fewer than
 * the pool's threads, and than most: so that many queries do not become more threads than processors. Give it back when the helper has ended. pool
 * NULL (a test without one): yes. */
SP_MUST_USE bool sp_query_pool_borrow(struct sp_query_pool *pool, uint32_t most);
void sp_query_pool_give_back(struct sp_query_pool *pool);

/* The same for a query of this api: none while spans come in and a processor is wanted for them. */
static inline bool sp_query_borrow(struct sp_query_api *api)
{
    return sp_query_pool_borrow(api->pool, sp_turns_limit(&api->turns));
}
