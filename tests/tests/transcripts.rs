//! Does the protocol machine say, line by line, what the transcripts say? And is every command shown there, both ways?

use std::collections::HashSet;
use std::path::Path;

use carrack_ftp_proto::site::SITE_TABLE;
use carrack_ftp_proto::verb::{Support, TABLE};
use carrack_tests::transcript::{Came, Transcript};

fn transcripts() -> Vec<Transcript> {
    Transcript::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts"))
        .expect("transcripts are read")
}

#[test]
fn every_transcript_plays() {
    let problems: Vec<String> =
        transcripts().iter().filter_map(|transcript| transcript.play().err()).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_command_is_shown_to_be_done_and_to_be_refused() {
    let transcripts = transcripts();
    let shown: HashSet<_> = transcripts.iter().flat_map(Transcript::exchanges).collect();
    let lacking = |came| {
        let due = TABLE.iter().filter(move |row| came == Came::Refusal || row.support == Support::Full);
        due.filter(|row| !shown.contains(&(row.verb, came))).map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(lacking(Came::Success), [""; 0], "no transcript shows these done");
    assert_eq!(lacking(Came::Refusal), [""; 0], "no transcript shows these refused");
    let shown: HashSet<_> = transcripts.iter().flat_map(Transcript::site_exchanges).collect();
    let lacking = |came| {
        let due = SITE_TABLE.iter().filter(|row| !shown.contains(&(row.verb, came)));
        due.map(|row| row.name).collect::<Vec<_>>()
    };
    assert_eq!(lacking(Came::Success), [""; 0], "no transcript shows these done behind SITE");
    assert_eq!(lacking(Came::Refusal), [""; 0], "no transcript shows these refused behind SITE");
}
