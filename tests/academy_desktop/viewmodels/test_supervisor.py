from __future__ import annotations

import asyncio

from PySide6.QtWidgets import QApplication

from academy_desktop.viewmodels.supervisor import Supervisor
from tests.academy_desktop.viewmodels.making import in_loop


def test_a_failure_is_reported_and_leaves_the_siblings_alone(qapp: QApplication) -> None:
    told: list[BaseException] = []
    went_on = False

    async def fail() -> None:
        raise ValueError("broken")

    async def go_on(failed: asyncio.Task[None]) -> None:
        nonlocal went_on
        await asyncio.wait([failed])
        await asyncio.sleep(0)
        went_on = True

    async def both() -> None:
        supervisor = Supervisor(told.append)
        failed = supervisor.start(fail(), "fail")
        await supervisor.start(go_on(failed), "go on")
        await supervisor.close()

    in_loop(qapp, both())
    assert [str(error) for error in told] == ["broken"]
    assert went_on


def test_closing_ends_what_still_runs_and_reports_nothing(qapp: QApplication) -> None:
    told: list[BaseException] = []

    async def close() -> bool:
        supervisor = Supervisor(told.append)
        task = supervisor.start(asyncio.Event().wait(), "for ever")
        await asyncio.sleep(0)
        await supervisor.close()
        return task.cancelled()

    assert in_loop(qapp, close())
    assert told == []
