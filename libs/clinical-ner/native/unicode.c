/* Character classes and lower case, from tables frozen in unicode_tables.h. */
#include "clinical_ner.h"

#include "unicode_tables.h"

#define CODE_POINTS 0x110000u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint8_t class_table[CODE_POINTS];
static uint32_t lower_table[0x600]; /* Latin, Greek, Cyrillic: nearly all that notes hold */

void cn_init(void) {
    cn_use_avx2(1);
    for (size_t run = 0; run < COUNT(CLASS_RUNS); run++) {
        uint32_t end = run + 1 < COUNT(CLASS_RUNS) ? CLASS_RUNS[run + 1] >> 3 : CODE_POINTS;
        for (uint32_t cp = CLASS_RUNS[run] >> 3; cp < end; cp++) class_table[cp] = CLASS_RUNS[run] & 7;
    }
    for (uint32_t cp = 0; cp < COUNT(lower_table); cp++) lower_table[cp] = cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    for (size_t pair = 0; pair < COUNT(LOWER_PAIRS); pair++)
        if (LOWER_PAIRS[pair][0] < COUNT(lower_table)) lower_table[LOWER_PAIRS[pair][0]] = LOWER_PAIRS[pair][1];
}

int cn_features_version(void) { return CN_FEATURES_VERSION; }

uint8_t cn_class_of(uint32_t code_point) { return code_point < CODE_POINTS ? class_table[code_point] : CN_OTHER; }

uint32_t cn_lower_of(uint32_t code_point) {
    if (code_point < COUNT(lower_table)) return lower_table[code_point];
    size_t low = 0, high = COUNT(LOWER_PAIRS);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (LOWER_PAIRS[middle][0] < code_point) low = middle + 1;
        else high = middle;
    }
    return low < COUNT(LOWER_PAIRS) && LOWER_PAIRS[low][0] == code_point ? LOWER_PAIRS[low][1] : code_point;
}
