/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/config_yaml.c: the configuration file. The only user of libyaml. It takes the parser's events, not its document
 * tree: events come with line numbers, need no recursion, and what we refuse (anchors, deep nesting) is refused before
 * anything is built from it. The names of nested keys are joined: otlp: {grpc: x} is otlp-grpc: x. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>
#include <yaml.h>

#include "lib/base/config_internal.h"

#define NAME_BYTES_MAX 64 /* of a joined key; longer than any option's name */

struct reader {
    struct sp_arena *arena;
    struct sp_config *config;
    struct sp_error *reterr;
    const char *path;
    bool *seen;       /* for each option: given in this file already */
    size_t line;      /* of what is read now, for messages */
    size_t list_line; /* of the first item */

    char name[NAME_BYTES_MAX + 2]; /* the joined key; zero-terminated */
    size_t name_len;
    size_t prefix_len[SP_CONFIG_DEPTH_MAX]; /* of the name, for each open mapping */
    size_t depth;
    bool after_key; /* a value is due for name */
    bool done;      /* the one document has been read */

    bool in_list;
    struct sp_slice items[SP_OPTION_LIST_MAX + 1]; /* one too many shows that there are too many */
    size_t item_count;
};

/* "spoor.yaml:3: name" of as much of the path as leaves room for the rest of the message. */
static void print_place(const struct reader *r, const char *name, char *out, size_t room)
{
    size_t len = strlen(r->path), shown = len < 200 ? len : 200;
    snprintf(out, room, "%s%s:%zu%s%s", shown < len ? "..." : "", r->path + len - shown, r->line,
             *name ? ": " : "", name);
}

SP_PRINTF(2, 3)
static enum sp_status refuse(struct reader *r, const char *format, ...)
{
    char place[320], text[300];
    print_place(r, "", place, sizeof(place));
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return sp_error_set_parameter(r->reterr, SP_INVALID_ARGUMENT, r->name, "%s: %s", place, text);
}

static struct sp_slice scalar_text(const yaml_event_t *event)
{
    return sp_slice_make(event->data.scalar.value, event->data.scalar.length);
}

static bool scalar_is_null(const yaml_event_t *event)
{
    struct sp_slice text = scalar_text(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text.len == 0 || sp_slice_equal_cstr(text, "~") ||
            sp_slice_equal_nocase(text, SP_SLICE("null")));
}

/* Does the name begin that of an option: are there keys to nest under it? */
static bool is_group(const struct reader *r)
{
    for (size_t i = 0; i < r->config->option_count; i++) {
        const char *name = r->config->options[i].name;
        if (strncmp(name, r->name, r->name_len) == 0 && name[r->name_len] == '-')
            return true;
    }
    return false;
}

static enum sp_status unknown_key(struct reader *r)
{
    const struct sp_option *near =
        sp_config_nearest(r->config, sp_slice_make(r->name, r->name_len));
    if (near)
        return refuse(r, "unknown key '%s', did you mean '%s'?", r->name, near->name);
    return refuse(r, "unknown key '%s'", r->name);
}

static enum sp_status take_key(struct reader *r, const yaml_event_t *event)
{
    struct sp_slice key = scalar_text(event);
    size_t len = r->prefix_len[r->depth - 1];
    if (len > 0)
        r->name[len++] = '-';
    size_t room = len < NAME_BYTES_MAX ? NAME_BYTES_MAX - len : 0;
    size_t copied = key.len < room ? key.len : room;
    bool possible = copied == key.len && sp_slice_find(key, 0) == key.len;
    memcpy(r->name + len, key.ptr, copied);
    r->name_len = len + copied;
    r->name[r->name_len] = 0;
    r->after_key = true;
    if (!possible ||
        (!sp_config_find(r->config, sp_slice_make(r->name, r->name_len)) && !is_group(r)))
        return unknown_key(r);
    return SP_OK;
}

/* The option that the key names, checked to be one that this file may set now. */
static enum sp_status option_for_value(struct reader *r, const struct sp_option **ret)
{
    const struct sp_option *option = sp_config_find(r->config, sp_slice_make(r->name, r->name_len));
    if (!option)
        return refuse(r, "'%s' is a group of keys, not a value", r->name);
    if (strcmp(option->name, "config") == 0)
        return refuse(r, "a configuration file cannot name another one");
    if (r->seen[option - r->config->options])
        return refuse(r, "'%s' is given twice", r->name);
    r->seen[option - r->config->options] = true;
    *ret = option;
    return SP_OK;
}

static enum sp_status set_value(struct reader *r, const struct sp_slice *scalar)
{
    const struct sp_option *option = NULL;
    enum sp_status status = option_for_value(r, &option);
    if (status != SP_OK)
        return status;
    char name[400];
    print_place(r, r->name, name, sizeof(name));
    struct sp_config_place place = {"file", name};
    struct sp_option_value *value = &r->config->values[option - r->config->options];
    r->after_key = false;
    if (scalar)
        return sp_config_set(r->arena, option, *scalar, &place, value, r->reterr);
    if (option->type != SP_OPTION_LIST)
        return refuse(r, "'%s' takes one value, not a list", r->name);
    return sp_config_set_items(r->arena, option, r->items, r->item_count, &place, value, r->reterr);
}

static enum sp_status take_scalar(struct reader *r, const yaml_event_t *event)
{
    struct sp_slice text = scalar_text(event);
    if (r->in_list) {
        if (r->item_count < SP_ARRAY_LEN(r->items)) {
            /* The event's memory ends with the event. */
            if (!sp_arena_copy(r->arena, text, &r->items[r->item_count]))
                return sp_error_set(r->reterr, SP_LIMIT, "%s: too large", r->path);
            r->item_count++;
        }
        return SP_OK;
    }
    if (r->depth == 0) {
        return scalar_is_null(event)
                   ? SP_OK
                   : refuse(r, "expected keys and values, such as 'data-dir: /var/lib/spoor'");
    }
    if (!r->after_key)
        return take_key(r, event);
    if (scalar_is_null(event))
        return refuse(r, "'%s' has no value", r->name);
    return set_value(r, &text);
}

static enum sp_status open_mapping(struct reader *r)
{
    if (r->in_list)
        return refuse(r, "the items of '%s' are texts, not groups of keys", r->name);
    if (r->depth > 0 && !r->after_key)
        return refuse(r, "a key must be a plain name");
    if (r->depth == SP_CONFIG_DEPTH_MAX)
        return refuse(r, "nested deeper than %d levels", SP_CONFIG_DEPTH_MAX);
    if (r->depth > 0 && !is_group(r))
        return refuse(r, "'%s' is a value, not a group of keys", r->name);
    r->prefix_len[r->depth++] = r->name_len;
    r->after_key = false;
    return SP_OK;
}

static enum sp_status open_list(struct reader *r)
{
    if (r->depth == 0)
        return refuse(r, "expected keys and values, not a list");
    if (r->in_list || !r->after_key)
        return refuse(r, r->in_list ? "a list inside a list" : "a key must be a plain name");
    r->in_list = true;
    r->item_count = 0;
    r->list_line = r->line;
    return SP_OK;
}

static bool has_anchor(const yaml_event_t *event)
{
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor);
}

static enum sp_status take_event(struct reader *r, const yaml_event_t *event)
{
    r->line = event->start_mark.line + 1;
    if (event->type == YAML_ALIAS_EVENT || has_anchor(event))
        return refuse(r, "anchors and aliases are not supported");
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->done ? refuse(r, "a second document") : SP_OK;
    case YAML_DOCUMENT_END_EVENT:
        r->done = true;
        return SP_OK;
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_list(r);
    case YAML_SEQUENCE_END_EVENT:
        r->in_list = false;
        r->line = r->list_line; /* the list ends where something else begins */
        return set_value(r, NULL);
    case YAML_MAPPING_START_EVENT:
        return open_mapping(r);
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        r->after_key = false;
        return SP_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_ALIAS_EVENT:
        return SP_OK;
    }
    return SP_OK;
}

static enum sp_status parse_failed(struct reader *r, const yaml_parser_t *parser)
{
    r->name[0] = 0;
    if (parser->error == YAML_MEMORY_ERROR)
        return sp_error_set(r->reterr, SP_NO_MEMORY, "%s: out of memory", r->path);
    size_t marked = parser->problem_mark.line, reached = parser->mark.line;
    r->line = (marked > reached ? marked : reached) + 1;
    return refuse(r, "not valid YAML: %s", parser->problem ? parser->problem : "syntax error");
}

static enum sp_status read_yaml(struct reader *r, struct sp_slice content)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return sp_error_set(r->reterr, SP_NO_MEMORY, "%s: out of memory", r->path);
    yaml_parser_set_input_string(&parser, content.len ? content.ptr : (const uint8_t *)"",
                                 content.len);
    enum sp_status status = SP_OK;
    bool end = false;
    while (status == SP_OK && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = parse_failed(r, &parser);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        status = take_event(r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

static enum sp_status file_failed(const char *path, int error, struct sp_error *reterr)
{
    enum sp_status status = error == ENOENT || error == ENOTDIR ? SP_NOT_FOUND
                            : error == EACCES || error == EPERM ? SP_PERMISSION
                                                                : SP_IO;
    return sp_error_set_parameter(reterr, status, "config", "%s: %s", path, strerror(error));
}

/* The whole file, or SP_LIMIT. */
static enum sp_status load_file(const char *path, struct sp_buf *content, struct sp_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return file_failed(path, errno, reterr);
    enum sp_status status = SP_OK;
    ssize_t got = 1;
    while (status == SP_OK && got != 0) {
        uint8_t piece[16384];
        got = read(fd, piece, sizeof(piece));
        if (got > 0)
            sp_buf_append(content, piece, (size_t)got);
        else if (got < 0 && errno != EINTR)
            status = file_failed(path, errno, reterr);
        if (content->error == SP_LIMIT) {
            status = sp_error_set_parameter(reterr, SP_LIMIT, "config", "%s: larger than %d bytes",
                                            path, SP_CONFIG_FILE_BYTES_MAX);
        } else if (content->error != SP_OK) {
            status = sp_error_set(reterr, content->error, "%s: out of memory", path);
        }
    }
    close(fd);
    return status;
}

enum sp_status sp_config_read_file(struct sp_arena *arena, const char *path,
                                   struct sp_config *config, struct sp_error *reterr)
{
    struct reader reader = {.arena = arena, .config = config, .reterr = reterr, .path = path};
    reader.seen = sp_arena_calloc(arena, config->option_count, sizeof(*reader.seen));
    if (!reader.seen)
        return sp_error_set(reterr, SP_LIMIT, "%s: no memory left for the configuration", path);
    struct sp_buf content;
    sp_buf_init(&content, SP_CONFIG_FILE_BYTES_MAX);
    enum sp_status status = load_file(path, &content, reterr);
    if (status == SP_OK)
        status = read_yaml(&reader, sp_buf_slice(&content));
    sp_buf_fini(&content);
    return status;
}
