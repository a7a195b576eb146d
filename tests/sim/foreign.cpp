#include "tests/sim/foreign.h"

#include "common/wire/arp.h"
#include "common/wire/carp.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"
#include "tests/sim/random.h"
#include "tests/sim/world.h"
#include "tests/support/freebsd_model.h"
#include "tests/support/lab_config.h"
#include "tests/support/openbsd_model.h"
#include "tests/support/ucarp_model.h"

namespace koi::sim {
namespace {

long long us(Moment moment) { return moment.time_since_epoch().count() / 1000; }
Moment moment(long long us) { return Moment(std::chrono::microseconds(us)); }

auth::CarpAuth auth_of(const config::Group& group) {
  return auth::CarpAuth::prepare(group.key.bytes(), group.vhid, group.addresses);
}

}  // namespace

/// The three models have the same shape, and know nothing of each other.
class Foreign::Model {
 public:
  virtual ~Model() = default;
  virtual void link_up(long long now) = 0;
  virtual void time(long long now) = 0;
  virtual void hear(long long now, const wire::CarpHeader& header, std::uint32_t source) = 0;
  virtual bool master() const = 0;
  virtual long sent() const = 0;
  virtual long advskew() const = 0;
  virtual long demote() const = 0;
  virtual long long due() const = 0;  // negative: nothing
};

namespace {

template <class Election>
class ModelOf final : public Foreign::Model {
 public:
  ModelOf(const Foreign::Setup& setup, std::uint32_t address) {
    election_.advbase = setup.advbase;
    election_.advskew = setup.advskew;
    election_.preempt = setup.preempt;
    if constexpr (requires { election_.address; }) election_.address = address;
  }
  void link_up(long long now) override { election_.link_up(now); }
  void time(long long now) override { election_.time(now); }
  void hear(long long now, const wire::CarpHeader& header, std::uint32_t source) override {
    if constexpr (requires { election_.address; }) {
      election_.hear(now, header.advbase, header.advskew, source);
    } else {
      election_.hear(now, 0, header.advbase, header.advskew, header.demote);
    }
  }
  bool master() const override { return election_.state == Election::kMaster; }
  long sent() const override { return election_.ads_sent; }
  long advskew() const override { return election_.shown_advskew(); }
  long demote() const override { return election_.shown_demote(); }
  long long due() const override {
    long long first = -1;
    for (const long long due : {election_.ad_due, election_.down_due[0], election_.down_due[1]}) {
      if (due >= 0 && (first < 0 || due < first)) first = due;
    }
    return first;
  }

 private:
  Election election_;
};

}  // namespace

Foreign::Foreign(World& world, std::size_t index, const Setup& setup)
    : world_(world),
      index_(index),
      setup_(setup),
      auth_(auth_of(test::lan_group())),
      counter_(mix(index)) {
  const config::Group group = test::lan_group();
  frames_ = std::make_unique<controlplane::FrameMaker>(
      controlplane::FrameMaker::Setup{
          .port = PortIndex(0),
          .vlan = VlanId(0),
          .vhid = group.vhid,
          .sends_from = virtual_mac(group.vhid),
          .source = Ipv4Address::from_u32(0xc0000201U + static_cast<std::uint32_t>(index)),
          .source6 = {},
          .global_source6 = {},
          .shared = group.addresses,
          .traffic = {}},
      auth_);
}

Foreign::~Foreign() = default;

bool Foreign::master() const { return alive_ && model_->master(); }

void Foreign::start() {
  if (alive_) return;
  world_.trace().note("starts", index_);
  alive_ = true;
  world_.oracle().disturbed(world_.now());
  const auto address = static_cast<std::uint32_t>(0xc0000201U + index_);
  switch (setup_.kind) {
    case Kind::openbsd:
      model_ = std::make_unique<ModelOf<test::OpenbsdModel>>(setup_, address);
      break;
    case Kind::freebsd:
      model_ = std::make_unique<ModelOf<test::FreebsdModel>>(setup_, address);
      break;
    case Kind::ucarp:
      model_ = std::make_unique<ModelOf<test::UcarpModel>>(setup_, address);
      break;
  }
  sent_ = 0;
  model_->link_up(us(world_.now()));
}

void Foreign::kill() {
  if (!alive_) return;
  catch_up();
  world_.trace().note("dies", index_);
  alive_ = false;
  world_.oracle().gone(index_);
  world_.oracle().disturbed(world_.now());
}

Moment Foreign::next() const {
  if (!alive_) return kNoMoment;
  const long long due = model_->due();
  return due < 0 ? kNoMoment : std::max(moment(due), world_.now());
}

void Foreign::run_next() {
  const bool was_master = master();
  model_->time(us(world_.now()));
  after(was_master);
}

void Foreign::after(bool was_master) {
  if (was_master) world_.oracle().covers(index_, 0, Term(reign_), answered_, world_.now());
  if (master() != was_master) {
    world_.trace().note(master() ? "is MASTER" : "is BACKUP", index_);
    if (master()) ++reign_;
  }
  answered_ = world_.now();
  while (sent_ < model_->sent()) {
    ++sent_;
    send_advertisement();
  }
}

void Foreign::catch_up() {
  if (!master()) return;
  world_.oracle().covers(index_, 0, Term(reign_), answered_, world_.now());
  answered_ = world_.now();
}

void Foreign::send_advertisement() {
  // protocol.md §5: OpenBSD's counter stays the same, the others' grows.
  if (setup_.kind != Kind::openbsd) ++counter_;
  const TransmitFrame frame =
      frames_->advertisement(Family::ipv4, {.advbase = setup_.advbase,
                                            .advskew = static_cast<std::uint8_t>(model_->advskew()),
                                            .demote = static_cast<std::uint8_t>(model_->demote()),
                                            .counter = counter_});
  Packet packet;
  packet.length = frame.length;
  std::copy_n(frame.bytes.begin(), frame.length, packet.bytes.begin());
  packet.advertisement = packet.decides = true;
  world_.trace().note("advertises", index_);
  world_.network().send(index_, packet, world_.now());
}

void Foreign::receive(const Packet& packet) {
  if (!alive_) return;
  const std::span<const std::byte> bytes = std::span(packet.bytes).first(packet.length);
  const auto ethernet = wire::parse_ethernet(bytes);
  if (!ethernet) return;
  if (ethernet->ethertype == wire::kEtherIpv4) return hear(bytes.subspan(ethernet->payload));
  if (ethernet->ethertype == wire::kEtherArp && master()) reply(packet);
}

void Foreign::hear(std::span<const std::byte> packet) {
  const auto ip = wire::parse_ipv4(packet);
  if (!ip || ip->protocol != wire::kCarpProtocol || ip->ttl != wire::kCarpTtl) return;
  const auto carp = wire::parse_carp(packet.subspan(wire::kIpv4Length));
  if (!carp || !auth_.verify(carp->counter, carp->digest)) return;
  if (setup_.kind == Kind::openbsd && carp->counter == counter_) return;
  const bool was_master = master();
  model_->hear(us(world_.now()), *carp, wire::get_be32(packet, 12));
  after(was_master);
}

void Foreign::reply(const Packet& request) {
  Packet answer = request;
  const std::span<std::byte> bytes = answer.frame();
  const auto arp = wire::parse_arp(bytes.subspan(wire::kEthernetLength));
  if (!arp || arp->operation != wire::kArpRequest || arp->target_ip != test::ip4("192.0.2.10"))
    return;
  const MacAddress own = virtual_mac(Vhid(1));
  wire::put_mac(bytes, 0, arp->sender_mac);
  wire::put_mac(bytes, 6, own);
  wire::turn_into_arp_reply(bytes.subspan(wire::kEthernetLength), *arp, own);
  world_.network().send(index_, answer, world_.now());
}

}  // namespace koi::sim
