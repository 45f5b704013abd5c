/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/reference_read.c: what the store in memory shows of its spans: traces, candidates of a scan, sheets. */
#include <stdlib.h>

#include "storage/bitmap.h"
#include "storage/reference.h"

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

void sp_reference_moment_fini(struct sp_reference_moment *moment)
{
    free(moment->spans);
}

enum sp_status sp_reference_moment_init(struct sp_reference_moment *moment,
                                        struct sp_reference *reference, struct sp_error *reterr)
{
    *moment = (struct sp_reference_moment){0};
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
    sp_reference_moment_fini(moment);
    *moment = (struct sp_reference_moment){0};
    sp_error_set(reterr, SP_NO_MEMORY, "no memory to look at %zu spans", count);
    return SP_NO_MEMORY;
}

/* The spans [from, return value) belong to one trace. */
size_t sp_reference_moment_trace_end(const struct sp_reference_moment *moment, size_t from)
{
    size_t end = from + 1;
    while (end < moment->span_count && compare_trace(moment->spans[from], moment->spans[end]) == 0)
        end++;
    return end;
}

/* Appends the pointers to one trace's spans to *ret_spans (heap, owned by the caller also on error). */
static enum sp_status find_trace(struct sp_reference *reference, const struct sp_trace_id *id,
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

enum sp_status sp_reference_trace_read(struct sp_store *store, const struct sp_trace_id *id,
                                       struct sp_arena *arena, const struct sp_batch **ret_batch,
                                       struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
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
enum sp_status sp_reference_traces_read(struct sp_store *store, const struct sp_trace_id *ids,
                                        size_t count, const struct sp_traces_reader *reader,
                                        struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        const struct sp_batch *trace;
        sp_arena_reset(reader->arena);
        status = sp_stop_ask(reader->stop, reterr);
        if (status == SP_OK)
            status = sp_reference_trace_read(store, &ids[i], reader->arena, &trace, reterr);
        if (status == SP_OK)
            status = reader->visit(reader->cookie, &ids[i], trace, reterr);
        else if (status == SP_NOT_FOUND)
            status = SP_OK;
    }
    return status;
}

enum sp_status sp_reference_traces_measure(struct sp_store *store, const struct sp_trace_id *ids,
                                           size_t count, const struct sp_stop *stop,
                                           struct sp_trace_measure *ret, struct sp_error *reterr)
{
    struct sp_reference_moment moment;
    enum sp_status status = sp_stop_ask(stop, reterr);
    if (status == SP_OK)
        status = sp_reference_moment_init(&moment, sp_reference_of(store), reterr);
    if (status != SP_OK)
        return status;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct sp_trace_measure){0};
        for (; at < moment.span_count; at++) {
            const struct sp_span *span = moment.spans[at];
            int order = sp_trace_id_compare(&span->trace_id, &ids[i]);
            if (order > 0)
                break;
            if (order < 0)
                continue;
            uint64_t end = span->start_unix_ns + sp_span_duration_ns(span);
            if (ret[i].span_count++ == 0 || span->start_unix_ns < ret[i].start_unix_ns)
                ret[i].start_unix_ns = span->start_unix_ns;
            if (end > ret[i].end_unix_ns)
                ret[i].end_unix_ns = end;
        }
    }
    sp_reference_moment_fini(&moment);
    return SP_OK;
}

/* The source of all brute force: every trace with a span in range. */
static enum sp_status sp_reference_each_trace(
    void *cookie, struct sp_time_range range, const struct sp_stop *stop,
    enum sp_status (*visit)(void *visitor, const struct sp_batch *trace, struct sp_error *reterr),
    void *visitor, struct sp_error *reterr)
{
    struct sp_reference_moment moment;
    enum sp_status status = sp_reference_moment_init(&moment, cookie, reterr);
    if (status != SP_OK)
        return status;
    for (size_t from = 0, end; from < moment.span_count && status == SP_OK; from = end) {
        end = sp_reference_moment_trace_end(&moment, from);
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
    sp_reference_moment_fini(&moment);
    return status;
}

struct sp_trace_source sp_reference_source(struct sp_store *store, const struct sp_stop *stop)
{
    return (struct sp_trace_source){
        .each = sp_reference_each_trace, .cookie = sp_reference_of(store), .stop = stop};
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

static int compare_ids(const void *a, const void *b)
{
    return sp_trace_id_compare(a, b);
}

/* What a scan asks of the whole trace. */
static bool trace_matches(const struct sp_scan *scan, const struct sp_batch *trace)
{
    if (scan->trace_id_count > 0 &&
        bsearch(&trace->spans[0].trace_id, scan->trace_ids, scan->trace_id_count,
                sizeof(*scan->trace_ids), compare_ids) == NULL)
        return false;
    for (size_t a = 0; a < scan->also_count; a++) {
        bool any = false;
        for (size_t i = 0; i < trace->span_count && !any; i++)
            any = sp_scan_matches(&scan->also[a], &trace->spans[i]);
        if (!any)
            return false;
    }
    return true;
}

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
    if (!matches || !trace_matches(candidates->scan, trace))
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

enum sp_status
sp_reference_scan(struct sp_store *store, const struct sp_scan *scan, const struct sp_stop *stop,
                  enum sp_visit (*visit)(void *cookie, const struct sp_candidate *candidate),
                  void *cookie, struct sp_scanned *ret_scanned, struct sp_error *reterr)
{
    struct candidates candidates = {.scan = scan, .stop = stop};
    struct sp_trace_source source = sp_reference_source(store, NULL);
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

enum sp_status sp_reference_survey(struct sp_store *store, const struct sp_scan *scan,
                                   const struct sp_surveyor *surveyors, uint32_t surveyor_count,
                                   const struct sp_stop *stop, struct sp_scanned *ret_scanned,
                                   struct sp_error *reterr)
{
    struct sp_trace_source source = sp_reference_source(store, stop);
    struct reference_surveying surveying = {
        .scan = scan, .surveyor = surveyors, .scanned = ret_scanned};
    *ret_scanned = (struct sp_scanned){0};
    (void)surveyor_count; /* the first does it all */
    return source.each(source.cookie, scan->range, stop, survey_trace, &surveying, reterr);
}
