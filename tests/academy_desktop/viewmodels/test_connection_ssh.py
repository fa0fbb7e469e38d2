"""The connection's form over SSH, and single adapters on a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.service import Unwatched
from academy_desktop.core.venom.ssh_route import fingerprint
from academy_desktop.core.venom.steps import Order
from tests.academy_desktop.core.venom.far import LAN
from tests.academy_desktop.core.venom.making import make_finished_run
from tests.academy_desktop.viewmodels.making import seen
from tests.academy_desktop.viewmodels.venom_making import NAME, Bench, act, benches
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.ssh import Rights, SshServer, write_key


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as bench:
        yield bench


def test_a_server_elsewhere_is_looked_at_once_its_host_is_trusted(
    qapp: QApplication, bench: Bench, tmp_path: Path
) -> None:
    key = tmp_path / "id_ed25519"
    port = bench.server.port
    with Relay(("127.0.0.1", port), (LAN, port), STRANGER), SshServer(Rights([write_key(key)])) as ssh:
        form = bench.servers.new_form()

        async def whole() -> None:
            await bench.start()
            form.set_url(f"http://{LAN}:{port}")
            form.test()
            await seen(lambda: not form.is_testing, "the direct look")
            assert "SSH login" in form.troubles[0].next_step
            form.set_ssh("ada@")
            assert form.ssh_problem
            assert not form.can_test
            form.set_ssh(f"ada@127.0.0.1:{ssh.port}")
            form.set_key_file(str(key))
            form.set_folder(str(bench.state.models_dir))
            form.test()
            await seen(lambda: not form.is_testing, "the host’s key")
            assert form.trust_question.endswith(".")
            assert fingerprint(ssh.public_key) in form.troubles[0].sentence
            assert ssh.logins == 0
            form.trust()
            await seen(lambda: not form.is_testing, "the look over SSH")
            assert form.troubles == ()
            assert form.verdict
            form.save()
            await seen(lambda: bool(bench.servers.all), "the connection")
            await bench.settled()

        act(qapp, bench, whole)
        [made] = bench.servers.all
        assert made.ssh is not None
        assert made.ssh.host_key == ssh.public_key
        again = bench.servers.edit_form()
        assert (again.ssh, again.key_file, again.secret) == (made.ssh.address, str(key), "")


def test_an_adapter_on_the_server_is_used_and_taken_away(qapp: QApplication, bench: Bench) -> None:
    bench.remember()

    async def use_one() -> None:
        run = make_finished_run(bench.data)
        with bench.venom.pushing(NAME, Order(run.job), Unwatched()) as push:
            sent = push.run()
        await bench.start()
        standing = bench.servers.standing
        assert standing is not None
        [line] = standing.adapters
        assert line.can_use
        assert "sent by" in line.detail
        bench.state.gate.set()
        bench.servers.put_to_use(sent.adapter_id)
        await seen(lambda: bool(bench.servers.news), "the adapter in use")
        await bench.settled()
        assert bench.state.active == sent.adapter_id
        bench.servers.remove_adapter(sent.adapter_id)
        await seen(lambda: bool(bench.told), "the refusal")
        await bench.settled()
        assert "uses" in bench.told[0].sentence
        bench.servers.roll_back()
        await seen(lambda: not bench.servers.is_going_back, "the way back")
        await bench.settled()
        bench.servers.remove_adapter(sent.adapter_id)
        await seen(lambda: "no longer" in bench.servers.news, "the adapter gone")
        await bench.settled()

    act(qapp, bench, use_one)
    assert list(bench.state.models_dir.glob("replies-*")) == []
