/* What candidates.c, rescore.c and model.c share: every likely span of a sentence, and how right it looks beside the
 * others. */
#ifndef CLINICAL_NER_RESCORE_H
#define CLINICAL_NER_RESCORE_H

#include "features.h"

/* Columns of a candidate, in order; clinical_ner/rescoring.py knows their number. */
enum {
    CN_X_LOG_ODDS, CN_X_PROBABILITY, CN_X_LENGTH, CN_X_CLASS,
    CN_X_RIVALS, CN_X_BEST_RIVAL, CN_X_SHARE,              /* probabilities of the spans that overlap it */
    CN_X_LONGER_LEFT, CN_X_LONGER_RIGHT, CN_X_SHORTER_LEFT, CN_X_SHORTER_RIGHT, /* the same one word more or less */
    CN_X_OTHERS, CN_X_CLASS_SUM, CN_X_CLASS_BEST, CN_X_OTHER_SUM, CN_X_OTHER_BEST, /* of the sentence, by class */
    CN_X_SAME_STRING, CN_X_BRACKETED, CN_X_SENTENCE, CN_X_PLACE,
    CN_X_MASS, CN_X_MASS_FIRST, CN_X_MASS_LAST, CN_X_MASS_BEFORE, CN_X_MASS_AFTER, /* marginals of its class */
    CN_X_UPPER, CN_X_ABBREVIATION, CN_X_FUNCTION_WORD, CN_X_DIGIT, CN_X_HYPHENS, CN_X_OPENS, CN_X_JOINS, CN_X_SHORT_LAST,
    CN_X_NAME, CN_X_NAME_LAST, CN_X_NAME_FIRST, CN_X_OTHER_NAME, CN_X_OTHER_LAST, CN_X_OTHER_FIRST, /* in the lexicon */
    CN_X_NAME_INSIDE, CN_X_NAME_LONGER,
    CN_COLUMNS
};

/* Sequences that are decoded side by side; candidates that go through a tree together. */
enum { CN_LANES = 4, CN_BLOCK = 8, CN_TREE_NODES = 7, CN_TREE_LEAVES = 8, CN_SPAN_TOKENS = 24 };

/* Flags of a word's look, cached with its row. */
enum {
    CN_LOOK_UPPER = 1, CN_LOOK_DIGIT = 2, CN_LOOK_FUNCTION = 4, CN_LOOK_JOINS = 8, CN_LOOK_OPEN = 16, CN_LOOK_CLOSE = 32,
    CN_LOOK_SHORT = 64, CN_LOOK_HOLDS_OPEN = 128, CN_LOOK_HYPHENS = 8, /* a count of four bits from there */
    CN_LOOK_LAST = 12, CN_LOOK_FIRST = 14                             /* a bit a class from there: in the lexicon */
};

/* Flags of a key of the lexicon: a name, its last word, its first one; a bit a class from there. */
enum { CN_NAME = 0, CN_NAME_LAST = 2, CN_NAME_FIRST = 4 };

typedef struct {
    int32_t first, last, class; /* tokens of the sentence; class 0 or 1 */
    double probability, sure;   /* under the CRF, and by the trees */
    uint64_t key;               /* of its words in lower case */
} cn_candidate;

typedef struct {
    int32_t labels[2][4]; /* of a class: only, first, inside, last; -1: none */
    double least, threshold, base;
    int32_t n_trees, *columns, *masks;
    float *thresholds;
    double *leaves;
    cn_table names;
    uint8_t *name_flags;
    int64_t n_names;

    /* the candidates of the sentences that are decoded together, and scratch for one sentence */
    int64_t room, count; /* candidates */
    cn_candidate *candidates;
    float *x; /* blocks of CN_COLUMNS x CN_BLOCK */
    double *best;
    int32_t *order, *chosen;
    int64_t n_chosen;

    /* all candidates of a batch, when they are asked for */
    int collects;
    int64_t kept, kept_room;
    int32_t *kept_spans;
    float *kept_x;
} cn_rescorer;

uint64_t cn_phrase_step(uint64_t key, uint64_t word);
#define CN_PHRASE 0x7c3a91d5e2f04b17ull
uint64_t cn_word_look(const cn_rescorer *rescorer, const uint32_t *word, int64_t length, uint64_t *low, uint64_t *singular);
void cn_rescorer_free(cn_rescorer *rescorer);

#endif
