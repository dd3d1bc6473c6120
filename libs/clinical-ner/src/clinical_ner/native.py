"""Loads the compiled library and says how its functions are called.

ctypes releases the interpreter's lock during each call. Arrays are passed as addresses: who calls keeps them alive.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES_VERSION = 1
GROUPS = (
    *("bias", "word", "lower"),
    *(f"prefix{size}" for size in range(1, 7)),
    *(f"suffix{size}" for size in range(1, 7)),
    *("shape", "short_shape", "morphology", "grams3", "grams4", "grams5"),
    *("pattern", "classes", "kind", "parts", "length", "bag", "edge", "clusters"),
)
NO_SLOT = -1000
MAX_WINDOW = 4
MAX_CONJUNCTIONS = 24
MAX_LABELS = 16


class Result(ctypes.Structure):
    """What `cn_tag` hands back: addresses of arrays that live until the model's next call."""

    _fields_ = (
        ("n_entities", ctypes.c_int64),
        ("entities", ctypes.c_void_p),
        ("confidences", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
        ("note_scores", ctypes.c_void_p),
    )


class MeaningResult(ctypes.Structure):
    """What `cn_read` hands back, and what a model that reads has read: addresses that live until the next call."""

    _fields_ = (
        ("n_assertions", ctypes.c_int64),
        ("assertions", ctypes.c_void_p),
        ("n_relations", ctypes.c_int64),
        ("relations", ctypes.c_void_p),
        ("n_prescriptions", ctypes.c_int64),
        ("prescriptions", ctypes.c_void_p),
        ("n_text", ctypes.c_int64),
        ("texts", ctypes.c_void_p),
    )


class Neighbours(ctypes.Structure):
    """What stands beside each word of a text: addresses of arrays (see native/clinical_ner.h)."""

    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in ("right_starts", "left_starts", "counts", "right", "right_counts", "left", "left_counts")
    )


class DescentSettings(ctypes.Structure):
    """How the weights descend."""

    _fields_ = (
        ("average_from", ctypes.c_int32),
        ("n_variants", ctypes.c_int32),
        ("c2", ctypes.c_double),
        ("delay", ctypes.c_double),
        ("dropout", ctypes.c_double),
        ("seed", ctypes.c_uint64),
    )


class RescorerAddresses(ctypes.Structure):
    """The tables of a rescorer, which are copied (see native/clinical_ner.h)."""

    _fields_ = (
        ("labels", ctypes.c_int32 * 8),
        ("n_trees", ctypes.c_int32),
        ("least", ctypes.c_double),
        ("threshold", ctypes.c_double),
        ("base", ctypes.c_double),
        ("columns", ctypes.c_void_p),
        ("masks", ctypes.c_void_p),
        ("thresholds", ctypes.c_void_p),
        ("leaves", ctypes.c_void_p),
        ("n_names", ctypes.c_int64),
        ("name_keys", ctypes.c_void_p),
        ("name_flags", ctypes.c_void_p),
    )


_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "cn_init": (None, []),
    "cn_features_version": (ctypes.c_int, []),
    "cn_use_avx2": (ctypes.c_int, [ctypes.c_int]),
    "cn_class_of": (ctypes.c_uint8, [ctypes.c_uint32]),
    "cn_lower_of": (ctypes.c_uint32, [ctypes.c_uint32]),
    "cn_word_key": (ctypes.c_uint64, [_POINTER, _LONG, ctypes.c_int]),
    "cn_tokenise": (_LONG, [_POINTER, _LONG, _POINTER, _POINTER, _POINTER]),
    "cn_extractor_new": (
        _POINTER,
        [
            *(_INT, _POINTER, _POINTER, _INT, ctypes.c_char_p, _LONG, _POINTER, _LONG, _POINTER, _POINTER),
            *(ctypes.c_char_p, _LONG),
        ],
    ),
    "cn_extractor_free": (None, [_POINTER]),
    "cn_extractor_clusters": (ctypes.c_int, [_POINTER, _POINTER, _LONG, _POINTER, _INT]),
    "cn_model_rescores": (ctypes.c_int, [_POINTER, _POINTER]),
    "cn_phrase_key": (ctypes.c_uint64, [_POINTER, _POINTER, _POINTER, _LONG]),
    "cn_rescorer_columns": (_INT, []),
    "cn_candidates": (_LONG, [_POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER]),
    "cn_exchange": (_LONG, [_POINTER, _LONG, _INT, _POINTER, _INT]),
    "cn_trainer_descend": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _POINTER, _POINTER]),
    "cn_trainer_pass": (ctypes.c_int, [_POINTER, _POINTER]),
    "cn_trainer_settle": (ctypes.c_int, [_POINTER]),
    "cn_attributes": (_LONG, [_POINTER, _POINTER, _POINTER, _POINTER, _LONG, _POINTER]),
    "cn_max_members": (_INT, [_POINTER]),
    "cn_attribute_keys": (_LONG, [_POINTER, ctypes.c_char_p, _LONG, _POINTER, _POINTER, _LONG]),
    "cn_model_new": (
        _POINTER,
        [
            *(_POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER),
            *(_POINTER, _POINTER, _LONG, _POINTER, _LONG, _POINTER, _LONG, _INT),
        ],
    ),
    "cn_model_free": (None, [_POINTER]),
    "cn_tag": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _LONG, _POINTER]),
    "cn_decode": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER]),
    "cn_cached_words": (_LONG, [_POINTER]),
    "cn_reader_new": (_POINTER, [_POINTER, _POINTER, _POINTER, _LONG]),
    "cn_reader_free": (None, [_POINTER]),
    "cn_reader_prescribes": (None, [_POINTER, ctypes.c_int]),
    "cn_read": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _LONG, _POINTER, _POINTER, _POINTER]),
    "cn_model_reads": (None, [_POINTER, _POINTER]),
    "cn_pieces": (_LONG, [_POINTER, _POINTER, _LONG, _POINTER, _POINTER, _POINTER]),
    "cn_meaning_of": (MeaningResult, [_POINTER]),
    "cn_trainer_new": (_POINTER, [_POINTER, _INT, ctypes.c_double]),
    "cn_trainer_free": (None, [_POINTER]),
    "cn_trainer_add": (ctypes.c_int, [_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _LONG]),
    "cn_trainer_bar": (ctypes.c_int, [_POINTER, _POINTER, _LONG]),
    "cn_trainer_prepare": (_LONG, [_POINTER, ctypes.c_double, ctypes.c_double, ctypes.c_int, ctypes.c_int]),
    "cn_trainer_iterate": (ctypes.c_int, [_POINTER, _POINTER]),
    "cn_trainer_weights": (_POINTER, [_POINTER]),
    "cn_trainer_loss": (ctypes.c_double, [_POINTER, _POINTER, _POINTER]),
    "cn_trainer_attributes": (_LONG, [_POINTER, _POINTER, _POINTER]),
}


class NativeLibraryMissing(RuntimeError):
    """The package was installed without its compiled library."""


@cache
def library() -> ctypes.CDLL:
    """Return the compiled library, ready to call; NativeLibraryMissing if it is absent, stale or for other machines."""
    path = Path(__file__).with_name("_native") / "libclinical_ner.so"
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise NativeLibraryMissing(
            "clinical-ner's compiled library is missing or stale: build it by `pip install -e libs/clinical-ner` "
            "(needs `cc` or the ziglang wheel)"
        ) from error
    if loaded.cn_features_version() != FEATURES_VERSION:
        raise NativeLibraryMissing("clinical-ner's compiled library is of another version: build it again")
    loaded.cn_init()
    return loaded


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the text's code points, lone surrogates and NUL included; shape (len(text),)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def word_key(word: str, *, lowered: bool = True) -> int:
    """Return the 64-bit key of a word's lower case, or of the word as written, as the library computes it."""
    points = code_points(word)
    return int(library().cn_word_key(points.ctypes.data, len(points), lowered))
