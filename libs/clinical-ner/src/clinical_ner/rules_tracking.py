"""Registers a set of rules with MLflow, where the models are, as versions of a registered model of their own.

Such a version has no pyfunc model: its one file lies at `artifacts/rules.json`, and MLflow runs nothing of it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode

from clinical_ner.tracking import MODEL_PATH, Registered, connect, git_revision, next_serial, start_run

if TYPE_CHECKING:
    from clinical_ner.rules import Rules

RULES_NAME = "rxtract-rules"
RULES_FILE = "artifacts/rules.json"
EXPERIMENT = "rxtract-rules"
VERSION_TAG = "rules_version"
SHIPPED, OPERATOR = "shipped", "operator"
"""Why a version was registered: it is what a program came with, or somebody released it."""


def register_rules(
    rules: Rules, *, tracking_uri: str, name: str = RULES_NAME, trigger: str = OPERATOR, by: str = ""
) -> Registered:
    """Store rules and register them as a version. It serves when the trainer has moved the alias.

    Raises:
        MlflowException: MLflow could not be reached or refused.
    """
    client = connect(tracking_uri)
    tags = {
        "artifact_sha256": rules.sha256,
        VERSION_TAG: rules.version,
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
        try:
            client.create_registered_model(name, description="Tables of assertion, relation and prescription phrases")
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
        serial = next_serial(client, name)
        source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_PATH}"
        made = client.create_model_version(name, source=source, run_id=run_id, tags={**tags, "serial": str(serial)})
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")
    return Registered(name, str(made.version), run_id, serial, rules.sha256, ())
