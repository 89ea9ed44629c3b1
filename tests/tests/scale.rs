//! `bench/scale` runs from end to end, in small: transfers, idle sessions, listings, and the page with its plots.

use std::fs;
use std::path::Path;

use carrack_tests::programs::{Program, needs};
use carrack_tests::server::program;

#[test]
fn it_measures_and_makes_tables_and_plots() {
    if !needs(&["python3"]) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let out = tempfile::tempdir().unwrap();
    let ran = Program::new("python3")
        .arg(root.join("bench/scale"))
        .args(["--quick", "--long", "--rounds", "1", "--carrack"])
        .arg(program())
        .arg("--out")
        .arg(out.path())
        .run()
        .ok();
    for line in ["    4 half", "    10 idle", "     100 entries"] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    let page = fs::read_to_string(out.path().join("performance.md")).unwrap();
    assert!(!page.contains("Not measured yet."), "{page}");
    // Both clients have the whole file in TLS 1.3, and OpenSSL has it in TLS 1.2.
    assert_eq!(page.matches("| TLS 1.3 |").count() + page.matches("| TLS 1.2 |").count(), 3, "{page}");
    for plot in ["transfers-cost", "transfers-equals", "idle-memory", "folders-cost", "folders-memory"] {
        assert!(page.contains(&format!("](performance/{plot}.svg)")));
        let drawn = fs::read_to_string(out.path().join(format!("performance/{plot}.svg"))).unwrap();
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    }
}
