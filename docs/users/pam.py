#!/usr/bin/python3
"""Answers Carrack's `users.program`: PAM says who may log in. Page users-outside.md tells how it is run.

usage: pam.py SERVICE HOMES

SERVICE is a file of /etc/pam.d, HOMES the folder with a home for each user. Needs pamtester.
"""

import json
import os
import re
import subprocess
import sys

PERMISSIONS = ["list", "read", "write", "overwrite", "delete", "rename", "mkdir"]


def lets_in(service, user, password):
    # A name that begins with "-" would be an option of pamtester, and one with "/" another home.
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,31}", user) or re.search(r"[\n\0]", password):
        return False
    command = ["pamtester", service, user, "authenticate", "acct_mgmt"]
    ended = subprocess.run(command, input=password + "\n", text=True, capture_output=True, check=False)
    return ended.returncode == 0


def main():
    service, homes = sys.argv[1:]
    asked = json.loads(sys.stdin.readline())
    answer = {"login": lets_in(service, asked["user"], asked["password"])}
    if answer["login"]:
        answer["user"] = {"home": os.path.join(homes, asked["user"]), "permissions": PERMISSIONS}
    print(json.dumps(answer))


main()
