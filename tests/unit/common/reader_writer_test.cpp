#include <array>

#include <gtest/gtest.h>

#include "common/wire/reader.h"
#include "common/wire/writer.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::wire::reader_writer_test {
namespace {

using test::from_hex;
using test::to_hex;

TEST(Reader, TakesFieldsFromFrontToBack) {
  const auto bytes = from_hex("01 0203 04050607 08090a0b0c0d0e0f 525400123456 c000020a ff aabbcc");
  Reader r(bytes);
  EXPECT_EQ(r.remaining(), bytes.size());
  EXPECT_EQ(r.u8(), 0x01);
  EXPECT_EQ(r.be16(), 0x0203);
  EXPECT_EQ(r.be32(), 0x04050607u);
  EXPECT_EQ(r.be64(), 0x08090a0b0c0d0e0fu);
  EXPECT_EQ(r.mac(), mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56}));
  EXPECT_EQ(r.ipv4(), Ipv4Address::from_u32(0xc000020a));
  r.skip(1);
  EXPECT_EQ(r.remaining(), 3u);
  EXPECT_EQ(to_hex(r.bytes<3>()), "aabbcc");
  EXPECT_EQ(r.remaining(), 0u);
  EXPECT_TRUE(r.ok());
}

TEST(Reader, FailsByOneByteInEveryField) {
  const auto bytes = from_hex("ffffffffffffffff");
  const auto reader = [&bytes](std::size_t n) { return Reader(std::span(bytes).first(n)); };
  const auto failed = [](const Reader& r) { return !r.ok() && r.remaining() == 0; };

  Reader none = reader(0), one = reader(1), three = reader(3), seven = reader(7), five = reader(5),
         four = reader(3), two = reader(2), six = reader(6);
  EXPECT_EQ(none.u8(), 0);
  EXPECT_TRUE(failed(none));
  EXPECT_EQ(one.be16(), 0);
  EXPECT_TRUE(failed(one));
  EXPECT_EQ(three.be32(), 0u);
  EXPECT_TRUE(failed(three));
  EXPECT_EQ(seven.be64(), 0u);
  EXPECT_TRUE(failed(seven));
  EXPECT_TRUE(five.mac().is_zero());
  EXPECT_TRUE(failed(five));
  EXPECT_TRUE(four.ipv4().is_zero());
  EXPECT_TRUE(failed(four));
  EXPECT_EQ(to_hex(two.bytes<3>()), "000000");
  EXPECT_TRUE(failed(two));
  six.skip(7);
  EXPECT_TRUE(failed(six));
}

TEST(Reader, Ipv6Address) {
  const auto bytes = from_hex("20010db8000000000000000000000077");
  Reader r(bytes);
  EXPECT_EQ(r.ipv6().to_string(), "2001:db8::77");
  EXPECT_TRUE(r.ok());
  const std::span<const std::byte> all(bytes);
  Reader short_by_one(all.first(15));
  EXPECT_TRUE(short_by_one.ipv6().is_unspecified());
  EXPECT_FALSE(short_by_one.ok());
}

TEST(Writer, Ipv6Address) {
  std::array<std::byte, 17> out{};
  Writer w(out);
  w.ipv6(*Ipv6Address::parse("2001:db8::77"));
  EXPECT_EQ(to_hex(out), "20010db800000000000000000000007700");
  EXPECT_EQ(w.written(), 16u);
  w.ipv6({});
  EXPECT_FALSE(w.ok());
}

TEST(Reader, FailureIsSticky) {
  const auto bytes = from_hex("0102030405");
  Reader r(bytes);
  EXPECT_EQ(r.u8(), 1);
  EXPECT_EQ(r.be64(), 0u);
  EXPECT_FALSE(r.ok());
  // Four bytes were left, and still nothing is to be had.
  EXPECT_EQ(r.u8(), 0);
  EXPECT_EQ(r.be16(), 0);
  r.skip(0);
  EXPECT_FALSE(r.ok());
}

TEST(Reader, ReadsToTheLastByteAndNoFurther) {
  const auto bytes = from_hex("0102");
  Reader r(bytes);
  r.skip(2);
  EXPECT_TRUE(r.ok());
  r.skip(0);
  EXPECT_TRUE(r.ok());
  r.skip(static_cast<std::size_t>(-1));
  EXPECT_FALSE(r.ok());
}

TEST(Writer, PutsFieldsFromFrontToBack) {
  std::array<std::byte, 28> out{};
  Writer w(out);
  w.u8(0x01);
  w.be16(0x0203);
  w.be32(0x04050607);
  w.be64(0x08090a0b0c0d0e0f);
  w.mac(mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56}));
  w.ipv4(Ipv4Address::from_u32(0xc000020a));
  w.bytes(from_hex("aabbcc"));
  EXPECT_TRUE(w.ok());
  EXPECT_EQ(w.written(), 28u);
  EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e0f525400123456c000020aaabbcc");
}

TEST(Writer, OverflowIsStickyAndWritesNothing) {
  std::array<std::byte, 5> out{};
  Writer w{std::span(out).first(4)};
  w.be16(0x0102);
  w.be32(0x03040506);
  EXPECT_FALSE(w.ok());
  w.u8(0x07);  // would fit
  w.bytes({});
  EXPECT_FALSE(w.ok());
  EXPECT_EQ(w.written(), 2u);
  EXPECT_EQ(to_hex(out), "0102000000");
}

TEST(Writer, FillsToTheLastByte) {
  std::array<std::byte, 3> out{};
  Writer w{std::span(out).first(2)};
  w.be16(0xffff);
  EXPECT_TRUE(w.ok());
  w.u8(0xff);
  EXPECT_FALSE(w.ok());
  EXPECT_EQ(to_hex(out), "ffff00");
}

}  // namespace
}  // namespace koi::wire::reader_writer_test
