/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/json_copy.h: any JSON document through reader and writer: what comes out means the same. */
#pragma once

#include "lib/base/base.h"

static inline enum sp_status sp_test_json_copy(struct sp_json_reader *r, struct sp_json_writer *w)
{
    for (;;) {
        switch (sp_json_next(r)) {
        case SP_JSON_ERROR:
            return r->error.status;
        case SP_JSON_END:
            return SP_OK;
        case SP_JSON_OBJECT_BEGIN:
            sp_json_object_begin(w);
            break;
        case SP_JSON_OBJECT_END:
            sp_json_object_end(w);
            break;
        case SP_JSON_ARRAY_BEGIN:
            sp_json_array_begin(w);
            break;
        case SP_JSON_ARRAY_END:
            sp_json_array_end(w);
            break;
        case SP_JSON_KEY:
            sp_json_key_slice(w, r->text);
            break;
        case SP_JSON_STRING:
            sp_json_string(w, r->text);
            break;
        case SP_JSON_NUMBER:
            sp_json_raw(w, r->text);
            break;
        case SP_JSON_TRUE:
            sp_json_bool(w, true);
            break;
        case SP_JSON_FALSE:
            sp_json_bool(w, false);
            break;
        case SP_JSON_NULL:
            sp_json_null(w);
            break;
        }
    }
}
