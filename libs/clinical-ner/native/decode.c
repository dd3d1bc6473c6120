/* Scores of a sequence, then Viterbi and the scaled forward-backward pass, in float64 and in CRFsuite's order of
 * comparisons, so that ties fall the same way. The number of labels is a constant in each copy of the inner loops. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static void *room_for(void *old, size_t size) {
    free(old);
    return malloc(size);
}

int cn_sequence_room(cn_model *m, int64_t n) {
    if (n <= m->sequence_room) return 0;
    size_t room = (size_t)n + 64, labels = (size_t)m->n_labels, window = (size_t)m->extractor->window;
    m->sequence_room = 0;
    m->padded_ids = room_for(m->padded_ids, (room + 2 * CN_MAX_WINDOW) * sizeof *m->ids);
    m->ids = m->padded_ids + CN_MAX_WINDOW;
    m->labels = room_for(m->labels, room * sizeof *m->labels);
    m->back = room_for(m->back, room * labels);
    m->scores = room_for(m->scores, (room + 4 * window) * labels * sizeof *m->scores);
    m->e = room_for(m->e, room * labels * sizeof *m->e);
    m->viterbi = room_for(m->viterbi, 2 * labels * sizeof *m->viterbi);
    m->alpha = room_for(m->alpha, room * labels * sizeof *m->alpha);
    m->beta = room_for(m->beta, room * labels * sizeof *m->beta);
    m->scale = room_for(m->scale, room * sizeof *m->scale);
    m->keys = room_for(m->keys, (room + 4 * CN_MAX_WINDOW) * ((size_t)m->extractor->n_bases + 1) * sizeof *m->keys);
    m->pair_places =
        room_for(m->pair_places, (room + 4 * CN_MAX_WINDOW) * ((size_t)m->extractor->n_bases + 1) * sizeof *m->pair_places);
    if (!m->padded_ids || !m->labels || !m->back || !m->scores || !m->e || !m->viterbi || !m->alpha || !m->beta || !m->scale ||
        !m->keys || !m->pair_places)
        return CN_NO_MEMORY;
    m->sequence_room = (int64_t)room;
    return 0;
}

/* --- scores --------------------------------------------------------------------------------------------------- */

static inline void add_rows(cn_model *m, int64_t n, int labels) {
    const int window = m->extractor->window;
    const size_t row_size = m->row_size;
    double *scores = m->scores;
    memset(scores, 0, ((size_t)n + 4 * (size_t)window) * (size_t)labels * sizeof *scores);
    for (int64_t place = -window; place < n + window; place++) {
        const cn_cell *row = cn_block(m, m->ids[place]);
        double *to = scores + (size_t)(place + window) * (size_t)labels;
        for (size_t i = 0; i < row_size; i++) to[i] += row[i].weight;
    }
}

static inline uint64_t value_of(const cn_model *m, int64_t place, size_t cell) {
    return cn_block(m, m->ids[place])[cell].number;
}

/* Pairs of a base stand at places (p, p + distance), for every p that a token of the sequence sees. Their weights lie
 * all over the memory, so they are fetched in three passes: keys, rows, sums. Each asks for what the next one reads.
 * Most pairs of a text have none: a filter of a bit a pair, small enough to stay near, leaves most of those out. */
static inline int64_t places_of(const cn_base *base, int64_t n) { return n + base->last_offset - base->first_offset; }

/* Of pairs that may have weights; what the filter does not know has none. Returns how many. */
static int64_t find_pair_keys(const cn_model *m, int number, int64_t n, uint64_t *keys, int32_t *places) {
    const cn_base *base = &m->extractor->bases[number];
    const size_t left_cell = m->row_size + (size_t)m->left_value[number];
    const size_t right_cell = m->row_size + (size_t)m->right_value[number];
    const int64_t all = places_of(base, n);
    int64_t count = 0;
    for (int64_t i = 0; i < all; i++) {
        const int64_t place = base->first_offset + i;
        const uint64_t left = value_of(m, place, left_cell), right = value_of(m, place + base->distance, right_cell);
        const uint64_t key = cn_pair_key(number, left, right), at = CN_FILTER_PLACE(key);
        keys[count] = key;
        places[count] = (int32_t)i;
        count += (int64_t)(m->pair_filter[at / 64] >> at % 64 & 1) & (left != 0) & (right != 0);
    }
    for (int64_t i = 0; i < count; i++) __builtin_prefetch(&m->pair_slots[keys[i] & m->pair_mask]);
    return count;
}

#define SAME_PAIR(slot, key) ((((slot) ^ (key)) >> CN_ROW_BITS) == 0)
#define ROW_OF(slot) ((slot) & ((1 << CN_ROW_BITS) - 1))

/* The row of a pair; 0 where it has none. */
static inline uint64_t search_row(const cn_model *m, uint64_t key) {
    for (uint64_t at = key & m->pair_mask; m->pair_slots[at]; at = (at + 1) & m->pair_mask)
        if (SAME_PAIR(m->pair_slots[at], key)) return ROW_OF(m->pair_slots[at]);
    return 0;
}

/* Replaces keys by rows, and leaves out the pairs that have none. */
static int64_t find_pair_rows(const cn_model *m, int64_t count, uint64_t *keys, int32_t *places) {
    int64_t known = 0;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t row = search_row(m, keys[i]);
        const double *weights = m->pair_rows + row * m->pair_size;
        __builtin_prefetch(weights);
        __builtin_prefetch(weights + m->pair_size - 1);
        keys[known] = row;
        places[known] = places[i];
        known += row != 0;
    }
    return known;
}

static inline void add_pair_rows(cn_model *m, int number, int64_t count, int labels, const uint64_t *rows,
                                 const int32_t *places) {
    const cn_base *base = &m->extractor->bases[number];
    double *scores = cn_scores(m);
    /* Scores have room for tokens beyond both ends: what falls there is not read. */
    for (int64_t i = 0; i < count; i++) {
        const double *row = m->pair_rows + rows[i] * m->pair_size;
        for (int member = 0; member < base->n_members; member++, row += labels) {
            double *to = scores + (base->first_offset + places[i] - base->offsets[member]) * labels;
            for (int label = 0; label < labels; label++) to[label] += row[label];
        }
    }
}

static inline void add_pairs(cn_model *m, int64_t n, int labels) {
    const int64_t room = m->sequence_room + 4 * CN_MAX_WINDOW;
    const int n_bases = m->extractor->n_bases;
    int64_t *counts = m->pair_counts;
    for (int base = 0; base < n_bases; base++)
        counts[base] = find_pair_keys(m, base, n, m->keys + base * room, m->pair_places + base * room);
    for (int base = 0; base < n_bases; base++)
        counts[base] = find_pair_rows(m, counts[base], m->keys + base * room, m->pair_places + base * room);
    for (int base = 0; base < n_bases; base++)
        add_pair_rows(m, base, counts[base], labels, m->keys + base * room, m->pair_places + base * room);
}

static inline void add_bag(cn_model *m, int64_t n, int labels) {
    double sums[CN_MAX_LABELS] = {0}, *scores = cn_scores(m);
    m->stamp++;
    for (int64_t token = 0; token < n; token++) {
        cn_cell *row = m->bag_rows + (cn_word_facts(m, m->ids[token]) >> CN_PLACE_BITS) * (uint64_t)(labels + 1);
        if (row[0].number == m->stamp) continue;
        row[0].number = m->stamp;
        for (int label = 0; label < labels; label++) sums[label] += row[label + 1].weight;
    }
    for (int64_t token = 0; token < n; token++, scores += labels)
        for (int label = 0; label < labels; label++) scores[label] += sums[label];
}

/* --- forward: the best labelling, and the sums over all --------------------------------------------------------- */

static inline int best_of(const double *values, int labels) {
    int best = 0;
    for (int label = 1; label < labels; label++)
        if (values[best] < values[label]) best = label;
    return best;
}

/* exp(score - best score) of every token into model->e. */
static inline void exponentiate(cn_model *m, int64_t n, int labels) {
    const double *scores = cn_scores(m);
    double *e = m->e;
    for (int64_t token = 0; token < n; token++, scores += labels, e += labels) {
        const int best = best_of(scores, labels);
        for (int label = 0; label < labels; label++) e[label] = label == best ? 1 : exp(scores[label] - scores[best]);
    }
}

static inline void step_viterbi(const double *transitions, const double *scores, const double *before, double *now,
                                uint8_t *back, int labels) {
    for (int to = 0; to < labels; to++) {
        double best = before[0] + transitions[to];
        int from_best = 0;
        for (int from = 1; from < labels; from++) {
            const double score = before[from] + transitions[from * labels + to];
            from_best = best < score ? from : from_best;
            best = best < score ? score : best;
        }
        now[to] = best + scores[to];
        back[to] = (uint8_t)from_best;
    }
}

/* Scales alpha to sum 1 and returns the factor. */
static inline double scale_alpha(double *alpha, int labels) {
    double sum = 0;
    for (int to = 0; to < labels; to++) sum += alpha[to];
    if (!(sum > 1e-300)) { /* weights no training gives: stay finite */
        sum = 1;
        for (int to = 0; to < labels; to++) alpha[to] = 1.0 / labels;
    }
    const double factor = 1 / sum;
    for (int to = 0; to < labels; to++) alpha[to] *= factor;
    return factor;
}

static inline double step_forward(const double *transitions, const double *e, const double *before, double *alpha,
                                  int labels) {
    for (int to = 0; to < labels; to++) alpha[to] = 0;
    for (int from = 0; from < labels; from++)
        for (int to = 0; to < labels; to++) alpha[to] += before[from] * transitions[from * labels + to];
    for (int to = 0; to < labels; to++) alpha[to] *= e[to];
    return scale_alpha(alpha, labels);
}

/* Both recursions wait for the token before; side by side they wait together. */
static inline void run_forward(cn_model *m, int64_t n, int labels) {
    const double *scores = cn_scores(m), *e = m->e;
    double *now = m->viterbi, *before = m->viterbi + labels, *alpha = m->alpha;
    memcpy(now, scores, sizeof *now * (size_t)labels);
    memcpy(alpha, e, sizeof *alpha * (size_t)labels);
    m->scale[0] = scale_alpha(alpha, labels);
    for (int64_t token = 1; token < n; token++) {
        double *swap = before;
        before = now;
        now = swap;
        scores += labels, e += labels, alpha += labels;
        step_viterbi(m->transitions, scores, before, now, m->back + token * labels, labels);
        m->scale[token] = step_forward(m->exp_transitions, e, alpha - labels, alpha, labels);
    }
    int label = best_of(now, labels);
    for (int64_t token = n - 1; token >= 0; token--) {
        m->labels[token] = label;
        if (token) label = m->back[token * labels + label];
    }
}

static inline void run_sums(cn_model *m, int64_t n, int labels) {
    const double *e = m->e;
    double *alpha = m->alpha;
    memcpy(alpha, e, sizeof *alpha * (size_t)labels);
    m->scale[0] = scale_alpha(alpha, labels);
    for (int64_t token = 1; token < n; token++) {
        e += labels, alpha += labels;
        m->scale[token] = step_forward(m->exp_transitions, e, alpha - labels, alpha, labels);
    }
}

/* --- backward --------------------------------------------------------------------------------------------------- */

static inline void run_backward(cn_model *m, int64_t n, int labels) {
    const double *e = m->e + (n - 1) * labels, *transitions = m->exp_transitions;
    double *beta = m->beta + (n - 1) * labels;
    double reached[CN_MAX_LABELS];
    for (int label = 0; label < labels; label++) beta[label] = 1;
    for (int64_t token = n - 2; token >= 0; token--, e -= labels) {
        const double scale = m->scale[token + 1];
        for (int to = 0; to < labels; to++) reached[to] = e[to] * beta[to] * scale;
        beta -= labels;
        for (int from = 0; from < labels; from++) {
            double sum = 0;
            for (int to = 0; to < labels; to++) sum += transitions[from * labels + to] * reached[to];
            beta[from] = sum;
        }
    }
}

static inline __attribute__((always_inline)) void decode_with(cn_model *m, int64_t n, int best, int labels) {
    for (int pad = 1; pad <= CN_MAX_WINDOW; pad++) m->ids[-pad] = 0, m->ids[n + pad - 1] = 1; /* the edges */
    add_rows(m, n, labels);
    add_pairs(m, n, labels);
    if (m->extractor->wanted[CN_BAG]) add_bag(m, n, labels);
    exponentiate(m, n, labels);
    if (best) run_forward(m, n, labels);
    else run_sums(m, n, labels);
    run_backward(m, n, labels);
}

void cn_decode_ids(cn_model *m, int64_t n, int best) {
    switch (m->n_labels) {
        case 3: decode_with(m, n, best, 3); return;
        case 5: decode_with(m, n, best, 5); return;
        default: decode_with(m, n, best, m->n_labels);
    }
}

int cn_decode(cn_model *m, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, int32_t *labels,
              double *marginals) {
    if (n < 0 || n > m->max_words - 2) return CN_BAD_ARGUMENT;
    if (n == 0) return 0;
    if (cn_sequence_room(m, n)) return CN_NO_MEMORY;
    if (cn_look_up(m, text, starts, ends, n, m->ids)) return CN_NO_MEMORY;
    cn_decode_ids(m, n, 1);
    memcpy(labels, m->labels, sizeof *labels * (size_t)n);
    for (int64_t i = 0; i < n * m->n_labels; i++) marginals[i] = m->alpha[i] * m->beta[i];
    return 0;
}
