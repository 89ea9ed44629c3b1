//! `carrack completions`: what a shell needs to complete commands and flags.

use std::io::Write;

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::arguments::{self, Arguments};
use crate::exit::Failure;

/// Runs `carrack completions …`.
pub(crate) fn completions(shell: arguments::Shell) -> Result<(), Failure> {
    Ok(std::io::stdout().write_all(&script(shell))?)
}

fn script(shell: arguments::Shell) -> Vec<u8> {
    let generator = match shell {
        arguments::Shell::Bash => Shell::Bash,
        arguments::Shell::Zsh => Shell::Zsh,
        arguments::Shell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    generate(generator, &mut command, name, &mut script);
    if shell == arguments::Shell::Fish {
        deep_in_fish(&command, &mut Vec::new(), &mut script);
    }
    script
}

/// The generator for fish knows commands of commands and nothing beneath them: these are the flags of those beneath.
fn deep_in_fish<'c>(command: &'c Command, path: &mut Vec<&'c str>, script: &mut Vec<u8>) {
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        path.push(inner.get_name());
        deep_in_fish(inner, path, script);
        path.pop();
    }
    if path.len() <= 2 {
        return;
    }
    let seen: Vec<String> = path.iter().map(|name| format!("__fish_seen_subcommand_from {name}")).collect();
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long() else { continue };
        let value = if argument.get_action().takes_values() { " -r -F" } else { "" };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let line = format!(
            "complete -c carrack -n \"{}\" -l {long} -d '{}'{value}\n",
            seen.join("; and "),
            help.replace('\\', "\\\\").replace('\'', "\\'")
        );
        script.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::flags;
    use clap::ValueEnum;

    #[test]
    fn every_flag_of_every_command_is_completed() {
        for shell in arguments::Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for (command, flag) in flags() {
                // fish has its flags without the dashes, behind -l.
                let written =
                    if *shell == arguments::Shell::Fish { format!("-l {flag}") } else { format!("--{flag}") };
                assert!(script.contains(&written), "{shell:?}: {command} {written}");
            }
        }
    }

    /// Each shell that is installed reads its script.
    #[test]
    fn shells_take_their_scripts() {
        let dir = tempfile::tempdir().unwrap();
        for (shell, program, check) in [
            (arguments::Shell::Bash, "bash", "-n"),
            (arguments::Shell::Zsh, "zsh", "-n"),
            (arguments::Shell::Fish, "fish", "--no-execute"),
        ] {
            let file = dir.path().join(program);
            std::fs::write(&file, script(shell)).unwrap();
            match std::process::Command::new(program).arg(check).arg(&file).output() {
                Ok(output) => {
                    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr))
                }
                Err(_) => eprintln!("{program} is not installed"),
            }
        }
    }
}
