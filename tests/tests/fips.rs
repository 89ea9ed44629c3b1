//! Does the program with the FIPS 140-3 module keep what it promises, and does the one without it promise nothing?
//!
//! What is offered here is offered to both programs: the ordinary one shows that the offer is sound, the other that it is refused.
//! `scripts/fips` runs this file over the program with the module.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use carrack_core::password::{Cost, hash_with};
use carrack_tests::client::Client;
use carrack_tests::pages::top;
use carrack_tests::programs::{EVERY_WAY, Program, Run, needs};
use carrack_tests::server::{Mode, Server, program, under_fips};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tree;
use serde_json::Value;

fn carrack(arguments: &[&str]) -> Program {
    Program::new(program()).args(arguments)
}

#[test]
fn the_program_says_which_module_is_in_it() {
    let text = carrack(&["version"]).run().ok().stdout;
    let said: Value = serde_json::from_str(&carrack(&["version", "--json"]).run().ok().stdout).unwrap();
    assert!(text.starts_with(&format!("carrack {}\n", said["version"].as_str().unwrap())), "{text}");
    assert_eq!(said["tls"]["library"], "rustls");
    if !under_fips() {
        assert!(text.contains("no module"), "{text}");
        assert_eq!(said["fips"], Value::Null);
        return;
    }
    assert!(text.contains("generation 3") && text.contains("CMVP certificate #5314"), "{text}");
    assert!(text.contains("FIPS mode: off"), "{text}");
    assert_eq!((&said["fips"]["certificate"], &said["fips"]["mode"]), (&"#5314".into(), &"off".into()));
    let on: Value =
        serde_json::from_str(&carrack(&["--fips", "version", "--json"]).run().ok().stdout).unwrap();
    assert_eq!(on["fips"]["mode"], "on");
    assert!(carrack(&["version", "--fips"]).run().ok().stdout.contains("FIPS mode: on"));
}

#[test]
fn without_the_module_nothing_is_promised() {
    if under_fips() {
        return;
    }
    for arguments in [
        &["version", "--fips"][..],
        &["serve", "--fips", "."],
        &["user", "hash", "--fips"],
        &["ls", "--fips", "ftpes://localhost:1/"],
        &["cert", "ca", "init", "--fips", "--dir", "ca", "--name", "x"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let run = carrack(arguments).folder(dir.path()).run().fails();
        assert!(run.stderr.contains("was built without a FIPS 140-3 module"), "{}", run.report());
        assert!(run.stderr.contains("scripts/fips release"), "{}", run.report());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{arguments:?} left something behind");
    }
}

#[test]
fn what_the_mode_does_not_approve_of_is_an_error_that_names_it() {
    if !under_fips() {
        return;
    }
    for (arguments, named) in [
        (&["ls", "--plaintext", "ftp://localhost:1/"][..], "--plaintext"),
        (&["ls", "--clear-data", "ftpes://localhost:1/"], "--clear-data"),
        (&["ls", "ftp://localhost:1/"], "ftp://"),
    ] {
        let run = carrack(arguments).args(["--fips"]).run().fails();
        assert_eq!(run.status.code(), Some(2), "{}", run.report());
        assert!(run.stderr.contains(named), "{}", run.report());
    }
    let short = carrack(&["user", "hash", "--fips"]).env("CARRACK_PASSWORD", "thirteenbytes").run().fails();
    assert!(short.stderr.contains("14 bytes"), "{}", short.report());

    let dir = tempfile::tempdir().unwrap();
    let served = dir.path().to_str().unwrap();
    let run = carrack(&["serve", "--fips", "--plaintext", "allow", "--state"]).arg(dir.path().join("state"));
    let run = run.arg(served).run().fails();
    assert!(run.stderr.contains("nobody is served without TLS"), "{}", run.report());
    // argon2id, as the same program makes it without the mode; the flag counts as the key does.
    let hash = carrack(&["user", "hash"]).env("CARRACK_PASSWORD", "a long pass phrase").run().ok().stdout;
    let text = example(dir.path(), hash.trim()).replace("fips = true\n", "");
    let file = dir.path().join("carrack.toml");
    fs::write(&file, text).unwrap();
    let check = || carrack(&["config", "check"]).arg(&file);
    check().run().ok();
    let run = check().arg("--fips").run().fails();
    assert!(run.stderr.contains("user[].password") && run.stderr.contains("\"alice\""), "{}", run.report());
}

/// `fips/carrack.toml` with stand-ins for what it names.
fn example(dir: &Path, hash: &str) -> String {
    let made = carrack(&["cert", "self-signed", "--name", "localhost", "--out"]);
    made.arg(dir.join("etc/carrack")).run().ok();
    fs::create_dir_all(dir.join("srv/alice")).unwrap();
    let mut text = fs::read_to_string(top().join("fips/carrack.toml")).unwrap();
    for folder in ["var", "etc", "srv"] {
        text = text.replace(&format!("\"/{folder}/"), &format!("\"{}/{folder}/", dir.display()));
    }
    text.replace("$pbkdf2-sha512$…", hash)
}

#[test]
fn the_documented_set_up_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("carrack.toml");
    // In the other build there is no program that makes one.
    let hash = hash_with(b"a long stand-in", Cost::APPROVED).unwrap();
    fs::write(&file, example(dir.path(), &hash)).unwrap();
    let run = carrack(&["config", "check"]).arg(&file).run();
    if under_fips() {
        run.ok();
    } else {
        let run = run.fails();
        assert!(run.stderr.contains("fips: this program was built without"), "{}", run.report());
        assert_eq!(run.stderr.matches("mend: ").count(), 1, "something else is wrong: {}", run.report());
    }
}

/// A handshake of `openssl s_client` that offers what it is told, and nothing else.
fn offer(server: &Server, offer: &[&str]) -> Run {
    let connect = server.address(Mode::Implicit).to_string();
    Program::new("openssl").args(["s_client", "-connect", &connect]).args(offer).input("").run()
}

#[test]
fn only_approved_offers_are_taken_up() {
    if !needs(&["openssl"]) {
        return;
    }
    let server = Setup::new().start();
    for approved in [
        &["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"][..],
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        &["-tls1_3", "-groups", "P-256"],
        &["-tls1_3", "-groups", "P-384"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384", "-groups", "P-256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
    ] {
        let run = offer(&server, approved).ok();
        assert!(run.stdout.contains("Cipher is"), "{}", run.report());
    }
    for other in [
        &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"][..],
        &["-tls1_3", "-groups", "X25519"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ] {
        let run = offer(&server, other);
        if under_fips() {
            assert!(run.fails().stderr.contains("handshake failure"), "{other:?}");
        } else {
            run.ok();
        }
    }
}

/// SP 800-52 rev. 2 and IG D.Q ask for RFC 7627 with TLS 1.2.
#[test]
fn tls_1_2_without_an_extended_master_secret_is_refused() {
    if !needs(&["openssl"]) {
        return;
    }
    let server = Setup::new().start();
    let settings = server.scratch().join("openssl.cnf");
    fs::write(
        &settings,
        "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = old\n[old]\nOptions = -ExtendedMasterSecret\n",
    )
    .unwrap();
    let connect = server.address(Mode::Implicit).to_string();
    let old = Program::new("openssl").args(["s_client", "-tls1_2", "-connect", &connect]);
    let run = old.env("OPENSSL_CONF", &settings).input("").run();
    if under_fips() {
        run.fails();
    } else {
        assert!(run.ok().stdout.contains("Extended master secret: no"));
    }
    let run = offer(&server, &["-tls1_2"]).ok();
    assert!(run.stdout.contains("Extended master secret: yes"), "{}", run.report());
}

/// Both ends are this program; data connections have to resume.
#[test]
fn our_own_client_moves_files_in_every_way() {
    let server = Setup::new().listen("data_tls_reuse = \"require\"").start();
    let local = tree::file(&server.scratch(), "local", 7, 3_000_000);
    for (mode, tls) in EVERY_WAY {
        let client = Client::new(&server.password()).flag("--trust-new").speaking(tls);
        let scheme = if mode == Mode::Explicit { "ftpes" } else { "ftps" };
        let name = format!("{mode:?}-{tls:?}");
        let url = format!("{scheme}://{USER}@{}/{name}", server.address(mode));
        client.run([OsStr::new("cp"), local.as_os_str(), OsStr::new(&url)]).ok();
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&server.home().join(&name)), "{name} up");
        let back = client.path("back");
        client.run([OsStr::new("cp"), OsStr::new(&url), back.as_os_str()]).ok();
        assert_eq!(tree::sha256_of(&local), tree::sha256_of(&back), "{name} down");
    }
    if under_fips() {
        let line = server.logs.wait_for_line("fips", |line| line.is("fips"));
        assert_eq!(line.text("certificate"), "#5314");
    }
}

/// One byte of the module's code is changed in a copy of the program: the test that it runs over itself before `main` finds it.
#[test]
fn an_altered_module_does_not_start() {
    if !under_fips() || !needs(&["nm", "readelf"]) {
        return;
    }
    let symbols = Program::new("nm").arg(program()).run().ok().stdout;
    let address = |name: &str| {
        let line = symbols.lines().find(|line| line.ends_with(&format!(" {name}")));
        let line = line.unwrap_or_else(|| panic!("no symbol {name}"));
        u64::from_str_radix(line.split(' ').next().unwrap(), 16).unwrap()
    };
    let (start, end) = (address("BORINGSSL_bcm_text_start"), address("BORINGSSL_bcm_text_end"));
    // `.text`'s address and place in the file, as readelf tells them on one line.
    let sections = Program::new("readelf").args(["--sections", "--wide"]).arg(program()).run().ok().stdout;
    let text = sections.lines().find(|line| line.contains(" .text ")).unwrap();
    let mut words = text.split_whitespace().skip_while(|word| *word != "PROGBITS").skip(1);
    let mut number = || u64::from_str_radix(words.next().unwrap(), 16).unwrap();
    let (loaded_at, stands_at) = (number(), number());
    let place = usize::try_from(start + (end - start) / 2 - loaded_at + stands_at).unwrap();

    let dir = tempfile::tempdir().unwrap();
    let altered = dir.path().join("carrack");
    fs::copy(program(), &altered).unwrap();
    Program::new(&altered).arg("version").run().ok();
    let mut bytes = fs::read(&altered).unwrap();
    bytes[place] ^= 1;
    fs::write(&altered, bytes).unwrap();
    let run = Program::new(&altered).arg("version").run().fails();
    assert!(run.stdout.is_empty() && run.stderr.contains("FIPS"), "{}", run.report());
}
