from __future__ import annotations

from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from academy_desktop.viewmodels.records import Record, RecordRole, Records

ONE = Record("1", "Capitals", "Questions and answers", "360 to learn")
TWO = Record("2", "Qwen3", "596 M", badge="Can be trained", tone="success")


def test_it_keeps_the_rules_of_a_qt_model() -> None:
    records = Records()
    mode = QAbstractItemModelTester.FailureReportingMode.Warning  # a Qt warning fails the test
    tester = QAbstractItemModelTester(records, mode)
    for rows in ([ONE], [ONE, TWO], [TWO], []):
        records.update(rows)
        assert records.rowCount() == len(rows)
    assert tester.model() is records


def test_a_row_says_all_that_a_list_draws_and_a_screen_reader_reads() -> None:
    records = Records()
    records.update([ONE, TWO])
    index = records.index(1, 0)
    drawn = (RecordRole.ID, RecordRole.SUBTITLE, RecordRole.DETAIL, RecordRole.BADGE, RecordRole.TONE)
    assert [index.data(role) for role in drawn] == ["2", "596 M", "", "Can be trained", "success"]
    assert index.data() == "Qwen3"
    read = Qt.ItemDataRole.AccessibleTextRole
    assert index.data(read) == "Qwen3, Can be trained, 596 M"
    assert records.index(0, 0).data(read) == "Capitals, Questions and answers, 360 to learn"
    assert records.data(QModelIndex()) is None


def test_only_what_differs_is_said() -> None:
    records = Records()
    records.update([ONE, TWO])
    resets: list[None] = []
    changed: list[int] = []
    records.modelReset.connect(lambda: resets.append(None))
    records.dataChanged.connect(lambda first, _last: changed.append(first.row()))
    records.update([ONE, Record("2", "Qwen3", "600 M")])
    assert (resets, changed) == ([], [1])
    records.update([TWO])
    assert len(resets) == 1
    assert (records.row("2"), records.row("1")) == (0, -1)
