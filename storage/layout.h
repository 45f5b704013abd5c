/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/layout.h: what stands in the database: the bytes of every key and value, and nothing about when they are
 * written. Internal to storage/. Knows no RocksDB.
 *
 * Integers in keys are big-endian, so that they sort; in values they are little-endian or varints (LEB128).
 *
 *   family     key                                   value
 *   meta       "totals"                              struct sp_totals
 *              "s" service                           colour slot, u32
 *   journal    sequence                              version, format, encoding, receive time, tenant, body as received
 *   spans      trace id, sequence                    version, first and last start, OTLP protobuf: one trace's spans of
 *                                                    one request
 *   traces     trace id                              empty
 *   time       ~second, trace id                     empty: a span of the trace starts in that second
 *   catalogue  "o" minute, sequence                  operations with counts and histograms } of the requests that were
 *              "k" minute, sequence                  attribute keys with counts            } applied together */
#pragma once

#include "storage/catalogue.h"

#define SP_LAYOUT_NS_PER_SECOND 1000000000ULL

/* ---- keys ---- */

struct sp_layout_key { /* of every family but meta */
    uint8_t bytes[24];
    size_t len;
};

static inline struct sp_slice sp_layout_key_slice(const struct sp_layout_key *key)
{
    return sp_slice_make(key->bytes, key->len);
}

struct sp_layout_key sp_layout_journal_key(uint64_t sequence);
struct sp_layout_key sp_layout_spans_key(const struct sp_trace_id *id, uint64_t sequence);
struct sp_layout_key sp_layout_trace_key(const struct sp_trace_id *id);
struct sp_layout_key sp_layout_time_key(uint64_t start_unix_ns, const struct sp_trace_id *id);
/* family: 'o' or 'k' */
struct sp_layout_key sp_layout_catalogue_key(char family, uint64_t minute, uint64_t sequence);

/* The parts of a key; false when it is not one of that kind. */
bool sp_layout_journal_parse(struct sp_slice key, uint64_t *ret_sequence);
bool sp_layout_time_parse(struct sp_slice key, uint64_t *ret_second, struct sp_trace_id *ret_id);
bool sp_layout_catalogue_parse(struct sp_slice key, char family, uint64_t *ret_minute);

/* ---- values ---- */

/* What is applied. Written with every batch of rows, so it always tells what the other families hold. */
struct sp_totals {
    uint64_t applied_sequence; /* of the newest request whose rows are written; 0: none */
    uint64_t span_count, trace_count;
    uint64_t oldest_unix_ns, newest_unix_ns; /* 0, 0: no span */
    uint64_t service_count;                  /* the next colour slot */
};

#define SP_LAYOUT_TOTALS_KEY SP_SLICE("totals")

void sp_layout_totals_write(const struct sp_totals *totals, struct sp_buf *out);
bool sp_layout_totals_read(struct sp_slice value, struct sp_totals *ret);

struct sp_journal_record {
    enum sp_body_format format;
    enum sp_body_encoding encoding;
    uint64_t received_unix_ns;
    struct sp_slice tenant, body;
};

/* All but the body, which follows as it is. */
void sp_layout_journal_head_write(const struct sp_append *append, struct sp_buf *out);
bool sp_layout_journal_read(struct sp_slice value, struct sp_journal_record *ret);

/* The head of a row; the protobuf follows. */
#define SP_LAYOUT_ROW_HEAD_BYTES 17
struct sp_row_head {
    uint64_t first_unix_ns, last_unix_ns; /* starts of its spans */
};
void sp_layout_row_head_write(struct sp_row_head head, struct sp_buf *out);
bool sp_layout_row_read(struct sp_slice value, struct sp_row_head *ret, struct sp_slice *ret_body);

/* The rows of a tally of operations (with histograms), or of attribute keys. */
void sp_layout_operations_write(const struct sp_tally *tally, struct sp_buf *out);
void sp_layout_keys_write(const struct sp_tally *tally, struct sp_buf *out);

/* Adds what was written to a tally, as far as it matches. SP_CORRUPT when it is not what was written; the errors of
 * sp_tally_row. */
SP_MUST_USE enum sp_status sp_layout_operations_add(struct sp_slice value,
                                                    const struct sp_operation_filter *filter,
                                                    bool with_latency, struct sp_tally *tally,
                                                    struct sp_error *reterr);
SP_MUST_USE enum sp_status sp_layout_keys_add(struct sp_slice value, uint32_t scopes,
                                              struct sp_slice prefix, struct sp_tally *tally,
                                              struct sp_error *reterr);
