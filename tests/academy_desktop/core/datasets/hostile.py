"""Files that mean harm, one of each kind, and a child process that imports one and says what came of it.

Owns the files; `scale` makes the large ones smaller. Refuses to judge: the tests and the benchmark do.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1 << 20
#: An import that takes longer has failed, whatever it would say.
GIVE_UP_S = 60.0
ROOT = Path(__file__).parents[4]
GOOD = b'{"question": "What is it?", "answer": "It is this."}\n'

#: Imports what the second argument names into the first; with a third, the file grows while it is read.
PROBE = """
import json, sys
from pathlib import Path
from academy_desktop.core.datasets.library import Library
from trainers.errors import AcademyError

def grow(_done, _total):
    with open(sys.argv[2], "ab") as out:
        out.write(b'{"question": "More?", "answer": "More."}\\n')

try:
    made = Library(Path(sys.argv[1])).import_files(
        [Path(sys.argv[2])], "hostile", eval_fraction=0.0, progress=grow if len(sys.argv) > 3 else None
    )
    said = {"kept": made.rows_kept, "dropped": dict(made.dropped)}
except AcademyError as error:
    said = {"code": str(error.code), "detail": str(error.facts.get("detail"))}
print(json.dumps(said))
"""


@dataclass(frozen=True)
class Outcome:
    """What an import said; seconds of the whole child; the most memory of it and its own children."""

    said: Mapping[str, object]
    seconds: float
    peak_bytes: int


def import_in_child(folder: Path, file: Path, *, growing: bool = False) -> Outcome:
    """Import a file or a folder in a child process into a new folder of datasets."""
    command = [sys.executable, "-c", PROBE, str(folder / "datasets"), str(file), *["grow"] * growing]
    begun = time.monotonic()
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    peak = _Peak(child.pid)
    try:
        said, trouble = child.communicate(timeout=GIVE_UP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return Outcome({"gave_up": True}, time.monotonic() - begun, peak.stop())
    seconds = time.monotonic() - begun
    peak_bytes = peak.stop()
    if child.returncode:
        raise RuntimeError(trouble)
    return Outcome(json.loads(said), seconds, peak_bytes)


class _Peak:
    """Looks at the memory of a process and its children now and then."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            total = 0
            try:
                for one in (self._process, *self._process.children(recursive=True)):
                    total += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self._peak_bytes = max(self._peak_bytes, total)


def _lines(folder: Path, *lines: bytes) -> Path:
    path = folder / "a.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def broken_json(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD, b'{"question": "torn", "ans\n', GOOD.replace(b"this", b"that"))


def byte_order_mark(folder: Path, _scale: float) -> Path:
    return _lines(folder, codecs.BOM_UTF8, GOOD)


def utf_16(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD.decode().encode("utf-16"))


def latin_1(folder: Path, _scale: float) -> Path:
    path = folder / "a.csv"
    path.write_bytes(b"question,answer\n" + "Farbe?,grün\n".encode("latin-1"))
    return path


def nul_bytes(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD, b'{"question": "a\x00b", "answer": "b"}\n', GOOD)


def long_line(folder: Path, scale: float) -> Path:
    path = folder / "a.jsonl"
    with path.open("wb") as out:
        out.write(GOOD + b'{"question": "')
        for _ in range(round(500 * scale)):
            out.write(b"x" * MIB)
        out.write(b'", "answer": "a"}\n' + GOOD.replace(b"this", b"that"))
    return path


def deep_json(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD, b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")


def deep_list(folder: Path, scale: float) -> Path:
    path = folder / "a.json"
    path.write_bytes(b"[" * round(100_000_000 * scale))
    return path


def long_numbers(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD, b'{"question": ' + b"1" * 10_000 + b', "answer": "b"}\n')


def long_number_in_a_list(folder: Path, scale: float) -> Path:
    path = folder / "a.json"
    path.write_bytes(b"[" + b"1" * round(30 * MIB * scale) + b"]")
    return path


def ragged_table(folder: Path, _scale: float) -> Path:
    path = folder / "a.csv"
    path.write_bytes(b"question,answer\na,b\nc\nd,e,f,g\nh,i\n")
    return path


def open_quote(folder: Path, scale: float) -> Path:
    path = folder / "a.csv"
    with path.open("wb") as out:
        out.write(b'question,answer\na,b\n"c,')
        for _ in range(round(200 * scale)):
            out.write(b"d,e\n" * (MIB // 4))
    return path


def gzip_bomb(folder: Path, scale: float) -> Path:
    path = folder / "a.jsonl.gz"
    with gzip.open(path, "wb") as out:
        out.write(GOOD)
        for _ in range(round(1000 * scale)):
            out.write(b" " * MIB)
    return path


def word_bomb(folder: Path, scale: float) -> Path:
    path = folder / "a.docx"
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    with packed as parts, parts.open("word/document.xml", "w") as part:
        for _ in range(max(round(600 * scale), 300)):
            part.write(b" " * MIB)
    return path


def encrypted_pdf(folder: Path, _scale: float) -> Path:
    import pypdf

    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.encrypt("secret")
    path = folder / "a.pdf"
    writer.write(path)
    return path


def cut_parquet(folder: Path, _scale: float) -> Path:
    import pyarrow
    from pyarrow import parquet

    whole = io.BytesIO()
    rows = [{"question": f"What is {n}?", "answer": f"{n}."} for n in range(50_000)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), whole)
    path = folder / "a.parquet"
    path.write_bytes(whole.getvalue()[:-2000])
    return path


def swollen_parquet(folder: Path, scale: float) -> Path:
    """Few bytes, and one cell that unpacks to hundreds of millions."""
    import pyarrow
    from pyarrow import parquet

    path = folder / "a.parquet"
    table = pyarrow.table({"question": ["x" * max(round(600 * MIB * scale), 80 * MIB)], "answer": ["b"]})
    parquet.write_table(table, path, compression="zstd", use_dictionary=False)
    return path


def link_out_of_the_folder(folder: Path, _scale: float) -> Path:
    secret = folder / "secret.jsonl"
    secret.write_bytes(GOOD)
    inside = folder / "rows"
    inside.mkdir()
    (inside / "a.jsonl").symlink_to(secret)
    return inside


def changing(folder: Path, _scale: float) -> Path:
    return _lines(folder, GOOD * 100)


@dataclass(frozen=True)
class Case:
    """A file that means harm, and what has to come of it: a code, or rows kept and dropped."""

    make: Callable[[Path, float], Path]
    expected: Mapping[str, object]
    growing: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__

    def holds(self, said: Mapping[str, object]) -> bool:
        """Whether that came of it."""
        return self.expected.items() <= said.items()


def _kept(count: int, **dropped: int) -> dict[str, object]:
    return {"kept": count, "dropped": dropped}


_UNREADABLE: Mapping[str, object] = {"code": "file_unreadable"}

CASES = (
    Case(broken_json, _kept(2, unparsable=1)),
    Case(byte_order_mark, _kept(1)),
    Case(utf_16, _kept(1)),
    Case(latin_1, {"code": "file_encoding"}),
    Case(nul_bytes, {"code": "file_not_its_format"}),
    Case(long_line, _kept(2, unparsable=1)),
    Case(deep_json, _kept(1, unparsable=1)),
    Case(deep_list, _UNREADABLE),
    Case(long_numbers, _kept(1, unparsable=1)),
    Case(long_number_in_a_list, _UNREADABLE),
    Case(ragged_table, _kept(2, unparsable=1, missing_field=1)),
    Case(open_quote, _UNREADABLE),
    Case(gzip_bomb, _UNREADABLE),
    Case(word_bomb, _UNREADABLE),
    Case(encrypted_pdf, _UNREADABLE),
    Case(cut_parquet, _UNREADABLE),
    Case(swollen_parquet, _UNREADABLE),
    Case(link_out_of_the_folder, _UNREADABLE),
    Case(changing, _UNREADABLE, growing=True),
)
