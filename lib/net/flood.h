/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/flood.h: how many frames that carry no request a peer may send: a token bucket that also fills with useful work.
 * A ping for each reply is a client that measures its round trip; a thousand pings and no request is an attack.
 * Time comes in as an argument. One owner at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sp_flood {
    uint64_t tokens_milli; /* thousandths, so that slow refills do not round to nothing */
    uint64_t burst_milli;
    uint64_t per_second;
    uint64_t last_ns; /* monotonic, of the last refill */
};

void sp_flood_init(struct sp_flood *flood, uint32_t burst, uint32_t per_second, uint64_t now_ns);

/* Takes one token; false: there is none, the peer is flooding. */
bool sp_flood_take(struct sp_flood *flood, uint64_t now_ns);

/* The peer did something useful: tokens more, up to the burst. */
void sp_flood_earn(struct sp_flood *flood, uint32_t tokens);
