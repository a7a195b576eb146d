#include "config/yaml_tree.h"

#include <algorithm>
#include <exception>
#include <istream>
#include <streambuf>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace koi::config {
namespace {

Mark to_mark(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

/// Ends the parse; says where and why.
struct Refused : std::exception {
  Refused(Mark where, std::string why) : mark(where), text(std::move(why)) {}
  Mark mark;
  std::string text;
};

/// Builds the tree from the parser's events, which come before anything is recursed into: the
/// depth limit therefore holds for yaml-cpp's own stack too.
class Builder : public YAML::EventHandler {
 public:
  /// Offset in the text of the last value seen.
  std::size_t offset() const { return offset_; }
  Mark last() const { return last_; }
  Tree take() { return std::move(root_); }
  bool seen() const { return seen_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (seen_)
      throw Refused(to_mark(mark),
                    "more than one document, or text after its end; allowed: one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add({Tree::Kind::null, true, step(mark), {}, {}});
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refused(to_mark(mark), "alias (*); allowed: values written out");
  }

  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override {
    throw Refused(to_mark(mark), "anchor (&); allowed: values written out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    check_tag(mark, tag);
    add({Tree::Kind::scalar, tag == "?", step(mark), value, {}});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, Tree::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, Tree::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    // "?" is plain, "!" quoted, "" an untagged collection.
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw Refused(to_mark(mark), "tag (!); allowed: values without tags");
  }

  Mark step(const YAML::Mark& mark) {
    seen_ = true;
    last_ = to_mark(mark);
    offset_ = std::max(offset_, static_cast<std::size_t>(std::max(mark.pos, 0)));
    if (++values_ > kMaxValues) {
      throw Refused(last_, fmt::format("too many values; allowed: at most {}", kMaxValues));
    }
    return last_;
  }

  void open(const YAML::Mark& mark, const std::string& tag, Tree::Kind kind) {
    check_tag(mark, tag);
    const Mark at = step(mark);
    if (open_.size() >= kMaxDepth) {
      throw Refused(at, fmt::format("nested too deeply; allowed: at most {} levels", kMaxDepth));
    }
    open_.push_back({kind, false, at, {}, {}});
  }

  void close() {
    Tree done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done));
  }

  void add(Tree tree) {
    if (open_.empty()) {
      root_ = std::move(tree);
    } else {
      open_.back().children.push_back(std::move(tree));
    }
  }

  std::vector<Tree> open_;
  Tree root_;
  bool seen_ = false;
  Mark last_{1, 1};
  std::size_t offset_ = 0;
  std::size_t values_ = 0;
};

/// Hands the text to yaml-cpp in small pieces, and ends it when the scanner has run further ahead
/// of the last value than kMaxRun: this is what bounds the scanner's memory.
class BoundedText : public std::streambuf {
 public:
  BoundedText(const std::string& text, const Builder& builder) : text_(text), builder_(builder) {}
  bool exceeded() const { return exceeded_; }

 protected:
  int_type underflow() override {
    if (next_ >= text_.size()) return traits_type::eof();
    if (next_ > builder_.offset() + kMaxRun) {
      exceeded_ = true;
      return traits_type::eof();
    }
    const std::size_t count = std::min(sizeof piece_, text_.size() - next_);
    text_.copy(piece_, count, next_);
    next_ += count;
    setg(piece_, piece_, piece_ + count);
    return traits_type::to_int_type(piece_[0]);
  }

 private:
  const std::string& text_;
  const Builder& builder_;
  std::size_t next_ = 0;
  bool exceeded_ = false;
  char piece_[1024] = {};
};

std::string explain(const YAML::ParserException& error) {
  return fmt::format("not YAML: {}; allowed: YAML 1.2", error.msg);
}

}  // namespace

std::optional<Tree> parse_yaml(const std::string& text, Report& report) {
  Builder builder;
  BoundedText source(text, builder);
  const auto too_long = [&] {
    report.error_at(builder.last(), "",
                    fmt::format("no value ends within {} bytes after this one; allowed: shorter "
                                "lists, texts and comments",
                                kMaxRun));
    return std::nullopt;
  };
  try {
    std::istream in(&source);
    YAML::Parser parser(in);
    const bool any = parser.HandleNextDocument(builder) && builder.seen();
    // The builder refuses the start of a second document.
    if (any && !source.exceeded()) parser.HandleNextDocument(builder);
    if (source.exceeded()) return too_long();
    if (any) return builder.take();
    report.error_at({1, 1}, "",
                    "holds no configuration; allowed: a map with dataplane, ports and "
                    "groups at least");
  } catch (const Refused& refused) {
    report.error_at(refused.mark, "", refused.text);
  } catch (const YAML::ParserException& error) {
    if (source.exceeded()) return too_long();
    report.error_at(error.mark.is_null() ? builder.last() : to_mark(error.mark), "",
                    explain(error));
  } catch (const std::exception& error) {
    report.error_at(builder.last(), "", fmt::format("cannot be parsed: {}", error.what()));
  }
  return std::nullopt;
}

}  // namespace koi::config
