"""What `make wheels` builds works in an environment where nothing else of ours is."""

import json
import subprocess
import sys

import pytest
from rxtract_tagger import Tagger

from deploy import wheels

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
NOTES = ["k/c/o T2DM and HTN, no h/o asthma. Started tab metformin 500 mg BD for T2DM", "mother had ca breast"]
PROGRAM = """
import json, sys
from rxtract_tagger import Tagger
notes = Tagger.open().tag(json.loads(sys.argv[1]))
print(json.dumps({"rows": notes.to_dicts(), "columns": list(notes.to_pandas().columns), "html": notes[0]._repr_html_(),
  "ours": sorted(name for name in sys.modules if name in ("contracts", "corpus", "rxtract", "mlflow", "confluent_kafka"))}))
"""


def uv(*words):
    """Without the network where the cache has all."""
    for offline in (["--offline"], []):
        done = subprocess.run(
            [sys.executable, "-m", "uv", *words, *offline], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)


def test_the_wheels_work_alone_and_give_the_same_rows(tmp_path):
    built = wheels.build(tmp_path / "wheels")
    assert [one.name.split("-")[0] for one in built] == ["rxtract_clinical_ner", "rxtract_tagger"]
    assert sum(one.stat().st_size for one in built) < 20_000_000
    home = tmp_path / "clean"
    uv("venv", "--quiet", "--python", sys.executable, str(home))
    import numpy as np
    import pandas as pd

    third = [f"numpy=={np.__version__}", f"pandas=={pd.__version__}"]
    uv("pip", "install", "--quiet", "--python", str(home / "bin/python"), *map(str, built), *third)
    ran = subprocess.run(
        [home / "bin/python", "-I", "-c", PROGRAM, json.dumps(NOTES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    here = Tagger.open().tag(NOTES)
    assert found["rows"] == json.loads(json.dumps(here.to_dicts()))
    assert found["columns"][:3] == ["id", "entity_id", "label"]
    assert "<mark" in found["html"]
    assert found["ours"] == []
