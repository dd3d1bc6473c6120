"""Writes all that follows from schemas/: records, codecs, event documentation."""

from pathlib import Path


def generated_files() -> dict[Path, str]:
    """Return every generated file of the checkout with the text that it should have."""
    from contracts.generate import codec, records

    package = Path(__file__).resolve().parents[1]
    return {
        package / "records.py": records.source(),
        package / "_generated" / "twins.py": records.twins_source(),
        package / "_generated" / "codec.py": codec.source(),
    }


def stale_files() -> dict[Path, str]:
    """Return the generated files whose text differs from what it should be."""
    return {
        path: text for path, text in generated_files().items() if not path.is_file() or path.read_text("utf-8") != text
    }
