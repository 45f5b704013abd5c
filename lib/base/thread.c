/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/thread.c: names, niceness and turns of threads. The one place that asks Linux's scheduler for something. */
#include "lib/base/thread.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of those that somebody waits for: the shortest that Linux takes. */
#define TURN_NS 100000

/* Of all others. A thread that wakes up takes the processor of another at once if its own turns are shorter, and waits for the next tick of the
 * clock, 4 ms, if they are as short. */
#define TURN_BEHIND_NS 3000000

/* The first version of the kernel's struct sched_attr, which libc has no declaration of: sched_setattr(2). */
struct scheduling {
    uint32_t size;
    uint32_t policy; /* 0: SCHED_OTHER */
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t turn_ns; /* "sched_runtime" */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

_Static_assert(sizeof(struct scheduling) == 48, "SCHED_ATTR_SIZE_VER0");

void sp_thread_begin(const char *name, int nice)
{
    pthread_setname_np(pthread_self(), name);
    int inherited = getpriority(PRIO_PROCESS, 0); /* Linux: of this thread */
    struct scheduling wanted = {.size = sizeof(wanted),
                                .nice = nice > inherited ? nice : inherited,
                                .turn_ns = nice == 0 ? TURN_NS : TURN_BEHIND_NS};
    syscall(SYS_sched_setattr, 0, &wanted, 0);
}
