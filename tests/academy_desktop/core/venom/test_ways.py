from __future__ import annotations

from academy_desktop.core.venom.connections import Connection, Limits, draft
from academy_desktop.core.venom.ssh_route import SshRoute
from academy_desktop.core.venom.ways import Way, find_ways
from tests.academy_desktop.core.venom.far import LAN
from tests.academy_desktop.core.venom.making import Bench
from tests.venom_server.ollama import OllamaServer, OllamaState
from tests.venom_server.relay import STRANGER, Relay
from tests.venom_server.ssh import Rights, SshServer

LIMITS = Limits(connect_s=1.0, read_s=3.0)
NOBODY = SshRoute(user="ada", host="127.0.0.1", port=9)


def found(connection: Connection) -> dict[str, Way]:
    return {way.name: way for way in find_ways(connection, LIMITS).ways}


def as_seen(url: str, ssh: SshRoute = NOBODY, ollama: str = "http://127.0.0.1:9") -> Connection:
    """A draft with ports of the test's own."""
    return draft("home", url, ssh=ssh).model_copy(update={"ollama": ollama})


def test_on_this_computer_the_folder_that_venom_names_is_the_way(bench: Bench) -> None:
    ways = find_ways(as_seen(bench.server.url), LIMITS)
    assert ways.best == Way("folder", "works", "here", {"path": str(bench.models_dir)})
    assert [(way.name, way.reason) for way in ways.ways[1:]] == [("ssh", "here"), ("ollama", "no_answer")]


def test_a_folder_that_venom_does_not_name_whole_is_asked_for(bench: Bench) -> None:
    bench.state.models_dir = bench.models_dir.relative_to("/")
    assert found(as_seen(bench.server.url))["folder"].reason == "untold"


def test_to_another_computer_ssh_comes_before_ollama(bench: Bench) -> None:
    with (
        Relay(("127.0.0.1", bench.server.port), (LAN, bench.server.port), STRANGER),
        SshServer(Rights()) as ssh,
        OllamaServer(OllamaState(bench.state.ollama)) as ollama,
    ):
        route = SshRoute(user="ada", host="127.0.0.1", port=ssh.port)
        ways = find_ways(as_seen(f"http://{LAN}:{bench.server.port}", route, ollama.url), LIMITS)
    assert [(way.name, way.fit, way.reason) for way in ways.ways] == [
        ("ssh", "could", "answers"),
        ("ollama", "works", "shared"),
        ("folder", "no", "elsewhere"),
    ]
    assert ways.best is not None
    assert ways.best.facts == {"host": "127.0.0.1", "port": str(route.port)}
    assert ways.ways[1].facts == {"url": ollama.url, "version": "0.24.0"}


def test_over_ssh_this_computer_is_not_taken_for_the_other_one(bench: Bench) -> None:
    ways = found(draft("home", bench.server.url, ssh=SshRoute(user="ada", host="venom.invalid")))
    assert {way.reason for way in ways.values()} == {"no_answer"}
    assert ways["ollama"].facts["url"] == "http://venom.invalid:11434"


def test_an_academy_that_is_off_is_not_taken_for_another_computer_s(bench: Bench) -> None:
    bench.state.switches.academy = False
    ways = found(as_seen(bench.server.url))
    assert (ways["folder"].fit, ways["folder"].reason) == ("no", "not_now")
    assert ways["ssh"].reason == "here"


def test_an_ollama_with_other_models_is_not_taken_for_venom_s(bench: Bench) -> None:
    with OllamaServer(OllamaState(["mistral:7b"])) as ollama:
        way = found(as_seen(bench.server.url, ollama=ollama.url))["ollama"]
    assert (way.fit, way.reason) == ("could", "unsure")


def test_where_nothing_answers_no_way_leads() -> None:
    ways = find_ways(as_seen("http://127.0.0.1:9"), LIMITS)
    assert ways.best is None
    assert {way.reason for way in ways.ways} == {"no_answer"}


def test_what_answers_but_does_not_speak_ssh_is_none(bench: Bench) -> None:
    route = SshRoute(user="ada", host="127.0.0.1", port=bench.server.port)
    assert found(as_seen("http://127.0.0.1:9", route))["ssh"].reason == "no_answer"
