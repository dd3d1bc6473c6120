"""Reference statistics of a model, fetched by its version: they travel in its artifact and never change."""

from clinical_ner.artifact import load
from clinical_ner.tagger import ArtifactRefused
from contracts.records import ModelRef
from drift.reference import References, references_of
from runtime.errors import Recoverable
from runtime.logs import get_logger
from runtime.model_registry import MlflowModels, RegistryAwayError, UnusableVersionError

_log = get_logger(__name__)


class ModelReferences:
    """Asks MLflow once for each model.

    Args:
        models: The model registry.
    """

    def __init__(self, models: MlflowModels) -> None:
        self._models = models
        self._known: dict[tuple[str, str], References] = {}

    def __call__(self, model: ModelRef) -> References:
        """The references of a model; empty when there is no such version or it carries none.

        Raises:
            Recoverable: MLflow is away, or its copy is damaged: decisions wait, since skipping would change them.
        """
        key = (model.name, model.version)
        if key not in self._known:
            self._known[key] = self._fetch(model)
        return self._known[key]

    def _fetch(self, model: ModelRef) -> References:
        try:
            version = self._models.by_version(model.name, model.version)
            if version is None:
                _log.error("no such model version: its notes are not judged", version=model.version)
                return {}
            return references_of(load(self._models.tables(version), version.sha256).metadata)
        except (RegistryAwayError, UnusableVersionError, ArtifactRefused) as error:
            raise Recoverable(f"references of model {model.version}: {error}") from None
