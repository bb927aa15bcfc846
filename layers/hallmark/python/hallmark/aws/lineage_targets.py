"""Who takes run events: an OpenLineage endpoint over HTTP, and SageMaker Catalog (Amazon DataZone)."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from hallmark.alerts.channels.posting import Poster
from hallmark.aws.failures import calling, describe_error, error_code
from hallmark.aws.secrets import Secrets
from hallmark.errors import InvalidInputError, UnavailableError
from hallmark.lineage.exports.sending import Sent

_GOOD = range(200, 300)
_REFUSED_KEYS = (401, 403)
_LATER = (408, 425, 429)
_SERVER_FAULTS_FROM = 500
_REASON_LENGTH = 300


class OpenLineageEndpoint:
    """Posts each event by itself, as OpenLineage's clients do.

    Args:
        url: The address, with its path.
        poster: HTTP.
        secrets: Where the API key is; None where none is needed.
        secret: Name of the secret with the key.
        key: The key itself, where whoever calls has it.
    """

    def __init__(
        self,
        url: str,
        poster: Poster,
        *,
        secrets: Secrets | None = None,
        secret: str | None = None,
        key: str | None = None,
    ) -> None:
        self._url, self._poster, self._secrets, self._secret, self._key = url, poster, secrets, secret, key

    def post(self, sent: Sent) -> None:
        """Post an event.

        Raises:
            UnavailableError: It was not taken now.
            InvalidInputError: It will never be taken.
        """
        key = self._key
        if self._secrets is not None and self._secret is not None:
            key = self._secrets.read(self._secret).strip()
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
        answer = self._poster.post(self._url, sent.body, headers)
        if answer.status in _GOOD:
            return
        said = f"{answer.status} {answer.body[:_REASON_LENGTH]}".strip()
        if answer.status in _REFUSED_KEYS and self._secrets is not None and self._secret is not None:
            # It may have been changed since it was read.
            self._secrets.forget(self._secret)
        if answer.status >= _SERVER_FAULTS_FROM or answer.status in _LATER or answer.status in _REFUSED_KEYS:
            raise UnavailableError(f"the OpenLineage endpoint does not take events now: {said}")
        raise InvalidInputError("the OpenLineage endpoint's answer", said, f"see what {self._url} accepts")


class CatalogDomain:
    """A domain of SageMaker Catalog; an event's digest makes a repeat the same request."""

    def __init__(self, domain: str, client: Any) -> None:
        self._domain, self._client = domain, client

    def post(self, sent: Sent) -> None:
        """Post an event.

        Raises:
            UnavailableError: It was not taken now.
            InvalidInputError: It will never be taken.
        """
        try:
            with calling("posting lineage to SageMaker Catalog"):
                self._client.post_lineage_event(domainIdentifier=self._domain, event=sent.body, clientToken=sent.token)
        except ClientError as error:
            if error_code(error) == "ConflictException":
                return  # the same event is on its way already
            remedy = (
                "let the function's role post lineage in the domain (datazone:PostLineageEvent, and a member of it)"
            )
            raise InvalidInputError(
                "lineage.catalog.domain", self._domain, f"{describe_error(error)}: {remedy}"
            ) from None
