#include "columns.h"

#include <string.h>

/* --- reading ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *at, *end, *base;
    cc_table *tables;
    int64_t *used;
    int failed, no_room; /* the header may be longer than the row: `at` counts only while nothing has failed */
} input;

typedef struct {
    int64_t *first, *second, room; /* of the next column */
} cursor;

static inline void put(cursor *to, int64_t first, int64_t second) {
    *to->first = first, *to->second = second;
    to->first += to->room, to->second += to->room;
}

static __attribute__((noinline)) int64_t read_many_bytes(input *in) {
    uint64_t raw = 0;
    for (int shift = 0; shift < 70 && in->at < in->end; shift += 7) {
        const uint8_t byte = *in->at++;
        if (shift == 63 && byte > 1) break; /* more than 64 bits */
        raw |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    }
    in->failed = 1;
    return 0;
}

static inline int64_t read_long(input *in) {
    if (in->at < in->end && *in->at < 0x80) { /* nearly always */
        const uint8_t byte = *in->at++;
        return (int64_t)(byte >> 1) ^ -(int64_t)(byte & 1);
    }
    return read_many_bytes(in);
}

/* How many more bytes a first byte of UTF-8 asks for; -1 where none begins so. */
static inline int more_bytes(uint8_t byte) {
    if (byte < 0x80) return 0;
    if (byte < 0xC2) return -1;
    return byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : byte < 0xF5 ? 3 : -1;
}

static int is_wrong_second(uint8_t first, uint8_t second) { /* overlong, a surrogate, or beyond U+10FFFF */
    return (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
           (first == 0xF4 && second > 0x8F);
}

static int is_ascii_8(const uint8_t *bytes) {
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    return !(eight & 0x8080808080808080ull);
}

/* Strict UTF-8, as Python takes it. */
static int is_utf8(const uint8_t *at, int64_t size) {
    const uint8_t *end = at + size;
    while (at < end) {
        if (end - at >= 8 && is_ascii_8(at)) {
            at += 8;
            continue;
        }
        const int more = more_bytes(*at);
        if (more < 0 || end - at <= more) return 0;
        if (more && is_wrong_second(at[0], at[1])) return 0;
        for (int i = 1; i <= more; i++)
            if ((at[i] & 0xC0) != 0x80) return 0;
        at += more + 1;
    }
    return 1;
}

static inline void read_bytes(input *in, cursor *to, int is_text) {
    const int64_t size = read_long(in);
    if (in->failed || size < 0 || size > in->end - in->at || (is_text && !is_utf8(in->at, size))) {
        in->failed = 1;
        return;
    }
    put(to, in->at - in->base, size);
    in->at += size;
}

static inline void read_double(input *in, cursor *to) {
    int64_t bits = 0;
    if (in->end - in->at < 8) {
        in->failed = 1;
        return;
    }
    memcpy(&bits, in->at, sizeof bits);
    in->at += sizeof bits;
    put(to, bits, 0);
}

static inline void read_number(input *in, cursor *to, int64_t least, int64_t most) {
    const int64_t number = read_long(in);
    in->failed |= number < least || number > most;
    put(to, number, 0);
}

static inline void read_boolean(input *in, cursor *to) {
    const int is_one = in->at < in->end && *in->at <= 1;
    in->failed |= !is_one;
    put(to, is_one ? *in->at++ : 0, 0);
}

/* Which of `count` choices, in the one byte that at most 64 need: longer ways to write it the objects' reader refuses, too. */
static inline int64_t read_choice(input *in, int64_t count) {
    const int is_one = in->at < in->end && !(*in->at & 0x81) && *in->at >> 1 < count;
    in->failed |= !is_one;
    return is_one ? *in->at++ >> 1 : 0;
}

static void run(const int32_t *op, const int32_t *end, input *in, cursor *to);

/* Blocks of items until an empty one; a negative count is followed by the block's size in bytes. */
static void read_items(const int32_t *items, const int32_t *end, int32_t table, input *in) {
    cc_table *t = &in->tables[table];
    while (!in->failed) {
        int64_t count = read_long(in);
        if (in->failed || !count) return;
        if (count < 0) {
            in->failed |= read_long(in) < 0 || count == INT64_MIN;
            count = in->failed ? 0 : -count;
        }
        in->failed |= count > in->end - in->at; /* an item takes at least one byte */
        for (; count && !in->failed; count--) {
            if (in->used[table] >= t->room) {
                in->failed = in->no_room = 1;
                return;
            }
            const int64_t row = in->used[table]++;
            cursor to_item = {t->first + row, t->second + row, t->room};
            run(items, end, in, &to_item);
        }
    }
}

static void run(const int32_t *op, const int32_t *end, input *in, cursor *to) {
    while (op < end && !in->failed) {
        switch (*op++) {
            case CC_STRING: read_bytes(in, to, 1); break;
            case CC_BYTES: read_bytes(in, to, 0); break;
            case CC_INT: read_number(in, to, INT32_MIN, INT32_MAX); break;
            case CC_LONG: read_number(in, to, INT64_MIN, INT64_MAX); break;
            case CC_DOUBLE: read_double(in, to); break;
            case CC_BOOLEAN: read_boolean(in, to); break;
            case CC_ENUM: put(to, read_choice(in, *op++), 0); break;
            case CC_PRESENT: put(to, 1, 0); break;
            case CC_NULLABLE: {
                const int32_t size = op[0], columns = op[1];
                const int64_t branch = read_choice(in, 2);
                op += 2;
                if (branch) run(op, op + size, in, to);
                else
                    for (int32_t i = 0; i < columns; i++) put(to, 0, -1);
                op += size;
                break;
            }
            case CC_ARRAY:
            case CC_MAP: {
                const int32_t size = op[0], table = op[1];
                const int64_t first = in->used[table];
                read_items(op + 2, op + 2 + size, table, in);
                put(to, first, in->used[table] - first);
                op += 2 + size;
                break;
            }
            default: in->failed = 1;
        }
    }
}

/* Whoever looks at a row that was not read finds nothing in it. */
static void clear(cc_table *table, int64_t row) {
    for (int64_t field = 0; field < table->n_fields; field++)
        table->first[field * table->room + row] = table->second[field * table->room + row] = 0;
}

static int begins_as_wanted(const cc_reader *r, const uint8_t *row, int64_t size) {
    return size >= r->header_size && size <= r->most && !memcmp(row, r->header, (size_t)r->header_size);
}

int64_t cc_read(const cc_reader *r, const uint8_t *bytes, const int64_t *bounds, int64_t n, cc_table *tables, int64_t *used,
                uint8_t *status) {
    int64_t failures = 0, before[CC_MAX_TABLES];
    const size_t counts = (size_t)r->n_tables * sizeof *used;
    for (int64_t row = 0; row < n; row++) {
        const uint8_t *begin = bytes + bounds[row];
        input in = {begin + r->header_size, bytes + bounds[row + 1], bytes, tables, used, 0, 0};
        cursor to = {tables->first + row, tables->second + row, tables->room};
        memcpy(before, used, counts);
        in.failed = !begins_as_wanted(r, begin, bounds[row + 1] - bounds[row]);
        if (!in.failed) run(r->program, r->program + r->n_ops, &in, &to);
        if (in.no_room) return CC_NO_ROOM;
        status[row] = in.failed || in.at != in.end;
        if (status[row]) {
            clear(tables, row);
            memcpy(used, before, counts);
        }
        failures += status[row];
    }
    return failures;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

enum { MOST_OF_A_NUMBER = 10 };

static inline uint8_t *put_long(uint8_t *to, int64_t number) {
    uint64_t raw = ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
    for (; raw > 0x7F; raw >>= 7) *to++ = (uint8_t)(raw | 0x80);
    *to++ = (uint8_t)raw;
    return to;
}

static inline uint8_t *put_bytes(uint8_t *to, const uint8_t *from, int64_t size) {
    to = put_long(to, size);
    if (size) memcpy(to, from, (size_t)size);
    return to + size;
}

/* At most so many bytes does a row take. */
static int64_t room_of(const cc_source *s, int64_t n, int64_t row) {
    int64_t room = 0;
    for (const cc_source *end = s + n; s < end; s++) {
        switch (s->op) {
            case CC_CONST: room += s->size; break;
            case CC_FIXED: room += s->size + MOST_OF_A_NUMBER; break;
            case CC_STRING:
            case CC_BYTES: room += MOST_OF_A_NUMBER + (s->second[row] > 0 ? s->second[row] : 0); break;
            case CC_ARRAY:
            case CC_MAP:
                room += 2 * MOST_OF_A_NUMBER;
                for (int64_t item = s->first[row]; item < s->second[row]; item++) room += room_of(s + 1, s->size, item);
                s += s->size;
                break;
            default: room += MOST_OF_A_NUMBER;
        }
    }
    return room;
}

static uint8_t *write_row(const cc_source *s, int64_t n, int64_t row, uint8_t *to) {
    for (const cc_source *end = s + n; s < end; s++) {
        switch (s->op) {
            case CC_CONST:
                memcpy(to, s->base, (size_t)s->size);
                to += s->size;
                break;
            case CC_FIXED: to = put_bytes(to, s->base + row * s->size, s->size); break;
            case CC_STRING:
            case CC_BYTES: to = put_bytes(to, s->base + s->first[row], s->second[row]); break;
            case CC_INT:
            case CC_LONG:
            case CC_ENUM: to = put_long(to, s->first[row]); break;
            case CC_BOOLEAN: *to++ = s->first[row] != 0; break;
            case CC_DOUBLE:
                memcpy(to, s->first + row, 8);
                to += 8;
                break;
            case CC_NULLABLE: /* its sources follow and are written unless it is null */
                *to++ = s->second[row] < 0 ? 0 : 2;
                if (s->second[row] < 0) s += s->size;
                break;
            case CC_ARRAY:
            case CC_MAP: {
                const int64_t first = s->first[row], last = s->second[row];
                if (last > first) to = put_long(to, last - first);
                for (int64_t item = first; item < last; item++) to = write_row(s + 1, s->size, item, to);
                *to++ = 0;
                s += s->size;
                break;
            }
        }
    }
    return to;
}

int64_t cc_write(const cc_source *sources, int64_t n_sources, const int64_t *rows, int64_t n, uint8_t *out, int64_t room,
                 int64_t *bounds) {
    uint8_t *to = out;
    for (int64_t i = 0; i < n; i++) {
        bounds[i] = to - out;
        if (room_of(sources, n_sources, rows[i]) > room - bounds[i]) return CC_NO_ROOM;
        to = write_row(sources, n_sources, rows[i], to);
    }
    bounds[n] = to - out;
    return to - out;
}
