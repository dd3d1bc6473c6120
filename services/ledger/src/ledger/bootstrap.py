"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import gc
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qs

from contracts.registry import ConfluentRegistry, Registry
from contracts.topics import ENTITIES_EXTRACTED, NOTES_ACCEPTED, NOTES_SUBMITTED, dlq_of
from runtime.errors import Recoverable
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.service.clock import now_ms
from runtime.service.health import Page, Readiness
from runtime.service.metrics import CONSUMER_LAG, RECORDS_CONSUMED, Metrics
from runtime.service.run import Shell

from ledger.accounting import Accounting, TopicKind
from ledger.adapters.book import Book, Partition, account, waiting_of
from ledger.adapters.log import KafkaLog, Log
from ledger.adapters.schemas import Schemas
from ledger.domain.records import Record
from ledger.metrics import (
    JUMPS,
    METRICS,
    NOTES_ANSWERED,
    NOTES_LATE,
    NOTES_LOST,
    NOTES_OPEN,
    OLDEST_OPEN,
    UNREAD,
)
from ledger.metrics import (
    NOTES_SUBMITTED as SUBMITTED_COUNT,
)
from ledger.reader import CAUGHT_UP, KAFKA_READ, Heard, Reader, Topics
from ledger.settings import LedgerSettings

INGESTOR, EXTRACTOR = "rxtract-ingestor", "rxtract-extractor"
"""The groups that are judged."""
_RETRY_S = 1.0
_topic_of = itemgetter(0)
_MOST_DIGITS = 15  # of UTC milliseconds


def topics(settings: LedgerSettings) -> Topics:
    """What is read, and whose groups are judged."""
    submitted, accepted = settings.topic(NOTES_SUBMITTED), settings.topic(NOTES_ACCEPTED)
    roles = {
        submitted: TopicKind.SUBMITTED,
        accepted: TopicKind.ACCEPTED,
        settings.topic(ENTITIES_EXTRACTED): TopicKind.EFFECTS,
        dlq_of(submitted): TopicKind.SUBMITTED_LETTERS,
        dlq_of(accepted): TopicKind.ACCEPTED_LETTERS,
    }
    return Topics(roles, settings.group(INGESTOR), settings.group(EXTRACTOR))


class Counts:
    """Shows the book's totals, and what the reader hears, as metrics.

    Args:
        metrics: Built from `ledger.metrics.METRICS`.
        prefix: Of this cluster's topics, which metrics leave out.
    """

    def __init__(self, metrics: Metrics, prefix: str) -> None:
        self._metrics = metrics
        self._prefix = prefix
        self._shown: Counter[str] = Counter()
        for kind in ("expired", "cut", "skipped"):
            metrics.counter(JUMPS).labels(kind)
        for by in ("effect", "dead_letter"):
            metrics.counter(NOTES_ANSWERED).labels(by)

    def show(self, book: Book, oldest_s: float, waiting: Mapping[str, int]) -> None:
        """After a commit."""
        totals, metrics = book.totals, self._metrics
        metrics.gauge(NOTES_OPEN).set(totals.open)
        metrics.gauge(OLDEST_OPEN).set(oldest_s)
        counters = {
            "submitted": (metrics.counter(SUBMITTED_COUNT), totals.submitted),
            "effects": (metrics.counter(NOTES_ANSWERED).labels("effect"), totals.effects),
            "dead": (metrics.counter(NOTES_ANSWERED).labels("dead_letter"), totals.dead_letters),
            "lost": (metrics.counter(NOTES_LOST), totals.lost + totals.late),
            "late": (metrics.counter(NOTES_LATE), totals.late),
        }
        for name, (counter, total) in counters.items():
            counter.inc(total - self._shown[name])
            self._shown[name] = total
        for topic, records in waiting.items():
            metrics.gauge(CONSUMER_LAG).labels(self._name(topic)).set(records)

    def took(self, records: Sequence[Record]) -> None:
        """A batch."""
        for topic, times in Counter(map(_topic_of, records)).items():
            self._metrics.counter(RECORDS_CONSUMED).labels(self._name(topic)).inc(times)

    def jumped(self, kind: str, _place: Partition) -> None:
        """A reading position moved by itself."""
        self._metrics.counter(JUMPS).labels(kind).inc()

    def unread(self, topic: str) -> None:
        """A record names nothing."""
        self._metrics.counter(UNREAD).labels(self._name(topic)).inc()

    def _name(self, topic: str) -> str:
        return topic.removeprefix(self._prefix)


def asked_account(settings: LedgerSettings, query: str, *, from_here: bool) -> tuple[int, dict[str, Any]]:
    """Answer /account: status and body. Lost notes are named only to who asks from this machine, since the port has no login.

    Args:
        settings: Where the book is.
        query: since=UTC milliseconds, or nothing.
        from_here: Whether the question came over the loopback address.
    """
    said = parse_qs(query).get("since", [""])[-1]
    if said and not (said.isdecimal() and len(said) <= _MOST_DIGITS):
        return 400, {"error": "since is a time in UTC milliseconds"}
    try:
        found = account(settings.ledger_dir, now_ms(), int(said) if said else None, named=from_here)
    except sqlite3.Error:
        return 503, {"error": "the account is not there yet"}
    return 200, {**found.as_dict(), "named": from_here}


def asked_note(settings: LedgerSettings, query: str) -> tuple[int, dict[str, Any]]:
    """Answer /note: what of a note has no effect yet. The asker has named it, so nothing is named that he does not know.

    Args:
        settings: Where the book is.
        query: source and note_id.
    """
    asked = parse_qs(query)
    source, note_id = asked.get("source", [""])[-1], asked.get("note_id", [""])[-1]
    if not source or not note_id:
        return 400, {"error": "source and note_id name the note"}
    try:
        found = waiting_of(settings.ledger_dir, source, note_id)
    except sqlite3.Error:
        return 503, {"error": "the account is not there yet"}
    return 200, {"waiting": [one._asdict() for one in found]}


@dataclass(slots=True, kw_only=True)
class Keeper(Shell[LedgerSettings]):
    """One process: opens the book of the cluster that answers, and keeps it until it is asked to stop."""

    def info(self) -> Mapping[str, Any]:
        """When a note is lost."""
        return {"lost_after_s": self.settings.lost_after_s}

    def pages(self) -> Mapping[str, Page]:
        """The account, and one note of it."""
        return {
            "/account": lambda query, from_here: asked_account(self.settings, query, from_here=from_here),
            "/note": lambda query, _from_here: asked_note(self.settings, query),
        }

    def open_book(self, log: Log) -> Book | None:
        """Open the book of the cluster that answers; None: we were stopped while none did.

        Raises:
            SettingsError: The folder cannot be used.
        """
        return self.until(lambda: Book(self.settings.ledger_dir, log.cluster()), KAFKA_READ, _RETRY_S, (Recoverable,))


def serve(settings: LedgerSettings, registry: Registry | None = None) -> None:
    """Run until SIGTERM, then commit.

    Raises:
        SettingsError: The folder is not usable, or another ledger's.
        ReadingBroken: A right or a topic has been missing for too long.
    """
    gc.set_threshold(50_000, 20, 100)  # rows and records form no cycles, and looking for some costs a tenth
    metrics = Metrics(METRICS)
    metrics.build_all()
    keeper = Keeper(settings=settings, metrics=metrics, readiness=Readiness(KAFKA_READ, CAUGHT_UP))
    counts = Counts(metrics, settings.topic_prefix)
    errors = ConsumerErrors(metrics, keeper.readiness, settings.fault_limit_s)
    known = topics(settings)
    groups = [known.submitted, known.accepted, known.of(TopicKind.EFFECTS), known.letters]
    log = KafkaLog(settings.kafka_client_config(), groups, errors, lambda place: counts.jumped("skipped", place))
    schemas = Schemas(registry or ConfluentRegistry(settings.schema_registry_url))
    with keeper.running(), closing(log):
        book = keeper.open_book(log)
        if book is None:
            return
        with closing(book):
            Reader(
                log,
                book,
                Accounting(book, schemas, known.roles, counts.unread),
                known,
                lost_after_s=settings.lost_after_s,
                commit_s=settings.ledger_commit_s,
                liveness=keeper.liveness,
                readiness=keeper.readiness,
                stop=keeper.stop,
                heard=Heard(counts.jumped, lambda oldest_s, waiting: counts.show(book, oldest_s, waiting), counts.took),
            ).run()
