"""Asks lineage, through the function that answers its questions."""

from __future__ import annotations

import json
from typing import Any, Literal

from hallmark.aws.failures import calling
from hallmark.errors import UnavailableError
from hallmark.lineage.model import NodeKind
from hallmark.lineage.questions import Answer, Direction, Question, TraceAnswer, TraceQuestion, read_answer

_ANCESTORS = 5_000


class LineageService:
    """Asks ``query_lineage``.

    Args:
        function: Its name.
        client: Of Lambda.
        people: Who keeps or sends on what is answered asks for tokens of people instead of their names.
    """

    def __init__(self, function: str, client: Any, people: Literal["names", "tokens"] = "names") -> None:
        self._function, self._client, self._people = function, client, people

    def ask(self, question: Question) -> Answer:
        """Ask a question.

        Raises:
            UnavailableError: The function did not answer.
        """
        with calling("asking lineage"):
            answer = self._client.invoke(FunctionName=self._function, Payload=self._payload(question))
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise UnavailableError(f"asking lineage: {document.get('errorType')}: {document.get('errorMessage')}")
        return read_answer(document)

    def _payload(self, question: Question) -> bytes:
        if self._people == "names":
            return question.model_dump_json().encode()
        return json.dumps({**question.model_dump(mode="json"), "people": self._people}).encode()

    def packages_behind(self, endpoint: str) -> tuple[str, ...]:
        """Return the model packages that an endpoint serves now."""
        answer = self.ask(TraceQuestion(node=endpoint, direction=Direction.UP, depth=3, node_budget=_ANCESTORS))
        if not isinstance(answer, TraceAnswer):
            return ()
        return tuple(node.key for node in answer.nodes if node.kind is NodeKind.MODEL_PACKAGE)
