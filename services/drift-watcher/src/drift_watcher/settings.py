"""What a drift-watcher can be told. Thresholds are not among them: they were chosen by evidence and are part of the state."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from runtime.settings import ServiceSettings


class DriftWatcherSettings(ServiceSettings):
    """The shared settings, and how to keep state."""

    service: ClassVar[str] = "drift-watcher"

    timezone: str = Field("Asia/Kolkata", description="time zone in which evidence shows times")
    mlflow_timeout_s: float = Field(10.0, gt=0, description="seconds that one call of MLflow may take")
    mlflow_username: str | None = Field(None, description="user of MLflow's basic authentication")
    mlflow_password_file: Path | None = Field(None, description="file with the password of that user")
    save_every_records: int = Field(2_000, ge=1, description="records of a partition between two saves of its state")
    save_every_s: float = Field(600.0, gt=0, description="seconds of record time between two saves of a state")
    session_timeout_s: float = Field(
        8.0, ge=6, le=10, description="seconds until the partitions of a killed drift-watcher go to another"
    )
