from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import academy_desktop
import trainers
from academy_desktop.core.venom.folders import LocalFolder
from academy_desktop.core.venom.placement import SPARE_BYTES, STAGING, Parcel, Part, Placement
from tests.academy_desktop.core.venom.making import WHOLE, placed, refusal
from tests.venom_server.state import VenomState
from trainers.errors import ErrorCode

ID = "replies-0a1b2c3d"
ROOTS = {str(Path(next(iter(package.__path__))).parent) for package in (academy_desktop, trainers)}


def make_parcel(folder: Path, adapter_id: str = ID, weights: bytes = b"w" * 5000, base: str = "b") -> Parcel:
    """Two files to copy and one to write."""
    folder.mkdir(exist_ok=True)
    sources = {"adapter_model.safetensors": weights, "Adapter-F16-LoRA.gguf": b"GGUF" + weights[:999]}
    parts = [Part("adapter_config.json", content=json.dumps({"base": base}).encode())]
    for name, content in sources.items():
        (folder / name).write_bytes(content)
        parts.append(Part(name, source=folder / name, sha256=hashlib.sha256(content).hexdigest()))
    metadata = {"metadata_version": 2, "adapter_id": adapter_id, "base_model": base, "created_at": "2026"}
    return Parcel(adapter_id, metadata | {"source_flow": "desktop"}, tuple(parts), "made here\n")


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return make_parcel(tmp_path / "source")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_an_adapter_is_placed_once_and_then_kept(models_dir: Path, parcel: Parcel) -> None:
    placement = Placement(LocalFolder(models_dir), "me")
    assert not placement.holds(parcel)
    assert placement.place(parcel) == "placed"
    assert placement.holds(parcel)
    assert placed(models_dir) == {ID: WHOLE}
    before = contents(models_dir)
    assert placement.place(parcel) == "kept"
    assert contents(models_dir) == before


def test_what_the_server_wrote_into_the_description_is_kept(models_dir: Path, parcel: Parcel) -> None:
    placement = Placement(LocalFolder(models_dir), "me")
    placement.place(parcel)
    path = models_dir / ID / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_signature": {"signed": True}}))
    assert placement.place(parcel) == "kept"
    assert json.loads(path.read_text())["chat_signature"] == {"signed": True}
    parcel = replace(parcel, metadata={**parcel.metadata, "created_at": "2027"})
    assert placement.place(parcel) == "mended"
    assert json.loads(path.read_text()) == {**parcel.metadata, "chat_signature": {"signed": True}}


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"metadata_version": 1}', None])
def test_a_description_that_is_not_ours_any_more_is_written_anew(
    models_dir: Path, parcel: Parcel, damage: str | None
) -> None:
    placement = Placement(LocalFolder(models_dir), "me")
    placement.place(parcel)
    path = models_dir / ID / "metadata.json"
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage)
    assert placement.place(parcel) == "mended"
    assert json.loads(path.read_text()) == parcel.metadata
    assert placed(models_dir) == {ID: WHOLE}


PARTS = [name for name in WHOLE if name.startswith("adapter/")]
DAMAGES = [("training.log", "gone")] + [
    (name, damage) for name in PARTS for damage in ("gone", "cut", "changed")
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_an_adapter_that_is_damaged_is_mended(
    models_dir: Path, parcel: Parcel, name: str, damage: str
) -> None:
    placement = Placement(LocalFolder(models_dir), "me")
    placement.place(parcel)
    before = contents(models_dir)
    path = models_dir / ID / name
    content = path.read_bytes()
    match damage:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(content[:-1])
        case "changed":
            path.write_bytes(content[:-1] + b"\0")
    assert not placement.holds(parcel)
    assert placement.place(parcel) == "mended"
    assert contents(models_dir) == before


def test_the_same_weights_for_another_base_replace_what_is_there(models_dir: Path, tmp_path: Path) -> None:
    placement = Placement(LocalFolder(models_dir), "me")
    placement.place(make_parcel(tmp_path / "source"))
    other = make_parcel(tmp_path / "source", base="other")
    assert placement.place(other) == "mended"
    assert json.loads((models_dir / ID / "adapter" / "adapter_config.json").read_text()) == {"base": "other"}
    assert placed(models_dir) == {ID: WHOLE}


@pytest.mark.parametrize(
    "there", ["server's own", "other weights", "a file", "an empty folder", "a dead link"]
)
def test_what_is_not_this_adapter_is_left_as_it_is(models_dir: Path, tmp_path: Path, there: str) -> None:
    target = models_dir / ID
    match there:
        case "server's own":
            (target / "adapter").mkdir(parents=True)
            (target / "metadata.json").write_text("{}")
        case "other weights":
            Placement(LocalFolder(models_dir), "me").place(
                make_parcel(tmp_path / "other", weights=b"x" * 5000)
            )
        case "a file":
            target.write_text("mine")
        case "an empty folder":
            target.mkdir()
        case "a dead link":
            target.symlink_to(tmp_path / "nowhere")
    before = contents(models_dir)
    with refusal(ErrorCode.VENOM_ADAPTER_EXISTS) as facts:
        Placement(LocalFolder(models_dir), "me").place(make_parcel(tmp_path / "source"))
    assert facts["path"] == str(target)
    assert contents(models_dir) == before
    assert [path.name for path in models_dir.iterdir()] == [ID]


def test_the_server_sees_a_whole_adapter_or_none_and_never_a_base_model(tmp_path: Path) -> None:
    state = VenomState(tmp_path, tmp_path / "models")
    state.models_dir.mkdir()
    weights = os.urandom(2_000_000)
    over, looks = threading.Event(), 0
    wrong: list[object] = []

    def watch() -> None:
        nonlocal looks
        while not over.is_set():
            wrong.extend(one for one in state.models()["models"] if one["provider"] == "vllm")
            wrong.extend(one for one in state.adapters() if one["metadata_status"] != "canonical")
            for one in state.adapters():
                there = contents(state.models_dir / one["adapter_id"])
                wrong.extend([one] if list(there) != WHOLE else [])
            looks += 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(12):
            parcel = make_parcel(tmp_path / "source", f"replies-{number:08d}", weights)
            Placement(LocalFolder(state.models_dir), "me").place(parcel)
    finally:
        over.set()
        watcher.join()
    assert looks > 10
    assert wrong == []


def test_a_folder_that_is_gone_is_said(tmp_path: Path, parcel: Parcel) -> None:
    with refusal(ErrorCode.VENOM_FOLDER_MISSING) as facts:
        Placement(LocalFolder(tmp_path / "unmounted"), "me").place(parcel)
    assert facts == {"path": str(tmp_path / "unmounted")}
    assert not (tmp_path / "unmounted").exists()


def test_a_disk_that_is_too_small_is_found_before_anything_is_written(
    small_disk: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = small_disk("size=2m")
    parcel = make_parcel(tmp_path / "source", weights=b"w" * 2_500_000)
    with refusal(ErrorCode.DISK_FULL) as facts:
        Placement(LocalFolder(folder), "me").place(parcel)
    assert facts["path"] == str(folder)
    assert facts["needed_bytes"] == parcel.size_bytes + SPARE_BYTES
    assert facts["free_bytes"] < facts["needed_bytes"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("names", range(2, 10))
def test_a_disk_that_fills_up_while_placing_leaves_nothing(
    small_disk: Callable[[str], Path], parcel: Parcel, names: int
) -> None:
    folder = small_disk(f"size=8m,nr_inodes={names}")  # room for the bytes, not for the files
    with refusal(ErrorCode.DISK_FULL) as facts:
        Placement(LocalFolder(folder), "me").place(parcel)
    assert facts["path"] == str(folder)
    assert list(folder.iterdir()) == []


def test_a_disk_that_fills_up_while_mending_leaves_the_adapter(
    small_disk: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = small_disk("size=8m,nr_inodes=14")
    Placement(LocalFolder(folder), "me").place(make_parcel(tmp_path / "source"))
    before = contents(folder)
    with refusal(ErrorCode.DISK_FULL):
        Placement(LocalFolder(folder), "me").place(make_parcel(tmp_path / "source", base="other"))
    assert contents(folder) == before


def test_a_folder_that_cannot_be_written_is_said(small_disk: Callable[[str], Path], parcel: Parcel) -> None:
    folder = small_disk("size=8m")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    with refusal(ErrorCode.VENOM_FOLDER_NOT_WRITABLE) as facts:
        Placement(LocalFolder(folder), "me").place(parcel)
    assert facts["path"] == str(folder)
    assert "ead-only" in facts["detail"]


def test_a_source_that_changed_since_it_was_chosen_is_not_sent(models_dir: Path, parcel: Parcel) -> None:
    source = parcel.parts[1].source
    assert source is not None
    source.write_bytes(b"x" * 5000)
    with refusal(ErrorCode.EXPORT_DAMAGED) as facts:
        Placement(LocalFolder(models_dir), "me").place(parcel)
    assert facts["path"] == str(source)
    source.unlink()
    source.mkdir()
    with refusal(ErrorCode.FILE_UNREADABLE):
        Placement(LocalFolder(models_dir), "me").place(parcel)
    assert list(models_dir.iterdir()) == []


def test_bytes_are_counted_over_all_parts(models_dir: Path, tmp_path: Path) -> None:
    parcel = make_parcel(tmp_path / "source", weights=b"w" * 2_500_000)
    told: list[tuple[int, int]] = []
    Placement(LocalFolder(models_dir), "me").place(parcel, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {parcel.size_bytes}
    assert parcel.size_bytes - 100 < told[-1][0] <= parcel.size_bytes


def test_another_s_work_in_the_same_folder_is_left_alone(models_dir: Path, parcel: Parcel) -> None:
    theirs = models_dir / STAGING / f"{ID}.you" / "adapter" / "half.safetensors"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"half")
    mine = models_dir / STAGING / f"{ID}.me" / "adapter" / "half.safetensors"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"half")
    Placement(LocalFolder(models_dir), "me").place(parcel)
    assert theirs.read_bytes() == b"half"
    assert not mine.parent.exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from academy_desktop.core.venom.folders import LocalFolder
from academy_desktop.core.venom.placement import Placement
from tests.academy_desktop.core.venom.test_placement import make_parcel

folder, source, base = (Path(path) for path in sys.argv[1:4])

def dying_at(moment):
    seen = iter(range(10**6))
    def hook(event, arguments):
        watched = event in {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"}
        if watched and any(str(folder) in str(one) for one in arguments) and next(seen) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
    return hook

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        parcel = make_parcel(source, base=str(base))
        sys.addaudithook(dying_at(int(line)))
        Placement(LocalFolder(folder), "me").place(parcel)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("mending", [False, True])
def test_a_push_that_is_killed_anywhere_leaves_a_whole_adapter_or_none(
    tmp_path: Path, models_dir: Path, mending: bool
) -> None:
    state = VenomState(tmp_path, models_dir)
    first, base = make_parcel(tmp_path / "source"), "other" if mending else "b"
    command = [sys.executable, "-P", "-c", KILLED, str(models_dir), str(tmp_path / "source"), base]
    environment = {"PYTHONPATH": os.pathsep.join(sorted(ROOTS)), "PATH": os.environ["PATH"]}
    outcomes: list[int] = []
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        moment = 0
        while not outcomes or outcomes[-1] != 0:
            if mending and not (models_dir / ID).exists():
                Placement(LocalFolder(models_dir), "me").place(first)
            child.stdin.write(f"{moment}\n")
            child.stdin.flush()
            outcomes.append(int(child.stdout.readline()))
            listed = state.adapters()
            assert all(one["metadata_status"] == "canonical" for one in listed), moment
            assert all(one["provider"] == "ollama" for one in state.models()["models"]), moment
            there = {name: files for name, files in placed(models_dir).items() if name != STAGING}
            assert there in ({}, {ID: WHOLE}), moment
            after = make_parcel(tmp_path / "source", base=base)
            Placement(LocalFolder(models_dir), "me").place(after)
            assert placed(models_dir) == {ID: WHOLE}, moment
            assert Placement(LocalFolder(models_dir), "me").place(after) == "kept"
            subprocess.run(["rm", "-r", str(models_dir / ID)], check=True)
            moment += 1
        child.stdin.close()
    assert len(outcomes) > 15
    assert set(outcomes[:-1]) == {-9}
