"""What a version says of itself follows from its tags."""

from model_registry.version import Move, Version, number_of


def test_what_was_never_tagged_is_empty_and_a_bad_serial_is_none():
    bare = Version("m", "1")
    assert (bare.serial, bare.sha256, bare.gate, bare.move, bare.serves) == (0, "", "", None, False)
    assert Version("m", "1", {"serial": "²"}).serial == Version("m", "1", {"serial": "-3"}).serial == 0
    assert (Version.of("m", "1", 7, "ab").serial, Version.of("m", "1", 7, "ab").sha256) == (7, "ab")


def test_a_verdict_counts_against_the_champion_that_it_names_alone():
    first, judged = Version("m", "1"), Version("m", "2", {"gate": "pass", "gate.champion": "1"})
    assert judged.is_judged_against(first)
    assert not judged.is_judged_against(Version("m", "3"))
    assert not judged.is_judged_against(None)
    assert Version("m", "1", {"gate": "first", "gate.champion": number_of(None)}).is_judged_against(None)


def test_a_move_that_was_cut_stands_in_the_tags():
    tags = {"moving": '{"kind": "PROMOTED", "from": "1"}', "moved_by": "c"}
    assert Version("m", "2", tags).move == Move("c", "PROMOTED", "1")
