"""A lane for each source: a consumer group, a loop and a thread of its own. A receiver that is slow or away keeps no other waiting."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram
from runtime.errors import Stopped
from runtime.service.logs import get_logger, safe_message
from runtime.service.metrics import CONSUMER_LAG, Metrics, MetricSpec
from runtime.stream.retry import Backoff

from notifier.domain.endpoints import Endpoint
from notifier.metrics import WEBHOOK_LAG, WEBHOOK_WAITING

_STEADY_S = 60.0
_PAUSES = Backoff(first_s=1.0, max_s=30.0)
_log = get_logger(__name__)


class Runs(Protocol):
    """`runtime.stream.loop.ConsumerLoop` and a test's fake."""

    def run(self) -> None:
        """Until stopped."""


class LaneMetrics(Metrics):
    """Counts into the process's metrics; gauges of the engine are each lane's own, or the lanes would overwrite each other's.

    Args:
        shared: Of the process.
        own: Gauges that are the process's, since they have a label for the lane.
    """

    def __init__(self, shared: Metrics, own: frozenset[str]) -> None:
        super().__init__()
        self._shared = shared
        self._own = own

    def counter(self, spec: MetricSpec) -> Counter:
        """The process's."""
        return self._shared.counter(spec)

    def histogram(self, spec: MetricSpec) -> Histogram:
        """The process's."""
        return self._shared.histogram(spec)

    def gauge(self, spec: MetricSpec) -> Gauge:
        """The lane's, or the process's."""
        return self._shared.gauge(spec) if spec.name in self._own else super().gauge(spec)

    def lag(self) -> float:
        """Records that the lane has not passed, over all topics."""
        return float(sum(sample.value for found in self.gauge(CONSUMER_LAG).collect() for sample in found.samples))


MakeLoop = Callable[[str, Endpoint, threading.Event, LaneMetrics], Runs]


@dataclass(slots=True)
class _Lane:
    endpoint: Endpoint
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class Lanes:
    """Keeps one lane a source running, as the endpoints say. Belongs to one thread.

    Args:
        make: Makes the loop of a source; called again after a fault.
        metrics: Of the process.
    """

    def __init__(self, make: MakeLoop, metrics: Metrics) -> None:
        self._make = make
        self._metrics = metrics
        self._lanes: dict[str, _Lane] = {}

    @property
    def sources(self) -> list[str]:
        """Who is told."""
        return sorted(self._lanes)

    def keep(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Stop the lanes whose endpoint is gone or another, and start those that are missing. Positions are the groups'."""
        gone = [source for source, lane in self._lanes.items() if endpoints.get(source) != lane.endpoint]
        for source in gone:
            self._lanes[source].stop.set()
        for source in gone:
            self._end(source)
        for source, endpoint in endpoints.items():
            if source not in self._lanes:
                self._start(source, endpoint)

    def close(self) -> None:
        """Stop all, and wait for each."""
        self.keep({})

    def _start(self, source: str, endpoint: Endpoint) -> None:
        lane = self._lanes[source] = _Lane(endpoint)
        lane.thread = threading.Thread(target=self._run, args=(source, lane), name=f"webhook {source}", daemon=True)
        lane.thread.start()

    def _end(self, source: str) -> None:
        lane = self._lanes.pop(source)
        if lane.thread is not None:
            lane.thread.join()
        for gauge in (WEBHOOK_LAG, WEBHOOK_WAITING):
            self._metrics.gauge(gauge).remove(source)
        _log.info("a source is told no more, or elsewhere", source=source)

    def _run(self, source: str, lane: _Lane) -> None:
        """A loop that failed is as good as new when it is made anew; it costs no other lane anything."""
        metrics = LaneMetrics(self._metrics, frozenset({WEBHOOK_WAITING.name}))
        self._metrics.gauge(WEBHOOK_LAG).labels(source).set_function(metrics.lag)
        self._metrics.gauge(WEBHOOK_WAITING).labels(source).set(0)
        pauses = _PAUSES.pauses_s()
        while not lane.stop.is_set():
            began_s = time.monotonic()
            try:
                self._make(source, lane.endpoint, lane.stop, metrics).run()
            except Stopped:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no fault of the other lanes
                if time.monotonic() - began_s > _STEADY_S:
                    pauses = _PAUSES.pauses_s()
                pause_s = next(pauses)
                _log.error(
                    "a lane failed and begins again",
                    source=source,
                    error=type(error).__name__,
                    message=safe_message(error),
                    pause_s=round(pause_s, 1),
                    exc_info=error,
                )
                lane.stop.wait(pause_s)
