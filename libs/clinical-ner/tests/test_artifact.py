"""A damaged model file is refused with one line, never read and never a crash."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from clinical_ner.artifact import dump, load, sealed
from clinical_ner.clusters import WordClusters
from clinical_ner.notes import Label
from clinical_ner.rescoring import fitted, untrained
from clinical_ner.tagger import ArtifactRefused, Tagger

TEXT = "K/c/o typhoid fever on chemotherapy BD."


def rewritten(data: bytes, change) -> bytes:
    """The file with its parts changed and its own digests made right again: only the bounds can notice."""
    arrays = dict(np.load(io.BytesIO(data), allow_pickle=False))
    metadata = json.loads(arrays.pop("metadata").tobytes())
    change(arrays, metadata)
    metadata["sha256"] = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    out = io.BytesIO()
    np.savez(out, **arrays, metadata=np.frombuffer(json.dumps(metadata).encode(), np.uint8))
    return sealed(out.getvalue())


@pytest.fixture(scope="module")
def full(model) -> bytes:
    """The model with every part filled: clusters, names and trees."""
    tables = load(model.tables)
    rng = np.random.default_rng(0)
    columns = rng.random((400, 41)).astype(np.float32)
    names = {Label.DISEASE: ["typhoid fever"], Label.TREATMENT: ["dialysis"]}
    rescorer = fitted(untrained(names), columns, columns[:, 3] > rng.random(400), 0)
    clusters = WordClusters(np.arange(1, 10, dtype=np.uint64), np.ones((9, 3), np.uint16))
    return dump(replace(tables, rescorer=rescorer, extractor=replace(tables.extractor, clusters=clusters)))


def test_it_comes_back_as_it_was(model, full):
    assert dump(load(model.tables)) == model.tables
    assert dump(load(full)) == full
    assert Tagger.open(full).tag([TEXT])


def test_the_digest_decides(model):
    assert Tagger.open(model.tables, sha256=model.sha256).tag([TEXT])[0].entities
    with pytest.raises(ArtifactRefused, match="sha256"):
        Tagger.open(model.tables, sha256="0" * 64)


def test_every_truncation_is_refused(model):
    size = len(model.tables)
    cuts = {*range(min(size, 400)), *range(0, size, max(1, size // 300)), *range(size - 400, size)}
    for cut in sorted(cuts):
        with pytest.raises(ArtifactRefused):
            load(model.tables[:cut], model.sha256)
        with pytest.raises(ArtifactRefused):
            load(model.tables[:cut])


def test_a_flipped_bit_anywhere_is_refused_in_one_line(model):
    rng = random.Random(4)
    size = len(model.tables)
    places = [rng.randrange(size) for _ in range(60)] + [*range(30), *range(size - 130, size)]
    for place in places:
        damaged = bytearray(model.tables)
        damaged[place] ^= 1 << rng.randrange(8)
        for sha256 in (model.sha256, None):
            with pytest.raises(ArtifactRefused) as refused:
                load(bytes(damaged), sha256)
            assert "\n" not in str(refused.value)


def test_a_folder_without_its_crfsuite_file_or_with_anothers_is_refused(model, tmp_path):
    files = model.save(tmp_path)
    assert Tagger.open(tmp_path).tag([TEXT])
    right = files.crfsuite.read_bytes()
    files.crfsuite.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    with pytest.raises(ArtifactRefused, match="not of the model beside it"):
        Tagger.open(tmp_path)
    files.crfsuite.unlink()
    with pytest.raises(ArtifactRefused, match=r"holds no model\.crfsuite"):
        Tagger.open(tmp_path)
    assert Tagger.open(files.tables).tag([TEXT])  # the tables alone are a whole model for services


def set_part(name, value):
    def change(arrays, metadata):
        arrays[name] = np.asarray(value(arrays[name]))

    return change


def set_key(name, value):
    def change(arrays, metadata):
        metadata[name] = value

    return change


def drop_last(array):
    return array[:-1]


@pytest.mark.parametrize(
    "change",
    [
        set_key("features_version", 99),
        set_key("format", "something else"),
        set_key("format_version", 3),
        set_key("crf_labels", ["O", "DISEASE.in", "PERSON.in", "TREATMENT.in", "TREATMENT.last"]),
        set_key("crf_labels", ["O", "DISEASE.in"]),
        set_key("crf_labels", ["O"] * 5),
        set_key("crf_labels", []),
        set_key("crf_labels", 7),
        set_key("scheme", "upside-down"),
        set_key("window", 5),
        set_key("window", -1),
        set_key("window", 1),
        set_key("window", "2"),
        set_key("cache_words", 10**12),
        set_key("cache_words", 1),
        set_key("calibration", {"curves": {"note": {"raw": [0, 0], "calibrated": [0, 1]}}}),
        set_key("calibration", {"curves": {"note": {"raw": [0, 1], "calibrated": [0, 5]}}}),
        set_key("calibration", {"curves": {"note": {"raw": [0, "x"], "calibrated": [0, 1]}}}),
        set_key("calibration", None),
        set_part("feature_weights", lambda a: np.where(np.arange(len(a)) == 3, np.nan, a)),
        set_part("feature_weights", lambda a: a * 1e9),
        set_part("feature_weights", drop_last),
        set_part("feature_weights", lambda a: a.astype(np.float32)),
        set_part("feature_weights", lambda a: a.reshape(1, -1)),
        set_part("feature_cells", lambda a: a + np.uint16(40)),
        set_part("feature_starts", lambda a: a[::-1].copy()),
        set_part("feature_starts", lambda a: a + np.int32(1)),
        set_part("feature_keys", drop_last),
        set_part("pair_rows", lambda a: a[:, :-1].copy()),
        set_part("pair_keys", drop_last),
        set_part("conjunctions", lambda a: a + np.int32(50)),
        set_part("conjunctions", lambda a: np.repeat(a, 20, 0)),
        set_part("masks", drop_last),
        set_part("masks", lambda a: a | np.uint32(1 << 31)),
        set_part("class_ids", lambda a: a + np.int32(10_000)),
        set_part("class_starts", lambda a: -a),
        set_part("class_names", lambda a: np.frombuffer(b"x" * 500, np.uint8)),
        set_part("affixes", lambda a: np.frombuffer(b"S " + b"y" * 300 + b" z", np.uint8)),
        set_part("transitions", lambda a: a[:-1].copy()),
        set_part("transitions", lambda a: a * np.inf),
        set_part("known_characters", lambda a: a + np.uint32(0x110000)),
        set_part("cluster_keys", lambda a: np.arange(1, 4, dtype=np.uint64)),
        set_part("cluster_numbers", lambda a: np.zeros((0, 9), np.uint16)),
        set_part("tree_columns", lambda a: a - np.int32(1)),
        set_part("tree_columns", lambda a: a + np.int32(40)),
        set_part("tree_columns", lambda a: a[:, :-1].copy()),
        set_part("tree_thresholds", lambda a: a * np.float32(np.nan)),
        set_part("tree_masks", lambda a: a + np.int32(256)),
        set_part("tree_leaves", lambda a: a * 1e9),
        set_part("tree_leaves", drop_last),
        set_part("name_flags", lambda a: np.zeros(1, np.uint8)),
        set_part("rescorer_numbers", drop_last),
        set_part("rescorer_numbers", lambda a: a[:0]),
        set_part("rescorer_numbers", lambda a: a * np.array([1, 0, 1])),
        set_part("rescorer_numbers", lambda a: a * np.array([1, 1, -1])),
    ],
)
def test_what_is_out_of_bounds_is_refused_even_with_right_digests(full, change):
    with pytest.raises(ArtifactRefused) as refusal:
        Tagger.open(rewritten(full, change))
    assert "\n" not in str(refusal.value)


def test_a_file_of_the_format_before_still_loads_and_tags_as_it_did(model, composed):
    """Format 1: no clusters, no rescorer, one feature group less."""
    new = {"cluster_keys", "cluster_numbers", "tree_columns", "tree_thresholds", "tree_masks", "tree_leaves"}
    new |= {"name_keys", "name_flags", "rescorer_numbers"}

    def change(arrays, metadata):
        for name in new:
            del arrays[name]
        arrays["masks"] = arrays["masks"][:-1]
        metadata["format_version"] = 1

    older = Tagger.open(rewritten(model.tables, change))
    best_labelling = Tagger(replace(load(model.tables), rescorer=None))
    texts = [note.text for note in composed(40, seed=11)]
    assert older.tag(texts) == best_labelling.tag(texts)
    assert sum(len(note.entities) for note in older.tag(texts)) > 20


def test_a_lack_of_memory_is_no_fault_of_the_file(model, monkeypatch):
    def starved(*_):
        raise MemoryError

    monkeypatch.setattr(zipfile.ZipFile, "read", starved)
    with pytest.raises(MemoryError):
        Tagger.open(model.tables)


def test_a_header_nested_too_deeply_is_a_fault_of_the_file(model):
    """Python's parser tells it by a MemoryError, which is no lack of memory."""
    header = b"-" * 9_000 + b"1"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model.tables)) as given, zipfile.ZipFile(out, "w") as changed:
        for name in given.namelist():
            if name != "masks.npy":
                changed.writestr(name, given.read(name))
        changed.writestr("masks.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(ArtifactRefused, match="masks"):
        Tagger.open(sealed(out.getvalue()))


def test_an_untouched_rewrite_is_accepted(model):
    rewrite = rewritten(model.tables, lambda arrays, metadata: None)
    assert Tagger.open(rewrite).tag([TEXT]) == Tagger.open(model.tables).tag([TEXT])


def test_an_absurd_size_is_refused_before_memory_is_taken(model):
    header = np.lib.format
    raw = io.BytesIO()
    header.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model.tables)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, raw.getvalue() if name == "feature_weights.npy" else old.read(name))
    tracemalloc.start()
    with pytest.raises(ArtifactRefused):
        load(out.getvalue())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 2**20 + 4 * len(out.getvalue())


def test_a_compressed_bomb_is_refused(model):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("metadata.npy", b"0" * 50_000_000)
    with pytest.raises(ArtifactRefused):
        load(out.getvalue())


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04" + b"\0" * 100, b"\x93NUMPY"])
def test_other_files_are_refused(data):
    with pytest.raises(ArtifactRefused):
        Tagger.open(data)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtifactRefused, match="cannot be read"):
        Tagger.open(tmp_path / "none.npz")
