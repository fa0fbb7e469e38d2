from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from academy_desktop.core.models.inspection import Model, inspect, model_id, slug
from tests.academy_desktop.core.models.made_models import (
    PARAMETERS,
    SHAPES,
    write_model,
    write_tokenizer,
    write_weights,
)
from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.base_model import fingerprint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path / "tiny")


def looked_at(path: Path) -> Model:
    return inspect(path, "tiny", "Tiny", "folder")


def refused(path: Path) -> AcademyError:
    with pytest.raises(AcademyError) as caught:
        looked_at(path)
    return caught.value


def weights(path: Path, header: object, data: bytes = b"") -> None:
    """A safetensors file with whatever header."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)


def tensor(**changes: object) -> dict[str, Any]:
    return {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4], **changes}}


def test_a_whole_model_can_be_trained(folder: Path) -> None:
    model = looked_at(folder)
    assert (model.architecture, model.parameters) == ("LlamaForCausalLM", PARAMETERS)
    assert model.bytes == (folder / "model.safetensors").stat().st_size
    assert (model.trainable, model.reason, model.chat_template) == (True, "", True)
    assert (model.id, model.name, model.path, model.source) == ("tiny", "Tiny", str(folder), "folder")


def test_several_weight_files_are_summed(folder: Path) -> None:
    write_weights(folder / "model-2.safetensors", {"lm_head.weight": (3, 5, 7)})
    model = looked_at(folder)
    assert model.parameters == PARAMETERS + 105
    assert model.bytes == sum(file.stat().st_size for file in folder.glob("*.safetensors"))


def test_only_headers_are_read(folder: Path) -> None:
    header = {"w": {"dtype": "F32", "shape": [1 << 28], "data_offsets": [0, 1 << 30]}}
    weights(folder / "model.safetensors", header)
    os.truncate(folder / "model.safetensors", 8 + len(json.dumps(header)) + (1 << 30))  # a GiB of holes
    assert looked_at(folder).parameters == 1 << 28


@pytest.mark.parametrize(
    ("config", "architecture"),
    [
        ({"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3"}, "Qwen3ForCausalLM"),
        ({"model_type": "qwen3"}, "qwen3"),
        ({"architectures": [], "model_type": "qwen3"}, "qwen3"),
        ({"architectures": None}, ""),
        ({"architectures": "LlamaForCausalLM", "model_type": "llama"}, "llama"),
        ({"architectures": 7, "model_type": {"a": 1}}, ""),
        ({"architectures": [7]}, ""),
    ],
)
def test_the_architecture_is_the_first_that_is_named(
    folder: Path, config: dict[str, object], architecture: str
) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    assert looked_at(folder).architecture == architecture


def test_without_a_tokenizer(tmp_path: Path) -> None:
    model = looked_at(write_model(tmp_path / "tiny", tokenizer=False))
    assert (model.trainable, model.reason) == (False, ErrorCode.MODEL_WITHOUT_TOKENIZER)
    assert not model.chat_template
    assert model.parameters == PARAMETERS


@pytest.mark.parametrize("template", [None, "", " \n"])
def test_without_a_chat_template(tmp_path: Path, template: str | None) -> None:
    model = looked_at(write_model(tmp_path / "tiny", template=template))
    assert (model.trainable, model.reason) == (False, ErrorCode.MODEL_WITHOUT_CHAT_TEMPLATE)
    assert not model.chat_template


def test_a_chat_template_in_a_file_of_its_own(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny", template=None)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert looked_at(folder).trainable


@pytest.mark.parametrize("template", ["{% for", "{{ messages | frobnicate }}"])
def test_a_chat_template_that_cannot_be_read_is_a_reason(tmp_path: Path, template: str) -> None:
    model = looked_at(write_model(tmp_path / "tiny", template=template))
    assert (model.trainable, model.reason) == (False, ErrorCode.TEMPLATE_FAILED)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, '{"model": {"type": "BPE"}}'])
def test_a_damaged_tokenizer_is_a_reason(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)
    model = looked_at(folder)
    assert (model.trainable, model.reason) == (False, ErrorCode.MODEL_DAMAGED)


def test_what_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path / "nothing")
    assert (error.code, error.facts) == (ErrorCode.FILE_NOT_FOUND, {"path": str(tmp_path / "nothing")})
    assert refused(tmp_path / ("long" * 100)).code is ErrorCode.FILE_UNREADABLE


def test_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    error = refused(folder)
    assert error.code is ErrorCode.MODEL_INCOMPLETE
    assert error.facts == {"path": str(folder), "detail": "no .safetensors files"}


def test_weights_that_lead_nowhere_are_none(folder: Path) -> None:
    """As in a cache whose blobs were tidied away, and what would be waited for for ever."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(folder / "blob")
    os.mkfifo(folder / "other.safetensors")
    assert refused(folder).code is ErrorCode.MODEL_INCOMPLETE


@pytest.mark.parametrize("content", [None, "", "[]", "{", "3", "[" * 100_000, "\ud800"])
def test_without_a_sound_config(folder: Path, content: str | None) -> None:
    (folder / "config.json").unlink()
    if content is not None:
        (folder / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    error = refused(folder)
    assert error.code is ErrorCode.MODEL_INCOMPLETE
    assert "config.json" in str(error.facts["detail"])


def test_pickled_weights_are_refused_and_never_opened(folder: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return os.mkdir, (str(tmp_path / "opened"),)

    (folder / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "model.pt", "model.ckpt", "training_args.bin"):
        (folder / name).write_bytes(pickle.dumps(Payload()))
    assert refused(folder).code is ErrorCode.MODEL_INCOMPLETE
    write_weights(folder / "model.safetensors")
    assert looked_at(folder).trainable
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("index", ["{", "[]", "{}", '{"weight_map": 3}', "[" * 100_000])
def test_a_damaged_index_of_the_weights(folder: Path, index: str) -> None:
    (folder / "model.safetensors.index.json").write_text(index)
    assert refused(folder).code is ErrorCode.MODEL_INCOMPLETE


def test_a_missing_part_of_the_weights_is_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    parts = {name: f"model-0000{number}-of-00002.safetensors" for number, name in enumerate(SHAPES, 1)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    error = refused(folder)
    assert error.code is ErrorCode.MODEL_INCOMPLETE
    assert error.facts["detail"] == "no model-00002-of-00002.safetensors"
    write_weights(folder / "model-00002-of-00002.safetensors", {"a": (2,)})
    assert looked_at(folder).parameters == PARAMETERS + 2


@pytest.mark.parametrize("change", [-1, -100, 1])
def test_weights_of_another_length_than_their_header_says(folder: Path, change: int) -> None:
    file = folder / "model.safetensors"
    os.truncate(file, file.stat().st_size + change)
    error = refused(folder)
    assert error.code is ErrorCode.MODEL_DAMAGED
    assert error.facts["path"] == str(file)
    assert "length" in str(error.facts["detail"])


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "four bytes": b"\0" * 4,
    "no header": struct.pack("<Q", 0),
    "longest": struct.pack("<Q", 2**63),
    "all ones": b"\xff" * 8,
    "within the format's limit": struct.pack("<Q", 99_999_999) + b"{}",
}
STRANGE: dict[str, object] = {
    "deep": b"[" * 100_000,
    "deep object": b'{"w":' * 100_000,
    "no JSON": b"{'w': 1}",
    "no UTF-8": b'{"\xff": 1}',
    "list": [1],
    "number": 3,
    "null": None,
    "entry is a list": {"w": [1, 2]},
    "entry is null": {"w": None},
    "entry is a text": {"w": "F32"},
    "no offsets": {"w": {"dtype": "F32", "shape": [1]}},
    "no shape": {"w": {"dtype": "F32", "data_offsets": [0, 4]}},
    "no type": {"w": {"shape": [1], "data_offsets": [0, 4]}},
    "negative end": tensor(data_offsets=[0, -4]),
    "negative begin": tensor(data_offsets=[-4, 4]),
    "backwards": tensor(data_offsets=[8, 4]),
    "one offset": tensor(data_offsets=[4]),
    "three offsets": tensor(data_offsets=[0, 2, 4]),
    "offsets are texts": tensor(data_offsets=["0", "4"]),
    "offsets are fractions": tensor(data_offsets=[0.0, 4.0]),
    "infinite": b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, Infinity]}}',
    "no number": b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, NaN]}}',
    "longer than any disk": tensor(data_offsets=[0, 2**63]),
    "too many digits": b'{"w": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}',
    "shape is a text": tensor(shape="11"),
    "shape is a number": tensor(shape=1),
    "shape of texts": tensor(shape=["1"]),
    "shape of truths": tensor(shape=[True]),
    "negative shape": tensor(shape=[-1]),
    "endless shape": tensor(shape=[2**62] * 100_000),
    "type is a number": tensor(dtype=3),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_beginning_is_told_as_damage(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    assert refused(folder).code is ErrorCode.MODEL_DAMAGED
    with pytest.raises(AcademyError, match="model_damaged"):
        fingerprint(folder)


@pytest.mark.parametrize("header", STRANGE.values(), ids=STRANGE)
def test_a_hostile_header_is_told_as_damage(folder: Path, header: object) -> None:
    weights(folder / "model.safetensors", header, b"\0" * 4)
    error = refused(folder)
    assert error.code is ErrorCode.MODEL_DAMAGED
    assert error.facts["path"] == str(folder / "model.safetensors")
    assert error.facts["detail"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["w", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_header_is_it_is_read_or_refused(folder: Path, header: object) -> None:
    weights(folder / "model.safetensors", header)
    with suppress(AcademyError):
        assert looked_at(folder).parameters >= 0


def test_a_gguf_file_is_known_but_not_trained(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0))
    model = looked_at(path)
    assert (model.architecture, model.bytes, model.trainable) == ("gguf", 24, False)
    assert model.reason == ErrorCode.MODEL_INCOMPLETE


@pytest.mark.parametrize("content", [b"", b"GGU", b"ggml", b"PK\x03\x04"])
def test_a_file_that_is_no_gguf_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(content)
    error = refused(path)
    assert (error.code, error.facts["expected"]) == (ErrorCode.FILE_NOT_ITS_FORMAT, "GGUF")


def test_the_fingerprint_tells_models_apart(folder: Path) -> None:
    seen = [fingerprint(folder)]
    for shapes in ({"a": (4,)}, {"b": (4,)}, {"b": (2, 2)}, {"b": (2, 3)}, {"b": (2, 2), "c": ()}):
        write_weights(folder / "model.safetensors", shapes)
        seen.append(fingerprint(folder))
    header = {"b": {"dtype": "I32", "shape": [2, 2], "data_offsets": [0, 16]}}
    weights(folder / "model.safetensors", header, b"\0" * 16)
    seen.append(fingerprint(folder))
    (folder / "model.safetensors").rename(folder / "weights.safetensors")
    seen.append(fingerprint(folder))
    write_weights(folder / "more.safetensors", {"d": (1,)})
    seen.append(fingerprint(folder))
    assert len(set(seen)) == len(seen)
    assert all(len(one) == 64 for one in seen)


def test_the_fingerprint_is_that_of_the_weights_alone(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    (folder / "README.md").write_text("Hello")
    write_tokenizer(folder)
    assert fingerprint(folder.rename(tmp_path / "moved")) == before


def test_ids_tell_folders_of_one_name_apart(tmp_path: Path) -> None:
    first, second = model_id(tmp_path / "a" / "Tiny Model 0.6B"), model_id(tmp_path / "b" / "Tiny Model 0.6B")
    assert first != second
    assert first.startswith("tiny-model-0-6b-")
    assert slug("漢字") == slug("") == "model"
