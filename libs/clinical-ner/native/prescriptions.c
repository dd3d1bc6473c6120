/* Dose, strength, frequency, duration and the like of each treatment, as written near its name.
 *
 * A treatment's stretch begins with the words that lead up to it ("Tab.", "2 puffs of", "IV") and goes on to the next
 * treatment, to a word that begins something else, or to the end of the line; the line after it belongs to it if it
 * begins with a dose, a frequency or a time. What contradicts itself stays out: two frequencies, two durations, two
 * routes; a second phase ("then OD", "then taper") leaves frequency and duration out. */
#include "meaning.h"

#include <stdio.h>
#include <string.h>

enum { DISEASE = 1, TREATMENT = 2, MAX_LEAD = 8, MAX_STRETCH = 60, UNIT_H = 1, UNIT_D = 2, UNIT_WK = 3, UNIT_MO = 4 };

typedef struct {
    int64_t first, end; /* pieces; end is 0 where there is none */
} range;

typedef struct {
    int32_t times, period, unit;
    int known, clash;
} frequency;

typedef struct {
    int64_t at, limit, end;
    int32_t row;
} kept;

typedef struct {
    const cn_reader_t *r;
    const uint32_t *text;
    int64_t end, own_first, own_end; /* of the stretch, and of the treatment's name */
    int32_t form, form_route, when, route, duration, duration_unit;
    int32_t unit_route; /* that the unit of the dose implies ("puffs") */
    int as_needed, once, when_clash, route_clash, duration_clash, second_phase, dayparts, found, dose_clash;
    frequency strong, weak;
    range strength;
    double dose_low, dose_high; /* -1: none */
    range dose_unit;
    kept looked_up[2];
} sig;

/* --- reading one thing at a place ----------------------------------------------------------------------------------- */

static const cn_piece *piece(const sig *s, int64_t at) { return at < s->end ? s->r->pieces + at : NULL; }
static int is_at(const sig *s, int64_t at, uint32_t sign) { return at < s->end && s->r->pieces[at].sign == sign; }
static int has_number(const sig *s, int64_t at) { return at < s->end && s->r->pieces[at].number >= 0; }
static int is_numeral(const sig *s, int64_t at) { return at < s->end && s->r->pieces[at].kind == CN_NUMERAL; }

/* The longest phrase at `at`; what was looked up last is kept, for a number's unit is asked for many times. */
static int32_t row_at(sig *s, int64_t at, int64_t *end) {
    kept *k = &s->looked_up[at & 1];
    if (k->at != at || k->limit != s->end) {
        *k = (kept){at, s->end, at, -1};
        k->row = cn_longest(s->r, CN_PRESCRIBE, at, s->end, &k->end);
    }
    if (k->row >= 0) *end = k->end;
    return k->row;
}

/* The phrase at `at`, with the piece after it in *end; NULL if there is none. */
static const cn_phrase *phrase_at(sig *s, int64_t at, int64_t *end) {
    if (at >= s->end) return NULL;
    const int32_t row = row_at(s, at, end);
    return row < 0 ? NULL : &s->r->phrases[row];
}

static const cn_phrase *kind_at(sig *s, int64_t at, int32_t kind, int64_t *end) {
    if (at >= s->end) return NULL;
    for (int32_t row = row_at(s, at, end); row >= 0; row = s->r->phrases[row].next)
        if (s->r->phrases[row].kind == kind) return &s->r->phrases[row];
    return NULL;
}

/* A number at `at`: 5, 0.5, 1/2, 1 1/2, half, one; the piece after it in *end. */
static double number_at(const sig *s, int64_t at, int64_t *end) {
    if (!has_number(s, at)) return -1;
    double value = s->r->pieces[at].number;
    *end = at + 1;
    if (is_numeral(s, at) && is_at(s, at + 1, '/') && is_numeral(s, at + 2)) {
        const double under = s->r->pieces[at + 2].number;
        if ((under == 2 || under == 3 || under == 4) && value < under) {
            *end = at + 3;
            return value / under;
        }
    }
    if (is_numeral(s, at) && is_numeral(s, at + 1) && is_at(s, at + 2, '/') && is_numeral(s, at + 3) && s->r->pieces[at + 3].number == 2 &&
        s->r->pieces[at + 1].number == 1) {
        *end = at + 4;
        return value + 0.5;
    }
    if (is_numeral(s, at) && at + 1 < s->end && s->r->pieces[at + 1].kind == CN_SIGN && has_number(s, at + 1) &&
        s->r->pieces[at + 1].start == s->r->pieces[at].end) {
        *end = at + 2; /* 1½ */
        return value + s->r->pieces[at + 1].number;
    }
    return value;
}

/* A number or a range of two: "1-2", "1 to 2", "1 or 2". */
static double range_at(const sig *s, int64_t at, double *high, int64_t *end) {
    const double low = number_at(s, at, end);
    *high = low;
    if (low < 0) return -1;
    const cn_piece *p = piece(s, *end);
    if (!p) return low;
    const int to = p->sign == '-' || (p->kind == CN_LETTERS && p->end - p->start == 2 &&
                                      ((s->text[p->start] | 32) == 't' || (s->text[p->start] | 32) == 'o') &&
                                      ((s->text[p->start + 1] | 32) == 'o' || (s->text[p->start + 1] | 32) == 'r'));
    int64_t after;
    const double second = to ? number_at(s, *end + 1, &after) : -1;
    if (second > low) *high = second, *end = after;
    return low;
}

/* --- what was found --------------------------------------------------------------------------------------------------- */

static void set_frequency(frequency *f, int32_t times, int32_t period, int32_t unit) {
    if (f->known && (f->times != times || f->period != period || f->unit != unit)) f->clash = 1;
    *f = (frequency){times, period, unit, 1, f->clash};
}

static void set_duration(sig *s, int32_t value, int32_t unit) {
    if (s->duration && (s->duration != value || s->duration_unit != unit)) s->duration_clash = 1;
    s->duration = value, s->duration_unit = unit;
}

static void set_route(sig *s, int32_t route) {
    if (!route) return;
    if (s->route && s->route != route) s->route_clash = 1;
    s->route = route;
}

static void set_dose(sig *s, double low, double high, range unit) {
    if (s->dose_low >= 0) {
        if (!s->dose_unit.end && unit.end && s->dose_low == low) s->dose_unit = unit;
        else if (s->dose_low != low || s->dose_high != high) s->dose_clash = 1;
        return;
    }
    s->dose_low = low, s->dose_high = high, s->dose_unit = unit;
}

/* --- numbers ------------------------------------------------------------------------------------------------------------ */

/* One place of a pattern: a number up to 99, or x for none. */
static double pattern_place(const sig *s, int64_t at, int64_t *end) {
    const cn_piece *p = piece(s, at);
    if (!p) return -1;
    if (p->kind == CN_LETTERS && p->end - p->start == 1 && ((s->text[p->start] | 32) == 'x' || (s->text[p->start] | 32) == 'o')) {
        *end = at + 1;
        return 0;
    }
    const double value = p->kind == CN_LETTERS ? -1 : number_at(s, at, end);
    return value > 99 ? -1 : value;
}

/* 1-0-1, 1+0+1, 1/2-0-1/2, 1-1-1-1. */
static int64_t read_pattern(sig *s, int64_t at) {
    double places[4];
    int count = 0, taken = 0;
    int64_t end = at, next;
    const cn_piece *before = at ? s->r->pieces + at - 1 : NULL;
    if (before && (before->sign == '/' || before->sign == '-') && before->end == s->r->pieces[at].start) return at;
    while (count < 4) {
        const double value = pattern_place(s, end, &next);
        if (value < 0) break;
        places[count++] = value;
        end = next;
        const cn_piece *p = piece(s, end);
        if (count == 4 || !p || (p->sign != '-' && p->sign != '+') || p->end - p->start > 3) break;
        end++;
    }
    const cn_piece *last = s->r->pieces + end - 1;
    if (count < 3 || last->sign == '-' || last->sign == '+') return at;
    double dose = -1;
    int equal = 1;
    for (int i = 0; i < count; i++) {
        if (places[i] == 0) continue;
        taken++;
        if (dose >= 0 && dose != places[i]) equal = 0;
        dose = places[i];
    }
    if (!taken) return at;
    set_frequency(&s->strong, taken, 1, UNIT_D);
    if (!equal) s->dose_clash = 1;
    else if (s->dose_low < 0) {
        int64_t unit_end;
        const range unit = kind_at(s, end, CN_DOSE_UNIT, &unit_end) ? (range){end, unit_end} : (range){0, 0};
        set_dose(s, dose, dose, unit);
        if (unit.end) end = unit_end;
    }
    s->found = 1;
    return end;
}

/* 3/7, 2/52, 1/12. */
static int64_t read_fraction_duration(sig *s, int64_t at) {
    static const struct { int32_t under, unit; } OVER[] = {{7, UNIT_D}, {52, UNIT_WK}, {12, UNIT_MO}};
    if (!is_numeral(s, at) || !is_at(s, at + 1, '/') || !is_numeral(s, at + 2)) return at;
    const double value = s->r->pieces[at].number;
    if (is_at(s, at + 3, '/') || value < 1 || value > 99 || value != (int32_t)value) return at;
    int64_t end;
    if (kind_at(s, at + 3, CN_STRENGTH_UNIT, &end) || kind_at(s, at + 3, CN_DOSE_UNIT, &end)) return at;
    for (size_t i = 0; i < 3; i++)
        if (s->r->pieces[at + 2].number == OVER[i].under) {
            set_duration(s, (int32_t)value, OVER[i].unit);
            s->found = 1;
            return at + 3;
        }
    return at;
}

/* 500 mg, 250 mg/5 ml, 50/500 mg, 1 %. */
static int64_t read_strength(sig *s, int64_t at) {
    int64_t end = at + 1, after;
    if (!is_numeral(s, at)) return at;
    while (is_at(s, end, '/') && is_numeral(s, end + 1)) end += 2;
    if (!kind_at(s, end, CN_STRENGTH_UNIT, &after)) return at;
    end = after;
    if (is_at(s, end, '/')) {
        const int64_t unit = end + 1 + (is_numeral(s, end + 1) ? 1 : 0);
        if (kind_at(s, unit, CN_STRENGTH_UNIT, &after) || kind_at(s, unit, CN_DOSE_UNIT, &after)) end = after;
    }
    if (!s->strength.end) s->strength = (range){at, end};
    s->found = 1;
    return end;
}

/* "3 times a day", "2 x daily"; "6 hourly", "6-8 hrly". */
static int64_t read_times(sig *s, int64_t at) {
    double high;
    int64_t end, after;
    const double low = range_at(s, at, &high, &end);
    if (low < 1 || high > 48) return at;
    const cn_phrase *p = kind_at(s, end, CN_TIMES, &after);
    if (p) {
        set_frequency(&s->strong, (int32_t)high, p->b, p->c);
        s->found = 1;
        return after;
    }
    if ((p = kind_at(s, end, CN_HOURLY, &after))) {
        set_frequency(&s->strong, 1, (int32_t)low, p->c);
        s->found = 1;
        return after;
    }
    return at;
}

/* A span of time: 5 days, 5-7 days (which says no one duration). */
static int64_t read_duration(sig *s, int64_t at, int announced) {
    double high;
    int64_t end, after;
    const double low = range_at(s, at, &high, &end);
    if (low < 0) return at;
    if (is_at(s, end, '-')) end++; /* 5-day course */
    const cn_phrase *p = kind_at(s, end, CN_TIME_UNIT, &after);
    if (!p || (!announced && p->c == UNIT_H)) return at;
    s->found = 1;
    if (p->c < UNIT_D || low != (int32_t)low || low > 999) return after;
    if (high != low) s->duration_clash = 1;
    set_duration(s, (int32_t)low, p->c);
    return after;
}

/* Whether a number is the end of a name: "Glycomet GP2", "Glimisave M1"; not that of "x1", "tab1". */
static int ends_a_name(sig *s, int64_t at) {
    if (at == 0 || !is_numeral(s, at)) return 0;
    const cn_piece *before = s->r->pieces + at - 1;
    int64_t after;
    return before->kind == CN_LETTERS && before->end == s->r->pieces[at].start &&
           cn_longest(s->r, CN_PRESCRIBE, at - 1, at, &after) < 0;
}

/* 1 tab, 1-2 puffs, 5 ml; a small number right before a frequency ("1 BD"). */
static int64_t read_dose(sig *s, int64_t at) {
    double high;
    int64_t end, after;
    if (ends_a_name(s, at)) return at;
    const double low = range_at(s, at, &high, &end);
    if (low < 0) return at;
    if (has_number(s, end) && s->r->pieces[at].kind == CN_LETTERS && s->r->pieces[end].number == low) end++; /* one 1 tablet */
    int64_t unit = end;
    const cn_piece *p = piece(s, unit);
    if (p && p->kind == CN_LETTERS && p->end - p->start == 1 && (s->text[p->start] | 32) == 'a') unit++; /* half a tablet */
    const cn_phrase *phrase = kind_at(s, unit, CN_DOSE_UNIT, &after);
    if (phrase) {
        if (at >= s->own_first && at < s->own_end && unit >= s->own_end) return unit; /* "Candid V6 pessary" */
        if (low > 0) set_dose(s, low, high, (range){unit, after});
        if (phrase->b) s->unit_route = phrase->b;
        if (phrase->a && !s->form) s->form = phrase->a;
        s->found = 1;
        return after;
    }
    if (is_numeral(s, at) && low > 0 && high <= 4 && (kind_at(s, end, CN_FREQUENCY, &after) || kind_at(s, end, CN_DAYPART, &after)) &&
        s->r->pieces[end].kind == CN_LETTERS) {
        set_dose(s, low, high, (range){0, 0});
        s->found = 1;
        return end;
    }
    return at;
}

/* --- phrases ---------------------------------------------------------------------------------------------------------------- */

/* "every 6 hours", "q6h", "every 3 months". */
static int64_t read_every(sig *s, int64_t after) {
    double high = 1;
    int64_t end = after, unit_end;
    double low = range_at(s, after, &high, &end);
    if (low < 0) low = 1, end = after;
    const cn_phrase *unit = kind_at(s, end, CN_TIME_UNIT, &unit_end);
    if (!unit || low < 1 || low > 999 || low != (int32_t)low) return after;
    if (unit->c) set_frequency(&s->strong, 1, (int32_t)low, unit->c);
    s->found = 1;
    return unit_end;
}

static void take_phrase(sig *s, const cn_phrase *p, int64_t at) {
    switch (p->kind) {
        case CN_FORM:
            if (at >= s->own_first && at < s->own_end && s->r->pieces[at].end - s->r->pieces[at].start == 1) break; /* T-bact */
            if (!s->form || at < s->own_end) s->form = s->form && at >= s->own_first ? s->form : p->a;
            if (p->b) s->form_route = s->form_route ? s->form_route : p->b;
            s->found = 1;
            break;
        case CN_FREQUENCY:
            set_frequency(p->d ? &s->weak : &s->strong, p->a, p->b, p->c);
            s->found = 1;
            break;
        case CN_DAYPART:
            s->dayparts |= p->a; /* "after dinner" is both */
            /* fall through */
        case CN_WHEN:
            if (p->b) s->when_clash |= s->when && s->when != p->b, s->when = p->b;
            s->found = 1;
            break;
        case CN_AS_NEEDED: s->as_needed = s->found = 1; break;
        case CN_ONCE: s->once = s->found = 1; break;
        case CN_ROUTE:
            set_route(s, p->b);
            s->found = 1;
            break;
        case CN_SECOND_PHASE: s->second_phase = s->found = 1; break;
        default: break;
    }
}

static int64_t read_number(sig *s, int64_t at) {
    static int64_t (*const READ[])(sig *, int64_t) = {read_pattern, read_fraction_duration, read_strength, read_times, read_dose};
    for (size_t i = 0; i < sizeof READ / sizeof *READ; i++) {
        const int64_t end = READ[i](s, at);
        if (end > at) return end;
    }
    if (s->r->pieces[at].kind == CN_LETTERS) return at;
    return read_duration(s, at, 0);
}

/* Reads from `at`; returns the piece after what was read, or -1 where the stretch ends. */
static int64_t read_at(sig *s, int64_t at) {
    const cn_piece *p = s->r->pieces + at;
    const int own = at >= s->own_first && at < s->own_end;
    if (p->inside && !own) return at + 1; /* the T of "T2DM" is no tablet */
    int64_t end;
    const cn_phrase *phrase = p->word > CN_YEAR_WORD ? phrase_at(s, at, &end) : NULL;
    if (!phrase && p->number >= 0) phrase = phrase_at(s, at, &end);
    if (phrase && phrase->kind != CN_NUMBER && phrase->kind != CN_DOSE_UNIT) {
        if (phrase->kind == CN_STOP) return own ? end : -1;
        if (phrase->kind == CN_FOR_DURATION) {
            const int64_t fraction = read_fraction_duration(s, end);
            if (fraction > end) return fraction;
            const int64_t after = read_duration(s, end, 1);
            if (after > end) return after;
            const int64_t pattern = read_pattern(s, at);
            return pattern > at ? pattern : end;
        }
        if (phrase->kind == CN_EVERY) return read_every(s, end);
        if (phrase->kind == CN_SKIP) return end;
        if (own && phrase->kind == CN_ROUTE && at > s->own_first && at + 1 < s->own_end) return end;
        take_phrase(s, phrase, at);
        return end;
    }
    if (p->number >= 0) {
        const int64_t after = read_number(s, at);
        return after > at ? after : at + 1;
    }
    if (own && (p->kind == CN_LETTERS) && kind_at(s, at, CN_DOSE_UNIT, &end) && s->r->phrases[row_at(s, at, &end)].a)
        s->form = s->form ? s->form : s->r->phrases[row_at(s, at, &end)].a, s->found = 1;
    else if (phrase && phrase->kind == CN_DOSE_UNIT && phrase->a) {
        if (!s->form) s->form = phrase->a;
        if (phrase->b) s->unit_route = phrase->b;
        s->found = 1;
        return end;
    }
    return at + 1;
}

/* --- the stretch ---------------------------------------------------------------------------------------------------------------- */

/* Words that may lead up to a treatment: form, route, a dose with "of". */
static int64_t lead_of(const cn_reader_t *r, const cn_span *span, int64_t floor) {
    int64_t start = span->first, end;
    for (int64_t at = span->first - 1; at >= floor && span->first - at <= MAX_LEAD; at--) {
        const cn_piece *p = r->pieces + at;
        if (p->segment != r->pieces[span->first].segment || p->inside) break;
        if (p->sign == '.' || p->sign == '/' || p->sign == '-') continue;
        if (p->number >= 0 && start > at) { /* a number only before a unit that is part of the lead already */
            if (start != at + 1 && !(start == at + 2 && p[1].sign != '.')) break;
            start = at;
            continue;
        }
        int fits = 0;
        for (int32_t row = cn_longest(r, CN_PRESCRIBE, at, span->first, &end); row >= 0 && !fits; row = r->phrases[row].next) {
            const int32_t kind = r->phrases[row].kind;
            /* "Plt 60k. Inj X": a measure that ends a sentence is no measure of what the next one names. */
            if ((kind == CN_STRENGTH_UNIT || kind == CN_DOSE_UNIT) && end < span->first && r->pieces[end].sign == '.' && r->pieces[end].end < r->pieces[end + 1].start && start == end + 1) continue;
            fits = kind == CN_FORM || kind == CN_ROUTE || kind == CN_DOSE_UNIT || kind == CN_LEAD || kind == CN_STRENGTH_UNIT;
        }
        if (!fits || (at > floor && p->end - p->start == 1 && p[-1].sign == '/')) break; /* the t of "d/t" */
        start = at;
    }
    return start;
}

static int goes_on_here(sig *s, int64_t at) {
    int64_t end;
    const cn_piece *p = s->r->pieces + at;
    if (p->inside) return 0;
    if (p->kind == CN_NUMERAL && at + 1 < s->end && (p[1].sign == '.' || p[1].sign == ')') && p[1].start == p->end) return 0;
    if (p->number >= 0) return 1;
    const cn_phrase *phrase = phrase_at(s, at, &end);
    return phrase && phrase->kind != CN_STOP && phrase->kind != CN_SKIP && phrase->kind != CN_FORM;
}

/* Ends the stretch at a disease that the treatment is not for, and at a line or sentence that begins something else. */
static int ends_here(sig *s, int64_t at, int64_t start) {
    const cn_piece *p = s->r->pieces + at;
    if (at == start || (at >= s->own_first && at < s->own_end)) return 0;
    if (p->segment != p[-1].segment && at > s->own_end - 1) {
        if (p->line > p[-1].line + 1) return 1;
        return !goes_on_here(s, at);
    }
    if (p->inside && p->inside != p[-1].inside) {
        int64_t end;
        const cn_piece *before = p - 1;
        const int is_for = before->kind == CN_LETTERS && (kind_at(s, at - 1, CN_FOR_DURATION, &end) || kind_at(s, at - 1, CN_AS_NEEDED, &end) ||
                                                          kind_at(s, at - 1, CN_GOES_ON, &end));
        return !is_for && !(before->inside || (s->r->roles[before->word] & CN_IS_CONJUNCTION));
    }
    return 0;
}

/* --- the row ------------------------------------------------------------------------------------------------------------------------ */

static void add_code_point(cn_buffer *out, uint32_t c) {
    char bytes[4];
    size_t size = 1;
    c = cn_lower_of(c);
    if (c < 0x80) bytes[0] = (char)c;
    else if (c < 0x800) bytes[0] = (char)(0xC0 | c >> 6), bytes[1] = (char)(0x80 | (c & 63)), size = 2;
    else if (c < 0x10000) bytes[0] = (char)(0xE0 | c >> 12), bytes[1] = (char)(0x80 | (c >> 6 & 63)), bytes[2] = (char)(0x80 | (c & 63)), size = 3;
    else bytes[0] = (char)(0xF0 | c >> 18), bytes[1] = (char)(0x80 | (c >> 12 & 63)), bytes[2] = (char)(0x80 | (c >> 6 & 63)), bytes[3] = (char)(0x80 | (c & 63)), size = 4;
    cn_buffer_add(out, bytes, size);
}

/* The stop that ends a sentence ("40 mg.") is no part of a unit; those of "i.u." are. */
static int64_t end_of_unit(const sig *s, range of) {
    const cn_piece *p = s->r->pieces;
    const int stops = of.end - of.first > 1 && p[of.end - 1].sign == '.' && (of.end - of.first < 3 || p[of.end - 3].sign != '.');
    return of.end - stops;
}

/* "500mg" as "500 mg", "60,000 IU" as "60000 iu", "250 mg / 5 ml" as "250 mg/5ml". */
static void write_strength(sig *s, cn_buffer *out) {
    int unit_seen = 0;
    for (int64_t at = s->strength.first, end = end_of_unit(s, s->strength); at < end; at++) {
        const cn_piece *p = s->r->pieces + at;
        if (p->kind != CN_NUMERAL && p->sign != '/' && !unit_seen++) cn_buffer_add(out, " ", 1);
        for (int32_t c = p->start; c < p->end; c++)
            if (s->text[c] != ',') add_code_point(out, s->text[c]);
    }
}

static void write_number(double value, cn_buffer *out) {
    char text[32];
    if (value >= 0 && value < 10) { /* nearly always 1 or 2, or a half */
        const int tenths = (int)(value * 10 + 0.5), whole = tenths / 10;
        if (tenths % 10 == 0 && value == whole) {
            text[0] = (char)('0' + whole);
            cn_buffer_add(out, text, 1);
            return;
        }
    }
    const int size = snprintf(text, sizeof text, "%.10g", (double)(int64_t)(value * 1000 + 0.5) / 1000);
    cn_buffer_add(out, text, (size_t)size);
}

static void write_dose(sig *s, cn_buffer *out) {
    if (s->dose_low < 0 || s->dose_clash) return;
    write_number(s->dose_low, out);
    if (s->dose_high != s->dose_low) {
        cn_buffer_add(out, "-", 1);
        write_number(s->dose_high, out);
    }
    for (int64_t at = s->dose_unit.first, end = end_of_unit(s, s->dose_unit); at < end; at++) {
        const cn_piece *p = s->r->pieces + at;
        cn_buffer_add(out, " ", 1);
        for (int32_t c = p->start; c < p->end; c++) add_code_point(out, s->text[c]);
    }
}

static frequency settled(const sig *s) {
    if (s->second_phase || s->strong.clash) return (frequency){0, 0, 0, 0, 0};
    if (s->strong.known) return s->strong;
    if (s->once) return (frequency){0, 0, 0, 0, 0};
    const int parts = __builtin_popcount((unsigned)s->dayparts);
    if (s->weak.known && (s->weak.unit != UNIT_D || s->weak.period != 1 || parts < 2)) return s->weak;
    return parts ? (frequency){parts, 1, UNIT_D, 1, 0} : s->weak;
}

static int write_row(sig *s, cn_reader_t *r, int64_t entity) {
    const frequency f = settled(s);
    const int32_t route = s->route_clash ? 0 : s->route ? s->route : s->form_route ? s->form_route : s->unit_route;
    const int duration = s->duration && !s->duration_clash && !s->second_phase;
    const int32_t when = s->when_clash ? 0 : s->when;
    const int dose = s->dose_low >= 0 && !s->dose_clash;
    if (!f.known && !route && !duration && !when && !dose && !s->form && !s->strength.end && !s->as_needed) return 0;
    int32_t *row = cn_new_row(&r->prescriptions, CN_PRESCRIPTION_FIELDS);
    if (!row) return CN_NO_MEMORY;
    row[0] = (int32_t)entity;
    row[1] = s->form;
    if (f.known) row[2] = f.times, row[3] = f.period, row[4] = f.unit;
    row[5] = when;
    row[6] = s->as_needed;
    if (duration) row[7] = s->duration, row[8] = s->duration_unit;
    row[9] = route;
    row[10] = s->strength.end || dose;
    if (!row[10]) return 0;
    write_strength(s, &r->texts);
    cn_buffer_add(&r->texts, "\n", 1);
    write_dose(s, &r->texts);
    cn_buffer_add(&r->texts, "\n", 1);
    return r->texts.failed ? CN_NO_MEMORY : 0;
}

static int64_t next_treatment(const cn_reader_t *r, int64_t entity) {
    for (int64_t next = entity + 1; next < r->n_spans; next++)
        if (r->spans[next].class == TREATMENT && r->spans[next].first <= r->spans[next].last && r->spans[next].first > r->spans[entity].last)
            return next;
    return -1;
}

int cn_prescribe(cn_reader_t *r, const uint32_t *text, int64_t first_entity) {
    int64_t floor = 0, known_lead = -1; /* of the next treatment */
    for (int64_t entity = 0; entity < r->n_spans; entity++) {
        const cn_span *span = r->spans + entity;
        if (span->class != TREATMENT || span->first > span->last) continue;
        const int64_t start = known_lead >= floor ? known_lead : lead_of(r, span, floor), next = next_treatment(r, entity);
        int64_t end = next < 0 ? r->n : lead_of(r, r->spans + next, span->last + 1);
        known_lead = next == entity + 1 ? end : -1;
        if (end > span->last + MAX_STRETCH) end = span->last + MAX_STRETCH;
        if (end <= span->last) end = span->last + 1;
        sig s = {.r = r, .text = text, .end = end, .own_first = span->first, .own_end = span->last + 1, .dose_low = -1, .dose_high = -1, .looked_up = {{-1, 0, 0, -1}, {-1, 0, 0, -1}}};
        int64_t at = start;
        while (at >= 0 && at < end && !s.second_phase && !ends_here(&s, at, start)) {
            const int64_t after = read_at(&s, at);
            if (after < 0) break;
            for (int64_t skipped = at + 1; skipped < after && skipped < end; skipped++)
                if (skipped > span->last && r->pieces[skipped].inside) end = skipped;
            at = after;
        }
        floor = at > span->last ? at : span->last + 1;
        if (write_row(&s, r, first_entity + entity)) return CN_NO_MEMORY;
    }
    return 0;
}
