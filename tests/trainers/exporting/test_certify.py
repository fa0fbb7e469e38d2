from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.trainers.exporting.faults import certify_faults, scaled_run, seeded
from tests.trainers.exporting.making import (
    Gguf,
    Item,
    certify,
    export,
    read_certificate,
    refusal,
    vouch,
)
from tests.trainers.tiny_model import Tiny, train_recipe, write_dataset, write_run
from trainers.errors import ErrorCode
from trainers.events import Certified, Payload, Phase
from trainers.exporting.certificate import MEANINGS, Certificate, CheckId
from trainers.exporting.certify import run_certify
from trainers.layout import RunDir
from trainers.recipe import CertifyRecipe

SOUND: tuple[Item, ...] = (
    ("adapter", "f16"),
    ("merged", "f32"),
    ("merged", "f16"),
    ("merged", "bf16"),
    ("gguf", "f32"),
    ("gguf", "f16"),
    ("gguf", "bf16"),
    ("gguf", "q8_0"),
    ("lora-gguf", "f32"),
    ("lora-gguf", "f16"),
)


def failed(verdict: Certificate) -> set[CheckId]:
    return {check.id for check in verdict.checks if not check.passed}


@pytest.fixture(scope="module")
def proven(taught: RunDir, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, dict[str, Certificate]]:
    """A run with sound exports of every kind, and their certificates."""
    root = tmp_path_factory.mktemp("proven")
    parent = RunDir(Path(shutil.copytree(taught.path, root / "parent")))
    names = [path.name for path in export(parent, *SOUND)]
    return parent, certify(parent, *names)


def name_of(item: Item) -> str:
    kind, quant = item
    if kind == "adapter":
        return "adapter"
    return f"{kind}-{quant}" if kind == "merged" else f"{kind}-{quant}.gguf"


@pytest.mark.parametrize("item", SOUND, ids=name_of)
def test_a_sound_export_passes(proven: tuple[RunDir, dict[str, Certificate]], item: Item) -> None:
    verdict = proven[1][name_of(item)]
    assert verdict.passed
    ids = [check.id for check in verdict.checks]
    assert set(ids) == MEANINGS.keys() - (set() if "gguf" in item[0] else {"end_token", "metadata"})
    assert len(ids) == len(set(ids))
    assert (verdict.rows, verdict.tokens_equal, verdict.top1_agreement) == (12, True, 1.0)
    assert (verdict.greedy_equal, verdict.eos_rate, verdict.reference_eos_rate) == (1.0, 1.0, 1.0)
    assert verdict.perplexity == pytest.approx(verdict.reference_perplexity, rel=1e-2)
    assert verdict.mean_kl is not None
    assert verdict.mean_kl < 1e-4
    kind, quant = item
    assert (verdict.export.format, verdict.export.quant) == (kind, "" if kind == "adapter" else quant)


def test_a_proof_changes_no_export(proven: tuple[RunDir, dict[str, Certificate]]) -> None:
    parent, certificates = proven
    for name, verdict in certificates.items():
        record = json.loads((parent.exports / f"{name}.json").read_text("utf-8"))
        assert record["sha256"] == verdict.export.sha256
    assert not [path for path in parent.path.with_name("certify-job").iterdir() if path.name.startswith(".")]


@pytest.fixture(scope="module")
def faulty(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    """Certificates of exports with one fault each, all from one proof job."""
    root = tmp_path_factory.mktemp("faulty")
    parent, base = scaled_run(root, tiny.dataset)
    return certify_faults(parent, base)


def test_what_the_faults_are_put_into_is_sound(tiny: Tiny, tmp_path: Path) -> None:
    parent, _ = scaled_run(tmp_path, tiny.dataset)
    names = [path.name for path in export(parent, ("gguf", "f16"), ("gguf", "q8_0"), ("gguf", "q4_k_m"))]
    assert all(verdict.passed for verdict in certify(parent, *names).values())


def test_there_are_enough_of_them() -> None:
    assert len(seeded()) >= 25


@pytest.mark.parametrize("fault", seeded())
def test_a_fault_in_a_gguf_is_found(faulty: dict[str, Certificate], fault: str) -> None:
    verdict, expected = faulty[fault], seeded()[fault][2]
    assert not verdict.passed
    assert expected <= failed(verdict)
    assert not {"intact", "same_adapter"} & failed(verdict)
    if "loads" in expected:
        assert (verdict.mean_kl, verdict.perplexity, verdict.greedy_equal) == (None, None, None)
        [check] = [check for check in verdict.checks if check.id == "loads"]
        assert check.detail


def test_a_fault_that_only_ends_answers_late_leaves_the_arithmetic_alone(
    faulty: dict[str, Certificate],
) -> None:
    assert failed(faulty["eos-dropped"]) == {"end_token", "metadata"}
    said = {"prompt_tokens", "metadata", "greedy_text", "end_of_turn"}
    assert failed(faulty["template-without-newline"]) <= said


@pytest.mark.parametrize("item", [("adapter", "f16"), ("merged", "f16"), ("gguf", "f16")], ids=name_of)
def test_one_changed_byte_is_found(parent: RunDir, item: Item) -> None:
    [path] = export(parent, item)
    file = max(path.rglob("*"), key=lambda one: one.stat().st_size) if path.is_dir() else path
    content = bytearray(file.read_bytes())
    content[-4] ^= 1
    file.write_bytes(content)
    verdict = certify(parent, path.name)[path.name]
    assert not verdict.passed
    assert failed(verdict) == {"intact"}
    assert verdict.mean_kl is None


def test_a_file_that_was_cut_short_is_found(parent: RunDir) -> None:
    [path] = export(parent, ("gguf", "f16"))
    path.write_bytes(path.read_bytes()[:-1000])
    assert failed(certify(parent, path.name)[path.name]) == {"intact"}
    vouch(path, parent, "gguf", "f16")
    assert failed(certify(parent, path.name)[path.name]) == {"loads"}


@pytest.mark.parametrize("item", [("adapter", "f16"), ("gguf", "f16")], ids=name_of)
def test_an_export_of_an_older_adapter_is_found(parent: RunDir, item: Item) -> None:
    [path] = export(parent, item)
    weights = parent.adapter / "adapter_model.safetensors"
    save_file({name: tensor * 1.01 for name, tensor in load_file(weights).items()}, weights)
    assert failed(certify(parent, path.name)[path.name]) == {"same_adapter"}


def change_alpha(path: Path) -> None:
    config = path / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text("utf-8")) | {"lora_alpha": 2}), "utf-8")


def poison(path: Path) -> None:
    weights = path / "model.safetensors"
    tensors = load_file(weights)
    tensors["model.norm.weight"][0] = torch.nan
    save_file(tensors, weights, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("item", "change", "expected"),
    [
        (("adapter", "f16"), change_alpha, {"mean_kl", "greedy_text"}),
        (("adapter", "f16"), lambda path: (path / "adapter_config.json").unlink(), {"loads"}),
        (("merged", "f16"), poison, {"mean_kl", "max_kl", "perplexity", "top1_agreement"}),
        (("merged", "f16"), lambda path: (path / "config.json").unlink(), {"loads"}),
        (("merged", "f16"), lambda path: (path / "tokenizer.json").unlink(), {"loads"}),
        (("merged", "f16"), lambda path: (path / "model.safetensors").write_bytes(b"x"), {"loads"}),
    ],
)
def test_a_fault_in_a_folder_is_found(
    parent: RunDir, item: Item, change: Callable[[Path], None], expected: set[CheckId]
) -> None:
    [path] = export(parent, item)
    change(path)
    vouch(path, parent, *item)
    verdict = certify(parent, path.name)[path.name]
    assert not verdict.passed
    assert expected <= failed(verdict)


def halve_alpha(file: Gguf) -> None:
    file.set("adapter.lora.alpha", file.value("adapter.lora.alpha") / 8)


def forget_a_half(file: Gguf) -> None:
    for name in [name for name in file.tensors if name.endswith("ffn_down.weight.lora_b")]:
        file.scale(name, 0.0)


def rename_tensors(file: Gguf) -> None:
    file.tensors = {name.replace("blk.1.", "blk.7."): one for name, one in file.tensors.items()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (halve_alpha, {"mean_kl", "greedy_text"}),
        (forget_a_half, {"mean_kl"}),
        (rename_tensors, {"loads"}),
    ],
)
def test_a_fault_in_a_lora_file_is_found(
    parent: RunDir, change: Callable[[Gguf], None], expected: set[CheckId]
) -> None:
    [path] = export(parent, ("lora-gguf", "f16"))
    file = Gguf.read(path)
    change(file)
    file.write(path)
    vouch(path, parent, "lora-gguf", "f16")
    verdict = certify(parent, path.name)[path.name]
    assert not verdict.passed
    assert expected <= failed(verdict)


def test_one_bad_export_does_not_keep_the_others_from_their_proof(parent: RunDir) -> None:
    good, bad = export(parent, ("gguf", "f16"), ("gguf", "q8_0"))
    bad.write_bytes(b"GGUF")
    vouch(bad, parent, "gguf", "q8_0")
    found = certify(parent, bad.name, good.name)
    assert [found[bad.name].passed, found[good.name].passed] == [False, True]


HUGE = (2**60).to_bytes(8, "little")
HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "no-header": b"GGUF" + b"\xff" * 60,
    "endless-keys": b"GGUF\x03" + bytes(11) + HUGE + bytes(64),
    "endless-tensors": b"GGUF\x03" + bytes(3) + HUGE + bytes(72),
    "endless-name": b"GGUF\x03" + bytes(11) + b"\x01" + bytes(7) + b"\xff" * 64,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_gets_a_certificate_that_says_no(parent: RunDir, content: bytes) -> None:
    [path] = export(parent, ("gguf", "f16"))
    path.write_bytes(content)
    vouch(path, parent, "gguf", "f16")
    assert failed(certify(parent, path.name, rows=1)[path.name]) == {"loads"}


def test_a_proof_job_says_what_it_does(parent: RunDir) -> None:
    export(parent, ("gguf", "f16"), ("adapter", "f16"))
    said: list[Payload] = []
    recipe = CertifyRecipe(parent="parent", parent_dir=str(parent.path), rows=3, generated_rows=2)
    run = write_run(parent.path.with_name("proof"), recipe)
    run_certify(recipe, run.path, said.append, lambda: False)
    assert [(one.name, one.detail) for one in said if isinstance(one, Phase)] == [
        ("loading", ""), ("proving", "adapter"), ("proving", "gguf-f16.gguf"),
    ]  # fmt: skip
    assert [one for one in said if isinstance(one, Certified)] == [
        Certified(path=f"exports/{name}", certificate=f"exports/{name}.certificate.json", passed=True)
        for name in ("adapter", "gguf-f16.gguf")
    ]
    assert read_certificate(parent.exports / "adapter").rows == 3


def test_a_cancelled_proof_vouches_for_nothing(parent: RunDir) -> None:
    [path] = export(parent, ("lora-gguf", "f16"))
    recipe = CertifyRecipe(parent="parent", parent_dir=str(parent.path))
    run = write_run(parent.path.with_name("proof"), recipe)
    for moment in (0, 1, 5, 20):
        looks = iter(range(10**6))
        run_certify(recipe, run.path, lambda _: None, lambda: next(looks) >= moment)  # noqa: B023
        assert [one.name for one in parent.exports.iterdir() if "certificate" in one.name] == []
        assert not list(run.path.glob(".*"))
    assert path.is_file()


def test_an_export_that_is_not_there_is_told(parent: RunDir) -> None:
    export(parent, ("adapter", "f16"))
    with refusal(ErrorCode.EXPORT_UNKNOWN) as facts:
        certify(parent, "gguf-f16.gguf")
    assert facts == {"export": "gguf-f16.gguf", "known": "adapter"}


def test_an_export_without_a_readable_record_is_damaged(parent: RunDir) -> None:
    [path] = export(parent, ("adapter", "f16"))
    (parent.exports / "adapter.json").write_text("{", "utf-8")
    with refusal(ErrorCode.EXPORT_DAMAGED) as facts:
        certify(parent, path.name)
    assert facts["path"] == str(parent.exports / "adapter.json")


def test_no_held_out_rows_are_told(tiny: Tiny, parent: RunDir, tmp_path: Path) -> None:
    export(parent, ("adapter", "f16"))
    alone = Tiny(tiny.model, write_dataset(tmp_path / "alone", held_out=[]))
    shutil.rmtree(parent.commands)
    write_run(parent.path, train_recipe(alone))
    with refusal(ErrorCode.NO_HELD_OUT_ROWS) as facts:
        certify(parent, "adapter")
    assert facts == {"dataset": "alone"}
