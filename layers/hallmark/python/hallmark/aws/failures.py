"""Which of AWS's errors pass by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from hallmark.errors import UnavailableError

_SERVER_FAULTS_FROM = 500
_PASSING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "TooManyRequestsException",
        "TransactionInProgressException",
        # Credentials that ran out while a call was on its way: the next one brings new ones.
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
    }
)
"""botocore's codes of throttled and transient errors (``botocore.retries.standard``), and those of old credentials."""


def error_code(error: ClientError) -> str:
    """Return the code of an error (``ThrottlingException`` …)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def describe_error(error: ClientError) -> str:
    """Return code and message of an error."""
    return f"{error_code(error)}: {error.response.get('Error', {}).get('Message', '')}"


def is_passing(error: ClientError) -> bool:
    """Tell whether the same call may succeed later: throttling and the service's own faults."""
    code = error_code(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code in _PASSING_CODES or "Throttl" in code or status >= _SERVER_FAULTS_FROM


@contextmanager
def calling(what: str) -> Iterator[None]:
    """Turn what passes by itself into ``UnavailableError``: throttling, the service's faults, no connection, time-outs.

    Every other error is raised as it is: AWS's (``ClientError``), and botocore's about a request that it will not even
    send (``ParamValidationError``).
    """
    try:
        yield
    except ClientError as error:
        if is_passing(error):
            raise UnavailableError(f"{what}: {describe_error(error)}") from error
        raise
    except ParamValidationError:
        raise
    except BotoCoreError as error:
        raise UnavailableError(f"{what}: {error}") from error
