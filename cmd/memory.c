/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/memory.c: see cmd/memory.h. */
#include "cmd/memory.h"

#include <malloc.h>

/* Requests are a few hundred kilobytes and live for some milliseconds. What they free is kept for those that come, up to so
 * much in each of the allocator's arenas: given back to the system each time, it cost a fifteenth of all CPU. */
#define MMAP_THRESHOLD_BYTES (32 * 1024 * 1024)
#define TRIM_THRESHOLD_BYTES (64 * 1024 * 1024)

/* An arena gives back by itself only what is behind its last byte in use, and one byte that stays keeps all before it. So whole pages
 * that are free are given back wherever they are, if they are at least so much: when ten seconds have changed next to nothing, and once a
 * minute where work goes on, which asks for most of them again. Decision 0133. */
#define LOOKS_AT_WORK   6
#define IDLE_BYTES      ((size_t)1024 * 1024)
#define GIVE_BACK_BYTES ((size_t)64 * 1024 * 1024)

void sp_memory_begin(void)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
}

void sp_memory_look(struct sp_memory *memory)
{
    struct mallinfo2 now = mallinfo2();
    size_t change = now.uordblks > memory->used_bytes ? now.uordblks - memory->used_bytes
                                                      : memory->used_bytes - now.uordblks;
    bool idle = change < IDLE_BYTES;
    memory->used_bytes = now.uordblks;
    memory->given &= idle;
    memory->looks++;
    if (memory->given || now.fordblks < GIVE_BACK_BYTES || (!idle && memory->looks < LOOKS_AT_WORK))
        return;
    malloc_trim(0);
    memory->looks = 0;
    memory->given = idle;
}
