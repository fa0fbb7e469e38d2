"""A Venom on another computer: strangers reach its API over a network, and whoever may log in over SSH."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from academy_desktop.core.venom.connections import Limits
from academy_desktop.core.venom.secrets import Secrets
from academy_desktop.core.venom.service import Venom
from academy_desktop.core.venom.ssh_route import SshRoute
from tests.academy_desktop.core.venom.making import NAME, Bench
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.ssh import USER, Rights, SshServer, write_key

#: The address at which the server is seen from elsewhere.
LAN = "127.0.0.3"
LIMITS = Limits(connect_s=5.0, read_s=6.0, activate_s=30.0)


@dataclass
class Far:
    """The network, the SSH server behind a breakable wire, and the login that works.

    Attributes:
        bench: with a connection to the server over SSH, host key confirmed.
    """

    bench: Bench
    ssh: SshServer
    wire: Relay
    key_file: Path

    @property
    def route(self) -> SshRoute:
        return SshRoute(
            user=USER,
            host="127.0.0.1",
            port=self.wire.port,
            login="key",
            key_file=str(self.key_file),
            host_key=self.ssh.public_key,
        )

    @property
    def url(self) -> str:
        return f"http://{LAN}:{self.bench.server.port}"

    def connect(self, route: SshRoute | None = None, models_dir: str = "") -> None:
        """Have the connection lead this way."""
        self.bench.venom.connections.remove(NAME)
        place = models_dir or str(self.bench.models_dir)
        self.bench.venom.connections.add(NAME, self.url, place, route or self.route)

    def changed(self, **route: object) -> None:
        self.connect(self.route.model_copy(update=route))


@contextmanager
def far_away(bench: Bench, folder: Path, passphrase: str | None = None) -> Iterator[Far]:
    """Put the server of a bench on another computer."""
    key_file = folder / "id_ed25519"
    rights = Rights(keys=[write_key(key_file, passphrase)])
    venom = Venom(
        bench.data, bench.jobs, bench.exports, bench.models, limits=LIMITS, look_s=0.0, secrets=Secrets()
    )
    with (
        Relay(("127.0.0.1", bench.server.port), (LAN, bench.server.port), STRANGER),
        SshServer(rights) as ssh,
        Relay(("127.0.0.1", ssh.port)) as wire,
    ):
        far = Far(replace(bench, venom=venom), ssh, wire, key_file)
        far.connect()
        yield far
