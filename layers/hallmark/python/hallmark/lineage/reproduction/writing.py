"""Writing the manifest of a run from lineage's own answers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hallmark.errors import InvalidInputError
from hallmark.lineage.model import FINAL_STATUSES, NodeKind
from hallmark.lineage.questions import Answer, Candidates, Question, ShowAnswer, ShowQuestion
from hallmark.lineage.references import image_ref, parse_arn
from hallmark.lineage.reproduction.manifest import (
    Change,
    Expected,
    ExpectedOutput,
    KnownHole,
    Manifest,
    PinnedCode,
    PinnedData,
    PinnedImage,
    RunIdentity,
    Seed,
)
from hallmark.lineage.reproduction.places import holders, images_in, places_in, put_value, targets_in
from hallmark.lineage.reproduction.requests import OPERATIONS, Hole, ModelName, Operation, Section, rebuild

STAGING_FOLDER = "hallmark-reproductions"
REPRODUCES_TAG = "hallmark:reproduces"
"""Tag of a run that is started to reproduce another one: the other's key (docs/graph.md)."""
TOLERANCE_TAG = "hallmark:tolerance"
"""Tag of such a run: the relative difference of metrics that is allowed, where it is not the rule's."""

_SEEDS = ("seed", "random_seed", "random_state", "randomseed", "randomstate", "rand_seed", "mlseed", "global_seed")
_DIRTY = ("git_dirty", "mlflow.source.git.dirty", "sm_git_dirty", "git_is_dirty")
_MAXIMUM_TAGS = 50
"""SageMaker API reference, AddTags."""
_OWN_TAGS = ("aws:", "sagemaker:", "hallmark:")
"""Tags that AWS or Hallmark set; AWS refuses requests that carry its own."""

Ask = Callable[[Question], Answer]
"""Answers questions of lineage: the deployed query function."""


class Choices(NamedTuple):
    """What whoever reproduces a run chooses.

    ``staging`` is an S3 URI; None takes a folder in the bucket that the run wrote to. ``values`` are put into the
    request by their dotted paths. ``tolerance`` is a share from 0 to 1; None leaves it to the rule (``judging.py``).
    """

    name: str | None = None
    staging: str | None = None
    values: Mapping[str, str] = {}
    ending: str | None = None
    """Of the second run's name, where none is chosen: a second run and a third one need two names."""
    tolerance: float | None = None


def write_manifest(ask: Ask, run: str, choices: Choices | None = None) -> Manifest | Candidates:
    """Write the manifest of a run; where the name tells no node, or several, what may have been meant.

    Args:
        ask: Answers questions.
        run: As a person names it.
        choices: What is chosen.

    Raises:
        InvalidInputError: It is no job that a request starts, or a value has no place in the request.
    """
    shown = ask(ShowQuestion(node=run))
    if isinstance(shown, Candidates):
        return shown
    if not isinstance(shown, ShowAnswer):
        raise InvalidInputError("the answer", shown.answer, "deploy the lineage stack again: it is of another version")
    if shown.node.kind not in OPERATIONS:
        kinds = ", ".join(OPERATIONS)
        remedy = f"name a {kinds}; `hallmark trace {run} --up` shows which ones it came from"
        raise InvalidInputError("RUN", f"{run} ({shown.node.kind})", remedy)
    return _Writing(ask, shown, choices or Choices()).manifest()


class _Writing:
    def __init__(self, ask: Ask, shown: ShowAnswer, choices: Choices) -> None:
        self._ask, self._shown, self._choices = ask, shown, choices
        self._told = shown.attributes
        self._operation: Operation = OPERATIONS[shown.node.kind]
        self._holes: list[Hole] = []
        self._changes: list[Change] = []
        self._model: ModelName | None = None

    def manifest(self) -> Manifest:
        told, node = self._told, self._shown.node
        arn = str(told.get("arn") or node.key.partition("@")[0])
        name = str(told.get("name") or arn.rpartition("/")[2])
        if told.get("event_only"):
            self._miss(
                "all that only Describe tells",
                "the job was gone before it could be described",
                "keep jobs until Hallmark has described them, which takes seconds",
            )
        if node.status not in FINAL_STATUSES:
            self._miss("what it came to", f"it is {node.status}", "ask again once it has ended")
        self._model = self._find_model()
        rebuilt = rebuild(node.kind, told, model=self._model, feature_groups=self._feature_groups())
        self._holes += rebuilt.holes
        request = rebuilt.request
        staging = (self._choices.staging or _staging_of(told)).rstrip("/")
        image = self._pin_image(request)
        data = self._pin_data(request, staging)
        code, seed = self._code(), self._seed()
        self._move_outputs(request, staging, name)
        self._leave_out(request)
        request[self._operation.name] = new_name(name, node.key, self._operation, self._choices)
        request["Tags"] = self._tags(node.key)
        for path, value in self._choices.values.items():
            before = put_value(request, path, value)
            self._changes.append(Change(field=path, before=before, after=value, why="it was given with --set"))
            self._holes = [hole for hole in self._holes if not _is_filled(hole, path)]
        blocked = any(hole.blocking for hole in self._holes)
        return Manifest(
            run=RunIdentity(
                key=node.key,
                arn=arn,
                kind=node.kind,
                name=name,
                status=node.status,
                started_at=told.get("started_at"),
                ended_at=told.get("ended_at"),
            ),
            operation=self._operation.create,
            request=None if blocked else request,
            data=tuple(data),
            image=image,
            code=code,
            seed=seed,
            hyperparameters=dict(told.get("hyperparameters") or {}),
            model=self._model.key if self._model else None,
            expected=_expected(told),
            changes=tuple(self._changes),
            holes=tuple(KnownHole(**hole._asdict()) for hole in self._holes),
        )

    def _miss(self, what: str, why: str, remedy: str, *, blocking: bool = False) -> None:
        self._holes.append(Hole(what, why, remedy, blocking))

    def _find_model(self) -> ModelName | None:
        if self._shown.node.kind is not NodeKind.TRANSFORM_JOB:
            return None
        key = next((edge.source for edge in self._shown.upstream if edge.role == "model"), None)
        if key is None:
            return None
        answer = self._ask(ShowQuestion(node=key))
        name = answer.attributes.get("name") if isinstance(answer, ShowAnswer) else None
        return ModelName(key, str(name) if name else None)

    def _feature_groups(self) -> list[str]:
        kinds = {node.key: node.kind for node in self._shown.neighbours}
        groups = {edge.target for edge in self._shown.downstream if kinds.get(edge.target) is NodeKind.FEATURE_GROUP}
        return sorted(groups)

    # --- pinning ---

    def _pin_image(self, request: Section) -> PinnedImage | None:
        found = self._told.get("image") or {}
        uri, digest = found.get("uri"), found.get("digest")
        if not uri:
            return None
        pinned = image_ref(uri, digest).id if digest or "@" in uri else None
        if pinned is None:
            self._miss(
                "the image's digest",
                f"{uri} is not in a repository that Hallmark may read, or was known by its tag only",
                "name its repository under lineage.image_repositories in the policy, or another account under "
                "lineage.image_registries; or start jobs by digest",
            )
            return PinnedImage(uri=uri)
        for holder, member in images_in(request):
            if holder[member] == uri and pinned != uri:
                holder[member] = pinned
                self._changes.append(
                    Change(field=member, before=uri, after=pinned, why="a tag can be moved, a digest cannot")
                )
        return PinnedImage(uri=uri, digest=digest or pinned.partition("@")[2], pinned=pinned)

    def _pin_data(self, request: Section, staging: str) -> list[PinnedData]:
        found = [self._pinned(use, staging) for use in self._told.get("inputs") or ()]
        if not found:
            self._miss("the data", "nothing tells of any", "give the job its data as channels or inputs")
        moved = {pinned.uri: pinned.staged_uri for pinned in found if pinned.staged_uri}
        for holder, member, kind in places_in(request):
            target = moved.get(_plain(str(holder[member])))
            if target is None:
                continue
            self._changes.append(
                Change(field=member, before=holder[member], after=target, why="a copy of the versions that were read")
            )
            holder[member] = target
            if kind not in {None, "S3Prefix"}:
                self._miss(
                    f"what {target} lists",
                    f"of a {kind} the list is pinned, not the objects in it",
                    "read data by their prefix",
                )
        for name in ("HyperParameters", "Environment", "StaticHyperParameters"):
            for holder in holders(request, name):
                for key, value in holder[name].items():
                    place = _plain(value.strip('"')) if isinstance(value, str) else ""
                    target = moved.get(place)
                    if target is not None:
                        quoted = value.startswith('"')
                        holder[name][key] = f'"{target}"' if quoted else target
                        self._changes.append(
                            Change(field=f"{name}.{key}", before=value, after=holder[name][key], why="a copy of it")
                        )
        return found

    def _pinned(self, use: Mapping[str, Any], staging: str) -> PinnedData:
        role, uri, digest = str(use["role"]), str(use["uri"]), use.get("digest")
        known: dict[str, Any] = {"role": role, "uri": uri}
        if digest is None:
            why = use.get("refused") or (
                f"{use['changed_after']} objects changed after the run had begun, in a bucket without versions"
                if use.get("changed_after")
                else "there was nothing, or nobody looked"
            )
            self._miss(
                f"the content of {role} ({uri})",
                str(why),
                "name the bucket under lineage.data_buckets, switch its versioning on",
            )
            return PinnedData(**known)
        known |= {
            "digest": digest,
            "objects": use.get("objects"),
            "bytes": use.get("bytes"),
            "complete": bool(use.get("complete", True)),
        }
        answer = self._ask(ShowQuestion(node=str(use.get("version") or f"{uri}#{digest}")))
        about = answer.attributes if isinstance(answer, ShowAnswer) else {}
        rows = tuple((str(row[0]), str(row[1]), str(row[2]), int(row[3])) for row in about.get("manifest") or ())
        listed = rows or about.get("manifest_uri")
        if not listed:
            self._miss(
                f"the objects of {role} ({uri})",
                "only the digest of the whole is known: another tool told it, or the listing was not kept",
                "read it in the bucket; compare its digest after the run",
            )
            return PinnedData(**known)
        if not known["complete"]:
            self._miss(
                f"all objects of {role} ({uri})",
                f"only the first {use.get('objects'):,} were listed",
                "raise lineage.snapshot.objects in the policy",
            )
            return PinnedData(**known, versions=rows, versions_uri=about.get("manifest_uri"))
        if any(not row[1] for row in rows):
            self._miss(
                f"versions of {role} ({uri})",
                "its bucket keeps none: an overwritten object is lost",
                "switch versioning on for the bucket",
            )
        return PinnedData(
            **known,
            versions=rows,
            versions_uri=about.get("manifest_uri"),
            staged_uri=_staged(staging, uri, str(digest)),
        )

    # --- what else is known ---

    def _code(self) -> PinnedCode:
        told = self._told.get("code") or {}
        flag = _named(_tellers(self._told), _DIRTY)
        found = PinnedCode(
            repository=told.get("repository"),
            commit=told.get("commit"),
            branch=told.get("branch"),
            dirty=None if flag is None else flag[1].strip('"').lower() in {"1", "true", "yes"},
            archive=told.get("source_uri"),
            entry_point=told.get("entry_point"),
        )
        if found.commit is None and found.archive is None and not self._has_code_input():
            self._miss(
                "the code", "no commit and no source archive is named", "tag the job git_commit and git_repository"
            )
        elif found.commit is None:
            self._miss(
                "the commit", "nothing names it; the archive or folder that ran is pinned", "tag the job git_commit"
            )
        elif found.repository is None:
            self._miss("the repository", f"only the commit {found.commit} is named", "tag the job git_repository")
        if found.commit is not None and found.dirty is None:
            self._miss(
                "whether the working tree was clean",
                "nothing tells whether what ran was in the commit",
                "tag the job git_dirty: false, or true",
            )
        return found

    def _has_code_input(self) -> bool:
        return any(use.get("role") == "code" for use in self._told.get("inputs") or ())

    def _seed(self) -> Seed | None:
        found = seed_of(self._told)
        if found is None:
            self._miss(
                "the seed",
                "no hyperparameter, variable or argument is named like one; the code may have its own",
                "pass the seed to the job as a hyperparameter: seed",
            )
        return found

    # --- what must differ ---

    def _move_outputs(self, request: Section, staging: str, name: str) -> None:
        place = f"{staging}/runs/{name}"
        for holder, member, role in targets_in(request):
            before, after = holder[member], f"{place}/{role}"
            holder[member] = after
            self._changes.append(
                Change(field=member, before=before, after=after, why="what the first run wrote is not overwritten")
            )

    def _leave_out(self, request: Section) -> None:
        for member, why in _LEFT_OUT.items():
            if member in request:
                self._changes.append(Change(field=member, before=request.pop(member), why=why))

    def _tags(self, key: str) -> list[dict[str, str]]:
        told = {name: value for name, value in (self._told.get("tags") or {}).items() if not name.startswith(_OWN_TAGS)}
        own = {REPRODUCES_TAG: key}
        if self._choices.tolerance is not None:
            own[TOLERANCE_TAG] = f"{self._choices.tolerance:g}"
        kept = dict(list(told.items())[: _MAXIMUM_TAGS - len(own)])
        if len(kept) < len(told):
            left = ", ".join(sorted(told.keys() - kept.keys()))
            why = f"a job has {_MAXIMUM_TAGS} tags at most, and two tell what it reproduces"
            self._changes.append(Change(field="Tags", before=left, why=why))
        return [{"Key": name, "Value": str(value)} for name, value in {**kept, **own}.items()]


_LEFT_OUT = {
    "ExperimentConfig": "it only files the run, and the trial may be gone",
    "ModelPackageConfig": "a second run must not register a model",
    "MlflowConfig": "it only files the run, and a second one is no run of that experiment",
}


def _expected(told: Mapping[str, Any]) -> Expected:
    return Expected(
        outputs=tuple(
            ExpectedOutput(role=use["role"], uri=use["uri"], digest=use.get("digest"), objects=use.get("objects"))
            for use in told.get("outputs") or ()
        ),
        metrics=final_metrics(told),
    )


def seed_of(told: Mapping[str, Any]) -> Seed | None:
    """Return what a run drew its random numbers from; None where nothing is named like a seed."""
    config = (told.get("unrecognised") or {}).get("HyperParameterTuningJobConfig") or {}
    if config.get("RandomSeed") is not None:
        return Seed(name="RandomSeed", value=str(config["RandomSeed"]))
    found = _named([*_tellers(told)[1:], _arguments(told.get("arguments") or ())], _SEEDS)
    return None if found is None else Seed(name=found[0], value=found[1].strip('"'))


def _tellers(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [told.get(name) or {} for name in ("tags", "hyperparameters", "environment")]


def final_metrics(told: Mapping[str, Any]) -> dict[str, float]:
    """Return what a run measured at its end; of a tuning job the objective of its best training job."""
    best = told.get("best_training_job") or {}
    if best.get("metric") and best.get("value") is not None:
        return {str(best["metric"]): float(best["value"])}
    return {name: float(value) for name, value in (told.get("metrics") or {}).items()}


def new_name(name: str, key: str, operation: Operation, choices: Choices) -> str:
    """Return the name of a second run: the first one's with ``-again-`` and a few digits, unless one is chosen.

    Raises:
        InvalidInputError: SageMaker takes no such name.
    """
    chosen = choices.name
    if chosen is not None:
        if not re.fullmatch(rf"[a-zA-Z0-9](-*[a-zA-Z0-9]){{0,{operation.name_length - 1}}}", chosen):
            raise InvalidInputError(
                "--name", chosen, f"write letters, digits and hyphens, {operation.name_length} at most"
            )
        return chosen
    ending = f"-again-{choices.ending or hashlib.sha256(key.encode()).hexdigest()[:6]}"
    return name[: operation.name_length - len(ending)].rstrip("-") + ending


def _is_filled(hole: Hole, path: str) -> bool:
    return f"--set {path}=" in hole.remedy


def _staging_of(told: Mapping[str, Any]) -> str:
    for use in (*(told.get("outputs") or ()), *(told.get("inputs") or ())):
        bucket = re.match(r"s3://[^/]+", str(use.get("uri")))
        if bucket:
            return f"{bucket[0]}/{STAGING_FOLDER}"
    parsed = parse_arn(str(told.get("arn")))
    where = f"{parsed.region}-{parsed.account}" if parsed else "default"
    return f"s3://sagemaker-{where}/{STAGING_FOLDER}"


def _staged(staging: str, uri: str, digest: str) -> str:
    """Return where a copy goes: named by its content, so that it is made once; its last step is that of the place."""
    last = uri.removeprefix("s3://").partition("/")[2].rpartition("/")[2]
    return f"{staging}/data/{digest.rpartition(':')[2]}/{last or 'all'}"


def _plain(uri: str) -> str:
    return uri.rstrip("/") if uri.startswith("s3://") else uri


def _named(places: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[str, str] | None:
    """Return the first value under one of some names, without regard to case and hyphens."""
    for place in places:
        folded = {str(name).lower().replace("-", "_"): (str(name), str(value)) for name, value in place.items()}
        for name in names:
            if name in folded:
                return folded[name]
    return None


def _arguments(words: Sequence[Any]) -> dict[str, str]:
    """Read a command line: ``--seed 7`` and ``--seed=7``."""
    found: dict[str, str] = {}
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if isinstance(word, str) and word.startswith("--"):
            name, mark, value = word[2:].partition("=")
            found[name] = value if mark else str(following)
    return found
