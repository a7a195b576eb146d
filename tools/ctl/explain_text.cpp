#include "tools/ctl/explain_text.h"

#include <fmt/format.h>

#include "tools/ctl/page.h"
#include "tools/ctl/time_text.h"

namespace koi::ctl {
namespace {

using std::chrono::system_clock;

constexpr std::size_t kMargin = 10;

std::string place_text(const Json& place) {
  const double vlan = number(place, "vlan").value_or(0);
  return vlan == 0 ? text(place, "port") : fmt::format("{}.{}", text(place, "port"), vlan);
}

const char* input_text(const Json& balance) {
  return text(balance, "input") == "ip" ? "IP address" : "MAC address";
}

std::string balance_text(const Json& explained, const Json& balance) {
  const std::string hash =
      fmt::format("hash {} of the client's {}, modulo {} members", text(balance, "hash"),
                  input_text(balance), text(balance, "members"));
  if (number(balance, "member")) {
    return fmt::format("{}: {} belongs to member {}", hash, text(explained, "client"),
                       text(balance, "member"));
  }
  return fmt::format("{}; {}", hash, text(balance, "undecided"));
}

void add_slot(Page& page, const Json& slot, bool balanced, system_clock::time_point now) {
  const bool answers = truth(slot, "answers_now");
  const Json& master = field(slot, "master");
  std::string who;
  Colour colour = Colour::yellow;
  if (answers) {
    who = "this box answers now";
    colour = Colour::green;
  } else if (text(slot, "role") == "MASTER") {
    who = "this box is MASTER but has no lease: it does not answer now";
    colour = Colour::red;
  } else if (master.is_object()) {
    who = fmt::format("the box at {} answers", text(master, "address"));
  } else {
    who = "no master was heard: nobody may be answering";
    colour = Colour::red;
  }
  page.add(text(slot, "role"), who, colour);
  page.add("", fmt::format("{}vhid {}, the client is told {}",
                           balanced ? fmt::format("member {}, ", text(slot, "member")) : "",
                           text(slot, "vhid"), text(slot, "mac")));
  std::string why = fmt::format("{} here since {}, cause: {}", text(slot, "role"),
                                since_text(text(slot, "since"), now), text(slot, "cause"));
  const std::optional<double> lease = number(slot, "lease_ms");
  if (answers && lease) why += fmt::format("; lease {} left", short_time(*lease / 1e3));
  page.add("", why);
}

}  // namespace

std::string explain_text(const Json& explained, system_clock::time_point now, bool colours) {
  Page page(kMargin, colours);
  page.add("address", text(explained, "address"));
  const std::string client = text(explained, "client", "");
  if (!client.empty()) page.add("client", client);
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
                         balance.is_object() ? ", balanced" : ": one box for all"));
    if (balance.is_object()) page.add("", balance_text(explained, balance));
    for (const Json& slot : list(place, "slots")) add_slot(page, slot, balance.is_object(), now);
  }
  return page.str();
}

}  // namespace koi::ctl
