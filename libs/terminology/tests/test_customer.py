import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from terminology import Coder, TerminologyRefused
from terminology.changes import changes
from terminology.customer import LONGEST_NAME, draft_of_csv
from terminology.systems import system_of
from terminology.table import read, write

OWN = system_of("https://hospital.example/codes")
GOOD = "code,name,synonyms,label\nH-1,Sugar clinic patient,sugar clinic|scp,DISEASE\nH-2,Blue tablets,,TREATMENT\n"


def imported(folder, text, system=OWN, version="1"):
    source = folder / "own.csv"
    source.write_text(text, encoding="utf-8")
    path = folder / f"own-{version}.table"
    write(draft_of_csv(source, system, name="own", version=version), path)
    return path


def test_a_customers_codes_are_found_by_all_their_names(tmp_path):
    coder = Coder.open(imported(tmp_path, GOOD))
    for text in ("SCP", "Sugar clinic", "sugar-clinic patient", "patient of the sugar clinic"):
        found = coder.code(text)
        assert found is not None, text
        assert (found.code, found.system, found.how) == ("H-1", OWN.uri, "imported")
    assert coder.code("Blue tablets", "TREATMENT").code == "H-2"
    assert coder.code("Blue tablets", "DISEASE") is None


def test_a_name_of_two_codes_gives_neither(tmp_path):
    coder = Coder.open(imported(tmp_path, "code,name\nA,shared name\nB,shared name\nC,other name\n"))
    assert coder.code("shared name") is None
    assert coder.code("other name").code == "C"


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("A,x y\nA,z w\n", "line 3: code A stands on line 2 already"),
        ("A B,x\n", "line 2: 'A B' is not a code of"),
        (",x\n", "line 2: '' is not a code of"),
        ("A,\n", "line 2: name: no words"),
        ("A,...\n", "line 2: name: no words"),
        ("A,<b>x</b>\n", "line 2: name: holds HTML"),
        ("A,x &amp; y\n", "line 2: name: holds HTML"),
        ("A,x\x07y\n", "line 2: name: holds a control character"),
        (f"A,{'x' * (LONGEST_NAME + 1)}\n", "line 2: name: longer than"),
        ("A,x,y,z\n", "line 2: more fields than columns"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path, rows, fault):
    with pytest.raises(TerminologyRefused, match="is not imported") as refused:
        imported(tmp_path, "code,name\n" + rows)
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("code,name,parent\nA,x,B\nB,y,C\nC,z,A\n", "parent goes in a circle: A > B > C > A"),
        ("code,name,parent\nA,x,A\n", "parent goes in a circle: A > A"),
        ("code,name,parent\nA,x,Q\n", "parent Q is no code of this file"),
        ("code,name,status,replaced_by\nA,x,withdrawn,B\nB,y,withdrawn,A\n", "replaced_by goes in a circle"),
        ("code,name,status\nA,x,gone\n", "status 'gone'"),
        ("code,name,label\nA,x,DRUG\n", "label 'DRUG'"),
        ("code,name,status,replaced_by\nA,x,,B\nB,y,,\n", "replaced by another and not withdrawn"),
        ("code,title\nA,x\n", "has no column name"),
        ("code,name,notes\nA,x,y\n", "unknown column 'notes'"),
        ("code,name\n", "a header and no codes"),
        ("", "is empty; its first line names the columns"),
        ("code;name\nA;x\n", "separates its columns by semicolons: save it as CSV with commas"),
        ("code\tname\nA\tx\n", "separates its columns by tabs"),
        ("code,name,name\nA,x,y\n", "has the column 'name' twice"),
        ('code,name\nA,"x\nB,y\n', "goes over several lines; is a quotation mark missing?"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, fault):
    with pytest.raises(TerminologyRefused) as refused:
        imported(tmp_path, text)
    assert fault in str(refused.value)


def test_everything_that_is_wrong_in_a_file_is_named_in_its_order(tmp_path):
    rows = [
        "code,name,parent,status,replaced_by",
        "A,fever,B,,",
        "B,cough,A,,",
        "A,again,,,",
        "C C,bad,,,",
        "D,<i>x</i>,,,",
        f"E,{'x' * (1 << 20)},,,",
        "F,x,D,gone,",
        "G,x,Q,,",
        "H,x,D,,",
    ]
    with pytest.raises(TerminologyRefused) as refused:
        imported(tmp_path, "\n".join(rows) + "\n")
    assert str(refused.value).splitlines()[1:] == [
        "line 2: parent goes in a circle: A > B > A",
        "line 4: code A stands on line 2 already",
        "line 5: 'C C' is not a code of https://hospital.example/codes (such as A-1)",
        "line 6: name: holds HTML; give plain words",
        f"line 7: name: longer than {LONGEST_NAME} characters",
        "line 8: status 'gone': give active, withdrawn or nothing",
        "line 9: parent Q is no code of this file",
    ]


@pytest.mark.parametrize("text", ["\ufeffcode,name\nA,x y\n", "Code, NAME\r\nA,x y\r\n", 'code,name\rA,"x y"\r'])
def test_what_a_spreadsheet_writes_is_taken(tmp_path, text):
    assert Coder.open(imported(tmp_path, text)).code("x y").code == "A"


def test_names_in_devanagari_are_told_apart_by_their_vowels(tmp_path):
    names = ["मधुमेह", "मधु", "दमा", "दम", "पता", "पत्ता", "उच्च रक्तचाप"]
    rows = "".join(f"H-{place},{name}\n" for place, name in enumerate(names))
    coder = Coder.open(imported(tmp_path, "code,name\n" + rows))
    assert [coder.code(name).code for name in names] == [f"H-{place}" for place in range(len(names))]
    assert coder.code("रक्तचाप, उच्च").code == "H-6"


def test_a_long_chain_of_parents_is_no_circle(tmp_path):
    rows = "".join(f"C{number},name {number},C{number - 1}\n" for number in range(1, 5000))
    assert imported(tmp_path, f"code,name,parent\nC0,name 0,\n{rows}").exists()


def test_all_faults_are_named_at_once_and_nothing_is_written(tmp_path):
    rows = "".join(f"A {number},x\n" for number in range(30))
    with pytest.raises(TerminologyRefused) as refused:
        imported(tmp_path, "code,name\n" + rows)
    assert str(refused.value).count("\n") == 21
    assert "and 10 more" in str(refused.value)
    assert not list(tmp_path.glob("*.table"))


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "own.csv").write_bytes(b"code,name\nA,caf\xe9\n")
    with pytest.raises(TerminologyRefused, match="not UTF-8"):
        draft_of_csv(tmp_path / "own.csv", OWN, name="own", version="1")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(TerminologyRefused, match="cannot be read"):
        draft_of_csv(tmp_path / "no.csv", OWN, name="own", version="1")


@given(st.binary(max_size=300))
@settings(max_examples=200)
def test_any_bytes_are_imported_or_refused_in_words(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("csv")
    (folder / "own.csv").write_bytes(b"code,name,synonyms\n" + content)
    try:
        found = draft_of_csv(folder / "own.csv", OWN, name="own", version="1")
    except TerminologyRefused:
        return
    write(found, folder / "own.table")
    assert len(read(folder / "own.table").concepts) == len(found.concepts)


def test_a_code_withdrawn_between_versions_is_told(tmp_path):
    old = read(imported(tmp_path, "code,name\nA,old way\nB,steady\nC,moved\n", version="1"))
    text = "code,name,status,replaced_by\nA,old way,withdrawn,B\nB,steadier,,\nD,moved,,\n"
    new = read(imported(tmp_path, text, version="2"))
    lines = [" ".join(str(change).split()) for change in changes(old, new)]
    assert lines == [
        "withdrawn A old way -> use B",
        "withdrawn C moved",
        "added D moved",
        "renamed B steady -> steadier",
        'recoded "moved" C -> D',
    ]
    assert Coder.open(tmp_path / "own-2.table").code("old way") is None
    assert list(changes(new, new)) == []


def test_a_customers_table_stands_beside_the_base_table(tmp_path, coder):
    base, own = coder.tables[0], read(imported(tmp_path, "code,name\n73211009,T2DM\n", system_of("snomed")))
    both = Coder([base, own]).code("T2DM")
    assert [(one.system, one.code) for one in both.codings] == [
        ("http://hl7.org/fhir/sid/icd-10", "E11.9"),
        ("http://snomed.info/sct", "73211009"),
    ]
    assert both.code == "E11.9"
    assert Coder([own, base]).code("T2DM").code == "73211009"
