/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd/table.c: see cmd/table.h. */
#include "cmd/table.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define SHRUNK_MIN 8
#define TEXT_MAX   ((size_t)64 * 1024)

void sp_table_init(struct sp_table *table, const struct sp_table_column *columns,
                   uint32_t column_count, struct sp_arena *arena)
{
    SP_ASSERT(column_count <= SP_TABLE_COLUMNS_MAX);
    *table = (struct sp_table){.columns = columns, .column_count = column_count, .arena = arena};
}

struct sp_slice *sp_table_row(struct sp_table *table, const char *colour)
{
    size_t row_bytes = table->column_count * sizeof(*table->cells);
    if (table->row_count == table->row_cap) {
        size_t cap = table->row_cap > 0 ? 2 * table->row_cap : 64;
        struct sp_slice *cells =
            sp_arena_grow(table->arena, table->cells, table->row_cap * row_bytes, cap * row_bytes);
        const char **colours = sp_arena_calloc(table->arena, cap, sizeof(const char *));
        table->failed |= cells == NULL || colours == NULL;
        if (table->failed)
            return NULL;
        if (table->row_count > 0)
            memcpy(colours, table->colours, table->row_count * sizeof(const char *));
        table->cells = cells;
        table->colours = colours;
        table->row_cap = cap;
    }
    struct sp_slice *row = table->cells + table->row_count * table->column_count;
    memset(row, 0, row_bytes);
    table->colours[table->row_count++] = colour;
    return row;
}

struct sp_slice sp_table_text(struct sp_table *table, const char *format, ...)
{
    va_list args;
    char small[256];
    va_start(args, format);
    int len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= TEXT_MAX)
        return (struct sp_slice){0};
    char *text = sp_arena_alloc(table->arena, (size_t)len + 1);
    if (!text) {
        table->failed = true;
        return (struct sp_slice){0};
    }
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return sp_slice_make(text, (size_t)len);
}

struct sp_slice sp_table_count(struct sp_table *table, uint64_t count)
{
    return sp_table_text(table, "%llu", (unsigned long long)count);
}

struct sp_slice sp_table_duration(struct sp_table *table, uint64_t duration_ns)
{
    char text[40];
    text[sp_format_duration(duration_ns, text)] = 0;
    return sp_table_text(table, "%s", text);
}

struct sp_slice sp_table_percent(struct sp_table *table, double share)
{
    if (share == 0)
        return (struct sp_slice){0};
    if (share < 0.0001)
        return SP_SLICE("<0.01%");
    return sp_table_text(table, share < 0.1 ? "%.2f%%" : "%.1f%%", 100 * share);
}

unsigned sp_table_line_columns(const struct sp_terminal *terminal, unsigned others, unsigned lines)
{
    unsigned room = terminal->columns > others ? terminal->columns - others : 0;
    unsigned each = lines > 0 ? room / lines : room;
    if (each < SHRUNK_MIN + 1)
        return SHRUNK_MIN;
    return each - 1 < SP_TABLE_LINE_COLUMNS ? each - 1 : SP_TABLE_LINE_COLUMNS;
}

struct sp_slice sp_table_line(struct sp_table *table, const struct sp_answer *list,
                              unsigned columns)
{
    double *values = sp_arena_calloc(table->arena, (size_t)list->count + 1, sizeof(*values));
    double greatest = 0;
    size_t count = 0;
    struct sp_buf text;
    struct sp_slice copy = {0};
    for (const struct sp_answer *item = list->first; item && values; item = item->next) {
        values[count] = item->kind == SP_JSON_NULL ? NAN : sp_answer_double(item, "");
        greatest = fmax(greatest, values[count++]);
    }
    sp_buf_init(&text, 4 * (size_t)columns);
    if (values)
        sp_terminal_line(&text, values, count, 0, greatest, columns);
    if (!values || !sp_arena_copy(table->arena, sp_buf_slice(&text), &copy))
        table->failed = true;
    sp_buf_fini(&text);
    return copy;
}

/* ---- printing ---- */

static void find_widths(const struct sp_table *table, unsigned *widths)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        widths[c] = sp_terminal_width(sp_slice_cstr(table->columns[c].head));
        for (size_t r = 0; r < table->row_count; r++) {
            unsigned width = sp_terminal_width(table->cells[r * table->column_count + c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
}

/* Takes room from the widest column that may shrink, until the line fits or none can. */
static void shrink(const struct sp_table *table, unsigned columns, unsigned *widths)
{
    unsigned needed = table->column_count - 1;
    for (uint32_t c = 0; c < table->column_count; c++)
        needed += widths[c];
    while (needed > columns) {
        uint32_t widest = table->column_count;
        for (uint32_t c = 0; c < table->column_count; c++)
            if (table->columns[c].shrinks && widths[c] > SHRUNK_MIN &&
                (widest == table->column_count || widths[c] > widths[widest]))
                widest = c;
        if (widest == table->column_count)
            return;
        widths[widest]--;
        needed--;
    }
}

static void print_line(const struct sp_table *table, const struct sp_terminal *terminal,
                       const unsigned *widths, const struct sp_slice *cells)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        unsigned width = widths[c];
        bool last = c + 1 == table->column_count;
        if (last && !table->columns[c].right) { /* no spaces at the end of a line */
            unsigned needed = sp_terminal_width(cells[c]);
            width = needed < width ? needed : width;
        }
        sp_terminal_cell(terminal, cells[c], width, table->columns[c].right);
        if (!last)
            putc(' ', terminal->out);
    }
}

bool sp_table_print(const struct sp_table *table, const struct sp_terminal *terminal)
{
    unsigned widths[SP_TABLE_COLUMNS_MAX];
    struct sp_slice heads[SP_TABLE_COLUMNS_MAX];
    if (table->failed) {
        fputs("spoor: the answer is too large for a table; --json prints it\n", stderr);
        return false;
    }
    find_widths(table, widths);
    shrink(table, terminal->columns, widths);
    for (uint32_t c = 0; c < table->column_count; c++)
        heads[c] = sp_slice_cstr(table->columns[c].head);
    print_line(table, terminal, widths, heads);
    putc('\n', terminal->out);
    for (size_t r = 0; r < table->row_count; r++) {
        if (table->colours[r])
            sp_terminal_colour(terminal, table->colours[r]);
        print_line(table, terminal, widths, table->cells + r * table->column_count);
        if (table->colours[r])
            sp_terminal_colour(terminal, "0");
        putc('\n', terminal->out);
    }
    if (fflush(terminal->out) == 0 && !ferror(terminal->out))
        return true;
    perror("spoor: cannot write the answer");
    return false;
}
