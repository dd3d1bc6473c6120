"""The loop by itself, turn by turn: what it says while it waits, and what goes before what. Nothing outside is real."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from contracts.records import (
    LabelQuality,
    ModelAction,
    ModelCommand,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    QualityMeasured,
)
from runtime.errors import ProducerBroken, Recoverable
from runtime.kafka.records import OutputRecord
from runtime.service.health import Liveness, Readiness
from runtime.service.memory import MemoryBroker, MemoryProducer
from runtime.service.metrics import Metrics
from runtime.stream.attempts import Mark
from trainer import metrics as m
from trainer.bootstrap import Publisher
from trainer.domain.identity import event_id
from trainer.domain.job_runs import JobAbandonedError
from trainer.domain.rules import Measured
from trainer.orders import OrderLoop, Readers, Triggers

WAIT_S = 20.0
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


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
    """Keeps what is committed, beside which the next trainer finds its mark."""

    def __init__(self) -> None:
        self.metadata = ""
        self.closed = False

    def subscribe(self, _topics: list[str], **_: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def commit(self, offsets: list[TopicPartition], **_: bool) -> None:
        [place] = offsets
        self.metadata = place.metadata

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(one.topic, one.partition, 0, self.metadata) for one in places]

    def incremental_assign(self, _places: object) -> None:
        pass

    def resume(self, _places: object) -> None:
        pass

    def poll(self, _timeout: float) -> None:
        return None

    def assign(self, _places: object) -> None:
        pass

    def get_watermark_offsets(self, _place: object, timeout: float) -> tuple[int, int]:
        return 0, 0


def stored(offset: int, order: ModelCommand) -> Any:
    return SimpleNamespace(topic="commands", partition=0, offset=offset, value=order)


def nothing(*_: object) -> Any:
    return ()


class World:
    """A loop that owns the orders, what it asks for, and a handler that trains until it is told to stop."""

    def __init__(self, *, annotations: int = 0, every_h: float = 0.0) -> None:
        self.lease = Lease()
        self.metrics = Metrics(m.METRICS)
        self.metrics.build_all()
        self.champion: tuple[str, int] | None = ("2", 2)
        self.measured = Measured()
        self.annotations = annotations
        self.asked: list[ModelCommand] = []
        self.begun: list[str] = []
        self.over: list[str] = []
        self.recovered: set[str] = set()
        self.drifts_read = True
        self.refused: set[str] = set()
        self.asked_of: list[str] = []
        self.mlflow_away = False
        self.kept: list[Any] = []
        self.ordered: list[ModelCommand] = []
        self.told: list[ModelEvent] = []
        self.trains = threading.Event()
        self.released = threading.Event()
        self.now_ms = 1_000_000
        told = dict.fromkeys(Readers.__dataclass_fields__, nothing)
        told |= {"annotations": lambda: self.annotations, "f1": self.measured.f1}
        told |= {"is_over": lambda one: one.command_id in self.recovered, "drifts_read": lambda: self.drifts_read}
        told |= {"events": lambda: self.told, "commands": lambda: map(stored, count(), self.ordered)}
        consumer: Any = NoCommands()
        self.loop = OrderLoop(
            consumer,
            "commands",
            "m",
            "r",
            decode=lambda value: value,
            publish=nothing,
            order=self.asked.append,
            say=nothing,
            make_executor=self._handler,
            champion=lambda: self.champion,
            readers=Readers(**told),
            lease=self.lease,
            triggers=Triggers(annotations=200, every_h=every_h, look_s=0),
            metrics=self.metrics,
            liveness=Liveness(),
            readiness=Readiness(),
            stop=threading.Event(),
            now_ms=lambda: self.now_ms,
        )
        self.loop._owned.set()

    def _handler(self, say, go_on, is_ours) -> Any:
        def handle(command: ModelCommand, _story: object) -> None:
            self.begun.append(command.command_id)
            if command.action is ModelAction.RETRAIN:
                self.trains.set()
                deadline_s = time.monotonic() + WAIT_S
                while go_on() and is_ours() and not self.released.wait(0.01):
                    assert time.monotonic() < deadline_s
                if not self.released.is_set():
                    raise JobAbandonedError("ended")
            kind = ModelEventKind.ROLLED_BACK if command.action is ModelAction.ROLLBACK else ModelEventKind.REJECTED
            say(event(command.command_id, kind))
            self.over.append(command.command_id)

        def would_roll_back(command: ModelCommand) -> bool:
            self.asked_of.append(command.command_id)
            if self.mlflow_away:
                raise Recoverable("MLflow: away")
            return command.command_id not in self.refused

        found: Any = handle
        found.would_roll_back = would_roll_back
        found.keep_only = self.kept.append
        return found

    def look(self, after_ms: int = 0) -> list[str]:
        """Let the loop look once, so much later; gives the ids of what it asked for."""
        self.now_ms += after_ms
        known = len(self.asked)
        self.loop._look()
        return [one.command_id for one in self.asked[known:]]

    def measure(self, version: str, serial: int, f1_low: float, f1_high: float) -> None:
        self.measured.take(
            QualityMeasured(
                measurement_id="q",
                model=ModelRef(name="m", version=version, serial=serial),
                segment="all",
                window_start=0,
                window_end=1,
                notes=9,
                labels=(quality(f1_low, f1_high),),
                measured_at=1,
            )
        )

    def end(self, key: str, kind: ModelEventKind, **more: Any) -> None:
        self.loop._book.tell(event(key, kind, occurred_at=self.now_ms, **more))

    @contextmanager
    def working(self):
        with ThreadPoolExecutor(2) as worker:
            try:
                yield lambda holds: self._turn_until(worker, holds)
            finally:
                self.released.set()

    def _turn_until(self, worker, holds) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline_s, (self.begun, self.over)
            self.loop._turn(worker)


def command(key: str, action: ModelAction, **more: Any) -> ModelCommand:
    given = {"model_name": "m", "reason": "drift", "requested_by": "t", "requested_at": 0, "champion_version": "2"}
    return ModelCommand(command_id=key, action=action, **{**given, **more})


def event(key: str, kind: ModelEventKind, **more: Any) -> ModelEvent:
    given = {"model_name": "m", "command_id": key, "reasons": (), "occurred_at": 0}
    return ModelEvent(event_id=event_id(key, kind), kind=kind, **{**given, **more})


def quality(low: float, high: float) -> LabelQuality:
    return LabelQuality(label="ALL", precision=0.5, recall=0.5, f1=0.5, f1_low=low, f1_high=high, support=9)


def test_a_server_that_came_back_is_not_waited_for_any_more() -> None:
    world = World()
    waiting = world.metrics.gauge(m.WAITING).labels("fault")
    with ThreadPoolExecutor(1) as worker:
        world.loop._turn(worker)
        assert waiting._value.get() == 0
        world.lease.away = True
        world.loop._turn(worker)
        assert waiting._value.get() == 1
        world.lease.away = False
        world.loop._try_at_s = 0.0
        world.loop._turn(worker)
        assert waiting._value.get() == 0


def test_a_rollback_of_the_champion_does_not_wait_for_the_training_that_runs() -> None:
    world = World()
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.loop._fold(command("back", ModelAction.ROLLBACK, target_version="1"))
        turn_until(lambda: "back" in world.over)
        assert world.begun[:2] == ["train", "back"]
        turn_until(lambda: world.begun.count("train") == 2)  # not lost: it is taken up again


def test_a_rollback_of_a_former_champion_stops_no_training() -> None:
    world = World()
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.loop._fold(command("late", ModelAction.ROLLBACK, champion_version="1"))
        for _ in range(5):
            turn_until(iter((False, True)).__next__)
        assert world.loop._may_go_on()
        assert world.begun == ["train"]
        world.released.set()
        turn_until(lambda: "late" in world.over)
        assert world.over == ["train", "late"]


def test_a_rollback_that_will_be_refused_stops_no_training() -> None:
    world = World()
    world.refused.add("none")
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.loop._fold(command("none", ModelAction.ROLLBACK, target_version="2"))
        for _ in range(5):
            turn_until(iter((False, True)).__next__)
        assert world.loop._may_go_on()
        assert world.asked_of == ["none"], "MLflow is not asked at every turn"
        world.loop._fold(command("back", ModelAction.ROLLBACK, target_version="1"))
        turn_until(lambda: "back" in world.over)
        assert world.begun[:2] == ["train", "none"]


def test_what_was_kept_is_dropped_once_the_orders_are_anothers_and_not_before() -> None:
    world = World()
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.kept.clear()
        world.loop._on_gone(None, [TopicPartition("commands", 0)])
        world.loop._turn(None)
        world.loop._on_assign(None, [TopicPartition("commands", 0)])
        assert world.kept == [], "taken for a moment, by a change in the group"
        world.loop._on_assign(None, [])
        turn_until(lambda: world.loop._work is None and world.kept)
        assert world.kept[0] == (), "only once the work that used it has ended"


@pytest.mark.parametrize("ended", [False, True])
def test_what_was_kept_is_dropped_when_another_trainer_has_ended_its_order(ended) -> None:
    world = World()
    place = [TopicPartition("commands", 0)]
    world.ordered.append(command("train", ModelAction.RETRAIN))
    if ended:
        world.told.append(event("train", ModelEventKind.REJECTED))
    world.loop._on_gone(None, place)
    world.loop._on_assign(None, place)
    with world.working() as turn_until:
        turn_until(lambda: world.kept)
    assert world.kept[0] == (set() if ended else {"train"})


def test_a_rollback_is_asked_about_again_when_mlflow_was_away() -> None:
    world = World()
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.mlflow_away = True
        world.loop._fold(command("back", ModelAction.ROLLBACK, target_version="1"))
        turn_until(lambda: world.asked_of)
        assert world.loop._may_go_on()
        world.mlflow_away = False
        turn_until(lambda: "back" in world.over)


def test_the_first_promotion_of_a_stack_that_began_with_a_model_is_rolled_back_too() -> None:
    world = World()
    world.measure("1", 1, 0.8, 0.9)
    world.measure("2", 2, 0.4, 0.5)
    assert world.look() == []
    world.end("up", ModelEventKind.PROMOTED, model_version="2", serial=2, previous_version="1")
    assert len(world.look()) == 1
    assert (world.asked[0].action, world.asked[0].target_version) == (ModelAction.ROLLBACK, "1")


def test_a_version_that_is_promoted_again_after_a_rollback_is_judged_by_what_is_measured_since() -> None:
    world = World()
    world.measure("1", 1, 0.8, 0.9)
    world.measure("2", 2, 0.4, 0.5)
    world.end("up", ModelEventKind.PROMOTED, model_version="2", serial=2, previous_version="1")
    (back,) = world.look()
    world.end(back, ModelEventKind.ROLLED_BACK, model_version="1", serial=3, previous_version="2")
    world.champion = ("1", 3)
    assert world.look() == []
    world.end("again", ModelEventKind.PROMOTED, model_version="2", serial=4, previous_version="1")
    world.champion = ("2", 4)
    assert world.look(DAY_MS) == [], "an operator knew of the old measurement"
    world.measure("2", 4, 0.4, 0.5)
    assert len(world.look()) == 1


def test_quality_is_looked_at_while_a_training_runs_and_nothing_else_is_asked_for() -> None:
    world = World()
    for version, serial in (("1", 1), ("2", 2)):
        promoted = event(version, ModelEventKind.PROMOTED, model_version=version, serial=serial)
        world.loop._book.tell(promoted)
    with world.working() as turn_until:
        world.loop._fold(command("train", ModelAction.RETRAIN, reason="operator"))
        turn_until(world.trains.is_set)
        world.annotations = 500  # the training that runs may have learnt from them: counted when it has ended
        world.measure("1", 1, 0.8, 0.9)
        world.measure("2", 2, 0.4, 0.5)
        turn_until(lambda: world.over)
        assert [(one.action, one.target_version, one.reason) for one in world.asked[:1]] == [
            (ModelAction.ROLLBACK, "1", "quality")
        ]
        assert world.over == [world.asked[0].command_id]


@pytest.mark.parametrize("kind", [ModelEventKind.TRAINING_FAILED, ModelEventKind.REJECTED])
def test_a_first_model_that_came_to_nothing_is_asked_for_again_after_a_growing_pause(kind) -> None:
    world = World()
    world.champion = None
    seen = set()
    pauses = []
    (asked,) = world.look()
    for _ in range(12):
        assert world.look(DAY_MS) == []  # it is open
        seen.add(asked)
        world.end(asked, kind)
        waited = 0
        while not (found := world.look(MINUTE_MS // 2)):
            waited += MINUTE_MS // 2
            assert waited < DAY_MS
        (asked,) = found
        pauses.append(waited)
    assert len(seen) == 12
    assert pauses[0] < MINUTE_MS
    assert pauses == sorted(pauses)
    assert 30 * MINUTE_MS < pauses[-1] <= HOUR_MS
    assert pauses[-1] == pauses[-2]
    assert {(one.action, one.reason) for one in world.asked} == {(ModelAction.RETRAIN, "first")}


def test_annotations_ask_again_when_their_training_failed_alone_or_in_anothers_run() -> None:
    world = World(annotations=500)
    (first,) = world.look()
    world.end(first, ModelEventKind.TRAINING_FAILED)
    assert world.look(1_000) == []
    (second,) = world.look(HOUR_MS)
    world.end(second, ModelEventKind.MERGED_INTO, merged_into="operators")
    assert world.look(HOUR_MS) == []
    world.end("operators", ModelEventKind.TRAINING_FAILED)
    (third,) = world.look(HOUR_MS)
    world.end(third, ModelEventKind.MODEL_TRAINED, metrics={"annotations_read": 500.0})
    world.end(third, ModelEventKind.REJECTED)
    assert world.look(DAY_MS) == []
    assert len({first, second, third}) == 3


def test_a_schedule_is_answered_by_a_refusal_and_not_by_a_failure() -> None:
    world = World(every_h=1_000.0)
    (first,) = world.look()
    world.end(first, ModelEventKind.TRAINING_FAILED)
    (second,) = world.look(HOUR_MS)
    world.end(second, ModelEventKind.REJECTED)
    assert world.look(HOUR_MS) == []


def test_a_trainer_that_comes_after_another_asks_for_the_same_again() -> None:
    """What was tried, and when, stands in the topics; nothing of it in a process."""
    ids = []
    for _ in range(2):
        world = World()
        world.champion = None
        (first,) = world.look()
        world.end(first, ModelEventKind.TRAINING_FAILED)
        ids.append([first, *world.look(HOUR_MS)])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def drifting(world: World, key: str = "drift", segment: str = "city=Pune", at: int = 500, **more: Any) -> None:
    world.loop._fold(command(key, ModelAction.RETRAIN, segment=segment, requested_at=at, **more))


@pytest.mark.parametrize("kind", [ModelEventKind.TRAINING_FAILED, ModelEventKind.REJECTED])
def test_a_drift_that_goes_on_is_ordered_for_again_when_its_order_came_to_nothing(kind) -> None:
    world = World()
    drifting(world)
    assert world.look(DAY_MS) == []  # it is open
    world.end("drift", kind)
    assert world.look(1_000) == []
    (again,) = world.look(MINUTE_MS)
    (given,) = world.asked
    assert (given.action, given.reason, given.segment) == (ModelAction.RETRAIN, "drift", "city=Pune")
    assert given.champion_version == "2"
    assert given.requested_at == 500, (
        "labels are of the new language since the drift was found, not since it was ordered again"
    )
    assert world.look(DAY_MS) == []
    world.end(again, kind)
    assert world.look(MINUTE_MS // 2) == []  # the pause grows
    (third,) = world.look(MINUTE_MS)
    assert len({"drift", again, third}) == 3


def test_a_drift_is_not_ordered_for_again_when_it_is_over_or_of_another_champion_or_open_otherwise() -> None:
    world = World()
    for key, segment, more in (
        ("over", "city=Pune", {}),
        ("former", "city=Delhi", {"champion_version": "1"}),
        ("warning", "city=Agra", {}),
    ):
        drifting(world, key, segment, **more)
        world.end(key, ModelEventKind.REJECTED)
    world.recovered.add("over")
    drifting(world, "critical", "city=Agra", at=700)
    assert world.look(DAY_MS) == []
    world.end("critical", ModelEventKind.MERGED_INTO, merged_into="run")
    assert world.look(DAY_MS) == []
    world.end("run", ModelEventKind.REJECTED)
    assert len(world.look(DAY_MS)) == 1
    assert (world.asked[0].segment, world.asked[0].requested_at) == ("city=Agra", 500)


def test_a_drift_is_not_ordered_for_again_before_all_ends_of_drifts_were_read_nor_after_they_are_gone() -> None:
    world = World()
    drifting(world, at=world.now_ms)
    world.end("drift", ModelEventKind.REJECTED)
    world.drifts_read = False
    assert world.look(DAY_MS) == []
    world.drifts_read = True
    assert world.look(88 * DAY_MS) == []
    world.now_ms -= 88 * DAY_MS
    assert len(world.look()) == 1


def test_a_rollback_of_rules_waits_for_no_training_and_ends_none() -> None:
    world = World()
    with world.working() as turn_until:
        world.loop._book.order(command("train", ModelAction.RETRAIN))
        turn_until(world.trains.is_set)
        world.loop._book.order(command("back", ModelAction.ROLLBACK, model_name="r"))
        turn_until(lambda: "back" in world.over)
        assert world.begun == ["train", "back"]
        assert "train" not in world.over
        world.released.set()
        turn_until(lambda: "train" in world.over)
    assert world.asked_of == []


class Deadly(BaseException):
    """The end of the process, as no handler catches it."""


def test_an_order_that_trainers_die_with_is_ended_as_failed_and_the_next_goes_on() -> None:
    metadata, worlds = "", []
    told: list[ModelEvent] = []
    for _ in range(5):
        world = World()
        worlds.append(world)
        world.told = told
        world.ordered = [command("kills", ModelAction.EVALUATE), command("good", ModelAction.RETRAIN)]
        world.released.set()
        world.loop._consumer.metadata = metadata
        world.loop._publish_event = told.append
        world.loop._assigned = [("commands", 0)]
        world.loop._fold_all()
        handle = world.loop._executor

        def deadly(order: ModelCommand, context: object, handle: Any = handle) -> None:
            if order.command_id == "kills":
                raise Deadly
            handle(order, context)

        deadly.would_roll_back, deadly.keep_only = handle.would_roll_back, handle.keep_only
        world.loop._executor = deadly
        try:
            with world.working() as turn_until:
                turn_until(lambda world=world: world.over and world.loop._work is None)
        except Deadly:
            metadata = world.loop._consumer.metadata
            continue
        break
    assert len(worlds) == 1 + world.loop._marks.tries
    assert [(one.command_id, one.kind) for one in told][:1] == [("kills", ModelEventKind.TRAINING_FAILED)]
    assert told[0].reasons == ("4 trainers died with it in hand",)
    assert world.over[0] == "good"
    assert not Mark.parse(world.loop._consumer.metadata).suspicious


def test_an_order_that_waits_or_is_given_up_is_no_death() -> None:
    world = World()
    world.ordered = [command("waits", ModelAction.EVALUATE)]
    world.loop._assigned = [("commands", 0)]
    world.loop._fold_all()
    waits = world.loop._executor

    def handle(_order: ModelCommand, _story: object) -> None:
        assert Mark.parse(world.loop._consumer.metadata).running
        world.begun.append("waits")
        raise Recoverable("MLflow: away")

    handle.would_roll_back, handle.keep_only = waits.would_roll_back, waits.keep_only
    world.loop._executor = handle
    with world.working() as turn_until:
        turn_until(lambda: world.begun and world.loop._work is None)
    assert not Mark.parse(world.loop._consumer.metadata).suspicious


def test_a_producer_that_can_never_send_again_ends_the_trainer_and_blames_no_order() -> None:
    broker = MemoryBroker()
    broker.delivery_faults["events"] = [KafkaError._FATAL]
    publish = Publisher({}, MemoryProducer(broker))
    world = World()
    world.loop._publish_event = lambda event: publish([OutputRecord("events", None, event.command_id.encode())])
    world.ordered = [command("any", ModelAction.EVALUATE)]
    world.loop._assigned = [("commands", 0)]
    world.loop._fold_all()
    with pytest.raises(ProducerBroken, match="can never send again: this process ends"):
        world.loop.run()
    assert world.begun == ["any"]
    assert not Mark.parse(world.loop._consumer.metadata).suspicious
    assert world.loop._consumer.closed
