"""Models, model packages and their groups, model cards, endpoint configs and endpoints."""

from __future__ import annotations

from hallmark.events.resources import (
    Endpoint,
    EndpointConfig,
    FeatureGroup,
    Model,
    ModelCard,
    ModelPackage,
    ModelPackageGroup,
)
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import kind_of, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft
from hallmark.lineage.translation.sections import add_code, add_pipeline_parent, containers, plain


def model(draft: FactDraft, found: Model, _arn: str) -> None:
    """Add what a model says."""
    draft.note(role_arn=found.execution_role_arn)
    listed = [*([found.primary_container] if found.primary_container else []), *(found.containers or [])]
    containers(draft, listed)
    add_pipeline_parent(draft, found.tags)


def model_package(draft: FactDraft, package: ModelPackage, arn: str) -> None:
    """Add what a model package says: its group, approval, stage, containers, reports and generator."""
    stage = package.model_life_cycle or {}
    metadata = package.metadata_properties or {}
    reports = {
        f"{_hyphened(area)}-{_hyphened(name)}": str(report["S3Uri"])
        for area, section in (package.model_metrics or {}).items()
        for name, report in (section or {}).items()
        if isinstance(report, dict) and report.get("S3Uri")
    }
    draft.note(
        group=package.model_package_group_name,
        version=package.model_package_version,
        description=package.model_package_description,
        approval_status=package.model_approval_status,
        approval_description=package.approval_description,
        previous_approval_status=package.previous_model_approval_status,
        stage=stage.get("Stage"),
        stage_status=stage.get("StageStatus"),
        stage_description=stage.get("StageDescription"),
        generated_by=metadata.get("GeneratedBy"),
        commit=metadata.get("CommitId"),
        repository=metadata.get("Repository"),
        reports=reports,
        customer_metadata=package.customer_metadata_properties,
        updated_fields=package.updated_model_package_fields,
        source_uri=package.source_uri,
        drift_check_baselines=plain(package.drift_check_baselines),
    )
    containers(draft, (package.inference_specification or {}).get("Containers") or [])
    for role, uri in sorted(reports.items()):
        draft.data.append(DataUse(uri=uri, role=role, produced=False, as_of=draft.since))
    if package.model_package_group_name:
        group = sibling_ref(arn, NodeKind.MODEL_PACKAGE_GROUP, package.model_package_group_name)
        draft.flows_out(group, EdgeType.ASSOCIATED_WITH, "member")
    generator = metadata.get("GeneratedBy")
    kind = kind_of(str(generator)) if generator else None
    if generator and kind is not None:
        draft.flows_in(resource_ref(str(generator), kind), EdgeType.PRODUCED, "generated-by")
    add_code(draft, tags={**(package.customer_metadata_properties or {}), **(package.tags or {})}, metadata=metadata)
    for source in (package.source_algorithm_specification or {}).get("SourceAlgorithms") or ():
        if source.get("ModelDataUrl"):
            draft.data.append(DataUse(uri=source["ModelDataUrl"], role="model-data", produced=False, as_of=draft.since))
    if package.last_modified_by and not package.created_by:
        draft.made_by(package.last_modified_by)


def _hyphened(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


def model_package_group(draft: FactDraft, group: ModelPackageGroup, _arn: str) -> None:
    """Add what a model package group says."""
    draft.note(description=group.model_package_group_description)


def model_card(draft: FactDraft, card: ModelCard, arn: str) -> None:
    """Add what a model card says."""
    draft.note(version=card.model_card_version, model=card.model_id, content=card.content)
    if card.model_id:
        kind = kind_of(card.model_id) or NodeKind.MODEL
        draft.flows_in(sibling_ref(arn, kind, card.model_id), EdgeType.CONTRIBUTED_TO, "model")
    if card.last_modified_by and not card.created_by:
        draft.made_by(card.last_modified_by)


def endpoint_config(draft: FactDraft, config: EndpointConfig, arn: str) -> None:
    """Add what an endpoint configuration says."""
    variants = []
    for variant in (*(config.production_variants or ()), *(config.shadow_production_variants or ())):
        name = str(variant.get("VariantName") or "variant")
        described = {
            "name": name,
            "model": variant.get("ModelName"),
            "instance_type": variant.get("InstanceType"),
            "instance_count": variant.get("InitialInstanceCount"),
            "weight": variant.get("InitialVariantWeight"),
        }
        variants.append({key: value for key, value in described.items() if value is not None})
        if variant.get("ModelName"):
            draft.flows_in(sibling_ref(arn, NodeKind.MODEL, variant["ModelName"]), EdgeType.CONTRIBUTED_TO, name)
    capture = (config.data_capture_config or {}).get("DestinationS3Uri")
    draft.note(variants=variants, data_capture_uri=capture)


def endpoint(draft: FactDraft, found: Endpoint, arn: str) -> None:
    """Add what an endpoint says; which config it serves is exclusive: a later one ends the earlier one's time."""
    pending = found.pending_deployment_summary or {}
    images = [
        {"specified": image.get("SpecifiedImage"), "resolved": image.get("ResolvedImage")}
        for variant in found.production_variants or ()
        for image in variant.get("DeployedImages") or ()
    ]
    draft.note(
        config=found.endpoint_config_name,
        pending_config=pending.get("EndpointConfigName"),
        variants=plain([_served(variant) for variant in found.production_variants or ()]),
        deployed_images=images,
    )
    # A config is served from the moment at which the endpoint is in service with it; what failed never served.
    if found.endpoint_config_name and draft.status in {"InService", "Updating", "SystemUpdating", "RollingBack"}:
        draft.flows_in(
            sibling_ref(arn, NodeKind.ENDPOINT_CONFIG, found.endpoint_config_name),
            EdgeType.CONTRIBUTED_TO,
            "config",
            valid_from=draft.at,
            exclusive=True,
        )


def _served(variant: dict[str, object]) -> dict[str, object]:
    names = {
        "VariantName": "name",
        "CurrentWeight": "weight",
        "DesiredWeight": "desired_weight",
        "CurrentInstanceCount": "instance_count",
        "DesiredInstanceCount": "desired_instance_count",
    }
    return {ours: variant[aws] for aws, ours in names.items() if variant.get(aws) is not None}


def feature_group(draft: FactDraft, group: FeatureGroup, _arn: str) -> None:
    """Add what a feature group says."""
    offline = group.offline_store_config or {}
    storage = offline.get("S3StorageConfig") or {}
    table = offline.get("DataCatalogConfig") or {}
    draft.note(
        record_identifier=group.record_identifier_feature_name,
        event_time_feature=group.event_time_feature_name,
        features={
            str(feature.get("FeatureName")): feature.get("FeatureType") for feature in group.feature_definitions or ()
        },
        online=(group.online_store_config or {}).get("EnableOnlineStore"),
        offline_uri=storage.get("ResolvedOutputS3Uri") or storage.get("S3Uri"),
        offline_status=(group.offline_store_status or {}).get("Status"),
        table="/".join(str(table[part]) for part in ("Catalog", "Database", "TableName") if table.get(part)),
        description=group.description,
    )
