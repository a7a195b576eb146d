#include "tests/unit/config/config_files.h"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/stat.h>
#include <unistd.h>

namespace koi::config::testing {

namespace fs = std::filesystem;

TempDir::TempDir() {
  std::string form = (fs::temp_directory_path() / "koi-config-XXXXXX").string();
  if (::mkdtemp(form.data()) == nullptr) throw std::runtime_error("mkdtemp " + form);
  path_ = form;
}

TempDir::~TempDir() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string& name, std::string_view text, mode_t mode) const {
  const fs::path path = path_ / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
  if (::chmod(path.c_str(), mode) != 0) throw std::runtime_error("chmod " + path.string());
  return path.string();
}

fs::path source_root() {
  const char* root = std::getenv("KOI_SOURCE_ROOT");
  return root == nullptr ? fs::current_path() : fs::path(root);
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string lines(std::vector<Problem> problems) {
  std::string out;
  for (Problem& problem : problems) {
    problem.file = fs::path(problem.file).filename().string();
    out += problem.to_string() + "\n";
  }
  return out;
}

Loaded load_text(const TempDir& dir, std::string_view text) {
  return load(dir.write("t.yaml", text), {dir.path().string(), "test-box"});
}

}  // namespace koi::config::testing
