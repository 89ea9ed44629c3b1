//! What a crash may leave, and what it may not.

use std::collections::BTreeSet;

use super::*;

/// A disk on which programs do things as they do.
struct Program(Disk);

impl Program {
    fn new() -> Program {
        Program(Disk::empty())
    }

    fn name(&mut self, folder: usize, name: &str, node: Option<usize>) {
        self.0.step(Step::Names(vec![Naming { folder, name: name.into(), node }], None));
    }

    fn file(&mut self, folder: usize, name: &str, bytes: &[u8]) -> usize {
        let node = self.0.make(false);
        self.name(folder, name, Some(node));
        self.0.step(Step::Write { node, at: 0, bytes: bytes.to_vec() });
        node
    }

    fn sync(&mut self, node: usize) {
        let before = self.0.steps.len();
        self.0.step(Step::Sync { node, before });
    }

    /// What a file, if it is there, may be behind a crash at the end.
    fn may_be(&self, path: &str) -> BTreeSet<Option<Vec<u8>>> {
        self.crashes().map(|tree| tree.file(path).map(<[u8]>::to_vec)).collect()
    }

    fn crashes(&self) -> impl Iterator<Item = Tree> {
        (0..400).map(|seed| self.0.crash(self.0.steps.len(), &mut Chance::of(seed)))
    }
}

/// As editors replace files, with and without each of the syncs.
fn replaced(file_is_synced: bool, folder_is_synced: bool) -> BTreeSet<Option<Vec<u8>>> {
    let mut program = Program::new();
    let old = program.file(ROOT, "file", b"old");
    program.sync(old);
    program.sync(ROOT);
    let new = program.file(ROOT, "new", b"newer");
    if file_is_synced {
        program.sync(new);
    }
    program.0.rename((ROOT, b"new"), (ROOT, b"file"));
    if folder_is_synced {
        program.sync(ROOT);
    }
    program.may_be("file")
}

#[test]
fn what_is_replaced_in_order_is_new() {
    assert_eq!(replaced(true, true), BTreeSet::from([Some(b"newer".to_vec())]));
}

#[test]
fn without_the_sync_of_the_folder_it_may_be_old() {
    assert_eq!(replaced(true, false), BTreeSet::from([Some(b"old".to_vec()), Some(b"newer".to_vec())]));
}

#[test]
fn without_the_sync_of_the_file_it_may_be_torn() {
    let found = replaced(false, true);
    assert!(found.contains(&Some(Vec::new())), "{found:?}");
    assert!(found.contains(&Some(vec![0; 5])), "the length without the bytes: {found:?}");
    assert!(!found.contains(&None) && !found.contains(&Some(b"old".to_vec())), "{found:?}");
}

#[test]
fn a_sync_counts_for_what_was_done_before_it_began() {
    let mut program = Program::new();
    let node = program.file(ROOT, "file", b"first");
    program.sync(ROOT);
    let before = program.0.steps.len();
    program.0.step(Step::Write { node, at: 0, bytes: b"later".to_vec() });
    program.0.step(Step::Sync { node, before });
    let expected = BTreeSet::from([Some(b"first".to_vec()), Some(b"later".to_vec())]);
    assert_eq!(program.may_be("file"), expected);
}

#[test]
fn blocks_of_a_write_come_in_any_order() {
    let mut program = Program::new();
    program.file(ROOT, "file", &[7; 3 * 4096]);
    program.sync(ROOT);
    let found = program.may_be("file");
    let hole_in_front =
        |bytes: &Vec<u8>| bytes.len() == 3 * 4096 && bytes[0] == 0 && bytes[3 * 4096 - 1] == 7;
    assert!(found.iter().flatten().any(hole_in_front));
    assert!(found.iter().flatten().any(|bytes| bytes.len() == 4096 && bytes.iter().all(|byte| *byte == 7)));
}

#[test]
fn names_come_in_any_order_but_one_names_own() {
    let mut program = Program::new();
    for name in ["first", "second"] {
        program.file(ROOT, name, b"");
    }
    program.name(ROOT, "first", None);
    let found: BTreeSet<_> =
        program.crashes().map(|tree| ["first", "second"].map(|name| tree.file(name).is_some())).collect();
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_file_that_goes_to_another_folder_is_somewhere() {
    let moved = |synced: &[&str]| {
        let mut program = Program::new();
        let folder = program.0.make(true);
        program.name(ROOT, "folder", Some(folder));
        let file = program.file(ROOT, "file", b"bytes");
        for node in [ROOT, folder, file] {
            program.sync(node);
        }
        program.0.rename((ROOT, b"file"), (folder, b"file"));
        for name in synced {
            program.sync(if *name == "to" { folder } else { ROOT });
        }
        let names = ["file", "folder/file"];
        program.crashes().map(|tree| names.map(|name| tree.file(name).is_some())).collect::<BTreeSet<_>>()
    };
    assert_eq!(moved(&[]), BTreeSet::from([[true, false], [true, true], [false, true]]));
    assert_eq!(moved(&["to"]), BTreeSet::from([[true, true], [false, true]]));
    assert_eq!(moved(&["from"]), BTreeSet::from([[false, true]]));
}

#[test]
fn a_folder_without_a_synced_name_takes_all_along() {
    let mut program = Program::new();
    let folder = program.0.make(true);
    program.name(ROOT, "folder", Some(folder));
    let file = program.file(folder, "file", b"bytes");
    program.sync(file);
    program.sync(folder);
    assert_eq!(program.may_be("folder/file"), BTreeSet::from([None, Some(b"bytes".to_vec())]));
    program.sync(ROOT);
    assert_eq!(program.may_be("folder/file"), BTreeSet::from([Some(b"bytes".to_vec())]));
}

#[test]
fn a_file_without_a_name_is_gone() {
    let mut program = Program::new();
    let node = program.0.make(false);
    program.0.step(Step::Write { node, at: 0, bytes: b"bytes".to_vec() });
    program.sync(node);
    assert!(program.crashes().all(|tree| tree.paths.is_empty()));
    program.name(ROOT, "file", Some(node));
    program.sync(ROOT);
    assert_eq!(program.may_be("file"), BTreeSet::from([Some(b"bytes".to_vec())]));
}
