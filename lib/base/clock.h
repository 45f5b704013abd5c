/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/clock.h: time comes in as an argument, so that tests can set it. */
#pragma once

#include <stdint.h>

struct sp_clock {
    uint64_t (*unix_ns)(void *cookie);      /* wall clock, Unix nanoseconds */
    uint64_t (*monotonic_ns)(void *cookie); /* never goes back; origin unspecified */
    void *cookie;
};

/* The system's clocks. Static, never freed, thread-safe. */
const struct sp_clock *sp_clock_system(void);

static inline uint64_t sp_clock_unix_ns(const struct sp_clock *clock)
{
    return clock->unix_ns(clock->cookie);
}

static inline uint64_t sp_clock_monotonic_ns(const struct sp_clock *clock)
{
    return clock->monotonic_ns(clock->cookie);
}
