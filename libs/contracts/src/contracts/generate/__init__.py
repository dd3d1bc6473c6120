"""Writes all that follows from schemas/: records, codecs, earlier versions, event documentation."""

from pathlib import Path


def generated_files() -> dict[Path, str]:
    """Return every generated file of the checkout with the text that it should have.

    Files of schemas/history are listed only when one has to be added: earlier ones never change.
    """
    from contracts import asyncapi, files
    from contracts.generate import codec, history, records, topics_page

    package = Path(__file__).resolve().parents[1]
    docs = files.schemas_dir().parent / "docs" / "events"
    return {
        package / "records.py": records.source(),
        package / "_generated" / "twins.py": records.twins_source(),
        package / "_generated" / "codec.py": codec.source(),
        docs / "asyncapi.yaml": asyncapi.text(),
        docs / "topics.md": topics_page.source(),
        **history.next_versions(),
    }


def stale_files() -> dict[Path, str]:
    """Return the generated files whose text differs from what it should be."""
    return {
        path: text for path, text in generated_files().items() if not path.is_file() or path.read_text("utf-8") != text
    }
