/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/chunk.h: what all chunks of a block have in common: a version in front, a checksum behind. Internal to the
 * block codec. Knows no columns.
 *
 *   version (1 byte), encoding (1 byte), content, checksum (8 bytes, little endian, XXH3-64 of all before, seeded) */
#pragma once

#include "lib/base/base.h"

#define SP_CHUNK_VERSION ((uint8_t)1)

/* Of chunks of columns. */
enum sp_column_encoding { /* numbers are on disk */
                          SP_COLUMN_NUMBERS = 0,
                          SP_COLUMN_DICTIONARY = 1,
                          SP_COLUMN_TEXTS = 2,
};

/* The seed of the head, which holds the stamp, and of the others. */
#define SP_CHUNK_HEAD_SEED 0x726f6f70735f7073ULL
static inline uint64_t sp_chunk_seed(uint64_t stamp, uint32_t chunk)
{
    return stamp + chunk;
}

/* Begins a chunk in an empty buffer; ends it. Errors stick in the buffer. */
void sp_chunk_begin(struct sp_buf *out, uint8_t encoding);
void sp_chunk_end(struct sp_buf *out, uint64_t seed);

/* What stands between. SP_CORRUPT, SP_VERSION: *reterr says it of the chunk of that number. */
SP_MUST_USE enum sp_status sp_chunk_open(struct sp_slice bytes, uint32_t chunk, uint64_t seed,
                                         uint8_t *ret_encoding, struct sp_slice *ret_content,
                                         struct sp_error *reterr);

/* "traces", "column 7": for sentences. Writes to name, and returns it. */
#define SP_CHUNK_NAME_BYTES 32
const char *sp_chunk_name(uint32_t chunk, char name[SP_CHUNK_NAME_BYTES]);

/* A sentence about a chunk that passed its checksum and is wrong nevertheless. Returns SP_CORRUPT. */
SP_MUST_USE enum sp_status sp_chunk_corrupt(uint32_t chunk, const char *what,
                                            struct sp_error *reterr);
