/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_sizes.h: how much at once, how often, how nice: the numbers of the engine on disk, and why they are as they are. Some can be
 * set (struct sp_store_sizes); these are what they are otherwise. Internal to storage/rocks_*.c. */
#pragma once

#include "storage/block.h"

/* One batch of the committer takes at most so much, or one request. */
#define SP_ROCKS_COMMIT_BYTES_MAX ((size_t)32 * 1024 * 1024)
/* Fresh entries become blocks, sorted by trace, when they hold so many spans or bytes, or the first of them is so old. The more at
 * once, the fewer such runs a seal puts together; but rows are larger, and with more of them no longer in the processor's cache. */
#define SP_ROCKS_FRESH_SPANS  ((size_t)SP_BLOCK_ROWS_MAX)
#define SP_ROCKS_FRESH_BYTES  ((size_t)64 * 1024 * 1024)
#define SP_ROCKS_FRESH_AGE_NS 250000000ULL
/* Head blocks become a segment when they hold so many spans, their journal records or they themselves so many bytes, or the
 * first is so old. */
#define SP_ROCKS_HEAD_SPANS         ((uint64_t)1024 * 1024)
#define SP_ROCKS_HEAD_JOURNAL_BYTES ((uint64_t)96 * 1024 * 1024)
#define SP_ROCKS_HEAD_BYTES         ((size_t)44 * 1024 * 1024)
#define SP_ROCKS_HEAD_AGE_NS        30000000000ULL
/* So many neighbouring segments of one tier become one. The first tier is below so many spans, each further one below so many
 * times as many. */
#define SP_ROCKS_MERGE_SEGMENTS  ((uint32_t)8)
#define SP_ROCKS_MERGE_SPANS_MIN ((uint64_t)64 * 1024)
#define SP_ROCKS_MERGE_FACTOR    8
/* Smaller ones between them go along, as long as all together are no more segments and spans than these, and their spans start
 * within so long, or as long as those of one of them do. */
#define SP_ROCKS_MERGE_INPUTS_MAX ((uint32_t)16)
#define SP_ROCKS_MERGE_SPANS_MAX  ((uint64_t)4 * 1024 * 1024)
#define SP_ROCKS_MERGE_WINDOW_NS  (24 * 3600 * 1000000000ULL)
/* Or, where spans are removed by age, within that part of the age. */
#define SP_ROCKS_MERGE_WINDOWS_KEPT 8
/* Chunks of a new segment are written when they are so many bytes, before the header that names them: acks wait for one such
 * batch, not for a segment. */
#define SP_ROCKS_CHUNKS_BATCH_BYTES ((uint64_t)128 * 1024)
/* How often the merger looks whether segments are to be removed; and room that it leaves below the size that is kept: for the journal
 * and what is being merged, a part of that size, or so many bytes. */
#define SP_ROCKS_RETAIN_NS        5000000000ULL
#define SP_ROCKS_RETAIN_ROOM_PART 16
#define SP_ROCKS_RETAIN_ROOM_MAX  ((uint64_t)256 * 1024 * 1024)
/* Tables are written again without what was deleted, when that is so many bytes and so large a part of what is left; and with a
 * size to keep, sooner. */
#define SP_ROCKS_GARBAGE_BYTES ((uint64_t)16 * 1024 * 1024)
#define SP_ROCKS_GARBAGE_PART  8
/* Of the thread that makes columns, of that which seals and of that which merges: what senders wait for goes first. And how often the latter looks whether a
 * segment that is gone is still being read. */
#define SP_ROCKS_COLUMNS_NICE 3
#define SP_ROCKS_SEAL_NICE    10
#define SP_ROCKS_MERGE_NICE   15
#define SP_ROCKS_DROP_WAIT_NS 200000000ULL
/* A body that came plain is packed for the journal when it is so large and gains by it: less to checksum, to write and to sync than
 * packing costs. */
#define SP_ROCKS_JOURNAL_PACKED_MIN ((size_t)512)
/* A start that reads the journal says so often how far it is. */
#define SP_ROCKS_REPLAY_TELL_NS 2000000000ULL
/* A record of the journal: more than any request that is let in can make. */
#define SP_ROCKS_RECORD_BYTES_MAX ((size_t)1024 * 1024 * 1024)
/* A database that is opened again writes a new log and a new manifest: not on a disk with less room than this. */
#define SP_ROCKS_REOPEN_BYTES_MIN ((uint64_t)16 * 1024 * 1024)
/* How long the sealer waits before it tries again to write to a disk that was full; and at first, when it failed for another
 * reason: then twice as long each time, up to the second. */
#define SP_ROCKS_RETRY_NS     500000000ULL
#define SP_ROCKS_RETRY_NS_MAX 30000000000ULL
/* A database that has failed is opened again when the reads that use it have ended. What comes meanwhile waits for so long, which is
 * enough when they are short, and is then told to try again. The sealer waits for so long at once: a drain waits for it. */
#define SP_ROCKS_READ_WAIT_NS   2000000000ULL
#define SP_ROCKS_REPAIR_WAIT_NS 500000000ULL
/* How often a store that follows another process looks at what that has written. */
#define SP_ROCKS_FOLLOW_NS 200000000ULL
