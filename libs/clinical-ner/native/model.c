/* A trained model: weights by feature key, and per word the sum of its feature weights at every offset.
 *
 * All but a few conjunctions of a token's features depend on one word and its offset. So a word's weights are summed
 * once, when it is first seen, into a row of (2 window + 1) x labels, laid out so that adding the row at its place
 * scores all its neighbours: slot j of a row belongs to the token j - window places after the word. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *from, size_t size) {
    void *to = malloc(size ? size : 1);
    if (to && size) memcpy(to, from, size);
    return to;
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

enum { KEPT = 256 };

typedef struct {
    cn_sink sink;
    const cn_model *model;
    cn_cell *row;
    double *bag_row;
    uint64_t *values; /* by group: key of the first feature; 0 where the word has none */
    int n_kept;
    uint64_t kept[KEPT]; /* keys of features whose weights are still to be added, in their order */
} row_sink;

/* The slot of a feature, and then its weights, lie anywhere in the memory: all are asked for before the first is read. */
static void add_kept(row_sink *s) {
    const cn_model *m = s->model;
    int64_t features[KEPT];
    int n = 0;
    for (int i = 0; i < s->n_kept; i++) {
        const int64_t feature = cn_table_find(&m->features, s->kept[i]);
        if (feature < 0) continue;
        features[n++] = feature;
        __builtin_prefetch(&m->feature_starts[feature]);
    }
    for (int i = 0; i < n; i++) {
        const int32_t first = m->feature_starts[features[i]];
        __builtin_prefetch(&m->feature_cells[first]);
        __builtin_prefetch(&m->feature_weights[first]);
    }
    for (int f = 0; f < n; f++) {
        for (int32_t i = m->feature_starts[features[f]]; i < m->feature_starts[features[f] + 1]; i++) {
            const size_t cell = m->feature_cells[i];
            if (cell < m->row_size) s->row[cell].weight += m->feature_weights[i];
            else s->bag_row[cell - m->row_size] += m->feature_weights[i];
        }
    }
    s->n_kept = 0;
}

static void add_feature(cn_sink *sink, int group, const char *bytes, size_t size) {
    row_sink *s = (row_sink *)sink;
    const cn_model *m = s->model;
    uint64_t key = cn_hash_bytes(bytes, size);
    if (!s->values[group]) s->values[group] = key;
    s->kept[s->n_kept++] = key;
    __builtin_prefetch(&m->features.slots[key & m->features.mask]);
    if (s->n_kept == KEPT) add_kept(s);
}

static row_sink sink_of(const cn_model *m, cn_cell *block, double *bag_row, uint64_t *by_group) {
    row_sink sink;
    sink.sink = (cn_sink){add_feature};
    sink.model = m;
    sink.row = block;
    sink.bag_row = bag_row;
    sink.values = by_group;
    sink.n_kept = 0;
    return sink;
}

static cn_cell *empty_block(cn_model *m, int32_t word) {
    cn_cell *block = cn_block(m, word);
    for (size_t cell = 0; cell < m->row_size; cell++) block[cell].weight = 0;
    return block;
}

static void finish_block(cn_model *m, cn_cell *block, const uint64_t *by_group, uint64_t facts) {
    for (int i = 1; i <= CN_LOOK_CELLS; i++) block[m->block_size - 1 - (size_t)i].number = 0;
    for (int i = 0; i < m->n_values; i++) block[m->row_size + (size_t)i].number = by_group[m->value_groups[i]];
    block[m->block_size - 1].number = facts;
}

static int is_unseen(const cn_model *m, const uint32_t *word, int64_t length) {
    for (int64_t i = 0; i < length; i++) {
        uint8_t class = cn_class_of(word[i]);
        if (class >= CN_UPPER && class <= CN_LETTER) return cn_table_find(&m->known, cn_word_key(word, length, 1)) < 0;
    }
    return 0; /* numbers and signs are never unseen words */
}

/* Words with the same bag feature (they differ only by case) share one place in the bag; key 0: there is no bag. */
static int32_t lowered_place(cn_model *m, uint64_t key, const double *bag_row) {
    if (!key) return 0;
    int64_t found = cn_table_find(&m->lowered, key);
    if (found >= 0) return (int32_t)found;
    int32_t place = m->n_lowered++;
    cn_cell *cells = m->bag_rows + (size_t)place * (size_t)(m->n_labels + 1);
    cells[0].number = 0;
    for (int label = 0; label < m->n_labels; label++) cells[label + 1].weight = bag_row[label];
    cn_table_put(&m->lowered, key, place);
    return place;
}

/* A row for a word not seen before; the caller has made sure that there is room. */
static int32_t add_word(cn_model *m, const uint32_t *word, int64_t length, uint64_t key) {
    int32_t id = m->n_words++;
    uint64_t by_group[CN_GROUPS] = {0};
    cn_cell *block = empty_block(m, id);
    double bag_row[CN_MAX_LABELS] = {0};
    row_sink sink = sink_of(m, block, bag_row, by_group);
    cn_word_features(m->extractor, word, length, &sink.sink);
    add_kept(&sink);
    uint64_t place = (uint64_t)lowered_place(m, by_group[CN_BAG], bag_row);
    uint64_t facts = is_unseen(m, word, length) ? CN_UNSEEN : 0;
    finish_block(m, block, by_group, place << CN_PLACE_BITS | facts);
    if (m->rescorer) {
        cn_cell *cells = block + m->block_size - 1 - CN_LOOK_CELLS;
        cells[2].number = cn_word_look(m->rescorer, word, length, &cells[0].number, &cells[1].number);
    }
    cn_table_put(&m->words, key, id);
    return id;
}

static void add_edge(cn_model *m, int edge) {
    uint64_t by_group[CN_GROUPS] = {0};
    cn_cell *block = empty_block(m, edge);
    double bag_row[CN_MAX_LABELS] = {0};
    row_sink sink = sink_of(m, block, bag_row, by_group);
    cn_edge_features(m->extractor, edge, &sink.sink);
    add_kept(&sink);
    uint64_t key = cn_hash_bytes(edge ? "EOS" : "BOS", 3);
    for (int group = 0; group < CN_GROUPS; group++) by_group[group] = key;
    finish_block(m, block, by_group, 0);
}

static void forget_words(cn_model *m) {
    cn_table_clear(&m->words);
    cn_table_clear(&m->lowered);
    m->n_words = 2;
    m->n_lowered = 0;
}

/* Key of a word as it is written, for the cache alone. A short word of ASCII fills one number, and each has a key of its own.
 * room: how many characters may be read from its first one on. */
static inline uint64_t cache_key(const uint32_t *word, int64_t length, int64_t room) {
    if (length < 1 || length > 8) return cn_word_key(word, length, 0);
    uint32_t last[8] = {0};
    if (room < 8) memcpy(last, word, (size_t)length * sizeof *last);
    const uint64_t mine = ~UINT64_C(0) >> (64 - 8 * length), bytes = cn_eight(room < 8 ? last : word) & mine;
    const uint64_t no_zero = ((bytes | ~mine) - CN_EACH(1)) & CN_EACH(0x80); /* a zero would look like no character */
    if ((bytes | (no_zero & mine)) & CN_EACH(0x80)) return cn_word_key(word, length, 0);
    const uint64_t mixed = bytes * 0x9fb21c651e98df25ull; /* odd factors and shifts lose nothing */
    return (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93ull;
}

void cn_expect_words(cn_model *m, int64_t n) {
    if (m->n_words + n > m->max_words) forget_words(m);
}

void cn_ask_for_words(cn_model *m, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, uint64_t *keys) {
    for (int64_t i = 0; i < n; i++) {
        keys[i] = cache_key(text + starts[i], ends[i] - starts[i], ends[n - 1] - starts[i]);
        __builtin_prefetch(&m->words.slots[keys[i] & m->words.mask]);
    }
}

int cn_look_up(cn_model *m, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, const uint64_t *keys,
               int32_t *ids) {
    for (int64_t i = 0; i < n; i++) {
        int64_t found = cn_table_find(&m->words, keys[i]);
        if (found < 0) {
            if (cn_table_grow(&m->words) || cn_table_grow(&m->lowered)) return CN_NO_MEMORY;
            found = add_word(m, text + starts[i], ends[i] - starts[i], keys[i]);
        }
        ids[i] = (int32_t)found;
        const cn_cell *block = cn_block(m, ids[i]);
        for (size_t cell = 0; cell < m->block_size; cell += 8) __builtin_prefetch(block + cell);
    }
    return 0;
}

int64_t cn_cached_words(const cn_model *m) { return m->n_words - 2; }

/* --- making --------------------------------------------------------------------------------------------------- */

/* Each group that a conjunction reads gets one place in a word's values. */
static int value_place(cn_model *m, int32_t group) {
    for (int i = 0; i < m->n_values; i++)
        if (m->value_groups[i] == group) return i;
    m->value_groups[m->n_values] = group;
    return m->n_values++;
}

static void place_values(cn_model *m) {
    for (int i = 0; i < m->extractor->n_bases; i++) {
        m->left_value[i] = value_place(m, m->extractor->bases[i].left_group);
        m->right_value[i] = value_place(m, m->extractor->bases[i].right_group);
    }
}

static int copy_weights(cn_model *m, const uint64_t *feature_keys, const int32_t *feature_starts, int64_t n_features,
                        const uint16_t *cells, const double *weights) {
    int32_t total = n_features ? feature_starts[n_features] : 0;
    if (n_features && feature_starts[0] != 0) return CN_BAD_ARGUMENT;
    for (int64_t i = 0; i < n_features; i++)
        if (feature_starts[i + 1] < feature_starts[i]) return CN_BAD_ARGUMENT;
    for (int32_t i = 0; i < total; i++)
        if (cells[i] >= m->row_size + (size_t)m->n_labels) return CN_BAD_ARGUMENT;
    m->feature_starts = copy_of(feature_starts, sizeof *feature_starts * (size_t)(n_features + 1));
    m->feature_cells = copy_of(cells, sizeof *cells * (size_t)total);
    m->feature_weights = copy_of(weights, sizeof *weights * (size_t)total);
    if (!m->feature_starts || !m->feature_cells || !m->feature_weights) return CN_NO_MEMORY;
    /* From the feature's slot (where the token sees the word) to the row's (where the word reaches the token). */
    for (int32_t i = 0; i < total; i++) {
        int slot = cells[i] / m->n_labels, label = cells[i] % m->n_labels, last = 2 * m->extractor->window;
        if (slot <= last) m->feature_cells[i] = (uint16_t)((last - slot) * m->n_labels + label);
    }
    return cn_table_fill(&m->features, feature_keys, n_features);
}

/* Pair i becomes row i + 1: row 0 is zeros, for pairs that have no weights. Chains are kept short. */
static int copy_pairs(cn_model *m, const uint64_t *keys, const double *rows, int64_t count) {
    uint64_t slots = 64;
    if (count >= 1 << CN_ROW_BITS) return CN_BAD_ARGUMENT;
    while (slots < (uint64_t)count * 3) slots *= 2;
    m->pair_mask = slots - 1;
    m->pair_slots = calloc(slots, sizeof *m->pair_slots);
    m->pair_rows = calloc(((size_t)count + 1) * m->pair_size + 1, sizeof *rows);
    m->pair_filter = calloc(CN_FILTER_SIZE / 64, sizeof *m->pair_filter);
    if (!m->pair_rows || !m->pair_slots || !m->pair_filter) return CN_NO_MEMORY;
    for (int64_t i = 0; i < count; i++) m->pair_filter[CN_FILTER_PLACE(keys[i]) / 64] |= 1ull << CN_FILTER_PLACE(keys[i]) % 64;
    if (count) memcpy(m->pair_rows + m->pair_size, rows, sizeof *rows * (size_t)count * m->pair_size);
    for (int64_t i = 0; i < count; i++) {
        uint64_t at = keys[i] & m->pair_mask;
        while (m->pair_slots[at]) at = (at + 1) & m->pair_mask;
        m->pair_slots[at] = (keys[i] >> CN_ROW_BITS << CN_ROW_BITS) | (uint64_t)(i + 1);
    }
    return 0;
}

static int make_cache(cn_model *m, int32_t cache_words) {
    m->max_words = cache_words + 2;
    m->n_words = 2;
    m->block_size = m->row_size + (size_t)m->n_values + CN_LOOK_CELLS + 1;
    const size_t size = sizeof *m->blocks * m->block_size * (size_t)m->max_words;
    m->blocks = aligned_alloc(64, (size + 63) / 64 * 64); /* a word's block spans no more lines than it fills */
    m->bag_rows = malloc(sizeof *m->bag_rows * (size_t)(m->n_labels + 1) * (size_t)m->max_words);
    if (!m->blocks || !m->bag_rows) return CN_NO_MEMORY;
    return cn_table_init(&m->words, 2048) || cn_table_init(&m->lowered, 2048) ? CN_NO_MEMORY : 0;
}

static int copy_labels(cn_model *m, const int32_t *label_roles, const double *transitions) {
    for (int i = 0; i < m->n_labels; i++) {
        if (label_roles[i] < 0 || (label_roles[i] & CN_CLASS_MASK) > 2) return CN_BAD_ARGUMENT;
        m->roles[i] = label_roles[i];
    }
    for (int i = 0; i < m->n_labels * m->n_labels; i++) {
        m->transitions[i] = transitions[i];
        m->exp_transitions[i] = exp(transitions[i]);
    }
    return 0;
}

static int mark_characters(cn_model *m, const uint32_t *characters, int64_t count) {
    m->known_characters = calloc(0x110000 / 8, 1);
    if (!m->known_characters) return CN_NO_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        if (characters[i] >= 0x110000) return CN_BAD_ARGUMENT;
        m->known_characters[characters[i] / 8] |= (uint8_t)(1 << characters[i] % 8);
        if (characters[i] < 128) m->known_ascii[characters[i]] = 1;
    }
    return 0;
}

cn_model *cn_model_new(const cn_extractor *extractor, int32_t n_labels, const int32_t *label_roles,
                       const double *transitions, const uint64_t *feature_keys, const int32_t *feature_starts,
                       int64_t n_features, const uint16_t *feature_cells, const double *feature_weights,
                       const uint64_t *pair_keys, const double *pair_rows, int64_t n_pairs,
                       const uint64_t *known_words, int64_t n_known, const uint32_t *known_characters,
                       int64_t n_characters, int32_t cache_words) {
    if (n_labels < 1 || n_labels > CN_MAX_LABELS || n_features < 0 || n_pairs < 0 || n_known < 0 || n_characters < 0 ||
        cache_words < 2 * CN_MAX_SENTENCE_TOKENS)
        return NULL;
    cn_model *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->extractor = extractor;
    m->n_labels = n_labels;
    m->row_size = (size_t)((2 * extractor->window + 1) * n_labels);
    m->pair_size = (size_t)(extractor->max_members * n_labels);
    place_values(m);
    if (copy_pairs(m, pair_keys, pair_rows, n_pairs) || copy_labels(m, label_roles, transitions) ||
        copy_weights(m, feature_keys, feature_starts, n_features, feature_cells, feature_weights) ||
        cn_table_fill(&m->known, known_words, n_known) ||
        mark_characters(m, known_characters, n_characters) || make_cache(m, cache_words)) {
        cn_model_free(m);
        return NULL;
    }
    add_edge(m, 0);
    add_edge(m, 1);
    return m;
}

void cn_model_reads(cn_model *m, cn_reader *reader) { m->reader = reader; }

static void free_scratch(cn_model *m) {
    void *arrays[] = {m->labels,      m->back,      m->scores,    m->e,   m->alpha, m->beta,   m->scale,    m->pair_keys,
                      m->pair_places, m->mass, m->word_keys, m->sequences, m->order, m->ids, m->spans,  m->starts,   m->ends,
                      m->begins,      m->entities,  m->confidences, m->counts, m->note_scores};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

void cn_model_free(cn_model *m) {
    if (!m) return;
    free_scratch(m);
    cn_rescorer_free(m->rescorer);
    cn_table_free(&m->features);
    free(m->pair_slots);
    cn_table_free(&m->known);
    cn_table_free(&m->words);
    cn_table_free(&m->lowered);
    free(m->bag_rows);
    free(m->feature_starts);
    free(m->feature_cells);
    free(m->feature_weights);
    free(m->pair_rows);
    free(m->pair_filter);
    free(m->blocks);
    free(m->known_characters);
    free(m);
}
