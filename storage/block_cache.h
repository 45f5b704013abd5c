/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_cache.h: blocks of segments that were decoded lately, whole, for reads of many traces one after the other. Who wants one
 * trace reads less (sp_block_reader_rows). Internal to storage/. Thread-safe. */
#pragma once

#include "storage/segment.h"

/* All blocks it holds; about thirty of the usual size. A larger block is not kept. */
#define SP_BLOCK_CACHE_BYTES ((size_t)64 * 1024 * 1024)

struct sp_block_cache;

struct sp_block_cache *sp_block_cache_new(void);        /* NULL: no memory */
void sp_block_cache_free(struct sp_block_cache *cache); /* NULL is fine */

/* The block with one reference for the caller, decoded with the reader when it is not there. Errors of the reader. */
SP_MUST_USE enum sp_status sp_block_cache_get(struct sp_block_cache *cache,
                                              struct sp_block_reader *reader,
                                              const struct sp_segment *segment,
                                              uint32_t block_number, struct sp_block_shared **ret,
                                              struct sp_error *reterr);
