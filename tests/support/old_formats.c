/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/old_formats.c: see tests/support/old_formats.h. */
#include "tests/support/old_formats.h"

#include "storage/edge_rollup.h"
#include "storage/rollup_format.h"
#include "storage/segment_layout.h"

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

/* ---- counts: the tables stay; in each minute the exemplars are left out, and the lengths that count them are others ---- */

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

/* ---- calls ---- */

/* "orders (kafka)" -> "kafka" */
static struct sp_slice system_of(struct sp_slice name, uint32_t type)
{
    size_t at = name.len;
    if (type != SP_NODE_MESSAGING || name.len == 0 || name.ptr[name.len - 1] != ')')
        return name;
    while (at > 0 && name.ptr[at - 1] != '(')
        at--;
    return at > 0 ? sp_slice_sub(name, at, name.len - 1 - at) : name;
}

/* Everything of a row but its cells; returns the number of the row that it is now. */
static uint32_t add_row(struct sp_edge_rollup *into, const struct sp_edge_rollup *from,
                        const struct sp_edge_row *row)
{
    const struct sp_edge_key *key = sp_edge_key_at(from, row->edge);
    uint32_t edge = sp_edge_rollup_edge(
        into, system_of(from->texts.texts.items[key->client], key->client_type),
        (enum sp_node_type)key->client_type,
        system_of(from->texts.texts.items[key->server], key->server_type),
        (enum sp_node_type)key->server_type, (enum sp_connection_type)key->type);
    uint32_t at = sp_edge_rollup_row(into, row->minute, edge);
    SP_ASSERT(edge != SP_INTERNER_NONE && at != UINT32_MAX);
    struct sp_edge_row *to = &into->rows.items[at];
    to->calls += row->calls;
    to->errors += row->errors;
    to->client_sum_ns += row->client_sum_ns;
    to->server_sum_ns += row->server_sum_ns;
    for (uint32_t i = 0; i < row->added.count; i++)
        SP_ASSERT(sp_edge_row_candidate(into, to, row->added.items[i], SP_EDGE_ADD));
    for (uint32_t i = 0; i < row->taken.count; i++)
        SP_ASSERT(sp_edge_row_candidate(into, to, row->taken.items[i], SP_EDGE_TAKE));
    sp_edge_row_forget(to, &row->forgotten);
    return at;
}

void sp_edges_named_by_system(struct sp_slice bytes, struct sp_buf *out)
{
    struct sp_edge_rollup edges, old;
    sp_edge_rollup_init(&edges);
    sp_edge_rollup_init(&old);
    SP_ASSERT(sp_edge_rollup_read(bytes, SP_TIME_RANGE_ALL, &edges, NULL) == SP_OK);
    uint64_t *rows = calloc((size_t)edges.rows.count + 1, sizeof(*rows));
    SP_ASSERT(rows != NULL);
    for (uint32_t i = 0; i < edges.rows.count; i++)
        rows[i] = add_row(&old, &edges, &edges.rows.items[i]);
    for (size_t i = 0; i < edges.cells.slot_count; i++) {
        const struct sp_count *cell = &edges.cells.slots[i];
        uint64_t key = cell->key - 1;
        if (cell->key != 0)
            SP_ASSERT(sp_counts_add(&old.cells,
                                    rows[key / SP_EDGE_CELLS] * SP_EDGE_CELLS + key % SP_EDGE_CELLS,
                                    cell->count));
    }
    SP_ASSERT(sp_edge_rollup_encode(&old, out, NULL) == SP_OK);
    free(rows);
    sp_edge_rollup_fini(&edges);
    sp_edge_rollup_fini(&old);
}

/* ---- headers ---- */

void sp_header_as_version(uint8_t version, uint64_t segment_id, struct sp_slice header,
                          struct sp_buf *out)
{
    enum { NAMES = 10 }; /* its place among the numbers in front */
    uint64_t checksum;
    struct sp_segment *segment;
    SP_ASSERT(sp_segment_read_header(segment_id, header, &segment, NULL) == SP_OK);
    struct sp_slice in = sp_slice_sub(header, 1, header.len - 1 - sizeof(checksum));
    sp_buf_append_byte(out, version);
    for (int i = 0; i < NAMES; i++)
        move(&in, out);
    take(&in);
    if (version <=
        SP_SEGMENT_VERSION_NO_VALUES) { /* one group, of four numbers of one byte with their count */
        SP_ASSERT(segment->group_count == 1);
        in = sp_slice_sub(in, 0, in.len - 4);
    }
    sp_buf_append_slice(out, in);
    checksum = sp_checksum(sp_buf_slice(out), segment_id);
    sp_buf_append(out, &checksum, sizeof(checksum));
    sp_segment_unref(segment);
}
