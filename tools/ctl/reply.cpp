#include "tools/ctl/reply.h"

#include <utility>

#include <fmt/format.h>

namespace koi::ctl {

Reply ask(const std::string& socket, std::string_view command, Duration deadline) {
  return ask_for(socket, Json{{"command", command}}, deadline);
}

Reply ask_for(const std::string& socket, const Json& asked, Duration deadline) {
  Result<std::string> line =
      request(socket, asked.dump(-1, ' ', false, Json::error_handler_t::replace), deadline);
  if (!line) return {Outcome::no_daemon, {}, line.error().message};

  Reply reply = parse_reply(line.value());
  if (reply.outcome == Outcome::no_daemon) {
    reply.error = fmt::format("what answers on {} is not koid: {}", socket, reply.error);
  }
  return reply;
}

Reply parse_reply(const std::string& line) {
  Json body = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  const Json& ok = field(body, "ok");
  if (!ok.is_boolean()) {
    return {Outcome::no_daemon, {}, "its reply is no JSON object with \"ok\""};
  }
  if (!ok.get<bool>()) {
    std::string why = text(body, "error", "koid refused and did not say why");
    return {Outcome::refused, std::move(body), std::move(why)};
  }
  return {Outcome::done, std::move(body), {}};
}

const Json& field(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto it = object.find(key);
  return it == object.end() ? kNothing : *it;
}

const Json& list(const Json& object, const char* key) {
  static const Json kEmpty = Json::array();
  const Json& value = field(object, key);
  return value.is_structured() ? value : kEmpty;
}

std::string text(const Json& object, const char* key, std::string_view otherwise) {
  const Json& value = field(object, key);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::string(otherwise);
}

std::optional<double> number(const Json& object, const char* key) {
  return number(field(object, key));
}

std::optional<double> number(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

bool truth(const Json& object, const char* key) {
  const Json& value = field(object, key);
  return value.is_boolean() && value.get<bool>();
}

}  // namespace koi::ctl
