#include "controlplane/app/flight_recorder.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "controlplane/app/events_request.h"

namespace koi::app::flight_recorder_test {
namespace {

using nlohmann::json;

Event of(Event::Kind kind) {
  Event event;
  event.kind = kind;
  return event;
}

std::vector<std::uint64_t> numbers(const FlightRecorder::Page& page) {
  std::vector<std::uint64_t> all;
  for (const Event* event : page.events) all.push_back(event->sequence);
  return all;
}

Answer ask(const FlightRecorder& recorder, const std::string& request) {
  return answer_events(recorder, json::parse(request));
}

/// The reply, parked or not; a parked one is asked for once.
json reply_of(const Answer& answer) {
  if (const auto* text = std::get_if<std::string>(&answer)) return json::parse(*text);
  const auto text = std::get<Later>(answer)();
  return text ? json::parse(*text) : json("parked");
}

TEST(FlightRecorder, NumbersGrowByOneAndPagesFollowEachOther) {
  FlightRecorder recorder;
  EXPECT_EQ(recorder.last(), 0U);
  EXPECT_TRUE(recorder.after(0, 10).events.empty());
  for (int i = 0; i < 5; ++i) recorder.add(of(i % 2 == 0 ? Event::Kind::role : Event::Kind::hook));
  EXPECT_EQ(recorder.last(), 5U);
  EXPECT_EQ(numbers(recorder.after(0, 3)), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(numbers(recorder.after(3, 3)), (std::vector<std::uint64_t>{4, 5}));
  EXPECT_TRUE(recorder.after(5, 3).events.empty());
  EXPECT_TRUE(recorder.after(99, 3).events.empty());
  EXPECT_EQ(recorder.after(99, 3).lost, 0U);
  EXPECT_NE(recorder.boot(), FlightRecorder().boot());
}

TEST(FlightRecorder, KeepsTheLastAndSaysHowManyAreLost) {
  FlightRecorder recorder;
  constexpr std::size_t kOwn = FlightRecorder::kEvents - FlightRecorder::kOfOthers;
  for (std::size_t i = 0; i < kOwn + 7; ++i) recorder.add(of(Event::Kind::role));
  const auto page = recorder.after(2, 3);
  EXPECT_EQ(numbers(page), (std::vector<std::uint64_t>{8, 9, 10}));
  EXPECT_EQ(page.lost, 5U);
  EXPECT_EQ(recorder.after(0, 100'000).lost, 7U);
  EXPECT_EQ(recorder.after(7, 100'000).lost, 0U);
}

TEST(FlightRecorder, AFloodOfWhatOthersCausePushesOutNoRoleChange) {
  for (const auto kind : {Event::Kind::notice, Event::Kind::hook, Event::Kind::host}) {
    FlightRecorder recorder;
    recorder.add(of(Event::Kind::role));
    for (std::size_t i = 0; i < 3 * FlightRecorder::kEvents; ++i) recorder.add(of(kind));
    const auto page = recorder.after(0, 100'000);
    EXPECT_EQ(page.events.front()->kind, Event::Kind::role);
    EXPECT_EQ(page.events.size(), FlightRecorder::kOfOthers + 1);
    EXPECT_EQ(page.lost + page.events.size(), recorder.last());
  }
}

TEST(FlightRecorder, AnEventNamesWhatIsKnownAndNothingElse) {
  Event event = of(Event::Kind::role);
  event.sequence = 7;
  event.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1767323045678));
  event.group = "lan-gateway";
  event.vhid = 3;
  event.from = "BACKUP";
  event.to = "MASTER";
  event.cause = "preempt";
  event.term = 4;
  event.since_heard_ms = 2.5;
  event.advskew = 0;
  event.demotion = 1;
  EXPECT_EQ(to_json(event), json::parse(R"({"sequence":7,"time":"2026-01-02T03:04:05.678Z",
    "kind":"role","group":"lan-gateway","vhid":3,"from":"BACKUP","to":"MASTER","cause":"preempt",
    "term":4,"since_heard_ms":2.5,"advskew":0,"demotion":1})"));
  EXPECT_EQ(to_json(Event{}).size(), 3U);
}

TEST(EventsRequest, IsAnsweredAtOnceWhereThereIsSomething) {
  FlightRecorder recorder;
  for (int i = 0; i < 3; ++i) recorder.add(of(Event::Kind::link));
  const json all = reply_of(ask(recorder, R"({"wait_ms":60000})"));
  EXPECT_EQ(all["events"].size(), 3U);
  EXPECT_EQ(all["last"], 3);
  EXPECT_EQ(all["lost"], 0);
  EXPECT_EQ(all["boot"], recorder.boot());
  const json one = reply_of(ask(recorder, R"({"after":1,"limit":1})"));
  ASSERT_EQ(one["events"].size(), 1U);
  EXPECT_EQ(one["events"][0]["sequence"], 2);
  EXPECT_TRUE(reply_of(ask(recorder, R"({"after":3})"))["events"].empty());
  // A number of another start, or from the future, is not waited for.
  EXPECT_EQ(reply_of(ask(recorder, R"({"after":3,"boot":"x","wait_ms":9999})"))["events"].size(),
            3U);
  EXPECT_EQ(reply_of(ask(recorder, R"({"after":99,"wait_ms":9999})"))["last"], 3);
}

TEST(EventsRequest, IsParkedUntilAnEventOrTheEndOfItsTime) {
  FlightRecorder recorder;
  recorder.add(of(Event::Kind::link));
  const Answer parked = ask(recorder, R"({"after":1,"wait_ms":60000})");
  EXPECT_EQ(reply_of(parked), "parked");
  recorder.add(of(Event::Kind::role));
  EXPECT_EQ(reply_of(parked)["events"][0]["kind"], "role");
  const Answer brief = ask(recorder, R"({"after":2,"wait_ms":1})");
  json reply = reply_of(brief);
  while (reply == "parked") reply = reply_of(brief);
  EXPECT_TRUE(reply["events"].empty());
  EXPECT_EQ(reply["last"], 2);
}

TEST(EventsRequest, AReplyIsOneMessageOf64Kib) {
  FlightRecorder recorder;
  for (int i = 0; i < 1000; ++i) {
    Event event = of(Event::Kind::hook);
    event.detail = std::string(200, 'x');
    recorder.add(std::move(event));
  }
  std::uint64_t after = 0;
  while (after < 1000) {
    const auto text =
        std::get<std::string>(ask(recorder, R"({"after":)" + std::to_string(after) + "}"));
    EXPECT_LT(text.size(), 64U * 1024);
    const json reply = json::parse(text);
    ASSERT_FALSE(reply["events"].empty());
    EXPECT_EQ(reply["events"][0]["sequence"], after + 1);
    EXPECT_EQ(reply["lost"], 0);
    after = reply["events"].back()["sequence"].get<std::uint64_t>();
  }
}

TEST(EventsRequest, RubbishIsRefused) {
  const FlightRecorder recorder;
  for (const char* wrong :
       {R"({"after":-1})", R"({"after":"1"})", R"({"after":1.5})", R"({"wait_ms":null})",
        R"({"limit":0})", R"({"limit":[]})", R"({"boot":7})"}) {
    EXPECT_EQ(reply_of(ask(recorder, wrong))["ok"], false) << wrong;
  }
}

}  // namespace
}  // namespace koi::app::flight_recorder_test
