/* The training objective of a linear-chain CRF over word tables: the negative log likelihood that CRFsuite minimises,
 * at a fraction of the work. All but a few features of a token depend on one word and its offset, so their sum is
 * computed once per (word, offset) and not once per token, and so is their gradient. */
#include "trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { BOS = 0, EOS = 1 };

/* --- vectors -------------------------------------------------------------------------------------------------- */

static void *vector_add(cn_trainer *t, cn_vector *v, int64_t count) {
    if (v->count + count > v->capacity) {
        int64_t capacity = (v->count + count) * 2 + 64;
        void *grown = realloc(v->items, (size_t)capacity * v->size);
        if (!grown) {
            t->failed = 1;
            return NULL;
        }
        v->items = grown;
        v->capacity = capacity;
    }
    void *place = (char *)v->items + (size_t)v->count * v->size;
    v->count += count;
    return place;
}

static void add_int(cn_trainer *t, cn_vector *v, int32_t value) {
    int32_t *place = vector_add(t, v, 1);
    if (place) *place = value;
}

static void add_long(cn_trainer *t, cn_vector *v, int64_t value) {
    int64_t *place = vector_add(t, v, 1);
    if (place) *place = value;
}

static inline int32_t *ints(const cn_vector *v) { return v->items; }
static inline int64_t *longs(const cn_vector *v) { return v->items; }

/* A table that grows: entries are put again at twice the size. */
static int32_t intern(cn_trainer *t, cn_table *table, uint64_t key, int32_t next, int *is_new) {
    int64_t found = cn_table_find(table, key);
    *is_new = found < 0;
    if (found >= 0) return (int32_t)found;
    if (cn_table_grow(table)) {
        t->failed = 1;
        return 0;
    }
    cn_table_put(table, key, next);
    return next;
}

/* --- reading the notes ---------------------------------------------------------------------------------------- */

typedef struct {
    cn_sink sink;
    cn_trainer *trainer;
} feature_sink;

static void keep_feature(cn_sink *sink, int group, const char *bytes, size_t size) {
    cn_trainer *t = ((feature_sink *)sink)->trainer;
    int is_new;
    int32_t feature = intern(t, &t->features, cn_hash_bytes(bytes, size), (int32_t)t->name_starts.count, &is_new);
    if (is_new) {
        add_long(t, &t->name_starts, t->names.count);
        char *place = vector_add(t, &t->names, (int64_t)size);
        if (place) memcpy(place, bytes, size);
    }
    add_int(t, &t->word_entries, group);
    add_int(t, &t->word_entries, feature);
}

/* The edges give conjunctions their name, seen by no offset unless the edge group is. */
static void keep_edge(cn_trainer *t, int edge) {
    feature_sink sink = {{keep_feature}, t};
    add_long(t, &t->word_starts, t->word_entries.count / 2);
    keep_feature(&sink.sink, t->extractor->wanted[CN_EDGE] ? CN_EDGE : CN_GROUPS, edge ? "EOS" : "BOS", 3);
}

static int32_t word_of(cn_trainer *t, const uint32_t *word, int64_t length) {
    int is_new;
    int32_t id = intern(t, &t->words, cn_word_key(word, length, 0), (int32_t)t->word_starts.count, &is_new);
    if (is_new) {
        feature_sink sink = {{keep_feature}, t};
        add_long(t, &t->word_starts, t->word_entries.count / 2);
        cn_word_features(t->extractor, word, length, &sink.sink);
    }
    return id;
}

cn_trainer *cn_trainer_new(const cn_extractor *extractor, int32_t n_labels, double bag_value) {
    cn_trainer *t = calloc(1, sizeof *t);
    if (!t || n_labels < 1 || n_labels > CN_MAX_LABELS) {
        free(t);
        return NULL;
    }
    t->extractor = extractor;
    t->n_labels = n_labels;
    t->n_slots = 2 * extractor->window + 1;
    t->bag_value = bag_value;
    t->names.size = 1;
    t->word_entries.size = t->tokens.size = t->golds.size = t->unit_attributes.size = sizeof(int32_t);
    t->name_starts.size = t->word_starts.size = t->sentences.size = t->unit_starts.size = sizeof(int64_t);
    t->all.size = sizeof(cn_attribute);
    t->failed = cn_table_init(&t->features, 1024) || cn_table_init(&t->words, 1024) || cn_table_init(&t->attributes, 1024);
    if (!t->failed) {
        keep_edge(t, 0);
        keep_edge(t, 1);
    }
    if (t->failed) {
        cn_trainer_free(t);
        return NULL;
    }
    return t;
}

int cn_trainer_add(cn_trainer *t, const uint32_t *text, const int32_t *starts, const int32_t *ends,
                   const int32_t *labels, int64_t n_tokens) {
    if (n_tokens == 0) return 0;
    add_long(t, &t->sentences, t->tokens.count);
    for (int64_t i = 0; i < n_tokens; i++) {
        if (labels[i] < 0 || labels[i] >= t->n_labels) return CN_BAD_ARGUMENT;
        add_int(t, &t->tokens, word_of(t, text + starts[i], ends[i] - starts[i]));
        add_int(t, &t->golds, labels[i]);
    }
    if (n_tokens > t->longest) t->longest = n_tokens;
    return t->failed ? CN_NO_MEMORY : 0;
}

int cn_trainer_bar(cn_trainer *t, const uint64_t *words, int64_t count) {
    const int64_t n_words = t->word_starts.count, *firsts = longs(&t->word_starts);
    uint8_t *barred = calloc((size_t)n_words, 1);
    free(t->free_features);
    t->free_features = calloc((size_t)t->name_starts.count, 1);
    if (!barred || !t->free_features) {
        free(barred);
        return CN_NO_MEMORY;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t word = cn_table_find(&t->words, words[i]);
        if (word >= 0) barred[word] = 1;
    }
    for (int64_t word = 0; word < n_words; word++) {
        const int64_t end = word + 1 < n_words ? firsts[word + 1] : t->word_entries.count / 2;
        for (int64_t i = firsts[word]; i < end && !barred[word]; i++)
            t->free_features[ints(&t->word_entries)[2 * i + 1]] = 1;
    }
    free(barred);
    return 0;
}

/* --- attributes and units ------------------------------------------------------------------------------------- */

static int32_t word_at(const cn_trainer *t, int64_t first, int64_t end, int64_t token) {
    return token < first ? BOS : token >= end ? EOS : ints(&t->tokens)[token];
}

static void count_attribute(cn_trainer *t, int32_t slot, int32_t left, int32_t right, int32_t times) {
    int is_new;
    uint64_t key = cn_mix((uint64_t)(uint32_t)left << 32 | (uint32_t)right) ^ cn_mix((uint64_t)(slot + 1000) << 8);
    int32_t at = intern(t, &t->attributes, key ? key : 1, (int32_t)t->all.count, &is_new);
    if (is_new) {
        cn_attribute *place = vector_add(t, &t->all, 1);
        if (place) *place = (cn_attribute){slot, left, right, 0, -1};
    }
    if (t->failed) return;
    ((cn_attribute *)t->all.items)[at].count += times;
    add_int(t, &t->unit_attributes, at);
}

static void begin_unit(cn_trainer *t) { add_long(t, &t->unit_starts, t->unit_attributes.count); }

static void add_word_units(cn_trainer *t, const int32_t *seen) {
    const int64_t n_words = t->word_starts.count - 1, *firsts = longs(&t->word_starts);
    for (int64_t word = 0; word < n_words; word++) {
        for (int slot = 0; slot < t->n_slots; slot++) {
            begin_unit(t);
            for (int64_t i = firsts[word]; i < firsts[word + 1] && seen[word * t->n_slots + slot]; i++) {
                const int32_t *entry = ints(&t->word_entries) + 2 * i;
                if (entry[0] < CN_GROUPS && entry[0] != CN_BAG && t->extractor->masks[entry[0]] >> slot & 1)
                    count_attribute(t, slot, entry[1], 0, seen[word * t->n_slots + slot]);
            }
        }
    }
}

/* A word's first feature of a group, the edge's name beyond the sentence, -1 where there is none. */
static int32_t value_of(const cn_trainer *t, int32_t word, int32_t group) {
    const int64_t *firsts = longs(&t->word_starts);
    for (int64_t i = firsts[word]; i < firsts[word + 1]; i++) {
        const int32_t *entry = ints(&t->word_entries) + 2 * i;
        if (word <= EOS || entry[0] == group) return entry[1];
    }
    return -1;
}

static void add_own_unit(cn_trainer *t, int64_t first, int64_t end, int64_t token) {
    begin_unit(t);
    for (int i = 0; i < t->extractor->n_conjunctions; i++) {
        const cn_conjunction *c = &t->extractor->conjunctions[i];
        int32_t left = value_of(t, word_at(t, first, end, token + c->left_offset), c->left_group);
        int32_t right = value_of(t, word_at(t, first, end, token + c->right_offset), c->right_group);
        if (left >= 0 && right >= 0) count_attribute(t, -1 - i, left, right, 1);
    }
}

static void add_bag_unit(cn_trainer *t, int64_t first, int64_t end) {
    const int64_t begin = t->unit_attributes.count;
    begin_unit(t);
    for (int64_t token = first; token < end && t->extractor->wanted[CN_BAG]; token++) {
        int32_t feature = value_of(t, ints(&t->tokens)[token], CN_BAG);
        int64_t at = begin;
        const cn_attribute *all = t->all.items;
        while (at < t->unit_attributes.count && all[ints(&t->unit_attributes)[at]].left != feature) at++;
        if (feature >= 0 && at == t->unit_attributes.count) count_attribute(t, t->n_slots, feature, 0, 1);
    }
}

/* How many tokens see each word at each slot. */
static int32_t *count_sights(cn_trainer *t) {
    int32_t *seen = calloc((size_t)(t->word_starts.count * t->n_slots), sizeof *seen);
    if (!seen) return NULL;
    for (int64_t s = 0; s + 1 < t->sentences.count; s++) {
        const int64_t first = longs(&t->sentences)[s], end = longs(&t->sentences)[s + 1];
        for (int64_t token = first; token < end; token++)
            for (int slot = 0; slot < t->n_slots; slot++)
                seen[word_at(t, first, end, token + slot - t->extractor->window) * t->n_slots + slot]++;
    }
    return seen;
}

static int may_be_learnt(const cn_trainer *t, const cn_attribute *a) {
    return !t->free_features || (t->free_features[a->left] && (a->slot >= 0 || t->free_features[a->right]));
}

static void number_attributes(cn_trainer *t, double min_frequency) {
    cn_attribute *all = t->all.items;
    t->n_attributes = 0;
    for (int64_t i = 0; i < t->all.count; i++)
        if (all[i].count >= min_frequency && may_be_learnt(t, &all[i])) all[i].number = (int32_t)t->n_attributes++;
    int64_t kept = 0;
    for (int64_t unit = 0; unit < t->n_units; unit++) {
        const int64_t from = longs(&t->unit_starts)[unit], to = longs(&t->unit_starts)[unit + 1];
        longs(&t->unit_starts)[unit] = kept;
        for (int64_t i = from; i < to; i++) {
            int32_t number = all[ints(&t->unit_attributes)[i]].number;
            if (number >= 0) ints(&t->unit_attributes)[kept++] = number;
        }
    }
    longs(&t->unit_starts)[t->n_units] = kept;
}

/* Which units each token is the sum of: its n_slots words, then its own, then its sentence's bag. */
static void list_token_units(cn_trainer *t) {
    int32_t *place = t->token_units;
    for (int64_t s = 0; s + 1 < t->sentences.count; s++) {
        const int64_t first = longs(&t->sentences)[s], end = longs(&t->sentences)[s + 1];
        for (int64_t token = first; token < end; token++) {
            for (int slot = 0; slot < t->n_slots; slot++)
                *place++ = word_at(t, first, end, token + slot - t->extractor->window) * t->n_slots + slot;
            *place++ = (int32_t)(t->first_own + token);
            *place++ = (int32_t)(t->first_bag + s);
        }
    }
}

static void allow_observed(cn_trainer *t) {
    const int per_token = t->n_slots + 2;
    memset(t->allowed, 0, (size_t)(t->n_attributes * t->n_labels));
    for (int64_t token = 0; token < t->tokens.count; token++)
        for (int k = 0; k < per_token; k++) {
            const int64_t unit = t->token_units[token * per_token + k];
            for (int64_t i = longs(&t->unit_starts)[unit]; i < longs(&t->unit_starts)[unit + 1]; i++)
                t->allowed[(int64_t)ints(&t->unit_attributes)[i] * t->n_labels + ints(&t->golds)[token]] = 1;
        }
}

static void allow_observed_transitions(cn_trainer *t) {
    uint8_t *allowed = t->allowed + t->n_attributes * t->n_labels;
    memset(allowed, 0, (size_t)(t->n_labels * t->n_labels));
    for (int64_t s = 0; s + 1 < t->sentences.count; s++)
        for (int64_t token = longs(&t->sentences)[s] + 1; token < longs(&t->sentences)[s + 1]; token++)
            allowed[ints(&t->golds)[token - 1] * t->n_labels + ints(&t->golds)[token]] = 1;
}

int64_t cn_trainer_prepare(cn_trainer *t, double min_frequency, double c2, int all_states, int all_transitions) {
    const int64_t n_words = t->word_starts.count, n_tokens = t->tokens.count, n_sentences = t->sentences.count;
    add_long(t, &t->word_starts, t->word_entries.count / 2);
    add_long(t, &t->sentences, n_tokens);
    int32_t *seen = t->failed ? NULL : count_sights(t);
    if (!seen) return CN_NO_MEMORY;
    add_word_units(t, seen);
    free(seen);
    for (int64_t s = 0; s < n_sentences && !t->failed; s++)
        for (int64_t token = longs(&t->sentences)[s]; token < longs(&t->sentences)[s + 1]; token++)
            add_own_unit(t, longs(&t->sentences)[s], longs(&t->sentences)[s + 1], token);
    for (int64_t s = 0; s < n_sentences && !t->failed; s++)
        add_bag_unit(t, longs(&t->sentences)[s], longs(&t->sentences)[s + 1]);
    begin_unit(t);
    if (t->failed) return CN_NO_MEMORY;
    t->first_own = n_words * t->n_slots;
    t->first_bag = t->first_own + n_tokens;
    t->n_units = t->first_bag + n_sentences;
    if (t->n_units > INT32_MAX) return CN_BAD_ARGUMENT;
    number_attributes(t, min_frequency);
    const size_t labels = (size_t)t->n_labels, units = (size_t)t->n_units * labels;
    const size_t weights = ((size_t)t->n_attributes + labels) * labels;
    t->c2 = c2;
    t->unit_scores = malloc(units * sizeof(double));
    t->unit_gradients = malloc(units * sizeof(double));
    t->scratch = malloc(((size_t)t->longest * (3 * labels + 1) + 2 * labels * labels) * sizeof(double));
    t->allowed = malloc(weights);
    t->token_units = malloc((size_t)n_tokens * (size_t)(t->n_slots + 2) * sizeof(int32_t));
    if (!t->unit_scores || !t->unit_gradients || !t->scratch || !t->allowed || !t->token_units) return CN_NO_MEMORY;
    list_token_units(t);
    memset(t->allowed, 1, weights);
    if (!all_states) allow_observed(t);
    if (!all_transitions) allow_observed_transitions(t);
    return t->n_attributes;
}

/* --- the strings of the attributes ---------------------------------------------------------------------------- */

static void write_feature(const cn_trainer *t, cn_buffer *out, int32_t feature) {
    const int64_t *starts = longs(&t->name_starts);
    int64_t end = feature + 1 < t->name_starts.count ? starts[feature + 1] : t->names.count;
    cn_buffer_add(out, (char *)t->names.items + starts[feature], (size_t)(end - starts[feature]));
}

int64_t cn_trainer_attributes(cn_trainer *t, cn_extractor *owner, const char **out) {
    const cn_attribute *all = t->all.items;
    cn_buffer *buffer = &owner->out;
    buffer->size = 0;
    for (int64_t i = 0; i < t->all.count; i++) {
        if (all[i].number < 0) continue;
        cn_attribute_head(t->extractor, all[i].slot, buffer);
        write_feature(t, buffer, all[i].left);
        if (all[i].slot < 0) {
            cn_buffer_add(buffer, " ", 1);
            write_feature(t, buffer, all[i].right);
        }
        cn_buffer_add(buffer, "\n", 1);
    }
    *out = buffer->bytes;
    return buffer->failed ? CN_NO_MEMORY : (int64_t)buffer->size;
}

/* --- the objective -------------------------------------------------------------------------------------------- */

static double value_of_unit(const cn_trainer *t, int64_t unit) { return unit >= t->first_bag ? t->bag_value : 1; }

INLINE void score_units(cn_trainer *t, const double *weights, const int labels) {
    for (int64_t unit = 0; unit < t->n_units; unit++) {
        double sums[CN_MAX_LABELS] = {0};
        for (int64_t i = longs(&t->unit_starts)[unit]; i < longs(&t->unit_starts)[unit + 1]; i++) {
            const double *w = weights + (int64_t)ints(&t->unit_attributes)[i] * labels;
            for (int y = 0; y < labels; y++) sums[y] += w[y];
        }
        for (int y = 0; y < labels; y++) t->unit_scores[unit * labels + y] = sums[y] * value_of_unit(t, unit);
    }
}

INLINE void spread_gradients(cn_trainer *t, double *gradient, const int labels) {
    for (int64_t unit = 0; unit < t->n_units; unit++) {
        double parts[CN_MAX_LABELS];
        for (int y = 0; y < labels; y++) parts[y] = t->unit_gradients[unit * labels + y] * value_of_unit(t, unit);
        for (int64_t i = longs(&t->unit_starts)[unit]; i < longs(&t->unit_starts)[unit + 1]; i++) {
            double *g = gradient + (int64_t)ints(&t->unit_attributes)[i] * labels;
            for (int y = 0; y < labels; y++) g[y] += parts[y];
        }
    }
}

typedef struct {
    double *e, *alpha, *beta, *scale, *moves;
} lattice;

/* exp(score - best) of each token into e; returns the sum of the bests minus the score of the gold labelling. */
INLINE double score_sentence(cn_trainer *t, lattice l, int64_t first, int64_t end,
                             const double *transitions, const int labels) {
    double loss = 0;
    for (int64_t token = first; token < end; token++) {
        double *e = l.e + (token - first) * labels;
        for (int y = 0; y < labels; y++) e[y] = 0;
        const int32_t *units = t->token_units + token * (t->n_slots + 2);
        for (int k = 0; k < t->n_slots + 2; k++) {
            const double *unit = t->unit_scores + (int64_t)units[k] * labels;
            for (int y = 0; y < labels; y++) e[y] += unit[y];
        }
        double best = e[0];
        for (int y = 1; y < labels; y++) best = e[y] > best ? e[y] : best;
        const int gold = ints(&t->golds)[token];
        loss += best - e[gold];
        if (token > first) loss -= transitions[ints(&t->golds)[token - 1] * labels + gold];
        for (int y = 0; y < labels; y++) e[y] = exp(e[y] - best);
    }
    return loss;
}

/* Scaled forward and backward values; returns the log of the partition function (of the shifted scores). */
INLINE double forward_backward(lattice l, int64_t n, const int labels) {
    double log_sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double *alpha = l.alpha + i * labels, sum = 0;
        for (int y = 0; y < labels; y++) {
            double reached = i == 0;
            for (int x = 0; x < labels && i; x++) reached += alpha[x - labels] * l.moves[x * labels + y];
            sum += alpha[y] = reached * l.e[i * labels + y];
        }
        l.scale[i] = 1 / sum;
        log_sum += log(sum);
        for (int y = 0; y < labels; y++) alpha[y] *= l.scale[i];
    }
    for (int y = 0; y < labels; y++) l.beta[(n - 1) * labels + y] = 1;
    for (int64_t i = n - 2; i >= 0; i--) {
        const double *next = l.beta + (i + 1) * labels, *e = l.e + (i + 1) * labels;
        for (int x = 0; x < labels; x++) {
            double sum = 0;
            for (int y = 0; y < labels; y++) sum += l.moves[x * labels + y] * e[y] * next[y];
            l.beta[i * labels + x] = sum * l.scale[i + 1];
        }
    }
    return log_sum;
}

INLINE void add_gradients(cn_trainer *t, lattice l, int64_t first, int64_t end, double *expected,
                          const int labels) {
    for (int64_t token = first; token < end; token++) {
        const int64_t at = (token - first) * labels;
        const int gold = ints(&t->golds)[token];
        double parts[CN_MAX_LABELS];
        for (int y = 0; y < labels; y++) parts[y] = l.alpha[at + y] * l.beta[at + y] - (y == gold);
        const int32_t *units = t->token_units + token * (t->n_slots + 2);
        for (int k = 0; k < t->n_slots + 2; k++) {
            double *unit = t->unit_gradients + (int64_t)units[k] * labels;
            for (int y = 0; y < labels; y++) unit[y] += parts[y];
        }
        if (token == first) continue;
        expected[ints(&t->golds)[token - 1] * labels + gold] -= 1;
        for (int x = 0; x < labels; x++)
            for (int y = 0; y < labels; y++)
                expected[x * labels + y] += l.alpha[at - labels + x] * l.moves[x * labels + y] * l.e[at + y] *
                                            l.beta[at + y] * l.scale[token - first];
    }
}

INLINE double loss_of(cn_trainer *t, const double *weights, double *gradient, const int labels) {
    const int64_t states = t->n_attributes * labels, n = states + labels * labels, room = t->longest * labels;
    const double *transitions = weights + states;
    double loss = 0, norm = 0;
    lattice l = {t->scratch, t->scratch + room, t->scratch + 2 * room, t->scratch + 3 * room, NULL};
    l.moves = l.scale + t->longest;
    for (int i = 0; i < labels * labels; i++) l.moves[i] = exp(transitions[i]);
    memset(gradient, 0, sizeof *gradient * (size_t)n);
    memset(t->unit_gradients, 0, sizeof(double) * (size_t)(t->n_units * labels));
    score_units(t, weights, labels);
    for (int64_t s = 0; s + 1 < t->sentences.count; s++) {
        const int64_t first = longs(&t->sentences)[s], end = longs(&t->sentences)[s + 1];
        loss += score_sentence(t, l, first, end, transitions, labels);
        loss += forward_backward(l, end - first, labels);
        add_gradients(t, l, first, end, gradient + states, labels);
    }
    spread_gradients(t, gradient, labels);
    for (int64_t i = 0; i < n; i++) {
        norm += weights[i] * weights[i];
        gradient[i] = t->allowed[i] ? gradient[i] + 2 * t->c2 * weights[i] : 0;
    }
    return loss + t->c2 * norm;
}

/* The usual numbers of labels as constants: the compiler then unrolls the loops over them. */
double cn_trainer_loss(cn_trainer *t, const double *weights, double *gradient) {
    switch (t->n_labels) {
    case 3: return loss_of(t, weights, gradient, 3);
    case 5: return loss_of(t, weights, gradient, 5);
    case 9: return loss_of(t, weights, gradient, 9);
    default: return loss_of(t, weights, gradient, t->n_labels);
    }
}

void cn_trainer_free(cn_trainer *t) {
    if (!t) return;
    cn_vector *vectors[] = {&t->names,  &t->name_starts, &t->word_entries, &t->word_starts, &t->tokens,
                            &t->golds,  &t->sentences,   &t->all,          &t->unit_starts, &t->unit_attributes};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) free(vectors[i]->items);
    cn_table_free(&t->features);
    cn_table_free(&t->words);
    cn_table_free(&t->attributes);
    free(t->unit_scores);
    free(t->unit_gradients);
    free(t->scratch);
    free(t->allowed);
    free(t->free_features);
    free(t->token_units);
    free(t->optimiser.weights);
    cn_descent_free(&t->descent);
    free(t);
}
