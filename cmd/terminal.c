/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/terminal.c: see cmd/terminal.h. */
#include "cmd/terminal.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MIN     40
#define COLUMNS_MAX     1000

static unsigned find_columns(FILE *out, bool *ret_known)
{
    uint64_t columns = 0;
    struct winsize size;
    const char *variable = getenv("COLUMNS");
    if (variable && sp_parse_u64(sp_slice_cstr(variable), &columns) && columns > 0)
        ;
    else if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = size.ws_col;
    else
        columns = 0;
    *ret_known = columns > 0;
    if (columns == 0)
        columns = COLUMNS_DEFAULT;
    if (columns < COLUMNS_MIN)
        return COLUMNS_MIN;
    return columns > COLUMNS_MAX ? COLUMNS_MAX : (unsigned)columns;
}

void sp_terminal_init(struct sp_terminal *terminal, FILE *out)
{
    /* wcwidth needs a locale that knows Unicode; this one is part of the C library. */
    setlocale(LC_CTYPE, "C.UTF-8");
    const char *no_colour = getenv("NO_COLOR");
    bool known;
    unsigned columns = find_columns(out, &known);
    *terminal = (struct sp_terminal){
        .out = out,
        .columns = columns,
        .is_wide = !known,
        .colours = isatty(fileno(out)) && !(no_colour && no_colour[0]),
    };
}

/* Marks that turn the direction of what stands behind them, also in the columns of others, or end a line. */
static bool is_steering(wchar_t wide)
{
    return wide == 0x061C || wide == 0x200E || wide == 0x200F ||
           (wide >= 0x2028 && wide <= 0x202E) || (wide >= 0x2066 && wide <= 0x2069);
}

/* The next character: its bytes (the replacement for what cannot be shown) and its width. */
static unsigned next_character(struct sp_slice *text, struct sp_slice *ret_bytes)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t len = mbrtowc(&wide, (const char *)text->ptr, text->len, &state);
    int width = len == 0 || len > text->len || is_steering(wide) ? -1 : wcwidth(wide);
    size_t taken = len == 0 || len > text->len ? 1 : len;
    *ret_bytes = width < 0 ? SP_SLICE("\xEF\xBF\xBD") : sp_slice_make(text->ptr, taken);
    *text = sp_slice_sub(*text, taken, text->len);
    return width < 0 ? 1 : (unsigned)width;
}

unsigned sp_terminal_width(struct sp_slice text)
{
    unsigned width = 0;
    struct sp_slice bytes;
    while (text.len > 0)
        width += next_character(&text, &bytes);
    return width;
}

size_t sp_terminal_time(uint64_t unix_ns, bool milliseconds, char *out)
{
    size_t len = sp_format_time(unix_ns, out);
    size_t dot = sp_slice_find(sp_slice_make(out, len), '.');
    if (dot == len)
        return len;
    len = milliseconds && len > dot + 5 ? dot + 4 : len - 1; /* without the Z */
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len++] = 'Z';
    return len;
}

static void fill(const struct sp_terminal *terminal, unsigned count)
{
    while (count-- > 0)
        putc(' ', terminal->out);
}

void sp_terminal_cell(const struct sp_terminal *terminal, struct sp_slice text, unsigned width,
                      bool right)
{
    unsigned needed = sp_terminal_width(text), room = needed > width ? width - 1 : width;
    if (width == 0)
        return;
    if (right && needed < width)
        fill(terminal, width - needed);
    unsigned used = 0;
    struct sp_slice bytes;
    while (text.len > 0) {
        unsigned columns = next_character(&text, &bytes);
        if (used + columns > room)
            break;
        fwrite(bytes.ptr, 1, bytes.len, terminal->out);
        used += columns;
    }
    if (needed > width) {
        fputs("\xE2\x80\xA6", terminal->out);
        used++;
    }
    if (!right || needed > width)
        fill(terminal, width - used);
}

void sp_terminal_colour(const struct sp_terminal *terminal, const char *sgr)
{
    if (terminal->colours)
        fprintf(terminal->out, "\033[%sm", sgr);
}

void sp_terminal_line(struct sp_buf *out, const double *values, size_t count, double least,
                      double greatest, unsigned width)
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double span = greatest - least;
    size_t columns = count < width ? count : width;
    for (size_t column = 0; column < columns; column++) {
        double value = NAN;
        for (size_t i = column * count / columns; i < (column + 1) * count / columns; i++)
            value = fmax(value, values[i]); /* what is not NaN */
        double share = span > 0 && isfinite(span) ? (value - least) / span : 0.5;
        unsigned height = share >= 0 && share <= 1 ? (unsigned)(share * 7 + 0.5) : 0;
        sp_buf_append_cstr(out, isnan(value) ? " " : heights[height]);
    }
}
