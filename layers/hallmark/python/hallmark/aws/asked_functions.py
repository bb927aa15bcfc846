"""Asking one of Hallmark's own functions from within another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hallmark.aws.failures import calling
from hallmark.errors import InvalidInputError, NotFoundError, UnavailableError


class AskedFunctions:
    """Functions that answer questions, by what they are about.

    Args:
        functions: Their names.
        client: Of Lambda.
    """

    def __init__(self, functions: Mapping[str, str], client: Any) -> None:
        self._functions, self._client = functions, client

    def ask(self, source: str, question: Mapping[str, Any]) -> Any:
        """Return what a function answers.

        Raises:
            InvalidInputError: There is no such function, or it does not understand the question.
            NotFoundError: What is asked about does not exist.
            UnavailableError: It did not answer.
        """
        function = self._functions.get(source)
        if function is None:
            known = ", ".join(sorted(self._functions))
            raise InvalidInputError("source", source, f"answers of these are signed: {known}")
        with calling(f"asking {source}"):
            answer = self._client.invoke(FunctionName=function, Payload=json.dumps(question).encode())
        document = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            return document
        kind, message = str(document.get("errorType", "")), str(document.get("errorMessage", document))
        if kind == "InvalidInputError":
            raise InvalidInputError("question", dict(question), message)
        if kind == "NotFoundError":
            raise NotFoundError(message)
        raise UnavailableError(f"asking {source}: {kind}: {message}")
