#include "common/wire/carp.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <type_traits>

#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/auth/carp_auth.h"
#include "tests/unit/common/test_bytes.h"

namespace koi::wire::carp_test {
namespace {

using auth::AddressOrder;
using auth::CarpAuth;
using auth::LinkLocal;
using test::Bytes;
using test::from_hex;
using test::from_text;
using test::prefix;
using test::to_hex;
using test::verdict;

std::vector<IpAddress> addresses(std::initializer_list<const char*> texts) {
  std::vector<IpAddress> list;
  for (const char* text : texts) list.push_back(*IpAddress::parse(text));
  return list;
}

// The BSDs copy at most 19 bytes of a passphrase, in silence; koi's configuration refuses more.
Bytes bsd_key(std::string_view passphrase) { return from_text(passphrase.substr(0, 19)); }

/// One of protocol.md §4's golden vectors: what goes in, and the 36 bytes that come out.
struct Vector {
  const char* name;
  const char* passphrase;
  std::vector<IpAddress> addresses;
  LinkLocal link_local;
  CarpHeader header;  // without its digest
  const char* bytes;

  CarpAuth auth() const {
    return CarpAuth::prepare(bsd_key(passphrase), header.vhid, addresses, link_local);
  }
  CarpHeader signed_header() const {
    CarpHeader h = header;
    h.digest = auth().sign(h.counter);
    return h;
  }
};

// Vector E is not among them: it needs a custom link-layer address, which koi never uses.
const Vector kA{"A",
                "secret",
                addresses({"192.0.2.10"}),
                LinkLocal::exclude,
                {.vhid = Vhid(1), .advskew = 100, .counter = 0x0123456789abcdef},
                "210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4"};
const Vector kB{"B",
                "secret",
                addresses({"192.0.2.20", "192.0.2.10", "2001:db8::10"}),
                LinkLocal::exclude,
                {.vhid = Vhid(7), .counter = 1},
                "210700070001ce1a0000000000000001e407652b360eed4f84db0ff61ecd4beab554ef65"};
const Vector kC{"C",
                "secret",
                addresses({"192.0.2.10"}),
                LinkLocal::exclude,
                {.vhid = Vhid(1), .advskew = 255, .advbase = 255, .counter = 0x0123456789abcdef},
                "2101ff0700ff4aa90123456789abcdef3d2cea66fce80320a8027400391063b414d100f4"};
const Vector kD{"D",
                "abcdefghijklmnopqrstuvwxy",
                addresses({"10.0.0.1", "fe80::1", "2001:db8::1"}),
                LinkLocal::include,
                {.vhid = Vhid(42), .demote = 2, .advbase = 0, .counter = 0xffffffff00000001},
                "212a0007020085c2ffffffff000000013529e4b20f50314df2bf047a44c2c6c9d0882943"};
const Vector* const kVectors[] = {&kA, &kB, &kC, &kD};

// C2.1 kept, C2.2 kept, C2.6 kept, C2.8 kept, C5.1 kept, C5.13 kept
TEST(CarpVectors, Written) {
  for (const Vector* v : kVectors) {
    std::array<std::byte, kCarpHeaderLength> out;
    out.fill(std::byte{0xee});
    write_carp(v->signed_header(), out);
    EXPECT_EQ(to_hex(out), v->bytes) << v->name;
  }
}

// C2.1 kept, C2.6 kept, C5.13 kept
TEST(CarpVectors, Parsed) {
  for (const Vector* v : kVectors) {
    const auto header = parse_carp(from_hex(v->bytes));
    ASSERT_TRUE(header.ok()) << v->name << ": " << verdict(header);
    EXPECT_EQ(header->version, 2) << v->name;
    EXPECT_EQ(header->type, 1) << v->name;
    EXPECT_EQ(header->vhid, v->header.vhid) << v->name;
    EXPECT_EQ(header->advskew, v->header.advskew) << v->name;
    EXPECT_EQ(header->authlen, 7) << v->name;
    EXPECT_EQ(header->demote, v->header.demote) << v->name;
    EXPECT_EQ(header->advbase, v->header.advbase) << v->name;
    EXPECT_EQ(header->counter, v->header.counter) << v->name;
    EXPECT_EQ(to_hex(header->digest), std::string(v->bytes).substr(32)) << v->name;
    EXPECT_EQ(header->is_bow_out(), v == &kC) << v->name;
    EXPECT_TRUE(v->auth().verify(header->counter, header->digest)) << v->name;
  }
}

TEST(CarpVectors, NoVectorVerifiesWithAnothersKey) {
  for (const Vector* v : kVectors) {
    const CarpHeader header = *parse_carp(from_hex(v->bytes));
    for (const Vector* other : kVectors) {
      const bool same = std::string(v->bytes).substr(16) == std::string(other->bytes).substr(16);
      EXPECT_EQ(other->auth().verify(header.counter, header.digest), same)
          << v->name << " with " << other->name;
    }
  }
}

// C1.5 kept
TEST(CarpHeaderTest, BowOutNeedsBoth) {
  EXPECT_TRUE((CarpHeader{.vhid = Vhid(1), .advskew = 255, .advbase = 255}.is_bow_out()));
  EXPECT_FALSE((CarpHeader{.vhid = Vhid(1), .advskew = 254, .advbase = 255}.is_bow_out()));
  EXPECT_FALSE((CarpHeader{.vhid = Vhid(1), .advskew = 255, .advbase = 254}.is_bow_out()));
}

// C2.4 refused
TEST(ParseCarp, EveryTruncation) {
  for (const Vector* v : kVectors) {
    const Bytes whole = from_hex(v->bytes);
    for (std::size_t n = 0; n < whole.size(); ++n) {
      EXPECT_EQ(verdict(parse_carp(prefix(whole, n))), "carp_length") << v->name << " " << n;
    }
  }
}

// C2.4 kept, C2.5 kept
TEST(ParseCarp, BytesAfterTheHeaderAreIgnored) {
  const Bytes whole = from_hex(kB.bytes);
  const CarpHeader expected = *parse_carp(whole);
  std::mt19937 random(36);
  for (const std::size_t more : {1u, 2u, 28u, 64u, 1444u}) {
    Bytes longer = whole;
    const Bytes tail = test::random_bytes(random, more);
    longer.insert(longer.end(), tail.begin(), tail.end());
    const auto header = parse_carp(longer);
    ASSERT_TRUE(header.ok()) << more;
    EXPECT_EQ(*header, expected) << more;
  }
}

// C2.6 refused
TEST(ParseCarp, EveryChangedByteFailsTheChecksum) {
  const Bytes good = from_hex(kB.bytes);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes bad = good;
      bad[at] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(verdict(parse_carp(bad)), "carp_checksum") << at << " ^ " << flip;
    }
  }
}

// C2.1 kept
TEST(ParseCarp, EveryFieldGoesWhereItBelongs) {
  Bytes bytes(36);
  for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = static_cast<std::byte>(0xad + at);
  test::set_checksum(bytes, 6, 36);
  const auto header = parse_carp(bytes);
  ASSERT_TRUE(header.ok());  // version 10, but that is the caller's
  EXPECT_EQ(header->version, 0xa);
  EXPECT_EQ(header->type, 0xd);
  EXPECT_EQ(header->vhid, Vhid(0xae));
  EXPECT_EQ(header->advskew, 0xaf);
  EXPECT_EQ(header->authlen, 0xb0);
  EXPECT_EQ(header->demote, 0xb1);
  EXPECT_EQ(header->advbase, 0xb2);
  EXPECT_EQ(header->counter, 0xb5b6b7b8b9babbbcu);
  EXPECT_EQ(to_hex(header->digest), "bdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0");

  std::array<std::byte, kCarpHeaderLength> out;
  out.fill(std::byte{0xee});
  write_carp(*header, out);
  EXPECT_EQ(to_hex(out), to_hex(bytes));
}

// What a receiver does with one advertisement of vector B's group, in the order of protocol.md §3:
// a group exists for every vhid, all with B's key and addresses.
bool received(std::span<const std::byte> payload) {
  const auto header = parse_carp(payload);
  if (!header.ok() || header->version != 2) return false;
  const CarpAuth auth = CarpAuth::prepare(bsd_key(kB.passphrase), header->vhid, kB.addresses);
  return auth.verify(header->counter, header->digest);
}

// C5.3 refused, C5.9 kept
TEST(CarpForgery, OnlyTheFieldsOutsideTheHmacCanBeRewritten) {
  const Bytes good = from_hex(kB.bytes);
  ASSERT_TRUE(received(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at == 6 || at == 7) continue;  // the checksum itself
    for (unsigned flip = 1; flip < 256; ++flip) {
      Bytes forged = good;
      forged[at] ^= static_cast<std::byte>(flip);
      test::set_checksum(forged, 6, 36);
      ASSERT_EQ(verdict(parse_carp(forged)), "ok") << at << " ^ " << flip;
      // protocol.md §1: nobody checks type and authlen; advskew, demote and advbase are not under
      // the HMAC either.
      const bool open = (at == 0 && flip < 16) || (at >= 2 && at <= 5);
      ASSERT_EQ(received(forged), open) << at << " ^ " << flip;
    }
  }
}

// OpenSSL's one-shot HMAC over a message put together by hand: the independent opinion.
std::string digest_of(std::string_view key, std::string_view message_hex) {
  const Bytes message = from_hex(message_hex);
  auth::Sha1Digest digest{};
  HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return to_hex(digest);
}

std::string sign(std::initializer_list<const char*> list, LinkLocal link_local = LinkLocal::exclude,
                 AddressOrder order = AddressOrder::sorted) {
  const auto auth =
      CarpAuth::prepare(from_text("secret"), Vhid(7), addresses(list), link_local, order);
  return to_hex(auth.sign(0x0102030405060708));
}

constexpr auto kHead = "020107";               // version, type, vhid
constexpr auto kCounter = "0102030405060708";  // exactly as on the wire
constexpr auto k10 = "c000020a";
constexpr auto k20 = "c0000214";
constexpr auto k200 = "c8000001";
constexpr auto kDb8 = "20010db8000000000000000000000010";
constexpr auto kLinkLocal = "fe800000000000000000000000000001";

std::string expected(std::initializer_list<const char*> list) {
  std::string message = kHead;
  for (const char* hex : list) message += hex;
  return digest_of("secret", message + kCounter);
}

// C5.1 kept, C5.3 kept
TEST(CarpAuthTest, AgreesWithOpenSsl) {
  EXPECT_EQ(sign({"192.0.2.10"}), expected({k10}));
  EXPECT_EQ(sign({"192.0.2.10", "2001:db8::10"}), expected({k10, kDb8}));
  EXPECT_EQ(sign({"2001:db8::10"}), expected({kDb8}));
  EXPECT_EQ(sign({}), expected({}));
}

// C5.3 kept, C5.4 kept
TEST(CarpAuthTest, AddressesAreSorted) {
  // Ascending as big-endian unsigned integers: 10, 20, then 200.0.0.1, IPv4 before IPv6.
  const std::string digest = expected({k10, k20, k200, kDb8});
  EXPECT_EQ(sign({"192.0.2.10", "192.0.2.20", "200.0.0.1", "2001:db8::10"}), digest);
  EXPECT_EQ(sign({"2001:db8::10", "200.0.0.1", "192.0.2.20", "192.0.2.10"}), digest);
  EXPECT_EQ(sign({"192.0.2.20", "2001:db8::10", "192.0.2.10", "200.0.0.1"}), digest);
  // Across the sign bit of every byte, in both families.
  EXPECT_EQ(sign({"200.0.0.1", "100.0.0.1"}), expected({"64000001", k200}));
  EXPECT_EQ(sign({"10.0.0.200", "10.0.0.100"}), expected({"0a000064", "0a0000c8"}));
  EXPECT_EQ(sign({"2001:db8::ff", "2001:db8::10"}),
            expected({kDb8, "20010db80000000000000000000000ff"}));
}

// C5.3 kept
TEST(CarpAuthTest, DuplicatesCountOnce) {
  const std::string digest = expected({k10, k20, kDb8});
  EXPECT_EQ(sign({"192.0.2.20", "192.0.2.10", "192.0.2.20", "2001:db8::10", "192.0.2.10",
                  "2001:db8::10"}),
            digest);
  EXPECT_EQ(sign({"192.0.2.10", "192.0.2.20", "192.0.2.10", "2001:db8::10", "2001:db8::10"},
                 LinkLocal::exclude, AddressOrder::as_given),
            digest);
}

// C5.3 kept, C5.4 kept
TEST(CarpAuthTest, VectorBInAnyOrderWithDuplicates) {
  auto list = addresses({"192.0.2.20", "192.0.2.10", "2001:db8::10", "192.0.2.20"});
  std::sort(list.begin(), list.end());
  const CarpHeader b = *parse_carp(from_hex(kB.bytes));
  do {
    const auto auth = CarpAuth::prepare(from_text("secret"), Vhid(7), list);
    EXPECT_TRUE(auth.verify(b.counter, b.digest));
  } while (std::next_permutation(list.begin(), list.end()));
}

// An advertisement covers the addresses of both families, whichever of them carries it.
// C5.4 refused
TEST(CarpAuthTest, VectorBNeedsBothFamilies) {
  const CarpHeader b = *parse_carp(from_hex(kB.bytes));
  for (const auto& list : {addresses({"192.0.2.20", "192.0.2.10"}), addresses({"2001:db8::10"})}) {
    const auto auth = CarpAuth::prepare(from_text("secret"), Vhid(7), list);
    EXPECT_FALSE(auth.verify(b.counter, b.digest));
  }
}

// protocol.md §4, E: a peer with a link-layer address of its own absorbs that, too. The second
// digest is of the same advertisement without, by Python's hmac.
// C5.10 kept, C5.10 refused
TEST(CarpAuthTest, VectorEIsAnotherGroups) {
  const CarpHeader e = *parse_carp(
      from_hex("210100070001b27f0000000000000002dcab488fb05084b5aa1427443b8af7f6d9fdf35b"));
  const auto auth = CarpAuth::prepare(from_text("secret"), Vhid(1), addresses({"192.0.2.10"}));
  EXPECT_FALSE(auth.verify(e.counter, e.digest));
  EXPECT_EQ(to_hex(auth.sign(e.counter)), "ca4d58e78661524153b096c9462e458f4f0f4f42");
}

// C5.5 kept
TEST(CarpAuthTest, ZerosAndOnesAreNotCounted) {
  const std::string digest = expected({k10, kDb8});
  for (const AddressOrder order : {AddressOrder::sorted, AddressOrder::as_given}) {
    EXPECT_EQ(sign({"0.0.0.0", "192.0.2.10", "255.255.255.255", "::", "2001:db8::10",
                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                   LinkLocal::include, order),
              digest);
  }
  // Their neighbours are.
  EXPECT_EQ(sign({"0.0.0.1", "255.255.255.254", "::1"}),
            expected({"00000001", "fffffffe", "00000000000000000000000000000001"}));
}

// C5.6 kept
TEST(CarpAuthTest, LinkLocalAddresses) {
  EXPECT_EQ(sign({"192.0.2.10", "fe80::1", "2001:db8::10"}, LinkLocal::exclude),
            expected({k10, kDb8}));
  EXPECT_EQ(sign({"192.0.2.10", "fe80::1", "2001:db8::10"}, LinkLocal::include),
            expected({k10, kDb8, kLinkLocal}));
  // An embedded scope id is taken out, before duplicates are looked for.
  EXPECT_EQ(sign({"fe80:3::1", "fe80::1", "fe80:1234::1"}, LinkLocal::include),
            expected({kLinkLocal}));
  // Elsewhere these bytes are part of the address.
  EXPECT_EQ(sign({"2001:db8::10"}, LinkLocal::include), expected({kDb8}));
  // Vector D is only what it is with the link-local address.
  const CarpHeader d = *parse_carp(from_hex(kD.bytes));
  const auto without = CarpAuth::prepare(bsd_key(kD.passphrase), Vhid(42), kD.addresses);
  EXPECT_FALSE(without.verify(d.counter, d.digest));
}

// C5.11 kept
TEST(CarpAuthTest, OrderAsGivenStillPutsIpv4First) {
  const auto as_given = AddressOrder::as_given;
  EXPECT_EQ(sign({"2001:db8::10", "192.0.2.20", "192.0.2.10"}, LinkLocal::exclude, as_given),
            expected({k20, k10, kDb8}));
  EXPECT_EQ(sign({"192.0.2.10", "fe80::1", "2001:db8::10"}, LinkLocal::include, as_given),
            expected({k10, kLinkLocal, kDb8}));
}

// C5.1 kept, C5.2 kept
TEST(CarpAuthTest, KeyIsZeroPadded) {
  const auto list = addresses({"192.0.2.10"});
  const Bytes short_key = from_text("secret");
  Bytes padded = short_key;
  padded.resize(20);
  EXPECT_EQ(CarpAuth::prepare(short_key, Vhid(1), list).sign(5),
            CarpAuth::prepare(padded, Vhid(1), list).sign(5));
  // All 20 bytes of a key given in hex count.
  Bytes full(20, std::byte{0x11});
  const auto digest = CarpAuth::prepare(full, Vhid(1), list).sign(5);
  full[19] = std::byte{0x12};
  EXPECT_NE(CarpAuth::prepare(full, Vhid(1), list).sign(5), digest);
}

// C5.3 refused
TEST(CarpAuthTest, EverythingPreparedMatters) {
  const auto one = addresses({"192.0.2.10"});
  const auto other = addresses({"192.0.2.11"});
  std::set<std::string> digests;
  digests.insert(to_hex(CarpAuth::prepare(from_text("secret"), Vhid(1), one).sign(1)));
  digests.insert(to_hex(CarpAuth::prepare(from_text("Secret"), Vhid(1), one).sign(1)));
  digests.insert(to_hex(CarpAuth::prepare(from_text("secret"), Vhid(2), one).sign(1)));
  digests.insert(to_hex(CarpAuth::prepare(from_text("secret"), Vhid(1), other).sign(1)));
  digests.insert(to_hex(CarpAuth::prepare(from_text("secret"), Vhid(1), one).sign(2)));
  EXPECT_EQ(digests.size(), 5u);
}

TEST(CarpAuthTest, IsAValue) { EXPECT_TRUE(std::is_nothrow_copy_constructible_v<CarpAuth>); }

// OpenSSL's allocations are counted from before its first one on: the hooks are refused later.
int allocations = 0;
const bool counting = CRYPTO_set_mem_functions(
                          [](std::size_t n, const char*, int) {
                            ++allocations;
                            return std::malloc(n);
                          },
                          [](void* p, std::size_t n, const char*, int) {
                            ++allocations;
                            return std::realloc(p, n);
                          },
                          [](void* p, const char*, int) { std::free(p); }) == 1;

TEST(CarpAuthTest, SigningAndVerifyingMakeOpenSslAllocateNothing) {
  ASSERT_TRUE(counting);
  const CarpAuth auth = kB.auth();
  const CarpHeader b = *parse_carp(from_hex(kB.bytes));
  int before = allocations;
  const bool verified = auth.verify(b.counter, b.digest);
  const auto digest = auth.sign(2);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(verified);
  EXPECT_NE(digest, b.digest);

  // The count does count: OpenSSL's one-shot interface allocates.
  before = allocations;
  digest_of("secret", "00");
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace koi::wire::carp_test
