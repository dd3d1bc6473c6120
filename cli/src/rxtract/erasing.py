"""An erasure, step by step: the key, what services hold beside the topics, what was submitted in clear, and the models."""

from __future__ import annotations

import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from contracts.topics import ANNOTATIONS_VALIDATED, NOTES_SUBMITTED, prefixed
from embedded_stack.delete_records import delete_records
from runtime.kafka.commits import GroupCommits
from runtime.service.clock import now_ms

from rxtract.errors import UserError
from rxtract.kafka import client_config
from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealing import Erasure, OperatedStore

    from rxtract.addresses import StackAddresses

INGESTOR_GROUP = "rxtract-ingestor"
TAG = "rxtract.erased-patients"
"""On a version of the model: how many patients who taught it were erased since."""
_ANSWER_S = 10.0
_LOOK_S = 0.5


@dataclass(slots=True)
class Certificate:
    """What an erasure did; no reference in clear, no text.

    Attributes:
        patient: The pseudonym.
        number: Of the erasure in its store.
        erased_at: UTC milliseconds.
        keys_destroyed: Every text sealed under them is gone, wherever it lies.
        rows_at_rest: Rows of the patient that are left in the records at rest; None: no folder was named, so nobody looked.
        submitted_cut: Submitted notes, in clear, that were deleted behind the ingestor, of all patients; None: no Kafka was named.
        annotations: Annotations of the patient that a training may have learnt from; None: not looked up.
        models_marked: Versions of the model that they may have taught.
        in_clear: Records of the patient that still show a text, by topic: of before sealing was on. None: not looked for (--verify).
        seconds: From the command to here.
    """

    patient: str
    number: int
    erased_at: int
    keys_destroyed: int
    rows_at_rest: int | None = None
    submitted_cut: int | None = None
    annotations: int | None = None
    models_marked: list[str] = field(default_factory=list)
    in_clear: dict[str, int] | None = None
    seconds: float = 0.0

    def as_object(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Erasing:
    """Erases one patient after another.

    Attributes:
        addresses: The stack; what it does not name is left out and the certificate says so.
        store: The key store.
        timeout_s: For everything together.
        group_prefix: Put before the ingestor's group.
    """

    addresses: StackAddresses
    store: OperatedStore
    timeout_s: float
    group_prefix: str = ""

    def erase(self, patient: str, *, verify: bool = False, say: Callable[[str], None] = lambda _: None) -> Certificate:
        """Erase a patient, by pseudonym.

        Raises:
            UserError: There is nothing of the patient; or a step did not end in time, and the line says which: the key is gone by
                then, and the same command again does the rest.
        """
        began_s = time.monotonic()
        places = self._read_by_the_door()
        done, again = self._destroy(patient)
        say(f"key destroyed: {done.keys} keys, erasure {done.number}{' (done before)' if again else ''}")
        certificate = Certificate(patient, done.number, done.at, done.keys)
        self._settle(began_s, done, say)
        certificate.rows_at_rest = self._clear_rows(patient, began_s, say)
        certificate.submitted_cut = self._cut(places)
        if certificate.submitted_cut is not None:
            say(f"submitted notes deleted behind the ingestor: {certificate.submitted_cut:,}")
        if self.addresses.bootstrap_servers:
            certificate.annotations, taught_since = self._annotations(patient)
            if certificate.annotations:
                certificate.models_marked = self._mark(taught_since)
                say(f"models marked: {', '.join(certificate.models_marked) or 'none'}")
        if verify:
            certificate.in_clear = self._in_clear(patient)
            say(f"records that still show a text: {sum(certificate.in_clear.values()):,}")
        certificate.seconds = round(time.monotonic() - began_s, 1)
        return certificate

    def _destroy(self, patient: str) -> tuple[Erasure, bool]:
        if not self.store.has(patient):
            raise UserError(
                "no text was ever sealed for this patient: nothing was changed; is it the reference as it was submitted, and the ingestor's pseudonym key?"
            )
        if not self.store.live([patient]):
            before = [one for one in self.store.erasures() if one.subject == patient]
            if before:
                return before[-1], True
        return self.store.erase(patient, now_ms()), False

    def _settle(self, began_s: float, done: Erasure, say: Callable[[str], None]) -> None:
        """Wait until no service uses the key any more."""
        from sealing.erasures import SETTLED_S

        left_s = SETTLED_S - (now_ms() - done.at) / 1000
        if left_s > 0:
            say(f"waiting {left_s:.0f} s until no service uses the key any more")
            time.sleep(min(left_s, max(0.0, self.timeout_s - (time.monotonic() - began_s))))

    def _clear_rows(self, patient: str, began_s: float, say: Callable[[str], None]) -> int | None:
        """Wait for the scorekeeper to rewrite its files; where none is at work, do it."""
        if not self.addresses.records_dir:
            return None
        from outcomes.records_at_rest import DamagedManifest, FolderInUse, RecordsAtRest

        folder = Path(self.addresses.records_dir)
        while rows := rows_of(folder, patient):
            try:
                records = RecordsAtRest(folder)
            except FolderInUse:
                say(f"records at rest: {rows:,} rows wait for the scorekeeper")
            except DamagedManifest as error:
                raise UserError(f"RXTRACT_RECORDS_DIR: {error}; the key is destroyed") from None
            else:
                records.erase([patient])
                records.close()
                continue
            if time.monotonic() - began_s > self.timeout_s:
                raise UserError(
                    f"{rows:,} rows are left in the records at rest after {self.timeout_s:.0f} s: is the scorekeeper at work, with RXTRACT_SEALING "
                    "on? The key is destroyed; the same command again does the rest"
                )
            time.sleep(_LOOK_S)
        return 0

    def _read_by_the_door(self) -> dict[int, int]:
        """Up to where the ingestor had read and committed the submitted notes, by partition."""
        if not self.addresses.bootstrap_servers:
            return {}
        topic = prefixed(self.addresses.topic_prefix, NOTES_SUBMITTED)
        commits = GroupCommits(self._config())
        try:
            known = self._admin().list_topics(topic, timeout=_ANSWER_S).topics[topic].partitions
            found = commits.of(self.group_prefix + INGESTOR_GROUP, [(topic, number) for number in known], _ANSWER_S)
        except KafkaException as error:
            raise _refused(error.args[0].str()) from None
        finally:
            commits.close()
        return {number: offset for (_, number), offset in found.items() if offset > 0}

    def _cut(self, places: dict[int, int]) -> int | None:
        """Delete what lies before these places: it was accepted, or refused, before the erasure began."""
        if not self.addresses.bootstrap_servers:
            return None
        if not places:
            return 0
        from confluent_kafka.admin import OffsetSpec

        admin, topic = self._admin(), prefixed(self.addresses.topic_prefix, NOTES_SUBMITTED)
        try:
            wanted = {TopicPartition(topic, number): OffsetSpec.earliest() for number in places}
            lows = {
                place.partition: answer.result(_ANSWER_S).offset
                for place, answer in admin.list_offsets(wanted, request_timeout=_ANSWER_S).items()
            }
        except KafkaException as error:
            raise _refused(error.args[0].str()) from None
        cut = {number: offset for number, offset in places.items() if offset > lows.get(number, 0)}
        if cut:
            try:
                delete_records(self._config(), topic, cut)
            except subprocess.CalledProcessError as error:
                raise _refused(error.stderr) from None
            except subprocess.TimeoutExpired:
                raise _refused("it does not answer") from None
        return sum(int(offset) - int(lows.get(number, 0)) for number, offset in cut.items())

    def _annotations(self, patient: str) -> tuple[int, int]:
        """How many annotations there are of the patient, and when the first came (UTC ms)."""
        topic = prefixed(self.addresses.topic_prefix, ANNOTATIONS_VALIDATED)
        found = [
            seen.record.annotated_at
            for seen in TopicReader(self.addresses).read([topic])
            if seen.record is not None and seen.record.patient_ref == patient
        ]
        return len(found), min(found, default=0)

    def _mark(self, since_ms: int) -> list[str]:
        """Tag the versions that were registered after a label of the patient was there."""
        if not self.addresses.mlflow_url:
            return []
        from rxtract.mlflow_server import mlflow_refusals
        from rxtract.models.versions import Versions

        name = "rxtract-ner"
        versions = Versions(self.addresses.mlflow_url, name)
        marked = []
        with mlflow_refusals(self.addresses.mlflow_url):
            for found in versions.registered():
                if found.creation_timestamp >= since_ms:
                    count = int(found.tags.get(TAG, "0")) + 1
                    versions.tag(str(found.version), TAG, str(count))
                    marked.append(str(found.version))
        return marked

    def _in_clear(self, patient: str) -> dict[str, int]:
        """Read every topic with texts and count the patient's records that show one without any key."""
        from contracts import records
        from contracts.topics import load_topics
        from sealing.texts import SEALED_RECORDS, taken_out

        reader = TopicReader(self.addresses, opens=False)
        known = load_topics()
        names = {
            prefixed(self.addresses.topic_prefix, name): name
            for name, topic in known.items()
            if topic.record in SEALED_RECORDS and topic.record != records.NoteSubmitted.SCHEMA_NAME
        }
        there = set(reader.names())
        counts = dict.fromkeys(names.values(), 0)
        for seen in reader.read([name for name in names if name in there]):
            record = seen.record
            if record is not None and record.patient_ref == patient and taken_out(record).strip(b"\0"):
                counts[names[seen.topic]] += 1
        return {name: count for name, count in counts.items() if count}

    def _admin(self) -> AdminClient:
        return AdminClient(self._config())

    def _config(self) -> dict[str, Any]:
        return {**client_config(self.addresses, "rxtract-erase"), "log_level": 0}


def rows_of(folder: Path, patient: str) -> int:
    """How many rows of a patient the visible and retired files of a folder hold."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from outcomes.records_at_rest import Manifest

    manifest = Manifest.read(folder)
    count = 0
    for path in [*(one.path for one in manifest.files), *manifest.retired]:
        try:
            names = pq.read_table(folder / path, columns=["patient_ref"]).column(0)
        except FileNotFoundError:
            continue  # deleted since the manifest was read
        count += int(pc.sum(pc.equal(names, patient)).as_py() or 0)
    return count


def _refused(words: str) -> UserError:
    return UserError(
        f"Kafka refused: {words}; whoever erases needs DESCRIBE on the ingestor's group and DELETE on notes.submitted.v1"
    )
