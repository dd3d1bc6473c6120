import re
from itertools import islice, pairwise

import pytest
from corpus import Part, Shift, ShiftKind, generate, novel_names, simulate
from corpus.lexicon import diseases, treatments, word_classes


def test_the_same_seed_gives_the_same_stream_and_it_has_no_end():
    assert list(islice(simulate(3), 60)) == list(simulate(3, 60))


def test_notes_are_complete_and_marked_as_synthetic():
    notes = list(simulate(5, 400))
    assert len({note.note_id for note in notes}) == 400
    assert len({note.city for note in notes}) >= 10
    assert len({note.specialty for note in notes}) >= 12
    for earlier, note in pairwise(notes):
        assert note.written_at == earlier.written_at + 1000
    for note in notes:
        assert note.note_id.startswith("synthetic-")
        assert all(ref.startswith("SYNTHETIC-") for ref in (note.prescription_id, note.patient_ref, note.doctor_ref))
        assert note.text == note.truth.text
        assert "truth" not in note.fields()
        assert note.fields()["text"] == note.text


def test_a_shift_touches_only_its_city_and_time():
    shift = Shift(ShiftKind.NEW_DRUGS, after=100, city="Mumbai")
    touched = 0
    for ordinal, (calm, moved) in enumerate(zip(simulate(9, 600), simulate(9, 600, shift=shift), strict=True)):
        if calm != moved:
            assert ordinal >= 100
            assert moved.city == "Mumbai"
            touched += 1
    assert touched > 30


@pytest.mark.parametrize("kind", [ShiftKind.NEW_DISEASES, ShiftKind.NEW_DRUGS])
def test_new_names_are_new(kind):
    known = " ".join(form for name in (*diseases(), *treatments()) for form in name.forms).casefold()
    known += " ".join(note.text for note in generate(1, 1500, vocabulary="all")).casefold()
    names = novel_names(kind)
    assert len(names) >= 40
    for name in names:
        newest = max(re.findall(r"[a-z]+", name), key=len)
        assert newest not in known, name


@pytest.mark.parametrize("kind", [ShiftKind.NEW_DISEASES, ShiftKind.NEW_DRUGS])
@pytest.mark.slow
def test_the_kept_half_of_the_new_names_is_never_labelled(kind):
    labelled, kept = novel_names(kind, Part.LABELLED), novel_names(kind, Part.KEPT)
    assert not set(labelled) & set(kept)
    assert sorted((*labelled, *kept)) == sorted(novel_names(kind))
    assert min(len(labelled), len(kept)) > 15
    text = " ".join(note.text for note in simulate(2, 300, shift=Shift(kind, part=Part.LABELLED))).casefold()
    assert any(name in text for name in labelled)
    assert not any(name in text for name in kept)


def test_a_new_style_keeps_names_and_truth():
    notes = list(simulate(4, 200, shift=Shift(ShiftKind.NEW_STYLE, share=1.0)))
    assert sum(">>" in note.text or "dawa" in note.text.casefold() for note in notes) > 150
    for note in notes:
        for span in note.truth.spans:
            assert note.text[span.start : span.end].strip()


def test_the_new_stems_are_no_building_blocks():
    blocks = {line.casefold() for lines in word_classes().values() for line in lines}
    assert not any(block.endswith(("vell", "lyx", "zumyx")) for block in blocks)


@pytest.mark.slow
def test_several_shifts_happen_together_in_one_city():
    shifts = [Shift(kind, after=50, city="Pune", share=0.6) for kind in ShiftKind]
    notes = list(simulate(9, 1_000, shift=shifts, city_share=("Pune", 0.5)))
    touched = [note for note in notes[50:] if note.city == "Pune"]
    assert {note.truth.meta["shift"] for note in touched} == {"new_diseases+new_drugs+new_style"}
    texts = " ".join(note.text.casefold() for note in touched)
    for kind in (ShiftKind.NEW_DISEASES, ShiftKind.NEW_DRUGS):
        assert any(name in texts for name in novel_names(kind))
    assert sum("dawa" in note.text.casefold() or ">>" in note.text for note in touched) > len(touched) / 3
    assert all(note.truth.meta["shift"] == "" for note in notes if note.city != "Pune" or note in notes[:50])


def test_a_city_may_have_another_share():
    share = sum(note.city == "Pune" for note in simulate(9, 1_000, city_share=("Pune", 0.4))) / 1_000
    assert share == pytest.approx(0.4, abs=0.05)
    with pytest.raises(ValueError, match="simulated cities"):
        next(simulate(9, city_share=("Atlantis", 0.4)))
