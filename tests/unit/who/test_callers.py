"""Who called: one person, or why nobody can tell which one."""

from __future__ import annotations

from typing import Any

import pytest

from hallmark.people import Actor, caller_of
from tests.fakes.api_calls import IDENTITIES, sso


def caller(name: str, **changes: Any) -> Any:
    record = IDENTITIES[name]
    return caller_of(
        {**record["userIdentity"], **changes}, record.get("userAgent", ""), record.get("sourceIPAddress", "")
    )


@pytest.mark.parametrize(
    ("name", "actor", "identifier", "known_as"),
    [
        ("iam-user", Actor.PERSON, "arn:aws:iam::123456789012:user/Alice", "Alice"),
        (
            "identity-center-user",
            Actor.PERSON,
            "arn:aws:identitystore::123456789012:identitystore/d-9067642ac7/544894e8-80c1-707f-60e3-3ba6510dfac1",
            "544894e8-80c1-707f-60e3-3ba6510dfac1",
        ),
        ("assumed-role", Actor.SESSION, "arn:aws:sts::123456789012:assumed-role/RoleToBeAssumed/MySessionName", ""),
        (
            "service-linked-role",
            Actor.MACHINE,
            "arn:aws:iam::123456789012:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
            "",
        ),
        ("lambda", Actor.MACHINE, "arn:aws:iam::123456789012:role/LabsController", ""),
        ("ec2", Actor.MACHINE, "arn:aws:iam::111122223333:role/YOUR-EC2-INSTANCE-PROFILE", ""),
        ("root", Actor.ROOT, "arn:aws:iam::555555555555:root", ""),
        ("service", Actor.MACHINE, "sagemaker.amazonaws.com", ""),
    ],
)
def test_each_identity_of_aws_is_resolved(name: str, actor: Actor, identifier: str, known_as: str) -> None:
    found = caller(name)

    assert (found.actor, found.id, found.name) == (actor, identifier, known_as)


def test_a_session_of_a_reserved_role_names_a_person_of_identity_center() -> None:
    found = caller_of(sso("anna@example.com")["userIdentity"])

    assert (found.actor, found.name) == (Actor.PERSON, "anna@example.com")


def test_the_name_of_any_other_session_proves_nobody() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/RoleToBeAssumed/anna@example.com"

    assert caller("assumed-role", arn=arn).actor is Actor.SESSION
    assert caller("assumed-role", arn=arn).name == ""


def test_a_source_identity_is_told_and_proves_nothing() -> None:
    context = {**IDENTITIES["assumed-role"]["userIdentity"]["sessionContext"], "sourceIdentity": "anna"}
    found = caller("assumed-role", sessionContext=context)

    assert (found.claimed, found.name, found.actor) == ("anna", "", Actor.SESSION)


def test_a_person_for_whom_a_service_calls_stays_that_person() -> None:
    found = caller("iam-user", invokedBy="cloudformation.amazonaws.com")

    assert (found.actor, found.name, found.via) == (Actor.PERSON, "Alice", "cloudformation.amazonaws.com")


def test_a_build_system_is_a_machine() -> None:
    provider = {"federatedProvider": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"}
    context = {**IDENTITIES["assumed-role"]["userIdentity"]["sessionContext"], "webIdFederationData": provider}

    assert caller("assumed-role", sessionContext=context).actor is Actor.MACHINE


def test_whoever_works_in_cloudshell_is_no_machine() -> None:
    identity = IDENTITIES["assumed-role"]["userIdentity"]

    assert caller_of(identity, "aws-cli/2.1 exec-env/CloudShell").actor is Actor.SESSION


def test_the_issuer_of_a_federated_user_chose_its_name() -> None:
    found = caller_of({"type": "FederatedUser", "arn": "arn:aws:sts::1:federated-user/anna", "principalId": "1:anna"})

    assert (found.actor, found.name, found.session) == (Actor.SESSION, "", "anna")


@pytest.mark.parametrize("identity", [{}, {"type": 7}, {"type": "AssumedRole"}, {"sessionContext": "none"}])
def test_an_identity_of_no_shape_names_nobody(identity: dict[str, Any]) -> None:
    assert caller_of(identity).name == ""
    assert caller_of(identity).actor is not Actor.PERSON
