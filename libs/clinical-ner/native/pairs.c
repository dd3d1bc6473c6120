/* Which treatment is for which disease: a stated rule on clauses, words between and distance, silent where it is unsure.
 *
 * 1. Only entities of one clause are paired. A clause ends with the sentence, the line, or before a word that begins
 *    something else: a prescription (Rx, Tab. unless "on Tab."), a plan, a denial, a reason to stop (BREAKS, FORMS).
 * 2. A disease that stands before the treatment counts only if a word between them says that the one is treated by the
 *    other (LINKS: on, with, received ...).
 * 3. A treatment goes to the nearest such disease, if at most MAX_GAP tokens are between. Diseases listed together (at
 *    most LIST_GAP tokens apart) count as one place: it is paired with all of them.
 * 4. If a disease of another place is less than MARGIN tokens farther, the treatment stays unpaired. */
#include <string.h>

#include "model.h"

enum { MAX_GAP = 25, LIST_GAP = 2, MARGIN = 3, DISEASE = 1, TREATMENT = 2 };

/* --- the words of the rule ------------------------------------------------------------------------------------ */

static const char BREAKS[] =
    " rx tt stop stopped no nil denies without plan p adv advised dx diag ix o/e c/o h/o s/p continue cont add refer review"
    " because due owing developed adverse risk ; | ";
static const char FORMS[] =
    " tab tabs cap caps inj syp syr susp drops e/d gel mdi neb pdr rotacap oint ointment cream t ";
static const char LINKS[] =
    " on with by taking took takes using received receiving receives given gets underwent undergoing undergo treated"
    " managed controlled started responded to via following after offered ";

static int is_listed(const char *list, const char *spaced_word) { return strstr(list, spaced_word) != NULL; }

int cn_pair_role(const uint32_t *word, int64_t length) {
    char spaced[16] = " ";
    if (length > 11) return 0;
    for (int64_t i = 0; i < length; i++) {
        uint32_t c = cn_lower_of(word[i]);
        if (c <= ' ' || c >= 127) return 0;
        spaced[i + 1] = (char)c;
    }
    spaced[length + 1] = ' ';
    if (is_listed(BREAKS, spaced)) return CN_BREAKS;
    if (is_listed(FORMS, spaced)) return CN_IS_FORM;
    return is_listed(LINKS, spaced) ? CN_LINKS : 0;
}

/* --- the rule -------------------------------------------------------------------------------------------------- */

typedef struct {
    const int32_t *rows; /* entities of one note, CN_ENTITY_FIELDS each */
    const int32_t *links; /* of each token of the note: how many link words stand before it */
    int64_t first, end;   /* the entities of one clause */
} clause;

static const int32_t *entity(clause c, int64_t at) { return c.rows + at * CN_ENTITY_FIELDS; }

/* Tokens between two entities. */
static int32_t gap(const int32_t *left, const int32_t *right) {
    return left[6] < right[5] ? right[5] - left[6] - 1 : left[5] - right[6] - 1;
}

static int is_candidate(clause c, const int32_t *treatment, int64_t at) {
    const int32_t *disease = entity(c, at);
    if (disease[1] != DISEASE) return 0;
    return disease[5] > treatment[6] || c.links[treatment[5]] > c.links[disease[6] + 1];
}

/* The nearest candidate outside first..last; -1 if there is none. */
static int64_t nearest(clause c, const int32_t *treatment, int64_t first, int64_t last) {
    int64_t found = -1;
    for (int64_t at = c.first; at < c.end; at++) {
        if ((at >= first && at <= last) || !is_candidate(c, treatment, at)) continue;
        if (found < 0 || gap(treatment, entity(c, at)) < gap(treatment, entity(c, found))) found = at;
    }
    return found;
}

/* The last disease of the list that `at` stands in, in direction `step`. */
static int64_t end_of_list(clause c, int64_t at, int step) {
    for (int64_t next = at + step; next >= c.first && next < c.end; next += step) {
        if (entity(c, next)[1] != DISEASE) continue;
        if (gap(entity(c, at), entity(c, next)) > LIST_GAP) break;
        at = next;
    }
    return at;
}

static int64_t pair_treatment(clause c, int64_t treatment, int32_t (*pairs)[2], int64_t room) {
    const int32_t *row = entity(c, treatment);
    const int64_t chosen = nearest(c, row, 1, 0);
    if (chosen < 0 || gap(row, entity(c, chosen)) > MAX_GAP) return 0;
    const int64_t first = end_of_list(c, chosen, -1), last = end_of_list(c, chosen, 1);
    const int64_t rival = nearest(c, row, first, last);
    if (rival >= 0 && gap(row, entity(c, rival)) - gap(row, entity(c, chosen)) < MARGIN) return 0;
    int64_t found = 0;
    for (int64_t disease = first; disease <= last && found < room; disease++) {
        if (entity(c, disease)[1] != DISEASE) continue;
        pairs[found][0] = (int32_t)treatment, pairs[found][1] = (int32_t)disease;
        found++;
    }
    return found;
}

int64_t cn_pair_entities(const int32_t *rows, int64_t count, const int32_t *clauses, const int32_t *links,
                         int32_t (*pairs)[2], int64_t room) {
    int64_t found = 0;
    clause c = {rows, links, 0, 0};
    for (; c.first < count; c.first = c.end) {
        const int32_t number = clauses[entity(c, c.first)[5]];
        for (c.end = c.first + 1; c.end < count && clauses[entity(c, c.end)[5]] == number;) c.end++;
        for (int64_t at = c.first; at < c.end; at++)
            if (entity(c, at)[1] == TREATMENT) found += pair_treatment(c, at, pairs + found, room - found);
    }
    return found;
}
