from clinical_ner.notes import Label, Span
from corpus import marked
from corpus.chance import Chance
from corpus.noise import scribble
from hypothesis import given
from hypothesis import strategies as st

_PLAIN = st.text(alphabet=st.sampled_from("abcXYZ ,.;:()%-'/\n19"), max_size=20)


def test_marks_become_spans_and_pairs():
    text = (
        f"Gave {marked.wrap('aspirin', 'T', 3)} for {marked.wrap('fever', 'D', 3)} and {marked.wrap('pain', 'D', 0)}."
    )
    note = marked.read(text)
    assert note.text == "Gave aspirin for fever and pain."
    assert note.spans == (Span(5, 12, Label.TREATMENT), Span(17, 22, Label.DISEASE), Span(27, 31, Label.DISEASE))
    assert note.pairs == ((0, 1),)


def test_tidying():
    text = f"a {marked.wrap('acute cough', 'D', 0)} ( old ) . . It , rose"
    assert marked.MARKS.sub("", marked.tidy(text)) == "an acute cough (old). It, rose"


def test_punctuation_set_apart():
    text = marked.set_apart(f"{marked.wrap('COPD', 'D', 0)} (n = 12), 4.5%, Crohn's.")
    assert marked.MARKS.sub("", text) == "COPD ( n = 12 ) , 4.5 % , Crohn 's ."


@given(_PLAIN, _PLAIN, st.integers(min_value=0, max_value=500))
def test_rewriting_never_loses_a_mention(before, after, seed):
    text = f"{before} {marked.wrap('mild fever', 'D', 1)} {after}"
    for rewritten in (
        marked.tidy(text),
        marked.set_apart(text),
        marked.capitalise_sentences(text),
        marked.title_case(text),
        scribble(text, Chance(seed)),
    ):
        note = marked.read(rewritten)
        assert len(note.spans) == 1
        mention = note.text[note.spans[0].start : note.spans[0].end]
        assert mention == mention.strip()
        assert abs(len(mention) - len("mild fever")) <= 2
