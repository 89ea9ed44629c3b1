"""Says HOST before AUTH or behind it, logs in and reads the file `where`: PORT NAME PASSWORD before|behind.

Its handshakes name nobody, as it knows the server by an address.
"""

import ftplib
import ssl
import sys

port, name, password, when = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
ftp = ftplib.FTP_TLS(context=context)
ftp.connect("127.0.0.1", port)
if when == "before":
    print(ftp.sendcmd("HOST " + name))
ftp.auth()
if when == "behind":
    print(ftp.sendcmd("HOST " + name))
print(ftp.login("alice", password))
ftp.prot_p()
ftp.retrbinary("RETR where", lambda bytes: print("read", bytes.decode()))
ftp.quit()
