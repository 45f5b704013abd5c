/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rollup.c: rows of a rollup, their sums, and what a rollup in memory answers. Knows neither blocks nor bytes. */
#include "storage/rollup.h"

void sp_rollup_init(struct sp_rollup *rollup)
{
    *rollup = (struct sp_rollup){.row_numbers.seed = sp_hash_seed(),
                                 .cells.seed = sp_hash_seed(),
                                 .key_spans.seed = sp_hash_seed()};
    sp_interner_init(&rollup->texts);
    sp_interner_init(&rollup->series);
    sp_interner_init(&rollup->keys);
}

void sp_rollup_fini(struct sp_rollup *rollup)
{
    if (rollup == NULL)
        return;
    sp_interner_fini(&rollup->texts);
    sp_interner_fini(&rollup->series);
    sp_interner_fini(&rollup->keys);
    sp_vector_fini(&rollup->rows);
    sp_counts_fini(&rollup->row_numbers);
    sp_counts_fini(&rollup->cells);
    sp_counts_fini(&rollup->key_spans);
    *rollup = (struct sp_rollup){0};
}

enum sp_status sp_rollup_failed(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the counts of a segment");
}

/* ---- numbers ---- */

uint32_t sp_rollup_series_number(struct sp_rollup *rollup, struct sp_slice service,
                                 struct sp_slice name, int32_t kind)
{
    struct sp_rollup_series series = {.service = sp_interner_add(&rollup->texts, 0, service),
                                      .name = sp_interner_add(&rollup->texts, 0, name),
                                      .kind = kind};
    if (series.service == SP_INTERNER_NONE || series.name == SP_INTERNER_NONE)
        return SP_INTERNER_NONE;
    return sp_interner_add(&rollup->series, 0, sp_slice_make(&series, sizeof(series)));
}

uint32_t sp_rollup_key_number(struct sp_rollup *rollup, struct sp_slice key, int32_t number)
{
    struct sp_rollup_key made = {.text = sp_interner_add(&rollup->texts, 0, key), .number = number};
    if (made.text == SP_INTERNER_NONE)
        return SP_INTERNER_NONE;
    return sp_interner_add(&rollup->keys, 0, sp_slice_make(&made, sizeof(made)));
}

uint32_t sp_rollup_row_number(struct sp_rollup *rollup, uint32_t minute, uint32_t series)
{
    minute = sp_rollup_minute_of(rollup->minutes_a_row, minute);
    uint64_t *number = sp_counts_at(&rollup->row_numbers, (uint64_t)minute << 32 | series);
    if (number == NULL)
        return UINT32_MAX;
    if (*number == 0) { /* kept plus 1 */
        struct sp_rollup_row row = {.minute = minute, .series = series};
        if (rollup->rows.count == SP_ROLLUP_ROWS_MAX || !sp_vector_push(&rollup->rows, row))
            return UINT32_MAX;
        *number = rollup->rows.count;
    }
    return (uint32_t)(*number - 1);
}

/* ---- sums of sums ---- */

/* What the numbers of one rollup are in another. */
struct mapping {
    uint32_t *rows, *keys;
};

static bool map_rows(struct sp_rollup *into, const struct sp_rollup *from, struct mapping *map)
{
    uint32_t *series = calloc((size_t)from->series.texts.count + 1, sizeof(*series));
    bool fits = series != NULL;
    for (uint32_t i = 0; i < from->series.texts.count && fits; i++) {
        const struct sp_rollup_series *old = sp_rollup_series_at(from, i);
        series[i] = sp_rollup_series_number(into, sp_rollup_text(from, old->service),
                                            sp_rollup_text(from, old->name), old->kind);
        fits = series[i] != SP_INTERNER_NONE;
    }
    for (uint32_t i = 0; i < from->rows.count && fits; i++) {
        const struct sp_rollup_row *row = &from->rows.items[i];
        map->rows[i] = sp_rollup_row_number(into, row->minute, series[row->series]);
        fits = map->rows[i] != UINT32_MAX;
        if (!fits)
            break;
        sp_rollup_row_add(&into->rows.items[map->rows[i]], row->calls, row->errors, row->sum_ns,
                          row->min_ns, row->max_ns);
        sp_span_exemplars_merge(&into->rows.items[map->rows[i]].exemplars, &row->exemplars);
    }
    into->lacks_exemplars |= from->lacks_exemplars;
    free(series);
    return fits;
}

static bool add_counts(struct sp_rollup *into, const struct sp_rollup *from,
                       const struct mapping *map)
{
    for (size_t i = 0; i < from->cells.slot_count; i++) {
        const struct sp_count *cell = &from->cells.slots[i];
        if (cell->key == 0)
            continue;
        uint64_t key = cell->key - 1;
        if (!sp_counts_add(&into->cells,
                           (uint64_t)map->rows[key / SP_ROLLUP_CELLS] * SP_ROLLUP_CELLS +
                               key % SP_ROLLUP_CELLS,
                           cell->count))
            return false;
    }
    for (size_t i = 0; i < from->key_spans.slot_count; i++) {
        const struct sp_count *spans = &from->key_spans.slots[i];
        if (spans->key == 0)
            continue;
        uint64_t key = spans->key - 1;
        if (!sp_counts_add(&into->key_spans,
                           (key & ~(uint64_t)UINT32_MAX) | map->keys[(uint32_t)key], spans->count))
            return false;
    }
    return true;
}

enum sp_status sp_rollup_merge(struct sp_rollup *into, const struct sp_rollup *from,
                               struct sp_error *reterr)
{
    struct mapping map = {
        .rows = calloc((size_t)from->rows.count + 1, sizeof(*map.rows)),
        .keys = calloc((size_t)from->keys.texts.count + 1, sizeof(*map.keys)),
    };
    bool fits = map.rows != NULL && map.keys != NULL && map_rows(into, from, &map);
    for (uint32_t i = 0; i < from->keys.texts.count && fits; i++) {
        const struct sp_rollup_key *key = sp_rollup_key_at(from, i);
        map.keys[i] = sp_rollup_key_number(into, sp_rollup_text(from, key->text), key->number);
        fits = map.keys[i] != SP_INTERNER_NONE;
    }
    fits = fits && add_counts(into, from, &map);
    free(map.rows);
    free(map.keys);
    return fits ? SP_OK : sp_rollup_failed(reterr);
}

/* ---- answers ---- */

static bool minute_is_in(struct sp_time_range full_minutes, uint64_t minute)
{
    return sp_time_range_contains(full_minutes, minute * SP_ROLLUP_NS);
}

/* wanted: for each row of the rollup, its row of the tally, or NULL. */
static enum sp_status count_rows(const struct sp_rollup *rollup, struct sp_time_range range,
                                 const struct sp_operation_filter *filter, bool with_latency,
                                 struct sp_tally *tally, struct sp_tally_row **wanted,
                                 struct sp_error *reterr)
{
    for (uint32_t i = 0; i < rollup->rows.count; i++) {
        const struct sp_rollup_row *row = &rollup->rows.items[i];
        const struct sp_rollup_series *series = sp_rollup_series_at(rollup, row->series);
        struct sp_slice service = sp_rollup_text(rollup, series->service);
        struct sp_slice name = sp_rollup_text(rollup, series->name);
        if (!minute_is_in(range, row->minute) ||
            !sp_operation_matches(filter, service, name, series->kind))
            continue;
        enum sp_status status =
            sp_tally_row(tally, service, name, series->kind, &wanted[i], reterr);
        if (status == SP_OK && with_latency)
            status = sp_tally_exemplars(tally, wanted[i], reterr);
        if (status != SP_OK)
            return status;
        wanted[i]->count += row->calls;
        wanted[i]->errors += row->errors;
    }
    return SP_OK;
}

static bool count_durations(const struct sp_rollup *rollup, struct sp_tally_row *const *wanted)
{
    for (uint32_t i = 0; i < rollup->rows.count; i++)
        if (wanted[i] != NULL && wanted[i]->latency.count == 0)
            wanted[i]->latency.min_ns = UINT64_MAX;
    for (uint32_t i = 0; i < rollup->rows.count; i++) {
        const struct sp_rollup_row *row = &rollup->rows.items[i];
        if (wanted[i] == NULL)
            continue;
        struct sp_histogram *latency = &wanted[i]->latency;
        latency->min_ns = row->min_ns < latency->min_ns ? row->min_ns : latency->min_ns;
        latency->max_ns = row->max_ns > latency->max_ns ? row->max_ns : latency->max_ns;
        latency->sum_ns += row->sum_ns;
        sp_span_exemplars_merge(wanted[i]->exemplars, &row->exemplars);
    }
    for (size_t i = 0; i < rollup->cells.slot_count; i++) {
        const struct sp_count *cell = &rollup->cells.slots[i];
        uint64_t key = cell->key - 1;
        if (cell->key == 0 || wanted[key / SP_ROLLUP_CELLS] == NULL)
            continue;
        struct sp_histogram *latency = &wanted[key / SP_ROLLUP_CELLS]->latency;
        uint64_t bucket = key % SP_ROLLUP_CELLS;
        if (bucket == 0) {
            latency->zero_count += cell->count;
            latency->count += cell->count;
        } else if (sp_histogram_add_bucket(latency, (uint16_t)(bucket - 1), cell->count) != SP_OK) {
            return false;
        }
    }
    return true;
}

enum sp_status sp_rollup_count_operations(const struct sp_rollup *rollup,
                                          struct sp_time_range range,
                                          const struct sp_operation_filter *filter,
                                          bool with_latency, struct sp_tally *tally,
                                          struct sp_error *reterr)
{
    struct sp_tally_row **wanted =
        calloc((size_t)rollup->rows.count + 1, sizeof(struct sp_tally_row *));
    if (wanted == NULL)
        return sp_rollup_failed(reterr);
    enum sp_status status = count_rows(rollup, sp_time_range_full_minutes(range), filter,
                                       with_latency, tally, wanted, reterr);
    if (status == SP_OK && with_latency && !count_durations(rollup, wanted))
        status = sp_rollup_failed(reterr);
    free(wanted);
    return status;
}

enum sp_status sp_rollup_count_keys(const struct sp_rollup *rollup, struct sp_time_range range,
                                    uint32_t scopes, struct sp_slice prefix, struct sp_tally *tally,
                                    struct sp_error *reterr)
{
    range = sp_time_range_full_minutes(range);
    for (size_t i = 0; i < rollup->key_spans.slot_count; i++) {
        const struct sp_count *spans = &rollup->key_spans.slots[i];
        uint64_t place = spans->key - 1;
        if (spans->key == 0 || !minute_is_in(range, place >> 32))
            continue;
        const struct sp_rollup_key *key = sp_rollup_key_at(rollup, (uint32_t)place);
        struct sp_slice text = sp_rollup_text(rollup, key->text);
        if (((uint32_t)key->number >> 8 & scopes) == 0 || !sp_slice_starts_with(text, prefix))
            continue;
        struct sp_tally_row *row;
        enum sp_status status = sp_tally_row(tally, text, SP_SLICE(""), key->number, &row, reterr);
        if (status != SP_OK)
            return status;
        row->count += spans->count;
    }
    return SP_OK;
}
