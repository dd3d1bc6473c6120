"""A batch is done when each outcome is taken or given up."""

import threading
from collections.abc import Callable

import pytest
from contracts.reasons import Reason
from contracts.record import Record
from contracts.records import EntitiesExtracted, Origin, WebhookDelivery
from contracts.wire import WireError
from notifier.courier import Courier
from notifier.domain.endpoints import Endpoint
from notifier.domain.messages import Message
from notifier.domain.verdicts import MOST_CREDIT, Answer, Patience, Result, answer_of
from notifier.metrics import METRICS, WEBHOOK_GIVEN_UP, WEBHOOK_UNREADABLE, WEBHOOK_WAITING
from runtime.errors import Recoverable
from runtime.kafka.deadletter import REASON, RESULT, dead_letter, header
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics
from runtime.stream.attempts import Attempts
from test_notifier_domain import NOW_MS, event, letter

EVENTS, DELIVERIES = "entities.extracted.v1", "webhook.deliveries.v1"


def read(kind: type[Record]) -> Callable[[bytes | None], Record]:
    def reading(value: bytes | None) -> Record:
        if value == b"broken":
            raise WireError(Reason.TRUNCATED)
        return kind.from_json(value or b"")

    return reading


class Rig:
    """A courier whose receiver answers as it is told: by note, in turn, 204 where nothing is said."""

    def __init__(self, tries: int = 2, **endpoint: object) -> None:
        self.says: dict[str, list[Answer | None]] = {}
        self.got: list[str] = []
        self.now_s = NOW_MS / 1000
        self.metrics = Metrics(METRICS)
        self.attempts = Attempts(4, self.metrics)
        self.courier = Courier(
            "clinic", Endpoint("https://x", (b"k" * 32,), **endpoint), self._post,
            read_event=read(EntitiesExtracted), read_delivery=read(WebhookDelivery), write=lambda one: one.to_json().encode(),
            topics=(EVENTS, DELIVERIES), patience=Patience(tries), attempts=self.attempts, metrics=self.metrics,
            clock_s=lambda: self.now_s,
        )  # fmt: skip

    def _post(self, messages: list[Message]) -> list[Answer | None]:
        answers = []
        for one in messages:
            queue = self.says.get(one.delivery.note_id, [])
            answers.append(queue.pop(0) if queue else answer_of(204))
            if answers[-1] is not None:
                self.got.append(one.delivery.note_id)
        return answers

    def waiting_s(self) -> float:
        return self.metrics.gauge(WEBHOOK_WAITING).labels("clinic")._value.get()

    def given_up(self) -> float:
        return self.metrics.counter(WEBHOOK_GIVEN_UP).labels("clinic")._value.get()


def put(note_id: str, offset: int, source: str = "clinic", **more: object) -> InputRecord:
    one = event(note_id, source, **more)
    return InputRecord(EVENTS, 0, offset, NOW_MS, f"{source}|{note_id}".encode(), one.to_json().encode(), ())


def test_only_ours_is_told():
    rig = Rig()
    other = put("n2", 1, source="clinic-2")
    assert list(rig.courier([put("n1", 0), other, letter()])) == []
    assert rig.got == ["n1", "n|1"]


def test_a_dead_letter_is_told_to_who_the_header_names_whatever_its_key_says():
    rig = Rig()
    forged = dead_letter(
        InputRecord("notes.submitted.v1", 0, 0, NOW_MS, b"clinic|n1", b"", ()), Reason.EMPTY_TEXT, "i", source="lab"
    )
    rig.courier([InputRecord(forged.topic, 0, 0, NOW_MS, forged.key, forged.value, forged.headers)])
    assert rig.got == []


def test_what_is_older_than_since_or_of_another_origin_is_not_told():
    assert Rig(since_ms=NOW_MS + 1).courier([put("n1", 0), letter()]) == []
    rig = Rig(since_ms=NOW_MS, origins=frozenset({Origin.LIVE}))
    rig.courier([put("n1", 0), put("n2", 1, origin=Origin.REEXTRACT)])
    assert rig.got == ["n1"]


def test_what_failed_is_tried_again_and_what_was_taken_is_not():
    rig = Rig()
    rig.says = {"n1": [answer_of(500)]}
    batch = [put("n1", 0), put("n2", 1)]
    rig.now_s += 40
    with pytest.raises(Recoverable):
        rig.courier(batch)
    assert rig.waiting_s() == 40
    assert list(rig.courier(batch)) == []
    assert rig.got == ["n1", "n2", "n1"]
    assert rig.waiting_s() == 0


def test_what_is_given_up_becomes_a_dead_letter_that_can_be_told_again():
    rig = Rig(tries=2)
    rig.says = {"n1": [answer_of(500), Answer(Result.FAILED, "timeout")]}
    batch = [put("n1", 0), put("n2", 1)]
    with pytest.raises(Recoverable):
        rig.courier(batch)
    (dead,) = rig.courier(batch)
    assert (dead.topic, dead.key) == (f"{DELIVERIES}.dlq", b"clinic|n1")
    assert (header(dead.headers, REASON), header(dead.headers, RESULT)) == (b"UNDELIVERED", b"timeout")
    rig.got.clear()
    again = InputRecord(DELIVERIES, 0, 0, NOW_MS, dead.key, dead.value, ())
    assert list(rig.courier([again])) == []
    assert rig.got == ["n1"]
    assert Rig(since_ms=NOW_MS + 1).courier([again]) == [], "a replay is told however old it is"


def test_what_is_given_up_counts_when_its_letters_are_handed_out():
    """More fail at once than may be given up: the batch waits, and so do the letters of those that were."""
    rig = Rig(tries=1)
    batch = [put(f"n{number}", number) for number in range(MOST_CREDIT + 2)]
    rig.says = {f"n{number}": [answer_of(500)] for number in range(len(batch))}
    with pytest.raises(Recoverable, match="2 outcomes wait"):
        rig.courier(batch)
    assert rig.given_up() == 0
    assert len(rig.courier(batch)) == rig.given_up() == MOST_CREDIT


def test_a_receiver_that_is_away_costs_no_note_its_tries():
    rig = Rig(tries=1)
    rig.says = {"n1": [Answer(Result.AWAY, "ConnectError")] * 50}
    for _ in range(50):
        with pytest.raises(Recoverable):
            rig.courier([put("n1", 0)])
    assert list(rig.courier([put("n1", 0)])) == []


def test_retry_after_is_heeded():
    rig = Rig()
    rig.says = {"n1": [answer_of(429, "60")]}
    for _ in range(2):
        with pytest.raises(Recoverable):
            rig.courier([put("n1", 0)])
    assert rig.got == ["n1"]
    rig.now_s += 61
    rig.courier([put("n1", 0)])
    assert rig.got == ["n1", "n1"]


def test_after_a_410_nothing_is_sent_any_more():
    rig = Rig()
    rig.says = {"n1": [answer_of(410)]}
    for _ in range(3):
        with pytest.raises(Recoverable):
            rig.courier([put("n1", 0), put("n2", 1)])
    assert rig.got == ["n1", "n2"]


def test_what_cannot_be_read_holds_up_nothing():
    rig = Rig()
    rig.courier([put("n1", 0)._replace(value=b"broken"), put("n2", 1)])
    assert rig.got == ["n2"]
    assert rig.metrics.counter(WEBHOOK_UNREADABLE).labels("clinic")._value.get() == 1


def test_a_killer_of_ours_becomes_a_letter_and_one_of_another_source_is_passed_over():
    rig = Rig()
    ours, others = put("n1", 0), put("n1", 1, source="lab")
    for one in (ours, others):
        rig.attempts.doom(one, Reason.KILLED_PROCESS)
    (dead,) = rig.courier([ours, others, put("n3", 2)])
    assert (dead.topic, header(dead.headers, REASON)) == (f"{DELIVERIES}.dlq", b"KILLED_PROCESS")
    assert rig.got == ["n3"]


def test_nothing_is_kept_of_batches_before():
    rig = Rig()
    for offset in range(50):
        rig.courier([put("n1", offset)])
    assert len(rig.courier._ended) <= 1
    assert threading.active_count() < 50
