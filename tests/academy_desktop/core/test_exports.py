from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from academy_desktop.core.exports import Exports
from academy_desktop.core.jobs import Jobs
from tests.chaos.driving import fake_jobs, train_recipe
from trainers.digest import sha256_of, size_of
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.record import (
    Export,
    ExportRecord,
    card_path,
    certificate_path,
    modelfile_path,
    record_path,
)
from trainers.layout import RunDir, write_record
from trainers.recipe import ExportItem
from trainers.recipe_file import read_recipe


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return fake_jobs(tmp_path / "data", steps=3)


@pytest.fixture
def run(jobs: Jobs) -> RunDir:
    """A finished run with something in the adapter's place."""
    job = jobs.queue(train_recipe(), "Replies")
    finished = RunDir(Path(jobs.wait(job).run_dir))
    finished.adapter.mkdir()
    (finished.adapter / "adapter_config.json").write_text("{}")
    return finished


def make_export(run: RunDir, name: str = "gguf-f16.gguf", content: bytes = b"GGUF and more") -> Export:
    path = run.exports / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    record = ExportRecord(
        format="gguf",
        quant="f16",
        size_bytes=size_of(path),
        sha256=sha256_of(path),
        base="b",
        adapter_sha256="a",
    )
    write_record(record_path(path), record)
    return Export(name, path, record)


def code_of(error: pytest.ExceptionInfo[AcademyError]) -> ErrorCode:
    return error.value.code


def test_an_order_is_a_job_of_its_own_that_names_its_parent(jobs: Jobs, run: RunDir) -> None:
    job = Exports(jobs).queue(run.job, [ExportItem(format="gguf", quant="q8_0")])
    ended = jobs.wait(job)
    assert (ended.kind, ended.parent, ended.name) == ("export", run.job, "Replies")
    assert read_recipe(RunDir(Path(ended.run_dir)).recipe).kind == "export"


def test_a_run_without_an_adapter_is_refused_before_anything_is_queued(jobs: Jobs) -> None:
    job = jobs.queue(train_recipe())
    jobs.wait(job)
    exports = Exports(jobs)
    orders: list[Callable[[], object]] = [
        lambda: exports.queue(job, [ExportItem(format="adapter")]),
        lambda: exports.queue_certificate(job),
        lambda: exports.queue_evaluation(job, ("base", "tuned")),
    ]
    for order in orders:
        with pytest.raises(AcademyError) as error:
            order()
        assert code_of(error) is ErrorCode.JOB_WITHOUT_ADAPTER
    assert len(jobs.list()) == 1


def test_exports_that_are_not_there_are_refused(jobs: Jobs, run: RunDir) -> None:
    exports = Exports(jobs)
    assert exports.finished(run.job) == ()
    orders: list[Callable[[], object]] = [
        lambda: exports.queue_certificate(run.job, ["gguf-f16.gguf"]),
        lambda: exports.queue_evaluation(run.job, ("base", "gguf-f16.gguf")),
        lambda: exports.finished(run.job, ["gguf-f16.gguf"]),
    ]
    for order in orders:
        with pytest.raises(AcademyError) as error:
            order()
        assert code_of(error) is ErrorCode.EXPORT_UNKNOWN


def test_finished_exports_are_listed_with_what_is_known_of_them(jobs: Jobs, run: RunDir) -> None:
    made = make_export(run)
    (found,) = Exports(jobs).finished(run.job)
    assert (found.export, found.certificate) == (made, None)


def test_an_export_is_known_by_name_by_path_and_by_a_copy(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    made = make_export(run)
    exports = Exports(jobs)
    copy = exports.copy(made, tmp_path / "out")
    for given in (made.name, str(made.path), str(copy)):
        assert exports.name_of(run.job, given) == made.name
    copy.write_bytes(b"another")
    with pytest.raises(AcademyError) as error:
        exports.name_of(run.job, str(copy))
    assert code_of(error) is ErrorCode.EXPORT_DAMAGED
    with pytest.raises(AcademyError) as error:
        exports.name_of(run.job, str(tmp_path / "nowhere" / made.name))
    assert code_of(error) is ErrorCode.FILE_NOT_FOUND


def test_a_copy_brings_its_certificate_and_leaves_nothing_else(
    jobs: Jobs, run: RunDir, tmp_path: Path
) -> None:
    made = make_export(run)
    made.certificate.write_text("{}")
    out = tmp_path / "out"
    copy = Exports(jobs).copy(made, out)
    assert copy.read_bytes() == made.path.read_bytes()
    assert {path.name for path in out.iterdir()} == {copy.name, certificate_path(copy).name}
    assert Exports(jobs).copy(made, out) == copy


def test_a_folder_is_copied_whole(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    folder = run.exports / "merged-f16"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"x")
    record = ExportRecord(
        format="merged", quant="f16", size_bytes=1, sha256=sha256_of(folder), base="b", adapter_sha256="a"
    )
    copy = Exports(jobs).copy(Export("merged-f16", folder, record), tmp_path / "out")
    assert (copy / "deep" / "file").read_bytes() == b"x"


def test_another_file_of_that_name_is_never_overwritten(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    made = make_export(run)
    there = tmp_path / "out" / made.name
    there.parent.mkdir()
    there.write_bytes(b"mine")
    with pytest.raises(AcademyError) as error:
        Exports(jobs).copy(made, there.parent)
    assert code_of(error) is ErrorCode.OUTPUT_EXISTS
    assert there.read_bytes() == b"mine"


def test_a_folder_in_the_place_of_a_file_is_never_overwritten(
    jobs: Jobs, run: RunDir, tmp_path: Path
) -> None:
    export = make_export(run)
    (tmp_path / "out" / export.name).mkdir(parents=True)
    (tmp_path / "out" / export.name / "mine.txt").write_text("mine")
    with pytest.raises(AcademyError) as caught:
        Exports(jobs).copy(export, tmp_path / "out")
    assert code_of(caught) is ErrorCode.OUTPUT_EXISTS
    assert [path.name for path in (tmp_path / "out").rglob("*")] == [export.name, "mine.txt"]


def test_a_target_that_is_no_folder_is_a_sentence(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"a file")
    with pytest.raises(AcademyError) as error:
        Exports(jobs).copy(make_export(run), tmp_path / "out")
    assert code_of(error) is ErrorCode.OUTPUT_NOT_WRITABLE


def test_a_full_target_says_how_much_is_needed(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    made = make_export(run)
    huge = made.record.model_copy(update={"size_bytes": 2**60})
    with pytest.raises(AcademyError) as error:
        Exports(jobs).copy(Export(made.name, made.path, huge), tmp_path / "out")
    assert code_of(error) is ErrorCode.DISK_FULL
    assert error.value.facts["needed_bytes"] == 2**60
    assert list((tmp_path / "out").iterdir()) == []


def test_what_lies_beside_an_export_is_known_and_goes_along(jobs: Jobs, run: RunDir, tmp_path: Path) -> None:
    export = make_export(run)
    [plain] = Exports(jobs).finished(run.job)
    assert (plain.has_modelfile, plain.has_card) == (False, False)
    modelfile_path(export.path).write_text("FROM ./gguf-f16.gguf\n", "utf-8")
    card_path(export.path).write_text("# Card\n", "utf-8")
    [found] = Exports(jobs).finished(run.job)
    assert (found.has_modelfile, found.has_card) == (True, True)
    copy = Exports(jobs).copy(export, tmp_path / "out")
    assert modelfile_path(copy).read_text("utf-8") == "FROM ./gguf-f16.gguf\n"
    assert card_path(copy).read_text("utf-8") == "# Card\n"
