"""The team's policy: one file that says what to record, evaluate, gate and watch, and whom to tell."""
