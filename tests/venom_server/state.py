"""What the stand-in does: adapters found by directory, a registry, a chat, a runtime that takes GGUF files.

Everything is kept as Venom keeps it: the models folder is real, the registry is a file that survives a
restart, the runtime's models are a list. Raises `Refused` with the status and the body that Venom answers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.venom_server.catalogue import TRAINABLE, canonical, is_inconsistent, read_metadata, trusted_base
from tests.venom_server.runtimes import CLOUD_RUNTIMES, LOCAL_RUNTIMES, runtime_options

PREFIX = "venom-adapter-"
ENDINGS = ("running", "finished", "failed")
COMPONENTS = ("professor", "dataset_curator", "gpu_habitat", "lessons_store", "model_manager")
#: A folder without one of these, and of no such name, is taken for a base model.
MARKERS = ("training.log", "train_script.py")
NAMES = ("self_learning_", "checkpoint-")


class Refused(Exception):  # noqa: N818 - an answer, no error of ours
    """An answer other than success."""

    def __init__(self, status: int, detail: object) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail


def coded(status: int, code: str, message: str, **about: object) -> Refused:
    return Refused(status, {"error": code, "message": message, "reason_code": code, **about})


@dataclass
class Switches:
    """What is wrong with the server today.

    `chat`: what it says; None: it has no address of a runtime. `restarting`: questions until the runtime is
    there again.
    """

    academy: bool = True
    ready: bool = True
    remote: bool = False
    older: bool = False
    runtime_up: bool = True
    deploys: bool = True
    forgets_previous: bool = False
    chat: str | None = "Yes, I am here."
    restarting: int = 0
    slow: frozenset[str] = frozenset()
    late_lists: int = 0
    rate_limited: int = 0
    retry_after_s: int = 0


@dataclass
class VenomState:
    """One server; `work`: its working directory, `models_dir`: where it looks for adapters."""

    work: Path
    models_dir: Path
    ollama: list[str] = field(default_factory=lambda: ["gemma3:4b", "llama3.2:1b", "smollm2:135m"])
    runtime: str = "ollama"
    model: str = "gemma3:4b"
    previous: str = ""
    switches: Switches = field(default_factory=Switches)
    lessons: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    # the registry

    @property
    def registry(self) -> Path:
        return self.work / "data" / "training" / "active_adapter.json"

    @property
    def active(self) -> str | None:
        try:
            found = json.loads(self.registry.read_text("utf-8"))["adapter_id"]
        except FileNotFoundError:
            return None
        return str(found)

    def _register(self, adapter_id: str | None) -> None:
        if adapter_id is None:
            self.registry.unlink(missing_ok=True)
            return
        self.registry.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "adapter_id": adapter_id,
            "adapter_path": str(self._folder(adapter_id) / "adapter"),
            "base_model": "academy-base",
            "activated_at": now(),
            "source": "academy",
        }
        self.registry.write_text(json.dumps(record), "utf-8")

    # looking

    def require_academy(self) -> None:
        if not self.switches.academy:
            raise Refused(503, "Academy is disabled in config")
        if not self.switches.ready:
            raise Refused(503, "Academy components not initialized. Check server logs.")

    def told_lessons(self, limit: int, tags: str) -> dict[str, Any]:
        """With tags, the limit goes unheeded."""
        wanted = {tag.strip() for tag in tags.split(",") if tag.strip()}
        found = (
            [lesson for lesson in self.lessons if wanted & set(lesson["tags"])]
            if wanted
            else self.lessons[:limit]
        )
        return {"status": "success", "count": len(found), "lessons": found}

    def status(self) -> dict[str, Any]:
        on = self.switches.academy and self.switches.ready
        ended = [job["status"] for job in self.jobs]
        return {
            "enabled": self.switches.academy,
            "components": dict.fromkeys(COMPONENTS, on),
            "gpu": {"available": False, "enabled": False, "message": "no GPU"},
            "lessons": {
                "total_lessons": len(self.lessons),
                "unique_tags": 0,
                "tag_distribution": {},
                "oldest_lesson": None,
                "newest_lesson": None,
            },
            "jobs": {"total": len(self.jobs), **{name: ended.count(name) for name in ENDINGS}},
            "config": {"min_lessons": 100, "training_interval_hours": 24},
        }

    def _folders(self) -> Iterator[Path]:
        if self.models_dir.is_dir():
            yield from (path for path in sorted(self.models_dir.iterdir()) if (path / "adapter").is_dir())

    def adapters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self.switches.late_lists > 0:  # a network drive's folder as it was a moment ago
            self.switches.late_lists -= 1
            return found
        for folder in self._folders():
            metadata = read_metadata(folder)
            base = trusted_base(metadata)
            whole = bool(base and metadata.get("created_at") and metadata.get("source_flow"))
            found.append(
                {
                    "adapter_id": folder.name,
                    "adapter_path": str(folder / "adapter"),
                    "base_model": base or "unknown",
                    "created_at": str(metadata.get("created_at") or "unknown"),
                    "training_params": metadata.get("parameters") or {},
                    "target_runtime": metadata.get("effective_runtime_id"),
                    "source_flow": metadata.get("source_flow"),
                    "metadata_status": "canonical" if whole else "metadata_incomplete",
                    "metadata_reason_code": None if whole else "ADAPTER_METADATA_INCOMPLETE",
                    "is_active": folder.name == self.active,
                }
            )
        return found

    def audit(self, runtime: str | None, model: str | None) -> dict[str, Any]:
        known = runtime if runtime in (*LOCAL_RUNTIMES, *CLOUD_RUNTIMES) else None
        items = [self._audited(folder, model) for folder in self._folders()]
        categories = ("compatible", "blocked_unknown_base", "blocked_mismatch")
        summary = {one: sum(item["category"] == one for item in items) for one in categories}
        answer = {"count": len(items), "adapters": items, "summary": summary}
        return answer | ({"runtime_id": known, "model_id": model} if items else {})

    def _audited(self, folder: Path, model: str | None) -> dict[str, Any]:
        base = trusted_base(read_metadata(folder))
        category, code = "compatible", None
        if not base:
            category, code = "blocked_unknown_base", "ADAPTER_METADATA_INCOMPLETE"
        elif model and canonical(base) != canonical(model):
            category, code = "blocked_mismatch", "ADAPTER_BASE_MODEL_MISMATCH"
        return {
            "adapter_id": folder.name,
            "adapter_path": str(folder / "adapter"),
            "base_model": base,
            "canonical_base_model": canonical(base),
            "trusted_metadata": bool(base),
            "category": category,
            "reason_code": code,
            "message": "",
            "is_active": folder.name == self.active,
            "sources": [],
            "manual_repair_hint": None,
        }

    def models(self) -> dict[str, Any]:
        found = [
            {
                "name": name,
                "provider": "ollama",
                "source": "ollama",
                "path": None,
                "type": "ollama",
                "size_gb": 0.1,
                "active": name == self.model,
                "chat_compatible": True,
            }
            for name in self.ollama
        ]
        found += [
            {"name": folder.name, "provider": "vllm", "path": str(folder)}
            for folder in (sorted(self.models_dir.iterdir()) if self.models_dir.is_dir() else ())
            if folder.is_dir()
            and not folder.name.startswith(NAMES)
            and not any((folder / marker).is_file() for marker in MARKERS)
        ]
        return {"success": True, "models": found, "count": len(found), "active": {"model": self.model}}

    def active_server(self) -> dict[str, Any]:
        return {
            "status": "success",
            "active_server": self.runtime,
            "active_endpoint": "http://127.0.0.1:11434/v1",
            "active_model": self.model,
            "config_hash": self._config_hash(),
            "runtime_id": f"{self.runtime}@http://127.0.0.1:11434/v1",
            "last_models": {"ollama": self.model, "vllm": "", "onnx": "", "previous_ollama": self.previous},
            "runtime_switch_policy": {"allowed_sources": ["ui"], "ownership_token_configured": False},
            "last_runtime_switch": None,
        }

    def runtime_options(self) -> dict[str, Any]:
        return runtime_options(self.runtime, self.ollama)

    # changing

    def sign(self, adapter_id: str, body: dict[str, Any]) -> dict[str, Any]:
        folder = self._folder(adapter_id)
        if not (folder / "adapter").is_dir():
            raise Refused(404, "Adapter not found")
        if not body["runtime_id"].strip():
            raise coded(400, "ADAPTER_SIGNATURE_RUNTIME_REQUIRED", "runtime_id is required")
        signature = {
            "signed": True,
            "signed_at": now(),
            "runtime_id": body["runtime_id"],
            "model_id": body.get("model_id"),
            "signer": body.get("signer"),
            "conversion_mode": body.get("conversion_mode", "none"),
        }
        metadata = read_metadata(folder) | {"chat_signature": signature}
        (folder / "metadata.json").write_text(json.dumps(metadata, indent=2), "utf-8")
        return {"success": True, "adapter_id": adapter_id, "signature": signature}

    def activate(self, body: dict[str, Any]) -> dict[str, Any]:
        adapter_id, deploy = body["adapter_id"], bool(body.get("deploy_to_chat_runtime", False))
        runtime, model = body.get("runtime_id"), body.get("model_id")
        if deploy and not runtime:
            raise coded(400, "ADAPTER_RUNTIME_REQUIRED", "runtime_id is required")
        if deploy and not model:
            raise coded(400, "ADAPTER_RUNTIME_MODEL_REQUIRED", "model_id is required")
        runtime = runtime or self.runtime
        if runtime in CLOUD_RUNTIMES:
            said = f"Academy adapter supports only local runtimes (ollama/vllm/onnx); got '{runtime}'."
            raise Refused(400, said)
        folder = self._folder(adapter_id)
        if not (folder / "adapter").is_dir():
            raise Refused(404, "Adapter not found")
        self._check_metadata(adapter_id, model)
        if deploy and body.get("require_chat_signature"):
            self._check_signature(adapter_id, runtime, str(model))
        self._register(adapter_id)
        answer: dict[str, Any] = {
            "success": True,
            "message": f"Adapter {adapter_id} activated",
            "adapter_id": adapter_id,
            "adapter_path": str(folder / "adapter"),
        }
        if not deploy or self.switches.older:
            return answer
        if runtime not in LOCAL_RUNTIMES:
            return answer | {
                "deployed": False,
                "reason": f"runtime_not_local:{runtime}",
                "runtime_id": runtime,
            }
        try:
            self._deploy(adapter_id, str(model))
        except Refused:
            self._register(None)  # and what the chat uses stays: the two accounts part here
            raise
        return answer | {
            "deployed": True,
            "runtime_id": runtime,
            "chat_model": self.model,
            "config_hash": self._config_hash(),
        }

    def _check_metadata(self, adapter_id: str, model: str | None) -> None:
        metadata = read_metadata(self._folder(adapter_id))
        base, about = trusted_base(metadata), {"adapter_id": adapter_id, "requested_model_id": model}
        if not base:
            raise coded(400, "ADAPTER_METADATA_INCOMPLETE", "metadata", **about)
        if is_inconsistent(metadata):
            raise coded(400, "ADAPTER_METADATA_INCONSISTENT", "metadata", **about)
        if not model:
            return
        if canonical(base) in TRAINABLE and model not in self.ollama:
            said = "Model nie istnieje: " + ", ".join(self.ollama[:8])
            raise coded(400, "ADAPTER_RUNTIME_MODEL_MISSING", said, **about)
        if canonical(base) != canonical(model):
            raise coded(400, "ADAPTER_BASE_MODEL_MISMATCH", "Adapter nie pasuje do modelu", **about)

    def _check_signature(self, adapter_id: str, runtime: str, model: str) -> None:
        signature = read_metadata(self._folder(adapter_id)).get("chat_signature") or {}
        if not signature.get("signed"):
            raise coded(400, "ADAPTER_NOT_SIGNED_FOR_CHAT", "not signed", adapter_id=adapter_id)
        if signature.get("runtime_id") != runtime:
            raise coded(400, "ADAPTER_SIGNATURE_RUNTIME_MISMATCH", "runtime", adapter_id=adapter_id)
        if signature.get("model_id") and canonical(signature["model_id"]) != canonical(model):
            raise coded(400, "ADAPTER_SIGNATURE_MODEL_MISMATCH", "model", adapter_id=adapter_id)

    def _deploy(self, adapter_id: str, model: str) -> None:
        """`ollama create` from the GGUF inside `adapter/`."""
        adapter = self._folder(adapter_id) / "adapter"
        wanted = [adapter / f"Adapter-{kind}-LoRA.gguf" for kind in ("F16", "F32")]
        gguf = next((path for path in [*wanted, *sorted(adapter.glob("*.gguf"))] if path.is_file()), None)
        if gguf is None:
            raise coded(500, "ADAPTER_ACTIVATION_FAILED", "Brak modelu bazowego do konwersji GGUF")
        if not self.switches.runtime_up:
            raise coded(503, "ADAPTER_RUNTIME_SERVICE_UNAVAILABLE", "ollama")
        lines = [f"FROM {model}", f"ADAPTER {gguf.resolve()}", "PARAMETER temperature 0.7"]
        (self.models_dir / f"Modelfile.{adapter_id}").write_text("\n".join(lines) + "\n", "utf-8")
        is_adapter = gguf.read_bytes()[:4] == b"GGUF"
        if not self.switches.deploys or not is_adapter or model not in self.ollama:
            raise coded(500, "ADAPTER_RUNTIME_DEPLOY_FAILED", "ollama create failed")
        made = f"{PREFIX}{adapter_id}"
        if f"{made}:latest" not in self.ollama:
            self.ollama.append(f"{made}:latest")
        self.previous = "" if self.switches.forgets_previous else self.model
        self.model, self.runtime = made, "ollama"

    def deactivate(self, *, deploy: bool) -> dict[str, Any]:
        if self.active is None:
            return {"success": False, "message": "No active adapter to deactivate"}
        self._register(None)
        answer: dict[str, Any] = {"success": True, "message": "Adapter deactivated"}
        if not deploy:
            return answer
        if self.runtime not in LOCAL_RUNTIMES:
            return answer | {"rolled_back": False, "reason": "runtime_not_local"}
        if not self.previous:
            return answer | {"rolled_back": False, "reason": "previous_model_missing"}
        self.model, self.previous = self.previous, ""
        return answer | {
            "rolled_back": True,
            "runtime_id": self.runtime,
            "chat_model": self.model,
            "config_hash": self._config_hash(),
        }

    def activate_model(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("switch_source", "ui") not in {"ui", "make_start"}:
            raise Refused(403, "Nieautoryzowane źródło przełączenia runtime")
        name, runtime = body["name"], body["runtime"]
        known = {one.removesuffix(":latest") for one in self.ollama}
        if runtime != "ollama" or name.removesuffix(":latest") not in known:
            raise Refused(400, f"Model {name} nie jest serwowalny dla {runtime}")
        self.model, self.runtime = name, runtime
        self.switches.restarting = 1  # the runtime's service is started anew
        return {"success": True, "message": f"Model {name} aktywowany dla {runtime}"}

    # inside

    def _folder(self, adapter_id: str) -> Path:
        folder = (self.models_dir / adapter_id).resolve()
        if folder.parent != self.models_dir.resolve():
            raise Refused(400, f"Invalid adapter_id '{adapter_id}': outside of models directory.")
        return folder

    def _config_hash(self) -> str:
        return hashlib.sha256(f"{self.runtime}|{self.model}".encode()).hexdigest()[:12]


def now() -> str:
    return datetime.now(UTC).isoformat()
