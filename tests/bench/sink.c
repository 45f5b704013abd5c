/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/bench/sink.c: an OTLP/gRPC receiver that acks what it does not read: how fast a generator could send, if the server cost
 * nothing. Prints its address, and ends with its standard input. */
#include <stdio.h>

#include "lib/net/net.h"

#define SINK_BODIES_BYTES_MAX ((size_t)256 << 20)

static void ack(void *cookie, struct sp_exchange *exchange)
{
    (void)cookie;
    sp_exchange_reply_grpc(exchange, 0, sp_slice_make(NULL, 0), sp_slice_make(NULL, 0), NULL);
}

int main(void)
{
    struct sp_budget budget;
    struct sp_error error = {0};
    struct sp_server *server;
    sp_budget_init(&budget, SINK_BODIES_BYTES_MAX);
    const struct sp_server_options options = {
        .address = "127.0.0.1:0",
        .handler = {.on_request = ack},
        .budget = &budget,
        .clock = sp_clock_system(),
        .limits = sp_net_limits_default(),
    };
    if (sp_http2_server_start(&options, &server, &error) != SP_OK) {
        fprintf(stderr, "sink: %s\n", error.message);
        return 1;
    }
    puts(sp_server_address(server));
    fflush(stdout);
    while (getchar() != EOF) {
    }
    sp_server_stop(server);
    return 0;
}
