"""The client and the stand-in against the description that a real Venom gave of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.academy_desktop.core.venom.making import NAME, Bench, make_finished_run, refusal
from tests.venom_server.chat import Stream
from tests.venom_server.description import ROUTES, fits
from tests.venom_server.server import Asked
from trainers.errors import ErrorCode

#: Lies beside the checkout where the project is worked on; not part of it.
DESCRIPTION = Path(__file__).parents[5] / "shared" / "venom-openapi.json"

#: What the description leaves open: the fields of answers, as they were seen on a real server.
FIELDS = {
    "/healthz": {"status", "component"},
    "/api/v1/academy/status": {"enabled", "components", "gpu", "lessons", "jobs", "config"},
    "/api/v1/academy/adapters/audit": {"count", "adapters", "summary", "runtime_id", "model_id"},
    "/api/v1/academy/adapters/activate": {"success", "message", "adapter_id", "adapter_path"},
    "/api/v1/academy/adapters/deactivate": {"success", "message"},
    "/api/v1/system/llm-servers/active": {
        "active_server",
        "active_endpoint",
        "active_model",
        "config_hash",
        "runtime_id",
        "last_models",
        "runtime_switch_policy",
        "last_runtime_switch",
    },
    "/api/v1/system/llm-runtime/options": {"runtimes", "model_catalog", "adapter_catalog", "model_audit"},
    "/api/v1/models": {"models", "active"},
    "/api/v1/models/activate": {"success"},
}
AUDITED = {
    "adapter_id",
    "adapter_path",
    "base_model",
    "canonical_base_model",
    "trusted_metadata",
    "category",
    "reason_code",
    "message",
    "is_active",
    "sources",
    "manual_repair_hint",
}
RUNTIME = {
    "runtime_id",
    "source_type",
    "configured",
    "available",
    "status",
    "reason",
    "active",
    "models",
    "adapter_deploy_supported",
    "adapter_deploy_mode",
    "supports_adapter_import_safetensors",
    "supports_adapter_import_gguf",
    "supports_adapter_runtime_apply",
    "supports_native_training",
}


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    if not DESCRIPTION.is_file():
        pytest.skip("no description of a real Venom server beside the checkout")
    found: dict[str, Any] = json.loads(DESCRIPTION.read_text("utf-8"))
    return found


@pytest.fixture
def asked(bench: Bench) -> list[Asked]:
    """All that the client asks for, in one life of a connection."""
    bench.state.jobs.append({"job_id": "training_1", "status": "finished"})
    bench.venom.report(NAME)
    bench.venom.lessons(NAME, 5)
    bench.push(make_finished_run(bench.data))
    bench.push(make_finished_run(bench.data, fill=0.25))
    bench.venom.rollback(NAME)
    bench.state.switches.forgets_previous = True
    bench.venom.rollback(NAME)
    folder = bench.models_dir
    bench.state.models_dir = folder.parent / "elsewhere"
    with refusal(ErrorCode.VENOM_NOT_LISTED):
        bench.push(make_finished_run(bench.data))
    return bench.server.asked


def schemas(described: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = described["components"]["schemas"]
    return found


def test_one_life_asks_for_everything_that_the_client_can(asked: list[Asked]) -> None:
    assert {(one.method, one.route) for one in asked} - {("GET", "/openapi.json")} == set(ROUTES)


def test_every_path_that_is_asked_for_is_there(asked: list[Asked], described: dict[str, Any]) -> None:
    for one in asked:
        if one.route != "/openapi.json":
            assert one.method.lower() in described["paths"][one.route], one.route


def test_every_body_that_is_sent_is_as_the_server_wants_it(
    asked: list[Asked], described: dict[str, Any]
) -> None:
    checked = 0
    for one in asked:
        if one.route == "/openapi.json":
            continue
        wanted = described["paths"][one.route][one.method.lower()].get("requestBody")
        if wanted is None:
            assert one.body is None, one
            continue
        schema = wanted["content"]["application/json"]["schema"]
        properties = schemas(described)[schema["$ref"].rpartition("/")[2]]["properties"]
        assert fits(schema, one.body, schemas(described)), one
        # what the server does not know it drops without a word
        assert set(one.body) <= set(properties), one
        checked += 1
    assert checked > 5


def test_every_query_of_the_audit_is_known(described: dict[str, Any]) -> None:
    audit = described["paths"]["/api/v1/academy/adapters/audit"]["get"]["parameters"]
    assert {one["name"] for one in audit} == {"runtime_id", "model_id"}


def test_the_stand_in_answers_as_the_description_says(asked: list[Asked], described: dict[str, Any]) -> None:
    checked = 0
    for one in asked:
        if one.route == "/openapi.json" or one.status != 200 or isinstance(one.answer, Stream):
            continue
        said = described["paths"][one.route][one.method.lower()]["responses"]["200"]["content"]
        schema = said["application/json"]["schema"]
        assert fits(schema, one.answer, schemas(described)), one.route
        if schema.get("items"):
            known = schemas(described)["AdapterInfo"]["properties"]
            assert all(set(item) == set(known) for item in one.answer)
        checked += 1
    assert checked > 20


def test_the_stand_in_s_errors_are_described(asked: list[Asked], described: dict[str, Any]) -> None:
    refused = [one for one in asked if one.status != 200]
    assert refused
    for one in refused:
        assert str(one.status) in described["paths"][one.route][one.method.lower()]["responses"]


def test_the_stand_in_wants_the_bodies_that_the_real_one_wants(described: dict[str, Any]) -> None:
    for (method, path), schema in ROUTES.items():
        real = described["paths"][path][method.lower()].get("requestBody")
        assert (real is None) == (schema is None), path
        if schema is None or real is None:
            continue
        reference = real["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        wanted = schemas(described)[reference]
        assert schema["required"] == wanted["required"]
        assert set(schema["properties"]) == set(wanted["properties"])
        for name, rule in schema["properties"].items():
            theirs = {key: value for key, value in wanted["properties"][name].items() if key in rule}
            assert theirs == rule, name


def test_the_stand_in_s_answers_have_the_documented_fields(asked: list[Asked]) -> None:
    seen = set()
    for one in asked:
        if one.status == 200 and one.route in FIELDS and (one.answer.get("count") != 0):
            assert FIELDS[one.route] <= set(one.answer), one.route
            seen.add(one.route)
        if one.status == 200 and one.route.endswith("/audit"):
            assert all(set(item) == AUDITED for item in one.answer["adapters"])
        if one.status == 200 and one.route.endswith("/options"):
            assert all(set(item) == RUNTIME for item in one.answer["runtimes"])
    assert seen == set(FIELDS)
