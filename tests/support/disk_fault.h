/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/disk_fault.h: a disk that fails, or loses its process, when a test says so. A program that is linked with
 * sp_disk_fault_dep makes the calls that change files through disk_fault.c, its shared libraries too; calls below one folder are
 * counted, and at one of them happens what the test wants. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum disk_call {
    DISK_OPEN, /* for writing, and new folders */
    DISK_WRITE,
    DISK_SYNC,
    DISK_RENAME, /* and links */
    DISK_UNLINK,
    DISK_TRUNCATE, /* and room that is asked for */
    DISK_CALL_COUNT,
};

#define DISK_ALL_CALLS ((1U << DISK_CALL_COUNT) - 1)

/* What a call is done to, by its name. */
enum disk_file {
    DISK_OTHER,
    DISK_LOG,   /* of the database: journal records, chunks, headers */
    DISK_TABLE, /* the same, sorted */
    DISK_MANIFEST,
    DISK_CURRENT,
    DISK_OPTIONS,
    DISK_FOLDER,
    DISK_FILE_COUNT,
};

enum disk_outcome {
    /* Nothing is done, errno is error; after ENOSPC the disk has no room until something else is set. Compactions of the database are spared: when they write no key at all, Debian's RocksDB, which has
     * its assertions, ends the process (docs/decisions/0054-faults.md). */
    DISK_FAILS,
    /* The folder stays as it is before that call, as after a kill -9; the process goes on beside it and does not notice. */
    DISK_LEAVES,
    DISK_KILLS,   /* the process gets SIGKILL instead of doing it */
    DISK_GOES_ON, /* it is done, but first the thread that does it calls before() */
};

struct disk_fault {
    uint32_t calls;     /* bits, 1 << enum disk_call: these are counted */
    uint32_t files;     /* bits, 1 << enum disk_file: only to these; 0: to all */
    const char *thread; /* only those of this one, by name; NULL: of all */
    uint64_t first;     /* of them: 1 is the next */
    uint64_t count;     /* so many fail behind one another */
    enum disk_outcome outcome;
    bool by_half; /* the first, if it is a write, is done by half */
    void (*before)(void);
    int error;
};

/* From now on calls below folder are looked at; files that are open already are not. NULL: none. */
void disk_fault_watch(const char *folder);

/* What is going to happen, counted from now on. NULL: nothing; calls are counted still. What was done beside the folder is gone: nobody
 * may have its files open. */
void disk_fault_set(const struct disk_fault *fault);

uint64_t disk_fault_calls(void); /* counted since the last disk_fault_set */
/* Has it happened? ret_step (NULL is fine): at which call of which thread, in words. */
#define DISK_STEP_TEXT 80
bool disk_fault_hit(char ret_step[DISK_STEP_TEXT]);
