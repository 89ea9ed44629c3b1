//! What did a program ask of the disk? Read from strace, for the files and folders beneath one folder.
//!
//! What cannot be read here panics: a call that is passed over would make the disk safer than it is.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::disk::{Disk, Naming, ROOT, Step};

/// What strace is started with, beside the file that it writes: it watches from outside of the program's own processes.
pub const STRACE: [&str; 6] = ["strace", "-D", "-f", "-v", "-xx", "--string-limit=4000000"];

/// The calls that it watches.
pub const CALLS: &str = "trace=open,openat,openat2,creat,close,dup,dup2,dup3,fcntl,read,lseek,write,pwrite64,writev,pwritev,\
    pwritev2,ftruncate,fallocate,copy_file_range,sendfile,splice,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,\
    mkdir,mkdirat,fsync,fdatasync,sync,syncfs,statx,sendto,sendmsg,clone,clone3,fork,vfork";

/// An open file of the program.
#[derive(Clone, Copy, Debug)]
struct Open {
    node: usize,
    /// Where it goes on. Of duplicates each has its own here, which nobody uses.
    offset: usize,
    appends: bool,
}

/// Which files are open in one process.
type Table = HashMap<i64, Open>;

/// A call that has begun.
struct Begun {
    text: String,
    /// How many steps there were by then.
    steps: usize,
}

/// A run of a program, taken up line by line.
struct Run<'a> {
    disk: &'a mut Disk,
    root: &'a [u8],
    tables: Vec<Table>,
    /// Each thread's table.
    of: HashMap<i64, usize>,
    begun: HashMap<i64, Begun>,
}

/// Does to the disk what a program did whose trace this is; `root` is where the disk's root was.
pub fn replay(disk: &mut Disk, root: &Path, trace: &str) {
    let root = root.as_os_str().as_bytes();
    let mut run = Run { disk, root, tables: vec![Table::new()], of: HashMap::new(), begun: HashMap::new() };
    for line in trace.lines() {
        run.line(line);
    }
}

impl Run<'_> {
    fn line(&mut self, line: &str) {
        let (thread, rest) = line.split_once(' ').expect("a thread and what it did");
        let thread: i64 = thread.parse().expect("a thread");
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            return;
        }
        if let Some(rest) = rest.strip_prefix("<... ") {
            let (_, end) = rest.split_once(" resumed>").expect("a call that goes on");
            let Begun { text, steps } = self.begun.remove(&thread).expect("a call that has begun");
            return self.ended(thread, &(text + end), steps);
        }
        let steps = self.disk.steps.len();
        let unfinished = rest.strip_suffix(" <unfinished ...>");
        self.begins(thread, unfinished.unwrap_or(rest));
        match unfinished {
            Some(text) => {
                self.begun.insert(thread, Begun { text: text.to_owned(), steps });
            }
            None => self.ended(thread, rest, steps),
        }
    }

    /// What counts from the beginning of a call on: what is sent may arrive, and a number that is closed may be given again.
    fn begins(&mut self, thread: i64, text: &str) {
        let (name, arguments) = split(text);
        match name {
            "close" => {
                self.table(thread).remove(&number(arguments[0]));
            }
            "write" | "writev" | "sendto" if self.open_file(thread, arguments[0]).is_none() => {
                for line in replies(&payload(name, &arguments)) {
                    self.disk.step(Step::Said(line));
                }
            }
            _ => {}
        }
    }

    fn table(&mut self, thread: i64) -> &mut Table {
        // One that nobody has told of yet was just made, by a call that has not come back.
        let pending = self.begun.iter().find(|(_, begun)| is_fork(&begun.text));
        let table = match (self.of.get(&thread), pending) {
            (Some(&table), _) => table,
            (None, Some((parent, begun))) => self.table_of_child(*parent, &begun.text.clone()),
            (None, None) => 0,
        };
        self.of.insert(thread, table);
        &mut self.tables[table]
    }

    fn table_of_child(&mut self, parent: i64, call: &str) -> usize {
        let table = self.of.get(&parent).copied().unwrap_or(0);
        if call.contains("CLONE_FILES") {
            return table;
        }
        self.tables.push(self.tables[table].clone());
        self.tables.len() - 1
    }

    fn open_file(&mut self, thread: i64, descriptor: &str) -> Option<Open> {
        self.table(thread).get(&number(descriptor)).copied()
    }

    fn ended(&mut self, thread: i64, text: &str, begun: usize) {
        let (name, arguments) = split(text);
        let result = text.rsplit_once(") ").and_then(|(_, end)| end.trim_start().strip_prefix("= "));
        let result = result.and_then(|result| result.split_whitespace().next());
        let Some(result) = result.and_then(value).filter(|result| *result >= 0) else { return };
        if is_fork(text) {
            if !self.of.contains_key(&result) {
                let table = self.table_of_child(thread, text);
                self.of.insert(result, table);
            }
            return;
        }
        match name {
            "open" | "creat" => {
                self.opened(thread, "AT_FDCWD", arguments[0], arguments.get(1).copied(), result)
            }
            "openat" | "openat2" => {
                self.opened(thread, arguments[0], arguments[1], Some(arguments[2]), result)
            }
            "dup" | "dup2" | "dup3" => self.duplicated(thread, arguments[0], result),
            "fcntl" if arguments[1].starts_with("F_DUPFD") => self.duplicated(thread, arguments[0], result),
            "mkdir" => self.made_folder(thread, "AT_FDCWD", arguments[0]),
            "mkdirat" => self.made_folder(thread, arguments[0], arguments[1]),
            "unlink" | "rmdir" => self.removed(thread, "AT_FDCWD", arguments[0]),
            "unlinkat" => self.removed(thread, arguments[0], arguments[1]),
            "rename" => self.renamed(thread, ["AT_FDCWD", arguments[0], "AT_FDCWD", arguments[1]]),
            "renameat" | "renameat2" => {
                assert!(!text.contains("RENAME_EXCHANGE"), "{text}");
                self.renamed(thread, [arguments[0], arguments[1], arguments[2], arguments[3]]);
            }
            "link" => self.linked(thread, ["AT_FDCWD", arguments[0], "AT_FDCWD", arguments[1]]),
            "linkat" => self.linked(thread, [arguments[0], arguments[1], arguments[2], arguments[3]]),
            "sync" | "syncfs" => panic!("what is synced by {text} is not known"),
            "copy_file_range" => self.copied(thread, &arguments, result),
            "sendfile" | "splice" => {
                let to = if name == "sendfile" { 0 } else { 2 };
                assert!(self.open_file(thread, arguments[to]).is_none(), "{text}");
            }
            "clone" | "clone3" | "fork" | "vfork" | "fcntl" | "close" => {}
            _ => self.with_file(thread, name, &arguments, result, begun),
        }
    }

    /// A call about one open file.
    fn with_file(&mut self, thread: i64, name: &str, arguments: &[&str], result: i64, before: usize) {
        let Some(open) = self.open_file(thread, arguments[0]) else { return };
        let node = open.node;
        let count = usize::try_from(result).unwrap();
        let mut offset = open.offset;
        match name {
            "read" => offset += count,
            "lseek" => offset = count,
            "write" | "writev" => {
                let at = if open.appends { self.disk.length(node) } else { offset };
                self.wrote(node, at, payload(name, arguments), count);
                offset = at + count;
            }
            "pwrite64" | "pwritev" | "pwritev2" => {
                // An open for appending writes at the end, whatever place is named (`pwrite(2)`, BUGS).
                let named = usize::try_from(number(arguments[3])).unwrap();
                let at = if open.appends { self.disk.length(node) } else { named };
                self.wrote(node, at, payload(name, arguments), count);
            }
            "ftruncate" => {
                let length = usize::try_from(number(arguments[1])).unwrap();
                self.disk.step(Step::Cut { node, length });
            }
            "fsync" | "fdatasync" => self.disk.step(Step::Sync { node, before }),
            "statx" if arguments[1] == "\"\"" => {
                let inode = arguments[4].split("stx_ino=").nth(1).expect("an inode");
                self.disk.inodes.insert(node, number(inode.split(',').next().unwrap()).try_into().unwrap());
            }
            "statx" => {}
            _ => panic!("{name} of a file is not known"),
        }
        if let Some(open) = self.table(thread).get_mut(&number(arguments[0])) {
            open.offset = offset;
        }
    }

    fn wrote(&mut self, node: usize, at: usize, mut bytes: Vec<u8>, count: usize) {
        assert!(count <= bytes.len(), "the trace lacks bytes");
        bytes.truncate(count);
        if count > 0 {
            self.disk.step(Step::Write { node, at, bytes });
        }
    }

    /// `copy_file_range`, from where both files are.
    fn copied(&mut self, thread: i64, arguments: &[&str], result: i64) {
        let (from, to) = (self.open_file(thread, arguments[0]), self.open_file(thread, arguments[2]));
        let (Some(from), Some(to)) = (from, to) else { return assert!(to.is_none(), "from outside") };
        assert_eq!((arguments[1], arguments[3]), ("NULL", "NULL"));
        let count = usize::try_from(result).unwrap();
        let bytes = self.disk.bytes(from.node)[from.offset..from.offset + count].to_vec();
        self.wrote(to.node, to.offset, bytes, count);
        for number in [number(arguments[0]), number(arguments[2])] {
            self.table(thread).entry(number).and_modify(|open| open.offset += count);
        }
    }

    fn opened(&mut self, thread: i64, at: &str, path: &str, flags: Option<&str>, result: i64) {
        let flags = flags.unwrap_or("O_CREAT|O_TRUNC");
        let place = self.place(thread, at, &bytes(path));
        let node = match place {
            Place::Outside => None,
            Place::Node(folder) if flags.contains("O_TMPFILE") => {
                assert!(self.disk.is_folder(folder));
                Some(self.disk.make(false))
            }
            Place::Node(node) => Some(node),
            Place::Name(folder, name) => match self.disk.lookup(folder, &name) {
                None if flags.contains("O_CREAT") => Some(self.named(folder, name, false)),
                found => found,
            },
        };
        if let Some(node) = node.filter(|_| flags.contains("O_TRUNC"))
            && self.disk.length(node) > 0
        {
            self.disk.step(Step::Cut { node, length: 0 });
        }
        let appends = flags.contains("O_APPEND");
        let table = self.table(thread);
        match node {
            Some(node) => table.insert(result, Open { node, offset: 0, appends }),
            None => table.remove(&result),
        };
    }

    fn duplicated(&mut self, thread: i64, of: &str, result: i64) {
        match self.open_file(thread, of) {
            Some(open) => self.table(thread).insert(result, open),
            None => self.table(thread).remove(&result),
        };
    }

    /// Makes a file or folder under a name.
    fn named(&mut self, folder: usize, name: Vec<u8>, is_folder: bool) -> usize {
        let node = self.disk.make(is_folder);
        self.disk.step(Step::Names(vec![Naming { folder, name, node: Some(node) }], None));
        node
    }

    fn made_folder(&mut self, thread: i64, at: &str, path: &str) {
        if let Place::Name(folder, name) = self.place(thread, at, &bytes(path)) {
            self.named(folder, name, true);
        }
    }

    fn removed(&mut self, thread: i64, at: &str, path: &str) {
        if let Place::Name(folder, name) = self.place(thread, at, &bytes(path))
            && self.disk.lookup(folder, &name).is_some()
        {
            self.disk.step(Step::Names(vec![Naming { folder, name, node: None }], None));
        }
    }

    fn renamed(&mut self, thread: i64, [from_at, from, to_at, to]: [&str; 4]) {
        let from = self.place(thread, from_at, &bytes(from));
        let to = self.place(thread, to_at, &bytes(to));
        match (from, to) {
            // A socket: nothing of it outlives its program.
            (Place::Name(from, name), Place::Name(..)) if self.disk.lookup(from, &name).is_none() => {}
            (Place::Name(from, from_name), Place::Name(to, to_name)) => {
                self.disk.rename((from, &from_name), (to, &to_name));
            }
            (Place::Outside, Place::Outside) => {}
            _ => panic!("a rename into the folder or out of it"),
        }
    }

    fn linked(&mut self, thread: i64, [from_at, from, to_at, to]: [&str; 4]) {
        let node = match self.place(thread, from_at, &bytes(from)) {
            Place::Node(node) => Some(node),
            Place::Name(folder, name) => self.disk.lookup(folder, &name),
            Place::Outside => None,
        };
        if let Place::Name(folder, name) = self.place(thread, to_at, &bytes(to)) {
            assert!(node.is_some(), "a link to something outside");
            self.disk.step(Step::Names(vec![Naming { folder, name, node }], None));
        }
    }

    /// Where a path leads, without its last name.
    fn place(&mut self, thread: i64, at: &str, path: &[u8]) -> Place {
        if let Some(number) = path.strip_prefix(b"/proc/self/fd/") {
            let number = std::str::from_utf8(number).unwrap();
            return self.open_file(thread, number).map_or(Place::Outside, |open| Place::Node(open.node));
        }
        let (mut node, rest) = if path.starts_with(b"/") {
            match path.strip_prefix(self.root) {
                Some(rest) if rest.is_empty() || rest.starts_with(b"/") => (ROOT, rest),
                _ => return Place::Outside,
            }
        } else {
            match (at, self.open_file(thread, at)) {
                ("AT_FDCWD", _) | (_, None) => return Place::Outside,
                (_, Some(open)) => (open.node, path),
            }
        };
        let mut names: Vec<_> = rest.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        names.retain(|name| *name != b".");
        let Some(last) = names.pop() else { return Place::Node(node) };
        for name in names {
            match self.disk.lookup(node, name) {
                Some(inside) => node = inside,
                None => return Place::Outside,
            }
        }
        Place::Name(node, last.to_vec())
    }
}

/// Where a path leads.
enum Place {
    /// Away from the folder that is watched.
    Outside,
    /// To this file or folder itself.
    Node(usize),
    /// To a name, of something or nothing.
    Name(usize, Vec<u8>),
}

fn is_fork(text: &str) -> bool {
    ["clone(", "clone3(", "fork(", "vfork("].iter().any(|call| text.starts_with(call))
}

/// A call's name and its arguments.
fn split(text: &str) -> (&str, Vec<&str>) {
    let (name, rest) = text.split_once('(').expect("a call");
    let (mut arguments, mut depth, mut from, mut at) = (Vec::new(), 0_usize, 0, 0);
    let bytes = rest.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            // A string, which has no quotes in it, may be long.
            b'"' => at += 1 + rest[at + 1..].find('"').expect("the end of a string"),
            b'{' | b'[' | b'(' => depth += 1,
            b')' if depth == 0 => break,
            b'}' | b']' | b')' => depth -= 1,
            b',' if depth == 0 => {
                arguments.push(rest[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    arguments.push(rest[from..at].trim());
    (name, arguments)
}

fn value(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A number; what is none, such as `AT_FDCWD`, is no descriptor.
fn number(text: &str) -> i64 {
    value(text).unwrap_or(-1)
}

/// The bytes of a string, which are all written as `\xNN`.
fn bytes(text: &str) -> Vec<u8> {
    assert!(!text.ends_with("..."), "the trace cuts strings");
    let digits = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
    let text = text.trim_matches('"').as_bytes();
    text.chunks(4).map(|byte| digits(byte[2]) << 4 | digits(byte[3])).collect()
}

/// What a call writes.
fn payload(name: &str, arguments: &[&str]) -> Vec<u8> {
    match name {
        "writev" | "pwritev" | "pwritev2" => {
            assert!(!arguments[1].contains("..."), "the trace cuts strings");
            arguments[1].split("iov_base=").skip(1).flat_map(|piece| bytes(quoted(piece))).collect()
        }
        _ => bytes(arguments[1]),
    }
}

fn quoted(text: &str) -> &str {
    let end = text.get(1..).and_then(|rest| rest.find('"')).expect("a string");
    &text[..end + 2]
}

/// The codes of the replies that were sent in clear (RFC 959 §4.2).
fn replies(sent: &[u8]) -> Vec<u16> {
    let Ok(text) = std::str::from_utf8(sent) else { return Vec::new() };
    if !text.ends_with("\r\n") {
        return Vec::new();
    }
    let code = |line: &str| line.get(3..4).filter(|rest| *rest == " ").and_then(|_| line[..3].parse().ok());
    text.lines().filter_map(code).collect()
}

#[cfg(test)]
mod tests;
