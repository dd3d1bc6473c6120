from __future__ import annotations

import pytest
from corpus.loaders import DatasetError, Options, parse_map, read


@pytest.fixture
def write(tmp_path):
    """`write(name, content)` puts a file of text or bytes into the test's folder."""

    def _write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture
def take():
    """`take(path, map="A=B", ...)` reads a file and returns its reading and its notes."""

    def _take(path, labels=None, **options):
        names = parse_map([options.pop("map", "")])
        reading = read(path, labels, Options(names=names, **options))
        return reading, list(reading.notes())

    return _take


@pytest.fixture
def refused(take):
    """The message with which a file is refused."""

    def _refused(path, labels=None, **options):
        with pytest.raises(DatasetError) as caught:
            take(path, labels, **options)
        return str(caught.value)

    return _refused


def words(note):
    """What is marked in a note, as (label's first letter, words)."""
    return [(str(span.label)[0], note.text[span.start : span.end]) for span in note.spans]
