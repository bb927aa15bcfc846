"""Which snapshots of data hold a person's records, by tokens that say nothing to whoever has no key."""
