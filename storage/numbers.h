/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/numbers.h: lists of integers, and runs of bytes, as few bytes. Internal to the block codec. Knows no spans.
 *
 *   numbers   their smallest is subtracted, what then divides all of them is divided out, and of what is left plane k holds
 *             byte k of every number. Each plane stands for itself: one byte if all are equal, as it is, or compressed.
 *             So clocks that tick in milliseconds, few large numbers among small ones, and constants cost little.
 *   bytes     as they are, or compressed if that saves enough
 *
 * How many there are stands elsewhere. docs/storage-format.md has every byte. */
#pragma once

#include "lib/base/base.h"

/* Scratch memory and a compressor: zero-initialised but for zstd, which is borrowed. One thread at a time. */
struct sp_numbers_writer {
    struct sp_zstd_packer *zstd;
    uint8_t *planes;
    size_t planes_bytes;
};
void sp_numbers_writer_fini(struct sp_numbers_writer *writer);

/* Append to out; errors stick there. Numbers that are signed are given as their bits. */
void sp_numbers_write(struct sp_numbers_writer *writer, const uint64_t *numbers, uint32_t count,
                      bool is_signed, struct sp_buf *out);
void sp_numbers_write_32(struct sp_numbers_writer *writer, const uint32_t *numbers, uint32_t count,
                         struct sp_buf *out);
void sp_bytes_write(struct sp_numbers_writer *writer, struct sp_slice bytes, struct sp_buf *out);

struct sp_numbers_reader {
    struct sp_zstd_unpacker *zstd;
    uint8_t *planes;
    size_t planes_bytes;
};
void sp_numbers_reader_fini(struct sp_numbers_reader *reader);

/* Take count numbers off the front of in. SP_CORRUPT (also for a number above 32 bits), SP_NO_MEMORY: then in, and what is
 * returned, are anything. Scratch memory is at most as large as what is returned. */
SP_MUST_USE enum sp_status sp_numbers_read(struct sp_numbers_reader *reader, struct sp_slice *in,
                                           uint64_t *ret, uint32_t count);
SP_MUST_USE enum sp_status sp_numbers_read_32(struct sp_numbers_reader *reader, struct sp_slice *in,
                                              uint32_t *ret, uint32_t count);
SP_MUST_USE enum sp_status sp_bytes_read(struct sp_numbers_reader *reader, struct sp_slice *in,
                                         uint8_t *ret, size_t len);

/* Could so many bytes come out of in? Before memory for them is asked for. */
bool sp_bytes_plausible(struct sp_slice in, size_t len);
