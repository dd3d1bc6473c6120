"""Statistics in, events, commands and state out; what is stored comes back, and what is damaged does not."""

import asyncio
import dataclasses
import types
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from clinical_ner.tagger import ArtifactRefused
from contracts import topics
from contracts.apply import apply_schemas
from contracts.records import DriftDetected, DriftState, ModelCommand, ModelRef, StatisticsObserved
from contracts.registry import InMemoryRegistry
from contracts.wire import Deserializer, Serializer
from drift.config import DriftConfig
from drift.observation import in_order
from drift.reference import Reference
from drift_watcher import metrics as m
from drift_watcher.adapters import references
from drift_watcher.adapters.references import ModelReferences
from drift_watcher.adapters.states import _complete
from drift_watcher.bootstrap import bootstrap, codecs
from drift_watcher.domain.published import Published
from drift_watcher.handler import DriftHandler, Topics
from drift_watcher.keeper import NotRestoredError, WatcherKeeper
from drift_watcher.scores import WORST_SEGMENTS, Scores, segment_kind
from drift_watcher.settings import DriftWatcherSettings
from faust.types import TP
from model_registry.reading import RegistryAwayError
from model_registry.version import Version
from prometheus_client import Gauge
from runtime.errors import Recoverable, SettingsError, Unreadable
from runtime.kafka.deadletter import REASON, DeadLetterBudget, header
from runtime.kafka.records import InputRecord
from runtime.service.metrics import Metrics

MODEL = ModelRef(name="rxtract-ner", version="7", serial=9)
FOUND = {"oov_share": Reference(0.1, 0.016)}
SOURCE = topics.STATISTICS_OBSERVED
WRITTEN = Topics(topics.DRIFT_DETECTED, topics.MODEL_COMMANDS, topics.DRIFT_STATE)


def settings(**more):
    return DriftWatcherSettings.load(bootstrap_servers="127.0.0.1:1", schema_registry_url="http://127.0.0.1:1", **more)


class Rig:
    def __init__(self, stored=(), find=lambda _: FOUND, published=Published) -> None:
        self.registry = InMemoryRegistry()
        apply_schemas(self.registry)
        self.serialise = Serializer.for_topic(StatisticsObserved, self.registry, SOURCE)
        self.metrics = Metrics(m.METRICS)
        self.keeper = WatcherKeeper(
            lambda _: iter(stored),
            find,
            DriftConfig(),
            ZoneInfo("UTC"),
            save_every=(50, 10**12),
            metrics=self.metrics,
            published=published,
        )
        made = codecs(self.registry, settings())
        self.handler = DriftHandler(self.keeper, find, made, WRITTEN, budget=DeadLetterBudget(), metrics=self.metrics)
        self.offsets = self.keeper.restore([(SOURCE, 3)])

    def value(self, first, mean):
        values = np.random.default_rng(first).normal(mean, 0.08, 25)
        sums = in_order({"oov_share": (25.0, float(values.sum()), 0.0)})
        return self.serialise(
            StatisticsObserved(
                segment="city=Pune", model=MODEL, note_partition=0, first_offset=first, last_offset=first + 24,
                observed_at=1_795_408_200_000 + first, n=25, statistics=(), sums=sums,
            )
        )  # fmt: skip

    def batch(self, begin, end, mean=0.1):
        return [InputRecord(SOURCE, 3, offset, -1, b"k", self.value(25 * offset, mean)) for offset in range(begin, end)]

    def decoded(self, outputs, record, topic):
        decode = Deserializer.for_topic(record, self.registry, topic)
        return [decode(output.value) for output in outputs if output.topic == topic]


def states_of(rig, outputs):
    return rig.decoded(outputs, DriftState, topics.DRIFT_STATE)


def test_a_shift_becomes_an_event_a_command_and_a_state_in_its_partition():
    rig = Rig()
    outputs = [*rig.handler(rig.batch(0, 100)), *rig.handler(rig.batch(100, 120, mean=0.25))]
    events = rig.decoded(outputs, DriftDetected, topics.DRIFT_DETECTED)
    commands = rig.decoded(outputs, ModelCommand, topics.MODEL_COMMANDS)
    assert events
    assert [command.champion_version for command in commands] == ["7"] * len(events)
    states = states_of(rig, outputs)
    assert {state.source_offset for state in states} >= {0, 50, 100, *(event.source_offset for event in events)}
    assert {output.partition for output in outputs if output.topic == topics.DRIFT_STATE} == {3}


def test_the_same_batch_again_gives_the_same_records():
    rig = Rig()
    batch = rig.batch(0, 60)
    assert rig.handler(batch) == rig.handler(batch) != []


def test_what_is_out_already_is_not_said_again():
    """A kill came between an alarm and its state: the successor decides the same once more."""
    rig = Rig()
    quiet, shifted = rig.batch(0, 100), rig.batch(100, 120, mean=0.25)
    outputs = [*rig.handler(quiet), *rig.handler(shifted)]
    events = rig.decoded(outputs, DriftDetected, topics.DRIFT_DETECTED)
    commands = rig.decoded(outputs, ModelCommand, topics.MODEL_COMMANDS)
    assert events
    half = Published(frozenset({(events[0].episode_id, events[0].level.value)}))
    again = Rig(published=lambda: half)
    repeated = [*again.handler(quiet), *again.handler(shifted)]
    assert again.decoded(repeated, DriftDetected, topics.DRIFT_DETECTED) == events[1:]
    assert again.decoded(repeated, ModelCommand, topics.MODEL_COMMANDS) == commands
    full = Rig(published=lambda: Published(half.events, frozenset(one.command_id for one in commands)))
    silent = [*full.handler(quiet), *full.handler(shifted)]
    assert full.decoded(silent, ModelCommand, topics.MODEL_COMMANDS) == []
    assert states_of(full, silent) == states_of(rig, outputs)


def test_a_restored_watcher_goes_on_where_the_state_ends():
    rig = Rig()
    *_, state = states_of(rig, rig.handler(rig.batch(0, 60)))
    again = Rig(stored=[[state]])
    assert again.offsets == {(SOURCE, 3): 51}
    assert scores_of(again.metrics, m.SEGMENT_SCORE) == scores_of(rig.metrics, m.SEGMENT_SCORE) != {}
    assert again.handler(again.batch(51, 110)) == rig.handler(rig.batch(60, 110)) != []


def test_damaged_state_falls_back_to_the_one_before_and_then_to_the_beginning():
    rig = Rig()
    *_, state = states_of(rig, rig.handler(rig.batch(0, 60)))
    damaged = dataclasses.replace(state, state=state.state[:-9])
    flipped = dataclasses.replace(state, state=bytes([state.state[0] ^ 1]) + state.state[1:])
    older = dataclasses.replace(state, format_version=0)
    fallen = Rig(stored=[[damaged], [flipped], [state]])
    assert fallen.offsets == {(SOURCE, 3): 51}
    assert fallen.metrics.counter(m.STATES_REFUSED)._value.get() == 2
    assert Rig(stored=[[older]]).offsets == {(SOURCE, 3): 0}


def test_references_that_cannot_be_had_change_nothing():
    def away(_):
        raise Recoverable("away")

    rig = Rig(find=away)
    with pytest.raises(Recoverable):
        rig.handler(rig.batch(0, 5))
    assert rig.keeper.watcher(3).last_offset == -1


def test_what_cannot_be_read_is_dead_and_passed_over():
    rig = Rig()
    (dead,) = rig.handler([InputRecord(SOURCE, 3, 0, -1, b"k", b"nonsense")])
    assert header(dead.headers, REASON) == b"WRONG_MAGIC_BYTE"
    assert rig.keeper.watcher(3).last_offset == 0


def test_a_partition_that_was_not_restored_is_refused():
    with pytest.raises(NotRestoredError):
        Rig().keeper.watcher(4)


def test_only_complete_sets_of_chunks_count_and_the_newest_comes_first():
    def chunk(offset, number, chunks):
        return DriftState(
            source_partition=3, source_offset=offset, format_version=1, chunk=number, chunks=chunks, sha256=str(offset),
            state=b"", saved_at=0,
        )  # fmt: skip

    log = [chunk(1, 0, 1), chunk(2, 0, 2), chunk(2, 1, 2), chunk(3, 0, 2)]
    assert [found[0].source_offset for found in _complete(log)] == [2, 1]


def test_references_are_fetched_once_by_version(monkeypatch):
    class Models:
        asked = 0

        def by_version(self, name, version):
            self.asked += 1
            if version == "away":
                raise RegistryAwayError("down")
            return None if version == "none" else Version.of(name, version, 1, "digest")

        def tables(self, version):
            return version.version.encode()

    class Artifact:
        metadata = {"reference": {"oov_share": {"mean": 0.1, "sd": 0.08, "block_mean_sd": 0.016}}}  # noqa: RUF012

    def load(data, sha256):
        if data == b"damaged":
            raise ArtifactRefused("damaged")
        if data == b"large":
            raise MemoryError
        return Artifact()

    monkeypatch.setattr(references, "load", load)
    models = Models()
    find = ModelReferences(models)
    assert find(MODEL) == find(MODEL) == {"oov_share": Reference(0.1, 0.016)}
    assert models.asked == 1
    for version in ("away", "damaged", "large"):
        with pytest.raises(Recoverable):
            find(dataclasses.replace(MODEL, version=version))


def test_a_version_that_can_never_be_read_is_not_waited_for_without_end(monkeypatch):
    class Models:
        def by_version(self, name, version):
            return Version.of(name, version, 1, "digest")

        def tables(self, version):
            return b"damaged"

    def load(data, sha256):
        if damaged:
            raise ArtifactRefused("damaged")
        return types.SimpleNamespace(
            metadata={"reference": {"oov_share": {"mean": 0.1, "sd": 0.08, "block_mean_sd": 0.016}}}
        )

    damaged, now_s = [True], [0.0]
    monkeypatch.setattr(references, "load", load)
    find = ModelReferences(Models(), clock=lambda: now_s[0])
    for now_s[0] in (0.0, 60.0, 119.0):
        with pytest.raises(Unreadable, match="damaged"):
            find(MODEL)
    now_s[0] = 120.0
    assert find(MODEL) == {}
    damaged.clear()
    now_s[0] = 160.0
    assert find(MODEL) == {"oov_share": Reference(0.1, 0.016)}


def test_a_version_that_is_missing_is_asked_for_again():
    """A registry that is put back from a copy, for example: its model shall not go unjudged until the next one."""

    class Models:
        asked = 0

        def by_version(self, name, version):
            self.asked += 1

    models, now_s = Models(), [0.0]
    find = ModelReferences(models, clock=lambda: now_s[0])
    assert find(MODEL) == find(MODEL) == {}
    assert models.asked == 1, "not at every batch"
    now_s[0] = 60.0
    assert find(MODEL) == {}
    assert models.asked == 2


def test_a_version_that_is_missing_stays_so_while_the_registry_is_away():
    class Models:
        asked = 0
        away = False

        def by_version(self, name, version):
            self.asked += 1
            if self.away:
                raise RegistryAwayError("away")

    models, now_s = Models(), [0.0]
    find = ModelReferences(models, clock=lambda: now_s[0])
    assert find(MODEL) == {}
    models.away, now_s[0] = True, 60.0
    assert find(MODEL) == find(MODEL) == {}, "counted, not judged, as before"
    assert models.asked == 2, "each question may wait for a timeout"
    with pytest.raises(Recoverable):
        find(dataclasses.replace(MODEL, version="9"))


def test_a_model_whose_references_come_late_is_judged_then():
    known = {}
    rig = Rig(find=lambda _: dict(known))
    (state,) = states_of(rig, rig.handler(rig.batch(0, 20)))[-1:]
    unjudged = rig.metrics.counter(m.UNJUDGED)._value.get
    assert unjudged() == 20
    again = Rig(stored=[[state]], find=lambda _: dict(known))
    known.update(FOUND)
    at = again.offsets[(SOURCE, 3)]
    for watched in (rig, again):
        outputs = [
            *watched.handler(watched.batch(at, at + 100)),
            *watched.handler(watched.batch(at + 100, at + 120, 0.25)),
        ]
        assert watched.decoded(outputs, DriftDetected, topics.DRIFT_DETECTED)
    assert unjudged() == 20


def test_what_is_missing_to_start_is_told():
    with pytest.raises(SettingsError, match="RXTRACT_MLFLOW_URL"):
        bootstrap(settings(mlflow_url=None))
    with pytest.raises(SettingsError, match="RXTRACT_TIMEZONE"):
        bootstrap(settings(timezone="Mars"), find=lambda _: FOUND)


class Watch:
    """A segment as `Scores` reads it."""

    def __init__(self, **now):
        self.tracks = {name: Track(z) for name, z in now.items()}


@dataclasses.dataclass
class Track:
    now: float


def scores_of(metrics, spec):
    (family,) = metrics.gauge(spec).collect()
    return {tuple(one.labels.values()): one.value for one in family.samples}


def test_the_worst_segment_of_a_kind_is_the_worst_over_all_partitions():
    metrics = Metrics(m.METRICS)
    scores = Scores(metrics)
    scores.keep({3, 5})
    scores.take(3, {"city=Pune": Watch(oov_share=4.0), "all": Watch(oov_share=0.5)})
    scores.take(5, {"city=Agra": Watch(oov_share=1.0)})
    assert scores_of(metrics, m.DRIFT_SCORE) == {("city", "oov_share"): 4.0, ("all", "oov_share"): 0.5}
    scores.keep({5})  # the partition of Pune went to another process
    assert scores_of(metrics, m.DRIFT_SCORE) == {("city", "oov_share"): 1.0}
    scores.drop({5})
    scores.take(5, {"city=Agra": Watch(oov_share=1.0)})  # of a batch that was under way when it went
    assert scores_of(metrics, m.DRIFT_SCORE) == scores_of(metrics, m.SEGMENT_SCORE) == {}


def test_the_worst_segments_over_all_partitions_are_those_of_all_segments_together():
    metrics = Metrics(m.METRICS)
    scores = Scores(metrics)
    scores.keep(range(4))
    random = np.random.default_rng(1)
    highest = {}
    for partition in range(4):
        rows = {f"city={number}": round(float(z), 3) for number, z in enumerate(random.uniform(0, 9, 60))}
        highest = {segment: max(z, highest.get(segment, 0.0)) for segment, z in rows.items()}
        scores.take(partition, {segment: Watch(oov_share=z) for segment, z in rows.items()})
    wanted = sorted(highest.items(), key=lambda one: -one[1])[:WORST_SEGMENTS]
    assert scores_of(metrics, m.SEGMENT_SCORE) == {(segment, "oov_share"): z for segment, z in wanted}
    assert scores_of(metrics, m.DRIFT_SCORE) == {("city", "oov_share"): wanted[0][1]}


def test_a_scrape_between_two_changes_misses_no_score_that_stays(monkeypatch):
    metrics = Metrics(m.METRICS)
    scores, seen = Scores(metrics), []
    scores.keep({3})
    scores.take(3, {"city=Pune": Watch(oov_share=4.0), "all": Watch(oov_share=0.5)})
    for name in ("labels", "remove", "clear"):
        whole = getattr(Gauge, name)

        def watched(gauge, *labels, whole=whole):
            seen.append(set(scores_of(metrics, m.DRIFT_SCORE)) | set(scores_of(metrics, m.SEGMENT_SCORE)))
            found = whole(gauge, *labels)
            seen.append(set(scores_of(metrics, m.DRIFT_SCORE)) | set(scores_of(metrics, m.SEGMENT_SCORE)))
            return found

        monkeypatch.setattr(Gauge, name, watched)
    scores.take(3, {"city=Pune": Watch(oov_share=5.0), "specialty=x": Watch(oov_share=1.0)})
    assert seen
    assert all({("city", "oov_share"), ("city=Pune", "oov_share")} <= known for known in seen)
    assert ("all", "oov_share") not in seen[-1]


def test_no_scores_are_told_of_partitions_that_the_group_took():
    """With none assigned in their place nothing is restored, and the old ones would be told for ever."""
    registry = InMemoryRegistry()
    apply_schemas(registry)
    made = settings()
    watcher = bootstrap(made, registry=registry, find=lambda _: FOUND)
    app = watcher.app(codecs(registry, made))
    keeper = app.batching.restore.__self__
    keeper._scores.keep({3, 5})
    for partition, segment in ((3, "city=Pune"), (5, "city=Agra")):
        keeper._scores.take(partition, {segment: Watch(oov_share=4.0)})
    asyncio.run(app.on_partitions_revoked.send({TP("statistics", 3)}))
    assert scores_of(watcher.metrics, m.SEGMENT_SCORE) == {("city=Agra", "oov_share"): 4.0}
    asyncio.run(app.on_partitions_revoked.send({TP("statistics", 5)}))
    assert scores_of(watcher.metrics, m.SEGMENT_SCORE) == {}


def test_the_worst_segments_are_named_each_with_its_worst_statistic_and_no_more_than_ten():
    metrics = Metrics(m.METRICS)
    scores = Scores(metrics)
    scores.keep({3})
    many = {f"city={number}": Watch(oov_share=number / 10, confidence=-number / 20) for number in range(200)}
    scores.take(3, {**many, "city=Pune": Watch(oov_share=1.0, confidence=-40.0)})
    told = scores_of(metrics, m.SEGMENT_SCORE)
    assert len(told) == WORST_SEGMENTS == 10
    assert told["city=Pune", "confidence"] == 40.0
    assert told["city=199", "oov_share"] == pytest.approx(19.9)
    scores.take(3, {"city=Pune": Watch(oov_share=1.0, confidence=2.0)})
    assert scores_of(metrics, m.SEGMENT_SCORE) == {("city=Pune", "oov_share"): 1.0}


def test_alarms_name_kinds_of_segments_never_places():
    assert [segment_kind(key) for key in ("all", "city=Pune", "city=Pune|specialty=x")] == [
        "all",
        "city",
        "city+specialty",
    ]
