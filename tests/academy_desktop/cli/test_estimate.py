from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.academy_desktop.cli.conftest import Academy
from tests.academy_desktop.core.estimate.made_shapes import write_full_model


@pytest.fixture
def recipe(academy: Academy, rows_file: Path, tmp_path: Path) -> Path:
    out = tmp_path / "recipe.yaml"
    model = write_full_model(tmp_path / "smollm2")
    academy("data", "import", rows_file, "--name", "Capitals")
    said = academy("recipe", "init", "--dataset", "Capitals", "--model", model, "--out", out, "--json")
    assert said.json["ok"] is True
    return out


def test_all_figures_are_told_item_by_item(academy: Academy, recipe: Path) -> None:
    told = academy("estimate", recipe, "--json").json
    assert told["device"] == "cpu"
    assert told["host_bytes"] == pytest.approx(sum(told["terms"].values()), abs=10)
    assert told["disk_bytes"] == pytest.approx(sum(told["disk_terms"].values()), abs=10)
    assert told["range"]["low"] < told["host_bytes"] < told["range"]["high"]
    assert told["seconds"] > 0
    assert {"weights", "adapter", "gradients", "optimizer", "activations", "logits"} <= told["terms"].keys()
    assert told["fits"] is (told["host_bytes"] <= told["limit_bytes"])


def test_people_read_whether_it_fits_and_what_takes_the_room(academy: Academy, recipe: Path) -> None:
    said = academy("estimate", recipe)
    assert said.code == 0
    assert "of memory" in said.out
    assert "Weights of the model: " in said.out
    assert "on the disk" in said.out


def test_what_cannot_fit_is_told_and_is_no_error(academy: Academy, recipe: Path, tmp_path: Path) -> None:
    config = tmp_path / "smollm2" / "config.json"
    wide = json.loads(config.read_text()) | {"intermediate_size": 2**20, "num_hidden_layers": 1000}
    config.write_text(json.dumps(wide), "utf-8")
    told = academy("estimate", recipe, "--json")
    assert (told.code, told.json["fits"]) == (0, False)
    assert "does not fit into the memory" in academy("estimate", recipe).out


def test_a_model_whose_configuration_is_no_such_thing_gets_a_sentence(
    academy: Academy, recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "smollm2" / "config.json").write_text('{"hidden_size": -1}', "utf-8")
    said = academy("estimate", recipe, "--json")
    assert said.code == 1
    assert said.json["error"]["code"] == "model_incomplete"
    assert said.json["error"]["next_step"]


def test_a_recipe_that_is_not_there_gets_a_sentence(academy: Academy, tmp_path: Path) -> None:
    said = academy("estimate", tmp_path / "none.yaml", "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "file_not_found")
