"""A diagram as Mermaid, which GitHub and the site draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rxtract.design.graph import Kind, Style

if TYPE_CHECKING:
    from rxtract.design.graph import Diagram, Edge, Node

SHAPES = {
    Kind.OUTSIDE: ('["', '"]'),
    Kind.SERVICE: ('["', '"]'),
    Kind.TOPIC: ('(["', '"])'),
    Kind.STORE: ('[("', '")]'),
    Kind.STEP: ('("', '")'),
}
CLASSES = """  classDef service fill:#1d3557,stroke:#1d3557,color:#ffffff
  classDef topic fill:#e3f1f1,stroke:#1f7a7a,color:#123c3c
  classDef store fill:#fdf3dc,stroke:#b7862b,color:#4a3510
  classDef step fill:#eef1f6,stroke:#5b6b82,color:#1f2a3a
  classDef outside fill:#ffffff,stroke:#8a8f98,color:#30343b"""


def source(diagram: Diagram) -> str:
    """Return the text of the flowchart."""
    lines = ["flowchart LR", *(f"  {_box(node)}" for node in diagram.nodes)]
    lines += [f"  {_arrow(edge)}" for edge in diagram.edges]
    return "\n".join([*lines, CLASSES, ""])


def _box(node: Node) -> str:
    begin, end = SHAPES[node.kind]
    return f"{key(node.key)}{begin}{'<br/>'.join([node.name, *node.small])}{end}:::{node.kind}"


def _arrow(edge: Edge) -> str:
    words = f'|"{edge.words}"|' if edge.words else ""
    return f"{key(edge.source)} {'-->' if edge.style is Style.FLOW else '-.->'}{words} {key(edge.target)}"


def key(name: str) -> str:
    """A node's name in Mermaid, where dots and hyphens mean something and `end` is a keyword."""
    return "n_" + name.replace(".", "_").replace("-", "_")
