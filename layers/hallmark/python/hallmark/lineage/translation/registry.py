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
    Section,
)
from hallmark.lineage.credentials import without_login, without_secrets
from hallmark.lineage.model import EdgeType, NodeKind
from hallmark.lineage.references import kind_of, resource_ref, sibling_ref
from hallmark.lineage.translation.draft import DataUse, FactDraft
from hallmark.lineage.translation.reading import each, take, take_all, take_number, take_text, within
from hallmark.lineage.translation.sections import add_code, add_pipeline_parent, containers, plain


def model(draft: FactDraft, found: Model, _arn: str) -> None:
    """Add what a model says."""
    draft.note(role_arn=found.execution_role_arn)
    listed = [*([found.primary_container] if found.primary_container else []), *(found.containers or [])]
    containers(draft, listed)
    add_pipeline_parent(draft, found.tags)


def model_package(draft: FactDraft, package: ModelPackage, arn: str) -> None:
    """Add what a model package says: its group, approval, stage, containers, reports and generator."""
    stage = package.model_life_cycle
    metadata = package.metadata_properties
    generator = take_text(metadata, "GeneratedBy")
    reports = {
        f"{_hyphened(area)}-{_hyphened(name)}": uri
        for area in (package.model_metrics or {})
        for name in within(package.model_metrics, area)
        if (uri := take_text(package.model_metrics, area, name, "S3Uri"))
    }
    draft.note(
        group=package.model_package_group_name,
        version=package.model_package_version,
        description=package.model_package_description,
        approval_status=package.model_approval_status,
        approval_description=package.approval_description,
        previous_approval_status=package.previous_model_approval_status,
        stage=take_text(stage, "Stage"),
        stage_status=take_text(stage, "StageStatus"),
        stage_description=take_text(stage, "StageDescription"),
        generated_by=generator,
        reports=reports,
        content_types=_texts(take(package.inference_specification, "SupportedContentTypes")),
        response_types=_texts(take(package.inference_specification, "SupportedResponseMIMETypes")),
        customer_metadata=without_secrets(package.customer_metadata_properties),
        updated_fields=package.updated_model_package_fields,
        source_uri=without_login(package.source_uri) if package.source_uri else None,
        drift_check_baselines=plain(take_all(package.drift_check_baselines)),
    )
    containers(draft, each(package.inference_specification, "Containers"))
    for role, uri in sorted(reports.items()):
        draft.data.append(DataUse(uri=uri, role=role, produced=False, as_of=draft.since))
    if package.model_package_group_name:
        group = sibling_ref(arn, NodeKind.MODEL_PACKAGE_GROUP, package.model_package_group_name)
        draft.flows_out(group, EdgeType.ASSOCIATED_WITH, "member")
    kind = kind_of(generator) if generator else None
    if generator and kind is not None:
        draft.flows_in(resource_ref(generator, kind), EdgeType.PRODUCED, "generated-by")
    add_code(draft, tags={**(package.customer_metadata_properties or {}), **(package.tags or {})}, metadata=metadata)
    code = draft.attributes.get("code") or {}
    draft.note(commit=code.get("commit"), repository=code.get("repository"))
    for source in each(package.source_algorithm_specification, "SourceAlgorithms"):
        artifact = take_text(source, "ModelDataUrl")
        if artifact:
            draft.data.append(DataUse(uri=artifact, role="model-data", produced=False, as_of=draft.since))
    if package.last_modified_by and not package.created_by:
        draft.made_by(package.last_modified_by)


def _texts(found: object) -> list[str]:
    return sorted({item for item in found if isinstance(item, str)}) if isinstance(found, list) else []


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
        name = take_text(variant, "VariantName") or "variant"
        model_name = take_text(variant, "ModelName")
        described = {
            "name": name,
            "model": model_name,
            "instance_type": take_text(variant, "InstanceType"),
            "instance_count": take_number(variant, "InitialInstanceCount"),
            "weight": take_number(variant, "InitialVariantWeight"),
        }
        variants.append({key: value for key, value in described.items() if value is not None})
        if model_name:
            draft.flows_in(sibling_ref(arn, NodeKind.MODEL, model_name), EdgeType.CONTRIBUTED_TO, name)
    draft.note(variants=variants, data_capture_uri=take_text(config.data_capture_config, "DestinationS3Uri"))


def endpoint(draft: FactDraft, found: Endpoint, arn: str) -> None:
    """Add what an endpoint says; which config it serves is exclusive: a later one ends the earlier one's time."""
    images = [
        {"specified": take_text(image, "SpecifiedImage"), "resolved": take_text(image, "ResolvedImage")}
        for variant in found.production_variants or ()
        for image in each(variant, "DeployedImages")
    ]
    draft.note(
        config=found.endpoint_config_name,
        pending_config=take_text(found.pending_deployment_summary, "EndpointConfigName"),
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


def _served(variant: Section) -> dict[str, object]:
    names = {
        "VariantName": "name",
        "CurrentWeight": "weight",
        "DesiredWeight": "desired_weight",
        "CurrentInstanceCount": "instance_count",
        "DesiredInstanceCount": "desired_instance_count",
    }
    return {ours: value for aws, ours in names.items() if (value := take(variant, aws)) is not None}


def feature_group(draft: FactDraft, group: FeatureGroup, _arn: str) -> None:
    """Add what a feature group says."""
    offline = group.offline_store_config
    draft.note(
        record_identifier=group.record_identifier_feature_name,
        event_time_feature=group.event_time_feature_name,
        features={
            name: take_text(feature, "FeatureType")
            for feature in group.feature_definitions or ()
            if (name := take_text(feature, "FeatureName"))
        },
        online=take(group.online_store_config, "EnableOnlineStore"),
        offline_uri=take_text(offline, "S3StorageConfig", "ResolvedOutputS3Uri")
        or take_text(offline, "S3StorageConfig", "S3Uri"),
        offline_status=take_text(group.offline_store_status, "Status"),
        table="/".join(
            word
            for part in ("Catalog", "Database", "TableName")
            if (word := take_text(offline, "DataCatalogConfig", part))
        ),
        description=group.description,
    )
