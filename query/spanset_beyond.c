/* SPDX-License-Identifier: Apache-2.0
 *
 * query/spanset_beyond.c: operators between spans that TraceQL has not: what did not happen in time, and what happened again and
 * again. Why they look as they do: docs/decisions/0071-beyond-traceql.md. */
#include <stdlib.h>

#include "query/spanset_program.h"

static const struct sp_span *span_at(const struct sp_spanset_run *run, uint32_t row)
{
    return run->facts->tree->rows[row].span;
}

/* ---- without ... within ---- */

/* The first of rows that is not before row. */
static uint32_t lower_bound(struct sp_rows rows, uint32_t row)
{
    uint32_t low = 0, high = rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (rows.rows[middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The earliest start of rows [from, to): a tree in an array, leaves behind their parents, each parent the minimum of two. */
static uint64_t earliest(const uint64_t *starts, uint32_t count, uint32_t from, uint32_t to)
{
    uint64_t min = UINT64_MAX;
    for (size_t l = (size_t)from + count, r = (size_t)to + count; l < r; l /= 2, r /= 2) {
        if (l % 2 == 1) {
            min = starts[l] < min ? starts[l] : min;
            l++;
        }
        if (r % 2 == 1) {
            r--;
            min = starts[r] < min ? starts[r] : min;
        }
    }
    return min;
}

enum sp_status sp_rows_without(struct sp_spanset_run *run, int64_t time_ns, struct sp_rows left,
                               struct sp_rows right, struct sp_rows *ret)
{
    uint64_t *starts = sp_arena_alloc(run->arena, 2 * (size_t)right.count * sizeof(*starts));
    enum sp_status status =
        starts ? sp_stop_ask(run->facts->stop, run->reterr) : sp_spanset_no_memory(run);
    if (status != SP_OK)
        return status;
    for (uint32_t i = 0; i < right.count; i++)
        starts[right.count + i] = span_at(run, right.rows[i])->start_unix_ns;
    for (uint32_t i = right.count; i-- > 1;)
        starts[i] = starts[2 * i] < starts[2 * i + 1] ? starts[2 * i] : starts[2 * i + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < left.count; i++) {
        uint32_t row = left.rows[i];
        uint32_t from = lower_bound(right, row + 1);
        uint32_t to = lower_bound(right, row + run->facts->tree->rows[row].subtree_size);
        uint64_t start = span_at(run, row)->start_unix_ns, last = start + (uint64_t)time_ns;
        bool found = from < to &&
                     earliest(starts, right.count, from, to) <= (last < start ? UINT64_MAX : last);
        if (!found)
            run->scratch[count++] = row;
    }
    return sp_rows_take(run, count, ret);
}

/* ---- repeated ---- */

struct repeat {
    uint32_t family, row;
    struct sp_slice service, name;
    const struct sp_span_id *id;
};

static int compare_kinds(const struct repeat *a, const struct repeat *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    int order = sp_slice_compare(a->name, b->name);
    return order != 0 ? order : sp_slice_compare(a->service, b->service);
}

static int compare_repeats(const void *a, const void *b)
{
    const struct repeat *x = a, *y = b;
    int order = compare_kinds(x, y);
    if (order == 0)
        order = sp_span_id_compare(x->id, y->id);
    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int compare_rows(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Spans that are stored twice count once. */
static uint64_t count_ids(const struct repeat *repeats, uint32_t count)
{
    uint64_t ids = 0;
    for (uint32_t i = 0; i < count; i++)
        ids += i == 0 || sp_span_id_compare(repeats[i].id, repeats[i - 1].id) != 0;
    return ids;
}

enum sp_status sp_rows_repeated(struct sp_spanset_run *run, uint64_t count_min, struct sp_rows rows,
                                struct sp_rows *ret)
{
    struct repeat *repeats = sp_arena_alloc(run->arena, rows.count * sizeof(*repeats));
    enum sp_status status = repeats ? sp_rows_families(run) : sp_spanset_no_memory(run);
    uint32_t found = 0, count = 0;
    for (uint32_t i = 0; i < rows.count && status == SP_OK; i++) {
        const struct sp_span *span = span_at(run, rows.rows[i]);
        uint32_t family = run->families[rows.rows[i]];
        if (family != SP_ROW_NONE)
            repeats[found++] = (struct repeat){family, rows.rows[i], sp_span_service(span),
                                               span->name, &span->span_id};
        status = sp_spanset_look(run);
    }
    if (status != SP_OK)
        return status;
    if (found > 1)
        qsort(repeats, found, sizeof(*repeats), compare_repeats);
    for (uint32_t i = 0, end; i < found; i = end) {
        for (end = i; end < found && compare_kinds(&repeats[i], &repeats[end]) == 0;)
            end++;
        bool enough = count_ids(repeats + i, end - i) >= count_min;
        for (uint32_t j = i; j < end && enough; j++)
            run->scratch[count++] = repeats[j].row;
    }
    if (count > 1)
        qsort(run->scratch, count, sizeof(*run->scratch), compare_rows);
    return sp_rows_take(run, count, ret);
}
