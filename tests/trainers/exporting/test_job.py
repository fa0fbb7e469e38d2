from __future__ import annotations

import errno
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

import trainers
from tests.trainers.exporting.making import Item, export, refusal
from tests.trainers.tiny_model import write_model
from trainers.digest import sha256_of
from trainers.errors import AcademyError, ErrorCode
from trainers.events import Exported, Payload, Phase, Progress
from trainers.exporting.record import card_path, certificate_path, find_exports, modelfile_path, record_path
from trainers.layout import RunDir

ITEMS: tuple[Item, ...] = (("adapter", "f16"), ("merged", "f16"), ("gguf", "f16"), ("lora-gguf", "f16"))
ROOT = str(Path(next(iter(trainers.__path__))).parent)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def teach_differently(parent: RunDir) -> None:
    """Another adapter, as a resumed run leaves it."""
    path = parent.adapter / "adapter_model.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(path).items()}, path)


def whole_exports(parent: RunDir) -> dict[str, str]:
    """Hash of each export that counts as finished; each must be what its record says."""
    if not list(parent.exports.glob("*.json")):
        return {}
    exports = find_exports(parent.exports)
    for one in exports:
        assert sha256_of(one.path) == one.record.sha256, one.name
    return {one.name: one.record.sha256 for one in exports}


def job_dir(parent: RunDir) -> Path:
    return parent.path.with_name("export-job")


def leftovers(parent: RunDir) -> list[str]:
    return [path.name for path in job_dir(parent).iterdir() if path.name.startswith(".")]


def test_an_export_job_makes_what_is_asked_for_in_order(parent: RunDir) -> None:
    said: list[Payload] = []
    paths = export(parent, *ITEMS, emit=said.append)
    assert [path.name for path in paths] == [
        "adapter", "merged-f16", "gguf-f16.gguf", "lora-gguf-f16.gguf",
    ]  # fmt: skip
    exported = [one for one in said if isinstance(one, Exported)]
    assert [(one.format, one.quant) for one in exported] == [
        ("adapter", ""), ("merged", "f16"), ("gguf", "f16"), ("lora-gguf", "f16"),
    ]  # fmt: skip
    weights = sha256_of(parent.adapter / "adapter_model.safetensors")
    for one, path in zip(exported, paths, strict=True):
        assert parent.path / one.path == path
        assert one.sha256 == sha256_of(path)
        assert one.size_bytes == sum(len(content) for content in contents(path).values()) or path.is_file()
        [found] = find_exports(parent.exports, [path.name])
        assert found.record.sha256 == one.sha256
        assert (found.record.base, found.record.adapter_sha256) == ("tied", weights)
    phases = [one.name for one in said if isinstance(one, Phase)]
    assert phases == ["loading", *["writing", "saving"] * 4]
    ends = [one for one in said if isinstance(one, Progress) and one.done == one.total]
    assert len(ends) == 4
    assert {path.name for path in parent.exports.iterdir()} == {
        "gguf-f16.gguf.Modelfile",
        *(one.name for path in paths for one in (path, record_path(path), card_path(path))),
    }
    assert leftovers(parent) == []


def test_the_same_export_is_the_same_to_the_byte(parent: RunDir) -> None:
    export(parent, *ITEMS)
    first = contents(parent.exports)
    export(parent, *ITEMS)
    assert contents(parent.exports) == first


@pytest.mark.parametrize("item", ITEMS)
def test_a_new_export_replaces_its_namesake_and_its_certificate(parent: RunDir, item: Item) -> None:
    [path] = export(parent, item)
    before = whole_exports(parent)
    certificate_path(path).write_text("{}", "utf-8")
    teach_differently(parent)
    export(parent, item)
    after = whole_exports(parent)
    assert after.keys() == before.keys()
    assert after[path.name] != before[path.name]
    assert not certificate_path(path).exists()
    assert leftovers(parent) == []


@pytest.mark.parametrize("item", ITEMS)
def test_a_cancelled_export_leaves_nothing_and_takes_nothing(parent: RunDir, item: Item) -> None:
    [path] = export(parent, item)
    certificate_path(path).write_text("{}", "utf-8")
    before = contents(parent.exports)
    teach_differently(parent)
    looks = count_looks(parent, item)
    assert looks > 3
    for moment in {0, 1, 2, looks // 2, looks - 2, looks - 1}:
        export(parent, item, cancelled=from_look(moment))
        assert contents(parent.exports) == before
        assert leftovers(parent) == []


@pytest.fixture
def busy() -> Iterator[Callable[[Path], None]]:
    """Makes files that cannot be moved, as on Windows every open one is: something is mounted upon them."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount")
    mounted: list[Path] = []

    def hold(path: Path) -> None:
        other = path.with_name("held")
        other.write_bytes(path.read_bytes())
        if subprocess.run(["mount", "--bind", str(other), str(path)], check=False).returncode != 0:
            pytest.skip("nothing can be mounted here")
        mounted.append(path)

    yield hold
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_file_in_use_that_cannot_be_replaced_stays_whole_and_is_named(
    parent: RunDir, busy: Callable[[Path], None]
) -> None:
    [path] = export(parent, ("gguf", "f16"))
    teach_differently(parent)
    busy(path)
    before = contents(parent.exports)
    with refusal(ErrorCode.OUTPUT_NOT_WRITABLE) as facts:
        export(parent, ("gguf", "f16"))
    assert facts["path"] == str(path)
    assert facts["detail"]
    assert contents(parent.exports) == before
    assert leftovers(parent) == []


def test_a_program_that_has_the_old_file_open_keeps_reading_it(parent: RunDir) -> None:
    [path] = export(parent, ("gguf", "f16"))
    before = path.read_bytes()
    teach_differently(parent)
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        export(parent, ("gguf", "f16"))
        assert view[:] == before
    assert path.read_bytes() != before
    assert whole_exports(parent)


def from_look(moment: int) -> Callable[[], bool]:
    """Cancelled at the look of that number, from 0, and ever after."""
    looks = iter(range(10**6))
    return lambda: next(looks) >= moment


def count_looks(parent: RunDir, item: Item) -> int:
    """How often an export asks whether it is cancelled; made elsewhere."""
    copy = RunDir(Path(shutil.copytree(parent.path, parent.path.with_name("counted") / "parent")))
    looks: list[None] = []

    def cancelled() -> bool:
        looks.append(None)
        return False

    export(copy, item, cancelled=cancelled)
    shutil.rmtree(copy.path.parent)
    return len(looks)


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from trainers.exporting import job, staging
from trainers.layout import write_record
from trainers.recipe_file import read_recipe

torch.set_num_threads(1)
recipe = read_recipe(Path(sys.argv[1]) / "recipe.yaml")

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def at_event(number):
    seen = iter(range(10**6))
    return lambda _: die() if next(seen) == number else None

def at_rename(number):
    seen, rename = iter(range(10**6)), Path.rename
    def renamed(path, target):
        if next(seen) == number:
            die()
        return rename(path, target)
    Path.rename = renamed
    return lambda _: None

for kind, number in (pair.split("-") for pair in sys.argv[2:]):
    sys.stdin.readline()
    pid = os.fork()
    if pid == 0:
        emit = {"event": at_event, "rename": at_rename}[kind](int(number))
        job.run_export(recipe, Path(sys.argv[1]), emit, lambda: False)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_a_killed_export_leaves_the_old_one_or_the_new_one(parent: RunDir) -> None:
    items: tuple[Item, ...] = (("gguf", "f16"), ("merged", "f16"))
    paths = export(parent, *items)
    old = whole_exports(parent)
    for path in paths:
        certificate_path(path).write_text("{}", "utf-8")
    saved = parent.exports.rename(parent.path / "saved")
    teach_differently(parent)
    export(parent, *items)
    new = whole_exports(parent)
    # Certificate, record, Modelfile, card and file go; file, Modelfile, card and record come. The
    # merged model has no Modelfile.
    numbers = (1, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15)
    moments = ["event-1", "event-3", *(f"rename-{number}" for number in numbers), "rename-16"]
    command = [sys.executable, "-P", "-c", KILLED, str(job_dir(parent)), *moments]
    outcomes: dict[str, int] = {}
    with subprocess.Popen(
        command, env={"PYTHONPATH": ROOT}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for moment in moments:
            shutil.rmtree(parent.exports)
            shutil.copytree(saved, parent.exports)
            child.stdin.write("\n")
            child.stdin.flush()
            outcomes[moment] = int(child.stdout.readline())
            for name, digest in whole_exports(parent).items():
                assert digest in (old[name], new[name]), moment
            # The next attempt heals what lies between; here it is cancelled at once.
            export(parent, *items, cancelled=lambda: True)
            found = whole_exports(parent)
            assert found.keys() == old.keys(), moment
            for path in paths:
                assert found[path.name] in (old[path.name], new[path.name]), moment
                kept = found[path.name] == old[path.name]
                assert certificate_path(path).exists() == kept, moment
                digest = find_exports(parent.exports, [path.name])[0].record.sha256
                assert digest in card_path(path).read_text("utf-8"), moment
                assert modelfile_path(path).exists() == (path.suffix == ".gguf"), moment
            assert leftovers(parent) == [], moment
    assert list(outcomes.values()) == [-9] * 13 + [0]


class Disk:
    """A disk that other programs fill and clear at chosen moments."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as stream:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        stream.write(bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def clear(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture
def crowded(small_disk: Callable[[int], Path], parent: RunDir) -> tuple[RunDir, Disk]:
    """A finished run on a disk of its own that has some room."""
    folder = small_disk(28_000_000)
    return RunDir(Path(shutil.copytree(parent.path, folder / "parent"))), Disk(folder)


@pytest.mark.parametrize("item", ITEMS)
def test_a_disk_without_room_is_told_before_anything_is_written(
    crowded: tuple[RunDir, Disk], item: Item
) -> None:
    run, disk = crowded
    job_dir(run).mkdir()
    disk.fill()
    with refusal(ErrorCode.DISK_FULL) as facts:
        export(run, item)
    assert facts["needed_bytes"] > facts["free_bytes"] == 0
    assert not run.exports.exists()


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("stage", ["writing", "saving"])
def test_a_disk_that_fills_up_meanwhile_costs_the_export_only(
    crowded: tuple[RunDir, Disk], item: Item, stage: str
) -> None:
    run, disk = crowded
    [path] = export(run, item)
    certificate_path(path).write_text("{}", "utf-8")
    before = contents(run.exports)
    teach_differently(run)

    def emit(payload: Payload) -> None:
        if isinstance(payload, Phase) and payload.name == stage:
            disk.fill()

    with refusal(ErrorCode.DISK_FULL):
        export(run, item, emit=emit)
    assert contents(run.exports) == before
    assert leftovers(run) == []
    disk.clear()
    export(run, item)
    assert contents(run.exports).keys() == before.keys() - {certificate_path(path).name}


@pytest.mark.parametrize("item", ITEMS)
def test_a_disk_that_was_full_for_a_moment_never_leaves_a_part(
    crowded: tuple[RunDir, Disk], item: Item
) -> None:
    run, disk = crowded
    export(run, item)
    expected = contents(run.exports)
    looks = count_looks(run, item)
    failed = 0
    for moment in range(1, looks):
        shutil.rmtree(run.exports, ignore_errors=True)
        is_time = from_look(moment)
        filled: list[None] = []

        def cancelled() -> bool:
            if is_time() and not filled:  # noqa: B023 - called within this round only
                disk.fill()
                filled.append(None)  # noqa: B023
            return False

        def emit(payload: Payload) -> None:
            if isinstance(payload, Phase) and payload.name == "saving":
                disk.clear()

        try:
            export(run, item, cancelled=cancelled, emit=emit)
        except AcademyError as error:
            if error.code is not ErrorCode.DISK_FULL:
                raise
            failed += 1
            assert not run.exports.exists() or contents(run.exports) == {}
        else:
            assert contents(run.exports) == expected
        disk.clear()
    assert failed > 0


def test_one_that_cannot_be_made_stops_all_before_the_first(parent: RunDir, tmp_path: Path) -> None:
    with refusal(ErrorCode.QUANT_UNSUPPORTED):
        export(parent, ("adapter", "f16"), ("merged", "q8_0"))
    assert not parent.exports.exists()


def test_a_run_without_adapter_is_told(parent: RunDir) -> None:
    shutil.rmtree(parent.adapter)
    with refusal(ErrorCode.JOB_WITHOUT_ADAPTER) as facts:
        export(parent, ("gguf", "f16"))
    assert facts == {"job": "parent"}


def test_a_base_model_that_is_gone_is_told(parent: RunDir, tmp_path: Path) -> None:
    other = write_model(tmp_path / "gone", lessons=0)
    text = parent.recipe.read_text("utf-8")
    [line] = [line for line in text.splitlines() if line.strip().startswith("path:") and "tied" in line]
    parent.recipe.write_text(text.replace(line.split("path: ")[1], str(other)), "utf-8")
    shutil.rmtree(other)
    with refusal(ErrorCode.FILE_NOT_FOUND) as facts:
        export(parent, ("gguf", "f16"))
    assert facts["path"] == str(other / "config.json")
