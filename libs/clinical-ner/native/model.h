/* What model.c, decode.c and tag.c share. */
#ifndef CLINICAL_NER_MODEL_H
#define CLINICAL_NER_MODEL_H

#include <math.h>

#include "rescore.h"

/* One cell of a word's block: all that is read of a word lies side by side. */
typedef union {
    double weight;
    uint64_t number;
} cn_cell;

struct cn_model {
    const cn_extractor *extractor;
    int32_t n_labels;
    size_t row_size, pair_size; /* (2 window + 1) x labels; members x labels */
    int32_t roles[CN_MAX_LABELS];
    double transitions[CN_MAX_LABELS * CN_MAX_LABELS], exp_transitions[CN_MAX_LABELS * CN_MAX_LABELS];

    /* weights by feature */
    cn_table features;
    uint64_t *pair_slots, pair_mask; /* upper 40 bits of a pair's key, then 24 bits of its row; 0 is free */
    int32_t *feature_starts;
    uint16_t *feature_cells;
    double *feature_weights, *pair_rows;
    uint64_t *pair_filter; /* a bit for each pair that has a row, of CN_FILTER_SIZE */
    cn_table known; /* lower-cased words of the training data */
    uint8_t *known_characters;
    uint64_t known_ascii[2]; /* the first 128 of them once more */

    /* words met, forgotten all at once when there is no room: places 0 and 1 are the edges */
    cn_table words;
    int32_t n_words, max_words;
    /* Per word: its row; the keys of its values for conjunctions; facts. */
    cn_cell *blocks;
    size_t block_size;
    int n_values, value_groups[2 * CN_MAX_CONJUNCTIONS], left_value[CN_MAX_CONJUNCTIONS],
        right_value[CN_MAX_CONJUNCTIONS]; /* by base */
    cn_table lowered; /* lower-cased words met */
    int32_t n_lowered;
    uint64_t stamp;    /* number of the sentence */
    cn_cell *bag_rows; /* per lower-cased word: the last sentence it was counted in, and what it gives to each token */

    /* scratch for one sequence of at most `sequence_room` tokens */
    int64_t sequence_room;
    int32_t *padded_ids, *ids, *labels;
    uint8_t *back;
    double *scores, *e, *viterbi, *alpha, *beta, *scale; /* scores hold 2 window places more at each end */
    int32_t *pair_places;
    int64_t pair_counts[CN_MAX_CONJUNCTIONS];
    uint64_t *keys; /* of the words, then of the pairs: one stretch a base */

    /* scratch for one note, and the result */
    int64_t note_room, entity_room, result_room;
    int32_t *starts, *ends, *entities;
    uint8_t *begins;
    double *confidences, *note_scores;
    int64_t *counts;
    cn_rescorer *rescorer; /* NULL: the best labelling's spans are the entities */
    cn_reader *reader; /* not owned; NULL: notes are tagged and not read */
};

static inline cn_cell *cn_block(const cn_model *model, int32_t word) {
    return model->blocks + (size_t)word * model->block_size;
}
/* The last cell of a block: the word's place in the bag above CN_PLACE_BITS, and flags. */
enum { CN_UNSEEN = 1, CN_PLACE_BITS = 1 };
static inline uint64_t cn_word_facts(const cn_model *model, int32_t word) {
    return cn_block(model, word)[model->block_size - 1].number;
}
/* The three cells before: the word's lower case, its singular, its look; filled for a rescorer. */
enum { CN_LOOK_CELLS = 3 };
static inline uint64_t cn_low_key(const cn_model *model, int32_t word) { return cn_block(model, word)[model->block_size - 4].number; }
static inline uint64_t cn_singular_key(const cn_model *model, int32_t word) {
    return cn_block(model, word)[model->block_size - 3].number;
}
static inline uint64_t cn_look(const cn_model *model, int32_t word) { return cn_block(model, word)[model->block_size - 2].number; }
/* Does the label `to` go on with the span that `from` is in? */
static inline int cn_goes_on(const cn_model *model, int32_t from, int32_t to) {
    const int32_t class = model->roles[from] & CN_CLASS_MASK;
    return class && class == (model->roles[to] & CN_CLASS_MASK) && !(model->roles[from] & CN_ENDS) &&
           !(model->roles[to] & CN_BEGINS);
}
/* The likely spans of the n words decoded last; adds each token's best marginal to *best_marginals. */
int cn_find_candidates(cn_model *model, int64_t n, double *best_marginals);
/* The same, judged, and the best set of them chosen. head: number of the note, first token of the sentence in it. Adds to
 * scores[0] as above, multiplies scores[1] by the chance that the choice is right. */
int cn_rescore(cn_model *model, int64_t n, const int32_t *head, double *scores);
int cn_look_up(cn_model *model, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n,
               int32_t *ids);
#define CN_ROW_BITS 24
/* The bits of a key that choose its bit of the filter: 32 KB. */
enum { CN_FILTER_SIZE = 1 << 18 };
#define CN_FILTER_PLACE(key) ((key) >> 28 & (CN_FILTER_SIZE - 1))
#define CN_ENTITY_FIELDS 7
int cn_sequence_room(cn_model *model, int64_t n);
/* Scores, forward and backward of the n words in model->ids, and the best labels where they are wanted. */
void cn_decode_ids(cn_model *model, int64_t n, int best);
/* The scores (n x labels) of the decoded sequence. */
static inline double *cn_scores(cn_model *model) {
    return model->scores + (size_t)(2 * model->extractor->window * model->n_labels);
}

#endif
