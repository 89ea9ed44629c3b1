//! How is a line of DOS's `dir` read, as IIS prints it?
//!
//! ```text
//!    11-22-26  03:10PM       <DIR>          name with spaces
//!    11-22-26  03:10PM            1,234,567 name with spaces
//!    └──────┬────────┘       └─────┬──────┘ └───────┬──────┘
//!         date           tag or size, 15 wide     the rest of the line
//! ```

use super::super::entry::EntryKind;
use super::super::facts::Facts;
use super::super::moment::decimal;
use super::date::{self, is_blank, word};

/// Width of `<DIR>` and the spaces behind it, and of every other tag with its spaces.
const TAG_WIDTH: usize = 15;

/// Longest size with separators that is looked at: 2^64 has 20 digits and 6 separators.
const SIZE_WIDTH: usize = 26;

/// The name in the line, which is not checked yet, and everything else.
pub(super) fn read(line: &[u8]) -> Option<(&[u8], Facts)> {
    let (modified, behind) = date::dos(line)?;
    let (column, behind_column) = word(behind)?;
    let facts = Facts { modified: Some(modified), ..Facts::default() };
    if let [b'<', .., b'>'] = column {
        // Who pads less has the name at the first byte that is no blank; who pads as IIS does may have names that begin
        // with one.
        let padding = behind_column.iter().take(TAG_WIDTH.saturating_sub(column.len()));
        let blanks = padding.take_while(|byte| is_blank(**byte)).count();
        let folder = column.eq_ignore_ascii_case(b"<DIR>");
        // A junction or symbolic link (`<JUNCTION>`, `<SYMLINKD>`) tells neither where it leads nor to what.
        let kind = if folder { EntryKind::Folder } else { EntryKind::Other };
        return Some((behind_column.get(blanks..)?, Facts { kind, ..facts }));
    }
    let size = Some(grouped(column)?);
    let name = behind_column.get(1..).unwrap_or_default();
    Some((name, Facts { kind: EntryKind::File, size, ..facts }))
}

/// `1234567`, `1,234,567` or `1.234.567`.
fn grouped(column: &[u8]) -> Option<u64> {
    if let Some(plain) = decimal(column) {
        return Some(plain);
    }
    let separator = column.iter().copied().find(|byte| matches!(byte, b',' | b'.'))?;
    let mut groups = column.split(|&byte| byte == separator);
    let first = groups.next().is_some_and(|group| (1..=3).contains(&group.len()));
    if column.len() > SIZE_WIDTH || !first || !groups.all(|group| group.len() == 3) {
        return None;
    }
    let digits: Vec<u8> = column.iter().copied().filter(|&byte| byte != separator).collect();
    decimal(&digits)
}
