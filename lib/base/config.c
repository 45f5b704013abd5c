/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/config.c: the sources of the configuration in order of strength, weakest first: default, file, environment,
 * flag. Each writes over the one before; what a text means is checked in config_value.c, the file is read in config_yaml.c. */
#include "lib/base/config.h"

#include <stdio.h>

#include "lib/base/config_internal.h"

#define NAME_BYTES_MAX 64
#define HELP_COLUMNS   80
#define HELP_INDENT    8

struct loader {
    struct sp_arena *arena;
    struct sp_config *config;
    struct sp_error *reterr;
    const char **flags; /* for each option: the value given as a flag, or NULL; argv's memory */
    /* for each option: the value in the environment, or NULL; env's memory */
    const char **variables;
};

const struct sp_option *sp_config_find(const struct sp_config *config, struct sp_slice name)
{
    for (size_t i = 0; i < config->option_count; i++)
        if (sp_slice_equal_cstr(name, config->options[i].name))
            return &config->options[i];
    return NULL;
}

/* How many letters must be put in, taken out or changed to make b of a (Levenshtein). Row by row: row[j] is the distance
 * of the part of a read so far to the first j letters of b. */
static size_t edit_distance(struct sp_slice a, struct sp_slice b)
{
    size_t row[NAME_BYTES_MAX + 1];
    if (a.len > NAME_BYTES_MAX || b.len > NAME_BYTES_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t changed = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = changed < shorter + 1 ? changed : shorter + 1;
        }
    }
    return row[b.len];
}

const struct sp_option *sp_config_nearest(const struct sp_config *config, struct sp_slice name)
{
    const struct sp_option *nearest = NULL;
    size_t best = name.len / 3 + 2; /* one more than may differ */
    for (size_t i = 0; i < config->option_count; i++) {
        struct sp_slice known = sp_slice_cstr(config->options[i].name);
        size_t distance = edit_distance(name, known);
        if (distance < best && distance < known.len) {
            best = distance;
            nearest = &config->options[i];
        }
    }
    return nearest;
}

/* "otlp-grpc" -> "SPOOR_OTLP_GRPC". out: NAME_BYTES_MAX + 8 bytes. */
static void variable_name(const char *name, char *out)
{
    size_t len = strlen(name);
    SP_ASSERT(len <= NAME_BYTES_MAX);
    memcpy(out, "SPOOR_", 6);
    for (size_t i = 0; i < len; i++) {
        char letter = name[i];
        out[6 + i] = letter == '-'                    ? '_'
                     : letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A')
                                                      : letter;
    }
    out[6 + len] = 0;
}

/* ---- collecting ---- */

static enum sp_status unknown_flag(struct loader *l, struct sp_slice name)
{
    char text[NAME_BYTES_MAX];
    snprintf(text, sizeof(text), "%.*s", SP_SLICE_PRINTF(name));
    const struct sp_option *near = sp_config_nearest(l->config, name);
    if (near) {
        return sp_error_set_parameter(l->reterr, SP_INVALID_ARGUMENT, text,
                                      "unknown flag --%s, did you mean --%s?", text, near->name);
    }
    return sp_error_set_parameter(l->reterr, SP_INVALID_ARGUMENT, text,
                                  "unknown flag --%s; --help lists the flags", text);
}

/* One argument that begins with two dashes; *index moves on when its value is the next one. */
static enum sp_status take_flag(struct loader *l, int argc, char *const *argv, int *index)
{
    const char *argument = argv[*index] + 2;
    struct sp_slice whole = sp_slice_cstr(argument);
    size_t name_len = sp_slice_find(whole, '=');
    struct sp_slice name = sp_slice_sub(whole, 0, name_len);
    const struct sp_option *option = sp_config_find(l->config, name);
    if (!option)
        return unknown_flag(l, name);
    const char *value = name_len < whole.len ? argument + name_len + 1 : NULL;
    if (!value && option->type == SP_OPTION_BOOL) {
        value = "true";
    } else if (!value) {
        /* What looks like a flag is taken for a forgotten value; --name=--value says it on purpose. */
        bool missing = *index + 1 >= argc || strncmp(argv[*index + 1], "--", 2) == 0;
        if (missing) {
            return sp_error_set_parameter(l->reterr, SP_INVALID_ARGUMENT, option->name,
                                          "--%s needs a value: --%s %s", option->name, option->name,
                                          option->value_name ? option->value_name : "VALUE");
        }
        value = argv[++*index];
    }
    l->flags[option - l->config->options] = value;
    return SP_OK;
}

static enum sp_status collect_flags(struct loader *l, int argc, char *const *argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            l->config->help = true;
            return SP_OK;
        }
    }
    bool flags_over = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (flags_over || argument[0] != '-' || argument[1] == 0) {
            l->config->positional[l->config->positional_count++] = sp_slice_cstr(argument);
        } else if (strcmp(argument, "--") == 0) {
            flags_over = true;
        } else if (argument[1] != '-') {
            return sp_error_set_parameter(
                l->reterr, SP_INVALID_ARGUMENT, argument,
                "unknown flag %s; flags begin with two dashes, --help lists them", argument);
        } else {
            enum sp_status status = take_flag(l, argc, argv, &i);
            if (status != SP_OK)
                return status;
        }
    }
    return SP_OK;
}

static void collect_variables(struct loader *l, char *const *env)
{
    for (size_t i = 0; i < l->config->option_count; i++) {
        char name[NAME_BYTES_MAX + 8];
        variable_name(l->config->options[i].name, name);
        size_t len = strlen(name);
        for (char *const *entry = env; *entry; entry++)
            if (strncmp(*entry, name, len) == 0 && (*entry)[len] == '=' && (*entry)[len + 1] != 0)
                l->variables[i] = *entry + len + 1;
    }
}

/* ---- applying ---- */

static enum sp_status apply(struct loader *l, size_t i, const char *text, const char *origin,
                            const char *name)
{
    struct sp_config_place place = {origin, name};
    return sp_config_set(l->arena, &l->config->options[i], sp_slice_cstr(text), &place,
                         &l->config->values[i], l->reterr);
}

static enum sp_status apply_defaults(struct loader *l)
{
    for (size_t i = 0; i < l->config->option_count; i++) {
        const struct sp_option *option = &l->config->options[i];
        if (option->default_text) {
            enum sp_status status = apply(l, i, option->default_text, "default", option->name);
            SP_ASSERT(status == SP_OK ||
                      status == SP_LIMIT); /* a default that is not valid is our bug */
            if (status != SP_OK)
                return status;
        }
    }
    return SP_OK;
}

/* The file's name comes from the sources that are stronger than the file. */
static enum sp_status apply_file(struct loader *l)
{
    const struct sp_option *option = sp_config_find(l->config, SP_SLICE("config"));
    if (!option)
        return SP_OK;
    size_t i = (size_t)(option - l->config->options);
    const char *path = l->flags[i]       ? l->flags[i]
                       : l->variables[i] ? l->variables[i]
                                         : option->default_text;
    return path && *path ? sp_config_read_file(l->arena, path, l->config, l->reterr) : SP_OK;
}

static enum sp_status apply_variables_and_flags(struct loader *l)
{
    for (size_t i = 0; i < l->config->option_count; i++) {
        char name[NAME_BYTES_MAX + 8];
        enum sp_status status = SP_OK;
        if (l->variables[i]) {
            variable_name(l->config->options[i].name, name);
            status = apply(l, i, l->variables[i], "environment", name);
        }
        if (status == SP_OK && l->flags[i]) {
            snprintf(name, sizeof(name), "--%s", l->config->options[i].name);
            status = apply(l, i, l->flags[i], "flag", name);
        }
        if (status != SP_OK)
            return status;
    }
    return SP_OK;
}

enum sp_status sp_config_load(struct sp_arena *arena, const struct sp_option *options,
                              size_t option_count, int argc, char *const *argv, char *const *env,
                              struct sp_config *ret, struct sp_error *reterr)
{
    struct sp_config config = {.options = options, .option_count = option_count};
    struct loader l = {.arena = arena, .config = &config, .reterr = reterr};
    config.values = sp_arena_calloc(arena, option_count, sizeof(*config.values));
    config.positional =
        sp_arena_calloc(arena, argc > 0 ? (size_t)argc : 0, sizeof(*config.positional));
    l.flags = sp_arena_calloc(arena, option_count, sizeof(*l.flags));
    l.variables = sp_arena_calloc(arena, option_count, sizeof(*l.variables));
    if (!config.values || !config.positional || !l.flags || !l.variables) {
        return sp_error_set(reterr, SP_LIMIT,
                            "the configuration is larger than the memory set aside for it");
    }
    enum sp_status status = collect_flags(&l, argc, argv);
    if (status == SP_OK && !config.help) {
        if (env)
            collect_variables(&l, env);
        status = apply_defaults(&l);
        status = status == SP_OK ? apply_file(&l) : status;
        status = status == SP_OK ? apply_variables_and_flags(&l) : status;
    }
    if (status == SP_OK)
        *ret = config;
    return status;
}

const struct sp_option_value *sp_config_get(const struct sp_config *config, const char *name)
{
    const struct sp_option *option = sp_config_find(config, sp_slice_cstr(name));
    SP_ASSERT(option != NULL);
    return &config->values[option - config->options];
}

/* ---- help ---- */

/* Appends text word by word, broken at HELP_COLUMNS. *column is where the line stands; 0 begins one. */
static void wrap(struct sp_buf *out, struct sp_slice text, size_t *column)
{
    while (text.len) {
        size_t len = sp_slice_find(text, ' ');
        if (*column > 0 && *column + 1 + len > HELP_COLUMNS) {
            sp_buf_append_byte(out, '\n');
            *column = 0;
        }
        if (*column == 0) {
            sp_buf_printf(out, "%*s", HELP_INDENT, "");
            *column = HELP_INDENT;
        } else {
            sp_buf_append_byte(out, ' ');
            *column += 1;
        }
        sp_buf_append_slice(out, sp_slice_sub(text, 0, len));
        *column += len;
        text = sp_slice_sub(text, len + 1, text.len);
    }
}

void sp_config_help(const struct sp_option *options, size_t option_count, struct sp_buf *out)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct sp_option *option = &options[i];
        const char *value = option->value_name ? option->value_name : option->choices;
        sp_buf_printf(out, "  --%s%s%s\n", option->name, value ? " " : "", value ? value : "");

        char variable[NAME_BYTES_MAX + 8], facts[400];
        variable_name(option->name, variable);
        snprintf(facts, sizeof(facts), "[%s%s%s%s]", option->default_text ? "default: " : "",
                 option->default_text ? option->default_text : "", option->default_text ? "; " : "",
                 variable);
        size_t column = 0;
        wrap(out, sp_slice_cstr(option->help), &column);
        if (option->type == SP_OPTION_CHOICE && option->value_name) {
            char choices[200];
            snprintf(choices, sizeof(choices), "One of %s.", option->choices);
            wrap(out, sp_slice_cstr(choices), &column);
        }
        wrap(out, sp_slice_cstr(facts), &column);
        sp_buf_append_byte(out, '\n');
    }
}
