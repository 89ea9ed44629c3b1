//! `bench/side-by-side` measures Carrack, also alone and without root, and tells what it has measured.

use std::path::Path;

use carrack_tests::programs::{Program, needs};
use carrack_tests::server::program;
use serde_json::Value;

/// One of each kind: files, files in clear, uploads, logins, small files, listings, memory.
const SCENARIOS: [&str; 7] = ["get-1", "get-c", "put-1", "login-resumed", "smallput-8", "list", "idle"];

#[test]
fn a_quick_run_of_carrack_alone_fills_the_page() {
    if !needs(&["python3", "openssl", "taskset"]) {
        return;
    }
    let top = tempfile::tempdir().unwrap();
    let (page, all) = (top.path().join("page.md"), top.path().join("all.json"));
    std::fs::write(
        &page,
        "old\n<!-- What follows is written by hand. bench/side-by-side leaves it as it is. -->\nkept\n",
    )
    .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/side-by-side");
    let run =
        Program::new("python3").arg(script).args(["--quick", "--servers", "carrack", "--floor", "none"]);
    let run = run.args(["--scenarios", &SCENARIOS.join(",")]).arg("--carrack").arg(program());
    run.arg("--out").arg(&page).arg("--json").arg(&all).run().ok();

    let all: Value = serde_json::from_slice(&std::fs::read(&all).unwrap()).unwrap();
    for scenario in SCENARIOS {
        let once = &all["runs"][scenario]["carrack"][0];
        assert!(once["operations"].as_u64().unwrap() > 0, "{scenario}: {once}");
        assert!(once["figure"].as_f64().unwrap() >= 0.0, "{scenario}: {once}");
        assert_eq!(once["cipher"], "TLS_AES_256_GCM_SHA384", "{scenario}: {once}");
        assert_eq!(once["group"], "secp256r1", "{scenario}: {once}");
    }
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(
        page.contains("| smallput-8 | CPU ms |") && page.contains("these figures mean nothing"),
        "{page}"
    );
    assert!(page.ends_with("-->\nkept\n") && !page.contains("old\n"), "{page}");
}
