/* SPDX-License-Identifier: Apache-2.0
 *
 * query/split.c: see split.h. */
#include "query/split.h"

#include <stdlib.h>

#include "query/answer.h"
#include "query/rows_reads.h"

/* ---- counting ---- */

/* Bits of the taken rows that are selected; NULL with SP_OK: none is asked for. */
static enum sp_status select_rows(struct sp_split_counter *counter, struct sp_sheet *sheet,
                                  const struct sp_trace_facts *facts,
                                  const struct sp_rows_taken *taken, uint64_t **ret,
                                  struct sp_error *reterr)
{
    const struct sp_split *split = counter->split;
    size_t words = (size_t)sheet->row_count / 64 + 1;
    struct sp_rows_taken selected = *taken;
    const uint64_t *starts;
    *ret = NULL;
    if (!split->selection)
        return SP_OK;
    uint64_t *bits = calloc(words, sizeof(*bits));
    if (!bits)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to compare spans");
    enum sp_status status =
        sp_rows_open(counter->selection, sheet, facts, &split->pass.call->stop, &selected, reterr);
    if (status == SP_OK)
        status = sp_sheet_starts(sheet, &starts, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++)
        if (sp_bits_have(selected.bits, row) &&
            sp_time_range_contains(split->selection_range, starts[row]))
            bits[row / 64] |= (uint64_t)1 << (row % 64);
    if (status != SP_OK) {
        free(bits);
        return status;
    }
    *ret = bits;
    return SP_OK;
}

/* NULL: none. */
static uint64_t count_bits(const uint64_t *bits, uint32_t row_count)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < (row_count + 63) / 64 && bits; i++)
        count += (uint64_t)__builtin_popcountll(bits[i]);
    return count;
}

/* Are all rows of the sheet that are meant of one moment? */
static bool is_one_moment(const struct sp_split *split, const struct sp_sheet *sheet, uint32_t *ret)
{
    struct sp_time_range range = split->pass.range;
    uint64_t first = sheet->start_min_unix_ns, last = sheet->start_max_unix_ns;
    *ret = 0;
    if (!split->moments || split->moments->count == 1)
        return true;
    first = first < range.from_unix_ns ? range.from_unix_ns : first;
    if (last >= range.to_unix_ns && range.to_unix_ns != UINT64_MAX)
        last = range.to_unix_ns - 1;
    *ret = sp_moment_of(split->moments, first);
    return first <= last && *ret == sp_moment_of(split->moments, last);
}

/* Of events and links a span counts once for each value that it has. */
static enum sp_status count_each(const struct sp_split *split, struct sp_split_key *key,
                                 const struct sp_sheet *sheet, const struct sp_rows_taken *taken,
                                 const uint64_t *selected, const uint64_t *starts,
                                 struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK && !key->overflows; row++) {
        const uint32_t *series;
        uint32_t count = 0;
        if (!sp_bits_have(taken->bits, row))
            continue;
        enum sp_split_side side =
            selected && sp_bits_have(selected, row) ? SP_SPLIT_SELECTED : SP_SPLIT_REST;
        uint32_t moment = starts ? sp_moment_of(split->moments, starts[row]) : 0;
        status = sp_rows_each_series(key->rows, &key->set, row, &series, &count, reterr);
        for (uint32_t i = 0; i < count; i++)
            key->set.series[series[i]].counts[sp_split_cell(split, side, moment)]++;
        key->overflows = key->set.count > SP_SPLIT_VALUES_MAX;
    }
    return status;
}

static enum sp_status count_key(struct sp_split_counter *counter, struct sp_split_key *key,
                                struct sp_sheet *sheet, const struct sp_trace_facts *facts,
                                const uint64_t *selected, const uint64_t *starts,
                                struct sp_error *reterr)
{
    const struct sp_split *split = counter->split;
    struct sp_rows_taken taken;
    const uint32_t *series;
    uint32_t only, moment;
    bool is_one = false;
    enum sp_status status =
        sp_rows_open(key->rows, sheet, facts, &split->pass.call->stop, &taken, reterr);
    if (status == SP_OK && sp_field_is_each(&key->question.keys[0]->field))
        return count_each(split, key, sheet, &taken, selected, starts, reterr);
    if (status == SP_OK && is_one_moment(split, sheet, &moment))
        status = sp_rows_one_series(key->rows, &key->set, &is_one, &only, reterr);
    if (status == SP_OK && is_one) { /* as of most keys of many: no span here has it */
        uint64_t chosen = count_bits(selected, sheet->row_count);
        uint64_t *counts = key->set.series[only].counts;
        counts[sp_split_cell(split, SP_SPLIT_SELECTED, moment)] += chosen;
        counts[sp_split_cell(split, SP_SPLIT_REST, moment)] += taken.count - chosen;
        return SP_OK;
    }
    if (status == SP_OK)
        status = sp_rows_series(key->rows, &key->set, &series, reterr);
    for (uint32_t row = 0; row < sheet->row_count && status == SP_OK; row++) {
        if (!sp_bits_have(taken.bits, row))
            continue;
        enum sp_split_side side =
            selected && sp_bits_have(selected, row) ? SP_SPLIT_SELECTED : SP_SPLIT_REST;
        moment = starts ? sp_moment_of(split->moments, starts[row]) : 0;
        key->set.series[series[row]].counts[sp_split_cell(split, side, moment)]++;
    }
    key->overflows |= key->set.count > SP_SPLIT_VALUES_MAX;
    return status;
}

static enum sp_status count_keys(struct sp_split_counter *counter, struct sp_sheet *sheet,
                                 const struct sp_trace_facts *facts, const uint64_t *selected,
                                 struct sp_error *reterr)
{
    const uint64_t *starts = NULL;
    enum sp_status status = SP_OK;
    if (counter->split->moments)
        status = sp_sheet_starts(sheet, &starts, reterr);
    for (uint32_t i = 0; i < counter->split->key_count && status == SP_OK; i++)
        if (!counter->keys[i].overflows)
            status = count_key(counter, &counter->keys[i], sheet, facts, selected, starts, reterr);
    return status;
}

static enum sp_status visit(void *cookie, struct sp_sheet *sheet,
                            const struct sp_trace_facts *facts, struct sp_error *reterr)
{
    struct sp_split_counter *counter = cookie;
    struct sp_rows_taken taken;
    uint64_t *selected = NULL;
    if (counter->rows >= counter->split->rows_max) {
        counter->enough = true;
        return sp_error_set(reterr, SP_CANCELLED, "the sample is full");
    }
    enum sp_status status = sp_rows_open(counter->filter, sheet, facts,
                                         &counter->split->pass.call->stop, &taken, reterr);
    if (status != SP_OK || taken.count == 0)
        return status;
    sheet->rows = taken.bits; /* for the others */
    sheet->match_count = taken.count;
    status = select_rows(counter, sheet, facts, &taken, &selected, reterr);
    if (status == SP_OK)
        status = count_keys(counter, sheet, facts, selected, reterr);
    uint64_t chosen = count_bits(selected, sheet->row_count);
    counter->totals[SP_SPLIT_SELECTED] += chosen;
    counter->totals[SP_SPLIT_REST] += taken.count - chosen;
    counter->rows += taken.count;
    free(selected);
    return status;
}

/* ---- counters ---- */

/* The values that are counted, in the order of the wanted ones. */
static enum sp_status add_wanted(struct sp_series_set *set, const struct sp_series_set *wanted,
                                 struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < wanted->count && status == SP_OK; i++) {
        uint32_t number;
        status = sp_series_find(set, wanted->series[i].labels, &number, reterr);
    }
    set->closed = true;
    return status;
}

static enum sp_status counter_init(struct sp_split_counter *counter, const struct sp_split *split,
                                   uint64_t seed, struct sp_error *reterr)
{
    const struct sp_pass *pass = &split->pass;
    size_t memory = sp_pass_visitor_bytes(pass);
    uint32_t cells = SP_SPLIT_SIDES * (split->moments ? split->moments->count : 1);
    *counter = (struct sp_split_counter){.split = split};
    sp_arena_init(&counter->arena, memory);
    counter->question =
        (struct sp_rows_question){.query = pass->query, .condition = pass->condition};
    counter->keys =
        sp_arena_calloc(&counter->arena, (size_t)split->key_count + 1, sizeof(*counter->keys));
    if (!counter->keys)
        return sp_arena_failed(&counter->arena, reterr, "the keys do not fit into memory");
    enum sp_status status = sp_rows_new(&counter->arena, &counter->question, pass->condition_known,
                                        memory, &counter->filter, reterr);
    if (status == SP_OK && split->selection)
        status = sp_rows_new(&counter->arena, split->selection, false, memory, &counter->selection,
                             reterr);
    for (uint32_t i = 0; i < split->key_count && status == SP_OK; i++) {
        struct sp_split_key *key = &counter->keys[i];
        key->question = (struct sp_rows_question){
            .query = pass->query, .keys = &split->keys[i], .key_count = 1};
        sp_series_set_init(&key->set, &counter->arena, SP_CELL_COUNT, 1, cells, seed);
        status = sp_rows_new(&counter->arena, &key->question, true, memory, &key->rows, reterr);
        if (status == SP_OK && split->wanted)
            status = add_wanted(&key->set, &split->wanted[i], reterr);
    }
    return status;
}

void sp_split_counter_fini(struct sp_split_counter *counter)
{
    for (uint32_t i = 0; counter->keys && i < counter->split->key_count; i++)
        sp_rows_free(counter->keys[i].rows);
    sp_rows_free(counter->filter);
    sp_rows_free(counter->selection);
    sp_arena_fini(&counter->arena);
}

static enum sp_status merge(struct sp_split_counter *into, const struct sp_split_counter *from,
                            struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < into->split->key_count && status == SP_OK; i++) {
        struct sp_split_key *key = &into->keys[i];
        key->overflows |= from->keys[i].overflows;
        if (!key->overflows)
            status = sp_series_merge(&key->set, &from->keys[i].set, reterr);
        key->overflows |= key->set.count > SP_SPLIT_VALUES_MAX;
    }
    into->totals[SP_SPLIT_REST] += from->totals[SP_SPLIT_REST];
    into->totals[SP_SPLIT_SELECTED] += from->totals[SP_SPLIT_SELECTED];
    return status;
}

enum sp_status sp_split_count(const struct sp_split *split, uint32_t threads,
                              struct sp_split_counter *all, struct sp_scanned *scanned,
                              struct sp_error *reterr)
{
    struct sp_split_counter others[SP_PASS_THREADS_MAX];
    struct sp_pass_visitor visitors[SP_PASS_THREADS_MAX];
    uint64_t seed = sp_answer_seed(split->pass.call);
    uint32_t made = 1;
    enum sp_status status = counter_init(all, split, seed, reterr);
    visitors[0] = (struct sp_pass_visitor){visit, all};
    for (; made < threads && status == SP_OK; made++) {
        status = counter_init(&others[made], split, seed, reterr);
        visitors[made] = (struct sp_pass_visitor){visit, &others[made]};
    }
    if (status == SP_OK)
        status = sp_pass_run(&split->pass, visitors, made, scanned, reterr);
    if (status == SP_CANCELLED && all->enough)
        status = SP_OK;
    for (uint32_t i = 1; i < made; i++) {
        if (status == SP_OK)
            status = merge(all, &others[i], reterr);
        sp_split_counter_fini(&others[i]);
    }
    return status;
}

/* ---- keys ---- */

struct found_keys {
    struct sp_arena *arena;
    const struct sp_traceql_node **items;
    uint32_t count;
};

static enum sp_status too_many(struct sp_arena *arena, struct sp_error *reterr)
{
    return sp_arena_failed(arena, reterr, "the keys do not fit into memory");
}

static enum sp_status add_field(struct found_keys *keys, struct sp_traceql_field field,
                                struct sp_error *reterr)
{
    struct sp_traceql_node *node = sp_arena_calloc(keys->arena, 1, sizeof(*node));
    if (!node)
        return too_many(keys->arena, reterr);
    *node = (struct sp_traceql_node){.kind = SP_TRACEQL_FIELD, .depth = 1, .reads_span = true};
    node->field = field;
    keys->items[keys->count++] = node;
    return SP_OK;
}

static int compare_key_rows(const void *a, const void *b)
{
    const struct sp_key_row *x = a, *y = b;
    if (x->span_count != y->span_count)
        return x->span_count > y->span_count ? -1 : 1;
    int order = sp_slice_compare(x->key, y->key);
    return order != 0 ? order : (x->scope > y->scope) - (x->scope < y->scope);
}

static enum sp_traceql_scope scope_of(const struct sp_key_row *row)
{
    return row->scope == SP_SCOPE_RESOURCE          ? SP_TRACEQL_SCOPE_RESOURCE
           : row->scope == SP_SCOPE_INSTRUMENTATION ? SP_TRACEQL_SCOPE_INSTRUMENTATION
                                                    : SP_TRACEQL_SCOPE_SPAN;
}

/* Rows of one key and several kinds of values stand apart, because their counts differ. */
static bool is_known(const struct sp_key_row *rows, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (rows[k].scope == rows[i].scope && sp_slice_equal(rows[k].key, rows[i].key))
            return true;
    return false;
}

/* The most keys of a range that are asked for; with more of them, the rarest may not be seen. */
#define KEYS_READ 10000

enum sp_status sp_split_find_keys(struct sp_query_call *call, struct sp_time_range range,
                                  uint32_t scopes, uint32_t keys_max,
                                  const struct sp_traceql_node ***ret_keys, uint32_t *ret_count,
                                  bool *ret_all, struct sp_error *reterr)
{
    static const enum sp_traceql_intrinsic intrinsics[] = {SP_TRACEQL_SERVICE, SP_TRACEQL_NAME,
                                                           SP_TRACEQL_KIND, SP_TRACEQL_STATUS,
                                                           SP_TRACEQL_STATUS_MESSAGE};
    struct found_keys keys = {.arena = &call->arena};
    const struct sp_key_row *found;
    size_t count;
    enum sp_status status =
        sp_store_attribute_keys(call->api->store, scopes, SP_SLICE(""), range, &call->stop,
                                KEYS_READ, keys.arena, &found, &count, ret_all, reterr);
    if (status != SP_OK)
        return status;
    struct sp_key_row *rows = sp_arena_calloc(keys.arena, count + 1, sizeof(*rows));
    keys.items = sp_arena_calloc(keys.arena, keys_max, sizeof(struct sp_traceql_node *));
    if (!rows || !keys.items)
        return too_many(keys.arena, reterr);
    for (size_t i = 0; i < SP_ARRAY_LEN(intrinsics) && status == SP_OK; i++)
        status = add_field(&keys, (struct sp_traceql_field){.intrinsic = intrinsics[i]}, reterr);
    if (count > 0) {
        memcpy(rows, found, count * sizeof(*rows));
        qsort(rows, count, sizeof(*rows), compare_key_rows);
    }
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        if (is_known(rows, i))
            continue;
        if (keys.count == keys_max) {
            *ret_all = false;
            break;
        }
        struct sp_traceql_field field = {.key = rows[i].key, .scope = scope_of(&rows[i])};
        status = add_field(&keys, field, reterr);
    }
    *ret_keys = keys.items;
    *ret_count = keys.count;
    return status;
}
