"""The server's own way in: publish as an AWS service does, and reach S3 from a job's thread.

The stand-ins import this module; it needs the server to run only when one of its functions is called.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.session
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass(frozen=True)
class ServerAddress:
    """Where the running server answers, and whose account it is by default."""

    endpoint: str
    account: str
    region: str


class NotRunningError(RuntimeError):
    """The local cloud of this process is asked for although it does not run."""

    def __init__(self) -> None:
        super().__init__(
            "the local cloud does not run in this process; start it with LocalCloud() or `python -m local up`"
        )


class _Binding:
    """The one server of this process, as MiniStack keeps its state in module globals, and clients on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._address: ServerAddress | None = None
        self._clients: dict[tuple[str, str, str], Any] = {}

    def bind(self, address: ServerAddress) -> None:
        with self._lock:
            self._address = address
            self._clients.clear()

    def unbind(self) -> None:
        with self._lock:
            self._address = None
            self._clients.clear()

    def address(self) -> ServerAddress:
        address = self._address
        if address is None:
            raise NotRunningError
        return address

    def client(self, service: str, account: str, region: str) -> Any:
        address = self.address()
        key = (service, account, region)
        with self._lock:
            if key not in self._clients:
                session = root_session(account, region)
                self._clients[key] = session.client(  # type: ignore[call-overload] # the name is a variable
                    service, endpoint_url=address.endpoint, config=CLIENT_CONFIG
                )
            return self._clients[key]


ROOT_SECRET_ACCESS_KEY = "local-root"  # noqa: S105 - the root's access key id is the account id; the server knows no other
CLIENT_CONFIG = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 3})

# Name in the configuration file, environment variable, default, conversion: no profile, no file of this machine.
_NO_FILES = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}

_binding = _Binding()


def root_session(account: str, region: str) -> boto3.session.Session:
    """Return a session with the root's credentials which neither a profile nor a file of this machine can change.

    It is a session of its own: the default session is not safe to make clients from in several threads.
    """
    core = botocore.session.Session(session_vars=_NO_FILES)
    return boto3.session.Session(
        botocore_session=core,
        aws_access_key_id=account,
        aws_secret_access_key=ROOT_SECRET_ACCESS_KEY,
        region_name=region,
    )


def bind(address: ServerAddress) -> None:
    """Say which server the functions below reach; the server calls this when it starts."""
    _binding.bind(address)


def unbind() -> None:
    """Forget the server; it calls this when it stops."""
    _binding.unbind()


def server_address() -> ServerAddress:
    """Return the running server's address.

    Raises:
        NotRunningError: No local cloud runs in this process.
    """
    return _binding.address()


def root_client(service: str, account: str, region: str) -> Any:
    """Return a client of ``service`` on the running server with the root's credentials; shared and thread-safe.

    Raises:
        NotRunningError: No local cloud runs in this process.
    """
    return _binding.client(service, account, region)


def s3_client(region: str, account: str | None = None) -> S3Client:
    """Return an S3 client on the running server with the root's credentials; it is shared and thread-safe.

    Args:
        region: Region that the requests are signed for.
        account: Twelve digits; the server's own account when left out.

    Raises:
        NotRunningError: No local cloud runs in this process.
    """
    return cast("S3Client", root_client("s3", account or server_address().account, region))


def publish_service_event(entry: Mapping[str, Any], account: str, region: str) -> str:
    """Put one ``aws.*`` event on the default bus, as the service itself would, and return the event's id.

    Args:
        entry: As ``PutEvents`` takes it: ``Source``, ``DetailType``, ``Detail`` (JSON text or an object), and where
            wanted ``Resources`` and ``Time`` (an aware datetime; now when left out).
        account: Twelve digits; the account whose bus receives it.
        region: Region of the bus.

    Raises:
        KeyError: ``Source``, ``DetailType`` or ``Detail`` is missing.
    """
    detail = entry["Detail"]
    moment: datetime = entry.get("Time") or datetime.now(UTC)
    envelope = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(entry.get("Resources", [])),
        "detail": json.loads(detail) if isinstance(detail, str) else detail,
    }
    publish_envelope(envelope, account, region)
    return str(envelope["id"])


def publish_envelope(envelope: Mapping[str, Any], account: str, region: str) -> None:
    """Deliver a whole event to the default bus of ``account`` and ``region`` with every field as it is.

    ``PutEvents`` would give it a new ``id`` and ``time`` and refuse ``aws.*`` sources; AWS's services go another way.

    Args:
        envelope: An event as a target receives it (``detail-type``, ``source``, ``account``, ``time``, ``detail`` ...).
        account: Twelve digits; the account whose bus receives it, which need not be the envelope's.
        region: Region of the bus.
    """
    from ministack.core.responses import request_scope  # noqa: PLC0415 - MiniStack reads its settings at import
    from ministack.services import eventbridge  # noqa: PLC0415

    modelled = eventbridge._TEST_PAYLOAD_MODELLED_KEYS
    extra = {key: value for key, value in envelope.items() if key not in modelled}
    record = {
        "EventId": envelope.get("id", ""),
        "Version": envelope.get("version", "0"),
        "Source": envelope.get("source", ""),
        "DetailType": envelope.get("detail-type", ""),
        "Detail": json.dumps(envelope.get("detail", {})),
        "EventBusName": "default",
        "Time": envelope.get("time", ""),
        "Resources": envelope.get("resources", []),
        "Account": envelope.get("account", account),
        "Region": envelope.get("region", region),
        **({"_ExtraEnvelope": extra} if extra else {}),
    }
    with request_scope(account, region):
        eventbridge._events_log_list().append(record)
        view = eventbridge._pattern_event_view(record)
        eventbridge._dispatch_event(record, view)
        eventbridge._archive_event(record, view)
