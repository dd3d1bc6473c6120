"""A diagram as data: nodes, edges, and what a page says beside them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a node is; each renderer draws every kind in its own way."""

    OUTSIDE = "outside"
    SERVICE = "service"
    TOPIC = "topic"
    STORE = "store"
    STEP = "step"


class Style(StrEnum):
    """What an edge is: records or files that move, a dead letter, or a server that is asked."""

    FLOW = "flow"
    REFUSED = "refused"
    ASKED = "asked"


class Way(StrEnum):
    """Which pipeline a topic belongs to; its arrows have one colour in all pictures."""

    INFERENCE = "inference"
    MONITORING = "monitoring"
    REVIEW = "review"
    TRAINING = "training"


@dataclass(frozen=True, slots=True)
class Node:
    """One box. ``small`` are the lines below its name."""

    key: str
    name: str
    kind: Kind
    small: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow. ``back`` marks one that runs against the reading direction, so that it does not pull the layout round."""

    source: str
    target: str
    words: str = ""
    style: Style = Style.FLOW
    back: bool = False
    way: Way | None = None


@dataclass(frozen=True, slots=True)
class Diagram:
    """A picture and its sentence.

    Attributes:
        name: Of the page and the picture's files.
        title: Heading of the page.
        sentence: What it shows.
        nodes: In the order in which they are listed.
        edges: Between keys of nodes.
    """

    name: str
    title: str
    sentence: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        known = {node.key for node in self.nodes}
        lost = sorted({key for edge in self.edges for key in (edge.source, edge.target)} - known)
        if lost:
            raise ValueError(f"the diagram {self.name} has arrows to what it does not hold: {', '.join(lost)}")
