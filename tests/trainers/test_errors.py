from __future__ import annotations

import re

import pytest

from trainers.errors import AcademyError, ErrorCode


def test_codes_are_words_of_the_protocol() -> None:
    for code in ErrorCode:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code.value), code
        assert code.name == code.value.upper()
        assert str(code) == code.value


#: Old events and scripts carry these: none may be renamed.
PUBLISHED = (
    "data_dir_newer disk_full job_unknown job_not_resumable job_not_running job_not_queued job_running "
    "host_failed protocol_newer task_failed nonfinite_loss out_of_memory checkpoint_damaged "
    "engine_unavailable crashed recipe_invalid recipe_unreadable file_not_found dataset_damaged"
)


@pytest.mark.parametrize("value", PUBLISHED.split())
def test_a_code_that_was_published_is_still_there(value: str) -> None:
    assert ErrorCode(value) == value


def test_an_error_keeps_its_facts_and_says_them() -> None:
    error = AcademyError(ErrorCode.DISK_FULL, path="/x", free_bytes=0, needed_bytes=None)
    assert error.code is ErrorCode.DISK_FULL
    assert error.facts == {"path": "/x", "free_bytes": 0, "needed_bytes": None}
    assert str(error) == "disk_full(path='/x', free_bytes=0, needed_bytes=None)"


def test_an_error_keeps_its_cause() -> None:
    def read() -> None:
        try:
            raise OSError("broken")
        except OSError as cause:
            raise AcademyError(ErrorCode.FILE_UNREADABLE, path="/x") from cause

    with pytest.raises(AcademyError) as caught:
        read()
    assert isinstance(caught.value.__cause__, OSError)
