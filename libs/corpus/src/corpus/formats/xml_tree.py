"""XML of strangers, an element at a time, without entities of their own: nothing is fetched, nothing is blown up."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat

from corpus.formats.found import InvalidRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from corpus.formats.report import Report
    from corpus.formats.source import Source

_CHUNK = 1 << 18
_MAX_DEPTH = 100


@dataclass(slots=True)
class Node:
    """An element with its text and the elements in it."""

    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self, name: str) -> list[Node]:
        """Return the elements of this name directly in it."""
        return [child for child in self.children if child.name == name]

    def said(self, name: str) -> str:
        """Return the text of the first element of this name in it, or ""."""
        return next((child.text for child in self.children if child.name == name), "")


class _Builder:
    """Builds a tree for each element of one name, and drops all that is outside."""

    def __init__(self, wanted: str, parser: expat.XMLParserType) -> None:
        self.wanted = wanted
        self.ready: queue.SimpleQueue[Node] = queue.SimpleQueue()
        self._parser = parser
        self._open: list[Node] = []
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidRecord("nested too deeply", "deep")
        if self._open or name == self.wanted:
            node = Node(name, attributes, self._parser.CurrentLineNumber)
            if self._open:
                self._open[-1].children.append(node)
            self._open.append(node)

    def end(self, name: str) -> None:
        del name
        self._depth -= 1
        if self._open:
            node = self._open.pop()
            if not self._open:
                self.ready.put(node)

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    @staticmethod
    def entity(*declared: object) -> None:
        del declared
        raise InvalidRecord("declares entities of its own: remove the declarations (<!ENTITY ...>)", "entity")


def documents(source: Source, report: Report, name: str) -> Iterator[tuple[int, Node]]:
    """Yield (line, element) of each element called `name`."""
    parser = expat.ParserCreate()
    builder = _Builder(name, parser)
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.EntityDeclHandler = builder.entity
    parser.buffer_text = True
    with source.open() as file:
        ended = False
        while not ended:
            chunk = file.read(_CHUNK)
            ended = not chunk
            try:
                parser.Parse(chunk, ended)
            except expat.ExpatError as error:
                report.problem(source.path, error.lineno, f"not XML ({expat.ErrorString(error.code)})", "xml")
                return
            except InvalidRecord as error:
                report.problem(source.path, parser.CurrentLineNumber, str(error), error.kind)
                return
            while not builder.ready.empty():
                node = builder.ready.get()
                yield node.line, node
