"""A question -> ``sign_answer``, which asks it itself -> the answer, signed with the ledger's checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.attestation_storage import AttestationStorage
from infra.constructs.functions import Layers, PythonFunction


class AnswerSigning(Construct):
    """Signs answers of the functions that it may ask, and nothing that anybody sends.

    Attributes:
        signing: The function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        storage: AttestationStorage,
        questions: Mapping[str, PythonFunction],
        layers: Layers,
    ) -> None:
        super().__init__(scope, construct_id)
        self.signing = PythonFunction(
            self,
            "SignAnswer",
            name="sign_answer",
            description="Asks a question and signs the answer",
            layers=layers,
            # As long as the slowest of those that it asks, and as much memory as the longest answer takes.
            timeout=cdk.Duration.minutes(15),
            memory_mb=1024,
            environment={
                "ATTESTATION_KEY_ID": storage.signing_key.key_id,
                "ATTESTOR": storage.attestor,
                "QUESTION_FUNCTIONS": cdk.Fn.sub(
                    json.dumps({name: f"${{{name.title()}}}" for name in sorted(questions)}),
                    {name.title(): each.function.function_name for name, each in questions.items()},
                ),
            },
            statements=[
                storage.allow_key("GetPublicKey", "Sign"),
                iam.PolicyStatement(
                    sid="AskQuestions",
                    actions=["lambda:InvokeFunction"],
                    resources=[each.function.function_arn for each in questions.values()],
                ),
            ],
        )
