"""The real window in a process of its own: as a user starts it, or with a probe that tells what it shows.

A probe has two sides: `run_window` composes the window as `academy-desktop` does and hands its objects over;
`WindowProcess` starts that as a child and hears what it says. Owns the lines between the two.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from unittest.mock import patch

from academy_desktop import app, start

#: Longest wait for a line: reached only when something is broken.
DEADLINE_S = 60.0

Line = dict[str, Any]


def run_window(arguments: Sequence[str], probe: Callable[[app.Desk], object]) -> int:
    """Open the real window and stay until it is closed; `probe` gets its objects before it is shown."""

    class ProbedDesk(app.Desk):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            probe(self)

    with patch.object(app, "Desk", ProbedDesk):
        return start.main(arguments)


def say(what: str, **facts: object) -> None:
    """Say a line to whoever started this process."""
    sys.stdout.write(json.dumps({"said": what, **facts}) + "\n")
    sys.stdout.flush()


def window_environment(**changes: str | None) -> dict[str, str]:
    """This process's environment, offscreen, with changes; None takes a variable away.

    Modules are compiled once, as where the product is installed.
    """
    wanted = {"QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": None, **changes}
    known: dict[str, str | None] = {**os.environ, **wanted}
    return {name: value for name, value in known.items() if value is not None}


def start_window(*arguments: str, **changes: str | None) -> subprocess.Popen[str]:
    """The window as a user starts it; `changes` of the environment as in `window_environment`."""
    command = [sys.executable, "-m", "academy_desktop.start", *arguments]
    return subprocess.Popen(
        command, env=window_environment(**changes), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def window(*arguments: str, **changes: str | None) -> tuple[int, str]:
    """Exit code and words of a window that ends by itself."""
    with start_window(*arguments, **changes) as process:
        try:
            _, said = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()  # one that hangs would be waited for without end
    return process.returncode, "\n".join(_own_words(said.splitlines()))


class WindowProcess:
    """A window as a child of this process; whatever happens, it is gone after the `with`.

    Attributes:
        process: the child.
        began: when it was started, in seconds of `time.monotonic`.
    """

    def __init__(self, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """`module` is run as `python -m`, with `arguments`."""
        self._lines: queue.SimpleQueue[tuple[float, Line] | None] = queue.SimpleQueue()
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=environment or window_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._words: list[str] = []
        self._readers = [
            threading.Thread(target=reader, daemon=True) for reader in (self._read_lines, self._read_words)
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> WindowProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def words(self) -> str:
        """What it said on stderr, without what the offscreen platform says of itself."""
        return "".join(_own_words(self._words))

    def hear(self, what: str, timeout_s: float = DEADLINE_S) -> Line:
        """Wait for a line; returns its facts, with `after_s`: seconds since the start of the process.

        Raises:
            AssertionError: it ended, or said nothing of the kind in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                heard = self._lines.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                raise AssertionError(f"waited {timeout_s} s for “{what}”. {self.words}") from None
            if heard is None:
                raise AssertionError(f"the window ended before “{what}”. {self.words}")
            at, line = heard
            if line["said"] == what:
                return line | {"after_s": at - self.began}

    def tell(self, what: str) -> None:
        """Say a line to the probe."""
        if self.process.stdin is not None:
            self.process.stdin.write(what + "\n")
            self.process.stdin.flush()

    def ended(self, timeout_s: float = DEADLINE_S) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    def kill(self) -> None:
        """End it with SIGKILL, if it has not ended."""
        self.process.kill()
        self.ended()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):  # what was told last may never have been read
                if pipe is not None:
                    pipe.close()

    def _read_lines(self) -> None:
        if self.process.stdout is not None:
            for text in self.process.stdout:
                self._lines.put((time.monotonic(), json.loads(text)))
        self._lines.put(None)

    def _read_words(self) -> None:
        if self.process.stderr is not None:
            self._words.extend(self.process.stderr)


def _own_words(lines: Iterable[str]) -> Iterator[str]:
    """All but what the offscreen platform says of itself."""
    return (line for line in lines if not line.startswith("This plugin does not support"))
