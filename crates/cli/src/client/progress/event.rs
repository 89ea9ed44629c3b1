//! What are programs told of a copy, one object a file and one at the end?

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use carrack_ftp_client::copy::{Ended, Place, Resumable, Summary, Verified};
use carrack_ftp_client::url::{Url, UrlPath};
use serde::Serialize;

use crate::client::output::entry::name_and_bytes;

/// The servers of a copy.
#[derive(Debug)]
pub(super) struct Servers {
    /// The one, or the one that is copied from.
    pub(super) url: Url,
    /// The one that is copied to, where that is another.
    pub(super) across: Option<Url>,
}

/// Where a file comes from, and where it goes.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) source: Place,
    pub(super) target: Place,
}

/// One file, at its end.
#[derive(Debug, Serialize)]
pub(super) struct Told<'t> {
    event: &'static str,
    source: String,
    /// The bytes of a local name that is no UTF-8, in hexadecimal digits. URLs need none: they have `%XX`.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
    /// That moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// That were there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resumable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'t str>,
}

impl<'t> Told<'t> {
    fn new(event: &'static str, source: &Place, target: Option<&Place>, servers: &Servers) -> Told<'t> {
        let (source, source_bytes) = written(source, servers);
        let (target, target_bytes) = target.map(|target| written(target, servers)).unzip();
        Told {
            event,
            source,
            source_bytes,
            target,
            target_bytes: target_bytes.flatten(),
            bytes: None,
            from: None,
            seconds: None,
            verified: None,
            algorithm: None,
            resumable: None,
            why: None,
        }
    }

    /// A file is complete.
    pub(super) fn done(
        places: &Places,
        servers: &Servers,
        bytes: u64,
        from: u64,
        elapsed: Duration,
        verified: Verified,
    ) -> Told<'t> {
        let (how, algorithm) = match verified {
            Verified::Hash(algorithm) => ("hash", Some(algorithm.name())),
            Verified::Size => ("size", None),
            Verified::Nothing => ("nothing", None),
        };
        Told {
            bytes: Some(bytes),
            from: (from > 0).then_some(from),
            seconds: Some(elapsed.as_secs_f64()),
            verified: Some(how),
            algorithm,
            ..Self::new("done", &places.source, Some(&places.target), servers)
        }
    }

    /// A file was complete before.
    pub(super) fn left(places: &Places, servers: &Servers, size: u64) -> Told<'t> {
        Told {
            bytes: Some(0),
            from: Some(size),
            ..Self::new("left", &places.source, Some(&places.target), servers)
        }
    }

    /// A file was interrupted.
    pub(super) fn stopped(places: &Places, servers: &Servers, resumable: Resumable) -> Told<'t> {
        let resumable = Some(resumable == Resumable::Yes);
        Told { resumable, ..Self::new("stopped", &places.source, Some(&places.target), servers) }
    }

    /// Something was left out.
    pub(super) fn skipped(what: &Place, servers: &Servers, why: &'t str) -> Told<'t> {
        Told { why: Some(why), ..Self::new("skipped", what, None, servers) }
    }
}

/// All files together.
#[derive(Debug, Serialize)]
pub(super) struct Sum {
    event: &'static str,
    files: u64,
    folders: u64,
    bytes: u64,
    failed: u64,
    skipped: u64,
    left: u64,
    resumed: u64,
    verified_by_hash: u64,
    verified_by_size: u64,
    resumable: u64,
    ended: &'static str,
    seconds: f64,
}

impl Sum {
    pub(super) fn new(summary: &Summary) -> Sum {
        Sum {
            event: "summary",
            files: summary.files,
            folders: summary.folders,
            bytes: summary.bytes,
            failed: summary.failed,
            skipped: summary.skipped,
            left: summary.left,
            resumed: summary.resumed,
            verified_by_hash: summary.verified_by_hash,
            verified_by_size: summary.verified_by_size,
            resumable: summary.resumable,
            ended: match summary.ended {
                Ended::Complete => "complete",
                Ended::Stopped => "stopped",
                Ended::ReaderGone => "reader_gone",
            },
            seconds: summary.elapsed.as_secs_f64(),
        }
    }
}

/// A place as it can be given to another command.
pub(super) fn name(place: &Place, servers: &Servers) -> String {
    written(place, servers).0
}

fn written(place: &Place, servers: &Servers) -> (String, Option<String>) {
    let (path, url) = match place {
        Place::Local(path) => return local(path),
        Place::Stream => return ("-".to_owned(), None),
        Place::Remote(path) => (path, &servers.url),
        Place::Across(path) => (path, servers.across.as_ref().unwrap_or(&servers.url)),
    };
    match UrlPath::from_bytes(path.as_bytes()) {
        Ok(path) => (Url { path, ..url.clone() }.to_string(), None),
        Err(_) => name_and_bytes(path.as_bytes()),
    }
}

fn local(path: &Path) -> (String, Option<String>) {
    name_and_bytes(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use carrack_ftp_client::RemotePath;
    use std::ffi::OsStr;

    #[test]
    fn places_are_written_so_that_another_command_takes_them() {
        let url = Url::parse("ftpes://alice@h:2121/in/").unwrap();
        let servers = Servers { url, across: Some(Url::parse("ftps://bob@i/").unwrap()) };
        let places = Places {
            source: Place::Local(Path::new(OsStr::from_bytes(b"a\xff")).to_owned()),
            target: Place::Remote(RemotePath::parse(b"/srv/in/a b").unwrap()),
        };
        let told = Told::done(&places, &servers, 11, 0, Duration::from_millis(250), Verified::Size);
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"event":"done","source":"a\\xff","source_bytes":"61ff","target":"ftpes://alice@h:2121//srv/in/a%20b","bytes":11,"seconds":0.25,"verified":"size"}"#
        );
        let places = Places {
            source: Place::Remote(RemotePath::parse(b"/a").unwrap()),
            target: Place::Across(RemotePath::parse(b"/b").unwrap()),
        };
        let told = Told::left(&places, &servers, 1);
        let told = serde_json::to_string(&told).unwrap();
        assert!(told.contains(r#""source":"ftpes://alice@h:2121//a","target":"ftps://bob@i//b""#), "{told}");
    }
}
