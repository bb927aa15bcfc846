"""What was found, in statements that other tools understand, signed so that nobody need take our word for it."""
