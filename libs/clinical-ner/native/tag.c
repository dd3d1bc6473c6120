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

static int token_room(cn_model *m, int64_t tokens) {
    if (tokens <= m->token_room) return 0;
    size_t room = (size_t)tokens * 2 + 256;
    if (grow((void **)&m->starts, room * sizeof *m->starts) || grow((void **)&m->ends, room * sizeof *m->ends) ||
        grow((void **)&m->begins, room))
        return CN_NO_MEMORY;
    m->token_room = (int64_t)room;
    return 0;
}

static int sequence_room(cn_model *m) {
    if (m->n_sequences < m->sequence_room) return 0;
    size_t room = (size_t)m->n_sequences * 2 + 64;
    if (grow((void **)&m->sequences, room * sizeof *m->sequences) || grow((void **)&m->order, room * sizeof *m->order))
        return CN_NO_MEMORY;
    m->sequence_room = (int64_t)room;
    return 0;
}

int cn_id_room(cn_model *m, int64_t n) {
    if (n <= m->id_room) return 0;
    if (grow((void **)&m->ids, (size_t)n * 2 * sizeof *m->ids) || grow((void **)&m->word_keys, (size_t)n * 2 * sizeof *m->word_keys))
        return CN_NO_MEMORY;
    m->id_room = n * 2;
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

/* --- what is found in a decoded sentence ---------------------------------------------------------------------- */

#define HERE(token) (d->e[((token) * labels + d->labels[token]) * CN_LANES] * d->scale[(token) * CN_LANES])
#define MOVE(token) m->exp_transitions[d->labels[(token) - 1] * labels + d->labels[token]]

/* Probability that tokens first..last carry the chosen labels and that the span neither begins before nor goes on
 * after: from the scaled forward and backward values, exactly. */
static double span_probability(const cn_model *m, const cn_decoded *d, int64_t first, int64_t last) {
    const int labels = m->n_labels;
    double probability = cn_before(m, d, first, d->labels[first]) * HERE(first);
    for (int64_t token = first + 1; token <= last; token++) probability *= MOVE(token) * HERE(token);
    return probability * cn_after(m, d, last, d->labels[last]);
}

/* The spans of the best labelling. */
static int find_spans(cn_model *m, cn_sequence *s, const cn_decoded *d) {
    if (m->n_spans + d->n > m->span_room) {
        if (grow((void **)&m->spans, (size_t)(m->n_spans + d->n) * 2 * sizeof *m->spans)) return CN_NO_MEMORY;
        m->span_room = (m->n_spans + d->n) * 2;
    }
    s->first_span = m->n_spans;
    for (int64_t first = 0; first < d->n;) {
        int64_t last = first;
        const int32_t class = m->roles[d->labels[first]] & CN_CLASS_MASK;
        if (class) {
            while (last + 1 < d->n && cn_goes_on(m, d->labels[last], d->labels[last + 1])) last++;
            m->spans[m->n_spans++] = (cn_found_span){(int32_t)first, (int32_t)last, class, span_probability(m, d, first, last)};
        }
        first = last + 1;
    }
    s->n_spans = m->n_spans - s->first_span;
    return 0;
}

/* How sure the best labelling is: the sum of its marginals, and its probability. */
static void weigh_labelling(const cn_model *m, cn_sequence *s, const cn_decoded *d) {
    const int labels = m->n_labels;
    s->best_marginals = 0, s->all_right = 1;
    for (int64_t token = 0; token < d->n; token++) {
        const int64_t cell = (token * labels + d->labels[token]) * CN_LANES;
        s->best_marginals += d->alpha[cell] * d->beta[cell];
        s->all_right *= (token ? MOVE(token) : 1) * HERE(token);
    }
}

static int read_decoded(cn_model *m, cn_sequence *s, const cn_decoded *d) {
    if (!m->rescorer) {
        weigh_labelling(m, s, d);
        return find_spans(m, s, d);
    }
    if (cn_find_candidates(m, s, d)) return CN_NO_MEMORY;
    if (m->rescorer->n_trees || m->rescorer->collects) cn_describe(m, s, d);
    return 0;
}

/* --- sentences that are decoded together ------------------------------------------------------------------------- */

/* Enough for sequences of much the same length to go side by side; with the longest sentence, fewer than the cache holds. */
enum { GATHERED_TOKENS = 800, TOGETHER_TOKENS = 1000 };

/* The numbers of sequences first..end - 1 by length, into m->order. */
static void sort_by_length(cn_model *m, int64_t first, int64_t end) {
    int32_t places[CN_MAX_SENTENCE_TOKENS + 2] = {0};
    for (int64_t i = first; i < end; i++) places[m->sequences[i].n + 1]++;
    for (int64_t n = 1; n <= CN_MAX_SENTENCE_TOKENS; n++) places[n] += places[n - 1];
    for (int64_t i = first; i < end; i++) m->order[places[m->sequences[i].n]++] = (int32_t)i;
}

static int look_up(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t first, int64_t end, int64_t tokens) {
    if (cn_id_room(m, tokens + (end - first) * 2 * CN_MAX_WINDOW)) return CN_NO_MEMORY;
    cn_expect_words(m, tokens);
    int64_t at = CN_MAX_WINDOW;
    for (int64_t i = first; i < end; i++) {
        cn_sequence *s = &m->sequences[i];
        s->ids_at = at;
        cn_ask_for_words(m, text + bounds[s->note], m->starts + s->at, m->ends + s->at, s->n, m->word_keys + at);
        at += s->n + 2 * CN_MAX_WINDOW;
    }
    for (int64_t i = first; i < end; i++) {
        const cn_sequence *s = &m->sequences[i];
        const int32_t *starts = m->starts + s->at, *ends = m->ends + s->at, *ids = m->ids + s->ids_at;
        int64_t *counts = m->counts + s->note * COUNTS;
        if (cn_lane_room(m, s->n) ||
            cn_look_up(m, text + bounds[s->note], starts, ends, s->n, m->word_keys + s->ids_at, m->ids + s->ids_at))
            return CN_NO_MEMORY;
        for (int64_t token = 0; token < s->n; token++) counts[UNSEEN] += (int64_t)(cn_word_facts(m, ids[token]) & CN_UNSEEN);
    }
    return 0;
}

static int decode_together(cn_model *m, int64_t first, int64_t end) {
    sort_by_length(m, first, end);
    for (int64_t i = 0; i < end - first; i += CN_LANES) {
        int32_t *ids[CN_LANES];
        int64_t lengths[CN_LANES];
        const int count = end - first - i < CN_LANES ? (int)(end - first - i) : CN_LANES;
        for (int lane = 0; lane < count; lane++) {
            const cn_sequence *s = &m->sequences[m->order[i + lane]];
            ids[lane] = m->ids + s->ids_at, lengths[lane] = s->n;
        }
        cn_decode_lanes(m, ids, lengths, count, !m->rescorer);
        for (int lane = 0; lane < count; lane++) {
            const cn_decoded decoded = cn_lane(m, ids[lane], lengths[lane], lane);
            if (read_decoded(m, &m->sequences[m->order[i + lane]], &decoded)) return CN_NO_MEMORY;
        }
    }
    return 0;
}

/* --- entities ----------------------------------------------------------------------------------------------------- */

static void add_entity(cn_model *m, const cn_sequence *s, const cn_found_span *span, int64_t *n_entities) {
    int64_t *counts = m->counts + s->note * COUNTS;
    int32_t *entity = m->entities + *n_entities * CN_ENTITY_FIELDS;
    entity[0] = (int32_t)s->note;
    entity[1] = span->class;
    entity[2] = m->starts[s->at + span->first];
    entity[3] = m->ends[s->at + span->last];
    entity[4] = (int32_t)s->sentence;
    entity[5] = (int32_t)s->first_token + span->first;
    entity[6] = (int32_t)s->first_token + span->last;
    m->confidences[(*n_entities)++] = span->sure;
    counts[ENTITIES + span->class - 1]++;
    counts[CLASS_TOKENS + span->class - 1] += span->last - span->first + 1;
}

/* The best set of the candidates, or all spans of the best labelling. */
static int add_entities(cn_model *m, cn_sequence *s, int64_t *n_entities) {
    cn_rescorer *r = m->rescorer;
    if (entity_room(m, *n_entities + s->n)) return CN_NO_MEMORY;
    if (!r)
        for (int64_t i = 0; i < s->n_spans; i++) add_entity(m, s, &m->spans[s->first_span + i], n_entities);
    else {
        cn_choose(r, s);
        if (r->collects && cn_keep(m, s)) return CN_NO_MEMORY;
        for (int64_t i = r->n_chosen - 1; i >= 0; i--) { /* the last one was chosen first */
            const cn_candidate *c = &r->candidates[s->first_span + r->chosen[i]];
            add_entity(m, s, &(cn_found_span){c->first, c->last, c->class + 1, c->sure}, n_entities);
        }
    }
    double *scores = m->note_scores + s->note * 2;
    scores[0] += s->best_marginals;
    scores[1] *= s->all_right;
    return 0;
}

/* Entities of all gathered sentences, as many together as the cache of words allows. */
static int tag_sequences(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t *n_entities) {
    for (int64_t first = 0, end; first < m->n_sequences; first = end) {
        int64_t tokens = 0;
        for (end = first; end < m->n_sequences && tokens < TOGETHER_TOKENS; end++) tokens += m->sequences[end].n;
        m->n_spans = 0;
        if (m->rescorer) m->rescorer->count = 0;
        if (look_up(m, text, bounds, first, end, tokens) || decode_together(m, first, end)) return CN_NO_MEMORY;
        if (m->rescorer) cn_judge(m->rescorer);
        for (int64_t i = first; i < end; i++)
            if (add_entities(m, &m->sequences[i], n_entities)) return CN_NO_MEMORY;
    }
    return 0;
}

/* --- notes ---------------------------------------------------------------------------------------------------- */

static inline int is_known(const cn_model *m, uint32_t point) {
    if (point < 128) return m->known_ascii[point];
    return point < 0x110000 && m->known_characters[point / 8] >> point % 8 & 1;
}

/* Tokens and sentences of a note, after the `first` tokens that are gathered. Returns how many tokens, or what failed. */
static int64_t gather_note(cn_model *m, const uint32_t *text, int64_t length, int64_t note, int64_t first) {
    int64_t *counts = m->counts + note * COUNTS;
    memset(counts, 0, COUNTS * sizeof *counts);
    if (token_room(m, first + length)) return CN_NO_MEMORY;
    const int64_t tokens = cn_tokenise(text, length, m->starts + first, m->ends + first, m->begins + first);
    if (tokens < 0) return tokens;
    counts[TOKENS] = tokens;
    counts[CHARACTERS] = length;
    for (int64_t i = 0; i < length; i++) counts[UNKNOWN_CHARACTERS] += !is_known(m, text[i]);
    const uint8_t *begins = m->begins + first;
    int64_t sentence = 0;
    for (int64_t at = 0, end; at < tokens; at = end) {
        for (end = at + 1; end < tokens && !begins[end];) end++;
        if (sequence_room(m)) return CN_NO_MEMORY;
        m->sequences[m->n_sequences++] =
            (cn_sequence){.note = note, .sentence = sentence++, .first_token = at, .n = end - at, .at = first + at};
    }
    return tokens;
}

/* Gathers notes from `note` on; returns the one after them, or what failed. */
static int64_t gather(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t note, int64_t n_notes) {
    m->n_sequences = 0;
    for (int64_t tokens = 0; note < n_notes && tokens < GATHERED_TOKENS; note++) {
        const int64_t length = bounds[note + 1] - bounds[note];
        if (length < 0 || length > INT32_MAX - 256) return CN_BAD_ARGUMENT;
        m->note_scores[note * 2] = 0, m->note_scores[note * 2 + 1] = 1;
        const int64_t more = gather_note(m, text + bounds[note], length, note, tokens);
        if (more < 0) return more;
        tokens += more;
    }
    return note;
}

/* What a note says of its entities, which are those from *entity on. */
static int finish_note(cn_model *m, const uint32_t *text, int64_t length, int64_t note, int64_t *entity) {
    const int64_t *counts = m->counts + note * COUNTS, count = counts[ENTITIES] + counts[ENTITIES + 1];
    double *scores = m->note_scores + note * 2;
    scores[0] = counts[TOKENS] ? scores[0] / (double)counts[TOKENS] : 1;
    const int32_t *mine = m->entities + *entity * CN_ENTITY_FIELDS;
    *entity += count;
    return m->reader ? cn_read_note(m->reader, note, text, length, mine, count) : 0;
}

int cn_tag(cn_model *m, const uint32_t *text, const int64_t *bounds, int64_t n_notes, cn_result *result) {
    int64_t n_entities = 0, entity = 0;
    if (n_notes < 0 || n_notes > INT32_MAX || result_room(m, n_notes)) return CN_NO_MEMORY;
    if (m->reader) cn_forget_results(m->reader);
    for (int64_t note = 0, next; note < n_notes;) {
        if ((next = gather(m, text, bounds, note, n_notes)) < 0) return (int)next;
        if (tag_sequences(m, text, bounds, &n_entities)) return CN_NO_MEMORY;
        for (; note < next; note++) {
            const int failed = finish_note(m, text + bounds[note], bounds[note + 1] - bounds[note], note, &entity);
            if (failed) return failed;
        }
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
