//! FEAT as servers answer it.

use proptest::prelude::*;

use super::*;
use crate::listing::FactSet;
use crate::verb::{self, Feature};

/// The features that are offered, by the names of their fields, so that a table can be read.
fn offered(features: &Features) -> Vec<&'static str> {
    let Features {
        mlst,
        size,
        mdtm,
        mfmt,
        site_utime,
        rest_stream,
        utf8,
        epsv,
        eprt,
        tvfs,
        auth,
        pbsz,
        prot,
        hash,
        hash_selected: _,
        xcrc,
        xmd5,
        xsha1,
        xsha256,
        xsha512,
        mode_z,
        cpsv,
        sscn,
        avbl,
    } = features;
    [
        ("mlst", mlst.is_some()),
        ("size", *size),
        ("mdtm", *mdtm),
        ("mfmt", *mfmt),
        ("utime", *site_utime),
        ("rest", *rest_stream),
        ("utf8", *utf8),
        ("epsv", *epsv),
        ("eprt", *eprt),
        ("tvfs", *tvfs),
        ("tls", auth.tls),
        ("tls-c", auth.tls_c),
        ("tls-p", auth.tls_p),
        ("ssl", auth.ssl),
        ("pbsz", *pbsz),
        ("prot", *prot),
        ("hash", !hash.is_empty()),
        ("xcrc", *xcrc),
        ("xmd5", *xmd5),
        ("xsha1", *xsha1),
        ("xsha256", *xsha256),
        ("xsha512", *xsha512),
        ("mode z", *mode_z),
        ("cpsv", *cpsv),
        ("sscn", *sscn),
        ("avbl", *avbl),
    ]
    .into_iter()
    .filter_map(|(name, offered)| offered.then_some(name))
    .collect()
}

/// What a server of that kind answers between the first and the last line, and what it means.
#[rustfmt::skip]
const SERVERS: &[(&str, &str, &str)] = &[
    ("vsftpd 3.0.3, without TLS",
     " EPRT\n EPSV\n MDTM\n PASV\n REST STREAM\n SIZE\n TVFS",
     "size mdtm rest epsv eprt tvfs"),
    ("vsftpd 3.0.3, with TLS",
     " AUTH TLS\n EPRT\n EPSV\n MDTM\n PASV\n PBSZ\n PROT\n REST STREAM\n SIZE\n TVFS\n UTF8",
     "size mdtm rest utf8 epsv eprt tvfs tls pbsz prot"),
    ("ProFTPD 1.3.8 with mod_digest and mod_tls",
     " AUTH TLS\n CCC\n CLNT\n CSID\n EPRT\n EPSV\n HASH CRC32;MD5;SHA-1*;SHA-256;SHA-512;\n HOST\n LANG C.UTF-8*\n MD5\n MDTM\n \
      MFF modify;UNIX.group;UNIX.mode;\n MFMT\n MLST modify*;perm*;size*;type*;unique*;UNIX.group*;UNIX.groupname*;UNIX.mode*;\
      UNIX.owner*;UNIX.ownername*;\n PBSZ\n PROT\n RANG STREAM\n REST STREAM\n SITE SYMLINK\n SITE UTIME\n SIZE\n SSCN\n TVFS\n UTF8\n \
      XCRC\n XMD5\n XSHA\n XSHA1\n XSHA256\n XSHA512",
     "mlst size mdtm mfmt utime rest utf8 epsv eprt tvfs tls pbsz prot hash xcrc xmd5 xsha1 xsha256 xsha512 sscn"),
    ("ProFTPD with MultilineRFC2228, the code on every line",
     "211-CLNT\n211-EPRT\n211-MLST modify*;size*;\n211-REST STREAM\n211-SITE UTIME\n211-UTF8",
     "mlst utime rest utf8 eprt"),
    ("Pure-FTPd 1.0.50",
     " UTF8\n EPRT\n IDLE\n MDTM\n SIZE\n MFMT\n REST STREAM\n \
      MLST type*;size*;sizd*;modify*;UNIX.mode*;UNIX.uid*;UNIX.gid*;unique*;\n MLSD\n PRET\n AUTH TLS\n PBSZ\n PROT\n TVFS\n ESTA\n \
      PASV\n EPSV\n ESTP",
     "mlst size mdtm mfmt rest utf8 epsv eprt tvfs tls pbsz prot"),
    ("pyftpdlib 2.2.0",
     " AUTH TLS\n EPRT\n EPSV\n MDTM\n MFMT\n MLST type*;perm*;size*;modify*;unique*;unix.mode;unix.uid;unix.gid;\n PBSZ\n PROT\n \
      REST STREAM\n SIZE\n TVFS\n UTF8",
     "mlst size mdtm mfmt rest utf8 epsv eprt tvfs tls pbsz prot"),
    ("aioftp 0.28: 502", "", ""),
    ("IIS 6", "    SIZE\n    MDTM", "size mdtm"),
    ("IIS 7 and later",
     " LANG EN*\n UTF8\n AUTH TLS;TLS-C;SSL;TLS-P;\n PBSZ\n PROT C;P;\n CCC\n HOST\n SIZE\n MDTM\n REST STREAM",
     "size mdtm rest utf8 tls tls-c tls-p ssl pbsz prot"),
    ("FileZilla Server 1.8",
     " MDTM\n REST STREAM\n SIZE\n MLST type*;size*;modify*;perm*;\n MLSD\n AUTH SSL\n AUTH TLS\n PROT\n PBSZ\n UTF8\n TVFS\n EPSV\n \
      EPRT\n MFMT",
     "mlst size mdtm mfmt rest utf8 epsv eprt tvfs tls ssl pbsz prot"),
    ("FileZilla Server 0.9",
     " MDTM\n REST STREAM\n SIZE\n MODE Z\n MLST type*;size*;modify*;\n MLSD\n AUTH SSL\n AUTH TLS\n PROT\n PBSZ\n UTF8\n CLNT\n MFMT\n \
      EPSV\n EPRT",
     "mlst size mdtm mfmt rest utf8 epsv eprt tls ssl pbsz prot mode z"),
    ("Serv-U 6",
     " AUTH TLS\n SSCN\n PBSZ\n PROT\n CCC\n CLNT\n MDTM\n MDTM YYYYMMDDHHMMSS[+-TZ];filename\n SIZE\n \
      SITE PSWD;EXEC;SET;INDEX;ZONE;CHMOD;MSG\n REST STREAM\n XCRC filename;start;end\n MODE Z\n \
      MLST Type*;Size*;Create;Modify*;Win32.ea*;",
     "mlst size mdtm rest tls pbsz prot xcrc mode z sscn"),
    ("glFTPD", " AUTH TLS\n AUTH SSL\n PBSZ\n PROT\n CPSV\n SSCN\n MDTM\n SIZE\n REST STREAM\n SYST",
     "size mdtm rest tls ssl pbsz prot cpsv sscn"),
    ("small letters, tabs, no indentation, spaces behind",
     "size\n\tmdtm \nrest stream\nutf-8\nauth tls ssl\nhash sha-256*\nmlst TYPE*;size;\navbl\nmode z",
     "mlst size mdtm rest utf8 tls ssl hash mode z avbl"),
    ("what is nothing", "\n \nREST\nMODE\nSITE\nAUTH\nHASH\nHASH ;;*;CRC-37*\nXSIZE\nSIZES\nREST NOTHING\nMODE S", ""),
];

#[test]
fn what_servers_offer() {
    for (server, answer, expected) in SERVERS {
        let features = Features::parse(answer.split('\n'));
        assert_eq!(offered(&features).join(" "), *expected, "{server}");
    }
}

#[test]
fn hash_algorithms_with_the_selected_one() {
    use HashAlgorithm::{Crc32, Md5, Sha1, Sha256, Sha512};
    for (line, known, selected) in [
        ("HASH SHA-256;SHA-512;SHA-1*;MD5", &[Sha256, Sha512, Sha1, Md5][..], Some(Sha1)),
        ("HASH CRC32;MD5;SHA-1;SHA-256;SHA-512*;", &[Crc32, Md5, Sha1, Sha256, Sha512], Some(Sha512)),
        ("hash sha1*;Md5;", &[Sha1, Md5], Some(Sha1)),
        ("HASH SHA-256;SHA-256;WHIRLPOOL*", &[Sha256], None),
        ("HASH ", &[], None),
    ] {
        let features = Features::parse([line]);
        assert_eq!((features.hash.as_slice(), features.hash_selected), (known, selected), "{line}");
    }
}

#[test]
fn an_algorithm_is_found_by_its_name_and_nothing_else_is() {
    for algorithm in HashAlgorithm::ALL {
        assert_eq!(HashAlgorithm::named(algorithm.name().to_lowercase().as_bytes()), Some(algorithm));
    }
    for name in ["", "-", "SHA", "SHA-2", "SHA-384", "SHA-256*", "MD5 "] {
        assert_eq!(HashAlgorithm::named(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn facts_are_asked_for_where_one_of_use_is_not_shown() {
    let facts = |line: &str| Features::parse([line]).facts_to_ask();
    assert_eq!(
        facts("MLST type*;perm*;size*;modify*;unique*;unix.mode;unix.uid;unix.gid;").as_deref(),
        Some("type;perm;size;modify;unique;unix.mode;unix.uid;unix.gid;")
    );
    assert_eq!(facts("MLST Type*;Size*;Create;Modify*;Win32.ea*;"), None, "a fact of no use is no reason");
    assert_eq!(facts("MLST Type;Create*;").as_deref(), Some("type;"), "and is not asked for");
    assert_eq!(facts("MLST type*;size*;"), None);
    assert_eq!(facts("MLSD"), None);
    assert_eq!(facts("SIZE"), None);
}

/// What our own server offers, this half reads.
#[test]
fn carracks_own_answer() {
    let chosen = verb::Chosen { facts: FactSet::named(b"type;size"), ..verb::Chosen::default() };
    let lines = verb::TABLE.iter().flat_map(|row| row.features).map(|feature| feature.line(chosen));
    let features = Features::parse(lines);
    let expected = "mlst size mdtm mfmt rest utf8 epsv eprt tvfs tls tls-c tls-p ssl pbsz prot hash xcrc xmd5 xsha1 xsha256 xsha512";
    assert!(expected.split(' ').all(|feature| offered(&features).contains(&feature)), "{features:?}");
    let shown = features.mlst.iter().flatten().filter(|fact| fact.shown).map(|fact| fact.name.as_str());
    assert_eq!(shown.collect::<Vec<_>>(), ["type", "size"]);
    let asked = "type;size;modify;perm;unique;unix.mode;unix.owner;unix.group;";
    assert_eq!(features.facts_to_ask().as_deref(), Some(asked));
    let by_default = Features::parse([Feature::Facts.line(verb::Chosen::default())]);
    assert_eq!(by_default.facts_to_ask(), None, "a command for each connection is saved");
}

#[test]
fn a_list_without_end_is_looked_at_to_its_limit() {
    let line = format!("MLST {}", "x;".repeat(10 * limits::FACT_NAMES));
    assert_eq!(Features::parse([line]).mlst.map(|facts| facts.len()), Some(limits::FACT_NAMES));
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer(lines: Vec<Vec<u8>>) {
        let features = Features::parse(&lines);
        prop_assert!(features.hash_selected.is_none_or(|selected| features.hash.contains(&selected)));
    }

    #[test]
    fn the_order_of_lines_means_nothing(server in 0..SERVERS.len(), seed in any::<prop::sample::Index>()) {
        let mut lines: Vec<&str> = SERVERS[server].1.split('\n').collect();
        let there = Features::parse(&lines);
        let middle = seed.index(lines.len());
        lines.rotate_left(middle);
        prop_assert_eq!(Features::parse(lines), there);
    }
}
