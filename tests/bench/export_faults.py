"""The certificate over seeded faults and over sound exports: faults must fail it, sound ones pass."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figure import Figure, Setting, alone
from tests.trainers.exporting.faults import certify_faults, scaled_run, seeded
from tests.trainers.exporting.making import Item, certify, export
from tests.trainers.tiny_model import write_dataset

SOUND: tuple[Item, ...] = (
    ("adapter", "f16"), ("merged", "f32"), ("merged", "f16"), ("merged", "bf16"),
    ("gguf", "f32"), ("gguf", "f16"), ("gguf", "bf16"), ("gguf", "q8_0"),
    ("gguf", "q6_k"), ("gguf", "q5_k_m"), ("gguf", "q4_k_m"),
    ("lora-gguf", "f32"), ("lora-gguf", "f16"),
)  # fmt: skip
LEAST_FAULTS = 25


def measure(setting: Setting) -> Iterator[Figure]:
    """Prove a run's sound exports, then one export with each fault."""
    dataset = write_dataset(setting.folder / "capitals-00000000")
    run, base = scaled_run(setting.folder, dataset)
    sound = certify(run, *(path.name for path in export(run, *SOUND)))
    refused = sorted(name for name, verdict in sound.items() if not verdict.passed)
    kl = {name: verdict.mean_kl for name, verdict in sound.items()}
    passed = len(sound) - len(refused)
    yield alone(
        "export.faults.sound", passed / len(sound), "share", at_least=1.0, refused=refused, mean_kl=kl
    )
    verdicts = certify_faults(run, base)
    missed = [
        name
        for name, (_, _, expected) in seeded().items()
        if verdicts[name].passed
        or not expected <= {check.id for check in verdicts[name].checks if not check.passed}
    ]
    found = len(verdicts) - len(missed)
    enough = len(verdicts) >= LEAST_FAULTS
    yield alone(
        "export.faults.found",
        found / len(verdicts),
        "share",
        at_least=1.0,
        holds=enough,
        faults=len(verdicts),
        missed=missed,
    )
