//! Is every damaged certificate, key, request, list and bundle an error that names the file and what was expected, and does
//! none of them make the program fall, or tell a part of a key?

use std::fs;

use carrack_tests::desk::Desk;
use carrack_tests::programs::Run;
use carrack_tests::server::program;
use carrack_tests::setup::password_hash;

/// The file that is damaged, whose name every error has.
const DAMAGED: &str = "damaged.pem";

/// Places at which each file is damaged in each way.
const PLACES: usize = 7;

/// A file that is read, and the commands that read it.
struct Case {
    file: &'static str,
    commands: &'static [&'static str],
    /// Whether a flipped bit is always found: it is where a code or a signature over the whole is checked.
    flips: Flips,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flips {
    AlwaysFound,
    /// As the signature of a certificate that is only shown, or a bit that stands beside what a request's signature covers.
    MayMeanSomethingElse,
}

const CASES: &[Case] = &[
    Case {
        file: "server/cert.pem",
        commands: &[
            "cert show damaged.pem",
            "cert fingerprint damaged.pem",
            "cert verify --ca-file damaged.pem server/cert.pem",
            "config check --config certificate.toml",
            "config check --config partners.toml",
        ],
        flips: Flips::MayMeanSomethingElse,
    },
    Case {
        file: "server/leaf.pem",
        commands: &["cert verify --ca-file CA/ca.pem damaged.pem"],
        flips: Flips::AlwaysFound,
    },
    Case {
        file: "server/key.pem",
        commands: &[
            "cert export server/cert.pem --key damaged.pem --password-file pw --out made",
            "config check --config key.toml",
        ],
        flips: Flips::MayMeanSomethingElse,
    },
    Case {
        file: "encrypted.pem",
        commands: &[
            "cert export server/cert.pem --key damaged.pem --key-password-file pw --password-file pw --out made",
        ],
        flips: Flips::MayMeanSomethingElse,
    },
    Case {
        file: "asked/request.pem",
        commands: &["cert show damaged.pem", "cert issue --ca CA --request damaged.pem --out made"],
        flips: Flips::MayMeanSomethingElse,
    },
    Case {
        file: "revoked.pem",
        commands: &["cert verify --ca-file CA/ca.pem --crl damaged.pem server/cert.pem"],
        flips: Flips::AlwaysFound,
    },
    Case {
        file: "bundle.p12",
        commands: &["cert import damaged.pem --password-file pw --out made"],
        flips: Flips::AlwaysFound,
    },
];

fn desk() -> Option<Desk> {
    let desk = Desk::new()?;
    desk.write("pw", "sesame\n");
    desk.authority();
    desk.cert("issue --ca CA --name ftp.example --out server");
    let chain = desk.read("server/cert.pem");
    let end = chain.find("-----END").unwrap();
    desk.write("server/leaf.pem", &chain[..end + "-----END CERTIFICATE-----\n".len()]);
    desk.cert("request --name ftp.example --out asked");
    desk.cert("crl --ca CA --out revoked.pem");
    // One round: it is not the password that is tried here.
    desk.openssl("pkcs8 -topk8 -in server/key.pem -passout file:pw -iter 1 -out encrypted.pem");
    desk.openssl(
        "pkcs12 -export -in server/cert.pem -inkey server/key.pem -passout file:pw -iter 1 -out bundle.p12",
    );
    let user = format!("[[user]]\nname = \"alice\"\nhome = \"home\"\npassword = {:?}\n", password_hash("x"));
    fs::create_dir(desk.path().join("home")).unwrap();
    let listen = format!("state = \"state\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n{user}");
    for (name, certificate, key) in
        [("certificate", DAMAGED, "server/key.pem"), ("key", "server/cert.pem", DAMAGED)]
    {
        let tls = format!("[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        desk.write(&format!("{name}.toml"), format!("{listen}{tls}"));
    }
    desk.write("partners.toml", format!("{listen}[fxp]\npartners = [\"192.0.2.0/24\"]\nca = {DAMAGED:?}\n"));
    Some(desk)
}

impl Case {
    /// Runs each command over a damaged file, and checks what must hold of every end.
    fn read(&self, desk: &Desk, secret: &[String], damage: &str, bytes: &[u8]) -> Vec<Run> {
        let run = |command: &&str| {
            desk.write(DAMAGED, bytes);
            let made = desk.path().join("made");
            let _ = fs::remove_file(&made).or_else(|_| fs::remove_dir_all(&made));
            let run = desk.run(program(), command);
            let said = format!("{}{}", run.stdout, run.stderr);
            let about = format!("{command} of {}, {damage}: {}", self.file, run.report());
            assert!(matches!(run.status.code(), Some(0 | 1 | 4)), "{about}");
            assert!(!said.contains("panicked"), "{about}");
            if !run.status.success() {
                // Where the rest of what was asked cannot be, such as an authority that is another one now, the file is
                // not at fault.
                assert!(said.contains(DAMAGED) || run.status.code() == Some(4), "{about}");
                assert!(!said.contains("[45, 45"), "bytes in decimals: {about}");
            }
            let told = secret.iter().find(|part| said.contains(part.as_str()));
            assert_eq!(told, None, "a part of a key: {about}");
            run
        };
        self.commands.iter().map(run).collect()
    }
}

/// Every part of the keys that is long enough to be told from chance, as their files have it.
fn secret(desk: &Desk) -> Vec<String> {
    let keys =
        ["server/key.pem", "encrypted.pem", "asked/key.pem", "CA/ca-key.pem"].map(|name| desk.read(name));
    let lines = keys.iter().flat_map(|key| key.lines()).filter(|line| !line.starts_with('-'));
    lines
        .flat_map(|line| line.as_bytes().chunks_exact(12))
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

#[test]
fn what_is_cut_is_an_error_that_names_the_file() {
    let Some(desk) = desk() else { return };
    let secret = secret(&desk);
    for case in CASES {
        let whole = fs::read(desk.path().join(case.file)).unwrap();
        let runs = case.read(&desk, &secret, "whole", &whole);
        for run in runs {
            run.ok();
        }
        // The last line end is no loss.
        let length = whole.len() - 2;
        for at in (0..PLACES).map(|place| length * place / (PLACES - 1)) {
            for run in case.read(&desk, &secret, &format!("cut at {at}"), &whole[..at]) {
                assert!(!run.status.success(), "{} cut at {at}: {}", case.file, run.report());
                let mend = ["; ", "copy", "must be", "mend:"].iter().any(|mend| run.stderr.contains(mend));
                assert!(mend, "what was expected? {}", run.report());
            }
        }
    }
}

#[test]
fn a_flipped_bit_is_found_or_harmless() {
    let Some(desk) = desk() else { return };
    let secret = secret(&desk);
    for case in CASES {
        let whole = fs::read(desk.path().join(case.file)).unwrap();
        // Neither the labels nor the line ends, which may be other ones.
        let (first, last) = (40, whole.len() - 40);
        for place in 0..PLACES {
            let at = first + (last - first) * place / PLACES;
            let at = (at..last).find(|at| !whole[*at].is_ascii_whitespace()).unwrap();
            let mut bytes = whole.clone();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            for run in case.read(&desk, &secret, &format!("changed at {at}"), &bytes) {
                let found = !run.status.success() || case.flips == Flips::MayMeanSomethingElse;
                assert!(found, "{} changed at {at}: {}", case.file, run.report());
            }
        }
    }
}

#[test]
fn what_is_something_else_or_too_much_is_an_error() {
    let Some(desk) = desk() else { return };
    let secret = secret(&desk);
    let key = desk.read("server/key.pem");
    let (first, rest) = key.split_once('\n').unwrap();
    let blank = format!("{first}\n{}", rest.replacen('\n', "\n\n", 1));
    let unended =
        format!("{first}{rest}").replace("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY----");
    let many = desk.read("server/cert.pem").replace("-----\n", "-----\n\n\n").repeat(50);
    let wrongs: [(&str, &[u8]); 5] = [
        ("empty", b""),
        ("zeros", &[0; 4096]),
        ("no PEM", b"certificate = 1\n"),
        ("no UTF-8", b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----\n"),
        ("a length of gigabytes", b"\x30\x84\x7f\xff\xff\xff\x02\x01\x03"),
    ];
    for case in CASES {
        for (damage, bytes) in wrongs {
            for run in case.read(&desk, &secret, damage, bytes) {
                assert!(!run.status.success(), "{}, {damage}: {}", case.file, run.report());
            }
        }
        // One reader minds them and another does not; neither quotes them.
        case.read(&desk, &secret, "a key with a blank line", blank.as_bytes());
        case.read(&desk, &secret, "a key in one line, without its last dash", unended.as_bytes());
    }
    // Text between sections is allowed (RFC 7468 §5.2), and many sections are read in time.
    desk.write(DAMAGED, many);
    desk.run(program(), "cert show damaged.pem").ok();
}
