"""Python's ftplib as it comes: every verb of the matrix on one control connection.

    ftplib_stock.py explicit|implicit 1.2|1.3|any PORT USER PASSWORD

It works in the current folder, prints the listing on stdout and what failed on stderr.
"""

import ftplib
import os
import ssl
import sys

mode, tls, port, user, password = sys.argv[1:]
assert mode == "explicit", "ftplib knows no other"


def connect():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if tls != "any":
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        context.minimum_version = context.maximum_version = version
    ftp = ftplib.FTP_TLS(context=context, encoding="utf-8", timeout=60)
    ftp.connect("127.0.0.1", int(port))
    ftp.login(user, password)
    ftp.prot_p()
    return ftp


def download(ftp):
    with open("down", "wb") as file:
        ftp.retrbinary("RETR down", file.write)


def upload(ftp):
    with open("up", "rb") as file:
        ftp.storbinary("STOR up", file)


def resume_download(ftp):
    with open("cut", "ab") as file:
        ftp.retrbinary("RETR cut", file.write, rest=file.tell())


def resume_upload(ftp):
    ftp.voidcmd("TYPE I")
    there = ftp.size("half")
    with open("half", "rb") as file:
        file.seek(there)
        ftp.storbinary("STOR half", file, rest=there)


steps = {
    "list": lambda ftp: ftp.retrlines("LIST"),
    "upload": upload,
    "download": download,
    "resume download": resume_download,
    "resume upload": resume_upload,
    "rename": lambda ftp: ftp.rename("old", "new"),
    "delete": lambda ftp: ftp.delete("gone"),
}
ftp = connect()
for name, step in steps.items():
    try:
        step(ftp)
    except (ftplib.Error, OSError) as why:
        print(f"{name}: {why!r}", file=sys.stderr)
        ftp.close()
        ftp = connect()
ftp.quit()
