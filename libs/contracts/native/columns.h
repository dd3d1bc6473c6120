/* Avro records to columns and columns to Avro records, driven by a program that `contracts.columns` compiles from a schema.
 *
 * Called by ctypes, without Python.h: one library serves every Python, and the interpreter's lock is free meanwhile. Nothing
 * here keeps a pointer to the caller's memory. A row that is not plainly right (other schema, bad UTF-8, a number or length out
 * of range, trailing bytes) gets status 1: whoever wants the reason reads it the slow way. */
#ifndef CONTRACTS_COLUMNS_H
#define CONTRACTS_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

/* A program is one op after the other. Those of one column: */
enum { CC_STRING = 1, CC_BYTES, CC_INT, CC_LONG, CC_DOUBLE, CC_BOOLEAN,
       CC_ENUM,     /* then the number of symbols */
       CC_PRESENT,  /* no bytes: 1, opens a nullable record */
       /* and those that hold others: */
       CC_NULLABLE, /* then the ops and the columns of what may be null, which follows */
       CC_ARRAY,    /* then the ops of an item, which follow, and its table; a column of the first item's row and their number */
       CC_MAP       /* as an array; an item's first column is its key */ };

/* n_fields x room values each. Strings and bytes: place and length in the caller's bytes. Numbers: value and 0, doubles by
 * their bits. Arrays: first row of the items' table and how many. Null: 0 and -1. */
typedef struct {
    int64_t n_fields, room;
    int64_t *first, *second;
} cc_table;

enum { CC_NO_ROOM = -1 };

/* What a reader is. Rows begin with the header; one of more than `most` bytes gets status 1. */
typedef struct {
    const int32_t *program;
    int64_t n_ops, n_tables, header_size, most;
    const uint8_t *header;
} cc_reader;
#define CC_MAX_TABLES 16

/* Reads n rows of `bytes`, row i from bounds[i] to bounds[i + 1]. Table 0 has a row for each, used[t] counts those of the
 * others, to which a row of status 1 adds none. Returns how many have status 1, or CC_NO_ROOM when a table of items is too
 * small. */
int64_t cc_read(const cc_reader *reader, const uint8_t *bytes, const int64_t *bounds, int64_t n, cc_table *tables,
                int64_t *used, uint8_t *status);

/* Where a writer takes a value from, in the order of the schema. CC_CONST: `size` ready bytes at base. CC_FIXED: a string of
 * `size` bytes at base + size * row. Strings: second[row] bytes at base + first[row]. Numbers: first[row]. CC_NULLABLE: null
 * where second[row] is -1, else what the next `size` sources say. CC_ARRAY and CC_MAP: items first[row] to before
 * second[row], each by the next `size` sources with the item for a row. */
enum { CC_CONST = 32, CC_FIXED };
typedef struct {
    int32_t op, size;
    const uint8_t *base;
    const int64_t *first, *second;
} cc_source;

/* Writes the records of rows[0..n) one behind the other, record i from bounds[i] to bounds[i + 1]. Returns the size, or
 * CC_NO_ROOM. */
int64_t cc_write(const cc_source *sources, int64_t n_sources, const int64_t *rows, int64_t n, uint8_t *out, int64_t room,
                 int64_t *bounds);

/* Strings of valid UTF-8 as code points, string i from bounds[i] to bounds[i + 1]. */
int64_t cc_code_points(const uint8_t *bytes, const int64_t *places, const int64_t *lengths, int64_t n, uint32_t *points,
                       int64_t *bounds);

/* Place and length in bytes of pieces [starts, ends) of code points of such strings: piece i is of string rows[i]; bounds as
 * above. A piece must lie inside its string. */
void cc_pieces(const uint8_t *bytes, const int64_t *places, const int64_t *lengths, const int64_t *bounds, const int64_t *rows,
               const int64_t *starts, const int64_t *ends, int64_t n, int64_t *first, int64_t *second);

/* Identities of events: UUIDv5, as 36 characters each, of source|note_id|revision and a suffix that all share, in a namespace
 * of 16 bytes. The names themselves go to `names`, name i from bounds[i] to bounds[i + 1], of which source|note_id, the note's
 * key, ends at key_ends[i]. */
typedef struct {
    const uint8_t *bytes;
    const int64_t *source_places, *source_lengths, *note_places, *note_lengths, *revisions;
    const uint8_t *space, *suffix;
    int64_t suffix_size;
} cc_identities;
enum { CC_MOST_DIGITS = 20 }; /* a name needs as much room beyond its source, note_id and suffix, and two signs */
void cc_event_ids(const cc_identities *of, int64_t n, uint8_t *names, int64_t *bounds, int64_t *key_ends, uint8_t *out);

#endif
