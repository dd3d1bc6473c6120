"""What the loop says of itself while nothing is ordered."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runtime.errors import Recoverable
from runtime.health import Liveness, Readiness
from runtime.metrics import Metrics
from trainer import metrics as m
from trainer.orders import OrderLoop, Readers, Triggers


class Lease:
    def __init__(self) -> None:
        self.away = False
        self.fence = 1

    def hold(self) -> bool:
        if self.away:
            raise Recoverable("Redis cannot be asked for the lease")
        return True

    def is_held(self, _fence: int) -> bool:
        return True

    def release(self) -> None:
        pass


class NoCommands:
    def poll(self, _timeout: float) -> None:
        return None


def test_a_server_that_came_back_is_not_waited_for_any_more() -> None:
    lease, metrics = Lease(), Metrics(m.METRICS)
    metrics.build_all()
    nothing: Any = lambda *_: ()  # noqa: E731 - every part that is not asked here
    told = dict.fromkeys(Readers.__dataclass_fields__, nothing) | {"annotations": lambda: 0, "f1": lambda _: None}
    consumer: Any = NoCommands()
    loop = OrderLoop(
        consumer,
        "commands",
        "m",
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
        lambda: ("1", 1),
        Readers(**told),
        lease,
        Triggers(look_s=0),
        metrics,
        Liveness(),
        Readiness(),
        threading.Event(),
    )
    waiting = metrics.gauge(m.WAITING).labels("fault")
    loop._owned.set()
    with ThreadPoolExecutor(1) as worker:
        loop._turn(worker)
        assert waiting._value.get() == 0
        lease.away = True
        loop._turn(worker)
        assert waiting._value.get() == 1
        lease.away = False
        loop._try_at_s = 0.0
        loop._turn(worker)
        assert waiting._value.get() == 0
