/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/layout.h: what stands in the families meta and journal: the bytes of every key and value, and nothing about when they
 * are written. Segments and their chunks: storage/segment.h. Internal to storage/. Knows no RocksDB.
 *
 * Integers in keys are big-endian, so that they sort; in values they are little-endian or varints (LEB128).
 *
 *   family     key             value
 *   meta       "totals"        struct sp_totals
 *              "l" id          when the link was made, and its state
 *              "p" trace id    since when the trace is pinned
 *              "s" slot        the service whose colour slot it is
 *   journal    sequence        version, format, encoding, receive time, tenant, body as received, or packed if it came plain */
#pragma once

#include "storage/storage.h"

/* ---- keys ---- */

struct sp_layout_key {
    uint8_t bytes[24];
    size_t len;
};

static inline struct sp_slice sp_layout_key_slice(const struct sp_layout_key *key)
{
    return sp_slice_make(key->bytes, key->len);
}

struct sp_layout_key sp_layout_journal_key(uint64_t sequence);
struct sp_layout_key sp_layout_slot_key(uint32_t slot);
#define SP_LAYOUT_PIN_PREFIX SP_SLICE("p")
struct sp_layout_key sp_layout_pin_key(const struct sp_trace_id *id);
#define SP_LAYOUT_SHORT_LINK_PREFIX SP_SLICE("l")
struct sp_layout_key sp_layout_short_link_key(uint64_t id);

/* The parts of a key; false when it is not one of that kind. */
bool sp_layout_journal_parse(struct sp_slice key, uint64_t *ret_sequence);
bool sp_layout_slot_parse(struct sp_slice key, uint32_t *ret_slot);
bool sp_layout_pin_parse(struct sp_slice key, struct sp_trace_id *ret_id);
bool sp_layout_short_link_parse(struct sp_slice key, uint64_t *ret_id);

/* ---- values ---- */

/* Written with every segment, so it always tells what the other families hold. */
struct sp_totals {
    uint64_t sealed_sequence; /* of the newest request whose spans are in a segment; 0: none */
    uint64_t next_segment;    /* the id of the next one */
};

#define SP_LAYOUT_TOTALS_KEY SP_SLICE("totals")

void sp_layout_totals_write(const struct sp_totals *totals, struct sp_buf *out);
bool sp_layout_totals_read(struct sp_slice value, struct sp_totals *ret);

void sp_layout_pin_write(uint64_t pinned_unix_ns, struct sp_buf *out);
bool sp_layout_pin_read(struct sp_slice value, uint64_t *ret_pinned_unix_ns);

void sp_layout_short_link_write(uint64_t made_unix_ns, struct sp_slice state, struct sp_buf *out);
/* The state is a part of value. */
bool sp_layout_short_link_read(struct sp_slice value, uint64_t *ret_made_unix_ns,
                               struct sp_slice *ret_state);

struct sp_journal_record {
    enum sp_body_format format;
    enum sp_body_encoding encoding;
    bool packed; /* the body came plain and stands there as sp_layout_body_pack made it */
    uint64_t received_unix_ns;
    struct sp_slice tenant, body;
};

/* A body that came plain, smaller by an eighth at least, in out, which is emptied first. False: it would not be, or is too large for
 * out or for LZ4. */
bool sp_layout_body_pack(struct sp_slice body, struct sp_buf *out);
/* Appends the plain body. SP_MALFORMED: it is not one that was packed.   SP_LIMIT, SP_NO_MEMORY: of out. */
SP_MUST_USE enum sp_status sp_layout_body_unpack(struct sp_slice packed, struct sp_buf *out,
                                                 struct sp_error *reterr);

/* All but the body, which follows, as it was received or packed. */
void sp_layout_journal_head_write(const struct sp_append *append, bool packed, struct sp_buf *out);
bool sp_layout_journal_read(struct sp_slice value, struct sp_journal_record *ret);
