from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from academy_desktop.core.venom.connections import Before
from academy_desktop.core.venom.ssh_route import fingerprint
from tests.academy_desktop.core.venom.far import Far, far_away
from tests.academy_desktop.core.venom.making import (
    NAME,
    STEPS,
    WHOLE,
    Bench,
    Watcher,
    make_finished_run,
    placed,
    refusal,
    write_certificate,
    write_gguf,
)
from tests.venom_server.ssh import SshServer, write_key
from trainers.errors import ErrorCode

BASE = "gemma3:4b"


@pytest.fixture
def far(bench: Bench, tmp_path: Path) -> Iterator[Far]:
    with far_away(bench, tmp_path) as far:
        yield far


def codes(far: Far) -> list[ErrorCode]:
    return [trouble.code for trouble in far.bench.venom.report(NAME).troubles]


def test_the_server_takes_no_changes_from_this_computer_directly(far: Far) -> None:
    far.bench.venom.connections.remove(NAME)
    far.bench.venom.connections.add(NAME, far.url, far.bench.models_dir)
    report = far.bench.venom.report(NAME)
    assert [trouble.code for trouble in report.troubles] == [ErrorCode.VENOM_REMOTE]
    with refusal(ErrorCode.VENOM_REMOTE):
        far.bench.push(make_finished_run(far.bench.data))


def test_a_run_becomes_active_and_verified_over_ssh_and_back(far: Far) -> None:
    report = far.bench.venom.report(NAME)
    assert report.troubles == []
    assert report.can_activate
    watcher = Watcher()
    sent = far.bench.push(make_finished_run(far.bench.data), watcher)
    assert sent.verified
    assert [step for step, moment in watcher.told if moment == "started"] == list(STEPS)
    assert far.bench.both() == (sent.adapter_id, f"venom-adapter-{sent.adapter_id}")
    assert placed(far.bench.models_dir) == {sent.adapter_id: WHOLE}
    assert sent.previous == Before(runtime="ollama", model=BASE)
    again = far.bench.push(make_finished_run(far.bench.data))
    assert "kept" in {step.state for step in again.steps}
    assert far.bench.asked("activate").count("activate") >= 2  # the probes, and one activation
    back = far.bench.venom.rollback(NAME)
    assert back.model == BASE
    assert far.bench.both() == (None, BASE)


def test_an_account_without_a_shell_is_enough(far: Far) -> None:
    far.ssh.rights.shell = False
    assert far.bench.push(make_finished_run(far.bench.data)).verified


@pytest.mark.parametrize("name", ["a folder", "zażółć gęślą", 'quo\'te "s" $HOME `x`', "文件夹"])
def test_any_folder_name_will_do(far: Far, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    far.bench.state.models_dir = folder
    far.connect(models_dir=str(folder))
    sent = far.bench.push(make_finished_run(far.bench.data))
    assert sent.verified
    assert placed(folder) == {sent.adapter_id: WHOLE}


@pytest.mark.parametrize("kind", ["drop", "reset"])
def test_an_upload_goes_on_where_the_connection_broke(far: Far, kind: str, tmp_path: Path) -> None:
    run = make_finished_run(far.bench.data, gguf=False)
    write_certificate(write_gguf(run, b"GGUF" + os.urandom(6_000_000)), passed=True)
    far.wire.arm("drop" if kind == "drop" else "reset", 3_500_000)
    sent = far.bench.push(run)
    assert sent.verified
    assert far.wire.struck == 1
    assert far.ssh.logins >= 2
    assert placed(far.bench.models_dir) == {sent.adapter_id: WHOLE}
    assert far.ssh.sent_bytes < 6_000_000 + 3_000_000


def test_a_stalled_connection_is_noticed_and_made_again(far: Far) -> None:
    far.wire.arm("stall", 8_000)
    assert far.bench.push(make_finished_run(far.bench.data)).verified
    assert far.wire.struck == 1


def test_a_full_disk_on_the_far_side_leaves_nothing(far: Far) -> None:
    far.ssh.rights.full_after_bytes = 1_500
    with refusal(ErrorCode.DISK_FULL):
        far.bench.push(make_finished_run(far.bench.data))
    assert placed(far.bench.models_dir) == {}
    far.ssh.rights.full_after_bytes = None
    assert far.bench.push(make_finished_run(far.bench.data)).verified


# each trouble has its sentence


def test_a_host_that_nobody_has_confirmed_is_shown(far: Far) -> None:
    far.changed(host_key="")
    report = far.bench.venom.report(NAME)
    [trouble] = report.troubles
    assert trouble.code is ErrorCode.VENOM_SSH_HOST_UNKNOWN
    assert trouble.facts["fingerprint"] == fingerprint(far.ssh.public_key)
    assert far.bench.venom.host_key(far.route) == far.ssh.public_key
    far.bench.venom.connections.trust(NAME, far.ssh.public_key)
    assert codes(far) == []


def test_a_host_that_shows_another_key_is_refused(far: Far) -> None:
    for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256"):
        other = asyncssh.generate_private_key(kind).export_public_key().decode().strip()
        far.changed(host_key=other)
        [trouble] = far.bench.venom.report(NAME).troubles
        assert trouble.code is ErrorCode.VENOM_SSH_HOST_CHANGED
        assert trouble.facts["known"] == fingerprint(other)
        assert trouble.facts["fingerprint"] == fingerprint(far.ssh.public_key)
    assert far.ssh.logins == 0
    with refusal(ErrorCode.VENOM_SSH_HOST_CHANGED):
        far.bench.push(make_finished_run(far.bench.data))
    assert placed(far.bench.models_dir) == {}


def test_a_passphrase_opens_the_key_or_does_not(bench: Bench, tmp_path: Path) -> None:
    with far_away(bench, tmp_path, passphrase="correct horse") as far:
        assert codes(far) == [ErrorCode.VENOM_SSH_SECRET_NEEDED]
        far.bench.venom.secrets.hold(far.route, "battery staple")
        assert codes(far) == [ErrorCode.VENOM_SSH_PASSPHRASE_WRONG]
        far.bench.venom.secrets.hold(far.route, "correct horse")
        assert codes(far) == []


def test_a_key_that_is_not_authorised_is_said(far: Far, tmp_path: Path) -> None:
    far.ssh.rights.keys = [write_key(tmp_path / "another")]
    [trouble] = far.bench.venom.report(NAME).troubles
    assert trouble.code is ErrorCode.VENOM_SSH_REFUSED
    assert trouble.facts["user"] == "ada"


def test_what_is_no_key_is_said(far: Far, tmp_path: Path) -> None:
    far.key_file.write_text("no key at all")
    assert codes(far) == [ErrorCode.VENOM_SSH_KEY_UNREADABLE]
    far.key_file.unlink()
    assert codes(far) == [ErrorCode.VENOM_SSH_KEY_UNREADABLE]


def test_a_password_lets_in_or_does_not(far: Far) -> None:
    far.ssh.rights.keys, far.ssh.rights.password = [], "tr0ub4dor"
    far.changed(login="password", key_file=None)
    route = far.bench.venom.connections.get(NAME).ssh
    assert route is not None
    assert codes(far) == [ErrorCode.VENOM_SSH_SECRET_NEEDED]
    far.bench.venom.secrets.hold(route, "wrong")
    assert codes(far) == [ErrorCode.VENOM_SSH_REFUSED]
    far.bench.venom.secrets.hold(route, "tr0ub4dor")
    assert codes(far) == []


def test_an_agent_helps_once_it_has_a_key(far: Far, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    far.changed(login="agent", key_file=None)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    assert codes(far) == [ErrorCode.VENOM_SSH_AGENT_EMPTY]
    if shutil.which("ssh-agent") is None:
        pytest.skip("no OpenSSH here")
    socket = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL) as agent:
        try:
            while not socket.exists():
                assert agent.poll() is None
            monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
            assert codes(far) == [ErrorCode.VENOM_SSH_AGENT_EMPTY]
            subprocess.run(["ssh-add", "-q", str(far.key_file)], check=True)
            assert codes(far) == []
        finally:
            agent.terminate()


def test_no_sftp_is_said(far: Far) -> None:
    far.ssh.rights.sftp = False
    assert codes(far) == [ErrorCode.VENOM_SSH_NO_FILES]


def test_a_folder_that_is_not_there_is_said(far: Far, tmp_path: Path) -> None:
    far.connect(models_dir=str(tmp_path / "nowhere"))
    assert codes(far) == [ErrorCode.VENOM_FOLDER_MISSING]


def test_a_folder_that_cannot_be_written_is_said(far: Far) -> None:
    far.connect(models_dir="/proc/sys")
    assert codes(far) == [ErrorCode.VENOM_FOLDER_NOT_WRITABLE]


def test_nobody_answers(far: Far) -> None:
    far.changed(port=9)
    assert codes(far) == [ErrorCode.VENOM_SSH_UNREACHABLE]
    with refusal(ErrorCode.VENOM_SSH_UNREACHABLE):
        far.bench.venom.host_key(far.route.model_copy(update={"port": 9}))


def test_the_host_s_key_changes_between_two_pushes(far: Far, bench: Bench) -> None:
    far.bench.push(make_finished_run(far.bench.data))
    with SshServer(far.ssh.rights) as stranger:
        route = far.route.model_copy(update={"port": stranger.port})
        far.connect(route)
        assert codes(far) == [ErrorCode.VENOM_SSH_HOST_CHANGED]
        assert stranger.logins == 0
