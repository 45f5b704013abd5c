/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/recording.c: reads recordings. The archives are ours and sound, so every doubt is an assertion. */
#include "tests/support/recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RECORDING_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define TAR_BLOCK           512

static bool read_file(const char *path, struct sp_buf *out)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return false;
    }
    for (;;) {
        uint8_t *to = sp_buf_reserve(out, 65536);
        SP_ASSERT(to);
        size_t len = fread(to, 1, 65536, file);
        out->len += len;
        if (len == 0) {
            break;
        }
    }
    fclose(file);
    return true;
}

static struct sp_recorded *add(struct sp_recording *r)
{
    if ((r->count & (r->count - 1)) == 0) { /* full at every power of two */
        size_t cap = r->count ? r->count * 2 : 1;
        struct sp_recorded *grown =
            sp_arena_grow(&r->arena, r->requests, r->count * sizeof(*grown), cap * sizeof(*grown));
        SP_ASSERT(grown);
        r->requests = grown;
    }
    r->requests[r->count] = (struct sp_recorded){.signal = SP_SLICE("traces")};
    return &r->requests[r->count++];
}

/* The file of the archive whose name ends in name. */
static struct sp_slice tar_find(struct sp_slice tar, struct sp_slice name)
{
    for (size_t at = 0; at + TAR_BLOCK <= tar.len && tar.ptr[at];) {
        const char *header = (const char *)tar.ptr + at;
        struct sp_slice full = sp_slice_make(header, strnlen(header, 100));
        char digits[13] = {0};
        memcpy(digits, header + 124, 12);
        size_t len = strtoull(digits, NULL, 8);
        at += TAR_BLOCK;
        SP_ASSERT(at + len <= tar.len);
        if (full.len >= name.len &&
            sp_slice_equal(sp_slice_sub(full, full.len - name.len, name.len), name)) {
            return sp_slice_make(tar.ptr + at, len);
        }
        at += (len + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    }
    SP_ASSERT(!"the archive has this file");
    return (struct sp_slice){NULL, 0};
}

static void index_line(struct sp_recording *r, struct sp_slice line)
{
    struct sp_json_reader json;
    struct sp_recorded *recorded = add(r);
    struct sp_slice key = {NULL, 0};
    sp_json_reader_init(&json, line, &r->arena, 8);
    for (enum sp_json_event event; (event = sp_json_next(&json)) != SP_JSON_END;) {
        SP_ASSERT(event != SP_JSON_ERROR);
        if (event == SP_JSON_KEY) {
            key = json.text;
        } else if (event == SP_JSON_STRING && sp_slice_equal_cstr(key, "file")) {
            recorded->name = json.text;
        } else if (event == SP_JSON_STRING && sp_slice_equal_cstr(key, "signal")) {
            recorded->signal = json.text;
        } else if (event == SP_JSON_STRING && sp_slice_equal_cstr(key, "contentType")) {
            recorded->content_type = json.text;
        }
    }
    recorded->body = tar_find(sp_buf_slice(&r->bytes), recorded->name);
}

/* Calls index_line or adds a request for each line. */
static void lines(struct sp_recording *r, struct sp_slice text, bool index)
{
    while (text.len > 0) {
        size_t len = sp_slice_find(text, '\n');
        struct sp_slice line = sp_slice_sub(text, 0, len);
        text = sp_slice_sub(text, len + 1, text.len);
        if (line.len > 0 && index) {
            index_line(r, line);
        } else if (line.len > 0) {
            struct sp_recorded *recorded = add(r);
            recorded->body = line;
            recorded->content_type = SP_SLICE("application/json");
        }
    }
}

/* Frames of gRPC: a flag, four bytes of length, the message. */
static void frames(struct sp_recording *r, struct sp_slice bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        SP_ASSERT(bytes.len - at >= 5 && bytes.ptr[at] == 0);
        const uint8_t *p = bytes.ptr + at + 1;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        at += 5;
        SP_ASSERT(len <= bytes.len - at);
        struct sp_recorded *recorded = add(r);
        recorded->body = sp_slice_make(bytes.ptr + at, len);
        recorded->content_type = SP_SLICE("application/grpc");
        at += len;
    }
}

enum sp_status sp_recording_open(struct sp_recording *recording, const char *path)
{
    struct sp_recording *r = recording;
    struct sp_buf packed;
    struct sp_error error = {0};
    bool gzip = strstr(path, ".gz") != NULL;
    *r = (struct sp_recording){0};
    sp_buf_init(&packed, RECORDING_BYTES_MAX);
    sp_buf_init(&r->bytes, RECORDING_BYTES_MAX);
    sp_arena_init(&r->arena, RECORDING_BYTES_MAX);
    if (!read_file(path, &packed)) {
        return SP_NOT_FOUND;
    }
    enum sp_status status = sp_decompress(gzip ? SP_ENCODING_GZIP : SP_ENCODING_ZSTD,
                                          sp_buf_slice(&packed), &r->bytes, &error);
    SP_ASSERT(status == SP_OK);
    sp_buf_fini(&packed);
    if (gzip) {
        lines(r, tar_find(sp_buf_slice(&r->bytes), SP_SLICE("index.jsonl")), true);
    } else if (strstr(path, ".jsonl")) {
        lines(r, sp_buf_slice(&r->bytes), false);
    } else {
        frames(r, sp_buf_slice(&r->bytes));
    }
    return SP_OK;
}

void sp_recording_close(struct sp_recording *recording)
{
    sp_buf_fini(&recording->bytes);
    sp_arena_fini(&recording->arena);
}

const char *sp_test_data_dir(void)
{
    const char *dir = getenv("SPOOR_TEST_DATA");
    return dir ? dir : "tests/data";
}

const char *sp_shared_data_dir(void)
{
    static char beside[4096];
    struct stat info;
    const char *dir = getenv("SPOOR_SHARED_DATA");
    if (!dir) {
        snprintf(beside, sizeof(beside), "%s/../../../shared/data", sp_test_data_dir());
        dir = beside;
    }
    return stat(dir, &info) == 0 && S_ISDIR(info.st_mode) ? dir : NULL;
}
