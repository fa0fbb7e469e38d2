"""`academy venom` to a server on another computer, over a real SSH connection, with a keyring of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import NoKeyringError, PasswordDeleteError

from academy_desktop.core.paths import DataDir
from academy_desktop.core.venom.ssh_route import fingerprint
from tests.academy_desktop.cli.conftest import Academy
from tests.academy_desktop.cli.test_venom import refused
from tests.academy_desktop.core.venom.far import LAN
from tests.academy_desktop.core.venom.making import WHOLE, make_finished_run, placed
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.server import VenomServer
from tests.venom_server.ssh import Rights, SshServer, write_key
from tests.venom_server.state import VenomState

BASE = "gemma3:4b"
PASSPHRASE = "correct horse battery staple"


class MemoryKeyring(KeyringBackend):
    """A keyring of the test's own."""

    priority = 1.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError


class NoRing(MemoryKeyring):
    """A computer without a keyring."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NoKeyringError


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    before = keyring.get_keyring()
    made = MemoryKeyring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@dataclass
class Away:
    """A server on another computer, and how it is reached."""

    server: VenomServer
    ssh: SshServer
    key: Path
    url: str

    @property
    def address(self) -> str:
        return f"ada@127.0.0.1:{self.ssh.port}"

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.ssh.public_key)


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    models_dir = tmp_path / "venom" / "data" / "models"
    models_dir.mkdir(parents=True)
    key = tmp_path / "id_ed25519"
    with (
        VenomServer(VenomState(tmp_path / "venom", models_dir)) as server,
        Relay(("127.0.0.1", server.port), (LAN, server.port), STRANGER),
        SshServer(Rights(keys=[write_key(key, PASSPHRASE)])) as ssh,
    ):
        yield Away(server, ssh, key, f"http://{LAN}:{server.port}")


def test_one_command_takes_a_run_to_a_server_elsewhere_and_one_takes_it_back(
    academy: Academy,
    away: Away,
    ring: MemoryKeyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_finished_run(DataDir(tmp_path / "data").open())
    add = ["venom", "add", "lab", away.url, "--ssh", away.address, "--key", away.key]
    said = academy(*add, "--json")
    assert said.code == 0, said.err
    [trouble] = said.json["troubles"]
    assert trouble["code"] == "venom_ssh_host_unknown"
    assert away.fingerprint in trouble["message"]
    assert refused(academy(*add, "--trust", "SHA256:other", "--json")) == "venom_ssh_host_changed"
    said = academy(*add, "--trust", away.fingerprint, "--json")
    assert [one["code"] for one in said.json["troubles"]] == ["venom_ssh_secret_needed"]
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSPHRASE + "\n"))
    assert academy("venom", "secret", "lab", "--json").json == {"name": "lab", "kept": True}
    assert list(ring.kept.values()) == [PASSPHRASE]

    said = academy(*add, "--json")  # now the server says where its adapters lie
    assert said.json["troubles"] == []
    assert said.json["models_dir"] == str(away.server.state.models_dir)
    assert said.json["ssh"]["fingerprint"] == away.fingerprint
    assert said.json["can_activate"] is True

    said = academy("venom", "push", run.job, "--to", "lab", "--activate", "--json")
    assert said.code == 0, said.err
    assert said.json["verified"] is True
    adapter = said.json["adapter_id"]
    assert placed(away.server.state.models_dir) == {adapter: WHOLE}
    [listed] = academy("venom", "adapters", "lab", "--json").json["adapters"]
    assert listed["is_active"]
    assert listed["sent"]["job"] == run.job
    assert refused(academy("venom", "delete", "lab", adapter, "--json")) == "venom_adapter_in_use"

    said = academy("venom", "rollback", "lab", "--json")
    assert (said.code, said.json["active_model"]) == (0, BASE)
    said = academy("venom", "activate", "lab", adapter, "--json")
    assert said.json["verified"] is True
    assert academy("venom", "rollback", "lab", "--json").json["active_model"] == BASE
    assert academy("venom", "delete", "lab", adapter, "--json").json["removed"] is True
    assert placed(away.server.state.models_dir) == {}
    assert refused(academy("venom", "delete", "lab", adapter, "--json")) == "venom_adapter_gone"

    written = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert len(written) > 5
    assert all(PASSPHRASE.encode() not in path.read_bytes() for path in written)
    assert academy("venom", "secret", "lab", "--forget", "--json").json["kept"] is False
    assert ring.kept == {}


def test_without_a_keyring_the_choice_is_said(
    academy: Academy, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoRing())
    try:
        academy("venom", "add", "lab", away.url, "--ssh", away.address, "--password")
        monkeypatch.setattr("sys.stdin", io.StringIO("hunter2\n"))
        assert refused(academy("venom", "secret", "lab", "--json")) == "keyring_missing"
    finally:
        keyring.set_keyring(before)


def test_a_wrong_address_is_said(academy: Academy) -> None:
    said = academy("venom", "add", "lab", "http://venom:8000", "--ssh", "venom", "--json")
    assert refused(said) == "venom_ssh_address_invalid"


def test_an_agent_needs_no_secret(academy: Academy, away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    said = academy(
        "venom", "add", "lab", away.url, "--ssh", away.address, "--trust", away.fingerprint, "--json"
    )
    assert [one["code"] for one in said.json["troubles"]] == ["venom_ssh_agent_empty"]
    assert academy("venom", "secret", "lab", "--json").json == {"name": "lab", "kept": False}
