"""How far segments are from the model's reference, as metrics: the worst of each kind, and the few worst by name."""

import threading
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import NamedTuple

from contracts.segments import ALL_NOTES, parts_of
from drift.direction import distance
from drift.segment import SegmentWatch
from prometheus_client import Gauge
from runtime.service.metrics import Metrics

from drift_watcher import metrics as m

WORST_SEGMENTS = 10
"""So many segments of a process are named: producers choose cities and specialties, and a label for each would have no bound."""


class Worst(NamedTuple):
    """What is told of one partition: all that can be the worst of the process.

    Attributes:
        kinds: (kind of segment, statistic) -> highest score.
        segments: The worst segments, each with its highest score and the statistic that has it.
    """

    kinds: Mapping[tuple[str, str], float]
    segments: Mapping[str, tuple[float, str]]


class Scores:
    """Keeps the worst scores of each partition that is ours, and tells the worst over all of them.

    Partitions come and go in another thread than that in which they are scored.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._by_kind = _Told(metrics.gauge(m.DRIFT_SCORE))
        self._by_segment = _Told(metrics.gauge(m.SEGMENT_SCORE))
        self._known: dict[int, Worst] = {}
        self._ours: frozenset[int] = frozenset()
        self._lock = threading.Lock()

    def keep(self, partitions: Iterable[int]) -> None:
        """Only these are ours from now on."""
        with self._lock:
            self._ours = frozenset(partitions)
            self._tell()

    def drop(self, partitions: Iterable[int]) -> None:
        """These are not ours any more."""
        with self._lock:
            self._ours -= frozenset(partitions)
            self._tell()

    def take(self, partition: int, segments: Mapping[str, SegmentWatch]) -> None:
        """The segments of a partition as they are now; nothing when it went to another process meanwhile."""
        worst = worst_of(segments)
        with self._lock:
            if partition in self._ours:
                self._known[partition] = worst
                self._tell()

    def _tell(self) -> None:
        self._known = {partition: worst for partition, worst in self._known.items() if partition in self._ours}
        kinds: dict[tuple[str, str], float] = {}
        segments: dict[str, tuple[float, str]] = {}
        for worst in self._known.values():
            for kind, score in worst.kinds.items():
                kinds[kind] = max(kinds.get(kind, score), score)
            for segment, found in worst.segments.items():
                segments[segment] = max(segments.get(segment, found), found)
        self._by_kind.tell(kinds)
        self._by_segment.tell({(segment, name): score for segment, (score, name) in _first_few(segments)})


def worst_of(segments: Mapping[str, SegmentWatch]) -> Worst:
    """Look at all segments of a partition once."""
    kinds: dict[tuple[str, str], float] = {}
    highest: dict[str, tuple[float, str]] = {}
    for segment, watch in segments.items():
        kind = segment_kind(segment)
        scores = [(distance(name, track.now), name) for name, track in watch.tracks.items()]
        if scores:
            highest[segment] = max(scores)
        for score, name in scores:
            kinds[kind, name] = max(kinds.get((kind, name), 0.0), score)
    return Worst(kinds, dict(_first_few(highest)))


def _first_few(segments: Mapping[str, tuple[float, str]]) -> list[tuple[str, tuple[float, str]]]:
    return nlargest(WORST_SEGMENTS, segments.items(), key=lambda one: (one[1], one[0]))


class _Told:
    """A gauge whose labels come and go one by one: a scrape between two of them misses none that stays."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._labels: set[tuple[str, str]] = set()

    def tell(self, scores: Mapping[tuple[str, str], float]) -> None:
        for labels, score in scores.items():
            self._gauge.labels(*labels).set(score)
        for labels in self._labels - scores.keys():
            self._gauge.remove(*labels)
        self._labels = set(scores)


def segment_kind(segment: str) -> str:
    """all, city, specialty or city+specialty: not the place itself, so that labels stay few."""
    return "+".join(parts_of(segment)) or ALL_NOTES
