"""Experiments and their trials: names that jobs are filed under."""

from __future__ import annotations

from local.sagemaker.contract import Call, Description, Operation
from local.sagemaker.foundation import Foundation, caller_context, invalid, not_found
from local.sagemaker.listing import Listing, list_operation
from local.sagemaker.resources import Resource, utc_now

EXPERIMENT = "experiment"
TRIAL = "experiment-trial"


class Experiments:
    """Create, describe, list, update and delete of experiments and trials."""

    def __init__(self, foundation: Foundation) -> None:
        self._foundation = foundation
        self._store = foundation.store

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        model = self._foundation.model
        experiments = Listing(EXPERIMENT, "ExperimentName", descending=True)
        trials = Listing(TRIAL, "TrialName", descending=True, keep=_is_of_experiment)
        list_trials = list_operation(model, self._store, "ListTrials", trials)
        return {
            "CreateExperiment": self._create_experiment,
            "DescribeExperiment": lambda call: self._store.describe(self._find(call, EXPERIMENT, "ExperimentName")),
            "ListExperiments": list_operation(model, self._store, "ListExperiments", experiments),
            "UpdateExperiment": lambda call: self._update(call, EXPERIMENT, "ExperimentName", "ExperimentArn"),
            "DeleteExperiment": self._delete_experiment,
            "CreateTrial": self._create_trial,
            "DescribeTrial": lambda call: self._store.describe(self._find(call, TRIAL, "TrialName")),
            "ListTrials": lambda call: list_trials(_without_component(call)),
            "UpdateTrial": lambda call: self._update(call, TRIAL, "TrialName", "TrialArn"),
            "DeleteTrial": self._delete_trial,
        }

    def _create_experiment(self, call: Call) -> Description:
        return self._create(call, EXPERIMENT, "ExperimentName", "ExperimentArn")

    def _create_trial(self, call: Call) -> Description:
        self._find(call, EXPERIMENT, "ExperimentName")
        return self._create(call, TRIAL, "TrialName", "TrialArn")

    def _create(self, call: Call, kind: str, name_member: str, arn_member: str) -> Description:
        name, now = call.parameters[name_member], utc_now()
        description = self._foundation.described_members(f"Describe{arn_member.removesuffix('Arn')}", call.parameters)
        description |= {
            arn_member: call.arn(f"{kind}/{name.lower()}"),
            "DisplayName": call.parameters.get("DisplayName", name),
            "CreationTime": now,
            "CreatedBy": caller_context(call),
            "LastModifiedTime": now,
            "LastModifiedBy": caller_context(call),
        }
        resource = self._foundation.new_resource(call, kind, name, description, arn=description[arn_member])
        if not self._store.add(resource):
            raise invalid(f"{arn_member.removesuffix('Arn')} names must be unique: {resource.arn} already exists.")
        return {arn_member: resource.arn}

    def _update(self, call: Call, kind: str, name_member: str, arn_member: str) -> Description:
        resource = self._find(call, kind, name_member)
        members = {name: call.parameters[name] for name in ("DisplayName", "Description") if name in call.parameters}
        changed = {"LastModifiedTime": utc_now(), "LastModifiedBy": caller_context(call)}
        self._store.update(resource, {**members, **changed})
        return {arn_member: resource.arn}

    def _delete_experiment(self, call: Call) -> Description:
        experiment = self._find(call, EXPERIMENT, "ExperimentName")
        trials = [t for t in self._store.of_kind(call, TRIAL) if t.description["ExperimentName"] == experiment.name]
        if trials:
            # API reference, DeleteExperiment: "All trials associated with the experiment must be deleted first."
            raise invalid(f"{experiment.arn} has trials, such as {trials[0].name}: delete them first")
        self._store.remove(experiment)
        return {"ExperimentArn": experiment.arn}

    def _delete_trial(self, call: Call) -> Description:
        trial = self._find(call, TRIAL, "TrialName")
        self._store.remove(trial)
        return {"TrialArn": trial.arn}

    def _find(self, call: Call, kind: str, name_member: str) -> Resource:
        name = call.parameters[name_member]
        missing = not_found(f"Amazon SageMaker can't find {call.arn(f'{kind}/{name.lower()}')}.")
        return self._foundation.find(call, kind, name, missing)


def _without_component(call: Call) -> Call:
    component = call.parameters.get("TrialComponentName")
    if component is not None:
        raise invalid(f"The local cloud files no components under trials: leave TrialComponentName '{component}' out")
    return call


def _is_of_experiment(call: Call, trial: Resource) -> bool:
    wanted = call.parameters.get("ExperimentName")
    return wanted is None or trial.description["ExperimentName"] == wanted
