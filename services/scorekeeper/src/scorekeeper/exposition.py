"""KPIs as metrics: a whole set or none. A gauge that is set one label after the other could be scraped half."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from outcomes.kpis import KPIS, View
from outcomes.quality import LABELS, is_known
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from scorekeeper.domain.board import TODAY, WEEK, Board
from scorekeeper.metrics import AUDITED_NOTES, KPI_METRICS, PREFILL_BIAS, QUALITY, SNAPSHOT

_MEASURES = ("precision", "recall", "f1")
_ENDS = ("", "_low", "_high")
MAX_CITIES = 50
MAX_VERSIONS = 10
MAX_VERSIONS_BY_CITY = 3


class Sample(NamedTuple):
    """One series: the metric's name, the values of its labels, its value."""

    name: str
    labels: tuple[str, ...]
    value: float


class Exposition(Collector):
    """Shows the newest whole set of samples.

    Args:
        registry: Where to be asked by `/metrics`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._samples: tuple[Sample, ...] = ()
        registry.register(self)

    def show(self, samples: Iterable[Sample]) -> None:
        """Replace all at once."""
        self._samples = tuple(samples)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by Prometheus' client for each scrape."""
        samples = self._samples
        for spec in SNAPSHOT:
            family = GaugeMetricFamily(spec.name, spec.sentence, labels=spec.labels)
            for sample in samples:
                if sample.name == spec.name:
                    family.add_metric(sample.labels, sample.value)
            yield family


def samples_of(board: Board, now_ms: int) -> list[Sample]:
    """Every KPI of today and the week, and of the week for each of the busiest cities and newest versions.

    Quality is also told of the newest versions in each of these cities: a new model may be better everywhere but in one.
    """
    found = [*_kpis(board, now_ms, TODAY, "", version="", segmented=False), *_scope(board, now_ms, "", "")]
    for city in board.cities()[:MAX_CITIES]:
        found += _scope(board, now_ms, city, "")
    for version in board.versions()[:MAX_VERSIONS]:
        found += _scope(board, now_ms, "", version)
    for version in board.versions()[:MAX_VERSIONS_BY_CITY]:
        for city in board.cities()[:MAX_CITIES]:
            found += _quality(board.view(WEEK, now_ms, city, version), city, version)
    return found


def _scope(board: Board, now_ms: int, city: str, version: str) -> list[Sample]:
    view = board.view(WEEK, now_ms, city, version)
    found = _kpis(board, now_ms, WEEK, city, version=version, segmented=bool(city or version))
    found += _quality(view, city, version) or [Sample(AUDITED_NOTES.name, (city, version), 0.0)]
    bias = board.bias(view)
    if bias is not None and not city:
        found.append(Sample(PREFILL_BIAS.name, (version,), bias))
    return found


def _quality(view: View, city: str, version: str) -> list[Sample]:
    """Nothing where nobody looked, and no measure that one note alone speaks of. What is said is told of all cities together: it has many classes."""
    told = [row for row in view.quality if row.label in LABELS or not city]
    known = [(row, measure) for row in told for measure in _MEASURES if is_known(row, measure)]
    rows = [(row, f"{measure}{end}") for row, measure in known for end in _ENDS]
    found = [Sample(QUALITY.name, (name, row.label, city, version), getattr(row, name)) for row, name in rows]
    if view.audits:
        found.append(Sample(AUDITED_NOTES.name, (city, version), float(len(view.audits))))
    return found


def _kpis(board: Board, now_ms: int, window: str, city: str, *, version: str, segmented: bool) -> list[Sample]:
    view = board.view(window, now_ms, city, version)
    found = []
    for kpi in KPIS:
        value = kpi.value(view) if kpi.segmented or not segmented else None
        if value is not None:
            found.append(Sample(KPI_METRICS[kpi.name].name, (window, city, version), kpi.in_base_unit(value)))
    return found
