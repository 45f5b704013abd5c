/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_columns.c: see query/trace_columns.h. */
#include "query/trace_columns.h"

#include <stdlib.h>

#include "query/dictionary.h"
#include "query/internal.h"

/* ---- columns ---- */

struct source {
    const struct sp_trace *trace;
    const uint32_t *service_codes, *operation_codes;
};

static int64_t column_start(const struct source *s, uint32_t row)
{
    return (int64_t)(s->trace->rows[row].span->start_unix_ns - s->trace->start_unix_ns);
}

static int64_t column_duration(const struct source *s, uint32_t row)
{
    return (int64_t)s->trace->rows[row].duration_ns;
}

static int64_t column_self(const struct source *s, uint32_t row)
{
    return (int64_t)s->trace->rows[row].self_ns;
}

static int64_t column_depth(const struct source *s, uint32_t row)
{
    return s->trace->rows[row].depth;
}

static int64_t column_subtree_size(const struct source *s, uint32_t row)
{
    return s->trace->rows[row].subtree_size;
}

static int64_t column_parent(const struct source *s, uint32_t row)
{
    uint32_t parent = s->trace->rows[row].parent;
    return parent == SP_ROW_NONE ? -1 : (int64_t)parent;
}

static int64_t column_service(const struct source *s, uint32_t row)
{
    return s->service_codes[row];
}

static int64_t column_operation(const struct source *s, uint32_t row)
{
    return s->operation_codes[row];
}

static int64_t column_kind(const struct source *s, uint32_t row)
{
    return s->trace->rows[row].span->kind;
}

static int64_t column_status(const struct source *s, uint32_t row)
{
    return s->trace->rows[row].span->status_code;
}

static int64_t column_flags(const struct source *s, uint32_t row)
{
    return s->trace->rows[row].flags;
}

static const struct {
    const char *name;
    int64_t (*value)(const struct source *s, uint32_t row);
    bool is_signed; /* otherwise the bits are those of a uint64_t: times can lie 584 years apart */
} columns[] = {
    {"start", column_start, false},
    {"duration", column_duration, false},
    {"self", column_self, false},
    {"depth", column_depth, false},
    {"subtreeSize", column_subtree_size, false},
    {"parent", column_parent, true},
    {"service", column_service, false},
    {"operation", column_operation, false},
    {"kind", column_kind, true},
    {"status", column_status, true},
    {"flags", column_flags, false},
};

/* Numbers are worked out and written in blocks. */
#define COLUMN_BLOCK 512

static void write_columns(const struct source *s, struct sp_json_writer *w)
{
    sp_json_key(w, "columns");
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(columns); i++) {
        sp_json_key(w, columns[i].name);
        sp_json_array_begin(w);
        for (uint32_t row = 0; row < s->trace->row_count;) {
            int64_t values[COLUMN_BLOCK];
            size_t n = 0;
            for (; n < COLUMN_BLOCK && row < s->trace->row_count; row++)
                values[n++] = columns[i].value(s, row);
            sp_json_integers(w, values, n, columns[i].is_signed);
        }
        sp_json_array_end(w);
    }
    sp_json_object_end(w);
}

/* ---- the rest ---- */

static void number(struct sp_json_writer *w, const char *key, uint64_t value)
{
    sp_json_key(w, key);
    sp_json_u64(w, value);
}

static void write_head(const struct sp_trace_id *id, const struct sp_trace *trace,
                       struct sp_json_writer *w)
{
    sp_json_key(w, "traceId");
    sp_json_hex(w, sp_slice_make(id->bytes, SP_TRACE_ID_BYTES));
    sp_json_key(w, "startTimeUnixNano");
    sp_json_u64_string(w, trace->start_unix_ns);
    sp_json_key(w, "durationNano");
    sp_json_u64_string(w, trace->end_unix_ns - trace->start_unix_ns);
    number(w, "spanCount", trace->row_count);
    number(w, "errorCount", trace->error_count);
    number(w, "orphanCount", trace->orphan_count);
    number(w, "duplicateCount", trace->duplicate_count);
    number(w, "rootCount", trace->root_count);
    number(w, "depthMax", trace->depth_max);
    number(w, "cycleCount", trace->cycle_count);
}

static void write_services(const struct sp_dictionary *service_names,
                           const struct sp_service_row *services, size_t service_count,
                           struct sp_json_writer *w)
{
    sp_json_key(w, "services");
    sp_json_array_begin(w);
    for (size_t i = 0; i < service_names->count; i++) {
        sp_json_object_begin(w);
        sp_json_key(w, "name");
        sp_json_string(w, service_names->texts[i]);
        number(w, "slot", sp_query_slot(services, service_count, service_names->texts[i]));
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static bool write_span_ids(struct sp_arena *arena, const struct sp_trace *trace,
                           struct sp_json_writer *w)
{
    uint8_t *ids = sp_arena_calloc(arena, trace->row_count, SP_SPAN_ID_BYTES);
    if (!ids)
        return false;
    for (uint32_t row = 0; row < trace->row_count; row++)
        memcpy(ids + (size_t)row * SP_SPAN_ID_BYTES, trace->rows[row].span->span_id.bytes,
               SP_SPAN_ID_BYTES);
    sp_json_key(w, "spanIds");
    sp_json_hex(w, sp_slice_make(ids, (size_t)trace->row_count * SP_SPAN_ID_BYTES));
    return true;
}

static void write_missing_parents(const struct sp_trace *trace, struct sp_json_writer *w)
{
    sp_json_key(w, "missingParents");
    sp_json_array_begin(w);
    for (uint32_t row = 0; row < trace->row_count; row++) {
        if (!(trace->rows[row].flags & SP_ROW_ORPHAN))
            continue;
        const struct sp_span *span = trace->rows[row].span;
        sp_json_object_begin(w);
        number(w, "row", row);
        sp_json_key(w, "parentSpanId");
        sp_json_hex(w, sp_slice_make(span->parent_span_id.bytes, SP_SPAN_ID_BYTES));
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
}

static void write_path(const struct sp_trace *trace, const struct sp_critical_path *path,
                       struct sp_json_writer *w)
{
    sp_json_key(w, "criticalPath");
    sp_json_array_begin(w);
    for (size_t i = 0; i < path->segment_count; i++) {
        sp_json_object_begin(w);
        number(w, "row", path->segments[i].row);
        number(w, "start", path->segments[i].start_unix_ns - trace->start_unix_ns);
        number(w, "end", path->segments[i].end_unix_ns - trace->start_unix_ns);
        sp_json_object_end(w);
    }
    sp_json_array_end(w);
    if (path->note) {
        sp_json_key(w, "criticalPathNote");
        sp_json_cstr(w, path->note);
    }
}

/* ---- clocks ---- */

static void write_clock_name(const struct sp_skew_clock *clock, struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_json_key(w, clock->is_host ? "host" : "service");
    sp_json_string(w, clock->name);
    sp_json_object_end(w);
}

static void write_offset(const char *key, int64_t offset_ns, struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (offset_ns == INT64_MIN || offset_ns == INT64_MAX)
        sp_json_null(w);
    else
        sp_json_i64_string(w, offset_ns);
}

/* The call that decides a bound: its row, or null. */
static void write_evidence(const struct sp_trace_clocks *clocks, const char *key, uint32_t row,
                           struct sp_json_writer *w)
{
    sp_json_key(w, key);
    if (row == SP_ROW_NONE)
        sp_json_null(w);
    else
        sp_json_u64(w, clocks->row_of_raw[row]);
}

static void write_clock(const struct sp_trace_clocks *clocks, const struct sp_skew_clock *clock,
                        struct sp_json_writer *w)
{
    sp_json_object_begin(w);
    sp_json_key(w, "clock");
    write_clock_name(clock, w);
    sp_json_key(w, "comparedWith");
    write_clock_name(&clocks->skew.clocks[clock->via], w);
    write_offset("offsetNano", clock->offset_ns, w);
    write_offset("offsetMinNano", clock->offset_min_ns, w);
    write_offset("offsetMaxNano", clock->offset_max_ns, w);
    number(w, "spanCount", clock->span_count);
    number(w, "callCount", clock->call_count);
    number(w, "outsideCount", clock->outside_count);
    sp_json_key(w, "consistent");
    sp_json_bool(w, clock->is_consistent);
    write_evidence(clocks, "minRow", clock->min_row, w);
    write_evidence(clocks, "maxRow", clock->max_row, w);
    sp_json_object_end(w);
}

static void write_skew(const struct sp_trace_clocks *clocks, struct sp_json_writer *w)
{
    const struct sp_skew *skew = &clocks->skew;
    sp_json_key(w, "clockSkew");
    sp_json_object_begin(w);
    sp_json_key(w, "adjusted");
    sp_json_bool(w, clocks->is_adjusted);
    number(w, "clockCount", skew->clock_count);
    number(w, "skewedClockCount", skew->skewed_count);
    number(w, "spanCount", skew->span_count);
    sp_json_key(w, "offsetNano");
    sp_json_u64_string(w, skew->offset_ns);
    sp_json_key(w, "reference");
    write_clock_name(&skew->clocks[0], w);
    sp_json_key(w, "clocks");
    sp_json_array_begin(w);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < skew->clock_count && shown < SP_SKEW_CLOCKS_SHOWN; i++) {
        if (skew->clocks[i].offset_ns == 0)
            continue;
        write_clock(clocks, &skew->clocks[i], w);
        shown++;
    }
    sp_json_array_end(w);
    sp_json_object_end(w);
}

/* ---- events ---- */

/* Three arrays with one entry for each event, in the order of the rows: so a page can draw them before it asks for any span. */
static bool write_events(struct sp_arena *arena, const struct sp_trace *trace,
                         struct sp_json_writer *w)
{
    uint64_t total = 0;
    for (uint32_t row = 0; row < trace->row_count; row++)
        total += trace->rows[row].span->event_count;
    uint32_t count =
        total < SP_COLUMNS_EVENTS_MAX ? (uint32_t)total : (uint32_t)SP_COLUMNS_EVENTS_MAX;
    uint32_t *rows = sp_arena_calloc(arena, count, sizeof(*rows)), n = 0;
    struct sp_slice *texts = sp_arena_calloc(arena, count, sizeof(*texts));
    int64_t *times = sp_arena_calloc(arena, count, sizeof(*times));
    struct sp_dictionary names;
    if (!rows || !texts || !times)
        return false;
    for (uint32_t row = 0; row < trace->row_count && n < count; row++) {
        const struct sp_span *span = trace->rows[row].span;
        for (uint32_t i = 0; i < span->event_count && n < count; i++, n++) {
            rows[n] = row;
            texts[n] = span->events[i].name;
            times[n] = (int64_t)(span->events[i].time_unix_ns - trace->start_unix_ns);
        }
    }
    if (!sp_dictionary_make(arena, texts, count, &names))
        return false;
    sp_json_key(w, "events");
    sp_json_object_begin(w);
    number(w, "count", total);
    sp_dictionary_write(w, "names", &names);
    sp_json_key(w, "row");
    sp_json_array_begin(w);
    for (n = 0; n < count; n++)
        sp_json_u64(w, rows[n]);
    sp_json_array_end(w);
    sp_json_key(w, "time");
    sp_json_array_begin(w);
    sp_json_integers(w, times, count, true);
    sp_json_array_end(w);
    sp_json_key(w, "name");
    sp_json_array_begin(w);
    for (n = 0; n < count; n++)
        sp_json_u64(w, names.codes[n]);
    sp_json_array_end(w);
    sp_json_object_end(w);
    return true;
}

/* ---- other ends of calls that sent no span ---- */

struct placed_span {
    const struct sp_span *span;
    uint32_t row;
};

static int compare_placed(const void *a, const void *b)
{
    const struct sp_span *left = ((const struct placed_span *)a)->span;
    const struct sp_span *right = ((const struct placed_span *)b)->span;
    return (left > right) - (left < right);
}

/* The rows that can call a peer, by the address of their span; none when nobody asks. */
static struct placed_span *place_callers(struct sp_arena *arena, const struct sp_trace *trace,
                                         bool wanted, uint32_t *ret_count)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < trace->row_count && wanted; row++)
        count += trace->rows[row].span->kind >= SP_KIND_CLIENT;
    struct placed_span *placed = sp_arena_calloc(arena, count, sizeof(*placed));
    *ret_count = 0;
    if (!placed || count == 0)
        return placed;
    for (uint32_t row = 0; row < trace->row_count; row++)
        if (trace->rows[row].span->kind >= SP_KIND_CLIENT)
            placed[(*ret_count)++] = (struct placed_span){trace->rows[row].span, row};
    qsort(placed, count, sizeof(*placed), compare_placed);
    return placed;
}

static bool is_peer(const struct sp_graph_call *call)
{
    return call->client_span && !call->server_span && !sp_slice_equal_cstr(call->server, "unknown");
}

/* Rows of calls whose other end did not send a span, with its name and type, as the service graph would show it. */
static bool write_peers(struct sp_arena *arena, const struct sp_trace *trace,
                        struct sp_json_writer *w)
{
    const struct sp_graph_call *calls;
    size_t call_count, n = 0;
    if (sp_graph_calls(arena, trace, &calls, &call_count) != SP_OK)
        return false;
    struct sp_slice *texts = sp_arena_calloc(arena, call_count, sizeof(*texts));
    struct sp_dictionary names;
    if (!texts)
        return false;
    for (size_t i = 0; i < call_count; i++)
        if (is_peer(&calls[i]))
            texts[n++] = calls[i].server;
    uint32_t placed_count;
    struct placed_span *placed = place_callers(arena, trace, n > 0, &placed_count);
    if (!placed)
        return false;
    if (!sp_dictionary_make(arena, texts, (uint32_t)n, &names))
        return false;
    sp_json_key(w, "peers");
    sp_json_object_begin(w);
    sp_dictionary_write(w, "names", &names);
    sp_json_key(w, "row");
    sp_json_array_begin(w);
    for (size_t i = 0; i < call_count; i++) {
        struct placed_span key = {calls[i].client_span, 0};
        if (is_peer(&calls[i])) {
            const struct placed_span *found =
                bsearch(&key, placed, placed_count, sizeof(*placed), compare_placed);
            SP_ASSERT(found);
            sp_json_u64(w, found->row);
        }
    }
    sp_json_array_end(w);
    sp_json_key(w, "name");
    sp_json_array_begin(w);
    for (size_t i = 0; i < n; i++)
        sp_json_u64(w, names.codes[i]);
    sp_json_array_end(w);
    sp_json_key(w, "type");
    sp_json_array_begin(w);
    for (size_t i = 0; i < call_count; i++)
        if (is_peer(&calls[i]))
            sp_json_cstr(w, sp_node_type_name(calls[i].server_type));
    sp_json_array_end(w);
    sp_json_object_end(w);
    return true;
}

void sp_trace_write_summary(const struct sp_trace_id *id, const struct sp_trace *trace,
                            struct sp_json_writer *w)
{
    const struct sp_span *first = trace->rows[0].span;
    sp_json_object_begin(w);
    write_head(id, trace, w);
    sp_json_key(w, "firstServiceName");
    sp_json_string(w, sp_span_service(first));
    sp_json_key(w, "firstSpanName");
    sp_json_string(w, first->name);
    sp_json_object_end(w);
}

bool sp_trace_write_columns(struct sp_arena *arena, const struct sp_trace_id *id,
                            const struct sp_trace *trace, const struct sp_critical_path *path,
                            const struct sp_trace_clocks *clocks,
                            const struct sp_service_row *services, size_t service_count,
                            struct sp_json_writer *w)
{
    struct sp_dictionary service_names, operations;
    struct sp_slice *texts = sp_arena_calloc(arena, trace->row_count, sizeof(*texts));
    for (uint32_t row = 0; row < trace->row_count && texts; row++)
        texts[row] = sp_span_service(trace->rows[row].span);
    if (!texts || !sp_dictionary_make(arena, texts, trace->row_count, &service_names))
        return false;
    for (uint32_t row = 0; row < trace->row_count; row++)
        texts[row] = trace->rows[row].span->name;
    if (!sp_dictionary_make(arena, texts, trace->row_count, &operations))
        return false;
    struct source source = {trace, service_names.codes, operations.codes};
    sp_json_object_begin(w);
    write_head(id, trace, w);
    write_services(&service_names, services, service_count, w);
    sp_dictionary_write(w, "operations", &operations);
    write_columns(&source, w);
    bool fits = write_span_ids(arena, trace, w);
    write_missing_parents(trace, w);
    write_path(trace, path, w);
    fits = fits && write_events(arena, trace, w) && write_peers(arena, trace, w);
    write_skew(clocks, w);
    sp_json_object_end(w);
    return fits;
}
