"""The only place where the enricher's parts are made and put together.

Two loops of one engine: the group of the enricher codes what comes; beside it a group of this set of tables reads the topic of codes from its
beginning, slowly, and codes anew what older tables coded. Neither waits for the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.records import EntitiesCoded, EntitiesExtracted, FhirDocumentMade
from contracts.registry import ConfluentRegistry, Registry
from contracts.topics import ENTITIES_CODED, ENTITIES_EXTRACTED, RECORDS_FHIR
from contracts.wire import Deserializer, Serializer
from runtime.errors import SettingsError
from runtime.kafka.deadletter import DeadLetterBudget
from runtime.kafka.tracing import Spans, open_spans
from runtime.service.health import AllAlive, Liveness, Readiness
from runtime.service.metrics import CONSUMER_LAG, Metrics
from runtime.service.run import Shell
from runtime.service.threads import OtherThread
from runtime.service.waiting import CONTRACT_READ
from runtime.stream.loop import ConsumerLoop, LoopLimits
from runtime.stream.service_loop import service_loop
from runtime.stream.state import ASSIGNED
from rxtract_fhir import FhirRefused, guide_named, profile_named
from rxtract_fhir.profiles import Profile
from terminology import Coder, TerminologyRefused

from enricher.documents import Documents
from enricher.domain.coding import NoteCoder
from enricher.handler import STAGE, Codecs, CodingHandler, Publishing, RecodingHandler
from enricher.metrics import METRICS, NEWER_SERIAL, RECODE_WAITING, TABLE_SERIAL
from enricher.pace import Pace
from enricher.settings import EnricherSettings

GROUP = "rxtract-enricher"
RECODE_GROUP = "rxtract-enricher-recode-"
"""Followed by the serial of the tables: each set reads all codes once."""


def codecs(registry: Registry, settings: EnricherSettings) -> Codecs:
    """Make the codecs of all topics that the enricher reads or writes.

    Raises:
        RegistryUnavailable: The registry is away.
        SchemaNotFound: Our schemas are not registered yet.
    """
    extracted, coded = settings.topic(ENTITIES_EXTRACTED), settings.topic(ENTITIES_CODED)
    return Codecs(
        extracted=Deserializer.for_topic(EntitiesExtracted, registry, extracted),
        coded=Deserializer.for_topic(EntitiesCoded, registry, coded),
        write=Serializer.for_topic(EntitiesCoded, registry, coded),
        write_document=Serializer.for_topic(FhirDocumentMade, registry, settings.topic(RECORDS_FHIR))
        if settings.fhir_profiles
        else None,
    )


@dataclass(slots=True, kw_only=True)
class Enricher(Shell[EnricherSettings]):
    """One process: waits for the contract, joins its groups, codes until it is asked to stop."""

    registry: Registry
    coder: NoteCoder
    profiles: tuple[Profile, ...] = ()
    """Of the FHIR documents that are made."""
    spans: Spans | None = None
    recode_liveness: Liveness | None = None
    """Of the slow loop, once it runs."""

    def info(self) -> Mapping[str, Any]:
        """In which group, and by which tables."""
        return {
            "group": self.settings.group(GROUP),
            "tables": self.coder.version,
            "table_serial": self.coder.serial,
            "fhir_profiles": [one.name for one in self.profiles],
        }

    def alive(self) -> Liveness | AllAlive:
        """Both loops."""
        return self.liveness if self.recode_liveness is None else AllAlive(self.liveness, self.recode_liveness)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            Exception: Whatever ended one of the loops; both end, with nothing unfinished committed.
        """
        with self.running():
            made = self.until(lambda: codecs(self.registry, self.settings), CONTRACT_READ)
            if made is None:
                return
            beside = OtherThread("recode", lambda: self._recode(made), self.stop)
            beside.start()
            try:
                self.live_loop(made).run()
            finally:
                self.stop.set()
                beside.finish()

    def live_loop(self, made: Codecs) -> ConsumerLoop:
        """Make the loop over what is extracted now; it joins the group when it is run."""
        handler = CodingHandler(made.extracted, self._publishing(made), DeadLetterBudget(), self._documents(made))
        limits = LoopLimits(batch_records=self.settings.batch_records)
        return service_loop(self, GROUP, [ENTITIES_EXTRACTED], handler, stage=STAGE, limits=limits, spans=self.spans)

    def recode_loop(self, made: Codecs) -> ConsumerLoop:
        """Make the loop over what was coded by whatever tables; it joins the group of ours when it is run."""
        pace = Pace(self.settings.recode_records_per_s, self.stop)
        handler = RecodingHandler(
            made.coded, self._publishing(made), pace, metrics=self.metrics, budget=DeadLetterBudget()
        )
        # Numbers and conditions of the slow loop are not the service's.
        beside = replace(self, metrics=Metrics(METRICS), readiness=Readiness(ASSIGNED), liveness=Liveness())
        self.recode_liveness = beside.liveness
        waiting = beside.metrics.gauge(CONSUMER_LAG).labels(self.settings.topic(ENTITIES_CODED))
        self.metrics.gauge(RECODE_WAITING).set_function(waiting._value.get)  # noqa: SLF001 - no public way to read it
        limits = LoopLimits(batch_records=self.settings.batch_records, watch_handler=False)  # it waits on purpose
        group = f"{RECODE_GROUP}{self.coder.serial}"
        return service_loop(beside, group, [ENTITIES_CODED], handler, stage=STAGE, limits=limits)

    def _recode(self, made: Codecs) -> None:
        if not self.settings.recode_records_per_s:
            self.stop.wait()
            return
        self.recode_loop(made).run()

    def _publishing(self, made: Codecs) -> Publishing:
        return Publishing(self.coder, made.write, self.settings.topic(ENTITIES_CODED), self.metrics)

    def _documents(self, made: Codecs) -> Documents | None:
        if made.write_document is None:
            return None
        guide, topic = guide_named(self.settings.fhir_guide), self.settings.topic(RECORDS_FHIR)
        return Documents(self.profiles, guide, made.write_document, topic=topic, metrics=self.metrics)


def open_coder(settings: EnricherSettings) -> NoteCoder:
    """Open the tables.

    Raises:
        SettingsError: There are none, or one cannot be used.
    """
    try:
        coder = NoteCoder(Coder.open(settings.terminology_dir), settings.table_serial)
    except TerminologyRefused as error:
        raise SettingsError(f"RXTRACT_TERMINOLOGY_DIR: {error}") from None
    if not coder.serial:
        raise SettingsError(
            "RXTRACT_TERMINOLOGY_DIR: the tables have no serial, which orders what they code: build or import them anew, or set RXTRACT_TABLE_SERIAL"
        )
    return coder


def wanted_profiles(settings: EnricherSettings) -> tuple[Profile, ...]:
    """Return the profiles of the documents that are asked for, each once.

    Raises:
        SettingsError: There is no such profile.
    """
    names = [name.strip() for name in settings.fhir_profiles.split(",")] if settings.fhir_profiles else []
    try:
        return tuple(profile_named(name) for name in dict.fromkeys(names))
    except FhirRefused as error:
        raise SettingsError(f"RXTRACT_FHIR_PROFILES: {error}") from None


def bootstrap(
    settings: EnricherSettings,
    *,
    registry: Registry | None = None,
    make_coder: Callable[[EnricherSettings], NoteCoder] = open_coder,
) -> Enricher:
    """Put an enricher together.

    Args:
        settings: Parsed environment.
        registry: Schema registry.
        make_coder: Opens the tables.

    Raises:
        SettingsError: The tables cannot be used, or a profile is not known.
    """
    profiles = wanted_profiles(settings)
    metrics = Metrics(METRICS)
    metrics.build_all()
    coder = make_coder(settings)
    metrics.gauge(TABLE_SERIAL).set(coder.serial)
    metrics.gauge(NEWER_SERIAL).set(coder.serial)
    return Enricher(
        settings=settings,
        registry=registry or ConfluentRegistry(settings.schema_registry_url),
        coder=coder,
        profiles=profiles,
        metrics=metrics,
        readiness=Readiness(CONTRACT_READ, ASSIGNED),
        spans=open_spans(settings),
    )


def serve(settings: EnricherSettings) -> None:
    """Run one enricher until it is asked to stop."""
    bootstrap(settings).run()
