//! Does a copy do what it can when the server, the disk or the network do not?

use super::*;

#[tokio::test]
async fn nothing_is_written_outside_the_target_whatever_a_server_lists() {
    let bench = Bench::new().await;
    let hostile = [
        "..",
        ".",
        "../up",
        "../../up",
        "/etc/up",
        "a/../../up",
        "a/b",
        "",
        "/",
        "nul\0",
        "..\\up/",
        "x/",
        "./up",
        "cr\rup",
    ];
    let mut listing = String::from("type=file;size=2; good\r\n");
    for name in hostile {
        for kind in ["file;size=2", "dir"] {
            listing += &format!("type={kind}; {name}\r\n");
        }
    }
    bench.server.put("/s/good", b"ok");
    bench.server.site().listings.insert("/s".to_owned(), listing.into_bytes());
    let summary = bench.copy(bench.down(&["/s"], "in/new")).await;
    assert!(summary.is_err(), "a folder two levels down is not made");
    std::fs::create_dir(bench.here("in")).unwrap();
    let summary = bench.copy(bench.down(&["/s"], "in/new")).await.unwrap();
    assert_eq!(summary.files, 1, "{}", bench.everything_told());
    assert!(summary.failed >= 16, "{}", bench.everything_told());
    assert_eq!(bench.tree(""), ["in", "in/new", "in/new/good"]);
    let outside: Vec<_> =
        std::fs::read_dir(bench.disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    for path in bench.server.site().commands.iter().filter(|command| command.starts_with("RETR")) {
        assert_eq!(path, "RETR /s/good");
    }
}

#[tokio::test]
async fn a_link_in_the_target_is_not_written_through() {
    let bench = Bench::new().await;
    bench.server.put("/s/sub/f", b"1");
    bench.server.put("/s/g", b"1");
    std::fs::create_dir(bench.here("outside")).unwrap();
    std::fs::create_dir(bench.here("new")).unwrap();
    std::os::unix::fs::symlink("../outside", bench.here("new/sub")).unwrap();
    std::os::unix::fs::symlink("../outside/g", bench.here("new/g")).unwrap();
    let summary = bench.copy(bench.down(&["/s/"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 1));
    assert!(bench.everything_told().contains("LinkInTheWay"));
    assert_eq!(bench.tree("outside"), Vec::<String>::new());
    // The target itself is the user's own to be a link.
    std::os::unix::fs::symlink("outside", bench.here("named")).unwrap();
    bench.copy(bench.down(&["/s/"], "named")).await.unwrap();
    assert_eq!(bench.tree("outside"), ["g", "sub", "sub/f"]);
    bench.write("file", b"old");
    std::os::unix::fs::symlink("file", bench.here("link")).unwrap();
    bench.copy(bench.down(&["/s/g"], "link")).await.unwrap();
    assert_eq!(bench.read("file").unwrap(), b"1");
}

#[tokio::test]
async fn folders_within_folders_come_to_an_end() {
    let bench = Bench::new().await;
    bench.server.site().nodes.insert("/s".to_owned(), Node::Folder);
    bench.server.site().every_listing = Some(b"type=dir; d\r\ntype=file;size=1; f\r\n".to_vec());
    let mut plan = bench.down(&["/s"], "new");
    plan.filter.exclude("f").unwrap();
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.files, summary.failed, summary.folders), (0, 2, 129));
    assert!(bench.everything_told().contains("Levels"));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_not() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"1");
    bench.server.put("/s/b", b"2");
    let mut plan = bench.down(&["/s/"], "new");
    plan.jobs = 1;
    let answer = |command: &str, reply: &str| (command.to_owned(), reply.to_owned());
    bench.server.site().answers = vec![
        answer("MLSD", "450 Not now."),
        answer("RETR /s/a", "426 Cut."),
        answer("RETR /s/a", "451 Trouble."),
        answer("RETR /s/a", ""),
        answer("RETR /s/b", "550 Denied."),
    ];
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 1), "{}", bench.everything_told());
    assert_eq!((bench.server.count("RETR /s/a"), bench.server.count("RETR /s/b")), (4, 1));
    assert_eq!((bench.told("Retrying"), bench.tree("new")), (4, vec!["a".to_owned()]));

    // Not for ever.
    bench.server.site().answers = vec![answer("STOR", "450 Busy."); 9];
    let summary = bench.copy(bench.up(&["new/a"], "/s")).await.unwrap();
    assert_eq!((summary.failed, bench.server.count("STOR")), (1, 4));
}

#[tokio::test]
async fn a_server_with_few_connections_gets_few() {
    let bench = Bench::new().await;
    for file in 0..20 {
        bench.server.put(&format!("/s/f{file}"), b"1");
    }
    bench.server.site().most_connections = Some(2);
    let mut plan = bench.down(&["/s"], "new");
    plan.jobs = 8;
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.files, summary.failed), (20, 0), "{}", bench.everything_told());
    assert_eq!(bench.told("Note(Connections"), 1);
}

#[tokio::test]
async fn a_server_that_is_gone_ends_everything() {
    let bench = Bench::new().await;
    for file in 0..5 {
        bench.server.put(&format!("/s/f{file}"), b"1");
    }
    bench.server.site().answers = vec![("RETR".to_owned(), String::new())];
    bench.server.site().most_connections = Some(1);
    let client = bench.server.client().await;
    bench.server.site().most_connections = Some(0);
    let told = Arc::clone(&bench.told) as Arc<dyn Observer>;
    let failure = copy(bench.down(&["/s"], "new"), client, told, Stop::new()).await.unwrap_err();
    assert!(failure.to_string().contains("Too many connections"), "{failure}");
    assert_eq!((bench.told("Failed"), bench.told("Stopped")), (0, 1));
}

#[tokio::test]
async fn a_listing_that_was_cut_is_not_believed() {
    let bench = Bench::new().await;
    for file in ["/s/first", "/s/second", "/s/third"] {
        bench.server.put(file, b"1");
    }
    // In the middle of the second name.
    bench.server.site().cuts = vec![60];
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (3, 0));
    assert_eq!(bench.tree("new"), ["first", "second", "third"]);
}

#[tokio::test]
async fn sizes_that_lie_are_found_out() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"12345");
    bench.server.site().listings.insert("/s".to_owned(), b"type=file;size=4; a\r\n".to_vec());
    // It grew since it was listed; what came is what it is now.
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed, bench.read("new/a").unwrap()), (1, 0, b"12345".to_vec()));
    bench.server.site().answers = vec![("SIZE".to_owned(), "213 4".to_owned())];
    let summary = bench.copy(bench.down(&["/s/"], "other")).await.unwrap();
    assert_eq!((summary.files, summary.failed, bench.tree("other")), (0, 1, vec![]));
    bench.server.site().answers = vec![("SIZE".to_owned(), "213 4".to_owned())];
    let summary = bench.copy(bench.up(&["new/a"], "/b")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (0, 1));
    assert!(bench.everything_told().contains("SizeDiffers"));
}

#[tokio::test]
async fn what_is_in_the_way_here_fails_alone() {
    let bench = Bench::new().await;
    for file in ["/s/file", "/s/folder/f", "/s/good"] {
        bench.server.put(file, b"1");
    }
    bench.write("new/folder", b"a file");
    std::fs::create_dir(bench.here("new/file")).unwrap();
    let summary = bench.copy(bench.down(&["/s/"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 2), "{}", bench.everything_told());
    assert_eq!(bench.tree("new"), ["file", "folder", "good"]);
    assert_eq!(bench.read("new/folder").unwrap(), b"a file");
}

#[tokio::test]
async fn what_is_in_the_way_there_fails_alone() {
    let bench = Bench::new().await;
    bench.server.put("/t/folder", b"a file");
    bench.server.site().nodes.insert("/t/file".to_owned(), Node::Folder);
    for file in ["s/file", "s/folder/f", "s/good"] {
        bench.write(file, b"1");
    }
    bench.write("s/two\nlines", b"1");
    let summary = bench.copy(bench.up(&["s/"], "/t")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 3), "{}", bench.everything_told());
    assert_eq!(bench.server.bytes("/t/folder").unwrap(), b"a file");
    assert!(bench.everything_told().contains("FileInTheWay"));
}

#[tokio::test]
async fn without_a_journal_files_are_copied_all_the_same() {
    let bench = Bench::new().await;
    bench.server.put("/a", &large(1));
    std::fs::write(bench.disk.path().join("state"), b"a file").unwrap();
    let summary = bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    assert_eq!((summary.files, bench.told("Note(NoJournal")), (1, 1));
}

#[tokio::test]
async fn a_stop_ends_a_tree_at_once_and_leaves_no_halves() {
    let bench = Bench::new().await;
    for file in 0..50 {
        bench.server.put(&format!("/s/f{file}"), &[7; 1000]);
    }
    *bench.told.stop_at.lock().unwrap() = Some((10_000, bench.stop.clone()));
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!(summary.ended, Ended::Stopped);
    let names = bench.tree("new");
    assert!(names.len() < 50 && names.iter().all(|name| name.starts_with('f')), "{names:?}");
    for name in names {
        assert_eq!(bench.read(&format!("new/{name}")).unwrap(), [7; 1000]);
    }
    // Thrown before anything began.
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!((summary.ended, summary.files), (Ended::Stopped, 0));
}

#[tokio::test]
async fn a_server_that_is_full_does_not_hold_a_large_tree_up() {
    let bench = Bench::new().await;
    for file in 0..100 {
        bench.write(&format!("s/f{file}"), b"1");
    }
    bench.server.site().answers = vec![("STOR".to_owned(), "452 Full.".to_owned()); 1_000];
    let mut plan = bench.up(&["s"], "/t");
    plan.jobs = 1;
    let failure = bench.copy(plan).await.unwrap_err();
    assert!(matches!(failure, Failure::GaveUp(5)), "{failure}");
    assert_eq!(bench.server.count("STOR"), 5 * 4);
}

#[tokio::test]
async fn what_a_listing_does_not_tell_the_kind_of_is_asked_for() {
    let bench = Bench::new().await;
    bench.server.put("/s/folder/f.txt", b"1");
    bench.server.put("/s/file.txt", b"2");
    bench.server.put("/s/file.jpg", b"3");
    let listing = b"size=1; folder\r\nsize=1; file.txt\r\nsize=1; file.jpg\r\n".to_vec();
    bench.server.site().listings.insert("/s".to_owned(), listing);
    let mut plan = bench.down(&["/s/"], "new");
    plan.filter.include("*.txt").unwrap();
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.files, summary.failed), (2, 0), "{}", bench.everything_told());
    assert_eq!(bench.tree("new"), ["file.txt", "folder", "folder/f.txt"]);
}

#[tokio::test]
async fn what_is_no_listing_is_told_of_once_and_not_a_million_times() {
    let bench = Bench::new().await;
    bench.server.site().nodes.insert("/s".to_owned(), Node::Folder);
    let listing = "type=file;size=1; a\r\n".to_owned() + &"type=file;size=1; ../../up\r\n".repeat(5_000);
    bench.server.site().listings.insert("/s".to_owned(), listing.into_bytes());
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (0, 1_001));
    assert!(bench.everything_told().contains("NoListing"));
    assert_eq!(bench.tree(""), ["new"]);
}
