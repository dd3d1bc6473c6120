import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terminology import Coder, TerminologyRefused
from terminology.table import FORMAT, BagRow, Coding, Draft, NameRow, read, write, write_newer

WORDS = st.from_regex(r"[a-z]{2,8}( [a-z]{2,8}){0,2}", fullmatch=True)


def draft(**changes):
    made = Draft("own", "1")
    made.concepts = [Coding("urn:x:y", "A", "Alpha"), Coding("urn:x:y", "B", "Beta \u00e9")]
    made.names = [
        NameRow("alpha", (0,), 0.9, "imported", "DISEASE"),
        NameRow("both", (0, 1), 0.8, "imported"),
        NameRow("ms", (0,), 0.9, "imported", cues=frozenset({"valve"})),
        NameRow("ms", (), 0.0, "imported"),
    ]
    made.bags = [BagRow(("alpha", "disease"), 0, 0.9, "imported"), BagRow(("beta",), 1, 0.8, "imported")]
    made.substances = {"metformin": ("9100L32L2N", "METFORMIN"), "aspirin": ("R16CO5Y76E", "ASPIRIN")}
    made.withdrawn = {"C": "A"}
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_table_reads_as_it_was_written(tmp_path):
    path = tmp_path / "own.table"
    meta = write(draft(), path)
    table = read(path)
    assert table.meta == meta
    assert table.coding(1) == Coding("urn:x:y", "B", "Beta \u00e9")
    assert table.name_rows("both")[0].concepts == (0, 1)
    assert [row.cues for row in table.name_rows("ms")] == [{"valve"}, set()]
    assert table.substance("metformin") == ("9100L32L2N", "METFORMIN")
    assert table.substance("metformi") is None
    assert table.withdrawn == {"C": "A"}
    assert table.version.startswith("own-1+")
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_draft_is_the_same_table(tmp_path):
    assert write(draft(), tmp_path / "a")["digest"] == write(draft(), tmp_path / "b")["digest"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_name_is_another_digest(tmp_path):
    other = draft(names=[NameRow("alpha", (1,), 0.9, "imported")])
    assert write(draft(), tmp_path / "a")["digest"] != write(other, tmp_path / "b")["digest"]


@given(st.dictionaries(WORDS, st.tuples(st.from_regex(r"[A-Z0-9]{10}", fullmatch=True), WORDS), max_size=40))
@settings(max_examples=30)
def test_every_substance_is_found_and_nothing_else(tmp_path_factory, substances):
    path = tmp_path_factory.mktemp("t") / "s.table"
    write(Draft("s", "1", substances=substances), path)
    table = read(path)
    assert {key: table.substance(key) for key in substances} == substances
    assert table.substance("no such name") is None


def rewritten(path, **members):
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**kept, **members}.items():
            archive.writestr(name, data)
    return kept


def test_a_table_of_another_format_is_refused(tmp_path):
    path = tmp_path / "own.table"
    meta = write(draft(), path)
    rewritten(path, **{"meta.json": json.dumps({**meta, "format": FORMAT + 1})})
    with pytest.raises(TerminologyRefused, match=rf"table format {FORMAT + 1}, this program reads {FORMAT}"):
        read(path)


def test_a_table_that_was_changed_is_refused(tmp_path):
    path = tmp_path / "own.table"
    write(draft(), path)
    rewritten(path, **{"names.tsv": b"alpha\t1\t0.9\timported\t\t"})
    with pytest.raises(TerminologyRefused, match="digest is wrong"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"{}", b"\x00" * 100])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "own.table"
    path.write_bytes(content)
    with pytest.raises(TerminologyRefused, match="not a terminology table"):
        read(path)


def test_a_cut_table_is_refused(tmp_path):
    path = tmp_path / "own.table"
    write(draft(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TerminologyRefused, match="not a terminology table"):
        read(path)


def test_without_a_base_table_the_line_says_what_to_run(tmp_path):
    with pytest.raises(TerminologyRefused, match="rxtract terminology build"):
        Coder.open(tmp_path)


def test_a_newer_table_has_a_higher_serial_and_the_same_one_keeps_its(tmp_path, monkeypatch):
    path = tmp_path / "own.table"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000")
    assert write_newer(draft(), path)["serial"] == 1000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000")
    assert write_newer(draft(), path)["serial"] == 1000
    other = draft(names=[NameRow("alpha", (1,), 0.9, "imported")])
    assert write_newer(other, path)["serial"] == 2000
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "5")  # a clock that went back
    assert write_newer(draft(), path)["serial"] == 2001
    assert Coder.open(path).serial == 2001


def test_a_table_from_before_there_were_serials_has_none(tmp_path):
    write(draft(), tmp_path / "own.table")
    assert Coder.open(tmp_path / "own.table").serial == 0
