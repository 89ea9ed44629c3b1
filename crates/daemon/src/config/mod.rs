//! The configuration: one table of options, and everything made from it.
//!
//! ```text
//! carrack.toml ─ reader ─► Config ─ check ─► Checked ─► run
//!                  ▲         │
//!     table.rs ────┴─────────┼─► show     effective values as TOML
//!     (one row per key)      ├─► schema   JSON Schema
//!                            └─► manual   docs/configuration.md
//! ```

mod acme;
mod addresses;
mod answer;
mod banner;
mod certificate;
mod check;
mod choice;
mod clients;
mod created;
mod defence;
mod file;
mod fingerprint;
mod fips;
mod homes;
mod hook;
mod identities;
mod later;
mod limits;
mod logs;
mod manual;
mod name;
mod plaintext;
mod problem;
mod public_address;
mod reader;
mod schema;
mod section;
mod server;
mod show;
mod table;
mod tls_policy;
mod upload;
mod users;
mod value;
mod virtual_server;
mod warnings;
mod words;

use std::path::{Path, PathBuf};

pub use carrack_net::Network;

pub use acme::{Acme, AcmeCertificate, AcmeKey, Argument, Challenge, Directory, Email, OrderedName};
pub(crate) use answer::answered;
pub use banner::Banner;
pub use certificate::CertificateName;
pub use check::{Checked, Fault, check};
pub(crate) use clients::{asks as asks_clients, trust as client_trust};
pub use created::{AccessMode, FileMode, FolderMode, Group};
pub use defence::{Access, Defence, Place};
pub use file::{ConfigFile, state_of};
pub(crate) use file::{Replacement, unchecked_users_of_now, with_users_of_now};
pub use fips::Fips;
pub use hook::{Hook, HookEvent, HookName, HookUrl};
pub use limits::{ByteRate, Bytes, TimeOfDay, Weekday};
pub use manual::manual;
pub use name::{CharacterSet, Host, ServerName};
pub use plaintext::{Grant, PlaintextGrant, PlaintextUser, grants as plaintext_grants};
pub(crate) use problem::whole as whole_file;
pub use problem::{Problem, Problems};
pub use public_address::PublicAddress;
pub use reader::Places;
pub use schema::schema;
pub use section::{Kind, Reload, Row, Section, Shape, Tables, Word};
pub use server::{Sandbox, ServerProcess, SystemUser};
pub use show::show;
pub use table::{
    Ccc, ClientCertificate, Config, DataClose, DataProtection, DataTlsReuse, Folder, Fxp, Limits,
    LimitsHours, Listen, Log, LogFormat, LogLevel, Login, Metrics, Mode, Partials, Passive, PassiveNetwork,
    Permission, Plaintext, Publish, RevokedSessions, Timeouts, Tls, TlsIdentity, TlsVersion,
    UnknownRevocation, Upload, UploadDigest, User, UserCertificate, UserHours,
};
pub use tls_policy::Policies;
pub(crate) use users::Seen;
pub use users::{Users, UsersFile};
pub use value::{Count, FolderPath, HashedPassword, PortRange, Seconds, UserName, listen_address};
pub use virtual_server::{
    VirtualServer, client_certificate as client_certificate_at, data_protection as data_protection_at,
    own_options, plaintext as plaintext_at, server_named, servers,
};
pub use warnings::Warning;

use problem::Source;
use reader::{Key, Reader};

/// Reads a configuration file and checks it against the world: folders, certificates, addresses.
///
/// # Errors
/// Everything that is wrong with the file, or that it cannot be read.
pub fn load(path: &Path, fips: Fips) -> Result<Checked, Problems> {
    let (text, base) = read(path)?;
    parse_under(&text, &base, fips)
        .map_err(|problems| Problems { file: path.display().to_string(), problems })
}

/// The text of a file, and the folder at which its relative paths begin.
fn read(path: &Path) -> Result<(String, PathBuf), Problems> {
    let fail = |message: String, mend: &str| problem::whole(path, message, mend);
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            fail("there is no such file".to_owned(), "name the file with --config FILE")
        }
        std::io::ErrorKind::PermissionDenied => {
            fail("this user may not read the file".to_owned(), "make it readable, or run as its owner")
        }
        _ => fail(format!("cannot be read: {error}"), "name a readable file"),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|b| **b == b'\n').count()
                + 1;
        fail(format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })?;
    // A file named without a folder lies in the current one; `join` needs it absolute to give absolute homes.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base =
        std::path::absolute(folder).map_err(|error| fail(error.to_string(), "name an existing folder"))?;
    Ok((text, base))
}

/// Reads and checks the text of a configuration whose relative paths begin at `base`.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn parse(text: &str, base: &Path) -> Result<Checked, Vec<Problem>> {
    parse_under(text, base, Fips::AsConfigured)
}

/// What a text says, where it can be read; nothing of it is checked.
fn unchecked(text: &str) -> Option<Config> {
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    let config = errors.is_empty().then(|| Config::read_table(&mut reader, &Key::root(), document.get_ref()));
    config.flatten()
}

fn parse_under(text: &str, base: &Path, fips: Fips) -> Result<Checked, Vec<Problem>> {
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    let mut reader = Reader::new(text);
    for error in &errors {
        let (message, mend) = syntax(error.message());
        reader.syntax(error.span(), message, mend);
    }
    // After a syntax error the recovered document lacks what could not be read; judging it would blame the innocent.
    let config = if errors.is_empty() {
        Config::read_table(&mut reader, &Key::root(), document.get_ref())
    } else {
        None
    };
    let (mut problems, places) = reader.finish();
    let checked = config.map(|mut config| {
        config.fips |= fips == Fips::Demanded;
        complete(config, base, Source::new(text), &places)
    });
    let mut result = None;
    match checked {
        Some(Ok(checked)) => result = Some(checked),
        Some(Err(faults)) => problems.extend(faults),
        None => {}
    }
    match result {
        Some(checked) if problems.is_empty() => Ok(checked),
        _ => {
            // What concerns the file as a whole comes last: it may follow from the rest.
            problems.sort_by_key(|problem| {
                (problem.file.is_some(), problem.line == 0, problem.line, problem.column)
            });
            Err(problems)
        }
    }
}

/// Takes in the users file and checks all together. `source` and `places` are of the configuration file.
fn complete(
    mut config: Config,
    base: &Path,
    source: Source<'_>,
    places: &Places,
) -> Result<Checked, Vec<Problem>> {
    let own_users = config.user.len();
    let beside = users::take_in(&mut config, base)?;
    let problem = |fault: Fault| {
        let of_users = match &beside {
            Some(beside) => beside.problem(fault),
            None => Err(fault),
        };
        of_users.unwrap_or_else(|fault| fault.into_problem(source, places))
    };
    let checked =
        check(config, base).map_err(|faults| faults.into_iter().map(problem).collect::<Vec<_>>())?;
    Ok(Checked { own_users, users_file: beside.map(|beside| beside.seen), ..checked })
}

/// A syntax error of the TOML parser, with the mend for those that people make.
fn syntax(message: &str) -> (String, String) {
    let mend = if message.contains("duplicate key") {
        "keep one of the two"
    } else if message.contains("string values must be quoted") {
        "put the value in double quotes"
    } else {
        "see https://toml.io for how values are written"
    };
    (message.to_owned(), mend.to_owned())
}
