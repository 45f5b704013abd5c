/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/contract/answers_trimmed.c: traces that are read with no more than somebody wants: what was wanted is what a read of
 * everything gives, and so is what every span has; and traces that are measured only. As text, so that two stores can be compared, too. */
#include "tests/contract/answers_trimmed.h"

#include "tests/contract/fixture.h"

#include <stdlib.h>

struct reading {
    const struct sp_span_want *want; /* what is written down, not what is read */
    struct sp_buf *out;
};

static bool is_wanted(const struct sp_span_want *want, struct sp_slice key)
{
    for (uint32_t i = 0; i < want->key_count; i++)
        if (sp_slice_equal(want->keys[i], key))
            return true;
    return false;
}

static void write_span(const struct reading *reading, const struct sp_span *span)
{
    struct sp_buf *out = reading->out;
    char id[SP_TRACE_ID_TEXT], own[SP_SPAN_ID_TEXT], parent[SP_SPAN_ID_TEXT];
    sp_trace_id_format(&span->trace_id, id);
    sp_span_id_format(&span->span_id, own);
    sp_span_id_format(&span->parent_span_id, parent);
    sp_buf_printf(out,
                  "trimmed %s %s < %s %llu to %llu %.*s kind %d status %d in %.*s by %.*s %.*s", id,
                  own, parent, (unsigned long long)span->start_unix_ns,
                  (unsigned long long)span->end_unix_ns, SP_SLICE_PRINTF(span->name), span->kind,
                  span->status_code, SP_SLICE_PRINTF(sp_span_service(span)),
                  SP_SLICE_PRINTF(span->scope->name), SP_SLICE_PRINTF(span->scope->version));
    if (reading->want->status_message)
        sp_buf_printf(out, " says %.*s", SP_SLICE_PRINTF(span->status_message));
    for (uint32_t i = 0; reading->want->links && i < span->link_count; i++) {
        sp_trace_id_format(&span->links[i].trace_id, id);
        sp_span_id_format(&span->links[i].span_id, own);
        sp_buf_printf(out, " to %s %s", id, own);
    }
    for (uint32_t i = 0; i < span->attributes.count; i++) {
        const struct sp_attribute *item = &span->attributes.items[i];
        if (!is_wanted(reading->want, item->key))
            continue;
        sp_buf_printf(out, " | %.*s %d ", SP_SLICE_PRINTF(item->key), (int)item->value.kind);
        sp_value_text(&item->value, out);
    }
    sp_buf_append_byte(out, '\n');
}

static enum sp_status write_trace(void *cookie, const struct sp_trace_id *id,
                                  const struct sp_batch *trace, struct sp_error *reterr)
{
    (void)id;
    (void)reterr;
    for (size_t i = 0; i < trace->span_count; i++)
        write_span(cookie, &trace->spans[i]);
    return SP_OK;
}

static void read_them(struct sp_store *store, const struct sp_trace_id *ids, size_t count,
                      const struct sp_span_want *want, bool everything, struct sp_buf *out)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    struct reading reading = {.want = want, .out = out};
    struct sp_traces_reader reader = {.want = everything ? NULL : want,
                                      .arena = &arena,
                                      .visit = write_trace,
                                      .cookie = &reading};
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_traces_read(store, ids, count, &reader, &error);
    ck_assert_msg(status == SP_OK, "traces: %s: %s", sp_status_name(status), error.message);
    sp_arena_fini(&arena);
}

static void compare(struct sp_store *store, const struct sp_trace_id *ids, size_t count,
                    const struct sp_span_want *want, struct sp_buf *out)
{
    struct sp_buf trimmed, whole;
    sp_buf_init(&trimmed, SIZE_MAX / 2);
    sp_buf_init(&whole, SIZE_MAX / 2);
    read_them(store, ids, count, want, false, &trimmed);
    read_them(store, ids, count, want, true, &whole);
    ck_assert_msg(sp_slice_equal(sp_buf_slice(&trimmed), sp_buf_slice(&whole)),
                  "trimmed spans are not the same:\n%.*s\nthan whole ones:\n%.*s",
                  SP_SLICE_PRINTF(sp_buf_slice(&trimmed)), SP_SLICE_PRINTF(sp_buf_slice(&whole)));
    sp_buf_append_slice(out, sp_buf_slice(&trimmed));
    sp_buf_fini(&trimmed);
    sp_buf_fini(&whole);
}

struct measured {
    const struct sp_trace_measure *next;
    struct sp_buf *out;
};

/* What is measured is what a read of the whole trace shows. */
static enum sp_status check_measure(void *cookie, const struct sp_trace_id *id,
                                    const struct sp_batch *trace, struct sp_error *reterr)
{
    struct measured *measured = cookie;
    const struct sp_trace_measure *measure = measured->next++;
    struct sp_trace_measure own = {.start_unix_ns = UINT64_MAX, .span_count = trace->span_count};
    char text[SP_TRACE_ID_TEXT];
    (void)reterr;
    for (size_t i = 0; i < trace->span_count; i++) {
        const struct sp_span *span = &trace->spans[i];
        uint64_t end = span->start_unix_ns + sp_span_duration_ns(span);
        own.start_unix_ns =
            span->start_unix_ns < own.start_unix_ns ? span->start_unix_ns : own.start_unix_ns;
        own.end_unix_ns = end > own.end_unix_ns ? end : own.end_unix_ns;
    }
    ck_assert_uint_eq(measure->span_count, own.span_count);
    ck_assert_uint_eq(measure->start_unix_ns, own.start_unix_ns);
    ck_assert_uint_eq(measure->end_unix_ns, own.end_unix_ns);
    sp_trace_id_format(id, text);
    sp_buf_printf(measured->out, "measured %s %llu to %llu, %llu\n", text,
                  (unsigned long long)own.start_unix_ns, (unsigned long long)own.end_unix_ns,
                  (unsigned long long)own.span_count);
    return SP_OK;
}

static void measure(struct sp_store *store, const struct sp_trace_id *ids, size_t count,
                    struct sp_buf *out)
{
    struct sp_error error = {0};
    struct sp_arena arena;
    struct sp_trace_measure *measures = calloc(count + 1, sizeof(*measures));
    struct measured measured = {.next = measures, .out = out};
    struct sp_traces_reader reader = {.arena = &arena, .visit = check_measure, .cookie = &measured};
    sp_arena_init(&arena, SIZE_MAX);
    enum sp_status status = sp_store_traces_measure(store, ids, count, NULL, measures, &error);
    ck_assert_msg(status == SP_OK, "measures: %s: %s", sp_status_name(status), error.message);
    status = sp_store_traces_read(store, ids, count, &reader, &error);
    ck_assert_msg(status == SP_OK, "traces: %s: %s", sp_status_name(status), error.message);
    ck_assert_ptr_eq(measured.next, measures + count);
    sp_arena_fini(&arena);
    free(measures);
}

void describe_trimmed(struct sp_store *store, const struct sp_trace_id *ids, size_t count,
                      const struct sp_slice *keys, uint32_t key_count, struct sp_buf *out)
{
    struct sp_trace_id *few = calloc(count + 1, sizeof(*few));
    size_t few_count = 0;
    for (size_t i = 7; i < count; i += 37)
        few[few_count++] = ids[i];
    compare(store, ids, count,
            &(struct sp_span_want){.keys = keys, .key_count = key_count, .status_message = true},
            out);
    compare(store, ids, count, &(struct sp_span_want){0}, out);
    compare(store, few, few_count, &(struct sp_span_want){.keys = keys, .key_count = key_count},
            out);
    compare(store, ids, count, &(struct sp_span_want){.links = true}, out);
    compare(store, few, few_count,
            &(struct sp_span_want){
                .keys = keys, .key_count = key_count, .status_message = true, .links = true},
            out);
    measure(store, ids, count, out);
    measure(store, few, few_count, out);
    free(few);
}
