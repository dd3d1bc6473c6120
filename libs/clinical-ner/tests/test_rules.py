"""A set of rules as one file: the same after a round trip, refused in one line, and read beside another with one model."""

from __future__ import annotations

import gc
import json

import pytest
from clinical_ner.phrases import TABLE_NAMES, TableInvalid
from clinical_ner.rules import MAX_BYTES, open_rules, read_rules, shipped_rules
from clinical_ner.tagger import Tagger

ADDED = "\n[negated ahead reach=8]\nfoo-free of\n"


def folder_of(path, **texts: str):
    for name in TABLE_NAMES:
        (path / name).write_text(texts.get(name.removesuffix(".txt"), shipped_rules().texts[name]), encoding="utf-8")
    return path


def test_a_file_of_rules_is_the_folder_that_it_was_made_of(tmp_path) -> None:
    shipped = shipped_rules()
    released = tmp_path / "rules.json"
    released.write_bytes(shipped.data)
    for again in (read_rules(folder_of(tmp_path)), read_rules(released), open_rules(shipped.data, shipped.sha256)):
        assert (again.data, again.version, again.sha256) == (shipped.data, shipped.version, shipped.sha256)


def test_another_phrase_makes_another_version_and_another_digest(tmp_path) -> None:
    other = read_rules(folder_of(tmp_path, assertion=shipped_rules().texts["assertion.txt"] + ADDED))
    assert other.version != shipped_rules().version
    assert other.sha256 != shipped_rules().sha256


def test_a_file_that_was_released_before_there_were_indications_opens() -> None:
    texts = {name: text for name, text in shipped_rules().texts.items() if name != "indications.txt"}
    rules = open_rules(json.dumps(texts, ensure_ascii=False, indent=0).encode())
    assert rules.texts == texts
    assert rules.version != shipped_rules().version


@pytest.mark.parametrize("phrases", ["none of it|none of it", "none of it||no such", "a b c d e f g h i j k l m"])
def test_a_phrase_that_cannot_be_used_is_named_by_file_and_line(phrases: str, tmp_path) -> None:
    text = f"[negated ahead reach=8]\nno\n{phrases}\n"
    with pytest.raises(TableInvalid, match=r"^assertion\.txt, line 3: ") as refused:
        read_rules(folder_of(tmp_path, assertion=text))
    assert "\n" not in str(refused.value)


HALF_A_CHARACTER = json.dumps(dict.fromkeys(TABLE_NAMES, "\ud800")).encode()
NO_RULES = [
    b"",
    b"[]",
    b"{}",
    b"\xff",
    b'{"assertion.txt": 1}',
    b"[" * 100_000,
    b" " * (MAX_BYTES + 1),
    HALF_A_CHARACTER,
]


@pytest.mark.parametrize("data", NO_RULES, ids=range(len(NO_RULES)))
def test_what_is_no_file_of_rules_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(TableInvalid) as refused:
        open_rules(data)
    assert "\n" not in str(refused.value)


def test_a_file_with_another_digest_is_not_opened() -> None:
    with pytest.raises(TableInvalid, match="digest"):
        open_rules(shipped_rules().data, "0" * 64)


def test_one_model_reads_by_either_rules_and_each_says_which(model, tmp_path) -> None:
    tagger = Tagger.open(model.tables)
    texts = ["c/o fever and cough. k/c/o hypertension."]
    found = tagger.tag(texts)[0].entities
    assert found
    other = read_rules(folder_of(tmp_path, assertion="[refused ahead reach=8]\nk/c/o\n"))
    changed = tagger.with_rules(other)
    assert changed.rules_version == other.version != tagger.rules_version
    statuses = {str(entity.assertion.status) for entity in changed.tag(texts)[0].entities}
    assert "PRESENT" in {str(entity.assertion.status) for entity in tagger.tag(texts)[0].entities}
    assert tagger.tag(texts)[0].entities == found, "one reading does not change the other's"
    del tagger
    gc.collect()
    again = changed.tag(texts)[0].entities
    assert {str(entity.assertion.status) for entity in again} == statuses
