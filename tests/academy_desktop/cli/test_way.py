"""The whole way on the command line, with a real model of two layers: rows, recipe, run, export, proof."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.academy_desktop.cli.conftest import Academy, Said
from tests.trainers.tiny_model import HELD_OUT, LEARNED, Row


@pytest.fixture
def recipe(academy: Academy, tiny_model: Path, tmp_path: Path) -> Path:
    """A recipe over the tiny model and rows that it does not know yet."""
    train, held_out = _write(tmp_path / "train.jsonl", LEARNED), _write(tmp_path / "held.jsonl", HELD_OUT)
    said = academy("data", "import", train, "--eval-file", held_out, "--name", "Capitals", "--json")
    assert said.json["eval_rows"] == len(HELD_OUT)
    out = tmp_path / "recipe.yaml"
    preset = ("--preset", "demo")
    academy("recipe", "init", "--dataset", "Capitals", "--model", tiny_model, *preset, "--out", out)
    text = out.read_text().replace("num_epochs: 4", "num_epochs: 8").replace("threads:", "threads: 1  #")
    out.write_text(text)
    return out


def _write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps({"messages": row["messages"]}) + "\n" for row in rows))
    return path


def _trained(academy: Academy, recipe: Path) -> str:
    said = academy("train", recipe, "--json")
    assert (said.code, said.json["state"]) == (0, "succeeded"), said.err
    job: str = said.json["job"]
    return job


def test_rows_become_proven_files(academy: Academy, recipe: Path, tmp_path: Path) -> None:
    job = _trained(academy, recipe)
    out = tmp_path / "out"
    formats = ("--format", "adapter", "--format", "gguf", "--quant", "f16", "--quant", "q8_0")
    said = academy("export", job, *formats, "--out", out, "--json")
    assert said.code == 0, said.err
    exports = said.json["exports"]
    assert [(one["format"], one["quant"]) for one in exports] == [
        ("adapter", ""), ("gguf", "f16"), ("gguf", "q8_0"),
    ]  # fmt: skip
    assert all(Path(one["path"]).parent == out and Path(one["path"]).exists() for one in exports)
    _check_certificate(academy("certify", job, "--json"))
    gguf = out / "gguf-q8_0.gguf"
    _check_certificate(academy("certify", job, gguf, "--json"), exports=1)
    assert json.loads((out / "gguf-q8_0.gguf.certificate.json").read_bytes())["passed"] is True
    _check_evaluation(academy("evaluate", job, "--rows", "6", "--export", gguf, "--json"))


def _check_certificate(said: Said, exports: int = 3) -> None:
    assert said.code == 0, said.err
    assert said.json["passed"] is True
    assert len(said.json["exports"]) == exports
    for one in said.json["exports"]:
        assert one["tokens_equal"] is True
        assert one["top1_agreement"] > 0.9
        assert one["checks"]


def _check_evaluation(said: Said) -> None:
    assert said.code == 0, said.err
    assert said.json["base"]["exact_match"] < said.json["tuned"]["exact_match"]
    assert len(said.json["rows"]) == 6
    assert set(said.json["rows"][0]["answers"]) == {"base", "tuned", "gguf-q8_0.gguf"}


def test_a_file_that_was_changed_is_not_proven(academy: Academy, recipe: Path, tmp_path: Path) -> None:
    job = _trained(academy, recipe)
    (made,) = academy("export", job, "--format", "gguf", "--json").json["exports"]
    path = Path(made["path"])
    content = bytearray(path.read_bytes())
    content[-100] ^= 0xFF
    path.write_bytes(content)
    said = academy("certify", job, "--json")
    assert said.code == 1
    assert said.json["passed"] is False
    assert said.json["error"]["code"] == "certificate_failed"


def test_a_copy_never_overwrites_another_file(academy: Academy, recipe: Path, tmp_path: Path) -> None:
    job = _trained(academy, recipe)
    target = tmp_path / "out" / "gguf-f16.gguf"
    target.parent.mkdir()
    target.write_bytes(b"mine")
    said = academy("export", job, "--format", "gguf", "--out", target.parent, "--json")
    assert said.json["error"]["code"] == "output_exists"
    assert target.read_bytes() == b"mine"
    assert Path(academy("export", job, "--format", "gguf", "--json").json["exports"][0]["path"]).is_file()


def test_a_stopped_run_goes_on_from_its_checkpoint(academy: Academy, recipe: Path) -> None:
    text = recipe.read_text()
    recipe.write_text(text.replace("num_epochs: 8", "num_epochs: 20"))
    job = academy("train", recipe, "--detach", "--json").json["job"]
    stopped = academy("jobs", "stop", job, "--json").json
    assert stopped["state"] == "stopped"
    resumed = academy("jobs", "resume", job, "--follow", "--json")
    assert (resumed.code, resumed.json["state"]) == (0, "succeeded"), resumed.err
    assert resumed.json["attempt"] == 2
    assert resumed.json["step"] == resumed.json["total_steps"]


def test_an_export_needs_a_finished_run(academy: Academy, recipe: Path) -> None:
    job = academy("train", recipe, "--detach", "--json").json["job"]
    said = academy("export", job, "--format", "gguf", "--json")
    assert said.json["error"]["code"] == "job_without_adapter"
    academy("jobs", "stop", job)


def test_unknown_formats_and_quantizations_are_refused_before_anything_runs(
    academy: Academy, recipe: Path
) -> None:
    assert academy("export", "last", "--format", "onnx").code == 1  # there is no job at all
    job = _trained(academy, recipe)
    assert academy("export", job, "--format", "onnx").code == 2
    said = academy("export", job, "--format", "gguf", "--quant", "q9", "--json")
    assert said.json["error"]["code"] == "quant_unsupported"
    said = academy("export", job, "--format", "gguf", "--quant", "q8_0", "--importance")
    assert said.code == 2
    assert "q4_k_m" in said.err
