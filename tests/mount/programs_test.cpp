// Programs that people run on a directory of models.
#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

class Programs : public MountTest {
 protected:
  // Runs a shell script in the mount, which must succeed.
  void run(const std::string& script) {
    const ProgramResult result =
        run_program({"sh", "-c", "set -eu; cd '" + mount_point() + "'\n" + script});
    EXPECT_EQ(result.exit_status, 0) << result.output;
  }
};

TEST_F(Programs, GitKeepsAHistory) {
  run(R"(
    export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
    git init -q repository && cd repository
    git config user.email a@b && git config user.name a
    for i in 1 2 3; do head -c 100000 /dev/urandom >file$i; git add . ; git commit -qm $i; done
    git gc -q && git fsck --strict && git clone -q . ../clone && git -C ../clone log --oneline | wc -l | grep -qx 3)");
}

TEST_F(Programs, SqliteKeepsItsTransactions) {
  for (const std::string mode : {"delete", "wal"}) {
    run("python3 - <<'EOF'\n"
        "import sqlite3\n"
        "for round in range(3):\n"
        "    base = sqlite3.connect('" +
        mode +
        ".db')\n"
        "    base.execute('pragma journal_mode=" +
        mode +
        "')\n"
        "    base.execute('create table if not exists t (a integer, b text)')\n"
        "    base.executemany('insert into t values (?, ?)', ((i, 'x' * i) for i in range(500)))\n"
        "    base.commit()\n"
        "    assert base.execute('pragma integrity_check').fetchone() == ('ok',)\n"
        "    assert base.execute('select count(*) from t').fetchone() == (500 * (round + 1),)\n"
        "    base.close()\n"
        "EOF");
  }
}

// What huggingface_hub does: a blob under a lock, renamed into place, a relative link to it.
TEST_F(Programs, AHuggingFaceCacheWorks) {
  run("python3 - <<'EOF'\n"
      "import fcntl, os\n"
      "os.makedirs('hub/models--a--b/blobs'); os.makedirs('hub/models--a--b/snapshots/0123')\n"
      "os.makedirs('hub/.locks')\n"
      "with open('hub/.locks/x.lock', 'w') as lock:\n"
      "    fcntl.flock(lock, fcntl.LOCK_EX)\n"
      "    with open('hub/models--a--b/blobs/x.incomplete', 'ab') as part:\n"
      "        for _ in range(10): part.write(os.urandom(100_000))\n"
      "    os.replace('hub/models--a--b/blobs/x.incomplete', 'hub/models--a--b/blobs/x')\n"
      "    os.symlink('../../blobs/x', 'hub/models--a--b/snapshots/0123/model.safetensors')\n"
      "assert os.path.getsize('hub/models--a--b/snapshots/0123/model.safetensors') == 1_000_000\n"
      "EOF");
}

TEST_F(Programs, TarAndRsyncStyleCopiesKeepWhatTheyCopy) {
  run(R"sh(
    mkdir a && head -c 300000 /dev/urandom >a/one && ln -s one a/link && ln a/one a/hard
    chmod 640 a/one && touch -d '2001-02-03 04:05:06.789' a/one
    cp -a a b && tar cf t.tar a && mkdir c && tar xpf t.tar -C c
    diff -r a b && diff -r a c/a
    test "$(stat -c '%a %Y %h' a/one)" = "$(stat -c '%a %Y %h' b/one)"
    test "$(stat -c '%a %Y %h' a/one)" = "$(stat -c '%a %Y %h' c/a/one)")sh");
}

}  // namespace
}  // namespace weightfs::mount
