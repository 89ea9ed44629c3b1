//! How is this program called in commands that are printed to be pasted?

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The name it is installed under.
const NAME: &str = "carrack";

/// This program as a word of a shell: `carrack` where the shell finds this very program under that name, else its path.
pub(crate) fn word() -> String {
    let running = std::env::current_exe().ok();
    word_for(running.as_deref(), std::env::var_os("PATH").as_deref())
}

fn word_for(running: Option<&Path>, path: Option<&OsStr>) -> String {
    let Some(running) = running else { return NAME.to_owned() };
    let found = path.and_then(|path| {
        std::env::split_paths(path).map(|folder| folder.join(NAME)).find(|file| file.is_file())
    });
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    match found {
        Some(found) if real(&found) == real(running) => NAME.to_owned(),
        _ => quoted(&running.to_string_lossy()),
    }
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,@%:=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_name_stands_for_this_program_or_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let (bin, other, build) =
            (dir.path().join("bin"), dir.path().join("other"), dir.path().join("it's here"));
        for folder in [&bin, &other, &build] {
            std::fs::create_dir(folder).unwrap();
        }
        let running = build.join("carrack");
        std::fs::write(&running, "").unwrap();
        let in_quotes = quoted(running.to_str().unwrap());
        assert!(in_quotes.starts_with('\'') && in_quotes.contains(r"it'\''s here"), "{in_quotes}");
        let word =
            |folders: &[&Path]| word_for(Some(&running), Some(&std::env::join_paths(folders).unwrap()));
        assert_eq!(word(&[&bin, &other]), in_quotes, "nothing of that name is found");
        symlink(&running, bin.join("carrack")).unwrap();
        assert_eq!(word(&[&other, &bin]), "carrack");
        std::fs::write(other.join("carrack"), "").unwrap();
        assert_eq!(word(&[&other, &bin]), in_quotes, "another program is found first");
        assert_eq!(word_for(Some(&running), None), in_quotes);
    }

    #[test]
    fn odd_texts_stay_one_word() {
        assert_eq!(quoted("/a/b-c_d.e"), "/a/b-c_d.e");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
        assert_eq!(quoted("~/x"), "'~/x'");
        assert_eq!(quoted(""), "''");
    }
}
