"""The tagger: offsets, batches, odd texts, bounded memory, confidence."""

from __future__ import annotations

import gc
import itertools
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from clinical_ner.meaning import Assertion, Experiencer, Prescription, Relation, RelationType, Status, Time, joined
from clinical_ner.notes import Label
from clinical_ner.tagger import Entity, NoteStatistics, TaggedNote, Tagger
from clinical_ner.tokens import tokenise
from hypothesis import given, settings
from hypothesis import strategies as st

ODD = ["", " ", "\n\n", "\x00", "a\x00b \ud800 fever", "\udfff" * 5, "😀 HTN 😀", "x" * 100_000, "HTN " * 3_000]


@pytest.fixture(scope="module")
def tagger(model):
    return model.tagger()


def test_entities_have_the_right_offsets(tagger):
    text = "😀 K/c/o typhoid fever on radiation therapy BD. Review after 2/7."
    (note,) = tagger.tag([text])
    found = [(entity.label, text[entity.start : entity.end]) for entity in note.entities]
    assert found == [(Label.DISEASE, "typhoid fever"), (Label.TREATMENT, "radiation therapy")]
    assert note.pairs == ((1, 0),)
    assert 0 < note.confidence <= 1
    assert all(0 < entity.confidence <= 1 for entity in note.entities)


def test_statistics_count_what_they_say(tagger):
    text = "K/c/o typhoid fever with zzyzx ☃ 12345"
    statistics = tagger.tag([text])[0].statistics
    assert statistics.tokens == len(tokenise(text)) == 7
    assert statistics.oov_tokens == 1
    assert statistics.unknown_chars == sum(not _known(tagger, character) for character in text) >= 1
    assert statistics.chars == len(text)
    assert (statistics.disease_entities, statistics.disease_tokens) == (1, 2)
    assert 0 < statistics.confidence <= 1


def test_unknown_words_are_those_that_no_training_note_held(tagger):
    assert "zzyzx" in tagger.unknown_words("K/c/o typhoid fever with zzyzx")
    assert "fever" not in tagger.unknown_words("K/c/o typhoid fever with zzyzx")
    assert tagger.unknown_words("") == []


def _known(tagger, character):
    return tagger.tag([character])[0].statistics.unknown_chars == 0


def test_every_word_has_a_row_of_its_own(model):
    """Also words that look alike once their characters are packed into one number."""
    words = [
        "\0",
        "\0" * 2,
        "\0" * 9,
        "f",
        "fevr",
        "fevrfevr",
        "fevrfevrs",
        "fevr\xe9",
        "\x7f",
        "\x80",
        "r\u0166e",
        "\U0001f600",
    ]
    tagger = model.tagger()
    assert [len(tokenise(word)) for word in words] == [1] * len(words)
    for count, word in enumerate(words, start=1):
        tagger.tag([word])
        assert tagger.decoder.cached_words == count, word
    tagger.tag(words)
    assert tagger.decoder.cached_words == len(words)


@settings(max_examples=60)
@given(texts=st.lists(st.one_of(st.text(max_size=80), st.sampled_from(ODD[:7])), max_size=12), data=st.data())
def test_a_batch_is_its_notes_one_by_one(model, texts, data):
    tagger = model.tagger()
    together = tagger.tag(texts)
    assert together == [tagger.tag([text])[0] for text in texts]
    order = data.draw(st.permutations(range(len(texts))))
    assert tagger.tag([texts[i] for i in order]) == [together[i] for i in order]


@settings(max_examples=100)
@given(text=st.text(max_size=200))
def test_entities_are_inside_the_text_in_order_and_apart(model, text):
    (note,) = model.tagger().tag([text])
    at = 0
    for entity in note.entities:
        assert at <= entity.start < entity.end <= len(text)
        assert text[entity.start : entity.end].strip() == text[entity.start : entity.end]
        at = entity.end


def test_odd_texts_are_safe(tagger):
    for text, note in zip(ODD, tagger.tag(ODD), strict=True):
        assert note.statistics.chars == len(text)
        assert note == tagger.tag([text])[0]
    assert tagger.tag([]) == []


def test_a_million_characters_and_a_hundred_thousand_tokens(tagger):
    assert tagger.tag(["y" * 1_000_000])[0].statistics.tokens == 1
    assert tagger.tag(["fever and " * 50_000])[0].statistics.tokens == 100_000


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.slow
def test_a_million_new_words_do_not_grow_memory(model):
    tagger = model.tagger()
    rng = random.Random(0)

    def feed(words: int) -> None:
        for _ in range(words // 10_000):
            tagger.tag([" ".join(f"w{rng.getrandbits(60):x}" for _ in range(100)) for _ in range(100)])

    feed(200_000)
    gc.collect()
    before = resident_bytes()
    feed(1_000_000)
    gc.collect()
    assert resident_bytes() - before < 16 * 2**20
    assert tagger.decoder.cached_words <= model.metadata["cache_words"]


@pytest.mark.slow
def test_words_forgotten_and_seen_again_give_the_same(model):
    tagger = model.tagger()
    text = "The patient with dengue was treated with dialysis and improved."
    before = tagger.tag([text])
    rng = random.Random(1)
    for _ in range(20):
        tagger.tag([" ".join(f"v{rng.getrandbits(60):x}" for _ in range(100)) for _ in range(100)])
    assert tagger.tag([text]) == before


def test_threads_take_turns(model, composed):
    tagger = model.tagger()
    texts = [note.text for note in composed(100, seed=5)]
    expected = tagger.tag(texts)
    wrong = []

    def work() -> None:
        for _ in range(20):
            if tagger.tag(texts) != expected:
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_span_confidence_is_the_crf_probability_of_the_span(model):
    """Against enumeration: all labellings of a short text, weighted by the CRF."""
    from clinical_ner.artifact import load
    from clinical_ner.decoder import Decoder
    from clinical_ner.schemes import role
    from clinical_ner.tokens import token_arrays

    tables = load(model.tables)
    decoder = Decoder(tables)
    text = "No h/o dengue fever."
    arrays = token_arrays(text)
    _, marginals = decoder.marginals(arrays.points, arrays.starts, arrays.ends)
    found = decoder.decode([text])
    labels = tables.metadata["crf_labels"]
    roles = [role(tables.metadata["scheme"], label) for label in labels]
    weights = _labelling_weights(model, text, len(labels))
    total = sum(weights.values())
    assert np.allclose(
        marginals[2], [sum(w for path, w in weights.items() if path[2] == y) / total for y in range(len(labels))]
    )
    for row, confidence in zip(found.entities.tolist(), found.confidences.tolist(), strict=True):
        wanted = (row[5], row[6], row[1])
        mass = sum(w for path, w in weights.items() if wanted in _spans(path, roles)) / total
        assert confidence <= mass + 1e-9
        assert mass - confidence < 0.02  # the same span by another labelling: last, then outside


def _spans(path, roles):
    spans, first = set(), None
    for at, label in enumerate(path):
        kind = roles[label] & 3
        goes_on = first is not None and kind == roles[path[at - 1]] & 3 and not roles[path[at - 1]] & 8
        if first is not None and not goes_on:
            spans.add((first, at - 1, roles[path[at - 1]] & 3))
            first = None
        if kind and first is None:
            first = at
    if first is not None:
        spans.add((first, len(path) - 1, roles[path[-1]] & 3))
    return spans


def _labelling_weights(model, text, n_labels):
    import itertools

    from clinical_ner.config import TrainingConfig
    from clinical_ner.crf import valued
    from clinical_ner.crfsuite_file import read_weights
    from clinical_ner.features import FeatureExtractor, extractor_tables
    from clinical_ner.tokens import token_arrays

    config = TrainingConfig.from_dict(model.metadata["config"])
    extractor = FeatureExtractor(extractor_tables(config))
    arrays = token_arrays(text)
    weights = read_weights(model.crfsuite)
    names = {name: i for i, name in enumerate(weights.attributes)}
    matrix = np.zeros((len(names), n_labels))
    matrix[weights.state_attributes, weights.state_labels] = weights.state_weights
    items = valued(extractor.attributes(arrays.points, arrays.starts, arrays.ends), set(names), config.bag_value)
    scores = np.array([sum(matrix[names[a]] * value for a, value in item.items()) for item in items])
    moves = weights.transitions
    return {
        path: float(
            np.exp(
                sum(scores[t, y] for t, y in enumerate(path)) + sum(moves[a, b] for a, b in itertools.pairwise(path))
            )
        )
        for path in itertools.product(range(n_labels), repeat=len(items))
    }


def test_it_opens_from_folder_file_and_bytes(model, tmp_path):
    files = model.save(tmp_path / "m")
    assert files.sha256 == model.sha256
    assert files.crfsuite.read_bytes() == model.crfsuite
    text = ["K/c/o HTN on dialysis BD."]
    assert (
        Tagger.open(tmp_path / "m").tag(text)
        == Tagger.open(str(files.tables), sha256=files.sha256).tag(text)
        == model.tagger().tag(text)
    )


def test_canaries_are_what_the_model_says(model):
    tagger = model.tagger()
    canaries = tagger.metadata["canaries"]
    assert canaries
    for canary, note in zip(canaries, tagger.tag([c["text"] for c in canaries]), strict=True):
        assert [[e.label, e.start, e.end] for e in note.entities] == canary["entities"]


def test_columns_say_what_notes_say(model):
    tagger = model.tagger()
    frames = [
        "K/c/o typhoid fever on Tab. Metformin 500mg 1-0-1 x 5 days.",
        "No h/o dengue. Adv Syp. PCM 5 ml SOS",
        "",
        "rest",
    ]
    texts = [*frames, "? HTN; Inj. Ceftriaxone 1 g IV BD for acute bronchitis, 😀 Amlodipine 5 mg HS", *frames * 20]
    for batch in ([], *([text] for text in texts[:5]), texts):
        found = tagger.tag_columns(*joined(batch))
        assert _notes_of(found) == tagger.tag(batch)


def _notes_of(found):
    """Notes made of columns, field by field."""
    taken = found.prescriptions()
    notes = []
    for note, (first, last) in enumerate(itertools.pairwise(found.bounds.tolist())):
        entities = []
        for row in range(first, last):
            assert found.notes[row] == note
            status, time, experiencer, *cue = found.assertions[:, row].tolist()
            said = Assertion(list(Status)[status], list(Time)[time], list(Experiencer)[experiencer], *cue)
            label = (None, Label.DISEASE, Label.TREATMENT)[found.labels[row]]
            place = int(found.starts[row]), int(found.ends[row]), float(found.confidences[row])
            entities.append(Entity(label, *place, said, _prescription_of(taken, row)))
        begin, end = found.relation_bounds[note : note + 2].tolist()
        relations = tuple(
            Relation(list(RelationType)[kind], treatment, disease, sure)
            for (kind, treatment, disease), sure in zip(
                found.relations[:, begin:end].T.tolist(), found.relation_confidences[begin:end].tolist(), strict=True
            )
        )
        statistics = NoteStatistics(*found.numbers[:, note].tolist(), float(found.mean_confidences[note]))
        notes.append(TaggedNote(tuple(entities), relations, float(found.note_confidences[note]), statistics))
    return notes


def _prescription_of(taken, row):
    def value(name):
        first, second = (int(column[row]) for column in taken.fields[name])
        if second < 0:
            return None
        if name in {"frequency", "period", "duration"}:
            return first
        return bool(first) if name == "as_needed" else taken.base[first : first + second].tobytes().decode()

    if taken.present[row] < 0:
        assert all(value(name) is None for name in Prescription._fields)
        return None
    return Prescription(*map(value, Prescription._fields))
