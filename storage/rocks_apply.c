/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_apply.c: decoded requests become rows: spans by trace, the time index, the catalogue, totals. Only one
 * thread applies at a time. Knows the database through kv.h only. */
#include "storage/rocks.h"

#include <stdlib.h>

/* What one batch is built from. */
struct build {
    struct sp_rocks *rocks;
    struct sp_kv_batch *batch;
    struct sp_totals totals;
    struct sp_arena arena;        /* of services */
    struct sp_arena minute_arena; /* of the tallies of one minute */
    struct sp_tally services;     /* seen in this batch; only the keys count */
    struct sp_idset traces;       /* seen in this batch */
    const struct sp_span **order; /* heap; scratch for sorting */
    struct sp_buf row;
};

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory to apply a request");
}

/* ---- orders ---- */

/* By trace, and within one as they came: spans of one request stand in one array. */
static int compare_by_trace(const void *a, const void *b)
{
    const struct sp_span *x = *(const struct sp_span *const *)a;
    const struct sp_span *y = *(const struct sp_span *const *)b;
    int order = sp_trace_id_compare(&x->trace_id, &y->trace_id);
    return order != 0 ? order : (x > y) - (x < y);
}

static int compare_by_minute(const void *a, const void *b)
{
    uint64_t x = sp_minute_of((*(const struct sp_span *const *)a)->start_unix_ns);
    uint64_t y = sp_minute_of((*(const struct sp_span *const *)b)->start_unix_ns);
    return (x > y) - (x < y);
}

static size_t order_add(const struct build *build, size_t count, const struct sp_batch *batch)
{
    for (size_t i = 0; i < batch->span_count; i++)
        build->order[count++] = &batch->spans[i];
    return count;
}

static void order_sort(const struct build *build, size_t count,
                       int (*compare)(const void *a, const void *b))
{
    if (count > 1)
        qsort(build->order, count, sizeof(struct sp_span *), compare);
}

/* ---- rows of spans ---- */

static enum sp_status note_trace(struct build *build, const struct sp_trace_id *id,
                                 struct sp_error *reterr)
{
    bool added;
    if (sp_idset_add(&build->traces, id, &added) != SP_OK)
        return no_memory(reterr);
    if (!added)
        return SP_OK;
    struct sp_layout_key key = sp_layout_trace_key(id);
    struct sp_kv *kv = build->rocks->kv;
    enum sp_status status =
        sp_kv_get(kv, NULL, SP_KV_TRACES, sp_layout_key_slice(&key), NULL, reterr);
    if (status != SP_NOT_FOUND)
        return status;
    sp_kv_batch_put(build->batch, kv, SP_KV_TRACES, sp_layout_key_slice(&key), SP_SLICE(""));
    build->totals.trace_count++;
    return SP_OK;
}

/* The spans of one trace of one request: its row, and an index entry for each second in which one of them starts. */
static enum sp_status put_trace(struct build *build, const struct sp_span *const *spans,
                                size_t count, uint64_t sequence, struct sp_error *reterr)
{
    struct sp_rocks *rocks = build->rocks;
    struct sp_row_head head = {UINT64_MAX, 0};
    uint64_t indexed_second = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        uint64_t start = spans[i]->start_unix_ns;
        head.first_unix_ns = start < head.first_unix_ns ? start : head.first_unix_ns;
        head.last_unix_ns = start > head.last_unix_ns ? start : head.last_unix_ns;
        if (start / SP_LAYOUT_NS_PER_SECOND == indexed_second)
            continue;
        indexed_second = start / SP_LAYOUT_NS_PER_SECOND;
        struct sp_layout_key key = sp_layout_time_key(start, &spans[i]->trace_id);
        sp_kv_batch_put(build->batch, rocks->kv, SP_KV_TIME, sp_layout_key_slice(&key),
                        SP_SLICE(""));
    }
    sp_buf_reset(&build->row);
    sp_layout_row_head_write(head, &build->row);
    enum sp_status status = build->row.error;
    if (status == SP_OK)
        status = rocks->codec.encode(rocks->codec.cookie, spans, count, &build->row);
    if (status != SP_OK)
        return sp_error_set(reterr, status, "a row of %zu spans cannot be written: %s", count,
                            sp_status_text(status));
    struct sp_layout_key key = sp_layout_spans_key(&spans[0]->trace_id, sequence);
    sp_kv_batch_put(build->batch, rocks->kv, SP_KV_SPANS, sp_layout_key_slice(&key),
                    sp_buf_slice(&build->row));
    if (build->totals.span_count == 0 || head.first_unix_ns < build->totals.oldest_unix_ns)
        build->totals.oldest_unix_ns = head.first_unix_ns;
    if (build->totals.span_count == 0 || head.last_unix_ns > build->totals.newest_unix_ns)
        build->totals.newest_unix_ns = head.last_unix_ns;
    build->totals.span_count += count;
    return note_trace(build, &spans[0]->trace_id, reterr);
}

static enum sp_status put_spans(struct build *build, const struct sp_rocks_entry *entry,
                                struct sp_error *reterr)
{
    size_t count = order_add(build, 0, entry->append->batch);
    order_sort(build, count, compare_by_trace);
    for (size_t from = 0, end; from < count; from = end) {
        end = from + 1;
        while (end < count && sp_trace_id_compare(&build->order[from]->trace_id,
                                                  &build->order[end]->trace_id) == 0)
            end++;
        enum sp_status status =
            put_trace(build, &build->order[from], end - from, entry->sequence, reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

/* ---- colour slots ---- */

void sp_rocks_slot_key(struct sp_slice service, struct sp_buf *out)
{
    sp_buf_append_byte(out, 's');
    sp_buf_append_slice(out, service);
}

/* Gives a service its slot when it is seen for the first time. */
static enum sp_status note_service(struct build *build, struct sp_slice service,
                                   struct sp_error *reterr)
{
    size_t known = build->services.count;
    struct sp_tally_row *row;
    enum sp_status status = sp_tally_row(&build->services, service, SP_SLICE(""), 0, &row, reterr);
    if (status != SP_OK || build->services.count == known)
        return status;
    struct sp_kv *kv = build->rocks->kv;
    sp_buf_reset(&build->row);
    sp_rocks_slot_key(service, &build->row);
    if (build->row.error != SP_OK)
        return no_memory(reterr);
    status = sp_kv_get(kv, NULL, SP_KV_META, sp_buf_slice(&build->row), NULL, reterr);
    if (status != SP_NOT_FOUND)
        return status;
    uint32_t slot = (uint32_t)build->totals.service_count++;
    uint8_t value[4];
    for (int i = 0; i < 4; i++)
        value[i] = (uint8_t)(slot >> (8 * i));
    sp_kv_batch_put(build->batch, kv, SP_KV_META, sp_buf_slice(&build->row),
                    sp_slice_make(value, sizeof(value)));
    return SP_OK;
}

static enum sp_status put_services(struct build *build, const struct sp_batch *batch,
                                   struct sp_error *reterr)
{
    const struct sp_resource *before = NULL;
    for (size_t i = 0; i < batch->span_count; i++) {
        if (batch->spans[i].resource == before)
            continue;
        before = batch->spans[i].resource;
        enum sp_status status = note_service(build, sp_span_service(&batch->spans[i]), reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

/* ---- catalogue ---- */

static enum sp_status put_tally(struct build *build, char family, uint64_t minute,
                                uint64_t sequence, const struct sp_tally *tally,
                                struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_catalogue_key(family, minute, sequence);
    sp_buf_reset(&build->row);
    if (family == 'o')
        sp_layout_operations_write(tally, &build->row);
    else
        sp_layout_keys_write(tally, &build->row);
    if (build->row.error != SP_OK)
        return no_memory(reterr);
    sp_kv_batch_put(build->batch, build->rocks->kv, SP_KV_CATALOGUE, sp_layout_key_slice(&key),
                    sp_buf_slice(&build->row));
    return SP_OK;
}

/* The counts of one minute. */
static enum sp_status put_minute(struct build *build, const struct sp_span *const *spans,
                                 size_t count, uint64_t sequence, struct sp_error *reterr)
{
    const uint32_t all_scopes = SP_SCOPE_SPAN | SP_SCOPE_RESOURCE | SP_SCOPE_INSTRUMENTATION |
                                SP_SCOPE_EVENT | SP_SCOPE_LINK;
    struct sp_tally operations;
    struct sp_tally keys;
    enum sp_status status = SP_OK;
    sp_arena_reset(&build->minute_arena);
    sp_tally_init(&operations, &build->minute_arena);
    sp_tally_init(&keys, &build->minute_arena);
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        status = sp_count_operation(&operations, spans[i], true, reterr);
        if (status == SP_OK)
            status = sp_count_keys(&keys, spans[i], all_scopes, SP_SLICE(""), i + 1, reterr);
    }
    if (status == SP_OK) {
        uint64_t minute = sp_minute_of(spans[0]->start_unix_ns);
        status = put_tally(build, 'o', minute, sequence, &operations, reterr);
        if (status == SP_OK)
            status = put_tally(build, 'k', minute, sequence, &keys, reterr);
    }
    sp_tally_fini(&operations);
    sp_tally_fini(&keys);
    return status;
}

static enum sp_status put_catalogue(struct build *build, struct sp_rocks_entry *const *entries,
                                    size_t entry_count, struct sp_error *reterr)
{
    size_t count = 0;
    for (size_t i = 0; i < entry_count; i++)
        count = order_add(build, count, entries[i]->append->batch);
    order_sort(build, count, compare_by_minute);
    for (size_t from = 0, end; from < count; from = end) {
        uint64_t minute = sp_minute_of(build->order[from]->start_unix_ns);
        end = from + 1;
        while (end < count && sp_minute_of(build->order[end]->start_unix_ns) == minute)
            end++;
        enum sp_status status =
            put_minute(build, &build->order[from], end - from, entries[0]->sequence, reterr);
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

/* ---- what rows repeat ---- */

/* A resource or a scope, as rows hold it: in the group of a span that has nothing but its place. */
static enum sp_status group_bytes(const struct sp_store_codec *codec,
                                  const struct sp_resource *resource, const struct sp_scope *scope,
                                  const struct sp_span *like, struct sp_buf *scratch)
{
    struct sp_span bare = {
        .trace_id = like->trace_id, .span_id = like->span_id, .resource = resource, .scope = scope};
    const struct sp_span *spans[] = {&bare};
    sp_buf_reset(scratch);
    return codec->encode(codec->cookie, spans, 1, scratch);
}

/* Adds what the spans [from, end), which share a resource or a scope of these bytes, repeat of it. */
static bool add_repeated(const struct sp_batch *batch, size_t from, size_t end, size_t bytes,
                         uint64_t *sum)
{
    for (size_t i = from + 1; i < end; i++) {
        const struct sp_span *before = &batch->spans[i - 1];
        const struct sp_span *span = &batch->spans[i];
        if (sp_trace_id_compare(&span->trace_id, &before->trace_id) != 0 ||
            sp_minute_of(span->start_unix_ns) != sp_minute_of(before->start_unix_ns))
            *sum += bytes;
    }
    return *sum <= SP_ROCKS_REPEATED_BYTES_MAX;
}

/* The looks at shared attributes that counting these spans takes. */
static bool looks_fit(const struct sp_batch *batch)
{
    uint64_t looks = 0;
    for (size_t i = 0; i < batch->span_count && looks <= SP_ROCKS_SHARED_LOOKS_MAX; i++)
        looks += (uint64_t)batch->spans[i].resource->attributes.count +
                 batch->spans[i].scope->attributes.count;
    return looks <= SP_ROCKS_SHARED_LOOKS_MAX;
}

enum sp_status sp_rocks_repeated_bytes(const struct sp_store_codec *codec,
                                       const struct sp_batch *batch, uint64_t *ret,
                                       struct sp_error *reterr)
{
    static const struct sp_resource no_resource;
    static const struct sp_scope no_scope;
    struct sp_buf scratch;
    uint64_t sum = 0;
    enum sp_status status = SP_OK;
    bool fits = true;
    size_t of_resource = 0;
    size_t of_scope = 0;
    if (!looks_fit(batch))
        return sp_error_set(reterr, SP_LIMIT,
                            "the resources and scopes have too many attributes for so many spans "
                            "(more than %llu in all); send smaller batches",
                            (unsigned long long)SP_ROCKS_SHARED_LOOKS_MAX);
    sp_buf_init(&scratch, SP_ROCKS_ROW_BYTES_MAX);
    for (size_t i = 1; i <= batch->span_count && status == SP_OK && fits; i++) {
        const struct sp_span *span = &batch->spans[i - 1];
        const struct sp_span *next = i < batch->span_count ? &batch->spans[i] : NULL;
        if (next == NULL || next->resource != span->resource) {
            if (i - of_resource > 1)
                status = group_bytes(codec, span->resource, &no_scope, span, &scratch);
            fits = add_repeated(batch, of_resource, i, scratch.len, &sum);
            of_resource = i;
        }
        if (status == SP_OK && fits && (next == NULL || next->scope != span->scope)) {
            if (i - of_scope > 1)
                status = group_bytes(codec, &no_resource, span->scope, span, &scratch);
            fits = add_repeated(batch, of_scope, i, scratch.len, &sum);
            of_scope = i;
        }
    }
    sp_buf_fini(&scratch);
    *ret = sum;
    if (status != SP_OK)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to take the request");
    if (fits)
        return SP_OK;
    return sp_error_set(
        reterr, SP_LIMIT,
        "stored by trace, the spans would repeat their resources and scopes to more "
        "than %llu bytes; send smaller batches",
        (unsigned long long)SP_ROCKS_REPEATED_BYTES_MAX);
}

/* ---- the batch ---- */

static enum sp_status build_batch(struct build *build, struct sp_rocks_entry *const *entries,
                                  size_t entry_count, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < entry_count && status == SP_OK; i++) {
        struct sp_layout_key key = sp_layout_journal_key(entries[i]->sequence);
        sp_kv_batch_delete_once(build->batch, build->rocks->kv, SP_KV_JOURNAL,
                                sp_layout_key_slice(&key));
        if (entries[i]->sequence > build->totals.applied_sequence)
            build->totals.applied_sequence = entries[i]->sequence;
        status = put_services(build, entries[i]->append->batch, reterr);
        if (status == SP_OK)
            status = put_spans(build, entries[i], reterr);
    }
    if (status == SP_OK)
        status = put_catalogue(build, entries, entry_count, reterr);
    if (status != SP_OK)
        return status;
    sp_buf_reset(&build->row);
    sp_layout_totals_write(&build->totals, &build->row);
    if (build->row.error != SP_OK)
        return no_memory(reterr);
    sp_kv_batch_put(build->batch, build->rocks->kv, SP_KV_META, SP_LAYOUT_TOTALS_KEY,
                    sp_buf_slice(&build->row));
    return SP_OK;
}

enum sp_status sp_rocks_apply(struct sp_rocks *rocks, struct sp_rocks_entry *const *entries,
                              size_t count, struct sp_error *reterr)
{
    size_t span_count = 0;
    for (size_t i = 0; i < count; i++)
        span_count += entries[i]->append->batch->span_count;
    struct build build = {.rocks = rocks,
                          .batch = sp_kv_batch_new(),
                          .totals = rocks->totals,
                          .order = calloc(span_count + 1, sizeof(struct sp_span *))};
    sp_arena_init(&build.arena, SP_ROCKS_ROW_BYTES_MAX);
    sp_arena_init(&build.minute_arena, SP_ROCKS_ROW_BYTES_MAX);
    sp_tally_init(&build.services, &build.arena);
    sp_buf_init(&build.row, SP_ROCKS_ROW_BYTES_MAX);

    enum sp_status status;
    if (build.batch == NULL || build.order == NULL)
        status = no_memory(reterr);
    else
        status = build_batch(&build, entries, count, reterr);
    if (status == SP_OK) {
        status = sp_kv_write(rocks->kv, build.batch, false, reterr);
        if (status == SP_OK)
            rocks->totals = build.totals;
        else
            atomic_store(&rocks->kv_broken, true);
    }

    sp_kv_batch_free(build.batch);
    free(build.order);
    sp_tally_fini(&build.services);
    sp_idset_fini(&build.traces);
    sp_arena_fini(&build.arena);
    sp_arena_fini(&build.minute_arena);
    sp_buf_fini(&build.row);
    return status;
}
