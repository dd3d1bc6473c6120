"""What a trainer can be told."""

import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator
from runtime.service.settings import SECRET, MlflowSettings
from sealing.settings import SealingSettings


class TrainerSettings(MlflowSettings, SealingSettings):
    """The shared settings, what to train on, and when."""

    service: ClassVar[str] = "trainer"

    model_name: str = Field("rxtract-ner", description="name of the registered model")
    rules_gate: str = Field("", description="the settings of the gate of rules that differ from the default, as JSON")
    work_dir: Path | None = Field(
        None,
        description="folder of the jobs' files, where those of killed trainers are removed; that of temporary files when unset",
    )
    roles_key_file: Path | None = Field(
        None,
        description="file with at least 32 bytes: the key by which notes are set apart for training and for judging",
        json_schema_extra=SECRET,
    )
    lease_s: float = Field(20.0, ge=2, description="seconds until the lease of a trainer that died is free")
    retrain_after_annotations: int = Field(200, ge=0, description="new annotations that ask for a training; 0: never")
    retrain_every_h: float = Field(0.0, ge=0, description="hours between two trainings by schedule; 0: no schedule")
    shadow_notes: int = Field(300, ge=0, le=5_000, description="live notes that champion and challenger both tag")
    job_timeout_s: float = Field(3_600.0, gt=0, description="seconds after which a training counts as failed")
    corpus: str = Field("", description='shipped notes to train on, as JSON: {"seed": 20, "notes": 8000, ...}')
    gate: str = Field("", description="the gate's settings that differ from the default, as JSON")
    training: str = Field("", description="the training configuration that differs from the default, as JSON")
    seed: int = Field(
        20,
        ge=0,
        description="seed of the training; the shipped model's, so that the gate compares labels and not draws",
    )

    @field_validator("corpus", "gate", "rules_gate", "training")
    @classmethod
    def _is_object(cls, value: str) -> str:
        if value:
            try:
                found = json.loads(value)
            except ValueError:
                raise ValueError("it is no JSON") from None
            if not isinstance(found, dict):
                raise ValueError("it is no JSON object")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """A setting that is written as a JSON object."""
        found: dict[str, Any] = json.loads(getattr(self, name) or "{}")
        return found
