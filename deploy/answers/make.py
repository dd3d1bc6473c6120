"""The answers as one document to hand in: ``make answers`` writes docs/answers/rxtract-answers.pdf and a PNG of each page.

It is made from the pages of docs/ as they stand, in the order of the case's questions; Chromium sets it, Mermaid draws the
stories. Nothing is asked of the internet. ``make.py --check`` says whether a page has changed since.
"""  # noqa: INP001

from __future__ import annotations

import argparse
import hashlib
import html
import re
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2
from embedded_stack.cache import Cache
from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUT = DOCS / "answers"
PDF = OUT / "rxtract-answers.pdf"
SOURCES_NAMED = re.compile(r"sources ([0-9a-f]{16})")
MERMAID_JAR = "META-INF/resources/webjars/mermaid/{version}/dist/mermaid.min.js"
DPI, COLOURS, DRAW_MS = 80, 64, 120_000
PAPER_PX = 673
"""The width of the text on A4, as Chromium counts it."""


class Part(NamedTuple):
    """A page of docs/ and what it is called here; `pictures` are drawn large behind it."""

    page: str
    title: str
    pictures: tuple[tuple[str, str], ...] = ()


PARTS = (
    Part("answers.md", "The answers, in short"),
    Part("why.md", "1 Why, and which KPIs"),
    Part("mlops.md", "2 What MLOps buys, and its price"),
    Part(
        "design.md",
        "3 System design",
        (
            ("stack", "The complete stack"),
            ("experimentation", "Data and model experimentation"),
            ("data", "The automated data pipeline"),
            ("training", "The automated training pipeline"),
            ("inference", "The automated inference pipeline"),
            ("monitoring", "The continuous monitoring pipeline"),
            ("review", "The review loop"),
        ),
    ),
    Part("tools.md", "4 Reasons for each tool"),
    Part("workflow.md", "5 The workflow of the five pipelines"),
    Part("what-happens-when.md", "6 What happens when: the four conditions"),
)
WIDE = {"stack", "inference", "monitoring", "review"}
STYLE = """
@page { size: A4; margin: 17mm 16mm 18mm 16mm }
@page wide { size: A4 landscape; margin: 12mm 12mm 16mm 12mm }
html { font: 9.5pt/1.4 "DejaVu Sans", sans-serif; color: #1c2430; hyphens: auto }
h1 { font-size: 19pt; margin: 0 0 5mm; color: #1d3557; break-before: page; border-bottom: 1.2pt solid #1f7a7a; padding-bottom: 2mm }
h2 { font-size: 13pt; margin: 7mm 0 2mm; color: #1d3557; break-after: avoid }
h3 { font-size: 10.8pt; margin: 5mm 0 1.5mm; break-after: avoid }
p, li { orphans: 3; widows: 3 }
a { color: #0a5156; text-decoration: none }
code { font: 8.6pt "DejaVu Sans Mono", monospace; overflow-wrap: anywhere }
pre { background: #f3f5f8; padding: 2.2mm 3mm; border-radius: 1.5mm; white-space: pre-wrap; break-inside: avoid; font-size: 8pt; line-height: 1.35 }
pre code { font-size: 7.6pt }
table { border-collapse: collapse; width: 100%; margin: 2mm 0 4mm; font-size: 8.4pt }
th, td { border: .5pt solid #c5ccd6; padding: 1.1mm 1.6mm; text-align: left; vertical-align: top; overflow-wrap: break-word }
td code { overflow-wrap: break-word; word-break: normal }
th { background: #eef1f6 }
thead:not(:has(th:not(:empty))) { display: none }
tr { break-inside: avoid }
img { display: block; max-width: 100%; max-height: 105mm; margin: 3mm auto }
.mermaid { margin: 3mm auto; text-align: center; break-inside: avoid }
.mermaid svg { max-width: 100% !important; max-height: 165mm; height: auto }
figure { margin: 0; break-before: page; break-inside: avoid; text-align: center }
figure.wide { page: wide }
figure img { max-height: 225mm; margin: 0 auto }
figure.wide img { max-height: 158mm; max-width: 272mm; width: 100% }
.cover { min-height: 250mm; display: flex; flex-direction: column; justify-content: center }
.cover h1 { break-before: auto; font-size: 34pt; border: 0; margin: 0 }
.cover p { font-size: 12pt; max-width: 150mm }
.cover ol { list-style: none; padding: 0; font-size: 11.5pt; line-height: 2 }
.cover small { margin-top: 20mm; color: #5b6b82; font-size: 8.5pt }
"""
FOOT = """<div style="font:7pt 'DejaVu Sans';width:100%;margin:0 16mm;display:flex;justify-content:space-between;color:#5b6b82">
<span>Rxtract: the answers</span><span><span class="pageNumber"></span> of <span class="totalPages"></span></span></div>"""


def digest() -> str:
    """Return what tells whether the sources are those of a document: pages, pictures and this program."""
    found = hashlib.sha256(Path(__file__).read_bytes())
    for path in sources():
        found.update(path.relative_to(DOCS).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def sources() -> list[Path]:
    """Return the pages and pictures that the document is made from."""
    pages = [DOCS / part.page for part in PARTS]
    shown = {
        (page.parent / name).resolve()
        for page in pages
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text("utf-8"))
    }
    drawn = {DOCS / f"pictures/{name}.svg" for part in PARTS for name, _ in part.pictures}
    return [*pages, *sorted(shown | drawn)]


def document() -> str:
    """Return the whole document as HTML, with pictures by their paths."""
    body = "".join(_part(part) for part in PARTS)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Rxtract: the answers</title><style>{STYLE}</style>{_cover()}{body}</html>'


def _cover() -> str:
    listed = "".join(f'<li><a href="#{_anchor(part.page)}">{html.escape(part.title)}</a></li>' for part in PARTS)
    return (
        '<section class="cover"><h1>Rxtract</h1><p>Diseases and treatments out of the free-text clinical notes of e-prescriptions, '
        "as a stream: system, pipelines, tools and workflow, answered question by question.</p>"
        f"<ol>{listed}</ol><p>Not for clinical decisions. All notes shown are synthetic.</p>"
        f"<small>Made by <code>make answers</code> from the pages of docs/ in the repository; sources {digest()}.</small></section>"
    )


def _part(part: Part) -> str:
    text = (DOCS / part.page).read_text(encoding="utf-8")
    made: str = MarkdownIt("commonmark").enable("table").render(text)
    made = re.sub(r"<h1>.*?</h1>", f'<h1 id="{_anchor(part.page)}">{html.escape(part.title)}</h1>', made, count=1)
    made = re.sub(r"<h2>(.*?)</h2>", lambda found: f'<h2 id="{_anchor(part.page, found[1])}">{found[1]}</h2>', made)
    made = re.sub(
        r'<pre><code class="language-mermaid">(.*?)</code></pre>',
        r'<pre class="mermaid">\1</pre>',
        made,
        flags=re.DOTALL,
    )
    made = re.sub(
        r'<a href="([^"]+)">(.*?)</a>', lambda found: _link(part.page, found[1], found[2]), made, flags=re.DOTALL
    )
    made = re.sub(
        r'src="([^":]+)"', lambda found: f'src="{((DOCS / part.page).parent / found[1]).resolve().as_uri()}"', made
    )
    return f"<section>{made}{''.join(_figure(*picture) for picture in part.pictures)}</section>"


def _figure(name: str, title: str) -> str:
    picture = (DOCS / f"pictures/{name}.svg").as_uri()
    kind = ' class="wide"' if name in WIDE else ""
    return f'<figure{kind}><img src="{picture}" alt="{html.escape(title)}"></figure>'


def _link(page: str, target: str, words: str) -> str:
    """A link inside the document stays one; what only the repository has keeps its words."""
    name, _, place = target.partition("#")
    name = name or page
    if "img" in words or name not in {part.page for part in PARTS}:
        return words
    return f'<a href="#{_anchor(name, place) if place else _anchor(name)}">{words}</a>'


def _anchor(page: str, heading: str = "") -> str:
    """An id as the site gives it, under its page's name."""
    plain = re.sub(r"<[^>]+>", "", html.unescape(heading)).lower()
    slug = re.sub(r"[\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip())
    return f"{page.removesuffix('.md')}{'-' if slug else ''}{slug}"


def write(chromium: str, mermaid: Path, folder: Path = OUT) -> Path:
    """Set the document and paint its pages; returns the PDF."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    page_file = folder / "document.html"
    page_file.write_text(document(), encoding="utf-8")
    target = folder / PDF.name
    try:
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium) as browser:
            tab = browser.new_page(viewport={"width": PAPER_PX, "height": 1_000})
            tab.goto(page_file.as_uri())
            _draw(tab, mermaid)
            tab.pdf(
                path=str(target), prefer_css_page_size=True, print_background=True, outline=True, tagged=True,
                display_header_footer=True, header_template="<span></span>", footer_template=FOOT,
            )  # fmt: skip
    finally:
        page_file.unlink()
    for old in folder.glob("page-*.png"):
        old.unlink()
    for number, picture in enumerate(_pages(target), 1):
        picture.save(folder / f"page-{number:02}.png", optimize=True)
    return target


def _draw(tab: Any, mermaid: Path) -> None:
    """Draw the Mermaid diagrams, and wait for every picture."""
    wanted = tab.locator("pre.mermaid").count()
    tab.add_script_tag(path=str(mermaid))
    tab.evaluate("mermaid.initialize({startOnLoad: false, theme: 'neutral', fontFamily: 'DejaVu Sans'}); mermaid.run()")
    tab.wait_for_function(
        "n => document.querySelectorAll('pre.mermaid > svg').length === n", arg=wanted, timeout=DRAW_MS
    )
    wide = tab.evaluate(
        "n => [...document.querySelectorAll('table, pre')].filter(one => one.scrollWidth > n).map(one => one.innerText.slice(0, 60))",
        PAPER_PX,
    )
    if wide:
        raise SystemExit(f"answers: wider than the paper: {wide}")
    broken = tab.evaluate("[...document.images].filter(one => !one.complete || !one.naturalWidth).map(one => one.src)")
    if broken:
        raise SystemExit(f"answers: pictures are missing: {broken}")


def _pages(pdf: Path) -> Iterator[Any]:
    """Each page as a picture of few colours."""
    with pypdfium2.PdfDocument(pdf) as document_:
        for page in document_:
            yield page.render(scale=DPI / 72).to_pil().convert("RGB").quantize(COLOURS)


def stated(pdf: Path = PDF) -> str:
    """Return the digest of sources that a document names; empty where there is none."""
    if not pdf.exists():
        return ""
    with pypdfium2.PdfDocument(pdf) as found:
        text = found[0].get_textpage().get_text_bounded()
    named = SOURCES_NAMED.search(" ".join(text.split()))
    return named[1] if named else ""


def _mermaid(folder: Path) -> Path:
    sys.path.insert(0, str(ROOT))
    from deploy import docs_site

    pin = docs_site.MERMAID
    (archive,) = Cache().files([pin])
    target = folder / "mermaid.min.js"
    with zipfile.ZipFile(archive) as jar:
        target.write_bytes(jar.read(MERMAID_JAR.format(version=pin.version)))
    return target


def main() -> None:
    """Write the document, or with --check say whether it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when the document is of other sources"
    )
    if parser.parse_args().check:
        if stated() != digest():
            sys.exit(f"out of date: {PDF.relative_to(ROOT)}: run `make answers`")
        return
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("answers: no chromium: run `make tools`, or install the package chromium")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        made = write(chromium, _mermaid(Path(folder)))
    with pypdfium2.PdfDocument(made) as found:
        print(f"answers: {made.relative_to(ROOT)}, {len(found)} pages, {made.stat().st_size // 1024} KB")  # noqa: T201 - this is a command


if __name__ == "__main__":
    main()
