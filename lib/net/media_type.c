/* SPDX-License-Identifier: Apache-2.0
 *
 * lib/net/media_type.c: Content-Type, Accept and Accept-Encoding (RFC 9110 8.3, 12.5). Pure; what cannot be read is taken
 * as absent, as the RFC lets a server do. */
#include "lib/net/net.h"

#define QUALITY_MAX 1000 /* quality values have three decimals: "0.125" is 125 */

/* Cuts the part before separator off *rest, quoted strings respected; white space around it is removed. */
static struct sp_slice next_part(struct sp_slice *rest, uint8_t separator)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < rest->len; i++) {
        uint8_t c = rest->ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && c == separator)
            break;
    }
    struct sp_slice part = sp_slice_sub(*rest, 0, i);
    *rest = sp_slice_sub(*rest, i + 1, rest->len);
    return sp_slice_trim(part);
}

bool sp_media_type_is(struct sp_slice content_type, const char *type)
{
    return sp_slice_equal_nocase(next_part(&content_type, ';'), sp_slice_cstr(type));
}

/* "1", "0.5", "0.125" to thousandths; -1: not a quality value. */
static int parse_quality(struct sp_slice text)
{
    if (text.len == 0 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') ||
        (text.len > 1 && text.ptr[1] != '.'))
        return -1;
    int quality = (text.ptr[0] - '0') * QUALITY_MAX, unit = QUALITY_MAX / 10;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        quality += (text.ptr[i] - '0') * unit;
    }
    return quality > QUALITY_MAX ? -1 : quality;
}

/* One element of the list: its range or coding, its quality, and how many parameters it asks for besides. */
static struct sp_slice parse_element(struct sp_slice element, int *ret_quality, int *ret_parameters)
{
    struct sp_slice range = next_part(&element, ';');
    *ret_quality = QUALITY_MAX;
    *ret_parameters = 0;
    while (element.len > 0) {
        struct sp_slice parameter = next_part(&element, ';');
        struct sp_slice name =
            sp_slice_trim(sp_slice_sub(parameter, 0, sp_slice_find(parameter, '=')));
        if (sp_slice_equal_nocase(name, SP_SLICE("q"))) {
            size_t equals = sp_slice_find(parameter, '=');
            *ret_quality =
                parse_quality(sp_slice_trim(sp_slice_sub(parameter, equals + 1, parameter.len)));
            break; /* what follows q extends Accept and not the range */
        }
        if (parameter.len > 0)
            ++*ret_parameters;
    }
    return range;
}

/* How specific is the range about the offer: 0 no match, 1 for any, 2 for the type's family, 3 for itself. */
static int match_media(struct sp_slice range, struct sp_slice offer)
{
    if (sp_slice_equal_nocase(range, offer))
        return 3;
    if (sp_slice_equal_cstr(range, "*/*"))
        return 1;
    size_t slash = sp_slice_find(range, '/');
    bool family = slash + 2 == range.len && range.ptr[slash + 1] == '*';
    return family && sp_slice_equal_nocase(sp_slice_sub(range, 0, slash + 1),
                                           sp_slice_sub(offer, 0, slash + 1))
               ? 2
               : 0;
}

static int match_coding(struct sp_slice range, struct sp_slice offer)
{
    if (sp_slice_equal_nocase(range, offer))
        return 3;
    return sp_slice_equal_cstr(range, "*") ? 1 : 0;
}

/* Quality the list gives the offer: that of its most specific match; 0 when there is none. */
static int quality_of(struct sp_slice accept, struct sp_slice offer,
                      int (*match)(struct sp_slice, struct sp_slice))
{
    int best_quality = 0, best_match = 0;
    while (accept.len > 0) {
        int quality, parameters;
        struct sp_slice range = parse_element(next_part(&accept, ','), &quality, &parameters);
        int matched = match(range, offer);
        /* A range with parameters ("application/json;version=2") asks for something we do not have. */
        if (quality < 0 || parameters > 0 || matched <= best_match)
            continue;
        best_match = matched;
        best_quality = quality;
    }
    return best_quality;
}

static int choose(struct sp_slice accept, const char *const *offers, size_t offer_count,
                  int (*match)(struct sp_slice, struct sp_slice))
{
    int best = -1, best_quality = 0;
    for (size_t i = 0; i < offer_count; i++) {
        int quality = quality_of(accept, sp_slice_cstr(offers[i]), match);
        if (quality > best_quality) {
            best = (int)i;
            best_quality = quality;
        }
    }
    return best;
}

int sp_accept_choose(struct sp_slice accept, const char *const *offers, size_t offer_count)
{
    if (sp_slice_trim(accept).len == 0)
        return offer_count > 0 ? 0 : -1;
    return choose(accept, offers, offer_count, match_media);
}

int sp_accept_encoding_choose(struct sp_slice accept, const char *const *offers, size_t offer_count)
{
    return choose(accept, offers, offer_count, match_coding);
}
