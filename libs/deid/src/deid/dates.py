"""Dates in the forms that people write, what they mean, and the same form for another day."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING

from deid.spans import Kind, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_NAMED = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)(?![a-z])"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:1[89]\d\d|20\d\d)"
_SEP = r"[/.\u2010-\u2015-]"
_ORDINAL = (
    r"(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth"
    r"|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|(?:twenty|thirty)[- ](?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|thirtieth)"
)
_UNIT = r"(?!\s{0,2}(?:mg|mcg|ml|gm?|iu|units?|u|tabs?|caps?|%|kg|cm|mm|times|doses?|days?|weeks?|months?|years?|hours?|hrs?|patients?)\b)"
_NAMED_DATES = re.compile(
    rf"(?<![\w/.])(?<!\d[-])(?:{_DAY}(?:\s?(?:st|nd|rd|th))?\s?(?:to|and|&|{_SEP})\s?)?"
    rf"(?:{_DAY}(?:\s?(?:st|nd|rd|th))?|{_ORDINAL})[\s,/.\u2010-\u2015-]{{0,4}}(?:day\s)?(?:of\s{{1,3}}|the\s)?{_NAMED}"
    rf"(?:[\s,./'\u2019\u2010-\u2015-]{{0,5}}(?:{_YEAR}|['\u2019]?\d\d(?!\d|[:.]\d|\s?(?:[ap]\.?m|{_SEP}\d|mg|ml|%)))(?!\d))?"
    rf"|(?<!\w){_NAMED}[\s.,/\u2010-\u2015-]{{0,4}}{_DAY}(?:\s?(?:st|nd|rd|th))?(?:\s?(?:to|and|&|[\u2010-\u2015-])\s?{_DAY}(?:st|nd|rd|th)?)?(?![\d])(?:[\s,./'\u2019\u2010-\u2015-]{{1,5}}{_YEAR}(?!\d)|,?\s?['\u2019]\d\d(?!\d))?"
    rf"|(?<!\w){_NAMED}[\s,./'\u2019\u2010-\u2015-]{{0,4}}(?:of\s)?{_YEAR}(?!\d)"
    rf"|(?<!\w){_NAMED}\s?['\u2019\u2010-\u2015-]\s?\d\d(?!\d|:\d)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    rf"(?<![\w/.\u2010-\u2015-])(?:\d{{1,2}}(\s?{_SEP}\s?)\d{{1,2}}\1(?:{_YEAR}|\d\d)|{_YEAR}(\s?{_SEP}\s?)\d{{1,2}}\2\d{{1,2}}"
    rf"|\d{{1,2}}(?:{_SEP}|\s)(?:viii|vii|vi|iv|v|ix|xii|xi|x|iii|ii|i)(?:{_SEP}|\s)(?:{_YEAR}|\d\d)"
    rf"|\d\d \d\d {_YEAR}|(?:0?[1-9]|1[0-2])/{_YEAR}|{_YEAR}/(?:0[1-9]|1[0-2])"
    rf"|(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?![\d/]|[.\u2010-\u2015-]\d)(?![a-su-z])",
    re.IGNORECASE,
)
_CUED = re.compile(
    rf"\b(?:d\.?o\.?[abds]|lmp|edd|edc|dob|date|dated?|dt|born|admitted|adm|discharged|operated|expired|since|from|till|until|visit|review(?:ed)?|f/?u|follow[- ]?up|seen|on|by|next)"
    rf"(?:\s(?:on|date|is|from))?[\s:.=\u2010-\u2015-]{{1,4}}(?:({_DAY}/(?:0?[1-9]|1[0-2]))(?![\d/%]|[.-]\d|\s?(?:mg|days?|weeks?|wks?|tabs?|power|eyes?|of|cases|patients))|(\d{{8}}|\d{{6}})(?!\w))",
    re.IGNORECASE,
)
_CUED_VALUE = re.compile(r"\d/\d|\d{6}")
_MONTH = re.compile(r"(?<![a-z])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
_AROUND = 48
"""No date is longer, on either side of its month."""
_STRONG = re.compile(r"(?:d\.?o\.?[abds]|lmp|edd|edc|dob|date|dated|dt|born)\b", re.IGNORECASE)
_DOSE_BEFORE = re.compile(
    r"(?:insulin|mixtard|actrapid|lantus|novo\w{0,8}|huminsulin|insugen|wosulin|humalog|ryzodeg|units?|mg|tab|cap|inj)\b"
    r"(?:[\s\d/.:,%()-]|mg|units?|iu|s/?c|sub ?cut|at|a){0,12}$",
    re.IGNORECASE,
)
_DOSE_AFTER = re.compile(r"\s{0,2}(?:u|iu|units?|mg|ml)\b", re.IGNORECASE)
_DURATIONS = (7, 12, 52)
_PART = re.compile(r"\d+|[a-z]+", re.IGNORECASE)
_A_YEAR = 2001


def find_dates(text: str) -> Iterator[Span]:
    """Yield dates of which at least a day and a month, or a month and a year, are written."""
    for match in _NUMBERED.finditer(text):
        if _numbers_a_day(match[0]) and not _is_dose(text, match):
            yield Span(*match.span(), Kind.DATE)
    for month in _MONTH.finditer(text):
        start, end = max(0, month.start() - _AROUND), min(len(text), month.end() + _AROUND)
        for match in _NAMED_DATES.finditer(text, start, end):
            if _is_named_date(text, match):
                yield Span(*match.span(), Kind.DATE)
    if _CUED_VALUE.search(text):
        for match in _CUED.finditer(text):
            if _is_cued_date(match):
                yield Span(*match.span(match.lastindex or 0), Kind.DATE)


def _is_dose(text: str, match: re.Match[str]) -> bool:
    """Whether "10-8-12" is three doses of a day: no year is written in full, and what stands around speaks of drugs."""
    if re.search(r"\d{4}|/|\D0[1-9]", match[0]):
        return False
    before = text[max(0, match.start() - 40) : match.start()]
    return bool(_DOSE_AFTER.match(text, match.end())) or ("-" in match[0] and bool(_DOSE_BEFORE.search(before)))


def _numbers_a_day(written: str) -> bool:
    parts = _PART.findall(written)
    if len(parts) == 1:
        return True
    numbers = [_ROMAN.index(part.lower()) + 1 if part.isalpha() else int(part) for part in parts]
    if len(numbers) == 2:
        return True
    first, second, last = numbers
    if first > 31:
        return second <= 12 and 1 <= last <= 31 and second >= 1
    return 1 <= first <= 31 and 1 <= second <= 31 and min(first, second) <= 12


def _is_named_date(text: str, match: re.Match[str]) -> bool:
    """Whether a month is meant: "may" in lower case is mostly no month, and "Mar 10 mg" is a dose."""
    written = match[0]
    if re.search(_YEAR, written):
        return True
    if re.search(r"\bmay\b", written) or re.match(_UNIT, text[match.end() : match.end() + 12]) is None:
        return bool(re.search(r"\d(?:st|nd|rd|th)\s(?:of\s)?may\b", written))
    if re.search(r"\b(?:mar|dec|sep|oct|nov|jan|feb|apr|jun|jul|aug)\b", written) and re.match(r"\d", written) is None:
        return bool(re.match(r"[a-z]{3}[\s.-]", written, re.IGNORECASE)) or "'" in written
    return True


def _is_cued_date(match: re.Match[str]) -> bool:
    strong = bool(_STRONG.match(match[0]))
    if match[2]:
        return strong and _digits_a_day(match[2])
    day, month = map(int, match[1].split("/"))
    return strong or (day > 12 and month not in _DURATIONS)


def _digits_a_day(digits: str) -> bool:
    first, second = int(digits[:2]), int(digits[2:4])
    return (1 <= first <= 31 and 1 <= second <= 12) or digits.startswith(("19", "20"))


# --- the same form for another day ---


def shifted(written: str, days: int) -> str | None:
    """Return a date as many days later in the form in which it is written; None where its day cannot be told.

    Where day and month could be either, the day is read first, as in India.
    """
    parts = list(_PART.finditer(written))
    roles = _roles(parts)
    if roles is None:
        return None
    day, month, year = (roles.get(name) for name in ("day", "month", "year"))
    then = _date_of(parts, roles)
    if then is None or month is None:
        return None
    try:
        moved = then + timedelta(days=days)
    except OverflowError:
        return None
    out, end = "", 0
    for place, part in enumerate(parts):
        out += written[end : part.start()]
        end = part.end()
        if place == day:
            out += _like_number(part[0], moved.day) if part[0][0] == "0" or _is_all_numbers(written) else str(moved.day)
        elif place == month:
            out += _like_month(part[0], moved.month, full=" " in written)
        elif place == year:
            out += _like_number(part[0], moved.year % 100 if len(part[0]) == 2 else moved.year)
        elif day is not None and place == day + 1 and part[0].lower() in {"st", "nd", "rd", "th"}:
            out += _suffix(moved.day, part[0])
        else:
            out += part[0]
    return out + written[end:]


def _is_all_numbers(written: str) -> bool:
    return not any(map(str.isalpha, written))


def _roles(parts: list[re.Match[str]]) -> dict[str, int] | None:
    """Which part is day, month and year."""
    numbers = [place for place, part in enumerate(parts) if part[0].isdecimal()]
    named = [place for place, part in enumerate(parts) if _month_number(part[0])]
    if len(named) == 1:
        return _roles_beside(parts, numbers, named[0])
    if len(numbers) != len(parts) or len(numbers) not in (2, 3):
        return None
    values = [int(part[0]) for part in parts]
    if len(values) == 2:
        if len(parts[0][0]) == 4:
            return {"year": 0, "month": 1}
        return {"month": 0, "year": 1} if len(parts[1][0]) == 4 else {"day": 0, "month": 1}
    if len(parts[0][0]) == 4:
        return {"year": 0, "month": 1, "day": 2}
    return {"month": 0, "day": 1, "year": 2} if values[1] > 12 else {"day": 0, "month": 1, "year": 2}


def _roles_beside(parts: list[re.Match[str]], numbers: list[int], month: int) -> dict[str, int] | None:
    before, after = [n for n in numbers if n < month], [n for n in numbers if n > month]
    others = [p[0].lower() for i, p in enumerate(parts) if i not in numbers and i != month]
    if set(others) - {"st", "nd", "rd", "th", "of", "the", "day"} or len(numbers) > 2 or not numbers:
        return None
    if before:
        return {"day": before[0], "month": month} | ({"year": after[0]} if after else {})
    if len(after) == 2:
        return {"month": month, "day": after[0], "year": after[1]}
    is_year = len(parts[after[0]][0]) == 4 or "'" in parts[0].string or "-" in parts[0].string
    return {"month": month, "year" if is_year else "day": after[0]}


def _month_number(word: str) -> int:
    lowered = word.lower()
    if lowered in _ROMAN:
        return _ROMAN.index(lowered) + 1
    if len(lowered) < 3 or not lowered.isalpha():
        return 0
    return next(
        (
            number
            for number, name in enumerate(_MONTHS, 1)
            if name.startswith(lowered) or lowered == "sept"[: len(lowered)] == name[:4]
        ),
        0,
    )


def _date_of(parts: list[re.Match[str]], roles: dict[str, int]) -> date | None:
    def number(name: str, default: int) -> int:
        return int(parts[roles[name]][0]) if name in roles else default

    month = parts[roles["month"]][0]
    year = number("year", _A_YEAR)
    year += (2000 if year < 40 else 1900) if year < 100 else 0
    try:
        return date(year, _month_number(month) or int(month), number("day", 15))
    except ValueError:
        return None


def _like_number(written: str, number: int) -> str:
    return f"{number:0{len(written)}}" if len(written) > 1 else str(number)


def _like_month(written: str, month: int, *, full: bool) -> str:
    """A month as `written`; "May" is long and short at once, and `full` decides."""
    if written.isdecimal():
        return _like_number(written, month)
    lowered = written.lower()
    if lowered in _ROMAN:
        name = _ROMAN[month - 1]
    else:
        name = _MONTHS[month - 1] if lowered in _MONTHS and (full or lowered != "may") else _MONTHS[month - 1][:3]
    return name.upper() if written.isupper() else name.capitalize() if written[0].isupper() else name


def _suffix(day: int, like: str) -> str:
    suffix = "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return suffix.upper() if like.isupper() else suffix
