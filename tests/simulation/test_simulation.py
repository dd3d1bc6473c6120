"""A selection of `make simulate`: worlds in which every promise holds, and faults put back that some world must show."""

import pytest

from tests.simulation import run

pytestmark = pytest.mark.timeout(280)
CORE = ("l1-as-it-was", "commit-before-delivery", "attempt-mark-written-after", "columns-rows-beyond-a-room")


def test_every_world_keeps_its_promises() -> None:
    outcome = run.run_seeds(0, 200)
    assert outcome.seeds == 200
    assert outcome.failures == {}


def test_every_world_that_once_broke_a_promise_keeps_it() -> None:
    outcome = run.run_once_failed()
    assert outcome.seeds == len(run.once_failed()) >= 13
    assert outcome.failures == {}


@pytest.mark.parametrize("name", CORE)
def test_a_fault_put_back_is_found(name, capsys) -> None:
    (patch,) = run.chosen_faults(name)
    assert run.try_fault(patch), capsys.readouterr().out


def test_there_are_faults_enough_and_all_of_them_can_be_put_back() -> None:
    patches = run.chosen_faults("")
    assert len(patches) >= 15
    assert {patch.stem: why for patch in patches if (why := run.refusal_of(patch, run.ROOT, "--dry-run"))} == {}
    assert all(run.title_of(patch) for patch in patches)


def test_a_patch_that_no_longer_applies_is_said_in_one_line(tmp_path, capsys) -> None:
    patch = tmp_path / "old.patch"
    patch.write_text(
        "Fault: an old one\n\n--- a/libs/runtime/src/runtime/stream/loop.py\n+++ b/libs/runtime/src/runtime/stream/loop.py\n"
        "@@ -1,3 +1,3 @@\n nobody\n-wrote\n+read\n this\n"
    )
    assert not run.try_fault(patch)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("old: the patch no longer applies")


def test_a_seed_tells_the_same_story_twice(capfd) -> None:
    stories = []
    for _ in range(2):
        assert run.print_story(6) == 0
        stories.append(capfd.readouterr().out)
    assert stories[0] == stories[1]
    assert "seed 6: all that was promised held" in stories[0]
    assert len(stories[0].splitlines()) > 100
