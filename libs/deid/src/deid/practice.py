"""Synthetic notes with names and addresses marked: what the tagger of names practises on.

Half of the names come from the lists and half are put together from pieces, so that what is learnt is how a name looks
and where it stands, not which names there are.
"""

from __future__ import annotations

import random
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from clinical_ner.notes import AnnotatedNote, Label, Span
from corpus.generator import Style, generate
from corpus.lexicon import diseases, treatments

from deid import word_lists
from deid.word_lists import word_tuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME, ADDRESS = Label.DISEASE, Label.TREATMENT
"""The CRF knows two classes by these labels; this model's are names and addresses."""

_SLOT = re.compile(r"\{(\w+)\}")
_NOTHING = "O: "
_SUBJECT = re.compile(
    r"(?<![A-Za-z] )\b(?:[Tt]he patient|[Tt]his patient|Our patient|He|She|he|she|(?:Mr|Mrs|Ms|Master)\. [A-Z][a-z]+)\b"
)
_LOWER, _UPPER = 0.14, 0.26
_LISTED = 0.5
_LINES_A_NOTE = 3

_HEADS = word_tuple(
    "Chandra Venkat Jay Vij Raj Har Om Shri Sri Dev Nar Sur Mah Bal Gop Ram Krish Lakh Mani Nag Pad Ris Sat Tej "
    "Ud Yog Am Ab An Ar Ash Bh Chit Dh Div Gan Hem Ind Jag Kam Kav Lal Mad Nav Nir Par Prab Pra Roh San Shan Son "
    "Sub Suj Tan Vas Vim Far Nas Sha Zub Mus Riz Imt Kha Yas Gul Meh Kos Zor Jas Gur Sukh Man Kul Bhag Thiru "
    "Muru Sel Kath Pon Chell Vel Kup Per Mar Jos Ros Fran Ser Bek Tor Wil Ed Lin Kar Ston Bry Hal"
)
_MIDDLES = ("", "", "", "en", "i", "a", "an", "esh", "it", "ul", "ar", "al", "av", "ind", "u")
_MALE_ENDS = word_tuple(
    "esh endra kumar nath deep preet jit appa anna swamy ullah uddin ur raj pal bir inder ant ansh ik in van vel "
    "yan mani das dev veer ay al ok man son ton bert ert"
)
_FEMALE_ENDS = word_tuple(
    "amma ini ika ita lata wati vathi devi bai mala shri priya isha ani a i ya na la mathi ben een isa ina ette line"
)
_FAMILY_ENDS = word_tuple(
    "wal kar war iya ani lal das wala kari puri palli gaddi mukhi dar ekar nkar al it lia ria sena raj rao reddy "
    "ath adi oti uri illa eti ana asamy athan nathan ar appan eri ath ade are ore ude ale ole ule ford ley well "
    "man son er ski ez"
)
_TITLES_INSIDE = ("Bhai", "Ben", "Lal", "Kumar", "Kumari", "Devi", "Singh", "Bai", "Chandra", "Nath", "Prasad", "Ram")
_SHORT = ("Mohd", "Mohd.", "Md", "Md.", "Sk", "Sk.", "Syed", "Ch.")
_SYMPTOMS = word_tuple(
    "fever;cough;loose stools;vomiting;headache;giddiness;breathlessness;chest pain;abdominal pain;"
    "burning micturition;knee pain;low backache;itching;rash;swelling of feet;weight loss;loss of appetite;cold;"
    "sore throat;ear discharge;blurred vision;tingling numbness;palpitations;constipation;acidity;cramps;"
    "joint pains;weakness;anxiety;bleeding pv",
    between=";",
)
_ROLES = word_tuple(
    "dietitian;dietician;physiotherapist;nurse;sister;staff nurse;resident;intern;surgeon;anaesthetist;"
    "counsellor;social worker;pharmacist;technician;husband;wife;son;daughter;mother;father;brother;uncle;aunt;"
    "cousin;nephew;niece;grandson;grandmother;neighbour;friend;colleague;employer;daughter-in-law;son-in-law;"
    "mother-in-law;caretaker;attendant;patient;lady;gentleman;child;boy;girl;driver;teacher;farmer;officer;"
    "constable;lawyer",
    between=";",
)
_DOSES = word_tuple(
    "500 mg BD;1-0-1;OD;1 tab HS;10 ml TDS;40 mg;SOS;BD x 5 days;0-0-1;1 g IV;5 mg OD;twice daily;2 puffs;650 mg",
    between=";",
)
_HOSPITALS = word_tuple(
    "Hospital;Nursing Home;Clinic;Multispeciality Hospital;Medical College;Medical Centre;"
    "Super Speciality Hospital;Memorial Hospital;Eye Hospital;Maternity Home;Polyclinic",
    between=";",
)
_ROADS = word_tuple(
    "Road;Rd;Street;St;Lane;Marg;Gali;Chowk;Nagar;Colony;Vihar;Enclave;Layout;Extension;Cross;Main Road;Bagh;"
    "Ganj;Path;Circle;Society;Park;Zila;Bazar;Mohalla;Avenue;Puram;Peth;Wadi;Garden;Estate;Salai;Theru;Block;"
    "Phase 2;Sector 4;Chawl",
    between=";",
)
_STATES = word_tuple(
    "Bihar;Kerala;Maharashtra;Tamil Nadu;Uttar Pradesh;UP;MP;Karnataka;Gujarat;West Bengal;Punjab;Telangana;Odisha",
    between=";",
)


def practice(seed: int, notes: int) -> tuple[list[AnnotatedNote], frozenset[str]]:
    """Return `notes` synthetic notes, and the names of the lists that were drawn as if they were not in them.

    Spans of NAME are names of people, spans of ADDRESS postal addresses.
    """
    writer = _Writer(random.Random(seed))
    made = [writer.note(number) for number in range(notes)]
    told = [writer.named(note.text) for note in generate(seed, notes // 2, Style.DISCHARGE)]
    return [*made, *told, *_without_names(seed, notes // 2)], writer.unlisted


def _without_names(seed: int, notes: int) -> list[AnnotatedNote]:
    """Notes of the corpus in which nothing is to be found."""
    half = notes // 2
    plain = [*generate(seed, half, Style.ABSTRACT), *generate(seed, half, Style.PRESCRIPTION)]
    return [AnnotatedNote(_cased(note.text, random.Random(index)), ()) for index, note in enumerate(plain)]


@cache
def _lines() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Templates with something to find, and without."""
    text = (files("deid") / "data" / "practice.txt").read_text(encoding="utf-8")
    lines = [line.replace("\\n", "\n").replace("\\t", "\t") for line in text.splitlines() if line and line[0] != "#"]
    found = tuple(line for line in lines if not line.startswith(_NOTHING))
    return found, tuple(line.removeprefix(_NOTHING) for line in lines if line.startswith(_NOTHING))


def _cased(text: str, chance: random.Random) -> str:
    """The text in another case, where that keeps its length."""
    share = chance.random()
    other = text.lower() if share < _LOWER else text.upper() if share < _UPPER else text
    return other if len(other) == len(text) else text


class _Writer:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._names = word_lists.names()
        self._diseases = [form for name in diseases() for form in name.forms]
        self._treatments = [form for name in treatments() for form in name.forms]
        self.unlisted = frozenset(name for kind in self._names for name in kind if chance.random() < 1 - _LISTED)
        self._marked: dict[str, tuple[Callable[[], str], Label]] = {
            "N": (self._full, NAME), "G": (self._given, NAME), "F": (self._family, NAME), "DR": (self._doctor, NAME),
            "A": (self._address, ADDRESS),
        }  # fmt: skip
        self._plain: dict[str, Callable[[], str]] = {
            "C": self._town, "D": lambda: chance.choice(self._diseases), "T": lambda: chance.choice(self._treatments),
            "S": lambda: chance.choice(_SYMPTOMS), "H": self._hospital, "age": lambda: str(chance.randint(1, 89)),
            "sex": lambda: chance.choice(("M", "F", "male", "female", "Male", "Female", "lady", "boy", "girl", "man")),
            "date": self._date, "phone": lambda: f"{chance.randint(6, 9)}{chance.randint(10**8, 10**9 - 1)}",
            "id": lambda: f"{chance.choice(('', 'IP', 'OP/', 'UH'))}{chance.randint(1000, 9999999)}",
            "R": lambda: chance.choice((str.lower, str.capitalize))(chance.choice(_ROLES)), "n": lambda: str(chance.randint(1, 30)), "dose": lambda: chance.choice(_DOSES),
        }  # fmt: skip

    def note(self, number: int) -> AnnotatedNote:
        found, nothing = _lines()
        text, spans = "", list[Span]()
        for _ in range(self._chance.randint(1, _LINES_A_NOTE)):
            template = self._chance.choice(found if self._chance.random() < 0.62 else nothing)
            if text:
                text += self._chance.choice(("\n", "\n", ". ", " ", "\n\n"))
            text = self._fill(template, text, spans)
        return AnnotatedNote(_cased(text, self._chance), tuple(spans), note_id=f"practice-{number}")

    def _fill(self, template: str, text: str, spans: list[Span]) -> str:
        end = 0
        for slot in _SLOT.finditer(template):
            text += template[end : slot.start()]
            end = slot.end()
            if slot[1] in self._plain:
                text += self._plain[slot[1]]()
                continue
            make, label = self._marked[slot[1]]
            words = make()
            spans.append(Span(len(text), len(text) + len(words), label))
            text += words
        return text + template[end:]

    def named(self, text: str) -> AnnotatedNote:
        """A note of the corpus with a name wherever a sentence begins with its patient."""
        spans: list[Span] = []
        out, end = "", 0
        name = self._full()
        for match in _SUBJECT.finditer(text):
            titled = "." in match[0]
            if not titled and self._chance.random() < 0.4:
                continue
            words = self._family() if titled else self._chance.choice((name, self._full(), self._given()))
            out += text[end : match.start()] + (f"{match[0].split()[0]} " if titled else "")
            spans.append(Span(len(out), len(out) + len(words), NAME))
            out, end = out + words, match.end()
        return AnnotatedNote(_cased(out + text[end:], self._chance), tuple(spans))

    # --- people ---

    def _given(self) -> str:
        if self._chance.random() < 0.65:
            return self._chance.choice(self._chance.choice((self._names.male, self._names.female)))
        return self._made(self._chance.choice((_MALE_ENDS, _FEMALE_ENDS)))

    def _family(self) -> str:
        if self._chance.random() < 0.65:
            return self._chance.choice(self._names.family)
        made = self._made(_FAMILY_ENDS)
        return self._chance.choice(("D'", "O'", "Mc", "De ")) + made if self._chance.random() < 0.05 else made

    def _made(self, ends: Sequence[str]) -> str:
        return (self._chance.choice(_HEADS) + self._chance.choice(_MIDDLES) + self._chance.choice(ends)).capitalize()

    def _initials(self) -> str:
        stop = self._chance.choice((". ", ".", " ", ""))
        letters = self._chance.choices("ABCDEGHJKLMNPRSTUVY", k=self._chance.choice((1, 1, 2, 3)))
        return stop.join(letters) + ("." if stop.startswith(".") else "")

    def _full(self) -> str:
        c = self._chance
        forms: tuple[tuple[float, Callable[[], str]], ...] = (
            (44, lambda: f"{self._given()} {self._family()}"),
            (8, lambda: f"{self._given()} {self._given()} {self._family()}"),
            (6, lambda: f"{self._given()} {c.choice(_TITLES_INSIDE)} {self._family()}"),
            (7, lambda: f"{self._given()} {c.choice(_TITLES_INSIDE)}"),
            (6, lambda: f"{self._initials()} {self._given()}"),
            (5, lambda: f"{self._given()} {self._initials()}"),
            (4, lambda: f"{self._given()} {self._initials()} {self._family()}"),
            (5, lambda: f"{c.choice(_SHORT)} {self._given()}{c.choice(('', f' {self._family()}'))}"),
            (10, self._given),
            (3, lambda: f"{self._given()} {self._family()}-{self._family()}"),
            (2, lambda: f"{self._given()} {self._given()} {self._given()} {self._family()}"),
        )
        return c.choices([form for _, form in forms], [weight for weight, _ in forms])[0]()

    def _doctor(self) -> str:
        c = self._chance
        forms: tuple[Callable[[], str], ...] = (
            lambda: f"{self._given()} {self._family()}", lambda: f"{self._given()} {self._family()}", self._family,
            self._given, lambda: f"{self._initials()} {self._family()}", lambda: f"{self._given()} {self._initials()}",
            lambda: f"{self._initials()} {self._given()} {self._family()}",
        )  # fmt: skip
        return c.choice(forms)()

    # --- places ---

    def _town(self) -> str:
        places = word_lists.places()
        return self._chance.choice(places) if self._chance.random() < 0.75 else self._made(_FAMILY_ENDS)

    def _hospital(self) -> str:
        c = self._chance
        first = c.choice(
            (self._family, self._given, self._town, lambda: "City", lambda: "Apollo", lambda: "Life Care")
        )()
        return f"{first} {c.choice(_HOSPITALS)}"

    def _date(self) -> str:
        day, month, year = self._chance.randint(1, 28), self._chance.randint(1, 12), self._chance.randint(1950, 2026)
        return self._chance.choice(
            (f"{day:02}/{month:02}/{year}", f"{day}-{month}-{year % 100:02}", f"{day}.{month}.{year}")
        )

    def _house(self) -> str:
        c, n = self._chance, self._chance.randint(1, 999)
        return c.choice((
            f"{n}", f"{n}", f"#{n}", f"H.No. {n}", f"H.No {n}/{n % 9 + 1}", f"H No {n}", f"House No. {n}", f"Flat {n}",
            f"Flat No. {n}", f"Plot No {n}", f"D.No. {n}-{n % 50}", f"Door No {n}", f"{c.choice('ABCDE')}-{n}",
            f"{n % 90}/{n}", f"{c.choice('ABCD')}-{n % 60}, {self._family()} Apartments", f"Qtr No {n}", f"Ward No {n % 40}",
            f"{n}, {self._family()} Heights", f"Shop No {n % 60}", f"{n}, {n % 12}th Cross", f"{n}, {n % 9}rd floor", f"No. {n}", f"No {n}/{n % 7}",
        ))  # fmt: skip

    def _street(self) -> str:
        c = self._chance
        name = c.choice(
            (self._family, self._given, self._town, lambda: "MG", lambda: "Station", lambda: "Gandhi", lambda: "Nehru")
        )()
        return f"{name} {c.choice(_ROADS)}"

    def _pin(self) -> str:
        c = self._chance
        pin = f"{c.randint(1, 8)}{c.randint(0, 99999):05}"
        written = c.choice((pin, pin, f"{pin[:3]} {pin[3:]}"))
        return c.choice(
            (f"-{written}", f" - {written}", f" {written}", f", {written}", f" PIN {written}", f" Pin: {written}", "")
        )

    def _address(self) -> str:
        c, comma = self._chance, self._chance.choice((", ", ", ", ", ", " ", ",\n", ","))
        kind = c.random()
        if kind < 0.25:
            village = c.choice(("Vill", "Village", "Vill.", "At", "VPO", "At/PO", "Gram"))
            parts = [f"{village} {self._town()}"]
            parts += [f"PO {self._town()}"] * c.randint(0, 1) + [f"PS {self._town()}"] * c.randint(0, 1)
            parts += [f"{c.choice(('Tehsil', 'Taluk', 'Tal.', 'Mandal', 'Block'))} {self._town()}"] * c.randint(0, 1)
            parts += [f"{c.choice(('Dist', 'Dist.', 'District', 'Distt'))} {self._town()}"] * c.randint(0, 1)
            parts += [c.choice(_STATES)] * c.randint(0, 1)
            return comma.join(parts) + self._pin()
        if kind < 0.32:
            return c.choice((self._town(), f"{self._town()}, {self._town()}", f"{self._town()}, {c.choice(_STATES)}"))
        parts = [self._house()] * (c.random() < 0.85) + [self._street() for _ in range(c.randint(1, 2))]
        near = (
            c.choice(("Near", "Opp", "Opp.", "Behind", "nr"))
            + " "
            + c.choice(("Temple", "Bus Stand", "SBI", "Water Tank", "School", "bus stand", "temple", "post office"))
        )
        parts += (
            [near] * (c.random() < 0.2) + [self._town()] * (c.random() < 0.9) + [c.choice(_STATES)] * (c.random() < 0.2)
        )
        return comma.join(parts) + self._pin()
