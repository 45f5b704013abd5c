/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_lines.c: see cmd/search_lines.h. */
#include "cmd/search_lines.h"

#define NUMBERS_ARENA_BYTES ((size_t)64 * 1024)
#define NUMBERS_DEPTH_MAX   8

static const char trace_begin[] = "{\"trace\":", progress_begin[] = "{\"progress\":",
                  done_begin[] = "{\"done\":{",
                  problem_begin[] = "{\"problem\":", live_begin[] = "{\"live\":";

bool sp_search_lines_next(struct sp_slice *rest, struct sp_slice *ret)
{
    size_t end = sp_slice_find(*rest, '\n');
    if (end == rest->len)
        return false;
    *ret = sp_slice_sub(*rest, 0, end);
    *rest = sp_slice_sub(*rest, end + 1, rest->len);
    return true;
}

/* What is between begin and the brace that ends the line. */
static bool inside(struct sp_slice line, const char *begin, struct sp_slice *ret)
{
    size_t skip = strlen(begin);
    if (!sp_slice_starts_with(line, sp_slice_cstr(begin)) || line.len < skip + 1)
        return false;
    *ret = sp_slice_sub(line, skip, line.len - skip - 1);
    return true;
}

bool sp_search_lines_trace(struct sp_slice line, struct sp_slice *ret)
{
    return inside(line, trace_begin, ret);
}

/* ---- numbers ---- */

struct number {
    const char *name;
    uint64_t *value;
};

/* Members of an object that are numbers, as such or as texts; others are passed over, and what is not there stays as it is. */
static bool read_numbers(struct sp_slice object, const struct number *numbers, size_t count)
{
    struct sp_json_reader r;
    struct sp_arena arena;
    sp_arena_init(&arena, NUMBERS_ARENA_BYTES);
    sp_json_reader_init(&r, object, &arena, NUMBERS_DEPTH_MAX);
    bool good = sp_json_next(&r) == SP_JSON_OBJECT_BEGIN;
    while (good && sp_json_next(&r) == SP_JSON_KEY) {
        uint64_t *value = NULL;
        for (size_t i = 0; i < count; i++) {
            if (sp_slice_equal_cstr(r.text, numbers[i].name))
                value = numbers[i].value;
        }
        if (value) {
            enum sp_json_event event = sp_json_next(&r);
            good =
                (event == SP_JSON_NUMBER || event == SP_JSON_STRING) && sp_parse_u64(r.text, value);
        } else {
            good = sp_json_skip(&r) == SP_OK;
        }
    }
    sp_arena_fini(&arena);
    return good;
}

bool sp_search_lines_live(struct sp_slice line, struct sp_search_left_out *ret)
{
    struct sp_slice object;
    *ret = (struct sp_search_left_out){0};
    const struct number numbers[] = {{"skipped", &ret->traces}, {"unseenRequests", &ret->requests}};
    return inside(line, live_begin, &object) &&
           read_numbers(object, numbers, SP_ARRAY_LEN(numbers));
}

/* ---- progress ---- */

static void show_progress(struct sp_search_lines *lines, struct sp_slice object)
{
    uint64_t passed_rows = 0, total_rows = 0, matched = 0, elapsed_ms = 0;
    const struct number numbers[] = {{"passedRows", &passed_rows},
                                     {"totalRows", &total_rows},
                                     {"matchedTraces", &matched},
                                     {"elapsedMs", &elapsed_ms}};
    if (!read_numbers(object, numbers, SP_ARRAY_LEN(numbers)))
        return;
    fprintf(lines->progress, "\r\033[KScanned %llu of %llu spans, %llu traces match, %.1f s",
            (unsigned long long)passed_rows, (unsigned long long)total_rows,
            (unsigned long long)matched, (double)elapsed_ms / 1000);
    fflush(lines->progress);
    lines->is_shown = true;
}

void sp_search_lines_take(void *cookie, struct sp_slice received)
{
    struct sp_search_lines *lines = cookie;
    struct sp_slice rest = sp_slice_sub(received, lines->seen, received.len), line, last = {0};
    size_t before = rest.len;
    while (sp_search_lines_next(&rest, &line)) {
        struct sp_slice object;
        if (lines->copy)
            fprintf(lines->copy, "%.*s\n", SP_SLICE_PRINTF(line));
        if (inside(line, progress_begin, &object))
            last = object;
    }
    lines->seen += before - rest.len;
    if (lines->copy)
        fflush(lines->copy);
    if (lines->progress && last.len > 0)
        show_progress(lines, last);
}

void sp_search_lines_end(struct sp_search_lines *lines)
{
    if (lines->is_shown)
        fputs("\r\033[K", lines->progress);
    lines->is_shown = false;
}

/* ---- putting together ---- */

bool sp_search_lines_join(struct sp_slice lines, struct sp_buf *ret)
{
    struct sp_slice rest = lines, line, part;
    bool any = false;
    sp_buf_init(ret, SP_ASK_REPLY_BYTES_MAX);
    if (sp_slice_starts_with(lines,
                             SP_SLICE("{\"traces\":"))) { /* of a server that knows no lines */
        sp_buf_append_slice(ret, lines);
        return true;
    }
    sp_buf_append_cstr(ret, "{\"traces\":[");
    while (sp_search_lines_next(&rest, &line)) {
        if (inside(line, trace_begin, &part)) {
            sp_buf_append_cstr(ret, any ? "," : "");
            sp_buf_append_slice(ret, part);
            any = true;
        } else if (inside(line, done_begin, &part)) {
            sp_buf_append_cstr(ret, "],");
            sp_buf_append_slice(ret, part);
            return true;
        } else if (inside(line, problem_begin, &part)) {
            sp_buf_reset(ret);
            sp_buf_append_slice(ret, part);
            return false;
        }
    }
    sp_buf_reset(ret);
    return false;
}
