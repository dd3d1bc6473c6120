/* What stands between reading and writing: code points, pieces of text, and identities. */
#include "columns.h"

#include <string.h>

static int is_ascii_8(const uint8_t *bytes) {
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    return !(eight & 0x8080808080808080ull);
}

static const uint8_t *next_point(const uint8_t *s, uint32_t *point) {
    const uint32_t b = *s++;
    if (b < 0x80) *point = b;
    else if (b < 0xE0) *point = (b & 31) << 6 | (s[0] & 63u), s += 1;
    else if (b < 0xF0) *point = (b & 15) << 12 | (s[0] & 63u) << 6 | (s[1] & 63u), s += 2;
    else *point = (b & 7) << 18 | (s[0] & 63u) << 12 | (s[1] & 63u) << 6 | (s[2] & 63u), s += 3;
    return s;
}

int64_t cc_code_points(const uint8_t *bytes, const int64_t *places, const int64_t *lengths, int64_t n, uint32_t *points,
                       int64_t *bounds) {
    int64_t count = 0;
    for (int64_t row = 0; row < n; row++) {
        const uint8_t *s = bytes + places[row], *end = s + lengths[row];
        bounds[row] = count;
        while (s < end) {
            for (; end - s >= 8 && is_ascii_8(s); s += 8)
                for (int i = 0; i < 8; i++) points[count++] = s[i];
            if (s < end) s = next_point(s, &points[count++]);
        }
    }
    bounds[n] = count;
    return count;
}

static int64_t skip(const uint8_t *s, int64_t points) {
    const uint8_t *begin = s;
    for (; points > 0; points--) {
        const uint8_t b = *s;
        s += b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    }
    return s - begin;
}

void cc_pieces(const uint8_t *bytes, const int64_t *places, const int64_t *lengths, const int64_t *bounds, const int64_t *rows,
               const int64_t *starts, const int64_t *ends, int64_t n, int64_t *first, int64_t *second) {
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = rows[i], place = places[row];
        const int is_ascii = bounds[row + 1] - bounds[row] == lengths[row];
        first[i] = place + (is_ascii ? starts[i] : skip(bytes + place, starts[i]));
        second[i] = is_ascii ? ends[i] - starts[i] : skip(bytes + first[i], ends[i] - starts[i]);
    }
}

/* --- UUIDv5 ------------------------------------------------------------------------------------------------------ */

static inline uint32_t turn(uint32_t x, int by) { return x << by | x >> (32 - by); }
static inline uint32_t big(const uint8_t *b) {
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static void sha1_block(uint32_t h[5], const uint8_t *block) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) w[i] = big(block + 4 * i);
    for (int i = 16; i < 80; i++) w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
#define ROUND(f, k) \
    { \
        const uint32_t next = turn(a, 5) + (f) + e + (k) + w[i]; \
        e = d, d = c, c = turn(b, 30), b = a, a = next; \
    }
    for (int i = 0; i < 20; i++) ROUND((b & c) | (~b & d), 0x5A827999u)
    for (int i = 20; i < 40; i++) ROUND(b ^ c ^ d, 0x6ED9EBA1u)
    for (int i = 40; i < 60; i++) ROUND((b & c) | (b & d) | (c & d), 0x8F1BBCDCu)
    for (int i = 60; i < 80; i++) ROUND(b ^ c ^ d, 0xCA62C1D6u)
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* Of the namespace, then the name. */
static void sha1(const uint8_t *space, const uint8_t *name, int64_t size, uint8_t *digest) {
    uint32_t h[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    uint8_t block[64];
    int64_t filled = 16;
    const uint64_t bits = ((uint64_t)size + 16) * 8;
    memcpy(block, space, 16);
    while (size >= 64 - filled) {
        memcpy(block + filled, name, (size_t)(64 - filled));
        sha1_block(h, block);
        name += 64 - filled, size -= 64 - filled, filled = 0;
    }
    if (size) memcpy(block + filled, name, (size_t)size);
    filled += size;
    block[filled++] = 0x80;
    if (filled > 56) {
        memset(block + filled, 0, (size_t)(64 - filled));
        sha1_block(h, block);
        filled = 0;
    }
    memset(block + filled, 0, (size_t)(56 - filled));
    for (int i = 0; i < 8; i++) block[56 + i] = (uint8_t)(bits >> (56 - 8 * i));
    sha1_block(h, block);
    for (int i = 0; i < 20; i++) digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void put_uuid5(const uint8_t *space, const uint8_t *name, int64_t size, uint8_t *out) {
    static const char HEX[] = "0123456789abcdef";
    uint8_t digest[20];
    sha1(space, name, size, digest);
    digest[6] = (uint8_t)(0x50 | (digest[6] & 15));
    digest[8] = (uint8_t)(0x80 | (digest[8] & 63));
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = (uint8_t)HEX[digest[i] >> 4];
        *out++ = (uint8_t)HEX[digest[i] & 15];
    }
}

static uint8_t *put_decimal(uint8_t *to, int64_t number) {
    uint8_t digits[CC_MOST_DIGITS];
    int count = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0) *to++ = '-';
    do digits[count++] = (uint8_t)('0' + rest % 10);
    while (rest /= 10);
    while (count) *to++ = digits[--count];
    return to;
}

static uint8_t *put_text(uint8_t *to, const uint8_t *from, int64_t size) {
    if (size) memcpy(to, from, (size_t)size);
    return to + size;
}

void cc_event_ids(const cc_identities *of, int64_t n, uint8_t *names, int64_t *bounds, int64_t *key_ends, uint8_t *out) {
    uint8_t *to = names;
    for (int64_t row = 0; row < n; row++) {
        const uint8_t *begin = to;
        bounds[row] = to - names;
        to = put_text(to, of->bytes + of->source_places[row], of->source_lengths[row]);
        *to++ = '|';
        to = put_text(to, of->bytes + of->note_places[row], of->note_lengths[row]);
        key_ends[row] = to - names;
        *to++ = '|';
        to = put_decimal(to, of->revisions[row]);
        to = put_text(to, of->suffix, of->suffix_size);
        put_uuid5(of->space, begin, to - begin, out + 36 * row);
    }
    bounds[n] = to - names;
}
