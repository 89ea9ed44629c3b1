//! The manual's page about clients, made from what they can. `tests/interop.rs` holds every cell of it against a real client.

use std::fmt::Write;

use super::{CLIENTS, Can, Client, Fault};

const HEAD: &str = "# Clients that the server was tried with

<!-- Made from tests/src/interop/. To renew it: CARRACK_BLESS=1 cargo test --workspace --test all interop:: -->

Every *yes* is asserted with the real client by `tests/tests/interop.rs`: each verb in each way in, with the bytes compared on
both sides. A *no* is asserted too wherever the client can be made to try. A number leads to the reason; *–* is what these
tests cannot make the client do. How each client is told to do it: [clients](clients.md), and `tests/src/interop/`.

";

const WAYS: &str = "## Ways in

*Resumes* says whether every data connection of the client resumes a TLS session. Clients that say no need
`data_tls_reuse = \"prefer\"`, the default; with `\"require\"` they are told so and refused.

";

const VERBS: &str = "
## Verbs

The same in every way in that the client has. A file is *gone on with* only if what was there was not sent again; an
interrupted upload was cut by the network.

";

/// Titles in the order of [`super::Way::ALL`] and of [`Client::resumes`].
const WAY_TITLES: [&str; 7] = [
    "explicit, TLS 1.2",
    "explicit, TLS 1.3",
    "implicit, TLS 1.2",
    "implicit, TLS 1.3",
    "in clear, where allowed",
    "resumes TLS 1.2",
    "resumes TLS 1.3",
];

/// Titles in the order of [`super::Verb::ALL`].
const VERB_TITLES: [&str; 7] =
    ["list", "upload", "download", "go on with a download", "go on with an upload", "rename", "delete"];

/// The page.
pub fn page() -> String {
    let mut page = Page { text: HEAD.to_owned(), reasons: Vec::new() };
    page.text += "| client | is |\n|---|---|\n";
    for client in CLIENTS {
        writeln!(page.text, "| {} | {} |", client.name, client.origin).unwrap();
    }
    page.text += "\n";
    page.text += WAYS;
    page.table(&WAY_TITLES, |client| client.ways.into_iter().chain(client.resumes).collect());
    page.text += VERBS;
    page.table(&VERB_TITLES, |client| client.verbs.to_vec());
    page.text += "\n## What is not there, and whose doing it is\n\n";
    let Page { mut text, reasons } = page;
    for (number, (client, can)) in reasons.iter().enumerate() {
        let (side, why) = match can {
            Can::No(Fault::Client, why) => ("the client", why),
            Can::No(Fault::Library, why) => ("the client's TLS library", why),
            Can::No(Fault::Server, why) => ("this server", why),
            Can::Lacks(why) => ("the client", why),
            Can::Untried(why) => ("these tests", why),
            Can::Yes => continue,
        };
        writeln!(text, "{}. {client} ({side}): {why}.", number + 1).unwrap();
    }
    text
}

struct Page {
    text: String,
    reasons: Vec<(&'static str, Can)>,
}

impl Page {
    fn table(&mut self, titles: &[&str], cells: impl Fn(&Client) -> Vec<Can>) {
        writeln!(self.text, "| | {} |\n|---|{}", titles.join(" | "), ":-:|".repeat(titles.len())).unwrap();
        for client in CLIENTS {
            write!(self.text, "| {} |", client.name).unwrap();
            for can in cells(client) {
                let cell = match can {
                    Can::Yes => "yes".to_owned(),
                    Can::No(..) | Can::Lacks(_) => format!("no ({})", self.number(client, can)),
                    Can::Untried(_) => format!("– ({})", self.number(client, can)),
                };
                write!(self.text, " {cell} |").unwrap();
            }
            self.text += "\n";
        }
    }

    fn number(&mut self, client: &Client, can: Can) -> usize {
        let reason = (client.name, can);
        let known = self.reasons.iter().position(|&other| other == reason);
        known.unwrap_or_else(|| {
            self.reasons.push(reason);
            self.reasons.len() - 1
        }) + 1
    }
}
