/* SPDX-License-Identifier: Apache-2.0
 *
 * query/trace_columns.c: see query/trace_columns.h. */
#include "query/trace_columns.h"

#include <stdlib.h>

#include "query/internal.h"

/* ---- dictionaries: texts of the rows as indices into a sorted table ---- */

struct dictionary {
    struct sp_slice *texts; /* sorted, each once */
    size_t count;
    uint32_t *codes; /* one for each row */
};

/* A text that was seen, perhaps not for the first time. */
struct candidate {
    struct sp_slice text;
    uint32_t index;
};

/* Rows repeat few texts: a small table remembers, for each hash, the candidate seen last. What it forgets only becomes a
 * candidate again, so names that collide on purpose cost a larger sort and no more. */
#define RECENT 4096

static uint32_t recent_slot(struct sp_slice text)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < text.len && i < 64; i++)
        hash = (hash ^ text.ptr[i]) * 16777619u;
    return (hash ^ hash >> 16) % RECENT;
}

static int compare_candidates(const void *a, const void *b)
{
    return sp_slice_compare(((const struct candidate *)a)->text,
                            ((const struct candidate *)b)->text);
}

static bool make_dictionary(struct sp_arena *arena, const struct sp_trace *trace,
                            struct sp_slice (*text_of)(const struct sp_span *span),
                            struct dictionary *ret)
{
    uint32_t row_count = trace->row_count, count = 0;
    struct candidate *candidates = sp_arena_calloc(arena, row_count, sizeof(*candidates));
    uint32_t *recent = sp_arena_calloc(arena, RECENT, sizeof(*recent)); /* index + 1 */
    ret->codes = sp_arena_calloc(arena, row_count, sizeof(*ret->codes));
    if (!candidates || !recent || !ret->codes)
        return false;
    for (uint32_t row = 0; row < row_count; row++) {
        struct sp_slice text = text_of(trace->rows[row].span);
        uint32_t *slot = &recent[recent_slot(text)];
        if (*slot == 0 || !sp_slice_equal(candidates[*slot - 1].text, text)) {
            candidates[count] = (struct candidate){text, count};
            *slot = ++count;
        }
        ret->codes[row] = *slot - 1;
    }
    uint32_t *code_of = sp_arena_calloc(arena, count, sizeof(*code_of)); /* by candidate */
    ret->texts = sp_arena_calloc(arena, count, sizeof(*ret->texts));
    if (!code_of || !ret->texts)
        return false;
    if (count > 0)
        qsort(candidates, count, sizeof(*candidates), compare_candidates);
    ret->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || !sp_slice_equal(candidates[i - 1].text, candidates[i].text))
            ret->texts[ret->count++] = candidates[i].text;
        code_of[candidates[i].index] = (uint32_t)(ret->count - 1);
    }
    for (uint32_t row = 0; row < row_count; row++)
        ret->codes[row] = code_of[ret->codes[row]];
    return true;
}

static struct sp_slice operation_of(const struct sp_span *span)
{
    return span->name;
}

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

static void write_columns(const struct source *s, struct sp_json_writer *w)
{
    sp_json_key(w, "columns");
    sp_json_object_begin(w);
    for (size_t i = 0; i < SP_ARRAY_LEN(columns); i++) {
        sp_json_key(w, columns[i].name);
        sp_json_array_begin(w);
        for (uint32_t row = 0; row < s->trace->row_count; row++) {
            int64_t value = columns[i].value(s, row);
            if (columns[i].is_signed)
                sp_json_i64(w, value);
            else
                sp_json_u64(w, (uint64_t)value);
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

static void write_dictionaries(const struct dictionary *service_names,
                               const struct dictionary *operations,
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
    sp_json_key(w, "operations");
    sp_json_array_begin(w);
    for (size_t i = 0; i < operations->count; i++)
        sp_json_string(w, operations->texts[i]);
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

bool sp_trace_write_columns(struct sp_arena *arena, const struct sp_trace_id *id,
                            const struct sp_trace *trace, const struct sp_critical_path *path,
                            const struct sp_trace_clocks *clocks,
                            const struct sp_service_row *services, size_t service_count,
                            struct sp_json_writer *w)
{
    struct dictionary service_names, operations;
    if (!make_dictionary(arena, trace, sp_span_service, &service_names) ||
        !make_dictionary(arena, trace, operation_of, &operations))
        return false;
    struct source source = {trace, service_names.codes, operations.codes};
    sp_json_object_begin(w);
    write_head(id, trace, w);
    write_dictionaries(&service_names, &operations, services, service_count, w);
    write_columns(&source, w);
    bool fits = write_span_ids(arena, trace, w);
    write_missing_parents(trace, w);
    write_path(trace, path, w);
    write_skew(clocks, w);
    sp_json_object_end(w);
    return fits;
}
