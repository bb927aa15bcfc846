from __future__ import annotations

from typing import Any

import pytest

from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


GIVEN: dict[str, Any] = {
    "none": None,
    "empty": [],
    "one": [{"a": 5}],
    "rows": [{"a": 1, "tags": ["x", "y"]}, {"a": 2, "tags": ["z"]}],
    "n": 4,
}

# Values after docs.jsonata.org ("Sequences", "Array constructors") and "JSONata functions provided by Step Functions".
VALUES: list[tuple[str, Any]] = [
    ("$states.input.rows.a", [1, 2]),
    ("$states.input.one.a", 5),
    ("[$states.input.one.a]", [5]),
    ("$states.input.rows.tags", ["x", "y", "z"]),
    ("$states.input.rows.[tags]", [["x", "y"], ["z"]]),
    ("[$states.input.rows[a > 9]]", []),
    ("$states.input.rows[a > 1].a", 2),
    ("$states.input.empty", []),
    ("$states.input.none", None),
    ("$states.input.none = null", True),
    ("$exists($states.input.nothing)", False),
    ("{'kept': $states.input.none, 'dropped': $states.input.nothing}", {"kept": None}),
    ("$merge([$states.input.one[0], {'b': [1]}])", {"a": 5, "b": [1]}),
    ("$states.input.n / 2", 2),
    ("$states.input.n / 8", 0.5),
    ("[1..3]", [1, 2, 3]),
    ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
    ("{'in': $partition($states.input.rows.a, 1)}", {"in": [[1], [2]]}),
    ("$range(1, 9, 2)", [1, 3, 5, 7, 9]),
    ("$range(3, 1, -1)", [3, 2, 1]),
    ("$hash('a', 'SHA-1')", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ("$parse('{\"a\": [1, null]}').a", [1, None]),
    ("$random(7) = $random(7)", True),
    ("$length($uuid())", 36),
    ("$map([1, 2], function($v) { $v * $states.input.n })", [4, 8]),
    ("$reduce([1, 2, 3], function($i, $j) { $i + $j })", 6),
    ("$string({'a': 1})", '{"a":1}'),
    ("$keys({'only': 1})", "only"),
    ("($x := 2; $x * $x)", 4),
]


@pytest.fixture(scope="module")
def evaluated(machines: StateMachines) -> dict[str, Any]:
    """All values from one execution, by expression."""
    output = {str(index): f"{{% {expression} %}}" for index, (expression, _) in enumerate(VALUES)}
    ended = machines.run_state({"Type": "Pass", "Output": output}, GIVEN)
    assert ended.status == "SUCCEEDED", ended.cause
    return {expression: ended.output[str(index)] for index, (expression, _) in enumerate(VALUES)}


@pytest.mark.parametrize(("expression", "value"), VALUES, ids=[expression for expression, _ in VALUES])
def test_an_expression_has_the_value_that_the_language_says(
    evaluated: dict[str, Any], expression: str, value: Any
) -> None:
    assert evaluated[expression] == value
    assert type(evaluated[expression]) is type(value)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("$states.input.nothing", "returned nothing"),
        ("$nobody", "returned nothing"),
        ("$states.result", "returned nothing"),
        ("rows", "returned nothing"),
        ("1 + 'a'", "T2002"),
        ("$eval('1')", "not supported by Step Functions"),
        ("$hash('a', 'CRC')", "knows MD5"),
        ("function($x) { $x }", "a function"),
    ],
)
def test_an_expression_without_a_json_value_fails_and_names_its_field(
    machines: StateMachines, expression: str, said: str
) -> None:
    ended = machines.run_state({"Type": "Pass", "Output": {"deep": f"{{% {expression} %}}"}}, GIVEN)

    assert ended.error == "States.QueryEvaluationError"
    assert said in (ended.cause or "")
    assert "'Output/deep'" in (ended.cause or "")


def test_assignments_of_a_state_see_the_values_from_before_it(machines: StateMachines) -> None:
    states = {
        "Set": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"},
        "Swap": {
            "Type": "Pass",
            "Assign": {"a": "{% $b %}", "b": "{% $a %}"},
            "Output": "{% [$a, $b] %}",
            "Next": "Show",
        },
        "Show": {"Type": "Succeed", "Output": "{% $append($states.input, [$a, $b]) %}"},
    }

    assert machines.run({"States": states}).output == [1, 2, 2, 1]


def test_iterations_and_branches_see_outer_variables_and_keep_their_own(machines: StateMachines) -> None:
    inner = {
        "Set": {"Type": "Pass", "Assign": {"own": "{% $states.input + $outer %}"}, "Next": "Show"},
        "Show": {"Type": "Pass", "Output": "{% $own %}", "End": True},
    }
    states = {
        "Begin": {"Type": "Pass", "Assign": {"outer": 10}, "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": [1, 2, 3],
            "ItemProcessor": {"StartAt": "Set", "States": inner},
            "Assign": {"sum": "{% $sum($states.result) %}"},
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Arguments": "{% $sum %}",
            "Branches": [{"StartAt": "Set", "States": inner}, {"StartAt": "Set", "States": inner}],
            "Output": "{% {'both': $states.result, 'leaked': $exists($own)} %}",
            "End": True,
        },
    }

    assert machines.run({"States": states}).output == {"both": [46, 46], "leaked": False}


def test_a_choice_assigns_and_shapes_by_the_rule_that_holds(machines: StateMachines) -> None:
    states = {
        "IsLarge": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.n > 3 %}", "Assign": {"size": "large"}, "Output": 1, "Next": "Show"}
            ],
            "Assign": {"size": "small"},
            "Default": "Show",
        },
        "Show": {"Type": "Succeed", "Output": "{% [$size, $states.input] %}"},
    }

    assert machines.run({"States": states}, {"n": 4}).output == ["large", 1]
    assert machines.run({"States": states}, {"n": 1}).output == ["small", {"n": 1}]


def test_a_condition_is_true_or_false_and_nothing_else(machines: StateMachines) -> None:
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n %}", "Next": "Done"}], "Default": "Done"}

    ended = machines.run({"States": {"Ask": choice, "Done": {"Type": "Succeed"}}}, GIVEN)

    assert ended.error == "States.QueryEvaluationError"


def test_the_context_object_says_who_and_when(machines: StateMachines) -> None:
    ended = machines.run_state({"Type": "Pass", "Output": "{% $states.context %}"}, {"a": 1})

    execution, state = ended.output["Execution"], ended.output["State"]
    assert (execution["Id"], execution["Input"], execution["RoleArn"]) == (ended.arn, {"a": 1}, machines.everything)
    assert execution["StartTime"].endswith("Z")
    assert (state["Name"], state["RetryCount"]) == ("Only", 0)
    assert ended.output["StateMachine"]["Name"] == ended.arn.split(":")[-2]


def test_the_first_branch_that_fails_fails_the_state_and_ends_the_others(machines: StateMachines) -> None:
    branches = [
        {"StartAt": "Rest", "States": {"Rest": {"Type": "Wait", "Seconds": 30, "End": True}}},
        {"StartAt": "Break", "States": {"Break": {"Type": "Fail", "Error": "Broken"}}},
    ]
    caught = [{"ErrorEquals": ["Broken"], "Output": "caught", "Next": "Caught"}]

    assert machines.run_state({"Type": "Parallel", "Branches": branches, "Catch": caught}).output == "caught"


def test_json_path_states_assign_select_and_compare(machines: StateMachines) -> None:
    states = {
        "Set": {
            "Type": "Pass",
            "Parameters": {"n.$": "$.n", "list.$": "States.Array($.n, 2)"},
            "ResultPath": "$.made",
            "Assign": {"kept.$": "$.list"},
            "Next": "Compare",
        },
        "Compare": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.a", "StringLessThanPath": "$.b"},
                        {"Variable": "$.later", "TimestampGreaterThanPath": "$.earlier"},
                        {"Not": {"Variable": "$.nothing", "IsPresent": True}},
                    ],
                    "Next": "Show",
                }
            ],
            "Default": "Wrong",
        },
        "Show": {"Type": "Pass", "Parameters": {"kept.$": "$kept[0]", "made.$": "$.made.list[1]"}, "End": True},
        "Wrong": {"Type": "Fail"},
    }
    given = {"n": 5, "a": "a", "b": "b", "earlier": "2026-01-01T00:00:00Z", "later": "2026-01-01T01:00:00+00:30"}

    assert machines.run({"QueryLanguage": "JSONPath", "States": states}, given).output == {"kept": 5, "made": 2}
