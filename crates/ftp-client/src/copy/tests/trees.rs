//! Do trees arrive whole, under the right names, and only what is wanted of them?

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_comes_down_whole_over_a_few_connections() {
    let bench = Bench::new().await;
    let mut expected = Vec::new();
    for folder in 0..7 {
        for file in 0..30 {
            let path = format!("/src/d{folder}/e/f{file}");
            bench.server.put(&path, path.as_bytes());
            expected.push(path);
        }
    }
    bench.server.site().nodes.insert("/src/empty".to_owned(), Node::Folder);
    let summary = bench.copy(bench.down(&["/src"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.failed, summary.skipped, summary.ended), (210, 0, 0, Ended::Complete));
    assert_eq!((summary.folders, summary.verified_by_size), (16, 210));
    assert_eq!(summary.bytes, expected.iter().map(|path| path.len() as u64).sum::<u64>());
    for path in expected {
        assert_eq!(bench.read(&path.replace("/src", "new")).unwrap(), path.as_bytes());
    }
    assert!(bench.here("new/empty").is_dir());
    assert_eq!(bench.tree("new").len(), 210 + 15);
    let logins = bench.server.site().logins;
    assert!((2..=JOBS).contains(&logins), "{logins} connections");
    // The listing told the sizes: nothing is asked of a file before or after it.
    assert_eq!(
        (bench.server.count("SIZE"), bench.server.count("MDTM"), bench.server.count("MLST")),
        (0, 0, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_goes_up_whole() {
    let bench = Bench::new().await;
    bench.server.site().nodes.insert("/in".to_owned(), Node::Folder);
    for folder in 0..5 {
        for file in 0..20 {
            bench.write(&format!("src/d{folder}/e/f{file}"), format!("{folder} {file}").as_bytes());
        }
    }
    std::fs::create_dir(bench.here("src/empty")).unwrap();
    let summary = bench.copy(bench.up(&["src"], "/in")).await.unwrap();
    assert_eq!((summary.files, summary.failed, summary.folders), (100, 0, 12), "{}", bench.everything_told());
    assert_eq!(summary.verified_by_size, 100);
    assert_eq!(bench.server.bytes("/in/src/d4/e/f19").unwrap(), b"4 19");
    assert_eq!(files_of(&bench.server, "/in/src").len(), 100 + 12);
    // Each folder is made once.
    assert_eq!(bench.server.count("MKD"), 12);

    // A second time over what is there.
    bench.write("src/d0/e/f0", b"new");
    let summary = bench.copy(bench.up(&["src"], "/in")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (100, 0));
    assert_eq!(bench.server.bytes("/in/src/d0/e/f0").unwrap(), b"new");
}

#[tokio::test]
async fn one_file_takes_one_connection() {
    let bench = Bench::new().await;
    bench.server.put("/a", b"1");
    bench.copy(bench.down(&["/a"], "a")).await.unwrap();
    bench.copy(bench.up(&["a"], "/b")).await.unwrap();
    assert_eq!(bench.server.site().logins, 2);
}

#[tokio::test]
async fn files_go_where_cp_puts_them() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"1");
    bench.server.put("/s/b", b"2");
    std::fs::create_dir(bench.here("dir")).unwrap();
    bench.copy(bench.down(&["/s/a"], "dir")).await.unwrap();
    bench.copy(bench.down(&["/s/a"], "dir/other")).await.unwrap();
    bench.copy(bench.down(&["/s"], "dir")).await.unwrap();
    bench.copy(bench.down(&["/s/"], "contents")).await.unwrap();
    bench.copy(bench.down(&["/s"], "as")).await.unwrap();
    bench.copy(bench.down(&["/s/a", "/s/b"], "dir")).await.unwrap();
    let expected = [
        "as",
        "as/a",
        "as/b",
        "contents",
        "contents/a",
        "contents/b",
        "dir",
        "dir/a",
        "dir/b",
        "dir/other",
        "dir/s",
    ];
    assert_eq!(bench.tree(""), [&expected[..], &["dir/s/a", "dir/s/b"]].concat());

    let refused = bench.copy(bench.down(&["/s/a", "/s/b"], "none")).await.unwrap_err();
    assert!(matches!(refused, Failure::NoFolder(_)), "{refused}");
    assert!(matches!(bench.copy(bench.down(&["/s/a"], "none/")).await, Err(Failure::NoFolder(_))));
    bench.write("file", b"");
    let summary = bench.copy(bench.down(&["/s"], "file")).await.unwrap();
    assert_eq!(
        (summary.failed, bench.told("Failed { id: None, what: Remote(RemotePath(/s)), error: FileInTheWay")),
        (1, 1)
    );

    // The other way round.
    bench.server.site().nodes.insert("/in".to_owned(), Node::Folder);
    bench.copy(bench.up(&["dir/a"], "/in/")).await.unwrap();
    bench.copy(bench.up(&["dir/a"], "/in/other")).await.unwrap();
    bench.copy(bench.up(&["as"], "/in")).await.unwrap();
    bench.copy(bench.up(&["as/"], "/in/new")).await.unwrap();
    bench.copy(bench.up(&["as/."], "/in/newer")).await.unwrap();
    let expected =
        ["/in", "/in/a", "/in/as", "/in/as/a", "/in/as/b", "/in/new", "/in/new/a", "/in/new/b", "/in/newer"];
    assert_eq!(
        files_of(&bench.server, "/in"),
        [&expected[..], &["/in/newer/a", "/in/newer/b", "/in/other"]].concat()
    );
    assert!(matches!(bench.copy(bench.up(&["dir/a"], "/none/")).await, Err(Failure::NoFolder(_))));
}

#[tokio::test]
async fn folders_are_copied_only_when_they_are_meant() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"1");
    bench.server.put("/f", b"1");
    std::fs::create_dir(bench.here("dir")).unwrap();
    let mut plan = bench.down(&["/s", "/f", "/gone"], "dir");
    plan.recursion = Recursion::FilesOnly;
    let summary = bench.copy(plan).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 2));
    assert_eq!(bench.tree("dir"), ["f"]);
    assert!(bench.everything_told().contains("IsFolder"));
    assert!(bench.everything_told().contains("cannot look at /gone"));
}

#[tokio::test]
async fn two_sources_of_one_name_do_not_overwrite_one_another() {
    let bench = Bench::new().await;
    bench.server.put("/s/a", b"1");
    bench.server.put("/t/a", b"2");
    std::fs::create_dir(bench.here("dir")).unwrap();
    let summary = bench.copy(bench.down(&["/s/a", "/t/a"], "dir")).await.unwrap();
    assert_eq!((summary.files, summary.failed), (1, 1));
    assert_eq!(bench.read("dir/a").unwrap(), b"1");
}

#[tokio::test]
async fn patterns_are_expanded_on_both_sides() {
    let bench = Bench::new().await;
    for file in [
        "/logs/2023/a.log",
        "/logs/2024/a.log",
        "/logs/2024/b.log",
        "/logs/2024/b.txt",
        "/logs/[x]",
        "/logs/x",
    ] {
        bench.server.put(file, file.as_bytes());
    }
    let fresh = |name: &str| {
        std::fs::create_dir(bench.here(name)).unwrap();
        name.to_owned()
    };
    bench.copy(bench.down(&["/logs/2024/*.log"], &fresh("one"))).await.unwrap();
    assert_eq!(bench.tree("one"), ["a.log", "b.log"]);
    bench.copy(bench.down(&["/logs/*/b.*"], &fresh("two"))).await.unwrap();
    assert_eq!(bench.tree("two"), ["b.log", "b.txt"]);
    bench.copy(bench.down(&["/logs/20?3"], &fresh("three"))).await.unwrap();
    assert_eq!(bench.tree("three"), ["2023", "2023/a.log"]);
    // What is there under this very name wins, and what was escaped is no pattern.
    bench.copy(bench.down(&["/logs/[x]"], &fresh("four"))).await.unwrap();
    assert_eq!(bench.tree("four"), ["[x]"]);
    let summary = bench.copy(bench.down(&["/logs/*.none"], &fresh("five"))).await.unwrap();
    assert_eq!((summary.files, summary.failed), (0, 1));
    assert!(bench.everything_told().contains("NoMatch"));

    bench.copy(bench.up(&["one/*.log", "two/*.txt"], "/logs/2023")).await.unwrap();
    assert!(is_file(&bench.server, "/logs/2023/b.log") && is_file(&bench.server, "/logs/2023/b.txt"));
}

#[tokio::test]
async fn a_filter_decides_what_is_listed_and_moved() {
    let bench = Bench::new().await;
    for file in ["/s/a.txt", "/s/a.tmp", "/s/cache/x.txt", "/s/deep/down/b.txt", "/s/deep/c.jpg"] {
        bench.server.put(file, b"x");
    }
    let mut plan = bench.down(&["/s"], "one");
    plan.filter.exclude("*.tmp").unwrap();
    plan.filter.exclude("/cache/").unwrap();
    bench.copy(plan).await.unwrap();
    assert_eq!(bench.tree("one"), ["a.txt", "deep", "deep/c.jpg", "deep/down", "deep/down/b.txt"]);
    assert_eq!(bench.server.count("MLSD /s/cache"), 0);

    let mut plan = bench.down(&["/s"], "two");
    plan.filter.include("*.jpg").unwrap();
    bench.copy(plan).await.unwrap();
    assert_eq!(bench.tree("two"), ["deep", "deep/c.jpg"]);

    let mut plan = bench.up(&["one"], "/t");
    plan.filter.include("b.*").unwrap();
    bench.copy(plan).await.unwrap();
    assert_eq!(files_of(&bench.server, "/t"), ["/t", "/t/deep", "/t/deep/down", "/t/deep/down/b.txt"]);
}

#[tokio::test]
async fn links_devices_and_unfinished_files_are_left_out_with_a_word() {
    let bench = Bench::new().await;
    let listing = "type=file;size=1; a\r\ntype=OS.unix=slink:/etc/passwd;size=1; link\r\ntype=OS.unix=chr-1/3; null\r\n\
                   type=file;size=1; .a.carrack-part\r\n";
    bench.server.put("/s/a", b"1");
    bench.server.site().listings.insert("/s".to_owned(), listing.as_bytes().to_vec());
    let summary = bench.copy(bench.down(&["/s"], "new")).await.unwrap();
    assert_eq!((summary.files, summary.skipped, summary.failed), (1, 3, 0), "{}", bench.everything_told());
    assert_eq!(bench.tree("new"), ["a"]);

    std::os::unix::fs::symlink("/etc/passwd", bench.here("new/link")).unwrap();
    std::os::unix::fs::symlink("..", bench.here("new/circle")).unwrap();
    bench.write("new/.b.carrack-part", b"half");
    let summary = bench.copy(bench.up(&["new"], "/t")).await.unwrap();
    assert_eq!((summary.files, summary.skipped), (1, 3));
    assert_eq!(files_of(&bench.server, "/t"), ["/t", "/t/a"]);
    // A link that was named is followed.
    bench.write("target", b"2");
    std::os::unix::fs::symlink("target", bench.here("named")).unwrap();
    bench.copy(bench.up(&["named"], "/t")).await.unwrap();
    assert_eq!(bench.server.bytes("/t/named").unwrap(), b"2");
}

#[tokio::test]
async fn times_are_kept_on_request() {
    let bench = Bench::new().await;
    bench.server.put("/a", b"1");
    let modified = match bench.server.site().nodes.get("/a") {
        Some(Node::File { modified, .. }) => *modified,
        _ => panic!("no file"),
    };
    let mut plan = bench.down(&["/a"], "a");
    plan.times = Times::Keep;
    bench.copy(plan).await.unwrap();
    let seconds = |path: &str| {
        let modified = std::fs::metadata(bench.here(path)).unwrap().modified().unwrap();
        modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    };
    assert_eq!(seconds("a"), modified);
    let mut plan = bench.up(&["a"], "/b");
    plan.times = Times::Keep;
    bench.copy(plan).await.unwrap();
    assert!(
        matches!(bench.server.site().nodes.get("/b"), Some(Node::File { modified: then, .. }) if *then == modified)
    );
}
