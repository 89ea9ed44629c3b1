//! Can this process serve the homes, and do they lie where they may?

use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use super::check::Faults;
use super::table::{Config, User};

/// Checks one user's home: it is there, may be listed, and lies beneath one of the roots (as they are written, and as the system
/// knows them).
pub(super) fn check(
    user: &User,
    index: usize,
    (written, roots): (&[PathBuf], &[PathBuf]),
    faults: &mut Faults,
) {
    let place = format!("user.{index}.home");
    let shown = user.home.display();
    let home = match folder(&user.home) {
        Ok(home) => home,
        Err(why) => {
            let mend = match user.home.exists() {
                true => "name a folder that this user may look into".to_owned(),
                false => format!("make it with `mkdir -p '{shown}'`"),
            };
            return faults.add(place, why, mend);
        }
    };
    if !written.is_empty() && !roots.iter().any(|root| home.starts_with(root)) {
        let written: Vec<_> = written.iter().map(|root| root.display().to_string()).collect();
        return faults.add(
            place,
            format!("{} is beneath none of the roots, {}", home.display(), written.join(", ")),
            "move the home, or add its folder to `roots`",
        );
    }
    if let Err(error) = listable(&home) {
        faults.add(
            place,
            format!("{shown} cannot be listed by this process (uid {}): {error}", uid()),
            format!("give it the right with `setfacl -m u:{}:rx '{shown}'`, or run the server as the owner of the folder", uid()),
        );
    }
}

/// Whether the folder can be opened for listing, and what lies in it reached.
fn listable(home: &Path) -> std::io::Result<()> {
    std::fs::read_dir(home)?;
    Ok(rustix::fs::accessat(CWD, home, Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// Whether this process may make files in the folder; true also where the system cannot say.
pub(super) fn writable(home: &Path) -> bool {
    let may = rustix::fs::accessat(CWD, home, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    !matches!(may, Err(Errno::ACCESS | Errno::PERM | Errno::ROFS))
}

/// The user that this process acts as.
pub(super) fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The path without links, also where its last parts are not there yet.
pub(super) fn real(path: &Path) -> PathBuf {
    match (std::fs::canonicalize(path), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

/// The real path of a folder that must be there.
pub(super) fn folder(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    match std::fs::canonicalize(path) {
        Ok(real) if real.is_dir() => Ok(real),
        Ok(_) => Err(format!("{shown} is not a folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!("{shown} is not there")),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(format!("this user may not look into {shown}"))
        }
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Checks that no home lies in the state folder.
///
/// SECURITY: keys and the journal lie there; whoever has it for a home has them.
pub(super) fn outside(config: &Config, state: &Path, faults: &mut Faults) {
    let state = real(state);
    for (index, user) in config.user.iter().enumerate() {
        if std::fs::canonicalize(&user.home).is_ok_and(|home| home.starts_with(&state)) {
            faults.add(
                format!("user.{index}.home"),
                format!("{} lies in the state folder {}", user.home.display(), state.display()),
                "serve another folder, or name another state folder (--state DIR, or `state` in the file)",
            );
        }
    }
}
