"""Every shell line of the pages that begins with `rxtract` is typed into a real stack, in a folder of its own, and works."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from clinical_ner.tokens import tokenise
from corpus import generate, simulate
from corpus.loaders_jsonl import dump_jsonl
from rxtract.first_model import first_model

from tests.docs.test_truth import PAGES, commands_of, name_of, typed
from tests.lake.lake import notes_table

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1500)]

UP_S, COMMAND_S, NOTES = 240, 600, 200
QUICK_TRAINING = '{"passes": 12, "calibration_folds": 2}'
"""Of the trainer, as in the demo."""

NOT_HERE = {
    "demo": "brings up a stack of its own: tests/e2e/test_demo.py runs it",
    "up": "is what all of these run against",
    "bench": "measures for minutes and needs a quiet machine: make bench",
    "keys": "needs a sealed stack: tests/e2e/test_sealing.py and cli/tests/test_keys.py run it",
    "erase": "needs a sealed stack: tests/e2e/test_sealing.py runs it",
    "access": "needs somebody who saw a note: tests/integration/test_access.py runs it",
}

ORDER = (
    "doctor", "topics", "schemas", "simulate", "send", "dataset check", "dataset import", "train", "evaluate",
    "compare", "experiment", "model evaluate", "model report", "model list", "model", "drift", "tap", "dataset", "dlq",
    "why", "batch", "sql", "quality", "reextract", "extract", "rules show", "rules check", "rules release", "rules rollback",
)  # fmt: skip
"""What comes first, because others need what it leaves."""

SLOW = ("experiment", "simulate --drift")
"""Minutes of processor time: in `make test-long`."""

ANSWERS = {"model evaluate": "may have lost more than", "rules rollback": "no version before this one"}
"""Commands that rightly answer no here (60 synthetic notes make no better model, the program's own rules are the first), and what they must say then."""


def lines_of_the_pages():
    """Each command once, with a page that shows it."""
    found = {}
    for page in PAGES:
        shell, _ = typed(page.read_text())
        for line in shell:
            for words in commands_of(line):
                found.setdefault(tuple(words), name_of(page))
    return found


def rank(words):
    return next((number for number, start in enumerate(ORDER) if " ".join(words).startswith(start)), len(ORDER))


class Shell:
    """A folder with a running stack and the files that the pages speak of."""

    def __init__(self, folder):
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RXTRACT_")}
        self.environment = {**clean, "NO_COLOR": "1", "COLUMNS": "200"}
        self.names = {}

    def start(self, *words, stderr=subprocess.STDOUT, **more):
        return subprocess.Popen(
            [sys.executable, "-m", "rxtract", *words],
            cwd=self.folder,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def run(self, *words):
        """Exit code, output, and what was said beside it. What follows a topic for ever is ended by Ctrl-C once it has shown something."""
        with self.start(*words, stderr=subprocess.PIPE) as process, contextlib.ExitStack() as ending:
            ending.callback(process.kill)
            first = ""
            if words[0] == "tap" and not {"--no-follow", "--limit", "--help"} & set(words):
                first = process.stdout.readline()
                process.send_signal(signal.SIGINT)
            output, said = process.communicate(timeout=COMMAND_S)
            code = process.returncode
        return (0 if first and code in {0, 130} else code), first + output, said

    def filled(self, words):
        """The words with the pages' placeholders replaced by what this stack has."""
        files = {"--sentences": "notes_sent", "--labels": "notes_label"}
        return [
            files[before] if word == "F" else self.names.get(word, word)
            for before, word in zip(("", *words), words, strict=False)
        ]


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """A stack with a day's notes on it."""
    shell = Shell(tmp_path_factory.mktemp("reader"))
    _write_files(shell.folder)
    first_model()  # trained once on this machine: how long that takes is no part of how long `up` may take
    heard = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # started in the background we, and so a `tap`, would not hear it
    up = shell.start("up", RXTRACT_TRAINING=QUICK_TRAINING)
    try:
        seen = _read_until(up, "Ctrl-C stops everything")
        assert up.poll() is None, seen
        assert shell.run("simulate", "--notes", str(NOTES))[0] == 0
        _, answer, _ = shell.run("tap", "entities.extracted.v1", "--json", "--from-start", "--limit", "1")
        shell.names["NOTE_ID"] = json.loads(answer)["value"]["note_id"]
        _until_rows(shell, NOTES)
        shell.names["PARTITION:OFFSET"] = _refused(shell)
        yield shell
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=120)
        signal.signal(signal.SIGINT, heard)


def test_every_command_of_the_pages_runs(shell):
    """All that fail are told at once, with the page that shows them."""
    commands = {words: page for words, page in lines_of_the_pages().items() if words[0] not in NOT_HERE}
    assert len(commands) > 40
    assert type_all(shell, {words: page for words, page in commands.items() if not is_slow(words)}) == {}


@pytest.mark.long
def test_every_long_command_of_the_pages_runs(shell):
    slow = {words: page for words, page in lines_of_the_pages().items() if is_slow(words)}
    assert len(slow) > 3
    assert type_all(shell, slow) == {}


def is_slow(words):
    return " ".join(words).startswith(SLOW) and "--help" not in words


def type_all(shell, commands):
    """What failed, by command."""
    failed = {}
    for words, page in sorted(commands.items(), key=lambda one: (rank(one[0]), one[0])):
        line = " ".join(words)
        started = time.monotonic()
        code, output, beside = shell.run(*shell.filled(words))
        sys.stdout.write(f"{time.monotonic() - started:6.1f} s  {code}  rxtract {line}\n")
        said = next((said for start, said in ANSWERS.items() if line.startswith(start)), None)
        output += beside
        if "Traceback" in output or "Warning" in beside or (code != 0 and not (said and re.search(said, output))):
            sys.stdout.write(output)
            failed[line] = f"{page}: exit code {code}"
        _leave_what_others_need(shell.folder)
    return failed


def test_what_is_left_out_is_still_shown_somewhere():
    """An exception for a command that no page shows any more would hide the next one."""
    assert {words[0] for words in lines_of_the_pages()} >= set(NOT_HERE)


def _write_files(folder):
    """The files that the pages name: annotated sentences, notes to send, a key."""
    notes = generate(seed=3, n=60)
    rows = [row for note in notes for row in _sentences(note)]
    for name, column in (("notes_sent", 0), ("notes_label", 1)):
        (folder / name).write_text("\n\n".join("\n".join(word[column] for word in row) for row in rows) + "\n")
    lines = [note.fields() for note in simulate(seed=7, n=60)]
    for line in lines:
        del line["source"]  # the running stack's own is taken
    (folder / "notes.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "lake").mkdir()
    pq.write_table(notes_table(60), folder / "lake/notes.parquet")
    (folder / "gold.jsonl").write_text(json.dumps(_example_of_gold()) + "\n")
    text = "\n".join(" ".join(token.text for token in tokenise(note.text)) for note in generate(seed=5, n=300))
    (folder / "unlabelled.txt").write_text(text + "\n")
    (folder / "mentions.txt").write_text("T2DM\nPan-D\n")
    (folder / "annotated.jsonl").write_text("".join(f"{line}\n" for line in dump_jsonl(notes)))
    (folder / "brat").mkdir()
    (folder / "brat" / "one.txt").write_text("Known asthma on budesonide, CXR normal.")
    (folder / "brat" / "one.ann").write_text(
        "T1\tPROBLEM 6 12\tasthma\nT2\tDRUG 16 26\tbudesonide\nT3\tTEST 28 31\tCXR\n"
    )
    (folder / "roles.key").write_bytes(b"r" * 40)


def _example_of_gold():
    """The line that the page of meanings shows."""
    (block,) = re.findall(
        r"```json\n(\{\"text\".*?)```", next(page for page in PAGES if page.name == "meaning.md").read_text(), re.DOTALL
    )
    return json.loads(block)


def _sentences(note):
    """(token, O, D or T) of each sentence."""
    letters = {place: span.label.value[0] for span in note.spans for place in range(span.start, span.end)}
    yield [(token.text, letters.get(token.start, "O")) for token in tokenise(note.text)]


def _leave_what_others_need(folder):
    """The pages compare two models; both are what `train` left."""
    for name in ("model-a", "model-b"):
        if (folder / "model").is_dir() and not (folder / name).exists():
            shutil.copytree(folder / "model", folder / name)


def _read_until(process, word):
    seen = []
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline and (line := process.stdout.readline()):
        seen.append(line)
        if word in line:
            return "".join(seen)
    raise AssertionError("".join(seen))


def _refused(shell):
    """The place of a dead letter: a note without a text, refused at the door."""
    note = next(iter(simulate(seed=11, n=1))).fields() | {"text": "  "}
    del note["source"]  # the door's token names it
    (shell.folder / "empty.jsonl").write_text(json.dumps(note) + "\n")
    shell.run("send", "empty.jsonl")
    code, output, beside = shell.run("dlq", "list", "notes.submitted.v1", "--json")
    assert code == 0, output + beside
    (letter,) = (one for one in json.loads(output) if one["reason"] == "EMPTY_TEXT")
    return letter["place"]


def _until_rows(shell, count):
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        code, output, beside = shell.run("sql", "SELECT count(*) AS n FROM notes", "--json")
        if code == 0 and json.loads(output)[0]["n"] >= count:
            return
    raise AssertionError(output + beside)
