"""The site of `make docs` works from disk and without the internet: every page opens, every diagram is drawn."""

import os
import shutil
import subprocess
import tomllib
import zipfile
from types import SimpleNamespace

import pytest

from deploy import docs_site
from tests.docs.test_truth import ROOT, SITE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MERMAID_MS = 60_000


def test_mermaid_is_put_where_the_pages_look_for_it(tmp_path):
    archive = tmp_path / "mermaid.jar"
    with zipfile.ZipFile(archive, "w") as jar:
        jar.writestr(f"META-INF/resources/webjars/mermaid/{docs_site.MERMAID.version}/dist/mermaid.min.js", "draw()")
    put = docs_site.put(SimpleNamespace(files=lambda pins: [archive for _ in pins]), tmp_path / "site")
    assert put.read_text() == "draw()"
    asked = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["extra_javascript"]
    assert [str(put.relative_to(tmp_path / "site"))] == asked


@pytest.mark.timeout(900)
@pytest.mark.skipif(CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium: run make tools")
def test_every_page_opens_from_disk_with_its_diagrams_and_asks_nobody():
    from playwright.sync_api import sync_playwright

    subprocess.run(["make", "docs"], cwd=ROOT, check=True, capture_output=True)
    asked = []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        tab = browser.new_page()
        tab.set_default_timeout(MERMAID_MS)
        tab.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
        for page in SITE:
            tab.goto((ROOT / "site" / page.with_suffix(".html")).as_uri())
            diagrams = (ROOT / "docs" / page).read_text().count("```mermaid")
            drawn = "wanted => document.querySelectorAll('div.mermaid').length === wanted"
            tab.wait_for_function(drawn, arg=diagrams, timeout=MERMAID_MS)
            pictures = tab.evaluate("[...document.images].filter(one => !one.naturalWidth).map(one => one.src)")
            assert pictures == [], page
    assert asked == []
