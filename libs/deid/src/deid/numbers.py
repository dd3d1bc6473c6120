"""Numbers and codes that identify: by their form, their check digit, or the words in front of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deid.checksums import verhoeff_holds
from deid.spans import Kind, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every repetition is bounded, so that no text makes them slow.
_DASH = r"\-\u2010-\u2015"
_GAP = rf"[ \xa0.{_DASH}]{{1,2}}"
_FREE = r"(?<![\w.])"
_NO_MORE = r"(?![\w]|[.,]\d)"

_URL = re.compile(r"(?<!\w)(?:https?://|www\.)[^\s<>\"']{3,300}", re.IGNORECASE)
_MAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,18}|(abdm|sbx|ndhm|abha)|ybl|ibl|axl|upi|paytm|apl|ok[a-z]{3,12})(?![\w@])",
    re.IGNORECASE,
)
_AT_WORDS = re.compile(r"(?<!\w)[\w.+-]{2,40} ?[\[(](?:at|@)[\])] ?[\w-]{2,40} ?[\[(]dot[\])] ?\w{2,10}", re.IGNORECASE)
_ABHA = re.compile(rf"(?<![\w.{_DASH}])\d{{2}}(?:{_GAP})?\d{{4}}(?:{_GAP})?\d{{4}}(?:{_GAP})?\d{{4}}(?![\w{_DASH}])")
_TWELVE = re.compile(rf"(?<![\w.{_DASH}+])\d{{4}}({_GAP})?\d{{4}}(?:{_GAP})?\d{{4}}(?![\w{_DASH}])")
_AADHAAR_CUE = re.compile(
    rf"(?:a{{1,2}}dh?a{{1,2}}r|uidai|uid)(?:\s{{0,2}}(?:card|no|number|num|id|#)\b\.?){{0,2}}[\s:.=#{_DASH}]{{0,5}}(?:is\s)?"
    rf"((?:[\dxX*]{{4}}[ {_DASH}]{{0,2}}){{2}}\d{{4}})(?!\w)",
    re.IGNORECASE,
)
_MASKED = re.compile(rf"(?<!\w)(?:[xX*]{{4}}[ {_DASH}]?){{2}}\d{{4}}(?!\w)")
_PAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z](?![A-Za-z0-9])", re.IGNORECASE)
_PAN_CUE = re.compile(
    r"\bpan(?:\s{0,2}(?:card|no|number)\b\.?){0,2}[\s:.=#-]{0,4}([A-Z]{5}\d{4}[A-Z])(?!\w)", re.IGNORECASE
)
_STATES = (
    "AP|AR|AS|BR|CG|CH|DD|DL|DN|GA|GJ|HP|HR|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY|RJ|SK|TN|TR|TS|TG|UK|UP|WB"
)
_VEHICLE = re.compile(
    rf"(?<![\w])(?:(?:{_STATES})[ {_DASH}]?\d{{1,2}}[ {_DASH}]?[A-Z]{{1,3}}[ {_DASH}]?\d{{4}}|\d\d[ -]?BH[ -]?\d{{4}}[ -]?[A-Z]{{1,2}})(?!\w)"
)

_MOBILE = (
    rf"(?:\d{{10}}|\d{{5}}{_GAP}\d{{5}}|\d{{3}}{_GAP}\d{{3}}{_GAP}\d{{4}}|\d{{4}}{_GAP}\d{{3}}{_GAP}\d{{3}}|\d{{4}}{_GAP}\d{{6}}"
    rf"|\d{{2}}{_GAP}\d{{4}}{_GAP}\d{{4}}|\d{{3}}{_GAP}\d{{4}}{_GAP}\d{{3}}|\d{{4}}{_GAP}\d{{2}}{_GAP}\d{{4}}|\d{{2}}{_GAP}\d{{8}}"
    rf"|\d{{6}}{_GAP}\d{{4}}|\d{{3}}{_GAP}\d{{7}}|\d{{4}}{_GAP}\d{{2}}{_GAP}\d{{2}}{_GAP}\d{{2}}|\d{{5}}{_GAP}\d{{2}}{_GAP}\d{{3}}|\d{{5}}{_GAP}\d{{3}}{_GAP}\d{{2}})"
)
_PHONES = re.compile(
    rf"(?<![\d.@])(?<![\d][{_DASH}/])(?<![A-Za-z]{{2}}[{_DASH}])(?:"
    rf"\(?(?:\+|\b00)\s?\d{{1,3}}\)?[ \xa0.{_DASH}]{{0,3}}(?:\(0\)\s?)?\(?\d(?:[ \xa0().{_DASH}]{{0,2}}\d){{6,12}}"  # +91 ..., +1 ...
    rf"|(?<!\w)\(?91\)?[ {_DASH}]{{0,3}}(?=[6-9]){_MOBILE}"
    rf"|(?<!\w)0?[ {_DASH}]?(?=[6-9]){_MOBILE}"
    rf"|(?<!\w)\(?0\d{{2,4}}\)?[ {_DASH}]{{0,3}}(?:\d{{6,8}}|\d{{3,4}}{_GAP}\d{{3,4}}|\d{{2}}{_GAP}\d{{2}}{_GAP}\d{{2}})"  # landline
    rf"|(?<!\w)\(\d{{2,4}}\)[ {_DASH}]{{0,3}}(?:\d{{6,8}}|\d{{3,4}}{_GAP}\d{{4}})"
    rf"|(?<!\w)(?:\d{{2}}[{_DASH}]\d{{8}}|\d{{3}}[{_DASH}]\d{{7}}|\d{{4}}[{_DASH}]\d{{6}}|\d{{2}}[{_DASH}]\d{{4}}[ {_DASH}]\d{{4}})"
    rf"|(?<!\w)1[89]00[ {_DASH}]?\d{{2,4}}[ {_DASH}]?\d{{3,4}}"
    rf")(?!\w|[{_DASH}]\d|\.\d)"
)
_PHONE_CUE = re.compile(
    r"(?:\b(?:ph(?:one)?|mob(?:ile)?|cell|tel(?:e?phone)?|contact|call(?:ed)?|whats\s?app|helpline|landline|fax|emergency|sms)"
    r"(?:\s{0,2}(?:no|nos|number|num|#|on|at|line)\b\.?){0,2}|[\u260e\U0001f4de\U0001f4f1])[\s:.=(#@-]{0,5}(?=[+\d(])"
    rf"(\+?\(?\d(?:[ \xa0(){_DASH}]{{0,2}}\d){{5,13}}(?:\s?/\s?\d(?:[ {_DASH}]?\d){{1,12}})?)(?!\w|[.,]\d)",
    re.IGNORECASE,
)

_VALUE = r"((?:[A-Z]{1,6}[ ./\\-]{1,2})?[A-Z0-9](?:[A-Z0-9/\\_.-]{0,24}[A-Z0-9])?)(?![A-Z0-9])"
_IS = rf"[\s:.=#({_DASH}]{{0,5}}(?:is\s|of\s)?"
_NUMBERED = r"\s{0,2}(?:\b|(?<=\.))(?:no|nos|number|num|nr|id|code|#)(?![a-z])\.?"
_HOSPITAL_CUE = re.compile(
    r"\b(?:(?:uhid|mrn|mrd|crn|nikshay|umr|hrn)(?:" + _NUMBERED + r")?"
    r"|(?:uhid|mrn|mrd|mr|i\.?p\.?d?|o\.?p\.?d?|reg(?:istration|istered|n|d)?\.?|c\.?r\.?|hosp(?:ital)?\.?|patient|pt\.?|case|file"
    r"|admission|adm\.?|bill|invoice|receipt|lab|sample|specimen|accession|acc\.?|barcode|encounter|visit|episode|emergency|er|mlc|unique|health"
    r"|study|slide|biopsy|hpe|path(?:ology)?|x-?ray|report|ref(?:erence)?\.?|serial|s\.?|employee|emp\.?|staff|student|roll|medical council|mci"
    r"|record|chart|card|donor|bag|certificate|nikshay|identity|identification|personal|file|unit record|health record)(?:\s(?:reg(?:istration)?\.?|record|card))?" + _NUMBERED + ")" + _IS + _VALUE,
    re.IGNORECASE,
)  # fmt: skip
_HOSPITAL_GLUED = re.compile(
    r"(?<![\w/-])(?:UHID|MRN|MRD|CRN|UMR|IPD?|OPD?|KMC|MMC|MCI|TNMC|DMC)[ :/#-]{0,2}((?=[\w/-]{0,12}\d{3})[A-Z0-9]*\d[A-Z0-9]*(?:[/-][A-Z0-9]{1,12}){0,4})(?!\w)"
)
_SERIES = re.compile(
    r"(?<![\w/-])[A-Z]{2,8}[/-](?:[A-Z]{1,6}[/-])?(?:(?:19|20)?\d\d[/-]\d{3,10}|\d{3,10}[/-](?:19|20)\d\d)(?!\w)"
)
_POLICY_CUE = re.compile(
    r"\b(?:policy|insurance|claim|tpa|member(?:ship)?|pm-?jay|ayushman(?:\sbharat)?|cghs|echs|esic?|scheme|voter|epic|passport|driving"
    r"|d\.?l\.?|licen[cs]e|ration|account|a/c|bank|ifsc|upi|beneficiary|golden|health\scard|abha|abdm|pension|ppo|gst)"
    r"(?:\s(?:policy|card|licen[cs]e|account|health|claim))?(?:"
    + _NUMBERED
    + "|"
    + r"\s{0,2}(?:card|#)(?![a-z])|(?=\s?[:#]))"
    + _IS
    + _VALUE,
    re.IGNORECASE,
)
_EPIC = re.compile(r"(?<![A-Za-z0-9])[A-Z]{3}\d{7}(?![A-Za-z0-9])")
_LONG = re.compile(r"(?<![\w.,/])\d{9,30}(?![\w]|[.,]\d)")
_AGE = re.compile(
    r"(?<![\w./-])(9\d|1[01]\d|12[0-5])\+?(?=[ -]{0,2}(?:y(?:ea)?rs?\b|y\b|y[/.]o|yo\b|years?|[/ -]{0,2}(?:m|f|male|female)\b(?!\s?/)))"
    r"|\b(?:age(?:d)?|umar)(?:\s?/\s?sex)?[\s:.=-]{1,4}(9\d|1[01]\d|12[0-5])(?![\d.,/%-])"
    r"|(?<![\w./-])(9\d|1[01]\d)(?=(?:M|F)\b)|\b((?:ninety|hundred)(?:[- ](?:and[- ])?(?:one|two|three|four|five|six|seven|eight|nine))?)(?=[- ]years?\b)",
    re.IGNORECASE,
)
_MIN_ID_DIGITS = 3
_ROUND = "00000"


# What must stand in a text before a slower pattern is worth trying.
_DIGIT = re.compile(r"\d")
_FOUR_DIGITS = re.compile(r"\d{4}")
_SIX_DIGITS = re.compile(rf"\d(?:[ \xa0().{_DASH}]{{0,2}}\d){{5}}")
_NINE_DIGITS = re.compile(rf"\d(?:[ \xa0().{_DASH}]{{0,3}}\d){{8,40}}")
_NUMBER_WORD = re.compile(r"[\s.](?:nos?|num|number|nr|id|code)(?![a-z])|#|^id", re.IGNORECASE)
_POLICY_WORDS = (
    *("polic", "insur", "claim", "tpa", "member", "jay", "ayushman", "cghs", "echs", "esi", "scheme", "voter", "epic"),
    *(
        "passport",
        "driving",
        "dl",
        "d.l",
        "licen",
        "ration",
        "account",
        "a/c",
        "bank",
        "ifsc",
        "upi",
        "benef",
        "golden",
    ),
    *("card", "abha", "abdm", "pension", "ppo", "gst"),
)
_OWN_CUES = ("uhid", "mrn", "mrd", "crn", "umr", "hrn", "nikshay")
_OLD = re.compile(r"(?<!\d)(?:9\d|1[012]\d)(?!\d)|ninety|hundred", re.IGNORECASE)
_AROUND = 8


def find_numbers(text: str) -> Iterator[Span]:
    """Yield all but dates; spans may overlap, the order of `Kind` decides."""
    lowered = text.lower()
    yield from _web(text, lowered)
    if _OLD.search(text):
        for match in _AGE.finditer(text):
            yield Span(*match.span(match.lastindex or 0), Kind.AGE)
    if _DIGIT.search(text):
        yield from _identity_numbers(text, lowered)
        yield from _hospital(text, lowered)
        yield from _long_numbers(text)


def _web(text: str, lowered: str) -> Iterator[Span]:
    if "@" in text or "(at)" in lowered or "[at]" in lowered:
        for match in _MAIL.finditer(text):
            yield Span(*match.span(), Kind.ABHA if match[1] else Kind.EMAIL)
        for match in _AT_WORDS.finditer(text):
            yield Span(*match.span(), Kind.EMAIL)
    if "://" in text or "www." in lowered:
        for match in _URL.finditer(text):
            yield Span(match.start(), match.start() + len(match[0].rstrip(".,;:)")), Kind.URL)


def _identity_numbers(text: str, lowered: str) -> Iterator[Span]:
    tried: list[tuple[re.Pattern[str], Kind]] = []
    if _FOUR_DIGITS.search(text):
        tried += [(_PAN, Kind.PAN), (_VEHICLE, Kind.VEHICLE), (_EPIC, Kind.POLICY)]
        tried += [(_PAN_CUE, Kind.PAN)] * ("pan" in lowered)
        tried += [(_MASKED, Kind.AADHAAR)] * ("xxxx" in lowered or "****" in text)
        tried += [(_AADHAAR_CUE, Kind.AADHAAR)] * ("adh" in lowered or "uid" in lowered)
    for pattern, kind in tried:
        for match in pattern.finditer(text):
            yield Span(*match.span(match.lastindex or 0), kind)


def _hospital(text: str, lowered: str) -> Iterator[Span]:
    tried: list[tuple[re.Pattern[str], Kind]] = []
    if any(cue in lowered for cue in _OWN_CUES) or _NUMBER_WORD.search(text):
        tried.append((_HOSPITAL_CUE, Kind.HOSPITAL_ID))
    if any(word in lowered for word in _POLICY_WORDS):
        tried.append((_POLICY_CUE, Kind.POLICY))
    for pattern, kind in tried:
        for match in pattern.finditer(text):
            if _count(match[1]) >= _MIN_ID_DIGITS:
                yield Span(*match.span(1), kind)
    for pattern in (_HOSPITAL_GLUED, _SERIES):
        for match in pattern.finditer(text):
            yield Span(*match.span(match.lastindex or 0), Kind.HOSPITAL_ID)


def _long_numbers(text: str) -> Iterator[Span]:
    """Yield telephone, Aadhaar and ABHA numbers, and long numbers that nothing explains."""
    if not _SIX_DIGITS.search(text):
        return
    for match in _PHONE_CUE.finditer(text):
        if _count(match[1]) >= 6:
            yield Span(*match.span(1), Kind.PHONE)
    for run in _NINE_DIGITS.finditer(text):
        start, end = max(0, run.start() - _AROUND), min(len(text), run.end() + _AROUND)
        yield from (Span(*match.span(), Kind.ABHA) for match in _ABHA.finditer(text, start, end))
        yield from _twelve(text, start, end)
        yield from _phones(text, start, end)
        for match in _LONG.finditer(text, start, end):
            if not match[0].endswith(_ROUND):
                yield Span(*match.span(), Kind.NUMBER)


def _twelve(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _TWELVE.finditer(text, start, end):
        if verhoeff_holds("".join(filter(str.isdigit, match[0]))):
            yield Span(*match.span(), Kind.AADHAAR)
        elif match[1]:
            yield Span(*match.span(), Kind.NUMBER)


def _phones(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _PHONES.finditer(text, start, end):
        if 10 <= _count(match[0]) <= 15:
            alone = match[0].startswith("(") and ")" not in match[0]  # the bracket is not its own
            yield Span(match.start() + alone, match.end(), Kind.PHONE)


def _count(written: str) -> int:
    return sum(map(str.isdigit, written))
