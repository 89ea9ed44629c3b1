//! `carrack manual`: the manual pages, one for each command.

use std::path::Path;

use clap::CommandFactory;

use crate::arguments::Arguments;
use crate::exit::Failure;

/// Runs `carrack manual …`.
pub(crate) fn manual(folder: &Path) -> Result<(), Failure> {
    let written =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    written.map_err(|error| {
        Failure::failed(format!("the pages cannot be written to {}: {error}", folder.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::flags;

    #[test]
    fn every_command_has_its_page_with_every_flag() {
        let dir = tempfile::tempdir().unwrap();
        manual(&dir.path().join("man1")).unwrap();
        let mut pages = 0;
        for (command, flag) in flags() {
            let page = dir.path().join("man1").join(format!("{}.1", command.replace(' ', "-")));
            let text =
                std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
            // roff has an escape for hyphens.
            assert!(text.replace("\\-", "-").contains(&format!("--{flag}")), "{command} --{flag}");
            pages += 1;
        }
        assert!(pages > 100, "{pages}");
    }
}
