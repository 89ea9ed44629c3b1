//! Does an interrupted transfer go on where it stopped, and never with another file's bytes?

use super::*;
use crate::journal::{Journal, Key};
use crate::local::folder::Folder;
use crate::local::partial::{Begin, Partial};

/// Bytes that are moved before a copy is stopped.
const PART: u64 = 1024 * 1024;

impl Bench {
    /// Runs a copy that is stopped when so many bytes have moved.
    async fn interrupt_at(&mut self, bytes: u64, plan: Plan) -> Summary {
        let stop = std::mem::take(&mut self.stop);
        *self.told.moved.lock().unwrap() = 0;
        *self.told.stop_at.lock().unwrap() = Some((bytes, stop.clone()));
        let client = self.server.client().await;
        let told = Arc::clone(&self.told) as Arc<dyn Observer>;
        let summary = copy(plan, client, told, stop).await.unwrap();
        *self.told.stop_at.lock().unwrap() = None;
        assert_eq!(summary.ended, Ended::Stopped);
        self.settled().await;
        summary
    }

    /// Waits until the server has seen the end of what was stopped.
    async fn settled(&self) {
        while self.server.site().open > 0 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_download_that_was_cut_goes_on_in_the_same_run() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed, summary.failed), (1, 1, 0), "{}", bench.everything_told());
    assert!(bench.read("a").unwrap() == large(1));
    assert_eq!((bench.server.count("RETR"), bench.server.count("REST")), (2, 1));
    assert_eq!((bench.tree(""), bench.journal_entries()), (vec!["a".to_owned()], 0));
}

#[tokio::test]
async fn a_download_that_was_stopped_goes_on_in_the_next_run() {
    let mut bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.write("a", b"old");
    let summary = bench.interrupt_at(PART, bench.down(&["/a"], "a")).await;
    assert_eq!((summary.files, summary.resumable), (0, 1));
    assert_eq!(bench.tree(""), [".a.carrack-part", "a"]);
    assert_eq!(bench.read("a").unwrap(), b"old");
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed), (1, 1));
    assert!(bench.read("a").unwrap() == large(1));
    assert!(summary.bytes <= large(1).len() as u64 - PART);
    assert_eq!((bench.tree(""), bench.journal_entries()), (vec!["a".to_owned()], 0));
}

#[tokio::test]
async fn a_download_that_was_complete_but_for_its_name_is_not_moved_again() {
    let mut bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.interrupt_at(large(1).len() as u64, bench.down(&["/a"], "a")).await;
    assert_eq!(bench.tree(""), [".a.carrack-part"]);
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.bytes, bench.server.count("RETR")), (1, 0, 1));
    assert!(bench.read("a").unwrap() == large(1));
}

#[tokio::test]
async fn a_file_that_changed_on_the_server_is_begun_anew() {
    let mut bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.interrupt_at(PART, bench.down(&["/a"], "a")).await;
    bench.server.put("/a", &large(2));
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed, bench.server.count("REST")), (1, 0, 0));
    assert!(bench.read("a").unwrap() == large(2));

    // Also when it changes while the connection is away.
    bench.server.put("/b", &large(3));
    bench.server.site().cuts = vec![1_500_000];
    let swap = Swap { server: &bench.server, plan: bench.down(&["/b"], "b") };
    swap.run(&bench, &large(4)).await;
    assert!(bench.read("b").unwrap() == large(4));
}

/// A copy during which the file on the server becomes another.
struct Swap<'b> {
    server: &'b Server,
    plan: Plan,
}

impl Swap<'_> {
    async fn run(self, bench: &Bench, bytes: &[u8]) {
        let swapped = async {
            while self.server.count("RETR /b") == 0 || !self.server.site().cuts.is_empty() {
                tokio::task::yield_now().await;
            }
            self.server.put("/b", bytes);
        };
        let (summary, ()) = tokio::join!(bench.copy(self.plan), swapped);
        assert_eq!(summary.unwrap().files, 1);
    }
}

#[tokio::test]
async fn a_shorter_file_is_never_taken_for_a_beginning() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.write("a", &large(2)[..1_500_000]);
    bench.write(".a.carrack-part", &large(3)[..1_500_000]);
    bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert!(bench.read("a").unwrap() == large(1));
    bench.write("b", &large(4));
    bench.copy(bench.up(&["b"], "/a")).await.unwrap();
    assert!(bench.server.bytes("/a").unwrap() == large(4));
    assert_eq!((bench.server.count("REST"), bench.server.count("APPE")), (0, 0));
}

#[tokio::test]
async fn where_nobody_tells_what_changed_everything_begins_anew() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.server.site().timeless = true;
    bench.server.site().cuts = vec![1_500_000];
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed, bench.server.count("REST")), (1, 0, 0));
    assert!(bench.read("a").unwrap() == large(1));
    assert_eq!(bench.journal_entries(), 0);
}

#[tokio::test]
async fn a_server_that_cannot_begin_in_the_middle_begins_at_the_beginning() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    bench.server.site().answers = vec![("REST".to_owned(), "502 What?".to_owned())];
    bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert!(bench.read("a").unwrap() == large(1));
}

#[tokio::test]
async fn an_upload_that_was_cut_goes_on_in_the_same_run() {
    let bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    let summary = bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed, summary.failed), (1, 1, 0), "{}", bench.everything_told());
    assert!(bench.server.bytes("/a").unwrap() == large(1));
    assert_eq!((bench.server.count("STOR"), bench.server.count("REST 1500000")), (2, 1));
    assert_eq!(bench.journal_entries(), 0);
}

#[tokio::test]
async fn an_upload_that_was_stopped_goes_on_in_the_next_run() {
    let mut bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.server.put("/a", b"an older one");
    let summary = bench.interrupt_at(PART, bench.up(&["a"], "/a")).await;
    assert_eq!(summary.resumable, 1);
    assert_eq!(bench.journal_entries(), 1);
    let summary = bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!((summary.files, summary.resumed, bench.server.count("REST")), (1, 1, 1));
    assert!(bench.server.bytes("/a").unwrap() == large(1));
    assert_eq!(bench.journal_entries(), 0);
}

#[tokio::test]
async fn an_older_file_at_the_target_is_not_mixed_with_the_new_one() {
    let bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.server.put("/a", &large(2)[..1_500_000]);
    // The interrupted upload leaves no trace: what stands there is still the old file, and shorter than the new one.
    bench.server.site().hides_uploads = true;
    bench.server.site().cuts = vec![2_000_000];
    let mut plan = bench.up(&["a"], "/a");
    plan.retries = Retries::none();
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.failed, bench.journal_entries()), (1, 1));
    assert!(bench.server.bytes("/a").unwrap() == large(2)[..1_500_000]);
    let summary = bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!((summary.resumed, bench.server.count("REST")), (0, 0));
    assert!(bench.server.bytes("/a").unwrap() == large(1));
}

#[tokio::test]
async fn an_upload_that_never_began_is_not_gone_on_with() {
    let bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.server.site().answers = vec![("STOR".to_owned(), "553 Not now.".to_owned())];
    let summary = bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!((summary.failed, bench.journal_entries()), (1, 0));
    // Somebody else's, and a beginning by its size alone.
    bench.server.put("/a", &large(2)[..1_500_000]);
    bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!(bench.server.count("REST"), 0);
    assert!(bench.server.bytes("/a").unwrap() == large(1));
}

#[tokio::test]
async fn a_local_file_that_changed_is_sent_anew() {
    let mut bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.interrupt_at(PART, bench.up(&["a"], "/a")).await;
    bench.write("a", &large(2));
    bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!(bench.server.count("REST"), 0);
    assert!(bench.server.bytes("/a").unwrap() == large(2));
}

#[tokio::test]
async fn a_server_without_rest_for_uploads_is_gone_on_with_by_appe() {
    let bench = Bench::new().await;
    bench.write("a", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    bench.server.site().answers = vec![("REST".to_owned(), "502 What?".to_owned())];
    let summary = bench.copy(bench.up(&["a"], "/a")).await.unwrap();
    assert_eq!((summary.files, bench.server.count("STOR"), bench.server.count("APPE")), (1, 1, 1));
    assert!(bench.server.bytes("/a").unwrap() == large(1));
}

#[tokio::test]
async fn nothing_is_gone_on_with_where_that_is_not_wanted() {
    let mut bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    bench.interrupt_at(PART, bench.down(&["/a"], "a")).await;
    let mut plan = bench.down(&["/a"], "a");
    plan.resume = Resume::Never;
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.bytes, bench.server.count("REST")), (large(1).len() as u64, 0));

    bench.interrupt_at(PART, bench.up(&["a"], "/b")).await;
    let mut plan = bench.up(&["a"], "/b");
    plan.resume = Resume::Never;
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.bytes, bench.server.count("REST")), (large(1).len() as u64, 0));
    assert_eq!(bench.journal_entries(), 0);
}

#[tokio::test]
async fn what_is_there_is_gone_on_with_by_its_size_on_request() {
    let bench = Bench::new().await;
    bench.server.put("/s/same", b"12345");
    bench.server.put("/s/short", b"12345");
    bench.server.put("/s/long", b"12345");
    bench.server.put("/s/new", b"12345");
    bench.write("d/same", b"abcde");
    bench.write("d/short", b"ab");
    bench.write("d/long", b"abcdef");
    let by_size = |mut plan: Plan| {
        plan.resume = Resume::BySize;
        plan
    };
    let summary = bench.copy(by_size(bench.down(&["/s/"], "d"))).await.unwrap();
    assert_eq!((summary.files, summary.left, summary.failed, summary.resumed), (2, 1, 1, 1));
    let read = |name: &str| String::from_utf8(bench.read(&format!("d/{name}")).unwrap()).unwrap();
    assert_eq!(
        [read("same"), read("short"), read("long"), read("new")],
        ["abcde", "ab345", "abcdef", "12345"]
    );
    assert!(bench.everything_told().contains("Larger"));

    for (name, bytes) in [("same", "vwxyz"), ("short", "vw"), ("long", "vwxyz!")] {
        bench.server.put(&format!("/t/{name}"), bytes.as_bytes());
    }
    bench.write("d/long", b"abcde");
    let summary = bench.copy(by_size(bench.up(&["d/"], "/t"))).await.unwrap();
    assert_eq!((summary.files, summary.left, summary.failed, summary.resumed), (2, 1, 1, 1));
    let bytes = |name: &str| String::from_utf8(bench.server.bytes(&format!("/t/{name}")).unwrap()).unwrap();
    assert_eq!(
        [bytes("same"), bytes("short"), bytes("long"), bytes("new")],
        ["vwxyz", "vw345", "vwxyz!", "12345"]
    );
}

#[tokio::test]
async fn appending_is_done_once_or_not_at_all() {
    let bench = Bench::new().await;
    bench.server.put("/log", b"one ");
    bench.write("log", b"two ");
    let append = |mut plan: Plan| {
        plan.existing = Existing::Append;
        plan
    };
    // Before any byte has moved it may be tried again.
    bench.server.site().answers = vec![("APPE".to_owned(), "450 Busy.".to_owned())];
    bench.copy(append(bench.up(&["log"], "/log"))).await.unwrap();
    assert_eq!(bench.server.bytes("/log").unwrap(), b"one two ");
    bench.copy(append(bench.down(&["/log"], "log"))).await.unwrap();
    assert_eq!(bench.read("log").unwrap(), b"two one two ");

    bench.write("big", &large(1));
    bench.server.site().cuts = vec![1_500_000];
    let before = bench.server.count("APPE");
    let summary = bench.copy(append(bench.up(&["big"], "/big"))).await.unwrap();
    assert_eq!((summary.failed, bench.server.count("APPE") - before), (1, 1));
}

#[tokio::test]
async fn a_hash_finds_what_size_and_time_do_not() {
    let mut bench = Bench::new().await;
    bench.server.site().hashes = Some(None);
    bench.server.put("/a", &large(1));
    bench.interrupt_at(PART, bench.down(&["/a"], "a")).await;
    // The disk has not kept what was written.
    let partial = bench.here(".a.carrack-part");
    let mut bytes = std::fs::read(&partial).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&partial, bytes).unwrap();
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.verified_by_hash, summary.failed), (1, 1, 0));
    assert!(bench.read("a").unwrap() == large(1));
    let summary = bench.copy(bench.up(&["a"], "/b")).await.unwrap();
    assert_eq!(summary.verified_by_hash, 1);

    // A lie, or a broken disk of the server: nothing takes the old file's place.
    bench.server.site().hashes = Some(Some("0".repeat(64)));
    bench.write("a", b"old");
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (0, 1));
    assert_eq!((bench.read("a").unwrap(), bench.tree("").len()), (b"old".to_vec(), 1));
    assert!(bench.everything_told().contains("HashDiffers"));
    assert_eq!(bench.journal_entries(), 0);
}

#[tokio::test]
async fn two_at_one_file_do_not_get_into_each_others_way() {
    let bench = Bench::new().await;
    bench.server.put("/a", b"1");
    bench.server.put("/b", &large(1));
    let name = carrack_ftp_proto::client::EntryName::parse(b"a").unwrap();
    let held = Partial::open(Arc::new(Folder::open(&bench.here("")).unwrap()), name, Begin::Anew).unwrap();
    let summary = bench.copy(bench.down(&["/a", "/b"], "")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 1));
    assert!(bench.everything_told().contains("Busy"));
    drop(held);

    let journal = Journal::open(&bench.disk.path().join("state"), std::time::SystemTime::now()).unwrap();
    let server = format!("alice@127.0.0.1:{}", bench.server.port);
    let remote = carrack_ftp_proto::client::RemotePath::parse(b"/c").unwrap();
    let held = journal.claim(Key::upload(&server, &bench.here("b"), &remote)).unwrap();
    let summary = bench.copy(bench.up(&["b"], "/c")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (0, 1));
    drop(held);
    assert_eq!(bench.copy(bench.up(&["b"], "/c")).await.unwrap().files, 1);
}
