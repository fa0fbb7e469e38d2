"""The runtimes that the stand-in knows, as its picker of models tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LOCAL_RUNTIMES = ("ollama", "vllm", "onnx")
CLOUD_RUNTIMES = ("openai", "google")


def runtime_options(active: str, models: Sequence[str]) -> dict[str, Any]:
    """`/system/llm-runtime/options`."""
    runtimes = [
        {
            "runtime_id": name,
            "source_type": "local-runtime" if name in LOCAL_RUNTIMES else "cloud-api",
            "configured": True,
            "available": name == "ollama" or name in CLOUD_RUNTIMES,
            "status": "online",
            "reason": None,
            "active": name == active,
            "models": [{"name": model} for model in models] if name == "ollama" else [],
            "adapter_deploy_supported": name in LOCAL_RUNTIMES,
            "adapter_deploy_mode": "ollama_modelfile" if name == "ollama" else None,
            "supports_adapter_import_safetensors": True,
            "supports_adapter_import_gguf": name == "ollama",
            "supports_adapter_runtime_apply": name in LOCAL_RUNTIMES,
            "supports_native_training": False,
        }
        for name in (*LOCAL_RUNTIMES, *CLOUD_RUNTIMES)
    ]
    catalogue: dict[str, Any] = {"all_adapters": [], "by_runtime": {}, "by_runtime_model": {}}
    return {
        "runtimes": runtimes,
        "model_catalog": {"trainable_models": [], "chat_models": []},
        "adapter_catalog": catalogue,
        "model_audit": {},
    }
