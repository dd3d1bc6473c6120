/* Which treatment is for which disease: a stated rule on sentence and distance, silent where it is unsure.
 *
 * 1. Only entities of one sentence are paired.
 * 2. A treatment goes to the nearest disease of its sentence, counted in tokens between the two, if at most MAX_GAP
 *    tokens are between.
 * 3. Diseases listed together (at most LIST_GAP tokens apart) count as one place: the treatment is paired with all of
 *    them.
 * 4. If a disease of another place is less than MARGIN tokens farther, the treatment stays unpaired. */
#include "model.h"

enum { MAX_GAP = 25, LIST_GAP = 2, MARGIN = 3, DISEASE = 1, TREATMENT = 2 };

typedef struct {
    const int32_t *rows; /* entities of one note, CN_ENTITY_FIELDS each */
    int64_t count;
} entity_list;

static const int32_t *entity(entity_list list, int64_t at) { return list.rows + at * CN_ENTITY_FIELDS; }

/* Tokens between two entities. */
static int32_t gap(const int32_t *left, const int32_t *right) {
    return left[6] < right[5] ? right[5] - left[6] - 1 : left[5] - right[6] - 1;
}

/* The next disease of the same sentence from `at` in direction `step`; -1 if there is none. */
static int64_t next_disease(entity_list list, int64_t at, int step) {
    const int32_t sentence = entity(list, at)[4];
    for (at += step; at >= 0 && at < list.count && entity(list, at)[4] == sentence; at += step)
        if (entity(list, at)[1] == DISEASE) return at;
    return -1;
}

/* The last disease of the list that `at` stands in, in direction `step`. */
static int64_t end_of_list(entity_list list, int64_t at, int step) {
    for (;;) {
        int64_t next = next_disease(list, at, step);
        if (next < 0 || gap(entity(list, at), entity(list, next)) > LIST_GAP) return at;
        at = next;
    }
}

static int32_t gap_to(entity_list list, int64_t treatment, int64_t disease) {
    return disease < 0 ? INT32_MAX : gap(entity(list, treatment), entity(list, disease));
}

/* First and last disease of the place that a treatment belongs to; first > last if unsure. */
static void choose_place(entity_list list, int64_t treatment, int64_t *first, int64_t *last) {
    int64_t before = next_disease(list, treatment, -1), after = next_disease(list, treatment, 1);
    int32_t gap_before = gap_to(list, treatment, before), gap_after = gap_to(list, treatment, after);
    int64_t nearest = gap_before <= gap_after ? before : after;
    *first = 1, *last = 0;
    if (nearest < 0 || gap_to(list, treatment, nearest) > MAX_GAP) return;
    *first = end_of_list(list, nearest, -1);
    *last = end_of_list(list, nearest, 1);
    int64_t rivals[2] = {next_disease(list, *first, -1), next_disease(list, *last, 1)};
    for (int side = 0; side < 2; side++) {
        if (rivals[side] < 0) continue;
        if (gap_to(list, treatment, rivals[side]) - gap_to(list, treatment, nearest) < MARGIN) *first = 1, *last = 0;
    }
}

int64_t cn_pair_entities(const int32_t *rows, int64_t count, int32_t (*pairs)[2], int64_t room) {
    const entity_list list = {rows, count};
    int64_t found = 0, first, last;
    for (int64_t at = 0; at < count; at++) {
        if (entity(list, at)[1] != TREATMENT) continue;
        choose_place(list, at, &first, &last);
        for (int64_t disease = first; disease <= last; disease++) {
            if (entity(list, disease)[1] != DISEASE) continue;
            if (found < room) pairs[found][0] = (int32_t)at, pairs[found][1] = (int32_t)disease;
            found++;
        }
    }
    return found;
}
