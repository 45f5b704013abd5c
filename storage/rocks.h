/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks.h: the engine on disk, as its own files see it. Internal to storage/rocks_*.c.
 *
 *   append --> waiting -- committer --> fresh -- columns -> head blocks -- sealer --> segments -- merger --> fewer segments
 *                         one batch,    rows     columns    in memory      one batch: chunks,
 *                         one sync,                                        header, totals; the
 *                         then the acks                                    journal records go
 *
 *   A view for reads = { segments, head blocks, fresh entries } in the order of their journal sequences, each with a
 *   reference. All three are immutable, and a span moves from one list to the next under one lock: it is in exactly one of
 *   them in every view, and reads never wait for writers. */
#pragma once

#include "storage/arrivals.h"
#include "storage/block_cache.h"
#include "storage/brute.h"
#include "storage/datadir.h"
#include "storage/edge_rollup.h"
#include "storage/gate.h"
#include "storage/idset.h"
#include "storage/interner.h"
#include "storage/known.h"
#include "storage/layout.h"
#include "storage/rocks_sizes.h"
#include "storage/rollup.h"
#include "storage/segment.h"
#include "storage/short_link_list.h"
#include "storage/value_cache.h"
#include "storage/vector.h"

#include <pthread.h>

/* One append on its way; counted references, because readers hold entries while the sealer drops them. */
struct sp_rocks_entry {
    struct sp_append *append;
    uint64_t sequence;
    bool packed;          /* its body still is as the journal has it (sp_layout_body_unpack) */
    size_t bytes;         /* in memory */
    size_t journal_bytes; /* in the journal */
    uint64_t published_ns;
    _Atomic uint32_t references;
    struct sp_rocks_entry *next;     /* in its queue */
    struct sp_rocks_entry *ack_next; /* the committer's list of those it has to ack */
};

struct sp_rocks_queue {
    struct sp_rocks_entry *first, *last;
    size_t count, bytes, spans;
};

/* A batch that another thread has the committer write; on that thread's stack. Under the lock. */
struct sp_rocks_errand {
    struct sp_kv_batch *batch;
    enum sp_status status;
    struct sp_error error;
    bool done;
    struct sp_rocks_errand *next;
};

struct sp_rocks_head_block {
    struct sp_block_shared *shared;         /* one reference */
    uint64_t first_sequence, last_sequence; /* of its requests, whole ones or parts */
    size_t bytes, journal_bytes;
    uint64_t published_ns;         /* of the first of them */
    uint64_t received_max_unix_ns; /* of any of them */
};

struct sp_rocks_head { /* a vector */
    struct sp_rocks_head_block *items;
    uint32_t count, cap;
};

/* A segment that no header names. */
struct sp_rocks_dropped {
    uint64_t id;
    /* One reference: when it is the last, nobody reads. NULL: a merge that was given up. */
    struct sp_segment *segment;
};

/* Somebody wants segments to be removed now. Lives on the stack of who waits for it. */
struct sp_rocks_retain_request {
    const struct sp_retain *retain;
    enum sp_status status;
    struct sp_error error;
    bool done;
};

/* How far an open is with the journal. */
struct sp_rocks_progress {
    _Atomic uint64_t requests, spans, bytes, requests_all, bytes_all;
};

struct sp_rocks {
    struct sp_store base;
    struct sp_store_sizes sizes; /* none is 0 */
    struct sp_retention retention;
    struct sp_store_codec codec;
    enum sp_durability durability;
    size_t backlog_bytes_max;
    const struct sp_clock *clock;
    const struct sp_log *log;
    struct sp_datadir dir;

    /* Until is_open only the thread that opens uses what is below. It may be the one that called open. */
    _Atomic bool is_open;
    _Atomic bool called_off; /* it is to give up, because the store is closed */
    _Atomic bool open_failed;
    struct sp_rocks_progress progress;
    void (*opened)(void *cookie, enum sp_status status, const struct sp_error *error);
    void *opened_cookie;
    bool follows;
    pthread_t opener;
    bool opener_runs; /* it has to be joined; of who opens and closes */

    /* After a failed write RocksDB takes no more; the sealer then closes and opens it again, alone. Who uses kv is within the gate. */
    struct sp_gate gate;
    struct sp_kv *kv; /* NULL: it could not be opened again yet */
    _Atomic bool kv_broken;

    /* Held while a new segment learns what older ones hold of its traces, until it is in the list; and while a segment is
     * removed. Within the gate, before lock. */
    pthread_mutex_t history_lock;
    struct sp_known known; /* under it: traces of segments from known_from on */

    pthread_mutex_t lock; /* of all below; never held while a callback runs */
    pthread_cond_t committer_wakes, columns_wakes, sealer_wakes, merger_wakes, somebody_idles;
    pthread_cond_t errand_done;
    struct sp_rocks_errand *errands; /* for the committer, in any order */
    bool takes_errands;
    struct sp_rocks_queue waiting, fresh;
    struct sp_rocks_head head;
    uint32_t head_taken; /* of its blocks, the first ones: those that seals on the way have */
    SP_VECTOR(struct sp_segment *) segments; /* in their order, one reference each */
    uint64_t known_from;                     /* a sequence; UINT64_MAX: nothing is known */
    uint64_t not_learnt; /* a damaged segment, from which on older ones stay unknown; 0: none */
    struct sp_interner services;             /* number: colour slot */
    uint32_t services_stored;                /* those below it stand in the database */
    struct sp_totals totals;                 /* as the database has them */
    size_t in_commit_count, in_commit_bytes; /* behind waiting, until the callbacks returned */
    bool draining, stopping;
    bool columns_stuck, sealer_stuck; /* what they tried last failed */
    uint64_t append_count, commit_count, seal_count, seal_failure_count;
    uint64_t next_sequence;                     /* the committer's */
    SP_VECTOR(struct sp_rocks_dropped) dropped; /* whose room is to be given back */
    SP_VECTOR(uint64_t) damaged;                /* ids of segments that are not merged */
    uint64_t merge_count, merged_span_count, merge_failure_count, merge_cpu_ns;
    struct sp_rocks_retain_request *retain_request; /* NULL: none */
    struct sp_store_removed removed_by_age, removed_by_size;
    SP_VECTOR(struct sp_pin) pins;
    struct sp_short_link_list short_links;
    SP_VECTOR(uint64_t) pinned_segments; /* ids of some that hold them */
    uint64_t unpin_count;
    /* Ids of segments whose room was given back since tables were last written again without them; the merger's. */
    uint64_t freed_first, freed_last; /* freed_last 0: none */
    pthread_t committer, columns, sealer, merger;
    bool committer_runs, columns_runs, sealer_runs, merger_runs;
    struct sp_block_builder *builder;  /* of who makes columns of rows */
    struct sp_buf packed_body;         /* the committer's */
    struct sp_kv_batch *journal_batch; /* the same; heap, or NULL */
    struct sp_block_cache *cache;
    struct sp_value_cache *value_cache;
    struct sp_arrivals_log arrivals;    /* of what has become visible; has a lock of its own */
    struct sp_rocks_follower *follower; /* NULL: this process writes */
    struct sp_kv *pin; /* of a follower: what the segments are read from; one reference */

    /* Of what questions keep with segments and blocks (kept.h); no other is taken behind it. */
    pthread_mutex_t kept_lock;
    /* Held while a link is added or removed. Within the gate, before lock. */
    pthread_mutex_t short_links_lock;
    pthread_mutex_t backup_lock; /* one backup at a time; never held with another lock */
};

static inline struct sp_rocks *sp_rocks_of(struct sp_store *store)
{
    return (struct sp_rocks *)store; /* base is its first member */
}

/* ---- rocks_write.c ---- */

SP_MUST_USE enum sp_status sp_rocks_start(struct sp_rocks *rocks, struct sp_error *reterr);
void sp_rocks_stop(struct sp_rocks *rocks); /* drains first */
/* Writes the batch, unsynced. Within the gate. Has the committer do it between two groups, so that a thread that is nicer never
 * stands at the head of RocksDB's queue of writers without a processor, and acks behind it; does it itself when there is no committer. */
SP_MUST_USE enum sp_status sp_rocks_write_behind(struct sp_rocks *rocks, struct sp_kv_batch *batch,
                                                 struct sp_error *reterr);
void sp_rocks_append(struct sp_store *store, struct sp_append *append);
void sp_rocks_drain(struct sp_store *store);
void sp_rocks_entry_unref(struct sp_rocks_entry *entry);
/* Under the lock, or before the threads run. */
void sp_rocks_queue_push(struct sp_rocks_queue *queue, struct sp_rocks_entry *entry);
struct sp_rocks_entry *sp_rocks_queue_pop(struct sp_rocks_queue *queue);

/* The id of a segment that is going to be made; none is given twice. Under the lock, or before the threads run. */
static inline uint64_t sp_rocks_new_segment_id(struct sp_rocks *rocks)
{
    return rocks->totals.next_segment++;
}

static inline bool sp_rocks_queue_is_full(const struct sp_rocks *rocks,
                                          const struct sp_rocks_queue *fresh)
{
    return fresh->spans >= SP_ROCKS_FRESH_SPANS || fresh->bytes >= SP_ROCKS_FRESH_BYTES ||
           fresh->spans >= rocks->sizes.seal_spans;
}

/* ---- rocks_sealer.c: when rows become columns, and columns segments ---- */

/* Starts both threads. An errno. */
int sp_rocks_sealer_start(struct sp_rocks *rocks);

/* Of the clock that the condition variables wait by. */
uint64_t sp_rocks_monotonic_ns(void);
/* Under the lock: until signalled, or until then; UINT64_MAX: for ever. */
void sp_rocks_wait(struct sp_rocks *rocks, pthread_cond_t *wakes, uint64_t until_ns);

/* ---- rocks_head.c: rows to columns ---- */

/* Turns the oldest fresh entries into head blocks. Of the thread for columns, or before it runs. On an error nothing has changed.
 * SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_rocks_make_blocks(struct sp_rocks *rocks, struct sp_error *reterr);
/* The same of any entries, behind any blocks; services get their slots all the same. */
SP_MUST_USE enum sp_status sp_rocks_make_blocks_of(struct sp_rocks *rocks,
                                                   struct sp_rocks_queue *fresh,
                                                   struct sp_rocks_head *head,
                                                   struct sp_error *reterr);

/* The oldest entries of a queue, as many as make a block or two. */
#define SP_ROCKS_GROUP_ENTRIES_MAX 4096
size_t sp_rocks_queue_peek(const struct sp_rocks_queue *fresh,
                           struct sp_rocks_entry *ret[SP_ROCKS_GROUP_ENTRIES_MAX]);
/* Services of entries get their slots, in order. Takes the lock: for each service, not for each span. False: no memory. */
SP_MUST_USE bool sp_rocks_name_services(struct sp_rocks *rocks,
                                        struct sp_rocks_entry *const *entries, size_t count);
/* Blocks that were made of such a group come behind those of head, which owns them then. Under the lock. SP_NO_MEMORY, and nothing
 * has changed. */
SP_MUST_USE enum sp_status sp_rocks_head_push(struct sp_rocks_head *head,
                                              struct sp_rocks_entry *const *entries, size_t count,
                                              struct sp_block_shared **blocks, uint32_t block_count,
                                              struct sp_error *reterr);

/* Bytes of the head blocks from this one on; are those that no seal has due to be sealed? Under the lock. */
size_t sp_rocks_head_bytes(const struct sp_rocks *rocks, uint32_t first);
bool sp_rocks_head_is_full(const struct sp_rocks *rocks);

/* Spans of entries as shared blocks, pushed to blocks. Any thread with a builder of its own. */
SP_MUST_USE enum sp_status sp_rocks_entries_to_blocks(struct sp_block_builder *builder,
                                                      struct sp_rocks_entry *const *entries,
                                                      size_t count, struct sp_block_shared ***ret,
                                                      uint32_t *ret_count, struct sp_error *reterr);

/* ---- rocks_mix.c: rows of several inputs, by trace ---- */

struct sp_rocks_rollups;

struct sp_rocks_mix {
    uint32_t input_count; /* spans of one trace keep the order of the inputs */
    /* The next block of an input, valid until its next one is asked for; NULL: it is at its end. An error ends the mixing. */
    enum sp_status (*next)(void *cookie, uint32_t input, const struct sp_block **ret,
                           struct sp_error *reterr);
    /* Asked after each block that the writer has got: may write what is in its batch. */
    enum sp_status (*added)(void *cookie, const struct sp_block *block, struct sp_error *reterr);
    void *cookie;
    struct sp_block_builder *builder; /* it is reset */
    struct sp_segment_writer *writer; /* gets the blocks */
    struct sp_rocks_rollups *rollups; /* the same; NULL: somebody else knows the rollups */
    struct sp_rollup *counts;         /* or only a part of them */
};

SP_MUST_USE enum sp_status sp_rocks_mix(const struct sp_rocks_mix *mix, struct sp_error *reterr);

/* ---- rocks_seal.c: head blocks to a segment ---- */

/* Writes all head blocks, of which there are some, as one segment: first its chunks, which nobody reads, then in one batch its header and
 * all that changes with it, the deletion of their journal records among it; not synced (the journal is). The sealer's; within the gate. */
SP_MUST_USE enum sp_status sp_rocks_seal(struct sp_rocks *rocks, struct sp_error *reterr);

SP_MUST_USE enum sp_status sp_rocks_put_totals(const struct sp_rocks *rocks,
                                               struct sp_kv_batch *batch,
                                               const struct sp_totals *totals,
                                               struct sp_error *reterr);

/* ---- rocks_merge.c: segments to a segment ---- */

/* Neighbours that are due to become one: how many, from *ret_first on; 0: none. Under the lock. */
uint32_t sp_rocks_merge_choose(const struct sp_rocks *rocks, uint32_t *ret_first);
/* Segments that are in such groups. Under the lock. */
uint64_t sp_rocks_merge_debt(const struct sp_rocks *rocks);

/* Merges them. Under the lock, which it gives up meanwhile, and within the gate: it gives up soon when the
 * database has to be repaired or the store drains (SP_UNAVAILABLE). A segment that cannot be read is noted as damaged, which is
 * no error. The merger's. */
SP_MUST_USE enum sp_status sp_rocks_merge(struct sp_rocks *rocks, uint32_t first, uint32_t count,
                                          struct sp_error *reterr);

/* ---- rocks_merger.c: when ---- */

/* Starts the thread. An errno. */
int sp_rocks_merger_start(struct sp_rocks *rocks);
/* Gives back the room of segments whose header was not written before a crash. Before the threads run, or
 * alone within the gate. */
void sp_rocks_drop_unnamed(struct sp_rocks *rocks);

/* ---- rocks_retain.c: which segments go, and how ---- */

/* Removes a segment if one is to go by these limits at this time. Under the lock, which it gives up meanwhile, and within the
 * gate. *ret_removed: one was; retain->removed is told. The merger's. */
SP_MUST_USE enum sp_status sp_rocks_retain_one(struct sp_rocks *rocks,
                                               const struct sp_retain *retain, bool *ret_removed,
                                               struct sp_error *reterr);
enum sp_status sp_rocks_retain(struct sp_store *store, const struct sp_retain *retain,
                               struct sp_error *reterr);
/* Bytes of tables that no segment needs. Within the gate, under the lock. */
uint64_t sp_rocks_garbage_bytes(const struct sp_rocks *rocks);

/* ---- rocks_view.c: who uses the database (rocks_view.h: who reads it) ---- */

/* Within the gate, from then until sp_gate_leave. SP_UNAVAILABLE: the database is to be opened again, and this thread is not within. */
SP_MUST_USE enum sp_status sp_rocks_enter(struct sp_rocks *rocks, struct sp_gate_pass *pass,
                                          struct sp_error *reterr);

/* ---- rocks_repair.c ---- */

/* Opens the database again after a failed write, if there is room, and drops what was not acked from its journal. For that it has to be
 * alone within the gate, which it shuts. The sealer's. SP_BUSY: somebody is within still.   SP_UNAVAILABLE: there is no room. Try
 * again later; the first leaves the gate shut until then. */
SP_MUST_USE enum sp_status sp_rocks_repair(struct sp_rocks *rocks, struct sp_error *reterr);

/* ---- rocks_backup.c ---- */

enum sp_status sp_rocks_backup_make(struct sp_store *store, struct sp_arena *arena,
                                    struct sp_backup *ret, struct sp_error *reterr);
enum sp_status sp_rocks_backup_list(struct sp_store *store, struct sp_arena *arena,
                                    const struct sp_backup **ret_rows, size_t *ret_count,
                                    struct sp_error *reterr);
enum sp_status sp_rocks_backup_remove(struct sp_store *store, struct sp_slice name,
                                      struct sp_error *reterr);

/* ---- rocks_follow.c: another process writes ---- */

/* Opens the database in rocks->dir, catches up once, and starts the thread that goes on with it. */
SP_MUST_USE enum sp_status sp_rocks_follow(struct sp_rocks *rocks, struct sp_error *reterr);
void sp_rocks_unfollow(struct sp_rocks *rocks); /* half-started ones, too */
/* Under the lock. */
void sp_rocks_follow_stats(const struct sp_rocks *rocks, struct sp_store_stats *stats);

/* ---- rocks_entry.c: a journal record becomes an entry again ---- */

/* An append as it was when it came, from its journal record, but for its spans: the record is copied. SP_CORRUPT, SP_NO_MEMORY */
SP_MUST_USE enum sp_status sp_rocks_entry_take(uint64_t sequence, struct sp_slice record,
                                               struct sp_rocks_entry **ret,
                                               struct sp_error *reterr);
/* Its spans. Any thread. The same errors. */
SP_MUST_USE enum sp_status sp_rocks_entry_decode(const struct sp_store_codec *codec,
                                                 struct sp_rocks_entry *entry,
                                                 struct sp_error *reterr);

/* ---- rocks_replay.c: what a crash has left in the journal ---- */

/* Puts the records that are not sealed into the head. Before the threads run. SP_CORRUPT: one cannot be read. SP_UNAVAILABLE: it was
 * called off. Or what sealing says. */
SP_MUST_USE enum sp_status sp_rocks_replay(struct sp_rocks *rocks, struct sp_error *reterr);
/* How far it is; any thread. */
struct sp_store_replay sp_rocks_replay_stats(const struct sp_rocks *rocks);

/* ---- rocks_open.c ---- */

/* SP_OK; SP_UNAVAILABLE while the store is being opened, with how far that is, and when it could not be. */
SP_MUST_USE enum sp_status sp_rocks_check_open(const struct sp_rocks *rocks,
                                               struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_rocks_totals_read(const struct sp_rocks *rocks, struct sp_totals *ret,
                                                struct sp_error *reterr);
/* Slots that are stored, to those that are known. Under the lock, or before threads run. */
SP_MUST_USE enum sp_status sp_rocks_load_services(struct sp_rocks *rocks, struct sp_error *reterr);
/* By their sequences. */
void sp_rocks_sort_segments(struct sp_segment **segments, size_t count);

void sp_rocks_close(struct sp_rocks *rocks); /* half-open ones, too */

/* Totals, services and segments of the database, for what was known. Under the lock, or before threads run. */
SP_MUST_USE enum sp_status sp_rocks_load(struct sp_rocks *rocks, struct sp_error *reterr);

/* ---- rocks_catalogue.c ---- */

extern const struct sp_store_ops sp_rocks_ops;
