from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trainers.engines.cpu.test_gradients import needs_numba

ROOT = Path(__file__).parents[4]


def outputs(cache: Path | None, threads: int = 2) -> dict[str, str]:
    """Every kernel's output, as hashes, from a process of its own."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache or ""), "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        [sys.executable, "-m", "tests.trainers.engines.cpu.kernel_probe", str(threads)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=1200,
    ).stdout
    return dict(line.split() for line in said.splitlines())


@needs_numba
def test_fresh_code_code_from_the_cache_and_other_threads_give_the_same_bits(tmp_path: Path) -> None:
    cache = tmp_path / "kernels"
    cold = outputs(cache)
    stored = {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")}
    assert len(cold) == 13
    assert len(stored) == 11
    assert outputs(cache) == cold
    assert outputs(cache, threads=1) == cold
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.nbc")} == stored


@needs_numba
@pytest.mark.parametrize("folder", ["there-is-a-file", ""])
def test_without_a_place_for_it_the_code_is_made_anew(tmp_path: Path, folder: str) -> None:
    from trainers.engines.cpu.compiled.kernels import CompiledKernels
    from trainers.engines.cpu.kernels import kernels

    (tmp_path / "there-is-a-file").write_text("", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(tmp_path / folder) if folder else "")
        made = kernels(1, compiled=True)
    assert isinstance(made, CompiledKernels)
    assert not made.keeps
