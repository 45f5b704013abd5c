/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_pins.c: which traces are pinned, and which segments stay for them (docs/decisions/0146-pinned-traces.md). Knows the
 * database through kv.h only. */
#include "storage/rocks_pins.h"
#include "storage/rocks_view.h"

#include <inttypes.h>

#include "storage/rocks_change.h"
#include "storage/rocks_known.h"

static enum sp_status no_memory(struct sp_error *reterr)
{
    return sp_error_set(reterr, SP_NO_MEMORY, "no memory for pinned traces");
}

/* ---- what is known ---- */

enum sp_status sp_rocks_load_pins(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_kv_iterator *rows = sp_kv_iterator_new(rocks->kv, SP_KV_META);
    if (rows == NULL)
        return no_memory(reterr);
    enum sp_status status = SP_OK;
    rocks->pins.count = 0;
    sp_kv_iterator_seek(rows, SP_LAYOUT_PIN_PREFIX);
    for (; sp_kv_iterator_valid(rows) && status == SP_OK; sp_kv_iterator_next(rows)) {
        struct sp_pin pin;
        struct sp_slice key = sp_kv_iterator_key(rows);
        if (!sp_slice_starts_with(key, SP_LAYOUT_PIN_PREFIX))
            break;
        if (!sp_layout_pin_parse(key, &pin.trace_id) ||
            !sp_layout_pin_read(sp_kv_iterator_value(rows), &pin.pinned_unix_ns))
            status = sp_error_set(reterr, SP_CORRUPT, "the pinned traces are damaged");
        else if (!sp_vector_push(&rocks->pins, pin))
            status = no_memory(reterr);
    }
    if (status == SP_OK)
        status = sp_kv_iterator_status(rows, reterr);
    sp_kv_iterator_free(rows);
    return status;
}

/* Under the lock. The number of a pin, or how many there are. */
static uint32_t find(const struct sp_rocks *rocks, const struct sp_trace_id *id)
{
    uint32_t i = 0;
    while (i < rocks->pins.count && sp_trace_id_compare(&rocks->pins.items[i].trace_id, id) != 0)
        i++;
    return i;
}

/* Under the lock, and then not any more. */
static void forget(struct sp_rocks *rocks, const struct sp_trace_id *id)
{
    uint32_t at = find(rocks, id);
    if (at == rocks->pins.count)
        return;
    rocks->pins.count--;
    memmove(rocks->pins.items + at, rocks->pins.items + at + 1,
            (rocks->pins.count - at) * sizeof(struct sp_pin));
    rocks->pinned_segments.count = 0; /* they are asked again */
    rocks->unpin_count++;
}

/* ---- segments ---- */

/* Heap; NULL: no memory. */
static struct sp_pin *copy_pins(struct sp_rocks *rocks, size_t *ret_count)
{
    pthread_mutex_lock(&rocks->lock);
    *ret_count = rocks->pins.count;
    struct sp_pin *pins = calloc(*ret_count + 1, sizeof(*pins));
    if (pins != NULL && *ret_count > 0)
        memcpy(pins, rocks->pins.items, *ret_count * sizeof(*pins));
    pthread_mutex_unlock(&rocks->lock);
    return pins;
}

static enum sp_status holds_any(struct sp_kv *kv, const struct sp_segment *segment,
                                const struct sp_pin *pins, size_t count, bool *ret,
                                struct sp_error *reterr)
{
    struct sp_block_reader reader;
    *ret = false;
    enum sp_status status = sp_block_reader_init(&reader, kv, reterr);
    if (status != SP_OK)
        return status;
    for (size_t i = 0; i < count && status == SP_OK && !*ret; i++)
        status = sp_rocks_holds(&reader, segment, &pins[i].trace_id, ret, reterr);
    sp_block_reader_fini(&reader);
    return status;
}

enum sp_status sp_rocks_is_pinned(struct sp_rocks *rocks, const struct sp_segment *segment,
                                  bool *ret, struct sp_error *reterr)
{
    size_t count;
    struct sp_pin *pins = copy_pins(rocks, &count);
    *ret = false;
    if (pins == NULL)
        return no_memory(reterr);
    enum sp_status status =
        count > 0 ? holds_any(rocks->kv, segment, pins, count, ret, reterr) : SP_OK;
    free(pins);
    return status;
}

/* Which segments of a view stay for these. */
static enum sp_status measure(const struct sp_rocks_view *view, const struct sp_pin *pins,
                              size_t count, struct sp_pins *ret, struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    ret->segment_count = ret->segment_bytes = 0;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK && count > 0; i++) {
        const struct sp_segment *segment = view->parts[i].segment;
        bool holds = false;
        if (segment == NULL)
            continue;
        status = holds_any(view->kv, segment, pins, count, &holds, reterr);
        ret->segment_count += holds;
        ret->segment_bytes += holds ? segment->bytes : 0;
    }
    return status;
}

enum sp_status sp_rocks_pins(struct sp_store *store, struct sp_arena *arena, struct sp_pins *ret,
                             struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_view view;
    enum sp_status status = sp_rocks_view_open(rocks, &view, reterr);
    if (status != SP_OK)
        return status;
    size_t count;
    struct sp_pin *pins = copy_pins(rocks, &count);
    struct sp_pin *rows = sp_arena_calloc(arena, count + 1, sizeof(*rows));
    if (pins == NULL)
        status = no_memory(reterr);
    else if (rows == NULL)
        status =
            sp_arena_failed(arena, reterr, "pinned traces do not fit into this query's memory");
    else
        status = measure(&view, pins, count, ret, reterr);
    if (status == SP_OK && count > 0)
        memcpy(rows, pins, count * sizeof(*rows));
    if (status == SP_OK) {
        ret->rows = rows;
        ret->count = count;
    }
    free(pins);
    sp_rocks_view_close(&view);
    return status;
}

/* ---- changes, with history_lock held: no segment is removed meanwhile ---- */

static enum sp_status has_room(struct sp_rocks *rocks, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_pins found;
    uint64_t most = rocks->retention.disk_bytes / SP_PINS_ROOM_PART;
    size_t count;
    if (most == 0)
        return SP_OK;
    enum sp_status status = sp_rocks_view_open(rocks, &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_pin *pins = copy_pins(rocks, &count);
    status = pins != NULL ? measure(&view, pins, count, &found, reterr) : no_memory(reterr);
    free(pins);
    sp_rocks_view_close(&view);
    if (status == SP_OK && found.segment_bytes > most)
        status = sp_error_set(reterr, SP_LIMIT,
                              "the segments of pinned traces would take %" PRIu64
                              " bytes: at most %" PRIu64 ", half of the size to keep",
                              found.segment_bytes, most);
    return status;
}

static enum sp_status put(struct sp_rocks *rocks, const struct sp_pin *pin, struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_pin_key(&pin->trace_id);
    struct sp_buf value;
    sp_buf_init(&value, 64);
    sp_layout_pin_write(pin->pinned_unix_ns, &value);
    enum sp_status status = sp_rocks_change_write(rocks, sp_layout_key_slice(&key), &value, reterr);
    sp_buf_fini(&value);
    return status;
}

/* It is in the list already, so that it counts for what is asked of segments. */
static enum sp_status check_and_put(struct sp_rocks *rocks, const struct sp_pin *pin,
                                    struct sp_error *reterr)
{
    struct sp_trace_measure found;
    enum sp_status status =
        sp_store_traces_measure(&rocks->base, &pin->trace_id, 1, NULL, &found, reterr);
    if (status == SP_OK && found.span_count == 0)
        status = sp_error_set(reterr, SP_NOT_FOUND, "no span of the trace is stored");
    if (status == SP_OK)
        status = has_room(rocks, reterr);
    return status == SP_OK ? put(rocks, pin, reterr) : status;
}

static enum sp_status pin_trace(struct sp_rocks *rocks, const struct sp_pin *pin,
                                struct sp_error *reterr)
{
    pthread_mutex_lock(&rocks->lock);
    bool is_known = find(rocks, &pin->trace_id) < rocks->pins.count;
    bool is_full = rocks->pins.count >= SP_PINS_MAX;
    bool fits = is_known || is_full || sp_vector_push(&rocks->pins, *pin);
    pthread_mutex_unlock(&rocks->lock);
    if (is_known)
        return SP_OK;
    if (is_full)
        return sp_error_set(reterr, SP_LIMIT, "%d traces are pinned already: unpin one first",
                            SP_PINS_MAX);
    if (!fits)
        return no_memory(reterr);
    enum sp_status status = check_and_put(rocks, pin, reterr);
    if (status != SP_OK) {
        pthread_mutex_lock(&rocks->lock);
        forget(rocks, &pin->trace_id);
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}

static enum sp_status unpin_trace(struct sp_rocks *rocks, const struct sp_pin *pin,
                                  struct sp_error *reterr)
{
    struct sp_layout_key key = sp_layout_pin_key(&pin->trace_id);
    pthread_mutex_lock(&rocks->lock);
    bool is_known = find(rocks, &pin->trace_id) < rocks->pins.count;
    pthread_mutex_unlock(&rocks->lock);
    if (!is_known)
        return sp_error_set(reterr, SP_NOT_FOUND, "the trace is not pinned");
    enum sp_status status = sp_rocks_change_write(rocks, sp_layout_key_slice(&key), NULL, reterr);
    if (status == SP_OK) {
        pthread_mutex_lock(&rocks->lock);
        forget(rocks, &pin->trace_id);
        pthread_mutex_unlock(&rocks->lock);
    }
    return status;
}

static enum sp_status change(struct sp_rocks *rocks, const struct sp_pin *pin,
                             enum sp_status (*make)(struct sp_rocks *rocks,
                                                    const struct sp_pin *pin,
                                                    struct sp_error *reterr),
                             struct sp_error *reterr)
{
    struct sp_rocks_change changed;
    enum sp_status status = sp_rocks_change_begin(rocks, &rocks->history_lock, &changed, reterr);
    if (status != SP_OK)
        return status;
    status = make(rocks, pin, reterr);
    sp_rocks_change_end(rocks, &changed);
    return status;
}

enum sp_status sp_rocks_pin(struct sp_store *store, const struct sp_trace_id *id,
                            uint64_t now_unix_ns, struct sp_error *reterr)
{
    struct sp_pin pin = {.trace_id = *id, .pinned_unix_ns = now_unix_ns};
    return change(sp_rocks_of(store), &pin, pin_trace, reterr);
}

enum sp_status sp_rocks_unpin(struct sp_store *store, const struct sp_trace_id *id,
                              struct sp_error *reterr)
{
    struct sp_pin pin = {.trace_id = *id};
    return change(sp_rocks_of(store), &pin, unpin_trace, reterr);
}
