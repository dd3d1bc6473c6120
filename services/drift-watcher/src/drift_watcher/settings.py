"""What a drift-watcher can be told. Thresholds are not among them: they were chosen by evidence and are part of the state."""

from typing import ClassVar

from pydantic import Field
from runtime.service.settings import MlflowSettings


class DriftWatcherSettings(MlflowSettings):
    """The shared settings, and how to keep state."""

    service: ClassVar[str] = "drift-watcher"

    timezone: str = Field("Asia/Kolkata", description="time zone in which evidence shows times")
    save_every_records: int = Field(2_000, ge=1, description="records of a partition between two saves of its state")
    save_every_s: float = Field(600.0, gt=0, description="seconds of record time between two saves of a state")
    session_timeout_s: float = Field(
        8.0, ge=6, le=10, description="seconds until the partitions of a killed drift-watcher go to another"
    )
