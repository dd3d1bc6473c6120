"""Write unicode_tables.h: the character classes and simple lower-case forms the tokeniser and the features use.

They are frozen in a file, not asked of the interpreter, because a model trained under one Unicode version must
see the same classes when another serves it. Run with Python 3.11 (Unicode 14): `python generate_unicode.py`.
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

SPACE, UPPER, LOWER, LETTER, DIGIT, PUNCTUATION, SYMBOL, OTHER = range(8)
JOINERS = {0x200C, 0x200D}  # they stand inside Indic words


def class_of(code_point: int) -> int:
    """The class of one code point, from its general category."""
    character = chr(code_point)
    category = unicodedata.category(character)
    if character.isspace():
        return SPACE
    if category in {"Lu", "Lt"}:
        return UPPER
    if category == "Ll":
        return LOWER
    if category[0] in "LM" or code_point in JOINERS:
        return LETTER
    return {"N": DIGIT, "P": PUNCTUATION, "S": SYMBOL}.get(category[0], OTHER)


def class_runs() -> list[int]:
    """Runs of one class, each as (first code point << 3 | class)."""
    runs: list[int] = []
    previous = -1
    for code_point in range(sys.maxunicode + 1):
        current = class_of(code_point)
        if current != previous:
            runs.append(code_point << 3 | current)
            previous = current
    return runs


def lower_pairs() -> list[tuple[int, int]]:
    """Code points beyond ASCII whose lower case is another single code point."""
    pairs = []
    for code_point in range(128, sys.maxunicode + 1):
        lower = chr(code_point).lower()
        if len(lower) == 1 and ord(lower) != code_point:
            pairs.append((code_point, ord(lower)))
    return pairs


def rows(numbers: list[str]) -> str:
    """Numbers joined in lines of at most 118 characters."""
    lines = [""]
    for number in numbers:
        if len(lines[-1]) + len(number) > 116:
            lines.append("")
        lines[-1] += number + ","
    return "\n".join(lines)


def main() -> None:
    """Write the header beside this file."""
    runs, pairs = class_runs(), lower_pairs()
    text = (
        f"/* Written by generate_unicode.py from Unicode {unicodedata.unidata_version}. Do not edit. */\n"
        f"static const uint32_t CLASS_RUNS[{len(runs)}] = {{\n{rows([str(run) for run in runs])}\n}};\n"
        f"static const uint32_t LOWER_PAIRS[{len(pairs)}][2] = {{\n"
        f"{rows([f'{{{upper},{lower}}}' for upper, lower in pairs])}\n}};\n"
    )
    Path(__file__).with_name("unicode_tables.h").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main()
