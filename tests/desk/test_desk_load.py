"""The desk's figures: a long queue, ten people at once, one person's pace. Prints them, and keeps them beside the pictures.

Goals are those of a quiet machine. What a test asserts is a collapse: ten times a time, and the pace that people need.
"""

import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import pytest
from desk_page import ARTIFACTS, DeskPage
from desk_rig import Asked, Rig, decide, until

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(600)]

PEOPLE = ("anna", "ben", *(f"v{number}" for number in range(8)))
LOAD_S = 60
MANY = 100_000

FOUND = (("fever", "DISEASE", 0.66), ("azithromycin", "TREATMENT", 0.97))
NOTE = """C/o fever x 3 days, dry cough, known case of type 2 diabetes mellitus and hypertension.
O/E: chest clear, BP 150/90, SpO2 97 %. Imp: acute bronchitis.
Adv: tab azithromycin 500 mg OD x 3 days, syp. ambroxol 5 ml TDS. Continue metformin 500 mg BD."""

# Key press to painted change, by the browser's own Event Timing: it rounds to 8 ms and leaves out what took under 16.
WATCH_KEYS = """() => {
  window.slowKeys = [];
  new PerformanceObserver(list =>
    window.slowKeys.push(...list.getEntries().filter(e => e.name === 'keydown').map(e => e.duration))
  ).observe({type: 'event', durationThreshold: 16});
}"""
SLOW_KEYS = "() => new Promise(done => setTimeout(() => done(window.slowKeys), 500))"


@dataclass(frozen=True)
class Goal:
    """What a figure shall be, and where the test draws the line on a machine that does other work as well."""

    shall_be: float
    most: float = float("inf")
    least: float = 0.0


def within(goal_ms: float) -> Goal:
    return Goal(goal_ms, most=10 * goal_ms)


def check(name: str, figures: dict[str, float], goals: dict[str, Goal]) -> None:
    """Tell the figures with their goals beside them, and fail where one collapsed."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    told = {key: {"reached": value} | (asdict(goals[key]) if key in goals else {}) for key, value in figures.items()}
    Path(ARTIFACTS, f"desk-{name}.json").write_text(json.dumps(told, indent=2))
    beside = {key: f" (goal {goal.shall_be:g})" for key, goal in goals.items()}
    print(f"\n{name}: " + ", ".join(f"{key} {value:.4g}{beside.get(key, '')}" for key, value in figures.items()))  # noqa: T201 - the figures are the point
    assert {key for key, goal in goals.items() if not goal.least <= figures[key] <= goal.most} == set()


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def timed_next(client: httpx.Client) -> tuple[float, httpx.Response]:
    began = time.perf_counter()
    answer = client.get("/api/next")
    return time.perf_counter() - began, answer


def test_a_queue_of_a_hundred_thousand(rig: Rig) -> None:
    rig.process.kill()
    rig.process.wait(10)
    rig.ask_for([Asked(NOTE, FOUND)] * MANY)
    began = time.monotonic()
    rig.process = rig.start(within_s=300)
    rebuilt_s = time.monotonic() - began
    anna = rig.client("anna")
    assert anna.get("/api/queue").json()["waiting"]["open"] == MANY
    nexts, decisions = [], []
    for _ in range(200):
        took, answer = timed_next(anna)
        nexts.append(took)
        began = time.perf_counter()
        assert decide(anna, answer.json(), []).status_code == 200
        decisions.append(time.perf_counter() - began)
    check(
        "long-queue",
        {
            "rebuilt_s": rebuilt_s,
            "next_p50_ms": 1000 * statistics.median(nexts),
            "next_p95_ms": 1000 * percentile(nexts, 0.95),
            "decision_p95_ms": 1000 * percentile(decisions, 0.95),
        },
        {"rebuilt_s": Goal(60, most=300), "next_p95_ms": within(150), "decision_p95_ms": within(300)},
    )
    assert len(rig.said()) == 200


def test_ten_people_for_a_minute(rig: Rig) -> None:
    rig.ask_for([Asked(NOTE, FOUND)] * 20_000)
    until(lambda: rig.client("anna").get("/api/queue").json()["waiting"]["open"] == 20_000, 60)
    ends_at = time.monotonic() + LOAD_S

    def work(name: str) -> tuple[list[str], list[float]]:
        client, notes, times = rig.client(name), [], []
        while time.monotonic() < ends_at:
            took, answer = timed_next(client)
            task = answer.json()
            notes.append(task["note_id"])
            began = time.perf_counter()
            answer = decide(client, task, [{k: e[k] for k in ("start", "end", "label")} for e in task["entities"][:1]])
            assert answer.status_code == 200, (answer.status_code, answer.text)
            times += [took, time.perf_counter() - began]
            time.sleep(0.05)  # a person, and still 10 times as fast as one
        return notes, times

    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        results = list(pool.map(work, PEOPLE))
    notes = [note for mine, _ in results for note in mine]
    times = [took for _, mine in results for took in mine]
    check(
        "ten-people",
        {
            "notes": len(notes),
            "requests_per_s": len(times) / LOAD_S,
            "p50_ms": 1000 * statistics.median(times),
            "p95_ms": 1000 * percentile(times, 0.95),
            "p99_ms": 1000 * percentile(times, 0.99),
        },
        {"p95_ms": within(300)},
    )
    assert len(set(notes)) == len(notes)  # no note given twice
    assert sorted(word.note_id for word in rig.said()) == sorted(notes)  # no correction lost


def test_the_pace_of_one_person_at_the_keyboard(rig: Rig, desk: DeskPage) -> None:
    rig.ask_for([Asked(NOTE, FOUND)] * 40)
    desk.see("C/o fever")
    desk.page.evaluate(WATCH_KEYS)
    began = time.monotonic()
    for _ in range(40):
        desk.see("C/o fever")
        desk.reach("cough")
        desk.press("d", "j", "]", "Enter")
    took_s = time.monotonic() - began
    desk.see_nothing_waits()
    desk.see_saved()
    slow = desk.page.evaluate(SLOW_KEYS)
    check(
        "one-person",
        {
            "corrections_per_min": 40 / took_s * 60,
            "keys_of_16_ms_or_more": len(slow),
            "their_p50_ms": statistics.median(slow or [16]),
            "their_p95_ms": percentile(slow or [16], 0.95),
            "slowest_key_ms": max(slow, default=16),
        },
        {"corrections_per_min": Goal(30, least=30), "their_p50_ms": within(50)},
    )
    said = until(lambda: len(found := rig.said()) == 40 and found, 30)
    assert all(str(word.outcome) == "CORRECTED" for word in said)
