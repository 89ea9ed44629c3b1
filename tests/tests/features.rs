//! Is every line of FEAT exercised? What THE TABLE offers is held against a table of what shows it at work, and a new
//! line without an entry fails.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_ftp_proto::site::SITE_TABLE;
use carrack_ftp_proto::verb::{TABLE, Verb};
use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::Mode;
use carrack_tests::setup::Setup;
use carrack_tests::tls_client::TlsClient;
use carrack_tests::transcript::{Came, Transcript};

/// Lines that are no command's name, the transcript that shows them at work, and words that stand in there. Lines that
/// are one are shown by a transcript in which the command is done.
const BY_ANOTHER_NAME: [(&str, &str, &[&str]); 2] = [
    ("UTF8", "feat-opts.ftp", &["C: OPTS UTF8 ON", "S: 200 "]),
    ("TVFS", "directories.ftp", &["C: CWD ", "S: 250 "]),
];

fn transcripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts")
}

/// The first words of all lines that THE TABLE and that of SITE can offer.
fn offered() -> Vec<String> {
    let of_site = SITE_TABLE.iter().flat_map(|row| row.features);
    let features = TABLE.iter().flat_map(|row| row.features).chain(of_site);
    let lines = features.map(|feature| feature.line(Default::default()));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_line_is_shown_at_work() {
    let transcripts = Transcript::read_all(&transcripts()).unwrap();
    for line in offered() {
        let is_done =
            |verb| transcripts.iter().any(|t| t.exchanges().any(|said| said == (verb, Came::Success)));
        assert!(
            Verb::named(line.as_bytes()).is_some_and(is_done)
                || BY_ANOTHER_NAME.iter().any(|(word, ..)| *word == line),
            "FEAT offers {line}, and no transcript shows it at work"
        );
    }
}

#[test]
fn every_transcript_says_what_it_is_named_for() {
    let offered = offered();
    for (word, name, says) in BY_ANOTHER_NAME {
        assert!(offered.iter().any(|line| line == word), "FEAT does not offer {word}");
        let text = fs::read_to_string(transcripts().join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
        for said in says {
            assert!(
                text.lines().any(|line| line.starts_with(said)),
                "{name} does not say {said:?}, for {word}"
            );
        }
    }
}

/// The running program offers nothing that THE TABLE does not.
#[test]
fn the_program_offers_what_the_table_does() {
    let server = Setup::new().start();
    for mode in [Mode::Explicit, Mode::Implicit] {
        let mut control = Control::greeted(&server, mode, &TlsClient::new(Tls::V13));
        let reply = control.expect("FEAT", 211);
        for line in reply.lines.iter().filter_map(|line| line.strip_prefix(' ')) {
            let word = line.split(' ').next().unwrap();
            assert!(offered().iter().any(|offered| offered == word), "{mode:?}: {line}");
        }
    }
}
