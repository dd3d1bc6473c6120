"""How a topic shall be: what the contract job works out, and what a cluster is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How one topic of the cluster shall be."""

    name: str
    partitions: int
    config: Mapping[str, str]
