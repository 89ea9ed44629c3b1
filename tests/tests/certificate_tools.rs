//! `carrack cert` and the `openssl` program: each reads the keys, requests and files that the other makes.

use carrack_tests::desk::Desk;
use serde_json::Value;

#[test]
fn openssl_reads_every_key_and_self_signed_certificate() {
    let Some(desk) = Desk::new() else { return };
    for (kind, said) in [
        ("ecdsa-p256", "P-256"),
        ("ecdsa-p384", "P-384"),
        ("ed25519", "ED25519"),
        ("rsa-2048", "2048 bit"),
        ("rsa-4096", "4096 bit"),
    ] {
        desk.cert(&format!("self-signed --name ftp.example --name 192.0.2.7 --name a@b.example --both --key-type {kind} --out {kind}"));
        assert_eq!(
            (desk.mode(&format!("{kind}/key.pem")), desk.mode(&format!("{kind}/cert.pem"))),
            (0o600, 0o644)
        );
        assert!(
            desk.openssl(&format!("pkey -in {kind}/key.pem -check -noout")).contains("Key is valid"),
            "{kind}"
        );
        let text = desk.openssl(&format!("x509 -in {kind}/cert.pem -noout -text"));
        for part in [
            said,
            "DNS:ftp.example, IP Address:192.0.2.7, email:a@b.example",
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "CA:FALSE",
            "Digital Signature",
        ] {
            assert!(text.contains(part), "{kind}, {part}: {text}");
        }
        desk.openssl(&format!(
            "verify -x509_strict -CAfile {kind}/cert.pem -verify_hostname ftp.example {kind}/cert.pem"
        ));
    }
    let said = desk.refused(1, "self-signed --name other.example --out ed25519");
    assert!(said.contains("is there already"), "{said}");
    assert!(desk.refused(2, "self-signed --out x").contains("--name"));
    assert!(desk.refused(2, "self-signed --name grüße.example --out x").contains("xn--"));
    assert!(desk.refused(2, "self-signed --name a.example --key-type rsa-1024 --out x").contains("rsa-2048"));
    assert!(desk.refused(2, "self-signed --name a.example --days 0 --out x").contains("--days"));
    assert!(!desk.path().join("x").exists());
}

#[test]
fn requests_go_both_ways() {
    let Some(desk) = Desk::new() else { return };
    desk.authority();
    desk.cert("request --name ftp.example --name 2001:db8::7 --client --out asked");
    assert_eq!(desk.mode("asked/key.pem"), 0o600);
    let text = desk.openssl("req -in asked/request.pem -verify -noout -text");
    for part in
        ["verify OK", "DNS:ftp.example, IP Address:2001:DB8:0:0:0:0:0:7", "TLS Web Client Authentication"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let shown = desk.cert("show asked/request.pem");
    assert!(shown.contains("ftp.example, 2001:db8::7") && shown.contains("clients"), "{shown}");
    let json: Value = serde_json::from_str(&desk.cert("show --json asked/request.pem")).unwrap();
    assert_eq!((&json["event"], &json["names"][0]), (&"request".into(), &"ftp.example".into()));
    desk.cert("issue --ca CA --request asked/request.pem --out granted");
    desk.openssl("verify -x509_strict -CAfile CA/ca.pem -purpose sslclient granted/cert.pem");
    assert!(!desk.path().join("granted/key.pem").exists(), "the key stays where it was made");

    for (kind, made) in
        [("ec", "ec -pkeyopt ec_paramgen_curve:P-384"), ("rsa", "rsa:3072"), ("ed", "ed25519")]
    {
        desk.openssl(&format!(
            "req -new -newkey {made} -nodes -keyout {kind}.key -out {kind}.csr -subj /CN={kind}.example -addext subjectAltName=DNS:{kind}.example,email:a@b.example"
        ));
        desk.cert(&format!("issue --ca CA --request {kind}.csr --both --out {kind}"));
        desk.openssl(&format!(
            "verify -x509_strict -CAfile CA/ca.pem -verify_hostname {kind}.example {kind}/cert.pem"
        ));
        desk.cert(&format!("verify --ca-file CA/ca.pem --name a@b.example --both {kind}/cert.pem"));
        // The certificate is for that key: together they can be exported.
        desk.write("pw", "secret\n");
        desk.cert(&format!("export {kind}/cert.pem --key {kind}.key --password-file pw --out {kind}.p12"));
    }
    desk.cert("issue --ca CA --request ec.csr --name other.example --out renamed");
    assert!(desk.cert("show renamed/cert.pem").contains("names        other.example\n"));

    desk.openssl("req -new -key ec.key -subj /CN=x -addext subjectAltName=URI:http://x.example -out uri.csr");
    assert!(desk.refused(1, "issue --ca CA --request uri.csr --out u").contains("its kind is not supported"));
    desk.openssl("req -new -newkey rsa:1024 -nodes -keyout small.key -out small.csr -subj /CN=small.example");
    assert!(desk.refused(1, "issue --ca CA --request small.csr --out u").contains("small.csr"));
    let forged = desk.read("ec.csr").replacen('M', "N", 1);
    desk.write("forged.csr", forged);
    assert!(
        desk.refused(1, "issue --ca CA --request forged.csr --out u")
            .contains("forged.csr: is no certificate request")
    );
    assert!(desk.refused(1, "issue --ca CA --request ec.key --out u").contains("BEGIN CERTIFICATE REQUEST"));
    assert!(desk.refused(6, "issue --ca CA --request nothing.csr --out u").contains("is not there"));
    assert!(!desk.path().join("u").exists());
}

#[test]
fn encrypted_keys_go_both_ways() {
    let Some(desk) = Desk::new() else { return };
    desk.write("pw", "correct horse\n");
    desk.write("wrong", "battery staple\n");
    desk.cert("ca init --dir CA --name Example_CA --encrypt-key --key-password-file pw");
    desk.cert("issue --ca CA --ca-password-file pw --name ftp.example --encrypt-key --key-password-file pw --out server");
    for key in ["CA/ca-key.pem", "server/key.pem"] {
        assert!(desk.read(key).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        desk.openssl(&format!("pkey -in {key} -passin file:pw -noout"));
        desk.run("openssl", &format!("pkey -in {key} -passin file:wrong -noout")).fails();
    }
    let said = desk.refused(1, "issue --ca CA --ca-password-file wrong --name x.example --out x");
    assert!(said.contains("CA/ca-key.pem: holds"), "{said}");
    let said = desk.refused(2, "issue --ca CA --name x.example --out x");
    assert!(said.contains("--ca-password-file"), "{said}");
    let said = desk.refused(2, "self-signed --name x.example --key-password-file pw --out x");
    assert!(said.contains("--encrypt-key"), "{said}");

    desk.cert("self-signed --name own.example --out own");
    for (name, how) in [
        ("aes.pem", "pkcs8 -topk8 -passout file:pw"),
        ("sha1.pem", "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA1 -passout file:pw"),
        ("sha512.pem", "pkcs8 -topk8 -v2 aes-192-cbc -v2prf hmacWithSHA512 -passout file:pw"),
    ] {
        desk.openssl(&format!("{how} -in own/key.pem -out {name}"));
        desk.cert(&format!("renew own/cert.pem --key {name} --key-password-file pw"));
        let said = desk.refused(1, &format!("renew own/cert.pem --key {name} --key-password-file wrong"));
        assert!(said.contains(name), "{said}");
    }
    desk.openssl("pkcs8 -topk8 -v2 des3 -passout file:pw -in own/key.pem -out des.pem");
    let said = desk.refused(1, "renew own/cert.pem --key des.pem --key-password-file pw");
    assert!(said.contains("des.pem") && said.contains("openssl pkcs8 -topk8"), "{said}");
    desk.openssl("pkcs8 -topk8 -scrypt -passout file:pw -in own/key.pem -out scrypt.pem");
    assert!(
        desk.refused(1, "renew own/cert.pem --key scrypt.pem --key-password-file pw")
            .contains("outdated or unknown")
    );
    desk.openssl("ec -in own/key.pem -aes256 -passout file:pw -out old.pem");
    let said = desk.refused(1, "renew own/cert.pem --key old.pem --key-password-file pw");
    assert!(said.contains("openssl pkcs8 -topk8"), "{said}");
    assert!(desk.refused(1, "renew own/cert.pem --key server/cert.pem").contains("holds no private key"));
}

#[test]
fn pkcs12_goes_both_ways() {
    let Some(desk) = Desk::new() else { return };
    desk.write("pw", "pässword\n");
    desk.write("wrong", "password\n");
    desk.authority();
    desk.cert("issue --ca CA --name ftp.example --out server");
    desk.cert("export server/cert.pem --key server/key.pem --password-file pw --out out.p12");
    assert_eq!(desk.mode("out.p12"), 0o600);
    let said = desk.openssl("pkcs12 -in out.p12 -passin file:pw -info -nodes -out all.pem");
    assert!(said.contains("PBES2") && said.contains("sha256"), "{said}");
    assert_eq!(desk.read("all.pem").matches("BEGIN CERTIFICATE").count(), 2);
    desk.openssl("verify -CAfile CA/ca.pem all.pem");
    assert_eq!(desk.openssl("pkey -in all.pem -pubout"), desk.openssl("pkey -in server/key.pem -pubout"));
    desk.run("openssl", "pkcs12 -in out.p12 -passin file:wrong -noout").fails();

    // The authority's first, as programs may put them.
    desk.openssl("pkcs12 -export -inkey server/key.pem -in server/cert.pem -certfile CA/ca.pem -passout file:pw -out in.p12");
    desk.cert("import in.p12 --password-file pw --encrypt-key --key-password-file pw --out back");
    desk.openssl("pkey -in back/key.pem -passin file:pw -noout");
    assert_eq!(desk.mode("back/key.pem"), 0o600);
    assert!(desk.cert("show back/cert.pem").starts_with("subject      CN=ftp.example\n"));
    desk.cert("import out.p12 --password-file pw --out again");
    assert_eq!(desk.read("again/cert.pem"), desk.read("server/cert.pem"));

    assert!(
        desk.refused(1, "import in.p12 --password-file wrong --out x")
            .contains("in.p12: the password is wrong")
    );
    assert!(
        desk.refused(1, "import server/cert.pem --password-file pw --out x").contains("is no PKCS#12 file")
    );
    assert!(desk.refused(1, "import in.p12 --password-file pw --out back").contains("is there already"));
    assert!(
        desk.refused(1, "export server/cert.pem --key server/key.pem --password-file pw --out in.p12")
            .contains("is there already")
    );
    assert!(
        desk.refused(1, "export server/cert.pem --key CA/ca-key.pem --password-file pw --out x.p12")
            .contains("is not the key of server/cert.pem")
    );
    assert!(desk.refused(2, "import in.p12 --out x").contains("--password-file"));
    desk.openssl(
        "pkcs12 -export -legacy -inkey server/key.pem -in server/cert.pem -passout pass:x -out legacy.p12",
    );
    desk.write("x", "x\n");
    assert!(desk.refused(1, "import legacy.p12 --password-file x --out x").contains("-legacy"));
    desk.openssl("pkcs12 -export -nokeys -in server/cert.pem -passout pass:x -out nokey.p12");
    assert!(desk.refused(1, "import nokey.p12 --password-file x --out y").contains("holds no private key"));
    assert!(!desk.path().join("y").exists());
}

#[test]
fn renewing_keeps_the_key_or_makes_a_new_one() {
    let Some(desk) = Desk::new() else { return };
    desk.write("pw", "correct horse\n");
    desk.authority();
    desk.cert("issue --ca CA --name ftp.example --name a@b.example --both --days 5 --out server");
    let before: Value =
        serde_json::from_str(desk.cert("show --json server/cert.pem").lines().next().unwrap()).unwrap();
    desk.cert("renew server/cert.pem --ca CA");
    let after: Value =
        serde_json::from_str(desk.cert("show --json server/cert.pem").lines().next().unwrap()).unwrap();
    for same in ["subject", "issuer", "names", "emails", "purposes", "key", "spki_sha256"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    for other in ["serial", "sha256", "not_after"] {
        assert_ne!(before[other], after[other], "{other}");
    }
    desk.openssl("verify -x509_strict -CAfile CA/ca.pem -verify_hostname ftp.example server/cert.pem");
    desk.cert("renew server/cert.pem --ca CA --new-key --out second");
    let key = desk.openssl("pkey -in second/key.pem -pubout");
    assert_eq!(desk.openssl("x509 -in second/cert.pem -noout -pubkey"), key);
    assert_ne!(desk.openssl("pkey -in server/key.pem -pubout"), key);

    desk.openssl("req -x509 -newkey rsa:2048 -nodes -keyout own.key -out own.pem -subj /CN=own.example -days 3 -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:own.example");
    desk.cert("renew own.pem --key own.key --days 300");
    desk.openssl("verify -CAfile own.pem -verify_hostname own.example own.pem");
    desk.openssl("x509 -in own.pem -noout -checkend 20000000");
    assert!(desk.refused(1, "renew own.pem --key server/key.pem").contains("is not the key of own.pem"));
    assert!(desk.refused(1, "renew server/cert.pem --key server/key.pem").contains("is not self-signed"));
    assert!(desk.refused(1, "renew own.pem --ca CA").contains("not issued by this authority"));
    assert!(desk.refused(1, "renew CA/ca.pem --key CA/ca-key.pem").contains("authority"));
    assert!(desk.refused(1, "renew server/cert.pem").contains("--ca"));
    assert!(desk.refused(2, "renew own.pem").contains("--key"));
    desk.cert("renew own.pem --new-key --encrypt-key --key-password-file pw --out third");
    desk.openssl("pkey -in third/key.pem -passin file:pw -noout");
    assert!(desk.refused(2, "renew server/cert.pem --ca CA --new-key").contains("--out"));
}

#[test]
fn show_and_fingerprint_say_what_openssl_says() {
    let Some(desk) = Desk::new() else { return };
    desk.cert("self-signed --name ftp.example --out own");
    let json: Value = serde_json::from_str(&desk.cert("show --json own/cert.pem")).unwrap();
    let sha256 = json["sha256"].as_str().unwrap();
    assert!(desk.openssl("x509 -in own/cert.pem -noout -fingerprint -sha256").trim().ends_with(sha256));
    assert_eq!((&json["authority"], &json["purposes"][0]), (&false.into(), &"servers".into()));
    let prints: Value = serde_json::from_str(&desk.cert("fingerprint --json own/cert.pem")).unwrap();
    assert_eq!((prints["sha256"].as_str(), &prints["spki_sha256"]), (Some(sha256), &json["spki_sha256"]));
    let text = desk.cert("show own/cert.pem");
    assert!(text.contains("for          servers\n") && text.contains("(itself)"), "{text}");
    desk.authority();
    assert!(desk.cert("show CA/ca.pem").contains("an authority's"));
    assert!(desk.refused(6, "show nothing.pem").contains("is not there"));
    assert!(desk.refused(1, "show own/key.pem").contains("holds no certificate"));
    desk.write("torn.pem", &desk.read("own/cert.pem")[..200]);
    assert!(desk.refused(1, "show torn.pem").contains("torn.pem: is not valid PEM"));
    // What a certificate says drives no terminal.
    desk.write(
        "odd.cnf",
        "[req]\ndistinguished_name=dn\nprompt=no\nutf8=yes\nstring_mask=utf8only\n[dn]\nCN=a\u{1b}[31mb\n",
    );
    desk.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout odd.key -out odd.pem -config odd.cnf");
    for line in ["show odd.pem", "show --json odd.pem"] {
        let said = desk.cert(line);
        assert!(said.contains("31m") && !said.contains('\u{1b}'), "{said:?}");
    }
    let said = desk.refused(4, "verify --ca-file own/cert.pem --name x odd.pem");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
