/* Tokens, word features and the CRF decoder of clinical_ner, called from Python by ctypes.
 *
 * Text is UTF-32 in native byte order; every offset counts code points. Nothing here keeps a pointer to the
 * caller's text. Functions return a negative code on failure (CN_NO_MEMORY), never abort. A model is used by one
 * thread at a time; different models are independent. */
#ifndef CLINICAL_NER_H
#define CLINICAL_NER_H

#include <stddef.h>
#include <stdint.h>

#define CN_FEATURES_VERSION 1
#define CN_NO_MEMORY (-1)
#define CN_BAD_ARGUMENT (-2)

#define CN_MAX_LABELS 16
#define CN_MAX_WINDOW 4
#define CN_MAX_CONJUNCTIONS 24
#define CN_MAX_SENTENCE_TOKENS 1000
#define CN_MAX_WORD 48 /* longer words are seen by their first and last 24 code points */

enum { CN_SPACE, CN_UPPER, CN_LOWER, CN_LETTER, CN_DIGIT, CN_PUNCTUATION, CN_SYMBOL, CN_OTHER };

/* Feature groups: the order is part of the features version. */
enum {
    CN_BIAS, CN_WORD, CN_LOWERED,
    CN_PREFIX1, CN_PREFIX2, CN_PREFIX3, CN_PREFIX4, CN_PREFIX5, CN_PREFIX6,
    CN_SUFFIX1, CN_SUFFIX2, CN_SUFFIX3, CN_SUFFIX4, CN_SUFFIX5, CN_SUFFIX6,
    CN_SHAPE, CN_SHORT_SHAPE, CN_MORPHOLOGY, CN_GRAMS3, CN_GRAMS4, CN_GRAMS5,
    CN_PATTERN, CN_CLASSES, CN_KIND, CN_PARTS, CN_LENGTH, CN_BAG, CN_EDGE, CN_CLUSTERS, CN_GROUPS
};

void cn_init(void);
int cn_features_version(void);
/* For tests: whether code for AVX2 is used, where the processor has it (as it is after cn_init). Returns whether it is. */
int cn_use_avx2(int wanted);

/* unicode.c */
uint8_t cn_class_of(uint32_t code_point);
uint32_t cn_lower_of(uint32_t code_point);

/* tokens.c: fills starts, ends and begins (1 where a sentence begins), each of capacity `length`. */
int64_t cn_tokenise(const uint32_t *text, int64_t length, int32_t *starts, int32_t *ends, uint8_t *begins);

/* features.c */
typedef struct cn_extractor cn_extractor;

/* group_masks: CN_GROUPS bit masks, bit (offset + window) set where the group is seen at that offset; of CN_BAG only
 * bit (2 window + 1), its slot: each distinct word of the sentence, seen by every token of it.
 * conjunctions: rows of (group, offset, group, offset).
 * affixes: UTF-8 lines "S suffix class" or "P prefix class" (lower case), at most 4,096.
 * class_keys (sorted by nothing, unique): cn_word_key of a lower-cased word; its class ids are
 * class_ids[class_starts[i]..class_starts[i + 1]]; class_names: UTF-8 lines, one a class. */
cn_extractor *cn_extractor_new(int32_t window, const uint32_t *group_masks, const int32_t *conjunctions,
                               int32_t n_conjunctions, const char *affixes, int64_t affixes_size,
                               const uint64_t *class_keys, int64_t n_class_keys, const int32_t *class_starts,
                               const int32_t *class_ids, const char *class_names, int64_t class_names_size);
void cn_extractor_free(cn_extractor *extractor);
/* Clusters of words, induced from text without labels: word i (cn_word_key of its lower case, digits as 0) is in cluster
 * numbers[i * clusterings + c] of each clustering c, none where that is 0. At most CN_MAX_CLUSTERINGS. */
#define CN_MAX_CLUSTERINGS 8
int cn_extractor_clusters(cn_extractor *extractor, const uint64_t *keys, int64_t n_words, const uint16_t *numbers,
                          int32_t clusterings);

/* The attribute strings of one token sequence: one a line, an empty line after each token. *out belongs to the
 * extractor and lives until its next call. Returns the size in bytes. */
int64_t cn_attributes(cn_extractor *extractor, const uint32_t *text, const int32_t *starts, const int32_t *ends,
                      int64_t n_tokens, const char **out);
/* Key and slot of attribute strings (lines): slot = offset + window for a word feature, 2 window + 1 for the bag,
 * -1 - member for a conjunction, CN_NO_SLOT for a string that no feature of this extractor makes. */
#define CN_NO_SLOT (-1000)
int64_t cn_attribute_keys(const cn_extractor *extractor, const char *lines, int64_t size, uint64_t *keys,
                          int32_t *slots, int64_t capacity);
/* Weights of a conjunction are rows of this many members x labels. */
int32_t cn_max_members(const cn_extractor *extractor);
/* Hash of a word as given, or of its lower case. */
uint64_t cn_word_key(const uint32_t *word, int64_t length, int lowered);

/* model.c */
typedef struct cn_model cn_model;

typedef struct {
    int64_t n_entities;
    const int32_t *entities;      /* n_entities x 7: note, class, start, end, sentence, first token, last token */
    const double *confidences;    /* n_entities: exact probability of the span under the CRF, or the rescorer's */
    const int64_t *counts;        /* n_notes x 8: tokens, unseen, unknown characters, characters, then entities of
                                     class 1, of class 2, tokens of class 1, of class 2 */
    const double *note_scores;    /* n_notes x 2: mean marginal of the chosen labels, probability of the labelling; with a
                                     rescorer: of the likeliest labels, of all candidates being as chosen */
} cn_result;

/* All arrays are copied. Feature i has the weights feature_weights[starts[i]..starts[i + 1]] at the positions
 * feature_cells[..] = slot * n_labels + label. pair_rows: n_pairs x cn_max_members x n_labels.
 * label_roles: class | CN_BEGINS | CN_ENDS. */
#define CN_CLASS_MASK 3
#define CN_BEGINS 4
#define CN_ENDS 8
cn_model *cn_model_new(const cn_extractor *extractor, int32_t n_labels, const int32_t *label_roles,
                       const double *transitions, const uint64_t *feature_keys, const int32_t *feature_starts,
                       int64_t n_features, const uint16_t *feature_cells, const double *feature_weights,
                       const uint64_t *pair_keys, const double *pair_rows, int64_t n_pairs,
                       const uint64_t *known_words, int64_t n_known, const uint32_t *known_characters,
                       int64_t n_characters, int32_t cache_words);
void cn_model_free(cn_model *model);
int cn_tag(cn_model *model, const uint32_t *text, const int64_t *bounds, int64_t n_notes, cn_result *result);
/* Labels and marginals (n_tokens x n_labels) of one sequence of tokens. */
int cn_decode(cn_model *model, const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n_tokens,
              int32_t *labels, double *marginals);
int64_t cn_cached_words(const cn_model *model);

/* rescore.c: from now on spans are chosen among all likely ones, by trees on what each looks like. Before the first text.
 * labels: of each of two classes the label of a span's only, first, inside and last token, -1: none. Trees of 7 nodes and 8
 * leaves: a candidate whose column is above the threshold keeps the leaves in the mask; the lowest left is its leaf, whose
 * value is added to base: log odds of being right. No trees: the CRF's probability is taken. Spans below `least` under the
 * CRF are no candidates; one below `threshold` in the end is never chosen. Names: cn_phrase_key and flags, a bit a class each
 * for a name, for the last word of one and for the first. */
#define CN_MAX_TREES 1000
typedef struct {
    int32_t labels[8];
    int32_t n_trees;
    double least, threshold, base;
    const int32_t *columns, *masks;
    const float *thresholds;
    const double *leaves;
    int64_t n_names;
    const uint64_t *name_keys;
    const uint8_t *name_flags;
} cn_rescorer_tables;
int cn_model_rescores(cn_model *model, const cn_rescorer_tables *tables);
uint64_t cn_phrase_key(const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n_tokens);
int32_t cn_rescorer_columns(void);
/* All candidates of a batch, for training: rows of (note, class, start, end) and of cn_rescorer_columns() columns. They live
 * until the next call. Returns their number. */
int64_t cn_candidates(cn_model *model, const uint32_t *text, const int64_t *bounds, int64_t n_notes, const int32_t **spans,
                      const float **columns);

/* meaning.c: what notes say of their entities: assertions, relations and prescription attributes. The reader is made
 * from phrases (UTF-32, phrase i is text[bounds[i]..bounds[i + 1]]) and n_rows x 6 numbers that say what each does
 * (clinical_ner/phrases.py); NULL if one cannot be used. Used by one thread at a time. */
typedef struct cn_reader cn_reader;
typedef struct {
    int64_t n_assertions;
    const int32_t *assertions;    /* n x 5, one an entity: status, time, experiencer, first code point of the words that
                                     decided, the one after them (-1: none did) */
    int64_t n_relations;
    const int32_t *relations;     /* n x 5: note, treatment and disease as places among the note's entities, type, rule */
    int64_t n_prescriptions;
    const int32_t *prescriptions; /* n x 11: entity, form, frequency, period, its unit, when, as needed, duration, its
                                     unit, route, 1 if two lines of `texts` follow; 0: not written */
    int64_t n_text;
    const char *texts;            /* UTF-8: strength and dose, a line each */
} cn_meaning;
cn_reader *cn_reader_new(const uint32_t *text, const int64_t *bounds, const int32_t *rows, int64_t n_rows);
void cn_reader_free(cn_reader *reader);
/* Reads notes with given entities: rows of 7 as in cn_result (class, start and end are used), in the order of their
 * starts; those of note i are span_bounds[i]..span_bounds[i + 1]. */
int cn_read(cn_reader *reader, const uint32_t *text, const int64_t *bounds, int64_t n_notes, const int32_t *spans,
            const int64_t *span_bounds, cn_meaning *result);
/* For measuring: without the prescription attributes, or with them (as it is made). */
void cn_reader_prescribes(cn_reader *reader, int prescribes);
cn_meaning cn_meaning_of(const cn_reader *reader);
/* The pieces of a text, each array of capacity `length`. */
int64_t cn_pieces(cn_reader *reader, const uint32_t *text, int64_t length, int32_t *starts, int32_t *ends, int32_t *segments);
/* From now on the model's cn_tag also reads what it has tagged; the reader must outlive the model. */
void cn_model_reads(cn_model *model, cn_reader *reader);

/* trainer.c, optimiser.c: fits a CRF with an L2 penalty to labelled sequences. Add them all, prepare once (returns the
 * number of attributes), iterate (1: the loss fell, 0: it cannot fall further). Weights: n_attributes x n_labels, then
 * the transitions from label x to label. */
typedef struct cn_trainer cn_trainer;
cn_trainer *cn_trainer_new(const cn_extractor *extractor, int32_t n_labels, double bag_value);
void cn_trainer_free(cn_trainer *trainer);
int cn_trainer_add(cn_trainer *trainer, const uint32_t *text, const int32_t *starts, const int32_t *ends,
                   const int32_t *labels, int64_t n_tokens);
/* Call between adding and preparing: what only these words have (keys of words as written) is not learnt. */
int cn_trainer_bar(cn_trainer *trainer, const uint64_t *words, int64_t count);
int64_t cn_trainer_prepare(cn_trainer *trainer, double min_frequency, double c2, int all_states, int all_transitions);
int cn_trainer_iterate(cn_trainer *trainer, double *loss);
const double *cn_trainer_weights(const cn_trainer *trainer);
/* descent.c: instead of iterating, descend: one pass over the sentences a call, then settle, which makes the weights.
 * A sentence counts with its weight; one of variant v >= 0 takes part in every n_variants-th pass only. allowed: label x
 * label, 0 where a transition is forbidden. */
typedef struct {
    int32_t average_from, n_variants;
    double c2, delay, dropout;
    uint64_t seed;
} cn_descent_settings;
int cn_trainer_descend(cn_trainer *trainer, const cn_descent_settings *settings, const float *sentence_weights,
                       const int32_t *variants, const uint8_t *allowed);
int cn_trainer_pass(cn_trainer *trainer, double *loss);
int cn_trainer_settle(cn_trainer *trainer);
double cn_trainer_loss(cn_trainer *trainer, const double *weights, double *gradient);
/* The attribute strings in the order of the weights, one a line; *out belongs to the extractor. */
int64_t cn_trainer_attributes(cn_trainer *trainer, cn_extractor *owner, const char **out);

/* exchange.c: classes of words by their neighbours in text. Word w is followed by right[i], right_counts[i] times, for i
 * from right_starts[w] to before right_starts[w + 1]; left alike; counts: how often each occurs. Word 0 is the sentence's
 * edge. classes: where each begins (0 for word 0 alone), and where it ends. Returns how many moved in the last round. */
typedef struct {
    const int64_t *right_starts, *left_starts, *counts;
    const int32_t *right, *right_counts, *left, *left_counts;
} cn_neighbours;
int64_t cn_exchange(const cn_neighbours *words, int64_t n_words, int32_t n_classes, int32_t *classes, int32_t rounds);

#endif
