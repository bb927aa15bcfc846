"""Which way is better, by a metric's name: one table for every gate and every comparison."""

from __future__ import annotations

import re

# AWS's words (Bedrock user guide, "Understand model evaluation reports" and "Review metrics for RAG evaluations": for
# these a higher score is worse), SageMaker's (developer guide, "Model quality metrics"), and those of our own scorers.
LOWER = frozenset(
    {
        "toxicity",
        "robustness",
        "robustness_loss",
        "refusal",
        "harmfulness",
        "stereotyping",
        "hallucination",
        "bias",
        "latency",
        "latency_ms",
        "time_to_first_token",
        "cost",
        "cost_usd",
        "tokens",
        "input_tokens",
        "output_tokens",
        "ter",
        "word_error_rate",
        "wer",
        "perplexity",
        "loss",
        "log_loss",
        "error",
        "error_rate",
        "errors",
        "mae",
        "mse",
        "rmse",
        "mape",
        "false_positive_rate",
        "false_negative_rate",
        "brier_score",
    }
)
HIGHER = frozenset(
    {
        "accuracy",
        "accuracy_best_constant_classifier",
        "precision",
        "recall",
        "f0_5",
        "f1",
        "f2",
        "macro_f1",
        "micro_f1",
        "weighted_f1",
        "auc",
        "auc_pr",
        "roc_auc",
        "r2",
        "true_positive_rate",
        "true_negative_rate",
        "weighted_precision",
        "weighted_recall",
        "exact_match",
        "token_f1",
        "partial_credit",
        "contains",
        "choice",
        "label",
        "regex",
        "numeric",
        "json_schema",
        "json_fields",
        "semantic_similarity",
        "embedding_match",
        "bleu",
        "chrf",
        "rouge1",
        "rouge2",
        "rouge_l",
        "rouge_lsum",
        "correctness",
        "completeness",
        "faithfulness",
        "helpfulness",
        "coherence",
        "logical_coherence",
        "relevance",
        "following_instructions",
        "professional_style_and_tone",
        "context_relevance",
        "context_coverage",
        "citation_precision",
        "citation_coverage",
    }
)
REPORT_METRICS = HIGHER & {
    "accuracy",
    "precision",
    "recall",
    "f0_5",
    "f1",
    "f2",
    "macro_f1",
    "weighted_f1",
    "weighted_precision",
    "weighted_recall",
    "auc",
    "r2",
    "true_positive_rate",
    "true_negative_rate",
} | {"mae", "mse", "rmse", "false_positive_rate", "false_negative_rate"}
"""What quality reports of model packages may hold (SageMaker developer guide, "Model quality metrics")."""


def is_lower_better(metric: str) -> bool | None:
    """Tell whether a lower value of a metric is better; None where the table does not know it.

    Args:
        metric: ``accuracy``, ``Builtin.Toxicity``, ``answer:latency``, ``judge_harmfulness`` …
    """
    name = _without_marks(metric)
    if name in _LOWER:
        return True
    if name in _HIGHER:
        return False
    for qualifier in _QUALIFIERS:
        name = name.removesuffix(qualifier)
    if name.endswith(_ENDS) or name in _LOWER:
        return True
    return False if name in _HIGHER else None


def _without_marks(metric: str) -> str:
    name = metric.removeprefix("Builtin.").rpartition(":")[2]
    return re.sub(r"[-_ ]", "", name).lower().removeprefix("judge")


_LOWER = frozenset(map(_without_marks, LOWER))
_HIGHER = frozenset(map(_without_marks, HIGHER))
_ENDS = ("toxicity", "refusal", "latency", "cost", "loss", "error", "harmfulness", "stereotyping")
_QUALIFIERS = ("rate", "share", "mean", "ms", "usd", "p50", "p95", "p99")
