//! What the hostile server says about its files: listings in both forms, facts of one file, sizes.

use super::misbehaviour::{Format, Misbehaviour};
use super::{FILE, Shared};

/// A listing or a file, piece by piece, so that it need not end.
pub(super) type Pieces = Box<dyn Iterator<Item = Vec<u8>>>;

/// What every file and folder says of its time.
pub(super) const TIME: &str = "20260102030405";

/// What a path leads to.
pub(super) enum Found {
    Folder,
    File(Vec<u8>),
}

impl Shared {
    pub(super) fn find(&self, path: &str) -> Option<Found> {
        let files = self.files.lock().unwrap();
        if let Some(bytes) = files.get(path) {
            return Some(Found::File(bytes.clone()));
        }
        let endless = matches!(
            self.misbehaviour,
            Misbehaviour::FoldersWithoutEnd | Misbehaviour::MillionEntries | Misbehaviour::EntriesWithoutEnd
        );
        let below = format!("{}/", path.trim_end_matches('/'));
        (endless || files.keys().any(|name| name.starts_with(&below))).then_some(Found::Folder)
    }

    /// The length that the server says a file has.
    pub(super) fn said_size(&self, bytes: &[u8]) -> u64 {
        let off = if let Misbehaviour::SizeOff(by) = self.misbehaviour { by } else { 0 };
        (bytes.len() as u64).saturating_add_signed(off)
    }

    pub(super) fn has_facts(&self) -> bool {
        !matches!(self.misbehaviour, Misbehaviour::Listing(Format::Long, _))
    }

    /// One line about a name, without its end.
    pub(super) fn line(&self, format: Format, name: &str, found: &Found) -> String {
        match (format, found) {
            (Format::Facts, Found::Folder) => format!("type=dir;modify={TIME}; {name}"),
            (Format::Facts, Found::File(bytes)) => {
                format!("type=file;size={};modify={TIME}; {name}", self.said_size(bytes))
            }
            (Format::Long, Found::Folder) => format!("drwxr-xr-x 2 user group 4096 Jan  2  2026 {name}"),
            (Format::Long, Found::File(bytes)) => {
                format!("-rw-r--r-- 1 user group {} Jan  2  2026 {name}", self.said_size(bytes))
            }
        }
    }

    /// The listing of a folder.
    pub(super) fn listing(&self, format: Format, path: &str) -> Pieces {
        let end = |line: String| line + "\r\n";
        let small = Found::File(vec![b'x'; 3]);
        let numbered = {
            let pattern = end(self.line(format, "entry-\u{1}", &small));
            move |number: u64| pattern.replace('\u{1}', &number.to_string()).into_bytes()
        };
        match &self.misbehaviour {
            Misbehaviour::Listing(_, bytes) if path == "/" => Box::new(std::iter::once(bytes.clone())),
            Misbehaviour::MillionEntries => gathered((0..1_000_000).map(numbered)),
            Misbehaviour::EntriesWithoutEnd => gathered((0..).map(numbered)),
            Misbehaviour::FoldersWithoutEnd => {
                Box::new(std::iter::once(end(self.line(format, "d", &Found::Folder)).into_bytes()))
            }
            _ => {
                let lines = self.children(path).into_iter();
                let lines: Vec<String> =
                    lines.map(|(name, found)| end(self.line(format, &name, &found))).collect();
                Box::new(lines.into_iter().map(String::into_bytes))
            }
        }
    }

    fn children(&self, path: &str) -> Vec<(String, Found)> {
        let below = format!("{}/", path.trim_end_matches('/'));
        let mut children: Vec<(String, Found)> = Vec::new();
        for (name, bytes) in self.files.lock().unwrap().iter() {
            let Some(rest) = name.strip_prefix(&below) else { continue };
            match rest.split_once('/') {
                None => children.push((rest.to_owned(), Found::File(bytes.clone()))),
                Some((folder, _)) if children.iter().all(|(name, _)| name != folder) => {
                    children.push((folder.to_owned(), Found::Folder));
                }
                Some(_) => (),
            }
        }
        children
    }

    /// A file from that byte on, in two halves.
    pub(super) fn download(&self, bytes: &[u8], from: usize) -> Pieces {
        if matches!(self.misbehaviour, Misbehaviour::DataWithoutEnd) {
            return Box::new(std::iter::repeat(vec![b'x'; 65_536]));
        }
        let rest = bytes.get(from..).unwrap_or_default();
        let (first, second) = rest.split_at(rest.len() / 2);
        Box::new([first.to_vec(), second.to_vec()].into_iter())
    }
}

/// Many small pieces as fewer large ones.
fn gathered(mut pieces: impl Iterator<Item = Vec<u8>> + 'static) -> Pieces {
    Box::new(std::iter::from_fn(move || {
        let large: Vec<u8> = pieces.by_ref().take(1000).flatten().collect();
        (!large.is_empty()).then_some(large)
    }))
}

/// A listing that holds [`FILE`] among lines of the test's choosing.
pub fn beside_the_file(format: Format, lines: &[&[u8]]) -> Vec<u8> {
    let name = FILE.trim_start_matches('/');
    let good = match format {
        Format::Facts => format!("type=file;size={};modify={TIME}; {name}", super::FILE_LENGTH),
        Format::Long => format!("-rw-r--r-- 1 user group {} Jan  2  2026 {name}", super::FILE_LENGTH),
    };
    let all = lines.iter().copied().chain([good.as_bytes()]);
    all.flat_map(|line| [line, b"\r\n".as_slice()].concat()).collect()
}
