"""What runs inside the emulator: read from its state, or ended."""

from __future__ import annotations

import json
from typing import Any

import ministack.app as emulator
from ministack.core.responses import request_scope
from ministack.services import cloudformation, sqs


def describe_emulator(account: str, region: str) -> dict[str, Any]:
    """Return the services, the stacks (name to status), and the messages in each queue that is a dead-letter queue.

    Args:
        account: Twelve digits.
        region: Whose stacks and queues are meant.
    """
    with request_scope(account, region):
        stacks = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation._stacks.values()}
        queues = {queue["attributes"]["QueueArn"]: queue for queue in sqs._queues.values()}
        depths = {arn.rsplit(":", 1)[1]: len(queues[arn]["messages"]) for arn in _dead_letter_arns() & queues.keys()}
    return {
        "services": sorted(emulator.SERVICE_HANDLERS),
        "stacks": {name: status for name, status in sorted(stacks.items()) if status != "DELETE_COMPLETE"},
        "dead_letters": dict(sorted(depths.items())),
    }


def kill_function(name: str) -> int:
    """End the processes of the functions whose name contains ``name``, as a crash does; return how many there were."""
    from ministack.core import lambda_runtime  # noqa: PLC0415 - loaded once the first function exists

    with lambda_runtime._lock:
        workers = [worker for known in lambda_runtime._workers.values() for worker in known]
    running = [worker._proc for worker in workers if name in worker.func_name and worker._proc is not None]
    for process in running:
        process.kill()
    return len(running)


def _dead_letter_arns() -> set[str]:
    from ministack.services import eventbridge, lambda_svc  # noqa: PLC0415 - loaded once the first rule or function exists

    redrives = (queue["attributes"].get("RedrivePolicy") for queue in sqs._queues.values())
    arns = {json.loads(policy)["deadLetterTargetArn"] for policy in redrives if policy}
    targets = (target for rule_targets in eventbridge._targets.values() for target in rule_targets)
    arns |= {target["DeadLetterConfig"]["Arn"] for target in targets if target.get("DeadLetterConfig", {}).get("Arn")}
    configurations = (function["config"] for function in lambda_svc._functions.values())
    arns |= {
        configuration["DeadLetterConfig"]["TargetArn"]
        for configuration in configurations
        if (configuration.get("DeadLetterConfig") or {}).get("TargetArn")
    }
    mappings = (mapping.get("DestinationConfig") or {} for mapping in lambda_svc._esms.values())
    arns |= {
        mapping["OnFailure"]["Destination"] for mapping in mappings if mapping.get("OnFailure", {}).get("Destination")
    }
    return arns
