/* The one home of word features: training reads them as strings, serving as 64-bit hashes of the same strings. */
#include "features.h"

#include <stdlib.h>
#include <string.h>

/* --- hashes ------------------------------------------------------------------------------------------------- */

uint64_t cn_mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ull;
    return x ^ (x >> 32);
}

uint64_t cn_hash_bytes(const char *bytes, size_t size) {
    uint64_t hash = 0x9e3779b97f4a7c15ull ^ size, chunk;
    for (; size >= 8; bytes += 8, size -= 8) {
        memcpy(&chunk, bytes, 8);
        hash = (hash ^ cn_mix(chunk)) * 0x9fb21c651e98df25ull;
        hash ^= hash >> 29;
    }
    chunk = 0;
    memcpy(&chunk, bytes, size);
    hash = cn_mix(hash ^ cn_mix(chunk + 0x2545f4914f6cdd1dull));
    return hash ? hash : 1; /* 0 marks an empty slot */
}

uint64_t cn_word_key(const uint32_t *word, int64_t length, int lowered) {
    uint64_t hash = 0x51ed270b4d2ac9a5ull ^ (uint64_t)length;
    for (int64_t i = 0; i < length; i += 2) { /* two characters at a time */
        uint64_t first = word[i], second = i + 1 < length ? word[i + 1] : 0;
        if (lowered) first = cn_lower_of((uint32_t)first), second = second ? cn_lower_of((uint32_t)second) : 0;
        hash = (hash ^ (first | second << 32)) * 0x9fb21c651e98df25ull;
        hash ^= hash >> 32;
    }
    hash = cn_mix(hash);
    return hash ? hash : 1; /* 0 marks an empty slot */
}

uint64_t cn_pair_key(int base, uint64_t left, uint64_t right) {
    /* Both sides are well mixed hashes already. */
    uint64_t key = (left ^ (right << 23 | right >> 41)) * 0x9fb21c651e98df25ull + (unsigned long long)(base + 1) * 0xd6e8feb86659fd93ull;
    return key ? key : 1;
}

/* --- a word as the features see it ---------------------------------------------------------------------------- */

typedef struct {
    uint32_t raw[CN_MAX_WORD], low[CN_MAX_WORD];
    uint8_t class[CN_MAX_WORD];
    int length;
} word_view;

static void view_word(word_view *view, const uint32_t *word, int64_t length) {
    view->length = length > CN_MAX_WORD ? CN_MAX_WORD : (int)length;
    for (int i = 0; i < view->length; i++) {
        uint32_t c = i < CN_MAX_WORD / 2 ? word[i] : word[length - view->length + i];
        uint8_t class = cn_class_of(c);
        if (class == CN_OTHER || class == CN_SPACE) c = 0xFFFD; /* controls and lone surrogates have no safe UTF-8 */
        view->raw[i] = c;
        view->low[i] = cn_lower_of(c);
        view->class[i] = class;
    }
}

/* --- writing one feature -------------------------------------------------------------------------------------- */

typedef struct {
    char bytes[32 + 4 * (CN_MAX_WORD + 2)];
    size_t size;
} line;

static void put_text(line *l, const char *text) {
    size_t size = strlen(text);
    memcpy(l->bytes + l->size, text, size);
    l->size += size;
}

static void put(line *l, uint32_t c) {
    char *at = l->bytes + l->size;
    if (c < 0x80) {
        at[0] = (char)c;
        l->size += 1;
    } else if (c < 0x800) {
        at[0] = (char)(0xC0 | c >> 6), at[1] = (char)(0x80 | (c & 63));
        l->size += 2;
    } else if (c < 0x10000) {
        at[0] = (char)(0xE0 | c >> 12), at[1] = (char)(0x80 | (c >> 6 & 63)), at[2] = (char)(0x80 | (c & 63));
        l->size += 3;
    } else {
        at[0] = (char)(0xF0 | c >> 18), at[1] = (char)(0x80 | (c >> 12 & 63));
        at[2] = (char)(0x80 | (c >> 6 & 63)), at[3] = (char)(0x80 | (c & 63));
        l->size += 4;
    }
}

static void give(cn_sink *sink, int group, const line *l) { sink->take(sink, group, l->bytes, l->size); }

static void give_text(cn_sink *sink, int group, const char *text) { sink->take(sink, group, text, strlen(text)); }

static void give_slice(cn_sink *sink, int group, const char *name, const uint32_t *from, int count) {
    line l = {.size = 0};
    put_text(&l, name);
    for (int i = 0; i < count; i++) put(&l, from[i]);
    give(sink, group, &l);
}

/* --- the groups ----------------------------------------------------------------------------------------------- */

static void give_affixes(cn_sink *sink, const uint32_t *wanted, const word_view *w) {
    static const char *const PREFIX[] = {"p1=", "p2=", "p3=", "p4=", "p5=", "p6="};
    static const char *const SUFFIX[] = {"s1=", "s2=", "s3=", "s4=", "s5=", "s6="};
    for (int size = 1; size <= 6 && size <= w->length; size++) {
        if (wanted[CN_PREFIX1 + size - 1]) give_slice(sink, CN_PREFIX1 + size - 1, PREFIX[size - 1], w->low, size);
        if (wanted[CN_SUFFIX1 + size - 1])
            give_slice(sink, CN_SUFFIX1 + size - 1, SUFFIX[size - 1], w->low + w->length - size, size);
    }
}

static uint32_t shape_of(const word_view *w, int at) {
    switch (w->class[at]) {
        case CN_UPPER: return 'X';
        case CN_LOWER: return 'x';
        case CN_LETTER: return 'a';
        case CN_DIGIT: return '9';
        default: return w->raw[at];
    }
}

static void give_shape(cn_sink *sink, int group, const char *name, const word_view *w) {
    line l = {.size = 0};
    uint32_t previous = 0;
    put_text(&l, name);
    for (int i = 0; i < w->length; i++) {
        uint32_t shape = shape_of(w, i);
        if (group == CN_SHAPE || shape != previous) put(&l, shape);
        previous = shape;
    }
    give(sink, group, &l);
}

static void give_grams(cn_sink *sink, int group, int size, const word_view *w) {
    uint32_t marked[CN_MAX_WORD + 2];
    char name[4] = {'g', (char)('0' + size), '=', 0};
    marked[0] = '^';
    memcpy(marked + 1, w->low, sizeof(uint32_t) * (size_t)w->length);
    marked[w->length + 1] = '$';
    for (int at = 0; at + size <= w->length + 2; at++) {
        int earlier = 0; /* a word's grams are a set */
        while (earlier < at && memcmp(marked + earlier, marked + at, sizeof(uint32_t) * (size_t)size)) earlier++;
        if (earlier == at) give_slice(sink, group, name, marked + at, size);
    }
}

static int affix_fits(const cn_affix *affix, const word_view *w) {
    if (affix->length >= w->length) return 0; /* an affix leaves a stem */
    const uint32_t *from = affix->kind == 'S' ? w->low + w->length - affix->length : w->low;
    return memcmp(from, affix->letters, sizeof(uint32_t) * (size_t)affix->length) == 0;
}

/* The longest prefix ('P') or suffix ('S') that fits, or NULL. */
static const cn_affix *best_affix(const cn_extractor *e, const word_view *w, char kind) {
    const cn_affix *best = NULL;
    for (int64_t i = 0; i < e->n_affixes; i++) {
        const cn_affix *affix = &e->affixes[i];
        if (affix->kind == kind && (!best || affix->length > best->length) && affix_fits(affix, w)) best = affix;
    }
    return best;
}

static void give_morphology(cn_sink *sink, const char *class_name, const char *own_name, const cn_affix *affix) {
    if (!affix) return;
    line l = {.size = 0};
    put_text(&l, class_name);
    put_text(&l, affix->name);
    give(sink, CN_MORPHOLOGY, &l);
    give_slice(sink, CN_MORPHOLOGY, own_name, affix->letters, affix->length);
}

static int count_class(const word_view *w, int class) {
    int count = 0;
    for (int i = 0; i < w->length; i++) count += w->class[i] == class;
    return count;
}

static int has(const word_view *w, uint32_t c) {
    for (int i = 0; i < w->length; i++)
        if (w->raw[i] == c) return 1;
    return 0;
}

/* Digits, then letters to the end: 500mg, 2nd, 62yo. Returns how many letters, 0 if the word is not so made. */
static int unit_letters(const word_view *w) {
    int at = 0;
    while (at < w->length && (w->class[at] == CN_DIGIT || (at > 0 && w->raw[at] == '.'))) at++;
    int letters = w->length - at;
    if (at == 0) return 0;
    for (int i = at; i < w->length; i++)
        if (w->class[i] != CN_LOWER && w->class[i] != CN_UPPER) return 0;
    return letters;
}

static void give_numbers(cn_sink *sink, const word_view *w, int digits) {
    int hyphens = has(w, '-'), slashes = has(w, '/'), dots = has(w, '.') || has(w, ',');
    int letters = unit_letters(w);
    if (digits == w->length) {
        give_text(sink, CN_PATTERN, digits == 4 ? "d=num4" : digits < 4 ? "d=num" : "d=numlong");
    } else if (letters > 0) {
        give_slice(sink, CN_PATTERN, "d=unit:", w->low + w->length - letters, letters > 6 ? 6 : letters);
        give_text(sink, CN_PATTERN, "d=dose");
    } else if (digits + count_class(w, CN_PUNCTUATION) + count_class(w, CN_SYMBOL) == w->length) {
        give_text(sink, CN_PATTERN, slashes ? "d=ratio" : hyphens ? "d=schedule" : dots ? "d=decimal" : "d=numeric");
    } else {
        give_text(sink, CN_PATTERN, "d=mixed");
    }
    give_text(sink, CN_PATTERN, "d=digit");
}

static void give_letters(cn_sink *sink, const word_view *w, int upper, int lower) {
    int letters = upper + lower + count_class(w, CN_LETTER);
    if (letters == 0) {
        give_text(sink, CN_PATTERN, "d=noletter");
        return;
    }
    int first_upper = w->class[0] == CN_UPPER;
    if (upper == letters) give_text(sink, CN_PATTERN, letters == 1 ? "d=initial" : "d=allcaps");
    else if (first_upper && upper == 1) give_text(sink, CN_PATTERN, "d=capital");
    else if (upper) give_text(sink, CN_PATTERN, "d=mixedcase");
}

static void give_patterns(cn_sink *sink, const word_view *w) {
    int digits = count_class(w, CN_DIGIT);
    if (digits) give_numbers(sink, w, digits);
    give_letters(sink, w, count_class(w, CN_UPPER), count_class(w, CN_LOWER));
    if (w->length < 2) return;
    if (has(w, '-')) give_text(sink, CN_PATTERN, "d=hyphen");
    if (has(w, '/')) give_text(sink, CN_PATTERN, "d=slash");
    if (has(w, '.')) give_text(sink, CN_PATTERN, "d=dot");
}

static int64_t find_class(const cn_extractor *e, const uint32_t *word, int length) {
    return cn_table_find(&e->classes, cn_word_key(word, length, 1));
}

/* The class entry of a lower-cased word or of its singular; -1 if none. */
static int64_t class_entry(const cn_extractor *e, const uint32_t *word, int length) {
    int64_t found = find_class(e, word, length);
    if (found >= 0 || length < 4 || word[length - 1] != 's') return found;
    if ((found = find_class(e, word, length - 1)) >= 0 || word[length - 2] != 'e') return found;
    if ((found = find_class(e, word, length - 2)) >= 0 || word[length - 3] != 'i') return found;
    uint32_t singular[CN_MAX_WORD];
    memcpy(singular, word, sizeof(uint32_t) * (size_t)(length - 3));
    singular[length - 3] = 'y';
    return find_class(e, singular, length - 2);
}

typedef struct {
    int64_t entry;
    int after_hyphen; /* the classes are those of the part after the last hyphen */
} word_classes;

static word_classes classes_of(const cn_extractor *e, const word_view *w) {
    word_classes found = {class_entry(e, w->low, w->length), 0};
    if (found.entry >= 0) return found;
    for (int at = w->length - 2; at > 0; at--) {
        if (w->low[at] != '-') continue;
        found.after_hyphen = 1;
        found.entry = class_entry(e, w->low + at + 1, w->length - at - 1);
        break;
    }
    return found;
}

static void put_class(line *l, const cn_extractor *e, const word_classes *found, int32_t i) {
    const cn_slice *name = &e->class_names[e->class_ids[i]];
    if (found->after_hyphen) put(l, '-');
    memcpy(l->bytes + l->size, name->bytes, name->size);
    l->size += name->size;
}

static void give_classes(cn_sink *sink, const cn_extractor *e, word_classes found) {
    if (found.entry < 0) return;
    for (int32_t i = e->class_starts[found.entry]; i < e->class_starts[found.entry + 1]; i++) {
        line l = {.size = 0};
        put_text(&l, "c=");
        put_class(&l, e, &found, i);
        give(sink, CN_CLASSES, &l);
    }
}

/* One coarse word kind for conjunctions: the classes, else the telling suffix, else the look of the word. */
static void give_kind(cn_sink *sink, const cn_extractor *e, const word_view *w, word_classes found,
                      const cn_affix *suffix) {
    line l = {.size = 0};
    put_text(&l, "k=");
    if (found.entry >= 0) {
        int32_t first = e->class_starts[found.entry], end = e->class_starts[found.entry + 1];
        for (int32_t i = first; i < end && l.size < 100; i++) {
            if (i > first) put(&l, '+');
            put_class(&l, e, &found, i);
        }
    } else if (suffix && suffix->length > 2) {
        put_text(&l, suffix->name);
        put(&l, '~');
        for (int i = 0; i < suffix->length; i++) put(&l, suffix->letters[i]);
    } else if (w->class[0] == CN_DIGIT) {
        put(&l, '0');
    } else {
        int from = w->length <= 3 ? 0 : w->length - 2;
        if (from) put(&l, '~');
        for (int i = from; i < w->length; i++) put(&l, w->low[i]);
    }
    give(sink, CN_KIND, &l);
}

/* What stands before the first and after the last inner hyphen or slash. */
static void give_parts(cn_sink *sink, const word_view *w) {
    int first = -1, last = -1;
    for (int i = 1; i + 1 < w->length; i++) {
        if (w->raw[i] != '-' && w->raw[i] != '/') continue;
        if (first < 0) first = i;
        last = i;
    }
    if (first < 0) return;
    give_slice(sink, CN_PARTS, "h0=", w->low, first);
    give_slice(sink, CN_PARTS, "h1=", w->low + last + 1, w->length - last - 1);
}

static void give_length(cn_sink *sink, const word_view *w) {
    int length = w->length > 16 ? 16 : w->length;
    char text[5] = {'n', '=', (char)('0' + length / 10), (char)('0' + length % 10), 0};
    give_text(sink, CN_LENGTH, text);
}

/* The row of a lower-cased word whose digits are 0, or of its singular; -1 if none. */
static int64_t cluster_row(const cn_extractor *e, const uint32_t *word, int length) {
    int64_t found = cn_table_find(&e->clusters, cn_word_key(word, length, 0));
    if (found >= 0 || length < 5 || word[length - 1] != 's') return found;
    return cn_table_find(&e->clusters, cn_word_key(word, length - 1, 0));
}

static void put_number(line *l, unsigned number) {
    char digits[8];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10); while (number /= 10);
    while (count) l->bytes[l->size++] = digits[--count];
}

/* The clusters of a word, of its singular, or of what stands after its last hyphen, then marked by one. */
static void give_clusters(cn_sink *sink, const cn_extractor *e, const word_view *w) {
    uint32_t plain[CN_MAX_WORD];
    for (int i = 0; i < w->length; i++) plain[i] = w->class[i] == CN_DIGIT ? '0' : w->low[i];
    int after_hyphen = 0;
    int64_t row = cluster_row(e, plain, w->length);
    for (int at = w->length - 2; row < 0 && at > 0 && !after_hyphen; at--) {
        if (plain[at] != '-') continue;
        after_hyphen = 1;
        row = cn_table_find(&e->clusters, cn_word_key(plain + at + 1, w->length - at - 1, 0));
    }
    for (int32_t i = 0; i < e->n_clusterings && row >= 0; i++) {
        const unsigned number = e->cluster_numbers[row * e->n_clusterings + i];
        if (!number) continue;
        line l = {.bytes = {'x', (char)('0' + i), '='}, .size = 3};
        if (after_hyphen) put(&l, '-');
        put_number(&l, number);
        give(sink, CN_CLUSTERS, &l);
    }
}

void cn_word_features(const cn_extractor *e, const uint32_t *word, int64_t length, cn_sink *sink) {
    const uint32_t *wanted = e->wanted;
    word_view w;
    view_word(&w, word, length);
    if (wanted[CN_BIAS]) give_text(sink, CN_BIAS, "b");
    if (wanted[CN_WORD]) give_slice(sink, CN_WORD, "w=", w.raw, w.length);
    if (wanted[CN_LOWERED]) give_slice(sink, CN_LOWERED, "l=", w.low, w.length);
    give_affixes(sink, wanted, &w);
    if (wanted[CN_SHAPE] && w.length <= 6) give_shape(sink, CN_SHAPE, "S=", &w);
    if (wanted[CN_SHORT_SHAPE]) give_shape(sink, CN_SHORT_SHAPE, "z=", &w);
    const cn_affix *suffix = wanted[CN_MORPHOLOGY] || wanted[CN_KIND] ? best_affix(e, &w, 'S') : NULL;
    if (wanted[CN_MORPHOLOGY]) {
        give_morphology(sink, "ms=", "me=", suffix);
        give_morphology(sink, "mp=", "ma=", best_affix(e, &w, 'P'));
    }
    if (wanted[CN_GRAMS3]) give_grams(sink, CN_GRAMS3, 3, &w);
    if (wanted[CN_GRAMS4]) give_grams(sink, CN_GRAMS4, 4, &w);
    if (wanted[CN_GRAMS5]) give_grams(sink, CN_GRAMS5, 5, &w);
    if (wanted[CN_PATTERN]) give_patterns(sink, &w);
    if (wanted[CN_CLASSES] || wanted[CN_KIND]) {
        word_classes classes = classes_of(e, &w);
        if (wanted[CN_CLASSES]) give_classes(sink, e, classes);
        if (wanted[CN_KIND]) give_kind(sink, e, &w, classes, suffix);
    }
    if (wanted[CN_PARTS]) give_parts(sink, &w);
    if (wanted[CN_LENGTH]) give_length(sink, &w);
    if (wanted[CN_BAG]) give_slice(sink, CN_BAG, "a=", w.low, w.length);
    if (wanted[CN_CLUSTERS] && e->n_clusterings) give_clusters(sink, e, &w);
}

/* A place before the first (edge 0) or after the last (edge 1) token: seen by the edge group and by conjunctions. */
void cn_edge_features(const cn_extractor *e, int edge, cn_sink *sink) {
    const char *name = edge ? "EOS" : "BOS";
    if (e->wanted[CN_EDGE]) give_text(sink, CN_EDGE, name);
}
