/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup_read.c: an encoded rollup (storage/rollup_encode.c has the layout) is taken apart, and its minutes are added to
 * tallies or to another rollup. Every number is checked: what is read came from a disk. Knows no blocks. */
#include "storage/rollup_format.h"

#include <stdlib.h>

static enum sp_status damaged(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_CORRUPT, "the stored counts of a segment are damaged");
}

/* ---- tables ---- */

static enum sp_status table_failed(const struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr,
                           "the counts of a segment do not fit into this query's memory");
}

static enum sp_status open_texts(struct sp_slice *in, struct sp_arena *arena,
                                 struct sp_rollup_reader *ret, struct sp_error *reterr)
{
    if (!sp_unpack_count(in, 1, &ret->text_count))
        return damaged(reterr);
    struct sp_slice *texts = sp_arena_calloc(arena, ret->text_count, sizeof(*texts));
    if (texts == NULL)
        return table_failed(arena, reterr);
    for (uint32_t i = 0; i < ret->text_count; i++)
        if (!sp_unpack_text(in, &texts[i]))
            return damaged(reterr);
    ret->texts = texts;
    return SP_OK;
}

static enum sp_status open_series(struct sp_slice *in, struct sp_arena *arena,
                                  struct sp_rollup_reader *ret, struct sp_error *reterr)
{
    if (!sp_unpack_count(in, 3, &ret->series_count))
        return damaged(reterr);
    struct sp_rollup_series *series = sp_arena_calloc(arena, ret->series_count, sizeof(*series));
    if (series == NULL)
        return table_failed(arena, reterr);
    for (uint32_t i = 0; i < ret->series_count; i++) {
        uint64_t kind;
        if (!sp_unpack_u32(in, &series[i].service) || !sp_unpack_u32(in, &series[i].name) ||
            !sp_unpack_varint(in, &kind) || series[i].service >= ret->text_count ||
            series[i].name >= ret->text_count || kind > UINT32_MAX)
            return damaged(reterr);
        series[i].kind = (int32_t)sp_unzigzag(kind);
    }
    ret->series = series;
    return SP_OK;
}

/* One level, and a kind that exists. */
static bool key_number_is_valid(uint32_t number)
{
    uint32_t scope = number >> 8;
    return scope != 0 && scope <= SP_SCOPE_LINK && (scope & (scope - 1)) == 0 &&
           (number & 0xff) <= SP_VALUE_KVLIST;
}

static enum sp_status open_keys(struct sp_slice *in, struct sp_arena *arena,
                                struct sp_rollup_reader *ret, struct sp_error *reterr)
{
    if (!sp_unpack_count(in, 2, &ret->key_count))
        return damaged(reterr);
    struct sp_rollup_key *keys = sp_arena_calloc(arena, ret->key_count, sizeof(*keys));
    if (keys == NULL)
        return table_failed(arena, reterr);
    for (uint32_t i = 0; i < ret->key_count; i++) {
        uint32_t number;
        if (!sp_unpack_u32(in, &keys[i].text) || !sp_unpack_u32(in, &number) ||
            keys[i].text >= ret->text_count || !key_number_is_valid(number))
            return damaged(reterr);
        keys[i].number = (int32_t)number;
    }
    ret->keys = keys;
    return SP_OK;
}

static enum sp_status open_minutes(struct sp_slice *in, struct sp_arena *arena,
                                   struct sp_rollup_reader *ret, struct sp_error *reterr)
{
    if (!sp_unpack_count(in, 6, &ret->minute_count))
        return damaged(reterr);
    struct sp_rollup_minute *minutes = sp_arena_calloc(arena, ret->minute_count, sizeof(*minutes));
    if (minutes == NULL)
        return table_failed(arena, reterr);
    uint64_t minute = 0;
    for (uint32_t i = 0; i < ret->minute_count; i++) {
        uint64_t more;
        uint32_t lens[3];
        if (!sp_unpack_varint(in, &more) || !sp_unpack_u32(in, &minutes[i].row_count) ||
            !sp_unpack_u32(in, &lens[0]) || !sp_unpack_u32(in, &minutes[i].key_count) ||
            !sp_unpack_u32(in, &lens[1]) || !sp_unpack_u32(in, &lens[2]) || (i > 0 && more == 0) ||
            more > UINT64_MAX / SP_ROLLUP_NS - minute)
            return damaged(reterr);
        minute += more;
        minutes[i].minute = (uint32_t)minute;
        minutes[i].rows.len = lens[0];
        minutes[i].keys.len = lens[1];
        minutes[i].histograms.len = lens[2];
    }
    for (uint32_t i = 0; i < ret->minute_count; i++) {
        struct sp_slice *parts[] = {&minutes[i].rows, &minutes[i].keys, &minutes[i].histograms};
        for (size_t p = 0; p < SP_ARRAY_LEN(parts); p++) {
            if (parts[p]->len > in->len)
                return damaged(reterr);
            *parts[p] = sp_slice_sub(*in, 0, parts[p]->len);
            *in = sp_slice_sub(*in, parts[p]->len, SIZE_MAX);
        }
    }
    ret->minutes = minutes;
    return in->len == 0 ? SP_OK : damaged(reterr);
}

enum sp_status sp_rollup_open(struct sp_slice bytes, struct sp_arena *arena,
                              struct sp_rollup_reader *ret, struct sp_error *reterr)
{
    struct sp_rollup_reader reader = {0};
    uint64_t format;
    if (!sp_checked_open(&bytes, &format) ||
        (format != SP_ROLLUP_FORMAT && format != SP_ROLLUP_FORMAT_1))
        return damaged(reterr);
    reader.has_exemplars = format != SP_ROLLUP_FORMAT_1;
    enum sp_status status = open_texts(&bytes, arena, &reader, reterr);
    if (status == SP_OK)
        status = open_series(&bytes, arena, &reader, reterr);
    if (status == SP_OK)
        status = open_keys(&bytes, arena, &reader, reterr);
    if (status == SP_OK)
        status = open_minutes(&bytes, arena, &reader, reterr);
    if (status == SP_OK)
        *ret = reader;
    return status;
}

/* ---- rows ---- */

struct row {
    uint32_t series;
    uint64_t calls, errors;
    struct sp_slice histogram;
    bool has_exemplars;
};

/* The next row of a minute. histograms: what is left of them. */
static bool next_row(const struct sp_rollup_reader *reader, struct sp_slice *rows,
                     struct sp_slice *histograms, bool is_first, struct row *row)
{
    uint32_t more, len;
    if (!sp_unpack_u32(rows, &more) || !sp_unpack_varint(rows, &row->calls) ||
        !sp_unpack_varint(rows, &row->errors) || !sp_unpack_u32(rows, &len) ||
        (!is_first && more == 0) || len > histograms->len || row->calls == 0 ||
        row->errors > row->calls)
        return false;
    uint64_t series = is_first ? more : (uint64_t)row->series + more;
    if (series >= reader->series_count)
        return false;
    row->series = (uint32_t)series;
    row->has_exemplars = reader->has_exemplars;
    row->histogram = sp_slice_sub(*histograms, 0, len);
    *histograms = sp_slice_sub(*histograms, len, SIZE_MAX);
    return true;
}

struct durations {
    uint64_t sum_ns, min_ns, max_ns, zero_count;
    struct sp_span_exemplars exemplars;
    struct sp_slice buckets;
    uint64_t bucket_calls; /* in buckets that were not read yet */
    uint64_t index;        /* of the next bucket */
};

static bool open_exemplar(struct sp_slice *in, const struct durations *durations,
                          struct sp_span_exemplar *ret)
{
    uint64_t faster_ns;
    if (in->len < SP_TRACE_ID_BYTES + SP_SPAN_ID_BYTES)
        return false;
    memcpy(ret->trace_id.bytes, in->ptr, SP_TRACE_ID_BYTES);
    memcpy(ret->span_id.bytes, in->ptr + SP_TRACE_ID_BYTES, SP_SPAN_ID_BYTES);
    *in = sp_slice_sub(*in, SP_TRACE_ID_BYTES + SP_SPAN_ID_BYTES, SIZE_MAX);
    if (!sp_unpack_varint(in, &faster_ns) || faster_ns > durations->max_ns - durations->min_ns)
        return false;
    ret->duration_ns = durations->max_ns - faster_ns;
    return true;
}

static bool open_histogram(const struct row *row, struct durations *ret)
{
    uint64_t width;
    struct sp_slice in = row->histogram;
    if (!sp_unpack_varint(&in, &ret->sum_ns) || !sp_unpack_varint(&in, &ret->min_ns) ||
        !sp_unpack_varint(&in, &width) || width > UINT64_MAX - ret->min_ns)
        return false;
    ret->max_ns = ret->min_ns + width;
    ret->exemplars = (struct sp_span_exemplars){0};
    if (row->has_exemplars &&
        (!open_exemplar(&in, ret, &ret->exemplars.slowest) ||
         (row->errors > 0 && !open_exemplar(&in, ret, &ret->exemplars.failed))))
        return false;
    if (!sp_unpack_varint(&in, &ret->zero_count) || ret->zero_count > row->calls)
        return false;
    ret->bucket_calls = row->calls - ret->zero_count;
    ret->index = 0;
    if (ret->bucket_calls > 0 && !sp_unpack_varint(&in, &ret->index))
        return false;
    ret->buckets = in;
    return ret->bucket_calls > 0 || in.len == 0;
}

static bool next_bucket(struct durations *durations, uint16_t *ret_index, uint64_t *ret_count)
{
    uint64_t word, gap = 1;
    if (durations->index >= SP_HISTOGRAM_BUCKETS || !sp_unpack_varint(&durations->buckets, &word))
        return false;
    if ((word & 1) != 0) {
        if (!sp_unpack_varint(&durations->buckets, &gap) || gap > SP_HISTOGRAM_BUCKETS)
            return false;
        gap += 2;
    }
    *ret_index = (uint16_t)durations->index;
    *ret_count = (word >> 1) + 1;
    if (*ret_count > durations->bucket_calls)
        return false;
    durations->bucket_calls -= *ret_count;
    durations->index += gap;
    return durations->bucket_calls > 0 || durations->buckets.len == 0;
}

/* ---- into tallies ---- */

/* Adds to a histogram; afterwards it may have a part, if this failed. */
static enum sp_status add_histogram(const struct row *row, struct sp_tally_row *into,
                                    struct sp_error *reterr)
{
    struct durations durations;
    struct sp_histogram *latency = &into->latency;
    if (!open_histogram(row, &durations))
        return damaged(reterr);
    sp_span_exemplars_merge(into->exemplars, &durations.exemplars);
    if (latency->count == 0 || durations.min_ns < latency->min_ns)
        latency->min_ns = durations.min_ns;
    if (durations.max_ns > latency->max_ns)
        latency->max_ns = durations.max_ns;
    latency->sum_ns += durations.sum_ns;
    latency->zero_count += durations.zero_count;
    latency->count += durations.zero_count;
    /* All at once: adding one bucket after the other would look for the place of each. */
    struct sp_histogram_bucket buckets[SP_HISTOGRAM_BUCKETS];
    struct sp_histogram more = {.buckets = buckets,
                                .count = durations.bucket_calls,
                                .min_ns = latency->min_ns,
                                .max_ns = latency->max_ns};
    while (durations.bucket_calls > 0) {
        struct sp_histogram_bucket *bucket = &buckets[more.bucket_count++];
        if (!next_bucket(&durations, &bucket->index, &bucket->count))
            return damaged(reterr);
    }
    if (sp_histogram_merge(latency, &more) != SP_OK)
        return sp_rollup_failed(reterr);
    return SP_OK;
}

/* What a filter says of each series; and, once found, its row of the tally. */
struct wanted {
    bool is_wanted;
    struct sp_tally_row *row;
};

static enum sp_status read_rows(const struct sp_rollup_reader *reader,
                                const struct sp_rollup_minute *minute, struct wanted *wanted,
                                bool with_latency, struct sp_tally *tally, struct sp_error *reterr)
{
    struct sp_slice rows = minute->rows;
    struct sp_slice histograms = minute->histograms;
    struct row row = {0};
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < minute->row_count && status == SP_OK; i++) {
        if (!next_row(reader, &rows, &histograms, i == 0, &row))
            return damaged(reterr);
        struct wanted *want = &wanted[row.series];
        if (!want->is_wanted)
            continue;
        if (want->row == NULL) {
            const struct sp_rollup_series *series = &reader->series[row.series];
            status = sp_tally_row(tally, reader->texts[series->service],
                                  reader->texts[series->name], series->kind, &want->row, reterr);
            if (status == SP_OK && with_latency)
                status = sp_tally_exemplars(tally, want->row, reterr);
            if (status != SP_OK)
                break;
        }
        if (with_latency)
            status = add_histogram(&row, want->row, reterr);
        want->row->count += row.calls;
        want->row->errors += row.errors;
    }
    return status;
}

static bool is_in(const struct sp_rollup_minute *minute, struct sp_time_range full_minutes)
{
    return sp_time_range_contains(full_minutes, minute->minute * SP_ROLLUP_NS);
}

enum sp_status sp_rollup_read_operations(const struct sp_rollup_reader *reader,
                                         struct sp_time_range range,
                                         const struct sp_operation_filter *filter,
                                         bool with_latency, struct sp_tally *tally,
                                         struct sp_error *reterr)
{
    struct wanted *wanted = calloc((size_t)reader->series_count + 1, sizeof(*wanted));
    if (wanted == NULL)
        return sp_rollup_failed(reterr);
    for (uint32_t i = 0; i < reader->series_count; i++) {
        const struct sp_rollup_series *series = &reader->series[i];
        wanted[i].is_wanted = sp_operation_matches(filter, reader->texts[series->service],
                                                   reader->texts[series->name], series->kind);
    }
    enum sp_status status = SP_OK;
    range = sp_time_range_full_minutes(range);
    for (uint32_t i = 0; i < reader->minute_count && status == SP_OK; i++)
        if (is_in(&reader->minutes[i], range))
            status = read_rows(reader, &reader->minutes[i], wanted, with_latency, tally, reterr);
    free(wanted);
    return status;
}

/* The next key of a minute: place and spans. */
static bool next_key(const struct sp_rollup_reader *reader, struct sp_slice *keys, bool is_first,
                     uint32_t *key, uint64_t *ret_spans)
{
    uint32_t more;
    if (!sp_unpack_u32(keys, &more) || !sp_unpack_varint(keys, ret_spans) ||
        (!is_first && more == 0))
        return false;
    uint64_t place = is_first ? more : (uint64_t)*key + more;
    *key = (uint32_t)place;
    return place < reader->key_count;
}

static enum sp_status read_keys(const struct sp_rollup_reader *reader,
                                const struct sp_rollup_minute *minute, struct wanted *wanted,
                                struct sp_tally *tally, struct sp_error *reterr)
{
    struct sp_slice keys = minute->keys;
    uint32_t place = 0;
    for (uint32_t i = 0; i < minute->key_count; i++) {
        uint64_t spans;
        if (!next_key(reader, &keys, i == 0, &place, &spans))
            return damaged(reterr);
        if (!wanted[place].is_wanted)
            continue;
        if (wanted[place].row == NULL) {
            const struct sp_rollup_key *key = &reader->keys[place];
            enum sp_status status = sp_tally_row(tally, reader->texts[key->text], SP_SLICE(""),
                                                 key->number, &wanted[place].row, reterr);
            if (status != SP_OK)
                return status;
        }
        wanted[place].row->count += spans;
    }
    return SP_OK;
}

enum sp_status sp_rollup_read_keys(const struct sp_rollup_reader *reader,
                                   struct sp_time_range range, uint32_t scopes,
                                   struct sp_slice prefix, struct sp_tally *tally,
                                   struct sp_error *reterr)
{
    struct wanted *wanted = calloc((size_t)reader->key_count + 1, sizeof(*wanted));
    if (wanted == NULL)
        return sp_rollup_failed(reterr);
    for (uint32_t i = 0; i < reader->key_count; i++)
        wanted[i].is_wanted = ((uint32_t)reader->keys[i].number >> 8 & scopes) != 0 &&
                              sp_slice_starts_with(reader->texts[reader->keys[i].text], prefix);
    enum sp_status status = SP_OK;
    range = sp_time_range_full_minutes(range);
    for (uint32_t i = 0; i < reader->minute_count && status == SP_OK; i++)
        if (is_in(&reader->minutes[i], range))
            status = read_keys(reader, &reader->minutes[i], wanted, tally, reterr);
    free(wanted);
    return status;
}

/* ---- into a rollup ---- */

static enum sp_status decode_rows(const struct sp_rollup_reader *reader,
                                  const struct sp_rollup_minute *minute, const uint32_t *series,
                                  struct sp_rollup *into, struct sp_error *reterr)
{
    struct sp_slice rows = minute->rows;
    struct sp_slice histograms = minute->histograms;
    struct row row = {0};
    for (uint32_t i = 0; i < minute->row_count; i++) {
        struct durations durations;
        if (!next_row(reader, &rows, &histograms, i == 0, &row) ||
            !open_histogram(&row, &durations))
            return damaged(reterr);
        uint32_t number = sp_rollup_row_number(into, minute->minute, series[row.series]);
        if (number == UINT32_MAX)
            return sp_rollup_failed(reterr);
        sp_rollup_row_add(&into->rows.items[number], row.calls, row.errors, durations.sum_ns,
                          durations.min_ns, durations.max_ns);
        sp_span_exemplars_merge(&into->rows.items[number].exemplars, &durations.exemplars);
        uint64_t cell = (uint64_t)number * SP_ROLLUP_CELLS;
        if (durations.zero_count > 0 && !sp_counts_add(&into->cells, cell, durations.zero_count))
            return sp_rollup_failed(reterr);
        while (durations.bucket_calls > 0) {
            uint16_t index;
            uint64_t count;
            if (!next_bucket(&durations, &index, &count))
                return damaged(reterr);
            if (!sp_counts_add(&into->cells, cell + 1 + index, count))
                return sp_rollup_failed(reterr);
        }
    }
    return SP_OK;
}

static enum sp_status decode_keys(const struct sp_rollup_reader *reader,
                                  const struct sp_rollup_minute *minute, const uint32_t *numbers,
                                  struct sp_rollup *into, struct sp_error *reterr)
{
    struct sp_slice keys = minute->keys;
    uint64_t number = sp_rollup_minute_of(into->minutes_a_row, minute->minute);
    uint32_t place = 0;
    for (uint32_t i = 0; i < minute->key_count; i++) {
        uint64_t spans;
        if (!next_key(reader, &keys, i == 0, &place, &spans) || minute->row_count == 0)
            return damaged(reterr);
        if (!sp_counts_add(&into->key_spans, number << 32 | numbers[place], spans))
            return sp_rollup_failed(reterr);
    }
    return SP_OK;
}

static enum sp_status decode(const struct sp_rollup_reader *reader, struct sp_arena *arena,
                             struct sp_rollup *into, struct sp_error *reterr)
{
    uint32_t *series = sp_arena_calloc(arena, reader->series_count, sizeof(*series));
    uint32_t *keys = sp_arena_calloc(arena, reader->key_count, sizeof(*keys));
    if (series == NULL || keys == NULL)
        return sp_rollup_failed(reterr);
    for (uint32_t i = 0; i < reader->series_count; i++) {
        series[i] =
            sp_rollup_series_number(into, reader->texts[reader->series[i].service],
                                    reader->texts[reader->series[i].name], reader->series[i].kind);
        if (series[i] == SP_INTERNER_NONE)
            return sp_rollup_failed(reterr);
    }
    for (uint32_t i = 0; i < reader->key_count; i++) {
        keys[i] =
            sp_rollup_key_number(into, reader->texts[reader->keys[i].text], reader->keys[i].number);
        if (keys[i] == SP_INTERNER_NONE)
            return sp_rollup_failed(reterr);
    }
    enum sp_status status = SP_OK;
    into->lacks_exemplars |= !reader->has_exemplars && reader->minute_count > 0;
    for (uint32_t i = 0; i < reader->minute_count && status == SP_OK; i++) {
        status = decode_rows(reader, &reader->minutes[i], series, into, reterr);
        if (status == SP_OK)
            status = decode_keys(reader, &reader->minutes[i], keys, into, reterr);
    }
    return status;
}

enum sp_status sp_rollup_decode(struct sp_slice bytes, struct sp_rollup *into,
                                struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_rollup_reader reader;
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_rollup_open(bytes, &arena, &reader, reterr);
    if (status == SP_OK)
        status = decode(&reader, &arena, into, reterr);
    sp_arena_fini(&arena);
    return status;
}
