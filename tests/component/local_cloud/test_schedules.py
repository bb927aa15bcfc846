from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from local.cloud import LocalCloud
from tests.component.local_cloud.conftest import Workbench
from tests.component.local_cloud.state_machines import StateMachines

NO_WINDOW = {"Mode": "OFF"}


@pytest.fixture(scope="module")
def machines(workbench: Workbench) -> StateMachines:
    return StateMachines(workbench)


def soon() -> str:
    return (datetime.now(UTC) + timedelta(seconds=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")


def following(cloud: LocalCloud, expression: str, zone: str, after: str, count: int = 1) -> list[str]:
    from local.patches.schedules import Timing  # noqa: PLC0415 - MiniStack reads its settings when it is imported

    timing = Timing(expression, ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC))
    moments = [datetime.fromisoformat(after)]
    for _ in range(count):
        moment = timing.following(moments[-1])
        assert moment is not None
        moments.append(moment)
    return [moment.isoformat() for moment in moments[1:]]


def test_a_cron_schedule_keeps_its_local_hour_over_the_change_of_time(cloud: LocalCloud) -> None:
    nights = following(cloud, "cron(0 7 * * ? *)", "Europe/Berlin", "2026-03-27T12:00:00+00:00", 3)

    assert nights == ["2026-03-28T06:00:00+00:00", "2026-03-29T05:00:00+00:00", "2026-03-30T05:00:00+00:00"]


def test_a_local_time_that_is_skipped_does_not_fire(cloud: LocalCloud) -> None:
    assert following(cloud, "cron(30 2 * * ? *)", "America/New_York", "2026-03-07T12:00:00+00:00", 2) == [
        "2026-03-09T06:30:00+00:00",
        "2026-03-10T06:30:00+00:00",
    ]


def test_a_local_time_that_happens_twice_fires_once(cloud: LocalCloud) -> None:
    assert following(cloud, "cron(30 1 * * ? *)", "America/New_York", "2026-10-31T12:00:00+00:00", 2) == [
        "2026-11-01T05:30:00+00:00",
        "2026-11-02T06:30:00+00:00",
    ]


def test_a_one_time_schedule_is_local_too(cloud: LocalCloud) -> None:
    assert following(cloud, "at(2026-07-01T09:00:00)", "Asia/Tokyo", "2026-01-01T00:00:00+00:00") == [
        "2026-07-01T00:00:00+00:00"
    ]


def test_a_rate_counts_from_its_anchor(cloud: LocalCloud) -> None:
    assert following(cloud, "rate(6 hours)", "UTC", "2026-01-01T07:00:00+00:00", 2) == [
        "2026-01-01T12:00:00+00:00",
        "2026-01-01T18:00:00+00:00",
    ]


def test_a_schedule_starts_an_execution_with_its_input_and_goes(machines: StateMachines) -> None:
    machine = machines.create({"States": {"Done": {"Type": "Succeed"}}})
    client = machines.workbench.cloud.client("scheduler")
    name = machines.workbench.name("schedule")

    client.create_schedule(
        Name=name,
        ScheduleExpression=soon(),
        FlexibleTimeWindow=NO_WINDOW,
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": machine,
            "RoleArn": machines.role(("states:StartExecution", machine)),
            "Input": '{"schedule": "<aws.scheduler.schedule-arn>"}',
        },
    )

    started = machines.workbench.wait_for(
        lambda: machines.client.list_executions(stateMachineArn=machine)["executions"]
    )
    given = json.loads(machines.describe(started[0]["executionArn"])["input"])
    assert given["schedule"].endswith(f":schedule/default/{name}")

    def is_gone() -> bool:
        try:
            client.get_schedule(Name=name)
        except client.exceptions.ResourceNotFoundException:
            return True
        return False

    assert machines.workbench.wait_for(is_gone)


def test_a_schedule_reaches_queues_and_functions(machines: StateMachines) -> None:
    bench = machines.workbench
    url, queue = bench.queue()
    function = bench.function(
        f"""
        import boto3
        import json

        def handler(event, context):
            boto3.client("sqs").send_message(QueueUrl="{url}", MessageBody=json.dumps(["function", event]))
        """,
        role=machines.everything,
    )
    targets = {"sqs:SendMessage": queue, "lambda:InvokeFunction": bench.function_arn(function)}

    for action, target in targets.items():
        bench.cloud.client("scheduler").create_schedule(
            Name=bench.name("schedule"),
            ScheduleExpression=soon(),
            FlexibleTimeWindow=NO_WINDOW,
            Target={"Arn": target, "RoleArn": machines.role((action, target)), "Input": '"tick"'},
        )

    received = bench.bodies(url, 2)
    assert sorted(received, key=len) == [["function", "tick"], "tick"]


@pytest.mark.parametrize("broken", ["role", "target"])
def test_what_a_schedule_cannot_deliver_is_a_dead_letter_with_its_input(machines: StateMachines, broken: str) -> None:
    machine = machines.create({"States": {"Done": {"Type": "Succeed"}}})
    url, queue = machines.workbench.queue()
    action = "states:ListExecutions" if broken == "role" else "states:StartExecution"
    target = machine if broken == "role" else f"{machine}-gone"

    machines.workbench.cloud.client("scheduler").create_schedule(
        Name=machines.workbench.name("schedule"),
        ScheduleExpression=soon(),
        FlexibleTimeWindow=NO_WINDOW,
        Target={
            "Arn": target,
            "RoleArn": machines.role((action, "*"), ("sqs:SendMessage", queue)),
            "Input": '{"suite": "sentiment"}',
            "DeadLetterConfig": {"Arn": queue},
        },
    )

    letter = machines.workbench.receive(url)[0]
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert json.loads(letter["Body"]) == {"suite": "sentiment"}
    assert attributes["ERROR_CODE"] == {"role": "NO_PERMISSIONS", "target": "RESOURCE_NOT_FOUND"}[broken]
    assert attributes["TARGET_ARN"] == target


def test_a_universal_target_calls_any_operation_as_the_role(machines: StateMachines) -> None:
    url, queue = machines.workbench.queue()

    machines.workbench.cloud.client("scheduler").create_schedule(
        Name=machines.workbench.name("schedule"),
        ScheduleExpression=soon(),
        FlexibleTimeWindow=NO_WINDOW,
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
            "RoleArn": machines.role(("sqs:SendMessage", queue)),
            "Input": json.dumps({"QueueUrl": url, "MessageBody": '"sent"'}),
        },
    )

    assert machines.workbench.bodies(url) == ["sent"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ScheduleExpression": "cron(0 9 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "rate(5 moments)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Europe/Atlantis"}, "Invalid Timezone"),
    ],
)
def test_a_schedule_that_would_never_fire_is_refused(
    machines: StateMachines, changed: dict[str, str], said: str
) -> None:
    _, queue = machines.workbench.queue()
    request = {
        "Name": machines.workbench.name("schedule"),
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": NO_WINDOW,
        "Target": {"Arn": queue, "RoleArn": machines.everything},
    }

    with pytest.raises(ClientError, match=said):
        machines.workbench.cloud.client("scheduler").create_schedule(**{**request, **changed})


def test_a_role_that_the_scheduler_may_not_assume_is_refused(machines: StateMachines) -> None:
    role = machines.workbench.name("role")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    arn = machines.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    _, queue = machines.workbench.queue()

    with pytest.raises(ClientError, match="must allow AWS EventBridge Scheduler to assume the role"):
        machines.workbench.cloud.client("scheduler").create_schedule(
            Name=role,
            ScheduleExpression="rate(1 hour)",
            FlexibleTimeWindow=NO_WINDOW,
            Target={"Arn": queue, "RoleArn": arn},
        )


def test_a_stack_keeps_a_schedules_time_zone_and_changes_it(machines: StateMachines) -> None:
    cloud = machines.workbench.cloud
    _, queue = machines.workbench.queue()
    stack, schedule = machines.workbench.name("stack"), machines.workbench.name("schedule")
    properties = {
        "Name": schedule,
        "ScheduleExpression": "cron(0 7 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "FlexibleTimeWindow": NO_WINDOW,
        "Target": {"Arn": queue, "RoleArn": machines.everything},
    }

    def deploy(operation: str, **changed: str) -> str:
        template = {
            "Resources": {"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": {**properties, **changed}}}
        }
        client = cloud.client("cloudformation")
        getattr(client, f"{operation}_stack")(StackName=stack, TemplateBody=json.dumps(template))
        client.get_waiter(f"stack_{operation}_complete").wait(
            StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
        )
        return str(cloud.client("scheduler").get_schedule(Name=schedule)["ScheduleExpressionTimezone"])

    assert deploy("create") == "Europe/Berlin"
    assert deploy("update", ScheduleExpressionTimezone="Asia/Tokyo") == "Asia/Tokyo"
