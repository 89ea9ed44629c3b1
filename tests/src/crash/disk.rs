//! What is on a disk behind a power cut? A model of files and folders that knows what was done and what was synced.
//!
//! It grants what POSIX does and no more than that. What was not synced may be there or not, whatever came before or behind it:
//!
//! - of a write any of its blocks, and the length with or without the bytes;
//! - of the names of a folder any, but one name's own changes in their order;
//! - a rename within a folder as one change; a file that goes to another folder has its old name, both, or the new one.
//!
//! Syncing a file says nothing about its name, and syncing a folder nothing about its own name in the folder above.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::chance::Chance;

/// The folder that everything lies in.
pub const ROOT: usize = 0;

/// Bytes of which a disk writes all or none.
const BLOCKS: [usize; 3] = [512, 4096, 65_536];

/// A file or a folder, whatever its names.
#[derive(Clone, Debug)]
pub enum Node {
    /// Its bytes.
    File(Vec<u8>),
    /// What it holds.
    Folder(BTreeMap<Vec<u8>, usize>),
}

/// From now on this name leads there, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Naming {
    /// The folder.
    pub folder: usize,
    /// The name in it.
    pub name: Vec<u8>,
    /// What it leads to.
    pub node: Option<usize>,
}

/// One thing that was done.
#[derive(Clone, Debug)]
pub enum Step {
    /// Names change, all of these or none; and never without the step that is named, if one is.
    Names(Vec<Naming>, Option<usize>),
    /// Bytes are written.
    Write {
        /// Which file.
        node: usize,
        /// Where.
        at: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file gets another length.
    Cut {
        /// Which file.
        node: usize,
        /// How long it is now.
        length: usize,
    },
    /// A file or folder is on the disk as it was before this step.
    Sync {
        /// Which.
        node: usize,
        /// What was done from this step on was perhaps too late.
        before: usize,
    },
    /// The client is told something: a reply with this code.
    Said(u16),
}

/// Files and folders as programs see them, and how they came to be so.
#[derive(Clone, Debug)]
pub struct Disk {
    /// As they were at first, all on the disk.
    first: Vec<Node>,
    /// As programs see them.
    live: Vec<Node>,
    /// What the system calls them.
    pub inodes: HashMap<usize, u64>,
    /// What was done.
    pub steps: Vec<Step>,
}

/// What a crash left: every path with its folder or file.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Without the root.
    pub paths: BTreeMap<Vec<u8>, usize>,
    /// What they lead to.
    pub nodes: Vec<Node>,
}

impl Tree {
    /// A file's bytes.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        match &self.nodes[*self.paths.get(path.as_bytes())?] {
            Node::File(bytes) => Some(bytes),
            Node::Folder(_) => None,
        }
    }
}

impl Disk {
    /// Nothing but a folder.
    pub fn empty() -> Disk {
        let root = vec![Node::Folder(BTreeMap::new())];
        Disk { first: root.clone(), live: root, inodes: HashMap::new(), steps: Vec::new() }
    }

    /// What lies in this folder.
    pub fn of(folder: &Path) -> Disk {
        let mut disk = Disk::empty();
        disk.take_in(folder, ROOT);
        disk.first = disk.live.clone();
        disk
    }

    fn take_in(&mut self, folder: &Path, at: usize) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let node = if entry.file_type().unwrap().is_dir() {
                let inside = self.push(Node::Folder(BTreeMap::new()));
                self.take_in(&entry.path(), inside);
                inside
            } else {
                self.push(Node::File(fs::read(entry.path()).unwrap()))
            };
            self.inodes.insert(node, entry.metadata().unwrap().ino());
            entries(&mut self.live, at).insert(entry.file_name().as_bytes().to_vec(), node);
        }
    }

    fn push(&mut self, node: Node) -> usize {
        self.live.push(node);
        self.live.len() - 1
    }

    /// A new file or folder that has no name yet.
    pub fn make(&mut self, is_folder: bool) -> usize {
        let node = if is_folder { Node::Folder(BTreeMap::new()) } else { Node::File(Vec::new()) };
        // Whatever has no name on the disk is nowhere: it may be there from the beginning.
        self.first.push(node.clone());
        self.push(node)
    }

    /// What a name leads to.
    pub fn lookup(&self, folder: usize, name: &[u8]) -> Option<usize> {
        match &self.live[folder] {
            Node::Folder(entries) => entries.get(name).copied(),
            Node::File(_) => None,
        }
    }

    /// Whether it is one.
    pub fn is_folder(&self, node: usize) -> bool {
        matches!(self.live[node], Node::Folder(_))
    }

    /// A file's length.
    pub fn length(&self, node: usize) -> usize {
        self.bytes(node).len()
    }

    /// A file's bytes, as programs see them.
    pub fn bytes(&self, node: usize) -> &[u8] {
        match &self.live[node] {
            Node::File(bytes) => bytes,
            Node::Folder(_) => &[],
        }
    }

    /// Every path as programs see it, and what it leads to.
    pub fn paths(&self) -> BTreeMap<Vec<u8>, usize> {
        paths(&self.live)
    }

    /// Does a step.
    pub fn step(&mut self, step: Step) {
        apply(&mut self.live, &step);
        self.steps.push(step);
    }

    /// Gives what has this name another one, in place of whatever has that.
    pub fn rename(&mut self, from: (usize, &[u8]), to: (usize, &[u8])) {
        let node = self.lookup(from.0, from.1).expect("it is there");
        let leave = Naming { folder: from.0, name: from.1.to_vec(), node: None };
        let enter = Naming { folder: to.0, name: to.1.to_vec(), node: Some(node) };
        if from.0 == to.0 || self.is_folder(node) {
            self.step(Step::Names(vec![leave, enter], None));
        } else {
            let entering = self.steps.len();
            self.step(Step::Names(vec![enter], None));
            self.step(Step::Names(vec![leave], Some(entering)));
        }
    }

    /// What a power cut behind the first `count` steps may leave.
    pub fn crash(&self, count: usize, chance: &mut Chance) -> Tree {
        let steps = &self.steps[..count];
        let settled = settled(steps);
        let (names, data) = (Style::any(chance), Style::any(chance));
        let named = choose_names(steps, &settled, names, chance);
        let block = chance.one_of(&BLOCKS);
        let lengths = chance.percent(50);
        let junk = chance.percent(30);
        let mut nodes = self.first.clone();
        // Files whose length may be on the disk without their bytes.
        let mut longest = BTreeMap::<usize, usize>::new();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Sync { .. } | Step::Said(_) => {}
                Step::Names(..) => {
                    if named[number] {
                        apply(&mut nodes, step);
                    }
                }
                Step::Write { .. } | Step::Cut { .. } if settled[number] => apply(&mut nodes, step),
                Step::Cut { .. } => {
                    if data.keeps(chance) {
                        apply(&mut nodes, step);
                    }
                }
                Step::Write { node, at, bytes } => {
                    if lengths {
                        let longest = longest.entry(*node).or_default();
                        *longest = (*longest).max(at + bytes.len());
                    }
                    let (mut from, end) = (*at, at + bytes.len());
                    while from < end {
                        let to = end.min((from / block + 1) * block);
                        if data.keeps(chance) {
                            write(&mut nodes, *node, from, &bytes[from - at..to - at]);
                        }
                        from = to;
                    }
                }
            }
        }
        for (node, length) in longest {
            if let Node::File(bytes) = &mut nodes[node]
                && bytes.len() < length
                && chance.percent(50)
            {
                set_length(bytes, length, if junk { 0xb5 } else { 0 });
            }
        }
        Tree { paths: paths(&nodes), nodes }
    }
}

/// How much of what was not synced is there.
#[derive(Clone, Copy)]
enum Style {
    Nothing,
    Everything,
    Some { percent: usize },
}

impl Style {
    fn any(chance: &mut Chance) -> Style {
        match chance.below(6) {
            0 => Style::Nothing,
            1 => Style::Everything,
            _ => Style::Some { percent: chance.one_of(&[5, 50, 95]) },
        }
    }

    fn keeps(self, chance: &mut Chance) -> bool {
        match self {
            Style::Nothing => false,
            Style::Everything => true,
            Style::Some { percent } => chance.percent(percent),
        }
    }
}

/// Which steps are on the disk for certain.
fn settled(steps: &[Step]) -> Vec<bool> {
    // The last sync of each node that came behind a step is asked, from the end to the beginning.
    let mut before = HashMap::<usize, usize>::new();
    let mut settled = vec![false; steps.len()];
    // Names that a settled step has changed: what became of them earlier is settled as well.
    let mut names = HashSet::new();
    let mut needed = HashSet::<&usize>::new();
    for (number, step) in steps.iter().enumerate().rev() {
        let synced = |node: &usize| before.get(node).is_some_and(|&before| number < before);
        match step {
            Step::Sync { node, before: at } => {
                let before = before.entry(*node).or_default();
                *before = (*before).max(*at);
            }
            Step::Write { node, .. } | Step::Cut { node, .. } => settled[number] = synced(node),
            Step::Said(_) => {}
            Step::Names(namings, needs) => {
                settled[number] = needed.contains(&number)
                    || namings.iter().any(|naming| {
                        synced(&naming.folder) || names.contains(&(naming.folder, naming.name.as_slice()))
                    });
                if settled[number] {
                    names.extend(namings.iter().map(|naming| (naming.folder, naming.name.as_slice())));
                    needed.extend(needs);
                }
            }
        }
    }
    settled
}

/// Which changes of names are there: all that are settled, and of the others some.
fn choose_names(steps: &[Step], settled: &[bool], style: Style, chance: &mut Chance) -> Vec<bool> {
    let mut kept = vec![false; steps.len()];
    let mut lost = HashSet::new();
    for (number, step) in steps.iter().enumerate() {
        let Step::Names(namings, needs) = step else { continue };
        let name = |naming: &Naming| (naming.folder, naming.name.clone());
        let hangs = namings.iter().any(|naming| lost.contains(&name(naming)))
            || needs.is_some_and(|needed| !kept[needed]);
        kept[number] = settled[number] || (!hangs && style.keeps(chance));
        if !kept[number] {
            lost.extend(namings.iter().map(name));
        }
    }
    kept
}

fn apply(nodes: &mut [Node], step: &Step) {
    match step {
        Step::Names(namings, _) => {
            for Naming { folder, name, node } in namings {
                match node {
                    Some(node) => entries(nodes, *folder).insert(name.clone(), *node),
                    None => entries(nodes, *folder).remove(name),
                };
            }
        }
        Step::Write { node, at, bytes } => write(nodes, *node, *at, bytes),
        Step::Cut { node, length } => match &mut nodes[*node] {
            Node::File(bytes) => set_length(bytes, *length, 0),
            Node::Folder(_) => panic!("a folder is cut"),
        },
        Step::Sync { .. } | Step::Said(_) => {}
    }
}

fn write(nodes: &mut [Node], node: usize, at: usize, new: &[u8]) {
    let Node::File(bytes) = &mut nodes[node] else { panic!("a folder is written") };
    let end = at + new.len();
    if bytes.len() < end {
        set_length(bytes, at, 0);
        bytes.extend_from_slice(new);
    } else {
        bytes[at..end].copy_from_slice(new);
    }
}

/// `Vec::resize`, which takes its time where nothing is optimised.
fn set_length(bytes: &mut Vec<u8>, length: usize, fill: u8) {
    let more = length.saturating_sub(bytes.len());
    bytes.extend_from_slice(&vec![fill; more]);
    bytes.truncate(length);
}

fn entries(nodes: &mut [Node], folder: usize) -> &mut BTreeMap<Vec<u8>, usize> {
    match &mut nodes[folder] {
        Node::Folder(entries) => entries,
        Node::File(_) => panic!("a file is no folder"),
    }
}

/// What can be reached from the root.
fn paths(nodes: &[Node]) -> BTreeMap<Vec<u8>, usize> {
    let mut paths = BTreeMap::new();
    let mut ahead = vec![(Vec::new(), ROOT)];
    while let Some((path, folder)) = ahead.pop() {
        let Node::Folder(entries) = &nodes[folder] else { continue };
        for (name, &node) in entries {
            let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
            let path = [path.as_slice(), slash, name].concat();
            if matches!(nodes[node], Node::Folder(_)) {
                ahead.push((path.clone(), node));
            }
            paths.insert(path, node);
        }
    }
    paths
}

#[cfg(test)]
mod tests;
