"""Reference statistics of a model, fetched by its version: they travel in its artifact and never change."""

import time
from collections.abc import Callable

from clinical_ner.artifact import load
from clinical_ner.tagger import ArtifactRefused
from contracts.records import ModelRef
from drift.reference import References, references_of
from model_registry.reading import ModelReader, RegistryAwayError, UnusableVersionError
from runtime.errors import Recoverable, Unreadable
from runtime.service.logs import get_logger

_log = get_logger(__name__)
_ASK_AGAIN_S = 30.0
_GIVE_UP_S = 120.0


class ModelReferences:
    """Asks MLflow once for each model, and now and then for one that is missing.

    Args:
        models: The model registry.
        clock: Monotonic seconds.
    """

    def __init__(self, models: ModelReader, clock: Callable[[], float] = time.monotonic) -> None:
        self._models = models
        self._clock = clock
        self._known: dict[tuple[str, str], References] = {}
        self._missing: dict[tuple[str, str], float] = {}
        self._unreadable: dict[tuple[str, str], float] = {}

    def __call__(self, model: ModelRef) -> References:
        """The references of a model; empty when there is no such version or it carries none.

        Raises:
            Recoverable: MLflow is away: decisions wait, since skipping would change them. While MLflow is away, a version that was
                missing before stays missing.
            Unreadable: MLflow's copy is damaged, or there is no memory for it: decisions wait for people, not for ever. After a while
                the version counts as missing, so that its notes are not judged and those of others are.
        """
        key = (model.name, model.version)
        if key in self._known:
            return self._known[key]
        if key in self._missing and self._clock() - self._missing[key] < _ASK_AGAIN_S:
            return {}
        try:
            found = self._fetch(model)
        except RegistryAwayError as error:
            if key not in self._missing:
                raise Recoverable(_why(model, error)) from None
            found = None  # as far as anybody knows: to wait now would stop what goes on without it
        except (UnusableVersionError, ArtifactRefused, MemoryError) as error:
            since_s = self._unreadable.setdefault(key, self._clock())
            if key not in self._missing and self._clock() - since_s < _GIVE_UP_S:
                raise Unreadable(_why(model, error)) from None
            found = None
        if found is None:
            if key not in self._missing:
                _log.error("no readable model version: its notes are not judged", version=model.version)
            self._missing[key] = self._clock()
            return {}
        self._known[key] = found
        self._missing.pop(key, None)
        self._unreadable.pop(key, None)
        return found

    def _fetch(self, model: ModelRef) -> References | None:
        """None when there is no such version."""
        version = self._models.by_version(model.name, model.version)
        if version is None:
            return None
        references = references_of(load(self._models.tables(version), version.sha256).metadata)
        if not references:
            _log.error("a model without reference statistics: its notes are not judged", version=model.version)
        return references


def _why(model: ModelRef, error: Exception) -> str:
    return f"references of model {model.version}: {str(error) or type(error).__name__}"
