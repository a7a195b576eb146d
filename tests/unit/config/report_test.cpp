#include "config/report.h"

#include <gtest/gtest.h>

namespace koi::config::report_test {
namespace {

TEST(Report, ProblemsReadAsPromised) {
  EXPECT_EQ((Problem{"f.yaml", 3, 7, "groups.g.vhid", "is wrong"}).to_string(),
            "f.yaml:3:7: groups.g.vhid: is wrong");
  EXPECT_EQ((Problem{"f.yaml", 0, 0, "", "is wrong"}).to_string(), "f.yaml: is wrong");
}

TEST(Report, ErrorsComeInTheOrderOfTheFile) {
  Report report("f");
  report.place("", {1, 1});
  report.place("b", {2, 1});
  report.place("b.c[1]", {2, 10});
  report.error("b.c[1]", "third");
  report.error("b.c[0].d", "second");  // not placed: where b is
  report.error("a", "first");          // not placed either: where the file begins
  Loaded loaded;
  std::move(report).finish(loaded);
  ASSERT_EQ(loaded.errors.size(), 3U);
  EXPECT_EQ(loaded.errors[0].to_string(), "f:1:1: a: first");
  EXPECT_EQ(loaded.errors[1].to_string(), "f:2:1: b.c[0].d: second");
  EXPECT_EQ(loaded.errors[2].to_string(), "f:2:10: b.c[1]: third");
}

TEST(Report, CleanLooksBelowAndNotBeside) {
  Report report("f");
  report.error("groups.a.addresses[1]", "wrong");
  EXPECT_FALSE(report.clean("groups.a.addresses[1]"));
  EXPECT_FALSE(report.clean("groups.a.addresses"));
  EXPECT_FALSE(report.clean("groups.a"));
  EXPECT_FALSE(report.clean("groups"));
  EXPECT_TRUE(report.clean("groups.a.addresses[0]"));
  EXPECT_TRUE(report.clean("groups.a.addresses[10]"));
  EXPECT_TRUE(report.clean("groups.a.address"));
  EXPECT_TRUE(report.clean("groups.aa"));
  EXPECT_TRUE(report.clean("group"));
}

TEST(Report, QuotedTextIsHarmless) {
  EXPECT_EQ(in_quotes("plain"), "\"plain\"");
  EXPECT_EQ(in_quotes("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(in_quotes("\x1b[31m\n\xc3\xbc"), "\"\\x1b[31m\\x0a\\xc3\\xbc\"");
  EXPECT_EQ(in_quotes(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace koi::config::report_test
