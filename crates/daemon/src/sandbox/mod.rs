//! What may this process still do once it serves, and who does the rest?
//!
//! ```text
//!  start, as root or not ─► identity: the configuration's user ─► the configuration, as that user ─► Inside::enter
//!                                                                                                       │ one thread
//!        broker, outside ◄── starts programs ─────────────────────────────────────────────── broker ◄───┤
//!                                                            no core dumps, no new privileges           │
//!                                                            ground: folders and files (Landlock)       │
//!        broker, outside ◄── is asked what is refused ────── calls: system calls (seccomp)              ▼
//!                                                                                        threads, log, listeners
//! ```
//!
//! Whoever breaks into the server has what is left here: the files that it serves, and no way to start anything else.

mod broker;
mod calls;
mod ground;
mod identity;
mod places;
mod refusals;
mod sys;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, Resource, Rlimit, geteuid, set_dumpable_behavior, setrlimit};

use crate::config::{Checked, Config, ConfigFile, Problem, Problems, Sandbox};
use crate::ctl::Called;
pub use broker::run_if_called;
pub(crate) use broker::{Listed, Program, Programs, Purpose, Told};
use calls::Filtered;
use ground::{Ground, Kept};
pub use identity::IdentityError;
use refusals::Refused;

/// Why a server does not go into its sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It cannot become its user.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Nothing could start programs.
    #[error(
        "the process that starts programs cannot be started: {0}\n  mend: make /proc/self/exe readable and executable for this user"
    )]
    Broker(io::Error),
    /// The configuration wants all of it.
    #[error(
        "server.sandbox is \"require\", and {missing}\n  mend: serve on a kernel with both, or with \"on\", which takes what there is"
    )]
    Missing {
        /// What the system does not do.
        missing: String,
    },
}

/// What a process that serves is left with.
#[derive(Debug, Default)]
pub struct Inside {
    programs: Programs,
    /// `None` where it goes everywhere.
    ground: Option<Ground>,
    file: Option<PathBuf>,
    state: PathBuf,
    in_force: InForce,
}

/// How much of the sandbox there is, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InForce {
    /// Folders and files.
    pub(crate) landlock: String,
    /// System calls.
    pub(crate) seccomp: &'static str,
    /// What is missing that was wanted.
    pub(crate) missing: Option<String>,
}

impl Default for InForce {
    fn default() -> Self {
        Self { landlock: "off".to_owned(), seccomp: "off", missing: None }
    }
}

impl InForce {
    /// What the system made of what was wanted.
    fn of(kept: Result<Kept, String>, filtered: &Result<Filtered, String>) -> Self {
        let mut missing = Vec::new();
        let landlock = match kept {
            Ok(Kept::Wholly) => "enforced".to_owned(),
            Ok(Kept::PartlyBy(version)) => {
                missing.push(format!(
                    "Landlock here is version {version}, which knows less than is asked of it"
                ));
                format!("version {version}")
            }
            Ok(Kept::Not) => {
                missing.push("this kernel has no Landlock, or it is switched off (lsm=)".to_owned());
                "none".to_owned()
            }
            Err(why) => {
                missing.push(format!("Landlock fails: {why}"));
                "none".to_owned()
            }
        };
        let seccomp = match filtered {
            Ok(Filtered::Told(_)) => "enforced",
            Ok(Filtered::Silently) => {
                missing.push("this kernel cannot tell which system calls seccomp refuses".to_owned());
                "enforced, not told"
            }
            Err(why) => {
                missing.push(format!("seccomp fails: {why}"));
                "none"
            }
        };
        Self { landlock, seccomp, missing: (!missing.is_empty()).then(|| missing.join("; ")) }
    }
}

/// Becomes the user that a configuration names, where root has started this process. Call it before anything else of the file is read, while
/// there is one thread: everything is looked at with the rights that it is served with.
///
/// # Errors
/// The file cannot be read, or the system says no.
pub fn become_user_of(file: &ConfigFile) -> Result<(), SandboxError> {
    Ok(identity::take(&file.server())?)
}

impl Inside {
    /// Starts the broker, and gives up for good what serving does not take. Call it while there is one thread, with the state folder open.
    /// `called` is how the next server is called, where there can be one; `file` is where the configuration stands.
    ///
    /// # Errors
    /// The broker cannot be started, or the system lacks what the configuration demands.
    pub fn enter(
        checked: &Checked,
        state: &Path,
        file: Option<&Path>,
        called: Option<&Called>,
    ) -> Result<Self, SandboxError> {
        let config = &checked.config;
        let programs = Programs::start(listed(config, state, called)).map_err(SandboxError::Broker)?;
        let mut inside = Self {
            programs,
            ground: None,
            file: file.map(Path::to_owned),
            state: state.to_owned(),
            in_force: InForce::default(),
        };
        if !config.server.core_dumps {
            // SECURITY: keys and passwords stand in this memory. Behind the start of the broker, whose programs may leave what they like.
            let none = Rlimit { current: Some(0), maximum: Some(0) };
            let _ = setrlimit(Resource::Core, none);
            let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
        }
        if config.server.sandbox == Sandbox::Off {
            return Ok(inside);
        }
        let kept = inside.close(config);
        let filtered = calls::put_on();
        inside.in_force = InForce::of(kept, &filtered);
        if let Ok(Filtered::Told(listener)) = filtered {
            // Behind this the broker alone has it.
            inside.programs.watch_refusals(&listener).map_err(SandboxError::Broker)?;
        }
        match &inside.in_force.missing {
            Some(missing) if config.server.sandbox == Sandbox::Require => {
                Err(SandboxError::Missing { missing: missing.clone() })
            }
            _ => Ok(inside),
        }
    }

    fn close(&mut self, config: &Config) -> Result<Kept, String> {
        rustix::thread::set_no_new_privs(true).map_err(|error| error.to_string())?;
        let mut places = places::of_system(geteuid().is_root());
        places.extend(places::of(config, Path::new("/"), &self.state, self.file.as_deref()));
        let (ground, kept) = Ground::enclose(&places).map_err(|error| error.to_string())?;
        self.ground = (kept != Kept::Not).then_some(ground);
        Ok(kept)
    }

    /// Who starts programs.
    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    /// Tells in the log what is in force.
    pub(crate) fn tell(&self) {
        let InForce { landlock, seccomp, missing } = &self.in_force;
        let uid = geteuid().as_raw();
        match missing {
            None => tracing::info!(target: "carrack", landlock, seccomp, uid, "sandbox"),
            Some(missing) => {
                let mend = "serve on a kernel with Landlock and seccomp, in a container that permits both";
                tracing::warn!(target: "carrack", landlock, seccomp, uid, why = missing, mend, "sandbox_incomplete");
            }
        }
    }

    /// Whether a changed configuration, of which nothing was checked yet, keeps to what this process is left with. Its relative paths begin at
    /// `base`.
    ///
    /// # Errors
    /// Everything that lies outside, with the option that names it.
    pub(crate) fn admits(&self, config: &Config, base: &Path, file: &Path) -> Result<(), Problems> {
        const MEND: &str =
            "start the server again, or run `carrack ctl upgrade`: what it may reach is settled at the start";
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| {
            if problems.iter().any(|one: &Problem| one.message == message) {
                return;
            }
            problems.push(Problem {
                file: None,
                line: 0,
                column: 0,
                key: key.to_owned(),
                message,
                mend: MEND.to_owned(),
                excerpt: None,
            });
        };
        if let Some(ground) = &self.ground {
            for place in places::of(config, base, &self.state, self.file.as_deref()) {
                // What is not there is told by who looks for it.
                if place.path.exists() && !ground.holds(&place.path, place.used) {
                    problem(
                        &place.option,
                        format!("{} lies outside the sandbox (server.sandbox)", place.named.display()),
                    );
                }
            }
        }
        let words = of_users(config);
        if !words.is_empty() && !self.programs.knows(Purpose::Users, &words) {
            problem(
                "users.program",
                "only programs that were named when the server started are started".to_owned(),
            );
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Problems { file: file.display().to_string(), problems })
        }
    }
}

/// Tells in the log what the broker tells, for as long as it lives.
pub(crate) async fn listen(programs: Programs) {
    loop {
        match programs.told().await {
            Told::Refused(Refused { call, thread, count }) => {
                let call = calls::name(call);
                let mend =
                    "a server does not do this: look for a break-in, and report it where there is none";
                tracing::error!(target: "carrack", call, thread, count, option = "server.sandbox", mend, "sandbox_refused");
            }
            Told::Lost(status) => {
                let mend = "start the server again: programs of hook, users.program and acme.dns_hook wait until then";
                tracing::error!(target: "carrack", status, mend, "broker_lost");
                return;
            }
        }
    }
}

fn of_users(config: &Config) -> Vec<std::ffi::OsString> {
    config.users.program.iter().map(|word| word.as_str().into()).collect()
}

/// All programs that the configuration names, and the next server.
fn listed(config: &Config, state: &Path, called: Option<&Called>) -> Vec<Listed> {
    let hooks = config.hook.iter().map(|hook| {
        (Purpose::Hook, hook.program.iter().map(|word| word.as_str().into()).collect::<Vec<_>>())
    });
    let dns = config
        .acme
        .iter()
        .map(|acme| (Purpose::Dns, acme.dns_hook.iter().map(|word| word.as_str().into()).collect()));
    let next = called.iter().map(|called| (Purpose::Successor, called.words(&crate::ctl::of_state(state))));
    let all = hooks.chain(dns).chain([(Purpose::Users, of_users(config))]).chain(next);
    all.filter(|(_, words)| !words.is_empty()).map(|(purpose, words)| Listed { purpose, words }).collect()
}
