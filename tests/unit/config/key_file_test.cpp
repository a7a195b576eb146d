#include "config/key_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/unit/config/config_files.h"

namespace koi::config::testing::key_file_test {
namespace {

class KeyFile : public ::testing::Test {
 protected:
  /// The key as text, or "error: " and why.
  std::string read(const std::string& path, bool allow_weak_key = false) {
    const Result<Secret> key = read_key_file(path, allow_weak_key);
    if (!key) return "error: " + key.error().message;
    std::string text;
    for (const std::byte b : key.value().bytes()) text += std::to_integer<char>(b);
    return text;
  }
  std::string content(std::string_view text, bool allow_weak_key = false) {
    return read(dir_.write("key", text), allow_weak_key);
  }

  const TempDir dir_;
};

// C5.2 kept, C5.14 kept, C5.2 refused, C5.14 refused
TEST_F(KeyFile, LengthsFromNoneToSixtyFour) {
  const std::string text = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
  for (std::size_t n = 0; n <= text.size(); ++n) {
    for (const std::string_view end : {"", "\n"}) {
      const std::string key = text.substr(0, n);
      const std::string strict = content(key + std::string(end));
      const std::string weak = content(key + std::string(end), true);
      if (n == 0) {
        EXPECT_TRUE(strict.starts_with("error: holds no key; allowed: 1 to 19 bytes")) << strict;
        EXPECT_EQ(weak, strict);
      } else if (n > 19) {
        EXPECT_TRUE(strict.starts_with("error: holds more than 19 bytes")) << n << strict;
        EXPECT_EQ(weak, strict);
      } else {
        EXPECT_EQ(weak, key);
        if (n < 8) {
          EXPECT_TRUE(strict.starts_with("error: holds a weak key: shorter than 8")) << strict;
        } else {
          EXPECT_EQ(strict, key);
        }
      }
    }
  }
}

// What `siphash` derives its key from is any 1..64 bytes.
TEST_F(KeyFile, HashKeysAreLonger) {
  const auto hash_key = [&](const std::string& text) {
    const auto key = read_key_file(dir_.write("key", text), true, KeyUse::siphash);
    return key ? key.value().bytes().size() : 0;
  };
  for (std::size_t n = 1; n <= 64; ++n) {
    EXPECT_EQ(hash_key(std::string(n, 'k')), n);
    EXPECT_EQ(hash_key(std::string(n, 'k') + "\n"), n);
    EXPECT_EQ(hash_key("hex:" + std::string(2 * n, 'a')), n);
    EXPECT_EQ(hash_key("hex:" + std::string(2 * n - 1, 'a')), 0U);
  }
  EXPECT_EQ(hash_key(std::string(65, 'k')), 0U);
  EXPECT_EQ(hash_key("hex:" + std::string(130, 'a')), 0U);
  EXPECT_EQ(hash_key("hex:" + std::string(128, 'a') + "\n"), 64U);
  EXPECT_EQ(hash_key("hex:0g"), 0U);
  EXPECT_EQ(hash_key("hex:"), 0U);
  EXPECT_EQ(hash_key(""), 0U);

  const auto weak = read_key_file(dir_.write("key", "seven77"), false, KeyUse::siphash);
  ASSERT_FALSE(weak);
  EXPECT_TRUE(weak.error().message.starts_with("holds a weak key: shorter than 8"));
}

// Trailer keys are any 32 to 64 bytes: a newline at the end may be one of them, and a NUL too.
TEST_F(KeyFile, TrailerKeysAreBinary) {
  const auto trailer_key = [&](const std::string& text) {
    const auto key = read_key_file(dir_.write("key", text), true, KeyUse::trailer);
    return key ? key.value().bytes().size() : 0;
  };
  for (std::size_t n = 0; n <= 70; ++n) {
    const bool good = n >= 32 && n <= 64;
    EXPECT_EQ(trailer_key(std::string(n, 'k')), good ? n : 0) << n;
    EXPECT_EQ(trailer_key(std::string(n, '\0')), good ? n : 0) << n;
    EXPECT_EQ(trailer_key(std::string(n, 'k') + "\n"), n == 31 ? 32 : good ? n : 0) << n;
    EXPECT_EQ(trailer_key("hex:" + std::string(2 * n, 'a')), good ? n : 0) << n;
    EXPECT_EQ(trailer_key("hex:" + std::string(2 * n, 'a') + "\n"), good ? n : 0) << n;
  }
  EXPECT_EQ(trailer_key("hex:" + std::string(65, 'a')), 0U);
}

TEST_F(KeyFile, OnlyOneNewlineIsIgnored) {
  EXPECT_EQ(content("longenough\n\n"), "longenough\n");
  EXPECT_EQ(content("longenough\r\n"), "longenough\r");
  EXPECT_EQ(content("schl\xc3\xbcssel\n"), "schl\xc3\xbcssel");
  EXPECT_EQ(content("hex", true), "hex");
}

// C5.2 kept, C5.2 refused
TEST_F(KeyFile, HexIsTwentyBytes) {
  EXPECT_EQ(content("hex:6162636465666768696a6B6C6D6E6F7071727374\n"), "abcdefghijklmnopqrst");
  for (const char* wrong : {"hex:", "hex:61", "hex:6162636465666768696a6b6c6d6e6f70717273",
                            "hex:6162636465666768696a6b6c6d6e6f707172737475",
                            "hex:6162636465666768696a6b6c6d6e6f707172737g",
                            "hex: 6162636465666768696a6b6c6d6e6f70717273",
                            "hex:6162636465666768696a6b6c6d6e6f7071727374 "}) {
    EXPECT_TRUE(content(wrong, true).starts_with("error: begins with hex: but not with 40"))
        << wrong << ": " << content(wrong, true);
  }
}

// C5.2 refused
TEST_F(KeyFile, NulEndsNothing) {
  const std::string text("eight\0bytes", 11);
  EXPECT_TRUE(content(text).starts_with("error: has a NUL byte")) << content(text);
  // As bytes they are fine.
  EXPECT_EQ(content("hex:0000000000000000000000000000000000000001").size(), 20U);
}

// C5.14 kept, C5.14 refused
TEST_F(KeyFile, WeakKeysNeedLeave) {
  for (const char* weak : {"aaaaaaaa", "password", "PassWord", "secret12", "12345678",
                           "hex:4141414141414141414141414141414141414141"}) {
    EXPECT_TRUE(content(weak).starts_with("error: holds a weak key: ")) << weak;
    EXPECT_FALSE(content(weak, true).starts_with("error")) << weak;
  }
  EXPECT_EQ(content("passwords"), "passwords");
}

TEST_F(KeyFile, ErrorsNameNoKeyByte) {
  for (const char* key : {"Kq7", "hex:Kq7Kq7", "Kq7Kq7Kq7Kq7Kq7Kq7Kq7Kq7"}) {
    EXPECT_EQ(content(key).find("Kq7"), std::string::npos) << content(key);
  }
}

// C5.14 kept, C5.14 refused
TEST_F(KeyFile, EveryGroupAndOtherBitIsRefused) {
  const std::string path = dir_.write("key", "long enough");
  for (mode_t mode = 0; mode < 01000; ++mode) {
    if ((mode & 0400) == 0) continue;
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    if ((mode & 077) == 0) {
      EXPECT_EQ(read(path), "long enough") << std::oct << mode;
    } else {
      EXPECT_NE(read(path).find("allowed: 0600 or 0400"), std::string::npos) << std::oct << mode;
    }
  }
}

TEST_F(KeyFile, OnlyARegularFile) {
  dir_.write("real", "long enough");
  const std::string link = dir_.path() / "link";
  ASSERT_EQ(::symlink("real", link.c_str()), 0);
  EXPECT_EQ(read(link), "error: is a symbolic link; allowed: the file itself");

  const std::string fifo = dir_.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(read(fifo), "error: is not a regular file; allowed: a regular file");

  EXPECT_EQ(read(dir_.path()), "error: is not a regular file; allowed: a regular file");
  EXPECT_EQ(read("/dev/null"), "error: is not a regular file; allowed: a regular file");
  EXPECT_EQ(read(dir_.path() / "none"), "error: cannot be opened: No such file or directory");
}

TEST_F(KeyFile, OnlyOursOrRoots) {
  const std::string path = dir_.write("key", "long enough");
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  EXPECT_TRUE(read(path).starts_with("error: belongs to user 65534; allowed: root")) << read(path);
}

}  // namespace
}  // namespace koi::config::testing::key_file_test
