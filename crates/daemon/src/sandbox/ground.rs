//! On which folders and files may this process set foot (Landlock), and is a new one among them?

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::places::{Place, Use};

/// The version of Landlock whose file rights are handled: a later one would take away what was never asked about.
const FILES: ABI = ABI::V5;

/// The first that keeps signals and abstract sockets from other processes.
const SCOPES: ABI = ABI::V6;

/// What was given, by the identity of each folder and file: a path may mean another one later.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground(HashMap<(u64, u64), Use>);

/// What the kernel makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// All of it.
    Wholly,
    /// What this version of Landlock knows.
    PartlyBy(i32),
    /// There is no Landlock, or it is switched off.
    Not,
}

impl Ground {
    /// Keeps this thread, and all that it makes, to these places. For good. What is not there yet is nobody's.
    pub(super) fn enclose(places: &[Place]) -> Result<(Self, Kept), RulesetError> {
        let mut ground = Self::default();
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(FILES))?
            .scope(scopes())?
            .create()?;
        for place in places {
            let (Ok(fd), Ok(metadata)) = (PathFd::new(&place.path), std::fs::metadata(&place.path)) else {
                continue;
            };
            let rights = rights(place.used);
            let rights = if metadata.is_dir() { rights } else { rights & AccessFs::from_file(FILES) };
            ruleset = ruleset.add_rule(PathBeneath::new(fd, rights))?;
            let used = ground.0.entry((metadata.dev(), metadata.ino())).or_insert(place.used);
            *used = place.used.max(*used);
        }
        let kept = Kept::of(&ruleset.restrict_self()?);
        Ok((ground, kept))
    }

    /// Whether this may be done there: beneath a place that was given, as the kernel looks at it.
    pub(super) fn holds(&self, path: &Path, used: Use) -> bool {
        let Ok(real) = std::fs::canonicalize(path) else { return false };
        real.ancestors().any(|above| {
            let identity = std::fs::metadata(above).map(|metadata| (metadata.dev(), metadata.ino()));
            identity.is_ok_and(|identity| self.0.get(&identity).is_some_and(|given| *given >= used))
        })
    }
}

impl Kept {
    fn of(status: &RestrictionStatus) -> Self {
        let version = match &status.landlock {
            LandlockStatus::Available { effective_abi, kernel_abi } => {
                kernel_abi.unwrap_or_else(|| number(*effective_abi))
            }
            _ => return Self::Not,
        };
        match status.ruleset {
            RulesetStatus::FullyEnforced => Self::Wholly,
            RulesetStatus::PartiallyEnforced => Self::PartlyBy(version),
            RulesetStatus::NotEnforced => Self::Not,
        }
    }
}

fn number(abi: ABI) -> i32 {
    let known = [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6, ABI::V7];
    known.iter().zip(1..).find(|(one, _)| **one == abi).map_or(0, |(_, number)| number)
}

fn rights(used: Use) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    match used {
        Use::Read => read,
        Use::Write => read | write,
        Use::Own => read | write | AccessFs::MakeSock,
    }
}

/// SECURITY: no signal reaches a process outside, and no abstract socket; older service managers have theirs there.
fn scopes() -> BitFlags<Scope> {
    let manager = std::env::var("NOTIFY_SOCKET").unwrap_or_default();
    let all = Scope::from_all(SCOPES);
    if manager.starts_with('@') { all & !BitFlags::from(Scope::AbstractUnixSocket) } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_by_what_it_is_and_not_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (home, other) = (dir.path().join("home"), dir.path().join("other"));
        std::fs::create_dir(&home).unwrap();
        let metadata = std::fs::metadata(&home).unwrap();
        let ground = Ground([((metadata.dev(), metadata.ino()), Use::Read)].into());
        assert!(ground.holds(&home, Use::Read) && !ground.holds(&home, Use::Write));
        std::fs::create_dir(home.join("in")).unwrap();
        assert!(ground.holds(&home.join("in"), Use::Read));
        assert!(!ground.holds(dir.path(), Use::Read) && !ground.holds(&home.join("nothing"), Use::Read));
        std::fs::rename(&home, &other).unwrap();
        std::fs::create_dir(&home).unwrap();
        assert!(ground.holds(&other, Use::Read) && !ground.holds(&home, Use::Read), "the kernel sees it so");
    }
}
