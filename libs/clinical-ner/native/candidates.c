/* Every span of a decoded sentence whose probability under the CRF is worth a look, exactly, from the scaled forward and
 * backward values. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { ONLY, FIRST, INSIDE, LAST };

static int candidate_room(cn_rescorer *r) {
    if (r->count < r->room) return 0;
    const size_t room = (size_t)r->room * 2 + 64;
    cn_candidate *candidates = realloc(r->candidates, room * sizeof *candidates);
    if (candidates) r->candidates = candidates;
    float *x = realloc(r->x, (room + CN_BLOCK) * CN_COLUMNS * sizeof *x);
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

#define ALPHA(token, label) d->alpha[((token) * labels + (label)) * CN_LANES]
#define BETA(token, label) d->beta[((token) * labels + (label)) * CN_LANES]
#define SCALE(token) d->scale[(token) * CN_LANES]
#define HERE(token, label) (d->e[((token) * labels + (label)) * CN_LANES] * SCALE(token))
#define MOVE(from, to) m->exp_transitions[(from) * labels + (to)]

/* What leads up to a span that opens so, and what may come after one that closes so. */
double cn_before(const cn_model *m, const cn_decoded *d, int64_t token, int32_t opening) {
    if (token == 0) return 1;
    const int labels = m->n_labels;
    double sum = 0;
    for (int from = 0; from < labels; from++)
        if (!cn_goes_on(m, from, opening)) sum += ALPHA(token - 1, from) * MOVE(from, opening);
    return sum;
}

double cn_after(const cn_model *m, const cn_decoded *d, int64_t token, int32_t closing) {
    if (token + 1 == d->n) return 1;
    const int labels = m->n_labels;
    double sum = 0;
    for (int to = 0; to < labels; to++)
        if (!cn_goes_on(m, closing, to)) sum += MOVE(closing, to) * HERE(token + 1, to) * BETA(token + 1, to);
    return sum;
}

static int add(cn_model *m, const cn_decoded *d, cn_candidate candidate) {
    cn_rescorer *r = m->rescorer;
    if (!(candidate.probability >= r->least)) return 0;
    if (candidate_room(r)) return CN_NO_MEMORY;
    candidate.key = CN_PHRASE;
    for (int64_t token = candidate.first; token <= candidate.last; token++)
        candidate.key = cn_phrase_step(candidate.key, cn_low_key(m, d->ids[token]));
    candidate.sure = candidate.probability = candidate.probability < 1 ? candidate.probability : 1;
    r->candidates[r->count++] = candidate;
    return 0;
}

/* The spans of a class that begin at a token. `reached` is what the span so far weighs: times beta, its probability. */
static int add_from(cn_model *m, const cn_decoded *d, int32_t first, int32_t class) {
    const int labels = m->n_labels;
    const int32_t *of = m->rescorer->labels[class];
    const double least = m->rescorer->least;
    if (of[ONLY] >= 0) {
        const double p = cn_before(m, d, first, of[ONLY]) * HERE(first, of[ONLY]);
        if (p * BETA(first, of[ONLY]) >= least &&
            add(m, d, (cn_candidate){first, first, class, p * cn_after(m, d, first, of[ONLY]), 0, 0}))
            return CN_NO_MEMORY;
    }
    if (of[FIRST] < 0 || of[LAST] < 0) return 0;
    double reached = cn_before(m, d, first, of[FIRST]) * HERE(first, of[FIRST]);
    int32_t at = of[FIRST];
    for (int32_t last = first + 1; last < d->n && last < first + CN_SPAN_TOKENS; last++) {
        if (reached * BETA(last - 1, at) < least) break;
        const double p = reached * MOVE(at, of[LAST]) * HERE(last, of[LAST]);
        if (p * BETA(last, of[LAST]) >= least &&
            add(m, d, (cn_candidate){first, last, class, p * cn_after(m, d, last, of[LAST]), 0, 0}))
            return CN_NO_MEMORY;
        if (of[INSIDE] < 0) break;
        reached *= MOVE(at, of[INSIDE]) * HERE(last, of[INSIDE]);
        at = of[INSIDE];
    }
    return 0;
}

int cn_find_candidates(cn_model *m, cn_sequence *s, const cn_decoded *d) {
    cn_rescorer *r = m->rescorer;
    s->first_span = r->count;
    s->best_marginals = d->best_marginals;
    for (int32_t first = 0; first < d->n; first++)
        for (int32_t class = 0; class < 2; class++)
            if (d->mass[(first * 2 + class) * CN_LANES] >= r->least && add_from(m, d, first, class)) return CN_NO_MEMORY;
    s->n_spans = r->count - s->first_span;
    return 0;
}
