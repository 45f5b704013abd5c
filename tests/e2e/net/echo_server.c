/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/e2e/net/echo_server.c: the smallest service on lib/net, for tests with real clients.
 *
 *   echo_server h1|h2 [NAME=NUMBER...]
 *
 * NAME is a field of struct sp_net_limits, or budget, threads, drain_ms. Prints "ready PORT". A line on standard
 * input: "stats" prints the counters, "drain" drains, "quit" (or the end of input) drains, stops and prints what is left
 * of the budget. What an exchange gets: tests/unit/net/service.h. */
#include <stdio.h>

#include "tests/unit/net/service.h"

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
    struct settings settings = {
        .limits = sp_net_limits_default(), .budget = 256 << 20, .threads = 2, .drain_ms = 5000};
    for (int i = 2; i < argc; i++) {
        if (!set(&settings, argv[i])) {
            fprintf(stderr, "echo_server: unknown setting %s\n", argv[i]);
            return 2;
        }
    }
    struct service *service = service_new();
    struct sp_budget budget;
    sp_budget_init(&budget, settings.budget);
    const struct sp_server_options options = {
        .address = "127.0.0.1:0",
        .threads = (uint32_t)settings.threads,
        .handler = service_handler(service),
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
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ready %u\n", sp_server_port(server));
    char line[64];
    while (fgets(line, sizeof(line), stdin) && strcmp(line, "quit\n") != 0) {
        if (strcmp(line, "stats\n") == 0)
            print_stats(server, &budget);
        if (strcmp(line, "drain\n") == 0) {
            service_drain(service);
            printf("drained %d\n", sp_server_drain(server, (uint32_t)settings.drain_ms));
        }
    }
    service_drain(service);
    sp_server_drain(server, (uint32_t)settings.drain_ms);
    sp_server_stop(server);
    service_free(service);
    printf("budget %zu\n", sp_budget_used(&budget));
    return 0;
}
