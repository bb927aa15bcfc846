"""S3 tells checksums where AWS does: in PutObject's answer, and their algorithm in listings.

MiniStack keeps each object's checksums but tells them only to readers who ask with ``x-amz-checksum-mode``.
Source: S3 API reference, PutObject (response), ListObjectsV2 and ListObjectVersions (``ChecksumAlgorithm``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from ministack.services import s3

from local.patches.replacement import replace_function

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_Answer = tuple[int, dict[str, str], bytes]


def apply() -> None:
    """Mend uploads and listings.

    Raises:
        EmulatorChangedError: MiniStack's S3 is no longer what it was.
    """
    replace_function(s3, "_put_object", ("bucket_name", "key", "body", "headers"), _with_checksums)
    replace_function(s3, "_list_objects_v2", ("bucket_name", "query_params"), _with_algorithms("Contents"))
    replace_function(s3, "_list_object_versions", ("bucket_name", "query_params"), _with_algorithms("Version"))


def _with_checksums(original: Any) -> Any:
    def put_object(bucket_name: str, key: str, body: bytes, headers: Mapping[str, str]) -> _Answer:
        status, answer_headers, answer_body = original(bucket_name, key, body, headers)
        if status == 200:  # noqa: PLR2004 - HTTP's OK
            stored = s3._buckets[bucket_name]["objects"][key].get("checksums") or {}
            answer_headers |= {f"x-amz-checksum-{name.lower()}": value for name, value in stored.items()}
            if stored:
                answer_headers["x-amz-checksum-type"] = "FULL_OBJECT"
        return status, answer_headers, answer_body

    return put_object


def _with_algorithms(element: str) -> Any:
    def make(original: Any) -> Any:
        def list_objects(bucket_name: str, query_params: Mapping[str, Any]) -> _Answer:
            status, headers, body = original(bucket_name, query_params)
            if status != 200:  # noqa: PLR2004
                return status, headers, body
            root = ElementTree.fromstring(body)  # noqa: S314 - the emulator wrote it
            is_encoded = root.find(_tag("EncodingType")) is not None
            for listed in root.iter(_tag(element)):
                _add_algorithm(bucket_name, listed, is_encoded=is_encoded)
            ElementTree.register_namespace("", _NAMESPACE)
            return status, headers, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)

        return list_objects

    return make


def _add_algorithm(bucket: str, listed: ElementTree.Element, *, is_encoded: bool) -> None:
    key = listed.findtext(_tag("Key"), "")
    checksums = _checksums(bucket, unquote_plus(key) if is_encoded else key, listed.findtext(_tag("VersionId")))
    for name in checksums:
        ElementTree.SubElement(listed, _tag("ChecksumAlgorithm")).text = name.upper()
    if checksums:
        ElementTree.SubElement(listed, _tag("ChecksumType")).text = "FULL_OBJECT"


def _checksums(bucket: str, key: str, version: str | None) -> Mapping[str, str]:
    if version is not None:
        for entry in s3._object_versions.get((bucket, key)) or ():
            if entry["version_id"] == version:
                return entry.get("checksums") or {}
    record = s3._buckets[bucket]["objects"].get(key) or {}
    return record.get("checksums") or {}


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"
