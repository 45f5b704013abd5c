/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/server.c: the listening socket, limits and counters of both servers. Must not know a protocol. */
#include "lib/net/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_QUEUE 1024 /* connections that wait for accept; the system may lower it */

struct sp_net_limits sp_net_limits_default(void)
{
    return (struct sp_net_limits){
        .body_bytes_max = (size_t)64 << 20,
        .head_bytes_max = 32 << 10,
        .refused_body_bytes_max = (size_t)128 << 20,
        .connections_max = 1024,
        .streams_max = 256,
        .stream_window_bytes = 4 << 20,
        .connection_window_bytes = 16 << 20,
        .frame_bytes_max = 1 << 20,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 60000,
        .write_timeout_ms = 30000,
        .write_bytes_min = 1 << 20,
        .idle_timeout_ms = 300000,
        .budget_wait_ms = 1000,
        .control_frames_burst = 1000,
        .control_frames_per_second = 100,
    };
}

/* Splits "HOST:PORT" or "[HOST]:PORT" at the last colon into two zero-terminated texts. */
static enum sp_status split_address(const char *address, char *host, size_t host_max, char *port,
                                    size_t port_max, struct sp_error *reterr)
{
    struct sp_slice text = sp_slice_cstr(address);
    const char *colon = strrchr(address, ':');
    struct sp_slice left = sp_slice_sub(text, 0, colon ? (size_t)(colon - address) : 0);
    struct sp_slice right = sp_slice_sub(text, left.len + 1, text.len);
    uint64_t number = 0;
    if (left.len >= 2 && left.ptr[0] == '[' && left.ptr[left.len - 1] == ']')
        left = sp_slice_sub(left, 1, left.len - 2);
    else if (sp_slice_find(left, ':') < left.len)
        left.len = 0; /* an IPv6 address without brackets: where it ends is a guess */
    if (left.len == 0 || left.len >= host_max || right.len >= port_max ||
        !sp_parse_u64(right, &number) || number > UINT16_MAX)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT,
                            "address \"%s\" is not HOST:PORT or [IPv6]:PORT", address);
    memcpy(host, left.ptr, left.len);
    host[left.len] = '\0';
    memcpy(port, right.ptr, right.len);
    port[right.len] = '\0';
    return SP_OK;
}

static enum sp_status fail_with_errno(struct sp_error *reterr, const char *address,
                                      const char *what)
{
    int number = errno;
    enum sp_status status = number == EADDRINUSE ? SP_BUSY : SP_IO;
    if (number == EADDRNOTAVAIL)
        status = SP_INVALID_ARGUMENT;
    return sp_error_set(reterr, status, "cannot %s on %s: %s", what, address, strerror(number));
}

static enum sp_status listen_on(const struct addrinfo *info, const char *address, int *ret_fd,
                                struct sp_error *reterr)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_with_errno(reterr, address, "open a socket");
    int on = 1;
    const char *failed = NULL;
    /* Without REUSEADDR a restart would wait for the old connections' TIME_WAIT. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (info->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0))
        failed = "set socket options";
    else if (bind(fd, info->ai_addr, info->ai_addrlen) < 0)
        failed = "bind";
    else if (listen(fd, LISTEN_QUEUE) < 0)
        failed = "listen";
    if (failed) {
        enum sp_status status = fail_with_errno(reterr, address, failed);
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return SP_OK;
}

void sp_address_format(const struct sockaddr *address, char text[SP_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address && address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
        snprintf(text, SP_ADDRESS_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(in6.sin6_port));
    } else if (address && address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
        snprintf(text, SP_ADDRESS_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(in.sin_port));
    } else {
        snprintf(text, SP_ADDRESS_TEXT_MAX, "unknown");
    }
}

static void read_bound_address(struct sp_server *server)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    if (getsockname(server->listen_fd, (struct sockaddr *)&bound, &len) < 0)
        return;
    sp_address_format((struct sockaddr *)&bound, server->address);
    uint64_t port = 0;
    if (sp_parse_u64(sp_slice_cstr(strrchr(server->address, ':') + 1), &port))
        server->port = (uint16_t)port;
}

enum sp_status sp_server_init(struct sp_server *server, const struct sp_server_kind *kind,
                              const struct sp_server_options *options, struct sp_error *reterr)
{
    char host[256], port[8];
    enum sp_status status =
        split_address(options->address, host, sizeof(host), port, sizeof(port), reterr);
    if (status != SP_OK)
        return status;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0)
        return sp_error_set(reterr, SP_INVALID_ARGUMENT, "address \"%s\" does not resolve: %s",
                            options->address, gai_strerror(failed));
    server->kind = kind;
    server->options = *options;
    if (server->options.threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        server->options.threads = cores > 0 ? (uint32_t)cores : 1;
    }
    status = listen_on(found, options->address, &server->listen_fd, reterr);
    freeaddrinfo(found);
    if (status == SP_OK)
        read_bound_address(server);
    server->options.address = NULL;
    return status;
}

const char *sp_server_address(const struct sp_server *server)
{
    return server->address;
}

uint16_t sp_server_port(const struct sp_server *server)
{
    return server->port;
}

void sp_server_stats(const struct sp_server *server, struct sp_server_stats *ret)
{
    const struct sp_server_counters *counters = &server->counters;
    *ret = (struct sp_server_stats){
        .connections_accepted = sp_counted(&counters->connections_accepted),
        .connections_open = sp_counted(&counters->connections_open),
        .connections_refused = sp_counted(&counters->connections_refused),
        .requests = sp_counted(&counters->requests),
        .requests_open = sp_counted(&counters->requests_open),
        .body_bytes = sp_counted(&counters->body_bytes),
        .budget_refusals = sp_counted(&counters->budget_refusals),
        .timeouts = sp_counted(&counters->timeouts),
        .protocol_errors = sp_counted(&counters->protocol_errors),
    };
}

bool sp_server_drain(struct sp_server *server, uint32_t timeout_ms)
{
    return server->kind->drain(server, timeout_ms);
}

void sp_server_stop(struct sp_server *server)
{
    if (server)
        server->kind->stop(server);
}
