"""How an alert is said in each channel, and how it gets there."""
