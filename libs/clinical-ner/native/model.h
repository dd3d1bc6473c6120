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

/* One sentence of a note: n tokens from token first_token of the note, which is token `at` of those gathered. */
typedef struct {
    int64_t note, sentence, first_token, n, at, ids_at;
    int64_t first_span, n_spans; /* of the model's spans, or of the rescorer's candidates */
    double best_marginals, all_right; /* the sum of the tokens' marginals; the chance that all is right */
} cn_sequence;

typedef struct {
    int32_t first, last, class; /* tokens of the sentence; class 1 or 2 */
    double sure;
} cn_found_span;

/* One of the sequences that were decoded side by side. */
typedef struct {
    int64_t n;
    const int32_t *ids, *labels;
    const double *e, *alpha, *beta, *scale; /* value i at [i * CN_LANES] */
    const double *mass; /* marginals of both classes of each token, likewise; where the best labels are not wanted */
    double best_marginals; /* the sum of each token's best one; likewise */
} cn_decoded;

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
    uint8_t known_ascii[128]; /* the first 128 of them once more */

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

    /* scratch for CN_LANES sequences of at most `lane_room` tokens side by side: value i of a sequence lies at i * CN_LANES,
     * but for the scores, which hold `window` places more at each end of each sequence, and the labels */
    int64_t lane_room;
    int32_t *labels;
    uint8_t *back;
    double *scores, *e, *alpha, *beta, *scale, *mass, best_marginals[CN_LANES];
    uint64_t *pair_keys;
    int32_t *pair_places;

    /* sentences that are decoded together, their words with the edges around each, and what was found in them */
    int64_t sequence_room, id_room, n_sequences;
    cn_sequence *sequences;
    int32_t *order, *ids;
    uint64_t *word_keys;
    int64_t span_room, n_spans;
    cn_found_span *spans;

    /* the tokens of some notes, and the result */
    int64_t token_room, entity_room, result_room;
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
/* What leads up to a span whose first token is labelled `opening`; what may come after one that ends with `closing`. */
double cn_before(const cn_model *model, const cn_decoded *decoded, int64_t token, int32_t opening);
double cn_after(const cn_model *model, const cn_decoded *decoded, int64_t token, int32_t closing);
/* Adds the likely spans of a sequence to the rescorer's candidates; then what they look like to its columns. */
int cn_find_candidates(cn_model *model, cn_sequence *sequence, const cn_decoded *decoded);
void cn_describe(cn_model *model, const cn_sequence *sequence, const cn_decoded *decoded);
/* Judges all candidates found so far. */
void cn_judge(cn_rescorer *rescorer);
/* Chooses the best set of a sequence's candidates, into rescorer->chosen, and says how sure all of them are. */
void cn_choose(cn_rescorer *rescorer, cn_sequence *sequence);
/* Keeps what was found in a sequence, for training. */
int cn_keep(cn_model *model, const cn_sequence *sequence);
/* Makes room in the cache for n words more: the numbers of words met before may not be used after it. */
void cn_expect_words(cn_model *model, int64_t n);
/* Keys of words as they are written, and then the numbers of the words: between both much else may go on, while what is read
 * of them comes near. */
void cn_ask_for_words(cn_model *model, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, uint64_t *keys);
int cn_look_up(cn_model *model, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n, const uint64_t *keys,
               int32_t *ids);
#define CN_ROW_BITS 24
/* The bits of a key that choose its bit of the filter: 32 KB. */
enum { CN_FILTER_SIZE = 1 << 18 };
#define CN_FILTER_PLACE(key) ((key) >> 28 & (CN_FILTER_SIZE - 1))
#define CN_ENTITY_FIELDS 7
/* Code for AVX2, used where the processor has it: asked once by cn_init, since not every loader could choose. */
#ifdef __x86_64__
#define CN_FOR_AVX2 __attribute__((target("avx2")))
#endif
int cn_uses_avx2(void);
/* Room for the words of sentences and the edges around each. */
int cn_id_room(cn_model *model, int64_t n);
/* Room for sequences of n tokens. */
int cn_lane_room(cn_model *model, int64_t n);
/* Scores, forward and backward of CN_LANES sequences at most, and either their best labels or the marginals of the classes. ids: the words of
 * each, with CN_MAX_WINDOW places before and after them, which are filled. */
void cn_decode_lanes(cn_model *model, int32_t *const *ids, const int64_t *lengths, int count, int best);
static inline cn_decoded cn_lane(const cn_model *model, const int32_t *ids, int64_t n, int lane) {
    return (cn_decoded){.n = n,
                        .ids = ids,
                        .labels = model->labels + lane * model->lane_room,
                        .e = model->e + lane,
                        .alpha = model->alpha + lane,
                        .beta = model->beta + lane,
                        .scale = model->scale + lane,
                        .mass = model->mass + lane,
                        .best_marginals = model->best_marginals[lane]};
}

#endif
