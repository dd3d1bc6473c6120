"""Diagrams hold what the topic files say, and a picture of another diagram is found out."""

from dataclasses import replace

import pytest
from rxtract.app import COMMANDS
from rxtract.design import command_reference, dot, known, mermaid, pages
from rxtract.design.drawings import diagrams
from rxtract.design.graph import Diagram, Edge, Kind, Node

FACTS = known.read()
DRAWN = {one.name: one for one in diagrams(FACTS)}
ONE = Diagram(
    "one", "One", "Of two.", (Node("a", "A <b>", Kind.SERVICE), Node("b", "B", Kind.TOPIC)), (Edge("a", "b"),)
)


def test_the_stack_holds_every_topic_with_all_who_write_and_read_it():
    arrows = {(edge.source, edge.target) for edge in DRAWN["stack"].edges}
    for name, topic in FACTS.topics.items():
        assert {(who, name) for who in topic.producers} <= arrows
        assert {(name, who) for who in topic.consumers} <= arrows


def test_the_stack_names_every_service_and_every_scraped_one():
    keys = {node.key for node in DRAWN["stack"].nodes}
    assert set(FACTS.services) <= keys
    assert FACTS.scraped == set(FACTS.services)


def test_the_stack_says_how_many_images_are_built_and_what_lag_scales():
    said = {node.key: " ".join(node.small) for node in DRAWN["stack"].nodes}
    assert said["images"].startswith(f"{len(FACTS.services) + 1} images")
    assert "extractor" in said["cluster"]
    assert "trainer" not in said["cluster"]


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_no_pipeline_draws_a_way_that_no_topic_file_knows(name):
    topics = FACTS.topics
    for edge in DRAWN[name].edges:
        if edge.target in topics and edge.source in FACTS.services:
            assert edge.source in topics[edge.target].producers
        if edge.source in topics and edge.target in FACTS.services:
            assert edge.target in topics[edge.source].consumers


def test_a_diagram_with_an_arrow_to_nothing_is_refused():
    with pytest.raises(ValueError, match="arrows to what it does not hold: c"):
        replace(ONE, edges=(Edge("a", "c"),))


def test_names_are_escaped_in_dot_and_quoted_in_mermaid():
    assert "A &lt;b&gt;" in dot.source(ONE)
    assert 'n_a["A <b>"]' in mermaid.source(ONE)


def test_two_arrows_between_two_boxes_are_one_in_the_picture():
    both = replace(ONE, edges=(Edge("a", "b"), Edge("b", "a", back=True)))
    assert dot.source(both).count("->") == 1
    assert "dir=both" in dot.source(both)


def test_a_picture_of_another_diagram_is_found_out(tmp_path):
    picture = tmp_path / "one.svg"
    assert not dot.is_of(picture, ONE)
    picture.write_text(f"<!-- {dot.DIGEST}{dot.digest_of(ONE)} --><svg/>")
    assert dot.is_of(picture, ONE)
    assert not dot.is_of(picture, replace(ONE, title="Another"))


def test_the_page_of_a_diagram_links_topics_settings_and_picture():
    page = pages.diagram_page(DRAWN["inference"], FACTS)
    assert "[`notes.submitted.v1`](../events/topics.md#notessubmittedv1)" in page
    assert "../reference/settings.md#extractor" in page
    assert "../pictures/inference.svg" in page


def test_every_alert_stands_on_the_page_with_its_runbook():
    page = pages.alerts_page(FACTS)
    assert all(f"`{alert.name}`" in page and alert.runbook.removeprefix("docs/") in page for alert in FACTS.alerts)
    assert "{{" not in page


def test_every_command_stands_in_the_reference_with_its_options():
    page = command_reference.source()
    assert all(f"### rxtract {command.name}\n" in page for command in COMMANDS)
    assert "#### rxtract dlq replay\n" in page
    assert "| `--notes` | number, at least 200 | `2000` | How many synthetic notes. |" in page
