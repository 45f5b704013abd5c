/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/backup.c: `spoor backup`: a copy of a data directory that is in use, or of one that is not. The server makes one beside its
 * data, this program takes it to its place, and the server removes it again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"
#include "storage/storage.h"

#define BACKUP_CONFIG_ARENA_BYTES ((size_t)1024 * 1024)
#define BACKUP_REPLY_DEPTH_MAX    4
#define BACKUP_PATH_BYTES_MAX     4096
#define BACKUP_JSON_BYTES_MAX     ((size_t)64 * 1024)

static const struct sp_option options[] = {
    SP_ASK_OPTIONS,
    {.name = "data-dir",
     .type = SP_OPTION_TEXT,
     .value_name = "DIR",
     .help = "Copy this directory, which no server uses, and ask none."},
    {.name = "link",
     .type = SP_OPTION_BOOL,
     .help = "Link tables instead of copying them, where both are on one file system: quick, but "
             "no help when the disk breaks."},
    {.name = "json", .type = SP_OPTION_BOOL, .help = "Print the result as JSON."},
};

/* ---- the server's part ---- */

/* Memory of the arena. */
struct made {
    struct sp_slice name, path;
};

static bool read_made(struct sp_slice body, struct sp_arena *arena, struct made *ret)
{
    struct sp_json_reader r;
    *ret = (struct made){.name = {0}};
    sp_json_reader_init(&r, body, arena, BACKUP_REPLY_DEPTH_MAX);
    if (sp_json_next(&r) != SP_JSON_OBJECT_BEGIN)
        return false;
    while (sp_json_next(&r) == SP_JSON_KEY) {
        struct sp_slice *field = NULL;
        if (sp_slice_equal_cstr(r.text, "name"))
            field = &ret->name;
        else if (sp_slice_equal_cstr(r.text, "path"))
            field = &ret->path;
        if (field == NULL) {
            if (sp_json_skip(&r) != SP_OK)
                return false;
        } else if (sp_json_next(&r) == SP_JSON_STRING) {
            *field = r.text;
        } else {
            return false;
        }
    }
    return ret->name.len > 0 && ret->path.len > 0;
}

static int ask_for_backup(const struct sp_config *config, struct sp_buf *body)
{
    struct sp_ask ask;
    sp_ask_init(&ask, "backup", config, "/v1/backups");
    ask.method = "POST";
    int code = sp_ask_run(&ask, body);
    sp_ask_fini(&ask);
    return code;
}

/* The copy is made, so its failure is no failure of this program. */
static void ask_to_remove(const struct sp_config *config, struct sp_slice name)
{
    struct sp_ask ask;
    struct sp_buf body;
    sp_ask_init(&ask, "backup", config, "/v1/backups/");
    sp_ask_path(&ask, name);
    ask.method = "DELETE";
    if (sp_ask_run(&ask, &body) == SP_EXIT_OK)
        sp_buf_fini(&body);
    else
        fprintf(stderr,
                "spoor backup: the server keeps its copy \"%.*s\" until DELETE /v1/backups/%.*s\n",
                SP_SLICE_PRINTF(name), SP_SLICE_PRINTF(name));
    sp_ask_fini(&ask);
}

/* ---- the copy ---- */

static int print_json(struct sp_slice to, const struct sp_store_copied *copied)
{
    struct sp_buf text;
    struct sp_json_writer w;
    sp_buf_init(&text, BACKUP_JSON_BYTES_MAX);
    sp_json_writer_init(&w, &text);
    sp_json_object_begin(&w);
    sp_json_key(&w, "path");
    sp_json_string(&w, to);
    sp_json_key(&w, "files");
    sp_json_u64_string(&w, copied->file_count);
    sp_json_key(&w, "bytes");
    sp_json_u64_string(&w, copied->bytes);
    sp_json_key(&w, "linkedFiles");
    sp_json_u64_string(&w, copied->linked_count);
    sp_json_object_end(&w);
    int code = text.error == SP_OK ? sp_ask_print(sp_buf_slice(&text)) : SP_EXIT_FAILURE;
    sp_buf_fini(&text);
    return code;
}

static int take_copy(const struct sp_config *config, const char *from, const char *hint)
{
    const char *to = (const char *)config->positional[0].ptr;
    struct sp_store_copied copied;
    struct sp_error error = {0};
    enum sp_status status =
        sp_store_copy(from, to, sp_config_get(config, "link")->flag, &copied, &error);
    if (status != SP_OK) {
        fprintf(stderr, "spoor backup: %s%s\n", error.message,
                status == SP_NOT_FOUND || status == SP_BUSY ? hint : "");
        return status == SP_INVALID_ARGUMENT ? SP_EXIT_USAGE : SP_EXIT_FAILURE;
    }
    if (sp_config_get(config, "json")->flag)
        return print_json(sp_slice_cstr(to), &copied);
    printf("%s: %" PRIu64 " files, %" PRIu64 " bytes copied, %" PRIu64 " files linked\n", to,
           copied.file_count, copied.bytes, copied.linked_count);
    return SP_EXIT_OK;
}

static int back_up_running(const struct sp_config *config, struct sp_arena *arena)
{
    struct sp_buf body;
    struct made made;
    int code = ask_for_backup(config, &body);
    if (code != SP_EXIT_OK)
        return code;
    if (!read_made(sp_buf_slice(&body), arena, &made)) {
        fputs("spoor backup: the server's answer is none of /v1/backups\n", stderr);
        code = SP_EXIT_FAILURE;
    } else {
        char path[BACKUP_PATH_BYTES_MAX];
        snprintf(path, sizeof(path), "%.*s", SP_SLICE_PRINTF(made.path));
        code = take_copy(config, path,
                         ": run this on the server's machine, as a user who may read there");
        ask_to_remove(config, made.name);
    }
    sp_buf_fini(&body);
    return code;
}

static int run(const struct sp_config *config, struct sp_arena *arena)
{
    const struct sp_option_value *dir = sp_config_get(config, "data-dir");
    /* Not from the environment: there the server's own directory may be named. */
    if (dir->set && strcmp(dir->origin, "flag") == 0)
        return take_copy(config, (const char *)dir->text.ptr,
                         ": without --data-dir the server is asked for a backup");
    return back_up_running(config, arena);
}

int sp_cmd_backup(int argc, char **argv)
{
    const struct sp_command command = {
        .name = "backup",
        .arguments = "DIR",
        .summary = "Copies all that a server has acknowledged to a new or empty directory, while "
                   "the server runs. "
                   "To restore,\ncopy it back and start `spoor serve --data-dir COPY`.",
        .options = options,
        .option_count = SP_ARRAY_LEN(options),
        .arguments_min = 1,
        .arguments_max = 1,
    };
    struct sp_arena arena;
    struct sp_config config;
    sp_arena_init(&arena, BACKUP_CONFIG_ARENA_BYTES);
    int code = sp_cmd_options(&arena, &command, argc, argv, &config);
    if (code < 0)
        code = run(&config, &arena);
    sp_arena_fini(&arena);
    return code;
}
