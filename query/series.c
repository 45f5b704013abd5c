/* SPDX-License-Identifier: Apache-2.0
 *
 * query/series.c: see series.h. */
#include "query/series.h"

/* ---- labels ---- */

const char *sp_label_type_name(enum sp_label_type type)
{
    static const char *const names[] = {
        [SP_LABEL_NIL] = "nil",       [SP_LABEL_STRING] = "string",
        [SP_LABEL_BOOL] = "bool",     [SP_LABEL_INT] = "int",
        [SP_LABEL_FLOAT] = "float",   [SP_LABEL_DURATION] = "duration",
        [SP_LABEL_STATUS] = "status", [SP_LABEL_KIND] = "kind",
        [SP_LABEL_OTHER] = "other",
    };
    return names[type];
}

static bool is_number(const struct sp_label *label)
{
    return label->type == SP_LABEL_INT || label->type == SP_LABEL_FLOAT ||
           label->type == SP_LABEL_DURATION;
}

int sp_label_compare(const struct sp_label *a, const struct sp_label *b)
{
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    double x, y;
    if (is_number(a) && sp_parse_double(a->text, &x) && sp_parse_double(b->text, &y) && x != y)
        return x < y ? -1 : 1;
    return sp_slice_compare(a->text, b->text);
}

int sp_labels_compare(const struct sp_label *a, const struct sp_label *b, size_t count)
{
    int order = 0;
    for (size_t i = 0; i < count && order == 0; i++)
        order = sp_label_compare(&a[i], &b[i]);
    return order;
}

static bool labels_equal(const struct sp_label *a, const struct sp_label *b, uint32_t count)
{
    bool equal = true;
    for (uint32_t i = 0; i < count && equal; i++)
        equal = a[i].type == b[i].type && sp_slice_equal(a[i].text, b[i].text);
    return equal;
}

/* FNV-1a with a seed: tables here are small, and asked once for each combination of values in a block. */
static uint64_t labels_hash(uint64_t seed, const struct sp_label *labels, uint32_t count)
{
    uint64_t hash = seed ^ 0xcbf29ce484222325ULL;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ (uint64_t)labels[i].type) * 0x100000001b3ULL;
        for (size_t at = 0; at < labels[i].text.len; at++)
            hash = (hash ^ labels[i].text.ptr[at]) * 0x100000001b3ULL;
    }
    hash *= seed | 1;
    return hash ^ hash >> 29;
}

/* ---- sets ---- */

void sp_series_set_init(struct sp_series_set *set, struct sp_arena *arena, enum sp_cell_kind kind,
                        uint32_t label_count, uint32_t moment_count, uint64_t seed)
{
    *set = (struct sp_series_set){.arena = arena,
                                  .kind = kind,
                                  .label_count = label_count,
                                  .moment_count = moment_count,
                                  .seed = seed};
}

enum sp_status sp_series_full(const struct sp_series_set *set, struct sp_error *reterr)
{
    return sp_arena_failed(
        set->arena, reterr,
        "the series do not fit into the query's memory: take fewer keys in by(), "
        "a shorter range, a longer step or a narrower filter");
}

static bool rehash(struct sp_series_set *set)
{
    uint32_t slot_count = set->slot_count > 0 ? 2 * set->slot_count : 64;
    uint32_t *slots = sp_arena_calloc(set->arena, slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    for (uint32_t i = 0; i < set->count; i++) {
        uint64_t at = labels_hash(set->seed, set->series[i].labels, set->label_count);
        while (slots[at & (slot_count - 1)] != 0)
            at++;
        slots[at & (slot_count - 1)] = i + 1;
    }
    set->slots = slots;
    set->slot_count = slot_count;
    return true;
}

static bool copy_labels(struct sp_series_set *set, const struct sp_label *labels,
                        const struct sp_label **ret)
{
    struct sp_label *copy = sp_arena_calloc(set->arena, set->label_count + 1, sizeof(*copy));
    for (uint32_t i = 0; i < set->label_count && copy != NULL; i++) {
        copy[i].type = labels[i].type;
        if (!sp_arena_copy(set->arena, labels[i].text, &copy[i].text))
            return false;
    }
    *ret = copy;
    return copy != NULL;
}

static bool make_cells(struct sp_series_set *set, struct sp_series *series)
{
    size_t count = set->moment_count;
    bool good = true;
    switch (set->kind) {
    case SP_CELL_COUNT:
        series->counts = sp_arena_calloc(set->arena, count, sizeof(*series->counts));
        good = series->counts != NULL;
        break;
    case SP_CELL_SUM:
        series->sums = sp_arena_calloc(set->arena, count, sizeof(*series->sums));
        good = series->sums != NULL;
        break;
    case SP_CELL_SKETCH:
        series->sketches = sp_arena_calloc(set->arena, count, sizeof(*series->sketches));
        good = series->sketches != NULL;
        break;
    }
    if (set->with_exemplars && good) {
        series->exemplars = sp_arena_calloc(set->arena, count, sizeof(*series->exemplars));
        good = series->exemplars != NULL;
    }
    return good;
}

static enum sp_status add_series(struct sp_series_set *set, const struct sp_label *labels,
                                 struct sp_error *reterr)
{
    if (set->count >= SP_SERIES_HELD_MAX)
        return sp_error_set(reterr, SP_LIMIT,
                            "the query makes more than the limit of %u series: take fewer keys in "
                            "by(), or a narrower filter",
                            SP_SERIES_HELD_MAX);
    if (((uint64_t)set->count + 1) * set->moment_count > SP_SERIES_CELLS_MAX)
        return sp_error_set(reterr, SP_LIMIT,
                            "more than %u series of %u points each are more than the limit of %llu "
                            "points: take fewer keys in by(), or a longer step",
                            set->count, set->moment_count, (unsigned long long)SP_SERIES_CELLS_MAX);
    if (set->count == set->cap) {
        uint32_t cap = set->cap > 0 ? 2 * set->cap : 16;
        struct sp_series *grown =
            sp_arena_grow(set->arena, set->series, set->cap * sizeof(*grown), cap * sizeof(*grown));
        if (grown == NULL)
            return sp_series_full(set, reterr);
        set->series = grown;
        set->cap = cap;
    }
    struct sp_series series = {0};
    if (!copy_labels(set, labels, &series.labels) || !make_cells(set, &series))
        return sp_series_full(set, reterr);
    set->series[set->count++] = series;
    return SP_OK;
}

enum sp_status sp_series_find(struct sp_series_set *set, const struct sp_label *labels,
                              uint32_t *ret, struct sp_error *reterr)
{
    if (set->count >= set->slot_count / 2 && !rehash(set))
        return sp_series_full(set, reterr);
    uint32_t mask = set->slot_count - 1;
    uint64_t at = labels_hash(set->seed, labels, set->label_count);
    for (; set->slots[at & mask] != 0; at++) {
        uint32_t number = set->slots[at & mask] - 1;
        if (labels_equal(set->series[number].labels, labels, set->label_count)) {
            *ret = number;
            return SP_OK;
        }
    }
    if (set->closed) {
        *ret = 0;
        return SP_OK;
    }
    enum sp_status status = add_series(set, labels, reterr);
    if (status == SP_OK) {
        *ret = set->count - 1;
        set->slots[at & mask] = set->count;
    }
    return status;
}

int sp_exemplar_compare(const struct sp_exemplar *a, const struct sp_exemplar *b)
{
    if (a->duration_ns != b->duration_ns)
        return a->duration_ns > b->duration_ns ? -1 : 1;
    int order = memcmp(a->trace_id, b->trace_id, sizeof(a->trace_id));
    if (order == 0)
        order = memcmp(a->span_id, b->span_id, sizeof(a->span_id));
    return order ? order
                 : (a->start_unix_ns > b->start_unix_ns) - (a->start_unix_ns < b->start_unix_ns);
}

void sp_exemplar_offer(struct sp_exemplar *exemplar, const struct sp_exemplar *other)
{
    if (other->set && (!exemplar->set || sp_exemplar_compare(other, exemplar) < 0))
        *exemplar = *other;
}

static bool merge_cells(struct sp_series_set *set, struct sp_series *into,
                        const struct sp_series *from)
{
    bool good = true;
    for (uint32_t m = 0; m < set->moment_count && good; m++) {
        switch (set->kind) {
        case SP_CELL_COUNT:
            into->counts[m] = sp_sum_saturating(into->counts[m], from->counts[m]);
            break;
        case SP_CELL_SUM:
            good = sp_number_sum_merge(&into->sums[m], &from->sums[m], set->arena);
            break;
        case SP_CELL_SKETCH:
            good = sp_sketch_merge(&into->sketches[m], &from->sketches[m], set->arena);
            break;
        }
        if (set->with_exemplars)
            sp_exemplar_offer(&into->exemplars[m], &from->exemplars[m]);
    }
    return good;
}

enum sp_status sp_series_merge(struct sp_series_set *into, const struct sp_series_set *from,
                               struct sp_error *reterr)
{
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t number = 0;
        enum sp_status status = sp_series_find(into, from->series[i].labels, &number, reterr);
        if (status != SP_OK)
            return status;
        if (!merge_cells(into, &into->series[number], &from->series[i]))
            return sp_series_full(into, reterr);
    }
    return SP_OK;
}
