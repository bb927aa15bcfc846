"""Serves a model as AWS's framework containers do: ``GET /ping`` and ``POST /invocations`` on a port of this machine.

Run as a script of its own in the container's place; it knows nothing of the stand-in. The user's module has the
functions of the public SageMaker inference toolkit: ``model_fn(model_dir)``, then ``transform_fn(model, body,
content_type, accept)``, or ``input_fn(body, content_type)``, ``predict_fn(data, model)`` and
``output_fn(prediction, accept)``, each of the last three optional. A line of its output names the port.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

Answer = Callable[[bytes, str, str], tuple[bytes, str]]


def read_input(body: bytes, content_type: str) -> Any:
    """Return rows of numbers from CSV, or what JSON says, as an array where numpy is there."""
    if content_type == "application/json":
        rows = json.loads(body)
    elif content_type == "text/csv":
        rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(body.decode())) if row]
    else:
        raise ValueError(f"content type {content_type} has no reader: define input_fn")
    try:
        import numpy as np  # noqa: PLC0415 - the model may do without
    except ModuleNotFoundError:
        return rows
    return np.asarray(rows)


def predict(data: Any, model: Any) -> Any:
    """Return the model's own prediction."""
    return model.predict(data)


def write_output(prediction: Any, accept: str) -> tuple[bytes, str]:
    """Return a prediction as CSV or JSON, and its content type."""
    values = prediction.tolist() if hasattr(prediction, "tolist") else prediction
    if accept == "text/csv":
        rows = [value if isinstance(value, list) else [value] for value in values]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        return text.getvalue().rstrip("\n").encode(), accept
    return json.dumps(values).encode(), "application/json"


def load_module(folder: Path, program: str) -> ModuleType:
    """Import the user's module; its folder is where its own imports are found."""
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(Path(program).stem, folder / program)
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / program} is no Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_answer(module: ModuleType, model_dir: str) -> Answer:
    """Load the model and return the function that answers a request."""
    if not hasattr(module, "model_fn"):
        raise NotImplementedError(f"{module.__name__} has no model_fn(model_dir), which loads the model")
    model = module.model_fn(model_dir)
    transform = getattr(module, "transform_fn", None)
    reads = getattr(module, "input_fn", read_input)
    predicts = getattr(module, "predict_fn", predict)
    writes = getattr(module, "output_fn", write_output)

    def answer(body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        if transform is not None:
            result = transform(model, body, content_type, accept)
        else:
            result = writes(predicts(reads(body, content_type), model), accept)
        content, kind = result if isinstance(result, tuple) else (result, accept)
        return (content if isinstance(content, bytes) else str(content).encode()), kind

    return answer


def serve(answer: Answer) -> None:
    """Answer requests until the process is stopped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200 if self.path == "/ping" else 404, b"", "text/plain")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content_type = self.headers.get("Content-Type", "application/json")
            accept = self.headers.get("Accept") or "application/json"
            content, kind = answer(body, content_type, "application/json" if accept == "*/*" else accept)
            self._send(200, content, kind)

        def log_message(self, *_arguments: object) -> None:
            """Leave the log to the user's code."""

        def _send(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Print what the user's code raised, and answer with its last line, as a framework's server does."""
            super().handle_error(request, client_address)
            raised = "".join(traceback.format_exception_only(*sys.exc_info()[:2])).strip().splitlines()[-1].encode()
            request.sendall(
                b"HTTP/1.0 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(raised), raised)
            )

    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"listening on port {server.server_address[1]}", flush=True)  # noqa: T201 - how the port is known
        server.serve_forever()


if __name__ == "__main__":
    # The variables of the public SageMaker inference toolkit.
    code, script = Path(os.environ["SAGEMAKER_CODE_DIR"]), os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    serve(build_answer(load_module(code, script), os.environ["SM_MODEL_DIR"]))
