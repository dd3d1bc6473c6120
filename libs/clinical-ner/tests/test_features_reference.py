"""The native word features against an independent reference in plain Python."""

from __future__ import annotations

import unicodedata

import pytest
from clinical_ner.config import Conjunction, TrainingConfig
from clinical_ner.features import FeatureExtractor, extractor_tables
from clinical_ner.morphology import AFFIXES
from clinical_ner.native import GROUPS, library
from clinical_ner.tokens import token_arrays, tokenise
from clinical_ner.word_classes import built_in_classes
from hypothesis import given, settings
from hypothesis import strategies as st

SPACE, UPPER, LOWER, LETTER, DIGIT, PUNCTUATION, SYMBOL, OTHER = range(8)
MINE = {"typhoid": ("infectious", "fever"), "cystectomy": ("surgery",), "biopsy": ("test",)}
HERE = [name for name in GROUPS if name not in {"bag", "edge"}]
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            "fever Fever T2DM 500mg 0.5 1-0-1 2/7 biopsies non-typhoid typhoids hepatitis cardiomyopathy metformin-based "
            "anti-inflammatory x IL-2 2019 120/80 12,000 H ÉTÉ straße ǅ 3rd 5mcg/ml a--b aaaaaaaa".split()
        ),
        max_size=8,
    ).map(" ".join),
    st.integers(45, 120).map(lambda n: "".join(chr(97 + i * 7 % 26) for i in range(n))),
)


def kind_of(character):
    return library().cn_class_of(ord(character))


def lower(character):
    small = character.lower()
    return small if len(small) == 1 else character


class Word:
    """A word as the features see it."""

    def __init__(self, text):
        seen = text if len(text) <= 48 else text[:24] + text[-24:]
        self.raw = "".join("\ufffd" if kind_of(c) in {OTHER, SPACE} else c for c in seen)
        self.kinds = [kind_of(c) for c in seen]
        self.low = "".join(lower(c) for c in self.raw)

    def count(self, kind):
        return self.kinds.count(kind)


def shape(word):
    marks = {UPPER: "X", LOWER: "x", LETTER: "a", DIGIT: "9"}
    return "".join(marks.get(kind, c) for kind, c in zip(word.kinds, word.raw, strict=True))


def squeeze(text):
    return "".join(c for i, c in enumerate(text) if i == 0 or text[i - 1] != c)


def affix(word, kind):
    fits = [
        (len(letters), letters, name)
        for side, letters, name in AFFIXES
        if side == kind
        and len(letters) < len(word.low)
        and (word.low.endswith(letters) if kind == "S" else word.low.startswith(letters))
    ]
    return max(fits, key=lambda fit: fit[0], default=None)


def table():
    merged = {}
    for source in (built_in_classes(), MINE):
        for name, classes in source.items():
            merged.setdefault(name.lower(), set()).update(classes)
    return {name: sorted(classes) for name, classes in merged.items()}


def classes(word, known):
    def entry(text):
        forms = [text]
        if len(text) >= 4 and text.endswith("s"):
            forms.append(text[:-1])
            if text.endswith("es"):
                forms.append(text[:-2])
                if text.endswith("ies"):
                    forms.append(text[:-3] + "y")
        return next((known[form] for form in forms if form in known), None)

    if (found := entry(word.low)) is not None:
        return found
    at = word.low.rfind("-", 1, len(word.low) - 1)
    found = entry(word.low[at + 1 :]) if at > 0 else None
    return [f"-{name}" for name in found or []]


def kind(word, found):
    if found:
        return "".join(f"+{each}" for each in found)[1:]
    suffix = affix(word, "S")
    if suffix and suffix[0] > 2:
        return f"{suffix[2]}~{suffix[1]}"
    if word.kinds[0] == DIGIT:
        return "0"
    return word.low if len(word.low) <= 3 else f"~{word.low[-2:]}"


def patterns(word):
    digits, upper, small = word.count(DIGIT), word.count(UPPER), word.count(LOWER)
    size = len(word.raw)
    if digits:
        head = 0
        while head < size and (word.kinds[head] == DIGIT or (head and word.raw[head] == ".")):
            head += 1
        unit = word.low[head:]
        if digits == size:
            yield "num4" if digits == 4 else "num" if digits < 4 else "numlong"
        elif head and unit and all(each in {UPPER, LOWER} for each in word.kinds[head:]):
            yield f"unit:{unit[:6]}"
            yield "dose"
        elif digits + word.count(PUNCTUATION) + word.count(SYMBOL) == size:
            yield (
                "ratio"
                if "/" in word.raw
                else "schedule"
                if "-" in word.raw
                else "decimal"
                if "." in word.raw or "," in word.raw
                else "numeric"
            )
        else:
            yield "mixed"
        yield "digit"
    letters = upper + small + word.count(LETTER)
    if not letters:
        yield "noletter"
    elif upper == letters:
        yield "initial" if letters == 1 else "allcaps"
    elif upper == 1 and word.kinds[0] == UPPER:
        yield "capital"
    elif upper:
        yield "mixedcase"
    if size > 1:
        for mark, name in (("-", "hyphen"), ("/", "slash"), (".", "dot")):
            if mark in word.raw:
                yield name


def reference(text, known):
    word = Word(text)
    size = len(word.raw)
    features = ["b", f"w={word.raw}", f"l={word.low}"]
    for n in range(1, min(6, size) + 1):
        features += [f"p{n}={word.low[:n]}", f"s{n}={word.low[-n:]}"]
    if size <= 6:
        features.append(f"S={shape(word)}")
    features.append(f"z={squeeze(shape(word))}")
    for side, first, second in (("S", "ms", "me"), ("P", "mp", "ma")):
        if found := affix(word, side):
            features += [f"{first}={found[2]}", f"{second}={found[1]}"]
    marked = f"^{word.low}$"
    for n in (3, 4, 5):
        features += [f"g{n}={gram}" for gram in {marked[i : i + n] for i in range(len(marked) - n + 1)}]
    features += [f"d={name}" for name in patterns(word)]
    found = classes(word, known)
    features += [f"c={name}" for name in found]
    features.append(f"k={kind(word, found)}")
    cuts = [i for i in range(1, size - 1) if word.raw[i] in "-/"]
    if cuts:
        features += [f"h0={word.low[: cuts[0]]}", f"h1={word.low[cuts[-1] + 1 :]}"]
    features.append(f"n={min(size, 16):02}")
    return features


@pytest.fixture(scope="module")
def known():
    return table()


@pytest.fixture(scope="module")
def extractor():
    config = TrainingConfig(groups=dict.fromkeys(HERE, (0,)), conjunctions=(), bag_value=0.0)
    return FeatureExtractor(extractor_tables(config, MINE))


@settings(max_examples=300)
@given(text=TEXTS)
def test_word_features_are_those_of_the_reference(extractor, known, text):
    arrays = token_arrays(text)
    found = extractor.attributes(arrays.points, arrays.starts, arrays.ends)
    for token, attributes in zip(tokenise(text), found, strict=True):
        expected = sorted(f"0 {feature}" for feature in reference(token.text, known))
        assert sorted(attributes) == expected


def test_windows_edges_conjunctions_and_bag():
    config = TrainingConfig(
        groups={"bias": (0,), "lower": (-2, 1), "edge": (-2, -1, 1)},
        conjunctions=(Conjunction("suffix2", -1, "lower", 0),),
        bag_value=0.5,
    )
    arrays = token_arrays("The fever THE")
    first, second, third = FeatureExtractor(extractor_tables(config)).attributes(
        arrays.points, arrays.starts, arrays.ends
    )
    bag = ["~ a=the", "~ a=fever"]
    assert first == ["-2 BOS", "-1 BOS", "0 b", "1 l=fever", "&0 BOS l=the", *bag]
    assert second == ["-2 BOS", "0 b", "1 l=the", "&0 s2=he l=fever", *bag]
    assert third == ["-2 l=the", "0 b", "1 EOS", "&0 s2=er l=the", *bag]


def test_keys_come_back_from_strings():
    config = TrainingConfig()
    extractor = FeatureExtractor(extractor_tables(config))
    keys, slots = extractor.keys(
        ["0 l=fever", "-1 l=fever", "~ a=fever", "&0 s3=the s3=ver", "9 l=x", "nonsense", "&99 a b"]
    )
    assert keys[0] == keys[1] != keys[2]
    assert slots.tolist() == [2, 1, 5, -1, -1000, -1000, -1000]


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="the tables are of Unicode 14")
def test_the_frozen_tables_are_unicode_14():
    native = library()
    for point in range(0, 0x110000, 7):
        character = chr(point)
        category = unicodedata.category(character)
        expected = {"Lu": UPPER, "Lt": UPPER, "Ll": LOWER}.get(
            category, {"L": LETTER, "M": LETTER, "N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}.get(category[0], OTHER)
        )
        if character.isspace():
            expected = SPACE
        elif character in "\u200c\u200d":
            expected = LETTER
        assert native.cn_class_of(point) == expected, hex(point)
        assert native.cn_lower_of(point) == ord(lower(character)), hex(point)
