#include "builder-pod/stage/copy_crew.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "lib/base/guarded.h"
#include "tests/unit/lib/layer/temporary_directory.h"

namespace stagewright::stage {
namespace {

using layer::TemporaryDirectory;

class Notes final : public ContentWitness {
 public:
  void learn(const std::string& path, const layer::FileStat&, const layer::Xattrs&,
             Sha256 hash) override {
    (*digests_.lock())[path] = hash.hex();
  }
  std::map<std::string, std::string> take() { return std::move(*digests_.lock()); }

 private:
  Guarded<std::map<std::string, std::string>> digests_;
};

class CopyCrewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(dir_.shell("mkdir from to"));
    from_ = open("from");
    to_ = open("to");
  }

  std::shared_ptr<const Fd> open(const char* name) {
    return std::make_shared<const Fd>(
        ::open((dir_ / name).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  FileJob job(const std::string& name) {
    const auto st = layer::statAt(from_->get(), name);
    EXPECT_TRUE(st);
    return {from_,  name, *st, to_, name, static_cast<std::uint32_t>(::geteuid()),
            static_cast<std::uint32_t>(::getegid()), st->permissions()};
  }

  /// As cp -a would have done it; times to the nanosecond.
  bool isSame() {
    return dir_.shell(
        "list() { (cd $1 && find . -type f -printf '%P %m %U:%G %s %T@\\n' | sort); }; "
        "[ \"$(list from)\" = \"$(list to)\" ] && diff -r from to");
  }

  TemporaryDirectory dir_;
  std::shared_ptr<const Fd> from_;
  std::shared_ptr<const Fd> to_;
};

TEST_F(CopyCrewTest, CopiesAFewFilesAndMany) {
  ASSERT_TRUE(dir_.shell(
      "cd from && for i in $(seq 700); do echo $i >f$i; done && chmod 4755 f7 && chmod 400 f8 && "
      "chmod 1666 f9 && touch -d 2001-02-03T04:05:06.789 f10 && : >empty"));
  CopyCrew crew(nullptr);
  for (const char* few : {"empty", "f7"}) {
    ASSERT_TRUE(crew.add(job(few)));
  }
  ASSERT_TRUE(crew.drain());
  for (int i = 1; i <= 700; ++i) {
    if (i != 7) {
      ASSERT_TRUE(crew.add(job("f" + std::to_string(i))));
    }
  }
  ASSERT_TRUE(crew.drain());
  EXPECT_TRUE(isSame());
}

TEST_F(CopyCrewTest, TellsTheDigestOfWhatItCopied) {
  ASSERT_TRUE(dir_.shell(
      "cd from && : >empty && echo small >small && head -c 100000 /dev/urandom >middle && "
      "head -c 9000000 /dev/urandom >large && truncate -s 5000000 holes && echo x >>holes"));
  Notes notes;
  {
    CopyCrew crew(&notes);
    for (const char* name : {"empty", "small", "middle", "large", "holes"}) {
      ASSERT_TRUE(crew.add(job(name)));
    }
    ASSERT_TRUE(crew.drain());
  }
  EXPECT_TRUE(isSame());
  const auto digests = notes.take();
  EXPECT_EQ(digests.size(), 5u);
  std::string sums;
  for (const auto& [name, digest] : digests) {
    sums += digest + "  " + name + "\n";
  }
  dir_.write("sums", sums);
  EXPECT_TRUE(dir_.shell("cd from && sha256sum -c --quiet ../sums"));
  EXPECT_TRUE(dir_.shell("[ $(stat -c %b to/holes) -lt 100 ]")) << "the hole was filled";
}

TEST_F(CopyCrewTest, SaysNothingOfAFileThatChangedSinceTheWalk) {
  dir_.write("from/f", "before");
  FileJob stale = job("f");
  dir_.write("from/f", "afterwards");
  Notes notes;
  CopyCrew crew(&notes);
  ASSERT_TRUE(crew.add(stale));
  ASSERT_TRUE(crew.drain());
  EXPECT_TRUE(notes.take().empty());
}

TEST_F(CopyCrewTest, KeepsTheFirstErrorAndDropsTheRest) {
  ASSERT_TRUE(dir_.shell("cd from && for i in $(seq 200); do echo $i >f$i; done; mkdir ../to/f1"));
  CopyCrew crew(nullptr);
  Status status;
  for (int i = 1; i <= 200 && status; ++i) {
    status = crew.add(job("f" + std::to_string(i)));
  }
  const Status drained = crew.drain();
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, Code::kConflict);
  EXPECT_EQ(drained.error().message, "create \"/f1\": file exists");
}

TEST_F(CopyCrewTest, RefusesWhatIsNoRegularFile) {
  ASSERT_TRUE(dir_.shell("echo x >outside; cd from && ln -s ../outside link && mkfifo pipe"));
  for (const char* name : {"link", "pipe"}) {
    CopyCrew crew(nullptr);
    ASSERT_TRUE(crew.add(job(name)));
    EXPECT_FALSE(crew.drain()) << name;
  }
}

}  // namespace
}  // namespace stagewright::stage
