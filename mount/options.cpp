#include "options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "weightfs/mount/mount.h"

namespace weightfs::mount {
namespace {

// A setter reads its value into the options; "" where none was given.
using Setter = Status (*)(Options&, std::string_view value);

struct OwnOption {
  std::string_view name;
  std::string_view help;
  Setter set;
};

constexpr std::array kKernelFlags = std::to_array<std::string_view>(
    {"rw", "ro", "suid", "nosuid", "dev", "nodev", "exec", "noexec", "async", "sync", "dirsync",
     "noatime", "nodiratime", "allow_other", "noallow_other", "default_permissions"});
// Of fstab and mount(8), with nothing to do here.
constexpr std::array kIgnored = std::to_array<std::string_view>(
    {"defaults", "auto", "noauto", "user", "users", "nouser", "owner", "group", "nofail", "_netdev",
     "lazytime", "nolazytime"});
// How access times move, with noatime and nodiratime; the kernel moves none for FUSE.
constexpr std::array kAccessTimes = std::to_array<std::string_view>(
    {"relatime", "norelatime", "strictatime", "nostrictatime", "atime", "diratime"});
constexpr std::array kIgnoredPrefixes =
    std::to_array<std::string_view>({"x-", "X-", "comment=", "uhelper=", "helper="});

template <std::size_t count>
bool contains(const std::array<std::string_view, count>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <class Number>
Status read_number(std::string_view text, Number highest, Number& target) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > highest) {
    return fail(Code::invalid, fmt::format("\"{}\" is not a number from 0 to {}", text, highest));
  }
  target = value;
  return {};
}

template <class Value>
Status read_choice(std::string_view text, const std::map<std::string_view, Value>& choices,
                   Value& target) {
  const auto found = choices.find(text);
  if (found != choices.end()) {
    target = found->second;
    return {};
  }
  std::string names;
  for (const auto& [name, value] : choices)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return fail(Code::invalid, fmt::format("\"{}\" is none of {}", text, names));
}

Status read_flag(std::string_view text, bool& target) {
  if (!text.empty()) return fail(Code::invalid, "it takes no value");
  target = true;
  return {};
}

Status set_cache(Options& options, std::string_view value) {
  std::size_t megabytes = 0;
  WEIGHTFS_TRY(read_number(value, std::size_t{1} << 20, megabytes));
  options.filesystem.cache_bytes = megabytes << 20;
  return {};
}

Status set_read_ahead(Options& options, std::string_view value) {
  std::size_t kilobytes = 0;
  WEIGHTFS_TRY(read_number(value, std::size_t{1} << 20, kilobytes));
  options.read_ahead_kb = kilobytes;
  return {};
}

Status set_thread_count(Options& options, std::string_view value) {
  WEIGHTFS_TRY(read_number(value, 1024U, options.thread_count));
  // One that waits for a sync must not keep the others from being served.
  options.thread_count = std::max(options.thread_count, 2U);
  return {};
}

Status set_tier(Options& options, std::string_view value) {
  return read_choice<codec::Tier>(value,
                                  {{"fast", codec::Tier::fast},
                                   {"default", codec::Tier::default_tier},
                                   {"cold", codec::Tier::cold}},
                                  options.filesystem.tier);
}

Status set_verify(Options& options, std::string_view value) {
  return read_choice<fs::VerifyReads>(value,
                                      {{"always", fs::VerifyReads::always},
                                       {"sampled", fs::VerifyReads::sampled},
                                       {"off", fs::VerifyReads::off}},
                                      options.filesystem.verify);
}

Status set_no_splice(Options& options, std::string_view value) {
  bool off = false;
  WEIGHTFS_TRY(read_flag(value, off));
  options.connection.splice = !off;
  return {};
}

Status set_no_passthrough(Options& options, std::string_view value) {
  bool off = false;
  WEIGHTFS_TRY(read_flag(value, off));
  options.connection.passthrough = !off;
  return {};
}

constexpr std::array kOwnOptions = std::to_array<OwnOption>({
    {"tier", "tier=fast|default|cold: how hard to compress what is written", set_tier},
    {"portable", "portable: only codecs that are fast on every processor",
     [](Options& options, std::string_view value) {
       return read_flag(value, options.filesystem.portable);
     }},
    {"verify", "verify=always|sampled|off: which blocks are checked when they are read",
     set_verify},
    {"verify_dedup", "verify_dedup: compare the bytes before two blocks are taken for one",
     [](Options& options, std::string_view value) {
       return read_flag(value, options.filesystem.verify_dedup);
     }},
    {"cache_mb", "cache_mb=N: memory for decoded blocks (96)", set_cache},
    {"workers", "workers=N: threads that encode and decode (one per core)",
     [](Options& options, std::string_view value) {
       return read_number(value, std::size_t{1024}, options.filesystem.worker_count);
     }},
    {"commit_ms", "commit_ms=N: what was not fsynced is durable after so long (5000)",
     [](Options& options, std::string_view value) {
       return read_number(value, 3'600'000U, options.filesystem.commit_interval_ms);
     }},
    {"seal_delay_ms", "seal_delay_ms=N: how long a closed file rests before it is sealed (200)",
     [](Options& options, std::string_view value) {
       return read_number(value, 3'600'000U, options.filesystem.seal_delay_ms);
     }},
    {"read_ahead_kb", "read_ahead_kb=N: the kernel's read-ahead; root only (1024)", set_read_ahead},
    {"threads", "threads=N: requests that are served at once (16)", set_thread_count},
    {"nosplice", "nosplice: copy between descriptors instead of moving pages", set_no_splice},
    {"nopassthrough", "nopassthrough: new files are written through the daemon, by root too",
     set_no_passthrough},
    {"writeback", "writeback: let the kernel collect writes; an experiment",
     [](Options& options, std::string_view value) {
       return read_flag(value, options.connection.writeback);
     }},
});

void add_kernel_flag(Options& options, std::string_view name) {
  if (name == "ro") options.filesystem.read_only = true;
  if (name == "rw") options.filesystem.read_only = false;
  if (name == "noatime") options.filesystem.no_atime = true;
  if (name == "nodiratime") options.filesystem.no_directory_atime = true;
  if (name.ends_with("allow_other")) {
    options.allow_other = name == "allow_other";
    return;
  }
  if (name != "default_permissions") options.kernel.emplace_back(name);  // always on
}

void set_access_times(fs::FilesystemOptions& options, std::string_view name) {
  if (name == "diratime") {
    options.no_directory_atime = false;
    return;
  }
  if (name == "atime" || name == "strictatime") options.no_atime = false;
  options.strict_atime = name == "strictatime";
}

bool is_ignored(std::string_view text) {
  const auto starts = [text](std::string_view prefix) { return text.starts_with(prefix); };
  return text.empty() || contains(kIgnored, text) ||
         std::any_of(kIgnoredPrefixes.begin(), kIgnoredPrefixes.end(), starts);
}

Status apply_option(Options& options, std::string_view text) {
  if (contains(kKernelFlags, text)) {
    add_kernel_flag(options, text);
    return {};
  }
  if (contains(kAccessTimes, text)) {
    set_access_times(options.filesystem, text);
    return {};
  }
  if (is_ignored(text)) return {};
  const std::string_view name = text.substr(0, text.find('='));
  const auto own = std::find_if(kOwnOptions.begin(), kOwnOptions.end(),
                                [name](const OwnOption& each) { return each.name == name; });
  if (own == kOwnOptions.end()) {
    return fail(Code::invalid, fmt::format("there is no mount option \"{}\": see "
                                           "weightfs mount --help",
                                           name));
  }
  const Status set = own->set(options, text.substr(std::min(text.size(), name.size() + 1)));
  if (!set) return tl::unexpected(with_context(set.error(), fmt::format("option {}", name)));
  return {};
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& texts) {
  Options options;
  for (const std::string& text : texts) WEIGHTFS_TRY(apply_option(options, text));
  return options;
}

std::string option_help() {
  std::string help;
  for (const OwnOption& option : kOwnOptions) help += fmt::format("  {}\n", option.help);
  help += "  ";
  for (const std::string_view flag : kKernelFlags) help += fmt::format("{} ", flag);
  return help + "\n";
}

}  // namespace weightfs::mount
