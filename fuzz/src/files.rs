//! What people and their files say: the configuration, remembered keys, the journal, netrc, URLs and filters.

use std::path::Path;

use carrack_daemon::config;
use carrack_ftp_client::filter::{Filter, Kind};
use carrack_ftp_client::netrc::Netrc;
use carrack_ftp_client::{fuzzing, url::Url};

use crate::{Input, Target};

/// What is read from files and from a person.
pub const TARGETS: &[Target] = &[
    Target { name: "config", run: configuration },
    Target { name: "known_servers", run: known_servers },
    Target { name: "journal", run: journal },
    Target { name: "netrc", run: netrc },
    Target { name: "url", run: url },
    Target { name: "filter", run: filter },
];

/// A configuration. Its relative paths lead into a folder that is not there.
fn configuration(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match config::parse(&text, Path::new("/nonexistent/carrack-fuzz")) {
        Ok(checked) => assert!(!config::show(&checked.config).is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line <= text.lines().count() + 1, "{}", problem.line);
                assert!(!problem.message.is_empty() && !problem.mend.is_empty(), "{}", problem.key);
            }
        }
    }
}

/// The file of remembered keys: what is understood comes back the same.
fn known_servers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(written) = fuzzing::known_servers(&text) {
        assert_eq!(fuzzing::known_servers(&written).as_deref(), Some(written.as_str()));
    }
}

/// An entry of the journal: what is understood comes back the same.
fn journal(bytes: &[u8]) {
    if let Some(written) = fuzzing::journal_entry(bytes) {
        assert_eq!(fuzzing::journal_entry(&written), Some(written.clone()));
    }
}

/// A host on the first line, a netrc file behind it.
fn netrc(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let host = String::from_utf8_lossy(input.line());
    let Ok(netrc) = Netrc::parse(&String::from_utf8_lossy(input.rest())) else { return };
    for user in [None, Some("alice")] {
        if let Some(found) = netrc.find(&host, user) {
            assert!(user.is_none_or(|user| user == found.user));
        }
    }
}

/// A URL: what is understood is written so that it reads back as the same.
fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(url) = text.parse::<Url>() else { return };
    let bytes = url.path.as_bytes();
    assert!(!bytes.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')), "{url}");
    let written = url.to_string();
    assert!(!written.contains(char::is_control), "{written:?}");
    let Ok(again) = written.parse::<Url>() else { panic!("{written} is not understood") };
    assert_eq!((again.origin(), &again.user, &again.path), (url.origin(), &url.user, &url.path));
}

/// A pattern on the first line, a path on the second.
fn filter(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Ok(pattern) = std::str::from_utf8(input.line()) else { return };
    let path = input.rest();
    let (mut includes, mut excludes) = (Filter::default(), Filter::default());
    if includes.include(pattern).is_err() {
        return;
    }
    assert!(excludes.exclude(pattern).is_ok());
    for kind in [Kind::File, Kind::Folder] {
        let kept = excludes.keeps(path, kind);
        assert!(kept || includes.keeps(path, kind), "what a pattern excludes it would include");
    }
    let _ = includes.makes(path);
}
