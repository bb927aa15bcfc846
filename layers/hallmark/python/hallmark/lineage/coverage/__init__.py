"""How much of the account lineage knows, as a number; what is missing, because of what, and how to mend it."""
