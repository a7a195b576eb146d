#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Text for a person: at most 80 columns, colours only when asked for.
namespace koi::ctl {

inline constexpr std::size_t kColumns = 80;
inline constexpr std::size_t kMargin = 10;  // of most pages

enum class Colour { none, green, yellow, red };

/// Control characters become '?', so that no reply can drive the terminal.
std::string printable(std::string_view text);

/// Splits printable text at spaces into lines of at most `columns` bytes; a word that is longer is
/// cut.
/// REQUIRES: columns >= 4.
std::vector<std::string> wrap(std::string_view text, std::size_t columns);

/// "12s", "5m 12s", "2h 11m", "3d 4h". Negative counts as 0.
std::string age(double seconds);

/// "90s", "1.5m", "2h", "1d", "500ms", or a plain number of seconds; nothing iff it is none of
/// these, not above 0, or over ten years. Returns seconds.
std::optional<double> parse_span(std::string_view text);

/// "2.80 s", "35.00 ms", "12 us".
std::string short_time(double seconds);

/// Lines of a label in the margin and text beside it, wrapped with a hanging indent.
class Page {
 public:
  /// `margin`: width of the label column, 0 < margin < kColumns / 2.
  Page(std::size_t margin, bool colours) : margin_(margin), colours_(colours) {}

  /// The label is cut at the margin's width less one. Colours the label, or all when `whole`.
  void add(std::string_view label, std::string_view text, Colour colour = Colour::none,
           bool whole = false);
  void blank() { text_ += '\n'; }
  const std::string& str() const { return text_; }

 private:
  std::string paint(std::string text, Colour colour) const;

  std::size_t margin_;
  bool colours_;
  std::string text_;
};

}  // namespace koi::ctl
