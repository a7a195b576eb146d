"""DPDK's testpmd, as the benches start it."""

IN_MEMORY = ("--in-memory",)
NO_HUGEPAGES = ("--no-huge", "--no-shconf", "-m", "256")


def memory(hugepages):
    return IN_MEMORY if hugepages else NO_HUGEPAGES


def eal(prefix, core, devices, memory_arguments):
    """The environment's arguments. The program works on that core and waits on core 0; prefix: no
    other DPDK program has it."""
    return [*memory_arguments, "--no-telemetry", "--no-pci", f"--file-prefix={prefix}",
            f"--lcores=0@0,1@{core}", "--main-lcore=0", *(f"--vdev={device}" for device in devices)]


def command(prefix, core, devices, *arguments, memory=NO_HUGEPAGES):
    return ["stdbuf", "-oL", "dpdk-testpmd", *eal(prefix, core, devices, memory), "--",
            "--no-lsc-interrupt", *arguments]
