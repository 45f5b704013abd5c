/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/query/sink.c: see sink.h. */
#include "tests/unit/query/sink.h"

#include <stdio.h>

static enum sp_status sink_begin(void *cookie, const struct sp_query_reply *reply,
                                 struct sp_error *reterr)
{
    struct sink *sink = cookie;
    if (sink->is_full)
        return sp_error_set(reterr, SP_OVERLOADED, "no room");
    sink->begun++;
    ck_assert_int_eq(reply->status, 200);
    snprintf(sink->type, sizeof(sink->type), "%s", reply->content_type);
    return SP_OK;
}

static bool sink_write(void *cookie, struct sp_slice lines)
{
    struct sink *sink = cookie;
    ck_assert_uint_gt(lines.len, 0);
    ck_assert_int_eq(lines.ptr[lines.len - 1], '\n');
    if (sink->room == 0) {
        sink->refused++;
        return false;
    }
    sink->room--;
    sink->line_count++;
    sp_buf_append_slice(&sink->sent, lines);
    return true;
}

void sink_init(struct sink *sink, size_t room)
{
    *sink = (struct sink){.room = room};
    sink->stream = (struct sp_query_stream){sink_begin, sink_write, sink};
    sp_buf_init(&sink->sent, 64 << 20);
}

void sink_fini(struct sink *sink)
{
    sp_buf_fini(&sink->sent);
}

size_t sink_count(const struct sink *sink, const char *what)
{
    const struct sp_buf *text = &sink->sent;
    size_t count = 0, len = strlen(what);
    const uint8_t *at = text->ptr;
    while (at != NULL &&
           (at = memmem(at, text->len - (size_t)(at - text->ptr), what, len)) != NULL) {
        count++;
        at++;
    }
    return count;
}
