//! How does what a crash left become files again? In another folder, as if the machine had been started anew.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Node, Tree};

/// What is another thing behind a restart of the machine, in the text of files.
#[derive(Clone, Debug)]
pub struct Anew {
    /// Where everything lay.
    pub from: PathBuf,
    /// Where it lies now.
    pub to: PathBuf,
    /// The boot id during which it was written; no machine has it twice.
    pub boot: String,
}

/// The boot id of the machine that crashed, as far as the one that comes up can tell.
const EARLIER_BOOT: &str = "00000000-0000-4000-8000-000000000000";

impl Anew {
    /// Writes the tree down, with the paths, inodes and boot ids in the files that `names` chooses as they are now.
    pub fn rebuild(&self, disk: &Disk, tree: &Tree, names: impl Fn(&[u8]) -> bool) {
        let mut made = HashMap::<usize, PathBuf>::new();
        // Folders first, as they sort before what is in them; and what tells of others last.
        let (told, plain): (Vec<_>, Vec<_>) = tree.paths.iter().partition(|(path, _)| names(path));
        for (path, node) in plain {
            let at = self.to.join(PathBuf::from(std::ffi::OsString::from_vec(path.clone())));
            match (&tree.nodes[*node], made.get(node)) {
                (Node::Folder(_), _) => fs::create_dir(&at).unwrap(),
                (Node::File(_), Some(earlier)) => fs::hard_link(earlier, &at).unwrap(),
                (Node::File(bytes), None) => fs::write(&at, bytes).unwrap(),
            }
            made.insert(*node, at);
        }
        for (path, node) in told {
            if let Node::File(bytes) = &tree.nodes[*node] {
                let at = self.to.join(PathBuf::from(std::ffi::OsString::from_vec(path.clone())));
                fs::write(at, self.translate(disk, tree, bytes)).unwrap();
            }
        }
    }

    /// A file's lines with everything as it is now. What is torn stays torn.
    fn translate(&self, disk: &Disk, tree: &Tree, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let lines = text.split_inclusive('\n');
        let text: String =
            lines.map(|line| self.with_inode(disk, tree, line).unwrap_or_else(|| line.to_owned())).collect();
        let (from, to) = (self.from.to_str().unwrap(), self.to.to_str().unwrap());
        text.replace(from, to).replace(&self.boot, EARLIER_BOOT)
    }

    /// A line of JSON that names a file and its inode: with the inode that the file has now, or with none at all if another file
    /// lies there.
    fn with_inode(&self, disk: &Disk, tree: &Tree, line: &str) -> Option<String> {
        if !line.starts_with("{\"extending\"") {
            return None;
        }
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let told = value.get("extending")?;
        let inode = told.get("inode")?.as_u64()?;
        let path = Path::new(told.get("file")?.as_str()?).strip_prefix(&self.from).ok()?;
        let node = tree.paths.get(path.as_os_str().as_bytes());
        let same = node.is_some_and(|node| disk.inodes.get(node) == Some(&inode));
        let now = if same { fs::metadata(self.to.join(path)).ok()?.ino() } else { 0 };
        Some(line.replace(&format!("\"inode\":{inode}"), &format!("\"inode\":{now}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::crash::disk::{Naming, ROOT, Step};

    #[test]
    fn paths_inodes_and_boots_are_as_they_are_now() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Disk::empty();
        let boot = "11111111-1111-4111-8111-111111111111";
        let lines = [
            r#"{"extending":{"file":"/old/log","inode":77,"length":1}}"#,
            r#"{"extending":{"file":"/old/log","inode":78,"length":1}}"#,
            &format!(r#"{{"remember":{{"file":"/old/part","boot":"{boot}"}}}}"#),
            r#"{"extending":{"file":"/old/lo"#,
        ];
        for (name, bytes) in [("log", "bytes".to_owned()), ("journal", lines.join("\n"))] {
            let node = disk.make(false);
            disk.inodes.insert(node, 77);
            disk.step(Step::Names(vec![Naming { folder: ROOT, name: name.into(), node: Some(node) }], None));
            disk.step(Step::Write { node, at: 0, bytes: bytes.into() });
            for node in [node, ROOT] {
                disk.step(Step::Sync { node, before: disk.steps.len() });
            }
        }
        let anew = Anew { from: "/old".into(), to: folder.path().to_owned(), boot: boot.to_owned() };
        let tree = disk.crash(disk.steps.len(), &mut Chance::of(1));
        anew.rebuild(&disk, &tree, |path| path == b"journal");
        let inode = fs::metadata(folder.path().join("log")).unwrap().ino();
        let at = folder.path().display();
        let journal = fs::read_to_string(folder.path().join("journal")).unwrap();
        let lines: Vec<_> = journal.lines().collect();
        assert_eq!(lines[0], format!(r#"{{"extending":{{"file":"{at}/log","inode":{inode},"length":1}}}}"#));
        assert_eq!(lines[1], format!(r#"{{"extending":{{"file":"{at}/log","inode":0,"length":1}}}}"#));
        assert_eq!(lines[2], format!(r#"{{"remember":{{"file":"{at}/part","boot":"{EARLIER_BOOT}"}}}}"#));
        assert_eq!(lines[3], format!(r#"{{"extending":{{"file":"{at}/lo"#));
    }
}
