"""What an operator sees: logs, metrics, traces, and whether the server can work."""
