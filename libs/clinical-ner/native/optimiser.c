/* Limited-memory BFGS with a backtracking line search, one iteration a call, so that the caller can report and stop. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "trainer.h"

enum { MAX_TRIALS = 20 };

static double dot(const double *a, const double *b, int64_t n) {
    double sums[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int lane = 0; lane < 4; lane++) sums[lane] += a[i + lane] * b[i + lane];
    for (; i < n; i++) sums[0] += a[i] * b[i];
    return sums[0] + sums[1] + sums[2] + sums[3];
}

static void add_scaled(double *to, double factor, const double *from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += factor * from[i];
}

static int begin(cn_trainer *t, cn_optimiser *o) {
    o->n = (t->n_attributes + t->n_labels) * t->n_labels;
    const size_t n = (size_t)o->n;
    o->weights = calloc(n * (4 + 2 * CN_MEMORIES), sizeof(double));
    if (!o->weights) return CN_NO_MEMORY;
    o->gradient = o->weights + n;
    o->direction = o->gradient + n;
    o->old_gradient = o->direction + n;
    o->steps = o->old_gradient + n;
    o->changes = o->steps + n * CN_MEMORIES;
    o->loss = cn_trainer_loss(t, o->weights, o->gradient);
    return 0;
}

/* The two-loop recursion: direction = - inverse Hessian x gradient. */
static void find_direction(cn_optimiser *o) {
    const int64_t n = o->n, memories = o->kept < CN_MEMORIES ? o->kept : CN_MEMORIES;
    double factors[CN_MEMORIES], *d = o->direction;
    for (int64_t i = 0; i < n; i++) d[i] = -o->gradient[i];
    for (int64_t back = 1; back <= memories; back++) {
        const int64_t at = (o->kept - back) % CN_MEMORIES;
        factors[at] = o->inverse[at] * dot(o->steps + at * n, d, n);
        add_scaled(d, -factors[at], o->changes + at * n, n);
    }
    if (memories) {
        const int64_t last = (o->kept - 1) % CN_MEMORIES;
        const double scale = 1 / (o->inverse[last] * dot(o->changes + last * n, o->changes + last * n, n));
        for (int64_t i = 0; i < n; i++) d[i] *= scale;
    }
    for (int64_t back = memories; back >= 1; back--) {
        const int64_t at = (o->kept - back) % CN_MEMORIES;
        const double factor = o->inverse[at] * dot(o->changes + at * n, d, n);
        add_scaled(d, factors[at] - factor, o->steps + at * n, n);
    }
}

/* Weights moved along the direction until the loss has fallen enough; 0 if it never does. */
static int search_line(cn_trainer *t, cn_optimiser *o) {
    const double before = o->loss, slope = dot(o->direction, o->gradient, o->n);
    double step = o->kept ? 1 : 1 / sqrt(dot(o->gradient, o->gradient, o->n) + 1e-300);
    if (!(slope < 0)) return 0;
    memcpy(o->old_gradient, o->gradient, sizeof(double) * (size_t)o->n);
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        add_scaled(o->weights, step, o->direction, o->n);
        o->loss = cn_trainer_loss(t, o->weights, o->gradient);
        if (o->loss <= before + 1e-4 * step * slope) {
            const int64_t at = o->kept % CN_MEMORIES;
            double *s = o->steps + at * o->n, *y = o->changes + at * o->n;
            for (int64_t i = 0; i < o->n; i++) s[i] = step * o->direction[i], y[i] = o->gradient[i] - o->old_gradient[i];
            const double curvature = dot(s, y, o->n);
            if (!(curvature > 0)) return 0;
            o->inverse[at] = 1 / curvature;
            o->kept++;
            return 1;
        }
        add_scaled(o->weights, -step, o->direction, o->n);
        step /= 2;
    }
    o->loss = before;
    memcpy(o->gradient, o->old_gradient, sizeof(double) * (size_t)o->n);
    return 0;
}

int cn_trainer_iterate(cn_trainer *t, double *loss) {
    cn_optimiser *o = &t->optimiser;
    if (!o->weights && begin(t, o)) return CN_NO_MEMORY;
    find_direction(o);
    const int moved = search_line(t, o);
    *loss = o->loss;
    return moved;
}

const double *cn_trainer_weights(const cn_trainer *t) { return t->optimiser.weights; }
