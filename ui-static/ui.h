/* SPDX-License-Identifier: Apache-2.0
 * ui-static/ui.h: the web UI as a table of files in the binary. It knows nothing of HTTP servers: the query room
 * looks a path up here and sends what it finds.
 *
 * The table is made by ui-static/build.mjs and is empty when the UI is not embedded (-Dui=none or -Dui=static). */
#ifndef SPOOR_UI_STATIC_UI_H
#define SPOOR_UI_STATIC_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All memory is static and read-only. */
struct sp_ui_file {
    /* "/", "/trace/", "/map/", "/assets/1a2b3c4d5e/main.js": compare byte for byte */
    const char *path;
    const char *content_type; /* "text/html; charset=utf-8" */
    /* with its quotes; send the same one for both encodings with "Vary: Accept-Encoding" */
    const char *etag;
    const uint8_t *bytes; /* as is */
    size_t bytes_len;
    /* the same content for "Content-Encoding: gzip"; NULL where it would not be smaller */
    const uint8_t *gzip;
    size_t gzip_len;
    bool immutable; /* the name holds a hash of the content: "public, max-age=31536000, immutable";
                     * otherwise "no-cache", so that the ETag is asked for again */
};

/* Sorted by path (strcmp). */
extern const struct sp_ui_file sp_ui_files[];
extern const size_t sp_ui_file_count;

/* What the pages need, and no more: own scripts, styles and worker, the API of the same origin, no inline code. Who may show them in a
 * frame stands behind it: nobody, or who was named (--frame-ancestors). */
#define SP_UI_CSP_FRAMES                                                                           \
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "        \
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; "                  \
    "form-action 'self'; frame-ancestors "
#define SP_UI_CSP SP_UI_CSP_FRAMES "'none'"

#endif
