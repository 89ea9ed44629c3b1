//! An authority of one's own, and one of OpenSSL: what they issue is accepted or refused, and each refusal says why.

use carrack_tests::desk::{Desk, words};
use carrack_tests::programs::{Program, needs};
use carrack_tests::server::{Mode, program};
use carrack_tests::setup::{Setup, USER};
use serde_json::Value;

/// What OpenSSL's small authority is configured with.
const OPENSSL_CA: &str = "[ca]
default_ca = own
[own]
database = index.txt
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ossl-ca.pem
private_key = ossl-ca.key
default_md = sha256
default_days = 90
default_crl_days = 30
policy = any
copy_extensions = copy
x509_extensions = leaf
crl_extensions = crl
unique_subject = no
[any]
commonName = supplied
[leaf]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
[crl]
authorityKeyIdentifier = keyid
";

#[test]
fn openssl_accepts_what_the_authority_issues_until_it_is_revoked() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    assert_eq!(
        (desk.mode("CA"), desk.mode("CA/ca-key.pem"), desk.mode("CA/index.txt")),
        (0o700, 0o600, 0o600)
    );
    let text = desk.openssl("x509 -in CA/ca.pem -noout -text");
    assert!(text.contains("CA:TRUE, pathlen:0") && text.contains("Certificate Sign, CRL Sign"), "{text}");
    desk.cert("issue --ca CA --name ftp.example --days 30 --out server");
    desk.cert("issue --ca CA --name alice@example.org --subject Example_Alice --client --out alice");
    desk.openssl("verify -x509_strict -CAfile CA/ca.pem -purpose sslserver -verify_hostname ftp.example server/cert.pem");
    desk.openssl("verify -x509_strict -CAfile CA/ca.pem -purpose sslclient -verify_email alice@example.org alice/cert.pem");
    desk.run("openssl", "verify -CAfile CA/ca.pem -purpose sslserver alice/cert.pem").fails();
    assert_eq!(desk.read("server/cert.pem").matches("BEGIN CERTIFICATE").count(), 2, "with its chain");
    desk.openssl("x509 -in server/cert.pem -noout -checkend 2500000");
    desk.run("openssl", "x509 -in server/cert.pem -noout -checkend 2700000").fails();

    desk.cert("crl --ca CA --out list.pem");
    desk.openssl("verify -CAfile CA/ca.pem -CRLfile list.pem -crl_check alice/cert.pem");
    desk.cert("revoke --ca CA --reason key-compromise alice/cert.pem");
    desk.cert("crl --ca CA --out list.pem");
    let list = desk.openssl("crl -in list.pem -CAfile CA/ca.pem -noout -text");
    assert!(list.contains("verify OK") && list.contains("Key Compromise"), "{list}");
    let run = desk.run("openssl", "verify -CAfile CA/ca.pem -CRLfile list.pem -crl_check alice/cert.pem");
    assert!(run.fails().stderr.contains("certificate revoked"));
    desk.openssl("verify -CAfile CA/ca.pem -CRLfile list.pem -crl_check server/cert.pem");

    assert!(desk.refused(1, "revoke --ca CA alice/cert.pem").contains("revoked already"));
    assert!(desk.refused(1, "renew alice/cert.pem --ca CA").contains("revoked already"));
    assert!(desk.refused(1, "issue --ca CA --name x --out server").contains("is there already"));
    assert!(desk.refused(1, "issue --ca CA --name x --days 9000 --out y").contains("own certificate ends"));
    assert!(desk.refused(1, "ca init --dir CA --name Another").contains("CA holds an authority"));
    assert!(desk.refused(6, "issue --ca nowhere --name x --out y").contains("carrack cert ca init"));
    assert!(desk.refused(2, "revoke --ca CA --reason because server/cert.pem").contains("key-compromise"));
    desk.cert("self-signed --name stranger.example --out stranger");
    assert!(desk.refused(1, "revoke --ca CA stranger/cert.pem").contains("not issued by this authority"));
}

#[test]
fn what_openssl_issues_is_judged_with_every_reason() {
    let Some(desk) = Desk::new() else { return };
    desk.write("ca.cnf", OPENSSL_CA);
    desk.write("index.txt", "");
    desk.write("serial", "01\n");
    desk.write("crlnumber", "01\n");
    desk.openssl("req -x509 -newkey rsa:2048 -nodes -keyout ossl-ca.key -out ossl-ca.pem -subj /CN=ossl -days 900 -addext keyUsage=critical,keyCertSign,cRLSign");
    desk.openssl("req -new -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf -addext subjectAltName=DNS:leaf.example");
    desk.openssl("ca -batch -config ca.cnf -in leaf.csr -out leaf.pem -notext");
    desk.openssl("ca -config ca.cnf -gencrl -out before.crl");
    desk.openssl("ca -batch -config ca.cnf -in leaf.csr -out late.pem -notext -startdate 20200101000000Z -enddate 20210101000000Z");
    desk.openssl("ca -batch -config ca.cnf -in leaf.csr -out early.pem -notext -startdate 20480101000000Z -enddate 20490101000000Z");
    desk.openssl("ca -config ca.cnf -revoke leaf.pem");
    desk.openssl("ca -config ca.cnf -gencrl -out after.crl");
    desk.openssl("ca -config ca.cnf -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -out stale.crl");
    desk.authority();
    desk.cert("crl --ca CA --out other.crl");

    let judge = "verify --ca-file ossl-ca.pem";
    assert_eq!(
        desk.cert(&format!("{judge} --name leaf.example --crl before.crl leaf.pem")),
        "leaf.pem: accepted\n"
    );
    for (line, about, words) in [
        (
            "--name other.example leaf.pem",
            "name",
            "does not stand for \"other.example\" but for leaf.example",
        ),
        ("--client leaf.pem", "purpose", "not for clients but for servers"),
        ("late.pem", "time", "it ended at 2021-01-01T00:00:00Z"),
        ("early.pem", "time", "good only from 2048-01-01T00:00:00Z"),
        ("--crl after.crl leaf.pem", "revocation", "it was revoked"),
        ("--crl stale.crl leaf.pem", "revocation", "was to be replaced at 2020-02-01T00:00:00Z"),
        ("--crl other.crl leaf.pem", "revocation", "no revocation list given is by its authority"),
        ("CA/ca.pem", "chain", "self-signed"),
    ] {
        let said = desk.refused(4, &format!("{judge} {line}"));
        assert!(said.starts_with(about) && said.contains(words), "{line}: {said}");
        assert!(said.contains("would not be accepted, for one reason"), "{line}: {said}");
    }
    let said = desk.refused(4, "verify --ca-file CA/ca.pem leaf.pem");
    assert!(said.contains("its issuer is \"CN=ossl\""), "{said}");
    let said = desk.refused(4, "verify --json --ca-file CA/ca.pem --name x --client late.pem");
    let json: Value = serde_json::from_str(said.lines().next().unwrap()).unwrap();
    let about: Vec<&str> =
        json["faults"].as_array().unwrap().iter().map(|f| f["about"].as_str().unwrap()).collect();
    assert_eq!((about, &json["accepted"]), (vec!["time", "name", "chain", "purpose"], &false.into()));
    desk.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout twin.key -out twin.pem -subj /CN=ossl");
    assert!(
        desk.refused(4, "verify --ca-file twin.pem leaf.pem")
            .contains("was not made by the authority of that name")
    );

    desk.write("junk.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n");
    desk.write("junk.crl", "-----BEGIN X509 CRL-----\nMAMCAQE=\n-----END X509 CRL-----\n");
    for (line, at_fault) in [
        (format!("{judge} junk.pem"), "junk.pem: not an X.509 certificate"),
        (format!("{judge} leaf.key"), "leaf.key holds no certificate"),
        ("verify --ca-file junk.pem leaf.pem".to_owned(), "junk.pem: the authority's certificate 1"),
        (format!("{judge} --crl before.crl --crl junk.crl leaf.pem"), "junk.crl: revocation list 2"),
        (format!("{judge} --crl leaf.pem leaf.pem"), "leaf.pem: holds no revocation list"),
    ] {
        let said = desk.refused(1, &line);
        assert!(said.contains(at_fault), "{line}: {said}");
    }
    assert!(desk.refused(6, &format!("{judge} nothing.pem")).contains("nothing.pem is not there"));
}

#[test]
fn clients_believe_a_server_of_the_authority_and_no_other() {
    if !needs(&["curl", "openssl"]) {
        return;
    }
    let setup = Setup::new();
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    desk.cert("issue --ca CA --name localhost --out server");
    desk.cert("ca init --dir other --name Example_CA");
    let path = |name: &str| format!("{:?}", desk.path().join(name));
    let server = setup
        .option("tls", "certificate", &path("server/cert.pem"))
        .option("tls", "key", &path("server/key.pem"))
        .start();
    let place = format!("localhost:{}", server.address(Mode::Implicit).port());
    let curl = |ca: &str| {
        let login = format!("{USER}:{}", server.password());
        let flags = ["-q", "--silent", "--show-error", "--user", &login, "--cacert", ca];
        Program::new("curl").args(flags).arg(format!("ftps://{place}/")).folder(desk.path()).run()
    };
    curl("CA/ca.pem").ok();
    assert!(curl("other/ca.pem").fails().stderr.contains("certificate"));
    let ours = |ca: &str| {
        let url = format!("ftps://{USER}@{place}/");
        let run = Program::new(program()).args(["ls", "--ca", ca, &url]);
        run.env("CARRACK_PASSWORD", server.password()).folder(desk.path()).run()
    };
    ours("CA/ca.pem").ok();
    assert_eq!(ours("other/ca.pem").status.code(), Some(4));
    assert!(desk.cert(&format!("show ftps://{place}")).contains("CN=Example CA"));
}

#[test]
fn many_at_once_lose_nothing() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    let running: Vec<_> = (0..6)
        .map(|number| {
            let line = format!("cert issue --ca CA --name h{number}.example --out h{number}");
            Program::new(program()).args(words(&line)).folder(desk.path()).spawn()
        })
        .collect();
    running.into_iter().for_each(|running| drop(running.wait().ok()));
    let index = desk.read("CA/index.txt");
    for number in 0..6 {
        assert!(index.contains(&format!(" h{number}.example\n")), "{index}");
    }
}

#[test]
fn an_authority_of_openssl_goes_on_here() {
    let Some(desk) = Desk::new() else { return };
    desk.write("pw", "correct horse\n");
    desk.openssl(
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -aes-256-cbc -pass file:pw -out old.key",
    );
    desk.openssl("req -x509 -key old.key -passin file:pw -out old.pem -subj /CN=old -days 900 -addext keyUsage=critical,keyCertSign,cRLSign");
    desk.openssl("req -new -newkey ed25519 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf.example");
    desk.openssl(
        "x509 -req -in leaf.csr -CA old.pem -CAkey old.key -passin file:pw -set_serial 77 -out leaf.pem",
    );
    desk.cert("ca adopt --dir CA --certificate old.pem --key old.key --key-password-file pw");
    assert_eq!((desk.read("CA/ca-key.pem"), desk.mode("CA/ca-key.pem")), (desk.read("old.key"), 0o600));
    desk.cert("issue --ca CA --ca-password-file pw --name ftp.example --out server");
    desk.openssl("verify -x509_strict -CAfile old.pem -verify_hostname ftp.example server/cert.pem");
    desk.cert("revoke --ca CA --ca-password-file pw leaf.pem");
    desk.cert("crl --ca CA --ca-password-file pw --out list.pem");
    let run = desk.run("openssl", "verify -CAfile old.pem -CRLfile list.pem -crl_check leaf.pem");
    assert!(run.fails().stderr.contains("certificate revoked"));
    // One file with both: what is given to everybody has no key in it, and what holds the key is not written over.
    desk.openssl("pkey -in old.key -passin file:pw -out clear.key");
    desk.write("both.pem", format!("{}{}", desk.read("old.pem"), desk.read("clear.key")));
    desk.cert("ca adopt --dir other --certificate both.pem --key both.pem");
    desk.cert("issue --ca other --name ftp.example --out given");
    for public in ["other/ca.pem", "given/cert.pem"] {
        assert!(!desk.read(public).contains("PRIVATE KEY"), "{public}");
    }
    assert!(!desk.read("other/ca-key.pem").contains("BEGIN CERTIFICATE"));
    let before = desk.read("both.pem");
    assert!(desk.refused(1, "renew both.pem --key both.pem").contains("--out"));
    assert_eq!(desk.read("both.pem"), before);
    let said =
        desk.refused(1, "ca adopt --dir CA --certificate old.pem --key old.key --key-password-file pw");
    assert!(said.contains("CA holds an authority"), "{said}");
    let said = desk.refused(1, "ca adopt --dir x --certificate leaf.pem --key leaf.key");
    assert!(said.contains("leaf.pem: no authority can be made of it"), "{said}");
    let said = desk.refused(1, "ca adopt --dir x --certificate old.pem --key leaf.key");
    assert!(said.contains("not the certificate of that key"), "{said}");
    assert!(!desk.path().join("x").exists());
}
