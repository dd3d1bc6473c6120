"""What is open follows from commands and events alone."""

from __future__ import annotations

from contracts.records import (
    DriftDetected,
    DriftDirection,
    DriftLevel,
    LabelQuality,
    ModelAction,
    ModelCommand,
    ModelEvent,
    ModelEventKind,
    ModelRef,
    QualityMeasured,
)
from trainer.domain.context import CLOCKS_APART_MS, NO_DRIFT, Drift, context_of
from trainer.domain.identity import event_id
from trainer.domain.order_book import OrderBook
from trainer.domain.rules import Measured, Recoveries, is_worse, why_void


def command(key: str, action: ModelAction = ModelAction.RETRAIN, **more) -> ModelCommand:
    given = {"model_name": "m", "reason": "drift", "requested_by": "t", "requested_at": 0, "champion_version": "1"}
    return ModelCommand(command_id=key, action=action, **{**given, **more})


def event(key: str, kind: ModelEventKind, **more) -> ModelEvent:
    return ModelEvent(
        event_id=event_id(key, kind), kind=kind, model_name="m", command_id=key, reasons=(), occurred_at=0, **more
    )


def test_a_command_counts_once():
    book = OrderBook("m")
    assert book.order(command("a"))
    assert not any(book.order(command("a")) for _ in range(9))
    assert book.duplicates == 9
    assert [one.command_id for one in book.open] == ["a"]


def test_twelve_alarms_of_one_champion_are_one_run():
    book = OrderBook("m")
    for number in range(12):
        book.order(command(str(number), segment=f"city=C{number}"))
    folded = book.foldable()
    assert [one.command_id for one, _ in folded] == [str(number) for number in range(1, 12)]
    assert {run.command_id for _, run in folded} == {"0"}


def test_orders_of_other_models_or_champions_are_stories_of_their_own():
    book = OrderBook("m")
    for key, more in (
        ("a", {}),
        ("b", {"champion_version": "2"}),
        ("c", {"model_name": "x"}),
        ("d", {"champion_version": None}),
    ):
        book.order(command(key, **more))
    assert [(one.command_id, run.command_id) for one, run in book.foldable()] == [("d", "a")]


def test_only_orders_of_drift_wait_for_labels_together():
    """An operator's, a schedule's, a count's or an import's order runs at once, and before the drift's."""
    for reason in ("operator", "schedule", "annotations"):
        book = OrderBook("m")
        for key, why in (("drift", "drift"), ("more", "drift"), ("now", reason), ("again", reason)):
            book.order(command(key, reason=why))
        assert [(one.command_id, run.command_id) for one, run in book.foldable()] == [
            ("again", "now"),
            ("more", "drift"),
        ]
        assert [one.command_id for one in book.open] == ["now", "again", "drift", "more"]
        book.tell(event("more", ModelEventKind.MERGED_INTO, merged_into="drift"))
        assert [one.command_id for one in book.waiting(book.commands["now"])] == ["drift"]
        assert book.waiting(book.commands["drift"]) == []


def drift_event(segment: str, at: int, level=DriftLevel.RECOVERED, version: str = "1") -> DriftDetected:
    return DriftDetected(
        episode_id="e",
        segment=segment,
        level=level,
        direction=DriftDirection.BETTER,
        statistics=(),
        evidence="",
        model=ModelRef(name="m", version=version, serial=1),
        source_partition=0,
        source_offset=1,
        detected_at=at,
        began_at=0,
    )


def test_a_drift_is_over_with_the_end_of_its_own_segment_and_no_earlier_one():
    drift = command("a", segment="city=Pune", requested_at=50)
    recoveries = Recoveries()
    for one in (
        drift_event("city=Pune", 40),
        drift_event("city=Pune", 60, level=DriftLevel.CRITICAL),
        drift_event("city=Pune", 60, version="2"),
        drift_event("all", 60),
    ):
        recoveries.take(one)
        assert not recoveries.is_over(drift)
    recoveries.take(drift_event("city=Pune", 60))
    recoveries.take(drift_event("city=Pune", 30))  # read again
    assert recoveries.is_over(drift)


def test_a_deferral_goes_on_for_the_segments_that_still_drift():
    book, over = OrderBook("m"), {"a"}
    for key, city, at in (("a", "Pune", 60), ("b", "Delhi", 80), ("c", "Delhi", 70)):
        book.order(command(key, segment=f"city={city}", requested_at=at))
    for key, into in (("b", "a"), ("c", "b"), ("c", "b")):
        book.tell(event(key, ModelEventKind.MERGED_INTO, merged_into=into))
    book.tell(event("a", ModelEventKind.TRAINING_DEFERRED, missing_labels=40))
    lead = book.commands["a"]
    context = context_of(lead, book, lambda one: one.command_id in over)
    assert (context.missing_labels, context.drift) == (40, Drift(("city=Delhi",), 70 - CLOCKS_APART_MS))
    over |= {"b", "c"}
    assert context_of(lead, book, lambda one: one.command_id in over).drift == NO_DRIFT
    book.order(command("now", reason="operator"))
    now = book.commands["now"]
    assert context_of(now, book, lambda _: True).waiting == ()
    (waiting,) = context_of(now, book, lambda _: False).waiting
    assert (waiting.command, waiting.drift) == (lead, Drift(("city=Pune", "city=Delhi"), 60 - CLOCKS_APART_MS))


def test_a_drift_whose_run_was_refused_waits_for_labels_from_after_the_refusal():
    book, over = OrderBook("m"), set()
    for key, city, at in (("a", "Pune", 60), ("b", "Delhi", 80), ("old", "Delhi", 1), ("again", "Pune", 60)):
        book.order(command(key, segment=f"city={city}", requested_at=at))
    book.order(command("elsewhere", segment="city=Delhi", requested_at=80, champion_version="7"))
    for key, at in (("a", 500), ("old", 600), ("elsewhere", 700)):
        refused = event(key, ModelEventKind.REJECTED).to_dict()
        book.tell(ModelEvent.from_dict({**refused, "occurred_at": at}))
    book.tell(event("b", ModelEventKind.MERGED_INTO, merged_into="again"))
    over.add("old")
    drift = context_of(book.commands["again"], book, lambda one: one.command_id in over).drift
    assert drift.segments == ("city=Pune", "city=Delhi")
    assert drift.since == 60 - CLOCKS_APART_MS
    assert drift.labels_from == {"city=Pune": 500, "city=Delhi": 60 - CLOCKS_APART_MS}


def test_an_order_of_a_segment_is_judged_on_it_and_answers_nothing_else():
    book = OrderBook("m")
    book.order(command("drift", segment="city=Delhi", requested_at=60))
    for key, segment in (("pune", "city=Pune"), ("all", None), ("again", "city=Pune")):
        book.order(command(key, reason="operator", segment=segment))
    assert [(one.command_id, run.command_id) for one, run in book.foldable()] == [("again", "pune")]
    context = context_of(book.commands["pune"], book, lambda _: False)
    assert (context.drift, context.waiting) == (Drift(("city=Pune",)), ())
    assert context_of(book.commands["all"], book, lambda _: False).waiting != ()
    offered = command("offered", ModelAction.EVALUATE, reason="operator", segment="city=Pune")
    assert context_of(offered, book, lambda _: False).drift == NO_DRIFT


def test_a_rollback_comes_before_a_training_and_ends_are_ends():
    book = OrderBook("m")
    book.order(command("a"))
    book.order(command("b", ModelAction.ROLLBACK))
    assert [one.command_id for one in book.open] == ["b", "a"]
    book.tell(event("b", ModelEventKind.ROLLED_BACK, model_version="1", serial=3))
    book.tell(event("a", ModelEventKind.TRAINING_DEFERRED, missing_labels=40))
    assert book.deferred == {"a": 40}
    assert book.served == [("1", 3)]
    book.tell(event("a", ModelEventKind.REJECTED))
    assert not book.open
    assert not book.deferred


def promoted(version: str, serial: int, before: str | None, kind=ModelEventKind.PROMOTED) -> ModelEvent:
    return event(f"{version}{serial}", kind, model_version=version, serial=serial, previous_version=before)


def test_a_version_that_was_made_champion_without_an_event_has_served_too():
    """`rxtract up` registers the first one with its alias: what was promoted after it says what was before."""
    book = OrderBook("m")
    book.tell(promoted("2", 2, "1"))
    assert [version for version, _ in book.served] == ["1", "2"]
    book.tell(promoted("2", 2, "1"))  # told twice
    book.tell(promoted("3", 3, "2"))
    book.tell(promoted("5", 5, "4"))
    assert [version for version, _ in book.served] == ["1", "2", "3", "4", "5"]
    assert book.before("2", 2) is None
    assert book.before("5", 5) == "4"


def test_nobody_goes_back_to_a_version_that_a_rollback_left():
    book = OrderBook("m")
    for one in (promoted("2", 2, "1"), promoted("3", 3, "2")):
        book.tell(one)
    book.tell(promoted("2", 4, "3", ModelEventKind.ROLLED_BACK))
    assert book.before("2", 4) == "1"
    book.tell(promoted("3", 5, "2"))  # an operator wants it after all
    assert book.before("3", 5) == "2"
    book.tell(promoted("4", 6, "3"))
    assert book.before("4", 6) == "3"


def test_a_version_that_followed_itself_is_not_what_was_before():
    book = OrderBook("m")
    for one in (promoted("2", 2, "1"), promoted("2", 3, "2")):
        book.tell(one)
    assert book.before("2", 3) == "1"


def test_an_order_that_waits_for_labels_goes_on_waiting_when_another_ends():
    book = OrderBook("m")
    for key in ("a", "b"):
        book.order(command(key))
    book.tell(event("a", ModelEventKind.TRAINING_DEFERRED, missing_labels=40))
    assert book.lacking == [40]
    book.tell(event("b", ModelEventKind.TRAINING_FAILED))
    assert book.lacking == [40]
    assert len(book.open) == len(book.lacking)
    book.tell(event("a", ModelEventKind.REJECTED))
    assert book.lacking == []


def test_the_order_of_commands_and_events_does_not_matter():
    book = OrderBook("m")
    book.tell(event("a", ModelEventKind.PROMOTED, model_version="2", serial=2))
    book.order(command("a"))
    assert not book.open


def test_an_order_against_a_former_champion_is_void():
    assert why_void(command("a"), "1") is None
    assert why_void(command("a", champion_version=None), "9") is None
    assert "version 1" in (why_void(command("a"), "2") or "")


def test_quality_has_fallen_only_when_the_intervals_do_not_touch():
    def quality(low: float, high: float) -> LabelQuality:
        return LabelQuality(label="ALL", precision=0.5, recall=0.5, f1=0.5, f1_low=low, f1_high=high, support=9)

    assert is_worse(quality(0.4, 0.5), quality(0.6, 0.7))
    assert not is_worse(quality(0.4, 0.65), quality(0.6, 0.7))


def test_an_order_for_another_model_has_its_end_too():
    book = OrderBook("m")
    book.order(command("a", model_name="other"))
    failed = event("a", ModelEventKind.TRAINING_FAILED).to_dict()
    book.tell(ModelEvent.from_dict({**failed, "model_name": "other", "metrics": {"annotations_read": 9.0}}))
    assert not book.open
    assert book.learnt == 0


def test_the_newest_measurement_over_all_notes_counts():
    def measurement(f1: float, segment: str = "all", serial: int = 1) -> QualityMeasured:
        row = LabelQuality(label="ALL", precision=f1, recall=f1, f1=f1, f1_low=f1, f1_high=f1, support=9)
        model = ModelRef(name="m", version="1", serial=serial)
        return QualityMeasured(
            measurement_id="q",
            model=model,
            segment=segment,
            window_start=0,
            window_end=1,
            notes=9,
            labels=(row,),
            measured_at=1,
        )

    measured = Measured()
    assert measured.f1("1") is None
    for one in (measurement(0.4), measurement(0.8), measurement(0.1, "city=Pune")):
        measured.take(one)
    assert measured.f1("1").f1 == measured.f1("1", 1).f1 == 0.8
    assert measured.f1("1", 3) is None, "nothing was measured since it serves again"
    measured.take(measurement(0.7, serial=3))
    assert measured.f1("1", 3).f1 == 0.7
