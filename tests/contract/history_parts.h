/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/history_parts.h: one random history (history.h), as its own files see it:
 *
 *   history.c         which step comes next; reads, comparisons, restarts
 *   history_spans.c   what is appended
 *   history_disk.c    appends, disks that fail, crashes
 *   history_doubt.c   what is in doubt after them
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
    uint64_t kept;   /* number of the append that stands for it in the reference */
    bool is_removed;
    /* Whether it is gone or another append of the same batch is a guess: answers do not tell. Until one of them goes. */
    bool is_guess;
};

/* What nobody knows after a crash or a failed call, until the store is open again. */
struct history_doubt {
    /* It may be there. batch NULL: none. */
    struct history_append append;
    /* Appends of these numbers that are old enough may be gone, as many as one segment had. last 0: none. */
    uint64_t removed_first, removed_last, cutoff_unix_ns;
    bool removed_whole; /* they are one segment: all are gone, or none */
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
    /* Acked, in order. */
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

/* ---- history_doubt.c ---- */

/* Once the store is open again: finds out what became of it. */
void history_settle(struct history *history);
/* A segment that goes has appends from first to last, which both are there, with so many spans together: where that cannot be, another
 * append of the same batch was taken for gone than the one that is. */
void history_correct_guesses(struct history *history, uint64_t first, uint64_t last,
                             uint64_t span_count);
/* Of those from first to last that are not removed. */
uint64_t history_spans_between(const struct history *history, uint64_t first, uint64_t last);
static inline bool history_is_between(const struct history_append *append, uint64_t first,
                                      uint64_t last)
{
    return append->number >= first && append->number <= last;
}

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
