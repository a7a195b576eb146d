"""DPDK's testpmd, as the benches start it."""

IN_MEMORY = ("--in-memory",)
NO_HUGEPAGES = ("--no-huge", "--no-shconf", "-m", "256")


def command(prefix, core, devices, *arguments, memory=NO_HUGEPAGES):
    """It works on that core and waits on core 0; prefix: no other DPDK program has it."""
    return ["stdbuf", "-oL", "dpdk-testpmd", *memory, "--no-telemetry", "--no-pci",
            f"--file-prefix={prefix}", f"--lcores=0@0,1@{core}", "--main-lcore=0",
            *(f"--vdev={device}" for device in devices), "--", "--no-lsc-interrupt", *arguments]
