#include "config/derived.h"

#include <gtest/gtest.h>

namespace koi::config::derived_test {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

TEST(Derived, FamiliesAreThoseOfTheSharedAddresses) {
  Group group;
  EXPECT_EQ(families_of(group), 0);
  group.addresses = {ip("192.0.2.1")};
  EXPECT_EQ(families_of(group), 1);
  group.addresses = {ip("fe80::1")};
  EXPECT_EQ(families_of(group), 2);
  group.addresses = {ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2")};
  group.previous_addresses = {ip("192.0.2.3")};
  EXPECT_EQ(families_of(group), 3);
}

TEST(Derived, MembersOfAGroupWithAndWithoutBalance) {
  Group group;
  group.vhid = Vhid(7);
  group.advskew = 9;
  EXPECT_EQ(members_of(group), (std::vector<Member>{{Vhid(7), 9}}));
  group.balance.emplace().members = {{Vhid(1), 0}, {Vhid(2), 100}};
  EXPECT_EQ(members_of(group), (std::vector<Member>{{Vhid(1), 0}, {Vhid(2), 100}}));
}

TEST(Derived, NamesOfChecksThatHaveNone) {
  Track track;
  track.port = "wan";
  EXPECT_EQ(default_name(track), "port wan");
  track.address = ip("192.0.2.9");
  track.kind = Track::Kind::ping;
  EXPECT_EQ(default_name(track), "ping 192.0.2.9");
  track.kind = Track::Kind::tcp;
  track.number = 443;
  EXPECT_EQ(default_name(track), "tcp 192.0.2.9:443");
  track.address = ip("2001:db8::1");
  EXPECT_EQ(default_name(track), "tcp [2001:db8::1]:443");
  track.kind = Track::Kind::script;
  track.program = "/etc/koi/check";
  EXPECT_EQ(default_name(track), "script /etc/koi/check");
}

}  // namespace
}  // namespace koi::config::derived_test
