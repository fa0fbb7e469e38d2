from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.core.datasets.browse import Rows
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.datasets.manifest import DatasetManifest
from academy_desktop.core.models import Model
from academy_desktop.core.models.inspection import inspect
from academy_desktop.core.paths import DataDir
from academy_desktop.viewmodels.row_preview import MOST_CHARACTERS, RowPreview
from tests.academy_desktop.core.models.made_models import write_model
from tests.academy_desktop.made_data import conversations, write_rows
from tests.academy_desktop.viewmodels.making import in_loop, seen, words

REFUSES = "{{ raise_exception('no system role here') }}"


class Counted:
    """Counts how often a dataset is opened."""

    opened = 0

    def __init__(self, library: Library, cache: Path) -> None:
        self.library = library
        self.cache = cache

    def rows(self, key: str) -> Rows:
        """Open, and count."""
        self.opened += 1
        return Rows(self.library.folder(key), self.cache)


class Desk:
    """A preview over a real library."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.library = Library(DataDir(tmp_path / "data").open().datasets)
        self.rows = Counted(self.library, tmp_path / "cache")
        said = words()
        self.preview = RowPreview(self.rows, said.messages, said.formats, said.gettext)

    def dataset(self, rows: list[dict[str, object]] | None = None, share: float = 0.0) -> DatasetManifest:
        """A dataset of these rows."""
        file = write_rows(self.folder / "rows.jsonl", conversations() if rows is None else rows)
        return self.library.import_files([file], "rows", eval_fraction=share)

    def model(self, name: str = "tiny", template: str | None = None) -> Model:
        """A model that renders."""
        path = write_model(self.folder / name)
        if template is not None:
            (path / "chat_template.jinja").write_text(template)
        return inspect(path, name, name, "folder")

    def look(self) -> None:
        """Read what is asked for."""
        wish = self.preview.wish()
        assert wish is not None
        self.preview.take(self.preview.look(wish))


@pytest.fixture
def desk(qapp: QApplication, tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def learned(preview: RowPreview) -> list[str]:
    return [part.text for part in preview.parts if part.learned]


def test_a_row_is_shown_as_it_is_trained(desk: Desk) -> None:
    desk.preview.show(desk.dataset())
    desk.preview.use(desk.model())
    desk.look()
    text = "".join(part.text for part in desk.preview.parts)
    assert text.startswith("<|im_start|>system\nYou are a patient cook.<|im_end|>\n<|im_start|>user\n")
    assert learned(desk.preview) == [
        "Seven minutes for a soft yolk.<|im_end|>",
        "Ten minutes, then cold water.<|im_end|>",
    ]
    assert desk.preview.counts.endswith(" tokens are learned.")
    assert desk.preview.origin == "rows.jsonl, row 1"
    assert desk.preview.position == "Row 1 of 60"


def test_without_a_model_a_row_is_shown_as_it_is_stored(desk: Desk) -> None:
    desk.preview.show(desk.dataset())
    desk.look()
    assert "".join(part.text for part in desk.preview.parts).startswith(
        "system\nYou are a patient cook.\n\nuser\n"
    )
    assert learned(desk.preview) == ["Seven minutes for a soft yolk.", "Ten minutes, then cold water."]
    assert "as it is stored" in desk.preview.counts


def test_the_way_leads_over_all_rows_and_the_held_out_ones_come_last(desk: Desk) -> None:
    made = desk.dataset(share=0.1)
    desk.preview.show(made)
    assert (desk.preview.has_previous, desk.preview.has_next) == (False, True)
    desk.preview.previous()  # there is none
    origins: set[str] = set()
    while True:
        desk.look()
        origins.add(desk.preview.origin)
        if not desk.preview.has_next:
            break
        desk.preview.next()
    assert len(origins) == 60
    assert desk.preview.position == "Row 60 of 60 · held out"
    desk.preview.next()  # there is none
    desk.preview.previous()
    assert desk.preview.position == "Row 59 of 60 · held out"


def test_a_dataset_is_opened_once_and_any_row_is_one_step_away(desk: Desk) -> None:
    desk.preview.show(desk.dataset(conversations(90)))
    for number in (0, 89, 41):
        desk.preview.go(number)
        desk.look()
        assert desk.preview.origin == f"rows.jsonl, row {number + 1}"
    desk.preview.go(90)  # there is none
    assert desk.preview.number == 41
    assert desk.rows.opened == 1


def test_tokens_are_shown_with_their_ids(desk: Desk) -> None:
    desk.preview.show(desk.dataset())
    desk.preview.use(desk.model())
    desk.look()
    text = "".join(part.text for part in desk.preview.parts)
    desk.preview.show_tokens(True)
    assert "".join(part.text for part in desk.preview.parts) == text
    assert all(part.token is not None for part in desk.preview.parts)
    assert "".join(learned(desk.preview)).endswith("cold water.<|im_end|>")
    desk.preview.show_tokens(False)
    assert desk.preview.parts[0].token is None


def test_what_arrives_too_late_is_not_shown(desk: Desk) -> None:
    desk.preview.show(desk.dataset())
    wish = desk.preview.wish()
    assert wish is not None
    late = desk.preview.look(wish)
    desk.preview.next()
    desk.preview.take(late)
    assert desk.preview.parts == ()
    desk.look()
    assert desk.preview.origin == "rows.jsonl, row 2"


def test_another_dataset_begins_with_its_first_row(desk: Desk) -> None:
    made = desk.dataset()
    desk.preview.show(made)
    desk.preview.next()
    desk.preview.show(made)  # it was only read again
    assert desk.preview.position == "Row 2 of 60"
    desk.preview.show(desk.dataset(conversations(50)))
    assert desk.preview.position == "Row 1 of 50"
    desk.preview.show(None)
    assert (desk.preview.position, desk.preview.total, desk.preview.wish()) == ("", 0, None)


def test_a_row_that_the_template_refuses_says_why_and_the_next_can_be_shown(desk: Desk) -> None:
    desk.preview.show(desk.dataset())
    desk.preview.use(desk.model())
    made = desk.model("strange", "{% if messages[0].role == 'system' %}" + REFUSES + "{% endif %}")
    desk.preview.use(made)
    desk.look()
    assert desk.preview.parts == ()
    assert "no system role here" in desk.preview.problem
    assert desk.preview.origin == "rows.jsonl, row 1"
    assert desk.preview.has_next


def test_a_dataset_whose_rows_are_gone_says_so(desk: Desk) -> None:
    made = desk.dataset()
    (desk.library.root / made.id / "train.jsonl").write_text("")
    desk.preview.show(made)
    desk.look()
    assert "The files of the dataset" in desk.preview.problem
    assert desk.preview.counts == ""


def test_of_a_very_long_row_only_the_beginning_is_shown(desk: Desk) -> None:
    long = [{"question": "Say a lot.", "answer": "a lot " * MOST_CHARACTERS}]
    desk.preview.show(desk.dataset([dict(row) for row in long]))
    desk.preview.use(desk.model())
    desk.look()
    assert sum(len(part.text) for part in desk.preview.parts) == MOST_CHARACTERS
    assert "The first 10,000 characters are shown." in desk.preview.counts


def test_characters_of_any_width_keep_their_place(desk: Desk) -> None:
    row: dict[str, object] = {"question": "🌍 or 🐈?", "answer": "🐈‍⬛ — naturally"}
    desk.preview.show(desk.dataset([row]))
    desk.preview.use(desk.model())
    desk.look()
    assert learned(desk.preview) == ["🐈‍⬛ — naturally<|im_end|>"]


def test_rows_are_read_in_the_background_as_they_are_asked_for(qapp: QApplication, desk: Desk) -> None:
    async def work() -> None:
        from academy_desktop.viewmodels.supervisor import Supervisor

        failures: list[BaseException] = []
        supervisor = Supervisor(failures.append)
        supervisor.start(desk.preview.follow(), "preview")
        desk.preview.show(desk.dataset())
        await seen(lambda: desk.preview.origin == "rows.jsonl, row 1", "the first row")
        desk.preview.next()
        desk.preview.next()
        await seen(lambda: desk.preview.origin == "rows.jsonl, row 3", "the third row")
        desk.preview.use(desk.model())
        await seen(
            lambda: "<|im_end|>" in learned(desk.preview)[0] if desk.preview.parts else False, "tokens"
        )
        await supervisor.close()
        assert failures == []

    in_loop(qapp, work())


PAIR = {"prompt": "How long do eggs take?", "chosen": "Seven minutes.", "rejected": "An hour."}


def told(preview: RowPreview, tone: str) -> list[str]:
    return [part.text.strip() for part in preview.parts if part.tone == tone]


@pytest.mark.parametrize("with_model", [True, False])
def test_a_pair_shows_both_answers(desk: Desk, with_model: bool) -> None:
    desk.preview.show(desk.dataset([dict(PAIR)]))
    if with_model:
        desk.preview.use(desk.model())
    desk.look()
    end = "<|im_end|>" if with_model else ""
    assert learned(desk.preview) == [f"Seven minutes.{end}", f"An hour.{end}"]
    assert told(desk.preview, "worse") == [f"An hour.{end}"]
    assert told(desk.preview, "caption") == ["Worse answer, learned to be avoided"]
    text = "".join(part.text for part in desk.preview.parts)
    assert text.count("How long") == 1
    desk.preview.show_tokens(True)
    assert "".join(part.text for part in desk.preview.parts).count("An hour.") == 1


def test_a_verdict_is_told(desk: Desk) -> None:
    rows = [{"prompt": "Why?", "completion": f"So {n}.", "label": bool(n)} for n in range(2)]
    desk.preview.show(desk.dataset(rows))
    for said in ("This answer was found bad.", "This answer was found good."):
        desk.look()
        assert told(desk.preview, "caption") == [said]
        desk.preview.next()


@pytest.mark.parametrize("with_model", [True, False])
def test_plain_text_is_learned_as_it_stands(desk: Desk, with_model: bool) -> None:
    desk.preview.show(desk.dataset([{"text": "Eggs are boiled in water."}]))
    if with_model:
        desk.preview.use(desk.model())
    desk.look()
    assert [(part.text, part.learned) for part in desk.preview.parts] == [("Eggs are boiled in water.", True)]
    if with_model:
        desk.preview.show_tokens(True)
        assert "".join(part.text for part in desk.preview.parts) == "Eggs are boiled in water."
