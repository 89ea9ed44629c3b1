"""Makes a home folder in which FileZilla finds a trusted certificate and a queue of files to move.

    filezilla_home.py HOME --mode explicit|implicit --port P --user U --password W --certificate HEX --local FOLDER
                      [--up NAME]... [--down NAME]... [--resume NAME]... [--resume-down NAME]... [--log FILE]

The tables are those of FileZilla 3.63. --resume is an upload that goes on where a listing
shows it ended, --resume-down a download that goes on where the local file ends. --log is where FileZilla writes its dialogue.
"""

import argparse
import pathlib
import sqlite3
import time

SETTINGS = """<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3 version="3.63.0" platform="*nix"><Settings>
<Setting name="Greeting version">99.0.0</Setting><Setting name="Update Check">0</Setting>
<Setting name="Disable update check">1</Setting>
<Setting name="Logging file">{log}</Setting>
</Settings></FileZilla3>
"""

TRUSTED = """<?xml version="1.0" encoding="UTF-8"?>
<FileZilla3 version="3.63.0" platform="*nix"><TrustedCerts><Certificate>
<Data>{certificate}</Data><ActivationTime>{begin}</ActivationTime><ExpirationTime>{end}</ExpirationTime>
<Host>127.0.0.1</Host><Port>{port}</Port><TrustSANs>1</TrustSANs>
</Certificate></TrustedCerts></FileZilla3>
"""

QUEUE = """
CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL, port INTEGER, user TEXT,
  password TEXT, account TEXT, keyfile TEXT, protocol INTEGER, type INTEGER, logontype INTEGER,
  timezone_offset INTEGER, transfer_mode TEXT, max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER,
  post_login_commands TEXT, name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL, source_file TEXT,
  target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER, error_count INTEGER, priority INTEGER,
  flags INTEGER, default_exists_action INTEGER, extra_flags TEXT);
CREATE INDEX server_index ON files (server);
CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
PRAGMA user_version = 7;
"""

PROTOCOL = {"implicit": 3, "explicit": 4}
UPLOAD, DOWNLOAD = 0, 16
OVERWRITE, RESUME = 1, 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=pathlib.Path)
    parser.add_argument("--mode", choices=PROTOCOL, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--local", required=True)
    parser.add_argument("--up", action="append", default=[])
    parser.add_argument("--down", action="append", default=[])
    parser.add_argument("--resume", action="append", default=[])
    parser.add_argument("--resume-down", action="append", default=[])
    parser.add_argument("--log", default="")
    options = parser.parse_args()

    folder = options.home / ".config" / "filezilla"
    folder.mkdir(parents=True)
    (folder / "filezilla.xml").write_text(SETTINGS.format(log=options.log))
    now = int(time.time())
    trusted = TRUSTED.format(
        certificate=options.certificate, port=options.port, begin=now - 86_400, end=now + 86_400 * 365
    )
    (folder / "trustedcerts.xml").write_text(trusted)

    queue = sqlite3.connect(folder / "queue.sqlite3")
    queue.executescript(QUEUE)
    queue.execute(
        "INSERT INTO servers (id, host, port, user, password, protocol, type, logontype, timezone_offset,"
        " transfer_mode, max_connections, encoding, bypass_proxy)"
        " VALUES (1, '127.0.0.1', ?, ?, ?, ?, 0, 1, 0, 'default', 0, 'Auto', 0)",
        (options.port, options.user, options.password, PROTOCOL[options.mode]),
    )
    queue.execute("INSERT INTO local_paths VALUES (1, ?)", (options.local.rstrip("/") + "/",))
    queue.execute("INSERT INTO remote_paths VALUES (1, '1 0')")
    rows = [(name, UPLOAD, OVERWRITE) for name in options.up]
    rows += [(name, DOWNLOAD, OVERWRITE) for name in options.down]
    rows += [(name, UPLOAD, RESUME) for name in options.resume]
    rows += [(name, DOWNLOAD, RESUME) for name in options.resume_down]
    queue.executemany(
        "INSERT INTO files (server, source_file, local_path, remote_path, size, error_count, priority, flags,"
        " default_exists_action) VALUES (1, ?, 1, 1, -1, 0, 2, ?, ?)",
        rows,
    )
    queue.commit()


if __name__ == "__main__":
    main()
