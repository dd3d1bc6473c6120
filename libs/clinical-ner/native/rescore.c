/* Rescoring: what each candidate looks like beside the others of its sentence, how often such ones were right in training
 * (boosted trees of at most eight leaves), and the choice of those that are right together. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { NEARBY = 64 }; /* candidates before and after that one is compared with */

/* --- words and names --------------------------------------------------------------------------------------------- */

uint64_t cn_phrase_step(uint64_t key, uint64_t word) {
    key = (key ^ word) * 0x9fb21c651e98df25ull;
    key ^= key >> 29;
    return key ? key : 1;
}

static int is_word(const uint32_t *word, int64_t length, const char *text) {
    int64_t i = 0;
    while (i < length && text[i] && cn_lower_of(word[i]) == (uint32_t)(unsigned char)text[i]) i++;
    return i == length && !text[i];
}

static int is_one_of(const uint32_t *word, int64_t length, const char *const *texts) {
    for (; *texts; texts++)
        if (is_word(word, length, *texts)) return 1;
    return 0;
}

static uint64_t singular_of(const uint32_t *word, int64_t length) {
    const int cut = length > 4 && cn_lower_of(word[length - 1]) == 's';
    return cn_word_key(word, length - cut, 1);
}

static uint64_t shape_flags(const uint32_t *word, int64_t length) {
    uint64_t upper = 0, lower = 0, hyphens = 0, open = 0;
    for (int64_t i = 0; i < length; i++) {
        const uint8_t class = cn_class_of(word[i]);
        upper |= class == CN_UPPER;
        lower |= class == CN_LOWER;
        hyphens += word[i] == '-' && hyphens < 15;
        open |= word[i] == '(';
    }
    return (upper && !lower ? CN_LOOK_UPPER : 0) | (cn_class_of(word[0]) == CN_DIGIT ? CN_LOOK_DIGIT : 0) |
           (length <= 2 ? CN_LOOK_SHORT : 0) | (open ? CN_LOOK_HOLDS_OPEN : 0) | hyphens << CN_LOOK_HYPHENS;
}

static uint8_t flags_of(const cn_rescorer *r, uint64_t key) {
    const int64_t found = r->n_names ? cn_table_find(&r->names, key) : -1;
    return found < 0 ? 0 : r->name_flags[found];
}

/* What the columns ask of a word, computed when it is first met. */
uint64_t cn_word_look(const cn_rescorer *r, const uint32_t *word, int64_t length, uint64_t *low, uint64_t *singular) {
    static const char *const FUNCTION[] = {"the", "a", "an", "of", "in", "with", NULL}, *const JOINS[] = {"and", "or", NULL};
    *low = cn_word_key(word, length, 1);
    *singular = singular_of(word, length);
    uint64_t look = shape_flags(word, length);
    if (is_one_of(word, length, FUNCTION)) look |= CN_LOOK_FUNCTION;
    if (is_one_of(word, length, JOINS)) look |= CN_LOOK_JOINS;
    if (is_word(word, length, "(")) look |= CN_LOOK_OPEN;
    if (is_word(word, length, ")")) look |= CN_LOOK_CLOSE;
    const uint64_t itself = flags_of(r, cn_phrase_step(CN_PHRASE, *low)), one = flags_of(r, cn_phrase_step(CN_PHRASE, *singular));
    look |= ((itself | one) >> CN_NAME_LAST & 3) << CN_LOOK_LAST;
    look |= (itself >> CN_NAME_FIRST & 3) << CN_LOOK_FIRST;
    return look;
}

uint64_t cn_phrase_key(const uint32_t *text, const int32_t *starts, const int32_t *ends, int64_t n) {
    uint64_t key = CN_PHRASE;
    for (int64_t i = 0; i < n; i++) key = cn_phrase_step(key, cn_word_key(text + starts[i], ends[i] - starts[i], 1));
    return key;
}

/* --- columns ----------------------------------------------------------------------------------------------------- */

typedef struct {
    double sum[2], best[2];
} totals;

/* A sentence: its decoded words, and where its candidates are. */
typedef struct {
    const int32_t *ids;
    const double *mass;
    int64_t n, first, end;
    totals totals;
} sentence;

static totals add_up(const cn_rescorer *r, int64_t first, int64_t end) {
    totals t = {{0}, {0}};
    for (int64_t k = first; k < end; k++) {
        const cn_candidate *c = &r->candidates[k];
        t.sum[c->class] += c->probability;
        if (c->probability > t.best[c->class]) t.best[c->class] = c->probability;
    }
    return t;
}

#define X(column) x[(column) * CN_BLOCK]

#define LOOK(token) cn_look(m, s->ids[token])

/* An abbreviation in brackets behind a likely span of its class, or such a span before its abbreviation: which is looked at
 * in `other`. */
static int is_bracket_of(const cn_candidate *c, const cn_candidate *other, int opens_after, int inside_brackets) {
    if (other->class != c->class) return 0;
    if (opens_after) return other->first == c->last + 2 && other->last == c->last + 2;
    return inside_brackets && other->last == c->first - 2;
}

static void compare_with_others(const cn_model *m, const sentence *s, int64_t k, float *x) {
    const cn_rescorer *r = m->rescorer;
    const cn_candidate *c = &r->candidates[k];
    const int closes = c->last + 1 < s->n && LOOK(c->last + 1) & CN_LOOK_CLOSE;
    const int opens_after = c->last + 3 < s->n && LOOK(c->last + 1) & CN_LOOK_OPEN && LOOK(c->last + 3) & CN_LOOK_CLOSE;
    const int inside = c->first > 0 && closes && LOOK(c->first - 1) & CN_LOOK_OPEN;
    const int64_t from = k - NEARBY > s->first ? k - NEARBY : s->first, to = k + NEARBY < s->end ? k + NEARBY : s->end - 1;
    double rivals = 0, best_rival = 0, own = c->probability, same = 0, bracket = 0, near[4] = {0};
    for (int64_t i = from; i <= to; i++) {
        const cn_candidate *o = &r->candidates[i];
        const double p = o->probability;
        if (i == k) continue;
        if (o->first > c->last || o->last < c->first) {
            if (o->class == c->class && o->key == c->key && p > same) same = p;
            if (is_bracket_of(c, o, opens_after, inside) && p > bracket) bracket = p;
            continue;
        }
        rivals += p;
        best_rival = p > best_rival ? p : best_rival;
        if (o->class != c->class) continue;
        own += p;
        const int left = o->first - c->first, right = o->last - c->last;
        if (right == 0 && left == -1) near[0] = p;
        if (left == 0 && right == 1) near[1] = p;
        if (right == 0 && left == 1) near[2] = p;
        if (left == 0 && right == -1) near[3] = p;
    }
    X(CN_X_RIVALS) = (float)rivals;
    X(CN_X_BEST_RIVAL) = (float)best_rival;
    X(CN_X_SHARE) = (float)(c->probability / (c->probability + best_rival + 1e-3));
    for (int i = 0; i < 4; i++) X(CN_X_LONGER_LEFT + i) = (float)near[i];
    X(CN_X_OTHERS) = (float)(s->totals.sum[c->class] - own);
    X(CN_X_SAME_STRING) = (float)same;
    X(CN_X_BRACKETED) = (float)(opens_after || inside ? bracket - 0.5 : 0);
}

#define MASS(token) ((float)s->mass[((token) * 2 + c->class) * CN_LANES])

static void weigh(const sentence *s, const cn_candidate *c, float *x) {
    const int64_t n = s->n;
    const totals *t = &s->totals;
    float sum = 0;
    for (int32_t token = c->first; token <= c->last; token++) sum += MASS(token);
    X(CN_X_LOG_ODDS) = (float)log((c->probability + 1e-3) / (1 - c->probability + 1e-3));
    X(CN_X_PROBABILITY) = (float)c->probability;
    X(CN_X_LENGTH) = (float)(c->last - c->first + 1);
    X(CN_X_CLASS) = (float)c->class;
    X(CN_X_CLASS_SUM) = (float)t->sum[c->class];
    X(CN_X_CLASS_BEST) = (float)t->best[c->class];
    X(CN_X_OTHER_SUM) = (float)t->sum[1 - c->class];
    X(CN_X_OTHER_BEST) = (float)t->best[1 - c->class];
    X(CN_X_SENTENCE) = (float)n;
    X(CN_X_PLACE) = (float)c->first / (float)n;
    X(CN_X_MASS) = sum / (float)(c->last - c->first + 1);
    X(CN_X_MASS_FIRST) = MASS(c->first);
    X(CN_X_MASS_LAST) = MASS(c->last);
    X(CN_X_MASS_BEFORE) = c->first > 0 ? MASS(c->first - 1) : 0;
    X(CN_X_MASS_AFTER) = c->last + 1 < n ? MASS(c->last + 1) : 0;
}

static void look(const cn_model *m, const sentence *s, const cn_candidate *c, float *x) {
    const uint64_t first = LOOK(c->first), last = LOOK(c->last);
    uint64_t hyphens = 0, all = 0;
    for (int32_t token = c->first; token <= c->last; token++) {
        hyphens += LOOK(token) >> CN_LOOK_HYPHENS & 15;
        all |= token > c->first && token < c->last ? LOOK(token) : LOOK(token) & ~(uint64_t)CN_LOOK_JOINS;
    }
    X(CN_X_UPPER) = (first & CN_LOOK_UPPER) != 0;
    X(CN_X_ABBREVIATION) = c->first == c->last && first & CN_LOOK_UPPER;
    X(CN_X_FUNCTION_WORD) = (first & CN_LOOK_FUNCTION) != 0;
    X(CN_X_DIGIT) = (first & CN_LOOK_DIGIT) != 0;
    X(CN_X_HYPHENS) = (float)hyphens;
    X(CN_X_OPENS) = (all & CN_LOOK_HOLDS_OPEN) != 0;
    X(CN_X_JOINS) = (all & CN_LOOK_JOINS) != 0;
    X(CN_X_SHORT_LAST) = (last & CN_LOOK_SHORT) != 0;
}

/* Flags of the name that tokens first..last spell, in the plural too. */
static unsigned name_at(const cn_model *m, const sentence *s, int64_t first, int64_t last) {
    uint64_t key = CN_PHRASE;
    for (int64_t token = first; token < last; token++) key = cn_phrase_step(key, cn_low_key(m, s->ids[token]));
    const uint64_t low = cn_low_key(m, s->ids[last]), singular = cn_singular_key(m, s->ids[last]);
    unsigned flags = flags_of(m->rescorer, cn_phrase_step(key, low));
    if (singular != low) flags |= flags_of(m->rescorer, cn_phrase_step(key, singular));
    return flags;
}

static int is_name(unsigned flags, int class) { return flags >> (CN_NAME + class) & 1; }

static double share_of_name(const cn_model *m, const sentence *s, const cn_candidate *c, unsigned whole) {
    const int length = c->last - c->first + 1;
    if (is_name(whole, c->class)) return 1;
    for (int size = length - 1; size > 0; size--)
        for (int64_t first = c->first; first + size - 1 <= c->last; first++)
            if (is_name(name_at(m, s, first, first + size - 1), c->class)) return (double)size / length;
    return 0;
}

static int is_part_of_name(const cn_model *m, const sentence *s, const cn_candidate *c) {
    for (int more = 1; more <= 2; more++) {
        if (c->first - more >= 0 && is_name(name_at(m, s, c->first - more, c->last), c->class)) return 1;
        if (c->last + more < s->n && is_name(name_at(m, s, c->first, c->last + more), c->class)) return 1;
    }
    return 0;
}

static void look_up(const cn_model *m, const sentence *s, const cn_candidate *c, float *x) {
    const unsigned whole = name_at(m, s, c->first, c->last);
    const uint64_t first = LOOK(c->first), last = LOOK(c->last);
    for (int side = 0; side < 2; side++) {
        const int class = side ? 1 - c->class : c->class, at = side ? CN_X_OTHER_NAME : CN_X_NAME;
        X(at) = (float)is_name(whole, class);
        X(at + 1) = (float)(last >> (CN_LOOK_LAST + class) & 1);
        X(at + 2) = (float)(first >> (CN_LOOK_FIRST + class) & 1);
    }
    X(CN_X_NAME_INSIDE) = (float)share_of_name(m, s, c, whole);
    X(CN_X_NAME_LONGER) = (float)is_part_of_name(m, s, c);
}

void cn_describe(cn_model *m, const cn_sequence *q, const cn_decoded *d) {
    const cn_rescorer *r = m->rescorer;
    const int64_t first = q->first_span, end = first + q->n_spans;
    const sentence s = {d->ids, d->mass, d->n, first, end, add_up(r, first, end)};
    for (int64_t k = first; k < end; k++) {
        float *x = r->x + k / CN_BLOCK * CN_BLOCK * CN_COLUMNS + k % CN_BLOCK;
        const cn_candidate *c = &r->candidates[k];
        weigh(&s, c, x);
        compare_with_others(m, &s, k, x);
        look(m, &s, c, x);
        if (r->n_names) look_up(m, &s, c, x);
        else
            for (int column = CN_X_NAME; column < CN_COLUMNS; column++) X(column) = 0;
    }
}

/* --- trees ------------------------------------------------------------------------------------------------------- */

typedef float values __attribute__((vector_size(CN_BLOCK * sizeof(float))));
typedef int32_t masks __attribute__((vector_size(CN_BLOCK * sizeof(int32_t))));

/* Each node that sends a candidate to the right takes the leaves of its left side away; the first that is left is the leaf.
 * No branch depends on a candidate, and CN_BLOCK of them, whatever their sentences, go together. */
static inline __attribute__((always_inline)) void climb_with(const cn_rescorer *r, const float *x, double *sums) {
    for (int i = 0; i < CN_BLOCK; i++) sums[i] = r->base;
    const int32_t *columns = r->columns, *kept = r->masks;
    const float *thresholds = r->thresholds;
    const double *leaf_values = r->leaves;
    for (int32_t tree = 0; tree < r->n_trees; tree++, leaf_values += CN_TREE_LEAVES) {
        masks leaves = (masks){0} + (1 << CN_TREE_LEAVES) - 1;
        for (int node = 0; node < CN_TREE_NODES; node++, columns++, thresholds++, kept++) {
            values value;
            memcpy(&value, x + *columns * CN_BLOCK, sizeof value);
            leaves &= ((masks){0} + *kept) | ~(masks)(value > (values){0} + *thresholds);
        }
        leaves |= 1 << (CN_TREE_LEAVES - 1);
        for (int i = 0; i < CN_BLOCK; i++) sums[i] += leaf_values[__builtin_ctz((unsigned)leaves[i])];
    }
}

static void climb_anywhere(const cn_rescorer *r, const float *x, double *sums) { climb_with(r, x, sums); }
#ifdef CN_FOR_AVX2
CN_FOR_AVX2 static void climb_by_avx2(const cn_rescorer *r, const float *x, double *sums) { climb_with(r, x, sums); }
#else
#define climb_by_avx2 climb_anywhere
#endif

void cn_judge(cn_rescorer *r) {
    const int64_t blocks = (r->count + CN_BLOCK - 1) / CN_BLOCK;
    for (int64_t k = r->count; k < blocks * CN_BLOCK; k++) /* places of the last block that no candidate fills */
        for (int column = 0; column < CN_COLUMNS; column++)
            r->x[(k / CN_BLOCK * CN_COLUMNS + column) * CN_BLOCK + k % CN_BLOCK] = 0;
    for (int64_t k = 0; k < r->count && r->n_trees; k += CN_BLOCK) {
        double sums[CN_BLOCK];
        (cn_uses_avx2() ? climb_by_avx2 : climb_anywhere)(r, r->x + k * CN_COLUMNS, sums);
        for (int i = 0; i < CN_BLOCK && k + i < r->count; i++) r->candidates[k + i].sure = 1 / (1 + exp(-sums[i]));
    }
}

/* --- the choice -------------------------------------------------------------------------------------------------- */

/* Candidates of a sentence by their last token, into r->order. They come by their first one, so few are far from their place. */
static void sort_by_last(cn_rescorer *r, const cn_candidate *candidates, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        int64_t at = k;
        const int32_t last = candidates[k].last;
        for (; at > 0 && candidates[r->order[at - 1]].last > last; at--) r->order[at] = r->order[at - 1];
        r->order[at] = (int32_t)k;
    }
}

/* How many of the first k in order end before a token. */
static int64_t ends_before(const cn_rescorer *r, const cn_candidate *candidates, int64_t k, int32_t token) {
    while (k > 0 && candidates[r->order[k - 1]].last >= token) k--;
    return k;
}

/* Weighted interval scheduling: of all sets without overlaps the one with the largest sum of sure - threshold. */
static void choose(cn_rescorer *r, const cn_candidate *candidates, int64_t count) {
    sort_by_last(r, candidates, count);
    r->best[0] = 0;
    for (int64_t k = 0; k < count; k++) {
        const cn_candidate *c = &candidates[r->order[k]];
        const double value = c->sure - r->threshold;
        r->best[k + 1] = r->best[k];
        if (value <= 0) continue;
        const double with = r->best[ends_before(r, candidates, k, c->first)] + value;
        if (with > r->best[k]) r->best[k + 1] = with;
    }
    r->n_chosen = 0;
    for (int64_t k = count; k > 0;) {
        if (r->best[k] == r->best[k - 1]) {
            k--;
            continue;
        }
        r->chosen[r->n_chosen++] = r->order[k - 1];
        k = ends_before(r, candidates, k - 1, candidates[r->order[k - 1]].first);
    }
}

/* The chance that all is as chosen, were candidates right or wrong on their own: those that overlap a chosen one are wrong if
 * it is right, and do not count. */
static double all_right(const cn_rescorer *r, const cn_candidate *candidates, int64_t count) {
    double probability = 1;
    int32_t taken = -1; /* the last token of the chosen ones so far; candidates come by their first token */
    int64_t next = r->n_chosen - 1;
    for (int64_t k = 0; k < count; k++) {
        const cn_candidate *c = &candidates[k];
        const int is_chosen = next >= 0 && r->chosen[next] == k;
        if (is_chosen) {
            probability *= c->sure;
            taken = c->last;
            next--;
        } else if (c->first > taken && (next < 0 || c->last < candidates[r->chosen[next]].first)) {
            probability *= 1 - c->sure;
        }
    }
    return probability;
}

void cn_choose(cn_rescorer *r, cn_sequence *s) {
    const cn_candidate *candidates = r->candidates + s->first_span;
    r->n_chosen = 0;
    s->all_right = 1;
    if (!s->n_spans) return;
    choose(r, candidates, s->n_spans);
    s->all_right = all_right(r, candidates, s->n_spans);
}

int cn_keep(cn_model *m, const cn_sequence *s) {
    cn_rescorer *r = m->rescorer;
    if (r->kept + s->n_spans > r->kept_room) {
        const size_t room = (size_t)(r->kept + s->n_spans) * 2;
        int32_t *spans = realloc(r->kept_spans, room * 4 * sizeof *spans);
        if (spans) r->kept_spans = spans;
        float *x = realloc(r->kept_x, room * CN_COLUMNS * sizeof *x);
        if (x) r->kept_x = x;
        if (!spans || !x) return CN_NO_MEMORY;
        r->kept_room = (int64_t)room;
    }
    for (int64_t k = s->first_span; k < s->first_span + s->n_spans; k++, r->kept++) {
        const cn_candidate *c = &r->candidates[k];
        int32_t *span = r->kept_spans + r->kept * 4;
        span[0] = (int32_t)s->note, span[1] = c->class + 1;
        span[2] = m->starts[s->at + c->first], span[3] = m->ends[s->at + c->last];
        for (int column = 0; column < CN_COLUMNS; column++)
            r->kept_x[r->kept * CN_COLUMNS + column] = r->x[(k / CN_BLOCK * CN_COLUMNS + column) * CN_BLOCK + k % CN_BLOCK];
    }
    return 0;
}

/* --- making ------------------------------------------------------------------------------------------------------ */

static void *copied(const void *from, size_t size) {
    void *to = malloc(size ? size : 1);
    if (to && size) memcpy(to, from, size);
    return to;
}

static int is_usable(const cn_rescorer_tables *t, int32_t n_labels) {
    if (t->n_trees < 0 || t->n_trees > CN_MAX_TREES || t->n_names < 0 || !(t->least > 0) || !(t->threshold > 0)) return 0;
    for (int i = 0; i < 8; i++)
        if (t->labels[i] < -1 || t->labels[i] >= n_labels) return 0;
    for (int32_t i = 0; i < t->n_trees * CN_TREE_NODES; i++)
        if (t->columns[i] < 0 || t->columns[i] >= CN_COLUMNS) return 0;
    return 1;
}

static cn_rescorer *made(const cn_rescorer_tables *t) {
    const size_t nodes = (size_t)t->n_trees * CN_TREE_NODES;
    cn_rescorer *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    memcpy(r->labels, t->labels, sizeof r->labels);
    r->least = t->least, r->threshold = t->threshold, r->base = t->base;
    r->n_trees = t->n_trees, r->n_names = t->n_names;
    r->columns = copied(t->columns, nodes * sizeof *r->columns);
    r->masks = copied(t->masks, nodes * sizeof *r->masks);
    r->thresholds = copied(t->thresholds, nodes * sizeof *r->thresholds);
    r->leaves = copied(t->leaves, (size_t)t->n_trees * CN_TREE_LEAVES * sizeof *r->leaves);
    r->name_flags = copied(t->name_flags, (size_t)t->n_names);
    if (!r->columns || !r->masks || !r->thresholds || !r->leaves || !r->name_flags ||
        cn_table_fill(&r->names, t->name_keys, t->n_names)) {
        cn_rescorer_free(r);
        return NULL;
    }
    return r;
}

int cn_model_rescores(cn_model *m, const cn_rescorer_tables *tables) {
    if (m->rescorer || cn_cached_words(m) || !is_usable(tables, m->n_labels)) return CN_BAD_ARGUMENT;
    m->rescorer = made(tables);
    return m->rescorer ? 0 : CN_NO_MEMORY;
}

void cn_rescorer_free(cn_rescorer *r) {
    if (!r) return;
    void *arrays[] = {r->columns, r->masks, r->thresholds, r->leaves,     r->name_flags, r->candidates, r->x,
                      r->best,  r->order,      r->chosen, r->kept_spans, r->kept_x};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
    cn_table_free(&r->names);
    free(r);
}
