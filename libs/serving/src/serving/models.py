"""Which model and which rules are served: loaded by alias, checked by digest, tried on canary notes, swapped between two batches.

A bad artifact never replaces a good one. With MLflow down the cached copy serves; with MLflow failing later nothing is felt.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from contracts.records import ModelRef
from model_registry.reading import RegistryAwayError, UnusableVersionError
from model_registry.version import Version
from runtime.errors import RxtractError
from runtime.service.logs import get_logger
from runtime.service.metrics import Metrics, MetricSpec

from serving import metrics as m
from serving.cache import ModelCache
from serving.canaries import check_canaries
from serving.tagging import LoadedModel, LoadedRules, Rules, Tagger

_log = get_logger(__name__)
_HASTY_S = 2.0


class NoModelError(RxtractError):
    """There is nothing to serve yet; the message says why in one line."""


class RefusedModelError(RxtractError):
    """The artifact is damaged or does not behave; the message says how."""


class Models(Protocol):
    """The model registry as asked here; `model_registry.reading.ModelReader` and a test's fake."""

    def by_alias(self, name: str, alias: str) -> Version | None:
        """The version that an alias names."""

    def tables(self, version: Version) -> bytes:
        """The bytes of its tables."""


class OpenedTagger(Tagger, Protocol):
    """A tagger with the plain data that stands beside its tables."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Plain data."""

    def with_rules(self, rules: Any, /) -> Self:
        """The same model, read by released rules."""


class NotOpenedError(RefusedModelError):
    """The artifact could not be opened for want of something of this process, memory for example; it is tried again."""


Opener = Callable[[bytes, str], OpenedTagger]
"""Opens tables whose sha256 is given; raises when they are damaged."""


RulesOpener = Callable[[bytes, str], Rules]
"""Opens rules whose sha256 is given; raises when they are damaged."""

Loaded = TypeVar("Loaded", LoadedModel, LoadedRules)


@dataclass(frozen=True, slots=True)
class KeeperMetrics:
    """What a keeper measures; `serving.metrics` says what each means."""

    loads: MetricSpec
    info: MetricSpec
    serial: MetricSpec
    reload_seconds: MetricSpec
    check_age: MetricSpec


class Keeper(Generic[Loaded]):
    """Keeps what is served under an alias up to date.

    Args:
        models: The registry; None when no address is set (only the cache serves then).
        cache: Copies on disk.
        name: Registered model.
        alias: Alias to follow.
        metrics: Built from `serving.metrics.MODEL_METRICS`.
        clock: Monotonic seconds.
    """

    measures: KeeperMetrics

    def __init__(
        self,
        models: Models | None,
        cache: ModelCache,
        name: str,
        alias: str,
        *,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models = models
        self._cache = cache
        self._name = name
        self._alias = alias
        self._clock = clock
        self._lock = threading.Lock()
        self._served: Loaded | None = None
        self._announced: Version | None = None
        self._refused: set[str] = set()
        self._answered_at_s = clock()
        self._loads = metrics.counter(self.measures.loads)
        self._info = metrics.gauge(self.measures.info)
        self._serial = metrics.gauge(self.measures.serial)
        self._reload_seconds = metrics.gauge(self.measures.reload_seconds)
        metrics.gauge(self.measures.check_age).set_function(lambda: self._clock() - self._answered_at_s)

    @property
    def served(self) -> Loaded | None:
        """What is in use, or None."""
        return self._served

    @property
    def is_behind(self) -> bool:
        """Whether something newer than what is served was announced."""
        announced, served = self._announced, self._served
        return announced is not None and served is not None and served.ref.serial < announced.serial

    def announce(self, announced: Version) -> None:
        """Hear what was promoted; the newest counts. Safe from any thread, and never waits for a load."""
        if self._announced is None or announced.serial > self._announced.serial:
            self._announced = announced

    def current(self) -> Loaded:
        """What is in use."""
        if self._served is None:
            raise NoModelError("no model is loaded")
        return self._served

    def load_first(self) -> None:
        """Load the champion, or else the copy that was served last.

        Raises:
            NoModelError: Neither is there.
        """
        try:
            self.refresh()
        except (RegistryAwayError, UnusableVersionError, RefusedModelError) as error:
            self._serve_cached(error)
        if self._served is None:
            raise NoModelError(f"{self._name} has no alias {self._alias} yet: the trainer registers the first model")

    def refresh(self) -> bool:
        """Look which version is champion, and load it if it is another one; True: the model was swapped.

        May be called from any thread: by the slow poll, and by whoever hears of a promotion.

        Raises:
            RegistryAwayError: MLflow is away; what is served goes on.
            UnusableVersionError: The champion cannot be served; what is served goes on.
            RefusedModelError: Likewise.
        """
        with self._lock:
            if self._models is None:
                raise RegistryAwayError("no MLflow address is set: give RXTRACT_MLFLOW_URL")
            version = self._models.by_alias(self._name, self._alias)
            self._answered_at_s = self._clock()
            if version is None:
                self._absent()
                return False
            if self._is_served(version):
                return False
            self._check_announced(version)
            self._load(self._models, version)
            return True

    def note_reload(self, seconds: float) -> None:
        """Keep how long it took from a promotion's event to its model serving."""
        self._reload_seconds.set(max(0.0, seconds))

    def _check_announced(self, version: Version) -> None:
        """The digest stands in the registry and in the event: who changes one alone is not believed."""
        announced = self._announced
        if announced is None or (announced.version, announced.serial) != (version.version, version.serial):
            return
        if announced.sha256 and announced.sha256 != version.sha256:
            self._loads.labels("refused").inc()
            raise RefusedModelError(f"version {version.version}: the registered digest is not the promoted one")

    def _is_served(self, version: Version) -> bool:
        served = self._served
        return served is not None and served.ref == _ref(version) and served.sha256 == version.sha256

    def _load(self, models: Models, version: Version) -> None:
        if version.sha256 in self._refused:
            raise RefusedModelError(f"version {version.version} was refused before")
        served = self._served
        if served is not None and served.sha256 == version.sha256:  # only its serial is new
            self._swap(self._numbered(served, version), "ok")
            return
        cached = self._cache.read(version.sha256)
        data = cached if cached is not None else models.tables(version)
        try:
            loaded = self._open(version, data)
        except NotOpenedError:
            self._loads.labels("unavailable").inc()
            raise
        except RefusedModelError:
            self._loads.labels("refused").inc()
            self._remember_refusal(version, data)
            raise
        self._cache.keep(version, data)
        self._swap(loaded, "ok")

    def _remember_refusal(self, version: Version, data: bytes) -> None:
        """An artifact that is what it should be and yet does not work is not fetched again; a damaged download is."""
        if hashlib.sha256(data).hexdigest() == version.sha256:
            self._refused.add(version.sha256)

    def _serve_cached(self, cause: RxtractError) -> None:
        version = self._cache.last()
        data = None if version is None else self._cache.read(version.sha256)
        if version is None or data is None or version.name != self._name:
            self._loads.labels("unavailable").inc()
            raise NoModelError(f"{cause}; and no cached copy is there")
        try:
            loaded = self._open(version, data)
        except RefusedModelError as error:
            self._loads.labels("unavailable" if isinstance(error, NotOpenedError) else "refused").inc()
            raise NoModelError(f"{cause}; and the cached copy is refused: {error}") from None
        _log.warning("serving the cached model", version=version.version, cause=str(cause))
        self._swap(loaded, "cached")

    def _open(self, version: Version, data: bytes) -> Loaded:
        if hashlib.sha256(data).hexdigest() != version.sha256:
            raise RefusedModelError(f"version {version.version}: the digest of its tables is not the registered one")
        try:
            return self._tried(version, data)
        except (MemoryError, OSError) as error:
            raise NotOpenedError(f"version {version.version} cannot be opened now: {type(error).__name__}") from error
        except Exception as error:
            why = str(error) if isinstance(error, RxtractError) else type(error).__name__
            raise RefusedModelError(f"version {version.version} cannot be served: {why}") from error

    def _tried(self, version: Version, data: bytes) -> Loaded:
        """Open an artifact whose digest is right, and try it on canary notes."""
        raise NotImplementedError

    def _numbered(self, served: Loaded, version: Version) -> Loaded:
        """What is served, under the number and serial of another version with the same digest."""
        raise NotImplementedError

    def _absent(self) -> None:
        """No version has the alias."""

    def _swap(self, loaded: Loaded, result: str) -> None:
        self._served = loaded
        self._loads.labels(result).inc()
        self._info.clear()
        self._info.labels(loaded.ref.name, loaded.ref.version).set(1)
        self._serial.set(loaded.ref.serial)
        _log.info("loaded", name=loaded.ref.name, version=loaded.ref.version, serial=loaded.ref.serial)


class ModelKeeper(Keeper[LoadedModel]):
    """Keeps the served model up to date.

    Args:
        models: The registry; None when no address is set (only the cache serves then).
        cache: Copies on disk.
        opener: Makes a tagger of bytes.
        name: Registered model.
        alias: Alias to follow.
        metrics: Built from a list that holds `serving.metrics`.
        clock: Monotonic seconds.
    """

    measures = KeeperMetrics(m.MODEL_LOADS, m.MODEL_INFO, m.MODEL_SERIAL, m.RELOAD_SECONDS, m.MODEL_CHECK_AGE)

    def __init__(
        self,
        models: Models | None,
        cache: ModelCache,
        opener: Opener,
        name: str,
        *,
        alias: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(models, cache, name, alias, metrics=metrics, clock=clock)
        self._opener = opener

    def _tried(self, version: Version, data: bytes) -> LoadedModel:
        tagger = self._opener(data, version.sha256)
        check_canaries(tagger, tagger.metadata)
        return LoadedModel(_ref(version), tagger, version.sha256)

    def _numbered(self, served: LoadedModel, version: Version) -> LoadedModel:
        return LoadedModel(_ref(version), served.tagger, version.sha256)


class RulesKeeper(Keeper[LoadedRules]):
    """Keeps the served rules up to date; until some were released, those of this program serve, under serial 0.

    Args:
        models: The registry; None when no address is set.
        cache: Copies on disk.
        opener: Makes rules of bytes.
        tried_on: The model that new rules are tried with.
        name: Registered model of the rules.
        alias: Alias to follow.
        metrics: Built from a list that holds `serving.metrics`.
        clock: Monotonic seconds.
    """

    measures = KeeperMetrics(m.RULES_LOADS, m.RULES_INFO, m.RULES_SERIAL, m.RULES_RELOAD_SECONDS, m.RULES_CHECK_AGE)

    def __init__(
        self,
        models: Models | None,
        cache: ModelCache,
        opener: RulesOpener,
        tried_on: Callable[[], LoadedModel],
        *,
        name: str,
        alias: str,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(models, cache, name, alias, metrics=metrics, clock=clock)
        self._opener = opener
        self._tried_on = tried_on

    def load_first(self) -> None:
        """Load the released rules, or else the copy that was served last; without a release those of this program serve.

        Raises:
            NoModelError: MLflow is away and it is not known whether rules were released: older ones must not serve.
        """
        try:
            self.refresh()
        except (RegistryAwayError, UnusableVersionError, RefusedModelError) as error:
            away = isinstance(error, RegistryAwayError)
            if not away or (self._models is not None and not self._cache.knows_none()):
                self._serve_cached(error)
        if self._served is None:
            self._served = LoadedRules(ModelRef(name=self._name, version="0", serial=0), None)

    def _absent(self) -> None:
        if self._served is None:
            self._cache.keep_none()

    def _tried(self, version: Version, data: bytes) -> LoadedRules:
        rules = self._opener(data, version.sha256)
        tagger = self._tried_on().tagger.with_rules(rules)
        check_canaries(tagger, {})
        return LoadedRules(_ref(version), rules, version.sha256)

    def _numbered(self, served: LoadedRules, version: Version) -> LoadedRules:
        return LoadedRules(_ref(version), served.rules, version.sha256)


class Serving:
    """The model with the rules that read what it tags. Asked once a batch, so that one batch is read by one of each."""

    def __init__(self, model: Callable[[], LoadedModel], rules: Callable[[], LoadedRules]) -> None:
        self._model = model
        self._rules = rules
        self._last: tuple[LoadedModel, LoadedRules, LoadedModel] | None = None

    def current(self) -> LoadedModel:
        """Both, put together when either is another one than at the last batch."""
        model, rules = self._model(), self._rules()
        last = self._last
        if last is None or last[0] is not model or last[1] is not rules:
            last = self._last = (model, rules, _read_by(model, rules))
        return last[2]


def _read_by(model: LoadedModel, rules: LoadedRules) -> LoadedModel:
    if rules.rules is None:
        return model
    return LoadedModel(model.ref, model.tagger.with_rules(rules.rules), model.sha256, rules.ref.serial)


class Reloader:
    """Refreshes what a keeper serves now and then, and whenever somebody nudges it.

    Args:
        keeper: Whose `Keeper.refresh` is called.
        interval_s: Between two looks.
    """

    def __init__(self, keeper: Keeper[Any], interval_s: float) -> None:
        self._keeper = keeper
        self._interval_s = interval_s
        self._announced_at_ms: int | None = None
        self._nudged = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model-reloader", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def nudge(self, announced_at_ms: int | None = None) -> None:
        """Look now: a promotion was announced, at this time. Safe from any thread."""
        self._announced_at_ms = announced_at_ms
        self._nudged.set()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._nudged.set()

    def _run(self) -> None:
        failing = ""
        while True:
            # MLflow may be away just when a promotion is told: the slow look would leave the old model for long.
            hasty = bool(failing) and self._keeper.is_behind
            self._nudged.wait(min(_HASTY_S, self._interval_s) if hasty else self._interval_s)
            self._nudged.clear()
            if self._stopped.is_set():
                return
            failing = self._look(failing)

    def _look(self, failing: str) -> str:
        """Refresh once; a failure is one line in the log, not one at every look. Returns the failure."""
        announced_at_ms, self._announced_at_ms = self._announced_at_ms, None
        try:
            if self._keeper.refresh() and announced_at_ms is not None:
                self._keeper.note_reload(time.time() - announced_at_ms / 1000)
        except RxtractError as error:
            if str(error) != failing:
                _log.warning("what serves stays as it is", message=str(error))
            return str(error)
        except Exception as error:  # noqa: BLE001 - what is served goes on, whatever happens to the next one
            _log.exception("what serves stays as it is", error=type(error).__name__)
            return type(error).__name__
        return ""


def _ref(version: Version) -> ModelRef:
    return ModelRef(name=version.name, version=version.version, serial=version.serial)
