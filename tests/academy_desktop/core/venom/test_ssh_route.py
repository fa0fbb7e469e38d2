from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from academy_desktop.core.venom.ssh_route import SshRoute, fingerprint, parse_route
from tests.academy_desktop.core.venom.making import refusal
from trainers.errors import ErrorCode


@pytest.mark.parametrize(
    ("typed", "user", "host", "port"),
    [
        ("ada@venom.home", "ada", "venom.home", 22),
        (" ada@venom.home:2222 ", "ada", "venom.home", 2222),
        ("a.l-o_v@10.0.0.7:22", "a.l-o_v", "10.0.0.7", 22),
        ("ada@[fd00::7]:2222", "ada", "fd00::7", 2222),
    ],
)
def test_an_address_says_who_logs_in_where(typed: str, user: str, host: str, port: int) -> None:
    route = parse_route(typed)
    assert (route.user, route.host, route.port, route.login) == (user, host, port, "agent")
    assert parse_route(route.address) == route


@pytest.mark.parametrize(
    "typed",
    ["", "ada", "venom.home", "@venom", "ada@", "ada@b c", "ada@venom:0", "ada@venom:70000", "a@-o=x/y"],
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with refusal(ErrorCode.VENOM_SSH_ADDRESS_INVALID) as facts:
        parse_route(typed)
    assert facts == {"address": typed}


def test_a_key_file_must_be_there(tmp_path: Path) -> None:
    with refusal(ErrorCode.VENOM_SSH_KEY_UNREADABLE):
        parse_route("ada@venom", tmp_path / "none")
    key = tmp_path / "key"
    key.touch()
    assert parse_route("ada@venom", key).login == "key"
    assert parse_route("ada@venom", by_password=True).login == "password"


def test_a_fingerprint_is_what_openssh_prints(tmp_path: Path) -> None:
    from tests.venom_server.ssh import write_key

    public = write_key(tmp_path / "key").export_public_key().decode()
    shown = fingerprint(public)
    assert shown.startswith("SHA256:")
    assert len(shown) == 50
    assert not shown.endswith("=")
    (tmp_path / "key.pub").write_text(public)
    try:
        said = subprocess.run(
            ["ssh-keygen", "-lf", str(tmp_path / "key.pub")], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("no OpenSSH here")
    assert shown in said.stdout


def test_no_key_has_no_fingerprint() -> None:
    assert fingerprint("") == ""


def test_one_host_is_the_same_for_all_users() -> None:
    one = SshRoute(user="ada", host="Venom.home")
    assert one.leads_to(SshRoute(user="bob", host="venom.home"))
    assert not one.leads_to(SshRoute(user="ada", host="venom.home", port=2222))
