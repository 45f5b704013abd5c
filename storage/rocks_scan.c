/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_scan.c: candidate traces, newest first: the time index of the database and the head, merged by key. The
 * conditions of a scan are not used: every trace of the range is a candidate. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* The index entries the head would have, sorted; heap. */
struct head_keys {
    struct sp_layout_key *keys;
    size_t count, at;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sp_layout_key *x = a;
    const struct sp_layout_key *y = b;
    return memcmp(x->bytes, y->bytes, x->len);
}

static enum sp_status head_keys_fill(struct head_keys *head, const struct sp_rocks_view *view,
                                     struct sp_time_range range, struct sp_error *reterr)
{
    size_t count = 0;
    for (size_t e = 0; e < view->head_count; e++)
        count += view->head[e]->append->batch->span_count;
    head->keys = calloc(count + 1, sizeof(*head->keys));
    if (head->keys == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu spans", count);
    for (size_t e = 0; e < view->head_count; e++) {
        const struct sp_batch *batch = view->head[e]->append->batch;
        for (size_t i = 0; i < batch->span_count; i++) {
            const struct sp_span *span = &batch->spans[i];
            if (sp_time_range_contains(range, span->start_unix_ns))
                head->keys[head->count++] =
                    sp_layout_time_key(span->start_unix_ns, &span->trace_id);
        }
    }
    if (head->count > 1)
        qsort(head->keys, head->count, sizeof(*head->keys), compare_keys);
    return SP_OK;
}

/* The two sorted streams of index entries, as one. */
struct merge {
    struct sp_kv_iterator *index;
    struct head_keys head;
    struct sp_layout_key key; /* the present entry */
};

static bool merge_next(struct merge *merge, struct sp_scanned *scanned)
{
    struct sp_slice stored = SP_SLICE("");
    if (sp_kv_iterator_valid(merge->index))
        stored = sp_kv_iterator_key(merge->index);
    const struct sp_layout_key *fresh =
        merge->head.at < merge->head.count ? &merge->head.keys[merge->head.at] : NULL;
    if (stored.len == 0 && fresh == NULL)
        return false;
    if (stored.len == 0 ||
        (fresh != NULL && sp_slice_compare(sp_layout_key_slice(fresh), stored) <= 0)) {
        merge->key = *fresh;
        merge->head.at++;
    } else {
        merge->key.len = stored.len <= sizeof(merge->key.bytes) ? stored.len : 0;
        memcpy(merge->key.bytes, stored.ptr, merge->key.len);
        sp_kv_iterator_next(merge->index);
        scanned->bytes += stored.len;
    }
    scanned->rows++;
    return true;
}

/* No span in range that starts in this second or before it starts after that. */
static uint64_t bound_of(uint64_t second, struct sp_time_range range)
{
    uint64_t last_unix_ns = sp_time_range_last(range);
    uint64_t first_of_second = second * SP_LAYOUT_NS_PER_SECOND;
    if (last_unix_ns - first_of_second < SP_LAYOUT_NS_PER_SECOND)
        return last_unix_ns;
    return first_of_second + SP_LAYOUT_NS_PER_SECOND - 1;
}

static enum sp_status visit_all(struct merge *merge, struct sp_time_range range,
                                enum sp_visit (*visit)(void *cookie,
                                                       const struct sp_candidate *candidate),
                                void *cookie, struct sp_scanned *scanned, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    struct sp_idset visited = {0};
    while (status == SP_OK && merge_next(merge, scanned)) {
        uint64_t second;
        struct sp_candidate candidate;
        if (!sp_layout_time_parse(sp_layout_key_slice(&merge->key), &second, &candidate.trace_id)) {
            status = sp_error_set(reterr, SP_CORRUPT, "an entry of the time index is damaged");
            break;
        }
        if (second < range.from_unix_ns / SP_LAYOUT_NS_PER_SECOND)
            break;
        bool added;
        status = sp_idset_add(&visited, &candidate.trace_id, &added);
        if (status != SP_OK)
            sp_error_set(reterr, status, "no memory to scan %zu traces", visited.count);
        if (status != SP_OK || !added)
            continue;
        if (visited.count > SP_SCAN_TRACES_MAX) {
            status =
                sp_error_set(reterr, SP_LIMIT, "more than %zu traces to scan", SP_SCAN_TRACES_MAX);
            break;
        }
        scanned->traces++;
        candidate.bound_unix_ns = bound_of(second, range);
        if (visit(cookie, &candidate) == SP_VISIT_STOP)
            break;
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(merge->index, reterr);
    sp_idset_fini(&visited);
    return status;
}

enum sp_status sp_rocks_scan(struct sp_store *store, const struct sp_scan *scan,
                             enum sp_visit (*visit)(void *cookie,
                                                    const struct sp_candidate *candidate),
                             void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &view, reterr);
    if (status != SP_OK)
        return status;
    struct merge merge = {.index = sp_kv_iterator_new(view.rocks->kv, view.snapshot, SP_KV_TIME)};
    if (merge.index == NULL)
        status = sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    if (status == SP_OK)
        status = head_keys_fill(&merge.head, &view, scan->range, reterr);
    if (status == SP_OK) {
        struct sp_layout_key newest =
            sp_layout_time_key(sp_time_range_last(scan->range), &(struct sp_trace_id){{0}});
        sp_kv_iterator_seek(merge.index, sp_layout_key_slice(&newest));
        status = visit_all(&merge, scan->range, visit, cookie, ret_scanned, reterr);
    }
    sp_kv_iterator_free(merge.index);
    free(merge.head.keys);
    sp_rocks_view_close(&view);
    return status;
}
