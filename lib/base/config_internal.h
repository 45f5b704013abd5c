/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/config_internal.h: what the files of the configuration share; for the base room only. */
#pragma once

#include "lib/base/config.h"

/* Where a value stands. */
struct sp_config_place {
    const char *origin; /* "flag", "environment", "file", "default" */
    /* for messages: "--otlp-grpc", "SPOOR_OTLP_GRPC", "spoor.yaml:3: otlp-grpc" */
    const char *name;
};

/* Checks text by the option's row and writes the value. config_value.c. */
SP_MUST_USE enum sp_status sp_config_set(struct sp_arena *arena, const struct sp_option *option,
                                         struct sp_slice text, const struct sp_config_place *place,
                                         struct sp_option_value *ret, struct sp_error *reterr);

/* The same for a LIST whose items are known one by one. */
SP_MUST_USE enum sp_status
sp_config_set_items(struct sp_arena *arena, const struct sp_option *option,
                    const struct sp_slice *items, size_t count, const struct sp_config_place *place,
                    struct sp_option_value *ret, struct sp_error *reterr);

/* The file at path over config->values. config_yaml.c. */
SP_MUST_USE enum sp_status sp_config_read_file(struct sp_arena *arena, const char *path,
                                               struct sp_config *config, struct sp_error *reterr);

/* The option of that name, or NULL. */
const struct sp_option *sp_config_find(const struct sp_config *config, struct sp_slice name);

/* The option whose name is most like the one given, or NULL when none is like it. */
const struct sp_option *sp_config_nearest(const struct sp_config *config, struct sp_slice name);
