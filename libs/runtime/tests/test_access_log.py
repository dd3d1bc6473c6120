"""The access log: acknowledged before anything is shown, or not shown."""

import threading
import time

import pytest
from confluent_kafka import KafkaError
from contracts.files import schema_text
from contracts.records import AccessAction, AccessLogged, Seen
from contracts.registry import InMemoryRegistry, WriterSchemas
from contracts.topics import ACCESS_LOGGED, subject_of
from contracts.wire import Deserializer
from runtime.errors import Recoverable
from runtime.service.memory import MemoryBroker, MemoryProducer
from runtime.service.metrics import ACCESSES, Metrics
from runtime.service.pseudonyms import Pseudonyms
from runtime.service.settings import ServiceSettings
from runtime.web.access_log import AccessLog, TopicAccesses
from runtime.web.people import Person

ANNA = Person("anna", "validator")
TEXT = (Seen.IDENTITY, Seen.TEXT)


class Rig:
    def __init__(self, timeout_s: float = 5.0, *, registered: bool = True) -> None:
        self.broker, self.registry, self.metrics = MemoryBroker(), InMemoryRegistry(), Metrics((ACCESSES,))
        if registered:
            self.register()
        settings = ServiceSettings.load(bootstrap_servers="x:1", schema_registry_url="http://x")
        publish = TopicAccesses(settings, self.registry, timeout_s, self.metrics, producer=MemoryProducer(self.broker))
        self.log = AccessLog("review-desk", Pseudonyms(b"k" * 32), publish, clock=lambda: 7)

    def register(self) -> None:
        self.registry.register(subject_of(ACCESS_LOGGED), schema_text("AccessLogged"))

    def show(self, *notes: str) -> None:
        self.log.shown(ANNA, AccessAction.LOOK, notes, TEXT)

    def records(self) -> list[AccessLogged]:
        read = Deserializer(AccessLogged, WriterSchemas(self.registry, subject_of(ACCESS_LOGGED)))
        return [read(value) for value in self.broker.values(ACCESS_LOGGED)]

    def counted(self, result: str) -> float:
        return self.metrics.registry.get_sample_value(ACCESSES.name, {"result": result}) or 0.0


def test_it_says_who_saw_what_of_which_note_and_names_the_note_by_key_alone():
    rig = Rig()
    rig.show("clinic|N1", "clinic|N2")
    first, second = rig.records()
    assert (first.person, first.role, first.action, first.seen, first.at) == (
        "anna",
        "validator",
        AccessAction.LOOK,
        TEXT,
        7,
    )
    assert first.note_ref == Pseudonyms(b"k" * 32).of("note", "clinic|N1")
    assert first.note_ref != second.note_ref
    assert first.access_id != second.access_id
    assert "N1" not in str(first)
    assert rig.broker.messages(ACCESS_LOGGED)[0].key() == b"anna"
    assert rig.counted("logged") == 2


def test_what_the_broker_does_not_take_in_time_is_an_error_within_that_time():
    rig = Rig(timeout_s=0.2)
    rig.broker.holding = True
    began_s = time.monotonic()
    with pytest.raises(Recoverable, match="access log"):
        rig.show("N1")
    assert time.monotonic() - began_s < 5
    assert rig.counted("failed") == 1
    rig.broker.holding = False
    rig.show("N2")
    assert rig.counted("logged") == 1


@pytest.mark.parametrize("code", [KafkaError._MSG_TIMED_OUT, KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._FATAL])
def test_what_the_broker_refuses_is_an_error_and_the_next_may_pass(code):
    rig = Rig()
    rig.broker.delivery_faults[ACCESS_LOGGED] = [code]
    with pytest.raises(Recoverable):
        rig.show("N1")
    rig.show("N2")
    assert (rig.counted("failed"), rig.counted("logged"), len(rig.records())) == (1, 1, 1)


def test_without_a_schema_nothing_is_shown_until_there_is_one():
    rig = Rig(registered=False)
    with pytest.raises(Recoverable):
        rig.show("N1")
    rig.register()
    rig.show("N1")
    assert len(rig.records()) == 1


def test_many_at_once_wait_no_longer_than_allowed_behind_a_silent_broker():
    rig, failed = Rig(timeout_s=0.3), []
    rig.broker.holding = True

    def ask() -> None:
        try:
            rig.show("N1")
        except Recoverable:
            failed.append(time.monotonic())

    began_s = time.monotonic()
    asking = [threading.Thread(target=ask) for _ in range(20)]
    for one in asking:
        one.start()
    for one in asking:
        one.join(20)
    assert len(failed) == 20
    assert max(failed) - began_s < 5


def test_nothing_shown_is_nothing_logged():
    rig = Rig()
    rig.show()
    assert rig.records() == []
