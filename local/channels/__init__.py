"""Slack and PagerDuty as they answer over HTTP, on the loopback interface, with faults on demand."""
