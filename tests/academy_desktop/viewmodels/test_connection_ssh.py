"""The connection's form over SSH: what the dialog finds out, asks, and says of each trouble on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import keyring
import pytest
from keyring.core import load_keyring
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.ssh_route import fingerprint
from academy_desktop.viewmodels.connection_form import ConnectionForm
from tests.academy_desktop.core.venom.far import LAN
from tests.academy_desktop.viewmodels.making import seen
from tests.academy_desktop.viewmodels.venom_making import Bench, act, benches
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.ssh import Rights, SshServer, write_key

PASSPHRASE = "correct horse battery staple"


@dataclass
class Away:
    """A server that takes us for strangers, its computer's SSH server, and a key that opens it."""

    bench: Bench
    ssh: SshServer
    key: Path
    url: str

    def fill(self, form: ConnectionForm, folder: str = "") -> None:
        """Type all that is needed; the host's key is confirmed."""
        form.set_url(self.url)
        form.choose_way("ssh")
        form.set_ssh("ada@127.0.0.1")
        form.set_port(str(self.ssh.port))
        form.set_login("key")
        form.set_key_file(str(self.key))
        form.set_secret(PASSPHRASE)
        form.set_folder(folder or str(self.bench.state.models_dir))
        form.typed.login.host_key = self.ssh.public_key


@pytest.fixture
def away(qapp: QApplication, tmp_path: Path) -> Iterator[Away]:
    key = tmp_path / "id_ed25519"
    with benches(tmp_path) as bench:
        port = bench.server.port
        with (
            Relay(("127.0.0.1", port), (LAN, port), STRANGER),
            SshServer(Rights([write_key(key, PASSPHRASE)])) as ssh,
        ):
            yield Away(bench, ssh, key, f"http://{LAN}:{port}")


def used(app: QApplication, away: Away, use: Callable[[ConnectionForm], Awaitable[None]]) -> ConnectionForm:
    """A new form, as somebody used it."""

    async def whole() -> ConnectionForm:
        await away.bench.start()
        form = away.bench.servers.new_form()
        await use(form)
        await away.bench.settled()
        return form

    return act(app, away.bench, whole)


def titles(form: ConnectionForm) -> list[str]:
    """The troubles that are said."""
    return [trouble.title for trouble in form.troubles]


async def tried(form: ConnectionForm) -> None:
    form.test()
    await seen(lambda: not form.is_testing, "the end of the try")


def test_the_form_finds_out_that_ssh_is_the_way_and_asks_for_what_it_needs(
    qapp: QApplication, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an address is typed; then the login, and the host is trusted."""
    monkeypatch.setenv("LOGNAME", "ada")

    async def use(form: ConnectionForm) -> None:
        form.set_url(away.url)
        assert form.is_looking
        await seen(lambda: not form.is_looking, "what answers there")
        found = {line.label: line.value for line in form.found}
        assert found["Server"] == "Venom answers"
        assert found["Changes"] == "From its own computer only"
        assert found["Chat uses"].startswith("gemma3:4b")
        assert titles(form) == []  # the way answers them
        assert form.typed.way == "ssh"
        assert form.way_sentence
        form.set_ssh("ada@")
        assert form.typed.ssh_problem
        assert not form.can_test
        form.set_ssh("ada@127.0.0.1")
        form.set_port(str(away.ssh.port))
        form.set_login("key")
        assert not form.can_test
        form.set_key_file(str(away.key))
        form.set_secret(PASSPHRASE)
        form.save()  # nobody has seen the host's key yet, so it is shown first
        await seen(lambda: form.trust_question, "the host's key")
        assert fingerprint(away.ssh.public_key) in form.troubles[0].sentence
        assert away.ssh.logins == 0
        form.trust()
        await seen(lambda: not form.is_testing, "the look over SSH")
        assert form.typed.far_folder == str(away.bench.state.models_dir)  # as the server told
        assert (titles(form), bool(form.verdict)) == ([], True)
        form.set_keeps_secret(False)
        form.save()
        await seen(lambda: away.bench.servers.all, "the connection")

    used(qapp, away, use)
    [made] = away.bench.servers.all
    assert made.ssh is not None
    assert made.ssh.host_key == away.ssh.public_key
    again = away.bench.servers.edit_form().typed
    assert (again.way, again.login.address, again.login.port) == ("ssh", "ada@127.0.0.1", str(away.ssh.port))
    assert (again.login.key_file, again.login.secret) == (str(away.key), "")


def test_a_server_that_nobody_reaches_but_over_ssh_tells_its_folder_then(
    qapp: QApplication, away: Away
) -> None:
    async def use(form: ConnectionForm) -> None:
        away.fill(form)
        form.set_url(f"http://127.0.0.4:{away.bench.server.port}")
        form.set_folder("")
        await tried(form)
        assert form.typed.far_folder == str(away.bench.state.models_dir)
        assert (titles(form), bool(form.verdict)) == ([], True)

    used(qapp, away, use)


async def _changed_key(form: ConnectionForm, _away: Away) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    form.typed.login.host_key = other


async def _wrong_passphrase(form: ConnectionForm, _away: Away) -> None:
    form.set_secret("battery staple")


async def _no_agent(form: ConnectionForm, _away: Away) -> None:
    form.set_login("agent")


async def _no_sftp(_form: ConnectionForm, away: Away) -> None:
    away.ssh.rights.sftp = False


async def _not_writable(form: ConnectionForm, _away: Away) -> None:
    form.set_folder("/proc/sys")


@pytest.mark.parametrize(
    ("spoil", "title", "step"),
    [
        (_changed_key, "The computer shows another key than before", "do not go on"),
        (_wrong_passphrase, "The passphrase is wrong", "Type it again"),
        (_no_agent, "The SSH agent has no key", "ssh-add"),
        (_no_sftp, "The computer takes no files over SSH", "Subsystem sftp"),
        (_not_writable, "Venom’s models folder cannot be written", "write"),
    ],
    ids=["changed key", "passphrase", "agent", "sftp", "not writable"],
)
def test_each_trouble_is_said_with_what_can_be_done(
    qapp: QApplication,
    away: Away,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[ConnectionForm, Away], Awaitable[None]],
    title: str,
    step: str,
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)

    async def use(form: ConnectionForm) -> None:
        away.fill(form)
        await spoil(form, away)
        await tried(form)
        assert titles(form) == [title]
        assert step in form.troubles[0].next_step
        assert bool(form.trust_question) == (spoil is _changed_key)
        assert form.verdict == ""
        if spoil is _wrong_passphrase:  # what was only tried is not held against the right one
            assert away.bench.venom.secrets.get(form.typed.login.route()) is None

    used(qapp, away, use)


def test_a_folder_with_spaces_and_foreign_letters_is_a_folder(
    qapp: QApplication, away: Away, tmp_path: Path
) -> None:
    folder = tmp_path / "Modèles für Łódź – 模型"
    folder.mkdir()

    async def use(form: ConnectionForm) -> None:
        away.fill(form, str(folder))
        await tried(form)
        assert titles(form) == []

    used(qapp, away, use)


def test_without_a_keyring_the_user_chooses_to_be_asked_each_time(qapp: QApplication, away: Away) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(load_keyring("keyring.backends.fail.Keyring"))

    async def use(form: ConnectionForm) -> None:
        away.fill(form)
        form.save()
        await seen(lambda: form.keyring_question, "the question")
        assert "after each start" in form.keyring_question
        assert titles(form) == []
        assert away.bench.servers.all == ()
        form.go_without_keyring()
        await seen(lambda: away.bench.servers.all, "the connection")

    try:
        used(qapp, away, use)
    finally:
        keyring.set_keyring(before)
    [made] = away.bench.servers.all
    assert made.ssh is not None
    assert away.bench.venom.secrets.get(made.ssh) == PASSPHRASE  # until the program ends


def test_a_passphrase_that_nothing_keeps_is_asked_for_on_the_page(qapp: QApplication, away: Away) -> None:
    """As after the next start of the program, on a computer without a keyring."""
    servers = away.bench.servers

    async def use(form: ConnectionForm) -> None:
        away.fill(form)
        form.set_secret("")
        form.save()
        await seen(lambda: servers.standing and servers.standing.needs_secret, "the question")
        servers.log_in("battery staple")
        await seen(lambda: not servers.is_looking, "the refusal")
        assert servers.standing is not None
        assert [trouble.title for trouble in servers.standing.troubles] == ["The passphrase is wrong"]
        assert servers.standing.needs_secret
        servers.log_in(PASSPHRASE)
        await seen(lambda: servers.standing and servers.standing.badge == "Ready", "a look")

    used(qapp, away, use)
    assert servers.standing is not None
    assert not servers.standing.needs_secret
