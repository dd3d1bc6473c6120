"""What the ingestor can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from runtime.service.settings import SECRET
from runtime.web.client_door import ClientDoorSettings
from sealing.settings import SealingSettings


class IngestorSettings(ClientDoorSettings, SealingSettings):
    """Settings of both doors."""

    service: ClassVar[str] = "ingestor"

    pseudonym_key_file: Path = Field(
        description="file with the key for pseudonyms, 32 bytes or more, kept secret", json_schema_extra=SECRET
    )
    http_queue_notes: int = Field(10_000, gt=0, description="most notes of HTTP requests that wait for the broker")
    http_delivery_timeout_s: float = Field(8.0, gt=0, le=60, description="seconds until 503 when the broker is silent")
    deduplication_ttl_s: int = Field(86_400, gt=0, description="how long first results are remembered")
    batch_records: int = Field(500, gt=0, le=10_000, description="most records that the Kafka door handles at once")
