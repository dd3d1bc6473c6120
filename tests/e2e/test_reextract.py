"""Kept history through the champion again, on the whole stack, while live notes come in."""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from itertools import islice

import pytest
from clinical_ner.tracking import log_and_register
from contracts.records import Origin
from corpus import simulate
from rxtract.bringup import bring_up
from rxtract.first_model import first_model
from rxtract.observer import Observer
from rxtract.platform_notes import as_submitted
from rxtract.senders import KafkaSender

pytestmark = pytest.mark.stack

KEPT, LIVE, LIVE_PER_S = 600, 400, 200
LIVE_SHARE = 0.5
"""Of the time that all kept notes take to pass in this run (4 s on two quiet cores, where a live note takes 43 ms): who waited behind them
would wait most of it. Beside other work both grow."""


def reextract(folder, *more: str) -> subprocess.Popen[str]:
    since = ["--since", "1970-01-01", "--json", "--stack", str(folder)]
    command = [sys.executable, "-m", "rxtract", "reextract", *since, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(300)
def test_kept_notes_pass_again_while_live_notes_stay_fast(tmp_path):
    with (
        bring_up(tmp_path, ephemeral=True, service_env={"extractor": {"RXTRACT_MODEL_POLL_S": "0.5"}}) as running,
        Observer(running.addresses) as observer,
        contextlib.closing(KafkaSender(running.addresses)) as door,
    ):
        door.send([as_submitted(note) for note in islice(simulate(5), KEPT)])
        assert observer.wait(lambda seen: len(seen.events) >= KEPT, 60, lambda: None)
        kept = observer.look(lambda seen: len(seen.latencies_ms))

        run = reextract(tmp_path, "--model", "1", "--rate", "150")  # four seconds
        assert observer.wait(lambda seen: seen.duplicates > 0, 60, lambda: None)  # under way: now live notes come
        began = time.monotonic()
        for number, note in enumerate(islice(simulate(6), LIVE)):
            door.send_soon([as_submitted(note)])
            due_s = began + number / LIVE_PER_S
            observer.wait(lambda _, due_s=due_s: time.monotonic() >= due_s, 10, lambda: None)
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        sent = json.loads(out)
        assert sent["sent"] == sent["read"] == sent["total"] == KEPT

        assert observer.wait(lambda seen: seen.duplicates >= KEPT and len(seen.events) >= KEPT + LIVE, 60, lambda: None)
        passed_ms = (time.monotonic() - began) * 1_000
        origins = observer.look(lambda seen: Counter(event.origin for event in seen.events.values()))
        assert (origins[Origin.REEXTRACT], origins[Origin.LIVE]) == (KEPT, LIVE)
        latencies = sorted(observer.look(lambda seen: seen.latencies_ms[kept:]))
        assert len(latencies) == LIVE

        again = reextract(tmp_path)
        out, err = again.communicate(timeout=120)
        assert again.returncode == 0, err
        assert json.loads(out)["sent"] == LIVE, "what came since; the rest was sent through this champion"

        shipped = tmp_path / "second"
        shutil.copytree(first_model().folder, shipped)
        log_and_register(shipped, tracking_uri=running.addresses.mlflow_url, alias="champion")
        more = simulate(7)
        probes: list[str] = []

        def probe() -> None:
            note = as_submitted(next(more))
            probes.append(note.note_id)
            door.send([note])

        def newest(seen) -> list[str]:
            return [note for note, one in seen.events.items() if one.model.serial == 2]

        assert observer.wait(lambda seen: bool(newest(seen)), 60, probe), "the extractor serves the new champion"
        after = reextract(tmp_path)
        out, err = after.communicate(timeout=120)
        assert after.returncode == 0, err
        everything = KEPT + LIVE + len(probes)
        assert json.loads(out)["sent"] == everything, "another champion: all of them anew"
        assert observer.wait(lambda seen: len(newest(seen)) == everything, 60, lambda: None)

        refused = reextract(tmp_path, "--model", "7")
        _, err = refused.communicate(timeout=60)
        assert refused.returncode == 2
        assert "has no version 7" in err
        assert latencies[int(0.95 * LIVE)] < LIVE_SHARE * passed_ms
