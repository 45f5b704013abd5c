/* SPDX-License-Identifier: Apache-2.0
 *
 * query/latency_rows.c: which rows of rollups an answer of /v1/latency shows, in which order, and what changed of them. Pure: reads no
 * store. */
#include "query/latency.h"

#include <math.h>
#include <stdlib.h>

int sp_latency_compare_keys(const struct sp_latency_series *a, const struct sp_latency_series *b)
{
    int order = sp_slice_compare(a->service, b->service);
    if (order == 0)
        order = sp_slice_compare(a->operation, b->operation);
    return order != 0 ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

/* ---- the page that is asked for ---- */

static const struct {
    const char *name;
    enum sp_latency_order order;
} orders[] = {
    {"name", SP_LATENCY_BY_NAME},         {"calls", SP_LATENCY_BY_CALLS},
    {"errors", SP_LATENCY_BY_ERRORS},     {"errorShare", SP_LATENCY_BY_ERROR_SHARE},
    {"duration", SP_LATENCY_BY_DURATION}, {"change", SP_LATENCY_BY_CHANGE},
};

static bool find_order(struct sp_slice name, const struct sp_latency_question *question,
                       struct sp_latency_page *page)
{
    for (size_t i = 0; i < SP_ARRAY_LEN(orders); i++)
        if (sp_slice_equal_cstr(name, orders[i].name)) {
            page->order = orders[i].order;
            return question->is_comparison || page->order != SP_LATENCY_BY_CHANGE;
        }
    for (size_t i = 0; i < question->quantile_count; i++)
        if (sp_slice_equal_cstr(name, question->quantiles[i].text)) {
            page->order = SP_LATENCY_BY_QUANTILE;
            page->quantile = question->quantiles[i].q;
            return true;
        }
    return false;
}

enum sp_status sp_latency_page_parse(const struct sp_query_call *call,
                                     const struct sp_latency_question *question,
                                     struct sp_latency_page *ret, struct sp_error *reterr)
{
    const struct sp_parameter_value *values = call->values;
    struct sp_slice order = values[SP_LATENCY_ORDER].text;
    *ret = (struct sp_latency_page){.limit = values[SP_LATENCY_LIMIT].number,
                                    .offset = values[SP_LATENCY_OFFSET].number,
                                    .contains = values[SP_LATENCY_CONTAINS].text};
    for (int i = SP_LATENCY_ORDER; i <= SP_LATENCY_CONTAINS; i++)
        ret->is_asked |= values[i].set;
    if (order.len == 0)
        return SP_OK;
    ret->is_descending = order.ptr[0] == '-';
    if (!find_order(sp_slice_sub(order, ret->is_descending, order.len), question, ret))
        return sp_error_set_parameter(
            reterr, SP_INVALID_ARGUMENT, "order",
            "\"order\" must be name, calls, errors, errorShare, duration, a quantile of \"q\", or "
            "of a comparison change; with a minus in front the largest first");
    return SP_OK;
}

/* ---- rows ---- */

static double sort_value(const struct sp_latency_row *row, const struct sp_latency_page *page)
{
    const struct sp_latency_series *now = row->sides[1];
    switch (page->order) {
    case SP_LATENCY_BY_NAME:
        return 0;
    case SP_LATENCY_BY_CALLS:
        return (double)now->calls;
    case SP_LATENCY_BY_ERRORS:
        return (double)now->errors;
    case SP_LATENCY_BY_ERROR_SHARE:
        return now->calls > 0 ? (double)now->errors / (double)now->calls : NAN;
    case SP_LATENCY_BY_DURATION:
        return (double)sp_histogram_sum(&now->latency);
    case SP_LATENCY_BY_CHANGE:
        return (double)sp_histogram_sum(&now->latency) -
               (double)sp_histogram_sum(&row->sides[0]->latency);
    case SP_LATENCY_BY_QUANTILE:
        return now->calls > 0 ? (double)sp_histogram_quantile(&now->latency, page->quantile) : NAN;
    }
    return 0;
}

static int compare_rows(const void *left, const void *right)
{
    const struct sp_latency_row *a = left, *b = right;
    if (isnan(a->sorted_by) != isnan(b->sorted_by))
        return isnan(a->sorted_by) ? 1 : -1;
    if (a->sorted_by < b->sorted_by)
        return -1;
    return a->sorted_by > b->sorted_by ? 1 : sp_latency_compare_keys(a->key, b->key);
}

static bool is_wanted(const struct sp_latency_series *key,
                      const struct sp_latency_question *question)
{
    return sp_slice_contains_nocase(question->by_service ? key->service : key->operation,
                                    question->page.contains);
}

/* Both parts are sorted: what one of them has and the page takes, smallest key first. */
static size_t join(const struct sp_latency_question *question, const struct sp_latency_part *before,
                   const struct sp_latency_part *now, struct sp_latency_row *rows)
{
    static const struct sp_latency_series none;
    size_t i = 0, j = 0, count = 0;
    while (i < before->count || j < now->count) {
        const struct sp_latency_series *old = i < before->count ? &before->rows[i] : NULL;
        const struct sp_latency_series *new = j < now->count ? &now->rows[j] : NULL;
        int order = !old ? 1 : !new ? -1 : sp_latency_compare_keys(old, new);
        const struct sp_latency_series *key = order <= 0 ? old : new;
        i += order <= 0;
        j += order >= 0;
        if (!is_wanted(key, question))
            continue;
        struct sp_latency_row *row = &rows[count++];
        *row = (struct sp_latency_row){
            .key = key, .sides = {order <= 0 ? old : &none, order >= 0 ? new : &none}};
        row->sorted_by = sort_value(row, &question->page);
        if (question->page.is_descending)
            row->sorted_by = -row->sorted_by;
    }
    return count;
}

/* Of all rows, so that how many may be found by chance does not depend on the page. */
static enum sp_status find_changes(struct sp_arena *arena, struct sp_latency_row *rows,
                                   size_t count)
{
    struct sp_change *changes = sp_arena_calloc(arena, count, sizeof(*changes));
    if (!changes)
        return arena->error;
    for (size_t i = 0; i < count; i++)
        for (int side = 0; side < 2; side++) {
            changes[i].calls[side] = rows[i].sides[side]->calls;
            changes[i].errors[side] = rows[i].sides[side]->errors;
            changes[i].latency[side] = &rows[i].sides[side]->latency;
        }
    enum sp_status status = sp_changes_find(arena, changes, count);
    for (size_t i = 0; i < count && status == SP_OK; i++)
        rows[i].change = changes[i];
    return status;
}

enum sp_status sp_latency_rows(struct sp_arena *arena, const struct sp_latency_question *question,
                               const struct sp_latency_part *before,
                               const struct sp_latency_part *now, struct sp_latency_row **ret_rows,
                               size_t *ret_count, size_t *ret_all)
{
    static const struct sp_latency_part nothing;
    const struct sp_latency_page *page = &question->page;
    struct sp_latency_row *rows =
        sp_arena_calloc(arena, (before ? before->count : 0) + now->count, sizeof(*rows));
    if (!rows)
        return arena->error;
    size_t count = join(question, before ? before : &nothing, now, rows);
    if (before) {
        enum sp_status status = find_changes(arena, rows, count);
        if (status != SP_OK)
            return status;
    }
    if (count > 0)
        qsort(rows, count, sizeof(*rows), compare_rows);
    /* By name descending: all values are equal, so that the whole list is turned round. */
    for (size_t i = 0; page->order == SP_LATENCY_BY_NAME && page->is_descending && i < count / 2;
         i++) {
        struct sp_latency_row first = rows[i];
        rows[i] = rows[count - 1 - i];
        rows[count - 1 - i] = first;
    }
    size_t skipped = page->offset < count ? (size_t)page->offset : count;
    *ret_rows = rows + skipped;
    *ret_count = page->limit < count - skipped ? (size_t)page->limit : count - skipped;
    *ret_all = count;
    return SP_OK;
}
