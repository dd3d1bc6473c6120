"""A diagram as Graphviz's DOT, and from it the pictures that are shown and printed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from html import escape
from typing import TYPE_CHECKING

from rxtract.design.graph import Kind, Style, Way
from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rxtract.design.graph import Diagram, Edge, Node

FONT = "Liberation Sans"
SAME_WIDTHS = "Arial,Helvetica,sans-serif"
"""What a viewer without that font takes; their letters are as wide."""
HEAD = f"""digraph {{
  graph [bgcolor=white, pad=0.35, nodesep=0.28, ranksep=0.62, fontname="{FONT}", fontsize=19, fontcolor="#1f2a3a",
         labelloc=t, labeljust=l, splines=true, outputorder=edgesfirst]
  node [fontname="{FONT}", fontsize=12, margin="0.16,0.09", penwidth=1.1, style="filled,rounded", shape=box]
  edge [fontname="{FONT}", fontsize=9.5, fontcolor="#4b5563", color="#55657a", penwidth=1.15, arrowsize=0.65]
"""
LOOKS = {
    Kind.SERVICE: 'fillcolor="#1d3557", color="#1d3557", fontcolor="#ffffff"',
    Kind.TOPIC: 'fillcolor="#e3f1f1", color="#1f7a7a", fontcolor="#123c3c", margin="0.22,0.08"',
    Kind.STORE: 'shape=cylinder, style=filled, fillcolor="#fdf3dc", color="#b7862b", fontcolor="#4a3510"',
    Kind.STEP: 'fillcolor="#eef1f6", color="#5b6b82", fontcolor="#1f2a3a"',
    Kind.OUTSIDE: 'style=filled, fillcolor="#ffffff", color="#8a8f98", fontcolor="#30343b"',
}
SMALL = {
    Kind.SERVICE: "#c9d6e8",
    Kind.TOPIC: "#3f7070",
    Kind.STORE: "#7a6330",
    Kind.STEP: "#5b6b82",
    Kind.OUTSIDE: "#6b7280",
}
LINES = {
    Style.FLOW: "",
    Style.REFUSED: 'style=dashed, color="#b3261e", fontcolor="#b3261e"',
    Style.ASKED: 'style=dotted, color="#b7862b", penwidth=1.4',
}
COLOURS = {
    Way.INFERENCE: "#2a5db0",
    Way.MONITORING: "#c2571a",
    Way.REVIEW: "#7b3fa0",
    Way.TRAINING: "#2f7d32",
}
GAP = '<font point-size="6"> </font><br align="left"/>'
DIGEST = "source sha256 "
FORMATS = ("svg", "pdf")


def source(diagram: Diagram) -> str:
    """Return the DOT text."""
    lines = [HEAD, f'  label=<<b>{escape(diagram.title)}</b><br align="left"/>{_legend(diagram)}{GAP}>']
    lines += [f"  {_quoted(node.key)} [label={_label(node)}, {LOOKS[node.kind]}]" for node in diagram.nodes]
    lines += [
        f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [{_look(edge, both)}]" for edge, both in _joined(diagram)
    ]
    return "\n".join([*lines, "}", ""])


def digest_of(diagram: Diagram) -> str:
    """Return the digest by which a picture names its source."""
    return hashlib.sha256(source(diagram).encode()).hexdigest()


def is_of(picture: Path, diagram: Diagram) -> bool:
    """Whether a drawn SVG is of the diagram as it is now."""
    return picture.exists() and f"{DIGEST}{digest_of(diagram)}" in picture.read_text(encoding="utf-8")


def draw(diagram: Diagram, folder: Path) -> None:
    """Write the SVG and the PDF into a folder.

    Raises:
        UserError: There is no Graphviz.
    """
    if shutil.which("dot") is None:
        raise UserError("no dot on this machine: install the package graphviz")
    folder.mkdir(parents=True, exist_ok=True)
    for kind in FORMATS:
        command = ["dot", f"-T{kind}"]
        drawn = subprocess.run(command, input=source(diagram).encode(), check=True, capture_output=True).stdout
        if kind == "svg":
            drawn = drawn.replace(f'"{FONT}"'.encode(), f'"{FONT},{SAME_WIDTHS}"'.encode())
            drawn = drawn.replace(b"<svg ", f"<!-- {DIGEST}{digest_of(diagram)} -->\n<svg ".encode(), 1)
        (folder / f"{diagram.name}.{kind}").write_bytes(drawn)


def _label(node: Node) -> str:
    small = "".join(
        f'<br/><font point-size="9.5" color="{SMALL[node.kind]}">{escape(line)}</font>' for line in node.small
    )
    name = escape(node.name)
    return f"<{f'<b>{name}</b>' if node.kind is Kind.SERVICE else name}{small}>"


def _look(edge: Edge, both: bool) -> str:  # noqa: FBT001 - one of two ways an arrow is drawn
    parts = [LINES[edge.style]]
    if edge.way:
        parts.append(f'color="{COLOURS[edge.way]}", fontcolor="{COLOURS[edge.way]}"')
    if edge.words:
        parts.append(f'label=" {edge.words} "')
    if edge.back:
        parts.append("constraint=false")
    if both:
        parts.append("dir=both")
    return ", ".join(part for part in parts if part)


def _joined(diagram: Diagram) -> Iterator[tuple[Edge, bool]]:
    """Each arrow, and whether it stands for its counterpart too: two arrows between two boxes are drawn as one."""
    pairs = {(edge.source, edge.target): edge for edge in diagram.edges}
    for edge in diagram.edges:
        other = pairs.get((edge.target, edge.source))
        if other is None:
            yield edge, False
        elif other.back and not edge.back:
            yield edge, True


def _legend(diagram: Diagram) -> str:
    """The colours that the arrows have, as words in those colours, where there are several."""
    ways = [way for way in Way if any(edge.way is way for edge in diagram.edges)]
    words = "   ".join(f'<font color="{COLOURS[way]}">{way}</font>' for way in ways)
    return f'{GAP}<font point-size="10.5">{words}</font><br align="left"/>' if len(ways) > 1 else ""


def _quoted(name: str) -> str:
    return f'"{name}"'
