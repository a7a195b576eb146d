#include <chrono>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "config/load.h"
#include "tests/support/sample.h"
#include "tests/unit/config/config_files.h"

namespace koi::config::testing::hostile_yaml_test {
namespace {

using std::string_view_literals::operator""sv;

std::string repeat(std::string_view piece, std::size_t count) {
  std::string out;
  out.reserve(piece.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

/// The first error of a text.
std::string first_error(std::string_view text) {
  const TempDir dir;
  const Loaded loaded = load_text(dir, text);
  return loaded.errors.empty() ? "none" : lines({loaded.errors.front()});
}

TEST(HostileYaml, NestingEndsAtOnce) {
  EXPECT_EQ(first_error(std::string(100'000, '[')),
            "t.yaml:1:9: nested too deeply; allowed: at most 16 levels\n");
  EXPECT_EQ(first_error(std::string(100'000, '[') + std::string(100'000, ']')),
            "t.yaml:1:9: nested too deeply; allowed: at most 16 levels\n");
  EXPECT_EQ(first_error(repeat("{a: ", 30'000)),
            "t.yaml:1:61: nested too deeply; allowed: at most 16 levels\n");
  EXPECT_EQ(first_error(repeat("- ", 100'000)),
            "t.yaml:1:33: nested too deeply; allowed: at most 16 levels\n");
  EXPECT_EQ(first_error(repeat("? ", 100'000)),
            "t.yaml:1:33: nested too deeply; allowed: at most 16 levels\n");
  std::string block;
  for (std::size_t i = 0; i < 1400; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(first_error(block), "t.yaml:17:17: nested too deeply; allowed: at most 16 levels\n");
}

TEST(HostileYaml, SixteenLevelsAreRead) {
  const std::string text = "a: " + std::string(15, '[') + std::string(15, ']');
  EXPECT_EQ(first_error(text).find("nested"), std::string::npos) << first_error(text);
}

TEST(HostileYaml, AnchorsAliasesAndTagsAreRefused) {
  EXPECT_EQ(first_error("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"),
            "t.yaml:1:4: anchor (&); allowed: values written out\n");
  EXPECT_EQ(first_error("a: &a {b: *a}\n"),
            "t.yaml:1:4: anchor (&); allowed: values written out\n");
  EXPECT_NE(first_error("a: *nowhere\n").find("t.yaml:1:4: not YAML"), std::string::npos);
  EXPECT_EQ(first_error("a: b\nc: !!int 3\n"),
            "t.yaml:2:4: tag (!); allowed: values without tags\n");
  EXPECT_EQ(first_error("a: !x [1]\n"), "t.yaml:1:4: tag (!); allowed: values without tags\n");
}

TEST(HostileYaml, BytesThatAreNoText) {
  EXPECT_EQ(first_error("\xef\xbb\xbfnode: a\n"),
            "t.yaml:1:1: byte order mark; allowed: UTF-8 without one\n");
  EXPECT_EQ(first_error("\xff\xfen\0o\0"sv),
            "t.yaml:1:1: byte 0xff is not UTF-8; allowed: UTF-8\n");
  EXPECT_EQ(first_error("node: a\nb\0c: d\n"sv),
            "t.yaml:2:2: control character U+0000; allowed: printable text, tab and line ends\n");
  // The scanner would take this one for the end of the file.
  EXPECT_EQ(first_error("node: a\n\x04groups: {}\n"),
            "t.yaml:2:1: control character U+0004; allowed: printable text, tab and line ends\n");
  EXPECT_EQ(first_error("a: \x1b[31m\n").substr(0, 37), "t.yaml:1:4: control character U+001B;");
  EXPECT_EQ(first_error("a: \xc2\x85\n").substr(0, 35), "t.yaml:1:4: control character U+008");
  EXPECT_EQ(first_error("a: \xe2\x80\xa8\n").substr(0, 36), "t.yaml:1:4: control character U+2028");
}

TEST(HostileYaml, BytesThatAreNoUtf8) {
  for (const std::string_view wrong :
       {"\x80"sv, "\xc3"sv, "\xc3("sv, "\xc0\xaf"sv, "\xe0\x80\xaf"sv, "\xed\xa0\x80"sv,
        "\xf4\x90\x80\x80"sv, "\xf8\x88\x80\x80\x80"sv, "\xe2\x82"sv}) {
    const std::string error = first_error("node: a\n# " + std::string(wrong));
    EXPECT_TRUE(error.starts_with("t.yaml:2:3: byte 0x")) << error;
    EXPECT_NE(error.find(" is not UTF-8; allowed: UTF-8\n"), std::string::npos) << error;
  }
  // All lengths of what is allowed.
  EXPECT_EQ(first_error("# \xc3\xbc \xe2\x82\xac \xf0\x9f\x90\x9f\nnode: [").find("UTF-8"),
            std::string::npos);
}

TEST(HostileYaml, SizeLimit) {
  const TempDir dir;
  const std::string path = dir.write("t.yaml", "");
  ASSERT_EQ(::truncate(path.c_str(), kMaxFileBytes + 1), 0);
  EXPECT_EQ(lines(load(path).errors), "t.yaml: is too large; allowed: at most 1048576 bytes\n");
  ASSERT_EQ(::truncate(path.c_str(), 1L << 30), 0);
  EXPECT_EQ(lines(load(path).errors), "t.yaml: is too large; allowed: at most 1048576 bytes\n");
  ASSERT_EQ(::truncate(path.c_str(), kMaxFileBytes), 0);
  EXPECT_EQ(lines(load(path).errors).substr(0, 41), "t.yaml:1:1: control character U+0000; all");
}

TEST(HostileYaml, WhatIsNoFile) {
  const TempDir dir;
  EXPECT_EQ(lines(load(dir.path() / "none.yaml").errors),
            "none.yaml: cannot be opened: No such file or directory\n");
  const std::string fifo = dir.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(lines(load(fifo).errors), "fifo: is not a regular file; allowed: a regular file\n");
  EXPECT_EQ(lines(load(dir.path()).errors),
            dir.path().filename().string() + ": is not a regular file; allowed: a regular file\n");
}

TEST(HostileYaml, DocumentsThatHoldNothing) {
  const std::string nothing =
      "t.yaml:1:1: holds no configuration; allowed: a map with dataplane, ports and groups at "
      "least\n";
  EXPECT_EQ(first_error(""), nothing);
  EXPECT_EQ(first_error("\n\n# only words\n"), nothing);
  EXPECT_EQ(first_error("just text\n"), "t.yaml:1:1: is a single value; allowed: a map\n");
  EXPECT_EQ(first_error("~\n"), "t.yaml:1:1: is nothing; allowed: a map\n");
  EXPECT_EQ(first_error("[a]\n"), "t.yaml:1:1: is a list; allowed: a map\n");
  EXPECT_EQ(first_error("node: a\n---\nnode: b\n"),
            "t.yaml:2:1: more than one document, or text after its end; allowed: one document\n");
  EXPECT_NE(first_error("node: \"a\n"), "none");
}

TEST(HostileYaml, ManyErrorsAreCounted) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const Loaded loaded = load_text(dir, text);
  ASSERT_EQ(loaded.errors.size(), 1001U);
  // 5000 unknown keys, three missing sections.
  EXPECT_EQ(loaded.errors.back().text, "4003 further errors not shown");
}

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// In a child of its own, so that its memory can be told apart. A hostile file may cost 100 ms and
// 64 MiB; the time here leaves room for sanitizers and busy machines.
void expect_cheap(const std::string& text) {
  const TempDir dir;
  const std::string path = dir.write("t.yaml", text);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const long before = peak_kib();
    if (load(path).ok()) ::_exit(1);
    ::_exit(peak_kib() - before > 56 * 1024 ? 2 : 0);
  }
  int status = 0;
  rusage usage{};
  ASSERT_EQ(::wait4(child, &status, 0, &usage), child);
  ASSERT_TRUE(WIFEXITED(status)) << status << text.substr(0, 20);
  EXPECT_NE(WEXITSTATUS(status), 1) << "accepted: " << text.substr(0, 20);
#if !defined(__SANITIZE_ADDRESS__)
  EXPECT_NE(WEXITSTATUS(status), 2) << "too much memory: " << text.substr(0, 20);
#endif
  const auto cpu = std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  EXPECT_LT(cpu, std::chrono::seconds(2)) << text.substr(0, 20);
}

TEST(HostileYaml, NothingIsExpensive) {
  for (const std::string_view piece :
       {"["sv,     "{"sv,     "[\n"sv, "{a: "sv,  "[a,"sv, "\""sv,     "'"sv,     "&a "sv, "*a "sv,
        "!a "sv,   "%a\n"sv,  "a"sv,   "a\n"sv,   " "sv,   "\n"sv,     "# a\n"sv, ","sv,   "- \n"sv,
        "? a\n"sv, ": a\n"sv, "|\n"sv, "---\n"sv, "[],"sv, "\"a\":"sv, ": "sv,    "a: "sv}) {
    const std::size_t count = kMaxFileBytes / test::kStride / piece.size() - 16;
    expect_cheap(repeat(piece, count));
    expect_cheap("[" + repeat(piece, count));
    expect_cheap("{" + repeat(piece, count));
    expect_cheap("a: \"" + repeat(piece, count));
  }
  std::string keys = "ports:\n";
  std::string list = "dataplane: {worker-cores: [1], eal:\n";
  for (int i = 0; keys.size() < kMaxFileBytes - 32; ++i) {
    keys += " k" + std::to_string(i) + ": {a: b}\n";
  }
  for (int i = 0; list.size() < kMaxFileBytes - 32 && i < 90'000; ++i) list += " - x\n";
  expect_cheap(keys);
  expect_cheap(list);
}

}  // namespace
}  // namespace koi::config::testing::hostile_yaml_test
