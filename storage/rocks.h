/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks.h: the engine on disk, as its own files see it. Internal to storage/rocks_*.c.
 *
 *   append ---> waiting ---- committer ----> head ---- applier ----> rows in the database
 *                            one batch,       |        one batch: rows, index, counts,
 *                            one sync,        |        totals, and the journal records go
 *                            then the acks    |
 *   reads:  a view = { snapshot of the database, the head entries its totals do not cover yet }
 *
 * An append is in exactly one of the three places for every view: totals.applied_sequence is written in the same batch as
 * the rows, so a head entry at or below it is already in the snapshot. So reads never wait for the applier. */
#pragma once

#include "storage/brute.h"
#include "storage/datadir.h"
#include "storage/idset.h"
#include "storage/kv.h"
#include "storage/layout.h"

#include <pthread.h>
#include <stdatomic.h>

/* One batch of the committer takes at most so much, or one request. */
#define SP_ROCKS_COMMIT_BYTES_MAX ((size_t)32 * 1024 * 1024)
/* One batch of the applier: it is in memory twice, as rows and as RocksDB's batch. */
#define SP_ROCKS_APPLY_BYTES_MAX ((size_t)16 * 1024 * 1024)
/* Each row of a trace holds its resources and scopes anew, each minute of the catalogue their keys. So often may a request
 * repeat them: without a limit, a megabyte of them and as much of tiny spans of as many traces would be terabytes. */
#define SP_ROCKS_REPEATED_BYTES_MAX ((uint64_t)512 * 1024 * 1024)
/* Counting looks at the attributes of a resource and of a scope once for each of their spans: a request may make that many
 * looks, some seconds of work. A million attributes over a million spans would be a day. */
#define SP_ROCKS_SHARED_LOOKS_MAX ((uint64_t)128 * 1000 * 1000)
/* A stored row, and the catalogue of one batch: more than any request that is let in can make. */
#define SP_ROCKS_ROW_BYTES_MAX ((size_t)1024 * 1024 * 1024)
/* Entries of an index that a read walks over between two questions whether it should stop. */
#define SP_ROCKS_STOP_ENTRIES ((size_t)4096)
/* A database that is opened again writes a new log and a new manifest: not on a disk with less room than this. */
#define SP_ROCKS_REOPEN_BYTES_MIN ((uint64_t)16 * 1024 * 1024)
/* How long the applier waits before it tries again to write to a disk that was full; and at first, when a batch could not
 * be applied for another reason: then twice as long each time, up to the second. */
#define SP_ROCKS_RETRY_NS     500000000ULL
#define SP_ROCKS_RETRY_NS_MAX 30000000000ULL

/* One append on its way; counted references, because readers hold head entries while the applier drops them. */
struct sp_rocks_entry {
    struct sp_append *append;
    uint64_t sequence;
    size_t bytes;            /* counted in backlog_bytes */
    uint64_t repeated_bytes; /* that its rows take beyond that */
    _Atomic uint32_t references;
    struct sp_rocks_entry *next;     /* in its queue */
    struct sp_rocks_entry *ack_next; /* the committer's list of those it has to ack */
};

struct sp_rocks_queue {
    struct sp_rocks_entry *first, *last;
    size_t count, bytes;
};

struct sp_rocks {
    struct sp_store base;
    struct sp_store_codec codec;
    enum sp_durability durability;
    size_t backlog_bytes_max;
    const struct sp_log *log;
    struct sp_datadir dir;
    struct sp_totals totals; /* the applier's copy of what it wrote last */

    /* After a failed write RocksDB takes no more; the applier then closes and opens it again, when nobody reads. Who uses
     * kv holds it for reading. A lock that prefers readers: a visitor reads within a scan. */
    pthread_rwlock_t kv_lock;
    struct sp_kv *kv; /* NULL: it could not be opened again yet */
    _Atomic bool kv_broken;

    pthread_mutex_t lock; /* of all below; never held while a callback runs */
    pthread_cond_t committer_wakes, applier_wakes, somebody_idles;
    struct sp_rocks_queue waiting, head;
    size_t in_commit_count,
        in_commit_bytes; /* between waiting and head, until the callbacks have returned */
    bool draining, stopping;
    bool applier_stuck; /* its last write failed */
    uint64_t apply_failure_count;
    uint64_t append_count, commit_count;
    uint64_t next_sequence; /* the committer's */
    pthread_t committer, applier;
    bool committer_runs, applier_runs;
};

static inline struct sp_rocks *sp_rocks_of(struct sp_store *store)
{
    return (struct sp_rocks *)store; /* base is its first member */
}

/* ---- rocks_write.c ---- */

SP_MUST_USE enum sp_status sp_rocks_start(struct sp_rocks *rocks, struct sp_error *reterr);
void sp_rocks_stop(struct sp_rocks *rocks); /* drains first */
void sp_rocks_append(struct sp_store *store, struct sp_append *append);
void sp_rocks_drain(struct sp_store *store);
void sp_rocks_entry_unref(struct sp_rocks_entry *entry);

/* ---- rocks_repair.c ---- */

/* Opens the database again after a failed write, if nobody reads now and there is room, and drops what was not acked from
 * its journal. The applier's. SP_BUSY, SP_UNAVAILABLE: try again later. */
SP_MUST_USE enum sp_status sp_rocks_repair(struct sp_rocks *rocks, struct sp_error *reterr);

/* Drops the head entries whose rows are written. With the lock held; returns them, linked by next. */
struct sp_rocks_entry *sp_rocks_head_take_applied(struct sp_rocks *rocks);

/* ---- rocks_apply.c ---- */

/* Writes the rows of some appends, in the order of their sequences, and deletes their journal records: all in one batch,
 * not synced (the journal is). On success rocks->totals are advanced. */
SP_MUST_USE enum sp_status sp_rocks_apply(struct sp_rocks *rocks,
                                          struct sp_rocks_entry *const *entries, size_t count,
                                          struct sp_error *reterr);

/* What the rows of a batch will repeat of its resources and scopes; at least, not exactly. SP_LIMIT: more than
 * SP_ROCKS_REPEATED_BYTES_MAX, or than SP_ROCKS_SHARED_LOOKS_MAX.   SP_NO_MEMORY. Any thread. */
SP_MUST_USE enum sp_status sp_rocks_repeated_bytes(const struct sp_store_codec *codec,
                                                   const struct sp_batch *batch, uint64_t *ret,
                                                   struct sp_error *reterr);

/* ---- rocks_view.c ---- */

struct sp_rocks_view {
    struct sp_rocks *rocks;
    struct sp_kv_snapshot *snapshot;
    struct sp_totals totals;
    struct sp_rocks_entry **head; /* heap; acked, not in the snapshot, in order */
    size_t head_count;
    bool without_head; /* sp_rocks_each_trace leaves the head out */
};

SP_MUST_USE enum sp_status sp_rocks_view_open(struct sp_rocks *rocks, struct sp_rocks_view *ret,
                                              struct sp_error *reterr);
void sp_rocks_view_close(struct sp_rocks_view *view);

/* Spans of one trace, collected row by row; the arena's memory. */
struct sp_rocks_spans {
    struct sp_arena *arena;
    struct sp_span *spans;
    size_t count, cap;
};

/* Adds spans as they are: what they point at is not copied. */
SP_MUST_USE enum sp_status sp_rocks_collect(struct sp_rocks_spans *collected,
                                            const struct sp_span *spans, size_t count,
                                            struct sp_error *reterr);

/* Adds what the rows of a trace hold, all of it in the arena. rows: an iterator over SP_KV_SPANS. */
SP_MUST_USE enum sp_status sp_rocks_collect_rows(struct sp_rocks_spans *collected,
                                                 struct sp_rocks *rocks,
                                                 struct sp_kv_iterator *rows,
                                                 const struct sp_trace_id *id,
                                                 struct sp_error *reterr);

enum sp_status sp_rocks_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                   struct sp_arena *arena, const struct sp_batch **ret_batch,
                                   struct sp_error *reterr);

/* ---- rocks_traces.c ---- */

/* struct sp_trace_source.each; cookie is a view. */
enum sp_status sp_rocks_each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr);

/* ---- rocks_scan.c ---- */

enum sp_status sp_rocks_scan(struct sp_store *store, const struct sp_scan *scan,
                             enum sp_visit (*visit)(void *cookie,
                                                    const struct sp_candidate *candidate),
                             void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr);

/* ---- rocks_open.c ---- */

void sp_rocks_close(struct sp_rocks *rocks); /* half-open ones, too */

/* What the database says it holds, into rocks->totals. */
SP_MUST_USE enum sp_status sp_rocks_read_totals(struct sp_rocks *rocks, struct sp_error *reterr);

/* ---- rocks_catalogue.c ---- */

extern const struct sp_store_ops sp_rocks_ops;

/* The key of a service's colour slot, appended to out. */
void sp_rocks_slot_key(struct sp_slice service, struct sp_buf *out);
#define SP_ROCKS_SLOT_KEY_BYTES_MAX ((size_t)128 * 1024 * 1024)
