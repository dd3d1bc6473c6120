/* Reads what a note says of its entities: cuts it into pieces, finds the phrases of the tables in them, and lets
 * assertion.c, relations.c and prescriptions.c decide.
 *
 * Pieces are smaller than the tagger's tokens ("500mg" is two, "k/c/o" five), so that a phrase is found however it is
 * written, and so that spans of any tokenisation can be judged. */
#include "meaning.h"

#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { MAX_PHRASE = 12 };

static int grow(void **array, size_t size) {
    void *grown = realloc(*array, size ? size : 1);
    if (!grown) return CN_NO_MEMORY;
    *array = grown;
    return 0;
}

int32_t *cn_new_row(cn_rows *rows, int fields) {
    if (rows->count == rows->room) {
        int64_t room = rows->room * 2 + 256;
        if (grow((void **)&rows->rows, (size_t)(room * fields) * sizeof *rows->rows)) return NULL;
        rows->room = room;
    }
    int32_t *row = rows->rows + rows->count++ * fields;
    memset(row, 0, (size_t)fields * sizeof *row);
    return row;
}

/* --- pieces ----------------------------------------------------------------------------------------------------- */

static inline int is_letter(uint32_t c) {
    if (c < 128) return (c | 32) - 'a' < 26;
    if (c == 0x0964 || c == 0x0965) return 0;
    if (c >= 0x0900 && c <= 0x0D7F) return 1; /* the scripts of India, with their vowel signs */
    const uint8_t class = cn_class_of(c);
    return class >= CN_UPPER && class <= CN_LETTER;
}

static inline int is_figure(uint32_t c) { return c - '0' < 10; }
static inline int is_blank(uint32_t c) { return c < 128 ? c <= ' ' : cn_class_of(c) == CN_SPACE; }
static inline int is_line_end(uint32_t c) { return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029 || c == 0x85; }

static uint32_t plain_sign(uint32_t c) {
    if (c < 0xB0) return c;
    if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212 || c == 0xFE63 || c == 0xFF0D) return '-';
    if (c == 0x2019 || c == 0x2018) return '\'';
    if (c == 0x2022 || c == 0x25CF || c == 0x25AA || c == 0x00B7 || c == 0x2023) return 0x2022;
    return c;
}

/* Seven bits a letter: no two words of up to nine letters share a hash, and a letter costs no multiplication. */
static inline uint64_t add_letter(uint64_t hash, uint32_t c) { return (hash << 7 | hash >> 57) ^ c; }
#define FIRST_HASH UINT64_C(0)

/* Up to eight ASCII letters at once: as add_letter one by one, from FIRST_HASH. Returns how many. */
static inline int run_of_letters(const uint32_t *text, uint64_t *hash) {
    const uint64_t eight = cn_eight(text);
    const int count = cn_run_of(eight, 0);
    if (!count) return 0;
    uint64_t seven = __builtin_bswap64(eight | CN_EACH(0x20)) >> (64 - 8 * count); /* the last one lowest, in seven bits each */
    seven = (seven & UINT64_C(0x007F007F007F007F)) | (seven & UINT64_C(0x7F007F007F007F00)) >> 1;
    seven = (seven & UINT64_C(0x00003FFF00003FFF)) | (seven & UINT64_C(0x3FFF00003FFF0000)) >> 2;
    *hash = (seven & 0x0FFFFFFF) | (seven >> 32) << 28;
    return count;
}

static inline uint64_t finished(uint64_t hash) {
    hash *= UINT64_C(0x9E3779B97F4A7C15);
    return (hash ^ hash >> 29) | 1;
}

static inline int32_t find_word(const cn_reader_t *r, uint64_t hash) {
    const uint32_t tag = (uint32_t)(hash >> 48);
    for (uint32_t at = (uint32_t)hash & r->slot_mask;; at = (at + 1) & r->slot_mask) {
        const uint32_t slot = r->slots[at];
        if (!slot) return 0;
        if (slot >> 16 == tag && r->hashes[slot & 0xFFFF] == hash) return (int32_t)(slot & 0xFFFF);
    }
}

/* A figure or a group of three behind a comma goes on with the number. */
static int64_t end_of_number(const uint32_t *text, int64_t length, int64_t at, double *value) {
    double number = 0;
    while (at < length && (is_figure(text[at]) || (text[at] == ',' && at + 2 < length && is_figure(text[at + 1])))) {
        if (text[at] == ',') {
            int64_t figures = 1;
            while (at + figures < length && figures < 5 && is_figure(text[at + figures])) figures++;
            if (figures != 4 && !(figures == 3 && at + 3 < length && text[at + 3] == ',')) break;
        } else if (number < 1e12) {
            number = number * 10 + (text[at] - '0');
        }
        at++;
    }
    if (at + 1 < length && text[at] == '.' && is_figure(text[at + 1])) {
        double tenth = 0.1;
        for (at++; at < length && is_figure(text[at]); at++, tenth /= 10) number += tenth * (text[at] - '0');
    }
    *value = number;
    return at;
}

static void take_piece(const cn_reader_t *r, const uint32_t *text, int64_t length, cn_piece *p) {
    int64_t at = p->start;
    uint64_t hash = FIRST_HASH;
    p->word = p->inside = p->segment = 0;
    p->sign = 0;
    p->number = -1;
    if (is_letter(text[at])) {
        p->kind = CN_LETTERS;
        if (at + 9 <= length) at += run_of_letters(text + at, &hash);
        for (; at < length && is_letter(text[at]); at++) {
            const uint32_t c = text[at];
            hash = add_letter(hash, c < 128 ? c | 32 : cn_lower_of(c));
        }
    } else if (is_figure(text[at])) {
        p->kind = CN_NUMERAL;
        at = end_of_number(text, length, at, &p->number);
        p->word = at - p->start == 4 && p->number >= 1950 && p->number < 2040 ? CN_YEAR_WORD : CN_NUMBER_WORD;
        p->end = (int32_t)at;
        return;
    } else {
        p->kind = CN_SIGN;
        p->sign = plain_sign(text[at]);
        hash = add_letter(hash, p->sign);
        const int runs = p->sign == '+' || p->sign == '-' || p->sign == '?' || p->sign == '.' || p->sign == '*';
        for (at++; runs && at < length && plain_sign(text[at]) == p->sign; at++) {}
    }
    p->end = (int32_t)at;
    p->word = find_word(r, finished(hash));
    p->number = r->numbers[p->word];
}

/* --- segments ---------------------------------------------------------------------------------------------------- */

static inline int adjacent(const cn_piece *left, const cn_piece *right) { return left->end == right->start; }

/* "Tab.", "b.d." and "T." are no ends of a sentence; nor is the point of a list number. */
static int is_short_form(const cn_reader_t *r, int64_t point, int64_t first) {
    const cn_piece *p = r->pieces + point;
    if (point == first) return 1;
    const cn_piece *before = p - 1;
    if (!adjacent(before, p)) return 0;
    if (before->kind == CN_NUMERAL) return point - 1 == first && before->number < 100;
    if (before->kind != CN_LETTERS) return 0;
    if (r->roles[before->word] & CN_IS_SHORT) return 1;
    if (before->end - before->start > 1) return 0;
    return point - 1 == first || (point > 1 && p[-2].kind != CN_LETTERS);
}

static int point_ends(const cn_reader_t *r, int64_t point, int64_t first) {
    const cn_piece *p = r->pieces + point, *next = p + 1;
    if (!adjacent(p, next)) return !is_short_form(r, point, first);
    if (p->end - p->start > 1) return 0;
    if (point == first || next->kind != CN_LETTERS || !adjacent(p - 1, p)) return 0;
    if (p[-1].kind == CN_NUMERAL) return point - 1 > first && next->end - next->start >= 2; /* "in 2016.No fever" */
    if (p[-1].kind != CN_LETTERS || (r->roles[p[-1].word] & CN_IS_SHORT)) return 0;           /* "Tab.Dolo" */
    const int32_t before = p[-1].end - p[-1].start, after = next->end - next->start;
    return (before >= 3 && after >= 2) || (before == 2 && after >= 3);
}

static int begins_segment(const cn_reader_t *r, const uint32_t *text, int64_t at, int64_t first, int open) {
    const cn_piece *p = r->pieces + at, *before = p - 1;
    int lines = 0;
    if (!adjacent(before, p))
        for (int32_t c = before->end; c < p->start; c++)
            lines += is_line_end(text[c]) && !(text[c] == '\r' && text[c + 1] == '\n');
    if (lines > 1 || (lines && !(r->roles[before->word] & CN_IS_JOIN))) return 1;
    switch (before->sign) {
        case '.': return point_ends(r, at - 1, first);
        case ';': case '!': case '|': case 0x2022: case 0x0964: case 0x0965: case 0x3002: return 1;
        default: break;
    }
    if (p->sign == 0x2022) return 1;
    return p->kind == CN_NUMERAL && !open && at + 1 < r->n && p[1].sign == ')' && adjacent(p, p + 1) && p->number < 100;
}

static void cut_segments(cn_reader_t *r, const uint32_t *text) {
    int32_t segment = 0, line = 0;
    int64_t first = 0;
    int open = 0;
    for (int64_t at = 0; at < r->n; at++) {
        cn_piece *p = r->pieces + at;
        /* Nearly always a word or a number stands before, with one blank or none. */
        if (at && p[-1].kind != CN_SIGN && p->kind == CN_LETTERS && (p->start == p[-1].end || (p->start == p[-1].end + 1 && text[p[-1].end] == ' '))) {
            p->segment = segment;
            p->line = line;
            continue;
        }
        if (at) {
            if (p->start - p[-1].end)
                for (int32_t c = p[-1].end; c < p->start; c++) line += is_line_end(text[c]);
            if (begins_segment(r, text, at, first, open)) segment++, first = at, open = 0;
        }
        open += p->sign == '(';
        open -= p->sign == ')' && open;
        p->segment = segment;
        p->line = line;
    }
}

static int cut(cn_reader_t *r, const uint32_t *text, int64_t length) {
    r->n = 0;
    for (int64_t at = 0; at < length;) {
        if (is_blank(text[at])) {
            at++;
            continue;
        }
        if (r->n + 2 > r->piece_room) {
            const int64_t room = r->piece_room * 2 + 512;
            if (grow((void **)&r->pieces, (size_t)room * sizeof *r->pieces) ||
                grow((void **)&r->headings, (size_t)room * sizeof *r->headings))
                return CN_NO_MEMORY;
            r->piece_room = room;
        }
        cn_piece *p = r->pieces + r->n++;
        p->start = (int32_t)at;
        take_piece(r, text, length, p);
        at = p->end;
    }
    cut_segments(r, text);
    return 0;
}

/* --- phrases ------------------------------------------------------------------------------------------------------ */

static inline int32_t step(const cn_reader_t *r, int32_t node, int32_t word, int layer) {
    if (!node) return r->roots[(int64_t)word * CN_LAYERS + layer];
    int32_t low = r->edge_starts[node], high = r->edge_starts[node + 1];
    while (low < high) {
        const int32_t middle = (low + high) / 2;
        if (r->edge_words[middle] < word) low = middle + 1;
        else high = middle;
    }
    return low < r->edge_starts[node + 1] && r->edge_words[low] == word ? r->edge_nodes[low] : 0;
}

typedef struct {
    const cn_reader_t *r;
    int layer;
    int64_t limit, end;
    int32_t row;
    const cn_piece *like; /* a phrase may not leave this piece's segment and entity; NULL: it may */
} search;

static void walk(search *s, int32_t node, int64_t at, int depth) {
    const cn_reader_t *r = s->r;
    for (;; at++, depth++) {
        if (node) {
            if (r->node_phrase[node] >= 0 && at > s->end) s->end = at, s->row = r->node_phrase[node];
            if (r->edge_starts[node] == r->edge_starts[node + 1]) return;
        }
        if (at >= s->limit || depth == MAX_PHRASE) return;
        const cn_piece *p = r->pieces + at;
        if (s->like && (p->segment != s->like->segment || p->inside != s->like->inside)) return;
        const int32_t next = p->word ? step(r, node, p->word, s->layer) : 0;
        /* A number goes on as itself and as "#". */
        const int32_t number = p->number >= 0 && p->word != CN_NUMBER_WORD ? step(r, node, CN_NUMBER_WORD, s->layer) : 0;
        if (next && number) walk(s, next, at + 1, depth + 1);
        node = number ? number : next;
        if (!node) return;
    }
}

int32_t cn_longest(const cn_reader_t *r, int layer, int64_t at, int64_t limit, int64_t *end) {
    search s = {r, layer, limit, at, -1, NULL};
    const cn_piece *p = r->pieces + at;
    if (!(r->roles[p->word] & CN_OPENS << layer) && (!p->word || p->number < 0)) return -1;
    walk(&s, 0, at, 0);
    *end = s.end;
    return s.row;
}

int cn_find_cues(cn_reader_t *r, int layer, int64_t from, int64_t to, cn_cue **cues, int64_t *count, int64_t *room) {
    const int opens = CN_OPENS << layer;
    *count = 0;
    for (int64_t at = from; at < to;) {
        const cn_piece *p = r->pieces + at;
        int64_t end = at;
        int32_t row = -1;
        if ((r->roles[p->word] & opens) || (p->number >= 0 && p->word)) {
            /* A phrase ends where its segment ends, and stands wholly inside an entity or wholly outside. */
            const int32_t node = r->roots[(int64_t)p->word * CN_LAYERS + layer];
            const cn_piece *next = p + 1;
            if (p->number < 0 && (r->edge_starts[node] == r->edge_starts[node + 1] || at + 1 >= to || !next->word)) {
                row = r->node_phrase[node], end = at + 1; /* nothing can follow: no search */
            } else {
                search s = {r, layer, to, at, -1, p};
                walk(&s, 0, at, 0);
                row = s.row, end = s.end;
            }
        }
        if (row < 0) {
            at++;
            continue;
        }
        /* What looks back leaves the words after its first one free: "- no cough". */
        int looks_ahead = layer != CN_ASSERT;
        for (int32_t each = row; each >= 0; each = r->phrases[each].next) {
            if (*count == *room) {
                const int64_t larger = *room * 2 + 128;
                if (grow((void **)cues, (size_t)larger * sizeof **cues)) return CN_NO_MEMORY;
                *room = larger;
            }
            (*cues)[(*count)++] = (cn_cue){(int32_t)at, (int32_t)end, each, r->phrases[each].kind, p->segment, p->inside};
            looks_ahead |= r->phrases[each].kind > CN_OTHER_PERSON || r->phrases[each].a == 1 || p->kind != CN_SIGN;
        }
        at = looks_ahead ? end : at + 1;
    }
    return 0;
}

int cn_is_list_piece(const cn_piece *p, const cn_reader_t *r) {
    return p->inside || p->sign == ',' || p->sign == '/' || p->sign == '&' || p->sign == '+' ||
           (r->roles[p->word] & CN_IS_CONJUNCTION);
}

/* --- one note -------------------------------------------------------------------------------------------------------- */

/* The first piece from `low` on that ends after `offset`. */
static int64_t piece_after(const cn_reader_t *r, int32_t offset, int64_t low) {
    int64_t high = r->n;
    for (int near = 0; near < 8 && low < high; near++, low++)
        if (r->pieces[low].end > offset) return low;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (r->pieces[middle].end > offset) high = middle;
        else low = middle + 1;
    }
    return low;
}

static int place_entities(cn_reader_t *r, const int32_t *entities, int64_t count) {
    if (count > r->span_room) {
        const int64_t room = count * 2 + 64;
        if (grow((void **)&r->spans, (size_t)room * sizeof *r->spans)) return CN_NO_MEMORY;
        r->span_room = room;
    }
    r->n_spans = count;
    int64_t from = 0;
    for (int64_t i = 0; i < count; i++) {
        const int32_t *row = entities + i * CN_ENTITY_FIELDS;
        int64_t first = r->n, last;
        if (row[3] > row[2]) from = first = piece_after(r, row[2], from);
        last = first - 1;
        while (last + 1 < r->n && r->pieces[last + 1].start < row[3]) last++;
        r->spans[i] = (cn_span){row[1], (int32_t)first, (int32_t)last, 0};
        for (int64_t at = first; at <= last; at++) r->pieces[at].inside = (int32_t)i + 1;
    }
    return 0;
}

int cn_read_note(cn_reader_t *r, int64_t note, const uint32_t *text, int64_t length, const int32_t *entities,
                 int64_t count) {
    if (!count) return 0;
    const int64_t first = r->assertions.count;
    int failed = cut(r, text, length);
    if (!failed) failed = place_entities(r, entities, count);
    if (!failed) failed = cn_find_cues(r, CN_ASSERT, 0, r->n, &r->cues, &r->n_cues, &r->cue_room);
    if (!failed) failed = cn_assert(r);
    if (!failed) failed = cn_relate(r, note, first);
    return failed || !r->prescribes ? failed : cn_prescribe(r, text, first);
}

void cn_forget_results(cn_reader_t *r) {
    r->assertions.count = r->relations.count = r->prescriptions.count = 0;
    r->texts.size = 0;
}

int cn_read(cn_reader_t *r, const uint32_t *text, const int64_t *bounds, int64_t n_notes, const int32_t *spans,
            const int64_t *span_bounds, cn_meaning *result) {
    cn_forget_results(r);
    for (int64_t note = 0; note < n_notes; note++) {
        const int64_t length = bounds[note + 1] - bounds[note];
        if (length < 0 || length > INT32_MAX - 256) return CN_BAD_ARGUMENT;
        int failed = cn_read_note(r, note, text + bounds[note], length, spans + span_bounds[note] * CN_ENTITY_FIELDS,
                                  span_bounds[note + 1] - span_bounds[note]);
        if (failed) return failed;
    }
    *result = cn_meaning_of(r);
    return 0;
}

cn_meaning cn_meaning_of(const cn_reader_t *r) {
    return (cn_meaning){r->assertions.count, r->assertions.rows,       r->relations.count, r->relations.rows,
                        r->prescriptions.count, r->prescriptions.rows, (int64_t)r->texts.size, r->texts.bytes};
}

/* --- making ----------------------------------------------------------------------------------------------------------- */

/* The tables while they are read: edges as they come. */
typedef struct {
    int32_t node, word, child;
} edge;

typedef struct {
    edge *edges;
    int32_t n_edges;
    cn_table places; /* of an edge's node and word */
} builder;

static inline uint64_t edge_key(int32_t node, int32_t word) { return cn_mix(((uint64_t)node << 32 | (uint32_t)word) + 1); }

static void place_word(cn_reader_t *r, int32_t word) {
    const uint64_t hash = r->hashes[word];
    uint32_t at = (uint32_t)hash & r->slot_mask;
    while (r->slots[at]) at = (at + 1) & r->slot_mask;
    r->slots[at] = (uint32_t)(hash >> 48) << 16 | (uint32_t)word;
}

/* Places all words in a table of this many slots. */
static int place_words(cn_reader_t *r, uint32_t slots) {
    free(r->slots);
    r->slots = calloc(slots, sizeof *r->slots);
    r->slot_mask = slots - 1;
    if (!r->slots) return CN_NO_MEMORY;
    for (int32_t word = CN_FIRST_WORD; word < r->n_words; word++) place_word(r, word);
    return 0;
}

static int32_t word_number(cn_reader_t *r, const uint32_t *text, const cn_piece *p) {
    if (p->sign == '#') return CN_NUMBER_WORD;
    if (p->sign == '@') return CN_YEAR_WORD;
    uint64_t hash = FIRST_HASH;
    if (p->kind == CN_SIGN) hash = add_letter(hash, p->sign);
    else
        for (int32_t at = p->start; at < p->end; at++)
            hash = add_letter(hash, text[at] < 128 ? text[at] | 32 : cn_lower_of(text[at]));
    hash = finished(hash);
    const int32_t found = find_word(r, hash);
    if (found) return found;
    r->hashes[r->n_words++] = hash;
    place_word(r, r->n_words - 1);
    return r->n_words - 1;
}

static int32_t child(cn_reader_t *r, builder *b, int32_t node, int32_t word, int layer) {
    if (!node) {
        int32_t *root = &r->roots[(int64_t)word * CN_LAYERS + layer];
        if (!*root) *root = r->n_nodes++;
        r->roles[word] |= (uint8_t)(CN_OPENS << layer);
        return *root;
    }
    const int64_t found = cn_table_find(&b->places, edge_key(node, word));
    if (found >= 0) return b->edges[found].child;
    cn_table_put(&b->places, edge_key(node, word), b->n_edges);
    b->edges[b->n_edges++] = (edge){node, word, r->n_nodes};
    return r->n_nodes++;
}

static int by_node_and_word(const void *left, const void *right) {
    const edge *a = left, *b = right;
    return a->node != b->node ? (a->node > b->node) - (a->node < b->node) : (a->word > b->word) - (a->word < b->word);
}

static int lay_out_edges(cn_reader_t *r, builder *b) {
    const size_t count = (size_t)b->n_edges + 1;
    r->edge_starts = calloc((size_t)r->n_nodes + 2, sizeof *r->edge_starts);
    r->edge_words = malloc(count * sizeof *r->edge_words);
    r->edge_nodes = malloc(count * sizeof *r->edge_nodes);
    if (!r->edge_starts || !r->edge_words || !r->edge_nodes) return CN_NO_MEMORY;
    qsort(b->edges, (size_t)b->n_edges, sizeof *b->edges, by_node_and_word);
    for (int32_t at = 0; at < b->n_edges; at++) {
        r->edge_starts[b->edges[at].node + 1]++;
        r->edge_words[at] = b->edges[at].word;
        r->edge_nodes[at] = b->edges[at].child;
    }
    for (int32_t node = 0; node <= r->n_nodes; node++) r->edge_starts[node + 1] += r->edge_starts[node];
    return 0;
}

static void note_word(cn_reader_t *r, int32_t word, const cn_phrase *phrase) {
    if (phrase->layer == CN_ASSERT && phrase->kind == CN_JOINS) r->roles[word] |= CN_IS_JOIN;
    if (phrase->layer == CN_ASSERT && phrase->kind == CN_ABBREVIATION) r->roles[word] |= CN_IS_SHORT;
    if (phrase->layer == CN_ASSERT && phrase->kind == CN_CONJUNCTION) r->roles[word] |= CN_IS_CONJUNCTION;
    if (phrase->layer == CN_PRESCRIBE && phrase->kind == CN_NUMBER) r->numbers[word] = phrase->a / 100.0;
}

static int add_phrase(cn_reader_t *r, builder *b, const uint32_t *text, int64_t length, int32_t number) {
    cn_phrase *phrase = r->phrases + number;
    const int joins = phrase->layer == CN_ASSERT && phrase->kind >= CN_JOINS;
    int32_t node = 0, word = 0;
    if (cut(r, text, length) || !r->n || r->n > MAX_PHRASE) return CN_BAD_ARGUMENT;
    for (int64_t at = 0; at < r->n; at++) {
        const cn_piece *p = r->pieces + at;
        if (p->kind == CN_NUMERAL) return CN_BAD_ARGUMENT;
        if (r->n_words > 0xFFFF) return CN_BAD_ARGUMENT;
        if (cn_table_grow(&b->places)) return CN_NO_MEMORY;
        if ((uint32_t)r->n_words * 2 > r->slot_mask && place_words(r, (r->slot_mask + 1) * 2)) return CN_NO_MEMORY;
        word = word_number(r, text, p);
        if (!joins && !(phrase->layer == CN_PRESCRIBE && phrase->kind == CN_NUMBER)) node = child(r, b, node, word, phrase->layer);
    }
    note_word(r, word, phrase);
    if (!node) return 0;
    phrase->next = r->node_phrase[node];
    r->node_phrase[node] = number;
    return 0;
}

static void mark_sides(cn_reader_t *r, int32_t node) {
    int sides = 0;
    for (int32_t at = r->node_phrase[node]; at >= 0; at = r->phrases[at].next)
        if (r->phrases[at].layer == CN_ASSERT && r->phrases[at].kind <= CN_OTHER_PERSON) sides |= r->phrases[at].a;
    for (int32_t at = r->node_phrase[node]; at >= 0; at = r->phrases[at].next) r->phrases[at].both = sides == 3;
}

static int make_room(cn_reader_t *r, builder *b, int64_t characters) {
    const size_t words = (size_t)characters + 16; /* each piece of a phrase has one character at least */
    r->hashes = calloc(words, sizeof *r->hashes);
    r->roots = calloc(words * CN_LAYERS, sizeof *r->roots);
    r->node_phrase = malloc(words * sizeof *r->node_phrase);
    r->numbers = malloc(words * sizeof *r->numbers);
    r->roles = calloc(words, 1);
    b->edges = malloc(words * sizeof *b->edges);
    if (place_words(r, 1024) || !r->hashes || !r->roots || !r->node_phrase || !r->numbers || !r->roles || !b->edges) return CN_NO_MEMORY;
    for (size_t i = 0; i < words; i++) r->node_phrase[i] = -1, r->numbers[i] = -1;
    return cn_table_init(&b->places, 4096);
}

cn_reader_t *cn_reader_new(const uint32_t *text, const int64_t *bounds, const int32_t *rows, int64_t n_rows) {
    cn_reader_t *r = calloc(1, sizeof *r);
    if (!r || n_rows < 0 || n_rows > 1 << 20) {
        free(r);
        return NULL;
    }
    r->n_words = CN_FIRST_WORD;
    r->n_nodes = 1;
    r->prescribes = 1;
    r->phrases = calloc((size_t)n_rows + 1, sizeof *r->phrases);
    builder b = {0};
    int failed = !r->phrases || make_room(r, &b, bounds[n_rows]);
    for (int64_t i = 0; i < n_rows && !failed; i++) {
        const int32_t *row = rows + i * CN_PHRASE_FIELDS;
        if (row[0] < 0 || row[0] >= CN_LAYERS) failed = 1;
        r->phrases[i] = (cn_phrase){row[0], row[1], row[2], row[3], row[4], row[5], -1, 0};
        failed = failed || add_phrase(r, &b, text + bounds[i], bounds[i + 1] - bounds[i], (int32_t)i);
    }
    r->n_phrases = (int32_t)n_rows;
    for (int32_t node = 0; node < r->n_nodes && !failed; node++) mark_sides(r, node);
    failed = failed || lay_out_edges(r, &b);
    free(b.edges);
    cn_table_free(&b.places);
    if (!failed) return r;
    cn_reader_free(r);
    return NULL;
}

void cn_reader_prescribes(cn_reader_t *r, int prescribes) { r->prescribes = prescribes; }

void cn_reader_free(cn_reader_t *r) {
    if (!r) return;
    free(r->slots);
    free(r->hashes);
    free(r->edge_starts);
    free(r->edge_words);
    free(r->edge_nodes);
    free(r->phrases);
    free(r->roots);
    free(r->node_phrase);
    free(r->numbers);
    free(r->roles);
    free(r->pieces);
    free(r->headings);
    free(r->spans);
    free(r->cues);
    free(r->links);
    free(r->assertions.rows);
    free(r->relations.rows);
    free(r->prescriptions.rows);
    free(r->texts.bytes);
    free(r);
}

int64_t cn_pieces(cn_reader_t *r, const uint32_t *text, int64_t length, int32_t *starts, int32_t *ends, int32_t *segments) {
    const int failed = cut(r, text, length);
    for (int64_t at = 0; !failed && at < r->n; at++) {
        starts[at] = r->pieces[at].start;
        ends[at] = r->pieces[at].end;
        segments[at] = r->pieces[at].segment;
    }
    return failed ? failed : r->n;
}
