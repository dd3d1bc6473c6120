/* Averaged stochastic gradient descent on the objective of trainer.c, sentence by sentence: a third of the time of L-BFGS,
 * and the only one of the two that can drop features at random, weigh sentences and let swapped copies take turns.
 *
 * Step sizes fall as 1 / (2 c2 (passes + delay)); the weights returned are the mean of those at the half and the end of
 * each pass from `average_from` on. Weights are kept divided by `scale`, so that the penalty costs one multiplication. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer.h"

#define INLINE static inline __attribute__((always_inline))
#define FORBIDDEN (-30.0) /* of a transition: its exponential is no number that a sum of others would notice */

static uint64_t next_random(cn_descent *d) {
    d->random ^= d->random << 13;
    d->random ^= d->random >> 7;
    d->random ^= d->random << 17;
    return d->random;
}

static inline int32_t *ints(const cn_vector *v) { return v->items; }
static inline int64_t *longs(const cn_vector *v) { return v->items; }

/* --- making ----------------------------------------------------------------------------------------------------- */

static int64_t most_attributes(const cn_trainer *t) {
    int64_t most = 0;
    for (int64_t s = 0; s + 1 < t->sentences.count; s++) {
        int64_t count = 0;
        const int64_t from = longs(&t->sentences)[s] * (t->n_slots + 2), to = longs(&t->sentences)[s + 1] * (t->n_slots + 2);
        for (int64_t i = from; i < to; i++)
            count += longs(&t->unit_starts)[t->token_units[i] + 1] - longs(&t->unit_starts)[t->token_units[i]];
        most = count > most ? count : most;
    }
    return most;
}

static int is_used(const cn_descent *d, int64_t sentence, int32_t pass) {
    return d->variants[sentence] < 0 || d->variants[sentence] == pass % d->settings.n_variants;
}

static int reserve(cn_trainer *t, cn_descent *d) {
    const size_t labels = (size_t)t->n_labels, states = (size_t)t->n_attributes * (size_t)d->width;
    const size_t sentences = (size_t)t->sentences.count - 1, longest = (size_t)t->longest;
    d->states = calloc(states + 16, sizeof(float));
    d->state_sums = calloc(states + 16, sizeof(double));
    d->sentence_weights = malloc(sentences * sizeof(float));
    d->variants = malloc(sentences * sizeof(int32_t));
    d->order = malloc(sentences * sizeof(int32_t));
    d->kept = malloc(((size_t)most_attributes(t) + 1) * sizeof(int32_t));
    d->kept_starts = malloc((longest + 2) * sizeof(int64_t));
    d->lattice = malloc(longest * (4 * (size_t)d->width + 1) * sizeof(double));
    t->optimiser.weights = calloc(((size_t)t->n_attributes + labels) * labels, sizeof(double));
    return d->states && d->state_sums && d->sentence_weights && d->variants && d->order && d->kept && d->kept_starts &&
                   d->lattice && t->optimiser.weights
               ? 0
               : CN_NO_MEMORY;
}

int cn_trainer_descend(cn_trainer *t, const cn_descent_settings *settings, const float *sentence_weights,
                       const int32_t *variants, const uint8_t *allowed) {
    cn_descent *d = &t->descent;
    const int64_t sentences = t->sentences.count - 1;
    if (d->states || t->optimiser.weights || settings->n_variants < 1 || !(settings->c2 > 0) || settings->delay < 1 ||
        settings->dropout < 0 || settings->dropout > 0.9)
        return CN_BAD_ARGUMENT;
    d->settings = *settings;
    d->width = t->n_labels <= 4 ? 4 : t->n_labels <= 8 ? 8 : 16;
    d->random = settings->seed * 0x9E3779B97F4A7C15ull + 88172645463325252ull;
    d->scale = 1;
    if (reserve(t, d)) return CN_NO_MEMORY;
    memcpy(d->sentence_weights, sentence_weights, sizeof(float) * (size_t)sentences);
    memcpy(d->variants, variants, sizeof(int32_t) * (size_t)sentences);
    memcpy(d->allowed, allowed, (size_t)(t->n_labels * t->n_labels));
    for (int64_t s = 0; s < sentences; s++) d->pass_size += is_used(d, s, 0);
    for (int i = 0; i < 20; i++) next_random(d);
    return d->pass_size ? 0 : CN_BAD_ARGUMENT;
}

/* --- one sentence ------------------------------------------------------------------------------------------------ */

typedef struct {
    double *e, *alpha, *beta, *parts, *scale;
} lattice;

/* The attributes that the token sees this time: each is dropped with the same chance, but for the sentence's bag. */
static int64_t keep_some(const cn_trainer *t, cn_descent *d, int64_t token, int64_t count, uint32_t drop_below) {
    const int32_t *units = t->token_units + token * (t->n_slots + 2), *attributes = ints(&t->unit_attributes);
    uint64_t bits = 0;
    int left = 0;
    for (int k = 0; k <= t->n_slots; k++) {
        for (int64_t i = longs(&t->unit_starts)[units[k]]; i < longs(&t->unit_starts)[units[k] + 1]; i++) {
            if (!left) bits = next_random(d), left = 4;
            d->kept[count] = attributes[i];
            count += (bits & 0xFFFF) >= drop_below;
            bits >>= 16;
            left--;
        }
    }
    return count;
}

INLINE void score(cn_trainer *t, cn_descent *d, lattice l, int64_t first, int64_t n, const int labels, const int width) {
    const double dropped = d->settings.dropout, rescale = d->scale / (1 - dropped);
    const uint32_t drop_below = (uint32_t)(dropped * 65536);
    float bag[16] = {0};
    const int32_t unit = t->token_units[first * (t->n_slots + 2) + t->n_slots + 1];
    for (int64_t i = longs(&t->unit_starts)[unit]; i < longs(&t->unit_starts)[unit + 1]; i++)
        for (int y = 0; y < width; y++) bag[y] += d->states[(int64_t)ints(&t->unit_attributes)[i] * width + y];
    int64_t count = 0;
    for (int64_t token = 0; token < n; token++) {
        float sums[16] = {0};
        d->kept_starts[token] = count;
        count = keep_some(t, d, first + token, count, drop_below);
        for (int64_t i = d->kept_starts[token]; i < count; i++) {
            const float *w = d->states + (int64_t)d->kept[i] * width;
            for (int y = 0; y < width; y++) sums[y] += w[y];
        }
        for (int y = 0; y < labels; y++)
            l.e[token * width + y] = sums[y] * rescale + bag[y] * t->bag_value * d->scale;
    }
    d->kept_starts[n] = count;
}

/* Scores to forward and backward values; returns the loss of the sentence. */
INLINE double run(cn_trainer *t, cn_descent *d, lattice l, int64_t first, int64_t n, const double *moves, const int labels,
                  const int width) {
    const int32_t *golds = ints(&t->golds) + first;
    double loss = 0;
    for (int64_t i = 0; i < n; i++) {
        double *e = l.e + i * width, *alpha = l.alpha + i * width, best = e[0], sum = 0;
        for (int y = 1; y < labels; y++) best = e[y] > best ? e[y] : best;
        loss += best - e[golds[i]];
        if (i) loss -= d->moves[golds[i - 1] * labels + golds[i]] * d->scale;
        for (int y = 0; y < labels; y++) e[y] = exp(e[y] - best);
        for (int y = 0; y < labels; y++) {
            double reached = i == 0;
            for (int x = 0; x < labels && i; x++) reached += alpha[x - width] * moves[x * labels + y];
            sum += alpha[y] = reached * e[y];
        }
        sum = sum > 1e-300 ? sum : 1e-300;
        for (int y = 0; y < labels; y++) alpha[y] /= sum;
        l.scale[i] = 1 / sum;
        loss += log(sum);
    }
    for (int y = 0; y < labels; y++) l.beta[(n - 1) * width + y] = 1;
    for (int64_t i = n - 2; i >= 0; i--) {
        const double *next = l.beta + (i + 1) * width, *e = l.e + (i + 1) * width;
        for (int x = 0; x < labels; x++) {
            double sum = 0;
            for (int y = 0; y < labels; y++) sum += moves[x * labels + y] * e[y] * next[y];
            l.beta[i * width + x] = sum * l.scale[i + 1];
        }
    }
    return loss;
}

/* Moves the weights by `step` times what gold has more than the model expects. */
INLINE void update(cn_trainer *t, cn_descent *d, lattice l, int64_t first, int64_t n, const double *moves, double step,
                   const int labels, const int width) {
    const int32_t *golds = ints(&t->golds) + first;
    const double grown = step / (1 - d->settings.dropout);
    float bag[16] = {0};
    for (int64_t i = 0; i < n; i++) {
        float part[16] = {0}, whole[16] = {0};
        for (int y = 0; y < labels; y++)
            whole[y] = (float)((y == golds[i]) - l.alpha[i * width + y] * l.beta[i * width + y]);
        for (int y = 0; y < width; y++) bag[y] += whole[y], part[y] = whole[y] * (float)grown;
        for (int64_t k = d->kept_starts[i]; k < d->kept_starts[i + 1]; k++) {
            float *w = d->states + (int64_t)d->kept[k] * width;
            for (int y = 0; y < width; y++) w[y] += part[y];
        }
        if (!i) continue;
        const double *before = l.alpha + (i - 1) * width, *e = l.e + i * width, *beta = l.beta + i * width;
        for (int x = 0; x < labels; x++)
            for (int y = 0; y < labels; y++)
                d->moves[x * labels + y] -= step * before[x] * moves[x * labels + y] * e[y] * beta[y] * l.scale[i];
        d->moves[golds[i - 1] * labels + golds[i]] += step;
    }
    const int32_t unit = t->token_units[first * (t->n_slots + 2) + t->n_slots + 1];
    for (int y = 0; y < width; y++) bag[y] *= (float)(step * t->bag_value);
    for (int64_t i = longs(&t->unit_starts)[unit]; i < longs(&t->unit_starts)[unit + 1]; i++)
        for (int y = 0; y < width; y++) d->states[(int64_t)ints(&t->unit_attributes)[i] * width + y] += bag[y];
}

INLINE double learn(cn_trainer *t, cn_descent *d, int64_t sentence, const int labels, const int width) {
    const int64_t first = longs(&t->sentences)[sentence], n = longs(&t->sentences)[sentence + 1] - first;
    const int64_t room = t->longest * width;
    lattice l = {d->lattice, d->lattice + room, d->lattice + 2 * room, d->lattice + 3 * room, d->lattice + 4 * room};
    double moves[16 * 16];
    for (int i = 0; i < labels * labels; i++) moves[i] = d->allowed[i] ? exp(d->moves[i] * d->scale) : 0;
    const double rate = 1 / (2 * d->settings.c2 * ((double)d->steps / (double)d->pass_size + d->settings.delay));
    score(t, d, l, first, n, labels, width);
    const double loss = run(t, d, l, first, n, moves, labels, width) * d->sentence_weights[sentence];
    d->steps++;
    d->scale *= 1 - rate * 2 * d->settings.c2 / (double)d->pass_size;
    update(t, d, l, first, n, moves, rate * d->sentence_weights[sentence] / d->scale, labels, width);
    return loss;
}

/* --- passes ------------------------------------------------------------------------------------------------------ */

static void rescale(cn_trainer *t, cn_descent *d) {
    for (int64_t i = 0; i < t->n_attributes * d->width; i++) d->states[i] *= (float)d->scale;
    for (int i = 0; i < t->n_labels * t->n_labels; i++) d->moves[i] *= d->scale;
    d->scale = 1;
}

static void remember(cn_trainer *t, cn_descent *d) {
    for (int64_t i = 0; i < t->n_attributes * d->width; i++) d->state_sums[i] += d->states[i] * d->scale;
    for (int i = 0; i < t->n_labels * t->n_labels; i++) d->move_sums[i] += d->moves[i] * d->scale;
    d->n_sums++;
}

static int64_t shuffle(cn_trainer *t, cn_descent *d) {
    int64_t count = 0;
    for (int64_t s = 0; s + 1 < t->sentences.count; s++)
        if (is_used(d, s, d->passes)) d->order[count++] = (int32_t)s;
    for (int64_t i = count - 1; i > 0; i--) {
        const int64_t j = (int64_t)((next_random(d) >> 11) % (uint64_t)(i + 1));
        const int32_t swap = d->order[i];
        d->order[i] = d->order[j], d->order[j] = swap;
    }
    return count;
}

int cn_trainer_pass(cn_trainer *t, double *loss) {
    cn_descent *d = &t->descent;
    if (!d->states) return CN_BAD_ARGUMENT;
    const int64_t count = shuffle(t, d);
    *loss = 0;
    for (int64_t i = 0; i < count; i++) {
        switch (t->n_labels) { /* the usual numbers of labels as constants */
        case 3: *loss += learn(t, d, d->order[i], 3, 4); break;
        case 5: *loss += learn(t, d, d->order[i], 5, 8); break;
        case 9: *loss += learn(t, d, d->order[i], 9, 16); break;
        default: *loss += learn(t, d, d->order[i], t->n_labels, d->width);
        }
        if (d->scale < 1e-3) rescale(t, d);
        if (d->passes >= d->settings.average_from && (i + 1) % ((count + 1) / 2) == 0) remember(t, d);
    }
    d->passes++;
    return 0;
}

int cn_trainer_settle(cn_trainer *t) {
    cn_descent *d = &t->descent;
    const int labels = t->n_labels;
    if (!d->states) return CN_BAD_ARGUMENT;
    if (!d->n_sums) remember(t, d);
    double *weights = t->optimiser.weights, *moves = weights + t->n_attributes * labels;
    for (int64_t i = 0; i < t->n_attributes; i++)
        for (int y = 0; y < labels; y++) weights[i * labels + y] = d->state_sums[i * d->width + y] / d->n_sums;
    for (int i = 0; i < labels * labels; i++) moves[i] = d->allowed[i] ? d->move_sums[i] / d->n_sums : FORBIDDEN;
    return 0;
}

void cn_descent_free(cn_descent *d) {
    void *arrays[] = {d->states, d->state_sums, d->sentence_weights, d->variants, d->order, d->kept, d->kept_starts, d->lattice};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}
