/* What features.c, extractor.c and model.c share. */
#ifndef CLINICAL_NER_FEATURES_H
#define CLINICAL_NER_FEATURES_H

#include "clinical_ner.h"

#ifdef __x86_64__
#include <emmintrin.h>
#endif

/* Where features go: strings in training, hashes in serving. */
typedef struct cn_sink cn_sink;
struct cn_sink {
    void (*take)(cn_sink *sink, int group, const char *bytes, size_t size);
};

/* Open addressing from a non-zero 64-bit key to the key's position. */
typedef struct {
    uint64_t key;
    int64_t value;
} cn_slot;

typedef struct {
    cn_slot *slots;
    uint64_t mask;
    int64_t count;
} cn_table;

int cn_table_init(cn_table *table, int64_t capacity);
int cn_table_fill(cn_table *table, const uint64_t *keys, int64_t count);
int cn_table_grow(cn_table *table);
void cn_table_put(cn_table *table, uint64_t key, int64_t value);
void cn_table_clear(cn_table *table);
void cn_table_free(cn_table *table);

static inline int64_t cn_table_find(const cn_table *table, uint64_t key) {
    for (uint64_t at = key & table->mask;; at = (at + 1) & table->mask) {
        if (table->slots[at].key == key) return table->slots[at].value;
        if (!table->slots[at].key) return -1;
    }
}

typedef struct {
    char kind; /* 'S' or 'P' */
    int length;
    uint32_t letters[12];
    char name[24];
} cn_affix;

typedef struct {
    const char *bytes;
    size_t size;
} cn_slice;

/* Conjunctions that differ only by a shift are members of one base, so that a pair of words is looked up once. */
typedef struct {
    int32_t left_group, left_offset, right_group, right_offset, base, member;
} cn_conjunction;

typedef struct {
    int32_t left_group, right_group, distance, n_members, first_offset, last_offset;
    int32_t offsets[CN_MAX_CONJUNCTIONS]; /* a member's left offset: the pair at (p, p + distance) is seen by p - offset */
} cn_base;

typedef struct {
    char *bytes;
    size_t size, capacity;
    int failed;
} cn_buffer;

void cn_buffer_add(cn_buffer *buffer, const char *bytes, size_t size);

struct cn_extractor {
    int32_t window, n_conjunctions;
    uint32_t masks[CN_GROUPS];  /* offsets at which a group is seen */
    uint32_t wanted[CN_GROUPS]; /* non-zero if seen anywhere or used by a conjunction */
    cn_conjunction conjunctions[CN_MAX_CONJUNCTIONS];
    cn_base bases[CN_MAX_CONJUNCTIONS];
    int32_t n_bases, max_members;
    cn_affix *affixes;
    int64_t n_affixes;
    cn_table classes;
    int32_t *class_starts, *class_ids;
    cn_slice *class_names;
    char *class_bytes;
    cn_table clusters;
    uint16_t *cluster_numbers; /* n_clusterings a word */
    int32_t n_clusterings;
    cn_buffer out;
};

uint64_t cn_mix(uint64_t x);
uint64_t cn_hash_bytes(const char *bytes, size_t size);
uint64_t cn_pair_key(int base, uint64_t left, uint64_t right);
/* What stands before the feature in an attribute string, by slot (-1 - number for a conjunction). */
void cn_attribute_head(const cn_extractor *extractor, int32_t slot, cn_buffer *out);
void cn_word_features(const cn_extractor *extractor, const uint32_t *word, int64_t length, cn_sink *sink);
void cn_edge_features(const cn_extractor *extractor, int edge, cn_sink *sink);

/* --- eight characters at a time ------------------------------------------------------------------------------- */

#define CN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* A byte for each of eight characters, the first one lowest; 0x80 or more where it is none of ASCII's. */
static inline uint64_t cn_eight(const uint32_t *text) {
#ifdef __x86_64__
    const __m128i four = _mm_loadu_si128((const __m128i *)text), next = _mm_loadu_si128((const __m128i *)(text + 4));
    const __m128i halves = _mm_packs_epi32(four, next); /* what is too large becomes the largest, also below */
    return (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(halves, halves));
#else
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++) bytes |= (uint64_t)(text[i] < 0xFF ? text[i] : 0xFF) << 8 * i;
    return bytes;
#endif
}

/* How many of eight characters, from the first on, are ASCII letters, or digits if these go too. */
static inline int cn_run_of(uint64_t eight, int digits) {
    const uint64_t low = (eight | CN_EACH(0x20)) & CN_EACH(0x7F), plain = eight & CN_EACH(0x7F);
    uint64_t inside = (low + CN_EACH(0x80 - 'a')) & ~(low + CN_EACH(0x7F - 'z'));
    if (digits) inside |= (plain + CN_EACH(0x80 - '0')) & ~(plain + CN_EACH(0x7F - '9'));
    const uint64_t outside = (~inside | eight) & CN_EACH(0x80);
    return outside ? __builtin_ctzll(outside) / 8 : 8;
}

#endif
