"""What the review desk can be told, beside what every service can."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field
from runtime.service.settings import SECRET, AccessLogSettings
from sealing.settings import SealingSettings


class ReviewDeskSettings(AccessLogSettings, SealingSettings):
    """Settings of the page, its queue and its login."""

    service: ClassVar[str] = "review-desk"

    desk_key_file: Path = Field(
        description="file with the desk's key, 32 bytes or more: signs sessions, makes pseudonyms of validators",
        json_schema_extra=SECRET,
    )
    pseudonym_key_file: Path = Field(
        description="file with the key for pseudonyms, the ingestor's: names notes in the access log",
        json_schema_extra=SECRET,
    )
    desk_host: str = Field("127.0.0.1", description="address of the page")
    desk_port: int = Field(0, ge=0, le=65535, description="port of the page; 0 takes any free one")
    desk_port_file: Path | None = Field(None, description="where the actual port of the page is written")
    desk_tokens_file: Path | None = Field(
        None,
        description="file with one name:role:sha256 a line (role validator or lead), read again when it changes; a wrong line costs itself alone",
        json_schema_extra=SECRET,
    )
    desk_session_s: int = Field(8 * 3600, gt=0, description="seconds until a login ends")
    desk_secure_cookie: bool = Field(False, description="true behind https: the session cookie is sent over https only")
    desk_lease_s: int = Field(900, gt=0, description="seconds for which a note belongs to the one who opened it")
    desk_double_share: float = Field(0.1, ge=0, le=1, description="share of notes that two validators see, 0 to 1")
    desk_audit_every: int = Field(3, gt=0, description="every n-th note given out is one of the audit")
    desk_check_share: float = Field(
        0.1, ge=0, le=0.5, description="share of the notes handed out that are hidden checks, 0 to 0.5; 0: none"
    )
    terminology_dir: Path | None = Field(
        None,
        description="folder of the tables of codes (`rxtract terminology build --to DIR`); unset: the desk shows no codes",
    )
    desk_watch: bool = Field(
        True, description="hold the labels of who does not read until a lead looks; false where a program answers"
    )
    desk_delivery_timeout_s: float = Field(8.0, gt=0, le=60, description="seconds until 503 when the broker is silent")
    desk_proxy_user_header: str = Field("", description="header with the user's name that a trusted OIDC proxy sets")
    desk_proxy_groups_header: str = Field(
        "X-Forwarded-Groups", description="header with the user's groups, separated by commas"
    )
    desk_proxy_lead_group: str = Field("rxtract-lead", description="group whose members are leads")
    desk_proxy_secret_hash: str = Field(
        "",
        description="sha256 of the secret that the proxy sends as X-Rxtract-Proxy-Secret, 64 hexadecimal digits",
        json_schema_extra=SECRET,
    )
