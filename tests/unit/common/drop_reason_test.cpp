#include "common/drop_reason.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace koi::drop_reason_test {
namespace {

TEST(DropReason, EachHasALabelOfItsOwn) {
  const std::set<std::string_view> labels(kDropReasonLabels.begin(), kDropReasonLabels.end());
  EXPECT_EQ(labels.size(), kDropReasons);
}

TEST(DropReason, LabelsAreMetricLabels) {
  for (const std::string_view label : kDropReasonLabels) {
    EXPECT_FALSE(label.empty());
    EXPECT_EQ(label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"),
              std::string_view::npos)
        << label;
  }
}

// kIpv4Length is "ipv4_length": whoever greps for one finds the other.
TEST(DropReason, LabelIsTheNameInSnakeCase) {
  constexpr const char* kNames[] = {
#define KOI_X(name, label) #name,
      KOI_DROP_REASONS(KOI_X)
#undef KOI_X
  };
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    std::string expected;
    for (const char c : std::string(kNames[i]).substr(1)) {
      const bool upper = c >= 'A' && c <= 'Z';
      if (upper && !expected.empty()) expected += '_';
      expected += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    EXPECT_EQ(to_string(static_cast<DropReason>(i)), expected);
  }
}

TEST(DropReason, FitsItsByte) { static_assert(kDropReasons <= 256); }

TEST(Parsed, ValueOrReason) {
  const Parsed<int> value(42);
  EXPECT_TRUE(value.ok());
  EXPECT_TRUE(value);
  EXPECT_EQ(*value, 42);
  const Parsed<int> none(DropReason::kFrameRefused);
  EXPECT_FALSE(none.ok());
  EXPECT_FALSE(none);
  EXPECT_EQ(none.reason(), DropReason::kFrameRefused);
}

}  // namespace
}  // namespace koi::drop_reason_test
