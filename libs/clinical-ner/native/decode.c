/* Scores of sequences, then Viterbi and the scaled forward-backward pass, in float64 and in CRFsuite's order of comparisons,
 * so that ties fall the same way. CN_LANES sequences go side by side: each step of one waits for the step before, and while it
 * waits the others use the processor. One sequence alone costs what it would cost without the others. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors are passed between functions of this file alone, all inlined */
#endif
#define INLINE static inline __attribute__((always_inline))

static void *room_for(void *old, size_t size) {
    free(old);
    return malloc(size);
}

int cn_lane_room(cn_model *m, int64_t n) {
    if (n <= m->lane_room) return 0;
    const size_t room = (size_t)n + 64, labels = (size_t)m->n_labels, window = (size_t)m->extractor->window;
    const size_t cells = room * labels * CN_LANES, pairs = (room + 4 * CN_MAX_WINDOW) * (size_t)m->extractor->n_bases * CN_LANES;
    m->lane_room = 0;
    m->labels = room_for(m->labels, room * CN_LANES * sizeof *m->labels);
    m->back = room_for(m->back, cells);
    m->scores = room_for(m->scores, (room + 4 * window) * labels * CN_LANES * sizeof *m->scores);
    m->e = room_for(m->e, cells * sizeof *m->e);
    m->alpha = room_for(m->alpha, cells * sizeof *m->alpha);
    m->beta = room_for(m->beta, cells * sizeof *m->beta);
    m->scale = room_for(m->scale, room * CN_LANES * sizeof *m->scale);
    m->mass = room_for(m->mass, 2 * room * CN_LANES * sizeof *m->mass);
    m->pair_keys = room_for(m->pair_keys, (pairs + 1) * sizeof *m->pair_keys);
    m->pair_places = room_for(m->pair_places, (pairs + 1) * sizeof *m->pair_places);
    if (!m->labels || !m->back || !m->scores || !m->e || !m->alpha || !m->beta || !m->scale || !m->mass ||
        !m->pair_keys || !m->pair_places)
        return CN_NO_MEMORY;
    m->lane_room = (int64_t)room;
    return 0;
}

typedef double lanes __attribute__((vector_size(CN_LANES * sizeof(double))));
typedef int64_t masks __attribute__((vector_size(CN_LANES * sizeof(int64_t))));

INLINE lanes load(const double *from) {
    lanes value;
    memcpy(&value, from, sizeof value);
    return value;
}
INLINE void store(double *to, lanes value) { memcpy(to, &value, sizeof value); }
INLINE lanes all(double value) { return (lanes){value, value, value, value}; }
INLINE lanes choose(masks mask, lanes yes, lanes no) { return (lanes)(((masks)yes & mask) | ((masks)no & ~mask)); }

/* --- scores --------------------------------------------------------------------------------------------------- */

typedef struct {
    int32_t *ids;
    int64_t n, n_pairs;
    double *scores; /* of its first token; `2 window` places more before it and after its last one */
    uint64_t *keys; /* of the pairs that may have weights; then their rows */
    int32_t *places;
} sequence;

INLINE void add_row(double *to, const double *row, int labels) {
    int label = 0;
    for (; label + CN_LANES <= labels; label += CN_LANES) store(to + label, load(to + label) + load(row + label));
    for (; label < labels; label++) to[label] += row[label];
}

/* What the words around give to each token, summed in registers. */
INLINE void gather_rows(const cn_model *m, const sequence *s, int labels) {
    const int window = m->extractor->window;
    double *to = s->scores;
    for (int64_t token = 0; token < s->n; token++, to += labels) {
        const int32_t *ids = s->ids + token;
#define ROW(offset) (&cn_block(m, ids[offset])[(window - (offset)) * labels + label].weight)
        int label = 0;
        for (; label + CN_LANES <= labels; label += CN_LANES) {
            lanes sum = all(0);
            for (int offset = -window; offset <= window; offset++) sum += load(ROW(offset));
            store(to + label, sum);
        }
        for (; label < labels; label++) {
            to[label] = 0;
            for (int offset = -window; offset <= window; offset++) to[label] += *ROW(offset);
        }
#undef ROW
    }
}

/* Pairs of a base stand at places (p, p + distance), for every p that a token of the sequence sees. Their weights lie
 * all over the memory, so they are fetched in three passes over all sequences: keys, rows, sums. Each asks for what the next
 * one reads. Most pairs of a text have none: a filter of a bit a pair, small enough to stay near, leaves most of those out. */
enum { BASE_BITS = 5 }; /* of a place, the lower ones: the base */

INLINE void find_pair_keys(const cn_model *m, sequence *s) {
    const uint64_t *filter = m->pair_filter;
    int64_t count = 0;
    for (int number = 0; number < m->extractor->n_bases; number++) {
        const cn_base *base = &m->extractor->bases[number];
        const size_t left_cell = m->row_size + (size_t)m->left_value[number], right_cell = m->row_size + (size_t)m->right_value[number];
        const int64_t places = s->n + base->last_offset - base->first_offset;
        const int32_t *ids = s->ids + base->first_offset;
        for (int64_t i = 0; i < places; i++) {
            const uint64_t left = cn_block(m, ids[i])[left_cell].number, right = cn_block(m, ids[i + base->distance])[right_cell].number;
            const uint64_t key = cn_pair_key(number, left, right), at = CN_FILTER_PLACE(key);
            s->keys[count] = key; /* kept if it may be known: without a branch, which nobody could guess */
            s->places[count] = (int32_t)i << BASE_BITS | number;
            count += (int64_t)(filter[at / 64] >> at % 64 & (left != 0) & (right != 0));
        }
    }
    for (int64_t i = 0; i < count; i++) __builtin_prefetch(&m->pair_slots[s->keys[i] & m->pair_mask]);
    s->n_pairs = count;
}

#define SAME_PAIR(slot, key) ((((slot) ^ (key)) >> CN_ROW_BITS) == 0)
#define ROW_OF(slot) ((slot) & ((1 << CN_ROW_BITS) - 1))

/* The row of a pair; 0 where it has none. */
INLINE uint64_t search_row(const cn_model *m, uint64_t key) {
    for (uint64_t at = key & m->pair_mask; m->pair_slots[at]; at = (at + 1) & m->pair_mask)
        if (SAME_PAIR(m->pair_slots[at], key)) return ROW_OF(m->pair_slots[at]);
    return 0;
}

/* Replaces keys by rows, and leaves out the pairs that have none. */
INLINE void find_pair_rows(const cn_model *m, sequence *s) {
    int64_t known = 0;
    for (int64_t i = 0; i < s->n_pairs; i++) {
        const uint64_t row = search_row(m, s->keys[i]);
        const double *weights = m->pair_rows + row * m->pair_size;
        __builtin_prefetch(weights);
        __builtin_prefetch(weights + m->pair_size - 1);
        s->keys[known] = row;
        s->places[known] = s->places[i];
        known += row != 0;
    }
    s->n_pairs = known;
}

INLINE void add_pair_rows(const cn_model *m, const sequence *s, int labels) {
    /* Scores have room for tokens beyond both ends: what falls there is not read. */
    for (int64_t i = 0; i < s->n_pairs; i++) {
        const cn_base *base = &m->extractor->bases[s->places[i] & ((1 << BASE_BITS) - 1)];
        const double *row = m->pair_rows + s->keys[i] * m->pair_size;
        double *first = s->scores + (base->first_offset + (s->places[i] >> BASE_BITS)) * labels;
        for (int member = 0; member < base->n_members; member++, row += labels) {
            add_row(first - base->offsets[member] * labels, row, labels);
        }
    }
}

INLINE cn_cell *bag_row(const cn_model *m, int32_t word, int labels) {
    return m->bag_rows + (cn_word_facts(m, word) >> CN_PLACE_BITS) * (uint64_t)(labels + 1);
}

INLINE void add_bag(cn_model *m, const sequence *s, int labels) {
    double sums[CN_MAX_LABELS] = {0}, *scores = s->scores;
    m->stamp++;
    for (int64_t token = 0; token < s->n; token++) {
        cn_cell *row = bag_row(m, s->ids[token], labels);
        if (row[0].number == m->stamp) continue;
        row[0].number = m->stamp;
        add_row(sums, &row[1].weight, labels);
    }
    for (int64_t token = 0; token < s->n; token++, scores += labels) add_row(scores, sums, labels);
}

/* What is beyond the end of a shorter sequence, up to the end of the longest, is scored 0. */
INLINE void score(cn_model *m, sequence *all_of_them, int count, int64_t longest, int labels) {
    for (int i = 0; i < count; i++) {
        sequence *s = &all_of_them[i];
        for (int pad = 1; pad <= CN_MAX_WINDOW; pad++) s->ids[-pad] = 0, s->ids[s->n + pad - 1] = 1; /* the edges */
        find_pair_keys(m, s);
        if (m->extractor->wanted[CN_BAG])
            for (int64_t token = 0; token < s->n; token++) __builtin_prefetch(bag_row(m, s->ids[token], labels));
    }
    for (int i = 0; i < count; i++) find_pair_rows(m, &all_of_them[i]);
    for (int i = 0; i < count; i++) {
        sequence *s = &all_of_them[i];
        gather_rows(m, s, labels);
        add_pair_rows(m, s, labels);
        if (m->extractor->wanted[CN_BAG]) add_bag(m, s, labels);
        memset(s->scores + s->n * labels, 0, (size_t)((longest - s->n) * labels) * sizeof *s->scores);
    }
}

/* --- forward: the sums over all labellings, and the best one ------------------------------------------------------ */

/* exp of numbers that are not above 0, within an ulp; below -708, and of what is no number, it is that of -708. Reduced by
 * ln 2 in two parts, then the series of exp to the 13th power. */
INLINE lanes exp_of(lanes x) {
    const lanes magic = all(0x1.8p52); /* adding it rounds to a whole number, in the lowest bits */
    x = choose(x > all(-708), x, all(-708));
    const lanes shifted = x * 0x1.71547652b82fep0 + magic, whole = shifted - magic;
    const lanes r = (x - whole * 0x1.62e42fefa3800p-1) - whole * 0x1.ef35793c76730p-45;
    const lanes r2 = r * r, r4 = r2 * r2, r8 = r4 * r4;
    const lanes p01 = 1.0 + r, p23 = 0x1.0p-1 + r * 0x1.5555555555555p-3;
    const lanes p45 = 0x1.5555555555555p-5 + r * 0x1.1111111111111p-7, p67 = 0x1.6c16c16c16c17p-10 + r * 0x1.a01a01a01a01ap-13;
    const lanes p89 = 0x1.a01a01a01a01ap-16 + r * 0x1.71de3a556c734p-19, pab = 0x1.27e4fb7789f5cp-22 + r * 0x1.ae64567f544e4p-26;
    const lanes series = (p01 + p23 * r2) + (p45 + p67 * r2) * r4 + ((p89 + pab * r2) + all(0x1.1eed8eff8d898p-29) * r4) * r8;
    return (lanes)((masks)series + ((masks)shifted << 52));
}

/* The scores of a label of a token in each sequence. */
INLINE lanes scores_at(const double *const *scores, int64_t cell) {
    return (lanes){scores[0][cell], scores[1][cell], scores[2][cell], scores[3][cell]};
}

/* exp(score - best score) of every token. */
INLINE void exponentiate(cn_model *m, const double *const *scores, int64_t n, int labels) {
    double *e = m->e;
    for (int64_t token = 0; token < n; token++) {
        lanes of[CN_MAX_LABELS], best = all(0);
        for (int label = 0; label < labels; label++) {
            of[label] = scores_at(scores, token * labels + label);
            best = label ? choose(best < of[label], of[label], best) : of[0];
        }
        for (int label = 0; label < labels; label++, e += CN_LANES) store(e, exp_of(of[label] - best));
    }
}

/* Weights no training gives: stay finite. */
static __attribute__((noinline)) void mend(double *alpha, double *sum, int labels) {
    for (int lane = 0; lane < CN_LANES; lane++) {
        if (sum[lane] > 1e-300) continue;
        sum[lane] = 1;
        for (int label = 0; label < labels; label++) alpha[label * CN_LANES + lane] = 1.0 / labels;
    }
}

INLINE void run_forward(cn_model *m, int64_t n, int labels) {
    const double *transitions = m->exp_transitions, *e = m->e;
    double *alpha = m->alpha, *scale = m->scale;
    lanes before[CN_MAX_LABELS];
    for (int64_t token = 0; token < n; token++, alpha += labels * CN_LANES, scale += CN_LANES) {
        lanes now[CN_MAX_LABELS], sum = all(0);
        for (int to = 0; to < labels; to++, e += CN_LANES) {
            now[to] = load(e);
            if (token) {
                lanes reached = before[0] * transitions[to];
                for (int from = 1; from < labels; from++) reached += before[from] * transitions[from * labels + to];
                now[to] *= reached;
            }
            sum += now[to];
        }
        const masks fine = sum > all(1e-300);
        if (__builtin_expect(!(fine[0] & fine[1] & fine[2] & fine[3]), 0)) {
            for (int to = 0; to < labels; to++) store(alpha + to * CN_LANES, now[to]);
            store(scale, sum);
            mend(alpha, scale, labels);
            for (int to = 0; to < labels; to++) now[to] = load(alpha + to * CN_LANES);
            sum = load(scale);
        }
        const lanes factor = 1.0 / sum;
        store(scale, factor);
        for (int to = 0; to < labels; to++) {
            before[to] = now[to] * factor;
            store(alpha + to * CN_LANES, before[to]);
        }
    }
}

/* The last scores are left where those of the last token of each sequence are. */
INLINE void run_viterbi(cn_model *m, const double *const *scores, const int64_t *lengths, int64_t n, int labels) {
    const double *transitions = m->transitions;
    lanes before[CN_MAX_LABELS], ends[CN_MAX_LABELS];
    masks length;
    for (int lane = 0; lane < CN_LANES; lane++) length[lane] = lengths[lane];
    for (int label = 0; label < labels; label++) ends[label] = before[label] = scores_at(scores, label);
    for (int64_t token = 1; token < n; token++) {
        lanes now[CN_MAX_LABELS];
        uint8_t *back = m->back + token * labels * CN_LANES;
        for (int to = 0; to < labels; to++) {
            lanes best = before[0] + transitions[to];
            masks from_best = {0};
            for (int from = 1; from < labels; from++) {
                const lanes score = before[from] + transitions[from * labels + to];
                const masks better = best < score, here = {from, from, from, from};
                from_best = (from_best & ~better) | (here & better);
                best = choose(better, score, best);
            }
            now[to] = best + scores_at(scores, token * labels + to);
            for (int lane = 0; lane < CN_LANES; lane++) back[to * CN_LANES + lane] = (uint8_t)from_best[lane];
        }
        const masks inside = length > (masks){token, token, token, token};
        for (int label = 0; label < labels; label++) {
            before[label] = now[label];
            ends[label] = choose(inside, now[label], ends[label]);
        }
    }
    for (int lane = 0; lane < CN_LANES; lane++) {
        int32_t *labelling = m->labels + lane * m->lane_room;
        int best = 0;
        for (int label = 1; label < labels; label++)
            if (ends[best][lane] < ends[label][lane]) best = label;
        for (int64_t token = lengths[lane] - 1; token >= 0; token--) {
            labelling[token] = best;
            if (token) best = m->back[(token * labels + best) * CN_LANES + lane];
        }
    }
}

/* --- backward --------------------------------------------------------------------------------------------------- */

INLINE void run_backward(cn_model *m, const int64_t *lengths, int64_t n, int labels) {
    const double *transitions = m->exp_transitions;
    lanes now[CN_MAX_LABELS], reached[CN_MAX_LABELS];
    for (int label = 0; label < labels; label++) now[label] = all(1);
    for (int64_t token = n - 1; token >= 0; token--) {
        for (int lane = 0; lane < CN_LANES; lane++)
            if (__builtin_expect(lengths[lane] == token + 1, 0)) /* a shorter sequence begins here */
                for (int label = 0; label < labels; label++) now[label][lane] = 1;
        double *beta = m->beta + token * labels * CN_LANES;
        const double *e = m->e + token * labels * CN_LANES;
        const lanes scale = load(m->scale + token * CN_LANES);
        for (int to = 0; to < labels; to++) {
            store(beta + to * CN_LANES, now[to]);
            reached[to] = load(e + to * CN_LANES) * now[to] * scale;
        }
        for (int from = 0; from < labels; from++) {
            now[from] = reached[0] * transitions[from * labels];
            for (int to = 1; to < labels; to++) now[from] += reached[to] * transitions[from * labels + to];
        }
    }
}

/* Marginals of the two classes, and of the likeliest label. */
INLINE void weigh_classes(cn_model *m, const int64_t *lengths, int64_t n, int labels) {
    const double *alpha = m->alpha, *beta = m->beta;
    double *mass = m->mass;
    const masks length = {lengths[0], lengths[1], lengths[2], lengths[3]};
    lanes sum = all(0);
    for (int64_t token = 0; token < n; token++, mass += 2 * CN_LANES) {
        lanes best = all(0), first = all(0), second = all(0);
        for (int label = 0; label < labels; label++, alpha += CN_LANES, beta += CN_LANES) {
            const lanes marginal = load(alpha) * load(beta);
            const int32_t class = m->roles[label] & CN_CLASS_MASK;
            if (class == 1) first += marginal;
            else if (class == 2) second += marginal;
            best = choose(marginal > best, marginal, best);
        }
        store(mass, first);
        store(mass + CN_LANES, second);
        sum += choose(length > (masks){token, token, token, token}, best, all(0));
    }
    store(m->best_marginals, sum);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* The number of labels is a constant in each copy that is made of this. */
INLINE void decode_with(cn_model *m, sequence *sequences, int count, int best, int labels) {
    const double *scores[CN_LANES];
    int64_t lengths[CN_LANES], longest = 0;
    for (int lane = 0; lane < CN_LANES; lane++) { /* lanes without a sequence do what the first does */
        scores[lane] = sequences[lane < count ? lane : 0].scores;
        lengths[lane] = sequences[lane < count ? lane : 0].n;
        longest = lengths[lane] > longest ? lengths[lane] : longest;
    }
    score(m, sequences, count, longest, labels);
    exponentiate(m, scores, longest, labels);
    run_forward(m, longest, labels);
    if (best) run_viterbi(m, scores, lengths, longest, labels);
    run_backward(m, lengths, longest, labels);
    if (!best) weigh_classes(m, lengths, longest, labels);
}

INLINE void decode_by_labels(cn_model *m, sequence *sequences, int count, int best) {
    switch (m->n_labels) {
        case 3: decode_with(m, sequences, count, best, 3); return;
        case 5: decode_with(m, sequences, count, best, 5); return;
        default: decode_with(m, sequences, count, best, m->n_labels);
    }
}

static void decode_anywhere(cn_model *m, sequence *sequences, int count, int best) { decode_by_labels(m, sequences, count, best); }

#ifdef CN_FOR_AVX2
CN_FOR_AVX2 static void decode_by_avx2(cn_model *m, sequence *sequences, int count, int best) {
    decode_by_labels(m, sequences, count, best);
}
#else
#define decode_by_avx2 decode_anywhere
#endif

void cn_decode_lanes(cn_model *m, int32_t *const *ids, const int64_t *lengths, int count, int best) {
    sequence sequences[CN_LANES];
    const int64_t width = (m->lane_room + 4 * m->extractor->window) * m->n_labels;
    const int64_t pairs = (m->lane_room + 4 * CN_MAX_WINDOW) * m->extractor->n_bases;
    for (int i = 0; i < count; i++)
        sequences[i] = (sequence){ids[i], lengths[i], 0, m->scores + i * width + 2 * m->extractor->window * m->n_labels,
                                  m->pair_keys + i * pairs, m->pair_places + i * pairs};
    (cn_uses_avx2() ? decode_by_avx2 : decode_anywhere)(m, sequences, count, best);
}

int cn_decode(cn_model *m, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, int32_t *labels,
              double *marginals) {
    if (n < 0 || n > m->max_words - 2) return CN_BAD_ARGUMENT;
    if (n == 0) return 0;
    if (cn_lane_room(m, n) || cn_id_room(m, n + 2 * CN_MAX_WINDOW)) return CN_NO_MEMORY;
    int32_t *ids = m->ids + CN_MAX_WINDOW;
    cn_expect_words(m, n);
    cn_ask_for_words(m, text, starts, ends, n, m->word_keys);
    if (cn_look_up(m, text, starts, ends, n, m->word_keys, ids)) return CN_NO_MEMORY;
    cn_decode_lanes(m, &ids, &n, 1, 1);
    const cn_decoded found = cn_lane(m, ids, n, 0);
    memcpy(labels, found.labels, sizeof *labels * (size_t)n);
    for (int64_t i = 0; i < n * m->n_labels; i++) marginals[i] = found.alpha[i * CN_LANES] * found.beta[i * CN_LANES];
    return 0;
}
