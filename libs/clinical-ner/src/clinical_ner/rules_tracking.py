"""Registers a set of rules with MLflow, where the models are, as versions of a registered model of their own.

Such a version has no pyfunc model: its one file lies at `artifacts/rules.json`, and MLflow runs nothing of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.version import DIGEST_TAG, RULES_TAG
from model_registry.writing import MODEL_PATH, connect, create_version

from clinical_ner.tracking import git_revision, start_run

if TYPE_CHECKING:
    from model_registry.version import Version

    from clinical_ner.rules import Rules

RULES_NAME = "rxtract-rules"
RULES_FILE = "artifacts/rules.json"
EXPERIMENT = "rxtract-rules"
SHIPPED, OPERATOR = "shipped", "operator"
"""Why a version was registered: it is what a program came with, or somebody released it."""


def register_rules(
    rules: Rules, *, tracking_uri: str, name: str = RULES_NAME, trigger: str = OPERATOR, by: str = ""
) -> Version:
    """Store rules and register them as a version. It serves when the trainer has moved the alias.

    Raises:
        MlflowException: MLflow could not be reached or refused.
    """
    client = connect(tracking_uri)
    tags = {
        DIGEST_TAG: rules.sha256,
        RULES_TAG: rules.version,
        "trigger": trigger,
        "by": by,
        "git_revision": git_revision(),
    }
    run_id = start_run(client, EXPERIMENT, f"rules {rules.version}", tags)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, RULES_FILE)
            file.parent.mkdir()
            file.write_bytes(rules.data)
            client.log_artifacts(run_id, folder, MODEL_PATH)
        about = "Tables of assertion, relation and prescription phrases"
        registered = create_version(client, name, run_id, tags, about=about)
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
    return registered
