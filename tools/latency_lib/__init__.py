"""The parts of tools/latency; the lab itself is in tools/lab."""
