#include "common/wire/mld.h"

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::wire::mld_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::prefix;
using test::verdict;

// Scapy's messages, from fe80::fe to ff02::1.
constexpr auto kVersion1 = "82007b4203e8000000000000000000000000000000000000";
constexpr auto kVersion2 = "820055992710000000000000000000000000000000000000027d0000";
// About ff02::12 from one source, maximum response code 0x9234.
constexpr auto kVersion2Source =
    "8200bd8e92340000ff020000000000000000000000000012027d000120010db8000000000000000000000007";
constexpr auto kDone = "84007e1500000000ff020000000000000000000000000012";

const Ipv6Address kQuerier = Ipv6Address::parse("fe80::fe").value();

std::string verdict_on(const Bytes& message, const Ipv6Address& source = kQuerier,
                       std::uint8_t hop_limit = 1) {
  return verdict(parse_mld_query(message, source, hop_limit));
}

// C13.10 kept
TEST(ParseMldQuery, BothVersions) {
  const auto one = parse_mld_query(from_hex(kVersion1), kQuerier, 1);
  ASSERT_TRUE(one.ok());
  EXPECT_TRUE(one->older_version);
  EXPECT_EQ(one->max_response, 1s);
  EXPECT_EQ(one->group, Ipv6Address{});

  const auto two = parse_mld_query(from_hex(kVersion2), kQuerier, 1);
  ASSERT_TRUE(two.ok());
  EXPECT_FALSE(two->older_version);
  EXPECT_EQ(two->max_response, 10s);
  EXPECT_EQ(two->group, Ipv6Address{});

  const auto about = parse_mld_query(from_hex(kVersion2Source), kQuerier, 1);
  ASSERT_TRUE(about.ok());
  EXPECT_EQ(about->group.to_string(), "ff02::12");
  // RFC 3810 §5.1.3: (0x234 | 0x1000) << (1 + 3)
  EXPECT_EQ(about->max_response, 74560ms);
}

TEST(ParseMldQuery, MaximumResponseCode) {
  const auto with_code = [](unsigned code, const char* hex) {
    Bytes message = from_hex(hex);
    put_be16(message, 4, static_cast<std::uint16_t>(code));
    return parse_mld_query(message, kQuerier, 1)->max_response;
  };
  EXPECT_EQ(with_code(0, kVersion2), 0s);
  EXPECT_EQ(with_code(0x7fff, kVersion2), 32767ms);
  EXPECT_EQ(with_code(0x8000, kVersion2), 32768ms);
  EXPECT_EQ(with_code(0xffff, kVersion2), 8387584ms);
  EXPECT_EQ(with_code(0xffff, kVersion1), 65535ms);  // a version 1 code is a plain number
}

// C13.10 refused
TEST(ParseMldQuery, EveryTruncation) {
  const Bytes query = from_hex(kVersion2Source);
  for (std::size_t n = 0; n <= query.size(); ++n) {
    const bool ok = n == 24 || n == query.size();  // 24 bytes are a query of version 1
    EXPECT_EQ(verdict_on(prefix(query, n)), ok ? "ok" : "mld_length") << n;
  }
  Bytes longer = query;  // RFC 3810 §5.1.12: additional data is passed over
  longer.resize(query.size() + 5);
  EXPECT_EQ(verdict_on(longer), "ok");
  Bytes many = query;
  put_be16(many, 26, 0xffff);
  EXPECT_EQ(verdict_on(many), "mld_length");
}

// C13.10 refused
TEST(ParseMldQuery, QueriesOfThisLinkOnly) {
  EXPECT_EQ(verdict_on(from_hex(kDone)), "mld_not_query");
  EXPECT_EQ(verdict_on(from_hex(kVersion2), kQuerier, 2), "mld_not_query");
  EXPECT_EQ(verdict_on(from_hex(kVersion2), kQuerier, 255), "mld_not_query");
  const Ipv6Address global = Ipv6Address::parse("2001:db8::1").value();
  EXPECT_EQ(verdict_on(from_hex(kVersion2), global), "mld_not_query");
  EXPECT_EQ(verdict_on(from_hex(kVersion2), Ipv6Address{}), "mld_not_query");
}

}  // namespace
}  // namespace koi::wire::mld_test
