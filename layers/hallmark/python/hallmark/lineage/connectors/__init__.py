"""What other tools know of lineage, read where they keep it and told in sections (``hallmark/events/records.py``).

A connector lives here whole: what it reads, how it says that, and how it goes on where it stopped. It knows no AWS: the
tool's API, the memory and the bus are handed to it (``ports.py``).
"""
