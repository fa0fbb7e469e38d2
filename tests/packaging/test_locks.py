from __future__ import annotations

import re
from pathlib import Path

import pytest
from academy_setup.checkout import Checkout, normalized
from academy_setup.locks import Pin, constraints, inspect, installed_version, is_complete, read_pins

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("base", "test", "llama", "llama-build", "converter")
REAL = Checkout(ROOT)

TEXT = """\
# Made by hand
one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via nothing
ruamel-yaml==0.19.1 ; python_full_version < '3.12' \\
    --hash=sha256:cc
"""


def pins(name: str) -> list[Pin]:
    return read_pins(REAL.lock(name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("extra", "locks"), [("", ["base"]), ("test", ["base", "test"]), ("llama", ["llama"])]
)
def test_the_locks_hold_every_requirement_in_its_pinned_version(extra: str, locks: list[str]) -> None:
    locked = {pin.name: pin.version for name in locks for pin in pins(name)}
    for requirement in REAL.requirements()[extra]:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:(==|>=)([0-9.]+))?", requirement)
        assert match, requirement
        name, relation, version = normalized(match[1]), match[2], match[3]
        if name == "torch":
            continue
        assert name in locked
        if relation == "==":
            assert locked[name] == version
        elif relation == ">=":
            assert numbers(locked[name]) >= numbers(version)


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_holds_torch_or_what_comes_with_it(name: str) -> None:
    names = {pin.name for pin in pins(name)} - {"nvidia-ml-py"}
    assert not {"torch", "torchvision", "unsloth", "unsloth-zoo", "triton", "xformers"} & names
    assert not [found for found in names if found.startswith(("nvidia-", "cuda-"))]


def test_what_every_torch_requires_is_locked() -> None:
    names = {pin.name for pin in pins("base")}
    assert {"filelock", "fsspec", "jinja2", "networkx", "setuptools", "sympy", "typing-extensions"} <= names


def test_what_llama_cpp_python_requires_is_locked() -> None:
    assert {"diskcache", "jinja2", "numpy", "typing-extensions"} <= {pin.name for pin in pins("base")}


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_place_to_fetch_from_and_every_entry_has_hashes(name: str) -> None:
    text = REAL.lock(name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-(?!-hash)", text, flags=re.MULTILINE)
    for pin in pins(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", pin.text), pin.name


def test_packages_with_compiled_parts_are_locked_for_every_system() -> None:
    # One wheel for each system and architecture would be the least: several Pythons multiply it.
    compiled = {"numpy", "pyarrow", "pandas", "pydantic-core", "aiohttp"}
    counts = {pin.name: pin.text.count("--hash") for pin in pins("base") if pin.name in compiled}
    assert set(counts) == compiled
    assert all(count >= 3 * 4 for count in counts.values()), counts


def test_the_test_lock_repeats_nothing_of_the_base_lock() -> None:
    assert not {pin.name for pin in pins("base")} & {pin.name for pin in pins("test")}


def test_a_lock_is_read_with_its_markers_and_hashes() -> None:
    one, two = read_pins(TEXT)
    assert (one.name, one.version, one.marker) == ("one", "1.0", "")
    assert one.text.count("--hash") == 2
    assert "via" not in one.text
    assert (two.name, two.version, two.marker) == ("ruamel-yaml", "0.19.1", "python_full_version < '3.12'")
    assert read_pins(one.text) == [one]
    assert constraints([one, two]) == "one==1.0\nruamel-yaml==0.19.1 ; python_full_version < '3.12'\n"


def package(site: Path, folder: str, files: dict[str, str]) -> Path:
    info = site / f"{folder}.dist-info"
    info.mkdir(parents=True)
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(content, encoding="utf-8")
    rows = [f"{name},sha256=x,{len(content)}" for name, content in files.items()]
    rows += [f"{info.name}/RECORD,,", "one/__pycache__/a.cpython-311.pyc,,"]
    (info / "RECORD").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return info


def test_a_package_is_complete_when_every_file_is_there_in_its_size(tmp_path: Path) -> None:
    info = package(tmp_path, "one-1.0", {"one/a.py": "a = 1", "one/b,c.py".replace(",", "_"): "b = 2"})
    assert is_complete(info)
    (tmp_path / "one" / "a.py").write_text("a", encoding="utf-8")
    assert not is_complete(info)
    (tmp_path / "one" / "a.py").unlink()
    assert not is_complete(info)


def test_a_package_without_its_record_is_damaged(tmp_path: Path) -> None:
    info = package(tmp_path, "one-1.0", {"one/a.py": "a = 1"})
    (info / "RECORD").unlink()
    one, two = read_pins(TEXT)
    findings = inspect(tmp_path, [one, two])
    assert findings.damaged == (one,)
    assert findings.missing == ()
    assert installed_version(tmp_path, "one") is None


def test_names_are_compared_as_indexes_do_and_another_version_is_missing(tmp_path: Path) -> None:
    package(tmp_path, "Ruamel.Yaml-0.19.1", {"ruamel/a.py": "a"})
    package(tmp_path, "one-0.9", {"one/a.py": "a"})
    one, two = read_pins(TEXT)
    findings = inspect(tmp_path, [one, two])
    assert findings.missing == (one,)
    assert findings.damaged == ()
    assert installed_version(tmp_path, "ruamel_yaml") == "0.19.1"
