#include "tools/ctl/explain_text.h"

#include <utility>

#include <fmt/format.h>

#include "tools/ctl/page.h"
#include "tools/ctl/time_text.h"

namespace koi::ctl {
namespace {

using std::chrono::system_clock;

std::string place_text(const Json& place) {
  const double vlan = number(place, "vlan").value_or(0);
  return vlan == 0 ? text(place, "port") : fmt::format("{}.{}", text(place, "port"), vlan);
}

const char* input_text(const Json& balance) {
  return text(balance, "input") == "ip" ? "IP address" : "MAC address";
}

bool is_by_packet(const Json& balance) {
  return balance.is_object() && text(balance, "mode", "arp") != "arp";
}

std::string by_packet_text(const Json& explained, const Json& balance) {
  const std::string fold = fmt::format("source and destination address folded, modulo {} members",
                                       text(balance, "members"));
  if (!number(balance, "member")) return fmt::format("{}; {}", fold, text(balance, "undecided"));
  const std::string other = text(explained, "from", "");
  return fmt::format("{}: what {} and {} send each other belongs to member {}", fold,
                     text(explained, "client"), other.empty() ? text(explained, "address") : other,
                     text(balance, "member"));
}

std::string balance_text(const Json& explained, const Json& balance) {
  if (is_by_packet(balance)) return by_packet_text(explained, balance);
  const std::string hash =
      fmt::format("hash {} of the client's {}, modulo {} members", text(balance, "hash"),
                  input_text(balance), text(balance, "members"));
  if (number(balance, "member")) {
    return fmt::format("{}: {} belongs to member {}", hash, text(explained, "client"),
                       text(balance, "member"));
  }
  return fmt::format("{}; {}", hash, text(balance, "undecided"));
}

/// What a box does for the client: answers it, or takes its packets.
struct Deed {
  const char* verb;  // "answers"
  const char* none;  // "answer"
  const char* noun;  // "answering"
};
constexpr Deed kAnswers{"answers", "answer", "answering"};
constexpr Deed kTakes{"takes its packets", "take its packets", "taking its packets"};

/// Who does it, and how that looks.
std::pair<std::string, Colour> who_does(const Json& slot, const Deed& deed) {
  if (truth(slot, "answers_now")) {
    return {fmt::format("this box {} now", deed.verb), Colour::green};
  }
  if (text(slot, "role") == "MASTER") {
    return {fmt::format("this box is MASTER but has no lease: it does not {} now", deed.none),
            Colour::red};
  }
  const Json& master = field(slot, "master");
  if (master.is_object()) {
    return {fmt::format("the box at {} {}", text(master, "address"), deed.verb), Colour::yellow};
  }
  return {fmt::format("no master was heard: nobody may be {}", deed.noun), Colour::red};
}

void add_slot_story(Page& page, const Json& slot, const Json& balance,
                    system_clock::time_point now) {
  const auto [who, colour] = who_does(slot, is_by_packet(balance) ? kTakes : kAnswers);
  page.add(text(slot, "role"), who, colour);
  page.add("",
           fmt::format("{}vhid {}, the client is told {}",
                       balance.is_object() ? fmt::format("member {}, ", text(slot, "member")) : "",
                       text(slot, "vhid"), text(slot, "mac")));
  std::string why = fmt::format("{} here since {}, cause: {}", text(slot, "role"),
                                since_text(text(slot, "since"), now), text(slot, "cause"));
  const std::optional<double> lease = number(slot, "lease_ms");
  if (truth(slot, "answers_now") && lease) {
    why += fmt::format("; lease {} left", short_time(*lease / 1e3));
  }
  page.add("", why);
}

}  // namespace

std::string explain_text(const Json& explained, system_clock::time_point now, bool colours) {
  Page page(kMargin, colours);
  page.add("address", text(explained, "address"));
  const std::string client = text(explained, "client", "");
  if (!client.empty()) page.add("client", client);
  const std::string from = text(explained, "from", "");
  if (!from.empty()) page.add("from", from);
  for (const Json& place : list(explained, "places")) {
    page.blank();
    if (text(place, "kind") == "own") {
      page.add("own", fmt::format("this box's own address on port {}: it always answers, with {}",
                                  place_text(place), text(place, "mac")));
      continue;
    }
    const Json& balance = field(place, "balance");
    page.add("shared",
             fmt::format("by group {} on port {}{}", text(place, "group"), place_text(place),
                         is_by_packet(balance)
                             ? fmt::format(", balanced by packet ({})", text(balance, "mode"))
                         : balance.is_object() ? ", balanced"
                                               : ": one box for all"));
    if (balance.is_object()) page.add("", balance_text(explained, balance));
    if (const Json& resolver = field(place, "resolver"); resolver.is_object()) {
      const auto [who, colour] = who_does(resolver, kAnswers);
      page.add("ARP, ND", fmt::format("for all askers alike: {}", who), colour);
    }
    for (const Json& slot : list(place, "slots")) add_slot_story(page, slot, balance, now);
  }
  return page.str();
}

}  // namespace koi::ctl
