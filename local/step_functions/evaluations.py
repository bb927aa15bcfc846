"""The fields of a state, evaluated in its query language.

Source: "Using JSONata" and "Processing input and output", developer guide; Amazon States Language, states-language.net.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.step_functions import json_paths, jsonata_expressions
from local.step_functions.documents import Document, to_text
from local.step_functions.failures import QUERY_EVALUATION, RUNTIME, StateFailure
from local.step_functions.json_paths import Surroundings
from local.step_functions.jsonata_expressions import Names

JSONATA = "JSONata"


@dataclass(frozen=True)
class Outcome:
    """What a state leaves behind.

    Attributes:
        output: Input of the next one.
        assigned: Variables that it sets.
    """

    output: Any
    assigned: Mapping[str, Any]


@dataclass(frozen=True)
class StateView:
    """A state as it was entered.

    Attributes:
        state: Its definition.
        raw_input: Its input.
        context: The context object.
        variables: Variables that it sees.
    """

    state: Document
    raw_input: Any
    context: Document
    variables: Mapping[str, Any]


class Evaluation(Protocol):
    """The fields of a state that was entered."""

    def effective_input(self) -> Any:
        """Return the input that the state works on."""
        ...

    def arguments(self) -> Any:
        """Return what a task, a branch or a pass state works with."""
        ...

    def template(self, template: Any, field: str, context: Document | None = None) -> Any:
        """Return a template of the state, e.g. ``ItemSelector``, perhaps in another context."""
        ...

    def value(self, field: str, default: Any = None, owner: Document | None = None) -> Any:
        """Return a field that may be given by an expression or a path.

        Args:
            field: E.g. ``TimeoutSeconds``.
            default: Value of a field that is not there.
            owner: Where the field stands, if not in the state itself.
        """
        ...

    def number(self, field: str, default: float | None = None, owner: Document | None = None) -> Any:
        """Return such a field as a number.

        Raises:
            StateFailure: It is something else.
        """
        ...

    def outcome(self, result: Any) -> Outcome:
        """Return what the state leaves with a result."""
        ...

    def passed_on(self, owner: Document | None = None) -> Outcome:
        """Return what a state without a result leaves; ``owner`` is the branch of a choice that was taken."""
        ...

    def caught(self, catcher: Document, error_output: Document) -> Outcome:
        """Return what a caught failure leaves."""
        ...


def evaluation(view: StateView, default_language: str) -> Evaluation:
    """Return the evaluation of a state in its own language or the state machine's."""
    is_jsonata = view.state.get("QueryLanguage", default_language) == JSONATA
    return JsonataEvaluation(view) if is_jsonata else JsonPathEvaluation(view)


@dataclass(frozen=True)
class JsonataEvaluation:
    """See :class:`Evaluation`."""

    view: StateView

    def effective_input(self) -> Any:
        """See :class:`Evaluation`."""
        return self.view.raw_input

    def arguments(self) -> Any:
        """See :class:`Evaluation`."""
        if "Arguments" not in self.view.state:
            return self.view.raw_input
        return self.template(self.view.state["Arguments"], "Arguments")

    def template(self, template: Any, field: str, context: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        return jsonata_expressions.fill(template, self._names(context), field)

    def value(self, field: str, default: Any = None, owner: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        place = self.view.state if owner is None else owner
        return default if field not in place else self.template(place[field], field)

    def number(self, field: str, default: float | None = None, owner: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        value = self.value(field, default, owner)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise StateFailure(
                QUERY_EVALUATION,
                f"The JSONata expression specified for the field '{field}' returned an unexpected result type. "
                f"Expected 'number', but was: {to_text(value)[:200]}",
            )
        return value

    def outcome(self, result: Any) -> Outcome:
        """See :class:`Evaluation`."""
        return self._outcome(self.view.state, result, {"result": result})

    def passed_on(self, owner: Document | None = None) -> Outcome:
        """See :class:`Evaluation`."""
        place = self.view.state if owner is None else owner
        return self._outcome(place, self.view.raw_input, {})

    def caught(self, catcher: Document, error_output: Document) -> Outcome:
        """See :class:`Evaluation`."""
        return self._outcome(catcher, error_output, {"errorOutput": error_output})

    def _outcome(self, owner: Document, default: Any, more: Document) -> Outcome:
        names = self._names(more=more)
        output = jsonata_expressions.fill(owner["Output"], names, "Output") if "Output" in owner else default
        assigned = jsonata_expressions.fill(owner.get("Assign", {}), names, "Assign")
        return Outcome(output, assigned)

    def _names(self, context: Document | None = None, more: Document | None = None) -> Names:
        states = {"input": self.view.raw_input, "context": context or self.view.context, **(more or {})}
        return Names(states, self.view.variables)


@dataclass(frozen=True)
class JsonPathEvaluation:
    """See :class:`Evaluation`."""

    view: StateView

    def effective_input(self) -> Any:
        """See :class:`Evaluation`."""
        return self._selected("InputPath", self.view.raw_input)

    def arguments(self) -> Any:
        """See :class:`Evaluation`."""
        effective = self.effective_input()
        if "Parameters" not in self.view.state:
            return effective
        return json_paths.fill(self.view.state["Parameters"], effective, self._around(), "Parameters")

    def template(self, template: Any, field: str, context: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        return json_paths.fill(template, self.effective_input(), self._around(context), field)

    def value(self, field: str, default: Any = None, owner: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        place = self.view.state if owner is None else owner
        path = place.get(f"{field}Path")
        if path is None:
            return place.get(field, default)
        return json_paths.resolve(path, self.effective_input(), self._around(), f"{field}Path")

    def number(self, field: str, default: float | None = None, owner: Document | None = None) -> Any:
        """See :class:`Evaluation`."""
        value = self.value(field, default, owner)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise StateFailure(RUNTIME, f"The value of {field} must be a number, but was: {to_text(value)[:200]}")
        return value

    def outcome(self, result: Any) -> Outcome:
        """See :class:`Evaluation`."""
        state, around = self.view.state, self._around()
        selector = state.get("ResultSelector")
        selected = result if selector is None else json_paths.fill(selector, result, around, "ResultSelector")
        placed = json_paths.place(state.get("ResultPath", "$"), self.view.raw_input, selected)
        assigned = json_paths.fill(state.get("Assign", {}), result, around, "Assign")
        return Outcome(self._selected("OutputPath", placed), assigned)

    def passed_on(self, owner: Document | None = None) -> Outcome:
        """See :class:`Evaluation`."""
        place = self.view.state if owner is None else owner
        effective = self.effective_input()
        assigned = json_paths.fill(place.get("Assign", {}), effective, self._around(), "Assign")
        return Outcome(self._selected("OutputPath", effective), assigned)

    def caught(self, catcher: Document, error_output: Document) -> Outcome:
        """See :class:`Evaluation`."""
        assigned = json_paths.fill(catcher.get("Assign", {}), error_output, self._around(), "Assign")
        placed = json_paths.place(catcher.get("ResultPath", "$"), self.view.raw_input, error_output)
        return Outcome(placed, assigned)

    def _selected(self, field: str, value: Any) -> Any:
        path = self.view.state.get(field, "$")
        return {} if path is None else json_paths.resolve(path, value, self._around(), field)

    def _around(self, context: Document | None = None) -> Surroundings:
        return Surroundings(context or self.view.context, self.view.variables)
