"""What the desk decides, by example."""

import pytest
from review_desk.domain.agreement import agreement
from review_desk.domain.spans import Mark, SpansRefused, changes_of, entities_of
from review_desk.domain.tasks import Queue, Task, Word, in_share, queue_of, score_of


def task(sample: str = "UNCERTAIN", *, double: bool = False) -> Task:
    return Task(1, 1, 0, 0, 0.5, sample, "Pune", "general", 0, double)


def word(outcome: str, *spans: tuple[int, int, str], labelled=(), tokens: int = 10, revision: int = 1) -> Word:
    return Word(revision, 1, outcome, "id", tokens, tuple(labelled), spans)


def test_where_a_task_waits():
    disease = (0, 3, "DISEASE")
    assert queue_of(task(), {}) is Queue.OPEN
    assert queue_of(task(), {"a": word("SKIPPED")}) is None
    assert queue_of(task("AUDIT"), {"a": word("SKIPPED")}) is Queue.AUDIT
    assert queue_of(task("AUDIT"), {"a": word("UNREADABLE")}) is Queue.SECOND
    assert queue_of(task(double=True), {"a": word("ACCEPTED", disease)}) is Queue.SECOND
    assert queue_of(task(double=True), {"a": word("ACCEPTED", disease), "b": word("CORRECTED", disease)}) is None
    split = {"a": word("ACCEPTED", disease), "b": word("CORRECTED")}
    assert queue_of(task(double=True), split) is Queue.LEAD
    assert queue_of(task(double=True), {**split, "c": word("ADJUDICATED")}) is None
    assert queue_of(task(), {"a": word("ACCEPTED", revision=0)}) is Queue.OPEN


def test_agreement_by_hand():
    one = word("ACCEPTED", (0, 3, "DISEASE"), (5, 9, "DISEASE"), labelled=[(0, "DISEASE"), (1, "DISEASE")])
    other = word("ACCEPTED", (0, 3, "DISEASE"), labelled=[(0, "DISEASE")])
    disease, treatment = agreement([(one, other)])
    assert disease.f1 == pytest.approx(2 / 3)
    assert disease.kappa == pytest.approx((0.9 - 0.74) / (1 - 0.74))
    assert (treatment.f1, treatment.kappa) == (None, None)


def test_offsets_count_code_points_and_bad_spans_are_refused():
    text = "😀 e\u0301 flu"
    found = entities_of(text, [Mark(5, 8, "DISEASE")], ())
    assert found[0].text == "flu"
    assert changes_of((), found).added == 1
    for marks in ([Mark(5, 9, "DISEASE")], [Mark(5, 5, "DISEASE")], [Mark(0, 6, "DISEASE"), Mark(5, 8, "DISEASE")]):
        with pytest.raises(SpansRefused):
            entities_of(text, marks, ())


def test_the_share_is_kept():
    taken = sum(in_share(b"k" * 32, f"note-{number}", 0.1) for number in range(10_000))
    assert 900 < taken < 1100


def test_drift_samples_come_before_notes_that_are_only_unsure():
    assert score_of(task("DRIFT")) < score_of(task("UNCERTAIN"))
    assert score_of(task("AUDIT")) == 0.0  # by age alone


def test_a_lead_who_finds_a_note_unreadable_ends_it() -> None:
    task = Task(1, 1, 0, 0, 0.5, "UNCERTAIN", "Pune", "general", 0, double=True)
    said = {
        "a": Word(1, 1, "ACCEPTED", "x", 3, (), ()),
        "b": Word(1, 1, "CORRECTED", "y", 3, (), ((0, 1, "DISEASE"),)),
    }
    assert queue_of(task, said) is Queue.LEAD
    assert queue_of(task, said | {"lead": Word(1, 1, "UNREADABLE", "z", 3, (), ())}) is None
