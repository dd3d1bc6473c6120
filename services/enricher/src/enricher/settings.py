"""What the enricher can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from runtime.service.settings import ServiceSettings


class EnricherSettings(ServiceSettings):
    """Settings of coding and of coding anew."""

    service: ClassVar[str] = "enricher"

    terminology_dir: Path | None = Field(
        None,
        description="folder of the tables of codes (`rxtract terminology build --to DIR`); unset: those of the image",
    )
    table_serial: int | None = Field(
        None,
        gt=0,
        description="serial of the tables in place of their own: higher than all before, to put an older table back",
    )
    recode_records_per_s: int = Field(
        1_000,
        ge=0,
        le=1_000_000,
        description="notes a second that one replica codes anew after a change of the tables; 0: none",
    )
    fhir_profiles: str = Field(
        "",
        description="documents that go to records.fhir.v1, by commas: op-consult, prescription (ABDM's records), r4; empty: none",
    )
    fhir_guide: Literal["2.0.1", "6.5.0"] = Field(
        "6.5.0", description="version of ABDM's guide whose rules about code systems the documents keep"
    )
    batch_records: int = Field(500, gt=0, le=10_000, description="most records that are coded at once")
