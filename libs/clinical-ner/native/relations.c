/* Which treatment stands in which relation to which disease: stated rules, silent where no words connect the two.
 *
 * Entities of one segment form groups: diseases in a row, treatments in a row, with nothing but a list, doses or times
 * between. A group of treatments may be related to the diseases right before it and right behind it. What connects them
 * are words between, words that lead in, and words that trail; the treatment's assertion then decides the type: what is
 * refused is REFUSED, planned PLANNED, over TREATED, an allergy nothing but the cause of its reaction. */
#include "meaning.h"

#include "model.h"

enum { MAX_GAP = 25, LIST_GAP = 3, DOSE_GAP = 14, LEAD = 6, TAIL = 6, MAX_NOTE_RELATIONS = 4096, DISEASE = 1, TREATMENT = 2 };
enum { BETWEEN_TD = 1, BETWEEN_DT = 2, BETWEEN = 3, LEADS = 4, TRAILS = 8 }; /* places of a phrase, as in the table */
enum { RULE_FOR, RULE_ON, RULE_BECAUSE, RULE_CAUSE, RULE_PREVENT, RULE_AVOID, RULE_FAIL, RULE_REACTION };

typedef struct {
    int64_t first, last; /* places of its first and last entity in the note */
    int32_t class;
} group;

typedef struct {
    cn_reader_t *r;
    int32_t *assertions; /* of this note's entities */
    int64_t note, made;
} context;

static const cn_span *span(const context *c, int64_t at) { return c->r->spans + at; }
static int is_usable(const cn_span *s) { return s->first <= s->last && (s->class == DISEASE || s->class == TREATMENT); }
static int32_t segment_of(const context *c, int64_t at) { return c->r->pieces[span(c, at)->first].segment; }

/* --- words ------------------------------------------------------------------------------------------------------------ */

/* The kinds of the link phrases that lie in pieces from..to - 1 and may stand at `place`. */
static uint32_t kinds_in(const context *c, int64_t from, int64_t to, int place) {
    const cn_reader_t *r = c->r;
    uint32_t kinds = 0;
    int64_t low = 0, high = r->n_links;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (r->links[middle].first >= from) high = middle;
        else low = middle + 1;
    }
    for (; low < r->n_links && r->links[low].first < to; low++) {
        const cn_cue *link = r->links + low;
        const cn_phrase *p = cn_phrase_of(r, link);
        if (link->end <= to && (p->a & place) && !r->pieces[link->first].inside) kinds |= 1u << p->kind;
    }
    return kinds;
}
#define HAS(kinds, kind) ((kinds) >> (kind) & 1)

/* Pieces before `at` that lead in: back to the segment's start or the entity before. */
static int64_t lead_start(const context *c, int64_t at) {
    const cn_piece *pieces = c->r->pieces;
    int64_t from = at;
    while (from > 0 && at - from < LEAD && pieces[from - 1].segment == pieces[at].segment && !pieces[from - 1].inside) from--;
    return from;
}

static int64_t tail_end(const context *c, int64_t at) {
    const cn_reader_t *r = c->r;
    int64_t end = at + 1;
    while (end < r->n && end - at <= TAIL && r->pieces[end].segment == r->pieces[at].segment && !r->pieces[end].inside) end++;
    return end;
}

/* Does the entity's name hold a word of this kind? */
static int holds(const context *c, int64_t entity, int32_t kind) {
    const cn_span *s = span(c, entity);
    int64_t end;
    for (int64_t at = s->first; at <= s->last; at++)
        for (int32_t row = cn_longest(c->r, CN_RELATE, at, s->last + 1, &end); row >= 0; row = c->r->phrases[row].next)
            if (c->r->phrases[row].kind == kind) return 1;
    return 0;
}

static int opens_segment(const context *c, int64_t at) {
    return at == 0 || c->r->pieces[at - 1].segment != c->r->pieces[at].segment;
}

/* "penicillin allergy - rash", "ibuprofen (rash)": a mark announces what follows. */
static int is_marked(const context *c, int64_t from, int64_t to) {
    for (int64_t at = from; at < to; at++) {
        const uint32_t sign = c->r->pieces[at].sign;
        if (sign == '(' || sign == '-' || sign == ':' || sign == '>' || sign == '=') return 1;
    }
    return 0;
}

/* "HTN: amlodipine", "GERD - tab pantoprazole", "anemia -> iron": a disease as the label of its treatment. */
static int is_label(const context *c, int64_t from, int64_t to) {
    int64_t end;
    const uint32_t mark = from < to ? c->r->pieces[from].sign : 0;
    if (to - from > 4 || (mark != ':' && mark != '-' && mark != '=' && mark != 0x2192)) return 0;
    for (int64_t at = from + 1; at < to; at++) {
        if (c->r->pieces[at].sign == '.' || (at == from + 1 && c->r->pieces[at].sign == '>')) continue;
        const int32_t row = cn_longest(c->r, CN_PRESCRIBE, at, to, &end);
        if (row < 0 || (c->r->phrases[row].kind != CN_FORM && c->r->phrases[row].kind != CN_DOSE_UNIT && c->r->phrases[row].kind != CN_ROUTE)) return 0;
    }
    return 1;
}

/* --- groups ------------------------------------------------------------------------------------------------------------ */

static int goes_on(const context *c, int64_t last, int64_t next) {
    const cn_span *left = span(c, last), *right = span(c, next);
    if (left->class != right->class || segment_of(c, last) != segment_of(c, next)) return 0;
    const int32_t gap = right->first - left->last - 1;
    if (gap > (left->class == DISEASE ? LIST_GAP : DOSE_GAP)) return 0;
    if (kinds_in(c, left->last + 1, right->first, BETWEEN) & ~(1u << CN_IMPROVE | 1u << CN_LETS_ASSERT | 1u << CN_WITH)) return 0;
    const int64_t after = right->last + 1; /* "X, Y added" */
    return left->class == DISEASE || !HAS(kinds_in(c, after, after + 1, BETWEEN), CN_SPLIT);
}

/* "aspirin for IHD, melaena since 2 days": what is set off by a comma and has a beginning of its own is not treated too. */
static int begins_by_itself(const context *c, int64_t last, int64_t next) {
    const int64_t end = span(c, last)->last + 1, after = span(c, next)->last + 1;
    return span(c, next)->first == end + 1 && c->r->pieces[end].sign == ',' && HAS(kinds_in(c, after, after + 1, BETWEEN), CN_LASTS);
}

static group group_from(const context *c, int64_t first, int after_treatment) {
    group g = {first, first, span(c, first)->class};
    while (g.last + 1 < c->r->n_spans && is_usable(span(c, g.last + 1)) && goes_on(c, g.last, g.last + 1) &&
           !(after_treatment && g.class == DISEASE && begins_by_itself(c, g.last, g.last + 1)))
        g.last++;
    return g;
}

/* --- two groups ---------------------------------------------------------------------------------------------------------- */

typedef struct {
    int type, rule; /* type -1: none */
    int32_t gap;
    int strong;
} finding;

static const finding NOTHING = {-1, 0, 0, 0};

static finding found(int type, int rule, int32_t gap, int strong) {
    finding f = {type, rule, gap, strong};
    return f;
}

/* What the words between make of a treatment that follows a disease (or stands before it). */
static finding connect(const context *c, const group *t, const group *d) {
    const int before = t->first < d->first; /* the treatment stands first */
    const group *left = before ? t : d, *right = before ? d : t;
    const int64_t from = span(c, left->last)->last + 1, to = span(c, right->first)->first;
    const int32_t gap = (int32_t)(to - from);
    if (gap > MAX_GAP) return NOTHING;
    const int64_t start = span(c, left->first)->first, end = span(c, right->last)->last;
    const uint32_t between = kinds_in(c, from, to, before ? BETWEEN_TD : BETWEEN_DT);
    const uint32_t lead = kinds_in(c, lead_start(c, start), start, LEADS), tail = kinds_in(c, end + 1, tail_end(c, end), TRAILS);
    const int32_t *fact = c->assertions + t->first * CN_ASSERTION_FIELDS;
    /* "on methotrexate but RA active", "azithromycin given, fever persists" */
    if (before && gap <= 4 && HAS(tail, CN_PERSISTS)) return found(CN_R_FAILED, RULE_FAIL, gap, 1);
    if (HAS(between, CN_BREAK)) return NOTHING;
    if (!before && gap > 1 && HAS(lead, CN_COMPLAINT) && HAS(between, CN_BACKGROUND)) return NOTHING;
    if (fact[0] == CN_IS_ALLERGY) {
        const int reaction = HAS(between, CN_CAUSE) || (before && gap <= 4 && is_marked(c, from, to));
        return reaction ? found(CN_R_CAUSES, RULE_REACTION, gap, 1) : NOTHING;
    }
    const uint32_t all = between | lead | tail;
    const int with = HAS(between, CN_WITH);
    const int related = HAS(between, CN_FOR) || HAS(between, CN_ON) || HAS(between, CN_BECAUSE) || (!before && is_label(c, from, to));
    const int joined = related || with; /* a bare "with" is enough for what other words name, and not for a treatment */
    const int has_reason = HAS(between, CN_BECAUSE) || (HAS(lead, CN_BECAUSE) && !before && opens_segment(c, lead_start(c, start)));
    if (HAS(between, CN_CAUSE) && !HAS(between, CN_IMPROVE)) return found(CN_R_CAUSES, RULE_CAUSE, gap, 1);
    const int failed = HAS(lead, CN_FAIL) || HAS(tail, CN_FAIL);
    if (with && !failed && !HAS(between, CN_IMPROVE) && holds(c, d->first, CN_REACTION)) return found(CN_R_CAUSES, RULE_REACTION, gap, 1);
    if (!before && gap == 1 && !failed && (with || HAS(between, CN_ON)) && holds(c, d->last, CN_EFFECT)) return found(CN_R_CAUSES, RULE_REACTION, gap, 1);
    if (HAS(tail, CN_CAUSE) && (joined || before)) return found(CN_R_CAUSES, RULE_CAUSE, gap, 1);
    if (HAS(lead, CN_CAUSE) && !before && gap == 1 && (HAS(between, CN_ON) || with)) return found(CN_R_CAUSES, RULE_CAUSE, gap, 1);
    if (HAS(between, CN_AVOID) || (HAS(lead, CN_AVOID) && before && joined) || (HAS(tail, CN_AVOID) && !before && gap <= 4))
        return found(CN_R_CONTRAINDICATED, RULE_AVOID, gap, 1);
    if (HAS(between, CN_FAIL) || (failed && joined))
        return found(CN_R_FAILED, RULE_FAIL, gap, 1);
    if (HAS(between, CN_PREVENT) || ((HAS(tail, CN_PREVENT) || HAS(lead, CN_PREVENT)) && (joined || gap <= 2)))
        return found(CN_R_PREVENTS, RULE_PREVENT, gap, 1);
    const int stopped = HAS(all, CN_STOPPED);
    if (has_reason && stopped) return found(CN_R_CAUSES, RULE_BECAUSE, gap, 1);
    if (HAS(between, CN_BECAUSE) && !before && !HAS(lead, CN_BECAUSE)) return found(CN_R_CAUSES, RULE_CAUSE, gap, 1);
    if (related || (has_reason && gap <= 4)) {
        const int rule = HAS(between, CN_FOR) ? RULE_FOR : HAS(between, CN_ON) ? RULE_ON : RULE_BECAUSE;
        return found(CN_R_TREATS, rule, gap, rule == RULE_FOR && gap <= 6);
    }
    /* "CKD, refused dialysis", "cataract, posted for surgery": the treatment's own words connect. */
    if (!before && gap <= 8 && (fact[0] == CN_IS_REFUSED || fact[1] == CN_TIME_PLANNED) && HAS(between, CN_LETS_ASSERT))
        return found(CN_R_TREATS, RULE_ON, gap, 0);
    return NOTHING;
}

/* A link that could be treatment, as the assertions of both leave it; -1: none. */
static int by_assertions(const int32_t *treatment, const int32_t *disease, int taken_now, int type) {
    if (treatment[2] != CN_WHO_PATIENT || disease[2] != CN_WHO_PATIENT) return -1;
    if (treatment[0] == CN_IS_REFUSED && (type == CN_R_TREATS || type == CN_R_FAILED)) return CN_R_REFUSED;
    if (type != CN_R_TREATS) return type;
    if (treatment[0] == CN_IS_NEGATED || treatment[0] == CN_IS_ALLERGY || disease[0] == CN_IS_NEGATED) return -1;
    if (treatment[1] == CN_TIME_PLANNED) return CN_R_PLANNED;
    if (treatment[0] == CN_IS_HYPOTHETICAL) return -1;
    if (treatment[1] == CN_TIME_HISTORICAL || (disease[1] == CN_TIME_HISTORICAL && !taken_now)) return CN_R_TREATED;
    return CN_R_TREATS;
}

/* --- which of two rows ----------------------------------------------------------------------------------------------- */

enum { MAX_CONDITIONS = 24, MAX_PAIRS = 64 };

/* What an entity's name is usually given for, or stands for: conditions of the table of indications; returns how many. */
static int conditions_of(const context *c, int64_t entity, int32_t kind, int32_t *conditions) {
    const cn_span *s = span(c, entity);
    int count = 0;
    for (int64_t at = s->first, end; at <= s->last; at = end) {
        int32_t row = cn_longest(c->r, CN_INDICATE, at, s->last + 1, &end);
        if (row < 0) end = at + 1;
        for (; row >= 0 && count < MAX_CONDITIONS; row = c->r->phrases[row].next)
            if (c->r->phrases[row].kind == kind) conditions[count++] = c->r->phrases[row].c;
    }
    return count;
}

enum { NOT_KNOWN, NOT_INDICATED, INDICATED };

static int indicated(const context *c, int64_t treatment, int64_t disease) {
    int32_t given[MAX_CONDITIONS], had[MAX_CONDITIONS];
    const int n = conditions_of(c, treatment, CN_INDICATED_TREATMENT, given), m = conditions_of(c, disease, CN_INDICATED_DISEASE, had);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            if (given[i] == had[j]) return INDICATED;
    return n && m ? NOT_INDICATED : NOT_KNOWN;
}

/* "DM and HTN on metformin and amlodipine": words connect the rows, and knowledge tells who is meant with whom. A pair is
 * left out where both are known, the one is not given for the other, and one of them has its partner in the rows. Rows of
 * more than MAX_PAIRS pairs are left as the words have them, so that a note of names alone costs no more than others. */
static int is_of_another(const context *c, const group *t, const group *d, int64_t treatment, int64_t disease) {
    if (d->last == d->first || (t->last - t->first + 1) * (d->last - d->first + 1) > MAX_PAIRS) return 0;
    if (indicated(c, treatment, disease) != NOT_INDICATED) return 0;
    for (int64_t each = d->first; each <= d->last; each++)
        if (indicated(c, treatment, each) == INDICATED) return 1;
    for (int64_t each = t->first; each <= t->last; each++)
        if (indicated(c, each, disease) == INDICATED) return 1;
    return 0;
}

/* "DM and HTN on glycomet and telma respectively" */
static int is_in_turn(const context *c, const group *t, const group *d) {
    if (t->last - t->first != d->last - d->first) return 0;
    const int64_t end = span(c, t->last > d->last ? t->last : d->last)->last;
    return HAS(kinds_in(c, end + 1, tail_end(c, end), TRAILS), CN_RESPECTIVELY);
}

static int add(context *c, const group *t, const group *d, finding f) {
    const int in_turn = is_in_turn(c, t, d), of_what_it_is_for = f.type == CN_R_TREATS || f.type == CN_R_FAILED;
    for (int64_t treatment = t->first; treatment <= t->last; treatment++)
        for (int64_t disease = d->first; disease <= d->last; disease++) {
            if (in_turn ? treatment - t->first != disease - d->first : of_what_it_is_for && is_of_another(c, t, d, treatment, disease)) continue;
            int type = by_assertions(c->assertions + treatment * CN_ASSERTION_FIELDS,
                                           c->assertions + disease * CN_ASSERTION_FIELDS, span(c, treatment)->taken_now, f.type);
            if (type == CN_R_TREATS && holds(c, treatment, CN_VACCINE)) type = CN_R_PREVENTS;
            if (type < 0 || c->made == MAX_NOTE_RELATIONS) continue;
            int32_t *row = cn_new_row(&c->r->relations, CN_RELATION_FIELDS);
            if (!row) return CN_NO_MEMORY;
            row[0] = (int32_t)c->note, row[1] = (int32_t)treatment, row[2] = (int32_t)disease;
            row[3] = type, row[4] = f.rule;
            c->made++;
            int32_t *fact = c->assertions + disease * CN_ASSERTION_FIELDS;
            int32_t *taken = c->assertions + treatment * CN_ASSERTION_FIELDS;
            if (type == CN_R_TREATED && taken[1] == CN_TIME_CURRENT) taken[1] = CN_TIME_HISTORICAL;
            if (type == CN_R_PREVENTS && fact[0] == CN_IS_PRESENT) fact[0] = CN_IS_HYPOTHETICAL;
        }
    return 0;
}

/* "Tab X BD, Tab Y (for D)": a treatment with a form of its own is an order of its own, unless "and" joins it. */
static int is_order_of_its_own(const context *c, int64_t before, int64_t treatment) {
    const cn_reader_t *r = c->r;
    int64_t end;
    int form = 0;
    for (int64_t at = span(c, before)->last + 1; at < span(c, treatment)->first; at++) {
        if (r->roles[r->pieces[at].word] & CN_IS_CONJUNCTION) return 0;
        for (int32_t row = cn_longest(r, CN_PRESCRIBE, at, span(c, treatment)->first, &end); row >= 0; row = r->phrases[row].next)
            form |= r->phrases[row].kind == CN_FORM;
    }
    return form;
}

static group last_order(const context *c, const group *t) {
    group g = *t;
    for (g.first = t->last; g.first > t->first && !is_order_of_its_own(c, g.first - 1, g.first);) g.first--;
    return g;
}

static int relate_group(context *c, const group *left, const group *t, const group *right) {
    finding before = left ? connect(c, t, left) : NOTHING, behind = right ? connect(c, t, right) : NOTHING;
    /* A treatment is for one of two: for what is named behind "for", else for the nearer. */
    if (before.type == behind.type && before.type == CN_R_TREATS) {
        if (behind.strong || behind.gap < before.gap) before = NOTHING;
        else behind = NOTHING;
    }
    if (before.type >= 0 && add(c, t, left, before)) return CN_NO_MEMORY;
    if (behind.type < 0) return 0;
    const group ordered = behind.type == CN_R_TREATS ? last_order(c, t) : *t;
    return add(c, &ordered, right, behind);
}

/* The entities first..end - 1 of one segment, the last of whose pieces is `last`. */
static int relate_segment(context *c, int64_t first, int64_t end, int32_t last) {
    cn_reader_t *r = c->r;
    const int64_t from = lead_start(c, span(c, first)->first), to = tail_end(c, last);
    if (cn_find_cues(r, CN_RELATE, from, to, &r->links, &r->n_links, &r->link_room)) return CN_NO_MEMORY;
    group left = {0, -1, 0}, middle = {0, -1, 0};
    for (int64_t at = first; at <= end;) {
        group next = {at, at - 1, 0};
        if (at < end) {
            if (!is_usable(span(c, at))) {
                at++;
                continue;
            }
            next = group_from(c, at, middle.class == TREATMENT);
        }
        if (middle.class == TREATMENT) {
            const int l = left.class == DISEASE;
            const int n = next.class == DISEASE;
            if (relate_group(c, l ? &left : NULL, &middle, n ? &next : NULL)) return CN_NO_MEMORY;
        }
        left = middle, middle = next;
        if (at == end) break;
        at = next.last + 1;
    }
    return 0;
}

int cn_relate(cn_reader_t *r, int64_t note, int64_t first_assertion) {
    context c = {r, r->assertions.rows + first_assertion * CN_ASSERTION_FIELDS, note, 0};
    for (int64_t first = 0, end; first < r->n_spans; first = end) {
        int classes = 0;
        int32_t last = -1;
        end = first;
        if (!is_usable(r->spans + first)) {
            end++;
            continue;
        }
        const int32_t segment = segment_of(&c, first);
        for (; end < r->n_spans && (!is_usable(r->spans + end) || segment_of(&c, end) == segment); end++) {
            if (!is_usable(r->spans + end)) continue;
            classes |= r->spans[end].class;
            if (r->spans[end].last > last) last = r->spans[end].last;
        }
        if (classes == (DISEASE | TREATMENT) && relate_segment(&c, first, end, last)) return CN_NO_MEMORY;
    }
    return 0;
}
