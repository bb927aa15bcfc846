"""The last part of the demonstration: what an auditor asks, and what somebody else's tools verify."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from examples.wine_cultivars.workflow import ENDPOINT, GROUP
from local.cloud import LocalCloud
from local.demo_decisions import Hallmark
from local.demo_evaluations import Part
from local.demo_headings import heading
from local.standards import accepted_exports

_KIND, _OTHER = b'"kind":"fact"', b'"kind":"fake"'


class Provenance:
    """Shows the ledger, the answers to an auditor's questions, and documents in the words of standards.

    Args:
        cloud: Where the app is deployed and models were shipped.
        outputs: Of all stacks.
        screen: Where to say what happens.
        hallmark: Runs the command line.
        part: Tells that a part is under way.
        folder: Where documents and copies go.
        root: Of the checkout.
    """

    def __init__(
        self,
        cloud: LocalCloud,
        outputs: Mapping[str, str],
        *,
        screen: Console,
        hallmark: Hallmark,
        part: Part,
        folder: Path,
        root: Path,
    ) -> None:
        self._cloud = cloud
        self._outputs = outputs
        self._screen = screen
        self._hallmark = hallmark
        self._part = part
        self._folder = folder
        self._root = root

    @property
    def pages(self) -> tuple[Path, ...]:
        """Documents, to be opened in a browser."""
        exported = self._folder / "provenance"
        return (exported / "passport.png", exported / "passport.pdf", exported / "annex-iv.html")

    def show(self) -> None:
        """Show all of it.

        Raises:
            StandardError: A standard's own tool does not accept a document.
        """
        self._seal()
        self._say("what an auditor asks: why is this in production, who did it, what else was there")
        self._hallmark(("why", f"endpoint:{ENDPOINT}"))
        self._hallmark(("who", f"{GROUP}:4"))
        self._hallmark(("approvals",))
        self._hallmark(("live",))
        self._hallmark(("blast", "reject", f"{GROUP}:4"))
        self._hallmark(("coverage",))
        self._hallmark(("attest", "list", "--limit", "5"))
        self._export()

    def _seal(self) -> None:
        self._say("the ledger: every fact of this, sealed and signed; then a copy in which one byte is changed")
        sealing = self._cloud.client("lambda")
        with self._part("seal what was recorded in the last seconds"):
            sealing.invoke(FunctionName=self._outputs["SealLedgerFunctionName"], Payload=b'{"sweep": true}')
        self._hallmark(("ledger", "verify"))
        copy = self._folder / "ledger"
        path = self._copy_ledger(copy)
        content = path.read_bytes()
        place = content.index(_KIND)
        path.write_bytes(content[:place] + _OTHER + content[place + len(_KIND) :])
        self._screen.print(f"  one word of {path} was changed")
        self._hallmark(("ledger", "verify", "--from", str(copy)), fails=True)

    def _copy_ledger(self, folder: Path) -> Path:
        """Copy the log's files; return the first bundle of entries."""
        s3, bucket = self._cloud.client("s3"), self._outputs["LedgerBucketName"]
        bundles: list[Path] = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                file = folder / each["Key"]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read())
                if each["Key"].startswith("tile/entries/"):
                    bundles.append(file)
        whole = [file for file in bundles if ".p" not in file.parent.name]
        return min(whole) if whole else max(bundles, key=lambda file: int(file.name))

    def _export(self) -> None:
        self._say("the same lineage in the words of standards, and for people")
        folder = self._folder / "provenance"
        statements = ("--statements", "examples/annex-iv.yaml")
        self._hallmark(("export", f"endpoint:{ENDPOINT}", "-f", "all", *statements, "-o", str(folder)))
        for accepted in accepted_exports(folder, self._root):
            self._screen.print(f"[green]accepted[/] {accepted}")

    def _say(self, what: str) -> None:
        heading(self._screen, what, "magenta")
