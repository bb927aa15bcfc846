"""What the jobs of the stand-in stand on."""

from __future__ import annotations

import json
import secrets
import string
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from local.bedrock.clients import MayInvoke, S3OfRole
from local.bedrock.contract import Call, Document, ServiceError, invalid
from local.bedrock.inference import Inference
from local.bedrock.settings import BedrockSettings
from local.sagemaker.jobs import JobPool, JobRun
from local.sagemaker.listing import page
from local.sagemaker.resources import Resource, ResourceStore, utc_now
from local.sagemaker.s3_files import StagingError, download_object, split_s3_uri

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_IDENTIFIER_LENGTH = 12
_ALPHABET = string.ascii_lowercase + string.digits
_MAX_MESSAGE = 2048  # characters of a failure message (Bedrock API reference, Message, ErrorMessage)


class JobFailedError(Exception):
    """A job cannot go on; the text is its failure message."""


class JobStoppedError(Exception):
    """Somebody stopped the job."""


def new_identifier() -> str:
    """Return twelve letters and digits, as ARNs of Bedrock's jobs end."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_IDENTIFIER_LENGTH))


@dataclass
class Foundation:
    """Shared by all parts that keep something.

    Attributes:
        store: The resources.
        pool: The running jobs.
        inference: Asks models.
        s3: S3 clients of service roles.
        may_invoke: Whether a service role may invoke a model.
        settings: Settings of the stand-in.
    """

    store: ResourceStore
    pool: JobPool
    inference: Inference
    s3: S3OfRole
    may_invoke: MayInvoke
    settings: BedrockSettings
    _tokens: dict[tuple[str, str, str, str], Resource] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def create_once(
        self, call: Call, kind: str, make: Callable[[], Resource], start: Callable[[Resource], None]
    ) -> str:
        """Create a job unless this request was made before; return its ARN.

        Args:
            call: The request; ``clientRequestToken`` makes a repeat of it harmless.
            kind: Kind of the job.
            make: Makes the resource.
            start: Starts it.

        Raises:
            ServiceError: ``ConflictException`` where the name is taken.
        """
        token: str = call.parameters.get("clientRequestToken", "")
        key = (call.account, call.region, kind, token)
        with self._lock:
            if token and key in self._tokens:
                return self._tokens[key].arn
            resource = make()
            if not self.store.add(resource):
                raise ServiceError(
                    "ConflictException", f"The {kind} name {resource.name} is taken: choose another one."
                )
            if token:
                self._tokens[key] = resource
        start(resource)
        return resource.arn

    def new_job(self, call: Call, kind: str, arn: str, description: Document, tags: str) -> Resource:
        """Return a job that is not kept yet; ``tags`` is the member of the request that holds its tags."""
        return Resource(
            kind=kind,
            name=call.parameters["jobName"],
            arn=arn,
            account=call.account,
            region=call.region,
            partition=call.partition,
            description=description,
            tags={tag["key"]: tag["value"] for tag in call.parameters.get(tags, ())},
        )

    def s3_for(self, call: Call, kind: str) -> S3Client:
        """Return an S3 client of the role that a request for a job names.

        Raises:
            ServiceError: Bedrock may not assume the role.
        """
        return self.s3(call.parameters["roleArn"], call.arn(f"{kind}/*"), call.region, call.account)

    def find(self, call: Call, kind: str, identifier: str) -> Resource:
        """Return a job by ARN, by the end of its ARN, or by name.

        Raises:
            ServiceError: ``ResourceNotFoundException``.
        """
        for resource in self.store.of_kind(call, kind):
            if identifier in {resource.arn, resource.name, resource.arn.rpartition("/")[2]}:
                return resource
        raise ServiceError("ResourceNotFoundException", f"Could not find the {kind} {identifier}.")

    def forget(self, resource: Resource) -> None:
        """Remove a resource."""
        with self._lock:
            self._tokens = {key: kept for key, kept in self._tokens.items() if kept is not resource}
        self.store.remove(resource)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tokens.clear()
        self.store.clear()

    def run(
        self, resource: Resource, work: Callable[[JobRun], Mapping[str, Any]], failed: Callable[[str], Document]
    ) -> None:
        """Run a job in a thread of its own.

        Args:
            resource: The job.
            work: Does it; returns the members of its last state.
            failed: Gives the members of the state of a job that failed, from the reason.
        """

        def execute(run: JobRun) -> None:
            last: Mapping[str, Any] | None = None
            try:
                last = work(run)
            except JobStoppedError:
                last = {"status": "Stopped"}
            except (JobFailedError, ServiceError, StagingError, BotoCoreError) as error:
                last = failed(str(error)[:_MAX_MESSAGE])
            finally:
                self.change(resource, last or failed("The job ended by an error of the local cloud: see its log."))

        self.pool.start(resource.arn, execute, has_container=False)

    def change(self, resource: Resource, members: Mapping[str, Any], *, silent: bool = False) -> None:
        """Change a job's description; a time of change is added."""
        self.store.update(resource, {**members, "lastModifiedTime": utc_now()}, silent=silent)

    def stop(self, resource: Resource, running: Sequence[str]) -> None:
        """Ask a job to end.

        Args:
            resource: The job.
            running: The states that it can be stopped in.

        Raises:
            ServiceError: ``ConflictException`` where it has ended.
        """

        def stopping(description: Document) -> Document | None:
            return {"status": "Stopping", "lastModifiedTime": utc_now()} if description["status"] in running else None

        run = self.pool.find(resource.arn)
        if run is None or not self.store.update(resource, stopping):
            raise ServiceError("ConflictException", f"{resource.arn} is {resource.status} and cannot be stopped.")
        run.stop()

    def check_model(self, call: Call, model_id: str) -> str:
        """Return the ARN of a model that a job names.

        Raises:
            ServiceError: There is none.
        """
        return self.inference.catalogue.resolve(model_id, call).arn


def listed(call: Call, resources: Sequence[Resource], default: int, most: int) -> tuple[list[Resource], Document]:
    """Return one page of resources by the request's filters, and the token of the next.

    Args:
        call: The request, with ``statusEquals``, ``nameContains``, times, ``sortOrder``, ``maxResults``, ``nextToken``.
        resources: All of them.
        default: Items on a page unless the caller says otherwise.
        most: Items on a page at most, whatever the caller says.

    Raises:
        ServiceError: The token is not one of this list.
    """
    wanted = call.parameters
    kept = [resource for resource in resources if _passes(wanted, resource)]
    kept.sort(key=lambda resource: (_created(resource), resource.name), reverse=wanted.get("sortOrder") != "Ascending")
    upper = {name[:1].upper() + name[1:]: value for name, value in wanted.items()}
    upper["MaxResults"] = min(wanted.get("maxResults", default), most)
    as_sagemaker = Call(call.operation, upper, call.account, call.region, call.partition, call.caller_arn)
    items, token = page(as_sagemaker, kept, default)
    return items, {"nextToken": token["NextToken"]} if token else {}


def _created(resource: Resource) -> Any:
    return resource.description.get("creationTime") or resource.description["submitTime"]


def _passes(wanted: Mapping[str, Any], resource: Resource) -> bool:
    if wanted.get("nameContains", "").lower() not in resource.name.lower():
        return False
    if wanted.get("statusEquals", resource.status) != resource.status:
        return False
    after = wanted.get("creationTimeAfter") or wanted.get("submitTimeAfter")
    before = wanted.get("creationTimeBefore") or wanted.get("submitTimeBefore")
    created = _created(resource)
    return (after is None or created > after) and (before is None or created < before)


def read_json_lines(s3: S3Client, uri: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number, object) of each line of an object on S3 that is not blank.

    Raises:
        JobFailedError: It cannot be read, or a line is no JSON object.
    """
    try:
        text = download_object(s3, uri).decode("utf-8")
    except UnicodeDecodeError as error:
        raise JobFailedError(f"{uri} is not UTF-8: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise JobFailedError(f"line {number} of {uri} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise JobFailedError(f"line {number} of {uri} is not a JSON object")
        yield number, record


def below(uri: str, *parts: str) -> str:
    """Return the URI of an object below the prefix ``uri``."""
    split_s3_uri(uri)
    return "/".join([uri.rstrip("/"), *parts])


def check_s3_uri(uri: str) -> str:
    """Return ``uri``.

    Raises:
        ServiceError: It is not an S3 URI.
    """
    try:
        split_s3_uri(uri)
    except StagingError as error:
        raise invalid(str(error)) from error
    return uri


def raise_if_stopping(run: JobRun) -> None:
    """End the job's work where somebody asked for it.

    Raises:
        JobStoppedError: Somebody did.
    """
    if run.is_stopping:
        raise JobStoppedError
