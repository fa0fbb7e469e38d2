from __future__ import annotations

from pathlib import Path

import pytest
from academy_setup import failures
from academy_setup.failures import build_failed, no_compiler, sentence_for

LOG = Path("log.txt")

NO_NAME = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at "
    "0x7f2a>: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution')': "
    "/simple/accelerate/\nERROR: Could not find a version that satisfies the requirement "
    "accelerate==1.15.0 (from versions: none)\nERROR: No matching distribution found for "
    "accelerate==1.15.0\n"
)
SLOW = "pip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(): Read timed out.\n"
NO_SPACE = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n"
NO_SPACE_WINDOWS = (
    "ERROR: Could not install packages due to an OSError: [WinError 112] There is not enough space\n"
)
CERTIFICATE = (
    "WARNING: Retrying (Retry(total=4)) after connection broken by 'SSLError(SSLCertVerificationError(1, "
    "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate "
    "(_ssl.c:1006)'))'\n"
)
HASHES = (
    "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the "
    "package versions, please update the hashes.\n"
)
DENIED = "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x/numpy'\n"
UNKNOWN = """\
ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: 2.2.2)
ERROR: No matching distribution found for torch==2.13.0
"""
KILLED = "c++: fatal error: Killed signal terminated program cc1plus\n"


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (NO_NAME, failures.NO_NETWORK),
        (SLOW, failures.NO_NETWORK),
        (NO_SPACE, failures.DISK_FULL),
        (NO_SPACE_WINDOWS, failures.DISK_FULL),
        (NO_NAME + NO_SPACE, failures.DISK_FULL),
        (CERTIFICATE, failures.NO_CERTIFICATE),
        (HASHES, failures.WRONG_HASH),
        (DENIED, failures.NO_PERMISSION),
        (KILLED, failures.NO_MEMORY),
    ],
)
def test_what_pip_says_becomes_a_sentence_with_its_cause(output: str, sentence: str) -> None:
    assert sentence_for(output, LOG) == sentence


def test_a_package_that_is_not_made_for_this_computer_is_named() -> None:
    sentence = sentence_for(UNKNOWN, LOG)
    assert "torch==2.13.0" in sentence
    assert "log.txt" in sentence


def test_an_unknown_failure_shows_its_last_error_and_the_log() -> None:
    sentence = sentence_for("Collecting x\nERROR: first\nnoise\nERROR: the thing broke\n", LOG)
    assert "the thing broke" in sentence
    assert "first" not in sentence
    assert "log.txt" in sentence


@pytest.mark.parametrize(
    ("system", "managers", "advice"),
    [
        ("linux", {}, "build-essential"),
        ("linux", {"dnf": True}, "dnf install gcc gcc-c++"),
        ("linux", {"pacman": True}, "base-devel"),
        ("linux", {"zypper": True}, "zypper install"),
        ("darwin", {}, "xcode-select --install"),
        ("win32", {}, "Visual Studio Build Tools"),
    ],
)
def test_without_a_compiler_the_user_reads_what_is_lost_and_what_to_install(
    system: str, managers: dict[str, bool], advice: str
) -> None:
    sentence = no_compiler(system, managers)
    assert "everything works but K-quants" in sentence
    assert advice in sentence


def test_a_failed_compilation_points_to_the_compilers_words() -> None:
    assert failures.NO_MEMORY in build_failed(KILLED, LOG)
    assert "log.txt" in build_failed("ggml.c:1: error: what", LOG)
