/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/kv.h: an ordered key-value store in a folder: column families, atomic synced batches, iterators.
 * RocksDB stands behind it and is named nowhere else. Internal to storage/. Knows no spans.
 *
 * Threads: every function may be called from any thread; a batch or iterator has one user at a time. */
#pragma once

#include "lib/base/base.h"

enum sp_kv_family {
    SP_KV_META,     /* the default family: what is sealed, service slots */
    SP_KV_JOURNAL,  /* requests as received, until they are sealed */
    SP_KV_SEGMENTS, /* headers of segments */
    SP_KV_CHUNKS,   /* the chunks of their blocks: large values, compressed already */
};

#define SP_KV_FAMILY_COUNT 4

struct sp_kv;
struct sp_kv_batch;
struct sp_kv_iterator;

/* path exists; it may be empty if create is set. create never overrides what is there. Errors as sp_store_rocksdb_open. */
SP_MUST_USE enum sp_status sp_kv_open(const char *path, bool create, struct sp_kv **ret,
                                      struct sp_error *reterr);
/* The same of a database that nobody has open, without changing a byte of it: what its log holds is read into memory. Nothing
 * can be written. forgiving: also one whose log or files are damaged, as far as it goes. */
SP_MUST_USE enum sp_status sp_kv_open_read_only(const char *path, bool forgiving,
                                                struct sp_kv **ret, struct sp_error *reterr);
bool sp_kv_is_read_only(const struct sp_kv *kv);
void sp_kv_close(struct sp_kv *kv); /* NULL is fine; nothing made from it may be left */

/* Writes what is in memory to its files, so that the next open has nothing to replay. */
SP_MUST_USE enum sp_status sp_kv_flush(struct sp_kv *kv, struct sp_error *reterr);

/* Has a write, a flush or a checkpoint failed, so that it has to be opened anew? */
bool sp_kv_log_has_failed(const struct sp_kv *kv);

/* What was written without sync is on disk when it returns. Other writes wait. */
SP_MUST_USE enum sp_status sp_kv_sync(struct sp_kv *kv, struct sp_error *reterr);

/* Makes the folder path, which must not exist, a database of its own that holds all that was written before the call; writes go
 * on meanwhile. It is on the disk when this returns. Tables are links to the same files, so it costs little, and takes room
 * once they are dropped here. SP_UNAVAILABLE: the disk is full. */
SP_MUST_USE enum sp_status sp_kv_checkpoint(struct sp_kv *kv, const char *path,
                                            struct sp_error *reterr);

/* ---- batches: all or nothing ---- */

struct sp_kv_batch *sp_kv_batch_new(void);
void sp_kv_batch_free(struct sp_kv_batch *batch);
void sp_kv_batch_clear(struct sp_kv_batch *batch);
void sp_kv_batch_put(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                     struct sp_slice key, struct sp_slice value);
/* The value in two parts that are written one behind the other. */
void sp_kv_batch_put2(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                      struct sp_slice key, struct sp_slice head, struct sp_slice tail);
void sp_kv_batch_delete(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                        struct sp_slice key);
/* All keys in [from, to). */
void sp_kv_batch_delete_range(struct sp_kv_batch *batch, struct sp_kv *kv, enum sp_kv_family family,
                              struct sp_slice from, struct sp_slice to);

/* sync: on the disk (fdatasync) before it returns; otherwise handed to the operating system.
 * SP_UNAVAILABLE  the disk is full: nothing of the batch is visible, try again.  SP_IO, SP_CORRUPT, SP_PERMISSION. */
SP_MUST_USE enum sp_status sp_kv_write(struct sp_kv *kv, struct sp_kv_batch *batch, bool sync,
                                       struct sp_error *reterr);

/* Gives back the room of all keys in [from, to) that nobody reads any more: whole files at once, then what is left. */
SP_MUST_USE enum sp_status sp_kv_drop_range(struct sp_kv *kv, enum sp_kv_family family,
                                            struct sp_slice from, struct sp_slice to,
                                            struct sp_error *reterr);

/* Gives back the tables of a family that is filled in the order of its keys and emptied from its start: those that hold nothing
 * but keys below to, which are deleted, on the disk, too. What cannot be given back now is when it is tried again. */
void sp_kv_drop_before(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice to);

/* Bytes of a family's tables on the disk, whether anybody needs what is in them or not. */
uint64_t sp_kv_table_bytes(const struct sp_kv *kv, enum sp_kv_family family);

/* Writes the tables that hold keys in [from, to) again, without what was deleted. Takes a while; others go on meanwhile. What
 * fails is left as it is. */
void sp_kv_compact(struct sp_kv *kv, enum sp_kv_family family, struct sp_slice from,
                   struct sp_slice to);

/* ---- reads ---- */

/* Appends the value to ret_value (NULL: only asks whether it is there). SP_NOT_FOUND leaves reterr alone. */
SP_MUST_USE enum sp_status sp_kv_get(struct sp_kv *kv, enum sp_kv_family family,
                                     struct sp_slice key, struct sp_buf *ret_value,
                                     struct sp_error *reterr);

/* Keys ascending as memcmp; begins nowhere: seek first. NULL: no memory, or a pinned state (sp_kv_pin), which has those only that were
 * made with it. */
struct sp_kv_iterator *sp_kv_iterator_new(struct sp_kv *kv, enum sp_kv_family family);
/* The same, but also over what sp_kv_batch_delete_range deleted and still stands in the files: to see whether they are sound. */
struct sp_kv_iterator *sp_kv_iterator_new_undeleted(struct sp_kv *kv, enum sp_kv_family family);
void sp_kv_iterator_free(struct sp_kv_iterator *iterator); /* NULL is fine */
void sp_kv_iterator_seek(struct sp_kv_iterator *iterator, struct sp_slice key);
void sp_kv_iterator_next(struct sp_kv_iterator *iterator);

/* False at the end, and after an error: then sp_kv_iterator_status says so. */
bool sp_kv_iterator_valid(const struct sp_kv_iterator *iterator);
/* Both valid until the next move. */
struct sp_slice sp_kv_iterator_key(const struct sp_kv_iterator *iterator);
struct sp_slice sp_kv_iterator_value(const struct sp_kv_iterator *iterator);
SP_MUST_USE enum sp_status sp_kv_iterator_status(const struct sp_kv_iterator *iterator,
                                                 struct sp_error *reterr);

/* ---- following another process; none of it at the same time as another ---- */

struct sp_kv_followed {
    bool
        new_writer; /* opened for writing since the last time: batches that it was refused may have gone */
    bool reopened; /* *kv is another one: revisions say nothing */
};

/* A database that another process may have open, and of which nothing is locked, as that process has made it now: whole batches,
 * in their order. *kv is NULL at first, and is opened or brought up to date; reads of it are of that state until the next call.
 * On an error it is not one state: only to be given to the next call, or closed. *ret is written in any case. */
SP_MUST_USE enum sp_status sp_kv_follow(const char *path, struct sp_kv **kv,
                                        struct sp_kv_followed *ret, struct sp_error *reterr);

/* Another number than before, whenever something in the family may be another than before. */
uint64_t sp_kv_revision(struct sp_kv *kv, enum sp_kv_family family);

/* A kv for sp_kv_get from the family alone, which stays as it is now; it keeps files that the other
 * process has deleted. Has one reference; they count for kv, which may be closed before. Any thread may use it. */
SP_MUST_USE enum sp_status sp_kv_pin(struct sp_kv *kv, enum sp_kv_family family, struct sp_kv **ret,
                                     struct sp_error *reterr);
struct sp_kv *sp_kv_pin_ref(struct sp_kv *pin);
void sp_kv_unpin(struct sp_kv *pin); /* NULL is fine */

/* ---- files ---- */

/* The tables that the database consists of, and how large they have to be: name begins with a slash. Returns the first thing
 * that visit returns other than SP_OK. */
SP_MUST_USE enum sp_status sp_kv_each_file(struct sp_kv *kv,
                                           enum sp_status (*visit)(void *cookie, const char *name,
                                                                   uint64_t bytes,
                                                                   struct sp_error *reterr),
                                           void *cookie, struct sp_error *reterr);
