"""ListFoundationModels and GetFoundationModel."""

from __future__ import annotations

from local.bedrock.catalogue import Catalogue
from local.bedrock.contract import Call, Document, Operation

_FILTERS = {
    "byOutputModality": "outputModalities",
    "byCustomizationType": "customizationsSupported",
    "byInferenceType": "inferenceTypesSupported",
}


class FoundationModels:
    """Tells which models there are."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def operations(self) -> dict[str, Operation]:
        """Return the operations by name."""
        return {"ListFoundationModels": self._list, "GetFoundationModel": self._get}

    def _list(self, call: Call) -> Document:
        return {"modelSummaries": [found for model in self._catalogue if _passes(call, found := model.details(call))]}

    def _get(self, call: Call) -> Document:
        return {"modelDetails": self._catalogue.foundation_model(call.parameters["modelIdentifier"]).details(call)}


def _passes(call: Call, details: Document) -> bool:
    wanted = call.parameters
    provider = wanted.get("byProvider")
    if provider is not None and provider.lower() != details["providerName"].lower():
        return False
    return all(wanted[name] in details[member] for name, member in _FILTERS.items() if name in wanted)
