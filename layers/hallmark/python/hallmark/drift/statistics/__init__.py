"""Statistics of drift with numpy alone: mergeable profiles, distances, and alarms that keep their promise."""
