/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/check_counts.c: the operations and attribute keys by minute that are stored with a segment, against those that were counted
 * in its blocks just now. Knows the database through kv.h only. */
#include "storage/check.h"
#include "storage/rollup_format.h"

#include <stdio.h>
#include <time.h>

#define NAME "operations and attribute keys by minute"

const char *sp_check_minute(uint64_t minute, char out[SP_CHECK_MINUTE_BYTES])
{
    time_t seconds = (time_t)(minute * 60);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, SP_CHECK_MINUTE_BYTES, "%Y-%m-%dT%H:%MZ", &parts) == 0)
        snprintf(out, SP_CHECK_MINUTE_BYTES, "%llu", (unsigned long long)minute);
    return out;
}

enum sp_status sp_check_read_rollup(struct sp_check *check, struct sp_check_segment *segment,
                                    enum sp_segment_rollup which, const char *name,
                                    bool *ret_is_there, struct sp_error *reterr)
{
    const struct sp_check_place place = {segment->segment, SP_ROW_NONE, name, 0};
    uint8_t key[SP_ROLLUP_VERSIONED_KEY_BYTES];
    struct sp_error error = {0};
    uint32_t version = which == SP_SEGMENT_EDGES ? segment->segment->links.edges_version : 0;
    size_t len = sp_segment_rollup_key(segment->segment->id, which, version, key);
    sp_buf_reset(&check->chunk);
    enum sp_status status =
        sp_kv_get(check->kv, SP_KV_CHUNKS, sp_slice_make(key, len), &check->chunk, &error);
    *ret_is_there = status == SP_OK;
    if (status == SP_OK) {
        segment->value_count++;
        check->summary->bytes += check->chunk.len;
    } else if (status == SP_NOT_FOUND) {
        sp_check_found(check, SP_FINDING_MISSING, &place, "they are not there");
    } else if (sp_check_is_damage(status)) {
        sp_check_found(check, sp_check_kind_of(&error), &place, "%s", error.message);
    } else {
        if (reterr != NULL)
            *reterr = error;
        return status;
    }
    return SP_OK;
}

void sp_check_rollup_damaged(struct sp_check *check, const struct sp_check_place *place,
                             const struct sp_error *error)
{
    struct sp_slice bytes = sp_buf_slice(&check->chunk);
    uint64_t format;
    if (sp_checked_open(&bytes, &format))
        sp_check_found(check, SP_FINDING_UNREADABLE, place, "%s", error->message);
    else
        sp_check_found(check, SP_FINDING_CHECKSUM, place, "their checksum is wrong");
}

/* ---- comparison ---- */

/* What differs first: text is empty when nothing does. */
struct difference {
    char text[384];
    uint64_t count;
};

static void differ_in_row(const struct sp_rollup *rollup, uint32_t row, const char *what,
                          struct difference *difference)
{
    const struct sp_rollup_row *at = &rollup->rows.items[row];
    const struct sp_rollup_series *series = sp_rollup_series_at(rollup, at->series);
    struct sp_slice service = sp_rollup_text(rollup, series->service);
    struct sp_slice name = sp_rollup_text(rollup, series->name);
    char minute[SP_CHECK_MINUTE_BYTES];
    if (difference->count++ == 0)
        snprintf(difference->text, sizeof(difference->text),
                 "%s of \"%.*s\" of service \"%.*s\" in the minute %s", what,
                 name.len < 100 ? (int)name.len : 100, (const char *)name.ptr,
                 service.len < 100 ? (int)service.len : 100, (const char *)service.ptr,
                 sp_check_minute(at->minute, minute));
}

/* Adds what one has that the other is to have, too. Every row of stored is looked up in found, which gets what it lacks; so afterwards
 * both have the same rows. */
static bool match_rows(const struct sp_rollup *stored, struct sp_rollup *found, uint32_t *rows)
{
    for (uint32_t i = 0; i < stored->rows.count; i++) {
        const struct sp_rollup_row *row = &stored->rows.items[i];
        const struct sp_rollup_series *series = sp_rollup_series_at(stored, row->series);
        uint32_t number =
            sp_rollup_series_number(found, sp_rollup_text(stored, series->service),
                                    sp_rollup_text(stored, series->name), series->kind);
        rows[i] = number != SP_INTERNER_NONE ? sp_rollup_row_number(found, row->minute, number)
                                             : UINT32_MAX;
        if (rows[i] == UINT32_MAX)
            return false;
    }
    return true;
}

static bool are_equal(const struct sp_span_exemplar *a, const struct sp_span_exemplar *b)
{
    return a->duration_ns == b->duration_ns &&
           sp_trace_id_compare(&a->trace_id, &b->trace_id) == 0 &&
           sp_span_id_compare(&a->span_id, &b->span_id) == 0;
}

static void compare_rows(const struct sp_rollup *stored, struct sp_rollup *found,
                         const uint32_t *rows, struct difference *difference)
{
    for (uint32_t i = 0; i < stored->rows.count; i++) {
        const struct sp_rollup_row *said = &stored->rows.items[i];
        struct sp_rollup_row *is = &found->rows.items[rows[i]];
        if (said->calls != is->calls || said->errors != is->errors)
            differ_in_row(stored, i, "spans or errors", difference);
        else if (said->sum_ns != is->sum_ns || said->min_ns != is->min_ns ||
                 said->max_ns != is->max_ns)
            differ_in_row(stored, i, "durations", difference);
        else if (!stored->lacks_exemplars &&
                 (!are_equal(&said->exemplars.slowest, &is->exemplars.slowest) ||
                  !are_equal(&said->exemplars.failed, &is->exemplars.failed)))
            differ_in_row(stored, i, "exemplars", difference);
        is->calls = 0; /* seen */
    }
    for (uint32_t i = 0; i < found->rows.count; i++)
        if (found->rows.items[i].calls != 0)
            differ_in_row(found, i, "spans", difference);
}

/* Cells and keys: what is stored is taken off what was found; what is left differs. */
static bool compare_cells(const struct sp_rollup *stored, struct sp_rollup *found,
                          const uint32_t *rows, struct difference *difference)
{
    for (size_t i = 0; i < stored->cells.slot_count; i++) {
        const struct sp_count *cell = &stored->cells.slots[i];
        if (cell->key == 0)
            continue;
        uint64_t row = rows[(cell->key - 1) / SP_ROLLUP_CELLS];
        if (!sp_counts_add(&found->cells, row * SP_ROLLUP_CELLS + (cell->key - 1) % SP_ROLLUP_CELLS,
                           0 - cell->count))
            return false;
    }
    for (size_t i = 0; i < found->cells.slot_count; i++) {
        const struct sp_count *cell = &found->cells.slots[i];
        if (cell->key != 0 && cell->count != 0)
            differ_in_row(found, (uint32_t)((cell->key - 1) / SP_ROLLUP_CELLS),
                          "the histogram of durations", difference);
    }
    return true;
}

static bool compare_keys(const struct sp_rollup *stored, struct sp_rollup *found,
                         struct difference *difference)
{
    for (size_t i = 0; i < stored->key_spans.slot_count; i++) {
        const struct sp_count *spans = &stored->key_spans.slots[i];
        if (spans->key == 0)
            continue;
        const struct sp_rollup_key *key = sp_rollup_key_at(stored, (uint32_t)(spans->key - 1));
        uint32_t number =
            sp_rollup_key_number(found, sp_rollup_text(stored, key->text), key->number);
        uint64_t minute = (spans->key - 1) >> 32 << 32;
        if (number == SP_INTERNER_NONE ||
            !sp_counts_add(&found->key_spans, minute | number, 0 - spans->count))
            return false;
    }
    for (size_t i = 0; i < found->key_spans.slot_count; i++) {
        const struct sp_count *spans = &found->key_spans.slots[i];
        if (spans->key == 0 || spans->count == 0)
            continue;
        const struct sp_rollup_key *key = sp_rollup_key_at(found, (uint32_t)(spans->key - 1));
        struct sp_slice text = sp_rollup_text(found, key->text);
        char minute[SP_CHECK_MINUTE_BYTES];
        if (difference->count++ == 0)
            snprintf(difference->text, sizeof(difference->text),
                     "spans with the attribute key \"%.*s\" in the minute %s",
                     text.len < 100 ? (int)text.len : 100, (const char *)text.ptr,
                     sp_check_minute((spans->key - 1) >> 32, minute));
    }
    return true;
}

static enum sp_status compare(struct sp_check *check, const struct sp_check_place *place,
                              const struct sp_rollup *stored, struct sp_rollup *found,
                              struct sp_error *reterr)
{
    struct difference difference = {0};
    uint32_t *rows = calloc((size_t)stored->rows.count + 1, sizeof(*rows));
    bool fits = rows != NULL && match_rows(stored, found, rows);
    if (fits) {
        compare_rows(stored, found, rows, &difference);
        fits = compare_cells(stored, found, rows, &difference) &&
               compare_keys(stored, found, &difference);
    }
    free(rows);
    if (!fits)
        return sp_rollup_failed(reterr);
    if (difference.count > 0)
        sp_check_found(
            check, SP_FINDING_DISAGREEMENT, place,
            "what is stored is not what its spans add up to, in %llu places; the first: %s",
            (unsigned long long)difference.count, difference.text);
    return SP_OK;
}

enum sp_status sp_check_counts(struct sp_check *check, struct sp_check_segment *segment,
                               struct sp_rollup *found, struct sp_error *reterr)
{
    const struct sp_check_place place = {segment->segment, SP_ROW_NONE, NAME, 0};
    struct sp_rollup stored;
    struct sp_error error = {0};
    bool is_there;
    enum sp_status status =
        sp_check_read_rollup(check, segment, SP_SEGMENT_COUNTS, NAME, &is_there, reterr);
    if (status != SP_OK || !is_there)
        return status;
    sp_rollup_init(&stored);
    status = sp_rollup_decode(sp_buf_slice(&check->chunk), &stored, &error);
    if (status == SP_CORRUPT) {
        sp_check_rollup_damaged(check, &place, &error);
        status = SP_OK;
    } else if (status == SP_OK && !segment->is_damaged) {
        status = compare(check, &place, &stored, found, reterr);
    } else if (status != SP_OK && reterr != NULL) {
        *reterr = error;
    }
    sp_rollup_fini(&stored);
    return status;
}
