//! Which clients can do what against our server: the table of them, and how each is driven through every verb.
//!
//! A client is one file below `interop/` (and, for a library, one below `clients/`) and one row of [`CLIENTS`]. What it
//! can is a table in that file; `tests/interop.rs` holds every cell against the real program, and [`page`] prints it.

use std::path::Path;

pub use visit::{Site, Visit};

use crate::programs::{Tls, needs};
use crate::server::Mode;

mod basic_ftp;
mod commons_net;
mod curl;
mod filezilla;
mod ftplib;
mod lftp;
mod ncftp;
mod net_ftp;
pub mod page;
mod php;
mod rclone;
mod ruby;
mod tnftp;
mod visit;
mod wget;

/// Every client, in the order of the page.
pub const CLIENTS: [&Client; 13] = [
    &curl::CLIENT,
    &lftp::CLIENT,
    &filezilla::CLIENT,
    &ftplib::CLIENT,
    &rclone::CLIENT,
    &basic_ftp::CLIENT,
    &commons_net::CLIENT,
    &net_ftp::CLIENT,
    &ruby::CLIENT,
    &php::CLIENT,
    &wget::CLIENT,
    &ncftp::CLIENT,
    &tnftp::CLIENT,
];

/// Whose doing it is that something cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's own code.
    Client,
    /// The library that speaks TLS for the client.
    Library,
    /// Our server, by a decision.
    Server,
}

/// One thing that a client can do with our server or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Can {
    /// It can, and is made to.
    Yes,
    /// It is made to try, and must fail; whose fault it is, and why, in a sentence.
    No(Fault, &'static str),
    /// It has no way to try: no command, no setting.
    Lacks(&'static str),
    /// It could, but these tests have no way to make it.
    Untried(&'static str),
}

/// What is done in every way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// A folder is listed, with names and sizes.
    List,
    /// A file goes up.
    Upload,
    /// A file comes down.
    Download,
    /// The rest of a file comes down.
    ResumeDownload,
    /// The rest of an interrupted upload goes up.
    ResumeUpload,
    /// A file gets another name.
    Rename,
    /// A file is deleted.
    Delete,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 7] = [
        Verb::List,
        Verb::Upload,
        Verb::Download,
        Verb::ResumeDownload,
        Verb::ResumeUpload,
        Verb::Rename,
        Verb::Delete,
    ];
}

/// How a client comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Under TLS of that version.
    Protected(Mode, Tls),
    /// Without TLS, where the configuration allows it.
    Plain,
}

impl Way {
    /// Every way, in the order of [`Client::ways`].
    pub const ALL: [Way; 5] = [
        Way::Protected(Mode::Explicit, Tls::V12),
        Way::Protected(Mode::Explicit, Tls::V13),
        Way::Protected(Mode::Implicit, Tls::V12),
        Way::Protected(Mode::Implicit, Tls::V13),
        Way::Plain,
    ];
}

/// Said of clients whose way in is TLS: that they can do without it shows nothing.
const IN_CLEAR: Can = Can::Untried("it knows TLS, and these tests hold it to that");

/// A client of somebody else's.
#[derive(Debug)]
pub struct Client {
    /// What its authors call it.
    pub name: &'static str,
    /// Where it comes from and what speaks TLS for it.
    pub origin: &'static str,
    /// Programs that it needs.
    pub programs: &'static [&'static str],
    /// Files that it needs beside, where no program shows that they are there.
    pub files: &'static [&'static str],
    /// Can it come in so? In the order of [`Way::ALL`].
    pub ways: [Can; 5],
    /// Does every one of its data connections resume a session? With TLS 1.2 and with 1.3.
    pub resumes: [Can; 2],
    /// What it can, in the order of [`Verb::ALL`].
    pub verbs: [Can; 7],
    /// Does everything it can in one visit, each verb whatever became of the others, and returns what it printed,
    /// with the listing among it.
    pub drive: fn(&Visit<'_>) -> String,
}

impl Client {
    /// Whether it can be run here. Where it cannot, the test is left out and says so; where `CI` is set that is a failure.
    pub fn is_here(&self) -> bool {
        let absent: Vec<_> = self.files.iter().filter(|file| !top().join(file).exists()).collect();
        if !needs(self.programs) {
            return false;
        }
        assert!(
            absent.is_empty() || std::env::var_os("CI").is_none(),
            "{}: not installed: {absent:?}",
            self.name
        );
        if !absent.is_empty() {
            eprintln!("left out: {}: not installed: {absent:?}", self.name);
        }
        absent.is_empty()
    }

    /// What it can in one verb.
    pub fn can(&self, verb: Verb) -> Can {
        self.verbs[verb as usize]
    }
}

/// The top of the repository; absolute paths are not changed by it.
fn top() -> &'static Path {
    crate::pages::top()
}
