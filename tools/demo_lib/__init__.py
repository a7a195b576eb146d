"""The parts of tools/demo; the lab itself is in tools/lab."""
