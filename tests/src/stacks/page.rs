//! The tables of docs/tls.md about TLS stacks: how they are made of what was measured, and compared with what stands there.
//!
//! What a stack agrees on changes from version to version. So each row says of which version it is, and is compared only
//! where that version is here; elsewhere what stands on the page stays.

use std::fmt::Write;

use super::{Answer, Reached, STACKS, Stack};

/// The page.
pub const PAGE: &str = "docs/tls.md";

const BEGIN: &str =
    "<!-- Measured. To renew it: CARRACK_BLESS=1 cargo test --workspace --test all tls_stacks:: -->\n";
const END: &str = "<!-- End of what is measured. -->\n";

const AGREED: &str = "
| stack | client | held to | version | suite | group | ALPN | data connections |
|---|---|---|---|---|---|---|---|
";

const NARROWED: &str = "
Which of them get in where a listener speaks nothing else than this:

";

const SAID: &str = "
| stack | where it is refused, it says |
|---|---|
";

/// A listener that speaks less than it could.
#[derive(Debug)]
pub struct Narrow {
    /// What is left, for the page.
    pub what: &'static str,
    /// The lines of the listener.
    pub lines: &'static [&'static str],
}

/// Every narrowed listener, in the order of the page.
pub const NARROW: [Narrow; 4] = [
    Narrow { what: "TLS 1.3", lines: &["minimum_version = \"1.3\""] },
    Narrow {
        what: "one suite, ChaCha20",
        lines: &["minimum_version = \"1.3\"", "suites = [\"TLS_CHACHA20_POLY1305_SHA256\"]"],
    },
    Narrow { what: "P-256", lines: &["groups = [\"P-256\"]"] },
    Narrow { what: "X25519MLKEM768", lines: &["minimum_version = \"1.3\"", "groups = [\"X25519MLKEM768\"]"] },
];

/// What was measured of one stack.
#[derive(Debug)]
pub struct Measured {
    /// Which.
    pub stack: &'static Stack,
    /// Its version here.
    pub version: String,
    /// As it comes, and held to TLS 1.2.
    pub free: [Answer; 2],
    /// In the order of [`NARROW`].
    pub narrow: Vec<Answer>,
}

impl Measured {
    fn name(&self) -> String {
        format!("{} {}", self.stack.name, self.version)
    }

    fn agreed(&self) -> String {
        let mut rows = String::new();
        for (answer, held) in self.free.iter().zip(["–", "1.2"]) {
            let control = answer.control().unwrap_or_else(|| panic!("{}: {answer:?}", self.stack.name));
            let said = |field| Some(control.text(field)).filter(|text| !text.is_empty());
            let data = match answer.data().map(|line| line.text("resumed") == "true") {
                Some(true) => "resume the session",
                Some(false) => "begin new sessions",
                None => "–",
            };
            let cells = [
                self.name(),
                self.stack.client.to_owned(),
                held.to_owned(),
                control.text("tls"),
                control.text("suite"),
                control.text("group"),
                said("alpn").unwrap_or_else(|| "–".to_owned()),
                data.to_owned(),
            ];
            writeln!(rows, "| {} |", cells.join(" | ")).unwrap();
        }
        rows
    }

    fn narrowed(&self) -> String {
        let cell = |answer: &Answer| match self.stack.reached(answer) {
            Reached::All => "yes",
            Reached::Control => "logs in only",
            Reached::Nothing => "no",
        };
        let cells: Vec<_> = self.narrow.iter().map(cell).collect();
        format!("| {} | {} |\n", self.name(), cells.join(" | "))
    }

    fn said(&self) -> String {
        let refused = self.narrow.iter().filter(|answer| self.stack.reached(answer) != Reached::All);
        let mut said: Vec<String> = refused.map(|answer| words(&answer.printed)).collect();
        said.dedup();
        said.iter().map(|words| format!("| {} | “{words}” |\n", self.name())).collect()
    }
}

/// The line that tells why there is no connection, from where the library's own words begin: addresses, times and places in
/// the source stand around them.
fn words(printed: &str) -> String {
    let begins = ["error:", "remote error", "Received", "[SSL", "gnutls", "SSL_ERROR", "Alert:"];
    let from = |line: &str| begins.iter().filter_map(|word| line.find(word)).min();
    let found = printed.lines().rev().find_map(|line| Some(&line[from(line)?..]));
    let words = found.unwrap_or("nothing").split(":../").next().unwrap_or_default();
    words.trim().replace('`', "'").replace('|', "/")
}

/// What stands between the marks of a page.
pub fn standing(page: &str) -> &str {
    let (_, behind) = page.split_once(BEGIN).expect("the page has the first mark");
    behind.split_once(END).expect("the page has the second mark").0
}

/// The page with other tables.
pub fn with(page: &str, tables: &str) -> String {
    let (before, _) = page.split_once(BEGIN).expect("the page has the first mark");
    let (_, behind) = page.split_once(END).expect("the page has the second mark");
    format!("{before}{BEGIN}{tables}{END}{behind}")
}

/// Whose rows are taken from what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// Those of the versions that stand on the page.
    OfThePagesVersions,
    /// All.
    All,
}

/// The tables: rows that were measured, and for the rest what stands.
pub fn tables(standing: &str, measured: &[Measured], take: Take) -> String {
    let parts: Vec<&str> = standing.split("\n| stack |").collect();
    let rows = |part: usize, stack: &Stack, made: fn(&Measured) -> String| -> String {
        let here = measured.iter().find(|measured| measured.stack.name == stack.name);
        let is_pages = |here: &&Measured| standing.contains(&format!("| {} |", here.name()));
        match here.filter(|here| take == Take::All || is_pages(here)) {
            Some(here) => made(here),
            None => {
                let own = format!("| {} ", stack.name);
                let old = parts.get(part).map_or("", |part| part).lines();
                old.filter(|line| line.starts_with(&own)).map(|line| format!("{line}\n")).collect()
            }
        }
    };
    let table = |part, made: fn(&Measured) -> String| -> String {
        STACKS.iter().map(|stack| rows(part, stack, made)).collect()
    };
    let titles: Vec<&str> = NARROW.iter().map(|narrow| narrow.what).collect();
    format!(
        "{AGREED}{}{NARROWED}| stack | {} |\n|---|{}\n{}{SAID}{}\n",
        table(1, Measured::agreed),
        titles.join(" | "),
        ":-:|".repeat(titles.len()),
        table(2, Measured::narrowed),
        table(3, Measured::said)
    )
}
