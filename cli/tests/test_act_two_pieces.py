"""The pieces of the second act can tell right from wrong."""

import json

import httpx
import pytest
from clinical_ner.notes import AnnotatedNote, Label, Span
from corpus.simulation import Part, simulate
from model_registry.version import Version
from rxtract.commands.reextract import LOOK_EVERY_S, SameChampion, outcome
from rxtract.demo.language import mentions_any, new_language, score_names, words_of
from rxtract.errors import UserError
from rxtract.moments import moment
from rxtract.reextract import Plan, Sent
from rxtract.simulated_validator import DeskRefusedError, SimulatedValidator


@pytest.mark.slow
def test_kept_names_are_never_in_notes_that_may_be_labelled():
    kept, labelled = words_of(Part.KEPT), words_of(Part.LABELLED)
    assert kept
    assert labelled
    assert not kept & labelled
    assert not any(mentions_any(note.text, kept) for note in new_language(31, "Pune", 200, Part.LABELLED))
    assert not any(mentions_any(note.text, kept | labelled) for note in simulate(41, 3_000) if note.city == "Pune")
    assert sum(mentions_any(note.text, kept) for note in new_language(31, "Pune", 200, Part.KEPT)) > 50


def test_notes_of_the_new_language_are_of_the_city_distinct_and_the_same_for_the_same_seed():
    notes = new_language(31, "Pune", 90, Part.LABELLED)
    assert {note.city for note in notes} == {"Pune"}
    assert len({note.note_id for note in notes}) == 90
    assert {note.truth.meta["shift"] for note in notes} == {"new_diseases", "new_drugs", "new_style"}
    assert notes == new_language(31, "Pune", 90, Part.LABELLED)


TEXT = "newpox and fever, tab newcillin"
TRUTH = AnnotatedNote(
    TEXT, (Span(0, 6, Label.DISEASE), Span(11, 16, Label.DISEASE), Span(22, 31, Label.TREATMENT)), note_id="n"
)
WORDS = frozenset({"newpox", "newcillin"})


def test_only_the_names_asked_for_count():
    both = score_names({"n": TRUTH}, {"n": TRUTH.spans}, WORDS)
    assert (both.right, both.predicted, both.gold, both.f1) == (2, 2, 2, 1.0)
    known_only = score_names({"n": TRUTH}, {"n": [Span(11, 16, Label.DISEASE)]}, WORDS)
    assert (known_only.right, known_only.predicted, known_only.f1) == (0, 0, 0.0)


@pytest.mark.parametrize("wrong", [Span(0, 10, Label.DISEASE), Span(0, 6, Label.TREATMENT), Span(0, 3, Label.DISEASE)])
def test_a_wrong_border_or_label_is_wrong(wrong):
    found = score_names({"n": TRUTH}, {"n": [wrong, Span(22, 31, Label.TREATMENT)]}, WORDS)
    assert (found.right, found.predicted, found.gold) == (1, 2, 2)


def test_a_note_without_an_event_counts_as_nothing_found():
    assert score_names({"n": TRUTH}, {}, WORDS).f1 == 0.0


class FakeDesk:
    """Hands out the given notes and keeps what was decided."""

    def __init__(self, note_ids: list[str], status: int = 200) -> None:
        self.waiting, self.status = list(note_ids), status
        self.posts: list[tuple[str, dict]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer t"
        if request.url.path == "/api/next":
            if not self.waiting:
                return httpx.Response(204)
            task = {"source": "local", "note_id": self.waiting.pop(0), "revision": 1, "lease": "l", "sequence": 1}
            return httpx.Response(200, json=task)
        self.posts.append((request.url.path, json.loads(request.content)))
        return httpx.Response(self.status, json={"annotation_id": "a"})


def validator(desk: FakeDesk, error_rate: float, truths: dict | None = None) -> SimulatedValidator:
    client = httpx.Client(transport=httpx.MockTransport(desk), base_url="http://desk")
    known = {"local|n": TRUTH} if truths is None else truths
    return SimulatedValidator("http://desk", "t", known, error_rate=error_rate, seed=1, client=client)


def test_a_validator_sends_the_truth_and_skips_what_it_does_not_know():
    desk = FakeDesk(["n", "kept"])
    one = validator(desk, 0.0)
    assert [one.next(), one.next(), one.next()] == [True, True, False]
    (path, body), (skip, _) = desk.posts
    assert path == "/api/tasks/local/n/1/decision"
    assert [(e["start"], e["end"], e["label"]) for e in body["entities"]] == [
        (s.start, s.end, str(s.label)) for s in TRUTH.spans
    ]
    assert skip == "/api/tasks/local/kept/1/skip"
    assert (one.worked.labelled, one.worked.skipped, one.worked.erred) == ({"local|n": 3}, 1, 0)


def test_validators_err_at_the_stated_rate():
    names = [f"n{number}" for number in range(1_000)]
    desk = FakeDesk(names)
    one = validator(desk, 0.05, {f"local|{name}": TRUTH for name in names})
    while one.next():
        pass
    right = [{"start": s.start, "end": s.end, "label": str(s.label)} for s in sorted(TRUTH.spans)]
    wrong = sum(body["entities"] != right for _, body in desk.posts)
    assert wrong == one.worked.erred
    assert 25 <= wrong <= 80


def test_a_note_that_was_taken_away_is_no_label_and_an_error_of_the_desk_is_told():
    lost = validator(FakeDesk(["n"], status=409), 0.0)
    assert lost.next()
    assert lost.worked.labelled == {}
    with pytest.raises(DeskRefusedError, match="500"):
        validator(FakeDesk(["n"], status=500), 0.0).next()


def test_times_are_read_with_and_without_a_zone():
    assert moment("1900-01-01") == 0, "all that is kept"
    for nothing in ("\u00b2", "\u0661\u0662", "-5", "2026", "202601310900", "20260131090000", "9" * 30, "9" * 5_000):
        with pytest.raises(UserError, match="write one like"):
            moment(nothing)
    assert moment("1970-01-01T05:30:01+05:30") == moment("1970-01-01T00:00:01") == 1_000
    assert moment("20260131") == moment("2026-01-31") == moment("1769817600000") == 1_769_817_600_000
    with pytest.raises(UserError, match="no time"):
        moment("yesterday")


def champion(version="1", serial=1) -> Version:
    return Version("rxtract-ner", version, {"serial": str(serial)}, aliases=("champion",))


@pytest.mark.parametrize("now", [champion("2", 2), champion("1", 3), None])
def test_a_run_ends_when_another_champion_comes_or_the_same_under_another_serial(now):
    clock_s, serving = [0.0], [champion()]
    check = SameChampion(lambda: serving[0], champion(), clock=lambda: clock_s[0])
    check.look()
    serving[0] = now
    check()  # MLflow is not asked at each batch
    clock_s[0] = LOOK_EVERY_S
    with pytest.raises(UserError, match="version 1"):
        check()
    with pytest.raises(UserError, match="version 1"):
        check.look()


def test_a_run_ends_when_other_rules_come_and_is_another_run_for_them():
    rules = [4]
    check = SameChampion(champion, champion(), rules=lambda: rules[0], read_by=4)
    check.look()
    rules[0] = 5
    with pytest.raises(UserError, match="the rules of serial 5 serve now, not those of 4"):
        check.look()
    assert Plan(0, 1, 1, 1).meant_for == "1"
    assert Plan(0, 1, 1, 1, rules_serial=5).meant_for == "1-5"


def test_what_came_of_a_run_is_told_as_it_was():
    assert "serial 1" in outcome(Sent(total=5, read=5, sent=4, copies=1), champion())
    assert "an earlier run for version 1" in outcome(Sent(total=5, read=5, copies=5, earlier=5), champion())
    assert "copies that earlier runs sent" in outcome(Sent(total=5, read=5, copies=5), champion())
    assert "no note is kept" in outcome(Sent(), champion())
