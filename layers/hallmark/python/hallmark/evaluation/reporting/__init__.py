"""What a run found: estimates, comparisons, coverage; and how it is shown."""
