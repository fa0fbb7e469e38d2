from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize
from numpy.typing import NDArray
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from tests.trainers.exporting.making import QUIET, certify, export, refusal
from tests.trainers.tiny_model import LEARNED, Tiny, train_recipe, write_dataset, write_run
from trainers.errors import ErrorCode
from trainers.events import Payload, Progress
from trainers.exporting.adapter import Adapter
from trainers.exporting.gguf_kquant import GgufKQuant
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.importance import MOST_TOKENS, training_rows, write_importance
from trainers.exporting.parent import Parent
from trainers.layout import RunDir
from trainers.recipe import ExportItem, Quant
from trainers.rendering import Renderer

WEIGHED = ExportItem(format="gguf", quant="q4_k_m", importance=True)
#: transformers' layer → llama.cpp's matrix.
MATRICES = {
    "model.layers.0.self_attn.q_proj": "blk.0.attn_q.weight",
    "model.layers.0.self_attn.v_proj": "blk.0.attn_v.weight",
    "model.layers.1.self_attn.o_proj": "blk.1.attn_output.weight",
    "model.layers.1.mlp.up_proj": "blk.1.ffn_up.weight",
    "model.layers.1.mlp.down_proj": "blk.1.ffn_down.weight",
}

LAST = "model.layers.1.mlp.down_proj"


def parent_of(run: RunDir) -> Parent:
    return Parent.open(run.job, run.path)


def written(folder: Path, model: Path, adapter: Adapter | None, rows: list[list[int]]) -> Path:
    GgufModel("x", model, adapter, "f16").write(folder / "x.gguf", QUIET)
    write_importance(folder / "x.gguf", rows, folder / "x.importance", QUIET)
    return folder / "x.importance"


def test_the_weights_are_the_mean_squares_that_transformers_finds_after_the_first_token(
    tiny: Tiny, tmp_path: Path
) -> None:
    renderer = Renderer.load(tiny.model)
    rows = [renderer.render(row["messages"]).ids for row in LEARNED[:6]]
    found = load_file(written(tmp_path, tiny.model, None, rows))
    model = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    seen: dict[str, list[torch.Tensor]] = {name: [] for name in MATRICES}
    for name, kept in seen.items():
        model.get_submodule(name).register_forward_hook(
            lambda _module, inputs, _output, kept=kept: kept.append(inputs[0].detach()[0, 1:])
        )
    with torch.inference_mode():
        for ids in rows:
            model(input_ids=torch.tensor([ids]))
    for name, matrix in MATRICES.items():
        expected = torch.cat(seen[name]).square().mean(0).numpy()
        np.testing.assert_allclose(found[matrix], expected, rtol=5e-2, atol=1e-3)


def test_long_rows_are_read_in_parts_with_the_same_result(tiny: Tiny, tmp_path: Path) -> None:
    ids = (Renderer.load(tiny.model).render(LEARNED[0]["messages"]).ids * 40)[:300]
    model = AutoModelForCausalLM.from_pretrained(tiny.model, dtype=torch.float32)
    kept: list[torch.Tensor] = []
    model.get_submodule(LAST).register_forward_hook(
        lambda _module, inputs, _output: kept.append(inputs[0].detach()[0, 1:])
    )
    with torch.inference_mode():
        model(input_ids=torch.tensor([ids]))
    found = load_file(written(tmp_path, tiny.model, None, [ids]))
    expected = torch.cat(kept).square().mean(0).numpy()
    np.testing.assert_allclose(found[MATRICES[LAST]], expected, rtol=5e-2)


def values_of(path: Path) -> dict[str, NDArray[np.float32]]:
    return {one.name: dequantize(one.data, one.tensor_type) for one in GGUFReader(path).tensors}


@pytest.mark.parametrize("quant", ["q4_k_m", "q5_k_m", "q6_k"])
def test_rounding_costs_less_where_it_is_weighed(parent: RunDir, tmp_path: Path, quant: Quant) -> None:
    adapter = Adapter.load(parent.adapter)
    model_dir = parent_of(parent).model_dir
    rows = training_rows(parent_of(parent))
    weights = load_file(written(tmp_path, model_dir, adapter, [list(row) for row in rows]))
    exact = values_of(tmp_path / "x.gguf")
    GgufKQuant("x", model_dir, adapter, quant).write(tmp_path / "plain.gguf", QUIET)
    GgufKQuant("x", model_dir, adapter, quant, rows).write(tmp_path / "weighed.gguf", QUIET)
    assert {path.name for path in tmp_path.glob("weighed*")} == {"weighed.gguf"}
    errors: dict[str, list[float]] = {}
    for name in ("plain", "weighed"):
        rounded = values_of(tmp_path / f"{name}.gguf")
        errors[name] = [
            float((np.square(rounded[matrix] - exact[matrix]) * weights[matrix]).sum()) for matrix in weights
        ]
    assert len(weights) == 14
    better = sum(weighed < plain for plain, weighed in zip(*errors.values(), strict=True))
    assert better >= 11
    assert sum(errors["weighed"]) < 0.97 * sum(errors["plain"])


def test_an_export_that_was_weighed_says_so_and_is_proven(parent: RunDir) -> None:
    said: list[Payload] = []
    plain, weighed = export(parent, ("gguf", "q4_k_m"), WEIGHED, emit=said.append)
    assert (plain.name, weighed.name) == ("gguf-q4_k_m.gguf", "gguf-q4_k_m-imatrix.gguf")
    assert plain.read_bytes() != weighed.read_bytes()
    assert json.loads(weighed.with_name(f"{weighed.name}.json").read_text("utf-8"))["importance"] is True
    card = weighed.with_name(f"{weighed.name}.README.md").read_text("utf-8")
    assert "gguf q4_k_m, with an importance matrix from the training rows" in card
    assert certify(parent, weighed.name)[weighed.name].passed
    ends = [one.unit for one in said if isinstance(one, Progress) and one.done == one.total]
    assert ends == ["bytes", "bytes", "bytes", "rows", "bytes"]


def test_it_is_the_same_to_the_byte_when_it_is_made_again(parent: RunDir) -> None:
    [path] = export(parent, WEIGHED)
    before = path.read_bytes()
    export(parent, WEIGHED)
    assert path.read_bytes() == before


def test_rows_are_drawn_from_all_over_the_data_up_to_a_number_of_tokens(
    parent: RunDir, tiny: Tiny, tmp_path: Path
) -> None:
    rows = [row | {"id": at} for at, row in enumerate(LEARNED * 400)]
    dataset = write_dataset(tmp_path / "many-00000000", rows)
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(Tiny(tiny.model, dataset)))
    drawn = training_rows(parent_of(parent))
    renderer = Renderer.load(tiny.model)
    known = {tuple(renderer.render(row["messages"]).ids) for row in LEARNED}
    assert set(drawn) <= known
    assert len(set(drawn)) > len(LEARNED) / 2
    assert sum(map(len, drawn)) <= MOST_TOKENS
    assert drawn == training_rows(parent_of(parent))


def test_data_that_are_gone_are_told_before_anything_is_written(parent: RunDir, tmp_path: Path) -> None:
    dataset = Path(shutil.copytree(parent_of(parent).dataset_dir, tmp_path / "gone-00000000"))
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(Tiny(parent_of(parent).model_dir, dataset)))
    (dataset / "train.jsonl").unlink()
    with refusal(ErrorCode.DATASET_DAMAGED):
        export(parent, ("gguf", "f16"), WEIGHED)
    assert not parent.exports.exists()


@pytest.mark.parametrize("moment", [1, 20, 22, 30])
def test_a_cancelled_one_leaves_nothing(parent: RunDir, moment: int) -> None:
    looks = iter(range(10**6))
    export(parent, WEIGHED, cancelled=lambda: next(looks) >= moment)
    assert not parent.exports.exists()
    assert not list(parent.path.with_name("export-job").glob(".export-*"))
