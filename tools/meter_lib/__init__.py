"""The parts of tools/failover-meter; the lab itself is in tools/lab."""
