/* SPDX-License-Identifier: Apache-2.0
 *
 * storage/numbers.c: lists of integers as byte planes. Knows no spans.
 *
 * The loops over a tile have a fixed number of steps, so that compilers make vector code of them at any level of
 * optimisation. */
#include "storage/numbers.h"
#include "storage/pack.h"

#include <stdlib.h>

#define TILE       64
#define PLANES_MAX 8
#define PLANES_32  4
#define ZSTD_LEVEL 1
/* Shorter runs are not worth a frame. */
#define ZSTD_BYTES_MIN 24
/* libzstd makes at most one block of 128 KiB out of three bytes. */
#define ZSTD_RATIO_MAX ((size_t)44000)

enum numbers_flag { /* on disk */
                    WIDTH_MASK = 15,
                    HAS_BASE = 16,
                    HAS_DIVISOR = 32,
                    ZIGZAG = 64,
                    BASE_IS_NEGATIVE = 128,
};

enum bytes_form { /* numbers are on disk */
                  BYTES_EQUAL = 0,
                  BYTES_PLAIN = 1,
                  BYTES_ZSTD = 2,
};

static uint64_t zigzag(uint64_t number)
{
    return number << 1 ^ (0 - (number >> 63));
}

static uint64_t unzigzag(uint64_t number)
{
    return number >> 1 ^ (0 - (number & 1));
}

static size_t tiled(uint32_t count)
{
    return ((size_t)count + TILE - 1) / TILE * TILE;
}

static bool make_room(uint8_t **planes, size_t *bytes, size_t need)
{
    if (*bytes >= need)
        return true;
    free(*planes);
    *planes = malloc(need);
    *bytes = *planes == NULL ? 0 : need;
    return *planes != NULL;
}

void sp_numbers_writer_fini(struct sp_numbers_writer *writer)
{
    free(writer->planes);
}

void sp_numbers_reader_fini(struct sp_numbers_reader *reader)
{
    free(reader->planes);
}

/* ---- bytes ---- */

/* False: it would not save a sixteenth. */
static bool write_zstd(struct sp_numbers_writer *writer, struct sp_slice bytes, struct sp_buf *out)
{
    uint8_t *to = sp_buf_reserve(out, bytes.len);
    if (to == NULL || bytes.len < ZSTD_BYTES_MIN)
        return false;
    size_t room = bytes.len - bytes.len / 16 - 4;
    /* The length goes before the frame and is not known yet: as wide as the longest possible. */
    size_t length_bytes = 1;
    for (size_t rest = room; rest >= 0x80; rest >>= 7)
        length_bytes++;
    size_t packed = sp_zstd_pack(writer->zstd, ZSTD_LEVEL, bytes, to + 1 + length_bytes,
                                 room - 1 - length_bytes);
    if (packed == 0)
        return false;
    to[0] = BYTES_ZSTD;
    for (size_t i = 0; i < length_bytes; i++)
        to[1 + i] = (uint8_t)(packed >> 7 * i & 0x7f) | (i + 1 < length_bytes ? 0x80 : 0);
    out->len += 1 + length_bytes + packed;
    return true;
}

void sp_bytes_write(struct sp_numbers_writer *writer, struct sp_slice bytes, struct sp_buf *out)
{
    if (!write_zstd(writer, bytes, out)) {
        sp_buf_append_byte(out, BYTES_PLAIN);
        sp_buf_append_slice(out, bytes);
    }
}

static struct sp_slice take(struct sp_slice *in, size_t len)
{
    struct sp_slice taken = sp_slice_make(in->ptr, len);
    in->ptr += len;
    in->len -= len;
    return taken;
}

/* Sets *ret to the bytes where they stand, or *ret_packed to the frame that they are in. */
static bool read_form(struct sp_slice *in, size_t len, struct sp_slice *ret,
                      struct sp_slice *ret_packed)
{
    uint64_t packed;
    if (in->len == 0)
        return false;
    uint8_t form = *take(in, 1).ptr;
    if (form == BYTES_PLAIN) {
        if (in->len < len)
            return false;
        *ret = take(in, len);
        *ret_packed = (struct sp_slice){0};
        return true;
    }
    if (form != BYTES_ZSTD || !sp_unpack_varint(in, &packed) || packed > in->len || packed == 0)
        return false;
    *ret_packed = take(in, packed);
    return len / ZSTD_RATIO_MAX <= packed;
}

bool sp_bytes_plausible(struct sp_slice in, size_t len)
{
    return len / ZSTD_RATIO_MAX <= in.len;
}

enum sp_status sp_bytes_read(struct sp_numbers_reader *reader, struct sp_slice *in, uint8_t *ret,
                             size_t len)
{
    struct sp_slice plain, packed;
    if (!read_form(in, len, &plain, &packed))
        return SP_CORRUPT;
    if (packed.len > 0)
        return sp_zstd_unpack(reader->zstd, packed, ret, len) ? SP_OK : SP_CORRUPT;
    if (len > 0)
        memcpy(ret, plain.ptr, len);
    return SP_OK;
}

/* ---- writing numbers ---- */

/* What is done to each number before it is cut into bytes, and how many that takes. */
struct transform {
    uint64_t base, divisor;
    bool zigzag;
    unsigned width;
};

static uint64_t transformed(const struct transform *transform, uint64_t number)
{
    uint64_t rest = number - transform->base;
    if (transform->zigzag) {
        int64_t divided = (int64_t)rest;
        return zigzag(
            (uint64_t)(transform->divisor == 1 ? divided : divided / (int64_t)transform->divisor));
    }
    return transform->divisor == 1 ? rest : rest / transform->divisor;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The greatest number that divides all distances from base, signed or not; 1 if there is none above, 0 if all are 0. */
static uint64_t divisor_of(const uint64_t *numbers, uint32_t count, uint64_t base, bool is_signed)
{
    uint64_t divisor = 0;
    for (uint32_t i = 0; i < count && divisor != 1; i++) {
        uint64_t distance = numbers[i] - base;
        if (is_signed && (int64_t)distance < 0)
            distance = 0 - distance;
        if (divisor == 0 || distance % divisor != 0)
            divisor = common_divisor(divisor, distance);
    }
    return divisor;
}

static unsigned width_of(uint64_t largest)
{
    unsigned width = 0;
    for (; largest != 0; largest >>= 8)
        width++;
    return width;
}

static struct transform choose(const uint64_t *numbers, uint32_t count, bool is_signed)
{
    /* Signed numbers in the order of unsigned ones. */
    const uint64_t flip = is_signed ? (uint64_t)1 << 63 : 0;
    uint64_t smallest = UINT64_MAX, largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = numbers[i] ^ flip;
        smallest = number < smallest ? number : smallest;
        largest = number > largest ? number : largest;
    }
    smallest ^= flip;
    largest ^= flip;
    if (is_signed && (int64_t)smallest < 0 && largest != smallest) {
        /* Differences: most lie around zero, and one far below must not move all others away from there. */
        uint64_t divisor = divisor_of(numbers, count, 0, true);
        if ((0 - smallest) / divisor > 127 && divisor <= INT64_MAX) {
            struct transform transform = {.divisor = divisor, .zigzag = true};
            transform.width =
                width_of(transformed(&transform, smallest) | transformed(&transform, largest));
            return transform;
        }
    }
    struct transform transform = {.base = smallest};
    transform.divisor = divisor_of(numbers, count, smallest, false);
    if (transform.divisor == 0)
        transform.divisor = 1;
    transform.width = width_of(transformed(&transform, largest));
    return transform;
}

static void write_transform(const struct transform *transform, struct sp_buf *out)
{
    uint64_t base = transform->base;
    uint8_t flags = (uint8_t)transform->width;
    if (base != 0)
        flags |= HAS_BASE;
    if ((int64_t)base < 0) {
        flags |= BASE_IS_NEGATIVE;
        base = 0 - base;
    }
    if (transform->divisor != 1)
        flags |= HAS_DIVISOR;
    if (transform->zigzag)
        flags |= ZIGZAG;
    sp_buf_append_byte(out, flags);
    if (flags & HAS_BASE)
        sp_pack_varint(base, out);
    if (flags & HAS_DIVISOR)
        sp_pack_varint(transform->divisor, out);
}

/* varying: the bits that are not the same in all numbers. */
static void write_planes(struct sp_numbers_writer *writer, const struct transform *transform,
                         uint64_t varying, uint64_t first, uint32_t count, struct sp_buf *out)
{
    size_t stride = tiled(count);
    write_transform(transform, out);
    for (unsigned k = 0; k < transform->width; k++) {
        if ((varying >> 8 * k & 0xff) == 0) {
            const uint8_t equal[] = {BYTES_EQUAL, (uint8_t)(first >> 8 * k)};
            sp_buf_append(out, equal, sizeof(equal));
        } else {
            sp_bytes_write(writer, sp_slice_make(writer->planes + k * stride, count), out);
        }
    }
}

void sp_numbers_write(struct sp_numbers_writer *writer, const uint64_t *numbers, uint32_t count,
                      bool is_signed, struct sp_buf *out)
{
    if (count == 0)
        return;
    struct transform transform = choose(numbers, count, is_signed);
    uint64_t first = transformed(&transform, numbers[0]);
    bool plain = transform.divisor == 1 && !transform.zigzag;
    uint64_t varying = 0, tile[TILE];
    size_t stride = tiled(count);
    if (!make_room(&writer->planes, &writer->planes_bytes, stride * transform.width)) {
        out->error = SP_NO_MEMORY;
        return;
    }
    for (uint32_t at = 0; at < count; at += TILE) {
        uint32_t here = count - at < TILE ? count - at : TILE;
        if (plain) {
            for (uint32_t i = 0; i < here; i++)
                tile[i] = numbers[at + i] - transform.base;
        } else {
            for (uint32_t i = 0; i < here; i++)
                tile[i] = transformed(&transform, numbers[at + i]);
        }
        for (uint32_t i = here; i < TILE; i++)
            tile[i] = first;
        for (int i = 0; i < TILE; i++)
            varying |= tile[i] ^ first;
        for (unsigned k = 0; k < transform.width; k++) {
            uint8_t *plane = writer->planes + k * stride + at;
            for (int i = 0; i < TILE; i++)
                plane[i] = (uint8_t)(tile[i] >> 8 * k);
        }
    }
    write_planes(writer, &transform, varying, first, count, out);
}

void sp_numbers_write_32(struct sp_numbers_writer *writer, const uint32_t *numbers, uint32_t count,
                         struct sp_buf *out)
{
    if (count == 0)
        return;
    uint32_t smallest = UINT32_MAX, largest = 0, varying = 0, tile[TILE];
    for (uint32_t i = 0; i < count; i++) {
        smallest = numbers[i] < smallest ? numbers[i] : smallest;
        largest = numbers[i] > largest ? numbers[i] : largest;
    }
    const struct transform transform = {
        .base = smallest, .divisor = 1, .width = width_of(largest - smallest)};
    uint32_t first = numbers[0] - smallest;
    size_t stride = tiled(count);
    if (!make_room(&writer->planes, &writer->planes_bytes, stride * transform.width)) {
        out->error = SP_NO_MEMORY;
        return;
    }
    for (uint32_t at = 0; at < count; at += TILE) {
        uint32_t here = count - at < TILE ? count - at : TILE;
        for (uint32_t i = 0; i < here; i++)
            tile[i] = numbers[at + i] - smallest;
        for (uint32_t i = here; i < TILE; i++)
            tile[i] = first;
        for (int i = 0; i < TILE; i++)
            varying |= tile[i] ^ first;
        for (unsigned k = 0; k < transform.width; k++) {
            uint8_t *plane = writer->planes + k * stride + at;
            for (int i = 0; i < TILE; i++)
                plane[i] = (uint8_t)(tile[i] >> 8 * k);
        }
    }
    write_planes(writer, &transform, varying, first, count, out);
}

/* ---- reading numbers ---- */

/* Planes that differ from row to row, and the sum of those that do not. */
struct planes {
    struct transform transform;
    uint64_t constant;
    unsigned count;
    struct {
        const uint8_t *bytes;
        unsigned shift;
    } planes[PLANES_MAX];
};

static bool read_transform(struct sp_slice *in, struct transform *ret)
{
    if (in->len == 0)
        return false;
    uint8_t flags = *take(in, 1).ptr;
    *ret = (struct transform){.divisor = 1, .zigzag = flags & ZIGZAG, .width = flags & WIDTH_MASK};
    if (flags & HAS_BASE && !sp_unpack_varint(in, &ret->base))
        return false;
    if (flags & BASE_IS_NEGATIVE)
        ret->base = 0 - ret->base;
    if (flags & HAS_DIVISOR && !sp_unpack_varint(in, &ret->divisor))
        return false;
    return true;
}

static enum sp_status read_planes(struct sp_numbers_reader *reader, struct sp_slice *in,
                                  uint32_t count, unsigned width_max, struct planes *ret)
{
    *ret = (struct planes){0};
    if (!read_transform(in, &ret->transform) || ret->transform.width > width_max)
        return SP_CORRUPT;
    for (unsigned k = 0; k < ret->transform.width; k++) {
        struct sp_slice plain, packed;
        if (in->len > 1 && in->ptr[0] == BYTES_EQUAL) {
            ret->constant |= (uint64_t)take(in, 2).ptr[1] << 8 * k;
            continue;
        }
        if (!read_form(in, count, &plain, &packed))
            return SP_CORRUPT;
        if (packed.len > 0) {
            /* As many bytes as all planes of that width can need: an earlier plane must not move. */
            if (!make_room(&reader->planes, &reader->planes_bytes, (size_t)count * width_max))
                return SP_NO_MEMORY;
            uint8_t *to = reader->planes + (size_t)count * k;
            if (!sp_zstd_unpack(reader->zstd, packed, to, count))
                return SP_CORRUPT;
            plain.ptr = to;
        }
        ret->planes[ret->count].bytes = plain.ptr;
        ret->planes[ret->count++].shift = 8 * k;
    }
    return SP_OK;
}

/* TILE bytes of a plane at a row; tail holds them where fewer are left. */
static const uint8_t *plane_tile(const uint8_t *plane, uint32_t at, uint32_t here, uint8_t *tail)
{
    if (here == TILE)
        return plane + at;
    memcpy(tail, plane + at, here);
    return tail;
}

static void untransform(const struct transform *transform, uint64_t *tile)
{
    if (transform->zigzag) {
        for (int i = 0; i < TILE; i++)
            tile[i] = unzigzag(tile[i]);
    }
    if (transform->divisor != 1) {
        for (int i = 0; i < TILE; i++)
            tile[i] *= transform->divisor;
    }
    if (transform->base != 0) {
        for (int i = 0; i < TILE; i++)
            tile[i] += transform->base;
    }
}

enum sp_status sp_numbers_read(struct sp_numbers_reader *reader, struct sp_slice *in, uint64_t *ret,
                               uint32_t count)
{
    struct planes planes;
    uint64_t tile[TILE];
    uint8_t tail[TILE] = {0};
    if (count == 0)
        return SP_OK;
    enum sp_status status = read_planes(reader, in, count, PLANES_MAX, &planes);
    if (status != SP_OK)
        return status;
    for (uint32_t at = 0; at < count; at += TILE) {
        uint32_t here = count - at < TILE ? count - at : TILE;
        for (int i = 0; i < TILE; i++)
            tile[i] = planes.constant;
        for (unsigned k = 0; k < planes.count; k++) {
            const uint8_t *bytes = plane_tile(planes.planes[k].bytes, at, here, tail);
            unsigned shift = planes.planes[k].shift;
            for (int i = 0; i < TILE; i++)
                tile[i] |= (uint64_t)bytes[i] << shift;
        }
        untransform(&planes.transform, tile);
        memcpy(ret + at, tile, here * sizeof(*tile));
    }
    return SP_OK;
}

enum sp_status sp_numbers_read_32(struct sp_numbers_reader *reader, struct sp_slice *in,
                                  uint32_t *ret, uint32_t count)
{
    struct planes planes;
    uint32_t tile[TILE];
    uint8_t tail[TILE] = {0};
    if (count == 0)
        return SP_OK;
    enum sp_status status = read_planes(reader, in, count, PLANES_32, &planes);
    if (status != SP_OK)
        return status;
    if (planes.transform.zigzag || planes.transform.divisor != 1 ||
        planes.transform.base > UINT32_MAX)
        return SP_CORRUPT;
    uint32_t constant = (uint32_t)planes.constant, base = (uint32_t)planes.transform.base;
    bool wrapped = false;
    for (uint32_t at = 0; at < count; at += TILE) {
        uint32_t here = count - at < TILE ? count - at : TILE;
        for (int i = 0; i < TILE; i++)
            tile[i] = constant;
        for (unsigned k = 0; k < planes.count; k++) {
            const uint8_t *bytes = plane_tile(planes.planes[k].bytes, at, here, tail);
            unsigned shift = planes.planes[k].shift;
            for (int i = 0; i < TILE; i++)
                tile[i] |= (uint32_t)bytes[i] << shift;
        }
        for (int i = 0; i < TILE; i++)
            tile[i] += base;
        for (uint32_t i = 0; i < here && base != 0; i++)
            wrapped |= tile[i] < base;
        memcpy(ret + at, tile, here * sizeof(*tile));
    }
    return wrapped ? SP_CORRUPT : SP_OK;
}
