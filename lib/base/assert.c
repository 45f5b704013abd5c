/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/base/assert.c: how a broken expectation of ours ends: one line on standard error, then abort. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/compiler.h"

void sp_assert_fail(const char *expression, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
