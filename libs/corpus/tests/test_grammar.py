import pytest
from corpus.chance import Chance
from corpus.grammar import Choice, GrammarError, Labelled, Node, Reference, _Parser, compile_rules
from corpus.lexicon import Vocabulary
from corpus.sampler import RULE_FILES, Sampler, is_abbreviation


def _references(nodes: tuple[Node, ...]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, Reference):
            found.add(node.rule)
        elif isinstance(node, Choice):
            found |= {rule for option in node.options for rule in _references(option)}
        elif isinstance(node, Labelled):
            found |= _references(node.body)
    return found


def test_every_rule_named_exists():
    rules = compile_rules(RULE_FILES)
    named = {rule for choice in rules.values() for option in choice.options for rule in _references(option)}
    lexical = ("disease", "treatment", "abbreviation")
    assert {rule for rule in named if rule not in rules and not rule.startswith(lexical)} == set()


@pytest.mark.parametrize("vocabulary", list(Vocabulary))
def test_every_rule_expands(vocabulary):
    for rule in compile_rules(RULE_FILES):
        for ordinal in range(5):
            Sampler(Chance(rule, ordinal), vocabulary).expand(rule)


@pytest.mark.parametrize("line", ["<a|b", "{D x", "{Q x}", "@", "[a-b]", "x @ y"])
def test_a_broken_line_is_refused(line):
    with pytest.raises(GrammarError):
        _Parser(line).parse()


def test_what_an_abbreviation_is():
    assert all(is_abbreviation(form) for form in ("COPD", "T2DM", "NSAIDs", "MDR-TB", "I&D", "HbsA1c"))
    assert not any(is_abbreviation(form) for form in ("Graves disease", "asthma", "Pott", "A fib", "crocin"))
