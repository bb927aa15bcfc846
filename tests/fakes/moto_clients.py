"""Clients on moto for the threads of a stand-in: made one at a time, then shared."""

from __future__ import annotations

import threading
from typing import Any

import boto3


class MotoClients:
    """One client for each service and Region; boto3's default session may not be used by two threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.client(service, region_name=region)  # type: ignore[call-overload] # the name is a variable
            return self._clients[service, region]
