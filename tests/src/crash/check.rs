//! What does a server find that is started behind a power cut, and is it what was promised?

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carrack_core::Session;
use carrack_core::account::{Account, Accounts, User};
use carrack_core::event::{Events, Origin, SessionId};
use carrack_core::login::Authenticator;
use carrack_core::password::Credential;
use carrack_core::path::VirtualPath;
use carrack_core::permission::Permissions;
use carrack_core::session::WriteMode;
use carrack_records::partials::PartialJournal;
use carrack_storage::local::{LocalSettings, LocalStore, remove_expired};

use super::disk::{Disk, Step, Tree};
use super::story::{Files, HOME, Story};
use crate::chance::Chance;
use crate::setup::USER;

/// The server's state folder.
const STATE: &str = "state";

/// Where events wait that nobody has taken.
const OUTBOX: &[u8] = b"state/hooks/nobody/";

/// What was found where all was well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Complete files.
    pub whole: usize,
    /// Unfinished uploads that are offered to go on, and did.
    pub offered: usize,
    /// Unfinished uploads that are in nobody's way and expire by nobody's word.
    pub leftovers: usize,
}

impl Found {
    /// Counts what was found elsewhere as well.
    pub fn add(&mut self, other: Found) {
        self.whole += other.whole;
        self.offered += other.offered;
        self.leftovers += other.leftovers;
    }
}

/// What a broken promise is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// What was acknowledged is not there.
    Lost,
    /// Bytes are there that nobody has sent so.
    Torn,
    /// A name is there that nobody has asked for.
    Surplus,
    /// The server does not serve.
    Down,
}

/// What is wrong, and where.
pub type Wrong = (Fault, String);

/// Starts a store over what was rebuilt at `at` of the crash behind `count` steps, and holds it to what was said until then.
///
/// # Errors
/// The promise that is broken.
pub fn check(
    story: &Story,
    count: usize,
    tree: &Tree,
    at: &Path,
    chance: &mut Chance,
) -> Result<Found, Wrong> {
    let steps = &story.disk.steps[..count];
    let said = steps.iter().filter(|step| matches!(step, Step::Said(_))).count();
    let (known, next) = story.told(said);
    let (home, state) = (at.join(HOME), at.join(STATE));
    check_events(&story.disk, steps, tree)?;
    check_usage(&home, &state)?;
    let down = |error: std::io::Error| (Fault::Down, error.to_string());
    fs::create_dir_all(&state).map_err(down)?;
    let index = Arc::new(PartialJournal::open(&state).map_err(down)?);
    let store = LocalStore::open(&home, LocalSettings::new(index.clone())).map_err(down)?;
    let mut found = Found { whole: check_whole(&home, known, next)?, ..Found::default() };
    check_names(&home, known, next)?;
    let session = session(store);
    for path in paths(known, next) {
        found.offered += usize::from(check_offer(&session, &home, path, known, next)?);
    }
    // What is left of an earlier upload is in no later one's way.
    if let Some(path) = chance.pick(paths(known, next).collect()) {
        let bytes = vec![b'n'; 70_000];
        let put = session.open_write(&virtual_path(path), WriteMode::Replace).and_then(|mut upload| {
            upload.write(&bytes)?;
            upload.commit()
        });
        // Its folder may not be there.
        if put.is_ok() && fs::read(home.join(path)).ok() != Some(bytes) {
            return Err((Fault::Torn, format!("{path} is written anew")));
        }
    }
    let year = Duration::from_secs(365 * 24 * 3600);
    let remove = |record: &_| remove_expired(record).map(|_| ());
    index.expire(SystemTime::now() + year, Duration::ZERO, remove).map_err(down)?;
    found.leftovers = names(&home).iter().filter(|name| is_partial(name)).count();
    Ok(found)
}

/// Every path that anybody has written.
fn paths<'a>(known: &'a Files, next: &'a Files) -> impl Iterator<Item = &'a str> {
    let all = [known, next].into_iter().flat_map(|files| files.whole.keys().chain(files.unfinished.keys()));
    all.map(String::as_str).collect::<BTreeSet<_>>().into_iter()
}

/// Every file is as it was before the command that was under way, or as it is behind it; and what a rename moves is somewhere.
fn check_whole(home: &Path, known: &Files, next: &Files) -> Result<usize, Wrong> {
    let mut there = Vec::new();
    for path in paths(known, next) {
        let (before, after) = (known.whole.get(path), next.whole.get(path));
        let found = fs::read(home.join(path)).ok();
        if found.as_ref() != before && found.as_ref() != after {
            let lengths = [&found.as_ref(), &before, &after].map(|bytes| bytes.map(Vec::len));
            let fault = if found.is_none() { Fault::Lost } else { Fault::Torn };
            return Err((fault, format!("{path}: bytes found, before and after: {lengths:?}")));
        }
        there.extend(found);
    }
    for (path, bytes) in &known.whole {
        if next.whole.values().any(|after| after == bytes) && !there.contains(bytes) {
            return Err((Fault::Lost, format!("{path} has neither its old name nor the new one")));
        }
    }
    for folder in known.folders.intersection(&next.folders) {
        if !home.join(folder).is_dir() {
            return Err((Fault::Lost, format!("the folder {folder}")));
        }
    }
    Ok(there.len())
}

/// Nothing has a name that nobody gave it.
fn check_names(home: &Path, known: &Files, next: &Files) -> Result<(), Wrong> {
    for name in names(home) {
        let asked = [known, next]
            .iter()
            .any(|files| files.whole.contains_key(&name) || files.folders.contains(&name));
        if !asked && !is_partial(&name) {
            return Err((Fault::Surplus, name));
        }
    }
    Ok(())
}

/// What is offered to go on has the bytes that are told, and goes on to a whole file.
fn check_offer(
    session: &Session,
    home: &Path,
    path: &str,
    known: &Files,
    next: &Files,
) -> Result<bool, Wrong> {
    let at = virtual_path(path);
    let Ok(facts) = session.facts(&at) else { return Ok(false) };
    if !facts.unfinished || facts.size == 0 {
        return Ok(false);
    }
    let broken = |why: &dyn std::fmt::Display| (Fault::Torn, format!("{path} offers {}: {why}", facts.size));
    let before = fs::read(home.join(path)).ok();
    session
        .open_write(&at, WriteMode::From(facts.size))
        .and_then(|mut upload| {
            upload.write(b"the end")?;
            upload.commit()
        })
        .map_err(|error| broken(&error))?;
    let whole = fs::read(home.join(path)).map_err(|error| broken(&error))?;
    let offered = whole.strip_suffix(b"the end").unwrap_or_default();
    let mut sent =
        [known, next].into_iter().flat_map(|files| [files.unfinished.get(path), files.whole.get(path)]);
    if offered.len() as u64 != facts.size
        || !sent.any(|sent| sent.is_some_and(|sent| sent.starts_with(offered)))
    {
        return Err(broken(&"they are not the bytes that were sent"));
    }
    // Others look at this path as well.
    match before {
        Some(bytes) => fs::write(home.join(path), bytes),
        None => fs::remove_file(home.join(path)),
    }
    .map_err(|error| broken(&error))?;
    Ok(true)
}

/// An event that was synced waits for delivery.
fn check_events(disk: &Disk, steps: &[Step], tree: &Tree) -> Result<(), Wrong> {
    for (path, node) in
        disk.paths().iter().filter(|(path, _)| path.starts_with(OUTBOX) && path.ends_with(b".events"))
    {
        let mut synced = steps.iter().filter_map(|step| match step {
            Step::Sync { node: synced, before } if synced == node => Some(*before),
            _ => None,
        });
        let Some(before) = synced.next_back() else { continue };
        let length = steps[..before].iter().map(|step| match step {
            Step::Write { node: written, bytes, .. } if written == node => bytes.len(),
            _ => 0,
        });
        let length: usize = length.sum();
        let text = String::from_utf8_lossy(path).into_owned();
        let found = tree.file(&text).ok_or_else(|| (Fault::Lost, text.clone()))?;
        if !found.starts_with(&disk.bytes(*node)[..length]) {
            return Err((Fault::Torn, text));
        }
    }
    Ok(())
}

/// What is known of a home's size is true, or is not known.
fn check_usage(home: &Path, state: &Path) -> Result<(), Wrong> {
    let Ok(text) = fs::read(state.join("usage")) else { return Ok(()) };
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&text) else {
        // Nothing that could be believed.
        return if text.is_empty() { Ok(()) } else { Err((Fault::Torn, "usage".to_owned())) };
    };
    let held: u64 = names(home)
        .iter()
        .map(|name| home.join(name))
        .filter(|path| path.is_file())
        .map(|path| path.metadata().map_or(0, |found| found.len()))
        .sum();
    match value.get("bytes").and_then(serde_json::Value::as_u64) {
        Some(bytes) if bytes == held => Ok(()),
        told => Err((Fault::Torn, format!("usage says {told:?}, and there are {held} bytes"))),
    }
}

fn is_partial(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.starts_with(".carrack-"))
}

/// Every name beneath a folder.
fn names(folder: &Path) -> Vec<String> {
    let (mut found, mut ahead) = (Vec::new(), vec![String::new()]);
    while let Some(inside) = ahead.pop() {
        for entry in fs::read_dir(folder.join(&inside)).into_iter().flatten().map(Result::unwrap) {
            let name = format!("{inside}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                ahead.push(format!("{name}/"));
            }
            found.push(name);
        }
    }
    found
}

fn virtual_path(path: &str) -> VirtualPath {
    VirtualPath::parse(format!("/{path}").as_bytes()).unwrap()
}

/// A session of the user that everything is told of.
fn session(store: LocalStore) -> Session {
    struct Nobody;
    impl Accounts for Nobody {
        fn find(&self, _: User<'_>) -> Option<Arc<Account>> {
            None
        }
    }
    let core = carrack_core::Core::new(Authenticator::new(Arc::new(Nobody), 1), Events::new([]));
    let account = Account::new(USER, Credential::Anyone, Arc::new(store));
    let peer = "192.0.2.1:1".parse().unwrap();
    let origin = Origin { id: SessionId(1), peer, protocol: "ftp", server: None };
    Session::open(&core, Arc::new(account), origin, Permissions::ALL).unwrap()
}
