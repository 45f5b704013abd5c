/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/trace_columns.c: see cmd/trace_columns.h. The answer comes from a server that may be another version: everything is
 * checked before it is used as an index. */
#include "cmd/trace_columns.h"

#define DEPTH_MAX 16

struct reading {
    struct sp_json_reader r;
    struct sp_arena *arena;
    struct sp_columns *columns;
};

static enum sp_status failed(struct reading *reading, const char *what)
{
    if (reading->r.error.status != SP_OK)
        return reading->r.error.status;
    return sp_json_fail(&reading->r, "%s", what);
}

static enum sp_status no_memory(struct reading *reading)
{
    return sp_error_set(&reading->r.error, SP_LIMIT, "the trace is too large for this terminal");
}

static enum sp_status read_number(struct reading *reading, uint64_t *ret)
{
    enum sp_json_event event = sp_json_next(&reading->r);
    if ((event == SP_JSON_NUMBER || event == SP_JSON_STRING) && sp_parse_u64(reading->r.text, ret))
        return SP_OK;
    return failed(reading, "expected a number");
}

/* An array of one number a row, at most row_count; -1 becomes 0 and everything else one more if shift is set. */
static enum sp_status read_column(struct reading *reading, bool shift, uint64_t **ret)
{
    size_t count = reading->columns->row_count, at = 0;
    uint64_t *values = sp_arena_calloc(reading->arena, count, sizeof(*values));
    if (!values)
        return no_memory(reading);
    if (sp_json_next(&reading->r) != SP_JSON_ARRAY_BEGIN)
        return failed(reading, "expected an array");
    for (;; at++) {
        enum sp_json_event event = sp_json_next(&reading->r);
        if (event == SP_JSON_ARRAY_END)
            break;
        int64_t number;
        uint64_t wide;
        if (event != SP_JSON_NUMBER || at == count)
            return failed(reading, "expected one number a row");
        if (shift && sp_parse_i64(reading->r.text, &number))
            values[at] = (uint64_t)(number + 1);
        else if (!shift && sp_parse_u64(reading->r.text, &wide))
            values[at] = wide;
        else
            return failed(reading, "expected a whole number");
    }
    if (at != count)
        return failed(reading, "expected one number a row");
    *ret = values;
    return SP_OK;
}

/* ["name", ...] or [{"name": "name", ...}, ...] */
static enum sp_status read_names(struct reading *reading, struct sp_slice **ret, size_t *ret_count)
{
    struct sp_slice *names = NULL;
    size_t count = 0, cap = 0;
    struct sp_json_reader *r = &reading->r;
    if (sp_json_next(r) != SP_JSON_ARRAY_BEGIN)
        return failed(reading, "expected an array");
    for (;;) {
        enum sp_json_event event = sp_json_next(r);
        if (event == SP_JSON_ARRAY_END)
            break;
        struct sp_slice name = r->text;
        if (event == SP_JSON_OBJECT_BEGIN) {
            while ((event = sp_json_next(r)) == SP_JSON_KEY) {
                bool is_name = sp_slice_equal_cstr(r->text, "name");
                if (is_name && sp_json_next(r) == SP_JSON_STRING)
                    name = r->text;
                else if (is_name || sp_json_skip(r) != SP_OK)
                    return failed(reading, "expected a name");
            }
            if (event != SP_JSON_OBJECT_END)
                return failed(reading, "expected a name");
        } else if (event != SP_JSON_STRING) {
            return failed(reading, "expected a name");
        }
        if (count == cap) {
            size_t more = cap ? cap * 2 : 64;
            struct sp_slice *grown =
                sp_arena_grow(reading->arena, names, cap * sizeof(*names), more * sizeof(*names));
            if (!grown)
                return no_memory(reading);
            names = grown;
            cap = more;
        }
        names[count++] = name;
    }
    *ret = names;
    *ret_count = count;
    return SP_OK;
}

static enum sp_status read_columns(struct reading *reading)
{
    struct sp_columns *c = reading->columns;
    const struct {
        const char *name;
        bool shift;
        uint64_t **column;
    } columns[] = {
        {"start", false, &c->start},         {"duration", false, &c->duration},
        {"depth", false, &c->depth},         {"subtreeSize", false, &c->subtree_size},
        {"parent", true, &c->parent},        {"service", false, &c->service},
        {"operation", false, &c->operation}, {"flags", false, &c->flags},
    };
    if (sp_json_next(&reading->r) != SP_JSON_OBJECT_BEGIN)
        return failed(reading, "expected an object");
    enum sp_json_event event;
    while ((event = sp_json_next(&reading->r)) == SP_JSON_KEY) {
        size_t i = 0;
        while (i < SP_ARRAY_LEN(columns) && !sp_slice_equal_cstr(reading->r.text, columns[i].name))
            i++;
        enum sp_status status = i < SP_ARRAY_LEN(columns)
                                    ? read_column(reading, columns[i].shift, columns[i].column)
                                    : sp_json_skip(&reading->r);
        if (status != SP_OK)
            return status;
    }
    return event == SP_JSON_OBJECT_END ? SP_OK : failed(reading, "expected columns");
}

static enum sp_status read_skew(struct reading *reading)
{
    struct sp_columns *c = reading->columns;
    if (sp_json_next(&reading->r) != SP_JSON_OBJECT_BEGIN)
        return failed(reading, "expected an object");
    enum sp_json_event event;
    while ((event = sp_json_next(&reading->r)) == SP_JSON_KEY) {
        struct sp_slice key = reading->r.text;
        enum sp_status status = SP_OK;
        if (sp_slice_equal_cstr(key, "adjusted"))
            c->skew_is_adjusted = sp_json_next(&reading->r) == SP_JSON_TRUE;
        else if (sp_slice_equal_cstr(key, "spanCount"))
            status = read_number(reading, &c->skewed_span_count);
        else if (sp_slice_equal_cstr(key, "offsetNano"))
            status = read_number(reading, &c->skew_ns);
        else
            status = sp_json_skip(&reading->r);
        if (status != SP_OK)
            return status;
    }
    return event == SP_JSON_OBJECT_END ? SP_OK : failed(reading, "expected an object");
}

static enum sp_status read_member(struct reading *reading, struct sp_slice key)
{
    struct sp_columns *c = reading->columns;
    uint64_t rows;
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {
        {"startTimeUnixNano", &c->start_unix_ns},
        {"durationNano", &c->duration_ns},
        {"spanCount", &rows},
        {"errorCount", &c->error_count},
        {"orphanCount", &c->orphan_count},
        {"duplicateCount", &c->duplicate_count},
        {"cycleCount", &c->cycle_count},
        {"depthMax", &c->depth_max},
    };
    for (size_t i = 0; i < SP_ARRAY_LEN(numbers); i++) {
        if (!sp_slice_equal_cstr(key, numbers[i].name))
            continue;
        enum sp_status status = read_number(reading, numbers[i].number);
        if (status == SP_OK && numbers[i].number == &rows)
            c->row_count = rows;
        return status;
    }
    if (sp_slice_equal_cstr(key, "services"))
        return read_names(reading, &c->services, &c->service_count);
    if (sp_slice_equal_cstr(key, "operations"))
        return read_names(reading, &c->operations, &c->operation_count);
    if (sp_slice_equal_cstr(key, "columns"))
        return read_columns(reading);
    if (sp_slice_equal_cstr(key, "clockSkew"))
        return read_skew(reading);
    if (sp_slice_equal_cstr(key, "criticalPathNote")) {
        if (sp_json_next(&reading->r) != SP_JSON_STRING)
            return failed(reading, "expected a sentence");
        c->path_note = reading->r.text;
        return SP_OK;
    }
    return sp_json_skip(&reading->r);
}

/* Every index points somewhere, and depths are those of a tree in this order. */
static bool is_consistent(const struct sp_columns *c)
{
    if (!c->start || !c->duration || !c->depth || !c->subtree_size || !c->parent || !c->service ||
        !c->operation || !c->flags)
        return false;
    for (size_t i = 0; i < c->row_count; i++) {
        uint64_t parent = c->parent[i];
        uint64_t depth = parent == 0 ? 0 : parent > i ? UINT64_MAX : c->depth[parent - 1] + 1;
        if (c->depth[i] != depth || depth > c->depth_max || c->service[i] >= c->service_count ||
            c->operation[i] >= c->operation_count || c->subtree_size[i] == 0 ||
            c->subtree_size[i] > c->row_count - i)
            return false;
    }
    return true;
}

enum sp_status sp_columns_read(struct sp_slice body, struct sp_arena *arena, struct sp_columns *ret,
                               struct sp_error *reterr)
{
    struct sp_columns columns = {0};
    struct reading reading = {.arena = arena, .columns = &columns};
    sp_json_reader_init(&reading.r, body, arena, DEPTH_MAX);
    enum sp_status status = SP_OK;
    enum sp_json_event event = sp_json_next(&reading.r);
    if (event != SP_JSON_OBJECT_BEGIN)
        status = failed(&reading, "expected an object");
    while (status == SP_OK && (event = sp_json_next(&reading.r)) == SP_JSON_KEY)
        status = read_member(&reading, reading.r.text);
    if (status == SP_OK && (event != SP_JSON_OBJECT_END || !is_consistent(&columns)))
        status = failed(&reading, "expected a trace as columns");
    if (status != SP_OK) {
        *reterr = reading.r.error;
        return status;
    }
    *ret = columns;
    return SP_OK;
}
