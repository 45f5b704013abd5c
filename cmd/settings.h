/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/settings.h: how the process was started and what it was built with, for /v1/system. */
#pragma once

#include "lib/base/base.h"
#include "query/query.h"

/* The options in force, secrets masked. Static memory, of the one server of this process. */
const struct sp_setting *sp_serve_settings(const struct sp_config *config, size_t *ret_count);

/* The limits of what is not the read API. limits: of requests that bring spans; is_collector: this process takes them. Static
 * memory, as above. */
const struct sp_limit_shown *sp_serve_limits(const struct sp_config *config,
                                             const struct sp_limits *limits, bool is_collector,
                                             size_t *ret_count);

/* Does an option of this name hold a secret? By what such options are called. */
bool sp_setting_is_secret(const char *name);

/* What the build found, from meson. */
extern const struct sp_library sp_libraries[];
extern const size_t sp_library_count;
