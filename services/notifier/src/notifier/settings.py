"""What the notifier can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from runtime.service.settings import SECRET, ServiceSettings


class NotifierSettings(ServiceSettings):
    """Settings of webhooks."""

    service: ClassVar[str] = "notifier"

    webhooks_file: Path | None = Field(
        None,
        description="JSON file with the endpoint of each source: url, secrets, since, origins; read again when it changes; without it nobody is told",
        json_schema_extra=SECRET,
    )
    webhook_timeout_s: float = Field(
        10.0,
        gt=0,
        le=60,
        description="seconds that a receiver may take for one delivery, from connecting to its answer",
    )
    webhook_at_once: int = Field(8, ge=1, le=64, description="deliveries to one receiver that may be under way at once")
    webhook_tries: int = Field(
        8,
        ge=1,
        le=100,
        description="how often a delivery is tried before it is a dead letter, where the receiver answers and takes others",
    )
    webhook_pause_s: float = Field(
        300.0,
        ge=0.1,
        le=3600,
        description="longest pause between two tries, seconds; the first is 1 s and each next one twice as long",
    )
