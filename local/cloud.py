"""The local cloud: MiniStack and the stand-ins of SageMaker and Bedrock in this process, behind one loopback port."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from hypercorn.asyncio import serve
from hypercorn.config import Config as ServerConfig

from local import ministack_access
from local.bedrock_port import BedrockPort
from local.channels.server import ChannelServer
from local.envelopes import localise_event, read_event
from local.gateway import Gateway
from local.ministack_access import ServerAddress, root_client
from local.port_owner import PortInUseError
from local.sagemaker_port import SageMakerPort
from local.settings import CloudSettings, child_environment, client_environment, configure_emulator

_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_BACKLOG = 256
_LOGGER = logging.getLogger(__name__)


class CloudStartError(RuntimeError):
    """The local cloud did not start; the message says why."""


class LocalCloud:
    """AWS's APIs on one port, from ``start`` to ``stop``; a context manager.

    MiniStack keeps its state in module globals, so one local cloud runs in a process at a time.

    Args:
        settings: Account, region and port.
        sagemaker: Makes the stand-in of SageMaker, once for each start.
        bedrock: Makes the stand-in of Bedrock, likewise.

    Attributes:
        account: Twelve digits.
        region: Region of the clients and of what is deployed.
    """

    _running = threading.Lock()

    def __init__(
        self,
        settings: CloudSettings | None = None,
        *,
        sagemaker: Callable[[], SageMakerPort] | None = None,
        bedrock: Callable[[], BedrockPort] | None = None,
    ) -> None:
        self._settings = settings or CloudSettings()
        self._make_sagemaker = sagemaker or _sagemaker_service
        self._make_bedrock = bedrock or _bedrock_service
        self.account = self._settings.account
        self.region = self._settings.region
        self._port = self._settings.port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_requested: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._sagemaker: SageMakerPort | None = None
        self._bedrock: BedrockPort | None = None
        self._channels = ChannelServer()
        self._stand_in_lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """URL of every service, e.g. ``http://127.0.0.1:4566``."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """TCP port; 0 until the cloud has started where the settings left the choice to it."""
        return self._port

    def environment(self) -> dict[str, str]:
        """Return the ``AWS_*`` variables for a client of this cloud, as its root."""
        return client_environment(self.endpoint, self.account, self.region)

    def child_environment(self) -> dict[str, str]:
        """Return a whole environment for a child process that is a client of this cloud."""
        return child_environment(self.endpoint, self.account, self.region)

    def client(self, service: str, region: str | None = None) -> Any:
        """Return a boto3 client of ``service`` with the root's credentials; it is shared and thread-safe.

        Raises:
            NotRunningError: This cloud does not run.
        """
        return root_client(service, self.account, region or self.region)

    def sagemaker(self) -> SageMakerPort:
        """Return the stand-in of SageMaker; it is made when it is first asked for."""
        with self._stand_in_lock:
            if self._sagemaker is None:
                self._sagemaker = self._make_sagemaker()
            return self._sagemaker

    def bedrock(self) -> BedrockPort:
        """Return the stand-in of Bedrock, with the faults and counts of its models; made when it is first asked for."""
        with self._stand_in_lock:
            if self._bedrock is None:
                self._bedrock = self._make_bedrock()
            return self._bedrock

    def channels(self) -> ChannelServer:
        """Return Slack and PagerDuty as they answer here: what they were sent, and the faults that they are to have."""
        return self._channels

    def start(self) -> Self:
        """Bind the port and serve; Slack and PagerDuty answer on a port of their own, which secrets name.

        Raises:
            PortInUseError: Another process listens on the port.
            CloudStartError: A cloud runs in this process already, or the emulator did not start.
        """
        if not self._running.acquire(blocking=False):
            raise CloudStartError("a local cloud runs in this process already: stop it first")
        try:
            self._serve(self._bind())
        except BaseException:
            self._running.release()
            raise
        self._channels.start()
        self._put_secrets()
        return self

    def stop(self) -> None:
        """Stop serving, empty all state, and end the workers of functions and the processes of jobs."""
        if self._thread is None or self._loop is None or self._stop_requested is None:
            return
        if self._sagemaker is not None:
            self._sagemaker.close()
            self._sagemaker = None
        if self._bedrock is not None:
            self._bedrock.close()
            self._bedrock = None
        self._channels.stop()
        self._loop.call_soon_threadsafe(self._stop_requested.set)
        self._thread.join(_STOP_SECONDS)
        self._reset_emulator()
        ministack_access.unbind()
        self._thread = None
        self._running.release()

    def reset(self) -> None:
        """Empty the state of every service and end every job."""
        if self._sagemaker is not None:
            self._sagemaker.reset()
        if self._bedrock is not None:
            self._bedrock.reset()
        self._reset_emulator()
        self._channels.clear()
        self._put_secrets()

    def emit(self, events: Iterable[Mapping[str, Any]], *, as_is: bool = False) -> int:
        """Publish events on the default bus as AWS's services do; return how many.

        Args:
            events: Whole events, as a rule's target receives them.
            as_is: Leave account and region as they are; otherwise they become this cloud's, in the envelope and in
                every ARN.

        Raises:
            NotAnEventError: One of them is no event; none is published then.
        """
        checked = [read_event(event) for event in events]
        for event in checked:
            envelope = event if as_is else localise_event(event, self.account, self.region)
            ministack_access.publish_envelope(envelope, self.account, self.region)
        return len(checked)

    def status(self) -> dict[str, Any]:
        """Return port, account, services, deployed stacks, and how deep each dead-letter queue is."""
        from local.emulator_status import describe_emulator  # noqa: PLC0415 - it imports MiniStack

        return {
            "endpoint": self.endpoint,
            "account": self.account,
            "region": self.region,
            **describe_emulator(self.account, self.region),
        }

    def kill_function(self, name: str) -> int:
        """End the processes of the functions whose name contains ``name``, as a crash does; return how many."""
        from local.emulator_status import kill_function  # noqa: PLC0415 - as above

        return kill_function(name)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, exception_type: type[BaseException] | None, exception: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bind(self) -> socket.socket:
        """Listen at once, so that a chosen free port stays ours and early clients wait in the backlog."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", self._settings.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise PortInUseError(self._settings.port) from error
        self._port = listener.getsockname()[1]
        return listener

    def _serve(self, listener: socket.socket) -> None:
        configure_emulator(self._settings, self._port)
        import ministack.app as emulator  # noqa: PLC0415 - MiniStack reads its settings at import

        from local.patches import every_mend  # noqa: PLC0415 - it imports MiniStack

        # Whoever imported MiniStack earlier in this process did so without our settings.
        emulator.AUTH = True
        emulator._MINISTACK_PORT = str(self._port)
        ministack_access.bind(ServerAddress(self.endpoint, self.account, self.region))
        every_mend.apply_all(self.sagemaker, self.bedrock)
        ready = threading.Event()
        gateway = Gateway(emulator.app, self, ready.set)

        def run() -> None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
            self._stop_requested = asyncio.Event()
            try:
                self._loop.run_until_complete(
                    serve(gateway, _server_config(listener), shutdown_trigger=self._stop_requested.wait)  # type: ignore[arg-type] # hypercorn's own union of ASGI 2 and 3
                )
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
                self._failure = error
            finally:
                ready.set()
                self._loop.close()

        self._thread = threading.Thread(target=run, name="local-cloud", daemon=True)
        self._thread.start()
        if not ready.wait(_START_SECONDS) or self._failure is not None:
            ministack_access.unbind()
            raise CloudStartError(
                f"the emulator did not start: {self._failure or 'it took too long'}"
            ) from self._failure

    def _put_secrets(self) -> None:
        """Keep what reaches the channels where a team keeps it."""
        secrets = self.client("secretsmanager")
        for name, value in self._channels.secrets().items():
            secrets.create_secret(Name=name, SecretString=value)

    @staticmethod
    def _reset_emulator() -> None:
        import ministack.app as emulator  # noqa: PLC0415

        emulator._reset_all_state()


def _sagemaker_service() -> SageMakerPort:
    from local.sagemaker.service import SageMakerService  # noqa: PLC0415 - botocore's model of SageMaker takes long to read
    from local.sagemaker.telemetry import send_to_cloudwatch  # noqa: PLC0415 - as above

    return SageMakerService(send_telemetry=send_to_cloudwatch)


def _bedrock_service() -> BedrockPort:
    from local.bedrock.service import BedrockService  # noqa: PLC0415 - as above

    return BedrockService()


def _server_config(listener: socket.socket) -> ServerConfig:
    config = ServerConfig()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2
    config.shutdown_timeout = 1.0
    config.backlog = _BACKLOG
    config.h11_max_incomplete_size = 1 << 20
    config.accesslog = None
    config.errorlog = None
    return config
