"""The bootstrap as a user starts it: in a child, by its path."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from academy_setup.checkout import Checkout
from academy_setup.checks import Check, checks, run_checks
from academy_setup.voice import Voice

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
BOOTSTRAP = PACKAGING / "bootstrap.py"
PRETEND = """
import runpy, sys
sys.version_info = tuple(map(int, sys.argv[1].split("."))) + ("final", 0)
sys.argv = ["bootstrap.py", "run"]
runpy.run_path({path!r}, run_name="__main__")
"""


def python(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.10.13", "3.14.0"])
def test_a_wrong_python_is_told_which_one_is_right(version: str) -> None:
    ended = python("-c", PRETEND.format(path=str(BOOTSTRAP)), version)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "needs Python 3.11, 3.12 or 3.13" in ended.stderr
    assert f"this is Python {'.'.join(version.split('.')[:2])}." in ended.stderr
    assert "Traceback" not in ended.stderr


def test_pythons_that_are_too_old_can_read_the_file() -> None:
    source = BOOTSTRAP.read_bytes()
    ast.parse(source.decode("ascii"), feature_version=(3, 6))


@pytest.mark.parametrize("name", ["python3.6", "python3.8", "python3.10", "python2.7"])
def test_an_old_python_on_this_computer_says_so_too(name: str) -> None:
    old = shutil.which(name)
    if old is None or subprocess.run([old, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no {name} here")
    ended = subprocess.run([old, str(BOOTSTRAP), "run"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "needs Python 3.11" in ended.stderr


def test_help_goes_to_standard_output_and_wrong_usage_does_not() -> None:
    asked = python(str(BOOTSTRAP), "--help")
    assert asked.returncode == 0
    assert "usage: python3 packaging/bootstrap.py" in asked.stdout
    for wrong in ((), ("frobnicate",)):
        ended = python(str(BOOTSTRAP), *wrong)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert "usage:" in ended.stderr


def test_the_started_command_has_the_exit_code_the_arguments_and_standard_output_to_itself() -> None:
    program = "import sys; print(sys.argv[1:]); sys.exit(3)"
    command = [sys.executable, "-c", program, "--json", "a b", "--"]
    ended = python("-c", f"from academy_setup.main import start; start({command!r})", cwd=PACKAGING)
    assert ended.returncode == 3
    assert ended.stdout == "['--json', 'a b', '--']\n"


def test_a_failed_set_up_leaves_standard_output_empty(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(PACKAGING, clone / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGING.parent / "pyproject.toml", clone)
    (clone / ".venv" / "bin").mkdir(parents=True)
    ended = python(str(clone / "packaging" / "bootstrap.py"), "cli", "--json", "doctor")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Academy Desktop could not be set up. There already is an environment" in ended.stderr


def test_the_checks_run_in_order_and_the_first_failure_ends_them(
    checkout: Checkout, voice: Voice, spoken: io.StringIO
) -> None:
    program = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch(); sys.exit(int(sys.argv[2]))"

    def check(name: str, code: int) -> Check:
        return Check(name, (sys.executable, "-c", program, name, str(code)))

    code = run_checks(checkout, voice, [check("first", 0), check("second", 7), check("third", 0)])
    assert code == 7
    assert "== first passed" in spoken.getvalue()
    assert "== second failed (exit code 7)" in spoken.getvalue()
    assert (checkout.root / "second").exists()
    assert not (checkout.root / "third").exists()


def test_the_test_command_runs_all_four_checks_and_hands_arguments_to_pytest(checkout: Checkout) -> None:
    wanted = checks(checkout, ["-k", "one"])
    assert [check.name for check in wanted] == ["ruff", "mypy", "import-linter", "pytest"]
    assert wanted[-1].command[-3:] == ("pytest", "-k", "one")
