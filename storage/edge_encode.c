/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/edge_encode.c: a rollup of edges as bytes, sorted by minute, and back. Numbers are varints, (z) zigzag.
 *
 *   checksum, format   as in storage/rollup_encode.c
 *   texts      how many; each: length, bytes
 *   edges      how many; each: client, server (texts), connection type, client's and server's node type
 *   minutes    how many; each: minute - the one before, rows, bytes
 *   and for each minute, one after the other, its rows:
 *     edge - the one before, calls (z), errors (z), sums of client's and server's durations (z)
 *     cells of the client, cells of the server: how many; each: index - the one before, spans (z)
 *     candidates added, taken, forgotten: how many; each: duration, trace id, times
 *
 * Knows no blocks. */
#include "storage/edge_rollup.h"
#include "storage/rollup_format.h"

#include <stdlib.h>

#define BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)

static enum sp_status damaged(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_CORRUPT, "the stored calls of a segment are damaged");
}

/* ---- to bytes ---- */

struct row_place {
    uint64_t key; /* minute << 32 | edge */
    uint32_t number;
};

struct cell {
    uint64_t key; /* place of the row, side, cell */
    uint64_t count;
};

static int compare_places(const void *a, const void *b)
{
    uint64_t x = ((const struct row_place *)a)->key;
    uint64_t y = ((const struct row_place *)b)->key;
    return (x > y) - (x < y);
}

static int compare_cells(const void *a, const void *b)
{
    uint64_t x = ((const struct cell *)a)->key;
    uint64_t y = ((const struct cell *)b)->key;
    return (x > y) - (x < y);
}

struct encoding {
    const struct sp_edge_rollup *rollup;
    struct row_place *places;
    struct cell *cells;
    uint32_t row_count;
    size_t cell_count;
    struct sp_buf index, data;
};

/* Rows in order, without those that say nothing; and their cells. */
static bool sort_rows(struct encoding *encoding)
{
    const struct sp_edge_rollup *rollup = encoding->rollup;
    uint32_t count = rollup->rows.count;
    uint32_t *by_number = calloc((size_t)count + 1, sizeof(*by_number));
    bool *used = calloc((size_t)count + 1, sizeof(*used));
    encoding->places = calloc((size_t)count + 1, sizeof(*encoding->places));
    encoding->cells = calloc(rollup->cells.used + 1, sizeof(*encoding->cells));
    bool fits =
        by_number != NULL && used != NULL && encoding->places != NULL && encoding->cells != NULL;
    for (size_t i = 0; i < rollup->cells.slot_count && fits; i++)
        if (rollup->cells.slots[i].key != 0 && rollup->cells.slots[i].count != 0)
            used[(rollup->cells.slots[i].key - 1) / SP_EDGE_CELLS] = true;
    for (uint32_t i = 0; i < count && fits; i++) {
        const struct sp_edge_row *row = &rollup->rows.items[i];
        if (used[i] || row->calls != 0 || row->errors != 0 || row->client_sum_ns != 0 ||
            row->server_sum_ns != 0 || row->added.count > 0 || row->taken.count > 0 ||
            row->forgotten.times > 0)
            encoding->places[encoding->row_count++] =
                (struct row_place){(uint64_t)row->minute << 32 | row->edge, i};
    }
    if (fits)
        qsort(encoding->places, encoding->row_count, sizeof(*encoding->places), compare_places);
    for (uint32_t i = 0; i < encoding->row_count; i++)
        by_number[encoding->places[i].number] = i;
    for (size_t i = 0; i < rollup->cells.slot_count && fits; i++) {
        const struct sp_count *cell = &rollup->cells.slots[i];
        if (cell->key != 0 && cell->count != 0)
            encoding->cells[encoding->cell_count++] =
                (struct cell){by_number[(cell->key - 1) / SP_EDGE_CELLS] * SP_EDGE_CELLS +
                                  (cell->key - 1) % SP_EDGE_CELLS,
                              cell->count};
    }
    if (fits)
        qsort(encoding->cells, encoding->cell_count, sizeof(*encoding->cells), compare_cells);
    free(by_number);
    free(used);
    return fits;
}

static void put_signed(uint64_t number, struct sp_buf *out)
{
    sp_pack_varint(sp_zigzag((int64_t)number), out);
}

/* The cells below a key, from *at on. */
static void put_cells(const struct encoding *encoding, size_t *at, uint64_t first, uint64_t end,
                      struct sp_buf *out)
{
    size_t to = *at;
    while (to < encoding->cell_count && encoding->cells[to].key < end)
        to++;
    sp_pack_varint(to - *at, out);
    for (uint64_t before = first; *at < to; (*at)++) {
        sp_pack_varint(encoding->cells[*at].key - before, out);
        put_signed(encoding->cells[*at].count, out);
        before = encoding->cells[*at].key;
    }
}

static void put_candidates(const struct sp_edge_candidate *items, uint32_t count,
                           struct sp_buf *out)
{
    sp_pack_varint(count, out);
    for (uint32_t i = 0; i < count; i++) {
        sp_pack_varint(items[i].duration_ns, out);
        sp_buf_append(out, items[i].trace_id.bytes, SP_TRACE_ID_BYTES);
        sp_pack_varint(items[i].times, out);
    }
}

static void put_row(const struct encoding *encoding, uint32_t place, uint32_t edge_before,
                    size_t *cell, struct sp_buf *out)
{
    const struct sp_edge_row *row = &encoding->rollup->rows.items[encoding->places[place].number];
    uint64_t first = place * SP_EDGE_CELLS;
    sp_pack_varint(row->edge - edge_before, out);
    put_signed(row->calls, out);
    put_signed(row->errors, out);
    put_signed(row->client_sum_ns, out);
    put_signed(row->server_sum_ns, out);
    put_cells(encoding, cell, first, first + SP_ROLLUP_CELLS, out);
    put_cells(encoding, cell, first + SP_ROLLUP_CELLS, first + SP_EDGE_CELLS, out);
    put_candidates(row->added.items, row->added.count, out);
    put_candidates(row->taken.items, row->taken.count, out);
    put_candidates(&row->forgotten, row->forgotten.times > 0, out);
}

static void put_minutes(struct encoding *encoding, struct sp_buf *out)
{
    uint32_t minute_count = 0;
    uint64_t minute_before = 0;
    size_t cell = 0;
    for (uint32_t i = 0; i < encoding->row_count; minute_count++) {
        uint64_t minute = encoding->places[i].key >> 32;
        uint32_t first = i;
        uint32_t edge_before = 0;
        size_t start = encoding->data.len;
        for (; i < encoding->row_count && encoding->places[i].key >> 32 == minute; i++) {
            put_row(encoding, i, edge_before, &cell, &encoding->data);
            edge_before = (uint32_t)encoding->places[i].key;
        }
        sp_pack_varint(minute - minute_before, &encoding->index);
        sp_pack_varint(i - first, &encoding->index);
        sp_pack_varint(encoding->data.len - start, &encoding->index);
        minute_before = minute;
    }
    sp_pack_varint(minute_count, out);
    sp_buf_append_slice(out, sp_buf_slice(&encoding->index));
    sp_buf_append_slice(out, sp_buf_slice(&encoding->data));
}

enum sp_status sp_edge_rollup_encode(const struct sp_edge_rollup *rollup, struct sp_buf *out,
                                     struct sp_error *reterr)
{
    struct encoding encoding = {.rollup = rollup};
    sp_buf_init(&encoding.index, BYTES_MAX);
    sp_buf_init(&encoding.data, BYTES_MAX);
    size_t start = sp_checked_begin(out, SP_EDGE_ROLLUP_FORMAT);
    enum sp_status status = SP_NO_MEMORY;
    if (sort_rows(&encoding)) {
        sp_pack_varint(rollup->texts.texts.count, out);
        for (uint32_t i = 0; i < rollup->texts.texts.count; i++)
            sp_pack_text(rollup->texts.texts.items[i], out);
        sp_pack_varint(rollup->edges.texts.count, out);
        for (uint32_t i = 0; i < rollup->edges.texts.count; i++) {
            const struct sp_edge_key *key = sp_edge_key_at(rollup, i);
            sp_pack_varint(key->client, out);
            sp_pack_varint(key->server, out);
            sp_pack_varint(key->type, out);
            sp_pack_varint(key->client_type, out);
            sp_pack_varint(key->server_type, out);
        }
        put_minutes(&encoding, out);
        status = encoding.index.error != SP_OK ? encoding.index.error : encoding.data.error;
        status = status != SP_OK ? status : out->error;
    }
    free(encoding.places);
    free(encoding.cells);
    sp_buf_fini(&encoding.index);
    sp_buf_fini(&encoding.data);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the calls of a segment do not fit into memory");
    sp_checked_end(out, start);
    return SP_OK;
}

/* ---- from bytes ---- */

struct reading {
    struct sp_edge_rollup *into;
    uint32_t *edges; /* of into, by the numbers read */
    uint32_t edge_count;
};

static enum sp_status read_edges(struct sp_slice *in, struct sp_arena *arena,
                                 struct reading *reading, struct sp_error *reterr)
{
    uint32_t text_count;
    if (!sp_unpack_count(in, 1, &text_count))
        return damaged(reterr);
    struct sp_slice *texts = sp_arena_calloc(arena, text_count, sizeof(*texts));
    if (texts == NULL)
        return sp_edge_rollup_failed(reterr);
    for (uint32_t i = 0; i < text_count; i++)
        if (!sp_unpack_text(in, &texts[i]))
            return damaged(reterr);
    if (!sp_unpack_count(in, 5, &reading->edge_count))
        return damaged(reterr);
    reading->edges = sp_arena_calloc(arena, reading->edge_count, sizeof(*reading->edges));
    if (reading->edges == NULL)
        return sp_edge_rollup_failed(reterr);
    for (uint32_t i = 0; i < reading->edge_count; i++) {
        struct sp_edge_key key;
        if (!sp_unpack_u32(in, &key.client) || !sp_unpack_u32(in, &key.server) ||
            !sp_unpack_u32(in, &key.type) || !sp_unpack_u32(in, &key.client_type) ||
            !sp_unpack_u32(in, &key.server_type) || key.client >= text_count ||
            key.server >= text_count || key.type > SP_CONNECTION_VIRTUAL ||
            key.client_type > SP_NODE_CLIENT || key.server_type > SP_NODE_CLIENT)
            return damaged(reterr);
        reading->edges[i] = sp_edge_rollup_edge(
            reading->into, texts[key.client], (enum sp_node_type)key.client_type, texts[key.server],
            (enum sp_node_type)key.server_type, (enum sp_connection_type)key.type);
        if (reading->edges[i] == SP_INTERNER_NONE)
            return sp_edge_rollup_failed(reterr);
    }
    return SP_OK;
}

static bool take_signed(struct sp_slice *in, uint64_t *sum)
{
    uint64_t number;
    if (!sp_unpack_varint(in, &number))
        return false;
    *sum += (uint64_t)sp_unzigzag(number);
    return true;
}

static enum sp_status read_cells(struct reading *reading, struct sp_slice *in, uint64_t first,
                                 struct sp_error *reterr)
{
    uint32_t count;
    uint64_t cell = 0;
    if (!sp_unpack_count(in, 2, &count))
        return damaged(reterr);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t more, spans = 0;
        if (!sp_unpack_varint(in, &more) || !take_signed(in, &spans) ||
            more >= SP_ROLLUP_CELLS - cell || (i > 0 && more == 0))
            return damaged(reterr);
        cell += more;
        if (!sp_counts_add(&reading->into->cells, first + cell, spans))
            return sp_edge_rollup_failed(reterr);
    }
    return SP_OK;
}

/* forget: these were taken, and are known only so far. */
static enum sp_status read_candidates(struct reading *reading, struct sp_slice *in, uint32_t row,
                                      enum sp_edge_sign sign, bool forget, struct sp_error *reterr)
{
    uint32_t count;
    if (!sp_unpack_count(in, 2 + SP_TRACE_ID_BYTES, &count))
        return damaged(reterr);
    for (uint32_t i = 0; i < count; i++) {
        struct sp_edge_candidate candidate;
        if (!sp_unpack_varint(in, &candidate.duration_ns) || in->len < SP_TRACE_ID_BYTES)
            return damaged(reterr);
        memcpy(candidate.trace_id.bytes, in->ptr, SP_TRACE_ID_BYTES);
        *in = sp_slice_sub(*in, SP_TRACE_ID_BYTES, SIZE_MAX);
        if (!sp_unpack_u32(in, &candidate.times) || candidate.times == 0)
            return damaged(reterr);
        struct sp_edge_row *to = &reading->into->rows.items[row];
        if (forget)
            sp_edge_row_forget(to, &candidate);
        else if (!sp_edge_row_candidate(reading->into, to, candidate, sign))
            return sp_edge_rollup_failed(reterr);
    }
    return SP_OK;
}

static enum sp_status read_row(struct reading *reading, struct sp_slice *in, uint32_t minute,
                               uint64_t *edge, struct sp_error *reterr)
{
    uint32_t more;
    if (!sp_unpack_u32(in, &more) || (*edge += more) >= reading->edge_count)
        return damaged(reterr);
    uint32_t number = sp_edge_rollup_row(reading->into, minute, reading->edges[*edge]);
    if (number == UINT32_MAX)
        return sp_edge_rollup_failed(reterr);
    struct sp_edge_row *row = &reading->into->rows.items[number];
    if (!take_signed(in, &row->calls) || !take_signed(in, &row->errors) ||
        !take_signed(in, &row->client_sum_ns) || !take_signed(in, &row->server_sum_ns))
        return damaged(reterr);
    enum sp_status status = read_cells(reading, in, number * SP_EDGE_CELLS, reterr);
    if (status == SP_OK)
        status = read_cells(reading, in, number * SP_EDGE_CELLS + SP_ROLLUP_CELLS, reterr);
    if (status == SP_OK)
        status = read_candidates(reading, in, number, SP_EDGE_ADD, false, reterr);
    if (status == SP_OK)
        status = read_candidates(reading, in, number, SP_EDGE_TAKE, false, reterr);
    if (status == SP_OK)
        status = read_candidates(reading, in, number, SP_EDGE_TAKE, true, reterr);
    return status;
}

static enum sp_status read_minutes(struct reading *reading, struct sp_slice in,
                                   struct sp_time_range range, struct sp_arena *arena,
                                   struct sp_error *reterr)
{
    struct minute {
        uint32_t minute, row_count, len;
    };
    uint32_t count;
    if (!sp_unpack_count(&in, 3, &count))
        return damaged(reterr);
    struct minute *minutes = sp_arena_calloc(arena, count, sizeof(*minutes));
    if (minutes == NULL)
        return sp_edge_rollup_failed(reterr);
    uint64_t minute = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t more;
        if (!sp_unpack_varint(&in, &more) || !sp_unpack_u32(&in, &minutes[i].row_count) ||
            !sp_unpack_u32(&in, &minutes[i].len) || (i > 0 && more == 0) ||
            more > UINT64_MAX / SP_ROLLUP_NS - minute)
            return damaged(reterr);
        minute += more;
        minutes[i].minute = (uint32_t)minute;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct sp_slice rows = sp_slice_sub(in, 0, minutes[i].len);
        if (minutes[i].len > in.len)
            return damaged(reterr);
        in = sp_slice_sub(in, minutes[i].len, SIZE_MAX);
        if (!sp_time_range_contains(range, minutes[i].minute * SP_ROLLUP_NS))
            continue;
        uint64_t edge = 0;
        for (uint32_t r = 0; r < minutes[i].row_count; r++) {
            enum sp_status status = read_row(reading, &rows, minutes[i].minute, &edge, reterr);
            if (status != SP_OK)
                return status;
        }
        if (rows.len > 0)
            return damaged(reterr);
    }
    return in.len == 0 ? SP_OK : damaged(reterr);
}

enum sp_status sp_edge_rollup_read(struct sp_slice bytes, struct sp_time_range range,
                                   struct sp_edge_rollup *into, struct sp_error *reterr)
{
    struct reading reading = {.into = into};
    uint64_t format;
    if (!sp_checked_open(&bytes, &format) || format != SP_EDGE_ROLLUP_FORMAT)
        return damaged(reterr);
    if (sp_time_range_is_empty(range))
        return SP_OK;
    struct sp_arena arena;
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = read_edges(&bytes, &arena, &reading, reterr);
    if (status == SP_OK)
        status = read_minutes(&reading, bytes, sp_time_range_minutes(range), &arena, reterr);
    sp_arena_fini(&arena);
    return status;
}
