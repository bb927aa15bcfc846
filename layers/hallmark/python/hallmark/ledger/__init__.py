"""The ledger: an append-only, tamper-evident log of all facts, which anybody's tools can verify.

Formats are C2SP's (c2sp.org): tlog-tiles for entries and hashes, tlog-checkpoint and signed-note for what is signed.
"""
