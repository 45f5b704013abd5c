/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/problem.c: errors as problem documents (RFC 9457). Pure. */
#include "lib/net/net.h"

void sp_problem_write(struct sp_buf *out, int http_status, const struct sp_error *error)
{
    struct sp_json_writer w;
    sp_json_writer_init(&w, out);
    sp_json_object_begin(&w);
    sp_json_key(&w, "title");
    sp_json_cstr(&w, sp_status_text(error->status));
    sp_json_key(&w, "status");
    sp_json_i64(&w, http_status);
    sp_json_key(&w, "detail");
    sp_json_cstr(&w, error->message);
    if (error->parameter[0] != '\0') {
        sp_json_key(&w, "parameter");
        sp_json_cstr(&w, error->parameter);
    }
    if (error->offset != SP_ERROR_NO_OFFSET) {
        sp_json_key(&w, "offset");
        sp_json_u64(&w, error->offset);
    }
    sp_json_object_end(&w);
}
