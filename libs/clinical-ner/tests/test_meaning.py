"""What a note says of its entities: whatever the text and the spans are, an answer that can be relied on."""

from __future__ import annotations

import pytest
from clinical_ner.meaning import (
    UNJUDGED,
    Assertion,
    Experiencer,
    Reader,
    Relation,
    RelationType,
    Status,
    Time,
    assert_spans,
    read_prescription,
    read_spans,
)
from clinical_ner.notes import Label, Span
from clinical_ner.phrases import Phrase, Tables
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = (
    "no nil denies ? - + +ve -ve / , . ; : ( ) \n \n\n h/o k/c/o F/H/O father if r/o s/p adv stopped allergic to refused "
    "ruled out absent nahi hai since x 3 days 10 years back 2015 Past history: Allergies: but and or on for due to avoid "
    "DM HTN fever metformin aspirin 500 mg 1-0-1 BD SOS 3/7 q6h x 5 days then taper 1/2 tab ½ 60,000 IU µg 😀 नहीं \ud800 \x00"
).split(" ")


def disease(text, name):
    at = text.index(name)
    return Span(at, at + len(name), Label.DISEASE)


def treatment(text, name):
    at = text.index(name)
    return Span(at, at + len(name), Label.TREATMENT)


@st.composite
def texts_with_spans(draw):
    words = draw(st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=40))
    text = draw(st.sampled_from([" ", "", "\n"])).join(words)
    count = draw(st.integers(0, 8))
    spans = []
    for _ in range(count):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        spans.append(Span(start, end, draw(st.sampled_from(list(Label)))))
    return text, spans


@settings(max_examples=400)
@given(texts_with_spans())
def test_any_spans_of_any_text_have_an_answer(note):
    text, spans = note
    found = read_spans(text, spans)
    assert len(found.assertions) == len(found.prescriptions) == len(spans)
    for span, (status, time, who, start, end), prescription in zip(
        spans, found.assertions, found.prescriptions, strict=True
    ):
        assert (start, end) == (-1, -1) or 0 <= start < end <= len(text)
        assert prescription is None or span.label == Label.TREATMENT
        judged = any(not char.isspace() for char in text[span.start : span.end])
        if not judged:
            assert (status, time, who) == UNJUDGED[:3]
    for relation in found.relations:
        assert spans[relation.treatment].label == Label.TREATMENT
        assert spans[relation.disease].label == Label.DISEASE
        assert 0.5 < relation.confidence < 1


@settings(max_examples=100)
@given(st.lists(texts_with_spans(), max_size=6), st.randoms())
def test_single_and_batch_and_any_order_give_the_same(notes, rng):
    reader = Reader()
    batch = reader.read([text for text, _ in notes], [spans for _, spans in notes])
    assert batch == [read_spans(text, spans) for text, spans in notes]
    for (text, spans), found in zip(notes, batch, strict=True):
        order = list(range(len(spans)))
        rng.shuffle(order)
        shuffled = read_spans(text, [spans[at] for at in order])
        if len(set(spans)) == len(spans) and not any(
            a.start < b.end and b.start < a.end for i, a in enumerate(spans) for b in spans[i + 1 :]
        ):
            assert shuffled.assertions == tuple(found.assertions[at] for at in order)


@given(texts_with_spans())
@settings(max_examples=200)
def test_case_does_not_change_an_ascii_answer(note):
    text, spans = note
    if not text.isascii():
        return
    assert [each[:3] for each in assert_spans(text.upper(), spans)] == [each[:3] for each in assert_spans(text, spans)]


def test_a_hundred_thousand_tokens_without_a_sentence_end_are_read_in_a_second_or_so():
    text = "no fever and cough if " * 25_000
    spans = [Span(at, at + 5, Label.DISEASE) for at in range(3, len(text), 22)]
    found = assert_spans(text, spans)
    assert len(found) == 25_000
    assert {each.status for each in found} <= {Status.NEGATED, Status.HYPOTHETICAL}


def test_a_long_run_of_treatments_and_diseases_is_bounded():
    text = "aspirin for MI " * 6_000
    spans = [
        Span(at + o, at + o + n, label)
        for at in range(0, len(text), 15)
        for o, n, label in ((0, 7, Label.TREATMENT), (12, 2, Label.DISEASE))
    ]
    assert len(read_spans(text, spans).relations) == 4_096


def test_an_empty_text_and_an_empty_span_are_unknown():
    assert read_spans("", []) == ((), (), ())
    assert assert_spans("", [Span(0, 0, Label.DISEASE)]) == (UNJUDGED,)
    assert assert_spans("no  fever", [Span(2, 4, Label.DISEASE)]) == (UNJUDGED,)


def test_a_span_outside_its_text_is_one_clear_line():
    with pytest.raises(ValueError, match="the span 0-9 is not inside its text of 5 characters"):
        assert_spans("fever", [Span(0, 9, Label.DISEASE)])


def test_without_a_phrase_for_it_nothing_is_decided_by_accident():
    reader = Reader(Tables((Phrase("zzz", (0, 11, 0, 0, 0, 0)),), "x"))
    text = "No h/o DM"
    assert reader.read([text], [[disease(text, "DM")]])[0].assertions[0].status is Status.PRESENT
    assert assert_spans(text, [disease(text, "DM")])[0].status is Status.NEGATED


def test_the_words_that_decided_are_named():
    text = "Patient denies h/o DM"
    (found,) = assert_spans(text, [disease(text, "DM")])
    assert text[found.cue_start : found.cue_end] == "denies"
    assert assert_spans("DM", [Span(0, 2, Label.DISEASE)]) == (
        Assertion(Status.PRESENT, Time.CURRENT, Experiencer.PATIENT, -1, -1),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [("Fever-no, cough+", "Fever"), ("?dengue", "dengue"), ("DM- HTN+", "DM"), ("(?)TB", "TB"), ("noDM", "DM")],
)
def test_spans_inside_a_tagger_token_are_judged(text, name):
    wanted = {"Fever": "NEGATED", "dengue": "POSSIBLE", "TB": "POSSIBLE"}.get(name)
    (found,) = assert_spans(text, [disease(text, name)])
    assert wanted is None or found.status == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("No fever, cough or cold", ["NEGATED", "NEGATED", "NEGATED"]),
        ("No fever but cough and cold", ["NEGATED", "PRESENT", "PRESENT"]),
        ("No fever; cough, cold", ["NEGATED", "PRESENT", "PRESENT"]),
        ("No fever\ncough, cold", ["NEGATED", "PRESENT", "PRESENT"]),
        ("No fever,\ncough, cold", ["NEGATED", "NEGATED", "NEGATED"]),
        ("No fever. Cough, cold", ["NEGATED", "PRESENT", "PRESENT"]),
        ("Fever -, cough +, cold -", ["NEGATED", "PRESENT", "NEGATED"]),
        ("Fever no cough no cold no", ["NEGATED", "NEGATED", "NEGATED"]),
        ("fever/cough/cold: nil", ["NEGATED", "NEGATED", "NEGATED"]),
        ("Fever +/- cough ++ cold nil", ["POSSIBLE", "PRESENT", "NEGATED"]),
        ("Fever: no  cough: yes  cold: nil", ["NEGATED", "PRESENT", "NEGATED"]),
        ("Fever nil; cough? since long. Cold - no relief", ["NEGATED", "POSSIBLE", "PRESENT"]),
        ("NO FEVER, COUGH OR COLD", ["NEGATED", "NEGATED", "NEGATED"]),
    ],
)
def test_scopes(text, wanted):
    spans = [disease(text.lower(), name) for name in ("fever", "cough", "cold")]
    assert [str(each.status) for each in assert_spans(text, spans)] == wanted


def test_a_heading_governs_until_the_next_one():
    text = "Family history: DM. HTN in parents.\nPast history:\nTB\nasthma\n\nmigraine\nAllergies: sulfa\nRx: aspirin"
    names = ["DM", "HTN", "TB", "asthma", "migraine"]
    found = assert_spans(
        text, [disease(text, name) for name in names] + [treatment(text, "sulfa"), treatment(text, "aspirin")]
    )
    assert [each.experiencer for each in found[:5]] == ["FAMILY", "FAMILY", "PATIENT", "PATIENT", "PATIENT"]
    assert [each.time for each in found[:5]] == ["CURRENT", "CURRENT", "HISTORICAL", "HISTORICAL", "CURRENT"]
    assert [each.status for each in found[5:]] == ["ALLERGY", "PRESENT"]


def test_what_is_no_treatment_now_never_treats():
    for text, kind in [
        ("allergic to aspirin, has MI", None),
        ("aspirin caused MI", "CAUSES"),
        ("MI not responding to aspirin", "TREATS_FAILED"),
        ("refused aspirin for MI", "REFUSED"),
        ("plan to start aspirin for MI", "PLANNED"),
        ("aspirin stopped. MI", None),
        ("MI, aspirin", None),
    ]:
        found = read_spans(text, [treatment(text, "aspirin"), disease(text, "MI")]).relations
        assert [str(each.type) for each in found] == ([kind] if kind else []), text


def test_places_in_relations_follow_the_order_of_the_given_spans():
    text = "aspirin for MI"
    spans = [disease(text, "MI"), treatment(text, "aspirin")]
    (found,) = read_spans(text, spans).relations
    assert found[:3] == Relation(RelationType.TREATS, 1, 0, 0.0)[:3]


@pytest.mark.parametrize(
    ("directions", "name", "value"),
    [
        ("1-0-1 x 5 days", "frequency", 2),
        ("1-0-1 OD", "frequency", None),
        ("BD x 5 days then OD x 5 days", "duration", None),
        ("OD x 5 days, taper", "frequency", None),
        ("IV IM", "route", None),
        ("before food after food", "when", None),
        ("x 2/52", "duration_unit", "wk"),
        ("60,000 IU weekly", "strength", "60000 iu"),
        ("1,00,000 iu stat", "strength", "100000 iu"),
        ("250mg / 5 ml tds", "strength", "250 mg/5ml"),
        ("half tab HS", "dose", "0.5 tab"),
        ("1½ tab OD", "dose", "1.5 tab"),
        ("1-2 puffs sos", "dose", "1-2 puffs"),
        ("2-0-1", "dose", None),
        ("q8h", "period", 8),
        ("5-7 days", "duration", None),
    ],
)
def test_directions(directions, name, value):
    found = read_prescription(directions)
    assert found is not None or value is None
    if found is not None:
        assert getattr(found, name) == value


def test_nothing_written_is_nothing():
    assert read_prescription("") is None
    assert read_prescription("as discussed with the family") is None


def test_a_tagged_note_carries_what_it_says(model):
    text = "No h/o typhoid fever. K/c/o HTN on Tab. Metformin 500mg BD."
    (note,) = model.tagger().tag([text])
    by_name = {text[entity.start : entity.end]: entity for entity in note.entities}
    assert by_name["typhoid fever"].assertion.status is Status.NEGATED
    assert by_name["HTN"].assertion.status is Status.PRESENT
    (relation,) = note.relations
    assert note.entities[relation.disease] == by_name["HTN"]
    assert note.entities[relation.treatment].prescription.strength == "500 mg"
    assert note.pairs == ((relation.treatment, relation.disease),)


def test_a_tagger_and_a_reader_agree(model):
    texts = ["No h/o typhoid fever. K/c/o HTN on Tab. Metformin 500mg BD.", "", "dengue ruled out", "Adv dialysis"] * 3
    for text, note in zip(texts, model.tagger().tag(texts), strict=True):
        found = read_spans(text, note.entities)
        assert found.assertions == tuple(entity.assertion for entity in note.entities)
        assert found.prescriptions == tuple(entity.prescription for entity in note.entities)
        ends = [relation[:3] for relation in note.relations]
        assert [relation[:3] for relation in found.relations] == ends
        for rule, whole in zip(found.relations, note.relations, strict=True):
            sure = note.entities[whole.treatment].confidence * note.entities[whole.disease].confidence
            assert whole.confidence == pytest.approx(rule.confidence * sure)
        statuses = [entity.assertion.status for entity in note.entities]
        uncertain = statuses.count(Status.POSSIBLE) + statuses.count(Status.HYPOTHETICAL)
        assert note.statistics.negated_entities == statuses.count(Status.NEGATED)
        assert note.statistics.uncertain_entities == uncertain


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("no possible DM", "DM", "NEGATED"),  # a denial right before a doubt
        ("? DM ruled out", "DM", "NEGATED"),  # the verdict stands behind
        ("cough - no DM", "DM", "NEGATED"),  # one "no", behind a mark
        ("cannot rule out DM", "DM", "POSSIBLE"),  # "rule out" and "not" inside a longer phrase
        ("risk of possible DM", "DM", "HYPOTHETICAL"),
    ],
)
def test_overlapping_cues(text, name, wanted):
    assert assert_spans(text, [disease(text, name)])[0].status == wanted


def test_a_relative_ends_where_a_clause_of_the_patient_begins():
    text = "No h/o DM, father had MI, allergic to penicillin"
    spans = [disease(text, "DM"), disease(text, "MI"), treatment(text, "penicillin")]
    found = [(str(each.status), str(each.experiencer)) for each in assert_spans(text, spans)]
    assert found == [("NEGATED", "PATIENT"), ("PRESENT", "FAMILY"), ("ALLERGY", "PATIENT")]


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("DM diagnosed 10 yrs back, on metformin.", ("CURRENT", "CURRENT")),
        ("HTN detected 4 yrs back, on telmisartan", ("CURRENT", "CURRENT")),
        ("Diagnosed with asthma 5 years ago", ("CURRENT",)),
        ("Started on amlodipine 2 months ago", ("CURRENT",)),
        ("Metformin was started 3 yrs back", ("CURRENT",)),
        ("Restarted metformin 1 month back", ("CURRENT",)),
        ("Past history: asthma diagnosed 5 yrs back", ("CURRENT",)),
        ("stroke 2 yrs ago, on aspirin 75 mg OD", ("HISTORICAL", "CURRENT")),
        ("H/o stroke 5 yrs back, now on aspirin", ("HISTORICAL", "CURRENT")),
        ("TB diagnosed 10 yrs back, treated with ATT for 6 months", ("HISTORICAL", "HISTORICAL")),
        ("DVT 2019, on warfarin till 2020", ("HISTORICAL", "HISTORICAL")),
        ("Started on amlodipine 2 months ago, stopped by self", ("HISTORICAL",)),
        ("TB 10 yrs back", ("HISTORICAL",)),
        ("Took aspirin 3 days ago", ("HISTORICAL",)),
    ],
)
def test_when_it_began_is_not_when_it_ended(text, times):
    diseases = ("DM", "HTN", "asthma", "stroke", "TB", "DVT")
    treatments = ("metformin", "Metformin", "telmisartan", "amlodipine", "aspirin", "ATT", "warfarin")
    spans = [disease(text, name) for name in diseases if name in text]
    spans += [treatment(text, name) for name in treatments if name in text]
    found = read_spans(text, spans)
    assert tuple(str(each.time) for each in found.assertions) == times
    kinds = {("CURRENT",): "TREATS", ("HISTORICAL",): "TREATED"}
    assert [str(relation.type) for relation in found.relations] == ([kinds[times[1:]]] if len(times) == 2 else [])


def test_whose_it_is_goes_before_that_it_is_there():
    text = "Sister ko asthma hai."
    (found,) = assert_spans(text, [disease(text, "asthma")])
    assert (found.experiencer, text[found.cue_start : found.cue_end]) == (Experiencer.FAMILY, "Sister")


def test_the_year_of_an_operation_ends_no_disease():
    text = "IHD s/p PTCA 2019"
    found = assert_spans(text, [disease(text, "IHD"), treatment(text, "PTCA")])
    assert [one.time for one in found] == [Time.CURRENT, Time.HISTORICAL]


def test_a_worried_relative_has_not_the_disease():
    text = "Mother worried about autism."
    assert assert_spans(text, [disease(text, "autism")])[0][:3] == (
        Status.HYPOTHETICAL,
        Time.CURRENT,
        Experiencer.PATIENT,
    )


@pytest.mark.parametrize(
    ("text", "name", "wanted"),
    [
        ("To continue telmisartan 40 mg.", "telmisartan", {"strength": "40 mg"}),
        ("Syp Crocin 5 ml.", "Crocin", {"form": "syrup", "dose": "5 ml"}),
        (
            "Plt 60k. Inj ceftriaxone BD",
            "ceftriaxone",
            {"form": "injection", "frequency": 2, "period": 1, "period_unit": "d"},
        ),
        ("Stopped glycomet 1 month back", "glycomet", {}),
        ("Last took dolo 2 hours ago", "dolo", {}),
        ("Glycomet GP2 BD", "Glycomet", {"frequency": 2, "period": 1, "period_unit": "d"}),
        ("s/p PTCA to LAD, EF 40%", "PTCA", {}),
    ],
)
def test_a_full_stop_and_a_date_are_no_part_of_a_prescription(text, name, wanted):
    (found,) = read_spans(text, [treatment(text, name)]).prescriptions
    assert {key: value for key, value in (found._asdict() if found else {}).items() if value is not None} == wanted
