/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_parts.h: one random history (history.h), as its own files see it:
 *
 *   history.c         which step comes next; reads, comparisons, restarts
 *   history_spans.c   what is appended
 *   history_disk.c    appends, disks that fail, crashes, and what is in doubt after them
 *   history_retain.c  what is removed because it is old or takes room
 *   history_copies.c  backups and what is restored from them; a store that follows */
#pragma once

#include "tests/contract/fixture.h"
#include "tests/contract/record.h"
#include "tests/support/disk_fault.h"

#define HISTORY_NEWEST      8   /* batches that may come again */
#define HISTORY_APPENDS_MAX 256 /* more than the steps of a history can make */
#define HISTORY_IDS_MAX     2048
#define HISTORY_BACKUPS     2

static const uint64_t history_second_ns = 1000000000;
static const uint64_t history_base_unix_ns =
    1767225600ULL * 1000000000; /* where the generator of spans begins */

struct history_append {
    const struct sp_batch *batch; /* of the first arena */
    enum sp_body_format format;
    uint64_t number; /* that the engine on disk has given it; 0: none */
    bool is_removed;
    /* It is gone, or another append of the same batch is: answers do not tell which. */
    bool is_guess;
};

/* What nobody knows after a crash or a failed call, until the store is open again. */
struct history_doubt {
    /* It may be there. batch NULL: none. */
    struct history_append append;
    /* Appends of these numbers that are old enough, all of one segment, may be gone. last 0: none. */
    uint64_t removed_first, removed_last, cutoff_unix_ns;
};

struct history_backup {
    char name[65], path[160]; /* name "": none */
    struct sp_buf answers;    /* of the reference when it was made */
};

struct history {
    struct fixture stores[ENGINE_COUNT];
    struct sp_gen gen;
    uint64_t trace_seed;
    bool tangled;                                   /* a few traces with many calls */
    const struct sp_batch *batches[HISTORY_NEWEST]; /* the newest */
    size_t batch_count;
    struct sp_trace_id ids[HISTORY_IDS_MAX]; /* traces that were appended */
    size_t id_count;
    /* Acked, in order: the reference has the first of them as its append 1. */
    struct history_append appends[HISTORY_APPENDS_MAX];
    size_t append_count;
    struct history_doubt doubt;
    struct history_backup backups[HISTORY_BACKUPS];
    struct sp_store *follower; /* NULL: none */
};

static inline struct sp_store *history_rocks(const struct history *history)
{
    return history->stores[ENGINE_ROCKSDB].store;
}

static inline struct sp_store *history_reference(const struct history *history)
{
    return history->stores[ENGINE_REFERENCE].store;
}

/* ---- history.c ---- */

/* The answers of the engine on disk, and of the follower if there is one, are those of the reference. */
void history_compare(struct history *history, struct sp_time_range range);
void history_read(struct history *history);
void history_wait_for_merges(struct history *history);

/* ---- history_spans.c ---- */

/* The next batch, noted. *ret_odd: it has what JSON does not carry. */
const struct sp_batch *history_next_batch(struct history *history, bool *ret_odd);

/* ---- history_disk.c ---- */

enum disk { DISK_IS_WELL, DISK_FAILS_NOW, DISK_COMES_BACK, DISK_GOES };

void history_append(struct history *history, enum disk disk);
void history_fault(struct history *history);
void history_crash(struct history *history);

/* Gives both the same: the engine on disk has it already. */
void history_keep(struct history *history, const struct history_append *append);
/* Removes it from the reference, too. */
void history_remove(struct history *history, size_t index);

/* ---- history_retain.c ---- */

void history_retain(struct history *history, enum disk disk);
bool history_is_old(const struct history_append *append, uint64_t cutoff_unix_ns);

/* ---- history_copies.c ---- */

void history_back_up(struct history *history, enum disk disk);
/* Of one of the backups; checks what is listed, too. */
void history_restore(struct history *history);
void history_remove_backup(struct history *history);
/* After a crash or a failed disk: what is listed and is not known may be in any state, and can be removed. */
void history_check_backups(struct history *history);
void history_forget_backups(struct history *history);

void history_follow(struct history *history);
/* Until it knows what was there when this was called. */
void history_catch_up(struct history *history);
