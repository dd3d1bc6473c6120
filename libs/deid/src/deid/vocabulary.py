"""Words that are no names: the corpus' diseases, treatments, brands and general words, and what stands behind an eponym."""

from __future__ import annotations

import re
from functools import cache

from corpus.grammar import read_rules
from corpus.lexicon import brands, diseases, treatments

from deid import word_lists
from deid.word_lists import word_tuple, words

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][a-z]+)?")
_GRAMMAR = ("general", "words", "prescriptions", "discharge", "abstracts", "titles", "facts")

EPONYM_HEADS = words(
    "disease diseases syndrome syndromes sign palsy lymphoma sarcoma tumour tumor carcinoma chorea ataxia "
    "dystrophy anaemia anemia catheter tube contracture thyroiditis nephropathy nephritis encephalopathy ring "
    "rings triad scale criteria phenomenon reflex manoeuvre maneuver metastasis esophagus oesophagus "
    "diverticulum paralysis arthropathy purpura amaurosis cardiomyopathy vasculitis gangrene prosthesis "
    "regression coefficient lobectomy orthosis osteotomy urethroplasty pyloroplasty gastrectomy ligament "
    "tubercle granulomatosis et lupus sclerosis arteritis adenoma hamartoma macroglobulinemia macroglobulinaemia "
    "papillomatosis virus lactate"
)
"""What follows the name of who described it: "Parkinson disease", "Murphy's sign", "Foley catheter"."""

NO_NAME_ENDS = word_tuple(
    "tion tions sion ment ments ness itis osis oses emia aemia ectomy ology ography ogram scopy plasty otomy "
    "ostomy opathy opathic ous ical ism able ible cyte cytes lysis trophy plegia azole mycin cillin statin "
    "sartan olol dipine mab nib clovir buvir gravir oxacin prazole tidine gliptin formin cycline caine zepam "
    "barbital setron triptan thiazide semide profen coxib amide idine oxide ic ics ive ity ance ence ings asis "
    "esis ysis uria algia rrhea rrhoea noma phoma coma omas ometry ometer phobia genic fold less ful chemistry "
    "therapy tripsy centesis ectasis iasis ency ancy ability ing"
)
"""Ends of words of medicine and of English that names do not have; a name of the lists may."""

NO_NAME_STARTS = word_tuple(
    "non multi intra hyper hypo electro neuro cardio gastro hepato immuno micro broncho cyto haemo hemo osteo "
    "thrombo radio ultra endo epicard pseudo poly peri-"
)
"""Beginnings of long words of medicine."""

SPECIES = words(
    "coli typhi paratyphi pylori aureus epidermidis pneumoniae pneumonia difficile falciparum vivax malariae "
    "ovale influenzae albicans meningitidis gonorrhoeae tuberculosis leprae faecalis faecium aeruginosa "
    "baumannii mirabilis marcescens cloacae viridans pyogenes agalactiae dysenteriae flexneri histolytica "
    "lamblia solium saginata fumigatus flavus neoformans trachomatis pallidum burgdorferi donovani cruzi brucei "
    "gondii carinii jirovecii"
)
"""Second words of species, which stand behind an initial: "E. coli", in capitals too."""

EPONYMS = words(
    "parkinson parkinsons alzheimer alzheimers crohn crohns hodgkin hodgkins bell bells addison addisons cushing "
    "cushings graves hashimoto koch kochs pott potts wilson wilsons huntington huntingtons raynaud raynauds "
    "sjogren behcet kawasaki wegener marfan turner klinefelter noonan angelman prader willi rett tourette "
    "gilbert rotor dubin johnson crigler najjar wilms ewing kaposi barrett meckel hirschsprung dupuytren "
    "peyronie paget pagets perthes osgood schlatter scheuermann colles bennett monteggia galeazzi barton bankart "
    "lisfranc babinski hoffmann romberg trendelenburg lachman mcmurray apley phalen tinel murphy murphys "
    "mcburney rovsing blumberg kernig brudzinski virchow homan homans charcot friedreich guillain barre lambert "
    "eaton lewy pick creutzfeldt jakob korsakoff wernicke bright henoch schonlein goodpasture alport fanconi "
    "bartter gitelman conn sheehan simmonds nelson zollinger ellison mallory weiss boerhaave plummer vinson budd "
    "chiari caroli whipple billroth hartmann roux nissen heller ramstedt kasai fontan norwood glenn ross bentall "
    "blalock taussig fallot ebstein eisenmenger wolff white brugada osler janeway roth corrigan austin flint "
    "kussmaul cheyne stokes glasgow ranson child pugh gleason breslow clark dukes robson bishop apgar ballard "
    "moro down downs edwards patau foley foleys ryle ryles hickman swan ganz kaplan meier cox fisher student "
    "mann whitney wilcoxon kruskal wallis pearson spearman bonferroni bland altman hosmer lemeshow cohen gram "
    "giemsa ziehl neelsen widal mantoux coombs rinne weber schirmer schilling bence jones reed sternberg auer "
    "howell jolly heinz epstein barr coxsackie norwalk salmonella leishman donovan stevens lyell sweet ludwig "
    "vincent quincke meniere menieres merkel langerhans purkinje kupffer schwann bowman henle wharton cowper "
    "bartholin cowpers pap papanicolaou ringer ringers hartmanns lugol betadine castleman waldenstrom burkitt "
    "sezary fallopian eustachian down's moro tay sachs gaucher niemann hurler hunter pompe fabry krabbe menkes "
    "von willebrand hippel lindau recklinghausen sturge bourneville takayasu buerger churg strauss still felty "
    "reiter caplan baker haglund sever freiberg kohler kienbock legg calve blount morton mortons sudeck volkmann "
    "little erb klumpke horner argyll robertson adie holmes brown sequard foster kennedy gerstmann balint anton "
    "broca weber's wallenberg millard gubler todd jackson lennox gastaut west dravet rasmussen devic balo "
    "schilder marburg leigh kearns sayre leber stargardt best coats eales fuchs terrien gallstone koplik "
    "forchheimer nikolsky auspitz wickham beau mees terry lindsay mohs breslow's woods cobb garden gustilo "
    "anderson salter harris neer schatzker weber ilizarov kirschner steinmann thomas bohler bryant russell "
    "gallows"
)
"""Names of who described something, in lower case."""


@cache
def ordinary_words() -> frozenset[str]:
    """Return lower-case words of clinical and general English that are no name of the lists."""
    found = {
        word
        for name in (*diseases(), *treatments(), *brands())
        for form in name.forms
        for word in _WORD.findall(form.lower())
    }
    for section, lines in read_rules(_GRAMMAR).items():
        if section == "eponym":
            continue  # surnames, of people as well
        found.update(word for _, line in lines for word in _WORD.findall(line.lower()))
    names = {name.lower() for kind in word_lists.names() for name in kind}
    return frozenset((found - names) | COMMON_WORDS)


@cache
def clinical_words() -> frozenset[str]:
    """Return lower-case words of at least four letters that occur in the names of diseases, treatments and brands."""
    found = {
        word
        for name in (*diseases(), *treatments(), *brands())
        for form in name.forms
        for word in _WORD.findall(form.lower())
    }
    return frozenset(word for word in found if len(word) > 3)


COMMON_WORDS = words(
    "a an and the of on in at to for with from by is was has had have are were be been no not nil not known he "
    "she they his her it its this that advised advise informed counselled review reviewed refer referred ref adv "
    "on-call call duty opinion visit round rounds name age sex male female date time ward bed unit room opd ipd "
    "icu casualty emergency hospital clinic department dept medicine surgery cardiology neurology nephrology "
    "urology oncology orthopaedics paediatrics pediatrics gynaecology obstetrics dermatology psychiatry ent "
    "radiology pathology consultant surgeon resident intern nurse sister brother mother father wife husband son "
    "daughter uncle aunt patient pt attendant informant guardian relative relatives parents none unknown nothing "
    "normal stable good fair poor seen came come brought complains complaint complaints history past family "
    "personal social plan diagnosis impression treatment rx tab cap inj syp advice follow up next days weeks "
    "months years day week month year today tomorrow yesterday morning evening night mobile phone contact "
    "address occupation religion married unmarried single widow hindu muslim christian sikh farmer teacher "
    "housewife student labourer retired mg ml said says states denies reports will would can could may should "
    "please kindly thank thanks regards sincerely yours dear sir madam team self same above below left right "
    "both upper lower since x c/o k/c/o h/o s/p r/o who whom whose which what when then there here also again "
    "still well able about above across after again against ago agree agreed alert alive all almost alone along "
    "already also although always am among amount any more anyone anything apart around ask asked at away awake "
    "back bad because become before began begin being believe best better between big bit body both bring "
    "brought but call called cannot care carry cause certain change check child children clear close cold come "
    "common complete conscious consider continue control could country cut dark day dead deal death decide deep "
    "did different difficult discuss discussed do does doing done down dressing drink drive drop dry during each "
    "early easy eat eating eight eighteen eighty either eleven else end enough even ever every example eye eyes "
    "face fact fall far fast feel feet felt few fifteen fifty final find fine first five follow food foot for "
    "forty found four free fresh friend front full further gave get give given go goes going gone got great "
    "group grow had half hand hands happy hard has have having head hear heart heat heavy held help her here "
    "hers herself high him himself hold home hope hot hour hours house how however hundred idea if ill important "
    "include inside into itself job just keep kept kind know known large last late later lead learn least leave "
    "led less let letter level life light like likely line list little live lives living long look lost lot love "
    "low main make making man many matter maybe mean means men middle might mind minute miss moment money month "
    "more moreover most mostly move much must myself near nearly need needs never new night nine ninety nobody "
    "none nor now number off often oil old once one only onto open or order other others our out outside over "
    "own page pain paper part people perhaps person place plain play point possible present problem put question "
    "quick quite rather reach read ready real really reason red regular remain rest result return rise run sat "
    "saw school second see seem seen self send sent set seven seventeen seventy several shadow shadows shall "
    "short show side sign simple since sit site six sixteen sixty skin sleep slow small so soft some someone "
    "something sometimes soon sort speak special stand start started state stay still stop stopped strong such "
    "sudden suffer suffered sure table take taken taking talk tell ten test than that their theirs them "
    "themselves then there therefore these they thing things think third thirteen thirty this those though "
    "thought thousand three through throughout till time to together told too took total toward towards tried "
    "true try turn twelve twenty twice two under unit unless until up upon us use used using usual usually "
    "various very via view visit wait walk walking want warm was water way we weak wear week well went were wet "
    "wet whether while whole why will within without woman women word words work worked worse would write wrong "
    "yes yet young yourself others oriented moving limbs himself meanwhile overall thus hence whereas despite "
    "regarding concerning per versus vs etc eg ie dose doses drug drugs patients aadhaar aadhar abha uhid mrn deep erosion erosions pompholyx "
    "multilevel nontender mail email e-mail sms whatsapp website pupils viral pavilion diverticuli claw deep los "
    "las angeles vegas equal reactive rales interpretation vehicle driver intact india indian bharat asia africa "
    "europe america american british japan japanese china chinese germany german france french italy italian "
    "spain turkey liberia nigeria kenya egypt iran iraq israel pakistan bangladesh nepal bhutan lanka sri_lanka "
    "burma thailand vietnam korea taiwan canada canadian mexico brazil argentina chile peru england scotland "
    "ireland wales sweden norway denmark finland netherlands belgium austria switzerland poland russia greece "
    "portugal australia zealand boston tokyo london paris berlin rome york chicago washington california texas "
    "florida columbia toronto nutley jewish african caucasian hispanic asian european hindi english tamil telugu "
    "marathi bengali gujarati kannada malayalam punjabi urdu monday tuesday wednesday thursday friday saturday "
    "sunday january february march april june july august september october november december"
)
"""Words that are no names where they are written small, whatever the lists hold."""

SMALL_WORDS = words(
    "ka ki ko ke ne se hai ho tha thi raha rahi dena diya di lena karna liye wala wali aur bhi nahi haan ji din baad mein me par"
)
"""Hindi words of notes, no names where they are written small."""
