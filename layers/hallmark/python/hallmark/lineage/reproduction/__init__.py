"""Running again what lineage recorded: the manifest, what of it still exists, and what a second run came to."""
