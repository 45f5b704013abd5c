/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/client.c: the client of net.h: which half serves a request, and waiting for both. For `spoor load` and the thin
 * commands; servers do not use it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/net/client_parts.h"

#define NS_PER_MS ((uint64_t)1000 * 1000)
#define NS_PER_S  ((uint64_t)1000 * 1000 * 1000)

struct sp_client {
    struct sp_client_options options;
    struct sp_http_client *http;
    struct sp_grpc_client *grpc;
    struct pollfd *fds; /* options.connections_max */
};

enum sp_status sp_client_new(const struct sp_client_options *options, struct sp_client **ret_client,
                             struct sp_error *reterr)
{
    struct sp_client *client = calloc(1, sizeof(*client));
    if (!client)
        return sp_error_set(reterr, SP_NO_MEMORY, "out of memory");
    client->options = *options;
    client->http = sp_http_client_new(&client->options);
    client->grpc = sp_grpc_client_new(&client->options);
    client->fds = calloc(options->connections_max + 1, sizeof(*client->fds));
    if (!client->http || !client->grpc || !client->fds) {
        sp_client_free(client);
        return sp_error_set(reterr, SP_NO_MEMORY, "the HTTP client does not start: out of memory");
    }
    *ret_client = client;
    return SP_OK;
}

void sp_client_free(struct sp_client *client)
{
    if (!client)
        return;
    sp_http_client_free(client->http);
    sp_grpc_client_free(client->grpc);
    free(client->fds);
    free(client);
}

enum sp_status sp_client_submit(struct sp_client *client, const struct sp_client_request *request,
                                struct sp_error *reterr)
{
    if (sp_client_in_flight(client) >= client->options.in_flight_max)
        return sp_error_set(reterr, SP_OVERLOADED, "%u requests are in flight already",
                            sp_client_in_flight(client));
    if (request->body.len > UINT32_MAX)
        return sp_error_set(reterr, SP_LIMIT, "the request body is larger than 4 GiB");
    return request->grpc ? sp_grpc_client_submit(client->grpc, request, reterr)
                         : sp_http_client_submit(client->http, request, reterr);
}

uint32_t sp_client_in_flight(const struct sp_client *client)
{
    return sp_http_client_in_flight(client->http) + sp_grpc_client_in_flight(client->grpc);
}

/* curl knows milliseconds only; a load at a rate wants better, and has no requests of curl. */
static enum sp_status wait_for_news(struct sp_client *client, uint64_t wait_ns,
                                    struct sp_error *reterr)
{
    size_t count = sp_grpc_client_fds(client->grpc, client->fds, &wait_ns);
    if (sp_http_client_in_flight(client->http) > 0) {
        uint64_t wait_ms = wait_ns / NS_PER_MS + (wait_ns % NS_PER_MS > 0);
        return sp_http_client_wait(client->http, client->fds, count,
                                   wait_ms < INT32_MAX ? (uint32_t)wait_ms : INT32_MAX, reterr);
    }
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / NS_PER_S),
                               .tv_nsec = (long)(wait_ns % NS_PER_S)};
    if (ppoll(client->fds, count, &timeout, NULL) < 0 && errno != EINTR)
        return sp_error_set(reterr, SP_IO, "the client cannot wait: %s", strerror(errno));
    return SP_OK;
}

enum sp_status sp_client_run(struct sp_client *client, uint64_t wait_ns, struct sp_error *reterr)
{
    for (int round = 0; round < 2; round++) {
        uint32_t delivered = 0;
        enum sp_status status = SP_OK;
        if (sp_http_client_in_flight(client->http) > 0)
            status = sp_http_client_step(client->http, &delivered, reterr);
        delivered += sp_grpc_client_step(client->grpc);
        if (status != SP_OK)
            return status;
        if (round > 0 || delivered > 0 || wait_ns == 0)
            break;
        status = wait_for_news(client, wait_ns, reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}
