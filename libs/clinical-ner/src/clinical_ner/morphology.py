"""Word parts that tell diseases from treatments: general medical knowledge, as data for the features."""

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
