//! Is docs/conformance.md what THE TABLE says today? `CARRACK_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use carrack_ftp_proto::site::SITE_TABLE;
use carrack_ftp_proto::verb::{Argument, Data, DuringTransfer, Phase, Restart, Row, Support, TABLE};
use carrack_tests::transcript::{Came, Transcript};

const HEAD: &str = "\
# Conformance: every command, where it is defined, who may say it

Made from THE TABLE (`crates/ftp-proto/src/verb.rs`), and that of SITE, by `tests/tests/conformance.rs`; edit the tables, not this page.
*Refused* commands are known and answered with the code their RFC has for that. A command that waits is carried out when the
transfer has ended. *REST* tells whether a restart marker lives through the command. *Done in* and *refused in* name the
transcripts (`tests/transcripts/`) that show the command succeed and be refused.

Where the server departs from an RFC: `REIN` keeps TLS (RFC 4217 §13 would have it cleared: this server steps down for `CCC` alone);
in `TYPE A` an upload does not restart (`550`, [0022](decisions/0022-texts-restart-downwards.md)), and `SIZE` has no answer; when a file
was made cannot be set (`MFCT`: `502`, `MFF Create=`: `504`, [0019](decisions/0019-when-a-file-was-made.md)); there is no default data
port: a transfer needs `EPSV`, `PASV`, `EPRT` or `PORT` before it (`425`).
`STOR` behind `RANG` does not change the middle of a file (`504`), and `HASH` of an empty file answers `0-0`. `CRC32` is no name of the
IANA's registry; ProFTPD and others have it so. The end in `XCRC \"name\" start end` and its kin is the first octet that does not count.

";

#[test]
fn the_conformance_page_is_what_the_table_says() {
    let page = page(&transcripts());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    if env::var_os("CARRACK_BLESS").is_some() {
        fs::write(&path, &page).expect("the page is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/conformance.md is stale: CARRACK_BLESS=1 cargo test -p carrack-tests --test conformance"
    );
}

fn transcripts() -> Vec<Transcript> {
    Transcript::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts"))
        .expect("transcripts are read")
}

/// The names of the transcripts of which this is true.
fn named(transcripts: &[Transcript], shows: impl Fn(&Transcript) -> bool) -> String {
    let showing = transcripts.iter().filter(|transcript| shows(transcript));
    let names: Vec<_> = showing.filter_map(|transcript| transcript.path.file_stem()?.to_str()).collect();
    names.join(", ")
}

fn page(transcripts: &[Transcript]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(
        "| command | defined in | said by | data connection | during a transfer | REST | done in | refused in |\n",
    );
    page.push_str("|---|---|---|---|---|---|---|---|\n");
    for row in TABLE {
        let shown = |came| named(transcripts, |t| t.exchanges().any(|exchange| exchange == (row.verb, came)));
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            command(row),
            row.rfc,
            said_by(row),
            data(row),
            during_transfer(row),
            if row.restart == Restart::Kept { "lives" } else { "" },
            shown(Came::Success),
            shown(Came::Refusal)
        )
        .expect("writing to a string");
    }
    page.push_str(
        "\n## Behind SITE\n\n| command | whose it is | done in | refused in |\n|---|---|---|---|\n",
    );
    for row in SITE_TABLE {
        let forms: Vec<String> =
            row.forms.iter().map(|form| format!("`SITE {} {form}`", row.name).replace('|', "\\|")).collect();
        let shown =
            |came| named(transcripts, |t| t.site_exchanges().any(|exchange| exchange == (row.verb, came)));
        let (done, refused) = (shown(Came::Success), shown(Came::Refusal));
        writeln!(page, "| {} | {} | {done} | {refused} |", forms.join("<br>"), row.source)
            .expect("writing to a string");
    }
    page
}

fn command(row: &Row) -> String {
    let syntax = row.syntax.replace('|', "\\|");
    if row.argument == Argument::None || syntax.is_empty() {
        row.name.to_owned()
    } else {
        format!("{} {syntax}", row.name)
    }
}

fn said_by(row: &Row) -> &'static str {
    match (row.support, row.phase) {
        (Support::Refused, _) => "*refused*",
        (Support::Full, Phase::Any) => "anybody",
        (Support::Full, Phase::Password) => "who has said USER",
        (Support::Full, Phase::BeforeLogin) => "who is not logged in",
        (Support::Full, Phase::LoggedIn) => "who is logged in",
    }
}

fn data(row: &Row) -> &'static str {
    match row.data {
        Data::None => "",
        Data::Arms => "sets it up",
        Data::Uses => "uses it",
    }
}

fn during_transfer(row: &Row) -> &'static str {
    match row.during_transfer {
        DuringTransfer::Waits => "waits",
        DuringTransfer::Answered => "answered",
        DuringTransfer::AnsweredBare => "answered if it has no argument",
    }
}
