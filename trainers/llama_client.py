"""llama.cpp from a safe distance: a model loaded in a child process that may crash without harm.

Owns the child and its life. Refuses to load llama.cpp itself.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from trainers.device import usable_cores
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.subject import Answer, Logits
from trainers.host_ties import PARENT_PID_VARIABLE

#: Longest wait for one answer: a long batch of a large model on a slow processor.
TIMEOUT_S = 1800.0
#: Wait for the child to end by itself once its stdin is closed.
END_TIMEOUT_S = 10.0
_DETAIL_CHARACTERS = 300
#: What llama.cpp and the C++ library write before they give up.
_SIGNS = ("error", "Error", "GGML_ASSERT", "what():")


class LlamaClient:
    """A GGUF file in llama.cpp. A context manager: the child lives from entry to exit.

    Attributes:
        metadata: the file's metadata as llama.cpp read it, arrays left out.
        special_texts: begin and end token, in a chat template's names.
        end_ids: every id at which llama.cpp ends an answer.
    """

    def __init__(
        self,
        path: Path,
        *,
        lora: Path | None = None,
        threads: int | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._path = path
        self._lora = lora
        self._threads = threads or usable_cores()
        self._timeout_s = timeout_s
        self.metadata: Mapping[str, str] = {}
        self.special_texts: Mapping[str, str] = {}
        self.end_ids: frozenset[int] = frozenset()

    def __enter__(self) -> LlamaClient:
        self._scratch = tempfile.TemporaryDirectory(prefix="llama-")
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "trainers.llama_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=child_environment(),
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        lora = str(self._lora) if self._lora else None
        try:
            opened = self._ask(op="open", path=str(self._path), lora=lora, threads=self._threads)
        except BaseException:
            self._end()
            raise
        self.metadata, self.special_texts = opened["metadata"], opened["texts"]
        self.end_ids = frozenset(opened["end_ids"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def tokenize(self, text: str) -> list[int]:
        """Return the ids of a text in which special tokens are written out; nothing is added."""
        ids: list[int] = self._ask(op="tokenize", text=text)["ids"]
        return ids

    def logits(self, ids: Sequence[int], positions: Sequence[int]) -> Logits:
        """Return the scores of the next token after each of `positions`, (positions, vocabulary)."""
        path = Path(self._scratch.name) / "logits.npy"
        self._ask(op="logits", ids=list(ids), positions=list(positions), path=str(path))
        scores: Logits = np.load(path, allow_pickle=False)
        return scores

    def generate(self, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[Answer]:
        """Answer each prompt greedily; llama.cpp decides by the file alone where an answer ends."""
        asked = [list(prompt) for prompt in prompts]
        reply = self._ask(op="generate", prompts=asked, max_new_tokens=max_new_tokens)
        return [Answer(tuple(answer["ids"]), answer["ended"]) for answer in reply["answers"]]

    def count_activations(self, ids: Sequence[int]) -> None:
        """Let the model read `ids` and add up what its matrices are multiplied by."""
        self._ask(op="count", ids=list(ids))

    def write_mean_squares(self, path: Path) -> None:
        """Write what was counted: by the matrix's name the mean square of each input, as safetensors."""
        self._ask(op="mean_squares", path=str(path))

    def _ask(self, **request: object) -> dict[str, Any]:
        stdin = self._child.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(request).encode() + b"\n")
            stdin.flush()
        except OSError as error:
            raise self._failed(self._last_words()) from error
        try:
            line = self._lines.get(timeout=self._timeout_s)
        except queue.Empty as error:
            self._child.kill()
            raise self._failed(f"no answer in {self._timeout_s:g} s") from error
        if not line:
            raise self._failed(self._last_words())
        reply: dict[str, Any] = json.loads(line)
        problem = reply.get("error")
        if problem is None:
            return reply
        if problem["code"] == ErrorCode.LLAMA_CPP_MISSING:
            raise AcademyError(ErrorCode.LLAMA_CPP_MISSING, detail=problem["detail"])
        raise self._failed(f"{problem['detail']}: {self._words()}".removesuffix(": "))

    def _read(self) -> None:
        """Hand the child's lines over; an empty one is the end."""
        stdout = self._child.stdout
        assert stdout is not None
        for line in stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _failed(self, detail: str) -> AcademyError:
        return AcademyError(ErrorCode.LLAMA_CPP_FAILED, path=str(self._path), detail=detail)

    def _last_words(self) -> str:
        """Return how the child died and the last thing it wrote."""
        try:
            code = self._child.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return self._words()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{how}: {self._words()}".removesuffix(": ")

    def _words(self) -> str:
        self._stderr.seek(0)
        return telling_line(self._stderr.read())

    def _end(self) -> None:
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.close()
        except OSError:
            self._child.kill()  # it is dead or dying: nothing is lost
        try:
            self._child.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join()
        stdout.close()
        self._stderr.close()
        self._scratch.cleanup()


def telling_line(said: bytes) -> str:
    """Return the line in which llama.cpp says why it gave up, of all that it wrote."""
    lines = said.decode("utf-8", "replace").split("\n")
    # The file's own metadata is printed too: a template may well speak of errors.
    kept = [line.strip() for line in lines if line.strip() and "- kv " not in line]
    # An abort prints a stack trace after the one line that says why.
    reasons = [line for line in kept if any(sign in line for sign in _SIGNS)]
    return (reasons or kept or [""])[0][:_DETAIL_CHARACTERS]


def child_environment() -> dict[str, str]:
    """Return the environment of a child that loads llama.cpp: `trainers` is on its path."""
    here = str(Path(__file__).resolve().parents[1])
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([here, known] if known else [here])
    # Threads that spin while they wait for each other starve on a busy machine: 57 s became 7 s where other
    # programs kept both cores busy.
    own = {"PYTHONPATH": path, PARENT_PID_VARIABLE: str(os.getpid())}
    return {"OMP_WAIT_POLICY": "passive", **os.environ, **own}
