"""What a model is asked, and what was expected."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1)]


class Message(BaseModel):
    """One turn of a conversation, as Converse takes it (Bedrock API reference, Message)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    role: Literal["user", "assistant"]
    text: Text


class Case(BaseModel):
    """One question to a model: either a ``prompt`` or ``messages`` that end with the user's turn."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Unique in its dataset."""
    prompt: Text | None = None
    messages: tuple[Message, ...] = ()
    system: Text | None = None
    """System prompt."""
    expected: tuple[str, ...] = ()
    """Answers that are right; a scorer takes the best match. None where no reference exists."""
    choices: tuple[Text, ...] = ()
    """Texts of the choices of a multiple-choice question, in the order of their letters A, B, …"""
    context: tuple[str, ...] = ()
    """Passages that the answer must rest on (retrieval-augmented generation, summarization)."""
    answers: dict[str, str] = {}
    """Answers computed elsewhere, by identifier of the model that gave them."""
    group: str | None = None
    """Group of people or texts between which fairness is judged."""
    category: str | None = None
    difficulty: str | None = None
    cluster: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    """What the case shares with others of its dataset, so that they are not independent: a document, a topic, a user.

    Without it, cases that rest on the same ``context`` share it (see ``shares``).
    """
    copy_of: str | None = None
    """Of a copy with flaws, the case it is a copy of; such copies measure robustness, and nothing else."""
    perturbation: str | None = None
    """Which flaws a copy has."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if (self.prompt is None) == (not self.messages):
            raise ValueError("give a prompt, or messages, and not both")
        if self.messages and self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's: it is what the model answers")
        return self

    @property
    def conversation(self) -> tuple[Message, ...]:
        """The turns to send: ``messages``, or the prompt as the user's only turn."""
        return self.messages or (Message(role="user", text=self.prompt or ""),)

    @property
    def shares(self) -> str | None:
        """Label of the cases that are not independent of this one; None where nothing says that there are any."""
        if self.cluster is not None or not self.context:
            return self.cluster
        return sha256("\0".join(self.context).encode(errors="surrogatepass")).hexdigest()[:16]

    @property
    def question(self) -> str:
        """Text of the last turn."""
        return self.conversation[-1].text
