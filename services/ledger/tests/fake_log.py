"""A log in memory with all that happens to logs, and a pipeline over it that answers as the real services do, or fails to."""

import dataclasses
import random
from collections.abc import Collection, Mapping, Sequence

from contracts import files
from contracts.records import (
    EntitiesExtracted,
    ModelRef,
    NoteAccepted,
    NoteSubmitted,
    Origin,
    Review,
    ReviewReason,
    Segment,
)
from contracts.registry import InMemoryRegistry
from contracts.wire import Serializer
from ledger.accounting import TopicKind
from ledger.adapters.book import Partition
from ledger.adapters.log import Read
from ledger.domain.records import Record
from ledger.reader import Topics
from runtime.errors import Recoverable

SUBMITTED, ACCEPTED, EFFECTS = "notes.submitted.v1", "notes.accepted.v1", "entities.extracted.v1"
REFUSED, POISON = SUBMITTED + ".dlq", ACCEPTED + ".dlq"
TOPICS = Topics(
    {
        SUBMITTED: TopicKind.SUBMITTED,
        ACCEPTED: TopicKind.ACCEPTED,
        EFFECTS: TopicKind.EFFECTS,
        REFUSED: TopicKind.SUBMITTED_LETTERS,
        POISON: TopicKind.ACCEPTED_LETTERS,
    },
    "rxtract-ingestor",
    "rxtract-extractor",
)
NOTE = NoteSubmitted(
    source="clinic",
    note_id="N",
    revision=1,
    prescription_id="RX",
    patient_ref="P",
    doctor_ref="D",
    city="Pune",
    specialty="gp",
    written_at=1_790_000_000_000,
    text="c/o fever",
)


class Cluster:
    """Topics that outlive the ledger: partitions of records, where each begins, what groups committed."""

    def __init__(self, partitions: int = 3) -> None:
        self.logs: dict[Partition, list[Record | None]] = {
            (topic, number): [] for topic in TOPICS.roles for number in range(partitions)
        }
        self.low: dict[Partition, int] = dict.fromkeys(self.logs, 0)
        self.groups: dict[tuple[str, str], dict[Partition, int]] = {
            (TOPICS.ingestor, SUBMITTED): {},
            (TOPICS.extractor, ACCEPTED): {},
        }
        self.now_ms = 1_790_000_000_000
        self.away = False
        self.stalled: set[str] = set()

    def append(
        self, topic: str, partition: int, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> int:
        log = self.logs[topic, partition]
        log.append(Record(topic, partition, len(log), self.now_ms, value, headers))
        return len(log) - 1

    def marker(self, topic: str, partition: int) -> None:
        """A transaction's: an offset that nobody is given."""
        self.logs[topic, partition].append(None)

    def grow(self, topic: str) -> None:
        number = sum(one[0] == topic for one in self.logs)
        self.logs[topic, number], self.low[topic, number] = [], 0

    def partitions(self, topic: str) -> list[int]:
        return [number for name, number in self.logs if name == topic]


class FakeLog:
    """What the ledger reads it by: forgets where it was when it is made anew, and gives at random little or much."""

    def __init__(self, cluster: Cluster, seed: int = 0) -> None:
        self._cluster = cluster
        self._random = random.Random(seed)
        self._at: dict[Partition, int] = {}

    def cluster(self) -> str:
        return "one"

    def ends(self, topics: Collection[str]) -> dict[Partition, int]:
        self._ask()
        return {place: len(log) for place, log in self._cluster.logs.items() if place[0] in topics}

    def lows(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        self._ask()
        return {place: self._cluster.low[place] for place in partitions}

    def committed(self, group: str, topic: str) -> dict[Partition, int]:
        self._ask()
        return dict(self._cluster.groups[group, topic])

    def begin(self, positions: Mapping[Partition, int]) -> None:
        self._at.update(positions)

    def read(self, topics: Sequence[str], limit: int, wait_s: float) -> Read:
        records: list[Record] = []
        reached: dict[Partition, int] = {}
        misplaced: set[Partition] = set()
        for place in self._random.sample(sorted(self._at), len(self._at)):
            if place[0] not in topics or place[0] in self._cluster.stalled:
                continue
            log, at = self._cluster.logs[place], self._at[place]
            if at < self._cluster.low[place] or at > len(log):
                misplaced.add(place)
                continue
            taken = log[at : at + self._random.randint(0, limit)]
            if taken:
                records += [one for one in taken if one is not None]
                reached[place] = self._at[place] = at + len(taken)
        return Read(records, reached, misplaced)

    def close(self) -> None:
        pass

    def _ask(self) -> None:
        if self._cluster.away:
            raise Recoverable("Kafka is away")


class Pipeline:
    """Platform, ingestor and extractor over a cluster, a record at a time; each may do it again, refuse, or leave out."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.registry = InMemoryRegistry()
        ids = {
            name: self.registry.register(f"{topic}-value", files.schema_text(name))
            for topic, name in (
                (SUBMITTED, "NoteSubmitted"),
                (ACCEPTED, "NoteAccepted"),
                (EFFECTS, "EntitiesExtracted"),
            )
        }
        self._submit = Serializer(NoteSubmitted, ids["NoteSubmitted"])
        self._accept = Serializer(NoteAccepted, ids["NoteAccepted"])
        self._effect = Serializer(EntitiesExtracted, ids["EntitiesExtracted"])

    def submit(self, note_id: str, *, revision: int = 1, partition: int = 0, replayed: bool = False) -> int:
        """By Kafka; returns the offset."""
        value = self._submit(dataclasses.replace(NOTE, note_id=note_id, revision=revision))
        headers = (("rxtract.replayed", b"x 0:0"),) if replayed else ()
        return self.cluster.append(SUBMITTED, partition, value, headers)

    def accept(
        self,
        note_id: str,
        offset: int | None = None,
        *,
        revision: int = 1,
        partition: int = 0,
        origin: Origin = Origin.LIVE,
        into: int | None = None,
    ) -> int:
        """The ingestor's record of a submitted one; without an offset that of a note that came by HTTP."""
        accepted = NoteAccepted(
            source=NOTE.source,
            note_id=note_id,
            revision=revision,
            prescription_ref="rx",
            patient_ref="p",
            doctor_ref="d",
            city=NOTE.city,
            specialty=NOTE.specialty,
            written_at=NOTE.written_at,
            text=NOTE.text,
            origin=origin,
            accepted_at=self.cluster.now_ms,
            pseudonym_key_id="key",
        )
        headers = () if offset is None else (("rxtract.submitted", f"{partition}:{offset}".encode()),)
        return self.cluster.append(ACCEPTED, partition if into is None else into, self._accept(accepted), headers)

    def extract(self, note_id: str, *, revision: int = 1, partition: int = 0) -> int:
        """The extractor's."""
        event = EntitiesExtracted(
            source=NOTE.source,
            note_id=note_id,
            revision=revision,
            event_id="e",
            patient_ref="p",
            segment=Segment(city="Pune", specialty="gp"),
            written_at=NOTE.written_at,
            accepted_at=self.cluster.now_ms,
            extracted_at=self.cluster.now_ms,
            model=ModelRef(name="m", version="1", serial=1),
            rules_version="r",
            rules_serial=1,
            entities=[],
            relations=[],
            note_confidence=1.0,
            review=Review(requested=False, reason=ReviewReason.NONE, inclusion_probability=None),
            origin=Origin.LIVE,
        )
        return self.cluster.append(EFFECTS, partition, self._effect(event))

    def refuse(self, topic: str, partition: int, offset: int, *, value: bytes | None = None) -> int:
        """A dead letter of a record."""
        headers = (
            ("__streams.errors.topic", topic.encode()),
            ("__streams.errors.partition", str(partition).encode()),
            ("__streams.errors.offset", str(offset).encode()),
        )
        record = self.cluster.logs[topic, partition][offset] if offset >= 0 else None
        return self.cluster.append(f"{topic}.dlq", 0, value or (record.value if record else None), headers)

    def commit(self) -> None:
        """Both groups have read everything."""
        for (_, topic), committed in self.cluster.groups.items():
            committed |= {place: len(log) for place, log in self.cluster.logs.items() if place[0] == topic}
