"""Which model a process serves."""

from pathlib import Path

from pydantic import Field
from runtime.service.settings import MlflowSettings


class ServedModelSettings(MlflowSettings):
    """The settings of a service that serves the champion."""

    model_name: str = Field("rxtract-ner", description="name of the registered model")
    model_alias: str = Field("champion", description="alias of the version to serve")
    model_cache_dir: Path = Field(
        Path.home() / ".cache" / "rxtract" / "models",
        description="folder of the copies that the service starts from when MLflow is down",
    )
    model_poll_s: float = Field(30.0, gt=0, description="seconds between two looks at the alias")
    model_retry_s: float = Field(5.0, gt=0, description="seconds between two tries while there is no model at all")
