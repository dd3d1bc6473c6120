"""Batches that kill in the fetch, before anything is in hand: found after one death, their good records handled, the line goes on."""

import hashlib
import sys
import threading
from pathlib import Path

import pytest
from test_ingestor_stack import Rig, body_of, header_of, note

sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))

from swollen_batch import BOMB_BYTES, bound_memory, bounded, send_batch

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


class MortalRig(Rig):
    """Its ingestor is started again whenever it dies, within the same bound."""

    def __init__(self, *arguments: object) -> None:
        self.deaths: list[int] = []
        self._over = threading.Event()
        super().__init__(*arguments)
        self._plain, self.command = self.command, bounded(self.command, bound_memory(self.process.pid))
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()

    def _is_ready(self, process: object) -> bool:
        return bool(self._over.is_set() or process.poll() is not None or super()._is_ready(process))

    def _supervise(self) -> None:
        while not self._over.wait(0.05):
            if self.process.poll() is not None:
                self.deaths.append(self.process.returncode)
                self.process = self.start()

    def stop(self, *_: int) -> int:
        self._over.set()
        self._supervisor.join()
        self.process.kill()
        return self.process.wait(30)


@pytest.mark.parametrize("codec", ["gzip", pytest.param("lz4", marks=pytest.mark.long), "zstd"])
def test_a_batch_too_large_to_be_fetched_costs_one_death_at_most_and_its_large_record(
    stack, tmp_path: Path, codec: str
) -> None:
    rig = MortalRig(stack, tmp_path)
    try:
        before, beside, behind, later = (note() for _ in range(4))
        rows = [("good", rig.write(one)) for one in (before, beside, behind)]
        send_batch(rig.servers, rig.submitted, codec, rows, "bomb")
        rig.produce(rig.write(later))
        [letter] = rig.dead_letters("bomb", 1, seconds=60)
        assert header_of(letter, "rxtract.reason") == "TOO_LARGE"
        assert letter.value() is None
        assert header_of(letter, "rxtract.value-bytes") == str(BOMB_BYTES)
        assert header_of(letter, "rxtract.value-sha256") == hashlib.sha256(bytes(BOMB_BYTES)).hexdigest()
        assert header_of(letter, "__streams.errors.offset") == "1"
        assert header_of(letter, "sent-by") == "bomb"
        for one in (before, beside, behind, later):
            rig.accepted_notes(one.note_id)
        assert rig.post(body_of(note())).status_code == 202
        # For zstd the client says that it finds no memory; with the others it dies of that.
        assert len(rig.deaths) == (codec != "zstd"), rig.log.read_text()[-3000:]
    finally:
        rig.stop()
