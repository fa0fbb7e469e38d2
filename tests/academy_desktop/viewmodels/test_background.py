from __future__ import annotations

import asyncio
import threading

import pytest
from PySide6.QtWidgets import QApplication

from academy_desktop.viewmodels.background import as_academy, in_thread
from tests.academy_desktop.viewmodels.making import in_loop, seen
from trainers.errors import AcademyError, ErrorCode


def test_work_is_done_in_a_thread_and_looked_at_meanwhile(qapp: QApplication) -> None:
    async def work() -> tuple[object, int]:
        looks: list[None] = []
        enough = threading.Event()

        def look() -> None:
            looks.append(None)
            if len(looks) == 3:
                enough.set()

        def done() -> threading.Thread:
            enough.wait()
            return threading.current_thread()

        return await in_thread(done, threading.Event(), look), len(looks)

    thread, looks = in_loop(qapp, work())
    assert thread is not threading.main_thread()
    assert looks >= 3


def test_what_the_work_raises_is_raised(qapp: QApplication) -> None:
    def fail() -> None:
        raise AcademyError(ErrorCode.DISK_FULL)

    with pytest.raises(AcademyError) as caught:
        in_loop(qapp, in_thread(fail, threading.Event(), lambda: None))
    assert caught.value.code is ErrorCode.DISK_FULL


def test_who_no_longer_waits_lets_the_thread_give_up_and_hears_nothing_of_it(qapp: QApplication) -> None:
    async def work() -> list[str]:
        said: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, what: said.append(str(what)))
        give_up, ended = threading.Event(), threading.Event()

        def stubborn() -> None:
            give_up.wait()
            ended.set()
            raise ValueError("nobody asked")

        task = asyncio.ensure_future(in_thread(stubborn, give_up, lambda: None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await seen(ended.is_set, "the thread")
        return said

    assert in_loop(qapp, work()) == []


def test_what_the_system_refuses_has_a_code() -> None:
    refused = as_academy(PermissionError(13, "Permission denied", "/data"))
    assert refused.code is ErrorCode.FILE_UNREADABLE
    assert refused.facts == {"path": "/data", "detail": "Permission denied"}
    known = AcademyError(ErrorCode.DISK_FULL)
    assert as_academy(known) is known
