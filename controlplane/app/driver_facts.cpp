#include "controlplane/app/driver_facts.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "common/net/device.h"
#include "controlplane/view_builder.h"

namespace koi::app {
namespace {

/// What comes in besides frames to the port's own address and to all.
enum class Lets : std::uint8_t {
  all,         // promiscuous when told so
  unfiltered,  // whatever is put in at the other end: it has no filter
  own,         // never promiscuous, no MAC filter, no all-multicast: a cloud's NIC
  trusted,     // promiscuous if the host trusts this virtual function
  vswitch,     // promiscuous if the hypervisor's switch lets it be
};

struct Trait {
  std::string_view driver;
  Lets lets = Lets::all;
  bool prunes = false;    // drops frames from an address that it filters for
  bool linkless = false;  // its link is up, whatever happens
};

constexpr std::array<Trait, 16> kTraits{{
    {.driver = "net_ena", .lets = Lets::own},
    {.driver = "net_gve", .lets = Lets::own},
    {.driver = "net_idpf", .lets = Lets::own},
    {.driver = "net_mana", .lets = Lets::own},
    {.driver = "net_iavf", .lets = Lets::trusted, .prunes = true},
    {.driver = "net_ice_dcf", .lets = Lets::trusted, .prunes = true},
    {.driver = "net_ixgbe_vf", .lets = Lets::trusted},
    {.driver = "net_e1000_igb_vf", .lets = Lets::trusted},
    {.driver = "net_vmxnet3", .lets = Lets::vswitch},
    {.driver = "net_netvsc", .lets = Lets::vswitch},
    {.driver = "net_i40e", .prunes = true},
    {.driver = "net_ice", .prunes = true},
    {.driver = "net_null", .lets = Lets::unfiltered, .linkless = true},
    {.driver = "net_pcap", .lets = Lets::unfiltered, .linkless = true},
    {.driver = "net_ring", .lets = Lets::unfiltered, .linkless = true},
    {.driver = "net_memif", .lets = Lets::unfiltered},
}};

Trait trait_of(std::string_view driver) {
  const auto* const found = std::find_if(kTraits.begin(), kTraits.end(),
                                         [&](const Trait& t) { return t.driver == driver; });
  return found == kTraits.end() ? Trait{.driver = driver} : *found;
}

bool says(const std::string& text, std::string_view word) {
  return text.find(word) != std::string::npos;
}

void refused(const DriverAnswer& a, Findings& found) {
  const std::string what = a.what + ", driver";
  if (says(a.refusal, "Device or resource busy")) {
    found.fail(what, a.device + " is in use by another process", "fuser -v /dev/vfio/* says whose");
  } else if (says(a.refusal, "Permission denied") || says(a.refusal, "Operation not permitted")) {
    found.fail(what, a.refusal,
               "as root, or as user koi with the rule 70-koi-vfio.rules: udevadm control --reload "
               "&& udevadm trigger");
  } else if (says(a.refusal, "not viable")) {
    found.fail(what, a.device + " shares its IOMMU group with a device that the kernel has",
               fmt::format("ls /sys/bus/pci/devices/{}/iommu_group/devices names them; tools/bind "
                           "takes NICs",
                           device_name(a.device)));
  } else {
    found.fail(what, a.refusal,
               "dpdk-devbind.py --status-dev net; lspci -k; does dpdk-devbind.py's driver stand in "
               "`pkg-config --static --libs libdpdk`, of which koid is built?");
  }
}

/// The device with that argument, in the place of the one that it may have.
std::string with_argument(std::string device, const std::string& name, std::size_t value) {
  const std::size_t at = device.find(fmt::format(",{}=", name));
  if (at != std::string::npos) {
    device.erase(at, std::min(device.find(',', at + 1), device.size()) - at);
  }
  return fmt::format("{},{}={}", device, name, value);
}

/// How such a device gets more queue pairs.
std::string more_pairs(const DriverAnswer& a, std::size_t workers) {
  const char* argument = a.driver == "net_af_packet"                                ? "qpairs"
                         : a.driver == "net_af_xdp"                                 ? "queue_count"
                         : a.driver == "net_vhost" || a.driver == "net_virtio_user" ? "queues"
                                                                                    : nullptr;
  if (argument != nullptr) return "device: " + with_argument(a.device, argument, workers);
  if (a.driver == "net_virtio") {
    return fmt::format("in the hypervisor: virtio-net-pci,mq=on,vectors={}", 2 * workers + 2);
  }
  return "dataplane.worker-cores: no more cores than queue pairs";
}

void queues(const DriverAnswer& a, const PortNeeds& needs, Findings& found) {
  const std::string what = a.what + ", queues";
  const std::string detail =
      fmt::format("{} has {} queue pair(s), {} used by {} worker(s){}{}", a.driver, a.offered,
                  a.used, needs.workers, a.spread.empty() ? "" : ": ", a.spread);
  if (a.offered == 0) {
    found.fail(what, a.driver + " has no queue pair", "another device");
  } else if (a.used < needs.workers) {
    found.warn(what, detail, more_pairs(a, needs.workers));
  } else {
    found.ok(what, detail);
  }
}

/// Frames to a virtual MAC, of which a BACKUP becomes owner in a moment, and to the groups of CARP
/// and Neighbor Discovery.
void addresses(const DriverAnswer& a, const PortNeeds& needs, Findings& found) {
  const Trait trait = trait_of(a.driver);
  const std::string what = a.what + ", addresses";
  const std::string macs = fmt::format("{} virtual MAC(s)", needs.virtual_macs);
  const bool trusted = trait.lets == Lets::all && !needs.trust.empty();
  switch (trusted ? Lets::trusted : trait.lets) {
    case Lets::all:
      found.ok(what, fmt::format("promiscuous: {} and all groups come in; its {} MAC filter(s) are "
                                 "not used",
                                 macs, a.mac_filters));
      return;
    case Lets::unfiltered:
      found.ok(what, fmt::format("{} filters nothing: {} and all groups come in", a.driver, macs));
      return;
    case Lets::own:
      found.warn(what,
                 fmt::format("{} is never promiscuous nor all-multicast and has {} MAC filter(s): "
                             "what is sent to {} and to groups does not come in",
                             a.driver, a.mac_filters, macs),
                 "peers: and multicast: false in its groups, and hooks that have the cloud move "
                 "the addresses");
      return;
    case Lets::trusted: {
      const std::string flags =
          trait.prunes ? "; ethtool --set-priv-flags PF vf-true-promisc-support on" : "";
      found.warn(what,
                 fmt::format("{} is a virtual function: unless its host trusts it, frames to {} "
                             "do not come in, though it may say so, nor do frames from them leave",
                             a.driver, macs),
                 needs.trust.empty()
                     ? "on its host: ip link set PF vf N trust on spoofchk off" + flags
                     : needs.trust);
      return;
    }
    case Lets::vswitch:
      found.warn(what,
                 fmt::format("{}: unless the hypervisor's switch allows it, frames to {} do not "
                             "come in, nor do frames from them leave",
                             a.driver, macs),
                 a.driver == "net_vmxnet3"
                     ? "esxcli network vswitch standard policy security set -v vSwitch0 "
                       "--allow-promiscuous=true --allow-forged-transmits=true "
                       "--allow-mac-change=true"
                     : "Set-VMNetworkAdapter -VMName NAME -MacAddressSpoofing On");
      return;
  }
}

/// i40e and ice: an advertisement comes from the virtual MAC, of two masters from the same. A NIC
/// that has a filter for it and prunes would show neither the other.
void pruning(const DriverAnswer& a, Findings& found) {
  const Trait trait = trait_of(a.driver);
  if (!trait.prunes || trait.lets != Lets::all) return;
  found.ok(a.what + ", source pruning",
           fmt::format("{} drops frames from addresses that it filters for; promiscuous, koid has "
                       "it filter for no virtual MAC",
                       a.driver));
}

void link(const DriverAnswer& a, Findings& found) {
  const std::string what = a.what + ", link";
  if (const std::string interface = kernel_interface(a.device); !interface.empty()) {
    found.ok(what, fmt::format("the kernel tells of {}'s", interface));
  } else if (trait_of(a.driver).linkless) {
    found.warn(what, a.driver + " calls it up, whatever happens", "for a lab; else another device");
  } else if (a.driver == "net_virtio" && !a.link_interrupts) {
    found.warn(what,
               "the hypervisor offers no link state (VIRTIO_NET_F_STATUS) or no MSI-X: it may be "
               "up whatever happens",
               "in the hypervisor: virtio-net-pci,status=on,vectors=3; vfio-pci, not a uio driver");
  } else {
    found.ok(what, fmt::format("{} is asked for it, and {} link interrupts", a.driver,
                               a.link_interrupts ? "has" : "has no"));
  }
}

}  // namespace

std::vector<Finding> driver_facts(const DriverAnswer& answer, const PortNeeds& needs) {
  Findings found;
  if (!answer.refusal.empty()) {
    refused(answer, found);
    return found.take();
  }
  queues(answer, needs, found);
  addresses(answer, needs, found);
  pruning(answer, found);
  link(answer, found);
  return found.take();
}

std::size_t virtual_macs(const config::Config& config, PortIndex port) {
  // They do not depend on what a port is started with.
  const std::vector<controlplane::PortFacts> any(config.ports.size(), {{}, 1, 1500});
  const controlplane::Plan plan = controlplane::make_plan(config, any);
  std::set<MacAddress> macs;
  for (const SlotView& slot : plan.topology->slots) {
    if (slot.port != port) continue;
    for (const MacAddress& mac : {slot.mac, slot.told}) {
      if (!mac.is_multicast()) macs.insert(mac);
    }
  }
  return macs.size();
}

}  // namespace koi::app
