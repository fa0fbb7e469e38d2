from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from academy_desktop.core.datasets.audit import Auditor, Report, problem_counts
from academy_desktop.core.datasets.inspection import Inspection, edits_for
from academy_desktop.core.datasets.library import Library
from academy_desktop.core.paths import DataDir
from academy_desktop.core.runtimes import Runtimes
from academy_desktop.core.tasks import Tasks
from tests.trainers.defective import CHATML, clean, garbled, write_model, write_rows
from trainers.errors import AcademyError, ErrorCode
from trainers.rendering import Renderer

LIMIT = 60


class Bench:
    """A dataset, a model that is only a tokenizer, and the auditor over them."""

    def __init__(self, folder: Path) -> None:
        chance = random.Random(5)
        self.talks = [clean(chance) for _ in range(60)]
        self.talks[7][-1]["content"] += garbled(" déjà vu")
        self.data = DataDir(folder / "data").open()
        self.library = Library(self.data.datasets)
        rows = write_rows(folder / "rows.jsonl", self.talks)
        self.dataset = self.library.import_files([rows], "Talks", eval_fraction=0.2, dedup=False)
        self.model = write_model(folder / "model", CHATML)
        auditor = Auditor(Tasks(Path(sys.executable), Runtimes(self.data.runtimes)), folder / "cache")
        self.inspection = Inspection(self.library, auditor)

    def audit(self, limit: int = LIMIT) -> Report:
        return self.inspection.audit(self.dataset.id, self.model, limit)

    def stored(self, key: str) -> list[list[dict[str, str]]]:
        rows = self.inspection.rows(key)
        return [list(row.messages) for row in rows.page(0, len(rows))]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def report(bench: Bench) -> Report:
    return bench.audit()


def test_the_report_counts_what_rendering_counts(bench: Bench, report: Report) -> None:
    renderer = Renderer.load(bench.model)
    rendered = [renderer.render(turns) for turns in bench.stored(bench.dataset.id)]
    assert report.rows == report.rendered_rows == 60
    assert report.lengths().tolist() == [len(one.ids) for one in rendered]
    assert report.longest == max(len(one.ids) for one in rendered)
    assert report.mean == pytest.approx(sum(len(one.ids) for one in rendered) / 60)
    assert report.all_supervised_tokens == sum(one.supervised_tokens for one in rendered)


@pytest.mark.parametrize("limit", [1, 5, 23, 40, LIMIT, 97, 10_000])
def test_any_limit_is_told_exactly(bench: Bench, report: Report, limit: int) -> None:
    renderer = Renderer.load(bench.model)
    whole = [renderer.render(turns) for turns in bench.stored(bench.dataset.id)]
    cut = [renderer.render(turns, limit) for turns in bench.stored(bench.dataset.id)]
    told = report.cut(limit)
    assert told.rows == sum(one.truncated for one in cut)
    assert told.supervised_tokens == sum(
        one.supervised_tokens - less.supervised_tokens for one, less in zip(whole, cut, strict=True)
    )
    assert told.emptied_rows == sum(not one.supervised_tokens for one in cut)
    if limit == LIMIT:
        assert report.supervised_tokens == sum(one.supervised_tokens for one in cut)
        assert report.unlearned_rows == told.emptied_rows
        assert report.rows_longer_than(limit).tolist() == [n for n, one in enumerate(cut) if one.truncated]


def test_percentiles_and_bars_are_those_of_the_lengths(report: Report) -> None:
    lengths = sorted(report.lengths().tolist())
    assert report.percentile(0.5) == lengths[29]
    assert report.percentile(1.0) == report.longest == lengths[-1]
    for bar in report.histogram():
        assert bar.rows == sum(bar.start <= length < bar.end for length in lengths)
    assert sum(bar.rows for bar in report.histogram(7)) == 60


def test_problems_are_found_by_kind(report: Report) -> None:
    counts = problem_counts(report)
    assert counts["mojibake"] == 1
    assert counts == {code: len(report.rows_with(code)) for code in counts}
    assert set(report.rows_with()) == {one.number for one in report.problems()}


def test_a_mend_makes_a_new_version_with_its_lineage(bench: Bench, report: Report) -> None:
    edits = edits_for(bench.library, bench.dataset.id, report, Renderer.load(bench.model).special_texts)
    assert list(edits) == report.rows_with("mojibake").tolist()
    made = bench.library.edit(bench.dataset.id, edits)
    assert made.parents == (bench.dataset.id,)
    assert (made.train_rows, made.eval_rows) == (bench.dataset.train_rows, bench.dataset.eval_rows)
    before, after = bench.stored(bench.dataset.id), bench.stored(made.id)
    changed = [number for number, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
    assert changed == list(edits)
    assert after[changed[0]][-1]["content"].endswith(" déjà vu")
    assert bench.library.verify(made.id) == made
    assert bench.library.edit(bench.dataset.id, edits).id == made.id


@pytest.mark.parametrize(
    ("rows", "mended"),
    [
        (
            [{"text": f"Text {n} {'naÃ¯ve' * (n == 3)}"} for n in range(9)],
            {"text": "Text 3 naïve"},
        ),
        (
            [
                {"prompt": f"Ask {n}?", "chosen": f"Good {n}", "rejected": f"Bad {n} {'naÃ¯ve' * (n == 3)}"}
                for n in range(9)
            ],
            {
                "messages": [{"role": "user", "content": "Ask 3?"}],
                "chosen": [{"role": "assistant", "content": "Good 3"}],
                "rejected": [{"role": "assistant", "content": "Bad 3 naïve"}],
            },
        ),
        (
            [
                {"prompt": f"Ask {n}?", "completion": f"So {'naÃ¯ve' * (n == 3)}", "label": n > 4}
                for n in range(9)
            ],
            {
                "messages": [
                    {"role": "user", "content": "Ask 3?"},
                    {"role": "assistant", "content": "So naïve"},
                ]
            },
        ),
    ],
    ids=["text", "preference", "kto"],
)
def test_rows_of_every_kind_are_audited_and_mended(
    bench: Bench, tmp_path: Path, rows: list[dict[str, object]], mended: dict[str, object]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    made = bench.library.import_files([path], "Kinds", eval_fraction=0.0)
    report = bench.inspection.audit(made.id, bench.model, 400)
    assert (report.rows, report.rendered_rows, report.defects) == (9, 9, {"mojibake": 1})
    version, changed = bench.inspection.mend(made.id, bench.model, report)
    assert version is not None
    assert (changed, version.kind, version.train_rows) == (1, made.kind, 9)
    stored = (bench.library.folder(version.id) / "train.jsonl").read_text("utf-8").splitlines()
    assert mended.items() <= json.loads(stored[3]).items()
    assert bench.inspection.audit(version.id, bench.model, 400).defects == {}


def test_rows_can_be_left_out_but_not_all(bench: Bench) -> None:
    made = bench.library.edit(bench.dataset.id, {0: None, 59: None})
    assert bench.stored(made.id) == bench.stored(bench.dataset.id)[1:59]
    with pytest.raises(AcademyError) as caught:
        bench.library.edit(bench.dataset.id, dict.fromkeys(range(60)))
    assert caught.value.code is ErrorCode.NOTHING_LEFT


def test_who_no_longer_wants_the_audit_ends_it(bench: Bench) -> None:
    class EnoughError(Exception):
        """Given up."""

    def stop(_done: int, _total: int, _detail: str) -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        bench.inspection.audit(bench.dataset.id, bench.model, LIMIT, stop)
    assert bench.audit().rows == 60
