"""Holds exported documents against the standards' own schemas and tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from prov.model import ProvDocument
from referencing import Registry, Resource

OPENLINEAGE_SCHEMAS = Path("tests/unit/lineage_exports/openlineage")
"""OpenLineage's published schemas, beside the tests that use them."""
_RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


class StandardError(RuntimeError):
    """A document is not what its standard asks for; the message says where."""


def accepted_exports(folder: Path, root: Path) -> Iterator[str]:
    """Yield a line for each document in a folder that its standard's own schema or tool accepts.

    Args:
        folder: What ``hallmark export -f all`` wrote.
        root: Of the checkout.

    Raises:
        StandardError: One is not accepted.
    """
    events = json.loads((folder / "openlineage.json").read_text())
    schemas, facets = openlineage_schemas(root / OPENLINEAGE_SCHEMAS), 0
    for event in events:
        try:
            facets += check_event(event, schemas)
        except ValidationError as error:
            raise StandardError(f"openlineage.json, {error.json_path}: {error.message}") from error
    yield f"openlineage.json: {len(events)} run events and {facets} facets, by the schemas that they name"
    document = ProvDocument.deserialize(folder / "prov.json", format="json")
    if ProvDocument.deserialize(content=document.serialize(format="json"), format="json") != document:
        raise StandardError("prov.json: it reads otherwise once it was written again")
    yield f"prov.json: {len(list(document.get_records()))} records, read and written again by the library prov"
    fault = JsonStrictValidator(SchemaVersion.V1_7).validate_str((folder / "cyclonedx.json").read_text())
    if fault is not None:
        raise StandardError(f"cyclonedx.json: {fault}")
    yield "cyclonedx.json: by CycloneDX's strict validator, version 1.7"


def openlineage_schemas(folder: Path) -> Registry[Any]:
    """Return OpenLineage's schemas of a folder, with those of our own facets."""
    texts = [path.read_text() for path in (folder / "OpenLineage.json", *sorted((folder / "facets").glob("*.json")))]
    texts.append(files("hallmark.lineage.exports").joinpath("openlineage_facets.json").read_text(encoding="utf-8"))
    documents = [json.loads(text) for text in texts]
    return Registry().with_resources((document["$id"], Resource.from_contents(document)) for document in documents)


def facets_of(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the facets of a run event."""
    holders = [event["run"], event["job"], *event.get("inputs", ()), *event.get("outputs", ())]
    for holder in holders:
        yield from holder["facets"].values()


def check_event(event: dict[str, Any], schemas: Registry[Any]) -> int:
    """Check an event against the core schema, and each of its facets against the schema that it names.

    Returns:
        How many facets it has.

    Raises:
        jsonschema.ValidationError: One of them is not valid.
    """
    facets = list(facets_of(event))
    format_checker = Draft202012Validator.FORMAT_CHECKER
    for document, schema in [(event, _RUN_EVENT), *((facet, facet["_schemaURL"]) for facet in facets)]:
        Draft202012Validator({"$ref": schema}, registry=schemas, format_checker=format_checker).validate(document)
    return len(facets)
