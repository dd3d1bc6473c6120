"""JSON objects that hold tokens instead of a text: Hugging Face tokens and tags, GLiNER, SpERT, spaCy's old training JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from corpus.formats.found import FoundNote, FoundRelation, FoundSpan, InvalidRecord
from corpus.loaders_text import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from corpus.formats.vocabulary import Vocabulary

TAG_KEYS = ("ner_tags_str", "ner_tags", "tags", "labels", "label", "ner", "bio", "iob")
_PREFIXES = frozenset("BIESLU")
_ENDS = frozenset("ELSU")
_STARTS = frozenset("BSU")


def split_tag(tag: str) -> tuple[str, str]:
    """Return (prefix, name) of a token's tag: ("B", "DISEASE"), ("I", "DISEASE") for a bare name, ("O", "") outside."""
    if tag in {"O", "o", "", "_", "O-O"}:
        return "O", ""
    prefix, dash, name = tag.partition("-")
    if dash and len(prefix) == 1 and prefix.upper() in _PREFIXES and name:
        return prefix.upper(), name
    if len(tag) > 2 and tag[0] in "BI" and tag[1] == "_":
        return tag[0], tag[2:]
    return "I", tag


def note_of_tokens(
    path: Path, line: int, tokens: Sequence[str], tags: Sequence[str], vocabulary: Vocabulary
) -> FoundNote:
    """Join tokens by blanks and turn their tags into spans.

    IO, IOB1, BIO, BIOES and BILOU are read by one rule: a span begins where a label begins, changes, is marked as a beginning, or
    follows a marked end.

    Raises:
        InvalidRecord: Their numbers differ, or a token is empty or holds blanks.
    """
    if len(tokens) != len(tags):
        raise InvalidRecord(f"{len(tokens)} tokens but {len(tags)} tags: give each token one tag", "uneven")
    if not tokens:
        raise InvalidRecord("no token in it: remove the line", "no token")
    offsets = offsets_of(tokens)
    spans: list[FoundSpan] = []
    before = ""
    for (start, end), given in zip(offsets, tags, strict=True):
        prefix, name = split_tag(vocabulary.tag(given))
        if name and name == before and prefix not in _STARTS:
            spans[-1].end = end
        elif name:
            spans.append(FoundSpan(start, end, name, line=line))
        before = "" if prefix in _ENDS else name
    return FoundNote(path, line, " ".join(tokens), spans, tokens=offsets, exact=True)


def offsets_of(tokens: Sequence[Any]) -> list[tuple[int, int]]:
    """Return where tokens stand when joined by blanks.

    Raises:
        InvalidRecord: One is empty, or holds blanks.
    """
    offsets, position = [], 0
    for token in tokens:
        if not isinstance(token, str) or not token or any(character.isspace() for character in token):
            raise InvalidRecord(
                f"a token is empty or holds a blank ({str(token)[:20]!r}): give one word a token", "no word"
            )
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    check_text(" ".join(tokens))
    return offsets


class TokenRecords:
    """Turns records of tokens into notes. `names` are the names of numbered tags, where the data set says them."""

    def __init__(self, path: Path, vocabulary: Vocabulary, names: Sequence[str] = ()) -> None:
        self.path = path
        self.vocabulary = vocabulary
        self.names = names

    def tagged(self, record: Mapping[str, Any], line: int) -> FoundNote:
        """Read `{"tokens": [...], "ner_tags": [...]}`."""
        tokens = list(record.get("tokens") or record.get("words") or ())
        given = [key for key in TAG_KEYS if _tags(record.get(key))]
        if not given:
            raise InvalidRecord(f"tokens without tags: give them under {', '.join(TAG_KEYS[:4])}", "no tags")
        note = note_of_tokens(self.path, line, tokens, [self._named(tag) for tag in record[given[0]]], self.vocabulary)
        return self._identified(note, record)

    def _named(self, tag: Any) -> str:
        if isinstance(tag, str):
            return tag
        if type(tag) is not int:
            raise InvalidRecord(f"a tag must be a name or a number, not {str(tag)[:20]!r}", "no tag")
        if 0 <= tag < len(self.names):
            return self.names[tag]
        if self.vocabulary.tag(str(tag)) == str(tag):
            raise InvalidRecord(
                "tags are numbers without names: say them, as --map 0=O,1=B-DISEASE,2=I-DISEASE", "numbers"
            )
        return str(tag)

    def spert(self, record: Mapping[str, Any], line: int) -> FoundNote:
        """Read `{"tokens": [...], "entities": [{"type", "start", "end"}], "relations": [{"type", "head", "tail"}]}`: places of tokens, the end excluded."""
        tokens = list(record["tokens"])
        offsets = offsets_of(tokens)
        spans = [
            _of_tokens(offsets, one.get("start"), one.get("end"), one.get("type"), str(place), line)
            for place, one in enumerate(record["entities"])
        ]
        given = record.get("relations")
        relations = (
            None
            if given is None
            else [FoundRelation(str(one["type"]), str(one["head"]), str(one["tail"])) for one in given]
        )
        note = FoundNote(self.path, line, " ".join(tokens), spans, relations, tokens=offsets, exact=True)
        return self._identified(note, record)

    def gliner(self, record: Mapping[str, Any], line: int) -> FoundNote:
        """Read `{"tokenized_text": [...], "ner": [[first, last, label]]}`: places of tokens, the last one included."""
        tokens = list(record["tokenized_text"])
        offsets = offsets_of(tokens)
        spans = []
        for item in record["ner"]:
            if not isinstance(item, list) or len(item) != 3 or type(item[1]) is not int:
                raise InvalidRecord('"ner" must hold [first token, last token, label]', "no span")
            spans.append(_of_tokens(offsets, item[0], item[1] + 1, item[2], "", line))
        return self._identified(FoundNote(self.path, line, " ".join(tokens), spans, tokens=offsets, exact=True), record)

    def paragraphs(self, record: Mapping[str, Any], line: int) -> list[FoundNote]:
        """Read a document of spaCy's old training JSON: paragraphs of sentences of tokens with BILOU tags."""
        notes = []
        for paragraph in record.get("paragraphs") or ():
            for sentence in paragraph.get("sentences") or ():
                words = [token for token in sentence.get("tokens") or () if str(token.get("orth", "")).strip()]
                if any(token.get("ner") in {None, "-"} for token in words):
                    raise InvalidRecord(
                        "tokens whose entity is unknown (ner null or -): annotate or remove the sentence",
                        "unknown tags",
                    )
                notes.append(
                    note_of_tokens(
                        self.path,
                        line,
                        [token["orth"] for token in words],
                        [token["ner"] for token in words],
                        self.vocabulary,
                    )
                )
        for note in notes:
            note.group = f"{self.path.name}#{record.get('id', line)}"
        return notes

    @staticmethod
    def _identified(note: FoundNote, record: Mapping[str, Any]) -> FoundNote:
        ident = record.get("id", record.get("orig_id"))
        note.note_id, note.named = ("", False) if ident is None else (str(ident), True)
        return note


def _tags(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(tag, str | int) for tag in value)


def _of_tokens(
    offsets: Sequence[tuple[int, int]], first: Any, end: Any, label: Any, ident: str, line: int
) -> FoundSpan:
    if type(first) is not int or type(end) is not int or not 0 <= first < end <= len(offsets):
        raise InvalidRecord(f"a span of tokens [{first}, {end}) is not among the {len(offsets)} tokens", "outside")
    return FoundSpan(offsets[first][0], offsets[end - 1][1], str(label), ident=ident, line=line)
