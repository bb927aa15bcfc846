"""The models that the stand-in serves."""
