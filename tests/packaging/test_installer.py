"""A real pip, a real environment, and small wheels in a folder in place of an index."""

from __future__ import annotations

import base64
import hashlib
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from academy_setup.checkout import Checkout
from academy_setup.failures import WRONG_HASH, SetupError
from academy_setup.installer import Installer
from academy_setup.locks import is_complete
from academy_setup.voice import Voice

from tests.chaos.driving import is_running, until

VERSION = ".".join(map(str, sys.version_info[:3]))


def make_wheel(folder: Path, name: str) -> str:
    """Writes the wheel of a package with one module; returns its lock entry."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": f"NAME = {name!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},{record_hash(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def record_hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with a real `.venv`, two wheels at hand and a lock for both."""
    made = Checkout(tmp_path_factory.mktemp("a clone"))
    made.state.mkdir(parents=True)
    made.lock("base").parent.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", str(made.venv)], check=True)
    entries = [make_wheel(made.root, name) for name in ("onething", "otherthing")]
    made.lock("base").write_text("".join(entries), encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def no_index(environment: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds the folder and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", environment.root.as_uri())
    monkeypatch.setenv("PIP_TARGET", str(environment.root / "elsewhere"))


@pytest.fixture
def installer(environment: Checkout, voice: Voice) -> Installer:
    return Installer(environment, voice)


def test_a_lock_is_installed_into_the_environment_whatever_the_users_settings_say(
    environment: Checkout, installer: Installer
) -> None:
    site = environment.site_packages(VERSION)
    installer.lock("packages", "base", site)
    assert is_complete(site / "onething-1.0.dist-info")
    assert is_complete(site / "otherthing-1.0.dist-info")
    assert "Successfully installed" in installer.log("packages").read_text(encoding="utf-8")


def test_what_a_killed_pip_left_in_pieces_is_mended(environment: Checkout, installer: Installer) -> None:
    site = environment.site_packages(VERSION)
    installer.lock("packages", "base", site)
    (site / "onething-1.0.dist-info" / "RECORD").unlink()
    (site / "onething" / "__init__.py").unlink()
    (site / "otherthing" / "__init__.py").write_text("", encoding="utf-8")
    installer.lock("packages", "base", site)
    assert is_complete(site / "onething-1.0.dist-info")
    assert is_complete(site / "otherthing-1.0.dist-info")


def test_a_wheel_with_another_checksum_is_refused(environment: Checkout, installer: Installer) -> None:
    lock = environment.lock("test")
    lock.write_text(
        make_wheel(environment.root, "thirdthing").replace("sha256:", "sha256:0")[:-2], encoding="utf-8"
    )
    with pytest.raises(SetupError) as caught:
        installer.lock("test", "test", environment.site_packages(VERSION))
    assert str(caught.value) == WRONG_HASH
    assert not (environment.site_packages(VERSION) / "thirdthing").exists()


def test_an_index_that_does_not_answer_is_a_sentence(
    installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    # Port 9 of this computer refuses at once; pip says why only when it may try again.
    options = ("--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--timeout", "2")
    with pytest.raises(SetupError, match="could not be reached"):
        installer.pip("network", "install", *options, "certainly-not-here")


#: Ends a set-up with a child, and a child of that, at the child's first word.
KILLED = """
import os, signal, sys
from pathlib import Path
from academy_setup.checkout import Checkout
from academy_setup.installer import Installer
from academy_setup.voice import Voice

class Deadly(Voice):
    def passing(self, text):
        print(text, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

program = "; ".join((
    "import os, subprocess, sys, time",
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
    "print(child.pid, os.getpid(), flush=True)",
    "time.sleep(600)",
))
installer = Installer(Checkout(Path(sys.argv[1])), Deadly(sys.stderr))
installer.call("endless", [sys.executable, "-c", program])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="looks for processes the way of POSIX")
def test_a_child_and_its_own_end_when_the_set_up_is_killed(environment: Checkout) -> None:
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(environment.root)], stdout=subprocess.PIPE, env=path, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    pids = [int(pid) for pid in killed.stdout.split()]
    assert len(pids) == 2
    until(lambda: not any(map(is_running, pids)), "the end of both")


def test_a_child_is_ended_when_the_set_up_is_stopped(environment: Checkout) -> None:
    class Stopped(BaseException):
        pass

    class Impatient(Voice):
        def passing(self, text: str) -> None:
            raise Stopped(text)

    installer = Installer(environment, Impatient(sys.stderr))
    program = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read(); import time; time.sleep(600)"
    with pytest.raises(Stopped) as caught:
        installer.call("endless", [sys.executable, "-c", program])
    assert "exit code" not in installer.log("endless").read_text(encoding="utf-8")
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(caught.value)), 0)
