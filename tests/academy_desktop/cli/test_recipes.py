from __future__ import annotations

from pathlib import Path

from tests.academy_desktop.cli.conftest import Academy
from trainers.recipe_file import read_recipe


def _made(academy: Academy, rows_file: Path, tiny_model: Path, out: Path) -> None:
    academy("data", "import", rows_file, "--name", "Capitals")
    said = academy("recipe", "init", "--dataset", "Capitals", "--model", tiny_model, "--out", out, "--json")
    assert said.json["ok"] is True


def test_init_writes_every_value_and_check_finds_nothing(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recipe.yaml"
    _made(academy, rows_file, tiny_model, out)
    assert read_recipe(out).model_dump().keys() >= {"lora", "training", "hardware", "checkpoints"}
    assert academy("recipe", "check", out, "--json").json == {"ok": True, "problems": []}


def test_init_prints_yaml_where_no_file_is_named(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    academy("data", "import", rows_file, "--name", "Capitals")
    said = academy("recipe", "init", "--dataset", "Capitals", "--model", tiny_model)
    copy = tmp_path / "copy.yaml"
    copy.write_text(said.out)
    assert read_recipe(copy).kind == "train"


def test_init_overwrites_nothing(academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "recipe.yaml"
    out.write_text("mine")
    academy("data", "import", rows_file, "--name", "Capitals")
    said = academy("recipe", "init", "--dataset", "Capitals", "--model", tiny_model, "--out", out, "--json")
    assert said.json["error"]["code"] == "output_exists"
    assert out.read_text() == "mine"


def test_check_names_key_line_and_the_nearest_right_key(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recipe.yaml"
    _made(academy, rows_file, tiny_model, out)
    lines = out.read_text().replace("learning_rate: ", "lerning_rate: ").splitlines()
    out.write_text("\n".join(lines) + "\n")
    said = academy("recipe", "check", out, "--json")
    assert said.code == 1
    (problem,) = said.json["problems"]
    assert problem["path"] == "training.lerning_rate"
    assert problem["code"] == "unknown_key"
    assert problem["nearest"] == "learning_rate"
    assert problem["line"] == 1 + next(i for i, line in enumerate(lines) if "lerning_rate" in line)
    assert said.json["error"]["code"] == "recipe_invalid"
    for_people = academy("recipe", "check", out)
    assert f"{out}:{problem['line']}: " in for_people.out
    assert "did you mean “learning_rate”" in for_people.out


def test_a_learning_rate_of_five_is_refused_with_its_bound(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recipe.yaml"
    _made(academy, rows_file, tiny_model, out)
    text = out.read_text()
    old = next(line for line in text.splitlines() if "learning_rate:" in line)
    out.write_text(text.replace(old, "  learning_rate: 5"))
    (problem,) = academy("recipe", "check", out, "--json").json["problems"]
    assert problem["code"] == "out_of_range"
    assert "0.01" in problem["message"]
    assert academy("train", out, "--json").json["error"]["code"] == "recipe_invalid"
    assert academy("jobs", "list", "--json").json == {"jobs": []}


REFUSED = [
    ("max_seq_length: 512", "max_seq_length: 1024", "training.max_seq_length", "512"),
    ("target_modules: all-linear", "target_modules: [q_porj]", "lora.target_modules", "q_proj"),
    ("method: sft", "method: dpo", "method", "sft"),
    ("precision: auto", "precision: fp16", "hardware.precision", "auto"),
    ("neftune_noise_alpha:", "neftune_noise_alpha: 500", "training.neftune_noise_alpha", None),
]


def test_what_cannot_be_run_is_refused_before_the_start_with_what_would_do(
    academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "recipe.yaml"
    _made(academy, rows_file, tiny_model, out)
    text = out.read_text()
    for old, new, path, nearest in REFUSED:
        assert text.count(old) == 1
        out.write_text(text.replace(old, new))
        (problem,) = academy("recipe", "check", out, "--json").json["problems"]
        line = out.read_text().splitlines()[problem["line"] - 1]
        assert (problem["path"], line.strip()) == (path, new)
        assert str(problem["nearest"]) == str(nearest)
        said = academy("train", out, "--json").json["error"]
        assert (said["code"], said["facts"]["key"]) == ("recipe_invalid", path)
    assert academy("jobs", "list", "--json").json == {"jobs": []}


def test_a_time_is_kept(academy: Academy, rows_file: Path, tiny_model: Path, tmp_path: Path) -> None:
    academy("data", "import", rows_file, "--name", "Capitals")
    out = tmp_path / "recipe.yaml"
    said = academy(
        "recipe", "init", "--dataset", "Capitals", "--model", tiny_model, "--preset", "thorough",
        "--minutes", "15", "--out", out, "--json",
    )  # fmt: skip
    assert said.json["recipe"]["training"]["num_epochs"] == 4
    assert "Every row is learned 4 times" in said.err
    assert academy("recipe", "check", out, "--json").json["ok"] is True


def test_the_schema_names_every_option_with_its_meaning(academy: Academy) -> None:
    schema = academy("recipe", "schema").json
    training = schema["$defs"]["Training"]["properties"]
    assert training["learning_rate"]["maximum"] == 0.01
    assert all(option.get("description") for option in training.values())
