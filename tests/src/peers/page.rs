//! The manual's page about servers, made from what they can. `tests/peers.rs` holds every cell of it against a real server.

use std::fmt::Write;

use super::{Abilities, Ability, Peer};

const HEAD: &str = "# Servers that the client was tried with

<!-- Made from tests/src/peers/. To renew it: CARRACK_BLESS=1 cargo test --workspace --test all peers:: -->

Every *yes* is asserted against the real server by `tests/tests/peers.rs` and `tests/tests/client_resume.rs`, in every mode
that the server has, with TLS 1.2 and with TLS 1.3; and every *no* that a client can run into. The servers are Debian's
packages (vsftpd, ProFTPD with mod_tls and mod_digest, Pure-FTPd), PyPI's (pyftpdlib, aioftp) and this project's.
A number stands for a *no* and leads to its reason.

";

const TAIL: &str = "
Asserted with every server beside these: data connections resume the control connection's session, also for the fortieth
file of one run; a refused password and a certificate that is not trusted are told apart; `--ca`, `--pin`, `--trust-new` and
remembered keys do what they say; a certificate that has expired, is not valid yet, stands for another host or comes from
somebody unknown is refused.
";

/// A row: its title, and what it asks of a server.
type Row = (&'static str, fn(&Abilities) -> Ability);

const CONNECTION: [Row; 8] = [
    ("explicit TLS, `ftpes://`", |can| can.explicit),
    ("implicit TLS, `ftps://`", |can| can.implicit),
    ("TLS 1.3", |_| Ability::Yes),
    ("TLS 1.2", |_| Ability::Yes),
    ("requires that sessions are resumed, by its default", |can| can.requires_reuse),
    ("client certificates, `--cert`", |can| can.client_certificates),
    ("active mode, `--active`", |can| can.active),
    ("`--clear-data`, with explicit TLS", |can| can.clear_data),
];

const VERBS: [Row; 14] = [
    ("`ls`, `tree`", |_| Ability::Yes),
    ("… read from machine listings (MLSD)", |can| can.machine_listings),
    ("`stat`", |_| Ability::Yes),
    ("`cat`", |_| Ability::Yes),
    ("`cp` up and down, `-r`, patterns, standard input and output", |_| Ability::Yes),
    ("`cp` goes on with an interrupted download", |can| can.restart_downloads),
    ("`cp` goes on with an interrupted upload", |can| can.restart_uploads),
    ("`cp --append`", |can| can.append),
    ("`cp --times` down", |_| Ability::Yes),
    ("`cp --times` up", |can| can.set_times),
    ("`mkdir`, `rmdir`, `rm`, `rm -r`, `mv`", |_| Ability::Yes),
    ("`hash`, and `cp` verified by it", |can| can.hash),
    ("`hash --download`, and `cp` verified by size", |_| Ability::Yes),
    ("`bench`: logins, files and listings", |_| Ability::Yes),
];

/// The page.
pub fn page() -> String {
    let mut reasons = Vec::new();
    let mut page = String::from(HEAD);
    page += "## Connection\n\n";
    table(&mut page, &CONNECTION, &mut reasons);
    page += "\n## Verbs\n\n";
    table(&mut page, &VERBS, &mut reasons);
    page += TAIL;
    page += "\n## What is not there, and why\n\n";
    for (number, (peer, why)) in reasons.iter().enumerate() {
        writeln!(page, "{}. {}: {why}.", number + 1, peer.name()).unwrap();
    }
    page
}

fn table(page: &mut String, rows: &[Row], reasons: &mut Vec<(Peer, &'static str)>) {
    let names: Vec<&str> = Peer::ALL.iter().map(|peer| peer.name()).collect();
    writeln!(page, "| | {} |\n|---|{}", names.join(" | "), ":-:|".repeat(names.len())).unwrap();
    for (title, ask) in rows {
        write!(page, "| {title} |").unwrap();
        for peer in Peer::ALL {
            match ask(peer.abilities()) {
                Ability::Yes => *page += " yes |",
                Ability::No(why) => {
                    let known = reasons.iter().position(|reason| *reason == (peer, why));
                    let number = known.unwrap_or_else(|| {
                        reasons.push((peer, why));
                        reasons.len() - 1
                    });
                    write!(page, " no ({}) |", number + 1).unwrap();
                }
            }
        }
        *page += "\n";
    }
}
