"""Compiles a package's native/*.c into its src/PACKAGE/_native while its wheel (or its editable install) is built.

The compiler is $CC, else `cc` from PATH, else the one in the `ziglang` wheel, so that no system package is needed. $CFLAGS
come last: `CFLAGS="-O0 -g"` is a build for a debugger.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# No -march=native: a wheel runs where it was not built. No -ffast-math: marginals must equal CRFsuite's.
FLAGS = (
    "-std=c11",
    "-O3",
    "-flto",
    "-fPIC",
    "-shared",
    "-fno-math-errno",
    "-fno-semantic-interposition",
    "-Wall",
    "-Wextra",
)


def compiler() -> list[str] | None:
    """The command of a C compiler, or None where there is none."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    if found := shutil.which("cc"):
        return [found]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    return None


def compile_library(root: Path, package: str, extra: tuple[str, ...] = ()) -> Path:
    """Compile the sources under `root` and return the library's path; RuntimeError with the compiler's words."""
    command = compiler()
    if command is None:
        raise RuntimeError(f"{package} needs a C compiler: install `cc`, or `pip install ziglang`, and build again")
    library = root / "src" / package / "_native" / f"lib{package}.so"
    library.parent.mkdir(parents=True, exist_ok=True)
    sources = sorted(str(path) for path in (root / "native").glob("*.c"))
    unfinished = library.with_name(f"{library.name}.{os.getpid()}.part")
    flags = (*FLAGS, *extra, *shlex.split(os.environ.get("CFLAGS", "")))
    result = subprocess.run(
        [*command, *flags, "-o", str(unfinished), *sources, "-lm"], capture_output=True, text=True, check=False
    )
    if result.returncode:
        unfinished.unlink(missing_ok=True)
        raise RuntimeError(f"the C compiler {command[0]} failed on {package}:\n{result.stderr[-2000:]}")
    unfinished.replace(library)
    return library


class CompileNative(BuildHookInterface):  # type: ignore[type-arg,misc]
    """Compiles the library and marks the wheel as one for this platform and any Python 3."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Without a compiler on this machine, the one that comes as a wheel."""
        return [] if compiler() else ["ziglang"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatch passes it
        """Run before the wheel is packed, for editable installs too."""
        if self.target_name != "wheel":
            return
        package = self.config["package"]
        compile_library(Path(self.root), package)
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(f"src/{package}/_native/*.so")


if __name__ == "__main__":
    print(compile_library(Path.cwd(), sys.argv[1], tuple(sys.argv[2:])))  # noqa: T201
