/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_decoder.h: the inside of a decoder, for the files that it is made of: block_decode.c (head, and what every row
 * has) and block_decode_column.c (columns, whole blocks). Internal to these. */
#pragma once

#include "storage/block_codec.h"
#include "storage/numbers.h"

struct sp_block_decoder {
    struct sp_zstd_unpacker *zstd;
    struct sp_numbers_reader reader;
};

/* A chunk that is being read. */
struct sp_opened_chunk {
    struct sp_block_decoder *decoder;
    uint32_t number;
    uint8_t encoding;
    struct sp_slice rest;
    struct sp_arena *arena;
};

SP_MUST_USE enum sp_status sp_opened_init(struct sp_block_decoder *decoder,
                                          const struct sp_block_head *head, uint32_t number,
                                          struct sp_slice chunk, struct sp_arena *arena,
                                          struct sp_opened_chunk *ret, struct sp_error *reterr);

/* *ret is the arena's. SP_CORRUPT, SP_LIMIT, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_opened_numbers(struct sp_opened_chunk *in, uint32_t count,
                                             uint64_t **ret);
SP_MUST_USE enum sp_status sp_opened_numbers_32(struct sp_opened_chunk *in, uint32_t count,
                                                uint32_t **ret);

/* What reading came to, as a sentence. */
SP_MUST_USE enum sp_status sp_opened_failed(const struct sp_opened_chunk *in, enum sp_status status,
                                            struct sp_error *reterr);
/* The same at the end of a chunk, behind which nothing may be left; SP_OK is handed on then. */
SP_MUST_USE enum sp_status sp_opened_end(const struct sp_opened_chunk *in, enum sp_status status,
                                         struct sp_error *reterr);
