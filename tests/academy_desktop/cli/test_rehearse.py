"""Rehearsal and trial on the command line, over a real model of two layers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from academy_desktop.core.rehearsal_record import STAGES, RehearsalRecord
from tests.academy_desktop.cli.conftest import Academy
from tests.trainers.tiny_model import HELD_OUT, LEARNED, Row


def _write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps({"messages": row["messages"]}) + "\n" for row in rows))
    return path


@pytest.fixture
def recipe(academy: Academy, tiny_model: Path, tmp_path: Path) -> Path:
    return _recipe(academy, tiny_model, tmp_path)


def _recipe(academy: Academy, model: Path, tmp_path: Path) -> Path:
    train, held_out = _write(tmp_path / "train.jsonl", LEARNED), _write(tmp_path / "held.jsonl", HELD_OUT)
    assert academy("data", "import", train, "--eval-file", held_out, "--name", "Capitals").code == 0
    out = tmp_path / "recipe.yaml"
    said = academy("recipe", "init", "--dataset", "Capitals", "--model", model, "--out", out, "--json")
    assert said.code == 0, said.out
    out.write_text(out.read_text().replace("threads:", "threads: 1  #"))
    return out


def test_a_rehearsal_goes_the_whole_way_with_a_miniature(
    academy: Academy, recipe: Path, tmp_path: Path
) -> None:
    said = academy("rehearse", recipe, "--json")
    assert said.code == 0, said.out + said.err
    told = said.json
    assert told["ok"] is True
    assert [problem for problem in told["problems"] if problem["serious"]] == []
    assert [(stage["name"], stage["outcome"]) for stage in told["stages"]] == [
        (name, "done") for name in STAGES
    ]
    assert told["model"]["kind"] == "miniature"
    assert [change["code"] for change in told["changes"]] == ["learning_rate"]
    assert told["forecast"]["seconds"] > 0
    jobs = {job["id"]: job for job in academy("jobs", "list", "--json").json["jobs"]}
    assert [jobs[job]["kind"] for job in told["jobs"]] == ["rehearsal", "export", "certify", "evaluate"]
    assert jobs[told["job"]]["step"] == jobs[told["job"]]["total_steps"] == 24
    run = Path(jobs[told["job"]]["run_dir"])
    record = RehearsalRecord.model_validate_json((run / "rehearsal.json").read_bytes())
    assert (record.ok, record.job, record.jobs) == (True, told["job"], tuple(told["jobs"]))
    assert not list((tmp_path / "data" / "tmp").glob("rehearsal.*"))


def test_a_template_without_an_end_of_turn_ends_it_before_anything_is_trained(
    academy: Academy, tiny_model: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_model, tmp_path / "endless"))
    config = json.loads((model / "tokenizer_config.json").read_text())
    config["chat_template"] = config["chat_template"].replace("<|im_end|>", "")
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    said = academy("rehearse", _recipe(academy, model, tmp_path), "--json")
    assert said.code == 1
    assert (said.json["error"]["code"], said.json["ok"]) == ("rehearsal_failed", False)
    defects = {one["facts"]["defect"]: one for one in said.json["problems"] if one["serious"]}
    assert "missing_end_of_turn" in defects
    assert "No end of turn" in defects["missing_end_of_turn"]["message"]
    assert [stage["outcome"] for stage in said.json["stages"]] == ["failed", *["left_out"] * 5]
    assert academy("jobs", "list", "--json").json == {"jobs": []}


def test_a_trial_takes_real_steps_and_the_forecast_learns_from_them(
    academy: Academy, recipe: Path, tmp_path: Path
) -> None:
    before = academy("estimate", recipe, "--json").json
    said = academy("estimate", recipe, "--trial", "--json")
    assert said.code == 0, said.out + said.err
    trial = said.json["trial"]
    assert trial["steps"] == 3
    assert trial["peak_bytes"] > 50_000_000
    assert trial["step_s"] > 0
    assert (before["learned_from"], said.json["learned_from"]) == (0, 1)
    assert academy("jobs", "list", "--json").json == {"jobs": []}
    assert not any((tmp_path / "data" / "trash").iterdir())
