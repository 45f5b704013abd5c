/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/rollup_old.c: see tests/support/rollup_old.h. The tables stay; in each minute the exemplars are left out, and the lengths that
 * count them are others. */
#include "tests/support/rollup_old.h"

#include "storage/rollup_format.h"

static uint64_t take(struct sp_slice *in)
{
    uint64_t number;
    SP_ASSERT(sp_unpack_varint(in, &number));
    return number;
}

static uint64_t move(struct sp_slice *in, struct sp_buf *out)
{
    uint64_t number = take(in);
    sp_pack_varint(number, out);
    return number;
}

/* A histogram up to its zero durations, without the exemplars; what follows is the same. */
static void put_histogram(struct sp_slice in, bool has_errors, struct sp_buf *out)
{
    for (int i = 0; i < 3; i++) /* sum, minimum, width */
        move(&in, out);
    for (int i = 0; i < 1 + has_errors; i++) {
        in = sp_slice_sub(in, SP_TRACE_ID_BYTES + SP_SPAN_ID_BYTES, SIZE_MAX);
        take(&in);
    }
    sp_buf_append_slice(out, in);
}

static void put_minute(const struct sp_rollup_minute *minute, struct sp_buf *rows,
                       struct sp_buf *histograms)
{
    struct sp_slice row = minute->rows, histogram = minute->histograms;
    for (uint32_t i = 0; i < minute->row_count; i++) {
        size_t start = histograms->len;
        move(&row, rows); /* series */
        move(&row, rows); /* calls */
        bool has_errors = move(&row, rows) > 0;
        size_t len = (size_t)take(&row);
        put_histogram(sp_slice_sub(histogram, 0, len), has_errors, histograms);
        histogram = sp_slice_sub(histogram, len, SIZE_MAX);
        sp_pack_varint(histograms->len - start, rows);
    }
}

static void put_minutes(const struct sp_rollup_reader *reader, struct sp_buf *out)
{
    struct sp_buf rows, histograms, data;
    uint32_t before = 0;
    sp_buf_init(&rows, SIZE_MAX);
    sp_buf_init(&histograms, SIZE_MAX);
    sp_buf_init(&data, SIZE_MAX);
    sp_pack_varint(reader->minute_count, out);
    for (uint32_t i = 0; i < reader->minute_count; i++) {
        const struct sp_rollup_minute *minute = &reader->minutes[i];
        sp_buf_reset(&rows);
        sp_buf_reset(&histograms);
        put_minute(minute, &rows, &histograms);
        sp_pack_varint(minute->minute - before, out);
        sp_pack_varint(minute->row_count, out);
        sp_pack_varint(rows.len, out);
        sp_pack_varint(minute->key_count, out);
        sp_pack_varint(minute->keys.len, out);
        sp_pack_varint(histograms.len, out);
        sp_buf_append_slice(&data, sp_buf_slice(&rows));
        sp_buf_append_slice(&data, minute->keys);
        sp_buf_append_slice(&data, sp_buf_slice(&histograms));
        before = minute->minute;
    }
    sp_buf_append_slice(out, sp_buf_slice(&data));
    sp_buf_fini(&rows);
    sp_buf_fini(&histograms);
    sp_buf_fini(&data);
}

void sp_rollup_as_format_1(struct sp_slice bytes, struct sp_buf *out)
{
    struct sp_arena arena;
    struct sp_rollup_reader reader;
    struct sp_error error;
    sp_arena_init(&arena, SIZE_MAX);
    SP_ASSERT(sp_rollup_open(bytes, &arena, &reader, &error) == SP_OK && reader.has_exemplars);
    size_t start = sp_checked_begin(out, SP_ROLLUP_FORMAT_1);
    sp_pack_varint(reader.text_count, out);
    for (uint32_t i = 0; i < reader.text_count; i++)
        sp_pack_text(reader.texts[i], out);
    sp_pack_varint(reader.series_count, out);
    for (uint32_t i = 0; i < reader.series_count; i++) {
        sp_pack_varint(reader.series[i].service, out);
        sp_pack_varint(reader.series[i].name, out);
        sp_pack_varint(sp_zigzag(reader.series[i].kind), out);
    }
    sp_pack_varint(reader.key_count, out);
    for (uint32_t i = 0; i < reader.key_count; i++) {
        sp_pack_varint(reader.keys[i].text, out);
        sp_pack_varint((uint32_t)reader.keys[i].number, out);
    }
    put_minutes(&reader, out);
    SP_ASSERT(out->error == SP_OK);
    sp_checked_end(out, start);
    sp_arena_fini(&arena);
}
