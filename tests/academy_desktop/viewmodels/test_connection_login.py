from __future__ import annotations

from pathlib import Path

import pytest

from academy_desktop.core.venom.ssh_route import SshRoute
from academy_desktop.viewmodels.connection_login import TypedLogin
from trainers.errors import AcademyError, ErrorCode


@pytest.mark.parametrize(
    ("address", "port", "whole"),
    [
        ("ada@venom.home", "", "ada@venom.home"),
        ("ada@venom.home", "22", "ada@venom.home"),
        ("ada@venom.home", "2222", "ada@venom.home:2222"),
        ("ada@venom.home:2200", "2222", "ada@venom.home:2200"),
        ("ada@[fe80::1]", "2222", "ada@[fe80::1]:2222"),
    ],
)
def test_address_and_port_make_a_route_and_come_back(address: str, port: str, whole: str) -> None:
    route = TypedLogin(address, port).route()
    assert route.address == whole
    assert TypedLogin.of(route).route() == route


@pytest.mark.parametrize(("address", "port"), [("ada", ""), ("ada@venom.home", "http"), ("ada@a", "70000")])
def test_what_is_no_address_is_refused(address: str, port: str) -> None:
    with pytest.raises(AcademyError) as caught:
        TypedLogin(address, port).route()
    assert caught.value.code is ErrorCode.VENOM_SSH_ADDRESS_INVALID


def test_a_key_that_is_not_chosen_or_not_there_is_refused(tmp_path: Path) -> None:
    for key in ("", str(tmp_path / "id_ed25519")):
        with pytest.raises(AcademyError) as caught:
            TypedLogin("ada@venom.home", login="key", key_file=key).route()
        assert caught.value.code is ErrorCode.VENOM_SSH_KEY_UNREADABLE


def test_the_secret_of_a_connection_is_not_brought_back() -> None:
    route = SshRoute(user="ada", host="venom.home", login="password", host_key="ssh-ed25519 AAAA")
    typed = TypedLogin.of(route)
    assert (typed.secret, typed.login, typed.host_key) == ("", "password", "ssh-ed25519 AAAA")
    typed.secret = "hunter2"
    assert "hunter2" not in repr(typed)


def test_on_a_new_computer_the_agent_comes_first_then_a_key_then_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    assert TypedLogin.usual().login == "agent"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert TypedLogin.usual().login == "password"
    key = tmp_path / ".ssh" / "id_ed25519"
    key.parent.mkdir()
    key.touch()
    assert TypedLogin.usual() == TypedLogin(login="key", key_file=str(key))
