#include "controlplane/app/captures.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "controlplane/app/clean_text.h"
#include "controlplane/app/pcapng.h"

namespace koi::app {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::size_t kBacklog = 1024 * 1024;  // bytes that a client may leave unread
constexpr std::size_t kBatch = 8192;           // frames in one go
constexpr double kLeaving = 1;                 // s, for workers to leave the one before

constexpr CaptureBounds kLargest{.count = 10'000'000, .bytes = 10'000'000'000, .seconds = 3600};

/// Reads a whole number; false iff it is there and is none, or out of range.
bool read_number(const json& request, const char* key, std::uint64_t least, std::uint64_t most,
                 std::uint64_t& into) {
  const auto found = request.find(key);
  if (found == request.end()) return true;
  if (!found->is_number_unsigned()) return false;
  into = found->get<std::uint64_t>();
  return into >= least && into <= most;
}

Result<CaptureBounds> bounds_of(const json& request, std::uint16_t& snaplen) {
  CaptureBounds bounds;
  std::uint64_t kept = snaplen;
  if (!read_number(request, "count", 1, kLargest.count, bounds.count)) {
    return Error{fmt::format("\"count\" is a whole number, 1 to {}", kLargest.count)};
  }
  if (!read_number(request, "bytes", 1, kLargest.bytes, bounds.bytes)) {
    return Error{fmt::format("\"bytes\" is a whole number, 1 to {}", kLargest.bytes)};
  }
  if (!read_number(request, "snaplen", CaptureWanted::kLeastSnaplen, CaptureWanted::kMostSnaplen,
                   kept)) {
    return Error{fmt::format("\"snaplen\" is a whole number, {} to {}",
                             CaptureWanted::kLeastSnaplen, CaptureWanted::kMostSnaplen)};
  }
  snaplen = static_cast<std::uint16_t>(kept);
  if (const auto found = request.find("seconds"); found != request.end()) {
    bounds.seconds = found->is_number() ? found->get<double>() : 0;
    if (!(bounds.seconds > 0 && bounds.seconds <= kLargest.seconds)) {
      return Error{
          fmt::format("\"seconds\" is a number above 0, {:.0f} at most", kLargest.seconds)};
    }
  }
  return bounds;
}

/// Finds one by its name, or names those that there are.
template <class Items>
Result<std::size_t> find_named(const Items& items, const json& name, const char* what) {
  if (!name.is_string()) return Error{fmt::format("\"{0}\" is the name of a {0}", what)};
  const auto wanted = name.get<std::string>();
  std::string all;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].name == wanted) return i;
    all += (all.empty() ? "" : ", ") + items[i].name;
  }
  return Error{fmt::format("no {} \"{}\"; there are {}", what, cleaned(wanted), all)};
}

Result<CaptureWanted> wanted_of(const json& request, const Snapshot& snapshot) {
  const auto port = request.find("port");
  const auto group = request.find("group");
  if ((port == request.end()) == (group == request.end())) {
    return Error{R"(either "port" or "group" says what to capture)"};
  }
  if (port != request.end()) {
    const auto found = find_named(snapshot.config->ports, *port, "port");
    if (!found) return found.error();
    return CaptureWanted{.port = PortIndex(static_cast<std::uint8_t>(found.value())), .filter = {}};
  }
  const auto found = find_named(snapshot.config->groups, *group, "group");
  if (!found) return found.error();
  return frames_of_group(snapshot, found.value());
}

std::string refusal_line(const std::string& why) {
  return json{{"ok", false}, {"error", why}}.dump();
}

std::string part_of(const std::string& bytes) {
  return json{{"ok", true}, {"bytes", bytes.size()}}.dump() + "\n" + bytes;
}

}  // namespace

CaptureWanted frames_of_group(const Snapshot& snapshot, std::size_t group) {
  CaptureWanted wanted;
  CaptureFilter& filter = wanted.filter;
  filter.all = false;
  for (std::size_t i = 0; i < snapshot.plan->slots.size(); ++i) {
    const controlplane::SlotPlan& slot = snapshot.plan->slots[i];
    if (slot.gone || slot.group_index != group) continue;
    wanted.port = slot.port;
    filter.vlan = slot.vlan;
    filter.vhids.set(snapshot.view_of(SlotIndex(static_cast<std::uint16_t>(i))).vhid.value());
  }
  const config::Group& asked = snapshot.config->groups[group];
  for (const auto* addresses : {&asked.addresses, &asked.previous_addresses}) {
    for (const IpAddress& address : *addresses) {
      if (address.is_v4()) {
        filter.ipv4.push_back(address.v4());
      } else {
        filter.ipv6.push_back(address.v6());
      }
    }
  }
  std::sort(filter.ipv4.begin(), filter.ipv4.end());
  std::sort(filter.ipv6.begin(), filter.ipv6.end());
  return wanted;
}

/// One capture, from its request to its last words, or until its client is gone.
class Captures::Session {
 public:
  struct Setup {
    CaptureWanted wanted;
    CaptureBounds bounds;
    std::string what;       // is captured, for people
    std::string owner;      // who asked
    std::string beginning;  // of the file
  };
  Session(CaptureSource& source, const Snapshot& snapshot, Setup setup)
      : source_(source), snapshot_(snapshot), setup_(std::move(setup)) {}
  ~Session() {
    source_.end();
    if (begun_) spdlog::info("capture of {} has ended: {} frames", setup_.what, captured_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Part next(std::size_t unread, bool asked_to_end);
  void shut_down() { shutdown_ = true; }
  std::string says() const {
    return fmt::format("{} captures {} since {:.0f} s; one at a time", setup_.owner, setup_.what,
                       lasted());
  }

 private:
  double lasted() const {
    return std::chrono::duration<double>(steady_clock::now() - began_).count();
  }
  Part begin();
  void collect(std::string& file, std::size_t unread);
  std::string last_words(const char* ended, std::string& file);

  CaptureSource& source_;
  const Snapshot& snapshot_;
  const Setup setup_;
  bool begun_ = false;
  steady_clock::time_point began_ = steady_clock::now();
  pcapng::Time began_utc_{};
  std::uint64_t bytes_ = 0;  // of the file so far
  std::uint64_t captured_ = 0;
  std::uint64_t unread_ = 0;  // frames dropped, for the client did not read
  bool shutdown_ = false;
};

/// Once the workers have left the one before.
Part Captures::Session::begin() {
  if (!source_.idle()) {
    if (lasted() < kLeaving) return {};
    return {.bytes = refusal_line("a worker hangs, and has not left the capture before") + "\n",
            .last = true};
  }
  if (const Status begun = source_.begin(setup_.wanted); !begun) {
    return {.bytes = refusal_line(begun.error().message) + "\n", .last = true};
  }
  spdlog::info("capture of {} by {}", setup_.what, setup_.owner);
  begun_ = true;
  began_ = steady_clock::now();
  began_utc_ = std::chrono::system_clock::now().time_since_epoch();
  bytes_ = setup_.beginning.size();
  return {.bytes = part_of(setup_.beginning)};
}

Part Captures::Session::next(std::size_t unread, bool asked_to_end) {
  if (!begun_) return begin();
  const CaptureBounds& bounds = setup_.bounds;
  const char* ended = shutdown_                   ? "shutdown"
                      : asked_to_end              ? "asked"
                      : lasted() > bounds.seconds ? "seconds"
                                                  : nullptr;
  if (ended != nullptr) source_.end();  // and then what it has copied
  std::string file;
  collect(file, unread);
  if (captured_ >= bounds.count) ended = "count";
  if (bytes_ >= bounds.bytes) ended = "bytes";
  if (ended == nullptr) return {.bytes = file.empty() ? std::string() : part_of(file)};
  source_.end();
  const std::string words = last_words(ended, file);
  return {.bytes = part_of(file) + words, .last = true};
}

void Captures::Session::collect(std::string& file, std::size_t unread) {
  // To wall time anew each time: koi's clock drifts, and the wall clock may be set.
  const pcapng::Time offset = std::chrono::system_clock::now().time_since_epoch() -
                              snapshot_.clock->now().time_since_epoch();
  const CaptureBounds& bounds = setup_.bounds;
  std::size_t left = kBatch;
  source_.take([&](const CapturedFrame& frame) {
    if (captured_ >= bounds.count || bytes_ >= bounds.bytes) return false;
    if (unread + file.size() > kBacklog) {
      ++unread_;
    } else {
      const std::size_t before = file.size();
      pcapng::append_frame(file, frame.at.time_since_epoch() + offset, frame);
      if (bytes_ + file.size() - before > bounds.bytes) {
        file.resize(before);
        bytes_ = bounds.bytes;  // the next ones do not fit either
        return false;
      }
      bytes_ += file.size() - before;
      ++captured_;
    }
    return --left != 0;
  });
}

std::string Captures::Session::last_words(const char* ended, std::string& file) {
  const CaptureMisses misses = source_.misses();
  const std::uint64_t dropped = misses.budget + misses.full + unread_;
  pcapng::append_statistics(file, began_utc_, std::chrono::system_clock::now().time_since_epoch(),
                            captured_ + dropped, dropped);
  return json{{"ok", true},
              {"ended", ended},
              {"captured", captured_},
              {"seconds", lasted()},
              {"dropped",
               {{"budget", misses.budget}, {"ring_full", misses.full}, {"reader", unread_}}}}
             .dump() +
         "\n";
}

Answer Captures::begin(const json& request, const std::string& owner) {
  if (const auto running = session_.lock()) return refusal_line(running->says());
  auto wanted = wanted_of(request, snapshot_);
  if (!wanted) return refusal_line(wanted.error().message);
  const auto bounds = bounds_of(request, wanted.value().snaplen);
  if (!bounds) return refusal_line(bounds.error().message);
  if (source_ == nullptr) return refusal_line("this koid does not capture");
  const config::Port& port = snapshot_.config->ports[wanted.value().port.value()];
  const std::string what = wanted.value().filter.all
                               ? "port " + port.name
                               : "group " + request["group"].get<std::string>();
  std::string beginning = pcapng::beginning("koid " KOI_VERSION, port.name,
                                            port.device + ": " + what, wanted.value().snaplen);
  auto session = std::make_shared<Session>(
      *source_, snapshot_,
      Session::Setup{std::move(wanted).value(), bounds.value(), what, owner, std::move(beginning)});
  session_ = session;
  return Stream([session](std::size_t unread, bool asked) { return session->next(unread, asked); });
}

void Captures::update() {
  if (source_ != nullptr && session_.expired()) source_->idle();
}

void Captures::shut_down() {
  if (const auto running = session_.lock()) running->shut_down();
}

}  // namespace koi::app
