/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/layout.c: keys and values to bytes and back. What comes back was checksummed by the database, but is checked
 * all the same: a wrong count would be worse than an error. Knows no RocksDB. */
#include "storage/layout.h"
#include "storage/pack.h"

/* The first byte of every structured value. */
#define VALUE_VERSION 1

/* ---- integers ---- */

static void key_u64(struct sp_layout_key *key, uint64_t value)
{
    for (int shift = 56; shift >= 0; shift -= 8)
        key->bytes[key->len++] = (uint8_t)(value >> shift);
}

static uint64_t read_key_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void put_u64(struct sp_buf *out, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    sp_buf_append(out, bytes, sizeof(bytes));
}

static uint8_t take_byte(struct sp_slice *in)
{
    if (in->len == 0)
        return 0;
    uint8_t byte = in->ptr[0];
    *in = sp_slice_sub(*in, 1, SIZE_MAX);
    return byte;
}

static bool take_u64(struct sp_slice *in, uint64_t *ret)
{
    if (in->len < 8)
        return false;
    *ret = 0;
    for (int i = 0; i < 8; i++)
        *ret |= (uint64_t)in->ptr[i] << (8 * i);
    *in = sp_slice_sub(*in, 8, SIZE_MAX);
    return true;
}

/* ---- keys ---- */

struct sp_layout_key sp_layout_journal_key(uint64_t sequence)
{
    struct sp_layout_key key = {.len = 0};
    key_u64(&key, sequence);
    return key;
}

bool sp_layout_journal_parse(struct sp_slice key, uint64_t *ret_sequence)
{
    if (key.len != 8)
        return false;
    *ret_sequence = read_key_u64(key.ptr);
    return true;
}

struct sp_layout_key sp_layout_slot_key(uint32_t slot)
{
    struct sp_layout_key key = {.bytes = {'s'}, .len = 1};
    for (int shift = 24; shift >= 0; shift -= 8)
        key.bytes[key.len++] = (uint8_t)(slot >> shift);
    return key;
}

bool sp_layout_slot_parse(struct sp_slice key, uint32_t *ret_slot)
{
    if (key.len != 5 || key.ptr[0] != 's')
        return false;
    *ret_slot = (uint32_t)key.ptr[1] << 24 | (uint32_t)key.ptr[2] << 16 |
                (uint32_t)key.ptr[3] << 8 | key.ptr[4];
    return true;
}

struct sp_layout_key sp_layout_pin_key(const struct sp_trace_id *id)
{
    struct sp_layout_key key = {.bytes = {'p'}, .len = 1 + sizeof(id->bytes)};
    memcpy(key.bytes + 1, id->bytes, sizeof(id->bytes));
    return key;
}

bool sp_layout_pin_parse(struct sp_slice key, struct sp_trace_id *ret_id)
{
    if (key.len != 1 + sizeof(ret_id->bytes) || key.ptr[0] != 'p')
        return false;
    memcpy(ret_id->bytes, key.ptr + 1, sizeof(ret_id->bytes));
    return true;
}

struct sp_layout_key sp_layout_short_link_key(uint64_t id)
{
    struct sp_layout_key key = {.bytes = {'l'}, .len = 1};
    key_u64(&key, id);
    return key;
}

bool sp_layout_short_link_parse(struct sp_slice key, uint64_t *ret_id)
{
    if (key.len != 9 || key.ptr[0] != 'l')
        return false;
    *ret_id = read_key_u64(key.ptr + 1);
    return true;
}

/* ---- values ---- */

void sp_layout_totals_write(const struct sp_totals *totals, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    put_u64(out, totals->sealed_sequence);
    put_u64(out, totals->next_segment);
}

bool sp_layout_totals_read(struct sp_slice value, struct sp_totals *ret)
{
    struct sp_totals totals;
    if (take_byte(&value) != VALUE_VERSION || !take_u64(&value, &totals.sealed_sequence) ||
        !take_u64(&value, &totals.next_segment) || value.len != 0)
        return false;
    *ret = totals;
    return true;
}

void sp_layout_pin_write(uint64_t pinned_unix_ns, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    put_u64(out, pinned_unix_ns);
}

bool sp_layout_pin_read(struct sp_slice value, uint64_t *ret_pinned_unix_ns)
{
    return take_byte(&value) == VALUE_VERSION && take_u64(&value, ret_pinned_unix_ns) &&
           value.len == 0;
}

void sp_layout_short_link_write(uint64_t made_unix_ns, struct sp_slice state, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    put_u64(out, made_unix_ns);
    sp_buf_append(out, state.ptr, state.len);
}

bool sp_layout_short_link_read(struct sp_slice value, uint64_t *ret_made_unix_ns,
                               struct sp_slice *ret_state)
{
    if (take_byte(&value) != VALUE_VERSION || !take_u64(&value, ret_made_unix_ns))
        return false;
    *ret_state = value;
    return value.len > 0 && value.len <= SP_SHORT_LINK_BYTES_MAX;
}

/* Of LZ4: the quickest that still saves nearly as much (docs/decisions/0068-journal-bodies-in-lz4.md). */
#define BODY_ACCELERATION 4
#define BODY_LENGTH_BYTES 4

bool sp_layout_body_pack(struct sp_slice body, struct sp_buf *out)
{
    size_t room = body.len - body.len / 8;
    sp_buf_reset(out);
    if (room < BODY_LENGTH_BYTES || body.len > UINT32_MAX)
        return false;
    uint8_t *packed = sp_buf_reserve(out, room);
    if (packed == NULL)
        return false;
    uint32_t length = (uint32_t)body.len;
    size_t len =
        sp_lz4_pack(body, BODY_ACCELERATION, packed + BODY_LENGTH_BYTES, room - BODY_LENGTH_BYTES);
    memcpy(packed, &length, BODY_LENGTH_BYTES);
    out->len = len > 0 ? BODY_LENGTH_BYTES + len : 0;
    return len > 0;
}

enum sp_status sp_layout_body_unpack(struct sp_slice packed, struct sp_buf *out,
                                     struct sp_error *reterr)
{
    uint32_t length;
    if (packed.len < BODY_LENGTH_BYTES)
        return sp_error_set(reterr, SP_MALFORMED, "it is too short for a packed body");
    memcpy(&length, packed.ptr, BODY_LENGTH_BYTES);
    uint8_t *plain = sp_buf_reserve(out, length);
    if (plain == NULL)
        return sp_error_set(reterr, out->error, "a body of %u bytes does not fit into memory",
                            length);
    if (!sp_lz4_unpack(sp_slice_sub(packed, BODY_LENGTH_BYTES, packed.len), plain, length))
        return sp_error_set(reterr, SP_MALFORMED, "it is not a packed body of %u bytes", length);
    out->len += length;
    return SP_OK;
}

/* On disk behind the encodings that a body can come in: it came plain, and is packed. */
#define ENCODING_PACKED (SP_BODY_ZSTD + 1)

void sp_layout_journal_head_write(const struct sp_append *append, bool packed, struct sp_buf *out)
{
    SP_ASSERT(!packed || append->encoding == SP_BODY_IDENTITY);
    sp_buf_append_byte(out, VALUE_VERSION);
    sp_buf_append_byte(out, (uint8_t)append->format);
    sp_buf_append_byte(out, packed ? ENCODING_PACKED : (uint8_t)append->encoding);
    put_u64(out, append->received_unix_ns);
    sp_pack_text(append->tenant, out);
}

bool sp_layout_journal_read(struct sp_slice value, struct sp_journal_record *ret)
{
    struct sp_journal_record record = {0};
    bool known = take_byte(&value) == VALUE_VERSION;
    uint8_t format = take_byte(&value);
    uint8_t encoding = take_byte(&value);
    if (!known || format < SP_BODY_OTLP_PROTOBUF || format > SP_BODY_OTLP_JSON ||
        encoding < SP_BODY_IDENTITY || encoding > ENCODING_PACKED ||
        !take_u64(&value, &record.received_unix_ns) || !sp_unpack_text(&value, &record.tenant))
        return false;
    record.format = (enum sp_body_format)format;
    record.packed = encoding == ENCODING_PACKED;
    record.encoding = record.packed ? SP_BODY_IDENTITY : (enum sp_body_encoding)encoding;
    record.body = value;
    *ret = record;
    return true;
}
