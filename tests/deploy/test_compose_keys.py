"""What compose makes at its first start: keys and a key store, once, and never a new store in the place of a lost one."""

import subprocess
import sys
from pathlib import Path

from sealing import open_keys

MAKE = Path(__file__).resolve().parents[2] / "deploy/compose/make_keys.py"


def made(folder, store):
    command = [sys.executable, str(MAKE), str(folder), str(store)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_first_start_makes_a_store_that_the_master_key_opens_and_later_ones_keep_it(tmp_path):
    store = tmp_path / "keystore/keys.db"
    assert made(tmp_path, store).returncode == 0
    key = open_keys(store, tmp_path / "master.key").for_subject("p1")
    assert "0 files made" in made(tmp_path, store).stdout
    assert open_keys(store, tmp_path / "master.key").of(key.key_id)


def test_a_lost_store_is_not_made_anew(tmp_path):
    store = tmp_path / "keystore/keys.db"
    made(tmp_path, store)
    store.unlink()
    refused = made(tmp_path, store)
    assert refused.returncode == 1
    assert "rxtract keys restore" in refused.stderr
    assert not store.exists()
