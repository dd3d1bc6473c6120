"""A damaged model file is refused with one line, never read and never a crash."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
from clinical_ner.artifact import dump, load
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
    return out.getvalue()


def test_it_comes_back_as_it_was(model):
    assert dump(load(model.tables)) == model.tables


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


def test_bit_flips_are_refused_by_digest_and_harmless_without(model):
    rng = random.Random(4)
    expected = Tagger.open(model.tables).tag([TEXT])
    for _ in range(60):
        damaged = bytearray(model.tables)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        with pytest.raises(ArtifactRefused):
            load(bytes(damaged), model.sha256)
        try:
            assert Tagger.open(bytes(damaged)).tag([TEXT]) == expected
        except ArtifactRefused:
            continue


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
        set_key("format_version", 2),
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
    ],
)
def test_what_is_out_of_bounds_is_refused_even_with_right_digests(model, change):
    with pytest.raises(ArtifactRefused) as refusal:
        Tagger.open(rewritten(model.tables, change))
    assert "\n" not in str(refusal.value)


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
        Tagger.open(out.getvalue())


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
