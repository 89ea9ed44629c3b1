//! Does the protocol machine say, line by line, what the transcripts say? And is there one for every command?

use std::collections::HashSet;
use std::path::Path;

use carrack_ftp_proto::site::SITE_TABLE;
use carrack_ftp_proto::verb::TABLE;
use carrack_tests::transcript::Transcript;

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
fn every_row_of_the_table_has_a_transcript() {
    let transcripts = transcripts();
    let played: HashSet<_> = transcripts.iter().flat_map(Transcript::verbs).collect();
    let missing: Vec<&str> =
        TABLE.iter().filter(|row| !played.contains(&row.verb)).map(|row| row.name).collect();
    assert!(missing.is_empty(), "no transcript says {}", missing.join(", "));
    let played: HashSet<_> = transcripts.iter().flat_map(Transcript::site_verbs).collect();
    let missing: Vec<&str> =
        SITE_TABLE.iter().filter(|row| !played.contains(&row.verb)).map(|row| row.name).collect();
    assert!(missing.is_empty(), "no transcript says SITE {}", missing.join(", "));
}
