"""Who people are: a table of their own in DynamoDB, whose content is sealed by a key of KMS.

| item | pk | sk | further |
|---|---|---|---|
| trait of a person | ``PERSON#<digest of the name>`` | ``TRAIT#<digest of the trait>`` | ``token`` |
| identity | ``TOKEN#<token>`` | ``TOKEN`` | ``sealed``: the trait and the key of its token |
| what is to be told | ``UNTOLD`` | ``<forgetting>`` | ``body`` |
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from hallmark.aws.clients import client
from hallmark.aws.failures import calling, error_code
from hallmark.aws.mac_keys import MacKey
from hallmark.erasure.tokens import INDEX_MESSAGE, KEY_BYTES, index_keys, make_identity, read_identity
from hallmark.errors import UnavailableError
from hallmark.pseudonyms import Trait, named
from hallmark.runtime.settings import Settings

if TYPE_CHECKING:
    from hallmark.events.erasure import PersonForgotten

_DESTROYED = frozenset({"KMSInvalidStateException", "NotFoundException"})
"""What KMS says of a key that is being deleted, or is gone: then everybody is forgotten (API reference, Decrypt)."""
REMEMBERED_SECONDS = 60.0
"""How long a warm function gives a token without looking whether its person was forgotten meanwhile."""
_REMEMBERED = 5_000
_ATTEMPTS = 5
_READ_KEYS = 100
_WRITES = 100
"""BatchGetItem and TransactWriteItems take 100 items at most (DynamoDB API reference)."""
_NEW = "attribute_not_exists(pk)"

Item = Mapping[str, Any]


class PersonSettings(Settings):
    """What a function is told that keeps people, names or forgets them."""

    person_table_name: str
    person_index_key_id: str
    person_sealing_key_id: str = ""
    """Only for who keeps people, or names them."""

    def person_table(self) -> PersonTable:
        """Build the table of people."""
        return PersonTable(
            self.person_table_name,
            self.person_index_key_id,
            self.person_sealing_key_id,
            client("dynamodb"),
            partial(client, "kms"),
        )


class PersonTable:
    """Pseudonyms, PersonStore and the names of tokens.

    Args:
        table_name: The table.
        index_key_id: Of the HMAC key that makes the key of the index.
        sealing_key_id: Of the key that seals; only who writes needs it.
        dynamodb: Client of DynamoDB.
        kms: Makes the client of KMS, once somebody is looked for or named.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        table_name: str,
        index_key_id: str,
        sealing_key_id: str,
        dynamodb: Any,
        kms: Callable[[], Any],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._table, self._index_key_id, self._sealing_key_id = table_name, index_key_id, sealing_key_id
        self._dynamodb, self._kms, self._clock = dynamodb, kms, clock
        self._tokens: dict[Trait, tuple[float, str]] = {}
        self._opened: dict[bytes, str] = {}

    @cached_property
    def _index_key(self) -> bytes:
        return MacKey(self._index_key_id, self._kms()).sign(INDEX_MESSAGE)

    # --- Pseudonyms ---

    def tokens(self, traits: Sequence[Trait]) -> Mapping[Trait, str]:
        """Return the token of each trait; of a new one, one is made and kept first.

        Raises:
            InvalidInputError: A trait is longer than any name.
            UnavailableError: DynamoDB or KMS did not answer.
        """
        return {trait: self._remembered(trait) or self._remember(trait, self._token(trait)) for trait in traits}

    def known_token(self, trait: Trait) -> str | None:
        """Return the token of a trait; None where it has none."""
        return self._remembered(trait) or self._find(trait)

    def _remembered(self, trait: Trait) -> str | None:
        until, token = self._tokens.get(trait, (0.0, ""))
        return token if until > self._clock() else None

    def _remember(self, trait: Trait, token: str) -> str:
        if len(self._tokens) >= _REMEMBERED:
            self._tokens.clear()
        self._tokens[trait] = (self._clock() + REMEMBERED_SECONDS, token)
        return token

    def _token(self, trait: Trait) -> str:
        for _ in range(_ATTEMPTS):
            token = self._find(trait) or self._make(trait)
            if token is not None:
                return token
        raise UnavailableError("keeping a person: others wrote it each time")

    def _find(self, trait: Trait) -> str | None:
        with calling("looking for a person"):
            answer = self._dynamodb.get_item(TableName=self._table, Key=self._place(trait), ConsistentRead=True)
        return str(answer["Item"]["token"]["S"]) if "Item" in answer else None

    def _make(self, trait: Trait) -> str | None:
        """Make a token, and keep it with its identity, both or none; None where somebody else was faster."""
        identity = make_identity(trait, secrets.token_bytes(KEY_BYTES))
        with calling("sealing a person"):
            sealed = self._kms().encrypt(
                KeyId=self._sealing_key_id, Plaintext=identity.to_bytes(), EncryptionContext=_context(identity.token)
            )["CiphertextBlob"]
        items = (
            {**self._place(trait), "token": {"S": identity.token}},
            {**_identity_key(identity.token), "sealed": {"B": sealed}},
        )
        puts = [{"Put": {"TableName": self._table, "Item": item, "ConditionExpression": _NEW}} for item in items]
        return identity.token if self._transact(puts) else None

    def _place(self, trait: Trait) -> dict[str, Any]:
        keys = index_keys(trait, self._index_key)
        return {"pk": {"S": f"PERSON#{keys.person}"}, "sk": {"S": f"TRAIT#{keys.trait}"}}

    def _transact(self, writes: Sequence[Mapping[str, Any]]) -> bool:
        """Write all or nothing; False where another write was faster, or is under way."""
        try:
            with calling("writing what is kept of a person"):
                self._dynamodb.transact_write_items(TransactItems=list(writes))
        except ClientError as error:
            if error_code(error) == "TransactionCanceledException":
                return False
            raise
        return True

    # --- names ---

    def names(self, tokens: Iterable[str]) -> dict[str, str]:
        """Return what the tokens stand for; a token whose person was forgotten has nothing.

        The table is read each time, so that nobody is named after they were forgotten; a seal is opened once.

        Raises:
            InvalidInputError: A token is not that of the identity that is kept under it.
            UnavailableError: DynamoDB or KMS did not answer.
        """
        wanted = sorted(set(tokens))
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _READ_KEYS):
            for item in self._read([_identity_key(token) for token in wanted[start : start + _READ_KEYS]]):
                token = str(item["pk"]["S"]).removeprefix("TOKEN#")
                name = self._open(token, bytes(item["sealed"]["B"]))
                found |= {} if name is None else {token: name}
        return found

    def _read(self, keys: Sequence[Item]) -> list[Item]:
        found: list[Item] = []
        left = list(keys)
        while left:
            with calling("reading who people are"):
                answer = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": left, "ConsistentRead": True}}
                )
            found += answer["Responses"].get(self._table, ())
            unread = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if len(unread) == len(left):
                raise UnavailableError("reading who people are: DynamoDB read none of them")
            left = unread
        return found

    def _open(self, token: str, sealed: bytes) -> str | None:
        if sealed not in self._opened:
            try:
                with calling("opening who a person is"):
                    opened = self._kms().decrypt(
                        CiphertextBlob=sealed, KeyId=self._sealing_key_id, EncryptionContext=_context(token)
                    )["Plaintext"]
            except ClientError as error:
                if error_code(error) in _DESTROYED:
                    return None
                raise
            if len(self._opened) >= _REMEMBERED:
                self._opened.clear()
            self._opened[sealed] = read_identity(token, opened).text
        return self._opened[sealed]

    # --- PersonStore ---

    def forget(self, names: Sequence[str], told: PersonForgotten) -> int:
        """Destroy what is kept of a person; the last of it together with keeping what is to be told.

        Raises:
            UnavailableError: DynamoDB did not take it now; what was not destroyed yet is when it is asked again.
        """
        traits = [item for name in names for item in self._traits(name)]
        keys = [key for item in traits for key in (_identity_key(item["token"]["S"]), _key_of(item))]
        untold = {"pk": {"S": "UNTOLD"}, "sk": {"S": told.forgetting}, "body": {"S": told.model_dump_json()}}
        deletes = [{"Delete": {"TableName": self._table, "Key": key}} for key in keys]
        while deletes:
            some, deletes = deletes[: _WRITES - 2], deletes[_WRITES - 2 :]
            last = [] if deletes else [{"Put": {"TableName": self._table, "Item": untold}}]
            if not self._transact([*some, *last]):
                raise UnavailableError("forgetting a person: another write was under way")
        return len(traits)

    def _traits(self, name: str) -> list[Item]:
        person = index_keys(named(name), self._index_key).person
        return self._query(f"PERSON#{person}")

    def untold(self) -> Sequence[PersonForgotten]:
        """Return what is still to be told."""
        # Loaded by who forgets: who records and who answers need it never.
        from hallmark.events.erasure import PersonForgotten  # noqa: PLC0415

        return [PersonForgotten.model_validate_json(item["body"]["S"]) for item in self._query("UNTOLD")]

    def told(self, event: PersonForgotten) -> None:
        """Note that something was told: with it goes the name of who asked."""
        with calling("noting what was told"):
            self._dynamodb.delete_item(
                TableName=self._table, Key={"pk": {"S": "UNTOLD"}, "sk": {"S": event.forgetting}}
            )

    def _query(self, partition: str) -> list[Item]:
        found: list[Item] = []
        request: dict[str, Any] = {}
        while True:
            with calling("looking for a person"):
                answer = self._dynamodb.query(
                    TableName=self._table,
                    ConsistentRead=True,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": {"S": partition}},
                    **request,
                )
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _context(token: str) -> dict[str, str]:
    # Bound to its token: a seal that is put under another token does not open.
    return {"token": token}


def _identity_key(token: str) -> dict[str, Any]:
    return {"pk": {"S": f"TOKEN#{token}"}, "sk": {"S": "TOKEN"}}


def _key_of(item: Item) -> dict[str, Any]:
    return {"pk": item["pk"], "sk": item["sk"]}
