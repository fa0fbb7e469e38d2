from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from gguf import GGUFReader
from safetensors.torch import load_file, save_file

from tests.trainers.exporting.making import QUIET, certify, export, refusal
from tests.trainers.tiny_model import HELD_OUT, Tiny, write_model
from trainers.errors import ErrorCode
from trainers.events import Payload, Progress
from trainers.exporting.gguf_kquant import GgufKQuant
from trainers.exporting.reference import TransformersModel
from trainers.layout import RunDir
from trainers.llama_client import LlamaClient
from trainers.recipe import Quant

K_QUANTS: tuple[Quant, ...] = ("q4_k_m", "q5_k_m", "q6_k")
#: llama.cpp's own mixtures for two layers: what is most sensitive has six bits.
TYPES: dict[Quant, dict[str, int]] = {
    "q4_k_m": {"Q4_K": 12, "Q6_K": 3, "F32": 5},
    "q5_k_m": {"Q5_K": 12, "Q6_K": 3, "F32": 5},
    "q6_k": {"Q6_K": 15, "F32": 5},
}


def types_of(path: Path) -> Counter[str]:
    return Counter(tensor.tensor_type.name for tensor in GGUFReader(path).tensors)


@pytest.mark.parametrize("quant", K_QUANTS)
def test_llama_cpp_mixes_the_types_and_the_proof_names_them(parent: RunDir, quant: Quant) -> None:
    [path] = export(parent, ("gguf", quant))
    assert types_of(path) == TYPES[quant]
    verdict = certify(parent, path.name)[path.name]
    assert verdict.passed
    assert verdict.tensor_types == TYPES[quant]


def test_a_smaller_format_is_a_smaller_file_that_answers_the_same(tiny: Tiny, parent: RunDir) -> None:
    paths = export(parent, *(("gguf", quant) for quant in (*K_QUANTS, "q8_0", "f16")))
    sizes = [path.stat().st_size for path in paths]
    assert sizes == sorted(sizes)
    trained = TransformersModel.load(tiny.model, parent.adapter)
    prompts = [trained.prompt_ids(row["messages"][:1]) for row in HELD_OUT]
    with LlamaClient(paths[0]) as client:
        assert client.generate(prompts, 12) == trained.generate(prompts, 12)


@pytest.mark.parametrize("quant", K_QUANTS)
def test_no_more_disk_is_needed_than_was_said(tiny: Tiny, tmp_path: Path, quant: Quant) -> None:
    plan = GgufKQuant("x", tiny.model, None, quant)
    plan.write(tmp_path / "x.gguf", QUIET)
    between = 2 * 448 * 256  # at least the embedding, in 16 bit
    assert between + (tmp_path / "x.gguf").stat().st_size < plan.size_bytes
    assert [path.name for path in tmp_path.iterdir()] == ["x.gguf"]


def test_rows_that_do_not_divide_get_a_type_that_llama_cpp_falls_back_to(
    parent: RunDir, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "odd", lessons=0, hidden_size=256, intermediate_size=288)
    GgufKQuant("odd", folder, None, "q4_k_m").write(tmp_path / "odd.gguf", QUIET)
    kinds = {one.name: one.tensor_type.name for one in GGUFReader(tmp_path / "odd.gguf").tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q5_0"
    assert kinds["blk.0.ffn_up.weight"] == "Q4_K"


def test_rows_that_fit_no_block_at_all_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "odd", lessons=0, hidden_size=256, intermediate_size=200)
    with refusal(ErrorCode.QUANT_UNSUPPORTED) as facts:
        GgufKQuant("odd", folder, None, "q5_k_m")
    assert facts == {
        "quant": "q5_k_m", "known": "f32, f16, bf16, q8_0", "tensor": "blk.0.ffn_down.weight",
    }  # fmt: skip


def test_a_number_too_large_for_half_precision_is_kept(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "large", lessons=0)
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    GgufKQuant("large", folder, None, "q6_k").write(tmp_path / "x.gguf", QUIET)
    assert types_of(tmp_path / "x.gguf") == TYPES["q6_k"]


def from_look(moment: int) -> Callable[[], bool]:
    looks = iter(range(10**6))
    return lambda: next(looks) >= moment


@pytest.mark.parametrize("moment", [1, 20, 22, 23])
def test_a_cancelled_one_leaves_nothing(parent: RunDir, moment: int) -> None:
    export(parent, ("gguf", "q4_k_m"), cancelled=from_look(moment))
    assert not parent.exports.exists()
    assert not list(parent.path.with_name("export-job").glob(".export-*"))


def test_progress_is_told_in_bytes_to_the_end_of_both_steps(parent: RunDir) -> None:
    said: list[Payload] = []
    export(parent, ("gguf", "q4_k_m"), emit=said.append)
    ends = [one for one in said if isinstance(one, Progress) and one.done == one.total]
    assert [one.unit for one in ends] == ["bytes", "bytes"]


def test_without_llama_cpp_it_is_refused_before_anything_is_written(
    parent: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.exporting.gguf_kquant.find_spec", lambda _: None)
    with refusal(ErrorCode.LLAMA_CPP_MISSING):
        export(parent, ("gguf", "f16"), ("gguf", "q4_k_m"))
    assert not parent.exports.exists()


def test_a_child_that_dies_is_an_error_with_its_reason(tiny: Tiny, tmp_path: Path) -> None:
    plan = GgufKQuant("x", tiny.model, None, "q4_k_m")
    (tmp_path / "x.gguf.16bit").write_bytes(b"GGUF" + b"\xff" * 60)
    with refusal(ErrorCode.LLAMA_CPP_FAILED) as facts:
        plan._quantize(tmp_path / "x.gguf.16bit", tmp_path / "x.gguf", QUIET)
    assert json.dumps(facts)
    assert facts["detail"]
