"""Synthetic notes in styles of their own, written apart from `data/practice.txt`: the names are in none of our lists."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from deid.checksums import verhoeff_digit

MEN = (
    "Aashirvad Alagappan Anaykumar Bankim Bheeshma Chellappan Chinnadurai Debendu Dhanraj Dhruvesh Ezhilmaran Fakhruddin Gagandeep Gnanasekar Haladhar"
    " Hridaynath Iniyan Jagadananda Jnanesh Jobanpreet Kanwaljit Keerthivasan Khemchand Kripashankar Lokendra Maheswaran Mansingh Mathiyazhagan Meghnad"
    " Mizanur Nachiket Nandagopal Nedunchezhiyan Nirupam Obaidullah Oyyappan Parmatma Phanindra Poovendan Pranjal Rajyavardhan Ramakanta Rathnasabapathy"
    " Ritupan Sachidanand Sajeevan Sarvesh Shivkaran Shreyansh Somasekhar Subrahmanya Suvendu Tejinder Thangarasu Trilochan Ugrasen Vaikuntam"
    " Veerendra Vibhishan Vinayagam Wasimuddin Yadunandan Zabiullah Zorawar Tobenna Ruaridh Anselm Caspian Leopold Thorsten"
).split()
WOMEN = (
    "Abhinaya Alamelu Aloysia Ananthalakshmi Annakili Bhanupriya Bidisha Chellakkannu Chinnaponnu Debasmita Dhruvika Ezhilarasi Fatimabi Ganeshwari"
    " Gurleen Gulbadan Hasmukhi Indumukhi Jharna Jigisha Kadambari Kaikasi Kanagavalli Khatijabi Kokilavani Kunjumol Lakshitha Maakshi Machhla Malarvizhi"
    " Meenatchi Mehrunnisa Moumita Nagarathna Nallammal Navneeta Nishigandha Nurjahan Omvati Pachiammal Parneet Phoolkumari Prajwala Pushpanjali Rajlaxmi"
    " Ramkali Rinkumoni Rohida Rudrakshi Sabarmati Sakkubai Samyuktha Sarbjot Shabistan Shantabai Sharvani Shyamkali Sohaila Sonakshi Sukhmani Sumangala"
    " Swayamprabha Tarannum Thayamma Umarani Ushakiran Vaidarbhi Vetriselvi Wazira Yogamaya Zeenath Isolde Marisol Ottilie Saoirse Theodora"
).split()
FAMILIES = (
    "Achrekar Addepalli Adhyapak Akkineni Ambegaonkar Annavarapu Arakkal Bachhawat Badjatya Baghel Baitha Balakrishnapillai Bangera Bhadoria Bhattathiri Bhosekar"
    " Bishnoi Boppana Chakyar Chaurasia Chembukave Cheruvathur Chigurupati Chintalapati Choubisa Dabre Dandapani Daruwala Deshbhratar Dhanuka Dhondge"
    " Edavalath Ekka Elangbam Gamit Gandikota Gangopadhyay Gharat Golwalkar Gosavi Gurjar Hansda Hosamani Hullalli Ilaiyaraja Jadon Jalota Jarariya Jhunjhunwala"
    " Kachwaha Kadakol Kalbande Kanungo Karlekar Kattimani Kerketta Khaparde Kharkongor Khuntia Kochupurackal Koirala Kolluru Kuruppath Kyndiah Langthasa"
    " Loganayaki Madappa Mahalanobis Mallampalli Mankodi Mavelikkara Mokashi Mudaliyandan Muzumdar Nagvekar Nandedkar Nemade Ogale Paingankar Palshikar"
    " Pandithurai Pattanaik Perumbavoor Phukan Pisharody Punekar Puthenveetil Rachakonda Rajguru Rupani Sagayam Sambhwani Sarnobat Savalia Shekdar"
    " Sipahimalani Sonowal Srivatsan Sunkara Takalkar Tambat Tangirala Thekkekara Thiagarajar Tipparaju Uikey Uniyal Vajifdar Vallathol Vanjara"
    " Vettukattil Virkar Wadnerkar Yarlagadda Zantye Okonkwo Featherstone Abernathy Lindqvist Castellano"
).split()
STREETS = "Shivbazaar Kalpataru Pipalwali Anjaneya Mariamman Subedar Dharmatala Kasturchand Tilakwadi Naraingarh Hazratpur Ponniamman".split()
TOWNS = (
    "Kothagudem Jhalawar Udgir Tindivanam Chandausi Bolpur Tezu Pathanamthitta Sojat Athni Bhadohi Narsipatnam".split()
)

LINES = (
    "OPD CARD\nName of Pt : {P}\nAge : {a} yrs   Gender : {g}\nHosp. No. : {uhid}\nMobile : {ph}\nComplaints : dysuria, hesitancy\nImp: BPH\nRx Tab. Urimax 0.4 HS",
    "{P} / {a} / {g} / visited {d}\nFebrile illness ? viral. Crocin 650 tds, plenty of fluids. Recheck if not settling. - Dr {X}",
    "Handover: {P}, post-op day 2 after lap chole, drain 40 ml, passing flatus. {G} wants to speak with {X} about discharge.",
    "Thank you for sharing the care of {P} ({a}{g}) whom I met on {d}. {G} has moderate COPD, FEV1 48%. I have asked {G} to stop smoking. Yours, {X}",
    "Home visit note. {P} lives with daughter-in-law {Q} at {A}. Pressure sore stage II over sacrum. Dressing with betadine.",
    "OT list: 1. {P} - hernioplasty - Dr {X}; 2. {Q} - thyroidectomy - Dr {Y}",
    "Admission under {X} on {d} for DKA. Next of kin {Q} ({ph}).",
    "Telephonic consult with {P} on {d}: cough for 5 days, afebrile, SpO2 97% on RA. Advised steam inhalation, Ascoril 10 ml tds. Number {ph}.",
    "{P} was found to have HbA1c 9.2% and was counselled by our dietitian {Q}. Metformin raised to 1 g BD.",
    "MEDICAL CERTIFICATE\nI, Dr. {X}, hereby certify that {P}, son of {Q}, residing at {A}, suffered from enteric fever and was advised rest from {d} to {d}.",
    "Ms. {F} is a G2P1 at 32 weeks. LMP {d}. Hb 9.8. Iron sucrose planned. Husband {Q} blood group B positive.",
    "Case of {P}, a {a}-year-old retired postmaster with Parkinson's disease (Hoehn and Yahr 3). Syndopa 110 1-1-1 increased. Reviewed by {X}.",
    "Lab report\nPatient : {P}\nReferring physician : {X}\nSample received {d}\nWidal negative, MP smear negative, platelet count 150000 /cumm",
    "Aadhaar {aadhaar} / ABHA {abha} verified for {P}. PAN {pan} of the payer {Q}.",
    "Mail report to {mail}, ABHA address {abhaaddr}. {P} agrees.",
    "Bill to {P}, {A}. Policy no {pol}. TPA desk {ph2}.",
    "pt {p} {a}/{g} ko 3 din se bukhar, kal se ulti. tab emeset 4 mg, ORS. kal dikhana hai",
    "{p} w/o {q} age {a} c/o white discharge pv x 2/52, tab flagyl 400 tds x 5/7",
    "seen {p} in ward 4, wound healthy, suture removal on {d}, shift to oral augmentin",
    "dr {y} has reviewed the mri of {p}: l4-l5 disc bulge. pregabalin 75 hs",
    "{PU}, {a} YRS, {g}. K/C/O HTN, CAD S/P PTCA TO LAD. ECOSPRIN 75, CLOPILET 75 CONTINUED. NEXT VISIT {d}.",
    "REF BY : DR {XU}\nNAME : {PU}\nCOMPLAINTS : CHEST PAIN ON EXERTION",
    "When I called {Q}, the wife of {P}, she mentioned that {G} had vomited twice. No hematemesis.",
    "Ward round with {X} and {Y}. Bed 14 {P}: Crohn's disease, azathioprine 100 mg, prednisolone taper.",
    "Allergy card issued to {P}: penicillin anaphylaxis. Card no. {uhid2}.",
    "Vaccination: {P} (DOB {d}) received second dose of hepatitis B vaccine from nurse {Q}.",
    "{G}'s fever came down after paracetamol. {G} is eating well. Plan discharge tomorrow.",
    "Discussed prognosis of metastatic carcinoma with {P} and her sons {G} and {H}. They prefer palliative care.",
    "{Pc}  MRN {uhid3}  Visit: {d}\nHPI: 3 weeks of palpitations. TSH 0.01. Graves' disease suspected. Carbimazole 10 mg TDS.",
    "Elderly lady {P}, {old} years, fall at home, fracture neck of femur. Hemiarthroplasty done by {X}.",
    "Operating surgeon: {X}\nFirst assistant: {Y}\nProcedure: Whipple procedure for periampullary carcinoma\nEBL 400 ml",
    "Vehicle {veh} hit the pedestrian {P}; GCS 15, abrasions. MLC no. {uhid2}. Inj TT given.",
    "Kindly admit {P} ({g}, {a}). Provisional: acute pancreatitis, BISAP 2. Regards, {X}",
    "{P} has been on warfarin since {dm}; INR 2.4. Continue 3 mg.",
    "Photographs of {P} sent to {mail} for tele-dermatology opinion from {X} ({ph}).",
    "Address of {P}: {A}; landline {ph2}",
)
PLAIN = (
    "Tab Thyronorm 50 mcg OD empty stomach, Tab Shelcal 500 OD. Review with TSH after 6 weeks.",
    "Known case of Addison's disease with Hashimoto thyroiditis. BP 90/60, Na 128, K 5.6.",
    "Foley catheter changed. Urine culture grew Klebsiella, sensitive to Amikacin. Inj Amikacin 750 mg OD x 7/7.",
    "Kaplan-Meier survival was better with Trastuzumab than with Lapatinib (P < 0.001).",
    "Impression: Bell's palsy, House-Brackmann grade 3. Prednisolone 60 mg x 5 days, Lacrigel eye ointment HS.",
    "Insulin Mixtard 30/70 20-0-14 units before meals; FBS 142, PPBS 210.",
    "Visual acuity 6/12, 6/9. IOP 16/18. Timolol eye drops BD.",
    "O/E: Chest clear, S1 S2 normal, P/A soft. Power 4/5 in left upper limb. Babinski positive.",
    "Hodgkin lymphoma stage IIB, ABVD cycle 3 of 6. Counts: TLC 4500, platelets 210000.",
    "Adv: Low salt diet, brisk walking 30 min. Telma 40 1-0-0, Rosuvas 10 0-0-1, Ecosprin AV 75/10.",
    "Whole body PET CT shows FDG avid mediastinal nodes. Colles fracture healed. T score -2.8.",
    "Mother has diabetes, Father died of stroke. Sister healthy. Non smoker.",
    "Pap smear normal. Bartholin cyst drained. Nitrofurantoin 100 mg BD for 5 days.",
    "Wilson disease suspected: ceruloplasmin 8, KF ring present. D-penicillamine 250 mg.",
)  # fmt: skip
NAME, DATE, PHONE, ID, ADDRESS, AGE = "name", "date", "phone", "id", "address", "age"


@dataclass(frozen=True)
class Made:
    text: str
    gold: tuple[tuple[int, int, str], ...]


def notes(seed, count):
    chance = random.Random(seed)
    return [_note(chance) for _ in range(count)]


def _note(chance):
    text, gold = "", []
    for template in (chance.choice(LINES), *chance.choices(PLAIN, k=chance.randint(0, 2))):
        text += "\n" if text else ""
        people = _people(chance)
        end = 0
        for slot in re.finditer(r"\{(\w+)\}", template):
            text += template[end : slot.start()]
            end = slot.end()
            words, kind = people[slot[1]] if slot[1] in people else _other(chance, slot[1])
            if kind:
                gold.append((len(text), len(text) + len(words), kind))
            text += words
        text += template[end:]
    return Made(text, tuple(gold))


def _people(chance):
    def full():
        given = chance.choice(MEN + WOMEN)
        family = chance.choice(FAMILIES)
        initial = chance.choice("ABDGKMNPRSV")
        form = chance.choice(
            ("{g} {f}", "{g} {f}", "{g} {f}", "{g} {i}. {f}", "{i}. {g}", "{g} {i}", "{g}", "{i}.{i}. {f}")
        )
        return given, family, form.format(g=given, f=family, i=initial)

    given, family, patient = full()
    second, third, fourth = full()[2], full()[2], full()[2]
    words = {
        "P": patient,
        "Q": second,
        "X": third,
        "Y": fourth,
        "G": given,
        "H": chance.choice(MEN + WOMEN),
        "F": family,
    }
    words |= {"PU": patient.upper(), "XU": third.upper(), "Pc": f"{family}, {given}"}
    words |= {"p": patient.lower(), "q": second.lower(), "y": fourth.lower()}
    return {slot: (name, NAME) for slot, name in words.items()}


def _other(chance, slot):  # noqa: PLR0911 - a table of what slots hold
    number = chance.randrange
    if slot == "a":
        return str(number(1, 89)), ""
    if slot == "old":
        return str(number(90, 104)), AGE
    if slot == "g":
        return chance.choice("MF"), ""
    if slot in {"d", "dm"}:
        return date(chance), DATE
    if slot in {"ph", "ph2"}:
        return (phone if slot == "ph" else landline)(chance), PHONE
    if slot == "A":
        return address(chance), ADDRESS
    return identifier(chance, slot), ID


def date(chance):
    day, month, year = chance.randint(1, 28), chance.randint(1, 12), chance.randint(1948, 2026)
    full = "January February March April May June July August September October November December".split()[month - 1]
    nth = f"{day}{'th' if 4 <= day <= 20 or day >= 24 else ('st', 'nd', 'rd')[day % 10 - 1]}"
    return chance.choice((
        f"{day:02}/{month:02}/{year}", f"{day}/{month}/{year % 100:02}", f"{day:02}-{month:02}-{year}", f"{day}.{month}.{year}", f"{year}-{month:02}-{day:02}",
        f"{day} {full} {year}", f"{nth} {full[:3]} {year}", f"{full} {day}, {year}", f"{full[:3]} {day} {year}", f"{day}-{full[:3]}-{year % 100:02}",
        f"{nth} of {full}, {year}", f"{day} {full[:3].upper()} {year}", f"{full} {year}", f"{day}/{full[:3]}/{year}", f"{nth} {full}", f"{day} / {month:02} / {year}",
    ))  # fmt: skip


def phone(chance):
    digits = f"{chance.randint(6, 9)}{chance.randrange(10**9):09}"
    return chance.choice((
        digits, f"+91{digits}", f"+91 {digits}", f"+91-{digits[:5]}-{digits[5:]}", f"{digits[:5]} {digits[5:]}", f"0{digits}", f"91{digits}",
        f"{digits[:3]}-{digits[3:6]}-{digits[6:]}", f"(+91) {digits[:5]} {digits[5:]}", f"{digits[:4]} {digits[4:7]} {digits[7:]}", f"0091 {digits}",
    ))  # fmt: skip


def landline(chance):
    digits = f"{chance.randint(2, 6)}{chance.randrange(10**7):07}"
    return chance.choice(
        (
            f"022-{digits}",
            f"011 {digits[:4]} {digits[4:]}",
            f"(044) {digits}",
            f"0413-{digits[:7]}",
            f"+91 80 {digits[:4]} {digits[4:]}",
            f"05222-{digits[:6]}",
        )
    )


def address(chance):
    street, town, pin = (
        chance.choice(STREETS),
        chance.choice(TOWNS),
        f"{chance.randint(1, 8)}{chance.randrange(10**5):05}",
    )
    return chance.choice((
        f"{chance.randint(1, 400)}, {street} Road, {town} - {pin}", f"H.No. {chance.randint(1, 99)}/{chance.randint(1, 9)}, {street} Nagar, {town} {pin}",
        f"Flat {chance.randint(1, 40)}B, {street} Heights, {town}-{pin}", f"Vill. {street}, PO {town}, Dist. {town}, {pin[:3]} {pin[3:]}",
        f"No. {chance.randint(1, 90)}, {street} Street, {town}", f"{chance.randint(1, 400)} {street} Lane, near bus stand, {town} {pin}",
    ))  # fmt: skip


def identifier(chance, slot):
    digits = "".join(chance.choices("0123456789", k=12))
    aadhaar = str(chance.randint(2, 9)) + digits[:10]
    aadhaar += verhoeff_digit(aadhaar)
    letters = "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=5))
    word = chance.choice(MEN).lower()
    return {
        "uhid": f"{letters[:2]}{digits[:7]}", "uhid2": f"{digits[:5]}/{digits[5:7]}", "uhid3": f"{chance.randint(1, 9)}{digits[:7]}", "pol": f"P/{digits[:6]}/01/2023/{digits[6:]}",
        "aadhaar": chance.choice((aadhaar, f"{aadhaar[:4]} {aadhaar[4:8]} {aadhaar[8:]}", f"{aadhaar[:4]}-{aadhaar[4:8]}-{aadhaar[8:]}")),
        "abha": chance.choice((f"{digits}34", f"{digits[:2]}-{digits[2:6]}-{digits[6:10]}-{digits[10:]}12")),
        "pan": f"{letters[:3]}P{letters[4]}{digits[:4]}{letters[0]}", "mail": f"{word}.{digits[:2]}@example.co.in", "abhaaddr": f"{word}{digits[:2]}@abdm",
        "veh": f"KA {digits[:2]} {letters[:2]} {digits[2:6]}",
    }[slot]  # fmt: skip


def score(made, found):
    """(recall by kind: covered whole, of); share of the other characters that were found; what was missed; what was lost."""
    recall, missed, lost, other, other_all = {}, [], [], 0, 0
    for note, spans in zip(made, found, strict=True):
        covered = bytearray(len(note.text))
        for span in spans:
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
        truth = bytearray(len(note.text))
        for start, end, kind in note.gold:
            truth[start:end] = b"\1" * (end - start)
            held = all(covered[place] or not note.text[place].isalnum() for place in range(start, end))
            right, of = recall.get(kind, (0, 0))
            recall[kind] = (right + held, of + 1)
            if not held:
                missed.append((kind, note.text[start:end], note.text[max(0, start - 30) : end + 30]))
        for span in spans:
            extra = [p for p in range(span.start, span.end) if not truth[p] and note.text[p].isalnum()]
            other += len(extra)
            if extra:
                lost.append(
                    (
                        str(span.kind),
                        note.text[span.start : span.end],
                        note.text[max(0, span.start - 30) : span.end + 30],
                    )
                )
        other_all += sum(not truth[place] and character.isalnum() for place, character in enumerate(note.text))
    return {kind: right / of for kind, (right, of) in recall.items()}, other / max(other_all, 1), missed, lost
