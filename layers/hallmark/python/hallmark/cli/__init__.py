"""The command line: asks the deployed query function and shows its answers."""
