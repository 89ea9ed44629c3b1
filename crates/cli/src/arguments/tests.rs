//! Are the flags consistent, and are they read as their help says?

use super::copy::{Pattern, Verify};
use super::*;
use clap::CommandFactory;

/// Every command that does something, with each of its long flags.
pub(crate) fn flags() -> Vec<(String, String)> {
    fn walk(command: &clap::Command, name: &str, found: &mut Vec<(String, String)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            walk(inner, &format!("{name} {}", inner.get_name()), found);
        }
        let long = command.get_arguments().filter_map(|argument| argument.get_long());
        found.extend(long.map(|long| (name.to_owned(), long.to_owned())));
    }
    let mut command = Arguments::command();
    command.build();
    let mut found = Vec::new();
    walk(&command, "carrack", &mut found);
    found
}

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

fn copy(line: &str) -> Copy {
    match parse(line).unwrap().command {
        Command::Talk(Talk::Cp(copy)) => *copy,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_folder_or_a_file() {
    for right in [
        "carrack serve .",
        "carrack serve --config c.toml",
        "carrack serve . --plaintext limit",
        "carrack serve . --passive-ports 50000",
    ] {
        parse(right).unwrap();
    }
    for wrong in [
        "carrack serve",
        "carrack serve . --config c.toml",
        "carrack serve --config c.toml --read-only",
        "carrack serve . --passive-ports 50000-50001",
        "carrack serve . --password secret",
        "carrack serve . --explicit localhost:2121",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn flags_that_contradict_one_another_are_refused() {
    for right in [
        "carrack ls ftpes://h --ca f",
        "carrack ls ftpes://h --trust-new -vv",
        "carrack ls ftpes://h --cert c --key k --tls 1.2",
        "carrack cp a b --append",
        "carrack cp a b c - --jobs 64 --retries 0 --timeout 86400",
        "carrack trust add h:21 --certificate f",
        "carrack trust add h:21 --yes --tls 1.3",
    ] {
        parse(right).unwrap_or_else(|error| panic!("{right}: {error}"));
    }
    for wrong in [
        "carrack ls",
        "carrack ls ftpes://h --ca f --trust-new",
        "carrack ls ftpes://h --pin 00",
        "carrack ls ftpes://h --key k",
        "carrack ls ftpes://h --tls 1.1",
        "carrack ls ftpes://h --timeout 0",
        "carrack ls ftpes://h -q -v",
        "carrack ls ftpes://h --password secret",
        "carrack cat --json ftpes://h/x",
        "carrack cp",
        "carrack cp a b --resume --no-resume",
        "carrack cp a b --append --resume",
        "carrack cp -r a b --append",
        "carrack cp a b --jobs 0",
        "carrack cp a b --jobs 65",
        "carrack cp a b --limit-rate 0",
        "carrack mv",
        "carrack trust add",
        "carrack trust add h:21 --key 00 --yes",
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn patterns_keep_the_order_in_which_they_were_said() {
    let [include, exclude] = [Pattern::Include, Pattern::Exclude];
    let said = |line: &str| copy(line).patterns.0;
    assert_eq!(said("carrack cp a b"), []);
    assert_eq!(
        said("carrack cp --exclude x a --include y --exclude=z b --include w"),
        [exclude("x".into()), include("y".into()), exclude("z".into()), include("w".into())]
    );
    assert_eq!(said("carrack cp --include y --exclude x a b"), [include("y".into()), exclude("x".into())]);
}

#[test]
fn what_is_not_said_has_its_default() {
    let copy = copy("carrack cp one two three");
    assert_eq!(copy.places, ["one", "two", "three"]);
    assert_eq!((copy.verify, copy.limit_rate), (Verify::Auto, None));
    assert!(copy.jobs > 0 && copy.retries > 0);
}

#[test]
fn fingerprints_are_taken_as_people_copy_them() {
    let bare = "ab".repeat(32);
    let colons = vec!["AB"; 32].join(":");
    let pin = |text: &str| match parse(&format!("carrack cp a b --pin {text}")).unwrap().command {
        Command::Talk(Talk::Cp(copy)) => copy.connection.trust.pin.unwrap().to_string(),
        other => panic!("{other:?}"),
    };
    for text in [&bare, &colons, &format!("SHA256:{bare}"), &format!("sha256:{colons}")] {
        assert_eq!(pin(text), colons);
    }
}

/// Every command says in its long help what it is about, and no group of flags says it in its place.
#[test]
fn every_command_says_what_it_is_about() {
    let mut command = Arguments::command();
    command.build();
    for (name, about) in [
        ("ls", "List folders"),
        ("cp", "Copy files and folders to a server, from one, or from one to another"),
        ("mv", "Rename or move files and folders of one server"),
        ("trust", "List, add and remove the servers whose keys are remembered"),
        ("serve", "Serve a folder over FTPS, or what a configuration file says"),
    ] {
        let found = command.find_subcommand(name).unwrap().get_about().unwrap().to_string();
        assert_eq!(found, about);
    }
}
