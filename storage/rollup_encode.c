/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup_encode.c: a rollup as bytes, sorted, so that equal rollups give equal bytes and a few minutes can be read without
 * the rest. Numbers are varints; those of tables are places in the sorted tables.
 *
 *   checksum   8 bytes, little endian, of all that follows
 *   format     FORMAT
 *   texts      how many; each: length, bytes                                       ascending
 *   series     how many; each: service, name (texts), kind (zigzag)                ascending
 *   keys       how many; each: text, scope and kind of value (sp_key_number)       ascending
 *   minutes    how many; each: minute - the one before, rows, bytes of rows, keys, bytes of keys, bytes of histograms
 *   and for each minute, one after the other:
 *     rows        series - the one before, calls, errors, bytes of the histogram
 *     keys        key - the one before, spans
 *     histograms  sum, minimum, maximum - minimum, the exemplar, that of errors if there are any, zero durations, and the buckets
 *                 until all calls are there: the first index; (count - 1) << 1 | 1 if the next index is not one higher; then how
 *                 much higher, minus 2
 *     exemplars   trace id (16 bytes; zero: none), span id (8 bytes), maximum - its duration
 *
 * Knows no blocks. */
#include "storage/pack.h"
#include "storage/rollup_format.h"

#include <stdlib.h>

#define TABLE_BYTES_MAX ((size_t)4 * 1024 * 1024 * 1024)

/* Each thing's place in its sorted table, and back. */
struct order {
    uint32_t *numbers; /* by place */
    uint32_t *places;  /* by number */
};

struct place_of_row {
    uint64_t key; /* minute << 32 | place of the series; of keys: place of the key */
    uint32_t number;
};

struct cell {
    uint32_t row; /* place */
    uint16_t bucket;
    uint64_t count;
};

struct key_count {
    uint64_t key; /* minute << 32 | place */
    uint64_t spans;
};

struct encoding {
    const struct sp_rollup *rollup;
    struct order texts, series, keys;
    struct place_of_row *rows;
    struct cell *cells; /* by row, bucket */
    struct key_count *key_counts;
    size_t cell_count, key_count_count, next_cell;
    struct sp_buf index, data, row_bytes, key_bytes, histogram_bytes;
};

/* ---- order ---- */

static bool order_init(struct order *order, uint32_t count)
{
    order->numbers = calloc((size_t)count + 1, sizeof(uint32_t));
    order->places = calloc((size_t)count + 1, sizeof(uint32_t));
    for (uint32_t i = 0; i < count && order->numbers != NULL; i++)
        order->numbers[i] = i;
    return order->numbers != NULL && order->places != NULL;
}

static void order_sort(struct order *order, uint32_t count,
                       int (*compare)(const void *, const void *, void *), void *cookie)
{
    if (count > 0)
        qsort_r(order->numbers, count, sizeof(uint32_t), compare, cookie);
    for (uint32_t i = 0; i < count; i++)
        order->places[order->numbers[i]] = i;
}

static void order_fini(struct order *order)
{
    free(order->numbers);
    free(order->places);
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_texts(const void *a, const void *b, void *cookie)
{
    const struct encoding *encoding = cookie;
    return sp_slice_compare(sp_rollup_text(encoding->rollup, *(const uint32_t *)a),
                            sp_rollup_text(encoding->rollup, *(const uint32_t *)b));
}

static int compare_series(const void *a, const void *b, void *cookie)
{
    const struct encoding *encoding = cookie;
    const struct sp_rollup_series *x = sp_rollup_series_at(encoding->rollup, *(const uint32_t *)a);
    const struct sp_rollup_series *y = sp_rollup_series_at(encoding->rollup, *(const uint32_t *)b);
    const uint32_t *places = encoding->texts.places;
    int order = compare_u64(places[x->service], places[y->service]);
    if (order == 0)
        order = compare_u64(places[x->name], places[y->name]);
    return order != 0 ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static int compare_keys(const void *a, const void *b, void *cookie)
{
    const struct encoding *encoding = cookie;
    const struct sp_rollup_key *x = sp_rollup_key_at(encoding->rollup, *(const uint32_t *)a);
    const struct sp_rollup_key *y = sp_rollup_key_at(encoding->rollup, *(const uint32_t *)b);
    const uint32_t *places = encoding->texts.places;
    int order = compare_u64(places[x->text], places[y->text]);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_rows(const void *a, const void *b)
{
    return compare_u64(((const struct place_of_row *)a)->key,
                       ((const struct place_of_row *)b)->key);
}

static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a;
    const struct cell *y = b;
    int order = compare_u64(x->row, y->row);
    return order != 0 ? order : compare_u64(x->bucket, y->bucket);
}

static int compare_key_counts(const void *a, const void *b)
{
    return compare_u64(((const struct key_count *)a)->key, ((const struct key_count *)b)->key);
}

static void sort_sums(struct encoding *encoding, uint32_t *row_places)
{
    const struct sp_rollup *rollup = encoding->rollup;
    uint32_t row_count = rollup->rows.count;
    for (uint32_t i = 0; i < row_count; i++) {
        const struct sp_rollup_row *row = &rollup->rows.items[i];
        encoding->rows[i] = (struct place_of_row){
            (uint64_t)row->minute << 32 | encoding->series.places[row->series], i};
    }
    qsort(encoding->rows, row_count, sizeof(*encoding->rows), compare_rows);
    for (uint32_t i = 0; i < row_count; i++)
        row_places[encoding->rows[i].number] = i;

    for (size_t i = 0; i < rollup->cells.slot_count; i++) {
        const struct sp_count *cell = &rollup->cells.slots[i];
        if (cell->key == 0)
            continue;
        encoding->cells[encoding->cell_count++] =
            (struct cell){row_places[(cell->key - 1) / SP_ROLLUP_CELLS],
                          (uint16_t)((cell->key - 1) % SP_ROLLUP_CELLS), cell->count};
    }
    qsort(encoding->cells, encoding->cell_count, sizeof(*encoding->cells), compare_cells);

    for (size_t i = 0; i < rollup->key_spans.slot_count; i++) {
        const struct sp_count *spans = &rollup->key_spans.slots[i];
        if (spans->key == 0)
            continue;
        uint64_t key = spans->key - 1;
        encoding->key_counts[encoding->key_count_count++] = (struct key_count){
            (key & ~(uint64_t)UINT32_MAX) | encoding->keys.places[(uint32_t)key], spans->count};
    }
    qsort(encoding->key_counts, encoding->key_count_count, sizeof(*encoding->key_counts),
          compare_key_counts);
}

static bool sort_all(struct encoding *encoding)
{
    const struct sp_rollup *rollup = encoding->rollup;
    uint32_t text_count = rollup->texts.texts.count;
    uint32_t series_count = rollup->series.texts.count;
    uint32_t key_count = rollup->keys.texts.count;
    uint32_t *row_places = calloc((size_t)rollup->rows.count + 1, sizeof(*row_places));
    encoding->rows = calloc((size_t)rollup->rows.count + 1, sizeof(*encoding->rows));
    encoding->cells = calloc(rollup->cells.used + 1, sizeof(*encoding->cells));
    encoding->key_counts = calloc(rollup->key_spans.used + 1, sizeof(*encoding->key_counts));
    bool fits = order_init(&encoding->texts, text_count) &&
                order_init(&encoding->series, series_count) &&
                order_init(&encoding->keys, key_count) && row_places != NULL &&
                encoding->rows != NULL && encoding->cells != NULL && encoding->key_counts != NULL;
    if (fits) {
        order_sort(&encoding->texts, text_count, compare_texts, encoding);
        order_sort(&encoding->series, series_count, compare_series, encoding);
        order_sort(&encoding->keys, key_count, compare_keys, encoding);
        sort_sums(encoding, row_places);
    }
    free(row_places);
    return fits;
}

/* ---- bytes ---- */

static void put_tables(const struct encoding *encoding, struct sp_buf *out)
{
    const struct sp_rollup *rollup = encoding->rollup;
    sp_pack_varint(rollup->texts.texts.count, out);
    for (uint32_t i = 0; i < rollup->texts.texts.count; i++)
        sp_pack_text(sp_rollup_text(rollup, encoding->texts.numbers[i]), out);
    sp_pack_varint(rollup->series.texts.count, out);
    for (uint32_t i = 0; i < rollup->series.texts.count; i++) {
        const struct sp_rollup_series *series =
            sp_rollup_series_at(rollup, encoding->series.numbers[i]);
        sp_pack_varint(encoding->texts.places[series->service], out);
        sp_pack_varint(encoding->texts.places[series->name], out);
        sp_pack_varint(sp_zigzag(series->kind), out);
    }
    sp_pack_varint(rollup->keys.texts.count, out);
    for (uint32_t i = 0; i < rollup->keys.texts.count; i++) {
        const struct sp_rollup_key *key = sp_rollup_key_at(rollup, encoding->keys.numbers[i]);
        sp_pack_varint(encoding->texts.places[key->text], out);
        sp_pack_varint((uint32_t)key->number, out);
    }
}

static void put_exemplar(const struct sp_span_exemplar *exemplar, uint64_t max_ns,
                         struct sp_buf *out)
{
    bool is_set = !sp_trace_id_is_zero(&exemplar->trace_id);
    sp_buf_append(out, exemplar->trace_id.bytes, SP_TRACE_ID_BYTES);
    sp_buf_append(out, exemplar->span_id.bytes, SP_SPAN_ID_BYTES);
    sp_pack_varint(is_set ? max_ns - exemplar->duration_ns : 0, out);
}

/* The cells of a row, from the first on: the buckets are those behind the cell of no duration. */
static void put_histogram(struct encoding *encoding, uint32_t place)
{
    struct sp_buf *out = &encoding->histogram_bytes;
    const struct sp_rollup_row *row = &encoding->rollup->rows.items[encoding->rows[place].number];
    size_t from = encoding->next_cell;
    size_t to = from;
    while (to < encoding->cell_count && encoding->cells[to].row == place)
        to++;
    encoding->next_cell = to;
    sp_pack_varint(row->sum_ns, out);
    sp_pack_varint(row->min_ns, out);
    sp_pack_varint(row->max_ns - row->min_ns, out);
    put_exemplar(&row->exemplars.slowest, row->max_ns, out);
    if (row->errors > 0)
        put_exemplar(&row->exemplars.failed, row->max_ns, out);
    bool has_zero = from < to && encoding->cells[from].bucket == 0;
    sp_pack_varint(has_zero ? encoding->cells[from++].count : 0, out);
    if (from < to)
        sp_pack_varint((uint64_t)encoding->cells[from].bucket - 1, out);
    for (size_t i = from; i < to; i++) {
        uint32_t gap = 1;
        if (i + 1 < to)
            gap = (uint32_t)encoding->cells[i + 1].bucket - encoding->cells[i].bucket;
        sp_pack_varint((encoding->cells[i].count - 1) << 1 | (gap > 1), out);
        if (gap > 1)
            sp_pack_varint(gap - 2, out);
    }
}

static void put_minute(struct encoding *encoding, uint32_t minute_before, uint64_t minute,
                       size_t *row, size_t *key)
{
    uint32_t before = 0, row_count = 0, key_count = 0;
    sp_buf_reset(&encoding->row_bytes);
    sp_buf_reset(&encoding->key_bytes);
    sp_buf_reset(&encoding->histogram_bytes);
    for (; *row < encoding->rollup->rows.count && encoding->rows[*row].key >> 32 == minute;
         (*row)++, row_count++) {
        const struct sp_rollup_row *sums =
            &encoding->rollup->rows.items[encoding->rows[*row].number];
        size_t histogram_start = encoding->histogram_bytes.len;
        put_histogram(encoding, (uint32_t)*row);
        sp_pack_varint((uint32_t)encoding->rows[*row].key - before, &encoding->row_bytes);
        sp_pack_varint(sums->calls, &encoding->row_bytes);
        sp_pack_varint(sums->errors, &encoding->row_bytes);
        sp_pack_varint(encoding->histogram_bytes.len - histogram_start, &encoding->row_bytes);
        before = (uint32_t)encoding->rows[*row].key;
    }
    before = 0;
    for (; *key < encoding->key_count_count && encoding->key_counts[*key].key >> 32 == minute;
         (*key)++, key_count++) {
        sp_pack_varint((uint32_t)encoding->key_counts[*key].key - before, &encoding->key_bytes);
        sp_pack_varint(encoding->key_counts[*key].spans, &encoding->key_bytes);
        before = (uint32_t)encoding->key_counts[*key].key;
    }
    sp_pack_varint(minute - minute_before, &encoding->index);
    sp_pack_varint(row_count, &encoding->index);
    sp_pack_varint(encoding->row_bytes.len, &encoding->index);
    sp_pack_varint(key_count, &encoding->index);
    sp_pack_varint(encoding->key_bytes.len, &encoding->index);
    sp_pack_varint(encoding->histogram_bytes.len, &encoding->index);
    sp_buf_append_slice(&encoding->data, sp_buf_slice(&encoding->row_bytes));
    sp_buf_append_slice(&encoding->data, sp_buf_slice(&encoding->key_bytes));
    sp_buf_append_slice(&encoding->data, sp_buf_slice(&encoding->histogram_bytes));
}

/* Each attribute key of a minute belongs to a span that has a row there. */
static uint32_t put_minutes(struct encoding *encoding)
{
    size_t row = 0, key = 0;
    uint32_t count = 0, before = 0;
    for (; row < encoding->rollup->rows.count; count++) {
        uint64_t minute = encoding->rows[row].key >> 32;
        put_minute(encoding, before, minute, &row, &key);
        before = (uint32_t)minute;
    }
    SP_ASSERT(key == encoding->key_count_count && encoding->next_cell == encoding->cell_count);
    return count;
}

static enum sp_status first_error(const struct encoding *encoding, const struct sp_buf *out)
{
    const struct sp_buf *buffers[] = {&encoding->index,           &encoding->data,
                                      &encoding->row_bytes,       &encoding->key_bytes,
                                      &encoding->histogram_bytes, out};
    for (size_t i = 0; i < SP_ARRAY_LEN(buffers); i++)
        if (buffers[i]->error != SP_OK)
            return buffers[i]->error;
    return SP_OK;
}

static void encoding_fini(struct encoding *encoding)
{
    order_fini(&encoding->texts);
    order_fini(&encoding->series);
    order_fini(&encoding->keys);
    free(encoding->rows);
    free(encoding->cells);
    free(encoding->key_counts);
    sp_buf_fini(&encoding->index);
    sp_buf_fini(&encoding->data);
    sp_buf_fini(&encoding->row_bytes);
    sp_buf_fini(&encoding->key_bytes);
    sp_buf_fini(&encoding->histogram_bytes);
}

enum sp_status sp_rollup_encode(const struct sp_rollup *rollup, struct sp_buf *out,
                                struct sp_error *reterr)
{
    struct encoding encoding = {.rollup = rollup};
    sp_buf_init(&encoding.index, TABLE_BYTES_MAX);
    sp_buf_init(&encoding.data, TABLE_BYTES_MAX);
    sp_buf_init(&encoding.row_bytes, TABLE_BYTES_MAX);
    sp_buf_init(&encoding.key_bytes, TABLE_BYTES_MAX);
    sp_buf_init(&encoding.histogram_bytes, TABLE_BYTES_MAX);
    size_t start = sp_checked_begin(out, SP_ROLLUP_FORMAT);
    bool fits = sort_all(&encoding);
    if (fits) {
        put_tables(&encoding, out);
        sp_pack_varint(put_minutes(&encoding), out);
        sp_buf_append_slice(out, sp_buf_slice(&encoding.index));
        sp_buf_append_slice(out, sp_buf_slice(&encoding.data));
    }
    enum sp_status status = fits ? first_error(&encoding, out) : SP_NO_MEMORY;
    encoding_fini(&encoding);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "the counts of a segment do not fit into memory");
    sp_checked_end(out, start);
    return SP_OK;
}
