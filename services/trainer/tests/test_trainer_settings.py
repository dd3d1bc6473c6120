"""What a trainer was told wrongly ends its start in one line, not every training an hour later."""

from __future__ import annotations

from pathlib import Path

import pytest
from runtime.errors import SettingsError
from trainer.bootstrap import bootstrap
from trainer.settings import TrainerSettings


def settings(folder: Path, **more: str) -> TrainerSettings:
    key = folder / "roles.key"
    key.write_bytes(b"k" * 32)
    return TrainerSettings.load(
        bootstrap_servers="127.0.0.1:1",
        schema_registry_url="http://127.0.0.1:1",
        redis_url="redis://127.0.0.1:1/0",
        mlflow_url="http://127.0.0.1:1",
        roles_key_file=key,
        **more,
    )


WRONG = {
    "an unknown field of the corpus": ("corpus", '{"nots": 300}', "RXTRACT_CORPUS .*nots"),
    "a corpus of words": ("corpus", '{"notes": "many"}', "RXTRACT_CORPUS .*notes"),
    "an empty corpus": ("corpus", '{"notes": 0}', "RXTRACT_CORPUS .*notes"),
    "an unknown field of the training": ("training", '{"iterations": 30}', "RXTRACT_TRAINING .*iterations"),
    "a training beyond its bounds": ("training", '{"averaged_fits": 99}', "RXTRACT_TRAINING .*averaged_fits"),
    "a training of the wrong type": ("training", '{"label_bias": 3}', "RXTRACT_TRAINING "),
    "a floor of no label": ("gate", '{"floors": {"DRUG": 0.5}}', "RXTRACT_GATE .*DRUG.*DISEASE"),
    "a floor that nothing reaches": ("gate", '{"floors": {"DISEASE": 50}}', "RXTRACT_GATE .*floors"),
    "floors that are none": ("gate", '{"floors": 0.5}', "RXTRACT_GATE .*floors"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_no_training_can_use_ends_the_start(what: str, tmp_path: Path) -> None:
    name, value, said = WRONG[what]
    with pytest.raises(SettingsError, match=said):
        bootstrap(settings(tmp_path, **{name: value}))


def test_what_can_be_used_starts(tmp_path: Path) -> None:
    bootstrap(
        settings(
            tmp_path,
            corpus='{"seed": 20, "notes": 500}',
            training='{"averaged_fits": 1}',
            gate='{"floors": {"DISEASE": 0.2, "micro": 0.3}}',
        )
    )
