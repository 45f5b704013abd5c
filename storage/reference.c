/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/reference.c: the store in memory, by brute force: the oracle that other engines are compared with. Written to
 * be seen through, not to be fast: a list of batches, and every answer from a pass over all spans. Keeps nothing on
 * disk and knows no codec. */
#include "storage/reference.h"

#include <stdlib.h>

#include "storage/arrivals.h"

/* ---- writing ---- */

static struct sp_reference_batch *keep_batch(const struct sp_batch *batch, size_t arena_bytes_max,
                                             enum sp_status *ret_status)
{
    const struct sp_span **spans = calloc(batch->span_count + 1, sizeof(struct sp_span *));
    struct sp_reference_batch *kept = calloc(1, sizeof(*kept));
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

static enum sp_status push_batch(struct sp_reference *reference, struct sp_reference_batch *kept)
{
    if (reference->draining)
        return SP_UNAVAILABLE;
    if (reference->batch_count == reference->batch_cap) {
        size_t cap = reference->batch_cap > 0 ? reference->batch_cap * 2 : 16;
        struct sp_reference_batch **batches =
            realloc(reference->batches, cap * sizeof(struct sp_reference_batch *));
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
    struct sp_reference *reference = sp_reference_of(store);
    enum sp_status status;
    struct sp_reference_batch *kept =
        keep_batch(append->batch, reference->arena_bytes_max, &status);
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
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    reference->draining = true;
    pthread_mutex_unlock(&reference->lock);
}

static void reference_close(struct sp_store *store)
{
    struct sp_reference *reference = sp_reference_of(store);
    for (size_t i = 0; i < reference->batch_count; i++) {
        sp_arena_fini(&reference->batches[i]->arena);
        free(reference->batches[i]);
    }
    free(reference->batches);
    sp_short_link_list_fini(&reference->short_links);
    pthread_mutex_destroy(&reference->lock);
    free(reference);
}

/* ---- pinned traces ---- */

/* Under the lock. The number of a pin, or how many there are. */
static size_t find_pin(const struct sp_reference *reference, const struct sp_trace_id *id)
{
    size_t i = 0;
    while (i < reference->pin_count && sp_trace_id_compare(&reference->pins[i].trace_id, id) != 0)
        i++;
    return i;
}

static enum sp_status reference_pin(struct sp_store *store, const struct sp_trace_id *id,
                                    uint64_t now_unix_ns, struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    struct sp_trace_measure found;
    enum sp_status status = sp_reference_traces_measure(store, id, 1, NULL, &found, reterr);
    if (status == SP_OK && found.span_count == 0)
        status = sp_error_set(reterr, SP_NOT_FOUND, "no span of the trace is stored");
    if (status != SP_OK)
        return status;
    pthread_mutex_lock(&reference->lock);
    if (find_pin(reference, id) == reference->pin_count) {
        if (reference->pin_count == SP_PINS_MAX)
            status = sp_error_set(reterr, SP_LIMIT, "%d traces are pinned already: unpin one first",
                                  SP_PINS_MAX);
        else
            reference->pins[reference->pin_count++] =
                (struct sp_pin){.trace_id = *id, .pinned_unix_ns = now_unix_ns};
    }
    pthread_mutex_unlock(&reference->lock);
    return status;
}

static enum sp_status reference_unpin(struct sp_store *store, const struct sp_trace_id *id,
                                      struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    size_t at = find_pin(reference, id);
    bool is_pinned = at < reference->pin_count;
    if (is_pinned) {
        reference->pin_count--;
        memmove(reference->pins + at, reference->pins + at + 1,
                (reference->pin_count - at) * sizeof(struct sp_pin));
    }
    pthread_mutex_unlock(&reference->lock);
    return is_pinned ? SP_OK : sp_error_set(reterr, SP_NOT_FOUND, "the trace is not pinned");
}

static enum sp_status reference_pins(struct sp_store *store, struct sp_arena *arena,
                                     struct sp_pins *ret, struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    struct sp_pin *rows = sp_arena_calloc(arena, SP_PINS_MAX, sizeof(*rows));
    if (rows == NULL)
        return sp_arena_failed(arena, reterr, "pinned traces do not fit into this query's memory");
    pthread_mutex_lock(&reference->lock);
    *ret = (struct sp_pins){.rows = rows, .count = reference->pin_count};
    memcpy(rows, reference->pins, reference->pin_count * sizeof(*rows));
    pthread_mutex_unlock(&reference->lock);
    return SP_OK;
}

/* ---- links ---- */

static enum sp_status reference_short_link_add(struct sp_store *store, struct sp_slice state,
                                               uint64_t now_unix_ns, uint64_t *ret_id,
                                               struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    bool is_known;
    pthread_mutex_lock(&reference->lock);
    enum sp_status status =
        sp_short_link_list_choose(&reference->short_links, state, ret_id, &is_known, reterr);
    if (status == SP_OK && !is_known)
        status =
            sp_short_link_list_add(&reference->short_links, *ret_id, now_unix_ns, state, reterr);
    pthread_mutex_unlock(&reference->lock);
    return status;
}

static enum sp_status reference_short_link(struct sp_store *store, uint64_t id,
                                           struct sp_arena *arena, struct sp_slice *ret_state,
                                           struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    enum sp_status status =
        sp_short_link_list_read(&reference->short_links, id, arena, ret_state, reterr);
    pthread_mutex_unlock(&reference->lock);
    return status;
}

static enum sp_status reference_short_link_remove(struct sp_store *store, uint64_t id,
                                                  struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    enum sp_status status = sp_short_link_list_check_has(&reference->short_links, id, reterr);
    if (status == SP_OK)
        sp_short_link_list_remove(&reference->short_links, id);
    pthread_mutex_unlock(&reference->lock);
    return status;
}

static enum sp_status reference_short_links(struct sp_store *store, struct sp_arena *arena,
                                            struct sp_short_links *ret, struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    enum sp_status status = sp_short_link_list_copy(&reference->short_links, arena, ret, reterr);
    pthread_mutex_unlock(&reference->lock);
    return status;
}

/* ---- retention ---- */

/* Under the lock. */
static bool is_pinned(const struct sp_reference *reference, const struct sp_reference_batch *kept)
{
    for (size_t i = 0; i < kept->batch->span_count && reference->pin_count > 0; i++) {
        if (find_pin(reference, &kept->batch->spans[i].trace_id) < reference->pin_count)
            return true;
    }
    return false;
}

/* ---- retention ---- */

static bool is_old(const struct sp_reference_batch *kept, uint64_t cutoff_unix_ns)
{
    bool old = true;
    for (size_t i = 0; i < kept->batch->span_count; i++)
        old &= kept->batch->spans[i].start_unix_ns < cutoff_unix_ns;
    return old || kept->received_unix_ns < cutoff_unix_ns;
}

void sp_store_reference_remove(struct sp_store *store, uint64_t first_append, uint64_t last_append)
{
    struct sp_reference *reference = sp_reference_of(store);
    pthread_mutex_lock(&reference->lock);
    for (uint64_t i = first_append; i <= last_append && i <= reference->batch_count; i++)
        reference->batches[i - 1]->is_removed = true;
    pthread_mutex_unlock(&reference->lock);
}

static enum sp_status reference_retain(struct sp_store *store, const struct sp_retain *retain,
                                       struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    uint64_t age_ns = retain->keep.age_ns;
    (void)reterr;
    pthread_mutex_lock(&reference->lock);
    for (size_t i = 0; i < reference->batch_count; i++) {
        struct sp_reference_batch *kept = reference->batches[i];
        if (kept->is_removed || age_ns == 0 || retain->now_unix_ns <= age_ns ||
            !is_old(kept, retain->now_unix_ns - age_ns) || is_pinned(reference, kept))
            continue;
        kept->is_removed = true;
        if (retain->removed != NULL)
            retain->removed(retain->cookie, i + 1, i + 1, kept->batch->span_count);
    }
    pthread_mutex_unlock(&reference->lock);
    return SP_OK;
}

/* ---- arrivals: the batches behind the cursor, which counts them ---- */

static enum sp_status reference_arrivals_begin(struct sp_store *store,
                                               struct sp_arrivals_cursor *ret,
                                               struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    (void)reterr;
    pthread_mutex_lock(&reference->lock);
    *ret = (struct sp_arrivals_cursor){.appends = reference->batch_count};
    pthread_mutex_unlock(&reference->lock);
    return SP_OK;
}

static void reference_arrivals_end(struct sp_store *store)
{
    (void)store; /* it remembers everything anyway */
}

/* The trace of each span, in the order in which they came. Under the lock. */
static struct sp_trace_id *ids_behind(const struct sp_reference *reference, size_t first_batch,
                                      struct sp_arena *arena, size_t *ret_count)
{
    size_t count = 0;
    for (size_t i = first_batch; i < reference->batch_count; i++)
        count += reference->batches[i]->batch->span_count;
    struct sp_trace_id *ids = sp_arena_alloc(arena, (count + 1) * sizeof(*ids));
    *ret_count = 0;
    for (size_t i = first_batch; i < reference->batch_count && ids != NULL; i++) {
        const struct sp_batch *batch = reference->batches[i]->batch;
        for (size_t s = 0; s < batch->span_count; s++)
            ids[(*ret_count)++] = batch->spans[s].trace_id;
    }
    return ids;
}

static enum sp_status reference_arrivals_read(struct sp_store *store,
                                              struct sp_arrivals_cursor *cursor,
                                              struct sp_arena *arena, struct sp_arrivals *ret,
                                              struct sp_error *reterr)
{
    struct sp_reference *reference = sp_reference_of(store);
    size_t count;
    pthread_mutex_lock(&reference->lock);
    size_t batch_count = reference->batch_count;
    struct sp_trace_id *ids = ids_behind(reference, cursor->appends, arena, &count);
    pthread_mutex_unlock(&reference->lock);
    if (ids == NULL)
        return sp_arena_failed(arena, reterr, "what came in does not fit into this query's memory");
    enum sp_status status = sp_arrivals_newest_first(ids, count, &count, reterr);
    if (status != SP_OK)
        return status;
    size_t told = count < SP_ARRIVALS_MAX ? count : SP_ARRIVALS_MAX;
    *ret = (struct sp_arrivals){.ids = ids, .count = told, .skipped = count - told};
    cursor->appends = batch_count;
    return SP_OK;
}

static const struct sp_store_ops reference_ops = {
    .append = reference_append,
    .drain = reference_drain,
    .close = reference_close,
    .trace_read = sp_reference_trace_read,
    .traces_read = sp_reference_traces_read,
    .traces_measure = sp_reference_traces_measure,
    .scan = sp_reference_scan,
    .arrivals_begin = reference_arrivals_begin,
    .arrivals_end = reference_arrivals_end,
    .arrivals_read = reference_arrivals_read,
    .services = sp_reference_services,
    .operations = sp_reference_operations,
    .attribute_keys = sp_reference_keys,
    .attribute_values = sp_reference_values,
    .latency = sp_reference_latency,
    .graph = sp_reference_graph,
    .survey = sp_reference_survey,
    .retain = reference_retain,
    .pin = reference_pin,
    .unpin = reference_unpin,
    .pins = reference_pins,
    .short_link_add = reference_short_link_add,
    .short_link = reference_short_link,
    .short_link_remove = reference_short_link_remove,
    .short_links = reference_short_links,
    .stats = sp_reference_stats,
};

enum sp_status sp_store_reference_open(const struct sp_store_options *options,
                                       struct sp_store **ret, struct sp_error *reterr)
{
    struct sp_reference *reference = calloc(1, sizeof(*reference));
    if (reference == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory for a store");
    reference->base.ops = &reference_ops;
    reference->arena_bytes_max = options->limits->arena_bytes_max;
    pthread_mutex_init(&reference->lock, NULL);
    *ret = &reference->base;
    return SP_OK;
}
