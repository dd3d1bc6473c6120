"""What the answerer can be told, beside what every service can."""

from typing import ClassVar

from pydantic import Field
from runtime.web.client_door import ClientDoorSettings
from serving.settings import ServedModelSettings


class AnswererSettings(ClientDoorSettings, ServedModelSettings):
    """Settings of the synchronous door."""

    service: ClassVar[str] = "answerer"

    http_open: bool = Field(
        default=False, description="true: no token is asked for; only at an address of this machine, 127.0.0.1 or ::1"
    )
    tag_attempts: int = Field(
        3, ge=1, le=10, description="tries for a note on which the tagger fails, before it is answered as failed"
    )
