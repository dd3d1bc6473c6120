"""The Kafka door begins again after a fault, however long the pauses have become."""

from typing import Any

from ingestor import kafka_door
from ingestor.kafka_door import keep_open
from ingestor.metrics import DOOR_FAULTS, METRICS
from ingestor.settings import IngestorSettings
from runtime.kafka.consumer_errors import ConsumerErrors, ErrorKind
from runtime.service.health import Readiness
from runtime.service.metrics import Metrics
from runtime.service.run import Shell


def test_a_right_that_came_back_in_a_pause_is_noticed_by_the_next_loop(monkeypatch) -> None:
    """A pause longer than an error may last must not count against the loop that comes behind it."""
    now_s, runs = [0.0], []
    metrics, readiness = Metrics(METRICS), Readiness()
    errors = ConsumerErrors(metrics, readiness, 3.0, lambda: now_s[0])
    settings = IngestorSettings(bootstrap_servers="b:1", schema_registry_url="http://r", pseudonym_key_file="unused")
    shell = Shell(settings=settings, metrics=metrics, readiness=readiness)

    class Loop:
        def run(self) -> None:
            runs.append(now_s[0])
            if len(runs) == 1:
                errors.lasts(ErrorKind.FORBIDDEN, "t")
                now_s[0] += 3.0
            errors.check()
            errors.fine("t")
            shell.stop.set()

    def pass_by(_stop: Any, pause_s: float, _tick: Any) -> None:
        now_s[0] += max(pause_s, 20.0)

    monkeypatch.setattr(kafka_door, "wait", pass_by)
    keep_open(shell, Loop, errors)  # type: ignore[arg-type]
    assert len(runs) == 2
    assert readiness.missing.keys() <= {"assigned"}
    assert metrics.counter(DOOR_FAULTS)._value.get() == 1
