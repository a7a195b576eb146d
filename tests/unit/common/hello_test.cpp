// The hello between koi boxes: CARP.md §21. The bytes were put together by Python's struct.
#include "common/wire/hello.h"

#include <gtest/gtest.h>

#include "tests/unit/common/test_bytes.h"

namespace koi::hello_test {
namespace {

using test::Bytes;
using test::from_hex;
using test::to_hex;
using test::verdict;
using wire::Hello;
using wire::Mismatch;

const Bytes kMessage = from_hex(
    "6b6f6948 01 ff 0000 0fa2 20 0a 04 07 09 01 80000001 7ffffffe"
    "0102030405060708 1112131415161718 2122232425262728"
    "312e322e332d62657461000000000000");

wire::GroupDigest counted(std::uint8_t first) {
  wire::GroupDigest digest;
  for (std::byte& byte : digest) byte = std::byte{first++};
  return digest;
}

Hello hello() {
  return {.vhid = Vhid(255),
          .node = NodeId(4002),
          .facts = {.members = 32,
                    .advbase = 10,
                    .dead_ratio = 4,
                    .lowest_advskew = 7,
                    .addresses = counted(0x01),
                    .vhids = counted(0x11),
                    .hash = counted(0x21)},
          .demotion = 9,
          .asks = true,
          .masters = 0x80000001,
          .backups = 0x7ffffffe,
          .version = wire::version_text("1.2.3-beta")};
}

std::string verdict_with(std::size_t at, std::uint8_t value) {
  Bytes changed = kMessage;
  changed[at] = std::byte{value};
  return verdict(wire::parse_hello(changed));
}

// C21.3 kept
TEST(Hello, EveryFieldHasItsPlace) {
  const auto parsed = wire::parse_hello(kMessage);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(*parsed, hello());
  Bytes out(wire::kHelloLength);
  wire::write_hello(hello(), std::span(out).first<wire::kHelloLength>());
  EXPECT_EQ(to_hex(out), to_hex(kMessage));
}

// C21.4 kept, C21.4 refused, C21.11 refused
TEST(Hello, LengthsAndWhatMustBe) {
  for (std::size_t n = 0; n <= 140; ++n) {
    Bytes bytes = kMessage;
    bytes.resize(n, std::byte{0xee});
    const auto parsed = wire::parse_hello(bytes);
    EXPECT_EQ(verdict(parsed), n < 64 || n > 128 ? "hello_size" : "ok") << n;
    if (parsed.ok()) EXPECT_EQ(*parsed, hello()) << n;
  }
  for (const std::size_t at : {0U, 1U, 2U, 3U}) EXPECT_EQ(verdict_with(at, 0), "hello_format");
  EXPECT_EQ(verdict_with(4, 0), "hello_format");
  EXPECT_EQ(verdict_with(4, 2), "hello_format");
  EXPECT_EQ(verdict_with(6, 1), "hello_format");
  EXPECT_EQ(verdict_with(7, 1), "hello_format");
  EXPECT_EQ(verdict_with(10, 0), "hello_format");
  EXPECT_EQ(verdict_with(10, 33), "hello_format");
  EXPECT_EQ(verdict_with(15, 0xff), "ok");  // flags of a later version
}

TEST(Hello, VersionsFromOutsideAreShownAsText) {
  EXPECT_EQ(wire::to_string(wire::version_text("0.1.0")), "0.1.0");
  EXPECT_EQ(wire::to_string(wire::version_text("12345678901234567")), "1234567890123456");
  EXPECT_EQ(wire::to_string(wire::version_text("a\x1b[1m\n\xff b")), "a?[1m?\?\?b");
  EXPECT_EQ(wire::to_string(wire::version_text("")), "");
}

// C21.13 kept
TEST(Hello, DifferencesAreNamed) {
  const wire::GroupFacts ours = hello().facts;
  const auto differing = [&](auto change) {
    wire::GroupFacts theirs = ours;
    change(theirs);
    return wire::differences(ours, theirs);
  };
  EXPECT_EQ(differing([](auto&) {}), 0);
  EXPECT_EQ(differing([](auto& f) { f.addresses[7] ^= std::byte{1}; }),
            wire::mismatch_bit(Mismatch::addresses));
  EXPECT_EQ(differing([](auto& f) { f.vhids[0] ^= std::byte{1}; }),
            wire::mismatch_bit(Mismatch::members));
  EXPECT_EQ(differing([](auto& f) { f.members = 3; }), wire::mismatch_bit(Mismatch::members));
  EXPECT_EQ(differing([](auto& f) { f.hash[3] ^= std::byte{1}; }),
            wire::mismatch_bit(Mismatch::hash));
  EXPECT_EQ(differing([](auto& f) { f.advbase = 1; }), wire::mismatch_bit(Mismatch::advbase));
  EXPECT_EQ(differing([](auto& f) { f.dead_ratio = 3; }), wire::mismatch_bit(Mismatch::dead_ratio));
  EXPECT_EQ(differing([](auto& f) { f.lowest_advskew = 0; }),
            wire::mismatch_bit(Mismatch::lowest_advskew));
}

}  // namespace
}  // namespace koi::hello_test
