"""Damaged and malicious files, read as the window and the command line read them.

Nothing may be run, written outside or waited for; the reader, a child, has to live on. Every trial damages
one thing of a good data directory, has all of its kind read, and puts the good one back.
"""

from __future__ import annotations

import json
import queue
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.chaos.hostile_cases import CASES
from tests.chaos.hostile_good import Good
from tests.chaos.hostile_mutations import change_for
from tests.chaos.trials import Case, Trial
from tests.windows import window_environment

#: All that belongs to a case has to be read in so many seconds; and on a machine that does other things.
LONGEST_S, PATIENT_S = 5.0, 60.0
#: Good things are copied anew after so many mutants: what readers wrote themselves is damaged too until then.
ANEW_EVERY = 250


class ReaderProcess:
    """The child that reads; started again when it has died or been ended."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> ReaderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def ask(self, root: Path, what: Sequence[str], longest_s: float) -> list[str]:
        """Have everything of some kinds read; returns what went wrong."""
        child = self._living()
        _say(child, str(root), what)
        try:
            line = self._lines.get(timeout=longest_s)
        except queue.Empty:
            self.end()
            return [f"it takes longer than {longest_s:g} s"]
        if not line:
            code = child.wait()
            self.end()
            return [f"the reader died: {code}"]
        wrong: list[str] = json.loads(line)["wrong"]
        return wrong

    def end(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _living(self) -> subprocess.Popen[str]:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.hostile_reader"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL, env=window_environment(),
            )  # fmt: skip
            self._lines = queue.SimpleQueue()
            threading.Thread(target=_pump, args=(self._child, self._lines), daemon=True).start()
            _say(self._child, "/nowhere", [])
            self._lines.get(timeout=PATIENT_S)  # it has imported all
        return self._child


def _say(child: subprocess.Popen[str], root: str, what: Sequence[str]) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps({"root": root, "what": list(what)}) + "\n")
    child.stdin.flush()


def _pump(child: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put("")


class Hostile:
    """Trials on one good data directory."""

    def __init__(self, root: Path) -> None:
        self._inside = root / "inside"
        self._outside = root / "outside"
        self._outside.mkdir()
        (self._outside / "precious").write_text("precious\n")
        self._good = Good(self._inside)
        shutil.rmtree(self._good.data / "runtimes")
        self._pristine = root / "pristine"
        shutil.copytree(self._inside, self._pristine)
        self._before = self._precious()
        self._reader = ReaderProcess()
        wrong = self._reader.ask(self._inside, sorted(KINDS), PATIENT_S)
        assert not wrong, f"what is good is refused: {wrong}"
        self._files = [path for path in sorted(self._pristine.rglob("*")) if path.is_file()]
        self._order = list(CASES)
        random.Random("order").shuffle(self._order)

    def named(self, case: Case) -> str | None:
        """One case of the table."""
        name = self._order[case.number % len(self._order)]
        self._anew()
        with CASES[name].applied(self._good, self._outside):
            problem = self._read(CASES[name].kinds, case)
        return f"{name}: {problem}" if problem else None

    def mutant(self, case: Case) -> str | None:
        """One change of one file."""
        if case.number % ANEW_EVERY == 0:
            self._anew()
        # a kind of file first: the many small files of a checkpoint are no more likely than one recipe
        suffix = case.random.choice(sorted({path.suffix for path in self._files}))
        source = case.random.choice([path for path in self._files if path.suffix == suffix])
        name = source.relative_to(self._pristine)
        change = change_for(source.name, case.random)
        path = self._inside / name
        content = source.read_bytes()
        changed = change(content, case.random)
        path.write_bytes(changed.replace(b"{canary}", str(self._outside / "executed").encode()))
        problem = self._read(kinds_of(name), case)
        if path.is_dir():  # a reader has set it aside, and made another
            shutil.rmtree(path)
        path.write_bytes(content)
        return f"{name}, {change.__name__}: {problem}" if problem else None

    def _read(self, kinds: Sequence[str], case: Case) -> str | None:
        begun = time.monotonic()
        wrong = self._reader.ask(self._inside, kinds, PATIENT_S if case.patient else LONGEST_S)
        case.note("read_s", time.monotonic() - begun)
        if self._precious() != self._before:
            wrong = [*wrong, "something outside was changed"]
            self._restore_outside()
        return "; ".join(wrong) or None

    def _precious(self) -> list[tuple[str, int, bytes]]:
        return [
            (path.name, path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self._outside.rglob("*"))
        ]

    def _restore_outside(self) -> None:
        shutil.rmtree(self._outside)
        self._outside.mkdir()
        (self._outside / "precious").write_text("precious\n")
        self._before = self._precious()

    def _anew(self) -> None:
        while self._good.held:
            self._good.held.pop().close()
        shutil.rmtree(self._inside)
        shutil.copytree(self._pristine, self._inside)


KINDS = frozenset(
    {"list", "runs", "recipe", "models", "datasets", "data directory", "adapter", "gguf", "weights"}
)


def kinds_of(name: Path) -> Sequence[str]:
    """Which readers a file below the folder of `Good` concerns."""
    first, second = name.parts[0], name.parts[1]
    if first == "brought":
        return ["recipe"] if second == "recipe.yaml" else ["models", "gguf", "weights"]
    match second:
        case "runs":
            return ["list", "runs", "adapter", "gguf"]
        case "datasets":
            return ["datasets"]
        case "models":
            return ["models"]
        case "index.sqlite3" | "academy.json" | "queue":
            return ["list"]
        case _:
            return ["data directory"]


def named(root: Path) -> Trial:
    """Trials over the table of cases."""
    return Hostile(root).named


def mutants(root: Path) -> Trial:
    """Trials over random changes."""
    return Hostile(root).mutant
