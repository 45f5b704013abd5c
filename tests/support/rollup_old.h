/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/support/rollup_old.h: rollups as older versions wrote them. */
#pragma once

#include "lib/base/base.h"

/* Appends what sp_rollup_encode made before rows had exemplars (format 1), from what it makes now. Aborts when bytes are not a rollup. */
void sp_rollup_as_format_1(struct sp_slice bytes, struct sp_buf *out);
