"""What the ledger can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from runtime.service.settings import ServiceSettings


class LedgerSettings(ServiceSettings):
    """Settings of the account."""

    service: ClassVar[str] = "ledger"

    ledger_dir: Path = Field(description="folder of the account; one ledger alone writes into it")
    lost_after_s: float = Field(
        300.0,
        ge=1,
        description="seconds after which a note is lost, from when the service that had to answer committed past it",
    )
    ledger_commit_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="seconds between two commits of the account, which is how far `rxtract reconcile` may be behind",
    )
