/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/filter.h: which traces a segment may hold: a split-block Bloom filter. No false "no"; of 10,000 false ones, one or two get
 * a "yes", for which a seal reads a block. Internal to storage/. Knows no spans. Immutable once made. */
#pragma once

#include "lib/model/model.h"

/* Three bytes for each trace. Those of segments of before have two, and ten times as many a false "yes". */
#define SP_FILTER_BITS_PER_TRACE 24
#define SP_FILTER_BLOCK_BYTES    32

struct sp_filter {
    const uint32_t *words; /* eight for each block */
    uint32_t block_count;
};

/* The hash of a trace as filters know it: the same on every machine and for ever. */
uint64_t sp_filter_hash(const struct sp_trace_id *id);

/* One at least. */
uint32_t sp_filter_block_count(uint32_t trace_count, uint32_t bits_per_trace);
/* To the words of so many blocks. */
void sp_filter_add(uint32_t *words, uint32_t block_count, const uint64_t *hashes, size_t count);

/* The arena's memory. False: it is full. */
SP_MUST_USE bool sp_filter_make(const uint64_t *hashes, uint32_t count, struct sp_arena *arena,
                                struct sp_filter *ret);
bool sp_filter_has(const struct sp_filter *filter, uint64_t hash);
/* The numbers of those hashes that it has, ascending; ret: room for all of them. Several times as fast as one after the other where the
 * filter is larger than the processor's cache. */
size_t sp_filter_select(const struct sp_filter *filter, const uint64_t *hashes, size_t count,
                        uint32_t *ret);
