"""The tables of phrases: what cannot be used is refused in one line that names file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import clinical_ner
import pytest
from clinical_ner.meaning import Reader, rules_version
from clinical_ner.notes import Label, Span
from clinical_ner.phrases import TABLE_NAMES, Phrase, TableInvalid, Tables, read_tables, shipped_tables

SHIPPED = Path(clinical_ner.__file__).parent / "data" / "meaning"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "meaning")
    return tmp_path / "meaning"


def append(folder, name, *lines):
    path = folder / name
    path.write_text(path.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["[negated ahead reach=30]", "never ever | no"], r"'no' stands in line \d+ already"),
        (["[negated ahead reach=30]", "never ever |  | not at all"], "empty phrase"),
        (["[denied ahead reach=30]", "never ever"], "unknown kind 'denied'"),
        (["[negated ahead reech=30]", "never ever"], "knows no 'reech'"),
        (["[negated ahead reach=far]", "never ever"], "reach cannot be 'far'"),
        (["[negated ahead]", "never ever"], "needs reach="),
        (["[negated reach=3]", "never ever"], "needs ahead or back"),
        (["[end of=everything]", "never ever"], "of cannot be 'everything'"),
        (["[heading gives=weather]", "never ever"], "gives cannot be 'weather'"),
        (["[negated ahead reach=30", "never ever"], "is no section"),
        (["[negated ahead reach=30]", "for 3 days"], "holds a number"),
        (["[negated ahead reach=30]", "never " * 20], "longer than"),
    ],
)
def test_a_bad_row_names_its_line(folder, lines, match):
    last = append(folder, "assertion.txt", *lines)
    with pytest.raises(TableInvalid, match=match) as refusal:
        read_tables(folder)
    message = str(refusal.value)
    assert "\n" not in message
    assert f"assertion.txt, line {last}" in message or f"assertion.txt, line {last - 1}" in message


def test_a_relation_needs_a_place(folder):
    append(folder, "relations.txt", "[for]", "helps against")
    with pytest.raises(TableInvalid, match=r"relations\.txt, line .* needs a place"):
        read_tables(folder)


def test_a_phrase_before_the_first_section_is_refused(folder):
    (folder / "relations.txt").write_text("for\n", encoding="utf-8")
    with pytest.raises(TableInvalid, match="before the first"):
        read_tables(folder)


def test_a_missing_empty_or_unreadable_table_is_refused(folder):
    (folder / "relations.txt").write_text("; nothing\n", encoding="utf-8")
    with pytest.raises(TableInvalid, match="holds no phrase"):
        read_tables(folder)
    (folder / "relations.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TableInvalid, match=r"relations\.txt, line 1: .* no UTF-8 text"):
        read_tables(folder)
    (folder / "relations.txt").unlink()
    with pytest.raises(TableInvalid, match="cannot be read"):
        read_tables(folder)


def test_a_phrase_of_too_many_pieces_is_refused():
    long = Phrase("a b c d e f g h i j k l m", (0, 11, 0, 0, 0, 0))
    with pytest.raises(TableInvalid, match="at most 12"):
        Reader(Tables((long,), "x"))


def test_the_version_follows_every_table(folder):
    assert read_tables(folder).version == shipped_tables().version == rules_version()
    versions = {rules_version()}
    for name in TABLE_NAMES:
        append(folder, name, "; a remark")
        versions.add(read_tables(folder).version)
    assert len(versions) == 1 + len(TABLE_NAMES)


def test_a_set_from_before_there_were_indications_is_read_as_it_was(folder):
    (folder / "indications.txt").unlink()
    text, spans = (
        "DM and HTN on metformin",
        [Span(0, 2, Label.DISEASE), Span(7, 10, Label.DISEASE), Span(14, 23, Label.TREATMENT)],
    )
    before = Reader(read_tables(folder)).read([text], [spans])[0].relations
    now = Reader().read([text], [spans])[0].relations
    assert [each.disease for each in before] == [0, 1]
    assert [each.disease for each in now] == [0]
    (folder / "assertion.txt").unlink()
    with pytest.raises(TableInvalid, match=r"assertion\.txt: cannot be read"):
        read_tables(folder)


def test_every_shipped_phrase_can_be_matched():
    """A phrase that the pieces of a text never equal would be dead: each is found when it stands alone."""
    for phrase in shipped_tables().phrases:
        Reader(Tables((phrase,), "x"))
