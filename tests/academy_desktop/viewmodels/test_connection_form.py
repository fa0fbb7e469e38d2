from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.venom.connections import Activation, Before
from academy_desktop.viewmodels.connection_form import ConnectionForm
from academy_desktop.viewmodels.connection_typed import USUAL_NAME, USUAL_URL
from tests.academy_desktop.viewmodels.making import QT_SAYS, seen
from tests.academy_desktop.viewmodels.venom_making import NAME, Bench, act, benches

pytestmark = pytest.mark.qt_log_ignore(*QT_SAYS, extend=True)

Use = Callable[[ConnectionForm], None]


@pytest.fixture
def bench(qapp: QApplication, tmp_path: Path) -> Iterator[Bench]:
    with benches(tmp_path) as made:
        yield made


def used(app: QApplication, bench: Bench, use: Use, until: str, *, edit: bool = False) -> ConnectionForm:
    """A form that was used until something is true of it."""
    made: list[ConnectionForm] = []

    async def whole() -> None:
        await bench.start()
        form = bench.servers.edit_form() if edit else bench.servers.new_form()
        made.append(form)
        use(form)
        await seen(lambda: attrgetter(until)(form), until)
        await bench.settled()

    act(app, bench, whole)
    return made[0]


def test_a_new_form_begins_with_what_is_usual(qapp: QApplication, bench: Bench) -> None:
    form = used(qapp, bench, lambda form: None, "can_save")
    typed = form.typed
    assert (typed.name, typed.url, typed.folder, form.is_new) == (USUAL_NAME, USUAL_URL, "", True)
    assert (typed.name_problem, typed.url_problem, typed.folder_problem) == ("", "", "")


def test_a_name_that_is_taken_is_not_proposed_and_not_taken_again(qapp: QApplication, bench: Bench) -> None:
    bench.remember()

    def use(form: ConnectionForm) -> None:
        assert form.typed.name == "home-2"
        form.set_name(NAME)

    form = used(qapp, bench, use, "typed.name_problem")
    assert form.typed.name_problem == "There is a connection “home” already. Choose another name."
    assert not form.can_save


@pytest.mark.parametrize(
    ("field", "typed", "problem"),
    [
        ("name", "my venom", "“my venom” cannot be the name of a connection. Use up to 64 letters"),
        ("url", "venom:8000", "Give one like http://127.0.0.1:8000"),
        ("url", "http://ada:secret@venom", "without a user name, a password"),
        ("folder", "/no/such/folder", "There is no folder at /no/such/folder."),
    ],
)
def test_what_is_wrong_is_said_at_the_field(
    qapp: QApplication, bench: Bench, field: str, typed: str, problem: str
) -> None:
    form = used(qapp, bench, lambda form: getattr(form, f"set_{field}")(typed), f"typed.{field}_problem")
    said = getattr(form.typed, f"{field}_problem")
    assert problem in said
    assert "secret" not in said
    assert not form.can_save
    others = {"name", "url", "folder"} - {field}
    assert [getattr(form.typed, f"{other}_problem") for other in others] == ["", ""]


def test_what_is_empty_is_no_mistake_yet_but_cannot_be_saved(qapp: QApplication, bench: Bench) -> None:
    form = used(qapp, bench, lambda form: form.set_url(""), "typed.name")
    assert form.typed.url_problem == ""
    assert not form.can_save
    assert not form.can_test


def test_a_test_says_that_all_is_well_and_remembers_nothing(qapp: QApplication, bench: Bench) -> None:
    def use(form: ConnectionForm) -> None:
        form.set_url(bench.server.url)
        form.set_folder(str(bench.state.models_dir))
        form.test()
        assert form.is_testing

    form = used(qapp, bench, use, "verdict")
    assert form.verdict == "Venom answers, its Academy is on, and it takes changes from here."
    assert form.troubles == ()
    assert list(bench.venom.connections.all()) == []


def test_a_test_says_each_trouble_and_the_connection_can_be_saved(qapp: QApplication, bench: Bench) -> None:
    bench.state.switches.remote = True

    def use(form: ConnectionForm) -> None:
        form.set_url(bench.server.url)
        form.test()

    form = used(qapp, bench, use, "troubles")
    assert [said.title for said in form.troubles] == [
        "Venom takes changes from its own computer only",
        "The connection has no models folder",
    ]
    assert form.verdict == ""
    assert form.can_save


def test_another_address_makes_a_test_void(qapp: QApplication, bench: Bench) -> None:
    """What the first server says late is of no interest any more."""
    bench.state.switches.slow = frozenset({"/elsewhere/healthz"})

    async def whole() -> ConnectionForm:
        await bench.start()
        form = bench.servers.new_form()
        form.set_url(f"{bench.server.url}/elsewhere")
        form.test()
        await asyncio.sleep(0.05)  # it asks there, and is let wait
        form.set_url(bench.server.url)
        assert not form.is_testing
        form.set_folder(str(bench.state.models_dir))
        form.test()
        await bench.idle("test connection")
        return form

    form = act(qapp, bench, whole)
    assert form.verdict.startswith("Venom answers")
    assert form.troubles == ()


def test_what_answers_at_an_address_is_found_out_while_it_is_typed(qapp: QApplication, bench: Bench) -> None:
    """What was found at the first address, and filled in because of it, goes with it."""

    async def whole() -> ConnectionForm:
        await bench.start()
        form = bench.servers.new_form()
        form.set_url(bench.server.url)
        await seen(lambda: form.typed.folder and not form.is_looking, "the folder that the server tells")
        assert form.typed.folder == str(bench.state.models_dir)
        assert form.way_sentence.startswith("Suggested. Venom runs on this computer")
        assert {line.label for line in form.found} >= {"Server", "Academy", "Abilities", "Changes"}
        form.set_url(f"{bench.server.url}/elsewhere")
        assert (form.typed.folder, form.found) == ("", ())
        form.set_url("http://127.0.0.1:9")  # before anybody was asked
        await seen(lambda: form.found and not form.is_looking, "that nobody answers")
        return form

    form = act(qapp, bench, whole)
    assert [line.value for line in form.found] == ["No Venom was reached"]
    assert [said.title for said in form.troubles] == ["Venom does not answer"]
    assert not any(one.path.startswith("/elsewhere") for one in bench.server.asked)


def test_an_address_of_the_other_computer_is_not_looked_at_on_this_one(
    qapp: QApplication, bench: Bench
) -> None:
    def use(form: ConnectionForm) -> None:
        form.choose_way("ssh")
        form.set_ssh("ada@venom.invalid")
        form.set_url(bench.server.url)
        assert not form.is_looking
        form.choose_way("folder")
        form.set_url(bench.server.url)
        assert form.is_looking

    used(qapp, bench, use, "found")


def test_a_host_key_goes_with_the_address_that_was_filled_in(qapp: QApplication, bench: Bench) -> None:
    def use(form: ConnectionForm) -> None:
        form.choose_way("ssh")
        form.typed.offer(here="", far_folder="", address="ada@venom.home", ollama="")
        assert form.typed.login.address == "ada@venom.home"
        form.typed.login.host_key = "ssh-ed25519 AAAA"
        form.set_url("http://other.home:8000")
        assert (form.typed.login.address, form.typed.login.host_key) == ("", "")

    used(qapp, bench, use, "typed.name")


def test_a_saved_connection_is_there_shown_and_looked_at(qapp: QApplication, bench: Bench) -> None:
    def use(form: ConnectionForm) -> None:
        form.set_name("lab")
        form.set_url(f"{bench.server.url}/")
        form.set_folder(str(bench.state.models_dir))
        form.saved.connect(lambda made, before: saved.append((made.name, before)))
        form.save()

    saved: list[tuple[str, str]] = []
    used(qapp, bench, use, "can_save")
    (made,) = bench.venom.connections.all()
    assert (made.name, made.url, made.models_dir) == ("lab", bench.server.url, str(bench.state.models_dir))
    assert saved == [("lab", "")]
    assert bench.servers.shown == made
    assert bench.servers.standing is not None
    assert bench.servers.standing.badge == "Ready"


def test_an_edited_connection_keeps_what_was_active_before(qapp: QApplication, bench: Bench) -> None:
    bench.remember()
    known = Activation(adapter_id="replies-1", before=Before(runtime="ollama", model="gemma3:4b"))
    bench.venom.connections.begin_activation(NAME, known)

    def use(form: ConnectionForm) -> None:
        assert (form.typed.name, form.typed.url, form.is_new) == (NAME, bench.server.url, False)
        form.set_name("lab")
        form.set_folder("")
        form.save()

    used(qapp, bench, use, "can_save", edit=True)
    (made,) = bench.venom.connections.all()
    assert (made.name, made.models_dir) == ("lab", None)
    assert made.activation_of("replies-1") == known
    assert [one.name for one in bench.servers.all] == ["lab"]


def test_a_connection_that_another_window_made_meanwhile_is_not_overwritten(
    qapp: QApplication, bench: Bench
) -> None:
    def use(form: ConnectionForm) -> None:
        bench.remember(form.typed.name, "http://127.0.0.1:9")
        form.save()

    form = used(qapp, bench, use, "troubles")
    assert [said.title for said in form.troubles] == ["This name is taken"]
    assert [one.url for one in bench.venom.connections.all()] == ["http://127.0.0.1:9"]
