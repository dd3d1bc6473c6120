"""Starts MLflow's server in this one process (`python -m embedded_stack.mlflow_main`).

`mlflow server` imports all of MLflow twice: in itself and in the web server that it starts, which costs 4 s and 250 MB.
"""

from __future__ import annotations

import argparse
import os
import uuid


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--artifacts", required=True)
    options = parser.parse_args()
    _tell_mlflow(options.database, options.artifacts)
    import uvicorn

    uvicorn.run("mlflow.server.fastapi_app:app", host="127.0.0.1", port=options.port, workers=1, log_level="warning")


def _tell_mlflow(database: str, artifacts: str) -> None:
    """Hand over the settings as `mlflow server` does: by environment variables whose names MLflow exports."""
    from mlflow.server import constants

    os.environ.update(
        {
            constants.BACKEND_STORE_URI_ENV_VAR: f"sqlite:///{database}",
            constants.REGISTRY_STORE_URI_ENV_VAR: f"sqlite:///{database}",
            constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
            constants.ARTIFACTS_DESTINATION_ENV_VAR: artifacts,
            constants.SERVE_ARTIFACTS_ENV_VAR: "true",
            "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
        }
    )


if __name__ == "__main__":
    main()
