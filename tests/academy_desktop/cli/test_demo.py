"""The demo with a base model of two layers in the demo model's place: real stages, no skill."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from academy_desktop.core.models import DEMO_ID
from tests.academy_desktop.cli.conftest import Academy


@pytest.fixture
def demo_model(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "data" / "models" / DEMO_ID))


def test_the_demo_goes_from_rows_to_proven_files(academy: Academy, demo_model: Path, tmp_path: Path) -> None:
    said = academy("demo", "--fast", "--seed", "7", "--json")
    assert said.code == 0, said.out + said.err
    assert [line[:5] for line in said.err.splitlines() if line[:1] == "["] == [
        f"[{n}/6]" for n in range(1, 7)
    ]
    fields = said.json
    assert fields["dataset"].startswith("demo-7-")
    formats = [(one["format"], one["quant"]) for one in fields["exports"]]
    assert formats == [
        ("adapter", ""), ("merged", "f16"), ("gguf", "f16"), ("gguf", "q8_0"), ("lora-gguf", "f16"),
    ]  # fmt: skip
    assert all(Path(one["path"]).exists() for one in fields["exports"])
    assert fields["certificate"]["passed"] is True
    assert len(fields["certificate"]["exports"]) == 5
    assert fields["base_score"] == 0.0
    assert abs(fields["export_score"] - fields["tuned_score"]) <= 0.1
    # In a data directory of its own: the user's list of jobs stays as it was.
    assert academy("jobs", "list", "--json").json == {"jobs": []}
    assert Path(fields["data_dir"]) == tmp_path / "data" / "demo"


def test_without_its_model_and_without_a_network_the_demo_says_so(academy: Academy) -> None:
    said = academy("demo", "--offline", "--json")
    assert (said.code, said.json["error"]["code"]) == (1, "offline")
