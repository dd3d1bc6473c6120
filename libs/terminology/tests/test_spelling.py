"""The few entries that a misspelt word is compared with give the same answer as all of them."""

from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from terminology.spelling import Pool, bound, nearest

WORDS = st.text("abcd\u0905\u0915 ", min_size=4, max_size=11).filter(lambda word: word[0] != " ")


def of_all(word, entries):
    most = bound(word)
    near = sorted(
        (OSA.distance(word, entry), entry) for entry in entries if len(entry) >= 5 and entry[0] == word[0] and most
    )
    near = [one for one in near if one[0] <= most]
    if not near or (len(near) > 1 and near[0][0] == near[1][0]):
        return None
    return near[0][1], near[0][0]


@given(WORDS, st.lists(WORDS, max_size=40, unique=True))
def test_the_nearest_of_a_pool_is_the_nearest_of_all(word, entries):
    assert nearest(word, Pool(entries)) == of_all(word, entries)


@given(WORDS.filter(lambda word: len(word) >= 8), st.data())
def test_a_word_with_two_wrong_letters_is_among_those_compared(word, data):
    wrong = word
    for _ in range(2):
        at = data.draw(st.integers(1, len(wrong) - 1))
        wrong = data.draw(st.sampled_from([wrong[:at] + wrong[at + 1 :], wrong[:at] + "e" + wrong[at:]]))
    assert word in Pool([word]).near(wrong, 2)
