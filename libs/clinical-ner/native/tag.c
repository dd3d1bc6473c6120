/* Texts to entities: tokens, sentences, labels, spans with their probabilities, what drift statistics need, and what the
 * note says of its entities. */
#include "meaning.h"
#include "model.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS, UNSEEN, UNKNOWN_CHARACTERS, CHARACTERS, ENTITIES, CLASS_TOKENS = ENTITIES + 2, COUNTS = CLASS_TOKENS + 2 };

static int grow(void **array, size_t size) {
    void *grown = realloc(*array, size);
    if (!grown) return CN_NO_MEMORY;
    *array = grown;
    return 0;
}

static int note_room(cn_model *m, int64_t characters) {
    if (characters <= m->note_room) return 0;
    size_t room = (size_t)characters + 256;
    if (grow((void **)&m->starts, room * sizeof *m->starts) || grow((void **)&m->ends, room * sizeof *m->ends) ||
        grow((void **)&m->begins, room))
        return CN_NO_MEMORY;
    m->note_room = (int64_t)room;
    return 0;
}

static int result_room(cn_model *m, int64_t notes) {
    if (notes <= m->result_room) return 0;
    size_t room = (size_t)notes;
    if (grow((void **)&m->counts, room * COUNTS * sizeof *m->counts) ||
        grow((void **)&m->note_scores, room * 2 * sizeof *m->note_scores))
        return CN_NO_MEMORY;
    m->result_room = notes;
    return 0;
}

static int entity_room(cn_model *m, int64_t entities) {
    if (entities <= m->entity_room) return 0;
    size_t room = (size_t)entities * 2 + 256;
    if (grow((void **)&m->entities, room * CN_ENTITY_FIELDS * sizeof *m->entities) ||
        grow((void **)&m->confidences, room * sizeof *m->confidences))
        return CN_NO_MEMORY;
    m->entity_room = (int64_t)room;
    return 0;
}

/* --- spans ---------------------------------------------------------------------------------------------------- */

/* Probability that tokens first..last carry the chosen labels and that the span neither begins before nor goes on
 * after: from the scaled forward and backward values, exactly. */
static double span_probability(cn_model *m, int64_t first, int64_t last, int64_t n) {
    const int labels = m->n_labels;
    const double *e = m->e, *transitions = m->exp_transitions;
    const int32_t opening = m->labels[first], closing = m->labels[last];
    double probability = 1;
    if (first > 0) {
        probability = 0;
        for (int from = 0; from < labels; from++)
            if (!cn_goes_on(m, from, opening))
                probability += m->alpha[(first - 1) * labels + from] * transitions[from * labels + opening];
    }
    for (int64_t token = first; token <= last; token++) {
        int32_t label = m->labels[token];
        if (token > first) probability *= transitions[m->labels[token - 1] * labels + label];
        probability *= e[token * labels + label] * m->scale[token];
    }
    if (last + 1 == n) return probability;
    double after = 0;
    for (int to = 0; to < labels; to++)
        if (!cn_goes_on(m, closing, to))
            after += transitions[closing * labels + to] * e[(last + 1) * labels + to] * m->beta[(last + 1) * labels + to];
    return probability * after * m->scale[last + 1];
}

static double labelling_probability(cn_model *m, int64_t n) {
    const int labels = m->n_labels;
    const double *e = m->e;
    double probability = 1;
    for (int64_t token = 0; token < n; token++) {
        int32_t label = m->labels[token];
        if (token) probability *= m->exp_transitions[m->labels[token - 1] * labels + label];
        probability *= e[token * labels + label] * m->scale[token];
    }
    return probability;
}

typedef struct {
    int64_t note, sentence, first_token, n; /* n tokens of the note from first_token on */
    int64_t *counts;
} sequence;

static void add_span(cn_model *m, const sequence *s, int64_t first, int64_t last, int32_t class, double sure,
                     int64_t *n_entities) {
    int32_t *entity = m->entities + *n_entities * CN_ENTITY_FIELDS;
    entity[0] = (int32_t)s->note;
    entity[1] = class;
    entity[2] = m->starts[s->first_token + first];
    entity[3] = m->ends[s->first_token + last];
    entity[4] = (int32_t)s->sentence;
    entity[5] = (int32_t)(s->first_token + first);
    entity[6] = (int32_t)(s->first_token + last);
    m->confidences[(*n_entities)++] = sure;
    s->counts[ENTITIES + class - 1]++;
    s->counts[CLASS_TOKENS + class - 1] += last - first + 1;
}

static int add_spans(cn_model *m, const sequence *s, int64_t *n_entities) {
    if (entity_room(m, *n_entities + s->n)) return CN_NO_MEMORY;
    for (int64_t first = 0; first < s->n;) {
        int64_t last = first;
        const int32_t class = m->roles[m->labels[first]] & CN_CLASS_MASK;
        if (class) {
            while (last + 1 < s->n && cn_goes_on(m, m->labels[last], m->labels[last + 1])) last++;
            add_span(m, s, first, last, class, span_probability(m, first, last, s->n), n_entities);
        }
        first = last + 1;
    }
    return 0;
}

static int add_chosen(cn_model *m, const sequence *s, int64_t *n_entities) {
    const cn_rescorer *r = m->rescorer;
    if (entity_room(m, *n_entities + r->n_chosen)) return CN_NO_MEMORY;
    for (int64_t i = r->n_chosen - 1; i >= 0; i--) { /* the last one was chosen first */
        const cn_candidate *c = &r->candidates[r->chosen[i]];
        add_span(m, s, c->first, c->last, c->class + 1, c->sure, n_entities);
    }
    return 0;
}

/* --- notes ---------------------------------------------------------------------------------------------------- */

static void observe(cn_model *m, const sequence *s, double *scores) {
    for (int64_t token = 0; token < s->n; token++) {
        int64_t cell = token * m->n_labels + m->labels[token];
        scores[0] += m->alpha[cell] * m->beta[cell];
    }
    scores[1] *= labelling_probability(m, s->n);
}

static int tag_sequence(cn_model *m, const uint32_t *text, const sequence *s, double *scores, int64_t *n_entities) {
    if (cn_sequence_room(m, s->n)) return CN_NO_MEMORY;
    if (cn_look_up(m, text, m->starts + s->first_token, m->ends + s->first_token, s->n, m->ids)) return CN_NO_MEMORY;
    for (int64_t token = 0; token < s->n; token++)
        s->counts[UNSEEN] += (int64_t)(cn_word_facts(m, m->ids[token]) & CN_UNSEEN);
    cn_decode_ids(m, s->n, !m->rescorer);
    if (m->rescorer) {
        const int32_t head[] = {(int32_t)s->note, (int32_t)s->first_token};
        const int failed = cn_rescore(m, s->n, head, scores);
        return failed ? failed : add_chosen(m, s, n_entities);
    }
    observe(m, s, scores);
    return add_spans(m, s, n_entities);
}

static inline int is_known(const cn_model *m, uint32_t point) {
    if (point < 128) return (int)(m->known_ascii[point / 64] >> point % 64 & 1);
    return point < 0x110000 && m->known_characters[point / 8] >> point % 8 & 1;
}

static int tag_note(cn_model *m, const uint32_t *text, int64_t length, int64_t note, int64_t *n_entities) {
    int64_t *counts = m->counts + note * COUNTS;
    double *scores = m->note_scores + note * 2;
    memset(counts, 0, COUNTS * sizeof *counts);
    scores[0] = 0;
    scores[1] = 1;
    if (note_room(m, length)) return CN_NO_MEMORY;
    int64_t tokens = cn_tokenise(text, length, m->starts, m->ends, m->begins);
    if (tokens < 0) return (int)tokens;
    counts[TOKENS] = tokens;
    counts[CHARACTERS] = length;
    for (int64_t i = 0; i < length; i++) counts[UNKNOWN_CHARACTERS] += !is_known(m, text[i]);
    sequence s = {note, -1, 0, 0, counts};
    for (int64_t first = 0; first < tokens;) {
        int64_t end = first + 1;
        while (end < tokens && !m->begins[end]) end++;
        s.sentence++;
        s.first_token = first;
        s.n = end - first;
        int failed = tag_sequence(m, text, &s, scores, n_entities);
        if (failed) return failed;
        first = end;
    }
    scores[0] = tokens ? scores[0] / (double)tokens : 1;
    return 0;
}

int cn_tag(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t n_notes, cn_result *result) {
    int64_t n_entities = 0;
    if (n_notes < 0 || n_notes > INT32_MAX || result_room(m, n_notes)) return CN_NO_MEMORY;
    if (m->reader) cn_forget_results(m->reader);
    for (int64_t note = 0; note < n_notes; note++) {
        int64_t length = bounds[note + 1] - bounds[note];
        if (length < 0 || length > INT32_MAX - 256) return CN_BAD_ARGUMENT;
        int64_t first_entity = n_entities;
        int failed = tag_note(m, text + bounds[note], length, note, &n_entities);
        if (!failed && m->reader)
            failed = cn_read_note(m->reader, note, text + bounds[note], length, m->entities + first_entity * CN_ENTITY_FIELDS,
                                  n_entities - first_entity);
        if (failed) return failed;
    }
    *result = (cn_result){n_entities, m->entities, m->confidences, m->counts, m->note_scores};
    return 0;
}

int32_t cn_rescorer_columns(void) { return CN_COLUMNS; }

int64_t cn_candidates(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t n_notes, const int32_t **spans,
                      const float **columns) {
    if (!m->rescorer) return CN_BAD_ARGUMENT;
    cn_result result;
    cn_reader *reader = m->reader;
    m->reader = NULL; /* what the notes say of the entities is not asked */
    m->rescorer->collects = 1;
    m->rescorer->kept = 0;
    const int failed = cn_tag(m, text, bounds, n_notes, &result);
    m->rescorer->collects = 0;
    m->reader = reader;
    *spans = m->rescorer->kept_spans;
    *columns = m->rescorer->kept_x;
    return failed ? failed : m->rescorer->kept;
}
