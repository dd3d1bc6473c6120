"""A short turn of the fuzzer on every parser, and everything that it ever found, again. `make fuzz MINUTES=10` runs it at length."""

import os
import shutil
import time

import pytest

from tests.fuzz.run import HANGS_S, judged, kept, sanitized, turn
from tests.fuzz.targets import TARGETS

SEED = 20_261_130
TURN_S, MOST = 0.4, 300
FOUND = [(name, path.name) for name in TARGETS for path in kept(name)]


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_turn_finds_nothing(name):
    tried, found = turn(name, TURN_S, SEED, MOST)
    assert found == []
    assert tried >= 1


@pytest.mark.parametrize(("name", "file"), FOUND)
def test_what_was_found_once_is_refused_as_its_callers_know(name, file):
    (path,) = (one for one in kept(name) if one.name == file)
    assert judged(name, TARGETS[name].make(), path.read_bytes()) is None


def test_a_parser_that_lets_an_error_through_or_takes_long_is_found():
    def careless(data: bytes) -> object:
        return {}[data]

    def slow(_: bytes) -> object:
        end_s = time.process_time() + 1.1 * HANGS_S
        while time.process_time() < end_s:
            pass
        return None

    assert judged("careless", careless, b"x") == "careless: KeyError"
    assert "processor time" in (judged("slow", slow, b"x") or "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_c_code_under_both_sanitizers(tmp_path):
    if shutil.which("cc") is None:
        message = "no cc: the C code is not run under sanitizers (install a C compiler)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    names = [name for name, one in TARGETS.items() if one.native]
    tried, found = sanitized(names, 1.0, SEED, tmp_path)
    assert found == []
    assert set(tried) == set(names)
