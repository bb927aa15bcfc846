"""What a run shows: estimates, paired comparisons, a matrix, and what cannot be told yet."""
