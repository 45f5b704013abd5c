/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/clock.c: the system's clocks behind struct sp_clock. */
#include "lib/base/clock.h"

#include <time.h>

#include "lib/base/compiler.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    int failed = clock_gettime(id, &now);
    SP_ASSERT(!failed);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t system_unix_ns(void *cookie)
{
    (void)cookie;
    return read_ns(CLOCK_REALTIME);
}

static uint64_t system_monotonic_ns(void *cookie)
{
    (void)cookie;
    return read_ns(CLOCK_MONOTONIC);
}

const struct sp_clock *sp_clock_system(void)
{
    static const struct sp_clock clock = {system_unix_ns, system_monotonic_ns, NULL};
    return &clock;
}
