"""The lineage that was shipped twice, with what Describe says of each node, and what was said about the model since."""

from __future__ import annotations

from hallmark.lineage.accountable import Approved
from hallmark.lineage.model import EdgeType, NodeKind
from tests.fakes.lineage_service import ACCOUNT, ENDPOINT, NOON, Lineage, shipped_twice

PACKAGE = f"{ACCOUNT}:model-package/wine v2"
TRAINING = f"{ACCOUNT}:training-job/wine-tune-v2-001"
ANA = "arn:aws:iam::111122223333:user/ana"


def described() -> Lineage:
    """Return a lineage in which every kind of document has something to tell."""
    found = shipped_twice()
    for key, node in found.nodes.items():
        match node.kind:
            case NodeKind.DATASET_VERSION:
                place, _, digest = key.rpartition("#")
                found.attributes[key] = {
                    "uri": place,
                    "digest": digest,
                    "objects": 3,
                    "bytes": 4096,
                    "complete": True,
                    "identity": "checksum",
                }
            case NodeKind.TRAINING_JOB | NodeKind.PROCESSING_JOB:
                found.attributes[key] = {
                    "name": node.label,
                    "started_at": "2026-11-23T11:30:00Z",
                    "ended_at": "2026-11-23T11:45:00Z",
                    "resources": {"instance_type": "ml.m5.large", "instance_count": 1},
                    "code": {"repository": "https://example.com/wine", "commit": "9d4fa1c2", "branch": "main"},
                    "image": {"uri": "sagemaker-scikit-learn:1.4", "digest": "sha256:3f8c1d22"},
                }
    found.attributes[TRAINING] |= {
        "hyperparameters": {"max_depth": "7", "note": "<script>alert(1)</script>"},
        "metrics": {"validation:accuracy": 0.9625, "validation:loss": 0.125},
        "role_arn": "arn:aws:iam::111122223333:role/training",
    }
    found.attributes[PACKAGE] = {"group": "wine", "version": 2, "approval_status": "Approved", "commit": "9d4fa1c2"}
    _say_things_about_it(found)
    return found


def _say_things_about_it(found: Lineage) -> None:
    evaluation = found.node(
        NodeKind.EVALUATION, "wine quality", key="arn:aws:hallmark:::evaluation/wine-1", status="Completed"
    )
    found.attributes[evaluation] = {
        "suite": "wine-quality",
        "primary_metric": "accuracy",
        "cost_usd": 0.25,
        "report": "s3://reports/wine-1/report.json",
        "models": {
            "wine": {"answered": 200, "planned": 200, "verdict": "better", "metrics": {"accuracy": {"estimate": 0.96}}}
        },
    }
    verdict = found.node(NodeKind.VERDICT, "staging: wine v2", key="hallmark:verdict/1a2b", status="Passed")
    found.attributes[verdict] = {
        "gate": "staging",
        "summary": "accuracy is at least 0.9",
        "criteria": {"accuracy": {"outcome": "passed", "value": 0.96, "low": 0.93, "high": 0.98, "threshold": 0.9}},
    }
    approval = found.node(NodeKind.APPROVAL, "approved for production", key="hallmark:approval/ap-1", status="Approved")
    found.attributes[approval] = {"by": ANA, "reason": "reads well & holds <up>", "gate": "staging"}
    report = found.node(NodeKind.DRIFT_REPORT, "wine 2026-11-23", key="hallmark:drift-report/w-1", status="Drifted")
    found.attributes[report] = {"monitor": "wine", "drifted": ["alcohol"], "records": 900, "summary": "alcohol moved"}
    alert = found.node(NodeKind.ALERT, "drift of wine-live", key="hallmark:alert/al-1", status="Firing")
    found.attributes[alert] = {"severity": "high", "summary": "alcohol moved"}
    ana = found.node(NodeKind.USER, ANA, key=ANA)
    found.flow(ana, PACKAGE, "created-by", type_=EdgeType.ASSOCIATED_WITH)
    found.approved.append(
        Approved(
            package=found.summary(PACKAGE),
            group="wine",
            finding="author",
            accepted=False,
            at=NOON,
            by=ANA,
            actor="person",
            authors=(ANA,),
            why="reads well",
            evidence=("hallmark:action/cloudtrail-1",),
        )
    )
    other = found.summary(PACKAGE).model_copy(update={"key": f"{PACKAGE}-next", "label": "wine v3"})
    found.approved.append(Approved(package=other, group="wine", finding="person", accepted=True, at=NOON, by=ANA))
    found.flow(PACKAGE, evaluation, "wine")
    found.flow(evaluation, verdict, "evidence")
    found.flow(PACKAGE, verdict, "judged")
    found.flow(verdict, approval, "verdict")
    found.flow(f"{ACCOUNT}:endpoint-config/wine-v2", report, "watched")
    found.flow(report, alert, "cause")


__all__ = ["ANA", "ENDPOINT", "PACKAGE", "TRAINING", "described"]
