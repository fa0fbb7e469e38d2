"""What the doctor's findings mean for a person: a sentence and, where there is something to do, a next step.

Owns the English originals of checks and of engine choices. Refuses to know how anything was found.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from academy_desktop.text.marking import N_


class CheckText(NamedTuple):
    """Sentence and next step of one outcome, as templates; the next step may be empty."""

    message: str
    next_step: str = ""


#: (check, status) → words; facts enter as in `errors`.
CHECKS: Final[dict[tuple[str, str], CheckText]] = {
    ("processor", "ok"): CheckText(N_("{cores} processor cores[ ({name})].")),
    ("gpu", "ok"): CheckText(
        N_(
            "[{gpu} with {memory_bytes}, driver {driver}.|No NVIDIA GPU was found: models are trained on the "
            "processor, which suits small ones well.]"
        )
    ),
    ("gpu_unused", "warn"): CheckText(
        N_("{gpu} is there[ (driver {driver})], but PyTorch cannot use it: training runs on the processor."),
        N_("Update the NVIDIA driver, delete the folder .venv and run the set-up again."),
    ),
    ("memory", "ok"): CheckText(N_("{ram_bytes} of memory.")),
    ("memory", "warn"): CheckText(
        N_("Only {ram_bytes} of memory: even the demo model may not fit."),
        N_("Close other programs before training, or use a machine with more memory."),
    ),
    ("disk", "ok"): CheckText(N_("{free_bytes} free on the disk of the data folder.")),
    ("disk", "warn"): CheckText(
        N_("Only {free_bytes} free on the disk of the data folder[ {path}]."),
        N_("Free some space, or choose a data folder on a larger disk with --data-dir."),
    ),
    ("packages", "ok"): CheckText(N_("All packages for training are there (PyTorch {torch}).")),
    ("packages", "fail"): CheckText(
        N_("Packages for training are missing: {missing}."),
        N_("Run “python3 packaging/bootstrap.py run” again: it installs what is missing."),
    ),
    ("llama_cpp", "ok"): CheckText(N_("llama.cpp is there: exports can be proven.")),
    ("llama_cpp", "warn"): CheckText(
        N_("llama.cpp is not there: GGUF files can be made, but neither proven nor tried out here."),
        N_("Install a C++ compiler and CMake, then run “python3 packaging/bootstrap.py run” again."),
    ),
    ("training_step", "fail"): CheckText(
        N_("A trial step did not work[: {detail}]."),
        N_("Run “python3 packaging/bootstrap.py run” again; if that does not help, delete .venv first."),
    ),
    ("bf16", "ok"): CheckText(N_("A bf16 step works.")),
    ("bf16", "warn"): CheckText(
        N_("bf16 does not work here[: {detail}]."), N_("Nothing to do: another number format is used.")
    ),
    ("four_bit", "ok"): CheckText(N_("A 4-bit step (QLoRA) works.")),
    ("four_bit", "warn"): CheckText(
        N_("4-bit training (QLoRA) does not work here[: {detail}]."),
        N_("Nothing to do: the base model is kept in 16 or 32 bit instead."),
    ),
}

ENGINE_REASONS: Final = {
    "cpu_peft": N_(
        "No NVIDIA GPU can be used, so models are trained on the processor: common ones with the app’s own "
        "engine, all others with TRL and PEFT."
    ),
    "gpu_peft": N_("Models are trained on the NVIDIA GPU with TRL and PEFT."),
}
