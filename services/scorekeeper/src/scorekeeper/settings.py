"""What the scorekeeper can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from outcomes.remembered import MOST_NOTES
from pydantic import Field
from runtime.service.settings import SECRET, AccessLogSettings
from sealing.settings import SealingSettings


class ScorekeeperSettings(AccessLogSettings, SealingSettings):
    """Settings of the records at rest, of what no topic knows, and of the control page."""

    service: ClassVar[str] = "scorekeeper"

    records_dir: Path = Field(description="folder of the records at rest; one scorekeeper alone writes into it")
    timezone: str = Field("Asia/Kolkata", description="time zone whose days are counted and whose times are shown")
    score_host: str = Field(
        "127.0.0.1", description="address of the control page; its counts have no login, so loopback"
    )
    score_port: int = Field(0, ge=0, le=65535, description="port of the control page; 0 takes any free one")
    score_port_file: Path | None = Field(None, description="where the actual port of the page is written")
    score_tokens_file: Path | None = Field(
        None,
        description="file with one name:role:sha256 a line, that of the review desk: who may see which notes are behind a number; without it nobody",
        json_schema_extra=SECRET,
    )
    score_client_tokens_file: Path | None = Field(
        None,
        description="file with one name:sha256 a line, that of the HTTP door: which client may ask what became of its notes; without it nobody",
        json_schema_extra=SECRET,
    )
    pseudonym_key_file: Path | None = Field(
        None,
        description="file with the key for pseudonyms, the ingestor's: names notes in the access log; needed where somebody may see notes",
        json_schema_extra=SECRET,
    )
    score_desk_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+)?$",
        description="address of the review desk as browsers reach it; examples link to its notes",
    )
    ledger_url: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+)?$",
        description="address of the ledger's health port, where the page asks for the account of all notes",
    )
    audit_f1_within: float = Field(
        0.03, ge=0.005, le=0.2, description="how near to the true F1 the audit of a week shall be: 0.03 is 3 points"
    )
    audit_rate_least: float = Field(
        0.0001, ge=0, le=1, description="share of live notes that the audit draws at least, whatever its size asks for"
    )
    audit_rate_most: float = Field(
        0.25,
        gt=0,
        le=1,
        description="share of live notes that the audit draws at most: it spares people while few notes come",
    )
    entry_minutes: float = Field(4.0, ge=0, description="minutes that typing one note by hand took")
    validator_rupees_per_hour: float = Field(300.0, ge=0, description="cost of an hour of a validator, in rupees")
    machine_rupees_per_hour: float = Field(60.0, ge=0, description="cost of an hour of all machines, in rupees")
    least_patients: int = Field(
        5,
        ge=5,
        description="patients on which a row of the ready questions must rest to be shown: the page asks for no login",
    )
    window_notes: int = Field(
        MOST_NOTES,
        ge=1_000,
        description="notes of the eight days that are remembered one by one, at about 370 bytes each; beyond them a newer revision of a forgotten one counts twice",
    )
    lease_s: float = Field(20.0, ge=2, description="seconds until the lease of a scorekeeper that died is free")
    sink_every_s: float = Field(15.0, gt=0, description="seconds for which records wait before they become a file")
    sink_rows: int = Field(20_000, ge=1, description="rows that are held at most before they become a file")
    merge_every_s: float = Field(
        600.0,
        gt=0,
        description="seconds between two rounds of merging small files; files that a round replaced are deleted at the next",
    )
