/* Exchange clustering of words (Martin, Liermann and Ney 1998): words move between classes so that a class bigram model
 * explains the text better. Word 0 is the sentence's edge, alone in class 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clinical_ner.h"

enum { TABLE = 1 << 20 };

typedef struct {
    double *counts, *sizes, *logs; /* pairs of classes, classes, n log n */
    int32_t *right, *left, *right_classes, *left_classes;
    int n_classes, n_right, n_left;
    double self; /* pairs of the word with itself */
} exchange;

static inline double n_log_n(const exchange *x, double n) { return n < TABLE ? x->logs[(int64_t)n] : n * log(n); }

static int begin(exchange *x, int n_classes) {
    const size_t k = (size_t)n_classes;
    x->n_classes = n_classes;
    x->counts = calloc(k * k, sizeof(double));
    x->sizes = calloc(k, sizeof(double));
    x->logs = malloc(TABLE * sizeof(double));
    x->right = calloc(4 * k, sizeof(int32_t));
    if (!x->counts || !x->sizes || !x->logs || !x->right) return CN_NO_MEMORY;
    x->left = x->right + k, x->right_classes = x->left + k, x->left_classes = x->right_classes + k;
    x->logs[0] = 0;
    for (int64_t n = 1; n < TABLE; n++) x->logs[n] = (double)n * log((double)n);
    return 0;
}

static void end(exchange *x) {
    free(x->counts);
    free(x->sizes);
    free(x->logs);
    free(x->right);
}

/* How often the word stands before and after each class. */
static void look_around(exchange *x, const cn_neighbours *words, int64_t word, const int32_t *classes) {
    x->n_right = x->n_left = 0;
    x->self = 0;
    for (int64_t i = words->right_starts[word]; i < words->right_starts[word + 1]; i++) {
        const int32_t class = classes[words->right[i]];
        if (words->right[i] == word) {
            x->self += words->right_counts[i];
            continue;
        }
        if (!x->right[class]) x->right_classes[x->n_right++] = class;
        x->right[class] += words->right_counts[i];
    }
    for (int64_t i = words->left_starts[word]; i < words->left_starts[word + 1]; i++) {
        const int32_t class = classes[words->left[i]];
        if (words->left[i] == word) continue;
        if (!x->left[class]) x->left_classes[x->n_left++] = class;
        x->left[class] += words->left_counts[i];
    }
}

/* Takes the word out of a class (sign -1) or puts it in (1). */
static void move(exchange *x, int class, double size, int sign) {
    const int64_t k = x->n_classes;
    for (int i = 0; i < x->n_right; i++) x->counts[class * k + x->right_classes[i]] += sign * x->right[x->right_classes[i]];
    for (int i = 0; i < x->n_left; i++) x->counts[x->left_classes[i] * k + class] += sign * x->left[x->left_classes[i]];
    x->counts[class * k + class] += sign * x->self;
    x->sizes[class] += sign * size;
}

static double gain(const exchange *x, int class, double size) {
    const int64_t k = x->n_classes;
    const double *row = x->counts + class * k;
    double sum = 0;
    for (int i = 0; i < x->n_right; i++) {
        const int other = x->right_classes[i];
        if (other != class) sum += n_log_n(x, row[other] + x->right[other]) - n_log_n(x, row[other]);
    }
    for (int i = 0; i < x->n_left; i++) {
        const int other = x->left_classes[i];
        const double count = x->counts[other * k + class];
        if (other != class) sum += n_log_n(x, count + x->left[other]) - n_log_n(x, count);
    }
    const double inner = row[class];
    sum += n_log_n(x, inner + x->self + x->right[class] + x->left[class]) - n_log_n(x, inner);
    return sum - 2 * (n_log_n(x, x->sizes[class] + size) - n_log_n(x, x->sizes[class]));
}

static int best_class(const exchange *x, double size) {
    int best = 1;
    double most = gain(x, 1, size);
    for (int class = 2; class < x->n_classes; class++) {
        const double found = gain(x, class, size);
        if (found > most) most = found, best = class;
    }
    return best;
}

int64_t cn_exchange(const cn_neighbours *words, int64_t n_words, int32_t n_classes, int32_t *classes, int32_t rounds) {
    exchange x = {0};
    int64_t moved = 0;
    if (n_classes < 2 || begin(&x, n_classes)) {
        end(&x);
        return n_classes < 2 ? CN_BAD_ARGUMENT : CN_NO_MEMORY;
    }
    for (int64_t word = 0; word < n_words; word++) {
        x.sizes[classes[word]] += (double)words->counts[word];
        for (int64_t i = words->right_starts[word]; i < words->right_starts[word + 1]; i++)
            x.counts[(int64_t)classes[word] * n_classes + classes[words->right[i]]] += words->right_counts[i];
    }
    for (int32_t round = 0; round < rounds; round++) {
        moved = 0;
        for (int64_t word = 1; word < n_words; word++) {
            const double size = (double)words->counts[word];
            look_around(&x, words, word, classes);
            move(&x, classes[word], size, -1);
            const int best = best_class(&x, size);
            move(&x, best, size, 1);
            moved += best != classes[word];
            classes[word] = best;
            for (int i = 0; i < x.n_right; i++) x.right[x.right_classes[i]] = 0;
            for (int i = 0; i < x.n_left; i++) x.left[x.left_classes[i]] = 0;
        }
        if (moved < n_words / 100) break;
    }
    end(&x);
    return moved;
}
