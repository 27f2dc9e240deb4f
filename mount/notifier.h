// Tells the kernel of changes that it did not make itself.
#pragma once

#include "fuse.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::mount {

// Observes the file system for as long as it lives; the session and the file system outlive it.
// Called with no lock held. Names are told of never from a request's thread, as the kernel may have
// to wait for a request to be answered before it can drop what it knows; to drop the attributes of
// an open file it waits for nothing.
class Notifier final : public fs::ChangeObserver {
 public:
  Notifier(fs::Filesystem& filesystem, fuse_session* session)
      : filesystem_(filesystem), session_(session) {
    filesystem_.set_observer(this);
  }
  ~Notifier() override { filesystem_.set_observer(nullptr); }
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  void entry_changed(fs::InodeNumber parent, const std::string& name) override {
    (void)fuse_lowlevel_notify_inval_entry(session_, parent, name.data(), name.size());
    attributes_changed(parent);
  }
  void attributes_changed(fs::InodeNumber inode) override {
    constexpr off_t kAttributesOnly = -1;
    (void)fuse_lowlevel_notify_inval_inode(session_, inode, kAttributesOnly, 0);
  }

 private:
  fs::Filesystem& filesystem_;
  fuse_session* session_;
};

}  // namespace weightfs::mount
