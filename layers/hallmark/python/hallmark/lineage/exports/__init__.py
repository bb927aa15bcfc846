"""Lineage in the words of others: OpenLineage, W3C PROV, CycloneDX, and a page for people."""
