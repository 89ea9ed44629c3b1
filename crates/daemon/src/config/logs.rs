//! Can lines be written to the files that `[log]` names?

use std::path::Path;

use super::check::Faults;
use super::homes::{real, uid, writable};
use super::table::Config;
use super::value::beside;
use super::warnings::Warning;

/// Makes paths absolute and adds all that is wrong.
pub(super) fn check(config: &mut Config, base: &Path, faults: &mut Faults) {
    let log = &mut config.log;
    for (key, path) in [("log.file", &mut log.file), ("log.xferlog", &mut log.xferlog)] {
        let Some(path) = path else { continue };
        *path = beside(base, path);
        let (shown, folder) = (path.display(), path.parent().unwrap_or(Path::new("/")));
        let inside = folder.display();
        if path.is_dir() {
            faults.add(key, format!("{shown} is a folder"), "name a file in it");
        } else if !folder.is_dir() {
            faults.add(
                key,
                format!("there is no folder {inside}"),
                format!("make it with `mkdir -p '{inside}'`"),
            );
        } else if !path.exists() && !writable(folder) {
            faults.add(
                key,
                format!("this process (uid {}) cannot make files in {inside}", uid()),
                format!(
                    "give it the right with `setfacl -m u:{}:rwx '{inside}'`, or name another file",
                    uid()
                ),
            );
        }
    }
    if log.file.is_some() && log.file == log.xferlog {
        faults.add(
            "log.xferlog",
            "both logs go to one file, and no program could read it",
            "name another file",
        );
    }
}

/// SECURITY: a user who may write where the log is can lead its lines into another file.
pub(super) fn warnings(config: &Config, warnings: &mut Vec<Warning>) {
    for path in [&config.log.file, &config.log.xferlog].into_iter().flatten() {
        let folder = real(path.parent().unwrap_or(Path::new("/")));
        if let Some(home) =
            config.user.iter().map(|user| real(&user.home)).find(|home| folder.starts_with(home))
        {
            warnings.push(Warning(format!(
                "the log {} lies in the served folder {}: users see it there, and who may write there can change it; a \
                 place outside is better",
                path.display(),
                home.display()
            )));
        }
    }
}
