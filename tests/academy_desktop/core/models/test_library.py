from __future__ import annotations

import json
from pathlib import Path

import pytest

from academy_desktop.core.models import DEMO_ID, Models
from academy_desktop.core.models.inspection import model_id
from academy_desktop.core.paths import DataDir
from tests.academy_desktop.core.models.made_models import write_model
from trainers.errors import AcademyError, ErrorCode


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def models(data: DataDir, hub: Path) -> Models:
    return Models(data, hub)


def cached(hub: Path, repository: str = "Qwen--Qwen3-0.6B", commit: str = "c1899de2") -> Path:
    """A repository in a hub's cache: links in a snapshot, content in blobs, and a reference."""
    folder = hub / f"models--{repository}"
    made = write_model(folder / "made")
    (folder / "blobs").mkdir()
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(made.iterdir())):
        file.rename(folder / "blobs" / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    made.rmdir()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    return snapshot


def unknown(models: Models, key: str) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        models.get(key)
    return caught.value


def test_there_may_be_none(models: Models) -> None:
    assert models.list() == ()
    error = unknown(models, "smollm2")
    assert (error.code, error.facts) == (ErrorCode.MODEL_UNKNOWN, {"model": "smollm2", "nearest": None})


def test_an_added_folder_is_found_by_id_name_and_path(models: Models, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "elsewhere" / "Tiny")
    added = models.add(folder)
    assert (added.id, added.source, added.trainable) == (model_id(folder), "folder", True)
    assert models.list() == (added,)
    for key in (added.id, "Tiny", str(folder), str(folder.parent / "." / "Tiny")):
        assert models.get(key) == added


def test_adding_twice_is_adding_once(models: Models, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "Tiny")
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert models.add(folder) == models.add(link) == models.add(folder / ".." / "Tiny")
    assert len(models.list()) == 1


def test_what_was_added_is_remembered_and_nothing_in_it_is_changed(
    data: DataDir, models: Models, hub: Path, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "Tiny")
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    added = models.add(folder)
    models.add(write_model(tmp_path / "Other"))
    again = Models(data, hub)
    assert [model.name for model in again.list()] == ["Tiny", "Other"]
    assert again.get(added.id) == added
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


def test_a_model_that_cannot_be_trained_is_added_with_its_reason(models: Models, tmp_path: Path) -> None:
    gguf = tmp_path / "tiny.gguf"
    gguf.write_bytes(b"GGUF" + b"\0" * 20)
    models.add(write_model(tmp_path / "Tiny", tokenizer=False))
    models.add(gguf)
    reasons = {model.name: model.reason for model in models.list()}
    assert reasons == {"Tiny": ErrorCode.MODEL_WITHOUT_TOKENIZER, "tiny.gguf": ErrorCode.MODEL_INCOMPLETE}


def test_what_is_no_model_is_not_remembered(data: DataDir, models: Models, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(AcademyError):
            models.add(path)
    assert list(data.models.iterdir()) == []


def test_a_model_that_has_gone_does_not_hide_the_others(models: Models, tmp_path: Path) -> None:
    gone = models.add(write_model(tmp_path / "gone"))
    models.add(write_model(tmp_path / "here"))
    (tmp_path / "gone").rename(tmp_path / "moved")
    assert [model.name for model in models.list()] == ["here"]
    assert unknown(models, gone.id).code is ErrorCode.FILE_NOT_FOUND


def test_a_damaged_model_does_not_hide_the_others(models: Models, tmp_path: Path) -> None:
    bad = models.add(write_model(tmp_path / "bad"))
    models.add(write_model(tmp_path / "good"))
    (tmp_path / "bad" / "model.safetensors").write_bytes(b"\xff" * 8)
    assert [model.name for model in models.list()] == ["good"]
    assert unknown(models, bad.id).code is ErrorCode.MODEL_DAMAGED


def test_models_made_here_are_found_and_work_in_progress_is_not(data: DataDir, models: Models) -> None:
    write_model(models.demo_path)
    write_model(data.models / ".half")
    (made,) = models.list()
    assert (made.id, made.source) == (DEMO_ID, "app")
    assert models.get(DEMO_ID) == made


def test_an_unknown_model_names_the_nearest_id(models: Models) -> None:
    write_model(models.demo_path)
    error = unknown(models, "smollm-135m-instruct")
    assert error.code is ErrorCode.MODEL_UNKNOWN
    assert error.facts == {"model": "smollm-135m-instruct", "nearest": DEMO_ID}
    assert unknown(models, "entirely else").facts["nearest"] is None


@pytest.mark.parametrize(
    "key", ["", "/nowhere", "a/b", "~nobody-by-this-name/model", "\0", "x" * 5000, "/" * 5000 + "x"]
)
def test_no_key_is_too_strange(models: Models, key: str) -> None:
    assert unknown(models, key).code is ErrorCode.MODEL_UNKNOWN


def test_a_path_that_was_never_added_is_looked_at(models: Models, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "Tiny")
    link = tmp_path / "link"
    link.symlink_to(folder)
    found = models.get(str(link))
    assert (found.id, found.name, found.path) == (model_id(folder), "Tiny", str(folder))
    assert models.list() == ()


def test_a_relative_path_is_looked_at(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_model(tmp_path / "Tiny")
    monkeypatch.chdir(tmp_path)
    assert models.get("Tiny") == models.get("./Tiny") == models.get(str(folder))
    monkeypatch.chdir(folder)
    assert models.get(".").name == "Tiny"


def test_a_cached_repository_is_found_by_id_name_and_path(models: Models, hub: Path) -> None:
    snapshot = cached(hub)
    (found,) = models.list()
    assert (found.id, found.name, found.source) == ("qwen-qwen3-0-6b", "Qwen/Qwen3-0.6B", "huggingface")
    assert (found.path, found.trainable) == (str(snapshot), True)
    for key in ("qwen-qwen3-0-6b", "Qwen/Qwen3-0.6B", str(snapshot)):
        assert models.get(key) == found
    assert unknown(models, "qwen-qwen3-0-7b").facts["nearest"] == "qwen-qwen3-0-6b"


def test_the_reference_says_which_snapshot(models: Models, hub: Path) -> None:
    old = cached(hub)
    new = old.with_name("e6de91b8")
    old.rename(new)
    assert models.list() == ()
    (hub / "models--Qwen--Qwen3-0.6B" / "refs" / "main").write_text("e6de91b8\n")
    assert [model.path for model in models.list()] == [str(new)]


@pytest.mark.parametrize("reference", [b"\xff\xfe", b"", b"nothing-here"])
def test_a_damaged_reference_hides_only_its_repository(models: Models, hub: Path, reference: bytes) -> None:
    cached(hub, "a--broken")
    cached(hub, "b--sound")
    (hub / "models--a--broken" / "refs" / "main").write_bytes(reference)
    assert [model.name for model in models.list()] == ["b/sound"]


def test_an_unfinished_download_is_left_out(models: Models, hub: Path) -> None:
    snapshot = cached(hub)
    (snapshot / "model.safetensors").resolve().unlink()
    assert models.list() == ()
    assert unknown(models, "Qwen/Qwen3-0.6B").code is ErrorCode.MODEL_INCOMPLETE
    (hub / "models--only--refs" / "refs").mkdir(parents=True)
    assert models.list() == ()


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HF_HUB_CACHE": "{0}/hub"}, "hub"),
        ({"HF_HUB_CACHE": "~/hub"}, "hub"),
        ({"HF_HOME": "{0}/hf"}, "hf/hub"),
        ({"XDG_CACHE_HOME": "{0}/cache"}, "cache/huggingface/hub"),
        ({}, ".cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_its_library_keeps_it(
    data: DataDir,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    place: str,
) -> None:
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    cached(tmp_path / place)
    assert [model.name for model in Models(data).list()] == ["Qwen/Qwen3-0.6B"]


DAMAGED = ["", "{", "[1]", "3", "{}", '{"paths": 5}', '{"paths": null}', '{"paths": "ab"}', "[" * 100_000]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_registry_is_an_empty_one(
    data: DataDir, models: Models, tmp_path: Path, content: str
) -> None:
    (data.models / "registry.json").write_text(content)
    assert models.list() == ()
    added = models.add(write_model(tmp_path / "Tiny"))
    assert models.list() == (added,)
    stored = json.loads((data.models / "registry.json").read_text("utf-8"))
    assert stored == {"v": 1, "paths": [str(tmp_path / "Tiny")]}


def test_what_is_no_path_in_a_registry_is_passed_over(data: DataDir, models: Models, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "Tiny")
    paths: list[object] = [None, 5, {}, str(folder), "x" * 5000, "/nowhere"]
    (data.models / "registry.json").write_text(json.dumps({"v": 1, "paths": paths}))
    assert [model.name for model in models.list()] == ["Tiny"]
