"""The OpenAPI document and the routes say the same."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from simulator.control.app import all_endpoints
from simulator.control.openapi import document
from simulator.control.problems import Problem
from tests.control.control_server import ControlServer


def parts_of(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for part in value.values():
            yield from parts_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from parts_of(part)


@pytest.fixture(scope="module")
def openapi(served: ControlServer) -> Any:
    """The document as served."""
    return served.call("GET", "/api/v1/openapi.json").json


def test_routes_and_document_have_the_same_paths_and_methods(served: ControlServer, openapi: Any) -> None:
    routed = {
        (route.path, method.lower())
        for route in served.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    documented = {(path, method) for path, operations in openapi["paths"].items() for method in operations}
    assert routed == documented
    assert len(served.app.routes) == len(openapi["paths"])


def test_every_reference_leads_to_a_schema_and_every_schema_is_used(openapi: Any) -> None:
    references = {part["$ref"] for part in parts_of(openapi) if "$ref" in part}
    schemas = {f"#/components/schemas/{name}" for name in openapi["components"]["schemas"]}
    assert references == schemas


def test_every_operation_is_named_once_and_has_a_success_and_its_errors(openapi: Any) -> None:
    operations = [operation for path in openapi["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        assert operation["summary"]
        assert {"200", "400", "403", "500"} <= operation["responses"].keys()


def test_every_parameter_of_a_path_is_documented(openapi: Any) -> None:
    for path, operations in openapi["paths"].items():
        for operation in operations.values():
            named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))


def test_every_problem_stands_in_the_document_but_those_without_an_operation(openapi: Any) -> None:
    told = json.dumps(openapi)
    outside = {Problem.NOT_FOUND, Problem.METHOD_NOT_ALLOWED, Problem.UNAUTHORIZED}
    for problem in Problem:
        assert (f"`{problem.code}`" in told) == (problem not in outside), problem


def test_a_document_behind_a_bearer_token_says_so_but_for_the_probes() -> None:
    guarded: Any = document(all_endpoints(bearer=True), bearer=True)
    assert guarded["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, operations in guarded["paths"].items():
        for operation in operations.values():
            free = path in ("/livez", "/readyz")
            assert ("security" not in operation) == free
            assert ("401" not in operation["responses"]) == free


def test_answers_have_exactly_the_documented_fields(served: ControlServer, openapi: Any) -> None:
    checked = 0
    for path, operations in openapi["paths"].items():
        if "get" in operations and "{" not in path:
            content = operations["get"]["responses"]["200"]["content"]
            schema = content.get("application/json", {}).get("schema")
            if schema is not None:
                name = schema["$ref"].rpartition("/")[2]
                fields = openapi["components"]["schemas"][name]["properties"].keys()
                reply = served.call("GET", path)
                if path == "/api/v1/scenario":  # this simulator plays none
                    assert reply.status == 404
                    continue
                assert reply.json.keys() == fields, path
                checked += 1
    assert checked >= 6
