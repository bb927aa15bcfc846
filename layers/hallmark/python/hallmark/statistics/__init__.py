"""Statistics of scores with numpy alone: intervals, paired tests, corrections, power, and answers that admit doubt."""
