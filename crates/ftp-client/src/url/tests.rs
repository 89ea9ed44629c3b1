//! URLs as people write them, and those that are refused.

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn parts_are_found_and_decoded() {
    let all = url("ftpes://al%40ice@FTP.Example:2121/in/re%20port.csv");
    assert_eq!((all.scheme, all.user.as_deref()), (Scheme::Ftpes, Some("al@ice")));
    assert_eq!((all.host.as_str(), all.port), ("ftp.example", 2121));
    assert_eq!(all.path.as_bytes(), b"in/re port.csv");
    assert_eq!(all.origin(), "ftpes://ftp.example:2121");
    let odd = url("FTPS://a@b@host");
    assert_eq!((odd.scheme, odd.user.as_deref(), odd.port), (Scheme::Ftps, Some("a@b"), 990));
    let secret = url("ftp://alice:pa%3Ass@host/");
    assert_eq!(secret.password.as_ref().map(|password| password.as_str()), Some("pa:ss"));
    assert_eq!(url("ftp://alice:@host/").password.map(|password| password.len()), Some(0));
}

#[test]
fn ports_are_the_schemes_own_where_none_is_named() {
    for (text, port) in [
        ("ftpes://h", 21),
        ("ftps://h", 990),
        ("ftp://h", 21),
        ("ftps://h:/", 990),
        ("ftpes://h:1", 1),
        ("ftps://h:65535/x", 65535),
        ("ftpes://[2001:db8::1]", 21),
        ("ftpes://[2001:DB8::1]:2121/x", 2121),
    ] {
        assert_eq!(url(text).port, port, "{text}");
    }
    assert_eq!(url("ftpes://[2001:DB8::1]:2121/x").host, "2001:db8::1");
    assert_eq!(url("ftpes://[2001:DB8::1]").origin(), "ftpes://[2001:db8::1]:21");
}

#[test]
fn paths_begin_at_the_login_folder_or_at_the_root() {
    for (text, path, absolute, slash) in [
        ("ftpes://h", &b""[..], false, false),
        ("ftpes://h/", b"", false, true),
        ("ftpes://h/a/b", b"a/b", false, false),
        ("ftpes://h/a/b/", b"a/b/", false, true),
        ("ftpes://h//etc/x", b"/etc/x", true, false),
        ("ftpes://h/%2Fetc/x", b"/etc/x", true, false),
        ("ftpes://h/%2fetc", b"/etc", true, false),
        ("ftpes://h//", b"/", true, true),
        ("ftpes://h/a?b#c;type=i&*[d]", b"a?b#c;type=i&*[d]", false, false),
        ("ftpes://h/%C3%A9%ff", b"\xc3\xa9\xff", false, false),
        ("ftpes://h/\u{e9}", "\u{e9}".as_bytes(), false, false),
        ("ftpes://h/a@b:c", b"a@b:c", false, false),
        ("ftpes://h/../x", b"../x", false, false),
    ] {
        let path_of = url(text).path;
        assert_eq!(path_of.as_bytes(), path, "{text}");
        assert_eq!((path_of.is_absolute(), path_of.ends_in_slash()), (absolute, slash), "{text}");
    }
}

#[test]
fn escaped_signs_stand_for_themselves_in_patterns() {
    for (text, pattern) in [
        ("ftpes://h/a/b", None),
        ("ftpes://h/a%2Ab", None),
        ("ftpes://h/*.csv", Some(&b"*.csv"[..])),
        ("ftpes://h/a%2Ab*", Some(br"a\*b*")),
        (r"ftpes://h/a\b?", Some(br"a\\b?")),
        ("ftpes://h/%5B1%5d[2]", Some(br"\[1\][2]")),
    ] {
        assert_eq!(url(text).path.pattern(), pattern, "{text}");
    }
}

#[test]
fn what_is_shown_reads_back_and_holds_no_password() {
    for text in [
        "ftpes://h",
        "ftpes://h/",
        "ftps://h//a",
        "ftpes://al%40i%3Ace@h:2121/a/b%20c/",
        "ftp://h:990/%C3%A9%FF",
        "ftpes://[2001:db8::1]/x",
        "ftpes://[2001:db8::1]:2121/x",
        "ftpes://h/a%3Fb",
        "ftpes://h/*.csv",
        "ftpes://h/a%2Ab*%5C",
    ] {
        assert_eq!(url(text).to_string(), text);
        assert_eq!(url(&url(text).to_string()), url(text));
    }
    assert_eq!(url("FTPES://H:21/a%41").to_string(), "ftpes://h/aA");
    let secret = url("ftpes://alice:hunter2@h/x");
    assert_eq!(secret.to_string(), "ftpes://alice@h/x");
    assert!(!format!("{secret:?}").contains("hunter2"));
}

#[test]
fn local_paths_are_no_urls() {
    for text in
        ["host:path", r"C:\path", "C:/path", "./a://b", "/a://b", "1a://b", "a b://c", "", "-", "://x"]
    {
        assert!(!Url::looks_like_url(text), "{text}");
        assert!(matches!(Url::parse(text), Err(UrlError::NoScheme(_))), "{text}");
    }
    for text in ["ftpes://h", "FTP://", "gopher://x", "s3+x://y"] {
        assert!(Url::looks_like_url(text), "{text}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    for (text, words) in [
        ("sftp://h/x", "sftp:// joins later"),
        ("HTTPS://h/x", "https:// joins later"),
        ("http://h/x", "http:// is not spoken here"),
        ("ftpes://", "it is missing"),
        ("ftpes:///x", "it is missing"),
        ("ftpes://@h/x", "nobody is named"),
        ("ftpes://:pw@h/x", "nobody is named"),
        ("ftpes://h:0/", "ports are numbers"),
        ("ftpes://h:65536/", "ports are numbers"),
        ("ftpes://h:+21/", "ports are numbers"),
        ("ftpes://h:x/", "ports are numbers"),
        ("ftpes://h/100%", "%25"),
        ("ftpes://h/%4", "%25"),
        ("ftpes://h/%+1", "%25"),
        ("ftpes://h/a%0d%0aDELE x", "line break"),
        ("ftpes://h/a\nb", "line break"),
        ("ftpes://h/%00", "line break"),
        ("ftpes://a%0ab@h/", "line break"),
        ("ftpes://a:b%0d@h/", "line break"),
        ("ftpes://%ff@h/", "UTF-8"),
        ("ftpes://2001:db8::1/x", "brackets"),
        ("ftpes://[2001:db8::1/x", "not closed"),
        ("ftpes://[2001:db8::1]21/x", "follow the bracket"),
        ("ftpes://[fe80::1%25eth0]/", "without a zone"),
        ("ftpes://[127.0.0.1]/", "IPv6"),
        ("ftpes://127.1/", "four parts"),
        ("ftpes://2130706433/", "four parts"),
        ("ftpes://gr\u{fc}n.example/", "xn--"),
        ("ftpes://a b/", "letters, digits"),
        ("ftpes://a?x/", "letters, digits"),
    ] {
        let error = Url::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    let long = format!("ftpes://{}/", "a".repeat(254));
    assert!(Url::parse(&long).unwrap_err().to_string().contains("longer"));
}

#[test]
fn bytes_make_paths_too() {
    let path = UrlPath::from_bytes(b"/a *\xff/").unwrap();
    assert!(path.is_absolute() && path.ends_in_slash() && path.pattern().is_none());
    assert_eq!(path.to_string(), "//a%20%2A%FF/");
    assert_eq!(UrlPath::from_bytes(b"a\nb"), Err(UrlError::ForbiddenByte));
}

#[test]
fn children_stand_below_their_folder() {
    let name = EntryName::parse(b"a *").unwrap();
    for (folder, child) in [
        ("ftpes://h", "ftpes://h/a%20%2A"),
        ("ftpes://h/", "ftpes://h/a%20%2A"),
        ("ftpes://h//", "ftpes://h//a%20%2A"),
        ("ftpes://u@h:1/x", "ftpes://u@h:1/x/a%20%2A"),
        ("ftpes://h/x/", "ftpes://h/x/a%20%2A"),
    ] {
        assert_eq!(url(folder).child(&name).to_string(), child);
    }
}
