//! Is every line of FEAT exercised? What THE TABLE offers is held against a table of what shows it at work, and a new
//! line without an entry fails.

use std::fs;
use std::path::{Path, PathBuf};

use carrack_ftp_proto::verb::TABLE;
use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::Mode;
use carrack_tests::setup::Setup;
use carrack_tests::tls_client::TlsClient;

/// The first word of a line of FEAT, the transcript that shows it at work, and words that stand in there.
const SHOWN: [(&str, &str, &[&str]); 11] = [
    ("AUTH", "auth.ftp", &["C: AUTH TLS", "S: 234 "]),
    ("PBSZ", "prot.ftp", &["C: PBSZ 0", "S: 200 "]),
    ("PROT", "prot.ftp", &["C: PROT P", "S: 200 "]),
    ("UTF8", "feat-opts.ftp", &["C: OPTS UTF8 ON", "S: 200 "]),
    ("EPSV", "passive.ftp", &["C: EPSV", "S: 229 "]),
    ("EPRT", "active.ftp", &["C: EPRT ", "S: 200 "]),
    ("TVFS", "directories.ftp", &["C: CWD ", "S: 250 "]),
    ("SIZE", "size-mdtm.ftp", &["C: SIZE ", "S: 213 "]),
    ("MDTM", "size-mdtm.ftp", &["C: MDTM ", "S: 213 "]),
    ("MLST", "files.ftp", &["C: MLST", "S: 250"]),
    ("REST", "rest.ftp", &["C: REST ", "S: 350 "]),
];

fn transcript(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts").join(name)
}

/// The first words of all lines that THE TABLE can offer.
fn offered() -> Vec<String> {
    let lines = TABLE.iter().flat_map(|row| row.features).map(|feature| feature.line(Default::default()));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_line_is_shown_at_work() {
    let offered = offered();
    for line in &offered {
        assert!(
            SHOWN.iter().any(|(word, ..)| word == line),
            "FEAT offers {line}, and SHOWN names nothing that shows it"
        );
    }
    for (word, ..) in SHOWN {
        assert!(offered.iter().any(|line| line == word), "{word} is in SHOWN, and FEAT does not offer it");
    }
}

#[test]
fn every_transcript_says_what_it_is_named_for() {
    for (word, name, says) in SHOWN {
        let text = fs::read_to_string(transcript(name)).unwrap_or_else(|why| panic!("{word}: {name}: {why}"));
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
