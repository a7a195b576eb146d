#include "config/secret.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "config/key_file.h"
#include "tests/support/sample.h"
#include "tests/unit/config/config_files.h"

namespace koi::config::testing::secret_test {
namespace {

std::vector<std::byte> bytes(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
  return out;
}

/// A key that stands nowhere in the program: made when asked for, byte by byte.
constexpr std::size_t kSize = 19;
/// As long as leaves most of it in place when its memory is given back and used for a list.
constexpr std::size_t kLong = 64;
/// What is looked for: the end of the key.
constexpr std::size_t kTail = 16;
volatile unsigned seed = 41;
std::byte key_byte(std::size_t i) {
  return static_cast<std::byte>(1 + (seed + i * i * 7 + i * 13) % 251);
}

std::vector<std::byte> make_key(std::size_t size) {
  std::vector<std::byte> key;
  key.reserve(size);
  for (std::size_t i = 0; i < size; ++i) key.push_back(key_byte(i));
  return key;
}

std::array<std::byte, 1 << 20> scan_buffer;

/// How often the key stands in this process's writable memory.
int copies_in_memory(std::size_t size) {
  std::ifstream maps("/proc/self/maps");
  const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) return -1;
  const auto own = reinterpret_cast<std::uintptr_t>(scan_buffer.data());
  int found = 0;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char rights[5] = {};
    const int fields =
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, rights);
    if (fields != 3 || rights[1] != 'w') continue;
    if (to - from > (std::uintptr_t{1} << 28)) continue;  // a sanitizer's shadow
    for (std::uintptr_t at = from; at < to; at += scan_buffer.size() - kTail) {
      const ssize_t n =
          ::pread(memory, scan_buffer.data(), std::min<std::size_t>(scan_buffer.size(), to - at),
                  static_cast<off_t>(at));
      for (ssize_t i = 0; i + static_cast<ssize_t>(kTail) <= n; ++i) {
        const std::uintptr_t where = at + static_cast<std::uintptr_t>(i);
        if (where + kTail > own && where < own + scan_buffer.size()) continue;
        std::size_t same = 0;
        const std::byte* p = &scan_buffer[static_cast<std::size_t>(i)];
        while (same < kTail && p[same] == key_byte(size - kTail + same)) ++same;
        if (same == kTail) ++found;
      }
    }
  }
  ::close(memory);
  return found;
}

TEST(Secret, NoCopyOutlivesIt) {
  if (test::kStride > 1) {
    GTEST_SKIP() << "a sanitizer keeps freed memory and takes minutes to be searched through; the "
                    "ordinary build searches";
  }
  ASSERT_EQ(copies_in_memory(kLong), 0);
  {
    const Secret secret = [] {
      std::vector<std::byte> key = make_key(kLong);
      Secret made(key);
      explicit_bzero(key.data(), key.size());
      return made;
    }();
    EXPECT_EQ(copies_in_memory(kLong), 1);
    std::optional<Secret> second(secret);
    EXPECT_EQ(copies_in_memory(kLong), 2);
    Secret moved(std::move(*second));
    second.reset();
    EXPECT_EQ(copies_in_memory(kLong), 2);
    moved = Secret(bytes("another"));
    EXPECT_EQ(copies_in_memory(kLong), 1);
    moved = secret;
    EXPECT_EQ(copies_in_memory(kLong), 2);
    const Secret empty;
    moved = empty;
    EXPECT_TRUE(moved.empty());
    EXPECT_EQ(copies_in_memory(kLong), 1);
  }
  EXPECT_EQ(copies_in_memory(kLong), 0);
}

TEST(Secret, LoadLeavesOneCopy) {
  if (test::kStride > 1) {
    GTEST_SKIP() << "a sanitizer keeps freed memory and takes minutes to be searched through; the "
                    "ordinary build searches";
  }
  const TempDir dir;
  const std::string path = dir.write("keys/made", "");
  {
    std::vector<std::byte> key = make_key(kSize);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_EQ(::write(fd, key.data(), key.size()), static_cast<ssize_t>(key.size()));
    ::close(fd);
    explicit_bzero(key.data(), key.size());
  }
  ASSERT_EQ(copies_in_memory(kSize), 0);
  {
    Loaded loaded = load_text(dir,
                              "dataplane: {worker-cores: [1]}\n"
                              "ports: {lan: {device: net_null0, addresses: [192.0.2.2/24]}}\n"
                              "groups: {g: {port: lan, vhid: 1, key-file: /keys/made, "
                              "addresses: [192.0.2.1]}}\n");
    ASSERT_EQ(lines(loaded.errors), "");
    EXPECT_EQ(copies_in_memory(kSize), 1);
    loaded.config.groups[0].key = Secret(bytes("rotated"));
    EXPECT_EQ(copies_in_memory(kSize), 0);
  }
  // Nor does a key that is refused leave one behind: this one is too long with a byte more.
  {
    const Result<Secret> once = read_key_file(path, false);
    ASSERT_TRUE(once.ok());
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    ASSERT_EQ(::write(fd, "x", 1), 1);
    ::close(fd);
  }
  EXPECT_FALSE(read_key_file(path, false).ok());
  EXPECT_EQ(copies_in_memory(kSize), 0);
}

TEST(Secret, CopiesAndMovesCompare) {
  const Secret one(bytes("0123456789"));
  Secret two = one;
  EXPECT_TRUE(one == two);
  EXPECT_FALSE(one == Secret(bytes("0123456780")));
  EXPECT_FALSE(one == Secret(bytes("012345678")));
  Secret three = std::move(two);
  EXPECT_TRUE(one == three);
  const Secret& same = three;
  three = same;
  EXPECT_TRUE(one == three);
  two = std::move(three);
  EXPECT_TRUE(one == two);
  EXPECT_EQ(two.bytes().size(), 10U);
}

}  // namespace
}  // namespace koi::config::testing::secret_test
