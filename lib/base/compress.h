/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/compress.h: Zstandard (RFC 8878), and blocks of LZ4. Request bodies come as whole frames of unknown size, and window and output stay
 * bounded whatever the frame header says; stored bytes are many small pieces of known size, packed and unpacked with a
 * context that is made once. Knows neither HTTP nor blocks. */
#pragma once

#include "lib/base/buf.h"

/* Appends all frames of in, decompressed; out's ceiling bounds them.
 * SP_MALFORMED  not zstd, cut off, or bytes behind the end.   SP_LIMIT  a window above 2^window_log_max bytes.
 * SP_LIMIT or SP_NO_MEMORY with out->error set: out could not take it; then *reterr is untouched.   SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_zstd_decompress(struct sp_slice in, int window_log_max,
                                              struct sp_buf *out, struct sp_error *reterr);

/* Appends in as one frame. SP_LIMIT, SP_NO_MEMORY: of out. */
SP_MUST_USE enum sp_status sp_zstd_compress(struct sp_slice in, int level, struct sp_buf *out);

/* ---- many pieces: one thread at a time a context ---- */

struct sp_zstd_packer;
struct sp_zstd_packer *sp_zstd_packer_new(void); /* NULL: no memory */
void sp_zstd_packer_free(struct sp_zstd_packer *packer);

/* Writes in as one frame without its size; returns the frame's length, or 0 when it has more than room bytes. */
size_t sp_zstd_pack(struct sp_zstd_packer *packer, int level, struct sp_slice in, uint8_t *out,
                    size_t room);

struct sp_zstd_unpacker;
struct sp_zstd_unpacker *sp_zstd_unpacker_new(void); /* NULL: no memory */
void sp_zstd_unpacker_free(struct sp_zstd_unpacker *unpacker);

/* False: in is not one frame of exactly len bytes; then out holds anything. */
SP_MUST_USE bool sp_zstd_unpack(struct sp_zstd_unpacker *unpacker, struct sp_slice in, uint8_t *out,
                                size_t len);

/* ---- LZ4: twice as quick to make, a little larger ---- */

/* Writes in as one block; returns its length, or 0 when it has more than room bytes or in is larger than a block can be (2 GB). The
 * greater the acceleration (1 and up), the quicker and the larger. */
size_t sp_lz4_pack(struct sp_slice in, int acceleration, uint8_t *out, size_t room);

/* False: in is not a block of exactly len bytes; then out holds anything. */
SP_MUST_USE bool sp_lz4_unpack(struct sp_slice in, uint8_t *out, size_t len);
