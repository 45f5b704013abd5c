/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/config.h: configuration from one table of options. Each option has a flag (--otlp-grpc), an environment
 * variable (SPOOR_OTLP_GRPC), a key in the YAML file (otlp-grpc, or nested: otlp: {grpc: ...}), a default, a type and a
 * sentence of help; help text, file parsing and checks all come from that row. Precedence: flag, environment, file,
 * default. After loading the result never changes. */
#pragma once

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum sp_option_type {
    SP_OPTION_TEXT,     /* any text; an empty one counts as set */
    SP_OPTION_BOOL,     /* true, false, yes, no, on, off, 1, 0; the bare flag means true */
    SP_OPTION_U64,      /* decimal, between min and max */
    SP_OPTION_BYTES,    /* "64MiB", between min and max */
    SP_OPTION_DURATION, /* "5s", nanoseconds between min and max */
    SP_OPTION_ADDRESS,  /* HOST:PORT, [IPv6]:PORT; port 0 asks the system for one */
    SP_OPTION_CHOICE,   /* one of choices, "a|b|c" */
    SP_OPTION_LIST,     /* comma-separated in flag and environment, sequence in YAML */
};

#define SP_OPTION_LIST_MAX       64            /* items of a LIST */
#define SP_CONFIG_FILE_BYTES_MAX (1024 * 1024) /* a configuration is written by hand */
#define SP_CONFIG_DEPTH_MAX      8 /* mappings inside one another; option names have fewer parts */

struct sp_option {
    const char *name; /* "otlp-grpc": the flag without dashes; the other names follow from it */
    enum sp_option_type type;
    const char *default_text; /* as it would be written; NULL: unset */
    const char *value_name;   /* for help: "HOST:PORT"; NULL for BOOL */
    const char *help;         /* one sentence */
    const char *choices;      /* SP_OPTION_CHOICE only */
    uint64_t min, max;        /* U64, BYTES, DURATION; max 0 means no bound */
};

/* All memory is the arena's; text, host and items are zero-terminated behind their len. */
struct sp_option_value {
    struct sp_slice text;         /* as written; a YAML sequence is joined with commas */
    bool set;                     /* false: no default and not given */
    bool flag;                    /* BOOL */
    uint64_t number;              /* U64, BYTES, DURATION (ns); CHOICE: index of the choice */
    struct sp_slice host;         /* ADDRESS: without the brackets of IPv6 */
    uint16_t port;                /* ADDRESS */
    const struct sp_slice *items; /* LIST */
    size_t item_count;
    /* "flag", "environment", "file", "default": for --print-config and errors */
    const char *origin;
};

struct sp_config {
    const struct sp_option *options; /* the table, borrowed */
    size_t option_count;
    struct sp_option_value *values; /* one for each option; the arena's memory */
    struct sp_slice *positional;    /* arguments that are not flags; argv's memory */
    size_t positional_count;
    bool help; /* --help or -h was given; nothing else was checked and no value is set */
};

/* Reads flags (argv[0] is skipped; "--" ends flags; --name=value and --name value), environment ("SPOOR_" + name in
 * upper case with '_' for '-'), and the YAML file named by the option "config" if the table has it and it is set. Every value is checked, also one that a
 * stronger source overrides. An environment variable that is empty counts as unset; other SPOOR_* variables are ignored,
 * because orchestrators set some of their own (SPOOR_SERVICE_HOST in Kubernetes). Of a flag given twice the last counts; a
 * file key given twice is an error. YAML anchors, aliases and further documents are refused.
 *
 * env      NAME=value strings, NULL-terminated (environ); NULL: none.
 * arena    owns the result.
 *
 * SP_INVALID_ARGUMENT  unknown flag or file key, a value of the wrong type or out of range; reterr->parameter names
 *                      the option and the message says where it stood (flag, variable, file:line) and what is allowed,
 *                      with the nearest known name for an unknown one.
 * SP_NOT_FOUND, SP_PERMISSION, SP_IO  the file.   SP_LIMIT  file too large, too deep, or the arena full. */
SP_MUST_USE enum sp_status sp_config_load(struct sp_arena *arena, const struct sp_option *options,
                                          size_t option_count, int argc, char *const *argv,
                                          char *const *env, struct sp_config *ret,
                                          struct sp_error *reterr);

/* The value of an option; a name that is not in the table is our bug and asserts. */
const struct sp_option_value *sp_config_get(const struct sp_config *config, const char *name);

/* One paragraph an option: "--otlp-grpc HOST:PORT", below it the sentence and [default: ...; SPOOR_OTLP_GRPC], wrapped at
 * 80 columns. */
void sp_config_help(const struct sp_option *options, size_t option_count, struct sp_buf *out);
