"""A model in service: its container's folder, its process, and requests to it."""

from __future__ import annotations

import http.client
import queue
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.sagemaker import inference_host
from local.sagemaker.container_folder import ContainerFolder
from local.sagemaker.jobs import JobRun
from local.sagemaker.models import model_data_uri
from local.sagemaker.s3_files import StagingError, download, download_object, unpack

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_START_SECONDS = 60.0
_LISTENING = re.compile(r"listening on port (\d+)")
_KEPT_LINES = 20
_MODEL = "/opt/ml/model"
_OK = 200


class ModelError(Exception):
    """A model did not start, or did not answer; the text says why in the model's own words where it has some."""


@dataclass(frozen=True)
class ModelProcess:
    """A model that listens on a port of this machine."""

    port: int
    last_lines: deque[str]

    def invoke(self, body: bytes, content_type: str, accept: str, timeout_seconds: float) -> tuple[bytes, str]:
        """Send one request and return the answer and its content type.

        Raises:
            ModelError: The model failed, or did not answer in time.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        try:
            connection.request("POST", "/invocations", body, {"Content-Type": content_type, "Accept": accept})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ModelError(self._explain(type(error).__name__)) from error
        finally:
            connection.close()
        if answer.status != _OK:
            raise ModelError(content.decode(errors="replace") or f"status {answer.status}")
        return content, answer.headers.get("Content-Type", accept)

    def _explain(self, otherwise: str) -> str:
        words = [line for line in self.last_lines if line.strip() and not line.startswith(("-", " "))]
        return words[-1] if words else otherwise


@contextmanager
def serve_model(
    run: JobRun, folder: ContainerFolder, container: Mapping[str, Any], s3: S3Client, environment: Mapping[str, str]
) -> Iterator[ModelProcess]:
    """Serve the model of ``container`` while the block lasts.

    Args:
        run: The job that needs the model.
        folder: The container's folder.
        container: Of a model, with the package's members where it names a package.
        s3: Where model data and code are read.
        environment: Variables of the process beside the container's own.

    Raises:
        StagingError: Model data or code cannot be read.
        ModelError: The model did not start.
    """
    code = _stage(folder, container, s3)
    variables = {
        **environment,
        **container.get("Environment", {}),
        "SM_MODEL_DIR": _MODEL,
        "SAGEMAKER_CODE_DIR": code,
    }
    command = folder.command(["python", str(Path(inference_host.__file__))], variables)
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    ports: queue.SimpleQueue[int] = queue.SimpleQueue()

    def read_line(line: str) -> None:
        lines.append(line)
        listening = _LISTENING.fullmatch(line)
        if listening:
            ports.put(int(listening[1]))

    with run.serve(command, read_line) as serving:
        serving.add_done_callback(lambda _outcome: ports.put(0))
        try:
            port = ports.get(timeout=_START_SECONDS)
        except queue.Empty as error:
            raise ModelError(f"The model did not listen within {_START_SECONDS:g} s") from error
        if not port:
            raise ModelError(lines[-1] if lines else "The model's process ended without a word")
        yield ModelProcess(port, lines)


def _stage(folder: ContainerFolder, container: Mapping[str, Any], s3: S3Client) -> str:
    """Fill the model's folder and return where in the container its code is."""
    model = folder.path(_MODEL)
    model.mkdir(parents=True, exist_ok=True)
    uri = model_data_uri(dict(container))
    if uri and uri.endswith("/"):
        download(s3, uri, "S3Prefix", model)
    elif uri:
        unpack(download_object(s3, uri), model, uri)
    submitted = container.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith("s3://"):
        unpack(download_object(s3, submitted), folder.path("/opt/ml/code"), submitted)
        return "/opt/ml/code"
    program = container.get("Environment", {}).get("SAGEMAKER_PROGRAM", "inference.py")
    code = submitted or f"{_MODEL}/code"
    if not (folder.path(code) / program).is_file():
        raise StagingError(
            f"ClientError: The local cloud does not pull the image {container['Image']}: put code/{program} with "
            "model_fn into the model's archive, or name its archive in SAGEMAKER_SUBMIT_DIRECTORY"
        )
    return code
