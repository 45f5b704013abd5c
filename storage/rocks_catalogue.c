/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/rocks_catalogue.c: services, operations, attributes, latency. Segments know their whole minutes; what a range
 * cuts at its ends, attribute values, and what is in memory is counted block by block. Knows the database through kv.h only. */
#include "storage/block_count.h"
#include "storage/rocks_pins.h"
#include "storage/rocks_rollup.h"
#include "storage/rocks_short_links.h"
#include "storage/rocks_view.h"
#include "storage/slots.h"

/* ---- counting ---- */

struct question {
    struct sp_time_range range;
    const struct sp_stop *stop;
    struct sp_tally *tally;
    uint64_t next_mark;

    const struct sp_operation_filter *operations; /* one of the three is set */
    const struct sp_value_filter *values;
    bool keys;

    bool with_latency;
    uint32_t scopes;
    struct sp_slice prefix;
};

/* The rows of the present block that start in range. */
static enum sp_status count_block(struct question *question, struct sp_part_cursor *cursor,
                                  struct sp_time_range range, struct sp_error *reterr)
{
    struct sp_block_view view;
    sp_part_cursor_view(cursor, &view);
    if (question->keys)
        return sp_block_count_keys(&view, range, question->scopes, question->prefix,
                                   &question->next_mark, question->tally, reterr);
    if (question->values != NULL)
        return sp_block_count_values(&view, range, question->values, &question->next_mark,
                                     question->tally, reterr);
    return sp_block_count_operations(&view, range, question->operations, question->with_latency,
                                     question->tally, reterr);
}

/* The rows of a part that start in range, from its blocks. */
static enum sp_status count_blocks(struct question *question, const struct sp_rocks_view *view,
                                   const struct sp_rocks_part *part, struct sp_time_range range,
                                   struct sp_error *reterr)
{
    struct sp_part_cursor cursor;
    enum sp_status status = sp_part_cursor_init(&cursor, part, view, reterr);
    for (uint32_t b = 0; b < cursor.block_count && status == SP_OK; b++) {
        struct sp_segment_block info = sp_part_cursor_info(&cursor, b);
        if (!sp_rocks_overlaps(range, info.start_min_unix_ns, info.start_max_unix_ns))
            continue;
        status = sp_stop_ask(question->stop, reterr);
        if (status == SP_OK)
            status = sp_part_cursor_open(&cursor, b, reterr);
        if (status == SP_OK)
            status = count_block(question, &cursor, range, reterr);
    }
    sp_part_cursor_fini(&cursor);
    return status;
}

static enum sp_status read_counts(void *cookie, const struct sp_rollup_reader *reader,
                                  struct sp_time_range range, struct sp_error *reterr)
{
    struct question *question = cookie;
    return question->keys
               ? sp_rollup_read_keys(reader, range, question->scopes, question->prefix,
                                     question->tally, reterr)
               : sp_rollup_read_operations(reader, range, question->operations,
                                           question->with_latency, question->tally, reterr);
}

/* The whole minutes in range, from what was counted when the segment was written. */
static enum sp_status count_minutes(struct question *question, const struct sp_rocks_view *view,
                                    struct sp_segment *segment, struct sp_time_range range,
                                    struct sp_error *reterr)
{
    const struct sp_rocks_counts_reader to = {read_counts, question};
    enum sp_status status = sp_stop_ask(question->stop, reterr);
    return status == SP_OK ? sp_rocks_counts_count(view, segment, range, &to, reterr) : status;
}

/* Has the segment a start in range? An empty range has none. */
static bool is_touched(const struct sp_segment *segment, struct sp_time_range range)
{
    return !sp_time_range_is_empty(range) &&
           sp_rocks_overlaps(range, segment->start_min_unix_ns, segment->start_max_unix_ns);
}

/* Whole minutes are known; what the range has before and behind them is counted. */
/* All values of a segment under a key, into the cache. Those of a key that has too many are not kept, and *ret_many is set. */
static enum sp_status learn_values(struct question *question, const struct sp_rocks_view *view,
                                   const struct sp_rocks_part *part, bool *ret_many,
                                   struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_tally tally;
    struct sp_value_filter filter = *question->values;
    struct question whole = {.range = SP_TIME_RANGE_ALL,
                             .stop = question->stop,
                             .tally = &tally,
                             .next_mark = 1,
                             .values = &filter};
    filter.prefix = SP_SLICE("");
    sp_arena_init(&arena, SP_VALUE_CACHE_KEY_BYTES);
    sp_tally_init(&tally, &arena);
    enum sp_status status = count_blocks(&whole, view, part, SP_TIME_RANGE_ALL, reterr);
    *ret_many = status == SP_LIMIT;
    if (status == SP_OK || status == SP_LIMIT)
        sp_value_cache_keep(view->rocks->value_cache, part->segment->id, &filter,
                            status == SP_OK ? &tally : NULL);
    sp_tally_fini(&tally);
    sp_arena_fini(&arena);
    return status == SP_LIMIT ? SP_OK : status;
}

/* Values of a segment: from the cache, if all its spans are asked for. */
static enum sp_status count_values(struct question *question, const struct sp_rocks_view *view,
                                   const struct sp_rocks_part *part, struct sp_error *reterr)
{
    const struct sp_segment *segment = part->segment;
    enum sp_value_cached cached = SP_VALUES_MANY;
    enum sp_status status = SP_OK;
    bool many = false;
    bool whole = sp_time_range_contains(question->range, segment->start_min_unix_ns) &&
                 sp_time_range_contains(question->range, segment->start_max_unix_ns);
    for (int i = 0; i < 2 && whole && !many && status == SP_OK; i++) {
        status = sp_stop_ask(question->stop, reterr);
        if (status == SP_OK)
            status = sp_value_cache_read(view->rocks->value_cache, segment->id, question->values,
                                         question->tally, &cached, reterr);
        if (status != SP_OK || cached != SP_VALUES_UNKNOWN)
            break;
        status = learn_values(question, view, part, &many, reterr);
    }
    /* Nothing is kept without memory: then they are counted here, as if they were many. */
    if (status != SP_OK || cached == SP_VALUES_KNOWN)
        return status;
    return count_blocks(question, view, part, question->range, reterr);
}

static enum sp_status count_segment(struct question *question, const struct sp_rocks_view *view,
                                    const struct sp_rocks_part *part, struct sp_error *reterr)
{
    struct sp_time_range minutes = sp_time_range_full_minutes(question->range);
    struct sp_time_range cut[2] = {{question->range.from_unix_ns, minutes.from_unix_ns},
                                   {minutes.to_unix_ns, question->range.to_unix_ns}};
    enum sp_status status = SP_OK;
    if (question->values != NULL)
        return count_values(question, view, part, reterr);
    if (sp_time_range_is_empty(minutes))
        return count_blocks(question, view, part, question->range, reterr);
    if (is_touched(part->segment, minutes))
        status = count_minutes(question, view, part->segment, minutes, reterr);
    if (status == SP_OK && is_touched(part->segment, cut[0]))
        status = count_blocks(question, view, part, cut[0], reterr);
    /* A range without an end has whole minutes up to the end of time. */
    if (status == SP_OK && minutes.to_unix_ns != UINT64_MAX && is_touched(part->segment, cut[1]))
        status = count_blocks(question, view, part, cut[1], reterr);
    return status;
}

static enum sp_status count_part(struct question *question, const struct sp_rocks_view *view,
                                 const struct sp_rocks_part *part, struct sp_error *reterr)
{
    if (part->segment == NULL)
        return count_blocks(question, view, part, question->range, reterr);
    return is_touched(part->segment, question->range) ? count_segment(question, view, part, reterr)
                                                      : SP_OK;
}

/* Opens the view, which is the caller's to close when it comes back with SP_OK. */
static enum sp_status count_all(struct sp_store *store, struct question *question,
                                struct sp_rocks_view *view, struct sp_error *reterr)
{
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), view, reterr);
    if (status != SP_OK)
        return status;
    question->next_mark = 1;
    status = sp_rocks_view_flatten(view, reterr);
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        if (!sp_time_range_is_empty(question->range))
            status = count_part(question, view, &view->parts[i], reterr);
    }
    if (status != SP_OK)
        sp_rocks_view_close(view);
    return status;
}

/* ---- services ---- */

/* Slots that were given; services that are fresh still get theirs in the order in which they came. */
static enum sp_status fill_slots(struct sp_rocks *rocks, const struct sp_rocks_view *fresh,
                                 struct sp_arena *arena, struct sp_service_row *rows, size_t count,
                                 struct sp_error *reterr)
{
    enum sp_status status = SP_OK;
    struct sp_tally coming;
    sp_tally_init(&coming, arena);
    pthread_mutex_lock(&rocks->lock);
    for (size_t e = 0; e < fresh->fresh_count && status == SP_OK; e++) {
        const struct sp_batch *batch = fresh->fresh[e]->append->batch;
        for (size_t i = 0; i < batch->span_count && status == SP_OK; i++) {
            struct sp_tally_row *row;
            struct sp_slice service = sp_span_service(&batch->spans[i]);
            if ((i == 0 || batch->spans[i].resource != batch->spans[i - 1].resource) &&
                sp_slot_fits(service) &&
                sp_interner_find(&rocks->services, 0, service) == SP_INTERNER_NONE)
                status = sp_tally_row(&coming, service, SP_SLICE(""), 0, &row, reterr);
        }
    }
    for (size_t i = 0; i < count && status == SP_OK; i++) {
        struct sp_tally_row *row;
        rows[i].slot = sp_interner_find(&rocks->services, 0, rows[i].name);
        if (rows[i].slot != SP_INTERNER_NONE)
            continue;
        rows[i].slot = SP_SLOTS_MAX;
        if (!sp_slot_fits(rows[i].name))
            continue;
        status = sp_tally_row(&coming, rows[i].name, SP_SLICE(""), 0, &row, reterr);
        if (status == SP_OK && (uint64_t)rocks->services.texts.count + row->index < SP_SLOTS_MAX)
            rows[i].slot = rocks->services.texts.count + row->index;
    }
    pthread_mutex_unlock(&rocks->lock);
    sp_tally_fini(&coming);
    return status;
}

static enum sp_status rocks_services(struct sp_store *store, struct sp_time_range range,
                                     const struct sp_stop *stop, struct sp_arena *arena,
                                     const struct sp_service_row **ret_rows, size_t *ret_count,
                                     struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_rocks_view fresh;
    struct sp_tally tally;
    struct sp_service_row *rows = NULL;
    size_t count = 0;
    struct sp_operation_filter all = {.kind = SP_KIND_ANY};
    sp_tally_init(&tally, arena);
    struct question question = {.range = range, .stop = stop, .tally = &tally, .operations = &all};
    /* Taken first: what is fresh now may have its slots by the time the rows are counted, but is not forgotten. */
    enum sp_status status = sp_rocks_view_open(sp_rocks_of(store), &fresh, reterr);
    if (status != SP_OK)
        return status;
    status = count_all(store, &question, &view, reterr);
    if (status == SP_OK) {
        sp_rocks_view_close(&view);
        status = sp_rows_services(&tally, arena, &rows, &count, reterr);
    }
    if (status == SP_OK)
        status = fill_slots(sp_rocks_of(store), &fresh, arena, rows, count, reterr);
    if (status == SP_OK) {
        *ret_rows = rows;
        *ret_count = count;
    }
    sp_tally_fini(&tally);
    sp_rocks_view_close(&fresh);
    return status;
}

/* ---- operations, latency, attributes ---- */

static enum sp_status rocks_operations(struct sp_store *store, struct sp_slice service,
                                       struct sp_time_range range, const struct sp_stop *stop,
                                       struct sp_arena *arena,
                                       const struct sp_operation_row **ret_rows, size_t *ret_count,
                                       struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    struct sp_operation_filter filter = {.service = service, .kind = SP_KIND_ANY};
    sp_tally_init(&tally, arena);
    struct question question = {
        .range = range, .stop = stop, .tally = &tally, .operations = &filter};
    enum sp_status status = count_all(store, &question, &view, reterr);
    if (status == SP_OK) {
        sp_rocks_view_close(&view);
        status = sp_rows_operations(&tally, arena, ret_rows, ret_count, reterr);
    }
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status rocks_latency(struct sp_store *store, struct sp_slice service,
                                    struct sp_slice operation, int32_t kind,
                                    struct sp_time_range range, const struct sp_stop *stop,
                                    struct sp_arena *arena, struct sp_latency_series **ret_rows,
                                    size_t *ret_count, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    struct sp_operation_filter filter = {.service = service, .name = operation, .kind = kind};
    sp_tally_init(&tally, arena);
    struct question question = {
        .range = range, .stop = stop, .tally = &tally, .operations = &filter, .with_latency = true};
    enum sp_status status = count_all(store, &question, &view, reterr);
    if (status == SP_OK) {
        sp_rocks_view_close(&view);
        status = sp_rows_latency(&tally, arena, ret_rows, ret_count, reterr);
    }
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status rocks_keys(struct sp_store *store, uint32_t scopes, struct sp_slice prefix,
                                 struct sp_time_range range, const struct sp_stop *stop,
                                 size_t limit, struct sp_arena *arena,
                                 const struct sp_key_row **ret_rows, size_t *ret_count,
                                 bool *ret_complete, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    sp_tally_init(&tally, arena);
    struct question question = {.range = range,
                                .stop = stop,
                                .tally = &tally,
                                .keys = true,
                                .scopes = scopes,
                                .prefix = prefix};
    enum sp_status status = count_all(store, &question, &view, reterr);
    if (status == SP_OK) {
        sp_rocks_view_close(&view);
        status = sp_rows_keys(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    }
    sp_tally_fini(&tally);
    return status;
}

static enum sp_status rocks_values(struct sp_store *store, uint32_t scopes, struct sp_slice key,
                                   struct sp_slice prefix, struct sp_time_range range,
                                   const struct sp_stop *stop, size_t limit, struct sp_arena *arena,
                                   const struct sp_value_row **ret_rows, size_t *ret_count,
                                   bool *ret_complete, struct sp_error *reterr)
{
    struct sp_rocks_view view;
    struct sp_tally tally;
    struct sp_value_filter filter = {.scopes = scopes, .key = key, .prefix = prefix};
    sp_tally_init(&tally, arena);
    struct question question = {.range = range, .stop = stop, .tally = &tally, .values = &filter};
    enum sp_status status = count_all(store, &question, &view, reterr);
    if (status == SP_OK) {
        sp_rocks_view_close(&view);
        status = sp_rows_values(&tally, limit, arena, ret_rows, ret_count, ret_complete, reterr);
    }
    sp_tally_fini(&tally);
    return status;
}

/* ---- state ---- */

static void count_times(struct sp_store_stats *stats, uint64_t spans, uint64_t min_unix_ns,
                        uint64_t max_unix_ns)
{
    if (stats->span_count == 0 || min_unix_ns < stats->oldest_unix_ns)
        stats->oldest_unix_ns = min_unix_ns;
    if (stats->span_count == 0 || max_unix_ns > stats->newest_unix_ns)
        stats->newest_unix_ns = max_unix_ns;
    stats->span_count += spans;
}

/* Is a trace in a segment? */
static enum sp_status is_sealed(const struct sp_rocks_view *view, struct sp_part_cursor *cursors,
                                const struct sp_trace_id *id, bool *ret, struct sp_error *reterr)
{
    uint64_t hash = sp_filter_hash(id);
    *ret = false;
    for (uint32_t i = 0; i < view->part_count && !*ret; i++) {
        uint32_t first;
        uint32_t end;
        uint32_t row;
        if (view->parts[i].segment == NULL)
            break;
        sp_segment_find(view->parts[i].segment, id, hash, &first, &end);
        for (uint32_t b = first; b < end && !*ret; b++) {
            uint32_t count;
            enum sp_status status = sp_part_cursor_find(&cursors[i], b, id, &row, &count, reterr);
            if (status != SP_OK)
                return status;
            *ret = count > 0;
        }
    }
    return SP_OK;
}

/* The traces of the blocks in memory that no segment holds. */
static enum sp_status count_head_traces(const struct sp_rocks_view *view,
                                        struct sp_part_cursor *cursors,
                                        struct sp_store_stats *stats, struct sp_error *reterr)
{
    struct sp_idset traces = {0};
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        if (view->parts[i].memory == NULL)
            continue;
        const struct sp_block *block = &view->parts[i].memory->block;
        for (uint32_t t = 0; t < block->trace_count && status == SP_OK; t++) {
            bool added;
            bool sealed = false;
            status = sp_idset_add(&traces, &block->trace_ids[t], &added);
            if (status != SP_OK)
                sp_error_set(reterr, status, "no memory to count %zu traces", traces.count);
            if (status == SP_OK && added)
                status = is_sealed(view, cursors, &block->trace_ids[t], &sealed, reterr);
            stats->trace_count += status == SP_OK && added && !sealed;
        }
    }
    sp_idset_fini(&traces);
    return status;
}

static enum sp_status count_parts(const struct sp_rocks_view *view, struct sp_store_stats *stats,
                                  struct sp_error *reterr)
{
    struct sp_part_cursor *cursors = calloc((size_t)view->part_count + 1, sizeof(*cursors));
    if (cursors == NULL)
        return sp_error_set(reterr, SP_NO_MEMORY, "no memory to read the store");
    enum sp_status status = SP_OK;
    for (uint32_t i = 0; i < view->part_count && status == SP_OK; i++) {
        const struct sp_segment *segment = view->parts[i].segment;
        status = sp_part_cursor_init(&cursors[i], &view->parts[i], view, reterr);
        if (segment != NULL) {
            count_times(stats, segment->span_count, segment->start_min_unix_ns,
                        segment->start_max_unix_ns);
            stats->trace_count += view->parts[i].links.new_trace_count;
        } else {
            const struct sp_block *block = &view->parts[i].memory->block;
            count_times(stats, block->tables[SP_BLOCK_SPANS].count, block->start_min_unix_ns,
                        block->start_max_unix_ns);
        }
    }
    if (status == SP_OK)
        status = count_head_traces(view, cursors, stats, reterr);
    for (uint32_t i = 0; i < view->part_count; i++)
        sp_part_cursor_fini(&cursors[i]);
    free(cursors);
    return status;
}

/* Nothing is known yet but how far that is. */
static bool is_opening(const struct sp_rocks *rocks, struct sp_store_stats *ret)
{
    if (atomic_load(&rocks->is_open) || atomic_load(&rocks->open_failed))
        return false;
    *ret = (struct sp_store_stats){
        .opening = true, .follows = rocks->follows, .replay = sp_rocks_replay_stats(rocks)};
    return true;
}

static enum sp_status rocks_stats(struct sp_store *store, struct sp_store_stats *ret,
                                  struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    struct sp_rocks_view view;
    if (is_opening(rocks, ret))
        return SP_OK;
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    if (status == SP_OK) /* who watches the store wants to know most of all when it is not well */
        status = sp_rocks_view_open_at_once(rocks, &view, reterr);
    if (status != SP_OK)
        return status;
    struct sp_store_stats stats = {.disk_bytes = sp_datadir_bytes(&rocks->dir),
                                   .replay = sp_rocks_replay_stats(rocks)};
    status = sp_rocks_view_flatten(&view, reterr);
    if (status == SP_OK)
        status = count_parts(&view, &stats, reterr);
    pthread_mutex_lock(&rocks->lock);
    stats.append_count = rocks->append_count;
    stats.commit_count = rocks->commit_count;
    stats.backlog_appends = rocks->fresh.count;
    stats.backlog_bytes = rocks->fresh.bytes + sp_rocks_head_bytes(rocks, 0);
    stats.apply_failure_count = rocks->seal_failure_count;
    stats.apply_fails = rocks->columns_stuck || rocks->sealer_stuck;
    stats.segment_count = rocks->segments.count;
    stats.merge_waiting_count = sp_rocks_merge_debt(rocks);
    stats.dropped_segment_count = rocks->dropped.count;
    stats.merge_count = rocks->merge_count;
    stats.merged_span_count = rocks->merged_span_count;
    stats.merge_failure_count = rocks->merge_failure_count;
    stats.merge_cpu_ns = rocks->merge_cpu_ns;
    stats.removed_by_age = rocks->removed_by_age;
    stats.removed_by_size = rocks->removed_by_size;
    sp_rocks_follow_stats(rocks, &stats);
    pthread_mutex_unlock(&rocks->lock);
    if (status == SP_OK)
        *ret = stats;
    sp_rocks_view_close(&view);
    return status;
}

static enum sp_status rocks_arrivals_begin(struct sp_store *store, struct sp_arrivals_cursor *ret,
                                           struct sp_error *reterr)
{
    struct sp_rocks *rocks = sp_rocks_of(store);
    enum sp_status status = sp_rocks_check_open(rocks, reterr);
    return status == SP_OK ? sp_arrivals_log_begin(&rocks->arrivals, ret, reterr) : status;
}

static void rocks_arrivals_end(struct sp_store *store)
{
    sp_arrivals_log_end(&sp_rocks_of(store)->arrivals);
}

static enum sp_status rocks_arrivals_read(struct sp_store *store, struct sp_arrivals_cursor *cursor,
                                          struct sp_arena *arena, struct sp_arrivals *ret,
                                          struct sp_error *reterr)
{
    return sp_arrivals_log_read(&sp_rocks_of(store)->arrivals, cursor, arena, ret, reterr);
}

static void rocks_close(struct sp_store *store)
{
    sp_rocks_close(sp_rocks_of(store));
}

static void rocks_help(struct sp_store *store, struct sp_store_helper *helper, pthread_t host)
{
    sp_gate_help(&sp_rocks_of(store)->gate, &helper->at_gate, host);
}

static void rocks_help_end(struct sp_store *store, struct sp_store_helper *helper)
{
    sp_gate_help_end(&sp_rocks_of(store)->gate, &helper->at_gate);
}

const struct sp_store_ops sp_rocks_ops = {
    .append = sp_rocks_append,
    .drain = sp_rocks_drain,
    .close = rocks_close,
    .trace_read = sp_rocks_trace_read,
    .traces_read = sp_rocks_traces_read,
    .traces_measure = sp_rocks_traces_measure,
    .scan = sp_rocks_scan,
    .help = rocks_help,
    .help_end = rocks_help_end,
    .arrivals_begin = rocks_arrivals_begin,
    .arrivals_end = rocks_arrivals_end,
    .arrivals_read = rocks_arrivals_read,
    .services = rocks_services,
    .operations = rocks_operations,
    .attribute_keys = rocks_keys,
    .attribute_values = rocks_values,
    .latency = rocks_latency,
    .graph = sp_rocks_graph,
    .survey = sp_rocks_survey,
    .pin = sp_rocks_pin,
    .unpin = sp_rocks_unpin,
    .pins = sp_rocks_pins,
    .short_link_add = sp_rocks_short_link_add,
    .short_link = sp_rocks_short_link,
    .short_link_remove = sp_rocks_short_link_remove,
    .short_links = sp_rocks_short_links,
    .backup_make = sp_rocks_backup_make,
    .backup_list = sp_rocks_backup_list,
    .backup_remove = sp_rocks_backup_remove,
    .retain = sp_rocks_retain,
    .stats = rocks_stats,
};
