"""The document to hand in is of the pages as they are, has every question and picture, and brings its fonts along."""

import ctypes
import re

import pypdfium2
import pypdfium2.raw as pdfium
import pytest

from deploy.answers import make

A4_PT = (595, 842)
LEAST_CHARS = 300  # a figure and its title have more


@pytest.fixture(scope="module")
def document():
    with pypdfium2.PdfDocument(make.PDF) as found:
        yield found


def test_it_is_of_the_pages_as_they_are():
    assert make.stated() == make.digest(), "run `make answers`"


def test_a_page_that_changes_makes_it_out_of_date(tmp_path, monkeypatch):
    before = make.digest()
    for path in make.sources():
        copy = tmp_path / path.relative_to(make.DOCS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(make, "DOCS", tmp_path)
    assert make.digest() == before
    (tmp_path / "why.md").write_text("another reason")
    assert make.digest() != before


def test_every_answer_condition_and_picture_is_in_it(document):
    text = " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())
    for part in make.PARTS:
        page = (make.DOCS / part.page).read_text()
        for heading in re.findall(r"^## (.*)$", page, re.MULTILINE):
            assert re.sub(r"[`*]", "", heading) in text, part.page
        assert part.title in text
    assert len([one for part in make.PARTS for one in part.pictures]) == 7


def test_each_page_is_a4_and_has_its_picture(document):
    assert {tuple(sorted(round(one) for one in page.get_size())) for page in document} == {A4_PT}
    pictures = sorted(path.name for path in make.OUT.glob("page-*.png"))
    assert pictures == [f"page-{number:02}.png" for number in range(1, len(document) + 1)]


def test_no_page_holds_a_line_or_two_alone(document):
    texts = [" ".join(page.get_textpage().get_text_bounded().split()) for page in document]
    assert {number: text for number, text in enumerate(texts, 1) if len(text) < LEAST_CHARS} == {}


def test_every_font_is_in_it(document):
    seen = set()
    for page in document:
        for part in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_TEXT]):
            font = pdfium.FPDFTextObj_GetFont(part.raw)
            name = ctypes.create_string_buffer(100)
            pdfium.FPDFFont_GetBaseFontName(font, name, 100)
            assert pdfium.FPDFFont_GetIsEmbedded(font) == 1, name.value
            seen.add(name.value)
    assert len(seen) >= 3
