"""What people said becomes labelled notes with roles; what contradicts itself is left out, with its reason."""

from __future__ import annotations

import pytest
from annotations.trust import ALL_TRUSTED
from clinical_ner.dataset_duplicates import leakage
from contracts.records import AnnotationValidated, RelationType
from lifecycle.collection import Exclusion, collect
from lifecycle.gate_config import GateConfig
from lifecycle.readiness import missing_labels
from lifecycle.roles import Role, RoleKeyError, Shares, role_of
from lifecycle.snapshot import CorpusConfig, snapshot
from lifecycle.teachers import taught_by

KEY = b"k" * 32
SHARES = Shares(0.2, 0.2)


def text_of(number: int) -> str:
    """A text that is nearly nobody else's; in letters, because likeness takes all digits for equal."""
    own = "".join("abcdefghij"[int(digit)] for digit in str(number))
    return f"k/c/o fever {' '.join(f'{own}x{letter}' for letter in 'klmnopqrstuv')}"


def word(number: int = 0, **more) -> AnnotationValidated:
    text = more.pop("text", text_of(number))
    entity = {"entity_id": "e1", "label": "DISEASE", "text": "fever", "start": 6, "end": 11, "confidence": 1.0}
    given = {
        "annotation_id": f"a{number}",
        "source": "clinic",
        "note_id": f"synthetic-{number}",
        "revision": 1,
        "text": text,
        "segment": {"city": "Pune", "specialty": "cardiology"},
        "patient_ref": f"p{number}",
        "doctor_ref": "d",
        "written_at": 1,
        "predicted_entities": [],
        "predicted_relations": [],
        "entities": [entity],
        "relations": [],
        "sample": "DRIFT",
        "predictions_shown": True,
        "outcome": "CORRECTED",
        "changes": {"kept": 0, "added": 1, "removed": 0, "moved": 0, "relabelled": 0},
        "annotator": "v1",
        "sequence": 1,
        "seconds_spent": 5.0,
        "annotated_at": number + 1,
    }
    return AnnotationValidated.from_dict({**given, **more})


def test_roles_follow_from_the_patient_and_the_key_alone():
    roles = [role_of(f"p{number}", KEY, SHARES) for number in range(5_000)]
    assert roles == [role_of(f"p{number}", KEY, SHARES) for number in range(5_000)]
    for role, share in ((Role.GOLD, 0.2), (Role.RECENT, 0.2), (Role.TRAIN, 0.6)):
        assert abs(roles.count(role) / 5_000 - share) < 0.03
    assert roles != [role_of(f"p{number}", b"x" * 32, SHARES) for number in range(5_000)]
    with pytest.raises(RoleKeyError):
        role_of("p", b"short")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"outcome": "SKIPPED"}, Exclusion.NO_LABELS),
        (
            {
                "entities": [
                    {"entity_id": "e1", "label": "DISEASE", "text": "fever", "start": 6, "end": 900, "confidence": 1.0}
                ]
            },
            Exclusion.BAD_OFFSETS,
        ),
        (
            {
                "entities": [
                    {"entity_id": "e1", "label": "DISEASE", "text": "fevre", "start": 6, "end": 11, "confidence": 1.0}
                ]
            },
            Exclusion.CONTRADICTS_TEXT,
        ),
        ({"text": "", "entities": [], "sealed": b"sealed", "encryption_key_id": "k1"}, Exclusion.SEALED),
        ({"purpose": "care"}, Exclusion.PURPOSE),
        ({"purpose": "training; no-training"}, Exclusion.PURPOSE),
    ],
)
def test_what_cannot_be_right_is_left_out(more, reason):
    found = collect([word(1, **more)], KEY, SHARES)
    assert not found.notes
    assert found.left_out[reason] == 1


def test_annotators_who_contradict_each_other_wait_for_an_adjudication():
    first, second = word(1), word(1, annotation_id="b", annotator="v2", entities=[])
    assert collect([first, second], KEY, SHARES).left_out[Exclusion.CONFLICT] == 2
    lead = word(1, annotation_id="c", annotator="lead", outcome="ADJUDICATED", supersedes=["a1", "b"], annotated_at=9)
    found = collect([first, second, lead], KEY, SHARES)
    assert len(found.notes) == 1
    assert len(found.notes[0].note.spans) == 1


def test_only_the_newest_revision_and_the_last_word_count():
    old, new = word(1), word(1, annotation_id="n", revision=2, entities=[])
    assert [item.note.spans for item in collect([old, new, new], KEY, SHARES).notes] == [()]


def test_one_id_of_two_sources_is_two_notes():
    here, there = word(1), word(2, source="other", note_id="synthetic-1", revision=2)
    found = collect([here, there], KEY, ALL_TRAIN)
    assert [item.note.note_id for item in found.notes] == ["clinic|synthetic-1", "other|synthetic-1"]
    assert not found.left_out[Exclusion.OLDER_REVISION]
    assert taught_by([here, there], found.of(Role.TRAIN), ALL_TRUSTED) == {"v1": 2}


def test_only_what_is_given_now_is_a_pair():
    drug = {"entity_id": "e2", "label": "TREATMENT", "text": "k/c/o", "start": 0, "end": 5, "confidence": 1.0}
    fever = {"entity_id": "e1", "label": "DISEASE", "text": "fever", "start": 6, "end": 11, "confidence": 1.0}

    def pairs(kind: str) -> list[tuple[int, int]]:
        relation = {"type": kind, "treatment_id": "e2", "disease_id": "e1", "confidence": 1.0}
        (item,) = collect([word(1, entities=[fever, drug], relations=[relation])], KEY, SHARES).notes
        return list(item.note.pairs)

    assert pairs("TREATS") == [(0, 1)]
    assert [pairs(kind) for kind in RelationType if kind is not RelationType.TREATS] == [[]] * (len(RelationType) - 1)


def test_notes_chosen_for_doubt_never_judge():
    words = [word(number, sample="UNCERTAIN") for number in range(60)]
    found = collect(words, KEY, SHARES)
    assert {item.role for item in found.notes} == {Role.TRAIN}
    assert found.left_out[Exclusion.UNCERTAIN_SAMPLE] > 10


def test_a_drift_run_waits_for_labels_of_its_segment():
    config = GateConfig(min_recent_notes=5, recent_share=0.2, gold_share=0.2)
    pune, delhi = {"city=Pune": 0}, {"city=Delhi": 0}
    assert missing_labels([], pune, config, KEY, ALL_TRUSTED) == {"city=Pune": 25}  # 5 of the fifth that judges
    words = [word(number) for number in range(120)]
    assert missing_labels(words, pune, config, KEY, ALL_TRUSTED) == {"city=Pune": 0}
    assert missing_labels(words, delhi, config, KEY, ALL_TRUSTED) == {"city=Delhi": 25}


def test_labels_from_before_a_drift_do_not_count_for_it():
    config = GateConfig(min_recent_notes=5, recent_share=0.2, gold_share=0.2)
    words = [word(number) for number in range(120)]
    newest = max(one.annotated_at for one in words)
    assert missing_labels(words, {"city=Pune": newest}, config, KEY, ALL_TRUSTED) != {"city=Pune": 0}
    assert missing_labels(words, {"city=Pune": newest + 1}, config, KEY, ALL_TRUSTED) == {"city=Pune": 25}
    found = collect(words, KEY, config.shares)
    assert found.of(Role.RECENT, since=newest + 1) == []
    data = snapshot(found, CorpusConfig(notes=20, gold_notes=20), segments=("city=Pune",), since=newest + 1)
    assert (data.recent, data.recent_of) == ((), {"city=Pune": ()})
    assert data.annotated  # they teach all the same


def test_the_labels_of_all_notes_do_not_answer_a_drift_that_shows_in_a_city_too():
    config = GateConfig(min_recent_notes=5, recent_share=0.2, gold_share=0.2)
    words = [word(number) for number in range(120)]
    assert missing_labels(words, {"all": 0, "city=Delhi": 0}, config, KEY, ALL_TRUSTED) == {"city=Delhi": 25}
    assert missing_labels(words, {"all": 0}, config, KEY, ALL_TRUSTED) == {"all": 0}
    assert missing_labels(words, {"city=Delhi": 0, "city=Pune": 0}, config, KEY, ALL_TRUSTED) == {
        "city=Delhi": 25,
        "city=Pune": 0,
    }


def patient_of(role: Role) -> str:
    return next(ref for ref in map(str, range(1000)) if role_of(ref, KEY, SHARES) is role)


def test_a_chain_of_likenesses_never_joins_two_roles():
    words = [f"word{letter}{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]

    def near(number: int, role: Role, *changed: int) -> AnnotationValidated:
        told = [f"other{one}" if place in changed else one for place, one in enumerate(words)]
        return word(number, text=f"k/c/o fever {' '.join(told)}", patient_ref=patient_of(role))

    # The third is most like the second, of its own role, and less so, but enough, like the first, of another.
    found = collect([near(1, Role.GOLD), near(2, Role.TRAIN, 5, 12, 20), near(3, Role.TRAIN, 5, 12)], KEY, SHARES)
    assert [item.annotated_at for item in found.notes] == [2, 3]
    assert not leakage(found.of(Role.TRAIN), found.of(Role.GOLD))
    assert found.left_out[Exclusion.OTHER_ROLE_DUPLICATE] == 1


def test_notes_without_a_patient_get_their_role_one_by_one():
    found = collect([word(number, patient_ref="") for number in range(80)], KEY, SHARES)
    assert {item.role for item in found.notes} == set(Role)


ALL_TRAIN = Shares(0.0, 0.0)


def trained_on(words, shares=ALL_TRAIN):
    return collect(words, KEY, shares).of(Role.TRAIN)


def test_who_taught_what_a_training_used():
    words = [
        word(1, annotator="anna"),
        word(1, annotator="ben", annotation_id="b1"),
        word(2, annotator="anna", outcome="UNREADABLE", entities=[]),
        word(3, annotator="anna", entities=[]),
        word(3, annotator="ben", annotation_id="b3", outcome="ADJUDICATED", supersedes=["a3"]),
        word(4, annotator="anna"),
        word(4, annotator="anna", annotation_id="a4b", sequence=2, outcome="SKIPPED", entities=[]),
    ]
    assert taught_by(words, trained_on(words) * 3, ALL_TRUSTED) == {"anna": 1, "ben": 2}


def test_notes_that_judge_taught_nothing():
    words = [word(number, annotator="anna") for number in range(40)]
    used = trained_on(words, Shares(0.3, 0.3))
    assert 0 < len(used) < 40
    assert taught_by(words, used, ALL_TRUSTED) == {"anna": len(used)}
    assert taught_by(words, [], ALL_TRUSTED) == {}


def test_a_real_note_carries_whose_it_is_and_an_import_is_public():
    """What may be spelled in a model follows from it (`clinical_ner.standing`)."""
    told = collect([word(1), word(2, sample="IMPORTED"), word(3, patient_ref="")], KEY, SHARES)
    people = {item.note.note_id: item.note.people for item in told.notes}
    assert people == {
        "clinic|synthetic-1": ("p1", "d"),
        "clinic|synthetic-2": None,
        "clinic|synthetic-3": ("clinic|synthetic-3", "d"),
    }
