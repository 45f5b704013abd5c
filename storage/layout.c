/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/layout.c: keys and values to bytes and back. What comes back was checksummed by the database, but is checked
 * all the same: a wrong count would be worse than an error. Knows no RocksDB. */
#include "storage/layout.h"

#include <stdlib.h>

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

static void put_varint(struct sp_buf *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[len++] = (uint8_t)(value | 0x80);
    bytes[len++] = (uint8_t)value;
    sp_buf_append(out, bytes, len);
}

static void put_text(struct sp_buf *out, struct sp_slice text)
{
    put_varint(out, text.len);
    sp_buf_append_slice(out, text);
}

/* Reads from the front of a slice; bad sticks and makes every later value 0. */
struct reader {
    struct sp_slice in;
    bool bad;
};

static uint8_t take_byte(struct reader *reader)
{
    if (reader->in.len == 0) {
        reader->bad = true;
        return 0;
    }
    reader->in.len--;
    return *reader->in.ptr++;
}

static uint64_t take_u64(struct reader *reader)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)take_byte(reader) << (8 * i);
    return value;
}

static uint64_t take_varint(struct reader *reader)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        uint8_t byte = take_byte(reader);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    reader->bad = true;
    return 0;
}

static struct sp_slice take_text(struct reader *reader)
{
    uint64_t len = take_varint(reader);
    if (len > reader->in.len) {
        reader->bad = true;
        return SP_SLICE("");
    }
    struct sp_slice text = sp_slice_make(reader->in.ptr, (size_t)len);
    reader->in.ptr += len;
    reader->in.len -= (size_t)len;
    return text;
}

/* ---- keys ---- */

static void key_id(struct sp_layout_key *key, const struct sp_trace_id *id)
{
    memcpy(key->bytes + key->len, id->bytes, SP_TRACE_ID_BYTES);
    key->len += SP_TRACE_ID_BYTES;
}

struct sp_layout_key sp_layout_journal_key(uint64_t sequence)
{
    struct sp_layout_key key = {.len = 0};
    key_u64(&key, sequence);
    return key;
}

struct sp_layout_key sp_layout_spans_key(const struct sp_trace_id *id, uint64_t sequence)
{
    struct sp_layout_key key = {.len = 0};
    key_id(&key, id);
    key_u64(&key, sequence);
    return key;
}

struct sp_layout_key sp_layout_trace_key(const struct sp_trace_id *id)
{
    struct sp_layout_key key = {.len = 0};
    key_id(&key, id);
    return key;
}

struct sp_layout_key sp_layout_time_key(uint64_t start_unix_ns, const struct sp_trace_id *id)
{
    struct sp_layout_key key = {.len = 0};
    key_u64(&key, ~(start_unix_ns / SP_LAYOUT_NS_PER_SECOND));
    key_id(&key, id);
    return key;
}

struct sp_layout_key sp_layout_catalogue_key(char family, uint64_t minute, uint64_t sequence)
{
    struct sp_layout_key key = {.bytes = {(uint8_t)family}, .len = 1};
    key_u64(&key, minute);
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

bool sp_layout_time_parse(struct sp_slice key, uint64_t *ret_second, struct sp_trace_id *ret_id)
{
    if (key.len != 8 + SP_TRACE_ID_BYTES)
        return false;
    *ret_second = ~read_key_u64(key.ptr);
    memcpy(ret_id->bytes, key.ptr + 8, SP_TRACE_ID_BYTES);
    return !sp_trace_id_is_zero(ret_id); /* no span has it, and sets of ids take it for nothing */
}

bool sp_layout_catalogue_parse(struct sp_slice key, char family, uint64_t *ret_minute)
{
    if (key.len != 17 || key.ptr[0] != (uint8_t)family)
        return false;
    *ret_minute = read_key_u64(key.ptr + 1);
    return true;
}

/* ---- totals, journal records, rows ---- */

void sp_layout_totals_write(const struct sp_totals *totals, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    put_u64(out, totals->applied_sequence);
    put_u64(out, totals->span_count);
    put_u64(out, totals->trace_count);
    put_u64(out, totals->oldest_unix_ns);
    put_u64(out, totals->newest_unix_ns);
    put_u64(out, totals->service_count);
}

bool sp_layout_totals_read(struct sp_slice value, struct sp_totals *ret)
{
    struct reader reader = {.in = value};
    if (take_byte(&reader) != VALUE_VERSION)
        return false;
    struct sp_totals totals = {0};
    totals.applied_sequence = take_u64(&reader);
    totals.span_count = take_u64(&reader);
    totals.trace_count = take_u64(&reader);
    totals.oldest_unix_ns = take_u64(&reader);
    totals.newest_unix_ns = take_u64(&reader);
    totals.service_count = take_u64(&reader);
    if (reader.bad || reader.in.len != 0)
        return false;
    *ret = totals;
    return true;
}

void sp_layout_journal_head_write(const struct sp_append *append, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    sp_buf_append_byte(out, (uint8_t)append->format);
    sp_buf_append_byte(out, (uint8_t)append->encoding);
    put_u64(out, append->received_unix_ns);
    put_text(out, append->tenant);
}

bool sp_layout_journal_read(struct sp_slice value, struct sp_journal_record *ret)
{
    struct reader reader = {.in = value};
    bool known = take_byte(&reader) == VALUE_VERSION;
    uint8_t format = take_byte(&reader);
    uint8_t encoding = take_byte(&reader);
    uint64_t received_unix_ns = take_u64(&reader);
    struct sp_slice tenant = take_text(&reader);
    if (!known || reader.bad || format < SP_BODY_OTLP_PROTOBUF || format > SP_BODY_OTLP_JSON ||
        encoding < SP_BODY_IDENTITY || encoding > SP_BODY_ZSTD)
        return false;
    *ret = (struct sp_journal_record){.format = (enum sp_body_format)format,
                                      .encoding = (enum sp_body_encoding)encoding,
                                      .received_unix_ns = received_unix_ns,
                                      .tenant = tenant,
                                      .body = reader.in};
    return true;
}

void sp_layout_row_head_write(struct sp_row_head head, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    put_u64(out, head.first_unix_ns);
    put_u64(out, head.last_unix_ns);
}

bool sp_layout_row_read(struct sp_slice value, struct sp_row_head *ret, struct sp_slice *ret_body)
{
    struct reader reader = {.in = value};
    bool known = take_byte(&reader) == VALUE_VERSION;
    uint64_t first = take_u64(&reader);
    uint64_t last = take_u64(&reader);
    if (!known || reader.bad)
        return false;
    *ret = (struct sp_row_head){first, last};
    *ret_body = reader.in;
    return true;
}

/* ---- catalogue ---- */

static void put_histogram(struct sp_buf *out, const struct sp_histogram *histogram)
{
    put_varint(out, histogram->zero_count);
    put_varint(out, histogram->sum_ns);
    put_varint(out, histogram->min_ns);
    put_varint(out, histogram->max_ns);
    put_varint(out, histogram->bucket_count);
    uint16_t before = 0;
    for (uint32_t i = 0; i < histogram->bucket_count; i++) {
        put_varint(out, (uint64_t)(histogram->buckets[i].index - before));
        put_varint(out, histogram->buckets[i].count);
        before = histogram->buckets[i].index;
    }
}

/* The buckets are heap memory, the caller's to free. False: no memory; damage sets reader->bad. */
static bool take_histogram(struct reader *reader, uint64_t count, struct sp_histogram *ret)
{
    *ret = (struct sp_histogram){.count = count};
    ret->zero_count = take_varint(reader);
    ret->sum_ns = take_varint(reader);
    ret->min_ns = take_varint(reader);
    ret->max_ns = take_varint(reader);
    uint64_t bucket_count = take_varint(reader);
    if (bucket_count > SP_HISTOGRAM_BUCKETS)
        reader->bad = true;
    if (reader->bad || bucket_count == 0)
        return true;
    ret->buckets = calloc((size_t)bucket_count, sizeof(*ret->buckets));
    if (ret->buckets == NULL)
        return false;
    ret->bucket_count = ret->bucket_cap = (uint32_t)bucket_count;
    uint64_t index = 0;
    uint64_t sum = ret->zero_count;
    for (uint32_t i = 0; i < ret->bucket_count; i++) {
        uint64_t step = take_varint(reader);
        index += step;
        ret->buckets[i].count = take_varint(reader);
        sum += ret->buckets[i].count;
        if ((i > 0 && step == 0) || index >= SP_HISTOGRAM_BUCKETS || ret->buckets[i].count == 0) {
            reader->bad = true;
            return true;
        }
        ret->buckets[i].index = (uint16_t)index;
    }
    reader->bad |= sum != count;
    return true;
}

void sp_layout_operations_write(const struct sp_tally *tally, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *row = tally->rows[i];
        put_text(out, row->first);
        put_text(out, row->second);
        put_varint(out, (uint32_t)row->number);
        put_varint(out, row->count);
        put_varint(out, row->errors);
        put_histogram(out, &row->latency);
    }
}

void sp_layout_keys_write(const struct sp_tally *tally, struct sp_buf *out)
{
    sp_buf_append_byte(out, VALUE_VERSION);
    for (size_t i = 0; i < tally->count; i++) {
        const struct sp_tally_row *row = tally->rows[i];
        put_text(out, row->first);
        put_varint(out, (uint32_t)row->number);
        put_varint(out, row->count);
    }
}

static enum sp_status damaged(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_CORRUPT, "a row of the catalogue is damaged");
}

enum sp_status sp_layout_operations_add(struct sp_slice value,
                                        const struct sp_operation_filter *filter, bool with_latency,
                                        struct sp_tally *tally, struct sp_error *reterr)
{
    struct reader reader = {.in = value};
    reader.bad |= take_byte(&reader) != VALUE_VERSION;
    while (!reader.bad && reader.in.len > 0) {
        struct sp_slice service = take_text(&reader);
        struct sp_slice name = take_text(&reader);
        int32_t kind = (int32_t)(uint32_t)take_varint(&reader);
        uint64_t count = take_varint(&reader);
        uint64_t errors = take_varint(&reader);
        struct sp_histogram histogram;
        enum sp_status status = SP_OK;
        if (!take_histogram(&reader, count, &histogram))
            status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a latency histogram");
        if (status == SP_OK && !reader.bad && sp_operation_matches(filter, service, name, kind)) {
            struct sp_tally_row *row;
            status = sp_tally_row(tally, service, name, kind, &row, reterr);
            if (status == SP_OK && with_latency &&
                sp_histogram_merge(&row->latency, &histogram) != SP_OK)
                status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a latency histogram");
            if (status == SP_OK) {
                row->count += count;
                row->errors += errors;
            }
        }
        sp_histogram_fini(&histogram);
        if (status != SP_OK)
            return status;
    }
    return reader.bad ? damaged(reterr) : SP_OK;
}

enum sp_status sp_layout_keys_add(struct sp_slice value, uint32_t scopes, struct sp_slice prefix,
                                  struct sp_tally *tally, struct sp_error *reterr)
{
    struct reader reader = {.in = value};
    reader.bad |= take_byte(&reader) != VALUE_VERSION;
    while (!reader.bad && reader.in.len > 0) {
        struct sp_slice key = take_text(&reader);
        int32_t number = (int32_t)(uint32_t)take_varint(&reader);
        uint64_t count = take_varint(&reader);
        if (reader.bad || (scopes & (uint32_t)(number >> 8)) == 0 ||
            !sp_slice_starts_with(key, prefix))
            continue;
        struct sp_tally_row *row;
        enum sp_status status = sp_tally_row(tally, key, SP_SLICE(""), number, &row, reterr);
        if (status != SP_OK)
            return status;
        row->count += count;
    }
    return reader.bad ? damaged(reterr) : SP_OK;
}
