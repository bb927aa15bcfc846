"""One name for one dataset, however a tool spells it: an edge that misses its other end tells nothing.

Names follow OpenLineage's naming conventions (specification, Naming.md): a namespace, and a name that is unique in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from hallmark.lineage.references import dataset_id

_PARTITION = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=[^/]*")
"""A folder of a Hive partition: ``dt=2026-01-01``."""
_DEFAULT_PORTS = {"hdfs": "8020", "hive": "9083"}
"""What clients may leave out (Hadoop's ``fs.defaultFS``; Hive's metastore)."""
_WITH_FOLDERS = frozenset({"s3", "gs", "hdfs", "file", "abfs", "abfss", "wasb", "wasbs", "adl", "dbfs"})


class DatasetName(NamedTuple):
    """The canonical name of a dataset, and the partition of it that was meant (empty: all of it)."""

    uri: str
    partition: str = ""


class Names:
    """Finds the canonical name of a dataset.

    Args:
        aliases: Other names of the same data, by any spelling; what lies below a name lies below its alias, too.
        keep_partitions: Whether a partition is a dataset of its own.
    """

    def __init__(self, aliases: Mapping[str, str] | None = None, *, keep_partitions: bool = False) -> None:
        spelled = {canonical_uri(name): canonical_uri(target) for name, target in (aliases or {}).items()}
        self._aliases = dict(sorted(spelled.items(), key=lambda pair: -len(pair[0])))
        self._keep_partitions = keep_partitions

    def of(self, namespace: str, name: str) -> DatasetName:
        """Return the canonical name of OpenLineage's pair."""
        return self.of_uri(joined(namespace, name))

    def of_uri(self, uri: str) -> DatasetName:
        """Return the canonical name of a URI."""
        found = DatasetName(canonical_uri(uri)) if self._keep_partitions else _without_partition(canonical_uri(uri))
        return found._replace(uri=self._resolved(found.uri))

    def _resolved(self, uri: str) -> str:
        # An alias may lead to another one; each is followed once, so that a circle ends.
        for _ in range(len(self._aliases)):
            target = next((self._aliased(uri, name) for name in self._aliases if _lies_in(uri, name)), uri)
            if target == uri:
                break
            uri = target
        return uri

    def _aliased(self, uri: str, name: str) -> str:
        return canonical_uri(f"{self._aliases[name]}{uri[len(name) :]}")


def joined(namespace: str, name: str) -> str:
    """Return the one URI that OpenLineage's pair makes: ``scheme:[//authority]path``."""
    namespace, name = namespace.strip(), name.strip()
    if namespace in {"file", "file:", "file://"} or namespace.startswith("file:/"):
        return f"file://{namespace.removeprefix('file').removeprefix(':').removeprefix('//')}/{name}"
    if namespace.startswith("arn:"):
        return f"{namespace.rstrip(':')}:{name}"
    if "://" in namespace:
        return f"{namespace.rstrip('/')}/{name.lstrip('/')}"
    return f"{namespace}:{name}" if namespace else name


def canonical_uri(uri: str) -> str:
    """Return the one spelling of a URI: of schemes, slashes, default ports, S3's hosts, Glue's tables."""
    uri = re.sub(r"^file:/+", "file:///", uri.strip())
    scheme, separator, rest = dataset_id(uri).partition("://")
    if not separator:
        return _GLUE_TABLE.sub(lambda found: found[0].lower(), scheme)
    if scheme == "file":
        return f"file:///{rest.lstrip('/')}"
    authority, slash, path = rest.partition("/")
    if scheme != "s3":
        authority = authority.lower()
    port = _DEFAULT_PORTS.get(scheme)
    if port is not None:
        authority = authority.removesuffix(f":{port}")
    return f"{scheme}://{authority}{slash}{path}"


_GLUE_TABLE = re.compile(r"^arn:aws[a-z-]*:glue:[a-z0-9-]*:\d*:table/.+$", re.IGNORECASE)
"""Glue keeps names of databases and tables in lower case (AWS Glue developer guide, Data Catalog)."""


def _without_partition(uri: str) -> DatasetName:
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in _WITH_FOLDERS:
        return DatasetName(uri)
    folders = rest.split("/")
    # The first one is the bucket or host, or (file) empty.
    first = next((place for place, folder in enumerate(folders[1:], 1) if _PARTITION.fullmatch(folder)), None)
    if first is None or not any(folders[1:first]):
        return DatasetName(uri)
    last = first
    while last < len(folders) and _PARTITION.fullmatch(folders[last]):
        last += 1
    return DatasetName(f"{scheme}://{'/'.join(folders[:first])}", "/".join(folders[first:last]))


def _lies_in(uri: str, place: str) -> bool:
    return uri == place or uri.startswith(f"{place}/")
