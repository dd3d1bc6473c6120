/* What meaning.c, assertion.c, relations.c and prescriptions.c share: a note cut into pieces, and the phrases found in
 * it. The phrases and what each of them does come from the tables of the package (clinical_ner/data/meaning). */
#ifndef CLINICAL_NER_MEANING_H
#define CLINICAL_NER_MEANING_H

#include "features.h"

/* --- the tables ------------------------------------------------------------------------------------------------ */

enum { CN_ASSERT, CN_RELATE, CN_PRESCRIBE, CN_INDICATE, CN_LAYERS }; /* each table is matched by itself */

/* Kinds of phrases; the same numbers stand in clinical_ner/phrases.py. */
enum {
    CN_NEGATED, CN_POSSIBLE, CN_HYPOTHETICAL, CN_ALLERGY, CN_REFUSED, CN_PRESENT,
    CN_HISTORICAL, CN_PLANNED, CN_CURRENT, CN_FAMILY, CN_OTHER_PERSON,
    CN_NEUTRAL, CN_END, CN_HEADING, CN_JOINS, CN_ABBREVIATION, CN_CONJUNCTION
};
enum {
    CN_FOR, CN_ON, CN_BECAUSE, CN_CAUSE, CN_PREVENT, CN_AVOID, CN_STOPPED, CN_FAIL, CN_IMPROVE, CN_BREAK, CN_LETS_ASSERT,
    CN_VACCINE, CN_WITH, CN_REACTION, CN_SPLIT, CN_EFFECT, CN_PERSISTS, CN_COMPLAINT, CN_BACKGROUND, CN_LASTS,
    CN_RESPECTIVELY
};
enum {
    CN_FORM, CN_STRENGTH_UNIT, CN_DOSE_UNIT, CN_FREQUENCY, CN_EVERY, CN_HOURLY, CN_TIMES, CN_TIME_UNIT, CN_DAYPART,
    CN_WHEN, CN_AS_NEEDED, CN_ROUTE, CN_NUMBER, CN_SECOND_PHASE, CN_STOP, CN_SKIP, CN_LEAD, CN_FOR_DURATION, CN_GOES_ON, CN_ONCE
};

enum { CN_INDICATED_DISEASE, CN_INDICATED_TREATMENT };

#define CN_PHRASE_FIELDS 6 /* layer, kind, then four values whose sense depends on the kind */
typedef struct {
    int32_t layer, kind, a, b, c, d;
    int32_t next; /* another row of the same phrase; -1 */
    int32_t both; /* the phrase can look ahead and back */
} cn_phrase;

/* --- a note ----------------------------------------------------------------------------------------------------- */

enum { CN_LETTERS, CN_NUMERAL, CN_SIGN };
enum { CN_NUMBER_WORD = 1, CN_YEAR_WORD = 2, CN_FIRST_WORD = 3 }; /* words that stand for "#" and "@" in a phrase */

typedef struct {
    int32_t start, end; /* code points */
    int32_t word;       /* its number in the tables, 0 if no phrase holds it */
    int32_t segment;    /* sentence, line or part of one: nothing but a heading reaches beyond */
    int32_t inside;     /* number of the entity it belongs to, from 1; 0 if none */
    uint32_t sign;      /* the sign itself, dashes as '-'; 0 for others */
    int32_t line;
    uint8_t kind;
    double number; /* of numerals and number words; -1 for others */
} cn_piece;

typedef struct {
    int32_t first, end, row; /* pieces first..end - 1 are the phrase of `row` */
    int32_t kind, segment, inside; /* of its phrase and its first piece, at hand for the loops over cues */
} cn_cue;

#define CN_ASSERTION_FIELDS 5    /* status, time, experiencer, cue start, cue end */
#define CN_RELATION_FIELDS 5     /* note, treatment, disease (places among the note's entities), type, rule */
#define CN_PRESCRIPTION_FIELDS 11 /* entity, form, frequency, period, period unit, when, as needed, duration, its unit,
                                     route, 1 if a text follows */

/* Numbers that Python turns into names: see clinical_ner/meaning.py. */
enum { CN_IS_UNKNOWN, CN_IS_PRESENT, CN_IS_NEGATED, CN_IS_POSSIBLE, CN_IS_HYPOTHETICAL, CN_IS_ALLERGY, CN_IS_REFUSED };
enum { CN_TIME_UNKNOWN, CN_TIME_CURRENT, CN_TIME_HISTORICAL, CN_TIME_PLANNED };
enum { CN_WHO_UNKNOWN, CN_WHO_PATIENT, CN_WHO_FAMILY, CN_WHO_OTHER };
enum { CN_R_TREATS, CN_R_TREATED, CN_R_PLANNED, CN_R_PREVENTS, CN_R_CAUSES, CN_R_CONTRAINDICATED, CN_R_REFUSED, CN_R_FAILED };

typedef struct {
    int32_t class, first, last; /* 1 disease, 2 treatment; its pieces; first > last where it holds none */
    int32_t taken_now; /* a treatment that the note says is given now; known once it is judged */
} cn_span;

typedef struct {
    int32_t *rows;
    int64_t count, room;
} cn_rows;

struct cn_reader {
    /* Words by hash: 16 bits of the hash, then 16 bits of the word's number; 0 is free. Small enough to stay in the
     * cache; what the 16 bits let through is compared with the whole hash. */
    uint32_t *slots, slot_mask;
    uint64_t *hashes; /* by word */
    cn_phrase *phrases;
    int32_t n_phrases, n_words, n_nodes;
    int32_t *roots; /* by layer and word: the node after that word; 0 if none */
    /* Edges of node i: edge_words (ascending) and edge_nodes from edge_starts[i] to edge_starts[i + 1]. */
    int32_t *edge_starts, *edge_words, *edge_nodes;
    int32_t *node_phrase; /* by node: the first row that ends there; -1 */
    double *numbers;      /* by word */
    uint8_t *roles;       /* by word: CN_IS_JOIN, CN_IS_SHORT, CN_IS_CONJUNCTION, CN_OPENS << layer */

    cn_piece *pieces;
    int64_t n, piece_room;
    cn_span *spans;
    int64_t n_spans, span_room;
    cn_cue *cues, *links;
    int64_t n_cues, n_links, cue_room, link_room;
    int32_t *headings; /* by piece: 1 + the cue of the heading that governs it; filled only if the note has one */
    int has_headings, prescribes;

    cn_rows assertions, relations, prescriptions;
    cn_buffer texts; /* strength and dose of the prescriptions that have one: two UTF-8 lines each */
};
typedef cn_reader cn_reader_t;
enum { CN_IS_JOIN = 1, CN_IS_SHORT = 2, CN_IS_CONJUNCTION = 4, CN_OPENS = 8 /* << layer: a phrase begins with it */ };

static inline const cn_phrase *cn_phrase_of(const cn_reader_t *r, const cn_cue *cue) { return &r->phrases[cue->row]; }
static inline int cn_is_sign(const cn_piece *p, uint32_t sign) { return p->sign == sign; }

/* The longest phrase of a layer at piece `at`, before piece `limit`: its first row, or -1; *end is the piece after it. */
int32_t cn_longest(const cn_reader_t *r, int layer, int64_t at, int64_t limit, int64_t *end);
/* All phrases of a layer from piece `from` to `to`, left to right; returns a negative code on failure. */
int cn_find_cues(cn_reader_t *r, int layer, int64_t from, int64_t to, cn_cue **cues, int64_t *count, int64_t *room);
/* Room for one row more; returns it zeroed. NULL without memory. */
int32_t *cn_new_row(cn_rows *rows, int fields);
int cn_is_list_piece(const cn_piece *p, const cn_reader_t *r);

int cn_assert(cn_reader_t *r);
int cn_relate(cn_reader_t *r, int64_t note, int64_t first_assertion);
int cn_prescribe(cn_reader_t *r, const uint32_t *text, int64_t first_entity);

/* Reads one note: `entities` are rows of CN_ENTITY_FIELDS in the order of their starts; results are added. */
int cn_read_note(cn_reader_t *r, int64_t note, const uint32_t *text, int64_t length, const int32_t *entities,
                 int64_t count);
void cn_forget_results(cn_reader_t *r);

#endif
