// Figures and tables for people.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace weightfs::cli {

// "0 B", "999 B", "1.23 kB", "45.6 MB": three digits, powers of 1000.
std::string bytes_text(std::uint64_t bytes);
// "12.3 %"; "-" where the whole is 0.
std::string percent_text(std::uint64_t part, std::uint64_t whole);
// "1 file", "2 files".
std::string count_text(std::uint64_t count, std::string_view noun);
// "4s", "3m20s", "2h05m".
std::string duration_text(double seconds);

// The width of the terminal on standard output; 0 where it is none.
std::size_t terminal_width();

// A text with control characters made visible, since names may hold anything.
std::string printable(std::string_view text);
// Columns of `text` when it is shown: code points of its UTF-8.
std::size_t display_width(std::string_view text);
// At most `width` columns of `text`; what is left out of its middle is an ellipsis.
std::string shortened(const std::string& text, std::size_t width);

// Rows in columns. A flexible column gives way when the table is wider than the terminal.
class Table {
 public:
  enum class Alignment { left, right };
  struct Column {
    std::string title;
    Alignment alignment = Alignment::left;
    bool is_flexible = false;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as there are columns.
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  // `width` 0: as wide as it gets.
  void print(std::ostream& out, std::size_t width) const;

 private:
  std::vector<std::size_t> widths(std::size_t limit) const;
  void print_row(std::ostream& out, const std::vector<std::string>& cells,
                 const std::vector<std::size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace weightfs::cli
