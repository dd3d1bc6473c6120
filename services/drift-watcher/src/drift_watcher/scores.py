"""How far segments are from the model's reference, as metrics: the worst of each kind, and the few worst by name."""

from collections.abc import Collection, Mapping
from heapq import nlargest

from drift.direction import distance
from drift.segment import SegmentWatch
from runtime.metrics import Metrics

from drift_watcher import metrics as m

WORST_SEGMENTS = 10
"""So many segments of a process are named: producers choose cities and specialties, and a label for each would have no bound."""


class Scores:
    """Keeps the last scores of each partition that is ours, and tells the worst over all of them."""

    def __init__(self, metrics: Metrics) -> None:
        self._by_kind = metrics.gauge(m.DRIFT_SCORE)
        self._by_segment = metrics.gauge(m.SEGMENT_SCORE)
        self._known: dict[int, dict[tuple[str, str], float]] = {}

    def keep(self, partitions: Collection[int]) -> None:
        """Forget what is no longer ours."""
        self._known = {partition: known for partition, known in self._known.items() if partition in partitions}
        self._publish()

    def take(self, partition: int, segments: Mapping[str, SegmentWatch]) -> None:
        """The segments of a partition as they are now."""
        self._known[partition] = {
            (segment, name): distance(name, track.now)
            for segment, watch in segments.items()
            for name, track in watch.tracks.items()
        }
        self._publish()

    def _publish(self) -> None:
        kinds: dict[tuple[str, str], float] = {}
        worst: dict[str, tuple[float, str]] = {}
        for (segment, name), score in (one for known in self._known.values() for one in known.items()):
            kind = (segment_kind(segment), name)
            kinds[kind] = max(kinds.get(kind, 0.0), score)
            worst[segment] = max(worst.get(segment, (score, name)), (score, name))
        self._by_kind.clear()
        for labels, score in kinds.items():
            self._by_kind.labels(*labels).set(score)
        self._by_segment.clear()
        for segment, (score, name) in nlargest(WORST_SEGMENTS, worst.items(), key=lambda one: (one[1], one[0])):
            self._by_segment.labels(segment, name).set(score)


def segment_kind(segment: str) -> str:
    """all, city, specialty or city+specialty: not the place itself, so that labels stay few."""
    return "+".join(part.partition("=")[0] for part in segment.split("|"))
