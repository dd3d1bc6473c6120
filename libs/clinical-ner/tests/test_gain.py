"""What looking at a text is expected to teach."""

import pytest
from clinical_ner.config import TrainingConfig
from clinical_ner.decoder import Decoder
from clinical_ner.gain import NOTE_TOKENS
from clinical_ner.rescoring import PROBABILITY
from clinical_ner.tagger import Tagger
from clinical_ner.tokens import tokenise
from clinical_ner.train import train
from corpus.generator import generate

TEXTS = (
    "k/c/o T2DM, started zzqx tablet",
    "",
    "Review after 5 days.",
    "k/c/o T2DM, started zzqx tablet " + "and so on " * 20,
)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    config = TrainingConfig.from_dict(
        {**TrainingConfig().to_dict(), "calibration_folds": 2, "passes": 4, "swap_copies": 0}
    )
    return train(list(generate(3, 150)), config).tagger()


@pytest.mark.slow
def test_the_gain_is_the_doubt_of_all_candidates_by_the_token(tagger: Tagger) -> None:
    gains = tagger.expected_gains(TEXTS)
    found = tagger.decoder.candidates(TEXTS)
    for place, text in enumerate(TEXTS):
        mine = found.columns[found.spans[:, 0] == place, PROBABILITY].tolist()
        to_read = NOTE_TOKENS + sum(1 for _ in tokenise(text))
        assert gains[place] == pytest.approx(sum(min(p, 1 - p) for p in mine) / to_read, rel=1e-6)
    assert gains[1] == 0.0
    assert tagger.expected_gains([]) == []
    before = tagger.tag(TEXTS)
    assert tagger.expected_gains(TEXTS) == gains
    assert tagger.tag(TEXTS) == before  # one decode leaves nothing behind for the next


@pytest.mark.slow
def test_a_model_without_candidates_says_that_it_does_not_know() -> None:
    config = {**TrainingConfig().to_dict(), "rescore": False, "calibration_folds": 0, "passes": 2, "swap_copies": 0}
    bare = train(list(generate(3, 60)), TrainingConfig.from_dict(config)).tagger()
    assert isinstance(bare.decoder, Decoder)
    assert bare.expected_gains(TEXTS) == [None] * len(TEXTS)
