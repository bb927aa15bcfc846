"""From what AWS says of a resource to a draft of a fact."""

from hallmark.lineage.translation.draft import ROLE_LENGTH, DataUse, FactDraft, ImageUse
from hallmark.lineage.translation.observation import (
    Subject,
    draft_fact,
    is_of,
    needs_description,
    needs_tags,
    subject_of,
)

__all__ = [
    "ROLE_LENGTH",
    "DataUse",
    "FactDraft",
    "ImageUse",
    "Subject",
    "draft_fact",
    "is_of",
    "needs_description",
    "needs_tags",
    "subject_of",
]
