/* Hash table and byte buffer. */
#include "features.h"

#include <stdlib.h>
#include <string.h>

/* Room for `capacity` keys at a load of one half at most. */
int cn_table_init(cn_table *table, int64_t capacity) {
    uint64_t slots = 16;
    while (slots < (uint64_t)capacity * 2) slots *= 2;
    table->mask = slots - 1;
    table->count = 0;
    table->slots = calloc(slots, sizeof *table->slots);
    return table->slots ? 0 : CN_NO_MEMORY;
}

/* Doubles a table that is half full. */
int cn_table_grow(cn_table *table) {
    if (table->count * 2 <= (int64_t)table->mask) return 0;
    cn_table larger;
    if (cn_table_init(&larger, table->count * 2)) return CN_NO_MEMORY;
    for (uint64_t at = 0; at <= table->mask; at++)
        if (table->slots[at].key) cn_table_put(&larger, table->slots[at].key, table->slots[at].value);
    cn_table_free(table);
    *table = larger;
    return 0;
}

void cn_table_put(cn_table *table, uint64_t key, int64_t value) {
    uint64_t at = key & table->mask;
    while (table->slots[at].key && table->slots[at].key != key) at = (at + 1) & table->mask;
    table->count += table->slots[at].key == 0;
    table->slots[at] = (cn_slot){key, value};
}

int cn_table_fill(cn_table *table, const uint64_t *keys, int64_t count) {
    if (cn_table_init(table, count)) return CN_NO_MEMORY;
    for (int64_t i = 0; i < count; i++)
        if (keys[i]) cn_table_put(table, keys[i], i);
    return 0;
}

void cn_table_clear(cn_table *table) {
    memset(table->slots, 0, (table->mask + 1) * sizeof *table->slots);
    table->count = 0;
}

void cn_table_free(cn_table *table) {
    free(table->slots);
    table->slots = NULL;
}

void cn_buffer_add(cn_buffer *buffer, const char *bytes, size_t size) {
    if (buffer->size + size > buffer->capacity) {
        size_t capacity = (buffer->size + size) * 2 + 4096;
        char *grown = realloc(buffer->bytes, capacity);
        if (!grown) {
            buffer->failed = 1;
            return;
        }
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}
