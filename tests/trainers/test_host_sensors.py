from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trainers
from tests.chaos.driving import host_record, until
from trainers.host_battery import on_battery
from trainers.host_gpu import GpuReading, read_gpu
from trainers.host_sensors import Reading, Sensors
from trainers.layout import Considerate, ExitRecord, Launch, RunDir, write_record

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads the folders of Linux")
posix = pytest.mark.skipif(sys.platform == "win32", reason="plays the driver's tool with a script")


def supply(root: Path, name: str, **says: str) -> None:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    for what, value in says.items():
        (folder / what).write_text(f"{value}\n")


def play(path: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of this name first in the path."""
    path.mkdir(exist_ok=True)
    (path / name).write_text(f"#!/bin/sh\n{script}\n")
    (path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")


@linux
def test_a_laptop_is_on_battery_while_no_plug_gives_power(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type="Battery", status="Charging")
    assert not on_battery(tmp_path)
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    assert on_battery(tmp_path)
    supply(tmp_path, "ucsi-source-psy-USBC000:001", type="USB", online="1")
    assert not on_battery(tmp_path)


@linux
def test_a_mouse_that_discharges_is_no_laptop_on_battery(tmp_path: Path) -> None:
    supply(tmp_path, "hidpp_battery_0", type="Battery", status="Discharging", scope="Device")
    assert not on_battery(tmp_path)
    assert not on_battery(tmp_path / "nowhere")


@posix
@pytest.mark.parametrize(
    ("answer", "reading"),
    [
        ("71, 245.31", GpuReading(71.0, 245.31)),
        ("71, [N/A]", GpuReading(71.0, None)),
        ("[GPU is lost]", GpuReading()),
        ("", GpuReading()),
    ],
)
def test_the_drivers_answer_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, reading: GpuReading
) -> None:
    asked = tmp_path / "asked"
    play(tmp_path / "bin", "nvidia-smi", f'echo "$@" > {asked}\necho "{answer}"', monkeypatch)
    assert read_gpu(1) == reading
    assert asked.read_text().split() == [
        "--id=1", "--query-gpu=temperature.gpu,power.draw", "--format=csv,noheader,nounits"
    ]  # fmt: skip


@posix
def test_a_driver_that_fails_or_is_not_there_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path / "bin", "nvidia-smi", "echo '99, 1'; exit 9", monkeypatch)
    assert read_gpu(0) == GpuReading()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_gpu(0) == GpuReading()


@posix
def test_only_a_graphics_card_is_asked_and_an_old_look_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(tmp_path / "bin", "nvidia-smi", "echo '80, 100'", monkeypatch)
    now = [0.0]
    sensors = Sensors("cuda-0", tmp_path / "no-supplies", lambda: now[0])
    sensors.look()
    assert sensors.reading == Reading(False, GpuReading(80.0, 100.0))
    now[0] = 61.0
    assert sensors.reading == Reading()
    other = Sensors("cpu", tmp_path / "no-supplies")
    other.look()
    assert other.reading == Reading()


HOST = """
import sys
from pathlib import Path
from trainers.host import Host
Host(Path(sys.argv[1]), 1, supplies=Path(sys.argv[2])).run()
"""


@linux
def test_a_host_starts_no_trainer_on_battery_and_one_when_the_power_is_back(tmp_path: Path) -> None:
    supplies, rules = tmp_path / "supplies", tmp_path / "considerate.json"
    supply(supplies, "AC", type="Mains", online="0")
    supply(supplies, "BAT0", type="Battery", status="Discharging")
    write_record(rules, Considerate(pause_on_battery=True))
    run = RunDir(tmp_path / "runs" / "a")
    environment = {**os.environ, "PYTHONPATH": str(Path(next(iter(trainers.__path__))).parent)}
    launch = Launch(
        job="a",
        attempt=1,
        argv=(sys.executable, "-c", "print('trained')"),
        cwd=str(run.path),
        environment=environment,
        queue_dir=None,
        queue_entry=None,
        rules=str(rules),
    )
    write_record(run.attempt(1).launch, launch)
    command = [sys.executable, "-P", "-S", "-c", HOST, str(run.path), str(supplies)]
    with subprocess.Popen(command, env=environment) as host:
        until(lambda: (record := host_record(run)) and record.held == "on_battery", "the wait")
        supply(supplies, "AC", type="Mains", online="1")
        assert host.wait(60) == 0
    assert ExitRecord.model_validate_json(run.attempt(1).exit.read_bytes()).exit_code == 0
