from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from academy_desktop.core.paths import DataDir
from academy_desktop.text.venom import FOUND, OUTCOMES, SKIPPED, STEPS, VenomWords
from tests.academy_desktop.cli.conftest import Academy, Said
from tests.academy_desktop.core.venom.making import WHOLE, make_finished_run, placed
from tests.venom_server.ollama import OllamaServer, OllamaState
from tests.venom_server.server import VenomServer
from tests.venom_server.state import COMPONENTS, VenomState

CHECKOUT = Path(__file__).parents[3]
BASE = "gemma3:4b"
ALL = ["connect", "export", "certify", "place", "list", "audit", "sign", "activate", "verify", "canary"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VenomServer]:
    models_dir = tmp_path / "venom" / "data" / "models"
    models_dir.mkdir(parents=True)
    with VenomServer(VenomState(tmp_path / "venom", models_dir)) as server:
        yield server


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    """The data directory that `academy` works in."""
    return DataDir(tmp_path / "data").open()


@pytest.fixture
def home(academy: Academy, server: VenomServer, data: DataDir) -> Academy:
    """`academy` with a connection called home."""
    said = academy("venom", "add", "home", server.url, "--models-dir", server.state.models_dir)
    assert said.code == 0, said.err
    server.asked.clear()
    return academy


def refused(said: Said) -> str:
    """The code of an expected failure, which has a sentence and a next step."""
    assert said.code == 1, said.err
    error = said.json["error"]
    assert error["message"].endswith(".")
    assert error["next_step"].endswith(".")
    code: str = error["code"]
    return code


# connections


def test_a_new_connection_is_looked_at(academy: Academy, server: VenomServer) -> None:
    said = academy(
        "venom", "add", "home", f"{server.url}/", "--models-dir", server.state.models_dir, "--json"
    )
    assert said.code == 0, said.err
    fields = said.json
    assert (fields["name"], fields["url"]) == ("home", server.url)
    assert fields["models_dir"] == str(server.state.models_dir)
    assert (fields["reachable"], fields["academy_enabled"], fields["can_activate"]) == (True, True, True)
    assert fields["components"] == dict.fromkeys(COMPONENTS, True)
    assert fields["features"] == {"audit": True, "sign": True, "deploy": True}
    assert (fields["active_runtime"], fields["active_model"]) == ("ollama", BASE)
    assert (fields["adapters"], fields["troubles"], fields["reason"]) == ([], [], "")


def test_a_server_that_is_down_is_remembered_all_the_same(academy: Academy) -> None:
    said = academy("venom", "add", "home", "http://127.0.0.1:9", "--json")
    assert said.code == 0
    assert (said.json["reachable"], said.json["can_activate"]) == (False, False)
    assert "Connection refused" in said.json["reason"]
    assert [one["name"] for one in academy("venom", "list", "--json").json["connections"]] == ["home"]


def test_another_computer_is_remembered_offline_and_not_asked(academy: Academy) -> None:
    said = academy("--offline", "venom", "add", "there", "http://192.0.2.7:8000", "--json")
    assert said.code == 0, said.err
    assert said.json["troubles"][0]["code"] == "offline"
    assert refused(academy("--offline", "venom", "status", "there", "--json")) == "offline"


def test_connections_are_listed_with_how_they_stand(home: Academy) -> None:
    home("venom", "add", "down", "http://127.0.0.1:9")
    down, there = home("venom", "list", "--json").json["connections"]
    assert (down["name"], down["reachable"]) == ("down", False)
    assert (there["name"], there["reachable"], there["can_activate"]) == ("home", True, None)
    assert there["active_model"] == BASE
    text = home("venom", "list").out
    assert "home" in text
    assert "Nothing answers at http://127.0.0.1:9: Connection refused." in text


def test_without_connections_the_way_to_one_is_said(academy: Academy) -> None:
    assert academy("venom", "list", "--json").json == {"connections": []}
    assert "academy venom add" in academy("venom", "list").out


def test_a_removed_connection_is_gone(home: Academy, server: VenomServer) -> None:
    said = home("venom", "remove", "home", "--json")
    folder = str(server.state.models_dir)
    assert said.json == {
        "name": "home", "url": server.url, "route": "folder", "models_dir": folder,
        "ollama": None, "ssh": None,
    }  # fmt: skip
    assert refused(home("venom", "status", "home", "--json")) == "connection_unknown"
    assert server.asked == []


@pytest.mark.parametrize(
    ("name", "url", "code"),
    [
        ("a b", "http://127.0.0.1:9", "connection_name_invalid"),
        ("home", "127.0.0.1:8000", "venom_url_invalid"),
        ("home", "http://ada:secret@127.0.0.1:8000", "venom_url_invalid"),
    ],
)
def test_a_connection_that_cannot_be_is_refused(academy: Academy, name: str, url: str, code: str) -> None:
    said = academy("venom", "add", name, url, "--json")
    assert refused(said) == code
    assert "secret" not in said.out + said.err


# how a server stands


def test_status_says_in_words_what_is_well(home: Academy) -> None:
    said = home("venom", "status", "home")
    assert said.code == 0
    assert "✓ Venom answers." in said.out
    assert "gemma3:4b of ollama" in said.out
    assert "✓ It takes changes from here." in said.out
    assert "✗" not in said.out.replace("✓", "")


@pytest.mark.parametrize(
    ("switch", "code", "next_step"),
    [
        ("remote", "venom_remote", "--ssh"),
        ("disabled", "venom_disabled", "ENABLE_ACADEMY=true"),
        ("unready", "venom_not_ready", "log"),
        ("older", "venom_older", "Update Venom"),
    ],
)
def test_status_names_each_trouble_with_a_next_step(
    home: Academy, server: VenomServer, switch: str, code: str, next_step: str
) -> None:
    switches = server.state.switches
    switches.remote, switches.older = switch == "remote", switch == "older"
    switches.academy, switches.ready = switch != "disabled", switch != "unready"
    said = home("venom", "status", "home", "--json")
    assert said.code == 0, said.err
    assert (said.json["reachable"], said.json["can_activate"]) == (True, False)
    assert said.json["academy_enabled"] == (switch != "disabled")
    (trouble,) = said.json["troubles"]
    assert trouble["code"] == code
    assert said.json["reason"] == trouble["message"]
    assert next_step in trouble["next_step"]
    assert next_step in home("venom", "status", "home").out


def test_status_of_a_server_that_is_down_is_an_expected_failure(academy: Academy) -> None:
    academy("venom", "add", "home", "http://127.0.0.1:9")
    said = academy("venom", "status", "home", "--json")
    assert refused(said) == "venom_unreachable"
    assert said.json["reachable"] is False
    assert said.json["reason"] == said.json["error"]["message"]
    in_words = academy("venom", "status", "home")
    assert (in_words.code, in_words.out) == (1, "")
    assert "Check that Venom runs" in in_words.err


def test_status_of_what_is_no_venom_is_an_expected_failure(home: Academy, server: VenomServer) -> None:
    home("venom", "add", "path", f"{server.url}/elsewhere")
    assert refused(home("venom", "status", "path", "--json")) == "venom_not_venom"
    home("venom", "add", "tls", server.url.replace("http:", "https:"))
    assert refused(home("venom", "status", "tls", "--json")) == "venom_tls"


# sending


def test_a_push_tells_its_steps_as_they_happen(home: Academy, data: DataDir, server: VenomServer) -> None:
    run = make_finished_run(data)
    said = home("venom", "push", run.job, "--to", "home", "--activate")
    assert said.code == 0, said.err
    heads = [line for line in said.err.splitlines() if line.startswith("[")]
    assert heads == [f"[{number}/10] {STEPS[name]} …" for number, name in enumerate(ALL, start=1)]
    assert said.err.count("  ✓ ") == 10
    assert "The base model goes by “smollm2:135m” there" in said.err
    assert "academy venom rollback home" in said.out
    assert server.state.model.startswith("venom-adapter-replies-")


def test_a_push_answers_with_all_that_it_did(home: Academy, data: DataDir, server: VenomServer) -> None:
    run = make_finished_run(data)
    said = home("venom", "push", "last", "--to", "home", "--activate", "--json")
    assert said.code == 0, said.err
    fields = said.json
    for name in ("placed", "audited", "signed", "activated", "deployed", "verified"):
        assert fields[name] is True
    assert fields["adapter_id"].startswith("replies-")
    assert fields["chat_model"] == server.state.model == f"venom-adapter-{fields['adapter_id']}"
    assert (fields["previous"], fields["previous_runtime"], fields["previous_adapter"]) == (
        BASE,
        "ollama",
        None,
    )
    assert (fields["base_model"], fields["model_id"]) == ("smollm2:135m", "smollm2:135m")
    assert [step["name"] for step in fields["steps"]] == ALL
    assert all(step["message"].endswith(".") and step["title"] for step in fields["steps"])
    assert placed(server.state.models_dir) == {fields["adapter_id"]: WHOLE}
    assert run.job in json.loads((Path(fields["path"]) / "metadata.json").read_text())["run_id"]


def test_a_dry_run_shows_the_steps(home: Academy, data: DataDir, server: VenomServer) -> None:
    make_finished_run(data)
    said = home("venom", "push", "last", "--to", "home", "--activate", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert [step["name"] for step in said.json["steps"]] == ALL
    assert [step["state"] for step in said.json["steps"][3:]] == ["planned"] * 7
    assert said.json["placed"] is False
    assert placed(server.state.models_dir) == {}
    in_words = home("venom", "push", "last", "--to", "home", "--dry-run")
    assert "would be written." in in_words.err
    assert "Nothing was changed." in in_words.out


def test_without_activate_the_next_step_is_said(home: Academy, data: DataDir) -> None:
    make_finished_run(data)
    said = home("venom", "push", "last", "--to", "home")
    assert said.code == 0
    assert "--activate" in said.out


def test_a_push_that_failed_tells_how_far_it_came(home: Academy, data: DataDir, server: VenomServer) -> None:
    make_finished_run(data)
    server.state.switches.deploys = False
    said = home("venom", "push", "last", "--to", "home", "--activate", "--json")
    assert refused(said) == "venom_deploy_failed"
    fields = said.json
    assert (fields["placed"], fields["signed"], fields["activated"]) == (True, True, False)
    assert (fields["deployed"], fields["verified"], fields["rolled_back"]) == (False, False, True)
    assert [(step["name"], step["state"]) for step in fields["steps"][-2:]] == [
        ("activate", "failed"),
        ("rollback", "done"),
    ]
    assert "[!] Go back to what was active before …" in said.err
    assert "The chat uses gemma3:4b, as before." in said.err


def test_an_unknown_connection_and_an_unknown_job_are_told_apart(home: Academy, data: DataDir) -> None:
    assert refused(home("venom", "push", "last", "--to", "home", "--json")) == "job_unknown"
    make_finished_run(data)
    said = home("venom", "push", "last", "--to", "hoem", "--json")
    assert refused(said) == "connection_unknown"
    assert said.json["error"]["facts"]["known"] == "home"
    assert home("venom", "push", "last").code == 2


def test_adapters_are_listed_and_a_rollback_takes_them_out_of_use(
    home: Academy, data: DataDir, server: VenomServer
) -> None:
    assert home("venom", "adapters", "home", "--json").json == {"adapters": []}
    make_finished_run(data)
    sent = home("venom", "push", "last", "--to", "home", "--activate", "--json").json
    (one,) = home("venom", "adapters", "home", "--json").json["adapters"]
    assert (one["adapter_id"], one["is_active"]) == (sent["adapter_id"], True)
    assert one["base_model"] == "smollm2:135m"
    assert sent["adapter_id"] in home("venom", "adapters", "home").out
    said = home("venom", "rollback", "home", "--json")
    assert said.json == {
        "rolled_back": True,
        "active_model": BASE,
        "active_runtime": "ollama",
        "active_adapter": None,
    }
    assert server.state.model == sent["previous"]
    again = home("venom", "rollback", "home", "--json")
    assert refused(again) == "venom_nothing_to_roll_back"
    assert (again.json["rolled_back"], again.json["active_model"]) == (False, BASE)


# without a proof, and over Ollama


def test_an_adapter_that_is_not_proven_is_sent_only_if_the_user_says_so(
    home: Academy, data: DataDir, server: VenomServer
) -> None:
    make_finished_run(data, certified=False)
    said = home("venom", "push", "last", "--to", "home", "--json")
    assert refused(said) == "venom_not_certified"
    assert "--uncertified" in said.json["error"]["next_step"]
    assert placed(server.state.models_dir) == {}
    sent = home("venom", "push", "last", "--to", "home", "--uncertified", "--json")
    assert (sent.code, sent.json["certified"], sent.json["placed"]) == (0, False, True)
    metadata = json.loads((Path(sent.json["path"]) / "metadata.json").read_text())
    assert metadata["certificate"]["passed"] is False


def test_a_push_over_venom_s_ollama_and_the_way_back(
    academy: Academy, data: DataDir, server: VenomServer
) -> None:
    server.state.switches.remote = True
    make_finished_run(data)
    with OllamaServer(OllamaState(server.state.ollama)) as ollama:
        assert academy("venom", "add", "far", server.url, "--ollama", ollama.url, "--ssh", "a@b").code == 2
        added = academy("venom", "add", "far", server.url, "--ollama", ollama.url, "--json")
        assert (added.json["route"], added.json["can_activate"]) == ("ollama", True)
        assert added.json["troubles"] == []
        assert ollama.url in academy("venom", "list").out
        said = academy("venom", "push", "last", "--to", "far", "--activate")
        assert said.code == 0, said.err
        assert "[5/11] Let Ollama make a model of it …" in said.err
        assert "Left out: Venom’s Academy cannot sign" in said.err
        assert "The chat answers with venom-adapter-replies" in said.err
        ways = {one["route"]: one for one in academy("venom", "status", "far", "--json").json["ways"]}
        assert (ways["ollama"]["fit"], ways["ollama"]["url"]) == ("works", ollama.url)
        assert ways["folder"]["fit"] == "no"
        assert academy("venom", "rollback", "far", "--json").json["active_model"] == BASE


# the words


def test_every_step_has_words_for_every_state_that_it_can_have() -> None:
    from academy_desktop.text.language import Words

    session = Words.load(CHECKOUT / "resources" / "locale")
    words = VenomWords(session.gettext, session.messages)
    assert {step for step, _ in OUTCOMES} == set(STEPS)
    for step in {*ALL, "upload", "create"}:
        assert (step, "done") in OUTCOMES
        assert step == "connect" or (step, "planned") in OUTCOMES
    facts = dict.fromkeys(
        ("path", "model", "base_model", "model_id", "export", "adapter", "runtime", "url"), "x"
    )
    for step, state in OUTCOMES:
        assert words.outcome(step, state, {**facts, "signer": "me", "chat_model": "c"}).endswith(".")
    for step, reason in SKIPPED:
        assert words.outcome(step, "skipped", {**facts, "reason": reason}).endswith(".")
    for way, found in FOUND:
        assert words.way(way, found, {**facts, "host": "h", "port": "22", "version": "1"}).endswith(".")
    assert words.outcome("place", "failed", {"path": "/x"}, "venom_folder_missing").endswith(".")


# the real thing


def test_a_run_that_was_really_trained_reaches_the_chat(
    home: Academy, data: DataDir, server: VenomServer, tiny_model: Path, tmp_path: Path
) -> None:
    """Training, export job, push, rollback: nothing is made up but the server."""
    from tests.trainers.tiny_model import LEARNED

    rows = tmp_path / "train.jsonl"
    rows.write_text("".join(json.dumps({"messages": row["messages"]}) + "\n" for row in LEARNED))
    home("data", "import", rows, "--name", "Capitals")
    recipe = tmp_path / "recipe.yaml"
    preset = ("--preset", "demo-fast", "--name", "Capitals")
    made = home("recipe", "init", "--dataset", "Capitals", "--model", tiny_model, *preset, "--out", recipe)
    assert made.code == 0, made.err
    recipe.write_text(re.sub("num_epochs: [0-9]+", "num_epochs: 1", recipe.read_text()))
    trained = home("train", recipe, "--json")
    assert trained.json["state"] == "succeeded", trained.err
    job = trained.json["job"]
    unknown = home("venom", "push", job, "--to", "home", "--activate", "--json")
    assert refused(unknown) == "venom_base_unknown"
    assert unknown.json["error"]["facts"]["known"] == "gemma3:4b, llama3.2:1b, smollm2:135m"
    server.state.ollama.append("tiny:latest")
    sent = home("venom", "push", job, "--to", "home", "--activate", "--model-id", "tiny:latest", "--json")
    assert sent.code == 0, sent.err
    assert (sent.json["certified"], sent.json["verified"]) == (True, True)
    gguf = Path(sent.json["path"]) / "adapter" / "Adapter-F16-LoRA.gguf"
    from tests.trainers.exporting.making import Gguf

    assert Gguf.read(gguf).value("adapter.type") == "lora"
    again = home("venom", "push", job, "--to", "home", "--activate", "--model-id", "tiny:latest", "--json")
    states = {step["name"]: step["state"] for step in again.json["steps"]}
    assert (states["export"], states["certify"]) == ("kept", "kept")
    assert home("venom", "rollback", "home", "--json").json["active_model"] == BASE
    [certificate] = (data.runs / job / "exports").glob("*.certificate.json")
    certificate.unlink()
    for held_out in data.datasets.glob("*/eval.jsonl"):
        held_out.write_bytes(b"")
    unproven = home("venom", "push", job, "--to", "home", "--model-id", "tiny:latest", "--json")
    assert refused(unproven) == "venom_not_provable"
    assert "--uncertified" in unproven.json["error"]["next_step"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_the_stand_in_runs_by_itself(academy: Academy, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.venom_server",
        "--models-dir",
        str(tmp_path / "models"),
        "--older",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        said = academy("venom", "add", "home", url, "--models-dir", tmp_path / "models", "--json")
        child.send_signal(signal.SIGINT)
        child.stdout.read()
    assert child.returncode == 0
    assert [one["code"] for one in said.json["troubles"]] == ["venom_older"]
