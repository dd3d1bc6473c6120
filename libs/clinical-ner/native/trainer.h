/* What trainer.c and optimiser.c share. */
#ifndef CLINICAL_NER_TRAINER_H
#define CLINICAL_NER_TRAINER_H

#include "features.h"

/* A growing array. */
typedef struct {
    void *items;
    int64_t count, capacity;
    size_t size;
} cn_vector;

/* The attributes of one training set: counted first, numbered when rare ones have been dropped. */
typedef struct {
    int32_t slot, left, right; /* slot >= 0: a word feature (left); slot < 0: conjunction -1 - slot of two features */
    int32_t count, number;
} cn_attribute;

enum { CN_MEMORIES = 6 };

typedef struct {
    double *weights, *gradient, *direction, *steps, *changes, *old_gradient;
    double inverse[CN_MEMORIES], loss;
    int64_t n, kept; /* weights; iterations kept in memory so far */
} cn_optimiser;

typedef struct {
    cn_descent_settings settings;
    float *states, *sentence_weights;  /* states: n_attributes x width, labels padded to width */
    double *state_sums, *lattice, scale;
    double moves[CN_MAX_LABELS * CN_MAX_LABELS], move_sums[CN_MAX_LABELS * CN_MAX_LABELS];
    uint8_t allowed[CN_MAX_LABELS * CN_MAX_LABELS];
    int32_t *variants, *order, *kept, passes, n_sums, width;
    int64_t *kept_starts, steps, pass_size; /* pass_size: sentences of the first pass */
    uint64_t random;
} cn_descent;
void cn_descent_free(cn_descent *descent);

struct cn_trainer {
    const cn_extractor *extractor;
    int32_t n_labels, n_slots, failed;
    double bag_value, c2;

    cn_table features, words, attributes;
    cn_vector names, name_starts;        /* feature strings */
    cn_vector word_entries, word_starts; /* per word its features as (group, feature) */
    cn_vector tokens, golds, sentences;  /* word and label of each token; first token of each sentence */
    cn_vector all;                       /* cn_attribute */
    uint8_t *free_features;              /* per feature: whether it may be learnt; NULL: all may */

    /* A token's score is the sum of units: (word, slot) for each slot, its own conjunctions, its sentence's bag. Unit u
     * is the sum of the attributes unit_attributes[unit_starts[u]..unit_starts[u + 1]]. */
    cn_vector unit_starts, unit_attributes;
    int64_t n_units, n_attributes, first_own, first_bag;
    double *unit_scores, *unit_gradients, *scratch;
    int32_t *token_units; /* n_slots + 2 a token */
    uint8_t *allowed; /* per weight: 0 keeps it at zero */
    int64_t longest;
    cn_optimiser optimiser;
    cn_descent descent;
};

#endif
