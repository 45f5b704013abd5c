/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/serve.c: `spoor serve`: starts to open the store, starts the receivers and the read API, which say "try again" until it is open,
 * waits for a signal, drains.
 * Composition only: every part is a room of its own. */
#include "cmd/cmd.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd/counters.h"
#include "cmd/memory.h"
#include "cmd/options.h"
#include "cmd/settings.h"
#include "collector/collector.h"
#include "lib/base/base.h"
#include "lib/net/net.h"
#include "query/query.h"
#include "storage/storage.h"
#include "ui-static/ui.h"

#define SP_SERVE_CONFIG_ARENA_BYTES ((size_t)8 * 1024 * 1024)

/* The numbers of --only's choices are one less. */
enum role { ROLE_BOTH, ROLE_COLLECTOR, ROLE_QUERY };

struct server {
    struct sp_log log;
    struct sp_limits limits;
    struct sp_budget budget, reply_budget;
    struct sp_store *store;
    struct sp_collector *collector;
    struct sp_query_api *query;
    struct sp_listeners listeners;
    size_t setting_count;
    enum role role;
    uint32_t drain_timeout_ms;
    pthread_t main_thread;
    /* What became of opening the store; written before open_ended is set. */
    enum sp_status open_status;
    struct sp_error open_error;
    _Atomic bool open_ended;
};

/* ---- start ---- */

/* Of --retention-size. Less would leave nothing but the journal. */
#define RETENTION_BYTES_MIN ((uint64_t)256 * 1024 * 1024)

/* Sent to the main thread, which waits for signals, when the store is open or cannot be opened. */
#define OPEN_ENDED_SIGNAL SIGUSR1

static void on_opened(void *cookie, enum sp_status status, const struct sp_error *error)
{
    struct server *server = cookie;
    server->open_status = status;
    server->open_error = *error;
    atomic_store(&server->open_ended, true);
    pthread_kill(server->main_thread, OPEN_ENDED_SIGNAL);
}

static enum sp_status open_store(struct server *server, const struct sp_config *config,
                                 struct sp_error *reterr)
{
    struct sp_store_options options = {
        .data_dir = (const char *)sp_config_get(config, "data-dir")->text.ptr,
        .durability = sp_config_get(config, "durability")->number == 0 ? SP_DURABILITY_SYNC
                                                                       : SP_DURABILITY_OS,
        .backlog_bytes_max = sp_config_get(config, "backlog")->number,
        .codec = sp_collector_codec(&sp_replay_limits),
        .limits = &server->limits,
        .clock = sp_clock_system(),
        .log = &server->log,
        .retention = {.age_ns = sp_config_get(config, "retention")->number,
                      .disk_bytes = sp_config_get(config, "retention-size")->number},
        .opened = on_opened,
        .opened_cookie = server,
    };
    if (options.retention.disk_bytes > 0 && options.retention.disk_bytes < RETENTION_BYTES_MIN)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "--retention-size is 0B or at least 256MiB: the journal needs some");
    return server->role == ROLE_QUERY ? sp_store_rocksdb_follow(&options, &server->store, reterr)
                                      : sp_store_rocksdb_open(&options, &server->store, reterr);
}

static enum sp_status start_rooms(struct server *server, const struct sp_config *config,
                                  struct sp_error *reterr)
{
    const struct sp_option_value *cors = sp_config_get(config, "cors-origins");
    struct sp_collector_options collector = {
        .store = server->store,
        .limits = &server->limits,
        .budget = &server->budget,
        .clock = sp_clock_system(),
        .log = &server->log,
        .cors_origins = cors->items,
        .cors_origin_count = cors->item_count,
    };
    struct sp_query_limits query_limits = *sp_query_limits_default();
    query_limits.threads = (uint32_t)sp_config_get(config, "query-threads")->number;
    query_limits.time_ns_max = sp_config_get(config, "query-timeout")->number;
    query_limits.memory_bytes_max = sp_config_get(config, "query-memory")->number;
    /* An answer that cannot fit would be asked for again and again. */
    if (query_limits.response_bytes_max > server->reply_budget.max_bytes)
        query_limits.response_bytes_max = server->reply_budget.max_bytes;
    const struct sp_option_value *frames = sp_config_get(config, "frame-ancestors");
    struct sp_query_options query = {
        .frame_ancestors = frames->items,
        .frame_ancestor_count = frames->item_count,
        .perfetto_url = sp_config_get(config, "perfetto-url")->text,
        .store = server->store,
        .limits = &query_limits,
        .clock = sp_clock_system(),
        .log = &server->log,
        .version = SPOOR_VERSION,
        .ui_files = sp_ui_files,
        .ui_file_count = sp_ui_file_count,
        .settings = sp_serve_settings(config, &server->setting_count),
        .libraries = sp_libraries,
        .library_count = sp_library_count,
        .data_dir = (const char *)sp_config_get(config, "data-dir")->text.ptr,
        .retention = {.age_ns = sp_config_get(config, "retention")->number,
                      .disk_bytes = sp_config_get(config, "retention-size")->number},
        .may_cancel = sp_config_get(config, "allow-cancel")->flag,
    };
    query.setting_count = server->setting_count;
    query.limits_shown = sp_serve_limits(config, &server->limits, server->role != ROLE_QUERY,
                                         &query.limit_shown_count);
    enum sp_status status = SP_OK;
    if (server->role != ROLE_QUERY)
        status = sp_collector_new(&collector, &server->collector, reterr);
    if (status == SP_OK)
        status = sp_query_api_new(&query, &server->query, reterr);
    if (status != SP_OK)
        return status;
    if (server->collector != NULL)
        sp_serve_count_collector(server->query, server->collector);
    sp_serve_count_connections(server->query, &server->listeners, server->collector != NULL);
    sp_serve_count_replies(server->query, &server->reply_budget);
    return SP_OK;
}

static enum sp_status listen_on(struct server *server, const struct sp_config *config,
                                const char *option,
                                enum sp_status (*start)(const struct sp_server_options *,
                                                        struct sp_server **, struct sp_error *),
                                struct sp_handler handler, struct sp_listener *listener,
                                struct sp_error *reterr)
{
    struct sp_server_options options = {
        .address = (const char *)sp_config_get(config, option)->text.ptr,
        .threads = (uint32_t)sp_config_get(config, "threads")->number,
        .handler = handler,
        .budget = &server->budget,
        .reply_budget = &server->reply_budget,
        .clock = sp_clock_system(),
        .log = &server->log,
        .limits = sp_net_limits_default(),
    };
    options.limits.body_bytes_max = server->limits.body_bytes_max;
    if (handler.cookie == server->query) /* the longest query string, and other fields beside it */
        options.limits.head_bytes_max += SP_QUERY_STRING_BYTES_MAX;
    struct sp_server *started;
    enum sp_status status = start(&options, &started, reterr);
    if (status != SP_OK)
        return status;
    listener->server = started;
    sp_log_event(&server->log, SP_LOG_INFO, "listening", NULL, sp_log_cstr("interface", option),
                 sp_log_cstr("address", sp_server_address(started)));
    return SP_OK;
}

static const char *address_of(const struct sp_listener *listener)
{
    return listener->server ? sp_server_address(listener->server) : "";
}

static enum sp_status start_listeners(struct server *server, const struct sp_config *config,
                                      struct sp_error *reterr)
{
    struct sp_listeners *listeners = &server->listeners;
    struct sp_handler query_handler = sp_query_api_handler(server->query);
    enum sp_status status = SP_OK;
    if (server->role != ROLE_QUERY)
        status =
            listen_on(server, config, "otlp-grpc", sp_http2_server_start,
                      sp_collector_grpc_handler(server->collector), &listeners->otlp_grpc, reterr);
    if (status == SP_OK && server->role != ROLE_QUERY)
        status =
            listen_on(server, config, "otlp-http", sp_http1_server_start,
                      sp_collector_http_handler(server->collector), &listeners->otlp_http, reterr);
    if (status == SP_OK && server->role != ROLE_COLLECTOR)
        status = listen_on(server, config, "http", sp_http1_server_start, query_handler,
                           &listeners->http, reterr);
    if (status != SP_OK)
        return status;
    struct sp_query_addresses addresses = {
        .otlp_grpc = address_of(&listeners->otlp_grpc),
        .otlp_http = address_of(&listeners->otlp_http),
        .http = address_of(&listeners->http),
    };
    sp_query_api_set_ready(server->query, &addresses);
    return SP_OK;
}

/* ---- stop ---- */

static void drain_listener(struct server *server, struct sp_server *listener)
{
    if (listener && !sp_server_drain(listener, server->drain_timeout_ms))
        sp_log_event(&server->log, SP_LOG_WARN, "drain_timeout",
                     "requests were still open and are cut off",
                     sp_log_cstr("address", sp_server_address(listener)));
}

/* From the outside in: no new work, then what runs, then the store. Also takes half-started servers apart. */
static void stop_server(struct server *server)
{
    struct sp_listeners *listeners = &server->listeners;
    if (server->query)
        sp_query_api_set_draining(server->query);
    if (server->collector)
        sp_collector_drain(server->collector);
    drain_listener(server, listeners->otlp_grpc.server);
    drain_listener(server, listeners->otlp_http.server);
    drain_listener(server, listeners->http.server);
    sp_server_stop(listeners->http.server); /* which reads what the others count */
    sp_server_stop(listeners->otlp_grpc.server);
    sp_server_stop(listeners->otlp_http.server);
    sp_query_api_free(server->query);
    sp_store_close(server->store);
    sp_collector_free(server->collector);
}

/* Blocked before any thread starts, so that only the wait below sees them. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, OPEN_ENDED_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

#define SAMPLES_A_LOOK (SP_MEMORY_LOOK_SECONDS / SP_QUERY_SAMPLE_SECONDS)
_Static_assert(SP_MEMORY_LOOK_SECONDS % SP_QUERY_SAMPLE_SECONDS == 0, "one wait serves both");

/* The signal that has come, after any time; meanwhile, what has to be done from time to time. */
static int next_signal(const struct server *server, const sigset_t *set)
{
    const struct timespec at_most = {.tv_sec = SP_QUERY_SAMPLE_SECONDS};
    struct sp_memory memory = {0};
    unsigned samples = 0;
    int number;
    while ((number = sigtimedwait(set, NULL, &at_most)) < 0) {
        if (errno != EAGAIN)
            continue;
        sp_query_api_sample(server->query);
        if (++samples % SAMPLES_A_LOOK == 0)
            sp_memory_look(&memory);
    }
    return number;
}

/* Until the process is told to end: SP_OK. Or the store cannot be opened: why. */
static enum sp_status wait_for_signal(const struct server *server, const sigset_t *set,
                                      struct sp_error *reterr)
{
    int number;
    bool ready = false;
    sp_query_api_sample(server->query); /* of the zeros that all begins with */
    while ((number = next_signal(server, set)) == OPEN_ENDED_SIGNAL) {
        if (ready || !atomic_load(&server->open_ended)) /* somebody else has sent it */
            continue;
        if (server->open_status != SP_OK) {
            *reterr = server->open_error;
            return server->open_status;
        }
        ready = true;
        sp_log_event(&server->log, SP_LOG_INFO, "ready", NULL,
                     sp_log_cstr("version", SPOOR_VERSION));
    }
    sp_log_event(&server->log, SP_LOG_INFO, "stopping", NULL,
                 sp_log_cstr("signal", strsignal(number)));
    return SP_OK;
}

static int run(const struct sp_config *config)
{
    struct sp_error error;
    struct server server = {
        .log = {.fd = STDERR_FILENO,
                .level = (enum sp_log_level)sp_config_get(config, "log-level")->number,
                .format = (enum sp_log_format)sp_config_get(config, "log-format")->number,
                .clock = sp_clock_system()},
        .limits = *sp_limits_default(),
        .drain_timeout_ms = (uint32_t)(sp_config_get(config, "drain-timeout")->number / 1000000),
        .main_thread = pthread_self(),
    };
    const struct sp_option_value *only = sp_config_get(config, "only");
    server.role = only->set ? (enum role)(only->number + 1) : ROLE_BOTH;
    /* A body that cannot fit into the memory for all bodies would be asked to try again for ever. */
    size_t max_body = sp_config_get(config, "max-body")->number;
    size_t memory = sp_config_get(config, "memory")->number;
    server.limits.body_bytes_max = max_body < memory ? max_body : memory;
    sp_budget_init(&server.budget, sp_config_get(config, "memory")->number);
    sp_budget_init(&server.reply_budget, sp_config_get(config, "reply-memory")->number);
    sigset_t signals = block_signals();
    enum sp_status status = open_store(&server, config, &error);
    if (status == SP_OK)
        status = start_rooms(&server, config, &error);
    if (status == SP_OK)
        status = start_listeners(&server, config, &error);
    if (status == SP_OK)
        status = wait_for_signal(&server, &signals, &error);
    if (status != SP_OK)
        sp_log_event(&server.log, SP_LOG_ERROR, "start_failed", error.message,
                     sp_log_cstr("status", sp_status_name(status)));
    stop_server(&server);
    if (status == SP_OK)
        sp_log_event(&server.log, SP_LOG_INFO, "stopped", NULL);
    return status == SP_OK ? SP_EXIT_OK : SP_EXIT_FAILURE;
}

/* As many descriptors as the system allows: shells and service managers begin with 1,024, which are fewer than the connections that the
 * listeners may have. What cannot be had is missed later, by those who wait. */
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int sp_cmd_serve(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "serve",
        .arguments = "",
        .summary = "Receives spans over OTLP, keeps them, answers queries and serves the web UI.",
        .options = sp_serve_options,
        .option_count = sp_serve_option_count,
    };
    struct sp_arena arena;
    struct sp_config config;
    sp_memory_begin();
    raise_descriptors();
    sp_arena_init(&arena, SP_SERVE_CONFIG_ARENA_BYTES);
    int code = sp_cmd_options(&arena, &command, argc, argv, &config);
    if (code < 0)
        code = run(&config);
    sp_arena_fini(&arena);
    return code;
}
