/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/block_codec.h: a block as bytes: a set of numbered chunks, each of which is one value on disk, and back. A reader
 * loads the head and then only the chunks it needs. docs/storage-format.md says what each byte means. Internal to storage/.
 * Knows neither keys nor engines.
 *
 *   chunk 0        head: counts, ranges, templates, names, resources, scopes, and what columns there are
 *   chunks 1-10    traces, ids, times, templates of the rows
 *   chunk 16 + n   the values of column n
 *
 * Every chunk has a version and a checksum, into which its number goes, and the block's stamp: a chunk of another block, or
 * in another's place, is damage. Chunks without content are not written. */
#pragma once

#include "storage/block.h"

enum sp_chunk { /* numbers are on disk */
                SP_CHUNK_HEAD = 0,
                SP_CHUNK_TRACES = 1,
                SP_CHUNK_SPAN_IDS = 2,
                SP_CHUNK_PARENT_IDS = 3,
                SP_CHUNK_STARTS = 4,
                SP_CHUNK_ENDS = 5,
                SP_CHUNK_SPAN_TEMPLATES = 6,
                SP_CHUNK_EVENT_TEMPLATES = 7,
                SP_CHUNK_LINK_TEMPLATES = 8,
                SP_CHUNK_EVENT_TIMES = 9,
                SP_CHUNK_LINK_IDS = 10,
};
#define SP_CHUNK_FIXED_COUNT  11
#define SP_CHUNK_FIRST_COLUMN ((uint32_t)16)
#define SP_CHUNK_COUNT_MAX    (SP_CHUNK_FIRST_COLUMN + SP_BLOCK_COLUMNS_MAX)

/* Events, links, and values of a column, of blocks on disk: above what any request can bring in. */
#define SP_BLOCK_VALUES_MAX ((uint32_t)1 << 26)
/* Bytes of the texts of a column or of the head. */
#define SP_BLOCK_TEXTS_BYTES_MAX ((size_t)1 << 31)

/* ---- encoding ---- */

/* Takes a chunk; bytes are valid during the call. An error ends the encoding and is handed on. */
struct sp_chunk_sink {
    /* Told each text of a column of texts once, valid during the call. NULL: nobody wants to know. */
    void (*texts)(void *cookie, uint32_t column, const struct sp_slice *texts, uint32_t count);
    enum sp_status (*take)(void *cookie, uint32_t chunk, struct sp_slice bytes,
                           struct sp_error *reterr);
    void *cookie;
};

/* Scratch memory and a compressor: one thread at a time. */
struct sp_block_encoder;
SP_MUST_USE enum sp_status sp_block_encoder_new(struct sp_block_encoder **ret,
                                                struct sp_error *reterr);
void sp_block_encoder_free(struct sp_block_encoder *encoder); /* NULL is fine */

/* Hands every chunk to the sink once, in any order, the head last. SP_NO_MEMORY; what the sink answered. */
SP_MUST_USE enum sp_status sp_block_encode(struct sp_block_encoder *encoder,
                                           const struct sp_block *block,
                                           const struct sp_chunk_sink *sink,
                                           struct sp_error *reterr);

/* ---- decoding ----
 * All results are the arena's memory; nothing points into a chunk. Errors of all functions:
 * SP_CORRUPT: not what the encoder made; the sentence names the chunk.   SP_VERSION: a newer one.
 * SP_LIMIT: the arena is full.   SP_NO_MEMORY. */

/* Scratch memory and a decompressor: one thread at a time. */
struct sp_block_decoder;
SP_MUST_USE enum sp_status sp_block_decoder_new(struct sp_block_decoder **ret,
                                                struct sp_error *reterr);
void sp_block_decoder_free(struct sp_block_decoder *decoder); /* NULL is fine */

/* What is known of a column without its values. */
struct sp_column_summary {
    /* at most so many texts differ from each other; 0: not counted (numbers) */
    uint32_t distinct;
    bool has_range;    /* INT, BOOL; DOUBLE when one is not NaN */
    uint64_t min, max; /* of the values, as sp_column has them; NaN left out */
};

struct sp_block_head {
    struct sp_block block; /* without what the other chunks hold: those pointers are NULL */
    const struct sp_column_summary *columns;   /* as many as block.columns */
    uint64_t duration_min_ns, duration_max_ns; /* as sp_span_duration_ns */
    uint64_t stamp;                            /* of the block, in all its chunks */
};

SP_MUST_USE enum sp_status sp_block_decode_head(struct sp_block_decoder *decoder,
                                                struct sp_slice chunk, struct sp_arena *arena,
                                                struct sp_block_head *ret, struct sp_error *reterr);

/* Of a head no more than who wants the traces alone needs: numbers of rows and traces, and ranges. The rest is empty, and TRACES is the only
 * other chunk that can be decoded with it. */
SP_MUST_USE enum sp_status sp_block_decode_counts(struct sp_block_decoder *decoder,
                                                  struct sp_slice chunk, struct sp_arena *arena,
                                                  struct sp_block_head *ret,
                                                  struct sp_error *reterr);

/* Is there such a chunk? */
bool sp_block_has_chunk(const struct sp_block_head *head, uint32_t chunk);

/* Decodes one of the chunks 1 to 10 into *block, a copy of the head's block. TRACES goes before PARENT_IDS and STARTS, SPAN_IDS
 * before PARENT_IDS, STARTS before ENDS; other orders are bugs and assert. */
SP_MUST_USE enum sp_status sp_block_decode_fixed(struct sp_block_decoder *decoder,
                                                 const struct sp_block_head *head,
                                                 enum sp_chunk which, struct sp_slice chunk,
                                                 struct sp_arena *arena, struct sp_block *block,
                                                 struct sp_error *reterr);

/* Of the chunk ENDS alone: end - start of every row, modulo 2^64. */
SP_MUST_USE enum sp_status sp_block_decode_durations(struct sp_block_decoder *decoder,
                                                     const struct sp_block_head *head,
                                                     struct sp_slice chunk, struct sp_arena *arena,
                                                     const uint64_t **ret, struct sp_error *reterr);

/* The head's column with its values. */
SP_MUST_USE enum sp_status sp_block_decode_column(struct sp_block_decoder *decoder,
                                                  const struct sp_block_head *head, uint32_t column,
                                                  struct sp_slice chunk, struct sp_arena *arena,
                                                  struct sp_column *ret, struct sp_error *reterr);

/* The texts of a column alone, each of which occurs: a value that is not among them is not in the column. */
SP_MUST_USE enum sp_status
sp_block_decode_dictionary(struct sp_block_decoder *decoder, const struct sp_block_head *head,
                           uint32_t column, struct sp_slice chunk, struct sp_arena *arena,
                           struct sp_dictionary *ret, struct sp_error *reterr);

/* Where chunks come from. *ret stays valid until the next fetch. SP_NOT_FOUND: there is no such chunk, which is damage
 * to the decoder. */
struct sp_chunk_source {
    enum sp_status (*fetch)(void *cookie, uint32_t chunk, struct sp_slice *ret,
                            struct sp_error *reterr);
    void *cookie;
};

/* The whole block, and *ret_head (NULL: not wanted). Errors of the source are handed on. */
SP_MUST_USE enum sp_status sp_block_decode(struct sp_block_decoder *decoder,
                                           const struct sp_chunk_source *source,
                                           struct sp_arena *arena, struct sp_block *ret,
                                           struct sp_block_head *ret_head, struct sp_error *reterr);
