"""The model as MLflow's "models from code": `mlflow.pyfunc.load_model` runs this file, and nothing is unpickled.

For data scientists only; services open the tables themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.pyfunc.model import PythonModel

from clinical_ner.tagger import Tagger

if TYPE_CHECKING:
    from mlflow.pyfunc.model import PythonModelContext


class EntityModel(PythonModel):
    """Texts in (a list, or a table with one text column), entities out."""

    _tagger: Tagger

    def load_context(self, context: PythonModelContext) -> None:
        """Open the tables that were logged with the model."""
        self._tagger = Tagger.open(context.artifacts["tables"])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  MLflow's signature
        model_input: list[str],
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Return for each text its entities, treatment pairs (by entity index) and the confidence of the note."""
        texts = _texts(model_input)
        return [
            {
                "entities": [
                    {
                        "label": str(entity.label),
                        "text": text[entity.start : entity.end],
                        "start": entity.start,
                        "end": entity.end,
                        "confidence": entity.confidence,
                    }
                    for entity in tagged.entities
                ],
                "pairs": [list(pair) for pair in tagged.pairs],
                "confidence": tagged.confidence,
            }
            for text, tagged in zip(texts, self._tagger.tag(texts), strict=True)
        ]


def _texts(model_input: Any) -> list[str]:
    if hasattr(model_input, "columns"):
        column = "text" if "text" in model_input.columns else model_input.columns[0]
        return [str(text) for text in model_input[column]]
    return [str(text) for text in ([model_input] if isinstance(model_input, str) else model_input)]


# MLflow takes the model from this call when it runs the file; it is the one statement a model file must have.
mlflow.models.set_model(EntityModel())
