"""Judge a resource by its definition, as strictly as `kubectl --validate=strict`: an unknown field is a mistake."""  # noqa: INP001

from __future__ import annotations

from typing import Any

from jsonschema import Draft7Validator

_INT_OR_STRING = "x-kubernetes-int-or-string"
_ANYTHING = "x-kubernetes-preserve-unknown-fields"


def faults(document: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    """What is wrong with a resource, one line each."""
    group, _, version = document["apiVersion"].rpartition("/")
    if group != definition["spec"]["group"]:
        return [f"the group is {definition['spec']['group']}, not {group}"]
    served = {one["name"]: one for one in definition["spec"]["versions"] if one["served"]}
    if version not in served:
        return [f"version {version} is not served; there are {', '.join(served)}"]
    schema = _strict(served[version]["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
    found = Draft7Validator(schema).iter_errors(document)
    return [f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message}" for error in found]


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema says it."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    properties = {
        key: _strict(value) for key, value in schema.items() if key not in {"default", "description", "example"}
    }
    if isinstance(schema.get("properties"), dict):
        properties["properties"] = {name: _strict(value) for name, value in schema["properties"].items()}
        if not schema.get(_ANYTHING) and "additionalProperties" not in schema and schema.get("type") == "object":
            properties["additionalProperties"] = False
    if schema.get(_INT_OR_STRING):
        properties.pop("type", None)
        properties["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(properties.get("type"), str):
        properties["type"] = [properties["type"], "null"]
    return properties
