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

/// What is more than one command: the subject, and the tests that show it at work and refused, `file::function`.
const SUBJECTS: [(&str, &str, &str); 17] = [
    (
        "`CCC`: TLS ends on the control connection, and no byte is lost or kept",
        "ccc::bytes_behind_the_end_of_tls_in_the_same_segment_are_read_in_clear",
        "ccc::without_the_option_and_on_implicit_listeners_tls_stays",
    ),
    (
        "protection by listener and folder: allowed in clear, demanded, no transfers at all",
        "limits::a_folder_may_allow_clear_data_and_no_other_gets_it",
        "limits::a_folder_or_a_listener_may_have_no_transfers",
    ),
    (
        "`HOST`, and that it agrees with SNI",
        "host::only_the_configured_names_and_its_own_address_are_the_servers",
        "host::behind_the_handshake_only_the_name_that_was_given_in_it_is_taken",
    ),
    (
        "virtual servers by SNI and `HOST`, with users of their own",
        "virtual_servers::the_name_in_the_handshake_selects_users_homes_and_greeting",
        "virtual_servers::host_that_contradicts_the_handshake_is_refused_and_changes_nothing",
    ),
    (
        "times and modes of files",
        "facts::facts_are_set_and_told",
        "facts::what_is_not_there_or_not_allowed_is_refused",
    ),
    (
        "parts combined (`COMB`)",
        "facts::parts_become_one_file",
        "facts::a_part_that_is_not_complete_is_refused",
    ),
    (
        "hashes",
        "digests::every_algorithm_is_that_of_its_standard_and_of_the_file_as_it_is_now",
        "digests::who_may_not_read_learns_no_digest",
    ),
    (
        "compression, with a bound (`MODE Z`)",
        "mode_z::lftp_moves_files_and_trees_compressed",
        "mode_z::a_bomb_ends_at_the_limit",
    ),
    (
        "what is said during a transfer: `STAT`, `ABOR` with Telnet signals and as urgent data",
        "during_transfer::abor_ends_a_transfer_under_tls_with_and_without_telnet_signals",
        "during_transfer::stat_and_noop_are_answered_and_everything_else_waits",
    ),
    (
        "text (`TYPE A`), also from the middle",
        "text::a_download_goes_on_at_every_byte_of_the_wire",
        "text::an_upload_does_not_go_on_as_text_and_a_cut_one_leaves_nothing",
    ),
    (
        "other character sets",
        "charset::names_rest_in_utf_8_and_are_listed_in_the_set",
        "charset::names_that_the_set_does_not_have_are_spelled_out_and_reached_by_that_spelling_alone",
    ),
    (
        "server to server (FXP), protected by `SSCN` and `CPSV`",
        "fxp::a_file_goes_from_one_to_the_other_protected_in_every_way",
        "fxp::a_certificate_of_another_authority_is_refused_on_either_side",
    ),
    (
        "`carrack cp URL URL`",
        "client_fxp::to_and_from_proftpd",
        "client_fxp::where_the_servers_refuse_the_files_are_relayed_and_it_is_said_once",
    ),
    (
        "one data port for all sessions",
        "shared_port::a_thousand_sessions_share_one_port_and_each_gets_its_own",
        "shared_port::nobody_reaches_a_session_from_another_address_or_with_anothers_session",
    ),
    (
        "public addresses, by name and by network",
        "addresses::clients_inside_are_told_the_inner_address_and_those_outside_the_outer_one",
        "addresses::a_name_that_is_never_found_leaves_epsv",
    ),
    (
        "IPv6, and `PASV` over it",
        "addresses::between_two_hosts_ipv6_works_passive_and_active",
        "addresses::one_listener_serves_ipv6_and_the_ipv4_behind_it",
    ),
    (
        "unfinished uploads, listed to their owner",
        "partials::owner_shows_it_to_its_uploader_and_to_nobody_else",
        "partials::somebody_else_cannot_go_on_with_it",
    ),
];

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
        "docs/conformance.md is stale: CARRACK_BLESS=1 cargo test --workspace --test all conformance::"
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
    page.push_str(
        "\n## More than a command\n\nThe tests stand in `tests/tests/`, the file before the colons.\n\n",
    );
    page.push_str("| what | at work in | refused in |\n|---|---|---|\n");
    for (what, at_work, refused) in SUBJECTS {
        writeln!(page, "| {what} | `{at_work}` | `{refused}` |").expect("writing to a string");
    }
    page
}

#[test]
fn every_test_that_the_page_names_is_there() {
    for (_, at_work, refused) in SUBJECTS {
        for named in [at_work, refused] {
            let (file, function) = named.split_once("::").expect("file::function");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
            let text = fs::read_to_string(&path).expect("the file is there");
            assert!(text.contains(&format!("#[test]\nfn {function}()")), "{named}");
        }
    }
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
