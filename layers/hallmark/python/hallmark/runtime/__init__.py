"""What every function is made with: settings, log, metrics."""
