/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/storage.h: the contract between those who write spans, those who read them, and the engines that keep them.
 * Two engines implement it: sp_store_reference_open (in memory, brute force, the oracle) and sp_store_rocksdb_open. The
 * contract suite in tests/contract runs on both. The collector uses the writer half, the query room the reader half.
 *
 * Here: appends, traces by id, arrivals, backups, retention, state, how a store is opened, and checked. The parts that this includes:
 *   scan.h     which spans and traces are meant; traces that may match, newest first
 *   answers.h  counts: services, operations, attributes, latencies, the graph
 *   survey.h   every span that is meant, column by column
 *   pins.h     traces that retention leaves alone
 *   short_links.h   long addresses of pages under short names
 *
 * What every engine promises:
 *   1. An append whose callback got SP_OK is durable: it survives kill -9 and, with durability sync, power loss.
 *   2. It is whole or absent: never a part of one append.
 *   3. It is visible to every read that begins after the callback was called.
 *   4. Reads return every stored span, field for field, duplicates included, in a stated order, or an error.
 *   5. Whatever cannot be taken now is refused with a retryable status before it costs memory.
 *   6. A read sees one state of the store: whole appends, and none that came between its first and its last row.
 *
 * Threads: every function may be called from any thread at any time between open and close, unless it says otherwise. */
#pragma once

#include "lib/analysis/analysis.h"
#include "lib/model/model.h"
#include "storage/answers.h"
#include "storage/gate.h"
#include "storage/pins.h"
#include "storage/scan.h"
#include "storage/short_links.h"
#include "storage/survey.h"

struct sp_store;

/* ---- writer ---- */

enum sp_body_format { SP_BODY_OTLP_PROTOBUF = 1, SP_BODY_OTLP_JSON = 2 }; /* numbers are on disk */
enum sp_body_encoding {
    SP_BODY_IDENTITY = 1,
    SP_BODY_GZIP = 2,
    SP_BODY_ZSTD = 3
}; /* numbers are on disk */

/* One received export request, decoded. Made by the collector on the heap, owned by the store from sp_store_append on
 * (whatever that returns), freed by the store with sp_append_free once neither journal nor head needs it. */
struct sp_append {
    struct sp_buf body; /* as received, still compressed: what the journal keeps */
    /* decompressed; empty for SP_BODY_IDENTITY. batch may point into body and plain */
    struct sp_buf plain;
    enum sp_body_format format;
    enum sp_body_encoding encoding;
    uint64_t received_unix_ns;
    struct sp_slice tenant; /* "" for now; memory of arena */
    struct sp_arena arena;  /* owns batch */
    const struct sp_batch *batch;
    /* what body, plain and arena have taken from a budget, if any; given back when this is freed */
    struct sp_account account;
    /* Set by the store before done is called: which append this is (struct sp_retain tells such numbers); 0: none was given,
     * and nothing of it was written. */
    uint64_t number;

    /* Called exactly once, from any thread, perhaps before sp_store_append returns, never with a lock of the store held:
     * SP_OK (durable), or why not. error is valid during the call only. Must not block and not call the store. */
    void (*done)(void *cookie, enum sp_status status, const struct sp_error *error);
    void *cookie;
};

/* plain and arena charge the account before they grow; what body took is the caller's to enter. NULL: no memory. */
struct sp_append *sp_append_new(size_t body_bytes_max, size_t plain_bytes_max,
                                size_t arena_bytes_max);
void sp_append_free(struct sp_append *append); /* NULL is fine */

/* Takes the request over and calls append->done when it is durable or has failed:
 * SP_OVERLOADED  the backlog is full: try again. A request is never too large for an empty backlog.
 * SP_UNAVAILABLE  draining, or the disk is full or did not take the write, which the store mends as soon as it can: try
 * again.
 * SP_NO_MEMORY  try again.   SP_LIMIT  the reference store's copy of the batch did not fit into limits->arena_bytes_max. */
void sp_store_append(struct sp_store *store, struct sp_append *append);

/* How often that was called since the store was opened. Any thread, never blocks. */
uint64_t sp_store_appends_begun(const struct sp_store *store);

/* From now on appends are answered with SP_UNAVAILABLE; returns when the accepted ones are durable, their callbacks have
 * returned and all of it stands in its final place (or cannot be written there: then the journal keeps it). Reads go on.
 * Twice is fine. */
void sp_store_drain(struct sp_store *store);

/* ---- reader ----
 *
 * Every read may say SP_UNAVAILABLE: the store is being opened; or the disk did not take a write, and the store is opened again as soon
 * as the reads that are under way have ended, as if nothing were. What comes new waits for a moment first. A read within a read (of a
 * visitor, say) is no new one, on the same thread, or on one that helps it: */

struct sp_store_helper {
    struct sp_gate_helper at_gate;
};
/* From now on this thread reads for another one, the host, which waits for it. */
void sp_store_help(struct sp_store *store, struct sp_store_helper *helper, pthread_t host);
void sp_store_help_end(struct sp_store *store, struct sp_store_helper *helper);

/* All stored spans of a trace, in the order they were acked, duplicates included; copied into arena, so that they stay
 * valid as long as it does.
 * SP_NOT_FOUND  no span of it is stored.   SP_LIMIT  arena full.   SP_IO, SP_CORRUPT  reterr names the place. */
SP_MUST_USE enum sp_status sp_store_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                               struct sp_arena *arena,
                                               const struct sp_batch **ret_batch,
                                               struct sp_error *reterr);

/* What a reader looks at of spans, besides ids, times, name, kind, status code, resource and scope: the rest need not be there. Values
 * under one key keep their order. */
struct sp_span_want {
    const struct sp_slice *keys; /* of attributes of the span itself */
    uint32_t key_count;
    bool status_message;
    bool links; /* the ids that they name */
};

/* Many traces, one by one: what neighbours share is unpacked once, so this is much cheaper than to read each by itself. */
struct sp_traces_reader {
    const struct sp_span_want *want; /* NULL: everything. With one the read costs what is wanted */
    const struct sp_stop *stop;      /* asked before each trace */
    struct sp_arena *arena;          /* of one trace: emptied before each of them */
    /* Is given each trace, all its spans as sp_store_trace_read gives them, valid until it returns; what it returns other than SP_OK
     * ends the read. It may call the store's read functions. */
    enum sp_status (*visit)(void *cookie, const struct sp_trace_id *id,
                            const struct sp_batch *trace, struct sp_error *reterr);
    void *cookie;
};

/* ids: ascending, each once. Traces of which nothing is stored are left out.
 * Errors: those of sp_store_trace_read but SP_NOT_FOUND, what visit and stop say. */
SP_MUST_USE enum sp_status sp_store_traces_read(struct sp_store *store,
                                                const struct sp_trace_id *ids, size_t count,
                                                const struct sp_traces_reader *reader,
                                                struct sp_error *reterr);

/* What orders of traces need to know. */
struct sp_trace_measure {
    uint64_t start_unix_ns; /* of its earliest span */
    uint64_t
        end_unix_ns; /* of the span that ends last; one that ends before its start takes no time */
    uint64_t span_count; /* stored; 0: none is, and the times are 0 */
};

/* Measures many traces, whatever a range or a condition says of their spans: a fraction of what reading them costs. ids: ascending, each
 * once; ret: as many. stop is asked before the first and every few thousand of them.
 * SP_IO, SP_CORRUPT, SP_NO_MEMORY; what stop says. */
SP_MUST_USE enum sp_status sp_store_traces_measure(struct sp_store *store,
                                                   const struct sp_trace_id *ids, size_t count,
                                                   const struct sp_stop *stop,
                                                   struct sp_trace_measure *ret,
                                                   struct sp_error *reterr);

/* ---- arrivals: traces by when their spans came, whatever times these have ---- */

/* How far somebody has looked at what came in. Of one store, as long as it is open; the numbers are the engine's. */
struct sp_arrivals_cursor {
    uint64_t traces, appends;
};
#define SP_ARRIVALS_MAX                                                                            \
    ((size_t)64 * 1024) /* ids that are remembered while somebody looks: 1 MiB */

struct sp_arrivals {
    /* Traces of which spans came, each once, those of later appends first. Seals and merges tell nothing again; one may be removed by now. */
    const struct sp_trace_id *ids;
    size_t count; /* SP_ARRIVALS_MAX at most */
    uint64_t
        skipped; /* so many more came before these, at most: one may be counted several times */
    /* Of a store that follows another process: so many appends, at most, were sealed before it looked at them, and their traces are not
     * known. After another process has begun to write, what is not sealed is told again. */
    uint64_t unseen_appends;
};

/* From now on the store remembers which traces come in, until sp_store_arrivals_end, once for each begin that went well. Of every append that begins after
 * this call its traces will be told, of those under way perhaps, of earlier ones not. SP_NO_MEMORY; SP_UNAVAILABLE  while the store is being opened. */
SP_MUST_USE enum sp_status sp_store_arrivals_begin(struct sp_store *store,
                                                   struct sp_arrivals_cursor *ret,
                                                   struct sp_error *reterr);
void sp_store_arrivals_end(struct sp_store *store);

/* What came since the cursor, which moves on. An append is told by every read that begins after its callback was called, and what is told is
 * visible. Memory of the arena. SP_LIMIT: it is full.   SP_NO_MEMORY. After an error the cursor is where it was. */
SP_MUST_USE enum sp_status sp_store_arrivals_read(struct sp_store *store,
                                                  struct sp_arrivals_cursor *cursor,
                                                  struct sp_arena *arena, struct sp_arrivals *ret,
                                                  struct sp_error *reterr);

/* ---- backups: copies of all that was acked, made while the store is in use ---- */

/* Stands beside the data until it was taken elsewhere (sp_store_copy), and is a data directory that nobody has open. */
struct sp_backup {
    struct sp_slice name, path; /* path: absolute */
    bool complete;              /* false: it is being made, or a crash left it */
    uint64_t made_unix_ns;
};

/* So many may stand there at once: what they hold keeps its room when it is dropped from the store. */
#define SP_BACKUPS_MAX ((size_t)16)
/* Of all folders that look like one. */
#define SP_BACKUPS_LISTED_MAX ((size_t)1000)

/* Memory of the arena. Everything whose callback was called before the call is in it; of appends meanwhile whole ones may be.
 * SP_UNAVAILABLE  SP_BACKUPS_MAX stand there, or the disk is full.   SP_UNIMPLEMENTED  this engine has none.   SP_IO ... */
SP_MUST_USE enum sp_status sp_store_backup_make(struct sp_store *store, struct sp_arena *arena,
                                                struct sp_backup *ret, struct sp_error *reterr);
/* By name, which is the order in which they were made; at most SP_BACKUPS_LISTED_MAX. */
SP_MUST_USE enum sp_status sp_store_backup_list(struct sp_store *store, struct sp_arena *arena,
                                                const struct sp_backup **ret_rows,
                                                size_t *ret_count, struct sp_error *reterr);
/* SP_INVALID_ARGUMENT: no such name is given.   SP_NOT_FOUND. */
SP_MUST_USE enum sp_status sp_store_backup_remove(struct sp_store *store, struct sp_slice name,
                                                  struct sp_error *reterr);

struct sp_store_copied {
    uint64_t file_count, linked_count, bytes; /* linked: of the files; bytes: of the others */
};

/* Copies a data directory that no process has open, or a backup, to a directory that is new or empty; all of it is on the disk when this
 * returns. link_tables: where both are on one file system, tables are links. When it fails, the target is as it was.
 * SP_NOT_FOUND, SP_BUSY  of from.   SP_INVALID_ARGUMENT  to is not empty.   SP_UNAVAILABLE  the disk is full.   SP_PERMISSION, SP_IO */
SP_MUST_USE enum sp_status sp_store_copy(const char *from, const char *to, bool link_tables,
                                         struct sp_store_copied *ret, struct sp_error *reterr);

/* ---- retention ---- */

/* What is kept; 0: no limit. Whole appends are removed, and only as many segments of them as it takes: the oldest first. What is left
 * answers as if the others had never come, but for the colour slots of services, which stay. A read that has begun goes on with
 * what it had. */
struct sp_retention {
    /* A span is old when it started, or was received, longer ago. Nothing younger is removed; what is old may be at any
     * time, and is soon after all spans of its segment are, unless one is of a pinned trace (pins.h). */
    uint64_t age_ns;
    /* While the data directory takes more, appends are removed whatever their age. */
    uint64_t disk_bytes;
};

struct sp_retain {
    struct sp_retention keep;
    uint64_t now_unix_ns;
    /* Told what was removed, on any thread, before the call returns; may be NULL. Appends have ascending numbers in the order of their
     * acks, from 1 on; each that failed may have taken a number, too. The first, the last, and all between them that had not gone
     * before: these have span_count spans together. Some may have gone before, because they were older, and what was left on both sides
     * of them became one segment (docs/decisions/0101-what-a-removal-tells.md). Must not call the store. */
    void (*removed)(void *cookie, uint64_t first_append, uint64_t last_append, uint64_t span_count);
    void *cookie;
};

/* Removes now what these limits let go and is in its final place. The engine on disk does it by its options every few seconds
 * besides; each append is a segment for the reference, which has no size.
 * SP_UNAVAILABLE: draining. Or what reads and writes say. */
SP_MUST_USE enum sp_status sp_store_retain(struct sp_store *store, const struct sp_retain *retain,
                                           struct sp_error *reterr);

/* ---- state ---- */

struct sp_store_removed {
    uint64_t segments, spans; /* since open */
};

/* Of what an open found in the journal: requests that were acked before the last stop and not in their final place. */
struct sp_store_replay {
    uint64_t requests, spans, bytes;  /* that were read, so far; bytes of the journal */
    uint64_t requests_all, bytes_all; /* that there are; 0: not known yet, or none */
};

struct sp_store_stats {
    bool opening; /* it is, still: then replay and follows are all that is set */
    struct sp_store_replay replay;
    uint64_t span_count, trace_count, append_count; /* stored now; appends: since open */
    uint64_t disk_bytes;                     /* files of the data directory; 0 for the reference */
    uint64_t backlog_appends, backlog_bytes; /* acked, not yet applied */
    uint64_t oldest_unix_ns, newest_unix_ns; /* of span starts; 0, 0 when empty */
    uint64_t commit_count;                   /* group commits since open */
    uint64_t apply_failure_count; /* since open: acked appends that did not get into their place */
    bool apply_fails;             /* the last try did not; the journal keeps them */
    uint64_t segment_count;       /* stored now; 0 for the reference, as all below */
    uint64_t merge_waiting_count; /* of them: are due to be merged */
    uint64_t dropped_segment_count; /* are not stored any more, but their room is still taken */
    uint64_t merge_count, merged_span_count, merge_failure_count; /* since open */
    uint64_t merge_cpu_ns; /* of the thread that merges, without what the database does behind it */
    struct sp_store_removed removed_by_age, removed_by_size;
    bool follows; /* another process writes; then the following are set */
    uint64_t
        catch_up_age_ns; /* since the begin of the last look at what it has written that went well */
    uint64_t catch_up_count, catch_up_failure_count; /* since open */
    /* What these looks cost, since open: headers of segments and records of the journal that were read, and how often all that is not
     * sealed was read anew. */
    uint64_t catch_up_header_count, catch_up_record_count, catch_up_anew_count;
};

SP_MUST_USE enum sp_status sp_store_stats(struct sp_store *store, struct sp_store_stats *ret,
                                          struct sp_error *reterr);

/* SP_UNAVAILABLE, and how far an opening is, in one sentence. */
enum sp_status sp_store_opening_error(const struct sp_store_replay *replay,
                                      struct sp_error *reterr);

/* ---- engines ---- */

/* How the store reads the bodies in its journal; handed in by cmd/ so that storage need not know the wire formats. */
struct sp_store_codec {
    /* Decodes a body that was journalled as received. Same contract as the collector's own decoding, so that the same spans are refused; but its limits must be at
     * least those of every earlier run on this directory, for what was once accepted has to decode for ever. plain takes
     * the decompressed bytes. */
    enum sp_status (*decode)(void *cookie, enum sp_body_format format,
                             enum sp_body_encoding encoding, struct sp_slice body,
                             struct sp_buf *plain, struct sp_arena *arena,
                             const struct sp_batch **ret_batch, struct sp_error *reterr);
    void *cookie;
};

enum sp_durability {
    SP_DURABILITY_SYNC, /* fdatasync before the ack */
    SP_DURABILITY_OS, /* written to the operating system before the ack: survives kill -9, not power loss */
};

/* Sizes inside of the engine; 0: the default. Tests make them small, so that few spans are sealed and merged often. */
struct sp_store_sizes {
    uint64_t seal_spans;      /* the newest spans become a segment: 1 Mi */
    uint64_t merge_spans;     /* the first tier of segments is below it: 64 Ki */
    uint64_t merge_spans_max; /* of a merged segment: 4 Mi */
    uint32_t merge_segments;  /* so many of a tier become one, 2 or more: 8 */
    uint64_t retry_ns;        /* what failed is tried again so much later at first: 0.5 s */
    uint64_t read_wait_ns;    /* a read waits so long for a store that is to be opened again: 2 s */
    uint64_t follow_ns;       /* between two looks of a store that follows: 0.2 s */
};

struct sp_store_options {
    const char *data_dir; /* created if missing, with its parents; the reference ignores it */
    enum sp_durability durability;
    /* acked but not applied, and waiting: above it appends get SP_OVERLOADED */
    size_t backlog_bytes_max;
    struct sp_store_codec codec;
    const struct sp_limits *limits;
    const struct sp_clock *clock;
    const struct sp_log *log; /* may be NULL */
    struct sp_store_sizes sizes;
    struct sp_retention retention; /* the reference ignores it */
    /* NULL: an open returns when the store is open. Otherwise it returns as soon as it has the directory, and a thread goes on: until it
     * is done, reads and appends get SP_UNAVAILABLE and how far it is, which sp_store_stats says in numbers. Then it is called, once, on
     * that thread: SP_OK, or why the store cannot be used. Not any more once it is being closed, which ends the opening at once
     * and leaves everything as it was found. It must not close the store. The reference ignores it. */
    void (*opened)(void *cookie, enum sp_status status, const struct sp_error *error);
    void *opened_cookie;
};

#define SP_STORE_BACKLOG_BYTES_DEFAULT ((size_t)256 * 1024 * 1024)

/* SP_NO_MEMORY only. */
SP_MUST_USE enum sp_status sp_store_reference_open(const struct sp_store_options *options,
                                                   struct sp_store **ret, struct sp_error *reterr);
/* Removes these appends from a reference store: what another engine has removed, when both are compared. */
void sp_store_reference_remove(struct sp_store *store, uint64_t first_append, uint64_t last_append);

/* SP_BUSY        another process has the directory open.
 * SP_VERSION     written by a version this one does not know; nothing was changed.
 * SP_PERMISSION  directory or a file in it is not writable.   SP_CORRUPT  damaged: reterr names the file.
 * SP_IO          anything else the file system said. */
SP_MUST_USE enum sp_status sp_store_rocksdb_open(const struct sp_store_options *options,
                                                 struct sp_store **ret, struct sp_error *reterr);

/* A store to read only, beside the process that has the directory open: it shows what that process has acked within a second, and
 * holds nothing up. Appends get SP_PERMISSION. Reads go on when that process ends; when none runs, all is read that is stored. Promises 4
 * and 6 hold. The directory is not written to. Of the options, durability, backlog_bytes_max, limits and sizes but for follow_ns are not used.
 * SP_NOT_FOUND  there is no data directory.   SP_UNAVAILABLE  there is no database in it yet.   Others as above, but for SP_BUSY. */
SP_MUST_USE enum sp_status sp_store_rocksdb_follow(const struct sp_store_options *options,
                                                   struct sp_store **ret, struct sp_error *reterr);

/* Drains, syncs, closes. No other call may be running or come later. NULL is fine. */
void sp_store_close(struct sp_store *store);

/* ---- is all of it as it was written? Offline, and without changing a byte ---- */

enum sp_finding_kind {
    SP_FINDING_CHECKSUM,     /* these are not the bytes that were written */
    SP_FINDING_UNREADABLE,   /* they are, or have no checksum, but are not what the format says */
    SP_FINDING_MISSING,      /* something that has to be there is not */
    SP_FINDING_DISAGREEMENT, /* two things that can be read contradict each other */
    /* from here on no damage */
    SP_FINDING_LEFTOVER,    /* takes room and is not read: what a crash left behind */
    SP_FINDING_NOT_CHECKED, /* because of damage elsewhere, or because it is too large */
};
#define SP_FINDING_KIND_COUNT 6
const char *sp_finding_kind_name(enum sp_finding_kind kind); /* "checksum", "unreadable", ... */

static inline bool sp_finding_is_damage(enum sp_finding_kind kind)
{
    return kind < SP_FINDING_LEFTOVER;
}

/* One thing that was found. Valid during the call only. */
struct sp_finding {
    enum sp_finding_kind kind;
    const char *place;  /* "segment 3, block 2, column 7 (attribute \"http.route\" of spans)" */
    const char *detail; /* a sentence part */
    bool has_segment, has_block, has_spans, has_traces, has_times;
    uint64_t segment;
    uint32_t block;
    uint64_t span_count;                              /* that are concerned */
    struct sp_trace_id first_trace_id, last_trace_id; /* their traces lie between these */
    uint64_t start_min_unix_ns, start_max_unix_ns;    /* their starts */
};

struct sp_check_summary {
    uint64_t findings[SP_FINDING_KIND_COUNT];
    uint64_t segment_count, block_count, chunk_count, span_count; /* read */
    uint64_t trace_count; /* a trace in two segments counts twice */
    uint64_t journal_record_count, journal_span_count;
    uint64_t bytes;      /* of what was counted above */
    uint64_t file_count; /* of the database's tables */
};

struct sp_check_options {
    const char *data_dir;
    struct sp_store_codec codec; /* as in struct sp_store_options */
    void (*found)(void *cookie, const struct sp_finding *finding);
    /* Now and then; NULL: not wanted. what: "segments", ... */
    void (*progress)(void *cookie, const char *what, uint64_t done, uint64_t all);
    void *cookie;
};

/* Reads everything that docs/storage-format.md names, compares what can be compared, and hands over what is wrong; goes on
 * behind it. Memory: the headers of all segments, a block or two, the counts of one segment, one trace.
 * SP_OK          checked; *ret says how much, and whether there is damage.
 * SP_NOT_FOUND   there is no data directory.    SP_BUSY     a process has it open.
 * SP_VERSION     of a version this one does not know.   SP_PERMISSION  it may not be read.   SP_NO_MEMORY, SP_IO */
SP_MUST_USE enum sp_status sp_store_check(const struct sp_check_options *options,
                                          struct sp_check_summary *ret, struct sp_error *reterr);
