"""What other tools send, in their own words, becomes reports (``hallmark/events/reports.py``)."""
