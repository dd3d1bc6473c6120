"""The compiled library: a missing or stale one is told in one line; the build says what its compiler said."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from clinical_ner import native

LIBS = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh():
    """`native.library` without what it has loaded before."""
    native.library.cache_clear()
    yield native
    native.library.cache_clear()


def test_a_missing_library_is_one_clear_line(fresh, monkeypatch):
    monkeypatch.setattr(fresh, "__file__", "/nowhere/native.py")
    with pytest.raises(fresh.NativeLibraryMissing, match="build it") as refusal:
        fresh.library()
    assert "\n" not in str(refusal.value)


def test_a_library_of_another_version_is_refused(fresh, monkeypatch):
    monkeypatch.setattr(fresh, "FEATURES_VERSION", 99)
    with pytest.raises(fresh.NativeLibraryMissing, match="another version"):
        fresh.library()


def build_hook(folder, package="clinical-ner"):
    shutil.copytree(LIBS / package / "native", folder / "native")
    spec = importlib.util.spec_from_file_location("native_build", LIBS / "contracts" / "native_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_failing_compiler_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    hook = build_hook(tmp_path)
    monkeypatch.setenv("CC", "false")
    with pytest.raises(RuntimeError, match="compiler false failed"):
        hook.compile_library(tmp_path, "clinical_ner")
    assert not list((tmp_path / "src").rglob("*.so*"))


def test_flags_of_the_environment_come_last(tmp_path, monkeypatch):
    hook = build_hook(tmp_path)
    ours = tmp_path / "cc"
    ours.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\nexit 1\n')
    ours.chmod(0o755)
    monkeypatch.setenv("CC", str(ours))
    monkeypatch.setenv("CFLAGS", "-O0 -g")
    with pytest.raises(RuntimeError, match="failed on clinical_ner"):
        hook.compile_library(tmp_path, "clinical_ner")
    given = (tmp_path / "arguments").read_text().split()
    assert given.index("-O3") < given.index("-O0") < given.index("-o")


def test_without_any_compiler_it_says_what_to_install(tmp_path, monkeypatch):
    hook = build_hook(tmp_path)
    monkeypatch.setattr(hook, "compiler", lambda: None)
    with pytest.raises(RuntimeError, match="pip install ziglang"):
        hook.compile_library(tmp_path, "clinical_ner")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["clinical-ner", "contracts"])
def test_the_sources_compile_without_a_warning(tmp_path, package):
    if not shutil.which("cc"):
        pytest.skip("no cc on this machine")
    hook = build_hook(tmp_path, package)
    library = hook.compile_library(tmp_path, package.replace("-", "_"), ("-Werror", "-Wconversion", "-O1"))
    assert library.stat().st_size < 2**20
