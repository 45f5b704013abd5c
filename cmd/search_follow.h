/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/search_follow.h: `spoor search --follow`: traces as they come in. */
#pragma once

#include "cmd/options.h"

/* Prints until the server ends it; the exit code. */
int sp_search_follow(const struct sp_config *config);
