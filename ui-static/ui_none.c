/* SPDX-License-Identifier: Apache-2.0
 * ui-static/ui_none.c: the table of a build without an embedded UI: no files. */
#include "ui-static/ui.h"

/* C has no arrays of no elements; the count is what readers go by. */
const struct sp_ui_file sp_ui_files[1] = {{0}};
const size_t sp_ui_file_count = 0;
