"""Word parts and shorthand that tell diseases from treatments: general medical knowledge, as data for the features."""

from __future__ import annotations

_DISEASE_SUFFIXES = (
    "itis osis iasis oma omas emia aemia pathy pathies algia uria plegia paresis rrhea rrhoea rrhage rrhagia sclerosis "
    "stenosis penia cytosis megaly trophy dystrophy plasia dysplasia phobia mania dynia cele ectasis ectasia edema oedema "
    "malacia ptosis spasm syndrome carcinoma sarcoma lymphoma blastoma myeloma melanoma adenoma glioma leukemia leukaemia "
    "neuropathy nephropathy myopathy arthritis hepatitis dermatitis cancer tumor tumour tumors infection fever disease "
    "disorder deficiency insufficiency ischemia ischaemia hemorrhage thrombosis embolism infarction fibrosis cirrhosis "
    "rexia pnea pnoea phagia phasia opia opsy cardia thermia tension glycemia lipidemia natremia kalemia calcemia "
    "thorax sepsis toxicity fracture injury trauma ulcer failure ache lepsy tetany rubella pox oid icteric litis "
    "genesis lithiasis genic ismus ism asthenia ataxia kinesia tonia"
)
_TREATMENT_SUFFIXES = (
    "ectomy otomy ostomy stomy tomy plasty pexy desis rrhaphy centesis therapy therapies tripsy ablation graft grafting "
    "transplant transplantation transfusion dialysis plasmapheresis mycin micin cillin cycline floxacin oxacin azole "
    "conazole nidazole mab umab ximab zumab nib tinib ciclib pril sartan olol lol statin dipine gliptin gliflozin glitazone "
    "glinide formin parin platin rubicin taxel bine abine vir navir ciclovir azepam zolam caine barbital sone solone "
    "nisone onide setron prazole tidine triptan oxetine triptyline ipramine azine peridone apine idone mustine "
    "trexate xaban gatran grel teplase kinase lukast terol tropium phylline thiazide semide actone cef cefa parib "
    "limus feron leukin stim poetin dronate quine artemether vudine fovir bactam penem fungin cromil profen fenac oxicam "
    "coxib codone morphine fentanyl vaccine vaccination immunization prophylaxis scopy surgery resection excision bypass "
    "implant implantation stent stenting suture drainage irradiation chemotherapy radiotherapy stimulation injection "
    "intervention inhibitor antagonist agonist blocker amine amide idine ine ole"
)
_PREFIXES = {
    "dysfunction": "dys hyper hypo",
    "treatment": "chemo radio brachy immuno pharmaco psychothera anti",
    "disease": "carcino patho mal",
    "organ": "cardio nephro hepato gastro neuro pulmo osteo arthro dermato hemato haemato myo broncho encephalo entero "
    "retino thyro adreno pancreat lympho angio cerebro cholecyst colo crani cysto rhino laryngo",
}

AFFIXES: tuple[tuple[str, str, str], ...] = (
    *(("S", suffix, "D") for suffix in sorted({s for s in _DISEASE_SUFFIXES.split() if len(s) <= 12})),
    *(("S", suffix, "T") for suffix in sorted({s for s in _TREATMENT_SUFFIXES.split() if len(s) <= 12})),
    *(("P", prefix, name) for name, prefixes in _PREFIXES.items() for prefix in prefixes.split()),
)
"""("S" suffix or "P" prefix, its letters in lower case, its class)."""


def _classes(**words: str) -> dict[str, tuple[str, ...]]:
    """Turn class=words into word -> classes."""
    table: dict[str, tuple[str, ...]] = {}
    for name, listed in words.items():
        for word in listed.split():
            table[word] = (*table.get(word, ()), name)
    return table


SHORTHAND_CLASSES: dict[str, tuple[str, ...]] = _classes(
    unit="mg mcg ug µg g gm gms kg ml l iu u units meq mmol mg/kg mg/dl mg/m2 mg/ml cc puff puffs drop drops spray",
    frequency="od bd bid b.d. tds tid t.d.s. qid qds hs sos stat prn ac pc daily weekly monthly nocte mane hourly "
    "o.d. b.i.d. t.i.d. q.i.d. h.s. p.r.n. q4h q6h q8h q12h qhs alternate 1-0-1 1-0-0 0-0-1 1-1-1 0-1-0",
    route="po iv im sc s/c sl pr oral orally intravenous intramuscular subcutaneous topical inhaled intrathecal p.o. i.v. "
    "i.m. nebulised nebulized",
    form="tab tabs tablet tablets cap caps capsule capsules inj injection syp syrup syr susp ointment oint cream gel lotion "
    "drops neb nebs inhaler patch infusion",
    complaint="c/o k/c/o h/o s/p o/e d/d dx ddx diagnosis diagnosed history complaint complaints presenting presented "
    "suffering suspected known",
    prescribing="rx adv advised started given prescribed continue continued stopped taking received receiving treated "
    "treatment therapy underwent on",
    negation="no not denies without nil absent negative non n/o",
)
"""Clinical shorthand by class: what stands around a disease or a treatment in a note."""
