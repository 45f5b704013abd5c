/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/show.c: see cmd/show.h. */
#include "cmd/show.h"

#include <stdio.h>

#define SHOW_CONFIG_ARENA_BYTES ((size_t)1024 * 1024)
#define SHOW_ARENA_BYTES        ((size_t)4 * 1024 * 1024 * 1024)

static int print_tables(const struct sp_show *show, const struct sp_answer *answer,
                        struct sp_arena *arena)
{
    const struct sp_answer *explain = sp_answer_at(answer, "explain");
    struct sp_terminal terminal;
    int code = SP_EXIT_OK;
    sp_terminal_init(&terminal, stdout);
    if (!show->found(answer)) {
        fprintf(stderr, "%s\n", show->nothing);
        code = SP_EXIT_NOT_FOUND;
    } else if (!show->print(answer, &terminal, arena)) {
        return SP_EXIT_FAILURE;
    } else if (explain->count > 0) {
        putc('\n', terminal.out);
    }
    if (explain->count > 0 && !sp_explain_print(explain, &terminal, arena))
        return SP_EXIT_FAILURE;
    return code;
}

static int print_answer(const struct sp_show *show, const struct sp_config *config,
                        struct sp_slice body)
{
    struct sp_arena arena;
    struct sp_error error = {0};
    const struct sp_answer *answer;
    int code = SP_EXIT_OK;
    sp_arena_init(&arena, SHOW_ARENA_BYTES);
    if (sp_answer_read(body, &arena, &answer, &error) != SP_OK) {
        fprintf(stderr, "spoor %s: the answer is not what this version understands: %s\n",
                show->command.name, error.message);
        code = SP_EXIT_FAILURE;
    } else if (show->as_json || sp_config_get(config, "json")->flag) {
        code = sp_ask_print(body);
        if (code == SP_EXIT_OK && !show->found(answer))
            code = SP_EXIT_NOT_FOUND;
    } else {
        code = print_tables(show, answer, &arena);
    }
    sp_arena_fini(&arena);
    return code;
}

static bool explains(const struct sp_show *show)
{
    for (size_t i = 0; i < show->command.option_count; i++)
        if (strcmp(show->command.options[i].name, "explain") == 0)
            return true;
    return false;
}

int sp_show_run(const struct sp_show *show, const struct sp_config *config)
{
    struct sp_ask ask;
    struct sp_buf body;
    sp_ask_init(&ask, show->command.name, config, show->path);
    if (show->prepare)
        show->prepare(&ask, config);
    if (explains(show) && sp_config_get(config, "explain")->flag)
        sp_ask_parameter(&ask, "explain", SP_SLICE("true"));
    for (size_t i = 0; show->passed[i][0]; i++) {
        const struct sp_option_value *value = sp_config_get(config, show->passed[i][0]);
        if (value->set)
            sp_ask_parameter(&ask, show->passed[i][1], value->text);
    }
    int code = sp_ask_run(&ask, &body);
    if (code == SP_EXIT_OK) {
        code = print_answer(show, config, sp_buf_slice(&body));
        sp_buf_fini(&body);
    }
    sp_ask_fini(&ask);
    return code;
}

int sp_show_main(const struct sp_show *show, int argc, char **argv)
{
    struct sp_arena arena;
    struct sp_config config;
    sp_arena_init(&arena, SHOW_CONFIG_ARENA_BYTES);
    int code = sp_cmd_options(&arena, &show->command, argc, argv, &config);
    if (code < 0)
        code = sp_show_run(show, &config);
    sp_arena_fini(&arena);
    return code;
}

void sp_show_query(struct sp_ask *ask, const struct sp_config *config)
{
    if (config->positional_count > 0)
        sp_ask_query(ask, "q", config->positional[0]);
}
