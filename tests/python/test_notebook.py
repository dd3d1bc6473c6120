"""The notebook runs from top to bottom, as it is kept: without outputs."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.docs.test_truth import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOTEBOOK = ROOT / "examples/notebook/first-steps.ipynb"


def test_the_notebook_runs_and_shows_what_it_says(tmp_path):
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert all(not cell.outputs and cell.execution_count is None for cell in book.cells if cell.cell_type == "code")
    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [
        output.data for cell in book.cells if cell.cell_type == "code" for output in cell.outputs if "data" in output
    ]
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert any('<mark class="disease fact"' in page for page in pages), "a note in colour"
    assert any("metformin" in page and "<table" in page for page in pages), "a table"
    assert (tmp_path / "records/manifest.json").exists()
