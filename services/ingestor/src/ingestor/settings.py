"""What the ingestor can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from contracts.wire import MAX_RECORD_BYTES
from pydantic import Field
from runtime.settings import SECRET, HttpSettings


class IngestorSettings(HttpSettings):
    """Settings of both doors."""

    service: ClassVar[str] = "ingestor"

    pseudonym_key_file: Path = Field(
        description="file with the key for pseudonyms, 32 bytes or more, kept secret", json_schema_extra=SECRET
    )
    http_host: str = Field("127.0.0.1", description="address of the HTTP door")
    http_port: int = Field(0, ge=0, le=65535, description="port of the HTTP door; 0 takes any free one")
    http_port_file: Path | None = Field(None, description="where the actual port of the HTTP door is written")
    http_tokens: str = Field(
        "",
        description="clients and their hashed tokens: name:sha256,name:sha256; a name has 1 to 40 of a-z, 0-9 and -",
        json_schema_extra=SECRET,
    )
    http_tokens_file: Path | None = Field(
        None,
        description="file with one name:sha256 a line, read again when it changes; a wrong line costs itself alone",
        json_schema_extra=SECRET,
    )
    http_max_body_bytes: int = Field(MAX_RECORD_BYTES, gt=0, description="largest body, 1 MiB")
    http_max_notes: int = Field(500, gt=0, description="most notes in one array")
    http_queue_notes: int = Field(10_000, gt=0, description="most notes of HTTP requests that wait for the broker")
    http_bytes_in_flight: int = Field(
        64 * 1024 * 1024,
        gt=0,
        description="most bytes of bodies in hand at once, from their first to their answer, 64 MiB",
    )
    http_client_bytes_in_flight: int = Field(
        16 * 1024 * 1024, gt=0, description="most of these of one client, 16 MiB; never less than one body"
    )
    http_client_notes_per_s: float = Field(
        5_000.0, gt=0, description="notes a second of one client, ten seconds' worth at once; beyond it 429"
    )
    http_client_bytes_per_s: float = Field(
        20.0 * 1024 * 1024, gt=0, description="bytes a second of one client, ten seconds' worth at once; beyond it 429"
    )
    http_delivery_timeout_s: float = Field(8.0, gt=0, le=60, description="seconds until 503 when the broker is silent")
    http_retry_after_s: int = Field(5, gt=0, description="seconds that a 503 asks clients to wait")
    deduplication_ttl_s: int = Field(86_400, gt=0, description="how long first results are remembered")
    max_note_chars: int = Field(1_048_576, gt=0, description="most characters in a text")
    max_note_tokens: int = Field(99_999, gt=0, description="most words and signs in a text")
    batch_records: int = Field(500, gt=0, le=10_000, description="most records that the Kafka door handles at once")
