/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/reference.c: the store in memory, by brute force: the oracle that other engines are compared with. Written to
 * be seen through, not to be fast: a list of batches, and every answer from a pass over all spans. Keeps nothing on
 * disk and knows no codec. */
#include "storage/bitmap.h"
#include "storage/brute.h"

#include <pthread.h>
#include <stdlib.h>

/* One acked request. Never changes but for is_removed, and lives until the store is closed, so readers need no lock for its
 * content. */
struct kept_batch {
    struct sp_arena arena;
    const struct sp_batch *batch;
    uint64_t received_unix_ns;
    bool is_removed;
};

struct reference {
    struct sp_store base;
    size_t arena_bytes_max;

    pthread_mutex_t lock; /* of all below */
    bool draining;
    struct kept_batch **batches; /* in the order they were acked */
    size_t batch_count, batch_cap;
};

/* The spans of one moment, sorted by trace and, within one, by the order they were acked. */
struct moment {
    const struct sp_span **spans;
    size_t span_count, append_count;
};

static struct reference *reference_of(struct sp_store *store)
{
    return (struct reference *)store; /* base is its first member */
}

/* ---- writing ---- */

static struct kept_batch *keep_batch(const struct sp_batch *batch, size_t arena_bytes_max,
                                     enum sp_status *ret_status)
{
    const struct sp_span **spans = calloc(batch->span_count + 1, sizeof(struct sp_span *));
    struct kept_batch *kept = calloc(1, sizeof(*kept));
    *ret_status = SP_NO_MEMORY;
    if (spans != NULL && kept != NULL) {
        for (size_t i = 0; i < batch->span_count; i++)
            spans[i] = &batch->spans[i];
        sp_arena_init(&kept->arena, arena_bytes_max);
        *ret_status = sp_batch_copy(&kept->arena, spans, batch->span_count, &kept->batch);
    }
    free(spans);
    if (*ret_status == SP_OK)
        return kept;
    if (kept != NULL)
        sp_arena_fini(&kept->arena);
    free(kept);
    return NULL;
}

static enum sp_status push_batch(struct reference *reference, struct kept_batch *kept)
{
    if (reference->draining)
        return SP_UNAVAILABLE;
    if (reference->batch_count == reference->batch_cap) {
        size_t cap = reference->batch_cap > 0 ? reference->batch_cap * 2 : 16;
        struct kept_batch **batches =
            realloc(reference->batches, cap * sizeof(struct kept_batch *));
        if (batches == NULL)
            return SP_NO_MEMORY;
        reference->batches = batches;
        reference->batch_cap = cap;
    }
    reference->batches[reference->batch_count++] = kept;
    return SP_OK;
}

static void reference_append(struct sp_store *store, struct sp_append *append)
{
    struct reference *reference = reference_of(store);
    enum sp_status status;
    struct kept_batch *kept = keep_batch(append->batch, reference->arena_bytes_max, &status);
    if (kept != NULL) {
        kept->received_unix_ns = append->received_unix_ns;
        pthread_mutex_lock(&reference->lock);
        status = push_batch(reference, kept);
        append->number = status == SP_OK ? reference->batch_count : 0;
        pthread_mutex_unlock(&reference->lock);
        if (status != SP_OK) {
            sp_arena_fini(&kept->arena);
            free(kept);
        }
    }
    struct sp_error error = {0};
    sp_error_set(&error, status, "%s",
                 status == SP_UNAVAILABLE ? "the store is closing" : sp_status_text(status));
    sp_append_finish(append, status, &error);
}

static void reference_drain(struct sp_store *store)
{
    struct reference *reference = reference_of(store);
    pthread_mutex_lock(&reference->lock);
    reference->draining = true;
    pthread_mutex_unlock(&reference->lock);
}

static void reference_close(struct sp_store *store)
{
    struct reference *reference = reference_of(store);
    for (size_t i = 0; i < reference->batch_count; i++) {
        sp_arena_fini(&reference->batches[i]->arena);
        free(reference->batches[i]);
    }
    free(reference->batches);
    pthread_mutex_destroy(&reference->lock);
    free(reference);
}

/* ---- retention ---- */

static bool is_old(const struct kept_batch *kept, uint64_t cutoff_unix_ns)
{
    bool old = true;
    for (size_t i = 0; i < kept->batch->span_count; i++)
        old &= kept->batch->spans[i].start_unix_ns < cutoff_unix_ns;
    return old || kept->received_unix_ns < cutoff_unix_ns;
}

void sp_store_reference_remove(struct sp_store *store, uint64_t first_append, uint64_t last_append)
{
    struct reference *reference = reference_of(store);
    pthread_mutex_lock(&reference->lock);
    for (uint64_t i = first_append; i <= last_append && i <= reference->batch_count; i++)
        reference->batches[i - 1]->is_removed = true;
    pthread_mutex_unlock(&reference->lock);
}

static enum sp_status reference_retain(struct sp_store *store, const struct sp_retain *retain,
                                       struct sp_error *reterr)
{
    struct reference *reference = reference_of(store);
    uint64_t age_ns = retain->keep.age_ns;
    (void)reterr;
    pthread_mutex_lock(&reference->lock);
    for (size_t i = 0; i < reference->batch_count; i++) {
        struct kept_batch *kept = reference->batches[i];
        if (kept->is_removed || age_ns == 0 || retain->now_unix_ns <= age_ns ||
            !is_old(kept, retain->now_unix_ns - age_ns))
            continue;
        kept->is_removed = true;
        if (retain->removed != NULL)
            retain->removed(retain->cookie, i + 1, i + 1);
    }
    pthread_mutex_unlock(&reference->lock);
    return SP_OK;
}

/* ---- reading ---- */

static int compare_trace(const struct sp_span *a, const struct sp_span *b)
{
    return sp_trace_id_compare(&a->trace_id, &b->trace_id);
}

/* Stable: merges sorted runs of width, 2 width, 4 width, ... */
static void sort_by_trace(const struct sp_span **spans, const struct sp_span **scratch,
                          size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t middle = at + width < count ? at + width : count;
            size_t end = at + 2 * width < count ? at + 2 * width : count;
            size_t left = at;
            size_t right = middle;
            for (size_t to = at; to < end; to++) {
                bool take_left = left < middle &&
                                 (right == end || compare_trace(spans[left], spans[right]) <= 0);
                scratch[to] = take_left ? spans[left++] : spans[right++];
            }
        }
        memcpy(spans, scratch, count * sizeof(struct sp_span *));
    }
}

static void moment_fini(struct moment *moment)
{
    free(moment->spans);
}

static enum sp_status moment_init(struct moment *moment, struct reference *reference,
                                  struct sp_error *reterr)
{
    *moment = (struct moment){0};
    pthread_mutex_lock(&reference->lock);
    size_t count = 0;
    for (size_t i = 0; i < reference->batch_count; i++)
        count += reference->batches[i]->batch->span_count;
    const struct sp_span **spans = calloc(count + 1, sizeof(struct sp_span *));
    const struct sp_span **scratch = calloc(count + 1, sizeof(struct sp_span *));
    moment->append_count = reference->batch_count;
    for (size_t i = 0; i < reference->batch_count && spans != NULL; i++) {
        const struct sp_batch *batch = reference->batches[i]->batch;
        if (reference->batches[i]->is_removed)
            continue;
        for (size_t s = 0; s < batch->span_count; s++)
            spans[moment->span_count++] = &batch->spans[s];
    }
    pthread_mutex_unlock(&reference->lock);

    if (spans != NULL && scratch != NULL)
        sort_by_trace(spans, scratch, moment->span_count);
    free(scratch);
    moment->spans = spans;
    if (spans != NULL && scratch != NULL)
        return SP_OK;
    moment_fini(moment);
    *moment = (struct moment){0};
    sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu spans", count);
    return SP_NO_MEMORY;
}

/* The spans [from, return value) belong to one trace. */
static size_t moment_trace_end(const struct moment *moment, size_t from)
{
    size_t end = from + 1;
    while (end < moment->span_count && compare_trace(moment->spans[from], moment->spans[end]) == 0)
        end++;
    return end;
}

/* Appends the pointers to one trace's spans to *ret_spans (heap, owned by the caller also on error). */
static enum sp_status find_trace(struct reference *reference, const struct sp_trace_id *id,
                                 const struct sp_span ***ret_spans, size_t *ret_count)
{
    size_t cap = 0;
    for (size_t b = 0; b < reference->batch_count; b++) {
        const struct sp_batch *batch = reference->batches[b]->batch;
        for (size_t s = 0; s < batch->span_count && !reference->batches[b]->is_removed; s++) {
            if (sp_trace_id_compare(&batch->spans[s].trace_id, id) != 0)
                continue;
            if (*ret_count == cap) {
                cap = cap > 0 ? cap * 2 : 64;
                const struct sp_span **spans = realloc(*ret_spans, cap * sizeof(struct sp_span *));
                if (spans == NULL)
                    return SP_NO_MEMORY;
                *ret_spans = spans;
            }
            (*ret_spans)[(*ret_count)++] = &batch->spans[s];
        }
    }
    return SP_OK;
}

static enum sp_status reference_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                           struct sp_arena *arena,
                                           const struct sp_batch **ret_batch,
                                           struct sp_error *reterr)
{
    struct reference *reference = reference_of(store);
    const struct sp_span **spans = NULL;
    size_t count = 0;
    pthread_mutex_lock(&reference->lock);
    enum sp_status status = find_trace(reference, id, &spans, &count);
    pthread_mutex_unlock(&reference->lock);
    if (status == SP_OK && count == 0)
        status = SP_NOT_FOUND;
    if (status == SP_OK)
        status = sp_batch_copy(arena, spans, count, ret_batch);
    free(spans);
    if (status == SP_NOT_FOUND)
        sp_error_set(reterr, status, "no span of this trace is stored");
    else if (status == SP_LIMIT)
        sp_error_set(reterr, status, "a trace of %zu spans does not fit into memory", count);
    else if (status != SP_OK)
        sp_error_set(reterr, status, "no memory to read a trace of %zu spans", count);
    return status;
}

/* Everything, whatever is wanted. */
static enum sp_status reference_traces_read(struct sp_store *store, const struct sp_trace_id *ids,
                                            size_t count, const struct sp_traces_reader *reader,
                                            struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        const struct sp_batch *trace;
        sp_arena_reset(reader->arena);
        status = sp_stop_ask(reader->stop, reterr);
        if (status == SP_OK)
            status = reference_trace_read(store, &ids[i], reader->arena, &trace, reterr);
        if (status == SP_OK)
            status = reader->visit(reader->cookie, &ids[i], trace, reterr);
        else if (status == SP_NOT_FOUND)
            status = SP_OK;
    }
    return status;
}

/* The source of all brute force: every trace with a span in range. */
static enum sp_status each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr)
{
    struct moment moment;
    enum sp_status status = moment_init(&moment, cookie, reterr);
    if (status != SP_OK)
        return status;
    for (size_t from = 0, end; from < moment.span_count && status == SP_OK; from = end) {
        end = moment_trace_end(&moment, from);
        status = sp_stop_ask(stop, reterr);
        if (status != SP_OK)
            break;
        bool in_range = false;
        struct sp_span *spans = calloc(end - from, sizeof(*spans));
        if (spans == NULL) {
            status = sp_error_set(reterr, SP_NO_MEMORY, "no memory for a trace of %zu spans",
                                  end - from);
            break;
        }
        for (size_t i = from; i < end; i++) {
            spans[i - from] = *moment.spans[i];
            in_range |= sp_time_range_contains(range, moment.spans[i]->start_unix_ns);
        }
        if (in_range)
            status = visit(visitor, &(struct sp_batch){.spans = spans, .span_count = end - from},
                           reterr);
        free(spans);
    }
    moment_fini(&moment);
    return status;
}

static struct sp_trace_source source_of(struct sp_store *store, const struct sp_stop *stop)
{
    return (struct sp_trace_source){
        .each = each_trace, .cookie = reference_of(store), .stop = stop};
}

/* Traces between two questions to the caller whether to go on. */
#define SCAN_ASK_TRACES 4096

struct candidates {
    const struct sp_scan *scan;
    const struct sp_stop *stop;
    uint64_t looked; /* traces */
    struct sp_candidate *items;
    size_t count, cap;
    uint64_t spans;
};

static enum sp_status collect_candidate(void *visitor, const struct sp_batch *trace,
                                        struct sp_error *reterr)
{
    struct candidates *candidates = visitor;
    struct sp_candidate candidate = {.trace_id = trace->spans[0].trace_id};
    bool matches = false;
    for (size_t i = 0; i < trace->span_count; i++) {
        const struct sp_span *span = &trace->spans[i];
        if (!sp_time_range_contains(candidates->scan->range, span->start_unix_ns))
            continue;
        matches |= sp_scan_matches(candidates->scan, span);
        if (span->start_unix_ns > candidate.bound_unix_ns)
            candidate.bound_unix_ns = span->start_unix_ns;
    }
    candidates->spans += trace->span_count;
    if (++candidates->looked % SCAN_ASK_TRACES == 0) {
        enum sp_status status = sp_stop_ask(candidates->stop, reterr);
        if (status != SP_OK)
            return status;
    }
    if (!matches)
        return SP_OK;
    if (candidates->count == SP_SCAN_TRACES_MAX)
        return sp_error_set(reterr, SP_LIMIT, "more than %zu traces to scan", SP_SCAN_TRACES_MAX);
    if (candidates->count == candidates->cap) {
        size_t cap = candidates->cap > 0 ? candidates->cap * 2 : 64;
        struct sp_candidate *items = realloc(candidates->items, cap * sizeof(*items));
        if (items == NULL)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory to scan %zu traces", cap);
        candidates->items = items;
        candidates->cap = cap;
    }
    candidates->items[candidates->count++] = candidate;
    return SP_OK;
}

static int compare_candidates(const void *a, const void *b)
{
    const struct sp_candidate *x = a;
    const struct sp_candidate *y = b;
    int order = (x->bound_unix_ns < y->bound_unix_ns) - (x->bound_unix_ns > y->bound_unix_ns);
    return order != 0 ? order : sp_trace_id_compare(&x->trace_id, &y->trace_id);
}

static enum sp_status
reference_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
               enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
               void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr)
{
    struct candidates candidates = {.scan = scan, .stop = stop};
    struct sp_trace_source source = source_of(store, NULL);
    enum sp_status status = sp_stop_ask(stop, reterr);
    if (status == SP_OK)
        status = source.each(source.cookie, scan->range, source.stop, collect_candidate,
                             &candidates, reterr);
    *ret_scanned = (struct sp_scanned){.rows = candidates.spans,
                                       .traces = candidates.count,
                                       .rows_total = candidates.spans,
                                       .rows_passed = candidates.spans};
    if (status == SP_OK && candidates.count > 0) {
        qsort(candidates.items, candidates.count, sizeof(*candidates.items), compare_candidates);
        size_t i = 0;
        while (i < candidates.count && visit(cookie, &candidates.items[i]) == SP_VISIT_CONTINUE)
            ret_scanned->traces_waiting = candidates.count - ++i;
    }
    free(candidates.items);
    return status;
}

struct reference_surveying {
    const struct sp_scan *scan;
    const struct sp_surveyor *surveyor;
    struct sp_scanned *scanned;
};

/* Each trace is a sheet. */
static enum sp_status survey_trace(void *visitor, const struct sp_batch *trace,
                                   struct sp_error *reterr)
{
    struct reference_surveying *surveying = visitor;
    uint64_t *rows = calloc(sp_bitmap_words((uint32_t)trace->span_count) + 1, sizeof(*rows));
    struct sp_sheet *sheet = NULL;
    bool any = false;
    if (rows == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at a trace");
    for (size_t i = 0; i < trace->span_count; i++) {
        const struct sp_span *span = &trace->spans[i];
        if (!sp_time_range_contains(surveying->scan->range, span->start_unix_ns) ||
            !sp_scan_matches(surveying->scan, span))
            continue;
        rows[i / 64] |= (uint64_t)1 << (i % 64);
        any = true;
    }
    surveying->scanned->rows += trace->span_count;
    enum sp_status status = SP_OK;
    if (any)
        status = sp_span_sheet_new(trace->spans, (uint32_t)trace->span_count, rows, &sheet, reterr);
    if (status == SP_OK && any)
        status = surveying->surveyor->visit(surveying->surveyor->cookie, sheet, reterr);
    sp_span_sheet_free(sheet);
    free(rows);
    return status;
}

static enum sp_status reference_survey(struct sp_store *store, const struct sp_scan *scan,
                                       const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                                       const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                                       struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct reference_surveying surveying = {
        .scan = scan, .surveyor = surveyors, .scanned = ret_scanned};
    *ret_scanned = (struct sp_scanned){0};
    (void)surveyor_count; /* the first does it all */
    return source.each(source.cookie, scan->range, stop, survey_trace, &surveying, reterr);
}

/* ---- catalogue ---- */

/* Slots by a second pass: services in the order their first span was acked. */
static enum sp_status fill_slots(struct reference *reference, struct sp_service_row *rows,
                                 size_t row_count, struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_tally seen;
    enum sp_status status = SP_OK;
    sp_arena_init(&arena, SIZE_MAX);
    sp_tally_init(&seen, &arena);
    pthread_mutex_lock(&reference->lock);
    for (size_t b = 0; b < reference->batch_count && status == SP_OK; b++) {
        const struct sp_batch *batch = reference->batches[b]->batch;
        struct sp_tally_row *row;
        for (size_t s = 0; s < batch->span_count && status == SP_OK; s++)
            status = sp_tally_row(&seen, sp_span_service(&batch->spans[s]), SP_SLICE(""), 0, &row,
                                  reterr);
    }
    pthread_mutex_unlock(&reference->lock);
    for (size_t i = 0; i < row_count && status == SP_OK; i++) {
        struct sp_tally_row *row;
        status = sp_tally_row(&seen, rows[i].name, SP_SLICE(""), 0, &row, reterr);
        if (status == SP_OK)
            rows[i].slot = row->index;
    }
    sp_tally_fini(&seen);
    sp_arena_fini(&arena);
    return status;
}

static enum sp_status reference_services(struct sp_store *store, struct sp_time_range range,
                                         const struct sp_stop *stop, struct sp_arena *arena,
                                         const struct sp_service_row **ret_rows, size_t *ret_count,
                                         struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct sp_tally tally;
    struct sp_service_row *rows = NULL;
    size_t count = 0;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(
        &source, &(struct sp_operation_filter){.kind = SP_KIND_ANY}, range, false, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_services(&tally, arena, &rows, &count, reterr);
    sp_tally_fini(&tally);
    if (status == SP_OK)
        status = fill_slots(reference_of(store), rows, count, reterr);
    if (status == SP_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    return status;
}

static enum sp_status reference_operations(struct sp_store *store, struct sp_slice service,
                                           struct sp_time_range range, const struct sp_stop *stop,
                                           struct sp_arena *arena,
                                           const struct sp_operation_row **ret_rows,
                                           size_t *ret_count, struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct sp_operation_filter filter = {.service = service, .kind = SP_KIND_ANY};
    struct sp_tally tally;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(&source, &filter, range, false, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_operations(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status reference_keys(struct sp_store *store, uint32_t scopes,
                                     struct sp_slice prefix, struct sp_time_range range,
                                     const struct sp_stop *stop, size_t limit,
                                     struct sp_arena *arena, const struct sp_key_row **ret_rows,
                                     size_t *ret_count, bool *ret_complete, struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct sp_tally tally;
    uint64_t mark = 1;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_keys(&source, scopes, prefix, range, &mark, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_keys(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status reference_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                                       struct sp_slice prefix, struct sp_time_range range,
                                       const struct sp_stop *stop, size_t limit,
                                       struct sp_arena *arena, const struct sp_value_row **ret_rows,
                                       size_t *ret_count, bool *ret_complete,
                                       struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct sp_value_filter filter = {.scopes = scopes, .key = key, .prefix = prefix};
    struct sp_tally tally;
    uint64_t mark = 1;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_values(&source, &filter, range, &mark, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_values(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status reference_latency(struct sp_store *store, struct sp_slice service,
                                        struct sp_slice operation, int32_t kind,
                                        struct sp_time_range range, const struct sp_stop *stop,
                                        struct sp_arena *arena, struct sp_latency_series **ret_rows,
                                        size_t *ret_count, struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    struct sp_operation_filter filter = {.service = service, .name = operation, .kind = kind};
    struct sp_tally tally;
    sp_tally_init(&tally, arena);
    enum sp_status status = sp_brute_operations(&source, &filter, range, true, &tally, reterr);
    if (status == SP_OK)
        status = sp_rows_latency(&tally, arena, ret_rows, ret_count, reterr);
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status reference_graph(struct sp_store *store, struct sp_time_range range,
                                      const struct sp_stop *stop, struct sp_arena *arena,
                                      struct sp_graph_edge **ret_edges, size_t *ret_count,
                                      struct sp_error *reterr)
{
    struct sp_trace_source source = source_of(store, stop);
    return sp_brute_graph(&source, range, arena, ret_edges, ret_count, reterr);
}

static enum sp_status reference_stats(struct sp_store *store, struct sp_store_stats *ret,
                                      struct sp_error *reterr)
{
    struct moment moment;
    enum sp_status status = moment_init(&moment, reference_of(store), reterr);
    if (status != SP_OK)
        return status;
    *ret = (struct sp_store_stats){.span_count = moment.span_count,
                                   .append_count = moment.append_count,
                                   .commit_count = moment.append_count};
    for (size_t i = 0; i < moment.span_count; i = moment_trace_end(&moment, i))
        ret->trace_count++;
    for (size_t i = 0; i < moment.span_count; i++) {
        uint64_t start = moment.spans[i]->start_unix_ns;
        if (i == 0 || start < ret->oldest_unix_ns)
            ret->oldest_unix_ns = start;
        if (i == 0 || start > ret->newest_unix_ns)
            ret->newest_unix_ns = start;
    }
    moment_fini(&moment);
    return SP_OK;
}

static const struct sp_store_ops reference_ops = {
    .append = reference_append,
    .drain = reference_drain,
    .close = reference_close,
    .trace_read = reference_trace_read,
    .traces_read = reference_traces_read,
    .scan = reference_scan,
    .services = reference_services,
    .operations = reference_operations,
    .attribute_keys = reference_keys,
    .attribute_values = reference_values,
    .latency = reference_latency,
    .graph = reference_graph,
    .survey = reference_survey,
    .retain = reference_retain,
    .stats = reference_stats,
};

enum sp_status sp_store_reference_open(const struct sp_store_options *options,
                                       struct sp_store **ret, struct sp_error *reterr)
{
    struct reference *reference = calloc(1, sizeof(*reference));
    if (reference == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    reference->base.ops = &reference_ops;
    reference->arena_bytes_max = options->limits->arena_bytes_max;
    pthread_mutex_init(&reference->lock, NULL);
    *ret = &reference->base;
    return SP_OK;
}
