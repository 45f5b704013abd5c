/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/flood.c: the token bucket of flood.h. Pure. */
#include "lib/net/flood.h"

#define MILLI     1000
#define NS_PER_MS UINT64_C(1000000)

static void add(struct sp_flood *flood, uint64_t milli)
{
    uint64_t room = flood->burst_milli - flood->tokens_milli;
    flood->tokens_milli += milli < room ? milli : room;
}

void sp_flood_init(struct sp_flood *flood, uint32_t burst, uint32_t per_second, uint64_t now_ns)
{
    *flood = (struct sp_flood){
        .tokens_milli = (uint64_t)burst * MILLI,
        .burst_milli = (uint64_t)burst * MILLI,
        .per_second = per_second,
        .last_ns = now_ns,
    };
}

bool sp_flood_take(struct sp_flood *flood, uint64_t now_ns)
{
    uint64_t passed_ms = now_ns > flood->last_ns ? (now_ns - flood->last_ns) / NS_PER_MS : 0;
    flood->last_ns += passed_ms * NS_PER_MS;
    /* per_second tokens in 1000 ms are per_second thousandths in one. */
    if (flood->per_second > 0 && passed_ms > flood->burst_milli / flood->per_second)
        flood->tokens_milli = flood->burst_milli;
    else
        add(flood, passed_ms * flood->per_second);
    if (flood->tokens_milli < MILLI)
        return false;
    flood->tokens_milli -= MILLI;
    return true;
}

void sp_flood_earn(struct sp_flood *flood, uint32_t tokens)
{
    add(flood, (uint64_t)tokens * MILLI);
}
