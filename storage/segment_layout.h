/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/segment_layout.h: numbers and keys that the writer and the reader of segments share. Internal to
 * storage/segment_*.c. */
#pragma once

#include "storage/segment.h"

/* First byte of a header. Segments of version 1 had no rollups, those of 2 none of edges. Those of 3 are read still: they do not say
 * when they were received, nor which version of their edges counts. So are those of 4: they do not know their values; and those of 5: their
 * brokers are named by system. */
#define SP_SEGMENT_VERSION           6
#define SP_SEGMENT_VERSION_NO_NAMES  5
#define SP_SEGMENT_VERSION_NO_VALUES 4
#define SP_SEGMENT_VERSION_OLD       3
/* A header has about 40 bytes a block and two a trace. */
#define SP_SEGMENT_HEADER_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define SP_FILTER_BYTES_PER_BLOCK   ((size_t)32)

void sp_chunk_key(uint64_t segment_id, const struct sp_trace_id *first, uint32_t block_number,
                  uint32_t chunk, uint8_t out[SP_CHUNK_KEY_BYTES]);
