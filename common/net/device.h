#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

/// What the text says that names a DPDK device, as in the configuration: "0000:3b:00.0", or a vdev
/// with its arguments.
namespace koi {

/// The drivers under which DPDK can have a PCI device; NVIDIA's are the kernel's, beside it.
inline bool is_dpdk_driver(std::string_view driver) {
  constexpr std::array<std::string_view, 5> kDrivers = {"vfio-pci", "uio_pci_generic", "igb_uio",
                                                        "mlx5_core", "mlx4_core"};
  return std::find(kDrivers.begin(), kDrivers.end(), driver) != kDrivers.end();
}

/// The name under which DPDK knows the device: the string up to its first comma.
inline std::string device_name(const std::string& device) {
  return device.substr(0, device.find(','));
}

/// True iff the valid device string is a PCI address; otherwise it is a vdev.
inline bool is_pci_address(const std::string& device) {
  const std::string name = device_name(device);
  return name.find(':') != std::string::npos &&
         std::isxdigit(static_cast<unsigned char>(name.front())) != 0;
}

/// The kernel interface that the device sits on, by its iface=; empty if there is none.
inline std::string kernel_interface(const std::string& device) {
  // What these two name so are files and rings.
  if (is_pci_address(device) || device.starts_with("net_pcap") || device.starts_with("net_ring")) {
    return {};
  }
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string::npos) return {};
  const std::size_t from = at + kKey.size();
  return device.substr(from, device.find(',', from) - from);
}

}  // namespace koi
