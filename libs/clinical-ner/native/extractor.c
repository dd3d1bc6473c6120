/* The extractor: which feature groups are seen at which offsets, and the attribute strings that CRFsuite trains on.
 *
 * A word feature is the attribute "<offset> <feature>", a word of the sentence's bag "~ <feature>", a conjunction
 * "&<number> <feature> <feature>": no feature holds a white space, so that they read back without doubt. */
#include "features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_AFFIXES 4096
#define MAX_NAME 100

/* --- making --------------------------------------------------------------------------------------------------- */

static int read_affix(cn_affix *affix, const char *line, size_t size) {
    char text[160];
    if (size >= sizeof text) return CN_BAD_ARGUMENT;
    memcpy(text, line, size);
    text[size] = 0;
    char letters[40];
    if (sscanf(text, "%c %12s %23s", &affix->kind, letters, affix->name) != 3) return CN_BAD_ARGUMENT;
    affix->length = (int)strlen(letters);
    for (int i = 0; i < affix->length; i++) {
        if ((unsigned char)letters[i] >= 0x80) return CN_BAD_ARGUMENT;
        affix->letters[i] = (unsigned char)letters[i];
    }
    return affix->kind == 'S' || affix->kind == 'P' ? 0 : CN_BAD_ARGUMENT;
}

static int read_affixes(cn_extractor *e, const char *text, int64_t size) {
    e->affixes = calloc(MAX_AFFIXES, sizeof *e->affixes);
    if (!e->affixes) return CN_NO_MEMORY;
    for (const char *at = text, *end = text + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        if (stop > at) {
            if (e->n_affixes == MAX_AFFIXES) return CN_BAD_ARGUMENT;
            if (read_affix(&e->affixes[e->n_affixes++], at, (size_t)(stop - at))) return CN_BAD_ARGUMENT;
        }
        at = stop + 1;
    }
    return 0;
}

static int read_class_names(cn_extractor *e, const char *names, int64_t size, int64_t *count) {
    e->class_bytes = malloc((size_t)size + 1);
    e->class_names = calloc((size_t)size + 1, sizeof *e->class_names);
    if (!e->class_bytes || !e->class_names) return CN_NO_MEMORY;
    memcpy(e->class_bytes, names, (size_t)size);
    *count = 0;
    for (int64_t at = 0, start = 0; at <= size; at++) {
        if (at < size && names[at] != '\n') continue;
        if (at - start > MAX_NAME) return CN_BAD_ARGUMENT;
        if (at > start) e->class_names[(*count)++] = (cn_slice){e->class_bytes + start, (size_t)(at - start)};
        start = at + 1;
    }
    return 0;
}

static int read_classes(cn_extractor *e, const uint64_t *keys, int64_t count, const int32_t *starts, const int32_t *ids,
                        int64_t n_names) {
    if (count && (starts[0] != 0)) return CN_BAD_ARGUMENT;
    for (int64_t i = 0; i < count; i++)
        if (starts[i + 1] < starts[i]) return CN_BAD_ARGUMENT;
    int64_t total = count ? starts[count] : 0;
    for (int64_t i = 0; i < total; i++)
        if (ids[i] < 0 || ids[i] >= n_names) return CN_BAD_ARGUMENT;
    e->class_starts = malloc(sizeof *starts * (size_t)(count + 1));
    e->class_ids = malloc(sizeof *ids * (size_t)(total + 1));
    if (!e->class_starts || !e->class_ids) return CN_NO_MEMORY;
    if (count) memcpy(e->class_starts, starts, sizeof *starts * (size_t)(count + 1));
    if (total) memcpy(e->class_ids, ids, sizeof *ids * (size_t)total);
    return cn_table_fill(&e->classes, keys, count);
}

/* The base that a conjunction is a member of, made if it is the first. */
static void join_base(cn_extractor *e, cn_conjunction *c) {
    int32_t distance = c->right_offset - c->left_offset, at = 0;
    for (; at < e->n_bases; at++) {
        const cn_base *base = &e->bases[at];
        if (base->left_group == c->left_group && base->right_group == c->right_group && base->distance == distance)
            break;
    }
    cn_base *base = &e->bases[at];
    if (at == e->n_bases) {
        e->n_bases++;
        *base = (cn_base){c->left_group, c->right_group, distance, 0, c->left_offset, c->left_offset, {0}};
    }
    if (c->left_offset < base->first_offset) base->first_offset = c->left_offset;
    if (c->left_offset > base->last_offset) base->last_offset = c->left_offset;
    c->base = at;
    c->member = base->n_members;
    base->offsets[base->n_members++] = c->left_offset;
    if (base->n_members > e->max_members) e->max_members = base->n_members;
}

int32_t cn_max_members(const cn_extractor *e) { return e->max_members; }

static int read_conjunctions(cn_extractor *e, const int32_t *rows, int32_t count) {
    if (count < 0 || count > CN_MAX_CONJUNCTIONS) return CN_BAD_ARGUMENT;
    e->n_conjunctions = count;
    for (int32_t i = 0; i < count; i++, rows += 4) {
        cn_conjunction c = {rows[0], rows[1], rows[2], rows[3], 0, 0};
        if (c.left_group < 0 || c.left_group >= CN_BAG || c.right_group < 0 || c.right_group >= CN_BAG ||
            abs(c.left_offset) > e->window || abs(c.right_offset) > e->window)
            return CN_BAD_ARGUMENT;
        join_base(e, &c);
        e->wanted[c.left_group] = e->wanted[c.right_group] = 1;
        e->conjunctions[i] = c;
    }
    return 0;
}

static int fill(cn_extractor *e, const uint32_t *group_masks, const int32_t *conjunctions, int32_t n_conjunctions,
                const char *affixes, int64_t affixes_size) {
    for (int group = 0; group < CN_GROUPS; group++) {
        e->masks[group] = e->wanted[group] = group_masks[group];
        uint32_t above = group_masks[group] >> (2 * e->window + 1);
        if (above > (group == CN_BAG)) return CN_BAD_ARGUMENT;
    }
    int failed = read_conjunctions(e, conjunctions, n_conjunctions);
    return failed ? failed : read_affixes(e, affixes, affixes_size);
}

cn_extractor *cn_extractor_new(int32_t window, const uint32_t *group_masks, const int32_t *conjunctions,
                               int32_t n_conjunctions, const char *affixes, int64_t affixes_size,
                               const uint64_t *class_keys, int64_t n_class_keys, const int32_t *class_starts,
                               const int32_t *class_ids, const char *class_names, int64_t class_names_size) {
    int64_t n_names = 0;
    if (window < 0 || window > CN_MAX_WINDOW || n_class_keys < 0 || affixes_size < 0 || class_names_size < 0)
        return NULL;
    cn_extractor *e = calloc(1, sizeof *e);
    if (!e) return NULL;
    e->window = window;
    if (fill(e, group_masks, conjunctions, n_conjunctions, affixes, affixes_size) ||
        read_class_names(e, class_names, class_names_size, &n_names) ||
        read_classes(e, class_keys, n_class_keys, class_starts, class_ids, n_names)) {
        cn_extractor_free(e);
        return NULL;
    }
    return e;
}

int cn_extractor_clusters(cn_extractor *e, const uint64_t *keys, int64_t n_words, const uint16_t *numbers,
                          int32_t clusterings) {
    if (n_words < 0 || clusterings < 0 || clusterings > CN_MAX_CLUSTERINGS || e->n_clusterings) return CN_BAD_ARGUMENT;
    if (!n_words || !clusterings) return 0;
    const size_t size = (size_t)n_words * (size_t)clusterings * sizeof *numbers;
    e->cluster_numbers = malloc(size);
    if (!e->cluster_numbers) return CN_NO_MEMORY;
    memcpy(e->cluster_numbers, numbers, size);
    e->n_clusterings = clusterings;
    return cn_table_fill(&e->clusters, keys, n_words);
}

void cn_extractor_free(cn_extractor *e) {
    if (!e) return;
    cn_table_free(&e->classes);
    cn_table_free(&e->clusters);
    free(e->cluster_numbers);
    free(e->affixes);
    free(e->class_starts);
    free(e->class_ids);
    free(e->class_names);
    free(e->class_bytes);
    free(e->out.bytes);
    free(e);
}

/* --- attribute strings ---------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t start, size;
    int group;
} entry;

/* The features of every token of a sequence, with the two edges as its first and last places. */
typedef struct {
    cn_sink sink;
    cn_buffer bytes, entries;
    int64_t *firsts; /* entries of place i: firsts[i]..firsts[i + 1] */
} feature_list;

static void keep_entry(cn_sink *sink, int group, const char *bytes, size_t size) {
    feature_list *list = (feature_list *)sink;
    entry e = {(uint32_t)list->bytes.size, (uint32_t)size, group};
    cn_buffer_add(&list->bytes, bytes, size);
    cn_buffer_add(&list->entries, (const char *)&e, sizeof e);
}

static int list_features(feature_list *list, const cn_extractor *x, const uint32_t *text, const int32_t *starts,
                         const int32_t *ends, int64_t n) {
    list->firsts = malloc(sizeof *list->firsts * (size_t)(n + 3));
    if (!list->firsts) return CN_NO_MEMORY;
    for (int64_t place = 0; place < n + 2; place++) {
        list->firsts[place] = (int64_t)(list->entries.size / sizeof(entry));
        if (place == 0 || place == n + 1) cn_edge_features(x, place != 0, &list->sink);
        else cn_word_features(x, text + starts[place - 1], ends[place - 1] - starts[place - 1], &list->sink);
    }
    list->firsts[n + 2] = (int64_t)(list->entries.size / sizeof(entry));
    return list->bytes.failed || list->entries.failed ? CN_NO_MEMORY : 0;
}

void cn_attribute_head(const cn_extractor *x, int32_t slot, cn_buffer *out) {
    char head[16];
    int size = slot < 0                     ? snprintf(head, sizeof head, "&%d ", -1 - slot)
               : slot == 2 * x->window + 1 ? snprintf(head, sizeof head, "~ ")
                                            : snprintf(head, sizeof head, "%d ", slot - x->window);
    cn_buffer_add(out, head, (size_t)size);
}

static int64_t place_of(int64_t token, int64_t n) { return token < 0 ? 0 : token >= n ? n + 1 : token + 1; }

static void add_words(cn_extractor *x, const feature_list *list, int64_t token, int64_t n) {
    const entry *entries = (const entry *)list->entries.bytes;
    for (int offset = -x->window; offset <= x->window; offset++) {
        int64_t place = place_of(token + offset, n);
        for (int64_t i = list->firsts[place]; i < list->firsts[place + 1]; i++) {
            if (!(x->masks[entries[i].group] >> (offset + x->window) & 1)) continue;
            cn_attribute_head(x, offset + x->window, &x->out);
            cn_buffer_add(&x->out, list->bytes.bytes + entries[i].start, entries[i].size);
            cn_buffer_add(&x->out, "\n", 1);
        }
    }
}

/* Each distinct bag feature of the sequence. */
static void list_bag(cn_extractor *x, const feature_list *list, int64_t n, cn_buffer *bag) {
    const entry *entries = (const entry *)list->entries.bytes;
    cn_table seen = {0};
    if (!x->wanted[CN_BAG] || cn_table_init(&seen, n)) return;
    for (int64_t i = 0; i < list->firsts[n + 2]; i++) {
        const char *feature = list->bytes.bytes + entries[i].start;
        uint64_t key = entries[i].group == CN_BAG ? cn_hash_bytes(feature, entries[i].size) : 0;
        if (!key || cn_table_find(&seen, key) >= 0) continue;
        cn_table_put(&seen, key, 1);
        cn_attribute_head(x, 2 * x->window + 1, bag);
        cn_buffer_add(bag, feature, entries[i].size);
        cn_buffer_add(bag, "\n", 1);
    }
    cn_table_free(&seen);
}

/* The first feature of a group at a place; the edge's own name beyond the sequence; size 0 where there is none. */
static cn_slice value_at(const feature_list *list, int group, int64_t token, int64_t n) {
    if (token < 0) return (cn_slice){"BOS", 3};
    if (token >= n) return (cn_slice){"EOS", 3};
    const entry *entries = (const entry *)list->entries.bytes;
    for (int64_t i = list->firsts[token + 1]; i < list->firsts[token + 2]; i++)
        if (entries[i].group == group) return (cn_slice){list->bytes.bytes + entries[i].start, entries[i].size};
    return (cn_slice){"", 0};
}

static void add_conjunctions(cn_extractor *x, const feature_list *list, int64_t token, int64_t n) {
    for (int i = 0; i < x->n_conjunctions; i++) {
        const cn_conjunction *c = &x->conjunctions[i];
        cn_slice left = value_at(list, c->left_group, token + c->left_offset, n);
        cn_slice right = value_at(list, c->right_group, token + c->right_offset, n);
        if (!left.size || !right.size) continue;
        cn_attribute_head(x, -1 - i, &x->out);
        cn_buffer_add(&x->out, left.bytes, left.size);
        cn_buffer_add(&x->out, " ", 1);
        cn_buffer_add(&x->out, right.bytes, right.size);
        cn_buffer_add(&x->out, "\n", 1);
    }
}

int64_t cn_attributes(cn_extractor *x, const uint32_t *text, const int32_t *starts, const int32_t *ends,
                      int64_t n_tokens, const char **out) {
    feature_list list = {.sink = {keep_entry}};
    cn_buffer bag = {0};
    x->out.size = 0;
    int failed = list_features(&list, x, text, starts, ends, n_tokens);
    if (!failed) list_bag(x, &list, n_tokens, &bag);
    for (int64_t token = 0; !failed && token < n_tokens; token++) {
        add_words(x, &list, token, n_tokens);
        add_conjunctions(x, &list, token, n_tokens);
        if (bag.size) cn_buffer_add(&x->out, bag.bytes, bag.size);
        cn_buffer_add(&x->out, "\n", 1);
        failed = x->out.failed || bag.failed;
    }
    free(bag.bytes);
    free(list.firsts);
    free(list.bytes.bytes);
    free(list.entries.bytes);
    *out = x->out.bytes;
    return failed ? CN_NO_MEMORY : (int64_t)x->out.size;
}

/* --- attribute keys ------------------------------------------------------------------------------------------- */

static void read_attribute(const cn_extractor *x, const char *line, size_t size, uint64_t *key, int32_t *slot) {
    const char *end = line + size, *space = memchr(line, ' ', size);
    char head[8] = {0};
    *key = 0;
    *slot = CN_NO_SLOT;
    if (!space || space - line >= (int)sizeof head) return;
    memcpy(head, line, (size_t)(space - line));
    const char *value = space + 1;
    if (head[0] == '~') {
        *key = cn_hash_bytes(value, (size_t)(end - value));
        *slot = 2 * x->window + 1;
        return;
    }
    if (head[0] != '&') {
        int offset = atoi(head);
        if (abs(offset) > x->window) return;
        *key = cn_hash_bytes(value, (size_t)(end - value));
        *slot = offset + x->window;
        return;
    }
    const char *second = memchr(value, ' ', (size_t)(end - value));
    int number = atoi(head + 1);
    if (!second || number < 0 || number >= x->n_conjunctions) return;
    *key = cn_pair_key(x->conjunctions[number].base, cn_hash_bytes(value, (size_t)(second - value)),
                       cn_hash_bytes(second + 1, (size_t)(end - second - 1)));
    *slot = -1 - x->conjunctions[number].member;
}

int64_t cn_attribute_keys(const cn_extractor *x, const char *lines, int64_t size, uint64_t *keys, int32_t *slots,
                          int64_t capacity) {
    int64_t count = 0;
    for (const char *at = lines, *end = lines + size; at < end && count < capacity; count++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        read_attribute(x, at, (size_t)(stop - at), &keys[count], &slots[count]);
        at = stop + 1;
    }
    return count;
}
