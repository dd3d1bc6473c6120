/* The tokeniser: every white space separates, and between two other characters a rule says cut or glue. Tokens so
 * cover every character that is not white space, in order, whatever the text is. */
#include "features.h"

typedef struct {
    const uint32_t *text;
    int64_t length;
} view;

/* Class of the character at `at`, CN_SPACE outside the text. */
static inline uint8_t class_at(view v, int64_t at) {
    return at < 0 || at >= v.length ? CN_SPACE : cn_class_of(v.text[at]);
}
static inline uint32_t char_at(view v, int64_t at) { return at < 0 || at >= v.length ? ' ' : v.text[at]; }
static inline int is_letter(uint8_t class) { return class >= CN_UPPER && class <= CN_LETTER; }
static inline int is_word_class(uint8_t class) { return class >= CN_UPPER && class <= CN_DIGIT; }
static inline int is_word(view v, int64_t at) { return is_word_class(class_at(v, at)) || char_at(v, at) == '_'; }
static inline int is_digit(view v, int64_t at) { return class_at(v, at) == CN_DIGIT; }
static inline int is_letter_at(view v, int64_t at) { return is_letter(class_at(v, at)); }

static int is_hyphen(uint32_t c) { return c == '-' || (c >= 0x2010 && c <= 0x2013) || c == 0x2212; }

/* Letters in a row from `at` in direction `step`, counted to 3 at most. */
static int letters_from(view v, int64_t at, int step) {
    int count = 0;
    while (count < 3 && is_letter_at(v, at)) count++, at += step;
    return count;
}

static int all_upper(view v, int64_t at, int step, int count) {
    for (int i = 0; i < count; i++, at += step)
        if (class_at(v, at) != CN_UPPER) return 0;
    return 1;
}

enum { APART = 0, GLUE_LEFT = 1, GLUE_RIGHT = 2, GLUE_BOTH = 3 };

static int glue_hyphen(view v, int64_t at) {
    uint32_t before = char_at(v, at - 1);
    int word_before = is_word(v, at - 1), word_after = is_word(v, at + 1);
    if (before == '/' && !word_after) return GLUE_LEFT; /* +/- */
    if (word_before && char_at(v, at + 1) == '/') return GLUE_BOTH; /* p53-/- */
    if ((word_before || before == '+' || before == '/' || before == '.') && word_after) return GLUE_BOTH;
    if (!word_before && word_after) { /* -induced and -5, but not the bullet of -Fever */
        uint8_t class = class_at(v, at + 1);
        return class == CN_LOWER || class == CN_DIGIT ? GLUE_RIGHT : APART;
    }
    return APART;
}

/* b.d. and i.e. keep their last dot; a lone initial keeps it when a small letter follows (E. coli). */
static int glue_last_dot(view v, int64_t at) {
    if (!is_letter_at(v, at - 1)) return APART;
    if (char_at(v, at - 2) == '.' && is_letter_at(v, at - 3)) return GLUE_LEFT;
    if (is_word(v, at - 2) || class_at(v, at - 2) != CN_SPACE) return APART;
    int64_t next = at + 1;
    while (next < v.length && next < at + 3 && class_at(v, next) == CN_SPACE) next++;
    return class_at(v, at - 1) == CN_UPPER && class_at(v, next) == CN_LOWER ? GLUE_LEFT : APART;
}

static int glue_dot(view v, int64_t at) {
    int digit_after = is_digit(v, at + 1), letter_after = is_letter_at(v, at + 1);
    if (is_digit(v, at - 1)) return digit_after ? GLUE_BOTH : APART;
    if (!is_word(v, at - 1)) return digit_after ? GLUE_RIGHT : APART; /* .05 */
    if (digit_after) return letters_from(v, at - 1, -1) < 2 ? GLUE_BOTH : APART;
    if (!letter_after) return glue_last_dot(v, at);
    int left = letters_from(v, at - 1, -1), right = letters_from(v, at + 1, 1);
    if (left >= 3 && right >= 3) return APART; /* fever.Patient */
    if (left >= 2 && class_at(v, at - 1) == CN_LOWER && class_at(v, at + 1) == CN_UPPER) return APART;
    return GLUE_BOTH; /* b.d, i.e, U.S */
}

/* Capitals on both sides, a digit among them or not: HTN/DM, DM2/HTN, DM/T2DM, but neither SpO2/FiO2 nor 4G/5G. */
static int two_abbreviations(view v, int64_t at) {
    int64_t left = at - 1, right = at + 1;
    for (int i = 0; i < 2 && is_digit(v, left); i++) left--;
    if (is_digit(v, right + 1) && is_letter_at(v, right + 2) && class_at(v, right) == CN_UPPER) right += 2;
    int before = letters_from(v, left, -1), after = letters_from(v, right, 1);
    return before >= 2 && after >= 2 && all_upper(v, left, -1, before) && all_upper(v, right, 1, after);
}

/* mg/dl, k/c/o and 2/7 stay whole; cisplatin/etoposide and HTN/DM are two words. */
static int glue_slash(view v, int64_t at) {
    uint32_t before = char_at(v, at - 1), after = char_at(v, at + 1);
    if (is_hyphen(before) || before == '+' || is_hyphen(after) || after == '+') return GLUE_BOTH;
    if (!is_word(v, at - 1) || !is_word(v, at + 1)) return APART;
    int left = letters_from(v, at - 1, -1), right = letters_from(v, at + 1, 1);
    if (left >= 3 && right >= 3) return APART;
    return two_abbreviations(v, at) ? APART : GLUE_BOTH;
}

static int glue_plus(view v, int64_t at) {
    int word_before = is_word(v, at - 1), word_after = is_word(v, at + 1);
    if (char_at(v, at + 1) == '/') return word_before ? GLUE_BOTH : GLUE_RIGHT; /* +/- */
    if (word_before && word_after) return is_digit(v, at - 1) || is_digit(v, at + 1) ? GLUE_BOTH : APART;
    if (word_before) return GLUE_LEFT; /* Ca2+ */
    return word_after && char_at(v, at - 1) != '/' ? GLUE_RIGHT : APART; /* +ve */
}

static int glue_apostrophe(view v, int64_t at) {
    uint32_t after = cn_lower_of(char_at(v, at + 1));
    if (!is_word(v, at - 1)) return APART;
    if (after == 's' && !is_word(v, at + 2)) return GLUE_RIGHT; /* Crohn 's */
    return is_word(v, at + 1) ? GLUE_BOTH : APART;
}

/* A number ends before `at`: its digits (12 of them are looked at) do not belong to a word such as SpO2. */
static int number_before(view v, int64_t at) {
    int64_t digit = at - 1;
    while (digit > at - 13 && is_digit(v, digit)) digit--;
    return digit < at - 1 && !is_letter_at(v, digit);
}

static int glue_between(int fits) { return fits ? GLUE_BOTH : APART; }

/* How the character at `at` holds to its neighbours. */
static int glue(view v, int64_t at) {
    uint32_t c = v.text[at];
    uint8_t class = cn_class_of(c);
    if (is_word_class(class) || c == '_') return GLUE_BOTH;
    if (class == CN_SPACE || class == CN_OTHER || char_at(v, at - 1) == c || char_at(v, at + 1) == c) return APART;
    if (is_hyphen(c)) return glue_hyphen(v, at);
    switch (c) {
        case '.': return glue_dot(v, at);
        case '/': return glue_slash(v, at);
        case '+': return glue_plus(v, at);
        case '\'':
        case 0x2019: return glue_apostrophe(v, at);
        case ',':
        case ':':
        case '*':
        case '^':
        case 0xD7: return glue_between(number_before(v, at) && is_digit(v, at + 1));
        case 0xB0: return glue_between(is_digit(v, at - 1) && is_letter_at(v, at + 1));
        case '&':
            return glue_between(letters_from(v, at - 1, -1) == 1 && letters_from(v, at + 1, 1) == 1);
        default: return APART;
    }
}

static const char *const ABBREVIATIONS[] = {"tab",  "cap", "inj", "syp", "syr", "dr",  "mr",  "mrs", "ms",   "prof",
                                            "vs",   "no",  "nos", "st",  "fig", "et",  "al",  "approx", "dept", "pt",
                                            "sp",   "spp", "inc", "oint", "susp", "wt", "temp", "resp", "ref", "viz"};

static int is_abbreviation(const uint32_t *word, int64_t length) {
    for (size_t i = 0; i < sizeof ABBREVIATIONS / sizeof *ABBREVIATIONS; i++) {
        const char *known = ABBREVIATIONS[i];
        int64_t at = 0;
        while (at < length && known[at] && cn_lower_of(word[at]) == (uint32_t)known[at]) at++;
        if (at == length && !known[at]) return 1;
    }
    return 0;
}

typedef struct {
    int32_t before_start, start, end, next; /* the token before, the token, and the start of the next one */
} place;

/* Line ends between two tokens: 0, 1 or 2 (a blank line). */
static int line_ends(view v, int32_t from, int32_t to) {
    int count = 0;
    for (int32_t at = from; at < to && count < 2; at++) {
        uint32_t c = v.text[at];
        count += c == '\n' || c == 0x2028 || c == 0x2029 || (c == '\r' && char_at(v, at + 1) != '\n');
    }
    return count;
}

static int ends_sentence(view v, place p) {
    uint32_t c = v.text[p.start];
    if (c == 0x0964 || c == 0x0965 || c == 0x3002) return 1;
    if ((c != '.' && c != '!' && c != '?') || p.end - p.start > 3) return 0;
    if (class_at(v, p.next) == CN_LOWER || v.text[p.end - 1] != c) return 0;
    if (c != '.') return 1;
    int64_t length = p.start - p.before_start;
    return !(length > 0 && length <= 6 && is_abbreviation(v.text + p.before_start, length));
}

static int begins_line(view v, place p) {
    uint8_t class = class_at(v, p.next);
    uint32_t last = v.text[p.end - 1];
    if (class == CN_UPPER || class == CN_DIGIT || class == CN_SYMBOL) return 1;
    if (class == CN_PUNCTUATION && char_at(v, p.next) != '(') return 1;
    return last == '.' || last == ':' || last == ';' || last == '!' || last == '?';
}

static int begins_sentence(view v, place p) {
    int lines = line_ends(v, p.end, p.next);
    if (lines == 2 || (lines == 1 && begins_line(v, p))) return 1;
    return ends_sentence(v, p);
}

/* The usual case, seen at a glance: after a letter or digit and at most one blank, the sentence goes on. */
static inline int goes_on(view v, int32_t end, int32_t start, int64_t so_far) {
    const int close = start == end || (start == end + 1 && v.text[end] == ' ');
    return close && so_far < CN_MAX_SENTENCE_TOKENS && is_word_class(cn_class_of(v.text[end - 1]));
}

static void mark_sentences(view v, const int32_t *starts, const int32_t *ends, uint8_t *begins, int64_t count) {
    int64_t first = 0;
    for (int64_t i = 0; i < count; i++) {
        begins[i] = i == 0;
        if (i == 0 || goes_on(v, ends[i - 1], starts[i], i - first)) continue;
        place p = {i > 1 && ends[i - 2] == starts[i - 1] ? starts[i - 2] : starts[i - 1], starts[i - 1], ends[i - 1],
                   starts[i]};
        begins[i] = i - first >= CN_MAX_SENTENCE_TOKENS || begins_sentence(v, p);
        if (begins[i]) first = i;
    }
}

int64_t cn_tokenise(const uint32_t *text, int64_t length, int32_t *starts, int32_t *ends, uint8_t *begins) {
    view v = {text, length};
    int64_t count = 0;
    int holds = APART, inside = 0;
    if (length < 0 || length > INT32_MAX) return CN_BAD_ARGUMENT;
    for (int64_t at = 0; at < length; at++) {
        const uint8_t class = cn_class_of(text[at]);
        if (is_word_class(class) && inside && (holds & GLUE_RIGHT)) { /* most characters go on with a word */
            holds = GLUE_BOTH;
            for (int run = 8; run == 8 && at + 9 <= length; at += run) run = cn_run_of(cn_eight(text + at + 1), 1);
            continue;
        }
        if (class == CN_SPACE) {
            if (inside) ends[count++] = (int32_t)at;
            inside = 0;
            continue;
        }
        int now = glue(v, at);
        if (inside) {
            int run = holds == APART && now == APART && text[at] == text[at - 1];
            if (!run && !((holds & GLUE_RIGHT) && (now & GLUE_LEFT))) {
                ends[count++] = (int32_t)at;
                starts[count] = (int32_t)at;
            }
        } else {
            starts[count] = (int32_t)at;
        }
        inside = 1;
        holds = now;
    }
    if (inside) ends[count++] = (int32_t)length;
    mark_sentences(v, starts, ends, begins, count);
    return count;
}
