"""Every process refuses an address that no client takes with one line that names the setting, and the code of bad settings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = [*sorted(path.parent.name for path in ROOT.glob("services/*/src/*/settings.py")), "runtime.service.contract"]
BAD = {
    "RXTRACT_BOOTSTRAP_SERVERS": "kafka",
    "RXTRACT_SCHEMA_REGISTRY_URL": "registry:8081",
    "RXTRACT_REDIS_URL": "redis:6379",
    "RXTRACT_MLFLOW_URL": "mlflow:5000",
}


@pytest.mark.parametrize("module", MODULES)
def test_every_bad_address_is_named(module):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
    arguments = ["topics", "schemas"] if module == "runtime.service.contract" else []
    told = subprocess.run(
        [sys.executable, "-m", module, *arguments], env={**plain, **BAD}, capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 2, told.stderr
    assert "Traceback" not in told.stderr
    for name in BAD:
        assert told.stderr.count(f"{name} is not usable") == 1, told.stderr
