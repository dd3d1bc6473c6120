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
    m->ids = room_for(m->ids, room * sizeof *m->ids);
    m->labels = room_for(m->labels, room * sizeof *m->labels);
    m->back = room_for(m->back, room * labels);
    m->scores = room_for(m->scores, (room + 4 * window) * labels * sizeof *m->scores);
    m->viterbi = room_for(m->viterbi, 2 * labels * sizeof *m->viterbi);
    m->alpha = room_for(m->alpha, room * labels * sizeof *m->alpha);
    m->beta = room_for(m->beta, room * labels * sizeof *m->beta);
    m->scale = room_for(m->scale, room * sizeof *m->scale);
    m->pair_keys = room_for(m->pair_keys, (room + 4 * CN_MAX_WINDOW) * ((size_t)m->extractor->n_bases + 1) * sizeof *m->pair_keys);
    if (!m->ids || !m->labels || !m->back || !m->scores || !m->viterbi || !m->alpha || !m->beta || !m->scale ||
        !m->pair_keys)
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
        const int32_t id = place < 0 ? 0 : place >= n ? 1 : m->ids[place];
        const double *row = m->rows + (size_t)id * row_size;
        double *to = scores + (size_t)(place + window) * (size_t)labels;
        for (size_t i = 0; i < row_size; i++) to[i] += row[i];
    }
}

static inline uint64_t value_of(const cn_model *m, int64_t token, int64_t n, int value) {
    const int32_t id = token < 0 ? 0 : token >= n ? 1 : m->ids[token];
    return m->values[(size_t)id * (size_t)m->n_values + (size_t)value];
}

/* Pairs of a base stand at places (p, p + distance), for every p that a token of the sequence sees. Their weights lie
 * all over the memory, so they are fetched in three passes: keys, rows, sums. Each asks for what the next one reads. */
static inline int64_t places_of(const cn_base *base, int64_t n) { return n + base->last_offset - base->first_offset; }

static void find_pair_keys(cn_model *m, int number, int64_t n, uint64_t *keys) {
    const cn_base *base = &m->extractor->bases[number];
    const int left_value = m->left_value[number], right_value = m->right_value[number];
    for (int64_t i = 0; i < places_of(base, n); i++) {
        const int64_t place = base->first_offset + i;
        uint64_t left = value_of(m, place, n, left_value), right = value_of(m, place + base->distance, n, right_value);
        keys[i] = left && right ? cn_pair_key(number, left, right) : 0;
        __builtin_prefetch(&m->pairs.slots[keys[i] & m->pairs.mask]);
    }
}

/* Replaces each key by its row's number + 1; 0 where there is none. */
static void find_pair_rows(cn_model *m, int number, int64_t n, uint64_t *keys) {
    for (int64_t i = 0; i < places_of(&m->extractor->bases[number], n); i++) {
        if (!keys[i]) continue;
        const int64_t pair = cn_table_find(&m->pairs, keys[i]);
        keys[i] = (uint64_t)(pair + 1);
        if (pair < 0) continue;
        const double *row = m->pair_rows + (size_t)pair * m->pair_size;
        __builtin_prefetch(row);
        __builtin_prefetch(row + m->pair_size - 1);
    }
}

static inline void add_pair_rows(cn_model *m, int number, int64_t n, int labels, const uint64_t *rows) {
    const cn_base *base = &m->extractor->bases[number];
    double *scores = cn_scores(m);
    for (int64_t i = 0; i < places_of(base, n); i++) {
        if (!rows[i]) continue;
        const double *row = m->pair_rows + (size_t)(rows[i] - 1) * m->pair_size;
        for (int member = 0; member < base->n_members; member++, row += labels) {
            const int64_t token = base->first_offset + i - base->offsets[member];
            if (token < 0 || token >= n) continue;
            for (int label = 0; label < labels; label++) scores[token * labels + label] += row[label];
        }
    }
}

static void fetch_pairs(cn_model *m, int64_t n) {
    const int64_t room = m->sequence_room + 4 * CN_MAX_WINDOW;
    for (int base = 0; base < m->extractor->n_bases; base++) find_pair_keys(m, base, n, m->pair_keys + base * room);
    for (int base = 0; base < m->extractor->n_bases; base++) find_pair_rows(m, base, n, m->pair_keys + base * room);
}

static inline void add_pairs(cn_model *m, int64_t n, int labels) {
    const int64_t room = m->sequence_room + 4 * CN_MAX_WINDOW;
    for (int base = 0; base < m->extractor->n_bases; base++)
        add_pair_rows(m, base, n, labels, m->pair_keys + base * room);
}

static inline void add_bag(cn_model *m, int64_t n, int labels) {
    double sums[CN_MAX_LABELS] = {0}, *scores = cn_scores(m);
    if (!++m->stamp) { /* after 2^32 sentences: start again */
        memset(m->bag_stamps, 0, sizeof *m->bag_stamps * (size_t)m->max_words);
        m->stamp = 1;
    }
    for (int64_t token = 0; token < n; token++) {
        int32_t place = m->lowered_of[m->ids[token]];
        if (m->bag_stamps[place] == m->stamp) continue;
        m->bag_stamps[place] = m->stamp;
        for (int label = 0; label < labels; label++) sums[label] += m->bag_rows[(int64_t)place * labels + label];
    }
    for (int64_t token = 0; token < n; token++, scores += labels)
        for (int label = 0; label < labels; label++) scores[label] += sums[label];
}

/* --- the best labelling --------------------------------------------------------------------------------------- */

static inline int best_of(const double *values, int labels) {
    int best = 0;
    for (int label = 1; label < labels; label++)
        if (values[best] < values[label]) best = label;
    return best;
}

static inline void run_viterbi(cn_model *m, int64_t n, int labels) {
    const double *scores = cn_scores(m), *transitions = m->transitions;
    double *now = m->viterbi, *before = m->viterbi + labels;
    memcpy(now, scores, sizeof *now * (size_t)labels);
    for (int64_t token = 1; token < n; token++) {
        double *swap = before;
        before = now;
        now = swap;
        scores += labels;
        for (int to = 0; to < labels; to++) {
            double best = before[0] + transitions[to];
            int from_best = 0;
            for (int from = 1; from < labels; from++) {
                double score = before[from] + transitions[from * labels + to];
                if (best < score) {
                    best = score;
                    from_best = from;
                }
            }
            now[to] = best + scores[to];
            m->back[token * labels + to] = (uint8_t)from_best;
        }
    }
    int label = best_of(now, labels);
    for (int64_t token = n - 1; token >= 0; token--) {
        m->labels[token] = label;
        if (token) label = m->back[token * labels + label];
    }
}

/* --- marginals ------------------------------------------------------------------------------------------------ */

static inline void exponentiate(double *scores, int64_t n, int labels) {
    for (int64_t token = 0; token < n; token++, scores += labels) {
        double best = scores[best_of(scores, labels)];
        for (int label = 0; label < labels; label++) scores[label] = exp(scores[label] - best);
    }
}

/* Alpha scaled to sum 1 at every token; `scale` keeps the sums. */
static inline void run_forward(cn_model *m, int64_t n, int labels) {
    const double *e = cn_scores(m), *transitions = m->exp_transitions;
    double *alpha = m->alpha;
    for (int64_t token = 0; token < n; token++, e += labels, alpha += labels) {
        double sum = 0;
        if (token == 0) {
            for (int to = 0; to < labels; to++) sum += alpha[to] = e[to];
        } else {
            const double *before = alpha - labels;
            for (int to = 0; to < labels; to++) alpha[to] = 0;
            for (int from = 0; from < labels; from++)
                for (int to = 0; to < labels; to++) alpha[to] += before[from] * transitions[from * labels + to];
            for (int to = 0; to < labels; to++) sum += alpha[to] *= e[to];
        }
        if (!(sum > 1e-300)) { /* weights no training gives: stay finite */
            sum = 1;
            for (int to = 0; to < labels; to++) alpha[to] = 1.0 / labels;
        }
        m->scale[token] = sum;
        const double inverse = 1 / sum;
        for (int to = 0; to < labels; to++) alpha[to] *= inverse;
    }
}

static inline void run_backward(cn_model *m, int64_t n, int labels) {
    const double *e = cn_scores(m) + (n - 1) * labels, *transitions = m->exp_transitions;
    double *beta = m->beta + (n - 1) * labels;
    double reached[CN_MAX_LABELS];
    for (int label = 0; label < labels; label++) beta[label] = 1;
    for (int64_t token = n - 2; token >= 0; token--, e -= labels) {
        const double inverse = 1 / m->scale[token + 1];
        for (int to = 0; to < labels; to++) reached[to] = e[to] * beta[to] * inverse;
        beta -= labels;
        for (int from = 0; from < labels; from++) {
            double sum = 0;
            for (int to = 0; to < labels; to++) sum += transitions[from * labels + to] * reached[to];
            beta[from] = sum;
        }
    }
}

static inline __attribute__((always_inline)) void decode_with(cn_model *m, int64_t n, int labels) {
    fetch_pairs(m, n);
    add_rows(m, n, labels);
    add_pairs(m, n, labels);
    if (m->extractor->wanted[CN_BAG]) add_bag(m, n, labels);
    run_viterbi(m, n, labels);
    exponentiate(cn_scores(m), n, labels);
    run_forward(m, n, labels);
    run_backward(m, n, labels);
}

void cn_decode_ids(cn_model *m, int64_t n) {
    switch (m->n_labels) {
        case 3: decode_with(m, n, 3); return;
        case 5: decode_with(m, n, 5); return;
        default: decode_with(m, n, m->n_labels);
    }
}

int cn_decode(cn_model *m, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, int32_t *labels,
              double *marginals) {
    if (n < 0 || n > m->max_words - 2) return CN_BAD_ARGUMENT;
    if (n == 0) return 0;
    if (cn_sequence_room(m, n)) return CN_NO_MEMORY;
    cn_look_up(m, text, starts, ends, n, m->ids);
    cn_decode_ids(m, n);
    memcpy(labels, m->labels, sizeof *labels * (size_t)n);
    for (int64_t i = 0; i < n * m->n_labels; i++) marginals[i] = m->alpha[i] * m->beta[i];
    return 0;
}
