"""What each source of a monitor says, as records: pure readers from bytes and AWS's answers."""
