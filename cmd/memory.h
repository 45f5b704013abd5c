/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/memory.h: what the allocator keeps of memory that nobody uses, and when it gives it back to the system. Of the process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SP_MEMORY_LOOK_SECONDS 10

/* What was seen at the last look; {0} at first. */
struct sp_memory {
    size_t used_bytes;
    unsigned looks; /* since something was given back */
    bool given;     /* and nothing has happened since */
};

/* Before threads begin. */
void sp_memory_begin(void);

/* To be called every SP_MEMORY_LOOK_SECONDS, by one thread. Others that allocate meanwhile may wait some milliseconds. */
void sp_memory_look(struct sp_memory *memory);
