"""The process whose copies run functions; started by the emulator as a script, with the socket on which it is asked.

It has read what every function's environment has installed, and waits. Each request brings the variables and the folder
of one worker and its three standard streams; the answer is the id of the copy that has them.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

REQUEST_BYTES = 1 << 17
STREAMS = 3

READ_BEFOREHAND = (
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "boto3.session",
    "botocore.client",
    "botocore.endpoint",
    "botocore.handlers",
    "botocore.httpsession",
    "botocore.retries.standard",
    "botocore.session",
    "numpy",
    "pydantic",
    "yaml",
)
"""Nothing of ours: what an asset brings, and what reads variables as it is imported, each process reads for itself."""

OFTEN_ASKED = ("dynamodb", "events", "lambda", "s3", "sagemaker", "sqs", "stepfunctions")
"""Services whose descriptions the SDK has read before a function makes a client."""


def read_descriptions() -> None:
    """Make a client of each service that is often asked: its description and the modules behind it are read by that."""
    module = importlib.import_module("botocore.session")
    # A session would read for itself what another one has read.
    vars(module)["create_loader"] = cache(module.create_loader)
    session = module.Session()
    session.set_credentials("nobody", "nothing")
    for service in OFTEN_ASKED:
        session.create_client(service, region_name="us-east-1")


def worker_process() -> ModuleType:
    """Return the module beside this one, although its folder is not searched."""
    spec = spec_from_file_location("worker_process", Path(__file__).with_name("worker_process.py"))
    if spec is None or spec.loader is None:
        raise ImportError("worker_process.py is not beside this script")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def become(request: bytes, streams: list[int]) -> None:
    """Take a worker's streams, variables and folder."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    told = json.loads(request)
    os.environ.clear()
    os.environ.update(told["variables"])
    time.tzset()
    os.chdir(told["folder"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> None:
    """Copy this process whenever the emulator asks for it; end with the emulator."""
    control = socket.socket(fileno=int(sys.argv[1]))
    worker = worker_process()
    worker.set_environment({})
    # Bytecode of what functions share is written once, whatever the developer's shell says.
    sys.dont_write_bytecode = False
    before = set(sys.modules)
    for name in READ_BEFOREHAND:
        importlib.import_module(name)
    read_descriptions()
    control.send(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})).encode())
    gc.collect()
    gc.freeze()
    # Copies that have ended are not waited for; Ctrl-C is the emulator's affair.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        request, streams, _, _ = socket.recv_fds(control, REQUEST_BYTES, STREAMS)
        if not request:
            return
        process = os.fork()
        if not process:
            break
        for stream in streams:
            os.close(stream)
        control.send(str(process).encode())
    control.close()
    become(request, list(streams))
    worker.main()


if __name__ == "__main__":
    main()
