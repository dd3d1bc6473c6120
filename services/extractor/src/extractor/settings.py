"""What an extractor can be told."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator
from runtime.service.settings import SECRET
from sealing.settings import SealingSettings
from serving.settings import ServedModelSettings

from extractor.domain.audit_rates import parse_rates


class ExtractorSettings(ServedModelSettings, SealingSettings):
    """The shared settings, and which model to serve and how."""

    service: ClassVar[str] = "extractor"

    review_below: float = Field(0.5, ge=0, le=1, description="notes with a confidence below this go to review")
    sampling_key_file: Path | None = Field(
        None,
        description="file with the key by which audit and drift samples are drawn, the same for all replicas; without it only unsure notes are reviewed",
        json_schema_extra=SECRET,
    )
    audit_rate: float | None = Field(
        None,
        ge=0,
        le=1,
        description="fixed share of live notes that are audited at random; without it the share follows what was measured (RXTRACT_AUDIT_F1_WITHIN), from 0.01 at first",
    )
    audit_rates: str = Field(
        "",
        description='other audit rates of single segments, as JSON: {"city=Pune": 0.05, "city=Pune|specialty=cardiology": 0.2}',
    )
    drift_warning_rate: float = Field(0.1, ge=0, le=1, description="share reviewed of a segment under a drift warning")
    drift_daily_budget: int = Field(
        200, ge=0, description="notes a day of a drifted segment that one replica sends to review; more are flagged"
    )
    timezone: str = Field("Asia/Kolkata", description="time zone in which a day begins")
    tag_attempts: int = Field(3, ge=1, le=10, description="tries for a note on which the tagger fails, then it is dead")
    batch_records: int = Field(500, ge=1, le=10_000, description="most notes in one batch")
    session_timeout_s: float = Field(
        8.0, ge=6, le=10, description="seconds until the partitions of a killed extractor go to another"
    )
    group_instance_id: str | None = Field(
        None,
        description="stable name of this replica, for static group membership; leave it unset for rolling replicas",
    )

    @field_validator("audit_rates")
    @classmethod
    def _are_rates(cls, value: str) -> str:
        parse_rates(value)
        return value
