"""The OpenAPI 3.1 document, made from the table of endpoints and their records, so that it cannot drift from the API."""

import inspect
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

import msgspec

from simulator.control.endpoint import AnyEndpoint
from simulator.control.problems import ErrorAnswer, Problem
from simulator.control.security import PROBE_PATHS

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

# What any request can meet before its handler runs.
GATE_PROBLEMS = (Problem.HOST_REFUSED, Problem.ORIGIN_REFUSED, Problem.INVALID_QUERY, Problem.INTERNAL_ERROR)
BODY_PROBLEMS = (
    Problem.INVALID_BODY,
    Problem.BODY_TIMEOUT,
    Problem.BODY_TOO_LARGE,
    Problem.UNSUPPORTED_MEDIA_TYPE,
)
_REF = "#/components/schemas/{name}"
_PATH_VALUE = re.compile(r"{(\w+)}")
_PATH_VALUES: dict[str, Json] = {
    "token": {"type": "string", "pattern": "^(([0-9A-Fa-f]{2})+|[A-Za-z0-9_:-]+)$"},
    "fault": {"type": "integer", "minimum": 1},
}


def document(endpoints: Sequence[AnyEndpoint], *, bearer: bool) -> Json:
    """The whole document. `bearer`: a bearer token is asked for."""
    records = {record: None for each in endpoints for record in (each.query, each.body, each.answer) if record}
    schemas, components = msgspec.json.schema_components([*records, ErrorAnswer], ref_template=_REF)
    refs: dict[object, Json] = dict(zip([*records, ErrorAnswer], schemas, strict=True))
    paths: dict[str, dict[str, Json]] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, refs, components, bearer=bearer)
    used: dict[str, Json] = {
        name: schema for name, schema in components.items() if name not in {each.query.__name__ for each in endpoints}
    }
    parts: dict[str, Json] = {"schemas": used}
    if bearer:
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pushrig control API",
            "version": _version(),
            "description": "Looks into a running push-notification simulator, and changes it. Errors are JSON with a code and "
            "a message that says what to do. Times are milliseconds since the Unix epoch.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {path: dict(operations) for path, operations in paths.items()},
        "components": parts,
    }


def _operation(
    endpoint: AnyEndpoint, refs: dict[object, Json], components: dict[str, dict[str, Json]], *, bearer: bool
) -> Json:
    guarded = bearer and endpoint.path not in PROBE_PATHS
    parameters: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_VALUES[name]}
        for name in _PATH_VALUE.findall(endpoint.path)
    ]
    query = components[endpoint.query.__name__]
    properties, required = query.get("properties") or {}, query.get("required") or []
    assert isinstance(properties, dict) and isinstance(required, list)
    parameters += [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in properties.items()
    ]
    problems = [*GATE_PROBLEMS, *endpoint.problems]
    if guarded:
        problems.append(Problem.UNAUTHORIZED)
    operation: dict[str, Json] = {"operationId": endpoint.operation, "summary": endpoint.summary}
    if endpoint.query.__struct_fields__:
        operation["description"] = inspect.cleandoc(endpoint.query.__doc__ or "")
    if parameters:
        operation["parameters"] = parameters
    if endpoint.takes_body:
        problems += BODY_PROBLEMS
        optional = all(not each.required for each in msgspec.structs.fields(endpoint.body))
        operation["requestBody"] = {
            "required": not optional,
            "content": {"application/json": {"schema": refs[endpoint.body]}},
        }
    success: Json = {} if endpoint.answer is None else {"schema": refs[endpoint.answer]}
    responses: dict[str, Json] = {"200": {"description": "Success", "content": {endpoint.media_type: success}}}
    for status in sorted({problem.status for problem in problems}):
        rows = {problem.code: problem.meaning for problem in problems if problem.status == status}
        responses[str(status)] = {
            "description": " ".join(f"`{code}`: {meaning}" for code, meaning in rows.items()),
            "content": {"application/json": {"schema": refs[ErrorAnswer]}},
        }
    operation["responses"] = responses
    if guarded:
        operation["security"] = [{"bearer": []}]
    return operation


def _version() -> str:
    try:
        return version("pushrig")
    except PackageNotFoundError:
        return "0"
