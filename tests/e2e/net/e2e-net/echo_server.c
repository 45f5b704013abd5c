/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/e2e/net/echo_server.c: the smallest service on lib/net, for tests with real clients.
 *
 *   echo_server h1|h2 [NAME=NUMBER...]
 *
 * NAME is a field of struct sp_net_limits, or budget, threads, drain_ms. Prints "ready PORT". A line on standard
 * input: "stats" prints the counters, "drain" drains, "quit" (or the end of input) drains, stops and prints what is left
 * of the budget. What an exchange gets is decided by the last part of its path:
 *
 *   Echo  its body, at once            Later  its body, from another thread, after a moment
 *   Hold  its body, when draining begins      Never  no reply until the server is stopped
 *   Null  an empty body                Head   404 (gRPC: UNIMPLEMENTED) before the body is read
 *   Big   header "x-bytes" many bytes */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/net/net.h"

#define WAITING_MAX 4096

struct waiting {
    struct sp_exchange *exchange;
    struct sp_body body;
    enum { LATER, HOLD, NEVER } kind;
};

struct service {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
    bool draining, stopping;
};

static bool ends_with(struct sp_slice s, const char *end)
{
    struct sp_slice e = sp_slice_cstr(end);
    return s.len >= e.len && sp_slice_equal(sp_slice_sub(s, s.len - e.len, e.len), e);
}

static void reply(struct sp_exchange *exchange, struct sp_buf *body)
{
    struct sp_header headers[] = {{SP_SLICE("content-type"), SP_SLICE("application/octet-stream")}};
    if (sp_exchange_is_grpc(exchange))
        sp_exchange_reply_grpc(exchange, 0, sp_slice_make(NULL, 0), sp_slice_make(NULL, 0), body);
    else
        sp_exchange_reply(exchange, 200, headers, 1, body);
}

static void on_head(void *cookie, struct sp_exchange *exchange)
{
    (void)cookie;
    if (!ends_with(sp_exchange_path(exchange), "Head"))
        return;
    struct sp_error error = {.offset = SP_ERROR_NO_OFFSET};
    if (sp_exchange_is_grpc(exchange)) {
        sp_exchange_reply_grpc(exchange, 12, SP_SLICE("no such method: 100% \xc3\xa4"),
                               SP_SLICE("\x08\x0c"), NULL);
        return;
    }
    (void)sp_error_set(&error, SP_NOT_FOUND, "nothing is here");
    sp_exchange_reply_problem(exchange, 0, &error);
}

static void park(struct service *service, struct sp_exchange *exchange, int kind)
{
    pthread_mutex_lock(&service->lock);
    if (service->waiting_count == WAITING_MAX)
        abort();
    struct waiting *w = &service->waiting[service->waiting_count++];
    w->exchange = exchange;
    w->kind = kind;
    sp_exchange_take_body(exchange, &w->body);
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static void reply_big(struct sp_exchange *exchange)
{
    struct sp_slice text;
    uint64_t bytes = 0;
    struct sp_buf body;
    sp_buf_init(&body, (size_t)1 << 30);
    if (sp_exchange_header(exchange, "x-bytes", &text) && sp_parse_u64(text, &bytes)) {
        uint8_t *room = sp_buf_reserve(&body, (size_t)bytes);
        if (!room)
            abort();
        memset(room, 'x', (size_t)bytes);
        body.len = (size_t)bytes;
    }
    reply(exchange, &body);
    sp_buf_fini(&body);
}

static void on_request(void *cookie, struct sp_exchange *exchange)
{
    struct service *service = cookie;
    struct sp_slice path = sp_exchange_path(exchange);
    if (ends_with(path, "Later")) {
        park(service, exchange, LATER);
    } else if (ends_with(path, "Hold")) {
        park(service, exchange, HOLD);
    } else if (ends_with(path, "Never")) {
        park(service, exchange, NEVER);
    } else if (ends_with(path, "Null")) {
        reply(exchange, NULL);
    } else if (ends_with(path, "Big")) {
        reply_big(exchange);
    } else {
        struct sp_body body;
        sp_exchange_take_body(exchange, &body);
        reply(exchange, &body.bytes);
        sp_body_fini(&body);
    }
}

static bool due(const struct service *service, const struct waiting *w)
{
    return w->kind == LATER || service->stopping || (w->kind == HOLD && service->draining);
}

static void *run_replies(void *cookie)
{
    struct service *service = cookie;
    pthread_mutex_lock(&service->lock);
    while (!service->stopping || service->waiting_count > 0) {
        size_t i = 0;
        while (i < service->waiting_count && !due(service, &service->waiting[i]))
            i++;
        if (i == service->waiting_count) {
            pthread_cond_wait(&service->changed, &service->lock);
            continue;
        }
        struct waiting w = service->waiting[i];
        service->waiting[i] = service->waiting[--service->waiting_count];
        pthread_mutex_unlock(&service->lock);
        usleep(1000);
        reply(w.exchange, &w.body.bytes);
        sp_body_fini(&w.body);
        pthread_mutex_lock(&service->lock);
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

static void set_flag(struct service *service, bool *flag)
{
    pthread_mutex_lock(&service->lock);
    *flag = true;
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

struct settings {
    struct sp_net_limits limits;
    uint64_t budget, threads, drain_ms;
};

#define SETTINGS(X)                                                                                \
    X(limits.body_bytes_max)                                                                       \
    X(limits.head_bytes_max)                                                                       \
    X(limits.refused_body_bytes_max)                                                               \
    X(limits.connections_max)                                                                      \
    X(limits.streams_max)                                                                          \
    X(limits.stream_window_bytes)                                                                  \
    X(limits.connection_window_bytes)                                                              \
    X(limits.frame_bytes_max)                                                                      \
    X(limits.head_timeout_ms)                                                                      \
    X(limits.body_timeout_ms)                                                                      \
    X(limits.write_timeout_ms)                                                                     \
    X(limits.idle_timeout_ms)                                                                      \
    X(limits.budget_wait_ms)                                                                       \
    X(limits.control_frames_burst)                                                                 \
    X(limits.control_frames_per_second)                                                            \
    X(budget)                                                                                      \
    X(threads)                                                                                     \
    X(drain_ms)

static bool set(struct settings *settings, const char *text)
{
    struct sp_slice all = sp_slice_cstr(text);
    struct sp_slice name = sp_slice_sub(all, 0, sp_slice_find(all, '='));
    uint64_t value;
    if (!sp_parse_u64(sp_slice_sub(all, name.len + 1, all.len), &value))
        return false;
#define ROW(field)                                                                                 \
    {                                                                                              \
        struct sp_slice full = SP_SLICE(#field);                                                   \
        size_t dot = sp_slice_find(full, '.');                                                     \
        struct sp_slice last = dot < full.len ? sp_slice_sub(full, dot + 1, full.len) : full;      \
        if (sp_slice_equal(last, name)) {                                                          \
            settings->field = (__typeof__(settings->field))value;                                  \
            return true;                                                                           \
        }                                                                                          \
    }
    SETTINGS(ROW)
#undef ROW
    return false;
}

static void print_stats(const struct sp_server *server, const struct sp_budget *budget)
{
    struct sp_server_stats s;
    sp_server_stats(server, &s);
    printf("stats accepted=%lu open=%lu refused=%lu requests=%lu requests_open=%lu body_bytes=%lu "
           "budget_refusals=%lu timeouts=%lu protocol_errors=%lu budget=%zu\n",
           s.connections_accepted, s.connections_open, s.connections_refused, s.requests,
           s.requests_open, s.body_bytes, s.budget_refusals, s.timeouts, s.protocol_errors,
           sp_budget_used(budget));
}

int main(int argc, char **argv)
{
    static struct service service = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                     .changed = PTHREAD_COND_INITIALIZER};
    struct settings settings = {
        .limits = sp_net_limits_default(), .budget = 256 << 20, .threads = 2, .drain_ms = 5000};
    for (int i = 2; i < argc; i++) {
        if (!set(&settings, argv[i])) {
            fprintf(stderr, "echo_server: unknown setting %s\n", argv[i]);
            return 2;
        }
    }
    struct sp_budget budget;
    sp_budget_init(&budget, settings.budget);
    const struct sp_server_options options = {
        .address = "127.0.0.1:0",
        .threads = (uint32_t)settings.threads,
        .handler = {.cookie = &service, .on_head = on_head, .on_request = on_request},
        .budget = &budget,
        .clock = sp_clock_system(),
        .limits = settings.limits,
    };
    struct sp_server *server;
    struct sp_error error;
    bool h1 = argc > 1 && strcmp(argv[1], "h1") == 0;
    enum sp_status status = h1 ? sp_http1_server_start(&options, &server, &error)
                               : sp_http2_server_start(&options, &server, &error);
    if (status != SP_OK) {
        fprintf(stderr, "echo_server: %s\n", error.message);
        return 1;
    }
    pthread_t replies;
    pthread_create(&replies, NULL, run_replies, &service);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready %u\n", sp_server_port(server));
    char line[64];
    while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n") != 0) {
        if (strcmp(line, "stats\n") == 0)
            print_stats(server, &budget);
        if (strcmp(line, "drain\n") == 0) {
            set_flag(&service, &service.draining);
            printf("drained %d\n", sp_server_drain(server, (uint32_t)settings.drain_ms));
        }
    }
    set_flag(&service, &service.draining);
    sp_server_drain(server, (uint32_t)settings.drain_ms);
    sp_server_stop(server);
    set_flag(&service, &service.stopping);
    pthread_join(replies, NULL);
    printf("budget %zu\n", sp_budget_used(&budget));
    return 0;
}
