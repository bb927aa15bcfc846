"""What the local cloud is told by its caller and by the environment, and what it tells its clients."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from local.ministack_access import ROOT_SECRET_ACCESS_KEY

DEFAULT_PORT = 4566
_HOST = "127.0.0.1"


class CloudSettings(BaseModel):
    """Whose account the local cloud plays, and where it answers.

    Attributes:
        account: Twelve digits.
        region: Region of requests that name none, and of what is deployed.
        port: TCP port on the loopback interface; 0 takes a free one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(default="111122223333", pattern=r"^\d{12}$")
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    port: int = Field(default=0, ge=0, le=65535)


def client_environment(endpoint: str, account: str, region: str) -> dict[str, str]:
    """Return the variables through which AWS's SDKs and tools reach the local cloud as its root.

    The root's access key id is the account id. The shared configuration files are set aside, so that neither a
    profile nor a real account's credentials on this machine can be meant by mistake.
    """
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET_ACCESS_KEY,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # A host prefix such as "api." does not resolve in front of 127.0.0.1.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
    }


# What would send a client elsewhere, or sign for someone else, although the variables above are set.
_MISLEADING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")


def child_environment(endpoint: str, account: str, region: str) -> dict[str, str]:
    """Return this process's environment with the variables of the local cloud in place of any other account's."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _MISLEADING and not name.startswith("AWS_ENDPOINT_URL")
    }
    return inherited | client_environment(endpoint, account, region) | _without_proxy()


def _without_proxy() -> dict[str, str]:
    """Keep a proxy of this machine out of the way to the loopback interface."""
    hosts = [host for host in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if host]
    value = ",".join(dict.fromkeys([*hosts, _HOST, "localhost"]))
    return {"NO_PROXY": value, "no_proxy": value}


def configure_emulator(settings: CloudSettings, port: int) -> None:
    """Set the variables that MiniStack reads, most of them while it is imported.

    Docker, SFTP and MQTT are left out: nothing of the local cloud needs them, and they cost start-up time.
    """
    for name in _MISLEADING:
        os.environ.pop(name, None)
    os.environ.update(
        {
            "AUTH": "true",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": settings.account,
            "MINISTACK_REGION": settings.region,
            "MINISTACK_HOST": _HOST,
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "S3_PERSIST": "0",
            "PERSIST_STATE": "0",
            **_without_proxy(),
        }
    )
    os.environ.setdefault("LOG_LEVEL", "WARNING")


def checkout_directory() -> Path:
    """Return the folder of the checkout: the one that holds ``cdk.json``, at or above the working directory.

    Raises:
        FileNotFoundError: Neither the working directory nor a folder above it holds ``cdk.json``.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "cdk.json").is_file():
            return folder
    raise FileNotFoundError(f"no cdk.json in {here} or above: run this inside a checkout of the repository")
