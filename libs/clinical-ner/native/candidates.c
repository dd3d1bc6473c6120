/* Every span of a decoded sentence whose probability under the CRF is worth a look, exactly, from the scaled forward and
 * backward values. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { ONLY, FIRST, INSIDE, LAST };

static int token_room(cn_rescorer *r, int64_t n) {
    if (n <= r->token_room) return 0;
    float *mass = realloc(r->mass, (size_t)n * 4 * sizeof *mass);
    if (!mass) return CN_NO_MEMORY;
    r->mass = mass;
    r->token_room = n * 2;
    return 0;
}

static int candidate_room(cn_rescorer *r) {
    if (r->count < r->room) return 0;
    const size_t room = (size_t)r->room * 2 + 64;
    cn_candidate *candidates = realloc(r->candidates, room * sizeof *candidates);
    if (candidates) r->candidates = candidates;
    float *x = realloc(r->x, (room + CN_LANES) * CN_COLUMNS * sizeof *x);
    if (x) r->x = x;
    double *best = realloc(r->best, (room + 1) * sizeof *best);
    if (best) r->best = best;
    int32_t *order = realloc(r->order, room * sizeof *order);
    if (order) r->order = order;
    int32_t *chosen = realloc(r->chosen, room * sizeof *chosen);
    if (chosen) r->chosen = chosen;
    if (!candidates || !x || !best || !order || !chosen) return CN_NO_MEMORY;
    r->room = (int64_t)room;
    return 0;
}

/* Marginals of the classes into r->mass; adds the best marginal of each token to *sum. */
static void weigh_tokens(cn_model *m, int64_t n, double *sum) {
    const int labels = m->n_labels;
    float *mass = m->rescorer->mass;
    for (int64_t token = 0; token < n; token++) {
        double by_class[4] = {0}, best = 0;
        for (int label = 0; label < labels; label++) {
            const double marginal = m->alpha[token * labels + label] * m->beta[token * labels + label];
            by_class[m->roles[label] & CN_CLASS_MASK] += marginal;
            best = marginal > best ? marginal : best;
        }
        mass[token] = (float)by_class[1];
        mass[n + token] = (float)by_class[2];
        *sum += best;
    }
}

/* What leads up to a span that opens so, and what may come after one that closes so. */
static double before(const cn_model *m, int64_t token, int32_t opening) {
    if (token == 0) return 1;
    const int labels = m->n_labels;
    double sum = 0;
    for (int from = 0; from < labels; from++)
        if (!cn_goes_on(m, from, opening))
            sum += m->alpha[(token - 1) * labels + from] * m->exp_transitions[from * labels + opening];
    return sum;
}

static double after(const cn_model *m, int64_t token, int64_t n, int32_t closing) {
    if (token + 1 == n) return 1;
    const int labels = m->n_labels;
    const double *e = m->e + (token + 1) * labels, *beta = m->beta + (token + 1) * labels;
    double sum = 0;
    for (int to = 0; to < labels; to++)
        if (!cn_goes_on(m, closing, to)) sum += m->exp_transitions[closing * labels + to] * e[to] * beta[to];
    return sum * m->scale[token + 1];
}

static int add(cn_model *m, int64_t first, int64_t last, int32_t class, double probability) {
    cn_rescorer *r = m->rescorer;
    if (!(probability >= r->least)) return 0;
    if (candidate_room(r)) return CN_NO_MEMORY;
    uint64_t key = CN_PHRASE;
    for (int64_t token = first; token <= last; token++) key = cn_phrase_step(key, cn_low_key(m, m->ids[token]));
    const double sure = probability < 1 ? probability : 1;
    r->candidates[r->count++] = (cn_candidate){(int32_t)first, (int32_t)last, class, sure, sure, key};
    return 0;
}

/* The spans of a class that begin at a token. `reached` is what the span so far weighs: times beta, its probability. */
static int add_from(cn_model *m, int64_t first, int64_t n, int32_t class) {
    const int labels = m->n_labels;
    const int32_t *of = m->rescorer->labels[class];
#define MOVE(from, to) m->exp_transitions[(from) * labels + (to)]
#define HERE(token, label) (m->e[(token) * labels + (label)] * m->scale[token])
    if (of[ONLY] >= 0) {
        const double p = before(m, first, of[ONLY]) * HERE(first, of[ONLY]);
        if (p * m->beta[first * labels + of[ONLY]] >= m->rescorer->least && add(m, first, first, class, p * after(m, first, n, of[ONLY])))
            return CN_NO_MEMORY;
    }
    if (of[FIRST] < 0 || of[LAST] < 0) return 0;
    double reached = before(m, first, of[FIRST]) * HERE(first, of[FIRST]);
    int32_t at = of[FIRST];
    for (int64_t last = first + 1; last < n && last < first + CN_SPAN_TOKENS; last++) {
        if (reached * m->beta[(last - 1) * labels + at] < m->rescorer->least) break;
        const double p = reached * MOVE(at, of[LAST]) * HERE(last, of[LAST]);
        if (p * m->beta[last * labels + of[LAST]] >= m->rescorer->least &&
            add(m, first, last, class, p * after(m, last, n, of[LAST])))
            return CN_NO_MEMORY;
        if (of[INSIDE] < 0) break;
        reached *= MOVE(at, of[INSIDE]) * HERE(last, of[INSIDE]);
        at = of[INSIDE];
    }
    return 0;
}

int cn_find_candidates(cn_model *m, int64_t n, double *best_marginals) {
    cn_rescorer *r = m->rescorer;
    r->count = 0;
    if (token_room(r, n)) return CN_NO_MEMORY;
    weigh_tokens(m, n, best_marginals);
    for (int64_t first = 0; first < n; first++)
        for (int32_t class = 0; class < 2; class++)
            if (r->mass[class * n + first] >= (float)r->least && add_from(m, first, n, class)) return CN_NO_MEMORY;
    return 0;
}
