"""Tests that share one local cloud; a package, so that pytest stops the cloud behind the last of them."""
