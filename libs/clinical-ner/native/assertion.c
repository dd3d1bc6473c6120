/* What a note says of each entity: status, time, experiencer, and the words that decided.
 *
 * 1. A cue looks ahead or back, within its segment and its reach, until an end of its scope. It names what it is of
 *    (diseases, treatments). One that looks back reaches over a comma only if nothing but a list lies between.
 * 2. On each axis the nearest cue decides; a comma between counts as COMMA pieces. A denial right before another cue
 *    denies it ("no possible ..."), a hypothesis that reaches as far wins over a doubt.
 * 3. Marks ("-", "no", "nil", "+") count after a name only at the end of an item: "DM -, HTN +".
 * 4. What says when a thing began ("diagnosed 2 yrs ago") or ended ("treated with") proposes nothing: it says which of the
 *    two a date behind it is.
 * 5. Where no cue decides an axis, the heading does that the entity stands under; else PRESENT, CURRENT, PATIENT. */
#include "meaning.h"

enum { MAX_REACH = 40, BACK_REACH = 14, COMMA = 4, AHEAD = 1, BACK = 2, MARK = 1, SLASH_LIST = 2, COMMA_LIST = 4, DIRECT = 8, BEGINS = 16, CLOSES = 32, TAKEN_NOW = 64 };
enum { STATUS, TIME, WHO, AXES };
enum { BACK_BITS = 16 };

typedef struct {
    int64_t cue; /* -1: none */
    int32_t kind, distance;
    int back;
} decision;

typedef struct {
    const cn_reader_t *r;
    const cn_span *span;
    int32_t number; /* of the entity, from 1 */
    decision best[AXES];
    int64_t hypothesis, lasting; /* cues in scope that may matter beside the nearest; -1 */
    int32_t lasting_distance;
    int denied_first; /* the nearest status has a denial right before it */
    int64_t denial;
    int64_t begun; /* the cue that says when it began; -1 */
    int32_t begun_distance;
    int closed; /* after that, it ended */
} judgement;

static int axis_of(int32_t kind) { return kind <= CN_PRESENT ? STATUS : kind <= CN_CURRENT ? TIME : WHO; }

/* --- marks -------------------------------------------------------------------------------------------------------- */

static int is_item_end(const cn_reader_t *r, int64_t at, int64_t from) {
    if (at >= r->n || r->pieces[at].segment != r->pieces[from].segment) return 1;
    const cn_piece *p = r->pieces + at;
    return p->sign == ',' || p->sign == '.' || p->sign == ')' || p->sign == '/' || p->sign == '&' || p->sign == ']' || p->sign == ';' ||
           (r->roles[p->word] & CN_IS_CONJUNCTION);
}

/* Do the marks of this segment stand behind their names? They do if the last one does. */
static int marks_trail(const cn_reader_t *r, int64_t at) {
    int64_t last = at;
    while (last + 1 < r->n && last < at + 60 && r->pieces[last + 1].segment == r->pieces[at].segment) last++;
    if (last > at && (r->pieces[last].sign == '.' || r->pieces[last].sign == ')')) last--;
    const cn_piece *p = r->pieces + last;
    if (p->inside || !p->word || !last || !p[-1].inside) return 0;
    int64_t end;
    for (int32_t row = cn_longest(r, CN_ASSERT, last, last + 1, &end); row >= 0; row = r->phrases[row].next)
        if (r->phrases[row].a == BACK && r->phrases[row].kind <= CN_PRESENT) return 1;
    return 0;
}

/* "DM: no  HTN: yes": the name after the mark has a colon of its own. */
static int has_own_colon(const cn_reader_t *r, int64_t at) {
    const int32_t inside = r->pieces[at].inside;
    while (at < r->n && inside && r->pieces[at].inside == inside) at++;
    return inside && at < r->n && r->pieces[at].sign == ':';
}

/* A mark stands behind a name, and its item ends with it. */
static int is_postfix(const cn_reader_t *r, const cn_cue *cue) {
    const cn_piece *p = r->pieces + cue->first;
    if (!cue->first || p[-1].segment != p->segment) return 0;
    int follows = p[-1].inside != 0, colon = 0;
    if (!follows && cue->first > 1 && p[-2].inside) follows = p[-1].sign == '/' || (colon = p[-1].sign == ':');
    if (!follows) return 0;
    if (is_item_end(r, cue->end, cue->first)) return 1;
    const cn_piece *next = r->pieces + cue->end;
    if (colon) return has_own_colon(r, cue->end);
    /* "jaundice? old records awaited": a question mark belongs to the name that it touches. */
    if (p->sign == '?') return !next->inside && p[-1].end == p->start && next->start > p->end;
    return next->inside && p->sign != ':' && marks_trail(r, cue->first);
}

/* --- one cue and one entity ------------------------------------------------------------------------------------------ */

static int only_list_between(const cn_reader_t *r, int64_t from, int64_t to, int flags) {
    for (int64_t at = from; at < to; at++) {
        const cn_piece *p = r->pieces + at;
        if (!cn_is_list_piece(p, r)) return 0;
        if (p->sign == ',' && (flags & SLASH_LIST)) return 0;
    }
    return 1;
}

static int32_t commas(const cn_reader_t *r, int64_t from, int64_t to) {
    int32_t count = 0;
    for (int64_t at = from; at < to; at++) count += r->pieces[at].sign == ',';
    return count;
}

static void propose(judgement *j, int64_t cue, int32_t kind, int32_t distance, int back) {
    decision *d = &j->best[axis_of(kind)];
    if (kind == CN_HYPOTHETICAL && !back && j->hypothesis < 0) j->hypothesis = cue;
    if (kind == CN_CURRENT && back) {
        if (j->lasting < 0) j->lasting = cue, j->lasting_distance = distance;
        return;
    }
    if (kind == CN_OTHER_PERSON && d->cue >= 0 && d->kind == CN_FAMILY && !back && !d->back) { /* the neighbour's son */
        *d = (decision){cue, kind, d->distance, 0};
        return;
    }
    if (d->cue < 0) {
        *d = (decision){cue, kind, distance, back};
        return;
    }
    /* "suspected X was ruled out", "? X: no": the verdict stands behind the name. */
    const int verdict = back && !d->back && kind == CN_NEGATED && distance <= BACK_REACH && d->kind != CN_NEGATED;
    const int denied = !back && d->back && d->kind == CN_NEGATED;
    const int closer = distance < d->distance || (distance == d->distance && kind < d->kind);
    if ((closer && !denied) || verdict) *d = (decision){cue, kind, distance, back};
}

static int concerns(const judgement *j, const cn_phrase *p) {
    return p->kind <= CN_OTHER_PERSON && (p->c & j->span->class);
}

/* The cue's words are part of the entity: only what opens it counts ("old MI", "?dengue"). */
static int is_opening(const judgement *j, const cn_cue *cue, const cn_phrase *p) {
    return p->a == AHEAD && p->kind <= CN_HISTORICAL && cue->first == j->span->first && cue->end <= j->span->last;
}

/* "father had MI, allergic to penicillin": after a comma, words that are usually of the patient open a clause of their own. */
static int opens_own_clause(const cn_reader_t *r, const cn_cue *cue, const cn_phrase *phrase) {
    if (phrase->a != AHEAD || !cue->first || r->pieces[cue->first - 1].sign != ',' || r->pieces[cue->first].kind == CN_SIGN) return 0;
    return phrase->kind <= CN_REFUSED || (phrase->kind == CN_CURRENT && phrase->c == 3);
}

/* "counselled for insulin for DM", "?dengue, IV fluids", "no malaria, chloroquine stopped": the words are of the name that stands between. */
static int is_of_another(const judgement *j, const cn_cue *cue, const cn_phrase *phrase) {
    const cn_reader_t *r = j->r;
    if (phrase->kind != CN_HYPOTHETICAL && phrase->kind != CN_POSSIBLE && phrase->kind != CN_NEGATED) return 0;
    const int32_t inside = r->pieces[cue->end].inside;
    if (!inside || inside == r->pieces[j->span->first].inside || r->spans[inside - 1].class == j->span->class) return 0;
    return phrase->kind == CN_HYPOTHETICAL ? phrase->c == 1 : commas(r, cue->end, j->span->first) > 0;
}

static void look_before(judgement *j, int64_t nearest) {
    const cn_reader_t *r = j->r;
    const int32_t segment = r->pieces[j->span->first].segment;
    uint32_t ended = 0;
    for (int64_t at = nearest; at >= 0; at--) {
        const cn_cue *cue = r->cues + at;
        const int32_t gap = (int32_t)(j->span->first - cue->end);
        if (cue->segment != segment || gap > MAX_REACH) break;
        if (cue->inside || (cue->kind > CN_OTHER_PERSON && cue->kind != CN_END)) continue;
        const cn_phrase *phrase = cn_phrase_of(r, cue);
        if (cue->kind == CN_END) {
            ended |= (uint32_t)phrase->d;
            continue;
        }
        if (!concerns(j, phrase) || phrase->a != AHEAD || gap > phrase->b || (ended >> phrase->kind & 1)) continue;
        if (phrase->both && is_postfix(r, cue)) continue;
        if (phrase->d & BEGINS) {
            if (j->begun < 0 && !commas(r, cue->end, j->span->first)) j->begun = at;
            continue;
        }
        if (is_of_another(j, cue, phrase)) continue;
        if (opens_own_clause(r, cue, phrase)) ended |= 1u << CN_FAMILY | 1u << CN_OTHER_PERSON;
        decision *d = &j->best[axis_of(phrase->kind)];
        if (phrase->kind == CN_NEGATED && d->cue >= 0 && !d->back && d->kind != CN_NEGATED && d->kind != CN_PRESENT &&
            r->cues[d->cue].first - cue->end <= 1 && r->cues[d->cue].first >= cue->end) {
            j->denied_first = 1, j->denial = at;
            continue;
        }
        /* Cues come nearest first: a farther one matters only in the cases that `propose` and `settle` name. */
        if (d->cue >= 0 && !d->back && phrase->kind != CN_HYPOTHETICAL && phrase->kind != CN_OTHER_PERSON) continue;
        propose(j, at, phrase->kind, gap + COMMA * commas(r, cue->end, j->span->first), 0);
    }
}

/* "itching - no response to X", "ulcer - no NSAIDs": the denial is of what follows. */
static int denies_what_follows(const judgement *j, const cn_cue *cue) {
    const cn_reader_t *r = j->r;
    int64_t end;
    if (cue->end >= r->n || r->pieces[cue->end].segment != r->pieces[cue->first].segment) return 0;
    const int32_t inside = r->pieces[cue->end].inside;
    if (inside) return j->span->class != r->spans[inside - 1].class;
    return r->pieces[cue->first].kind == CN_SIGN && r->pieces[cue->end].kind == CN_LETTERS && cn_longest(r, CN_ASSERT, cue->end - 1, r->n, &end) >= 0 && end > cue->end;
}

static int follows_well(const judgement *j, const cn_cue *cue, const cn_phrase *phrase) {
    const cn_reader_t *r = j->r;
    const int64_t after = j->span->last + 1;
    if ((phrase->d & COMMA_LIST) && phrase->kind == CN_NEGATED && denies_what_follows(j, cue)) return 0;
    if ((phrase->d & MARK) && !is_postfix(r, cue)) return 0;
    if ((phrase->d & DIRECT) && cue->first != after) return 0;
    if (phrase->d & (SLASH_LIST | COMMA_LIST)) return only_list_between(r, after, cue->first, phrase->d);
    return !commas(r, after, cue->first) || only_list_between(r, after, cue->first, 0);
}

static void look_behind(judgement *j, int64_t next) {
    const cn_reader_t *r = j->r;
    const int32_t segment = r->pieces[j->span->last].segment;
    uint32_t ended = 0;
    for (int64_t at = next; at < r->n_cues; at++) {
        const cn_cue *cue = r->cues + at;
        const int32_t gap = cue->first - j->span->last - 1;
        if (cue->segment != segment || gap > BACK_REACH) break;
        if (cue->inside || (cue->kind > CN_OTHER_PERSON && cue->kind != CN_END)) continue;
        const cn_phrase *phrase = cn_phrase_of(r, cue);
        if (cue->kind == CN_END) {
            ended |= (uint32_t)phrase->d >> BACK_BITS;
            continue;
        }
        if (!concerns(j, phrase) || phrase->a != BACK || gap > phrase->b || (ended >> phrase->kind & 1)) continue;
        if (phrase->d & CLOSES) {
            j->closed = 1;
            continue;
        }
        const cn_piece *p = r->pieces + cue->first;
        if (!(phrase->d & MARK) && p->kind == CN_SIGN && p->sign != ':' && phrase->both && !is_postfix(r, cue)) continue;
        if (!follows_well(j, cue, phrase)) continue;
        if (phrase->d & BEGINS) {
            if (j->begun < 0) j->begun = at, j->begun_distance = gap;
            continue;
        }
        propose(j, at, phrase->kind, gap, 1);
    }
}

static void look_inside(judgement *j, int64_t from) {
    const cn_reader_t *r = j->r;
    for (int64_t at = from; at < r->n_cues && r->cues[at].first <= j->span->first; at++) {
        const cn_cue *cue = r->cues + at;
        const cn_phrase *phrase = cn_phrase_of(r, cue);
        if (concerns(j, phrase) && is_opening(j, cue, phrase)) propose(j, at, phrase->kind, 0, 0);
    }
}

/* --- one entity ---------------------------------------------------------------------------------------------------------- */

static int64_t first_cue_from(const cn_reader_t *r, int64_t piece, int64_t low) {
    int64_t high = r->n_cues;
    if (low < high && r->cues[low].first >= piece) return low;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (r->cues[middle].first >= piece) high = middle;
        else low = middle + 1;
    }
    return low;
}

/* "no fever, cough x 3 days": what has a duration of its own is there, unless it closes the list of what is denied. */
static int lasts_by_itself(const judgement *j) {
    const cn_reader_t *r = j->r;
    const decision *d = &j->best[STATUS];
    if (d->cue < 0 || d->kind != CN_NEGATED || d->back || j->lasting < 0 || j->lasting_distance > 1) return 0;
    if (!commas(r, r->cues[d->cue].end, j->span->first)) return 0;
    const cn_piece *before = r->pieces + j->span->first - 1;
    return !(r->roles[before->word] & CN_IS_CONJUNCTION);
}

static int goes_on(const judgement *j) { return j->lasting >= 0 || (j->begun >= 0 && !j->closed); }

static void settle(judgement *j) {
    decision *status = &j->best[STATUS], *time = &j->best[TIME];
    if (lasts_by_itself(j)) *status = (decision){j->lasting, CN_PRESENT, 0, 1};
    if (j->denied_first && status->cue >= 0) *status = (decision){j->denial, CN_NEGATED, status->distance, 0};
    if (status->cue >= 0 && status->kind == CN_POSSIBLE && j->hypothesis >= 0)
        *status = (decision){j->hypothesis, CN_HYPOTHETICAL, status->distance, 0};
    /* What was never there, or may not be given, is neither over nor planned. */
    if (status->cue >= 0 && (status->kind == CN_NEGATED || status->kind == CN_ALLERGY || status->kind == CN_REFUSED)) time->cue = -1;
    if (status->cue >= 0 && status->kind == CN_REFUSED) j->best[WHO].cue = -1; /* who refuses is not who would be treated */
    if (j->lasting >= 0 && time->cue >= 0 && time->kind == CN_HISTORICAL && (!time->back || time->distance > j->lasting_distance))
        *time = (decision){j->lasting, CN_CURRENT, 0, 1};
    if (goes_on(j) && j->begun >= 0 && time->cue >= 0 && time->kind == CN_HISTORICAL && time->back && time->distance >= j->begun_distance)
        *time = (decision){j->begun, CN_CURRENT, 0, 1};
}

static void follow_heading(judgement *j) {
    const cn_reader_t *r = j->r;
    const int32_t heading = r->has_headings ? r->headings[j->span->first] : 0;
    if (!heading) return;
    for (int32_t row = r->cues[heading - 1].row; row >= 0; row = r->phrases[row].next) {
        const cn_phrase *phrase = &r->phrases[row];
        if (phrase->kind != CN_HEADING || phrase->d > CN_OTHER_PERSON || !(phrase->c & j->span->class)) continue;
        if (phrase->d == CN_HISTORICAL && goes_on(j)) continue;
        decision *d = &j->best[axis_of(phrase->d)], *status = &j->best[STATUS];
        if (axis_of(phrase->d) == TIME && status->cue >= 0 && (status->kind == CN_NEGATED || status->kind == CN_ALLERGY || status->kind == CN_REFUSED)) continue;
        if (d->cue < 0) *d = (decision){heading - 1, phrase->d, 0, 0};
    }
}

static const int32_t STATUS_OF[] = {CN_IS_NEGATED, CN_IS_POSSIBLE, CN_IS_HYPOTHETICAL, CN_IS_ALLERGY, CN_IS_REFUSED, CN_IS_PRESENT};

static void write_row(const judgement *j, int32_t *row) {
    const decision *status = &j->best[STATUS], *time = &j->best[TIME], *who = &j->best[WHO];
    row[0] = status->cue < 0 ? CN_IS_PRESENT : STATUS_OF[status->kind];
    row[1] = time->cue < 0 || time->kind == CN_CURRENT ? CN_TIME_CURRENT : time->kind == CN_PLANNED ? CN_TIME_PLANNED : CN_TIME_HISTORICAL;
    row[2] = who->cue < 0 ? CN_WHO_PATIENT : who->kind == CN_FAMILY ? CN_WHO_FAMILY : CN_WHO_OTHER;
    const int over = time->cue >= 0 && time->kind != CN_CURRENT;
    /* "sister ko asthma hai": what says that it is there decides nothing, where another word says whose or when. */
    const int stated = status->cue >= 0 && (status->kind != CN_PRESENT || (!over && who->cue < 0));
    const int64_t cue = stated ? status->cue : over ? time->cue : who->cue;
    row[3] = cue < 0 ? -1 : j->r->pieces[j->r->cues[cue].first].start;
    row[4] = cue < 0 ? -1 : j->r->pieces[j->r->cues[cue].end - 1].end;
}

static int judge(cn_reader_t *r, int64_t entity) {
    int32_t *row = cn_new_row(&r->assertions, CN_ASSERTION_FIELDS);
    if (!row) return CN_NO_MEMORY;
    const cn_span *span = r->spans + entity;
    if (span->first > span->last || span->class < 1 || span->class > 2) {
        row[3] = row[4] = -1; /* nothing of the text: not judged */
        return 0;
    }
    judgement j = {r, span, (int32_t)entity + 1, {{-1, 0, 0, 0}, {-1, 0, 0, 0}, {-1, 0, 0, 0}}, -1, -1, 0, 0, -1, -1, 0, 0};
    const int64_t from = first_cue_from(r, span->first, 0);
    look_inside(&j, from);
    look_before(&j, from - 1);
    look_behind(&j, first_cue_from(r, span->last + 1, from));
    settle(&j);
    follow_heading(&j);
    write_row(&j, row);
    const decision *time = &j.best[TIME];
    r->spans[entity].taken_now = !j.closed && time->cue >= 0 && time->kind == CN_CURRENT && (cn_phrase_of(r, r->cues + time->cue)->d & TAKEN_NOW);
    return 0;
}

/* --- headings ----------------------------------------------------------------------------------------------------------------- */

static int is_segment_start(const cn_reader_t *r, int64_t at) {
    if (at == 0 || r->pieces[at - 1].segment != r->pieces[at].segment) return 1;
    const cn_piece *p = r->pieces + at - 1; /* after "2)", "3." or "-" */
    if (p->sign == '-' || p->sign == '*') return at == 1 || p[-1].segment != p->segment;
    return (p->sign == ')' || p->sign == '.') && at > 1 && p[-1].kind == CN_NUMERAL && (at == 2 || p[-2].segment != p->segment);
}

static int is_colon(const cn_reader_t *r, int64_t at) { return at < r->n && (r->pieces[at].sign == ':' || r->pieces[at].sign == '-'); }

/* A heading governs if a colon follows, or if it opens a segment and a dash follows or its line ends. */
static int governs(const cn_reader_t *r, const cn_cue *cue) {
    const cn_phrase *p = cn_phrase_of(r, cue);
    if (r->pieces[cue->first].inside) return 0;
    if (cue->end < r->n && r->pieces[cue->end].sign == ':') return 1;
    if (!is_segment_start(r, cue->first)) return 0;
    if (p->b) return 1; /* needs no colon */
    if (cue->end >= r->n) return 0;
    return r->pieces[cue->end].sign == '-' || r->pieces[cue->end].line != r->pieces[cue->first].line;
}

/* "Word word:" that no table knows, at the start of a segment, is a heading too, and ends the one before. */
static int opens_unknown_heading(const cn_reader_t *r, int64_t at) {
    for (int64_t next = at; next < r->n && next < at + 4; next++) {
        if (next > at && r->pieces[next].sign == ':') return 1;
        if (r->pieces[next].kind != CN_LETTERS || r->pieces[next].inside) return 0;
    }
    return 0;
}

/* A new sentence that is no item of a list: "D/D: 1. psoriasis 2. eczema". */
static int is_sentence_start(const cn_reader_t *r, int64_t at) {
    const cn_piece *p = r->pieces + at;
    if (!at || p[-1].segment == p->segment || p->kind != CN_LETTERS) return 0;
    return at < 2 || p[-1].sign != '.' || p[-2].kind != CN_NUMERAL;
}

/* Does something follow the heading, and its colon, in the same line? */
static int goes_on_in_line(const cn_reader_t *r, const cn_cue *cue) {
    const int64_t next = cue->end + is_colon(r, cue->end);
    return next < r->n && r->pieces[next].line == r->pieces[cue->first].line;
}

static void place_headings(cn_reader_t *r) {
    int64_t cue = 0;
    int32_t governing = 0, line = 0;
    int has_content = 0;
    for (int64_t at = 0; at < r->n; at++) {
        const cn_piece *p = r->pieces + at;
        while (cue < r->n_cues && r->cues[cue].first < at) cue++;
        int known = 0;
        for (int64_t c = cue; c < r->n_cues && r->cues[c].first == at && !known; c++)
            if (r->cues[c].kind == CN_HEADING && governs(r, &r->cues[c])) {
                governing = (int32_t)c + 1;
                line = p->line;
                has_content = goes_on_in_line(r, &r->cues[c]);
                known = 1;
            }
        if (!known && governing) {
            /* "D/D: malaria, dengue. Cough since ...": a list of suspicions ends with its sentence. */
            const cn_cue *heading = r->cues + governing - 1;
            if (has_content && is_sentence_start(r, at) && cn_phrase_of(r, heading)->d == CN_POSSIBLE)
                governing = 0;
            else if (has_content ? p->line != line : at && p->line > p[-1].line + 1) governing = 0;
            else if (p->kind == CN_LETTERS && is_segment_start(r, at) && opens_unknown_heading(r, at) && !(cue < r->n_cues && r->cues[cue].first == at)) governing = 0;
        }
        r->headings[at] = governing;
    }
}

int cn_assert(cn_reader_t *r) {
    r->has_headings = 0;
    for (int64_t cue = 0; cue < r->n_cues && !r->has_headings; cue++)
        r->has_headings = r->cues[cue].kind == CN_HEADING;
    if (r->has_headings) place_headings(r);
    for (int64_t entity = 0; entity < r->n_spans; entity++)
        if (judge(r, entity)) return CN_NO_MEMORY;
    return 0;
}
