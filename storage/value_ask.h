/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/value_ask.h: which blocks of a segment a scan has to open, by what is known of their values. Internal to storage/. */
#pragma once

#include "storage/segment.h"
#include "storage/storage.h"

/* Reads pages. One thread at a time. */
struct sp_value_reader {
    struct sp_kv *kv;
    struct sp_zstd_unpacker *zstd;
    struct sp_numbers_reader numbers;
    struct sp_buf page;
    struct sp_arena arena; /* of the group that was asked last */
    uint64_t bytes;        /* read since init */
};

SP_MUST_USE enum sp_status sp_value_reader_init(struct sp_value_reader *reader, struct sp_kv *kv,
                                                struct sp_error *reterr);
void sp_value_reader_fini(struct sp_value_reader *reader); /* of a zeroed one, too */

/* The blocks of a group that may have a row that sp_scan_matches; its range is not looked at. A page that is damaged or missing says
 * nothing: then all of them. SP_IO, SP_NO_MEMORY. */
SP_MUST_USE enum sp_status sp_value_ask(struct sp_value_reader *reader,
                                        const struct sp_segment *segment, uint32_t group,
                                        const struct sp_scan *scan, uint64_t *ret,
                                        struct sp_error *reterr);
