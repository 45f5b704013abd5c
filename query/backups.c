/* SPDX-License-Identifier: Apache-2.0
 *
 * query/backups.c: /v1/backups: has the store make a copy of itself, lists and removes such copies. Whoever asks takes a copy
 * elsewhere: it does not leave the machine through here. */
#include "query/internal.h"

static void write_backup(struct sp_json_writer *w, const struct sp_backup *backup)
{
    sp_json_object_begin(w);
    sp_json_key(w, "name");
    sp_json_string(w, backup->name);
    sp_json_key(w, "path");
    sp_json_string(w, backup->path);
    sp_json_key(w, "complete");
    sp_json_bool(w, backup->complete);
    sp_json_key(w, "madeUnixNano");
    sp_json_u64_string(w, backup->made_unix_ns);
    sp_json_object_end(w);
}

enum sp_status sp_query_answer_backups(struct sp_query_call *call, struct sp_error *reterr)
{
    const struct sp_backup *rows;
    size_t count;
    struct sp_json_writer w;
    enum sp_status status =
        sp_store_backup_list(call->api->store, &call->arena, &rows, &count, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    sp_json_object_begin(&w);
    sp_json_key(&w, "backups");
    sp_json_array_begin(&w);
    for (size_t i = 0; i < count; i++)
        write_backup(&w, &rows[i]);
    sp_json_array_end(&w);
    sp_json_object_end(&w);
    return SP_OK;
}

/* Nothing can be asked for yet, and what is asked for must not be ignored. */
static enum sp_status check_body(const struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_arena arena;
    struct sp_json_reader r;
    struct sp_slice body = sp_slice_trim(call->request.body);
    if (body.len == 0)
        return SP_OK;
    static const enum sp_json_event wanted[] = {SP_JSON_OBJECT_BEGIN, SP_JSON_OBJECT_END,
                                                SP_JSON_END};
    bool is_empty = true;
    sp_arena_init(&arena, SP_QUERY_BODY_BYTES_MAX);
    sp_json_reader_init(&r, body, &arena, 1);
    for (size_t i = 0; i < SP_ARRAY_LEN(wanted) && is_empty; i++)
        is_empty = sp_json_next(&r) == wanted[i];
    sp_arena_fini(&arena);
    return is_empty ? SP_OK
                    : sp_error_set(reterr, SP_INVALID_ARGUMENT,
                                   "the body is an empty JSON object, or nothing");
}

enum sp_status sp_query_answer_backup_make(struct sp_query_call *call, struct sp_error *reterr)
{
    struct sp_backup backup;
    struct sp_json_writer w;
    enum sp_status status = check_body(call, reterr);
    if (status == SP_OK)
        status = sp_store_backup_make(call->api->store, &call->arena, &backup, reterr);
    if (status != SP_OK)
        return status;
    sp_query_reply_json(call, &w);
    call->reply.status = 201;
    write_backup(&w, &backup);
    return SP_OK;
}

enum sp_status sp_query_answer_backup_remove(struct sp_query_call *call, struct sp_error *reterr)
{
    enum sp_status status = sp_store_backup_remove(call->api->store, call->path_id, reterr);
    if (status == SP_OK)
        call->reply.status = 204;
    return status;
}
