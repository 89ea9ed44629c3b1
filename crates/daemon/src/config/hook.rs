//! Who is told what happens, and does what the file says about it make sense?

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use carrack_tls::{Authorities, WebTls};
use toml::Spanned;
use toml::de::DeValue;

use super::acme::Argument;
use super::check::Faults;
use super::choice::words;
use super::reader::{Key, Reader};
use super::section::{Kind, Setting, Shown, section};
use super::table::Config;
use super::value::{Seconds, beside, parsed, quoted};
use crate::hooks::Secret;

/// Each hook has a folder and a task of its own.
const MOST_HOOKS: usize = 16;

/// Longest name of a hook: it is the name of a folder and a label of measurements.
const NAME_LONGEST: usize = 32;

section! {
    /// Somebody who is told what happens: a program, or a web server. Left out: nobody. Page `hooks.md` says what is told, and when.
    pub struct Hook {
        /// Its name in the log, in the measurements and in the state folder: lower-case letters, digits and `-`.
        Restart name: HookName = [required];
        /// What it is told.
        Restart on: Vec<HookEvent> = [required];
        /// A program with its arguments. No shell reads them. The event comes on its standard input; it has taken it when it ends with
        /// status 0. Either this or `url`.
        Restart program: Vec<Argument> = [Vec::new()];
        /// Where the event is sent by HTTP POST, signed: `https://…`, or `http://` and an address of this machine. It has been taken when
        /// the answer is a 2xx.
        Restart url: Option<HookUrl> = [optional];
        /// The file with the secret that signs what goes to `url`: `whsec_` and the base64 of 24 to 64 random bytes.
        Restart secret_file: Option<PathBuf> = [optional];
        /// The authorities that vouch for the web server, PEM. Left out: those of this machine.
        Restart ca: Option<PathBuf> = [optional];
        /// How long one attempt may take.
        Restart timeout_s: Seconds<1, 3_600> = [Seconds(30)];
        /// How long after the event attempts go on. Then it is put away as undelivered.
        Restart retry_s: Seconds<0, 2_592_000> = [Seconds(259_200)];
    }
}

words! {
    /// What a hook can be told.
    pub enum HookEvent {
        /// somebody logged in
        Login = "login",
        /// an upload is published
        Upload = "upload",
        /// an upload ended before it was whole
        UploadFailed = "upload_failed",
        /// a file was sent whole
        Download = "download",
        /// a download ended before it was whole
        DownloadFailed = "download_failed",
        /// a file was deleted
        Delete = "delete",
        /// a file or folder got another name
        Rename = "rename",
        /// a folder was made
        MakeDirectory = "make_directory",
        /// a folder was removed
        RemoveDirectory = "remove_directory",
        /// a connection, a login, a certificate or an operation was refused
        Refusal = "refusal",
    }
}

/// The name of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookName(String);

/// Where events are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookUrl(hyper::Uri);

impl HookName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HookName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > NAME_LONGEST || !text.chars().all(plain) {
            return Err(format!("{text:?} is not 1 to {NAME_LONGEST} lower-case letters, digits and `-`"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl Setting for HookName {
    const KIND: Kind =
        Kind::Text { what: "a name", example: "scan", pattern: Some("^[a-z0-9-]{1,32}$"), secret: false };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0))
    }
}

impl HookUrl {
    /// The address.
    pub fn uri(&self) -> &hyper::Uri {
        &self.0
    }
}

impl fmt::Display for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for HookUrl {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let uri = text.parse::<hyper::Uri>().map_err(|error| format!("{text:?} is no URL: {error}"))?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        // SECURITY: names and paths of users do not travel in clear; on this machine nobody is in between.
        let here = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => Ok(Self(uri)),
            Some("http") if here => Ok(Self(uri)),
            Some("http") => Err(format!("{text:?} sends events in clear to another machine")),
            _ => Err(format!("{text:?} does not begin with https:// and a host")),
        }
    }
}

impl Setting for HookUrl {
    const KIND: Kind = Kind::Text {
        what: "an https URL",
        example: "https://hooks.example.com/carrack",
        pattern: Some("^https?://[^ ]+$"),
        secret: false,
    };
    fn read(reader: &mut Reader<'_>, key: &Key, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        parsed(reader, key, value, str::parse)
    }
    fn show(&self) -> Shown {
        Shown::Value(quoted(&self.0.to_string()))
    }
}

/// Makes paths absolute and adds all that is wrong.
pub(super) fn check(config: &mut Config, base: &Path, faults: &mut Faults) {
    if config.hook.len() > MOST_HOOKS {
        let count = config.hook.len();
        faults.add(
            "hook",
            format!("{count} hooks are more than {MOST_HOOKS}"),
            "have one program tell several others",
        );
    }
    let mut names = Vec::new();
    for (index, hook) in config.hook.0.iter_mut().enumerate() {
        let place = |key: &str| format!("hook.{index}.{key}");
        if names.contains(&hook.name) {
            let name = hook.name.as_str();
            faults.add(place("name"), format!("there are two hooks named {name:?}"), "rename one");
        }
        names.push(hook.name.clone());
        if hook.on.is_empty() {
            faults.add(place("on"), "it is told nothing", "name an event, as in [\"upload\"]");
        }
        for path in [&mut hook.secret_file, &mut hook.ca].into_iter().flatten() {
            *path = beside(base, path);
        }
        match (&hook.url, hook.program.is_empty()) {
            (None, true) => faults.add(place("name"), "it has neither program nor url", "add one of the two"),
            (Some(_), false) => faults.add(place("url"), "it has a program as well", "make two hooks of it"),
            (Some(_), true) => receiver(hook, index, faults),
            (None, false) => program(hook, index, base, faults),
        }
    }
}

fn receiver(hook: &Hook, index: usize, faults: &mut Faults) {
    let place = |key: &str| format!("hook.{index}.{key}");
    let mend = "make one with `echo \"whsec_$(openssl rand -base64 32)\" > FILE; chmod 600 FILE`";
    match &hook.secret_file {
        None => {
            faults.add(place("url"), "without secret_file nobody could tell that the events are ours", mend)
        }
        Some(file) => {
            if let Err(why) = Secret::load(file) {
                faults.add(place("secret_file"), why, mend);
            }
        }
    }
    authorities(hook.ca.as_deref(), place("ca"), faults);
}

/// The authorities that vouch for a web server can be read.
pub(super) fn authorities(ca: Option<&Path>, place: String, faults: &mut Faults) {
    let trusted = |ca: &Path| {
        let authorities = Authorities::load(ca).map_err(|error| error.to_string())?;
        WebTls::new(authorities).map_err(|error| format!("{}: {error}", ca.display()))
    };
    if let Some(Err(text)) = ca.map(trusted) {
        let (what, mend) =
            text.split_once("; ").unwrap_or((&text, "name a file of certificates, PEM, or take it out"));
        faults.add(place, what, mend);
    }
}

fn program(hook: &mut Hook, index: usize, base: &Path, faults: &mut Faults) {
    for (key, set) in [("secret_file", hook.secret_file.is_some()), ("ca", hook.ca.is_some())] {
        if set {
            faults.add(
                format!("hook.{index}.{key}"),
                "it belongs to url, and this is a program",
                "take it out",
            );
        }
    }
    executable(&mut hook.program, format!("hook.{index}.program"), base, faults);
}

/// The program is there, and its path is made absolute.
pub(super) fn executable(words: &mut [Argument], place: String, base: &Path, faults: &mut Faults) {
    let Some(program) = words.first_mut() else { return };
    let path = beside(base, Path::new(program.as_str()));
    let shown = path.display().to_string();
    if rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_err() || !path.is_file() {
        faults.add(
            place,
            format!("{shown} is no program that this user may run"),
            format!("mend the path, or run `chmod +x '{shown}'`"),
        );
    }
    if let Ok(absolute) = path.to_string_lossy().parse() {
        *program = absolute;
    }
}
