/* SPDX-License-Identifier: Apache-2.0
 *
 * query/search_stream.c: see query/search_stream.h. */
#include "query/search_stream.h"

#include "query/answer.h"

#define LINE_BYTES_MAX ((size_t)1024) /* of progress: a dozen numbers and their names */

enum sp_status sp_search_stream_begin(struct sp_search_stream *stream, struct sp_query_call *call,
                                      struct sp_error *reterr)
{
    static const char *const offers[] = {"application/json", SP_QUERY_LINES_MEDIA_TYPE};
    const struct sp_query_request *request = &call->request;
    *stream = (struct sp_search_stream){.call = call};
    /* Who asks for the head alone gets that of the whole answer. */
    if (!request->stream || !sp_slice_equal_cstr(request->method, "GET") ||
        request->accept.len == 0 || sp_accept_choose(request->accept, offers, 2) != 1)
        return SP_OK;
    enum sp_status status = sp_query_stream_begin(call, SP_QUERY_LINES_MEDIA_TYPE, reterr);
    stream->open = status == SP_OK;
    stream->next_ns = sp_clock_monotonic_ns(call->api->clock) + SP_SEARCH_PROGRESS_NS;
    return status;
}

bool sp_search_stream_result(struct sp_search_stream *stream, struct sp_slice result)
{
    if (!stream->open)
        return false;
    struct sp_buf line;
    sp_buf_init(&line, result.len + 16);
    sp_buf_append_cstr(&line, "{\"trace\":");
    sp_buf_append_slice(&line, result);
    sp_buf_append_cstr(&line, "}\n");
    bool sent = line.error == SP_OK && sp_query_stream_write(stream->call, sp_buf_slice(&line));
    sp_buf_fini(&line);
    return sent;
}

bool sp_search_stream_is_due(struct sp_search_stream *stream)
{
    if (!stream->open)
        return false;
    uint64_t now = sp_clock_monotonic_ns(stream->call->api->clock);
    if (now < stream->next_ns)
        return false;
    stream->next_ns = now + SP_SEARCH_PROGRESS_NS;
    return true;
}

void sp_search_stream_progress(const struct sp_search_stream *stream,
                               const struct sp_search_progress *progress)
{
    const struct sp_scanned *scanned = progress->scanned;
    const struct sp_query_call *call = stream->call;
    struct sp_buf line;
    struct sp_json_writer w;
    sp_buf_init(&line, LINE_BYTES_MAX);
    sp_json_writer_init(&w, &line);
    sp_json_object_begin(&w);
    sp_json_key(&w, "progress");
    sp_json_object_begin(&w);
    sp_answer_json_scanned(&w, scanned, progress->considered);
    sp_json_key(&w, "passedRows");
    sp_json_u64_string(&w, scanned->rows_passed);
    sp_json_key(&w, "totalRows");
    sp_json_u64_string(&w, scanned->rows_total);
    if (progress->matched) {
        sp_json_key(&w, "totalSegments");
        sp_json_u64(&w, scanned->segments_total);
    }
    sp_json_key(&w, "knownTraces");
    sp_json_u64_string(&w, progress->known);
    if (progress->matched) {
        sp_json_key(&w, "matchedTraces");
        sp_json_u64(&w, *progress->matched);
    }
    sp_json_key(&w, "elapsedMs");
    sp_json_u64(&w, (sp_clock_monotonic_ns(call->api->clock) - call->begin_ns) / 1000000);
    sp_json_object_end(&w);
    sp_json_object_end(&w);
    sp_buf_append_byte(&line, '\n');
    SP_ASSERT(line.error != SP_LIMIT);
    if (line.error == SP_OK)
        (void)sp_query_stream_write(stream->call, sp_buf_slice(&line));
    sp_buf_fini(&line);
}
