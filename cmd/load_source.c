/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/load_source.c: recordings on disk become templates. */
#include "cmd/load_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/wire/wire.h"

#define SP_LOAD_FRAME_HEAD_BYTES  5
#define SP_LOAD_PATH_BYTES_MAX    4096
#define SP_LOAD_INDEX_ARENA_BYTES ((size_t)64 * 1024)

enum sp_status sp_load_source_add(struct sp_load_source *source, struct sp_buf *request,
                                  struct sp_error *reterr)
{
    if (source->count == source->cap) {
        size_t cap = source->cap ? 2 * source->cap : 256;
        struct sp_load_template *items = realloc(source->items, cap * sizeof(*items));
        if (!items)
            return sp_error_set(reterr, SP_NO_MEMORY, "no memory for the requests");
        source->items = items;
        source->cap = cap;
    }
    struct sp_load_template *item = &source->items[source->count];
    enum sp_status status = sp_load_template_init(item, request, reterr);
    if (status != SP_OK)
        return status;
    if (source->count == 0 || item->start_min_unix_ns < source->start_min_unix_ns)
        source->start_min_unix_ns = item->start_min_unix_ns;
    if (item->start_max_unix_ns > source->start_max_unix_ns)
        source->start_max_unix_ns = item->start_max_unix_ns;
    source->span_count += item->span_count;
    source->count++;
    return SP_OK;
}

void sp_load_source_fini(struct sp_load_source *source)
{
    if (!source)
        return;
    for (size_t i = 0; i < source->count; i++)
        sp_load_template_fini(&source->items[i]);
    free(source->items);
    *source = (struct sp_load_source){0};
}

static enum sp_status read_file(const char *path, struct sp_buf *out, struct sp_error *reterr)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return sp_error_set(reterr, errno == ENOENT ? SP_NOT_FOUND : SP_IO, "%s: %s", path,
                            strerror(errno));
    size_t got = 1;
    while (got > 0 && out->error == SP_OK) {
        uint8_t *room = sp_buf_reserve(out, (size_t)64 * 1024);
        got = room ? fread(room, 1, (size_t)64 * 1024, file) : 0;
        out->len += got;
    }
    bool failed = ferror(file);
    fclose(file);
    if (out->error != SP_OK)
        return sp_error_set(reterr, out->error, "%s: larger than %zu bytes", path, out->max);
    return failed ? sp_error_set(reterr, SP_IO, "%s: could not be read", path) : SP_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text), end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* Reads a file and takes its compression off. */
static enum sp_status read_plain(const char *path, struct sp_buf *out, struct sp_error *reterr)
{
    enum sp_encoding encoding = ends_with(path, ".gz")    ? SP_ENCODING_GZIP
                                : ends_with(path, ".zst") ? SP_ENCODING_ZSTD
                                                          : SP_ENCODING_IDENTITY;
    struct sp_buf raw;
    struct sp_error why;
    sp_buf_init(&raw, SP_LOAD_FILE_BYTES_MAX);
    enum sp_status status = read_file(path, &raw, reterr);
    if (status == SP_OK && encoding == SP_ENCODING_IDENTITY) {
        sp_buf_move(out, &raw);
    } else if (status == SP_OK) {
        status = sp_decompress(encoding, sp_buf_slice(&raw), out, &why);
        if (status != SP_OK)
            sp_error_set(reterr, status, "%s: %s", path, why.message);
    }
    sp_buf_fini(&raw);
    return status;
}

static enum sp_status add_request(struct sp_load_source *source, const char *path,
                                  struct sp_slice bytes, struct sp_error *reterr)
{
    struct sp_buf request;
    struct sp_error why;
    sp_buf_init(&request, SP_LOAD_FILE_BYTES_MAX);
    sp_buf_append_slice(&request, bytes);
    enum sp_status status = request.error;
    if (status != SP_OK)
        sp_error_set(&why, status, "no memory for a request of %zu bytes", bytes.len);
    else
        status = sp_load_source_add(source, &request, &why);
    if (status != SP_OK)
        sp_error_set(reterr, status, "%s: %s", path, why.message);
    sp_buf_fini(&request);
    return status;
}

static enum sp_status add_frames(struct sp_load_source *source, const char *path,
                                 struct sp_slice frames, struct sp_error *reterr)
{
    size_t pos = 0;
    while (pos < frames.len) {
        const uint8_t *head = frames.ptr + pos;
        size_t rest = frames.len - pos;
        if (rest < SP_LOAD_FRAME_HEAD_BYTES || head[0] != 0)
            return sp_error_set_at(reterr, SP_MALFORMED, pos, "%s: no gRPC frame at byte %zu", path,
                                   pos);
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        if (len > rest - SP_LOAD_FRAME_HEAD_BYTES)
            return sp_error_set_at(reterr, SP_MALFORMED, pos,
                                   "%s: the frame at byte %zu is cut off", path, pos);
        enum sp_status status =
            add_request(source, path, sp_slice_make(head + SP_LOAD_FRAME_HEAD_BYTES, len), reterr);
        if (status != SP_OK)
            return status;
        pos += SP_LOAD_FRAME_HEAD_BYTES + len;
    }
    return SP_OK;
}

static bool is_request_file(const char *name)
{
    return ends_with(name, ".pb") || ends_with(name, ".pb.gz") || ends_with(name, ".pb.zst");
}

static enum sp_status add_file(struct sp_load_source *source, const char *path,
                               struct sp_error *reterr)
{
    struct sp_buf plain;
    sp_buf_init(&plain, SP_LOAD_FILE_BYTES_MAX);
    enum sp_status status = read_plain(path, &plain, reterr);
    if (status == SP_OK)
        status = is_request_file(path) ? add_request(source, path, sp_buf_slice(&plain), reterr)
                                       : add_frames(source, path, sp_buf_slice(&plain), reterr);
    sp_buf_fini(&plain);
    return status;
}

static enum sp_status add_in_directory(struct sp_load_source *source, const char *directory,
                                       struct sp_slice name, struct sp_error *reterr)
{
    char path[SP_LOAD_PATH_BYTES_MAX];
    if (snprintf(path, sizeof(path), "%s/%.*s", directory, SP_SLICE_PRINTF(name)) >=
        (int)sizeof(path))
        return sp_error_set(reterr, SP_LIMIT, "%s: the path is too long", directory);
    return add_file(source, path, reterr);
}

/* One line of index.jsonl: the file's name if its signal is traces, otherwise empty. */
static enum sp_status read_index_line(struct sp_slice line, struct sp_arena *arena,
                                      struct sp_slice *ret_file, struct sp_error *reterr)
{
    struct sp_json_reader reader;
    struct sp_slice file = SP_SLICE(""), key = SP_SLICE("");
    bool traces = false;
    sp_json_reader_init(&reader, line, arena, 8);
    for (;;) {
        enum sp_json_event event = sp_json_next(&reader);
        if (event == SP_JSON_END)
            break;
        if (event == SP_JSON_ERROR) {
            *reterr = reader.error;
            return reader.error.status;
        }
        if (event == SP_JSON_KEY)
            key = reader.text;
        if (event == SP_JSON_STRING && reader.depth == 1 && sp_slice_equal_cstr(key, "file"))
            file = reader.text;
        if (event == SP_JSON_STRING && reader.depth == 1 && sp_slice_equal_cstr(key, "signal"))
            traces = sp_slice_equal_cstr(reader.text, "traces");
    }
    *ret_file = traces ? file : SP_SLICE("");
    return SP_OK;
}

static enum sp_status add_indexed(struct sp_load_source *source, const char *directory,
                                  struct sp_slice index, struct sp_error *reterr)
{
    struct sp_arena arena;
    sp_arena_init(&arena, SP_LOAD_INDEX_ARENA_BYTES);
    enum sp_status status = SP_OK;
    while (index.len > 0 && status == SP_OK) {
        size_t end = sp_slice_find(index, '\n');
        struct sp_slice line = sp_slice_trim(sp_slice_sub(index, 0, end)), file = SP_SLICE("");
        index = sp_slice_sub(index, end + 1, index.len);
        if (line.len > 0)
            status = read_index_line(line, &arena, &file, reterr);
        if (status == SP_OK && file.len > 0)
            status = add_in_directory(source, directory, file, reterr);
        sp_arena_reset(&arena);
    }
    sp_arena_fini(&arena);
    return status;
}

static int is_request_entry(const struct dirent *entry)
{
    return is_request_file(entry->d_name);
}

static enum sp_status add_directory(struct sp_load_source *source, const char *directory,
                                    struct sp_error *reterr)
{
    char path[SP_LOAD_PATH_BYTES_MAX];
    struct sp_buf index;
    struct stat info;
    if (snprintf(path, sizeof(path), "%s/index.jsonl", directory) < (int)sizeof(path) &&
        stat(path, &info) == 0) {
        sp_buf_init(&index, SP_LOAD_FILE_BYTES_MAX);
        enum sp_status status = read_file(path, &index, reterr);
        if (status == SP_OK)
            status = add_indexed(source, directory, sp_buf_slice(&index), reterr);
        sp_buf_fini(&index);
        return status;
    }
    struct dirent **entries;
    int count = scandir(directory, &entries, is_request_entry, alphasort);
    if (count < 0)
        return sp_error_set(reterr, SP_IO, "%s: %s", directory, strerror(errno));
    enum sp_status status = SP_OK;
    for (int i = 0; i < count; i++) {
        if (status == SP_OK)
            status = add_in_directory(source, directory, sp_slice_cstr(entries[i]->d_name), reterr);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum sp_status sp_load_source_read(struct sp_load_source *source, const char *path,
                                   struct sp_error *reterr)
{
    struct stat info;
    size_t before = source->count;
    if (stat(path, &info) != 0)
        return sp_error_set(reterr, errno == ENOENT ? SP_NOT_FOUND : SP_IO, "%s: %s", path,
                            strerror(errno));
    enum sp_status status = S_ISDIR(info.st_mode) ? add_directory(source, path, reterr)
                                                  : add_file(source, path, reterr);
    if (status == SP_OK && source->count == before)
        return sp_error_set(reterr, SP_NOT_FOUND, "%s: there is no recorded trace request in it",
                            path);
    return status;
}
